//! libFuzzer calls `leasehold_fuzz::wire`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| leasehold_fuzz::wire::run(bytes));
