//! The pages whose examples are compiled and run by the doc tests.

#[doc = include_str!("../README.md")]
struct Readme;

#[doc = include_str!("../docs/start.md")]
struct Start;

#[doc = include_str!("../docs/guides/aggregates.md")]
struct Aggregates;

#[doc = include_str!("../docs/guides/pages.md")]
struct Pages;
