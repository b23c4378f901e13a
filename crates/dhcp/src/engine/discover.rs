//! DHCPDISCOVER: RFC 2131 § 4.3.1.

use core::net::Ipv4Addr;

use dhcproto::v4::MessageType;
use leasehold_pool::{Grant, PoolId, Refused, Wish};

use super::Engine;
use super::book::LeaseId;
use super::exchange::Exchange;
use super::lease::State;
use super::lifecycle::seconds_until;
use super::reply::Given;
use super::supply::{NO_POOL, number};
use crate::config::FixedLease;
use crate::event::Silence;
use crate::outbox::Outbox;
use crate::wire::code;

impl Engine {
    pub(super) fn discover(
        &mut self,
        exchange: &Exchange<'_>,
        requested: Option<Ipv4Addr>,
        out: &mut Outbox,
    ) {
        //= https://www.rfc-editor.org/rfc/rfc8925#section-3.3
        //# the server SHOULD NOT honor the Rapid Commit option if the response to the client would
        //# contain the IPv6-Only Preferred option.
        //= https://www.rfc-editor.org/rfc/rfc8925#section-3.3
        //# It SHOULD instead respond with a DHCPOFFER as indicated above.
        //= https://www.rfc-editor.org/rfc/rfc8925#section-3.3.1
        //# If the DHCPDISCOVER does not contain the Auto-Configure option but | contains the
        //# IPv6-Only Preferred option, the processing rules for | the IPv6-Only Preferred option
        //# apply.
        let may_begin = self.may_begin(exchange);
        if may_begin.is_ok() && self.prefers_ipv6(exchange) {
            return self.offer_nothing(exchange, out);
        }
        let found = may_begin.and_then(|()| self.find(exchange, requested, out));
        match found {
            Err(reason) if forbids_auto_configuration(exchange, reason) => {
                if reason == Silence::PoolEmpty {
                    self.tell_empty(exchange, out);
                }
                self.offer_nothing(exchange, out);
            }
            //= https://www.rfc-editor.org/rfc/rfc2563#section-2.3
            //# If the DHCPDISCOVER does not contain the Auto-Configure option, it is not answered.
            //= https://www.rfc-editor.org/rfc/rfc2563#section-2.3
            //# If the site administrator allows auto-configuration on the originating subnet, the
            //# DHCPDISCOVER is not answered as before.
            Err(reason) => self.silent(Some(exchange), exchange.request, reason, out),
            Ok(id) if self.book.get(id).state == State::Testing => {}
            Ok(id) if self.store.has_failed() && self.seconds_left(exchange, id) == 0 => {
                self.silent(Some(exchange), exchange.request, Silence::StoreFailed, out);
            }
            //= https://www.rfc-editor.org/rfc/rfc4039#section-3.1
            //# Each server may respond with either a DHCPOFFER message or a DHCPACK message with
            //# the Rapid Commit option
            Ok(id) if commits_rapidly(exchange) => {
                let ack = Some(MessageType::Ack);
                let lease_time = self.lease_time(exchange, Some(id));
                self.bind(exchange, id, lease_time, ack, out);
            }
            Ok(id) => self.offer(exchange, id, out),
        }
    }

    /// Whether the client can do without IPv4 and is to (RFC 8925). Who has an address keeps it.
    fn prefers_ipv6(&self, exchange: &Exchange<'_>) -> bool {
        //= https://www.rfc-editor.org/rfc/rfc8925#section-3.3
        //# The DHCPv4 server SHOULD be able to configure all or individual pools to include the
        //# IPv6-Only Preferred option in DHCPv4 responses
        //= https://www.rfc-editor.org/rfc/rfc8925#section-3.3
        //# the server MUST include the IPv6-Only Preferred option when responding with the
        //# DHCPOFFER or DHCPACK message.
        let asks = exchange.server.ipv6_only_preferred.is_some()
            && exchange.request.asks_for(code::IPV6_ONLY_PREFERRED);
        asks && exchange.terms.fixed.is_none() && {
            let of = self.book.of(exchange.service.key, &exchange.traits(), exchange.hash);
            of.bound.is_none()
        }
    }

    /// An OFFER of no address: none is taken from the pool, and the options say why.
    fn offer_nothing(&mut self, exchange: &Exchange<'_>, out: &mut Outbox) {
        let parameters_of = exchange.service.link.unwrap_or(exchange.service.server_id);
        let given = Given {
            message: Some(MessageType::Offer),
            //= https://www.rfc-editor.org/rfc/rfc8925#section-3.3
            //# The server SHOULD NOT assign an address from the pool.
            //= https://www.rfc-editor.org/rfc/rfc8925#section-3.3
            //# Instead, it SHOULD return 0.0.0.0 as the offered address.
            //= https://www.rfc-editor.org/rfc/rfc2563#section-2.3
            //# This offer MUST be for the address 0x00000000, and the Auto-Configure option MUST be
            //# set to "DoNotAutoConfigure".
            address: Ipv4Addr::UNSPECIFIED,
            parameters_of,
            lease_time: Some(exchange.lease_time()),
            broadcast: true,
            nonce: None,
            promised: false,
        };
        self.give(exchange, None, given, out);
    }

