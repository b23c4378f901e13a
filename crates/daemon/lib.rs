//! The daemon: sockets, store and faces around the sans-IO engine.

pub mod net;
pub mod store;
