//! Everything worth telling: one variant is the log line, the counter and the answer to "why".

mod reason;

use core::fmt;
use core::net::Ipv4Addr;
use std::sync::Arc;

pub use self::reason::{Denied, Malformed, Silence};
use crate::client::Hardware;
use crate::link::{IfIndex, Mac};

/// One thing that happened, or the reason why nothing did. `Display` is the log line, in
/// RouterOS's words where it has some.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A client has a lease: a new one, or another address than before.
    Assigned(Lease),
    /// A client has its lease no more.
    Deassigned(Lease, Ended),
    /// Offers to a client were not taken.
    OfferedWithoutSuccess(Lease),
    /// No address is left for a client in the server's pool and those that follow it.
    PoolEmpty {
        /// The server.
        server: Arc<str>,
        /// The pool that it names.
        pool: Arc<str>,
        /// The client that gets nothing.
        client: Hardware,
    },
    /// Somebody answered for an address before it was offered.
    Conflict {
        /// The server that would have offered it.
        server: Arc<str>,
        /// The address.
        address: Ipv4Addr,
        /// Who answered, if the answer was ARP.
        by: Option<Mac>,
    },
    /// A client found somebody else on the address that it got.
    Declined(Lease),
    /// One station answers for addresses of others: probes on its interface mean nothing and
    /// are suspended.
    ProxyArp {
        /// Where.
        interface: IfIndex,
        /// Who.
        mac: Mac,
    },
    /// A datagram that is not a legal DHCP or BOOTP request.
    Malformed {
        /// Where it came in.
        interface: IfIndex,
        /// The rule that it broke.
        rule: Malformed,
        /// Whose `chaddr` it shows, as far as that could be read.
        client: Hardware,
    },
    /// A client was told that it cannot have an address.
    Denied {
        /// The server that said so.
        server: Arc<str>,
        /// The address.
        address: Ipv4Addr,
        /// Who asked.
        client: Hardware,
        /// Why.
        reason: Denied,
    },
    /// A client got no answer.
    Silent {
        /// The server that kept silent, if one was found.
        server: Option<Arc<str>>,
        /// Who asked.
        client: Hardware,
        /// Why.
        reason: Silence,
    },
    /// A server that is not allowed was found on a watched link.
    UnknownServer {
        /// The name of the interface.
        interface: Arc<str>,
        /// The server's station, or that of the relay before it.
        mac: Mac,
        /// Its address.
        address: Ipv4Addr,
    },
    /// The store failed: no new promise is made, none is broken.
    StoreFailed,
    /// The store works again.
    StoreRecovered,
}

/// Which lease an event is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// Its server.
    pub server: Arc<str>,
    /// Its address.
    pub address: Ipv4Addr,
    /// Its client.
    pub client: Hardware,
    /// The client's name for itself, cleaned; may be empty.
    pub host_name: Box<str>,
}

/// How a lease ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Its client gave it back.
    Released,
    /// Its client did not renew it in time.
    Expired,
    /// The administrator took it away, or it had to make room for a static lease.
    Removed,
    /// Its client got another one, or another client took it over by the same static lease.
    Moved,
    /// Another client on its port took its place: `circuit-lease-limit`.
    Replaced,
    /// Its client did not answer, and another needed the address: `reclaim-silent`.
    Reclaimed,
    /// Its client began anew, and gets the same address.
    Restarted,
    /// Its client declined it.
    Declined,
}

