//! libFuzzer calls `leasehold_fuzz::script`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| leasehold_fuzz::script::run(bytes));
