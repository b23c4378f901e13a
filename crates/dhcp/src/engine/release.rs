//! DHCPRELEASE: RFC 2131 § 4.3.4.

use core::net::Ipv4Addr;

use super::Engine;
use super::exchange::Exchange;
use super::lease::State;
use crate::event::{Ended, Silence};
use crate::outbox::Outbox;

impl Engine {
    /// The client needs its address no more. Only the client that holds it is believed.
    pub(super) fn release(
        &mut self,
        exchange: &Exchange<'_>,
        address: Ipv4Addr,
        server: Option<Ipv4Addr>,
        out: &mut Outbox,
    ) {
        if server.is_some_and(|server| !self.is_ours(exchange, server)) {
            return self.silent(Some(exchange), exchange.request, Silence::OtherServer, out);
        }
        let holds =
            |id: &_| self.book.get(*id).state == State::Bound && self.is_holder(exchange, *id);
        let Some(id) = self.book.at(exchange.place(address)).filter(holds) else {
            return self.silent(Some(exchange), exchange.request, Silence::NotHolder, out);
        };
        self.book.get_mut(id).heard = exchange.now.boottime;
        //= https://www.rfc-editor.org/rfc/rfc2131#section-4.3.4
        //# Upon receipt of a DHCPRELEASE message, the server marks the network
        //# address as not allocated.
        self.end(exchange.now, id, Ended::Released, out);
    }
}
