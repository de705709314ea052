//! Names that say nothing, each with what to do instead.

use super::source::{Source, ident_at, words};
use super::{assert_clean, assert_fires, tree};

const BANNED: [(&str, &str); 7] = [
    ("util", "name the concept that it serves"),
    ("utils", "name the concept that it serves"),
    ("common", "put it beside what it belongs to"),
    ("helper", "name what it does"),
    ("helpers", "name what they do"),
    ("manager", "use an agent noun: Supervisor, Registry, Dispatcher"),
    ("misc", "give each thing a place of its own"),
];

fn vague_paths<'a>(paths: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let mut faults = Vec::new();
    for path in paths {
        let parts = path.split(['/', '.', '_', '-']).map(str::to_lowercase);
        let vague = parts.filter_map(|part| BANNED.iter().find(|(word, _)| *word == part));
        faults.extend(vague.map(|(word, instead)| format!("{path}: {word}: {instead}")));
    }
    faults
}

fn vague_items(sources: &[Source]) -> Vec<String> {
    let mut faults = Vec::new();
    for source in sources {
        for keyword in ["fn", "mod", "struct", "enum", "trait", "type"] {
            for at in words(&source.code, keyword) {
                let name = ident_at(&source.code, (at + keyword.len() + 1).min(source.code.len()));
                let vague = BANNED.iter().find(|(word, _)| parts(name).any(|part| part == *word));
                let Some((word, instead)) = vague else { continue };
                let (path, line) = (&source.path, source.line(at));
                faults.push(format!("{path}:{line}: {name}: {word}: {instead}"));
            }
        }
    }
    faults
}

/// Returns the words of a name in either case, in lower case.
fn parts(name: &str) -> impl Iterator<Item = String> {
    let mut spaced = String::new();
    for c in name.chars() {
        if c.is_uppercase() {
            spaced.push('_');
        }
        spaced.extend(c.to_lowercase());
    }
    spaced.split('_').map(str::to_owned).collect::<Vec<_>>().into_iter()
}

#[test]
fn no_file_or_folder_has_a_name_that_says_nothing() {
    assert_clean(&vague_paths(tree::files().iter().map(String::as_str)));
}

#[test]
fn no_item_has_a_name_that_says_nothing() {
    assert_clean(&vague_items(&tree::sources()));
}

#[test]
fn each_banned_name_is_found_in_paths_and_items() {
    for (word, instead) in BANNED {
        assert_fires(&vague_paths([format!("src/{word}.rs").as_str()]), instead);
        let sample = [Source::new("src/x.rs", &format!("pub fn sort_{word}() {{}}"))];
        assert_fires(&vague_items(&sample), instead);
    }
    let sample = [Source::new("src/x.rs", "struct ActorManager; struct Community;")];
    assert_fires(&vague_items(&sample), "ActorManager");
}
