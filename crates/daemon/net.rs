//! The network: frames to and from clients on the link, datagrams to and from everybody else.
//!
//! **Who reads what.** A served interface has a packet socket; one UDP socket hears the rest. The
//! kernel gives both what concerns both, and [`sockets`] decides by a rule that both obey, so that
//! one datagram is handled once: without `giaddr`, and broadcast, or from no address, or from a
//! neighbour on that interface, it is the packet socket's; everything else is the UDP socket's.
//! Which dhcp-server answers is the engine's decision and follows from neither.

pub(crate) mod filter;
pub mod frame;
pub(crate) mod packet;
pub(crate) mod probe;
pub mod routed;
pub mod sockets;
pub(crate) mod sys;
pub mod watch;

pub use sockets::{Arrival, Sockets};
pub use watch::Watch;
