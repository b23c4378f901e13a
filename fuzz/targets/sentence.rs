//! libFuzzer calls `leasehold_fuzz::sentence`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| leasehold_fuzz::sentence::run(bytes));