impl Event {
    /// RouterOS's topics, with commas.
    #[must_use]
    pub fn topics(&self) -> &'static str {
        match self {
            Self::Assigned(_) | Self::Deassigned(..) | Self::StoreRecovered => "dhcp,info",
            Self::OfferedWithoutSuccess(_)
            | Self::Conflict { .. }
            | Self::Declined(_)
            | Self::ProxyArp { .. } => "dhcp,warning",
            Self::PoolEmpty { .. } => "dhcp,error",
            Self::UnknownServer { .. } => "dhcp,critical,error",
            Self::StoreFailed => "dhcp,critical,error",
            Self::Malformed { .. } | Self::Denied { .. } | Self::Silent { .. } => "dhcp,debug",
        }
    }

    /// The name of the counter that counts it.
    #[must_use]
    pub fn counter(&self) -> &'static str {
        match self {
            Self::Assigned(_) => "assigned",
            Self::Deassigned(..) => "deassigned",
            Self::OfferedWithoutSuccess(_) => "offered-without-success",
            Self::PoolEmpty { .. } => "pool-empty",
            Self::Conflict { .. } => "conflict",
            Self::Declined(_) => "declined",
            Self::ProxyArp { .. } => "proxy-arp",
            Self::UnknownServer { .. } => "unknown-server",
            Self::Malformed { rule, .. } => rule.counter(),
            Self::Denied { reason, .. } => reason.counter(),
            Self::Silent { reason, .. } => reason.counter(),
            Self::StoreFailed => "store-failed",
            Self::StoreRecovered => "store-recovered",
        }
    }

    /// The client that it is about: what `leasehold why` looks for.
    #[must_use]
    pub fn client(&self) -> Option<Hardware> {
        match self {
            Self::Assigned(lease)
            | Self::Deassigned(lease, _)
            | Self::OfferedWithoutSuccess(lease)
            | Self::Declined(lease) => Some(lease.client),
            Self::PoolEmpty { client, .. }
            | Self::Malformed { client, .. }
            | Self::Denied { client, .. }
            | Self::Silent { client, .. } => Some(*client),
            Self::Conflict { .. }
            | Self::ProxyArp { .. }
            | Self::UnknownServer { .. }
            | Self::StoreFailed
            | Self::StoreRecovered => None,
        }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Assigned(Lease { server, address, client, host_name }) => {
                write!(f, "{server} assigned {address} for {client}{}", Named(host_name))
            }
            Self::Deassigned(Lease { server, address, client, host_name }, _) => {
                write!(f, "{server} deassigned {address} for {client}{}", Named(host_name))
            }
            Self::OfferedWithoutSuccess(Lease { server, address, client, host_name }) => {
                let name = Named(host_name);
                write!(f, "{server} offering lease {address} for {client}{name} without success")
            }
            Self::PoolEmpty { server, pool, .. } => {
                write!(f, "{server} failed to give out IP address: pool <{pool}> is empty")
            }
            Self::Conflict { server, address, by: Some(mac) } => {
                write!(f, "{server} detected conflict by ARP response for {address} from {mac}")
            }
            Self::Conflict { server, address, by: None } => {
                write!(f, "{server} detected conflict by ICMP response for {address}")
            }
            Self::Declined(Lease { server, address, client, host_name }) => {
                write!(f, "{server} lease {address} declined by {client}{}", Named(host_name))
            }
            Self::ProxyArp { interface, mac } => {
                let IfIndex(index) = interface;
                write!(f, "conflict detection suspended on interface {index}: ")?;
                write!(f, "{mac} answers ARP for addresses of others")
            }
            Self::Malformed { rule, client, .. } => {
                write!(f, "ignored a datagram of {client}: {rule}")
            }
            Self::Denied { server, address, client, reason } => {
                write!(f, "{server} denied {address} to {client}: {reason}")
            }
            Self::Silent { server: Some(server), client, reason } => {
                write!(f, "{server} does not answer {client}: {reason}")
            }
            Self::Silent { server: None, client, reason } => {
                write!(f, "no answer for {client}: {reason}")
            }
            Self::UnknownServer { interface, mac, address } => {
                write!(f, "dhcp alert on {interface}: discovered unknown dhcp server, ")?;
                write!(f, "mac {mac}, ip {address}")
            }
            Self::StoreFailed => {
                f.write_str("lease store failed: no new leases, renewals keep their remaining time")
            }
            Self::StoreRecovered => f.write_str("lease store works again"),
        }
    }
}

/// A host name behind a space; nothing at all if there is none.
struct Named<'a>(&'a str);

impl fmt::Display for Named<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() { Ok(()) } else { write!(f, " {}", self.0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lease(host_name: &str) -> Lease {
        Lease {
            server: "dhcp-server-83".into(),
            address: Ipv4Addr::new(67, 9, 97, 254),
            client: Hardware::from(Mac([0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff])),
            host_name: host_name.into(),
        }
    }

    #[test]
    fn lines_are_in_routeros_words() {
        let named = "dhcp-server-83 assigned 67.9.97.254 for AA:BB:CC:DD:EE:FF laptop";
        assert_eq!(Event::Assigned(lease("laptop")).to_string(), named);
        let nameless = "dhcp-server-83 deassigned 67.9.97.254 for AA:BB:CC:DD:EE:FF";
        assert_eq!(Event::Deassigned(lease(""), Ended::Expired).to_string(), nameless);
        let offered =
            "dhcp-server-83 offering lease 67.9.97.254 for AA:BB:CC:DD:EE:FF without success";
        assert_eq!(Event::OfferedWithoutSuccess(lease("")).to_string(), offered);
    }

    #[test]
    fn an_empty_pool_stands_in_angle_brackets() {
        let event = Event::PoolEmpty {
            server: "dhcp-server-83".into(),
            pool: "isp-pool".into(),
            client: Hardware::default(),
        };
        let line = "dhcp-server-83 failed to give out IP address: pool <isp-pool> is empty";
        assert_eq!((event.to_string().as_str(), event.topics()), (line, "dhcp,error"));
    }
}
