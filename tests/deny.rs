//! `deny.toml` without cargo-deny: licences, bans and sources of everything that is compiled.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// The strings of a list in `deny.toml`.
fn list(section: &str, key: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("deny.toml");
    let text = fs::read_to_string(path).unwrap();
    let (_, section) = text.split_once(&format!("[{section}]")).unwrap();
    let (_, list) = section.split_once(&format!("\n{key} = [\n")).unwrap();
    let (list, _) = list.split_once("\n]").unwrap();
    let strings = list.lines().filter_map(|line| line.trim().strip_prefix('"'));
    strings.map(|line| line.split_once('"').unwrap().0.to_owned()).collect()
}

fn packages() -> Vec<Value> {
    let mut metadata = Command::new(env!("CARGO"));
    metadata.args(["metadata", "--format-version", "1", "--locked", "--offline"]);
    // What is for other machines only need not have been fetched.
    metadata.arg("--filter-platform").arg(format!("{}-unknown-linux-gnu", std::env::consts::ARCH));
    let output = metadata.current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    metadata["packages"].as_array().unwrap().clone()
}

/// Whether an SPDX expression of AND and OR can be met.
fn is_allowed(licence: &str, allowed: &[String]) -> bool {
    let licence = licence.replace('/', " OR ").replace(['(', ')'], "");
    licence
        .split(" AND ")
        .all(|all| all.split(" OR ").any(|one| allowed.iter().any(|allowed| allowed == one.trim())))
}

#[test]
fn licences_bans_and_sources() {
    let licences = list("licenses", "allow");
    let banned = list("bans", "deny");
    let sources = list("sources", "allow-registry");
    for package in packages() {
        let name = package["name"].as_str().unwrap();
        let licence = package["license"].as_str().unwrap_or("none");
        assert!(is_allowed(licence, &licences), "{name} has the licence {licence}");
        assert!(!banned.iter().any(|banned| banned == name), "{name} is banned");
        if let Some(source) = package["source"].as_str() {
            let source = source.strip_prefix("registry+").unwrap_or(source);
            assert!(sources.iter().any(|known| known == source), "{name} comes from {source}");
        }
    }
    assert!(!is_allowed("GPL-3.0-only", &licences));
}
