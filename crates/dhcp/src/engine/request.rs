//! DHCPREQUEST in its four client states: RFC 2131 § 4.3.2.

use core::net::Ipv4Addr;

use dhcproto::v4::MessageType;

use super::Engine;
use super::book::{LeaseId, OfClient};
use super::exchange::Exchange;
use super::lease::State;
use crate::config::Relay;
use crate::event::{Denied, Silence};
use crate::outbox::Outbox;
use crate::planted::planted;
use crate::wire::Requested;

/// What becomes of a request. Nothing has happened yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// The client gets the lease that it holds, or takes over the one that its static lease gives.
    Bind(LeaseId),
    /// The client gets the address, which nobody has.
    Take,
    /// The client keeps its lease for the time that is left of it, no longer.
    Keep(LeaseId),
    /// The client cannot have the address.
    Deny(Denied),
    /// It is not for us to answer.
    Silent(Silence),
}

impl Engine {
    pub(super) fn request(
        &mut self,
        exchange: &Exchange<'_>,
        requested: Requested,
        out: &mut Outbox,
    ) {
        if let Requested::Selecting { server, .. } = requested
            && !self.is_ours(exchange, server)
        {
            self.not_selected(exchange);
            self.silent(Some(exchange), exchange.request, Silence::OtherServer, out);
            return;
        }
        let named = match requested {
            Requested::Selecting { server, .. } => Some(server),
            _ => exchange.named,
        };
        let exchange = &Exchange { named, ..*exchange };
        let address = requested.address();
        if let Some(id) = self.book.at(exchange.place(address)) {
            self.settle(exchange.now, id, out);
        }
        //= https://www.rfc-editor.org/rfc/rfc8925#section-3.3
        //# If the server receives a DHCPREQUEST containing the IPv6-Only Preferred option for the
        //# address from a pool configured as IPv6-mostly, the server MUST process it per [RFC2131].
        //= https://www.rfc-editor.org/rfc/rfc8925#section-3.3
        //# If the client then issues a DHCPREQUEST for the address, the server MUST process it per
        //# [RFC2131]
        let ack = Some(MessageType::Ack);
        match self.judge(exchange, requested) {
            //= https://www.rfc-editor.org/rfc/rfc2131#section-3.1
            //# The server SHOULD NOT check the offered network address at this point.
            //= https://www.rfc-editor.org/rfc/rfc2131#section-3.2
            //# Servers SHOULD NOT check that the client's network address is already in use
            Verdict::Bind(id) => {
                let lease_time = self.lease_time(exchange, Some(id));
                self.bind(exchange, id, lease_time, ack, out);
            }
            Verdict::Take => match self.take_found(exchange, address) {
                Some(id) => {
                    let lease_time = self.lease_time(exchange, Some(id));
                    self.bind(exchange, id, lease_time, ack, out);
                }
                //= https://www.rfc-editor.org/rfc/rfc2131#section-3.1
                //# If the selected server is unable to satisfy the DHCPREQUEST message (e.g., the
                //# requested network address has been allocated), the server SHOULD respond with a
                //# DHCPNAK message.
                None => self.deny(exchange, address, Denied::Taken, out),
            },
            //= https://www.rfc-editor.org/rfc/rfc2131#section-4.3.2
            //# The server may choose not to extend the lease (as a policy decision by the network
            //# administrator), but should return a DHCPACK message regardless.
            Verdict::Keep(id) => self.keep_promise(exchange, id, ack, out),
            Verdict::Deny(reason) => self.deny(exchange, address, reason, out),
            Verdict::Silent(reason) => {
                self.silent(Some(exchange), exchange.request, reason, out);
            }
        }
    }

    //= https://www.rfc-editor.org/rfc/rfc2131#section-4.1
    //# A server with multiple network addresses MUST be prepared
    //# to to accept any of its network addresses as identifying that server
    //# in a DHCP message.
    pub(super) fn is_ours(&self, exchange: &Exchange<'_>, server: Ipv4Addr) -> bool {
        //= https://www.rfc-editor.org/rfc/rfc5107#section-4
        //# comparison should be made between the address in this suboption and the Server
        //# Identifier option.
        //= https://www.rfc-editor.org/rfc/rfc5107#section-4
        //# If both the Server Identifier Override suboption and the Server Identifier option
        //# specify the same address, then the server should accept the DHCPREQUEST message for
        //# processing
        server == exchange.service.server_id
            || exchange.named == Some(server)
            || self.services.is_own(server)
            || exchange.server.server_address == Some(server)
    }

    //= https://www.rfc-editor.org/rfc/rfc2131#section-3.1
    //# Those servers not selected by the DHCPREQUEST message use
    //# the message as notification that the client has declined that
    //# server's offer.
    fn not_selected(&mut self, exchange: &Exchange<'_>) {
        let of = self.book.of(exchange.service.key, &exchange.traits(), exchange.hash);
        if let Some(pending) = of.pending {
            self.give_up(pending);
        }
    }

