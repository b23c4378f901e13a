//! libFuzzer calls `leasehold_fuzz::toml`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| leasehold_fuzz::toml::run(bytes));
