// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Crates from elsewhere are what `deny.toml` allows.
//!
//! `cargo deny` checks the same, and advisories as well. It compiles some 200 crates and
//! fetches a database, so that not every machine has it: what needs neither is checked here.

use std::collections::BTreeSet;
use std::fs;

use cargo_metadata::{Metadata, MetadataCommand};
use spdx::{Expression, LicenseReq, ParseMode};
use system_tests::root;

/// The workspaces of the project.
const MANIFESTS: [&str; 2] = ["Cargo.toml", "fuzz/Cargo.toml"];

fn rules() -> toml::Table {
    fs::read_to_string(root().join("deny.toml")).unwrap().parse().unwrap()
}

/// The strings of a list in a section of `rules`.
fn list<'a>(rules: &'a toml::Table, section: &str, key: &str) -> BTreeSet<&'a str> {
    let list = rules[section][key].as_array().expect("a list");
    list.iter().map(|entry| entry.as_str().expect("a string")).collect()
}

/// Both workspaces, with all that they use on the machines that they are for.
fn workspaces() -> impl Iterator<Item = Metadata> {
    let rules = rules();
    let target = list(&rules, "graph", "targets").into_iter().next().expect("a target").to_owned();
    let options = ["--locked".to_owned(), "--filter-platform".to_owned(), target];
    MANIFESTS.into_iter().map(move |manifest| {
        let mut command = MetadataCommand::new();
        command.manifest_path(root().join(manifest)).other_options(options.clone());
        command.exec().unwrap()
    })
}

/// Whether `license` can be kept with the `allowed` licences alone.
fn is_allowed(license: &str, allowed: &BTreeSet<&str>) -> bool {
    // As cargo deny reads it: old crates have a slash for OR.
    let Ok(expression) = Expression::parse_mode(license, ParseMode::LAX) else { return false };
    expression.evaluate(|required: &LicenseReq| {
        required.license.id().is_some_and(|id| allowed.contains(id.name))
    })
}

#[test]
fn licences_are_allowed() {
    let rules = rules();
    let allowed = list(&rules, "licenses", "allow");
    assert!(is_allowed("GPL-3.0-only OR MIT", &allowed) && is_allowed("MIT/Apache-2.0", &allowed));
    assert!(!is_allowed("GPL-3.0-only AND MIT", &allowed) && !is_allowed("LGPL-2.1", &allowed));
    for metadata in workspaces() {
        let foreign = metadata.packages.iter().filter(|package| package.source.is_some());
        let wrong: Vec<_> = foreign
            .map(|package| (package.name.as_str(), package.license.as_deref().unwrap_or("none")))
            .filter(|(_, license)| !is_allowed(license, &allowed))
            .collect();
        assert_eq!(wrong, [], "licences that deny.toml does not have");
        assert!(metadata.packages.len() > 20);
    }
}

#[test]
fn crates_come_from_the_registry() {
    let rules = rules();
    let allowed = list(&rules, "sources", "allow-registry");
    for metadata in workspaces() {
        let sources = metadata.packages.iter().filter_map(|package| package.source.as_ref());
        let sources: BTreeSet<_> = sources.map(|source| source.repr.as_str()).collect();
        assert!(!sources.is_empty());
        for source in sources {
            let registry = source.strip_prefix("registry+").unwrap_or(source);
            assert!(allowed.contains(registry), "{source} is not in deny.toml");
        }
    }
}

#[test]
fn versions_are_named() {
    for metadata in workspaces() {
        for package in metadata.packages.iter().filter(|package| package.source.is_none()) {
            for dependency in &package.dependencies {
                let is_local = dependency.path.is_some();
                let is_any = dependency.req.comparators.is_empty();
                assert!(is_local || !is_any, "{} uses any {}", package.name, dependency.name);
            }
        }
    }
}
