//! The kit for tests: given/when/then, golden files, the conformance suite, faulty disks.

pub mod conformance;
pub mod disk;
