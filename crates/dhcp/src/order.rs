//! Orders from the faces, and their answers: leases listed in pages, removed, checked.

use core::fmt;
use core::net::Ipv4Addr;
use core::time::Duration;
use std::sync::Arc;

use crate::bulk;
use crate::client::Hardware;
use crate::link::Mac;
use crate::record::{Binding, Location};

/// The asker's number for an order; the answer carries it back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OrderId(pub u64);

/// What a face may ask of the leases' owner.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Order {
    /// A page of leases by location; answered by [`Answer::Leases`].
    Leases {
        /// Leases behind this location; from the first one if `None`.
        after: Option<Location>,
        /// At most so many.
        limit: usize,
    },
    /// One lease; answered by [`Answer::Lease`]. What `make-static` copies is all in its view; the
    /// lease itself becomes static when a configuration with the new row arrives.
    Lease(Location),
    /// The leases that obey the static rows with these keys; answered by [`Answer::Leases`], in
    /// any order, without those that nobody has.
    OfFixed(Vec<u32>),
    /// Binds leases of another server whose clients move here; answered by [`Answer::TakenOver`]
    /// when that is durable.
    TakeOver {
        /// The leases, not more than a page of them.
        leases: Vec<Foreign>,
        /// Nothing is changed, it is only told what would be.
        dry_run: bool,
    },
    /// Ends a lease and frees its address; answered by [`Answer::Done`] when that is durable.
    Remove(Location),
    /// Probes a `conflict` or `declined` address again and frees it if nobody answers within half
    /// a second; answered by [`Answer::Done`] at once, as on RouterOS.
    CheckStatus(Location),
    /// Asks the client of a bound lease to renew (RFC 3203); answered by [`Answer::Done`] once it
    /// was asked.
    Reconfigure(Location),
    /// A page of addresses taken from pools (`/ip pool used`); answered by [`Answer::Used`].
    Used {
        /// Addresses behind this location; from the first one if `None`.
        after: Option<Location>,
        /// At most so many.
        limit: usize,
    },
    /// Servers that were found on watched links; answered by [`Answer::Alerts`].
    Alerts,
    /// Forgets the servers that were found on this interface; answered by [`Answer::Done`].
    ResetAlert(Box<str>),
    /// A page of bindings for a bulk leasequery; answered by [`Answer::Bindings`].
    Bindings {
        /// What is asked about.
        query: Box<bulk::Query>,
        /// Addresses behind this location; from the first one if `None`.
        after: Option<Location>,
        /// So many addresses are looked at, at most.
        limit: usize,
    },
    /// What every pool has and gave; answered by [`Answer::Usage`].
    Usage,
    /// What was counted since the engine began; answered by [`Answer::Counters`].
    Counters,
    /// How many leases are in each state; answered by [`Answer::States`].
    States,
}

/// The answer to an order.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Answer {
    /// Leases in the order of their locations.
    Leases {
        /// The page.
        leases: Vec<LeaseView>,
        /// Whether more follow.
        more: bool,
    },
    /// The lease, if there is one.
    Lease(Option<Box<LeaseView>>),
    /// What became of each lease, in their order.
    TakenOver(Vec<Result<TakenOver, NotTaken>>),
    /// Addresses taken from pools, in order.
    Used {
        /// The page.
        addresses: Vec<UsedView>,
        /// Whether more follow.
        more: bool,
    },
    /// The pools, in the order of the configuration.
    Usage(Vec<PoolUsage>),
    /// The watched links, in the order of the configuration.
    Alerts(Vec<AlertView>),
    /// Bindings, and where they go on.
    Bindings(bulk::Page),
    /// Name and count, by name.
    Counters(Vec<(&'static str, u64)>),
    /// RouterOS's word for each state and how many leases are in it; `ended` are those that are
    /// over and remembered for their clients.
    States(Vec<(&'static str, u64)>),
    /// It is done, and durable.
    Done,
    /// It was not done.
    Refused(Refusal),
}

/// A bound lease of another server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Foreign {
    /// Its address.
    pub address: Ipv4Addr,
    /// Its client, the server here that is to have it, and the time that is left.
    pub binding: Binding,
}

/// What became of a [`Foreign`] lease that is here now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TakenOver {
    /// It is bound.
    Bound,
    /// Its client has it here already, for as long or longer.
    Known,
    /// Its client has it here already; its end was put off.
    Prolonged,
}

/// Why a [`Foreign`] lease was not taken over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotTaken {
    /// No server here has its name.
    NoServer,
    /// No pool here has its address.
    NoPool,
    /// The address is this machine's own.
    Own,
    /// A static lease keeps the address for somebody else.
    Reserved,
    /// Another client has the address here.
    Taken(Hardware),
    /// Somebody unknown was found on the address.
    Quarantined,
    /// The address was taken from its pool for something else.
    InUse,
    /// The client has another address here.
    HasOther(Ipv4Addr),
}

