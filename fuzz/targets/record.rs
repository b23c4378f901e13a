//! libFuzzer calls `leasehold_fuzz::record`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| leasehold_fuzz::record::run(bytes));
