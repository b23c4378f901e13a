//! Where a reply goes and how it gets its bytes: RFC 2131 § 4.1.

use core::net::{Ipv4Addr, SocketAddrV4};

use dhcproto::v4::MessageType;

use super::Engine;
use super::answer::Answer;
use super::book::LeaseId;
use super::exchange::Exchange;
use super::nonce::Nonce;
use crate::event::{Denied, Event};
use crate::link::Mac;
use crate::outbox::{Destination, Outbox};
use crate::wire::{CLIENT_PORT, Header, IP_AND_UDP, Request, SERVER_PORT, code};

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
    /// What the client is told to believe a FORCERENEW by.
    pub(super) nonce: Option<Nonce>,
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
        let stamp = self.clock.stamp(exchange.now);
        let answer = Answer {
            message: given.message,
            address: given.parameters_of,
            server_id,
            lease_time: given.lease_time,
            nonce: given.nonce.map(|nonce| (nonce, self.nonces.replay(stamp.0))),
            is_empty: given.address.is_unspecified(),
            host_name: &self.scratch.host_name,
            fqdn: &self.scratch.fqdn,
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
            //= https://www.rfc-editor.org/rfc/rfc2131#section-4.3.1
            //# 'ciaddr' 0 'ciaddr' from 0 DHCPREQUEST or 0
            ciaddr: if is_ack { request.ciaddr } else { Ipv4Addr::UNSPECIFIED },
            //= https://www.rfc-editor.org/rfc/rfc2131#section-4.3.1
            //# 'yiaddr' IP address offered IP address 0 to client assigned to client
            yiaddr: given.address,
            //= https://www.rfc-editor.org/rfc/rfc2131#section-2
            //# siaddr 4 IP address of next server to use in bootstrap; returned in DHCPOFFER,
            //# DHCPACK by server.
            //= https://www.rfc-editor.org/rfc/rfc2131#section-4.3.1
            //# 'siaddr' IP address of next IP address of next 0 bootstrap server bootstrap server
            siaddr: next_server.or(exchange.server.server_address).unwrap_or(Ipv4Addr::UNSPECIFIED),
            //= https://www.rfc-editor.org/rfc/rfc2131#section-4.3.1
            //# 'file' Client boot file Client boot file (unused) name or options name or options
            //= https://www.rfc-editor.org/rfc/rfc2131#section-4.3.1
            //# 'sname' Server host name Server host name (unused) or options or options
            file,
            ..header(exchange.request)
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
        //= https://www.rfc-editor.org/rfc/rfc2131#section-4.3.1
        //# All others MAY MAY MUST NOT
        reply.clear();
        reply.option(code::MESSAGE_TYPE, &[MessageType::Nak.into()]);
        reply.option(code::SERVER_ID, &server_id.octets());
        //= https://www.rfc-editor.org/rfc/rfc2132#section-9.9
        //# This option is used by a DHCP server to provide an error message to a
        //# DHCP client in a DHCPNAK message in the event of a failure.
        reply.option(code::MESSAGE, reason.message().as_bytes());
        //= https://www.rfc-editor.org/rfc/rfc6842#section-3
        //# Client identifier (if sent by client) MUST MUST MUST
        if let Some(id) = request.client_id() {
            reply.option(code::CLIENT_ID, id);
        }
        //= https://www.rfc-editor.org/rfc/rfc2131#section-4.3.1
        //# Use 'file'/'sname' fields MAY MAY MUST NOT
        reply.require();
        let mut header = header(exchange.request);
        let to = if request.is_relayed() {
            //= https://www.rfc-editor.org/rfc/rfc2131#section-4.3.2
            //# The server MUST set the broadcast bit in the
            //# DHCPNAK, so that the relay agent will broadcast the DHCPNAK to the
            //# client, because the client may not have a correct network address
            //# or subnet mask, and the client may not be answering ARP requests.
            header.flags |= 0x8000;
            //= https://www.rfc-editor.org/rfc/rfc2131#section-3.2
            //# Otherwise, the server MUST send the DHCPNAK message to the IP address of the BOOTP
            //# relay agent, as recorded in 'giaddr'.
            self.to_relay(exchange)
        } else {
            //= https://www.rfc-editor.org/rfc/rfc2131#section-4.1
            //# In all cases, when 'giaddr' is zero, the server broadcasts any DHCPNAK
            //# messages to 0xffffffff.
            //= https://www.rfc-editor.org/rfc/rfc2131#section-4.3.2
            //# The server MUST broadcast the DHCPNAK message to the 0xffffffff broadcast address
            //# because the client may not have a correct network address or subnet mask, and the
            //# client may not be answering ARP requests.
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
        // A client ignores what comes from another server than the one that it chose.
        if let Some(named) = exchange.named {
            return named;
        }
        let server_id = exchange.service.server_id;
        if exchange.request.is_relayed() || exchange.server.server_address.is_some() {
            return server_id;
        }
        let interface = self.interfaces.get(exchange.service.ingress);
        //= https://www.rfc-editor.org/rfc/rfc2131#section-4.1
        //# the server SHOULD select the IP address the server is using for communication on that
        //# subnet as the 'server identifier'.
        let near = interface.and_then(|it| it.addresses.iter().find(|net| net.contains(&client)));
        near.map_or(server_id, ipnet::Ipv4Net::addr)
    }

    fn destination(&self, exchange: &Exchange<'_>, source: Ipv4Addr, given: Given) -> Destination {
        let request = exchange.request;
        if request.is_relayed() {
            //= https://www.rfc-editor.org/rfc/rfc2131#section-3.1
            //# The server transmits the DHCPOFFER message to the client, using the BOOTP relay
            //# agent if necessary.
            return self.to_relay(exchange);
        }
        let interface = exchange.service.ingress;
        // An INFORM may leave ciaddr empty and still come from an address.
        let is_inform = given.message == Some(MessageType::Ack) && given.address.is_unspecified();
        let from = *exchange.datagram.source.ip();
        //= https://www.rfc-editor.org/rfc/rfc2131#section-3.4
        //# The servers SHOULD unicast the DHCPACK reply to the address given in the 'ciaddr' field
        //# of the DHCPINFORM message.
        //= https://www.rfc-editor.org/rfc/rfc2131#section-4.3.5
        //# The server responds to a DHCPINFORM message by sending a DHCPACK message directly to the
        //# address given in the 'ciaddr' field of the DHCPINFORM message.
        let home = match (request.ciaddr, is_inform) {
            (Ipv4Addr::UNSPECIFIED, true) => from,
            (ciaddr, _) => ciaddr,
        };
        //= https://www.rfc-editor.org/rfc/rfc2131#section-4.1
        //# If the 'giaddr'
        //# field is zero and the 'ciaddr' field is nonzero, then the server
        //# unicasts DHCPOFFER and DHCPACK messages to the address in 'ciaddr'.
        //= https://www.rfc-editor.org/rfc/rfc2131#section-4.3.2
        //# Because 'giaddr' is therefore not filled in, the DHCP server will trust the value in
        //# 'ciaddr', and use it when replying to the client.
        //= https://www.rfc-editor.org/rfc/rfc1542#section-5.4
        //# If the 'ciaddr' field is non-zero, the BOOTREPLY message SHOULD be sent as an IP unicast
        //# to the IP address identified in the 'ciaddr' field.
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
            //= https://www.rfc-editor.org/rfc/rfc2131#section-4.1
            //# If the broadcast bit is not set and 'giaddr' is zero and 'ciaddr' is zero, then the
            //# server unicasts DHCPOFFER and DHCPACK messages to the client's hardware address and
            //# 'yiaddr' address.
            //= https://www.rfc-editor.org/rfc/rfc2131#section-4.1
            //# If the BROADCAST bit is cleared to 0, the message SHOULD be sent as an IP unicast to
            //# the IP address specified in the 'yiaddr' field and the link-layer address specified
            //# in the 'chaddr' field.
            //= https://www.rfc-editor.org/rfc/rfc1542#section-5.4
            //# If the BROADCAST flag is cleared (0), the reply SHOULD be sent as an IP unicast to
            //# the IP address specified by the 'yiaddr' field and the link-layer address specified
            //# in the 'chaddr' field.
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
        //= https://www.rfc-editor.org/rfc/rfc8357#section-5.1
        //# it MUST remember the UDP source port of the message and use that port number as the UDP
        //# destination port when sending the reply message to the same relay agent.
        let port = if wants_source { exchange.datagram.source.port() } else { SERVER_PORT };
        Destination::Routed {
            source: self.routed_source(exchange),
            //= https://www.rfc-editor.org/rfc/rfc3527#section-3
            //# The IP address to which a DHCP server sends a reply MUST be the same as it would
            //# choose when this sub-option is not present.
            //= https://www.rfc-editor.org/rfc/rfc1542#section-5.4
            //# If this field is non-zero, the server SHOULD send the BOOTREPLY as an IP unicast to
            //# the IP address identified in the 'giaddr' field.
            //= https://www.rfc-editor.org/rfc/rfc3011#section-2
            //# The IPv4 address to which a DHCP server sends a reply to MUST be the same as it
            //# would chose when this option is not present.
            target: SocketAddrV4::new(request.giaddr, port),
        }
    }

    /// The address that the request reached us at, so that what filters replies lets ours pass.
    fn routed_source(&self, exchange: &Exchange<'_>) -> Ipv4Addr {
        let destination = exchange.datagram.destination;
        if self.services.is_own(destination) { destination } else { Ipv4Addr::UNSPECIFIED }
    }

    /// The station to send a frame to, if the client is on the ingress link: by its address, or
    /// because it broadcast, or because its frame came from itself. The kernel's neighbour table
    /// stays out of it: it is full long before a large link is.
    fn mac_on_link(&self, exchange: &Exchange<'_>, address: Ipv4Addr) -> Option<Mac> {
        let mac = exchange.request.hardware.mac().filter(|mac| mac.0[0] & 1 == 0);
        let station = exchange.datagram.link_source;
        let on_link = self.site(exchange.config).is_on_link(exchange.service.ingress, address)
            || exchange.datagram.destination.is_broadcast()
            || (mac.is_some() && mac == station);
        mac.or(station).filter(|_| on_link)
    }

    /// Octets of the UDP payload that the client takes and the link carries.
    fn limit(&self, exchange: &Exchange<'_>, bootp: bool) -> usize {
        if bootp {
            //= https://www.rfc-editor.org/rfc/rfc1534#section-2
            //# MUST NOT exceed the size limit for BOOTREPLY messages
            return BOOTP_LENGTH;
        }
        let interface = self.interfaces.get(exchange.service.ingress);
        let mtu = interface.map_or(RELAYED_MTU, |interface| interface.mtu);
        let mtu = if exchange.request.is_relayed() { mtu.min(RELAYED_MTU) } else { mtu };
        usize::from(exchange.request.message_size().min(mtu.max(576))) - IP_AND_UDP
    }
}

