//! Everything that can reach the engine: a closed enum, so that a match over it is complete.

use core::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;

use leasehold_pool::Pools;

use crate::config::Config;
use crate::link::{IfIndex, Interfaces, Mac};
use crate::order::{Order, OrderId};
use crate::outbox::Abandoned;
use crate::time::{Now, Wall};

/// One thing that happened.
#[derive(Debug)]
pub enum Input<'a> {
    /// A UDP payload that arrived on port 67.
    Datagram(Datagram<'a>),
    /// A UDP payload that arrived on the clients' port 68: another server's word, or our own.
    Server(Datagram<'a>),
    /// Somebody answered for an address (ARP reply, or ICMP echo reply with no MAC).
    Probe(ProbeAnswer),
    /// The machine's interfaces changed. Addresses of our own are kept out of pools by the
    /// configuration, so a new one follows when addresses changed.
    Interfaces(Arc<Interfaces>),
    /// A new configuration, and the pools reconfigured for it. Leases stay.
    Config(Arc<Config>, Pools),
    /// A face wants something.
    Order(OrderId, Order),
    /// The records of a turn could not be made durable; its promises were dropped. The turn that is
    /// being gathered ends with this: it is sealed and abandoned before anything else comes in.
    Abandoned(Abandoned),
    /// The store works again and holds what was durable before: dirty leases go out once more.
    StoreRecovered,
    /// Nothing happened but time.
    Tick,
}

/// A DHCP or BOOTP datagram with what the link told about it.
#[derive(Clone, Copy, Debug)]
pub struct Datagram<'a> {
    /// Where it came in.
    pub interface: IfIndex,
    /// The frame's source, if it came through a raw socket.
    pub link_source: Option<Mac>,
    /// IP source and UDP source port.
    pub source: SocketAddrV4,
    /// IP destination (a broadcast, one of our addresses, or one we route for).
    pub destination: Ipv4Addr,
    /// The UDP payload.
    pub payload: &'a [u8],
}

/// An answer for an address that was probed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProbeAnswer {
    /// Where it came in.
    pub interface: IfIndex,
    /// The address somebody has.
    pub address: Ipv4Addr,
    /// Who has it, if the answer was ARP.
    pub mac: Option<Mac>,
}

/// What the engine must know of the time before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Start {
    /// The time now.
    pub now: Now,
    /// The newest time in the store, if it holds anything. A wall clock that is behind it (a box
    /// without a battery) is not believed: then nothing expires by what passed while down.
    pub newest: Option<Wall>,
    /// Whether the store is what it was when the server ran last.
    pub store: StoreState,
}

/// Whether what is restored is all that was promised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreState {
    /// As it was left, or a new one.
    Intact,
    /// It was missing, or older than its marker: clients may hold leases that nobody here knows, so
    /// every new offer is probed first until one maximal lease time has passed.
    Suspect {
        /// When that was found, at this start or an earlier one.
        since: Wall,
    },
}
