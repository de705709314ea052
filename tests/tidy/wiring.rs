//! No file lies dead: every module is named by its parent, every example is compiled.

use super::source::{Source, words};
use super::tree::{self, Text};
use super::{assert_clean, assert_fires};

/// Returns every Rust file that neither cargo nor a `mod` reaches.
fn unreached(sources: &[Source]) -> Vec<String> {
    let dead = sources.iter().filter(|source| {
        let declared = || sources.iter().any(|other| declares(other, &source.path));
        !is_crate_root(&source.path) && !declared()
    });
    dead.map(|source| format!("{}: no `mod` names it: wire it or remove it", source.path)).collect()
}

/// Returns whether a file declares the module of the file at `path`.
fn declares(source: &Source, path: &str) -> bool {
    let stem = path.trim_end_matches(".rs").trim_end_matches("/mod");
    let Some((folder, name)) = stem.rsplit_once('/') else { return false };
    let own_folder = source.path.rsplit_once('/').map_or("", |(own, _)| own);
    let is_parent = match source.path.trim_end_matches(".rs") {
        own if own == folder || own == format!("{folder}/mod") => true,
        _ => is_crate_root(&source.path) && (own_folder == folder || opens(source, folder)),
    };
    is_parent && words(&source.code, &format!("mod {name};")).next().is_some()
}

/// Returns whether a file has a module, written inside of it, whose files lie in the folder.
fn opens(source: &Source, folder: &str) -> bool {
    let own_folder = source.path.rsplit_once('/').map_or("", |(own, _)| own);
    let name = folder.strip_prefix(own_folder).and_then(|rest| rest.strip_prefix('/'));
    name.is_some_and(|name| words(&source.code, &format!("mod {name} {{")).next().is_some())
}

/// Returns every file whose production code names a file of tests.
fn shipped_tests(sources: &[Source]) -> Vec<String> {
    let shipped =
        sources.iter().filter(|source| words(&source.production, "mod tests;").next().is_some());
    shipped.map(|source| format!("{}: `mod tests;` without #[cfg(test)]", source.path)).collect()
}

/// Returns whether cargo finds the file by itself.
fn is_crate_root(path: &str) -> bool {
    let parts: Vec<&str> = path.rsplit('/').collect();
    match parts.as_slice() {
        ["build.rs", ..] => true,
        ["lib.rs" | "main.rs", "src", ..] => true,
        ["main.rs", _, "tests" | "benches" | "examples" | "bin", ..] => true,
        [_, "tests" | "benches" | "examples" | "bin", ..] => !path.contains("src/test"),
        _ => false,
    }
}

/// Returns every page with Rust examples that no doc test includes.
fn uncompiled(pages: &[Text], sources: &[Source]) -> Vec<String> {
    let with_rust = pages
        .iter()
        .filter(|page| page.text.lines().any(|line| line.trim_start().starts_with("```rust")));
    let loose = with_rust.filter(|page| {
        let included = |source: &Source| {
            let from = "../".repeat(source.path.matches('/').count());
            source.text.contains(&format!("include_str!(\"{from}{}\")", page.path))
        };
        !sources.iter().any(included)
    });
    loose.map(|page| format!("{}: no doc test includes its examples", page.path)).collect()
}

/// Returns every example of the repository that no page shows letter for letter.
fn unshown(examples: &[Text], pages: &[Text]) -> Vec<String> {
    let shown = |text: &str| pages.iter().any(|page| page.text.contains(text));
    let drifted = examples.iter().filter(|example| !shown(&example.text));
    drifted
        .map(|example| format!("{}: no page shows it: copy it there again", example.path))
        .collect()
}

/// Returns every manifest that keeps cargo from finding tests by itself.
fn hidden_tests(manifests: &[Text]) -> Vec<String> {
    let hiding = |line: &str| {
        ["autotests", "test = false", "harness = false"].iter().any(|word| line.starts_with(word))
    };
    let mut faults = Vec::new();
    for Text { path, text } in manifests {
        let lines = text.lines().filter(|line| hiding(line.trim()));
        faults.extend(lines.map(|line| format!("{path}: {line}: let cargo find every test")));
    }
    faults
}

#[test]
fn every_rust_file_is_reached() {
    assert_clean(&unreached(&tree::sources()));
}

#[test]
fn files_of_tests_are_named_by_tests_alone() {
    assert_clean(&shipped_tests(&tree::sources()));
}

#[test]
fn a_file_of_tests_in_production_is_found() {
    let shipped = Source::new("src/x.rs", "mod tests;");
    let kept = Source::new("src/y.rs", "#[cfg(test)]\nmod tests;");
    assert_fires(&shipped_tests(&[shipped, kept]), "src/x.rs");
}

#[test]
fn every_rust_example_of_a_page_is_compiled() {
    assert_clean(&uncompiled(&tree::pages(), &tree::sources()));
}

#[test]
fn every_example_is_shown_by_a_page_as_it_is() {
    let files = tree::files();
    let examples = files.iter().filter(|path| path.starts_with("examples/"));
    let examples: Vec<Text> = examples.filter_map(|path| tree::read(path)).collect();
    assert_clean(&unshown(&examples, &tree::pages()));
}

#[test]
fn an_example_that_differs_from_its_page_is_found() {
    let page = [Text::new("docs/a.md", "```rust\nfn main() {}\n```\n")];
    assert_clean(&unshown(&[Text::new("examples/a.rs", "fn main() {}\n")], &page));
    assert_fires(&unshown(&[Text::new("examples/a.rs", "fn main() { }\n")], &page), "copy it");
}

#[test]
fn no_manifest_hides_a_test() {
    let files = tree::files();
    let manifests = files.iter().filter(|path| path.ends_with("Cargo.toml"));
    assert_clean(&hidden_tests(&manifests.filter_map(|path| tree::read(path)).collect::<Vec<_>>()));
}

#[test]
fn a_file_that_no_mod_names_is_found() {
    let dead = Source::new("src/store/dead.rs", "");
    let parent = Source::new("src/store/mod.rs", "mod alive; // mod dead;");
    let root = Source::new("src/lib.rs", "pub mod store;");
    let alive = Source::new("src/store/alive.rs", "");
    let test = Source::new("tests/a.rs", "mod sample;");
    let sample = Source::new("tests/sample/mod.rs", "");
    let other = Source::new("tests/b.rs", "mod shared { mod rule; }");
    let rule = Source::new("tests/shared/rule.rs", "");
    let sources = [dead, parent, root, alive, test, sample, other, rule];
    let faults = unreached(&sources);
    assert_fires(&faults, "src/store/dead.rs");
    assert_eq!(faults.len(), 1, "{faults:?}");
}

#[test]
fn a_page_whose_examples_nobody_compiles_is_found() {
    let page = Text::new("docs/a.md", "# A\n```rust\nx\n```\n");
    let other = Source::new("src/x.rs", "#[doc = include_str!(\"../docs/b.md\")]");
    assert_fires(&uncompiled(std::slice::from_ref(&page), &[other]), "docs/a.md");
    let own = Source::new("src/x.rs", "#[doc = include_str!(\"../docs/a.md\")]");
    assert_clean(&uncompiled(&[page], &[own]));
}

#[test]
fn a_manifest_that_hides_tests_is_found() {
    assert_fires(&hidden_tests(&[Text::new("Cargo.toml", "autotests = false")]), "autotests");
}
