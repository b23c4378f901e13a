//! What the store keeps: one change of one lease, self-contained and small.

pub(crate) mod bytes;
mod fold;
#[cfg(test)]
mod tests;

use core::cmp::Ordering;
use core::fmt;
use core::net::Ipv4Addr;

pub use self::bytes::{Corrupt, Framed, Kind, Records, decode_all, framed, renew};
pub use self::fold::Folded;
use crate::link::Mac;
use crate::time::Wall;

/// The key of a lease everywhere: address space (`main`, or a pool's `vrf=`) and address.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Location {
    /// The address space's name; `main` is the empty string.
    pub space: Box<str>,
    /// The address within it.
    pub address: Ipv4Addr,
}

impl Location {
    /// An address in the space that everything is in until a pool names a VRF.
    #[must_use]
    pub fn main(address: Ipv4Addr) -> Self {
        Self { space: Box::default(), address }
    }

    /// A key for an ordered store: sorts as locations do; [`Location::from_key`] is its inverse.
    #[must_use]
    pub fn key(&self) -> Vec<u8> {
        self.borrowed().key()
    }

    /// The same without its own name of the space.
    #[must_use]
    pub fn borrowed(&self) -> LocationRef<'_> {
        LocationRef { space: &self.space, address: self.address }
    }

    /// The location that has this key, if any has.
    #[must_use]
    pub fn from_key(key: &[u8]) -> Option<Self> {
        let (rest, address) = key.split_last_chunk::<4>()?;
        let (end, space) = rest.split_last()?;
        let space = core::str::from_utf8(space).ok()?;
        (*end == 0 && !space.contains('\0'))
            .then(|| Self { space: space.into(), address: Ipv4Addr::from(*address) })
    }
}

impl Ord for Location {
    fn cmp(&self, other: &Self) -> Ordering {
        self.borrowed().cmp(&other.borrowed())
    }
}

impl PartialOrd for Location {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// [`Location`] without its allocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LocationRef<'a> {
    /// The address space's name; `main` is the empty string.
    pub space: &'a str,
    /// The address within it.
    pub address: Ipv4Addr,
}

impl LocationRef<'_> {
    /// See [`Location::key`].
    #[must_use]
    pub fn key(&self) -> Vec<u8> {
        let mut key = Vec::with_capacity(self.space.len() + 5);
        key.extend_from_slice(self.space.as_bytes());
        key.push(0);
        key.extend_from_slice(&self.address.octets());
        key
    }
}

/// By space, then by address. Most are in the main space, which needs no comparison of names.
impl Ord for LocationRef<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        let are_main = self.space.is_empty() && other.space.is_empty();
        let spaces = if are_main { Ordering::Equal } else { self.space.cmp(other.space) };
        spaces.then_with(|| self.address.cmp(&other.address))
    }
}

impl PartialOrd for LocationRef<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl From<LocationRef<'_>> for Location {
    fn from(LocationRef { space, address }: LocationRef<'_>) -> Self {
        Self { space: space.into(), address }
    }
}

/// `192.0.2.1`, or `192.0.2.1@customers` outside `main`.
impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.space {
            "" => write!(f, "{}", self.address),
            space => write!(f, "{}@{space}", self.address),
        }
    }
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
    /// Taken away by the administrator, or moved for a static lease.
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
    /// Hardware type, as in the header.
    pub htype: u8,
    /// `chaddr`, `hlen` octets, at most 16.
    pub chaddr: Box<[u8]>,
    /// Option 12, cleaned.
    pub host_name: Box<str>,
    /// Option 60.
    pub class_id: Box<[u8]>,
    /// The relay that added option 82; unspecified if no relay did.
    pub giaddr: Ipv4Addr,
    /// Option 82 as the relay sent it; empty if there was none.
    pub relay_agent: Box<[u8]>,
    /// What the client believes a FORCERENEW by (RFC 6704); empty if it never asked for it.
    pub nonce: Box<[u8]>,
}

impl Default for Binding {
    fn default() -> Self {
        Self {
            lease_time: 0,
            server: Box::default(),
            client_id: Box::default(),
            htype: 0,
            chaddr: Box::default(),
            host_name: Box::default(),
            class_id: Box::default(),
            giaddr: Ipv4Addr::UNSPECIFIED,
            relay_agent: Box::default(),
            nonce: Box::default(),
        }
    }
}