    /// Decides; changes nothing.
    fn judge(&self, exchange: &Exchange<'_>, requested: Requested) -> Verdict {
        if exchange.terms.is_blocked() {
            return Verdict::Silent(Silence::Blocked);
        }
        let address = requested.address();
        //= https://www.rfc-editor.org/rfc/rfc2131#section-4.3.2
        //# The DHCP server SHOULD check 'ciaddr' for correctness before replying to the
        //# DHCPREQUEST.
        let held = self.book.at(exchange.place(address));
        let held = held.filter(|&id| !self.was_found(exchange, id));
        let own = held.filter(|&id| self.is_holder(exchange, id));
        let of = self.book.of(exchange.service.key, &exchange.traits(), exchange.hash);
        if let Some((row, fixed)) = self.fixed(exchange) {
            if fixed == address {
                return self.judge_fixed(exchange, requested, held);
            }
            // The NAK may be lost: what the client has of the address stays its own until it has
            // another one, or until it would have ended.
            if self.is_obtainable(exchange, row, fixed) {
                return Verdict::Deny(Denied::Moved);
            }
        }
        if self.is_anothers(exchange, address) {
            return match own {
                Some(_) => Verdict::Deny(Denied::Reserved),
                None => self.refuse(exchange, requested, of, Denied::Reserved),
            };
        }
        match own {
            Some(id) => self.judge_own(exchange, requested, id),
            None => self.judge_strange(exchange, requested, held, of),
        }
    }

    /// Whether a probe found this very client on an address that nobody knew it has: after a lost
    /// store, it asks for nothing but its own.
    fn was_found(&self, exchange: &Exchange<'_>, id: LeaseId) -> bool {
        let lease = self.book.get(id);
        let station = lease.client.hardware().mac();
        lease.state == State::Conflict && station.is_some() && station == exchange.hardware.mac()
    }

    /// Takes an address for a client that named it, also if it is in quarantine for its sake.
    fn take_found(&mut self, exchange: &Exchange<'_>, address: Ipv4Addr) -> Option<LeaseId> {
        let held = self.book.at(exchange.place(address));
        if let Some(id) = held.filter(|&id| self.was_found(exchange, id)) {
            self.pardon(id);
        }
        self.take(exchange, address)
    }

    /// The address of the client's static lease.
    fn judge_fixed(
        &self,
        exchange: &Exchange<'_>,
        requested: Requested,
        held: Option<LeaseId>,
    ) -> Verdict {
        let Some(id) = held else { return Verdict::Take };
        let lease = self.book.get(id);
        let row = exchange.terms.fixed;
        match lease.state {
            State::Ended => Verdict::Take,
            State::Declined | State::Conflict => Verdict::Deny(Denied::Conflict),
            _ if self.is_holder(exchange, id) => Verdict::Bind(id),
            _ if row.is_some_and(|row| self.obeys(id, row)) => Verdict::Bind(id),
            _ => self.refuse(exchange, requested, OfClient::default(), Denied::Taken),
        }
    }

    /// An address that is the client's already.
    fn judge_own(&self, exchange: &Exchange<'_>, requested: Requested, id: LeaseId) -> Verdict {
        let lease = self.book.get(id);
        let may_have = self.may_have(exchange, lease.address);
        match lease.state {
            State::Testing => Verdict::Silent(Silence::Testing),
            State::Bound if !may_have && self.has_moved(exchange, id) => {
                // What a server promised that is disabled now is no other one's to judge.
                match self.services.with_key(lease.server) {
                    Some(_) => Verdict::Deny(Denied::WrongNetwork),
                    None => Verdict::Silent(Silence::Withheld),
                }
            }
            // Never a NAK because of a configuration: what was promised holds.
            State::Bound if !may_have => Verdict::Keep(id),
            //= https://www.rfc-editor.org/rfc/rfc2131#section-3.2
            //# Servers with knowledge of the client's configuration parameters respond with a
            //# DHCPACK message to the client.
            State::Bound | State::Offered if may_have => Verdict::Bind(id),
            State::Ended if may_have => Verdict::Take,
            _ => {
                let reason = self.reason_outside(exchange, lease.address);
                self.refuse(exchange, requested, OfClient::default(), reason)
            }
        }
    }

