//! Style as a test: sizes, first lines, names, dependency directions, who may make a promise.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const FILE_LINES_MAX: usize = 600;
const FUNCTION_LINES_MAX: usize = 70;
const LINE_COLUMNS_MAX: usize = 100;
const EMPTY_NAMES: [&str; 7] = ["util", "utils", "common", "helper", "helpers", "misc", "types"];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Every file that git tracks or would track, as paths from the root.
fn files() -> Vec<PathBuf> {
    let listed = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard"])
        .current_dir(root())
        .output()
        .expect("git lists the tree");
    assert!(listed.status.success(), "git ls-files failed");
    let names = String::from_utf8(listed.stdout).expect("file names are UTF-8");
    names.lines().map(PathBuf::from).filter(|path| root().join(path).is_file()).collect()
}

fn rust_files() -> Vec<(PathBuf, String)> {
    let rust = files().into_iter().filter(|path| path.extension().is_some_and(|e| e == "rs"));
    let read = rust.map(|path| {
        let text = fs::read_to_string(root().join(&path)).expect("a tracked source is UTF-8");
        (path, text)
    });
    let all: Vec<_> = read.collect();
    assert!(all.len() > 10, "the tree was not found: {} Rust files", all.len());
    all
}

fn report(rule: &str, faults: &[String]) {
    assert!(faults.is_empty(), "{rule}\n  {}\n", faults.join("\n  "));
}

#[test]
fn files_are_short_and_say_their_job() {
    let mut faults = Vec::new();
    for (path, text) in rust_files() {
        let lines = text.lines().count();
        if lines > FILE_LINES_MAX {
            faults.push(format!("{}: {lines} lines", path.display()));
        }
        let readme = text.starts_with("#![doc = include_str!");
        if !(text.starts_with("//! ") || readme) {
            faults.push(format!("{}: does not open with a `//!` sentence", path.display()));
        }
        for (number, line) in text.lines().enumerate() {
            if line.chars().count() > LINE_COLUMNS_MAX && !line.contains("://") {
                faults.push(format!("{}:{}: over 100 columns", path.display(), number + 1));
            }
        }
    }
    report("a file has at most 600 lines of 100 columns and opens with its job", &faults);
}

#[test]
fn functions_are_short() {
    let mut faults = Vec::new();
    for (path, text) in rust_files() {
        let lines: Vec<&str> = text.lines().collect();
        for start in 0..lines.len() {
            let Some(length) = function_length(&lines, start) else { continue };
            if length > FUNCTION_LINES_MAX {
                faults.push(format!("{}:{}: {length} lines", path.display(), start + 1));
            }
        }
    }
    report("a function has at most 70 lines", &faults);
}

/// Lines from a `fn` to the brace that closes it; rustfmt puts that brace under the `fn`.
fn function_length(lines: &[&str], start: usize) -> Option<usize> {
    let line = lines[start];
    let code = line.trim_start();
    let words = ["fn ", "pub ", "pub(", "async ", "const ", "unsafe ", "extern "];
    if !words.iter().any(|word| code.starts_with(word)) || !code.contains("fn ") {
        return None;
    }
    if line.ends_with('}') || line.ends_with(';') {
        return Some(1);
    }
    let closing = format!("{}}}", " ".repeat(line.len() - code.len()));
    let length = lines[start..].iter().position(|&line| line == closing)? + 1;
    lines[start..start + length].iter().any(|line| line.ends_with('{')).then_some(length)
}

#[test]
fn names_say_something() {
    let faults: Vec<String> = files()
        .into_iter()
        .filter(|path| {
            path.iter().any(|part| {
                let stem = Path::new(part).file_stem().unwrap_or(part).to_string_lossy();
                EMPTY_NAMES.contains(&stem.as_ref()) || stem.ends_with("_manager")
            })
        })
        .map(|path| path.display().to_string())
        .collect();
    report("no file or folder has an empty name", &faults);
}

