//! The functions of `fuzz/` on their corpora and on some mutations of them, so that every run of
//! the tests has them; `make fuzz` goes on from there under libFuzzer.

use std::fs;
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;

use fastrand::Rng;

#[allow(unreachable_pub, unexpected_cfgs, reason = "a crate of its own, for libFuzzer")]
#[path = "../../../fuzz/src/lib.rs"]
mod targets;

/// One to four changes: an octet, a bit, a piece removed, repeated, or taken from `other`.
fn mutate(random: &mut Rng, bytes: &mut Vec<u8>, other: &[u8]) {
    for _ in 0..random.usize(1..=4) {
        let at = random.usize(0..bytes.len().max(1));
        let end = (at + random.usize(1..=32)).min(bytes.len());
        match random.u8(0..6) {
            0 => bytes.iter_mut().skip(at).take(1).for_each(|octet| *octet = random.u8(..)),
            1 => bytes.iter_mut().skip(at).take(1).for_each(|octet| *octet ^= 1 << random.u8(0..8)),
            2 => drop(bytes.drain(at.min(end)..end)),
            3 => bytes.extend_from_within(at.min(end)..end),
            4 => bytes.truncate(at),
            _ => {
                let from = random.usize(0..other.len().max(1));
                let piece = other.iter().skip(from).take(random.usize(1..=32)).copied();
                bytes.splice(at..at, piece);
            }
        }
    }
}

/// Every file of a target's corpus, and `mutations` of each.
fn run(target: &str, mutations: u64, function: fn(&[u8])) {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target);
    let entries = fs::read_dir(&corpus).unwrap_or_else(|error| panic!("{corpus:?}: {error}"));
    let mut files: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    assert!(!files.is_empty(), "{corpus:?} is empty");
    let inputs: Vec<Vec<u8>> = files.iter().map(|file| fs::read(file).expect("a file")).collect();
    // The same mutations every time.
    let mut random = Rng::with_seed(83);
    for (file, input) in files.iter().zip(&inputs) {
        for mutation in 0..=mutations {
            let mut bytes = input.clone();
            if mutation > 0 {
                let other = &inputs[random.usize(0..inputs.len())];
                mutate(&mut random, &mut bytes, other);
            }
            panic::catch_unwind(AssertUnwindSafe(|| function(&bytes))).unwrap_or_else(|_| {
                panic!("{}, mutation {mutation}: {}", file.display(), bytes.escape_ascii())
            });
        }
    }
}

#[test]
fn fuzz_bulk() {
    run("bulk", 300, targets::bulk::run);
}

#[test]
fn fuzz_engine() {
    run("engine", 100, targets::engine::run);
}

#[test]
fn fuzz_record() {
    run("record", 500, targets::record::run);
}

#[test]
fn fuzz_rest() {
    run("rest", 300, targets::rest::run);
}

#[test]
fn fuzz_script() {
    run("script", 30, targets::script::run);
}

#[test]
fn fuzz_sentence() {
    run("sentence", 300, targets::sentence::run);
}

#[test]
fn fuzz_toml() {
    run("toml", 100, targets::toml::run);
}

#[test]
fn fuzz_wire() {
    run("wire", 2000, targets::wire::run);
}
