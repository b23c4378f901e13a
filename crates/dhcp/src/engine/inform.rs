//! DHCPINFORM: RFC 2131 § 4.3.5.

use core::net::Ipv4Addr;

use dhcproto::v4::MessageType;

use super::Engine;
use super::exchange::Exchange;
use super::reply::Given;
use crate::event::Silence;
use crate::outbox::Outbox;

impl Engine {
    /// Tells a client parameters for the address that it has from elsewhere. No lease is looked
    /// at, and none is made.
    //= https://www.rfc-editor.org/rfc/rfc2131#section-3.4
    //# Servers receiving a DHCPINFORM message construct a DHCPACK message with any local
    //# configuration parameters appropriate for the client without: allocating a new address,
    //# checking for an existing binding, filling in 'yiaddr' or including lease time parameters.
    pub(super) fn inform(&mut self, exchange: &Exchange<'_>, out: &mut Outbox) {
        let request = exchange.request;
        let named = [request.ciaddr, *exchange.datagram.source.ip()];
        // Behind a relay the source is the relay's.
        let count = if request.is_relayed() { 1 } else { named.len() };
        let address = named[..count].iter().copied().find(|address| !address.is_unspecified());
        let address = address.or(exchange.service.link.filter(|_| request.is_relayed()));
        let known = address.filter(|&address| self.is_known_network(exchange, address));
        let Some(address) = known else {
            return self.silent(Some(exchange), request, Silence::Inform, out);
        };
        if exchange.terms.is_blocked() {
            return self.silent(Some(exchange), request, Silence::Blocked, out);
        }
        //= https://www.rfc-editor.org/rfc/rfc2131#section-4.3.5
        //# The server MUST NOT send a lease expiration time
        //# to the client and SHOULD NOT fill in 'yiaddr'.
        let given = Given {
            message: Some(MessageType::Ack),
            address: Ipv4Addr::UNSPECIFIED,
            //= https://www.rfc-editor.org/rfc/rfc2131#section-4.3.5
            //# The server includes other parameters in the DHCPACK message as defined in section
            //# 4.3.1.
            parameters_of: address,
            lease_time: None,
            broadcast: exchange.wants_broadcast(),
            nonce: None,
            promised: false,
        };
        self.give(exchange, None, given, out);
    }

    //= https://www.rfc-editor.org/rfc/rfc2131#section-3.4
    //# The server SHOULD check the network address in a DHCPINFORM message
    //# for consistency, but MUST NOT check for an existing lease.
    fn is_known_network(&self, exchange: &Exchange<'_>, address: Ipv4Addr) -> bool {
        exchange.network(address).is_some()
            || self.site(exchange.config).is_on_link(exchange.service.ingress, address)
    }
}
