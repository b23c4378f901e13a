//! The daemon: sockets, store and faces around the sans-IO engine.

pub mod bench;
pub mod clock;
pub mod configuration;
pub mod demo;
pub mod control;
pub mod journal;
pub mod log;
pub mod net;
pub mod probe;
pub mod serve;
pub mod store;
pub mod worker;
