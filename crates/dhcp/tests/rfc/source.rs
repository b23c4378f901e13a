//! The sources as the other tests of this crate read them: files, functions, tests.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

pub(crate) fn report(rule: &str, faults: &[String]) {
    assert!(faults.is_empty(), "{rule}\n  {}\n", faults.join("\n  "));
}

/// Whether a file of a test crate that has several is one of its modules; a file that nothing
/// compiles tests nothing.
pub(crate) fn is_orphan(file: &str) -> bool {
    let Some((folder, name)) = file.rsplit_once('/') else { return false };
    let is_of_tests = folder.starts_with("tests/") || folder.contains("/tests/");
    if !is_of_tests || matches!(name, "main.rs" | "mod.rs") {
        return false;
    }
    let parents = [format!("{folder}/main.rs"), format!("{folder}.rs"), format!("{folder}/mod.rs")];
    let module = format!("mod {};", name.trim_end_matches(".rs"));
    let mut texts = parents.iter().filter_map(|path| fs::read_to_string(root().join(path)).ok());
    !texts.any(|text| text.lines().any(|line| line.ends_with(&module)))
}

/// Every Rust file under `crates` and `tests`, as a path from the root, in order.
pub(crate) fn rust_files() -> BTreeSet<String> {
    let mut files = BTreeSet::new();
    let mut folders = vec![PathBuf::from("crates"), PathBuf::from("tests")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(root().join(&folder)).expect("a source folder can be read") {
            let entry = entry.expect("its entries can be read");
            let path = folder.join(entry.file_name());
            if entry.path().is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.insert(path.to_string_lossy().into_owned());
            }
        }
    }
    files
}

/// Names of functions under a `#[test]`.
pub(crate) fn test_functions(text: &str) -> impl Iterator<Item = String> {
    let mut marked = false;
    text.lines().map(str::trim_start).filter_map(move |line| {
        marked |= line.starts_with("#[test]") || line.starts_with("#[tokio::test");
        let name = item_name(line)?;
        std::mem::take(&mut marked).then(|| name.to_owned())
    })
}

/// Whether a test function is named after a case: `sel_01_…`, or `sel_01_04_…` for two of them.
pub(crate) fn is_of_case(test: &str, case: &str) -> bool {
    let Some((family, number)) = case.split_once('-') else { return false };
    let mut words = test.split('_');
    words.next() == Some(&*family.to_lowercase())
        && words.take_while(|word| word.parse::<u8>().is_ok()).any(|word| word == number)
}

/// The name that a line declares: a function's, type's or constant's.
pub(crate) fn item_name(line: &str) -> Option<&str> {
    let mut words = line.split_whitespace();
    let mut word = words.next()?;
    while ["pub", "pub(crate)", "pub(super)", "async", "unsafe", "const"].contains(&word) {
        let after = words.next()?;
        if word == "const" && after != "fn" && after != "unsafe" {
            return Some(after.trim_end_matches(':'));
        }
        word = after;
    }
    let declares = ["fn", "struct", "enum", "trait", "static", "type", "mod", "macro_rules!"];
    let name = declares.contains(&word).then(|| words.next()).flatten()?;
    name.split(|c: char| !(c.is_alphanumeric() || c == '_')).next().filter(|name| !name.is_empty())
}
