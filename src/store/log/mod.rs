//! The embedded log: append-only segment files, one barrier for each group commit.