    /// Whether a client that has no lease yet is served at all.
    pub(super) fn may_begin(&self, exchange: &Exchange<'_>) -> Result<(), Silence> {
        let now = exchange.now.boottime;
        if exchange.terms.is_blocked() {
            return Err(Silence::Blocked);
        }
        if exchange.request.secs < exchange.server.delay_threshold {
            return Err(Silence::DelayThreshold);
        }
        if self.strikes.is_out(exchange.hash, now) {
            return Err(Silence::Declines);
        }
        Ok(())
    }

    /// The lease to offer: the client's own if it can still have it, else a new one.
    //= https://www.rfc-editor.org/rfc/rfc2131#section-4.3.1
    //# If an address is available, the new address
    //# SHOULD be chosen as follows:
    pub(super) fn find(
        &mut self,
        exchange: &Exchange<'_>,
        requested: Option<Ipv4Addr>,
        out: &mut Outbox,
    ) -> Result<LeaseId, Silence> {
        let of = self.book.of(exchange.service.key, &exchange.traits(), exchange.hash);
        //= https://www.rfc-editor.org/rfc/rfc2131#section-2.2
        //# attempts to return the same network address each time the client requests an address.
        let of = match [of.bound, of.pending] {
            [None, None] => of,
            live => {
                live.into_iter().flatten().for_each(|id| self.settle(exchange.now, id, out));
                self.book.of(exchange.service.key, &exchange.traits(), exchange.hash)
            }
        };
        let may_have =
            |engine: &Self, id: &LeaseId| engine.may_have(exchange, engine.book.get(*id).address);
        //= https://www.rfc-editor.org/rfc/rfc2131#section-4.3.1
        //# The client's current address as recorded in the client's current
        //# binding, ELSE
        if let Some(bound) = of.bound.filter(|id| may_have(self, id)) {
            if let Some(pending) = of.pending {
                self.give_up(pending);
            }
            return Ok(bound);
        }
        if let Some(pending) = of.pending {
            if may_have(self, &pending) {
                self.probes.again(pending, exchange);
                return Ok(pending);
            }
            self.give_up(pending);
        }
        if self.store.has_failed() {
            return Err(Silence::StoreFailed);
        }
        //= https://www.rfc-editor.org/rfc/rfc2131#section-4.3.1
        //# The client's previous address as recorded in the client's (now expired or released)
        //# binding, if that address is in the server's pool of available addresses and not already
        //# allocated, ELSE
        let last = of.ended.map(|id| self.book.get(id).address);
        self.choose(exchange, requested, last, out)
    }

    /// A new address for the client, held for it and probed if it has to be.
    fn choose(
        &mut self,
        exchange: &Exchange<'_>,
        requested: Option<Ipv4Addr>,
        last: Option<Ipv4Addr>,
        out: &mut Outbox,
    ) -> Result<LeaseId, Silence> {
        //= https://www.rfc-editor.org/rfc/rfc2131#section-2.2
        //# The server should use whatever information is available in the configuration information
        //# repository to choose an address to reuse.
        if let Some((row, address)) = self.fixed(exchange) {
            match self.choose_fixed(exchange, row, address, out) {
                // The one who holds it moves at his next renewal; until then any other will do.
                Err(Silence::Taken) if exchange.terms.pool.is_some() => {}
                chosen => return chosen,
            }
        }
        let pool = exchange.terms.pool.ok_or(Silence::StaticOnly)?;
        self.within_limits(exchange)?;
        let tag = leasehold_pool::OwnerTag::from_hash(exchange.hash);
        //= https://www.rfc-editor.org/rfc/rfc2131#section-4.3.1
        //# The address requested in the 'Requested IP Address' option, if that address is valid and
        //# not already allocated, ELSE
        let wish = Wish { owner: Some(tag), preferred: requested, last };
        let (grant, was_reclaimed) = self.acquire(exchange, pool, wish, out)?;
        let is_old_friend = last == Some(grant.claim.address());
        let id = self.hold(exchange, grant.claim, number(grant.pool));
        //= https://www.rfc-editor.org/rfc/rfc2131#section-2.2
        //# As a consistency check, the allocating server SHOULD probe the reused address before
        //# allocating the address
        if !is_old_friend {
            self.probe(exchange, id, out)?;
        }
        if was_reclaimed && self.book.get(id).state != State::Testing {
            self.give_up(id);
            return Err(Silence::Overload);
        }
        Ok(id)
    }

