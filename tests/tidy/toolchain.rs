//! The version of Rust and the port that people read are those that the code has.

use super::tree::{self, Text};
use super::{assert_clean, assert_fires};

/// The pages where a newcomer looks for what is needed.
const PAGES: [&str; 3] = ["README.md", "CONTRIBUTING.md", "docs/start.md"];

/// The port of the program, on every page and in every default.
const PORT: &str = "127.0.0.1:4600";
const OTHER_PORTS: [&str; 3] = ["127.0.0.1:8080", "localhost:8080", "127, 0, 0, 1], 8080"];

fn without_version(pages: &[Text], manifest: &str) -> Vec<String> {
    let version = manifest.lines().find_map(|line| line.strip_prefix("rust-version = "));
    let wanted = format!("Rust {} or newer", version.unwrap_or_default().trim_matches('"'));
    let lacking = pages.iter().filter(|page| !page.text.contains(&wanted));
    lacking.map(|page| format!("{} does not say {wanted:?}", page.path)).collect()
}

fn with_other_port(texts: &[Text]) -> Vec<String> {
    let has_other = |text: &&Text| OTHER_PORTS.iter().any(|port| text.text.contains(port));
    let found = texts.iter().filter(has_other);
    found.map(|text| format!("{} has another port than {PORT}", text.path)).collect()
}

#[test]
fn the_needed_rust_is_that_of_the_manifest_on_every_page_that_names_it() {
    let manifest = tree::read("Cargo.toml").map(|text| text.text).unwrap_or_default();
    let pages: Vec<Text> = PAGES.iter().filter_map(|path| tree::read(path)).collect();
    assert_eq!(pages.len(), PAGES.len());
    assert_clean(&without_version(&pages, &manifest));
}

#[test]
fn every_page_and_default_has_the_same_port() {
    let own = |text: &Text| !text.path.starts_with("tests/tidy/");
    let texts: Vec<Text> = tree::texts().into_iter().filter(own).collect();
    assert_clean(&with_other_port(&texts));
}

#[test]
fn a_page_with_another_version_or_port_is_found() {
    let page = [Text::new("a.md", "Rust 1.2 or newer, http://127.0.0.1:8080")];
    assert_fires(&without_version(&page, "rust-version = \"1.3\""), "Rust 1.3");
    assert_fires(&with_other_port(&page), "another port");
}
