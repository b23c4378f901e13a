//! libFuzzer calls `leasehold_fuzz::engine`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| leasehold_fuzz::engine::run(bytes));
