//! Leasequeries (RFC 4388): what a relay asks, and what an answer must look like.

use core::fmt;
use core::net::{Ipv4Addr, SocketAddrV4};

use leasehold_dhcp::Destination;

use crate::client::{Client, ClientId};
use crate::clock::Moment;
use crate::legal::{Fault, Heard};
use crate::message::{self, Kind, Message};
use crate::topology::{LinkId, Reach, UPLINKS, uplink_address};
use crate::world::{Arrival, Inbound, World};

/// What is asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Query {
    /// An address, whoever has it.
    Address(Ipv4Addr),
    /// The address that this client has at the moment.
    Lease(ClientId),
    /// This client, by its hardware address.
    Client(ClientId),
}

impl fmt::Display for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => write!(f, "who has {address}"),
            Self::Lease(client) => write!(f, "who has the address of {client}"),
            Self::Client(client) => write!(f, "what {client} has"),
        }
    }
}

impl World<'_> {
    /// The relay of a link asks; a link without one has nobody who could.
    pub(crate) fn query(&mut self, link: LinkId, query: Query) {
        let reach = self.plan.links.get(usize::from(link.0));
        if reach.is_none_or(|reach| *reach == Reach::Direct) {
            return;
        }
        let client = |id: ClientId| &self.clients[usize::from(id.0)];
        let (address, mac, sender) = match query {
            Query::Address(address) => (address, [0; 6], ClientId(0)),
            Query::Client(id) => (Ipv4Addr::UNSPECIFIED, client(id).identity.mac, id),
            Query::Lease(id) => match client(id).lease(self.now) {
                Some(lease) => (lease.address, [0; 6], id),
                None => return,
            },
        };
        let xid = self.random.bits() as u32;
        let wanted = [51, 58, 59, 61, 82, 91];
        let message =
            Message::request(Kind::LeaseQuery, xid, mac).with(message::PARAMETERS, &wanted);
        let message = Message { ciaddr: address, giaddr: link.gateway(), ..message };
        self.oracle.queried(message.clone());
        self.arrive(Inbound::Datagram(Box::new(Arrival {
            interface: UPLINKS[0],
            link_source: None,
            destination: uplink_address(UPLINKS[0]),
            payload: message.encode(),
            heard: Heard {
                message,
                source: SocketAddrV4::new(link.gateway(), 67),
                link,
                unicast: true,
                rubbish: false,
            },
            sender,
        })));
    }
}

/// Whether a reply is one that only a relay gets.
pub(crate) fn is_answer(reply: &Message) -> bool {
    use Kind::{LeaseActive, LeaseUnassigned, LeaseUnknown};
    matches!(reply.kind(), Some(LeaseActive | LeaseUnassigned | LeaseUnknown))
}

/// Whether an answer has the shape that § 6.4 wants, whatever it says.
pub(crate) fn judge(reply: &Message, to: Destination, query: &Message) -> Result<(), Fault> {
    let header = (reply.op, reply.xid, reply.yiaddr) == (2, query.xid, Ipv4Addr::UNSPECIFIED);
    let expect = |holds: bool, fault: Fault| if holds { Ok(()) } else { Err(fault) };
    expect(header, Fault::Header)?;
    expect(reply.giaddr == query.giaddr, Fault::Relay)?;
    let is_routed = matches!(to, Destination::Routed { target, .. }
        if target == SocketAddrV4::new(query.giaddr, 67));
    expect(is_routed, Fault::Destination)?;
    let by_address = !query.ciaddr.is_unspecified();
    expect(!by_address || reply.ciaddr == query.ciaddr, Fault::Ciaddr)?;
    let lease = reply.seconds(message::LEASE_TIME);
    match reply.kind() {
        Some(Kind::LeaseActive) => {
            expect(!reply.ciaddr.is_unspecified(), Fault::Ciaddr)?;
            expect(lease.is_some_and(|seconds| seconds > 0), Fault::LeaseTime)
        }
        Some(Kind::LeaseUnassigned) => expect(by_address && lease.is_none(), Fault::Ciaddr),
        _ => {
            let further = reply.options.iter().find(|(code, _)| *code != message::MESSAGE_TYPE);
            further.map_or(Ok(()), |(code, _)| Err(Fault::Forbidden(*code)))
        }
    }
}

/// The address of a client that a query is about, as far as the client can know.
pub(crate) fn asked_of(query: &Message, client: &Client, now: Moment) -> Option<Ipv4Addr> {
    if !query.ciaddr.is_unspecified() {
        return Some(query.ciaddr);
    }
    let lease = client.lease(now).filter(|_| query.mac() == client.identity.mac)?;
    Some(lease.address)
}

/// Whether an answer says that the client has the address.
pub(crate) fn tells(reply: &Message, client: &Client, address: Ipv4Addr) -> bool {
    let mut others = reply.addresses(message::ASSOCIATED_IP);
    reply.kind() == Some(Kind::LeaseActive)
        && reply.mac() == client.identity.mac
        && (reply.ciaddr == address || others.any(|other| other == address))
}
