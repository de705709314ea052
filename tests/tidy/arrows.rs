//! Which folder may use which: the arrows of docs/architecture.md.

use std::collections::BTreeSet;

use super::source::{Source, close_of, ident_at, words};
use super::{assert_clean, assert_fires, tree};

/// Each folder of `src` with the folders that its production code may use.
const ARROWS: [(&str, &[&str]); 16] = [
    ("clock", &[]),
    ("telemetry", &["clock"]),
    ("page", &[]),
    ("handbook", &[]),
    ("json", &[]),
    ("event", &["clock"]),
    ("aggregate", &["clock", "event"]),
    ("postgres", &[]),
    ("sql", &["clock", "event", "postgres"]),
    ("nodes", &["sql"]),
    ("projection", &["clock", "event", "sql"]),
    ("store", &["clock", "event", "postgres"]),
    (
        "runtime",
        &[
            "clock",
            "event",
            "json",
            "aggregate",
            "sql",
            "nodes",
            "projection",
            "store",
            "telemetry",
            "plugin",
        ],
    ),
    ("plugin", &["event", "aggregate", "sql", "projection", "store", "runtime"]),
    (
        "api",
        &[
            "clock",
            "event",
            "json",
            "aggregate",
            "sql",
            "nodes",
            "projection",
            "store",
            "runtime",
            "telemetry",
            "plugin",
            "page",
        ],
    ),
    (
        "test",
        &[
            "clock",
            "event",
            "aggregate",
            "postgres",
            "sql",
            "projection",
            "store",
            "runtime",
            "api",
        ],
    ),
];

/// Crates that stay behind one door, with the places that are the door.
const DOORS: [(&str, &[&str]); 7] = [
    ("actix", &["src/runtime/"]),
    ("actix_rt", &["src/runtime/", "src/api/", "actors/system/"]),
    ("actix_web", &["src/api/", "actors/system/"]),
    ("rusqlite", &["src/sql/"]),
    ("tokio_postgres", &["src/postgres/", "src/sql/", "src/store/", "src/test/"]),
    ("deadpool_postgres", &["src/postgres/", "src/sql/", "src/store/"]),
    ("rustls", &["src/postgres/", "actors/outbox/src/webhook/"]),
];

/// What makes a file a domain file.
const VERBS: [&str; 7] = [
    "impl Aggregate for",
    "impl Decide<",
    "impl Projection for",
    "impl RowProjection for",
    "impl Reactor for",
    "event_schema!",
    "impl Rejection for",
];

/// What a domain file must not know, with the reason.
const IMPURE: [(&str, &str); 9] = [
    ("async", "the four verbs are pure: the runtime waits"),
    (".await", "the four verbs are pure: the runtime waits"),
    ("tokio", "the four verbs are pure: the runtime waits"),
    ("actix", "actors are the shells around the verbs"),
    ("rusqlite", "a projection writes through Tx"),
    ("std::fs", "I/O belongs to the shells"),
    ("SystemTime", "time comes from the context or the event"),
    ("Timestamp::now", "time comes from the context or the event"),
    ("Instant", "time comes from the context or the event"),
];

fn wrong_arrows(sources: &[Source]) -> Vec<String> {
    let mut faults = Vec::new();
    for source in sources {
        let Some(own) = folder(&source.path) else { continue };
        let Some((_, allowed)) = ARROWS.iter().find(|(name, _)| *name == own) else {
            faults.push(format!("{}: folder {own} has no arrows: add them", source.path));
            continue;
        };
        for used in used_folders(source) {
            let known = ARROWS.iter().any(|(name, _)| *name == used);
            if known && used != own && !allowed.contains(&used.as_str()) {
                faults.push(format!("{}: {own} must not use {used}", source.path));
            }
        }
    }
    faults
}

/// Returns the folder of `src` that a file belongs to; `None` outside and for `lib.rs`.
fn folder(path: &str) -> Option<&str> {
    let inside = path.strip_prefix("src/")?;
    let name = inside.split('/').next()?.trim_end_matches(".rs");
    (name != "lib").then_some(name)
}

