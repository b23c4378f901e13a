//! The daemon: sockets, store and faces around the sans-IO engine.

pub mod clock;
pub mod journal;
pub mod net;
pub mod store;
pub mod worker;
