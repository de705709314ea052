//! Every shape of an event that may lie on disk has a golden file, and no golden file is orphaned.

use std::collections::BTreeSet;

use super::source::{Source, close_of, ident_at, words};
use super::{assert_clean, assert_fires, tree};

const FOLDER: &str = "schema/events";

/// Returns the golden file of each shape that the `event_schema!` tables of a file list.
fn golden_files(source: &Source) -> Vec<String> {
    let code = if source.is_test() { &source.code } else { &source.production };
    let tables = words(code, "event_schema!").filter_map(|at| {
        let outer = at + code[at..].find(['{', '('])?;
        let table = outer + 1 + code[outer + 1..].find('{')?;
        let category = source.text[outer..table].split('"').nth(1)?;
        let shapes = shapes(&code[table + 1..close_of(code, table) - 1]);
        Some(shapes.into_iter().map(move |shape| format!("{FOLDER}/{category}/{shape}.json")))
    });
    tables.flatten().collect()
}

/// Reads `Name = 2 { 1 => Old }, …` as `Name.v2`, `Name.v1`, ….
fn shapes(table: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut name = "";
    for (at, _) in table.match_indices('=') {
        let (before, after) = (table[..at].trim_end(), table[at + 1..].trim_start_matches('>'));
        let word = before.rsplit(|c: char| c != '_' && !c.is_alphanumeric()).next().unwrap_or("");
        let version = if after.len() == table.len() - at - 1 {
            name = word;
            ident_at(after.trim_start(), 0)
        } else {
            word
        };
        found.push(format!("{name}.v{version}"));
    }
    found
}

fn missing(shapes: &[String], files: &BTreeSet<String>) -> Vec<String> {
    let gone = shapes.iter().filter(|path| !files.contains(*path));
    gone.map(|path| format!("{path} is missing: run `make golden`")).collect()
}

fn orphaned(shapes: &[String], files: &BTreeSet<String>) -> Vec<String> {
    let golden = files.iter().filter(|path| path.starts_with(FOLDER));
    let orphans = golden.filter(|path| !shapes.contains(path));
    orphans
        .map(|path| format!("{path} has no shape: events like it would no longer read"))
        .collect()
}

#[test]
fn every_shape_has_a_golden_file() {
    let sources = tree::sources();
    let production = sources.iter().filter(|source| !source.is_test());
    let shapes: Vec<String> = production.flat_map(golden_files).collect();
    assert_clean(&missing(&shapes, &tree::files().into_iter().collect()));
}

#[test]
fn every_golden_file_has_a_shape() {
    let shapes: Vec<String> = tree::sources().iter().flat_map(golden_files).collect();
    assert_clean(&orphaned(&shapes, &tree::files().into_iter().collect()));
}

#[test]
fn shapes_without_files_and_files_without_shapes_are_found() {
    let text = "headwater::event_schema! {\n OrderEvent in \"order\" {\n  Placed = 2 { 1 => PlacedV1 },\n  Sent = 1,\n } tags: |e| x;\n}";
    let shapes = golden_files(&Source::new("actors/shop/src/order.rs", text));
    let path = |shape: &str| format!("{FOLDER}/order/{shape}.json");
    assert_eq!(shapes, [path("Placed.v2"), path("Placed.v1"), path("Sent.v1")]);
    let files = BTreeSet::from([path("Placed.v2"), path("Sent.v1"), path("Lost.v1")]);
    assert_fires(&missing(&shapes, &files), "Placed.v1.json is missing");
    assert_fires(&orphaned(&shapes, &files), "Lost.v1.json has no shape");
}