/// Returns what the file's production code names behind `crate::` or as many `super::`.
fn used_folders(source: &Source) -> BTreeSet<String> {
    let code = &source.production;
    let depth = source.path.matches('/').count() - usize::from(source.path.ends_with("/mod.rs"));
    let to_root = "super::".repeat(depth.max(1));
    let roots = ["crate::", to_root.as_str()];
    let behind = roots.iter().flat_map(|root| {
        let own = words(code, root).filter(|at| !code[..*at].ends_with("super::"));
        own.map(|at| at + root.len()).collect::<Vec<_>>()
    });
    behind.flat_map(|at| names_at(code, at)).collect()
}

/// Returns the first names of a path or of each path of a group.
fn names_at(code: &str, at: usize) -> Vec<String> {
    if !code[at..].starts_with('{') {
        return vec![ident_at(code, at).to_owned()];
    }
    let group = &code[at + 1..close_of(code, at) - 1];
    let mut depth = 0_usize;
    let top = group.split(',').filter_map(|part| {
        let name = (depth == 0).then(|| ident_at(part.trim_start(), 0).to_owned());
        depth = depth + part.matches('{').count() - part.matches('}').count().min(depth);
        name
    });
    top.collect()
}

fn opened_doors(sources: &[Source]) -> Vec<String> {
    let mut faults = Vec::new();
    for source in sources {
        for (name, doors) in DOORS {
            let path = format!("{name}::");
            let behind = doors.iter().any(|door| source.path.starts_with(door));
            let used = words(&source.production, &path).next();
            if let Some(at) = used.filter(|_| !behind) {
                let (file, line) = (&source.path, source.line(at));
                faults.push(format!("{file}:{line}: {name} only in {}", doors.join(", ")));
            }
        }
    }
    faults
}

fn impure_domains(sources: &[Source]) -> Vec<String> {
    let mut faults = Vec::new();
    for source in sources.iter().filter(|source| source.path.starts_with("actors/")) {
        let code = &source.production;
        if !VERBS.iter().any(|verb| code.contains(verb)) {
            continue;
        }
        for (word, reason) in IMPURE {
            let lines = words(code, word).map(|at| source.line(at));
            let path = &source.path;
            faults.extend(lines.map(|line| format!("{path}:{line}: {word}: {reason}")));
        }
    }
    faults
}

#[test]
fn imports_follow_the_arrows() {
    assert_clean(&wrong_arrows(&tree::sources()));
}

#[test]
fn actors_the_web_and_sql_drivers_stay_behind_their_doors() {
    assert_clean(&opened_doors(&tree::sources()));
}

#[test]
fn domain_files_are_pure() {
    assert_clean(&impure_domains(&tree::sources()));
}

#[test]
fn an_arrow_against_the_current_is_found() {
    let samples = [
        ("src/event/x.rs", "use crate::store::EventStore;"),
        ("src/event/x.rs", "use crate::{clock::Clock, store::{Append, Expected}};"),
        ("src/event/x.rs", "use super::super::store;"),
        ("src/event/mod.rs", "use super::store;"),
        ("src/clock.rs", "fn f() -> super::store::Append {}"),
    ];
    for (path, text) in samples {
        assert_fires(&wrong_arrows(&[Source::new(path, text)]), "must not use store");
    }
    let unknown = Source::new("src/novel/mod.rs", "");
    assert_fires(&wrong_arrows(&[unknown]), "no arrows");
}

#[test]
fn arrows_with_the_current_and_those_of_tests_are_free() {
    let text = "use crate::event::Event; use super::query;\n#[cfg(test)]\nmod tests { use crate::test::a; }";
    assert_clean(&wrong_arrows(&[Source::new("src/store/x.rs", text)]));
}

#[test]
fn each_open_door_is_found() {
    for (name, _) in DOORS {
        let sample = [Source::new("src/event/x.rs", &format!("use {name}::A;"))];
        assert_fires(&opened_doors(&sample), name);
    }
}

#[test]
fn each_impurity_is_found_in_a_domain_file_alone() {
    for (word, reason) in IMPURE {
        let domain = format!("impl Aggregate for Order {{ {word} }}");
        assert_fires(&impure_domains(&[Source::new("actors/shop/src/order.rs", &domain)]), reason);
        assert_clean(&impure_domains(&[Source::new("actors/shop/src/import.rs", word)]));
    }
}
