//! Where a reply goes and how it gets its bytes: RFC 2131 § 4.1.

use core::net::{Ipv4Addr, SocketAddrV4};

use dhcproto::v4::MessageType;

use super::Engine;
use super::answer::Answer;
use super::book::LeaseId;
use super::exchange::Exchange;
use crate::event::{Denied, Event};
use crate::link::Mac;
use crate::outbox::{Destination, Outbox};
use crate::wire::{CLIENT_PORT, Header, IP_AND_UDP, SERVER_PORT, code};

/// A BOOTP client has room for 64 octets behind the file name: RFC 951, RFC 1534 § 2.
const BOOTP_LENGTH: usize = 300;

/// The largest datagram that relays are trusted with, whatever the client says: Ethernet's.
const RELAYED_MTU: u16 = 1500;

/// A reply that gives something.
#[derive(Clone, Copy)]
pub(super) struct Given {
    /// `None` for BOOTP.
    pub(super) message: Option<MessageType>,
    /// `yiaddr`; unspecified in the answer to an INFORM.
    pub(super) address: Ipv4Addr,
    /// Whose parameters are told; `address`, or that of a client that informs itself.
    pub(super) parameters_of: Ipv4Addr,
    /// Seconds; `None` where no lease is granted.
    pub(super) lease_time: Option<u32>,
    /// Whether it is broadcast although the client could take a unicast.
    pub(super) broadcast: bool,
    /// Whether it has to wait for the turn's records.
    pub(super) promised: bool,
}

impl Engine {
    /// Sends an OFFER, an ACK or a BOOTREPLY.
    pub(super) fn give(
        &mut self,
        exchange: &Exchange<'_>,
        lease: Option<LeaseId>,
        given: Given,
        out: &mut Outbox,
    ) {
        let request = exchange.request;
        let stashed = lease.map_or(&[][..], |id| self.book.get(id).client.relay_agent());
        let relay_agent = request.relay_agent().map(|agent| agent.octets());
        let network = exchange.config.networks.containing(given.parameters_of);
        let server_id = self.server_id(exchange, given.parameters_of);
        let to = self.destination(exchange, server_id, given);
        let limit = self.limit(exchange, given.message.is_none());
        let answer = Answer {
            message: given.message,
            address: given.parameters_of,
            server_id,
            lease_time: given.lease_time,
            host_name: &self.scratch.host_name,
            relay_agent: relay_agent.unwrap_or(stashed),
            network,
            interfaces: &self.interfaces,
        };
        let reply = &mut self.scratch.reply;
        let file = &mut self.scratch.file;
        answer.gather(exchange, reply);
        answer.boot_file(exchange, file);
        let is_ack = given.message == Some(MessageType::Ack) || given.message.is_none();
        let next_server = network.and_then(|network| network.next_server);
        let header = Header {
            ciaddr: if is_ack { request.ciaddr } else { Ipv4Addr::UNSPECIFIED },
            yiaddr: given.address,
            siaddr: next_server.or(exchange.server.server_address).unwrap_or(Ipv4Addr::UNSPECIFIED),
            file,
            ..header(exchange)
        };
        let write = |bytes: &mut Vec<u8>| reply.write(&header, relay_agent, limit, bytes);
        match given.promised {
            true => out.promise(to, write),
            false => out.reply(to, write),
        }
    }

    /// Sends a NAK.
    pub(super) fn deny(
        &mut self,
        exchange: &Exchange<'_>,
        address: Ipv4Addr,
        reason: Denied,
        out: &mut Outbox,
    ) {
        let request = exchange.request;
        let server_id = self.server_id(exchange, Ipv4Addr::UNSPECIFIED);
        let reply = &mut self.scratch.reply;
        reply.clear();
        reply.option(code::MESSAGE_TYPE, &[MessageType::Nak.into()]);
        reply.option(code::SERVER_ID, &server_id.octets());
        //= https://www.rfc-editor.org/rfc/rfc2132#section-9.9
        //# This option is used by a DHCP server to provide an error message to a
        //# DHCP client in a DHCPNAK message in the event of a failure.
        reply.option(code::MESSAGE, reason.message().as_bytes());
        if let Some(id) = request.client_id() {
            reply.option(code::CLIENT_ID, id);
        }
        reply.require();
        let mut header = header(exchange);
        let to = if request.is_relayed() {
            //= https://www.rfc-editor.org/rfc/rfc2131#section-4.3.2
            //# The server MUST set the broadcast bit in the
            //# DHCPNAK, so that the relay agent will broadcast the DHCPNAK to the
            //# client, because the client may not have a correct network address
            //# or subnet mask, and the client may not be answering ARP requests.
            header.flags |= 0x8000;
            self.to_relay(exchange)
        } else {
            //= https://www.rfc-editor.org/rfc/rfc2131#section-4.1
            //# In all cases, when 'giaddr' is zero, the server broadcasts any DHCPNAK
            //# messages to 0xffffffff.
            broadcast(exchange, server_id)
        };
        let relay_agent = request.relay_agent().map(|agent| agent.octets());
        let limit = self.limit(exchange, false);
        let reply = &self.scratch.reply;
        out.reply(to, |bytes| reply.write(&header, relay_agent, limit, bytes));
        self.tell(out, |engine| Event::Denied {
            server: engine.server_name(exchange),
            address,
            client: request.hardware,
            reason,
        });
    }

