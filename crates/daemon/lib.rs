//! The daemon: sockets, store and faces around the sans-IO engine.

pub mod access;
pub mod activities;
pub mod bench;
pub mod bulk;
pub mod check;
pub mod clock;
pub mod configuration;
pub mod confine;
pub mod control;
pub mod demo;
pub mod faces;
pub mod files;
pub mod host;
pub mod journal;
pub mod log;
pub mod menus;
pub mod monitoring;
pub mod net;
pub mod probe;
pub mod serve;
pub mod services;
pub mod setup;
pub mod storage;
pub mod store;
pub mod transfer;
pub mod worker;
