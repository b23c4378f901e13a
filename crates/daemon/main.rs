//! The `leasehold` binary: reads its arguments and runs the one command they name.

fn main() {}