    /// What stands in option 54: on an interface with several prefixes the address on the
    /// client's one.
    pub(super) fn server_id(&self, exchange: &Exchange<'_>, client: Ipv4Addr) -> Ipv4Addr {
        let server_id = exchange.service.server_id;
        if exchange.request.is_relayed() || exchange.server.server_address.is_some() {
            return server_id;
        }
        let interface = self.interfaces.get(exchange.service.ingress);
        let near = interface.and_then(|it| it.addresses.iter().find(|net| net.contains(&client)));
        near.map_or(server_id, ipnet::Ipv4Net::addr)
    }

    fn destination(&self, exchange: &Exchange<'_>, source: Ipv4Addr, given: Given) -> Destination {
        let request = exchange.request;
        if request.is_relayed() {
            return self.to_relay(exchange);
        }
        let interface = exchange.service.ingress;
        // An INFORM may leave ciaddr empty and still come from an address.
        let is_inform = given.message == Some(MessageType::Ack) && given.address.is_unspecified();
        let from = *exchange.datagram.source.ip();
        let home = match (request.ciaddr, is_inform) {
            (Ipv4Addr::UNSPECIFIED, true) => from,
            (ciaddr, _) => ciaddr,
        };
        //= https://www.rfc-editor.org/rfc/rfc2131#section-4.1
        //# If the 'giaddr'
        //# field is zero and the 'ciaddr' field is nonzero, then the server
        //# unicasts DHCPOFFER and DHCPACK messages to the address in 'ciaddr'.
        let has_address = !home.is_unspecified() && given.message != Some(MessageType::Offer);
        if has_address {
            let target = SocketAddrV4::new(home, CLIENT_PORT);
            return match self.mac_on_link(exchange, home) {
                Some(mac) => Destination::Link { interface, mac, source, target },
                None => Destination::Routed { source: self.routed_source(exchange), target },
            };
        }
        //= https://www.rfc-editor.org/rfc/rfc2131#section-4.1
        //# If 'giaddr' is zero and 'ciaddr' is zero, and the broadcast bit is
        //# set, then the server broadcasts DHCPOFFER and DHCPACK messages to
        //# 0xffffffff.
        match request.hardware.mac().filter(|mac| mac.0[0] & 1 == 0) {
            Some(mac) if !given.broadcast && !given.address.is_unspecified() => {
                let target = SocketAddrV4::new(given.address, CLIENT_PORT);
                Destination::Link { interface, mac, source, target }
            }
            _ => broadcast(exchange, source),
        }
    }

    //= https://www.rfc-editor.org/rfc/rfc2131#section-4.1
    //# If the 'giaddr' field in a DHCP message from a client is non-zero,
    //# the server sends any return messages to the 'DHCP server' port on the
    //# BOOTP relay agent whose address appears in 'giaddr'.
    fn to_relay(&self, exchange: &Exchange<'_>) -> Destination {
        let request = exchange.request;
        // RFC 8357: a relay that says so listens where it sent from.
        let wants_source = request.relay_agent().is_some_and(|agent| agent.wants_source_port());
        let port = if wants_source { exchange.datagram.source.port() } else { SERVER_PORT };
        Destination::Routed {
            source: self.routed_source(exchange),
            target: SocketAddrV4::new(request.giaddr, port),
        }
    }

    /// The address that the request reached us at, so that what filters replies lets ours pass.
    fn routed_source(&self, exchange: &Exchange<'_>) -> Ipv4Addr {
        let destination = exchange.datagram.destination;
        if self.services.is_own(destination) { destination } else { Ipv4Addr::UNSPECIFIED }
    }

    /// The station to send a frame to, if the address is on the ingress link. The kernel's
    /// neighbour table stays out of it: it is full long before a large link is.
    fn mac_on_link(&self, exchange: &Exchange<'_>, address: Ipv4Addr) -> Option<Mac> {
        let on_link = self.site(exchange.config).is_on_link(exchange.service.ingress, address);
        let mac = exchange.request.hardware.mac().filter(|mac| mac.0[0] & 1 == 0);
        mac.or(exchange.datagram.link_source).filter(|_| on_link)
    }

    /// Octets of the UDP payload that the client takes and the link carries.
    fn limit(&self, exchange: &Exchange<'_>, bootp: bool) -> usize {
        if bootp {
            return BOOTP_LENGTH;
        }
        let interface = self.interfaces.get(exchange.service.ingress);
        let mtu = interface.map_or(RELAYED_MTU, |interface| interface.mtu);
        let mtu = if exchange.request.is_relayed() { mtu.min(RELAYED_MTU) } else { mtu };
        usize::from(exchange.request.message_size().min(mtu.max(576))) - IP_AND_UDP
    }
}

/// The fields that every reply copies; the others are zero.
fn header<'a>(exchange: &Exchange<'_>) -> Header<'a> {
    let request = exchange.request;
    Header {
        htype: request.hardware.htype(),
        hlen: request.hardware.octets().len() as u8,
        xid: request.xid,
        flags: request.flags,
        ciaddr: Ipv4Addr::UNSPECIFIED,
        yiaddr: Ipv4Addr::UNSPECIFIED,
        siaddr: Ipv4Addr::UNSPECIFIED,
        giaddr: request.giaddr,
        chaddr: request.chaddr,
        file: &[],
        cookie: request.has_cookie,
    }
}

fn broadcast(exchange: &Exchange<'_>, source: Ipv4Addr) -> Destination {
    Destination::Link {
        interface: exchange.service.ingress,
        mac: Mac::BROADCAST,
        source,
        target: SocketAddrV4::new(Ipv4Addr::BROADCAST, CLIENT_PORT),
    }
}
