//! What the program is made of: `deny.toml` enforced without network and without cargo-deny.

use std::process::Command;

use serde::Deserialize;

use super::{assert_clean, assert_fires, tree};

#[derive(Deserialize)]
struct Rules {
    licenses: Licenses,
    bans: Bans,
    sources: Sources,
}

#[derive(Deserialize)]
struct Licenses {
    allow: Vec<String>,
}

#[derive(Deserialize)]
struct Bans {
    deny: Vec<Ban>,
}

#[derive(Deserialize)]
struct Ban {
    #[serde(rename = "crate")]
    name: String,
    reason: String,
}

#[derive(Deserialize)]
struct Sources {
    #[serde(rename = "allow-registry")]
    allow_registry: Vec<String>,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    license: Option<String>,
    source: Option<String>,
}

fn refused(rules: &Rules, packages: &[Package]) -> Vec<String> {
    let mut faults = Vec::new();
    for Package { name, license, source } in packages {
        if let Some(ban) = rules.bans.deny.iter().find(|ban| ban.name == *name) {
            faults.push(format!("{name} is banned: {}", ban.reason));
        }
        let license = license.as_deref().unwrap_or("none");
        if !is_allowed(license, &rules.licenses.allow) {
            faults.push(format!("{name}: licence {license} is not in deny.toml"));
        }
        let registries = &rules.sources.allow_registry;
        let known = |source: &str| registries.iter().any(|allowed| source.ends_with(allowed));
        if let Some(source) = source.as_deref().filter(|source| !known(source)) {
            faults.push(format!("{name}: source {source} is not in deny.toml"));
        }
    }
    faults
}

/// Evaluates an SPDX expression: any side of an `OR` (or `/`), every side of an `AND`.
fn is_allowed(expression: &str, allowed: &[String]) -> bool {
    let expression = expression.replace('/', " OR ");
    let expression = expression.trim();
    if let Some(sides) = split(expression, " OR ") {
        return sides.iter().any(|side| is_allowed(side, allowed));
    }
    if let Some(sides) = split(expression, " AND ") {
        return sides.iter().all(|side| is_allowed(side, allowed));
    }
    match expression.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')) {
        Some(inside) => is_allowed(inside, allowed),
        None => allowed.iter().any(|own| own == expression),
    }
}

/// Splits at an operator outside of brackets; `None` when there is none.
fn split<'a>(expression: &'a str, operator: &str) -> Option<[&'a str; 2]> {
    let outside = |at: &usize| {
        let before = &expression[..*at];
        before.matches('(').count() == before.matches(')').count()
    };
    let at = expression.match_indices(operator).map(|(at, _)| at).find(outside)?;
    Some([&expression[..at], &expression[at + operator.len()..]])
}

fn rules() -> Rules {
    let text = std::fs::read_to_string(tree::root().join("deny.toml")).unwrap();
    toml::from_str(&text).unwrap()
}

/// Returns the packages of a build for this machine; they are all here, so no network is used.
fn packages() -> Vec<Package> {
    let version = Command::new("rustc").arg("-vV").output().unwrap().stdout;
    let version = String::from_utf8_lossy(&version).into_owned();
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
    let arguments = ["metadata", "--offline", "--format-version=1", "--filter-platform", host];
    let mut cargo = Command::new(env!("CARGO"));
    let output = cargo.args(arguments).current_dir(tree::root()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "cargo metadata: {said}");
    serde_json::from_slice::<Metadata>(&output.stdout).unwrap().packages
}

fn package(name: &str, license: &str, source: &str) -> Package {
    let (license, source) = (Some(license.to_owned()), Some(source.to_owned()));
    Package { name: name.to_owned(), license, source }
}

const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";

#[test]
fn licences_bans_and_sources_are_as_deny_toml_states() {
    let packages = packages();
    assert!(packages.len() > 50, "only {} packages", packages.len());
    assert_clean(&refused(&rules(), &packages));
}

#[test]
fn a_banned_crate_a_foreign_licence_and_a_foreign_source_are_found() {
    let banned = [package("openssl", "MIT", REGISTRY)];
    assert_fires(&refused(&rules(), &banned), "openssl is banned");
    let foreign = [package("a", "MIT AND AGPL-3.0", REGISTRY)];
    assert_fires(&refused(&rules(), &foreign), "licence");
    let elsewhere = [package("a", "MIT", "git+https://example.org/a")];
    assert_fires(&refused(&rules(), &elsewhere), "source");
}

#[test]
fn licence_expressions_are_read_with_brackets_and_slashes() {
    let allowed = ["MIT".to_owned(), "Zlib".to_owned()];
    for good in ["MIT/GPL-2.0", "GPL-2.0 OR (MIT AND Zlib)", "(MIT OR GPL-2.0) AND Zlib"] {
        assert!(is_allowed(good, &allowed), "{good}");
    }
    for bad in ["GPL-2.0", "MIT AND GPL-2.0", "(MIT AND GPL-2.0) OR GPL-3.0", "none"] {
        assert!(!is_allowed(bad, &allowed), "{bad}");
    }
}
