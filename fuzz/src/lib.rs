//! What strangers and disks may bring, each as a function of octets: libFuzzer calls them from
//! `targets/`, and `crates/dhcp/tests/fuzz.rs` with the corpora and some mutations.

pub mod bulk;
pub mod engine;
pub mod record;
pub mod rest;
pub mod script;
pub mod sentence;
pub mod toml;
pub mod wire;

// The tables of coverage keep code of dhcproto's dependencies that else is never linked.
#[cfg(fuzzing)]
use critical_section as _;
