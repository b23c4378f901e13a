//! A DHCPv4 server without I/O: datagrams, time and randomness go in, replies and records come out.
//!
//! What is absent: sockets, threads, clocks, files, locks and `async`. The caller brings the time
//! with each [`Input`] and sends what the [`Outbox`] gives back. An ACK can leave only through
//! [`Turn::release`], which wants a [`Durable`]: the proof that the turn's records are on disk.
#![forbid(unsafe_code)]

pub mod bulk;
pub mod client;
pub mod config;
pub mod engine;
pub mod event;
pub mod input;
pub mod link;
pub mod live;
pub mod menus;
pub mod order;
pub mod outbox;
#[doc(hidden)]
pub mod planted;
pub mod record;
pub mod time;
pub mod wire;

pub use client::Hardware;
pub use config::Config;
pub use engine::Engine;
pub use event::Event;
pub use input::{Datagram, Input, ProbeAnswer, Start, StoreState};
pub use link::{IfIndex, Interface, Interfaces, Mac};
pub use order::{Answer, Order, OrderId};
pub use outbox::{Abandoned, Destination, Durable, Outbox, Probe, Promises, Prompt, Turn};
pub use record::{Folded, Location, Record, Records};
pub use time::{Boottime, Now, Wall};
