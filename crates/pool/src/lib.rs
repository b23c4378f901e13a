//! Lock-free IPv4 address pools: ranges, `next-pool` chaining, exact exhaustion.
#![no_std]
#![forbid(unsafe_code)]