/// The fields that every reply copies; the others are zero.
pub(super) fn header<'a>(request: &Request<'_>) -> Header<'a> {
    Header {
        htype: request.hardware.htype(),
        hlen: request.hardware.octets().len() as u8,
        //= https://www.rfc-editor.org/rfc/rfc2131#section-4.3.1
        //# The server inserts the 'xid' field from the DHCPDISCOVER message into the 'xid' field of
        //# the DHCPOFFER message and sends the DHCPOFFER message to the requesting client.
        //= https://www.rfc-editor.org/rfc/rfc2131#section-4.3.1
        //# 'xid' 'xid' from client 'xid' from client 'xid' from client DHCPDISCOVER DHCPREQUEST
        //# DHCPREQUEST message message message
        xid: request.xid,
        //= https://www.rfc-editor.org/rfc/rfc2131#section-4.3.1
        //# 'flags' 'flags' from 'flags' from 'flags' from client DHCPDISCOVER client DHCPREQUEST
        //# client DHCPREQUEST message message message
        //= https://www.rfc-editor.org/rfc/rfc1542#section-5.4
        //# Otherwise, the server MUST preserve the state of the BROADCAST flag so that the relay
        //# agent can correctly act upon it.
        flags: request.flags,
        ciaddr: Ipv4Addr::UNSPECIFIED,
        yiaddr: Ipv4Addr::UNSPECIFIED,
        siaddr: Ipv4Addr::UNSPECIFIED,
        //= https://www.rfc-editor.org/rfc/rfc2131#section-4.3.1
        //# 'giaddr' 'giaddr' from 'giaddr' from 'giaddr' from client DHCPDISCOVER client
        //# DHCPREQUEST client DHCPREQUEST message message message
        giaddr: request.giaddr,
        //= https://www.rfc-editor.org/rfc/rfc2131#section-4.3.1
        //# 'chaddr' 'chaddr' from 'chaddr' from 'chaddr' from client DHCPDISCOVER client
        //# DHCPREQUEST client DHCPREQUEST message message message
        chaddr: request.chaddr,
        file: &[],
        cookie: request.has_cookie,
    }
}

//= https://www.rfc-editor.org/rfc/rfc2131#section-4.1
//# If this bit is set to 1, the DHCP message SHOULD be sent as an IP broadcast using an IP
//# broadcast address (preferably 0xffffffff) as the IP destination address
fn broadcast(exchange: &Exchange<'_>, source: Ipv4Addr) -> Destination {
    Destination::Link {
        interface: exchange.service.ingress,
        mac: Mac::BROADCAST,
        source,
        target: SocketAddrV4::new(Ipv4Addr::BROADCAST, CLIENT_PORT),
    }
}
