//! The style as a test: what docs/style.md and docs/architecture.md say, checked on every file.
//!
//! Each rule is a function from files to faults, run over the repository by one test and over
//! a bad sample by another, which proves that it fires. There is no allow-list.

#[cfg(test)]
mod tidy {
    mod arrows;
    mod golden;
    mod names;
    mod pages;
    mod sizes;
    mod source;
    mod steps;
    mod supply;
    mod toolchain;
    mod tree;
    mod wiring;
    mod words;

    /// Fails with every fault on a line of its own.
    fn assert_clean(faults: &[String]) {
        assert!(faults.is_empty(), "{} faults:\n{}\n", faults.len(), faults.join("\n"));
    }

    /// Fails unless the sample has exactly one fault, which says `expected`.
    fn assert_fires(faults: &[String], expected: &str) {
        assert_eq!(faults.len(), 1, "{faults:#?}");
        assert!(faults.iter().all(|fault| fault.contains(expected)), "{faults:#?}");
    }
}
