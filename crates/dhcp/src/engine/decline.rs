//! DHCPDECLINE: RFC 2131 § 4.3.3.

use core::net::Ipv4Addr;

use super::Engine;
use super::exchange::Exchange;
use super::lease::State;
use super::lifecycle::Found;
use crate::event::{Event, Silence};
use crate::outbox::Outbox;

impl Engine {
    /// The client found somebody else on its address. Only the client that holds an address is
    /// believed: else any stranger could empty a pool.
    pub(super) fn decline(
        &mut self,
        exchange: &Exchange<'_>,
        address: Ipv4Addr,
        server: Option<Ipv4Addr>,
        out: &mut Outbox,
    ) {
        if server.is_some_and(|server| !self.is_ours(exchange, server)) {
            return self.silent(Some(exchange), exchange.request, Silence::OtherServer, out);
        }
        let holds = |id: &_| {
            let has = matches!(self.book.get(*id).state, State::Offered | State::Bound);
            has && self.is_holder(exchange, *id)
        };
        let Some(id) = self.book.at(exchange.place(address)).filter(holds) else {
            return self.silent(Some(exchange), exchange.request, Silence::NotHolder, out);
        };
        //= https://www.rfc-editor.org/rfc/rfc2131#section-4.3.3
        //# The server MUST mark the network address
        //# as not available and SHOULD notify the local system administrator of
        //# a possible configuration problem.
        self.tell(out, |engine| Event::Declined(engine.told(id)));
        self.strikes.declined(exchange.hash, exchange.now.boottime);
        self.quarantine(exchange.now, id, Found::ByClient, out);
    }
}