    /// An address of the client's pools; where they are empty, one that is offered to a source that
    /// holds many, or that another client on its port or an owner that is gone gives up. The
    /// second part says that its owner may be asleep.
    fn acquire(
        &mut self,
        exchange: &Exchange<'_>,
        pool: PoolId,
        wish: Wish,
        out: &mut Outbox,
    ) -> Result<(Grant, bool), Silence> {
        self.feel_pressure(exchange, pool);
        if let Ok(grant) = self.pools.acquire(pool, wish) {
            return Ok((grant, false));
        }
        if !self.make_room_among_offers(exchange, pool) {
            // A port may have a pool of its own: what the new client replaces is all there is.
            self.make_room_on_port(exchange, out);
        }
        if let Ok(grant) = self.pools.acquire(pool, wish) {
            return Ok((grant, false));
        }
        let was_reclaimed = self.reclaim(exchange, pool, out);
        let grant = self.pools.acquire(pool, wish).map_err(|_| Silence::PoolEmpty)?;
        Ok((grant, was_reclaimed))
    }

    /// The address of the client's static lease, whoever has it now.
    fn choose_fixed(
        &mut self,
        exchange: &Exchange<'_>,
        row: &FixedLease,
        address: Ipv4Addr,
        out: &mut Outbox,
    ) -> Result<LeaseId, Silence> {
        let place = exchange.place(address);
        if let Some(holder) = self.book.at(place) {
            self.settle(exchange.now, holder, out);
        }
        match self.pools.take_reserved(place.0, address) {
            Ok(claim) => Ok(self.hold(exchange, claim, NO_POOL)),
            Err(Refused::Quarantined) => Err(Silence::Conflict),
            Err(_) => match self.book.at(place) {
                Some(holder) if self.obeys(holder, row) => {
                    if self.book.get(holder).state != State::Bound {
                        self.give_up(holder);
                        return self.take(exchange, address).ok_or(Silence::Taken);
                    }
                    Ok(holder)
                }
                _ => Err(Silence::Taken),
            },
        }
    }

    /// Whether the client may hold as many leases as one more.
    pub(super) fn within_limits(&self, exchange: &Exchange<'_>) -> Result<(), Silence> {
        self.within_circuit_limit(exchange)?;
        let Some(limit) = exchange.server.client_mac_limit else { return Ok(()) };
        let held = self.mac_limits.count(exchange.service.key, exchange.hardware);
        let counts = !exchange.request.is_relayed();
        if counts && held >= limit { Err(Silence::MacLimit) } else { Ok(()) }
    }

    fn seconds_left(&self, exchange: &Exchange<'_>, id: LeaseId) -> u32 {
        seconds_until(exchange.now.boottime, self.book.get(id).deadline)
    }

    /// Sends an OFFER for a lease that is the client's or held for it.
    //= https://www.rfc-editor.org/rfc/rfc2131#section-3.1
    //# Each server may respond with a DHCPOFFER message that includes an available network address
    //# in the 'yiaddr' field
    fn offer(&mut self, exchange: &Exchange<'_>, id: LeaseId, out: &mut Outbox) {
        let now = exchange.now.boottime;
        let left = self.seconds_left(exchange, id);
        let failed = self.store.has_failed();
        self.book.set_offered(id);
        let lease = self.book.get_mut(id);
        lease.heard = now;
        lease.offers = lease.offers.saturating_add(1);
        // RouterOS: of four offers in a row the third and the fourth are broadcast, in case the
        // client cannot take unicasts and does not say so.
        let unheard = matches!(lease.offers, 3 | 4);
        let address = lease.address;
        if lease.state == State::Offered {
            self.hold_on(exchange, id);
        }
        let lease_time = if failed { left } else { self.lease_time(exchange, Some(id)) };
        let given = Given {
            message: Some(MessageType::Offer),
            address,
            parameters_of: address,
            lease_time: Some(lease_time),
            broadcast: unheard || exchange.wants_broadcast(),
            nonce: None,
            promised: false,
        };
        self.give(exchange, Some(id), given, out);
    }
}

/// Whether the client wants its ACK at once, and its server is willing (RFC 4039).
fn commits_rapidly(exchange: &Exchange<'_>) -> bool {
    //= https://www.rfc-editor.org/rfc/rfc4039#section-3
    //# A client and server only use this option when configured to do so.
    exchange.server.rapid_commit
        && exchange.request.options.get(code::RAPID_COMMIT).is_some_and(<[u8]>::is_empty)
}

/// Whether a client that gets no address is to be told that it must not give itself one
/// (RFC 2563). Where the reason may be over soon it is not.
//= https://www.rfc-editor.org/rfc/rfc2563#section-2.3
//# However, if no address is chosen for the host, a few additional steps MUST be taken.
//= https://www.rfc-editor.org/rfc/rfc2563#section-2.3
//# If the DHCPDISCOVER contains the Auto-Configure option, and the site administrator has
//# specified that Auto-Configuration should be disabled on the subnet the DHCPDISCOVER is
//# originating from, or for the client originating the request, then a DHCPOFFER MUST be sent to
//# the DHCP client.
fn forbids_auto_configuration(exchange: &Exchange<'_>, reason: Silence) -> bool {
    let stays = matches!(
        reason,
        Silence::Blocked | Silence::MacLimit | Silence::PoolEmpty | Silence::StaticOnly
    );
    stays && exchange.forbids_auto_configuration()
}
