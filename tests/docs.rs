//! What the documents promise is held by tests that exist.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// The names of all functions in the tree's Rust files.
fn functions(directory: &Path, names: &mut BTreeSet<String>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            functions(&path, names);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            let heads = text.lines().filter_map(|line| line.trim_start().strip_prefix("fn "));
            names.extend(heads.filter_map(|head| Some(head.split_once('(')?.0.to_owned())));
        }
    }
}

#[test]
fn every_named_test_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut names = BTreeSet::new();
    functions(&root.join("tests"), &mut names);
    functions(&root.join("crates"), &mut names);
    for page in ["security.md", "operations.md"] {
        let text = fs::read_to_string(root.join("docs").join(page)).unwrap();
        let tables = text.lines().filter(|line| line.starts_with('|'));
        let last = tables.filter_map(|line| line.trim_end_matches('|').rsplit('|').next());
        let named: Vec<&str> = last
            .flat_map(|cell| cell.split('`').skip(1).step_by(2))
            .filter(|name| name.contains('_') && !name.contains(['.', '/', ' ']))
            .collect();
        assert!(named.len() > 10, "{page} names its tests in the last column of its tables");
        for name in named {
            assert!(names.contains(name), "{page}: there is no test {name}");
        }
    }
}
