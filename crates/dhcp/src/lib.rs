//! A DHCPv4 server without I/O: datagrams, time and randomness go in, replies and records come out.
//!
//! What is absent: sockets, threads, clocks, files, locks and `async`. The caller brings the time
//! with each [`Input`] and sends what the [`Outbox`] gives back. An ACK can leave only through
//! [`Turn::release`], which wants a [`Durable`]: the proof that the turn's records are on disk.
#![forbid(unsafe_code)]

pub mod event;
pub mod input;
pub mod link;
pub mod menus;
pub mod outbox;
pub mod record;
pub mod time;

pub use event::Event;
pub use input::{Datagram, Input};
pub use link::{IfIndex, Interface, Interfaces, Mac};
pub use outbox::{Abandoned, Destination, Durable, Outbox, Promises, Prompt, Turn};
pub use record::Record;
pub use time::{Boottime, Now, Wall};
