//! The functions of `fuzz/` on their corpora and on some mutations of them, so that every run of
//! the tests has them; `make fuzz` goes on from there under libFuzzer.

use std::fs;
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;

#[allow(unreachable_pub, reason = "a crate of its own, for libFuzzer")]
#[path = "../../../fuzz/src/lib.rs"]
mod targets;

/// SplitMix64: the same mutations every time.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit.max(1) as u64) as usize
    }

    /// One to four changes: an octet, a bit, a piece removed, repeated, or taken from `other`.
    fn mutate(&mut self, bytes: &mut Vec<u8>, other: &[u8]) {
        for _ in 0..=self.below(4) {
            let at = self.below(bytes.len());
            let end = (at + 1 + self.below(32)).min(bytes.len());
            match self.below(6) {
                0 => bytes.iter_mut().skip(at).take(1).for_each(|octet| *octet = self.0 as u8),
                1 => {
                    bytes.iter_mut().skip(at).take(1).for_each(|octet| *octet ^= 1 << (self.0 & 7))
                }
                2 => drop(bytes.drain(at.min(end)..end)),
                3 => bytes.extend_from_within(at.min(end)..end),
                4 => bytes.truncate(at),
                _ => {
                    let from = self.below(other.len());
                    let piece = other.iter().skip(from).take(1 + self.below(32)).copied();
                    bytes.splice(at..at, piece);
                }
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
    let mut random = Random(83);
    for (file, input) in files.iter().zip(&inputs) {
        for mutation in 0..=mutations {
            let mut bytes = input.clone();
            if mutation > 0 {
                let other = &inputs[random.below(inputs.len())];
                random.mutate(&mut bytes, other);
            }
            panic::catch_unwind(AssertUnwindSafe(|| function(&bytes))).unwrap_or_else(|_| {
                panic!("{}, mutation {mutation}: {}", file.display(), bytes.escape_ascii())
            });
        }
    }
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
