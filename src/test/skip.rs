//! Tests that cannot run on this machine, seen at the end.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::Path;

/// Tells that a test passes without running, because this machine lacks what `missing` names.
///
/// It is said past the harness, which hides the words of tests that pass, and added to the file
/// that `SKIPPED_TESTS` names, which `make check` shows at its end.
///
/// # Panics
/// With `CI=true`, because nobody misses what a build server leaves out; and when the file cannot
/// be written.
pub fn skip(missing: &str) {
    let is_of_build_server = std::env::var_os("CI").is_some_and(|value| value == "true");
    assert!(!is_of_build_server, "a test cannot run, and CI=true leaves none out: {missing}");
    // Who has closed standard error does not want to know.
    let _ = writeln!(io::stderr(), "SKIPPED: {missing}");
    if let Some(list) = std::env::var_os("SKIPPED_TESTS") {
        let noted = note(Path::new(&list), missing);
        assert!(noted.is_ok(), "SKIPPED_TESTS: {noted:?}");
    }
}

/// Adds a line in one write, so that programs that do so at once do not mix theirs.
fn note(list: &Path, missing: &str) -> io::Result<()> {
    let line = format!("{}\n", missing.replace('\n', " "));
    OpenOptions::new().create(true).append(true).open(list)?.write_all(line.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_skipped_is_one_line_each_in_the_list() {
        let folder = tempfile::tempdir().unwrap();
        let list = folder.path().join("list");
        note(&list, "no broker:\nset NATS_URL").unwrap();
        note(&list, "no browser").unwrap();
        let lines = std::fs::read_to_string(list).unwrap();
        assert_eq!(lines, "no broker: set NATS_URL\nno browser\n");
    }
}
