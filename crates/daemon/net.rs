//! The network: frames to and from clients on the link, datagrams to and from everybody else.
//!
//! **Who reads what.** A served interface has a packet socket; one UDP socket hears the rest. The
//! kernel gives both what concerns both, and one datagram is handled once: what comes in on a
//! served interface without `giaddr` is the packet socket's (it knows the station that sent it),
//! everything else is the UDP socket's. What a packet socket overhears on its way to another
//! host is nobody's. Which dhcp-server answers is the engine's decision and follows from neither.
//! Replies leave through sockets of their own, which hear nothing.

pub(crate) mod filter;
pub mod frame;
mod late;
pub(crate) mod packet;
pub(crate) mod probe;
pub mod routed;
pub mod sockets;
pub(crate) mod sys;
pub mod watch;

pub use sockets::{Arrival, Sockets};
pub use watch::Watch;