    /// An address that is not the client's.
    fn judge_strange(
        &self,
        exchange: &Exchange<'_>,
        requested: Requested,
        held: Option<LeaseId>,
        of: OfClient,
    ) -> Verdict {
        let address = requested.address();
        let is_selecting = matches!(requested, Requested::Selecting { .. });
        let is_in_use = !exchange.request.ciaddr.is_unspecified();
        match held.map(|id| self.book.get(id).state) {
            Some(State::Bound) if is_selecting && planted!(StaleOffer) => {
                return held.map_or(Verdict::Take, Verdict::Bind);
            }
            // Nobody has been offered it yet, and whoever uses it answers the probe.
            Some(State::Testing) if !is_selecting || is_in_use => {
                return Verdict::Silent(Silence::Testing);
            }
            Some(State::Testing | State::Offered | State::Bound) => {
                return self.refuse(exchange, requested, of, Denied::Taken);
            }
            Some(State::Declined | State::Conflict) => {
                return self.refuse(exchange, requested, of, Denied::Conflict);
            }
            Some(State::Ended) | None => {}
        }
        // Who uses an address and names its server renews, as some do; an offer changes nothing.
        if is_selecting && !is_in_use && (of.pending.is_some() || of.bound.is_some()) {
            return Verdict::Deny(Denied::NotOffered);
        }
        //= https://www.rfc-editor.org/rfc/rfc2131#section-4.3.2
        //# If the network is correct, then the DHCP server should check if
        //# the client's notion of its IP address is correct. If not, then the
        //# server SHOULD send a DHCPNAK message to the client.
        if of.bound.is_some() {
            let on_network = self.is_on_network(exchange, address);
            let reason = if on_network { Denied::WrongAddress } else { Denied::WrongNetwork };
            return Verdict::Deny(reason);
        }
        //= https://www.rfc-editor.org/rfc/rfc2131#section-3.2
        //# Servers SHOULD NOT respond if their information is not guaranteed to be accurate.
        if exchange.is_withheld(address) {
            return Verdict::Silent(Silence::Withheld);
        }
        //= https://www.rfc-editor.org/rfc/rfc2131#section-4.3.2
        //# If the DHCP
        //# server has no record of this client, then it MUST remain silent,
        //# and MAY output a warning to the network administrator.
        if !is_selecting && !exchange.is_authoritative() {
            return Verdict::Silent(Silence::NotAuthoritative);
        }
        if !self.is_given_from_pool(exchange, address) {
            //= https://www.rfc-editor.org/rfc/rfc2131#section-3.2
            //# If the client's request is invalid (e.g., the client has moved to a new subnet),
            //# servers SHOULD respond with a DHCPNAK message to the client.
            //= https://www.rfc-editor.org/rfc/rfc2131#section-4.3.2
            //# Server SHOULD send a DHCPNAK message to the client if the 'requested IP address' is
            //# incorrect, or is on the wrong network.
            return Verdict::Deny(self.reason_outside(exchange, address));
        }
        if let Err(reason) = self.may_begin(exchange).and_then(|()| self.within_limits(exchange)) {
            return Verdict::Silent(reason);
        }
        if self.store.has_failed() {
            return Verdict::Silent(Silence::StoreFailed);
        }
        Verdict::Take
    }

    /// NAK, unless it is not for us to say so.
    fn refuse(
        &self,
        exchange: &Exchange<'_>,
        requested: Requested,
        of: OfClient,
        reason: Denied,
    ) -> Verdict {
        let is_selecting = matches!(requested, Requested::Selecting { .. });
        let is_known = of.bound.is_some() || of.pending.is_some();
        //= https://www.rfc-editor.org/rfc/rfc2131#section-3.2
        //# a server that identifies a request for an expired binding that is owned by another
        //# server SHOULD NOT respond with a DHCPNAK
        //= https://www.rfc-editor.org/rfc/rfc2131#section-3.5
        //# If a server receives a DHCPREQUEST message with an invalid 'requested IP address', the
        //# server SHOULD respond to the client with a DHCPNAK message
        if is_selecting || is_known || exchange.is_authoritative() {
            Verdict::Deny(reason)
        } else {
            Verdict::Silent(Silence::NotAuthoritative)
        }
    }

    /// Whether the client asks on another link than the one that it got its lease on. Another
    /// server of the same network is no other link: two relays, or a server that took its place.
    /// Nor is the relay that it was heard through before, whatever the chain of pools has become.
    fn has_moved(&self, exchange: &Exchange<'_>, id: LeaseId) -> bool {
        let lease = self.book.get(id);
        let relay = exchange.request.giaddr;
        if exchange.request.is_relayed() && lease.client.giaddr() == relay {
            return false;
        }
        let is_elsewhere =
            lease.server != exchange.service.key || exchange.server.relay == Relay::Any;
        is_elsewhere && !self.is_on_network(exchange, lease.address)
    }

    fn reason_outside(&self, exchange: &Exchange<'_>, address: Ipv4Addr) -> Denied {
        let on_network = self.is_on_network(exchange, address);
        //= https://www.rfc-editor.org/rfc/rfc2131#section-4.3.2
        //# If the DHCP server detects that the client is on the wrong net
        if on_network { Denied::OutsidePools } else { Denied::WrongNetwork }
    }
}