impl fmt::Display for NotTaken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoServer => f.write_str("no server here has the name"),
            Self::NoPool => f.write_str("no pool here has the address"),
            Self::Own => f.write_str("the address is this machine's own"),
            Self::Reserved => f.write_str("a static lease keeps the address for somebody else"),
            Self::Taken(client) => write!(f, "{client} has the address here"),
            Self::Quarantined => f.write_str("the address is in quarantine here"),
            Self::InUse => f.write_str("the address is in use here"),
            Self::HasOther(address) => write!(f, "its client has {address} here"),
        }
    }
}

/// Why an order was not obeyed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// There is no lease at that location.
    NoSuchLease,
    /// `check-status` is for `conflict` and `declined` addresses.
    NotInConflict,
    /// Only the client of a bound lease can be asked to renew.
    NotBound,
    /// The lease's server does not `use-reconfigure`.
    ReconfigureOff,
    /// The client did not say that it can be asked to renew.
    NotReconfigurable,
    /// The store cannot make it durable now.
    StoreFailed,
}

/// A lease as it is now: an owned copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaseView {
    /// Where.
    pub location: Location,
    /// The server that gives it.
    pub server: Arc<str>,
    /// What it is doing.
    pub status: Status,
    /// The static lease that it obeys, by the key that the configuration gave it; a dynamic one
    /// has none.
    pub fixed: Option<u32>,
    /// The client's hardware address.
    pub hardware: Hardware,
    /// Option 61 as sent; empty if none was sent.
    pub client_id: Box<[u8]>,
    /// Option 12, cleaned.
    pub host_name: Box<str>,
    /// Option 60.
    pub class_id: Box<[u8]>,
    /// Option 82 as the relay sent it; its sub-options are the circuit and the remote id.
    pub relay_agent: Box<[u8]>,
    /// Time that is left; `None` is for ever.
    pub expires_after: Option<Duration>,
    /// Since it was bound (or offered, or quarantined).
    pub age: Duration,
    /// Since its client was heard last; `None` if not since the restart.
    pub last_seen: Option<Duration>,
    /// Who answered for the address, of a conflict.
    pub conflict: Option<Mac>,
    /// What came of asking the client to renew, if it was asked.
    pub reconfigure: Option<Reconfigure>,
}

/// How it stands with a client that was asked to renew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reconfigure {
    /// What came of it.
    pub status: ReconfigureStatus,
    /// Since it was asked last.
    pub ago: Duration,
}

/// What came of asking a client to renew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReconfigureStatus {
    /// It was asked, and has time to do so.
    Sent,
    /// It has renewed.
    Renewed,
    /// It was asked several times and did not.
    NoAnswer,
}

/// What a lease is doing, in RouterOS's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// The address is probed before it is offered.
    Testing,
    /// Offered, not yet requested.
    Offered,
    /// Given.
    Bound,
    /// Its client found somebody else on it.
    Declined,
    /// A probe found somebody else on it.
    Conflict,
}

impl Status {
    /// The value of the property `status`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Testing => "testing",
            Self::Offered => "offered",
            Self::Bound => "bound",
            Self::Declined => "declined",
            Self::Conflict => "conflict",
        }
    }
}

/// One row of `/ip pool used`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsedView {
    /// The pool that the address came from.
    pub pool: Arc<str>,
    /// The address, and the space that it is in.
    pub location: Location,
    /// The client that has it; the owner is `DHCP`.
    pub info: Hardware,
}

/// A watched link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlertView {
    /// The name of its interface.
    pub interface: Arc<str>,
    /// Stations of the servers that were found on it and are not allowed.
    pub unknown: Vec<Mac>,
}

/// What a pool has and gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolUsage {
    /// The pool.
    pub name: Arc<str>,
    /// Addresses in its ranges.
    pub total: u64,
    /// Taken, reserved or quarantined.
    pub used: u64,
    /// The rest.
    pub available: u64,
    /// Out of use because somebody else was found on them.
    pub quarantined: u64,
}
