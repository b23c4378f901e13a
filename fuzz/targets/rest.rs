//! libFuzzer calls `leasehold_fuzz::rest`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| leasehold_fuzz::rest::run(bytes));
