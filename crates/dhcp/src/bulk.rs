//! Bulk leasequery (RFC 6926): many bindings over one connection, without I/O.
//!
//! The daemon moves octets between a TCP stream and a [`Connection`], and brings it the pages that
//! it orders. What is absent: all bindings at once. A page looks at so many addresses, so that a
//! question about a million of them never stalls a packet.

mod connection;
mod message;

use core::time::Duration;

pub use self::connection::{Connection, Hangup};
pub use self::message::{Refused, Status};
use crate::client::Hardware;
use crate::record::Location;
use crate::time::Wall;

/// What a requestor wants to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// Whose bindings.
    pub by: By,
    /// In which address spaces.
    pub spaces: Spaces,
    /// Only what changed at this time or later.
    pub from: Option<Wall>,
    /// Only what changed at this time or earlier.
    pub until: Option<Wall>,
}

/// The primary query types.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum By {
    /// Every configured address, leased or not.
    All,
    /// Bindings of a hardware address.
    Hardware(Hardware),
    /// Bindings of a client-id.
    Client(Box<[u8]>),
    /// Bindings with this remote-id in their option 82.
    RemoteId(Box<[u8]>),
    /// Bindings with this relay-id in their option 82 (RFC 6925).
    RelayId(Box<[u8]>),
}

/// The address spaces that a query is about; RFC 6607 calls them VPNs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Spaces {
    /// `main`.
    Global,
    /// The one with this name.
    Named(Box<str>),
    /// All of them.
    All,
}

/// A page of bindings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// In the order of their locations.
    pub bindings: Vec<Binding>,
    /// Where the next page goes on; `None` if this was the last.
    pub next: Option<Location>,
}

/// One address, and how it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    /// Where.
    pub location: Location,
    /// How it stands.
    pub state: State,
    /// Since when, if that is known.
    pub since: Option<Duration>,
    /// Its client, unless nobody has it.
    pub client: Option<Box<Client>>,
    /// Seconds that the state lasts; `u32::MAX` is for ever.
    pub lasts: Option<u32>,
    /// Since the client last dealt with the server about it, if that is known.
    pub last_transaction: Option<Duration>,
}

/// The client of a binding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    /// Its hardware address.
    pub hardware: Hardware,
    /// Option 61; empty if it sent none.
    pub client_id: Box<[u8]>,
    /// Option 12, cleaned.
    pub host_name: Box<str>,
    /// Option 60.
    pub class_id: Box<[u8]>,
    /// Option 82.
    pub relay_agent: Box<[u8]>,
}

/// The values of the option dhcp-state that this server has.
//= https://www.rfc-editor.org/rfc/rfc6926#section-6.2.7
//# A DHCPv4 server MUST implement at least the AVAILABLE and ACTIVE states and SHOULD implement at
//# least the ABANDONED and RESET states.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Nobody has it.
    Available = 1,
    /// A client has it.
    Active = 2,
    /// Out of use: somebody else was found on it.
    Abandoned = 5,
}
