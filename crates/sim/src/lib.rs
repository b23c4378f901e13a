//! A deterministic simulator of the shipped engine: one seed, one history.
#![forbid(unsafe_code)]
