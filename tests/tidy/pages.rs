//! Pages of prose: one title, links that lead somewhere, a glossary that is whole.

use std::collections::BTreeSet;

use super::source::{Source, ident_at, words};
use super::tree::{self, Text};
use super::{assert_clean, assert_fires};

fn titles(pages: &[Text]) -> Vec<String> {
    let wrong = pages.iter().filter_map(|page| {
        let count = prose(&page.text).lines().filter(|line| line.starts_with("# ")).count();
        (count != 1).then(|| format!("{}: {count} titles (`# `), want one", page.path))
    });
    wrong.collect()
}

fn dead_links(pages: &[Text], files: &BTreeSet<String>) -> Vec<String> {
    let mut faults = Vec::new();
    for page in pages {
        for link in links(&page.text) {
            let (path, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let target =
                if path.is_empty() { page.path.clone() } else { resolve(&page.path, path) };
            let folder = format!("{}/", target.trim_end_matches('/'));
            let exists =
                files.contains(&target) || files.iter().any(|file| file.starts_with(&folder));
            if !exists {
                faults.push(format!("{}: link {link} leads nowhere", page.path));
            } else if !anchor.is_empty() && !has_heading(pages, &target, anchor) {
                faults.push(format!("{}: link {link} names no heading", page.path));
            }
        }
    }
    faults
}

/// Returns every page that names a Rust file, as `src/…`, `tests/…` or `actors/…`, that is gone.
fn lost_files(pages: &[Text], files: &BTreeSet<String>) -> Vec<String> {
    let mut faults = Vec::new();
    for page in pages {
        for named in page.text.split('`').skip(1).step_by(2) {
            let ours = ["src/", "tests/", "actors/"].iter().any(|folder| named.starts_with(folder));
            if ours && named.ends_with(".rs") && !files.contains(named) {
                faults.push(format!("{}: {named} is not there", page.path));
            }
        }
    }
    faults
}

fn missing_words(glossary: &str, sources: &[Source]) -> Vec<String> {
    let mut faults = Vec::new();
    for source in sources.iter().filter(|source| !source.is_test()) {
        for at in words(&source.production, "pub trait") {
            let name = ident_at(&source.production, at + "pub trait ".len());
            if words(glossary, name).next().is_none() {
                faults.push(format!("{}: trait {name} is not in docs/glossary.md", source.path));
            }
        }
    }
    faults
}

fn changelog_faults(text: &str) -> Vec<String> {
    let has = |heading: &str| text.lines().any(|line| line.trim() == heading);
    let missing = |heading: &&&str| !has(heading);
    let wanted = ["# Changelog", "## [Unreleased]"];
    wanted.iter().filter(missing).map(|heading| format!("CHANGELOG.md: no `{heading}`")).collect()
}

/// Returns the text with code fences and inline code blanked.
fn prose(text: &str) -> String {
    let (mut fenced, mut out) = (false, String::new());
    for line in text.lines() {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        if !fenced && !fence {
            out.extend(line.split('`').step_by(2));
        }
        out.push('\n');
    }
    out
}

/// Returns the targets of links that stay in the repository.
fn links(text: &str) -> Vec<String> {
    let text = prose(text);
    let targets = text.match_indices("](").filter_map(|(at, _)| {
        let rest = &text[at + 2..];
        let target = rest[..rest.find(')')?].split_whitespace().next()?;
        let outside = target.contains("://") || target.starts_with("mailto:");
        (!outside).then(|| target.to_owned())
    });
    targets.collect()
}

fn resolve(page: &str, link: &str) -> String {
    let mut parts: Vec<&str> = page.split('/').collect();
    parts.pop();
    for part in link.split('/') {
        match part {
            "." | "" => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

fn has_heading(pages: &[Text], path: &str, anchor: &str) -> bool {
    let Some(page) = pages.iter().find(|page| page.path == path) else { return false };
    let headings = page.text.lines().filter(|line| line.starts_with('#'));
    headings.map(|line| slug(line.trim_start_matches('#'))).any(|own| own == anchor)
}

fn slug(heading: &str) -> String {
    let kept = heading.trim().chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
    kept.flat_map(char::to_lowercase).map(|c| if c == ' ' { '-' } else { c }).collect()
}

#[test]
fn every_page_has_one_title() {
    assert_clean(&titles(&tree::pages()));
}

#[test]
fn every_link_leads_somewhere() {
    assert_clean(&dead_links(&tree::pages(), &tree::files().into_iter().collect()));
}

#[test]
fn every_rust_file_that_a_page_names_is_there() {
    assert_clean(&lost_files(&tree::pages(), &tree::files().into_iter().collect()));
}

#[test]
fn a_page_that_names_a_lost_file_is_found() {
    let files = BTreeSet::from(["tests/a.rs".to_owned()]);
    let page = [Text::new("a.md", "`tests/a.rs` and `tests/b.rs`, `x.rs`")];
    assert_fires(&lost_files(&page, &files), "tests/b.rs");
}

#[test]
fn the_glossary_has_every_public_trait() {
    let glossary = tree::read("docs/glossary.md").map(|page| page.text).unwrap_or_default();
    assert_clean(&missing_words(&glossary, &tree::sources()));
}

#[test]
fn the_changelog_says_what_is_not_released_yet() {
    let changelog = tree::read("CHANGELOG.md").map(|page| page.text).unwrap_or_default();
    assert_clean(&changelog_faults(&changelog));
}

#[test]
fn a_page_without_a_title_or_with_two_is_found() {
    assert_fires(&titles(&[Text::new("a.md", "## a\n```\n# no title\n```\n")]), "0 titles");
    assert_fires(&titles(&[Text::new("a.md", "# a\n# b\n")]), "2 titles");
}

#[test]
fn links_that_lead_nowhere_are_found() {
    let files = BTreeSet::from(["docs/a.md".to_owned(), "src/x.rs".to_owned()]);
    let faults = |text: &str| dead_links(&[Text::new("docs/a.md", text)], &files);
    assert_fires(&faults("[x](../src/y.rs)"), "leads nowhere");
    assert_fires(&faults("# B c\n[x](#b)"), "names no heading");
    assert_clean(&faults(
        "# B c\n[x](#b-c) [y](../src/x.rs) [z](../src) `[n](m)` [w](https://x.y)",
    ));
}

#[test]
fn a_trait_that_the_glossary_lacks_is_found() {
    let sources = [Source::new("src/x.rs", "pub trait Store {}\npub trait Clock {}")];
    assert_fires(&missing_words("**Clock** tells; Stores differ.", &sources), "trait Store");
}

#[test]
fn a_changelog_without_unreleased_is_found() {
    assert_fires(&changelog_faults("# Changelog\n\n## [0.1.0]\n"), "[Unreleased]");
}