#[test]
fn crates_depend_downwards() {
    let ours_allowed: [(&str, &[&str]); 4] = [
        ("pool", &[]),
        ("routeros", &[]),
        ("dhcp", &["leasehold-pool", "leasehold-routeros"]),
        ("sim", &["leasehold-pool", "leasehold-routeros", "leasehold-dhcp"]),
    ];
    let daemon_only = ["tokio", "sled", "socket2", "libc", "rtnetlink", "tracing"];
    let mut faults = Vec::new();
    for (name, allowed) in ours_allowed {
        let manifest = root().join("crates").join(name).join("Cargo.toml");
        let text = fs::read_to_string(manifest).expect("each crate has a manifest");
        for dependency in dependencies(&text) {
            let upwards = dependency.starts_with("leasehold") && !allowed.contains(&dependency);
            if upwards || daemon_only.contains(&dependency) || name == "pool" {
                faults.push(format!("leasehold-{name} depends on {dependency}"));
            }
        }
    }
    report("pool <- dhcp -> routeros, and only the daemon does I/O", &faults);
}

/// Names under `[dependencies]` of a manifest.
fn dependencies(manifest: &str) -> Vec<&str> {
    let body = manifest.split("\n[dependencies]").nth(1).unwrap_or("");
    let body = body.split("\n[").next().unwrap_or("");
    body.lines()
        .filter_map(|line| line.split(['=', '.']).next())
        .map(str::trim)
        .filter(|name| !name.is_empty() && !name.starts_with('#'))
        .collect()
}

#[test]
fn only_stores_make_a_durable() {
    let call = concat!("Durable::", "after_sync");
    let may = ["crates/daemon/store", "crates/sim/src/disk", "crates/dhcp/src/outbox.rs"];
    let faults: Vec<String> = rust_files()
        .into_iter()
        .filter(|(path, text)| {
            let name = path.to_string_lossy();
            let proves = ["/tests/", "benches/", "fuzz/"].iter().any(|place| name.contains(place));
            text.contains(call) && !proves && !may.iter().any(|place| name.starts_with(place))
        })
        .map(|(path, _)| path.display().to_string())
        .collect();
    report("a Durable is made by the store alone, after its sync", &faults);
}

#[test]
fn unsafe_blocks_say_why() {
    let mut faults = Vec::new();
    for (path, text) in rust_files() {
        let lines: Vec<&str> = text.lines().collect();
        for (at, line) in lines.iter().enumerate() {
            let code = line.split("//").next().unwrap_or("");
            if !code.contains(concat!("unsafe", " {")) {
                continue;
            }
            let above = &lines[at.saturating_sub(6)..=at];
            if !above.iter().any(|line| line.contains("SAFETY")) {
                faults.push(format!("{}:{}", path.display(), at + 1));
            }
        }
    }
    report("each unsafe block has a SAFETY comment above it", &faults);
}

#[test]
fn faces_name_no_menu() {
    let menus = ["ip/pool", "ip pool", "dhcp-server", "next-pool", "address-pool"];
    let mut faults = Vec::new();
    for (path, text) in rust_files() {
        let name = path.to_string_lossy().into_owned();
        let face = name.starts_with("crates/daemon/faces/");
        let syntax = name.starts_with("crates/routeros/src/syntax/");
        if !(face || syntax) || name.contains("tests") {
            continue;
        }
        let shipped = text.split("#[cfg(test)]").next().unwrap_or("");
        for (number, line) in shipped.lines().enumerate() {
            let code = line.trim_start();
            if !code.starts_with("//") && menus.iter().any(|menu| code.contains(menu)) {
                faults.push(format!("{name}:{}: {code}", number + 1));
            }
        }
    }
    report("every face is a syntax: none names a menu or a property", &faults);
}

#[test]
fn the_tree_speaks_of_the_project_alone() {
    let outside = [concat!("/wo", "rk/"), concat!("/ro", "ot/")];
    let mut faults = Vec::new();
    for path in files() {
        let Ok(text) = fs::read_to_string(root().join(&path)) else { continue };
        for (number, line) in text.lines().enumerate() {
            if outside.iter().any(|word| line.contains(word)) {
                faults.push(format!("{}:{}", path.display(), number + 1));
            }
        }
    }
    report("no path of the machine that it was written on", &faults);
}

#[test]
fn the_top_level_is_what_was_asked_for() {
    let expected = "README.md Cargo.toml Cargo.lock LICENSE-APACHE LICENSE-MIT Makefile .ci \
        .editorconfig .gitignore benches clippy.toml config crates deny.toml docs fuzz \
        rustfmt.toml systemd tests";
    let mut faults: Vec<String> = files()
        .iter()
        .filter_map(|path| path.iter().next().map(|part| part.to_string_lossy().into_owned()))
        .filter(|name| !expected.split_whitespace().any(|known| known == name))
        .collect();
    faults.dedup();
    report("nothing else at the top level without a reason", &faults);
}
