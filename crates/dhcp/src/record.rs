//! What the store keeps: one change of one lease, self-contained and small.

use core::net::Ipv4Addr;

use crate::link::Mac;
use crate::time::Wall;

/// The key of a lease everywhere: address space (`main`, or a pool's `vrf=`) and address.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Location {
    /// The address space's name; `main` is the empty string.
    pub space: Box<str>,
    /// The address within it.
    pub address: Ipv4Addr,
}

/// One change of one lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Which lease.
    pub location: Location,
    /// When, by the wall clock of the turn.
    pub at: Wall,
    /// What happened.
    pub change: Change,
}

/// What can happen to a lease that outlives a restart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Given to a client, or taken over by another one.
    Bound(Box<Binding>),
    /// The same client, for `lease_time` seconds from `at`; `u32::MAX` is for ever.
    Renewed {
        /// Seconds.
        lease_time: u32,
    },
    /// Given back by its client.
    Released,
    /// Not renewed in time.
    Expired,
    /// Taken away by the administrator.
    Removed,
    /// A client or a probe found somebody else on the address: nobody gets it for `seconds`.
    Quarantined {
        /// From `at`.
        seconds: u32,
        /// Who answered, if known.
        by: Option<Mac>,
        /// Declined by its client rather than found by a probe.
        declined: bool,
    },
}

/// Everything a restart or a history query must know of a bound lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    /// Seconds from the record's `at`; `u32::MAX` is for ever.
    pub lease_time: u32,
    /// The name of the server that bound it.
    pub server: Box<str>,
    /// Option 61 as sent, without its code and length; empty if none was sent.
    pub client_id: Box<[u8]>,
    /// Hardware type and address as in the header, at most 16 octets.
    pub htype: u8,
    /// `chaddr`, `hlen` octets.
    pub chaddr: Box<[u8]>,
    /// Option 12, cleaned.
    pub host_name: Box<str>,
    /// Option 60.
    pub class_id: Box<[u8]>,
    /// Option 82 as the relay sent it.
    pub relay_agent: Box<[u8]>,
}
