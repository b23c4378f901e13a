//! How a lease begins, goes on and ends: book, pools, records and events move together here.

use core::net::Ipv4Addr;
use core::time::Duration;
use std::sync::Arc;

use leasehold_pool::{Claim, OwnerTag, PoolId, Pools, SpaceId};

use super::Engine;
use super::book::{LeaseId, NEVER, Place};
use super::exchange::Exchange;
use super::lease::{Client, Hold, Lease, Next, State, Step};
use super::supply::{NO_POOL, PoolNumber, number};
use crate::event::{Ended, Event, Lease as Told};
use crate::link::Mac;
use crate::outbox::Outbox;
use crate::record::bytes::ChangeRef;
use crate::time::{Boottime, Now};

/// A quarantine doubles with each conflict of its address, up to this.
const QUARANTINE_MAX: u32 = 86_400;

/// Leases whose time is over that are seen to in one turn: a million at once must not stop the
/// packets.
const DUE_AT_ONCE: usize = 256;

impl Engine {
    /// Ends what is due; what is left over is due at once again.
    pub(super) fn expire(&mut self, now: Now, out: &mut Outbox) {
        for _ in 0..DUE_AT_ONCE {
            let Some(id) = self.book.due(now.boottime) else { return };
            self.end_of_time(now, id, out);
        }
    }

    /// Ends the lease's state if its time is over.
    pub(super) fn settle(&mut self, now: Now, id: LeaseId, out: &mut Outbox) {
        let is_over = |lease: &Lease| {
            // A probe's end answers its client, which is not for the middle of another's turn.
            lease.is_due(now.boottime) && lease.state != State::Testing
        };
        if self.book.find(id).is_some_and(is_over) {
            self.end_of_time(now, id, out);
        }
    }

    fn end_of_time(&mut self, now: Now, id: LeaseId, out: &mut Outbox) {
        match self.book.get(id).state {
            State::Testing => self.probe_unanswered(now, id, out),
            State::Offered => {
                //= https://www.rfc-editor.org/rfc/rfc2131#section-3.1
                //# The server SHOULD mark an address offered to a client in a DHCPOFFER message as
                //# available if the server receives no DHCPREQUEST message from that client.
                self.tell(out, |engine| Event::OfferedWithoutSuccess(engine.told(id)));
                self.give_up(id);
            }
            State::Bound => self.end(now, id, Ended::Expired, out),
            State::Declined | State::Conflict => self.pardon(id),
            State::Ended => self.book.set_deadline(id, NEVER),
        }
    }

    /// A new lease that is held for its client, not bound yet.
    pub(super) fn hold(
        &mut self,
        exchange: &Exchange<'_>,
        claim: Claim,
        pool: PoolNumber,
    ) -> LeaseId {
        let now = exchange.now.boottime;
        self.supply.claimed(pool);
        self.scratch.write_client(exchange, None, None);
        let settings = &exchange.config.settings;
        //= https://www.rfc-editor.org/rfc/rfc2131#section-4.3.1
        //# the server SHOULD NOT reuse the selected network address before the client responds to
        //# the server's DHCPOFFER message.
        //= https://www.rfc-editor.org/rfc/rfc2131#section-4.3.2
        //# servers SHOULD NOT reuse offered addresses and may use an implementation-specific
        //# timeout mechanism to decide when to reuse an offered address.
        let hold_ms = self.supply.hold_ms(pool, now, &self.pools, settings);
        let deadline = now.after(Duration::from_millis(hold_ms.into()));
        let source = self.book.source(exchange.service.key, &exchange.traits());
        let id = self.book.insert(Lease {
            space: claim.space(),
            server: exchange.service.key,
            address: claim.address(),
            state: State::Offered,
            kind: exchange.kind,
            offers: 0,
            pool,
            serial: 0,
            source,
            checking: false,
            //= https://www.rfc-editor.org/rfc/rfc2131#section-1.6
            //# Guarantee that any specific network address will not be in use by more than one DHCP
            //# client at a time
            hold: Hold::Claimed(claim),
            deadline,
            since: now,
            heard: now,
            displaced: None,
            client: Client::read(&self.scratch.client),
        });
        let serial = self.supply.offered(pool, id, source);
        self.book.get_mut(id).serial = serial;
        self.mac_limits.held(self.book.get(id));
        if let Some(oldest) = self.supply.excess(pool, now, &self.pools, &self.book) {
            self.give_up(oldest);
        }
        id
    }

    /// An offer is held as long as a new one.
    pub(super) fn hold_on(&mut self, exchange: &Exchange<'_>, id: LeaseId) {
        let now = exchange.now.boottime;
        let pool = self.book.get(id).pool;
        let settings = &exchange.config.settings;
        let hold_ms = self.supply.hold_ms(pool, now, &self.pools, settings);
        self.book.set_deadline(id, now.after(Duration::from_millis(hold_ms.into())));
    }

    /// A lease that was never bound comes to nothing. Its address is remembered for its client, or
    /// for the one that it was remembered for before.
    pub(super) fn give_up(&mut self, id: LeaseId) {
        debug_assert_eq!(self.book.get(id).state.after(Step::GiveUp), Next::Gone);
        self.probes.forget(id);
        let displaced = self.book.get(id).displaced;
        let tag = self.tag(displaced.unwrap_or(id));
        let lease = self.book.remove(id);
        self.supply.unoffered(&lease);
        self.mac_limits.let_go(&lease);
        self.let_go(lease.hold, Some(tag));
    }

    /// A bound lease ends: the address is free, and remembered for its client.
    pub(super) fn end(&mut self, now: Now, id: LeaseId, how: Ended, out: &mut Outbox) {
        let ended = self.book.get(id).state.next(Step::End);
        self.tell(out, |engine| Event::Deassigned(engine.told(id), how));
        let change = match how {
            Ended::Expired => ChangeRef::Expired,
            Ended::Released => ChangeRef::Released,
            Ended::Removed
            | Ended::Moved
            | Ended::Replaced
            | Ended::Reclaimed
            | Ended::Restarted
            | Ended::Declined => ChangeRef::Removed,
        };
        self.record(now, id, change, out);
        let lease = self.book.get(id);
        self.reconfigures.forget((lease.space, lease.address));
        self.mac_limits.let_go(lease);
        //= https://www.rfc-editor.org/rfc/rfc2131#section-4.3.4
        //# The server SHOULD retain a record of the client's initialization parameters for possible
        //# reuse in response to subsequent requests from the client.
        let tag = self.tag(id);
        let lease = self.book.get_mut(id);
        lease.offers = 0;
        let hold = core::mem::take(&mut lease.hold);
        self.book.set_state(id, ended, now.boottime, NEVER);
        self.let_go(hold, Some(tag));
    }

    /// Nobody gets the address for a while: somebody else was found on it.
    pub(super) fn quarantine(&mut self, now: Now, id: LeaseId, found: Found, out: &mut Outbox) {
        let lease = self.book.get(id);
        let place = (lease.space, lease.address);
        let seconds = self.strikes.next_quarantine(place, self.config.settings.quarantine);
        let was_bound = lease.state == State::Bound;
        let (state, by) = match found {
            Found::ByClient => (lease.state.next(Step::Decline), None),
            Found::ByProbe(mac) => (lease.state.next(Step::FindConflict), mac),
        };
        if was_bound {
            self.tell(out, |engine| Event::Deassigned(engine.told(id), Ended::Declined));
        }
        let declined = state == State::Declined;
        self.record(now, id, ChangeRef::Quarantined { seconds, by, declined }, out);
        self.mac_limits.let_go(self.book.get(id));
        if !was_bound {
            self.supply.unoffered(self.book.get(id));
        }
        self.book.forget_displaced(id);
        let hold = match core::mem::take(&mut self.book.get_mut(id).hold) {
            Hold::Claimed(claim) => Hold::Quarantined(self.pools.quarantine(claim)),
            other => other,
        };
        let until = now.boottime.after(Duration::from_secs(seconds.into()));
        self.book.set_state(id, state, now.boottime, until);
        let lease = self.book.get_mut(id);
        lease.hold = hold;
        if let Found::ByProbe(mac) = found {
            lease.client = Client::station(mac);
        }
        let pool = self.pool_holding(place);
        self.book.get_mut(id).pool = pool;
        self.supply.quarantined(pool, id);
        if let Some(oldest) = self.supply.excess_quarantine(pool, &self.pools, &self.book) {
            self.pardon(oldest);
        }
    }

    /// The address comes back into use. No record says so: the quarantine's own has its end.
    pub(super) fn pardon(&mut self, id: LeaseId) {
        debug_assert_eq!(self.book.get(id).state.after(Step::Pardon), Next::Gone);
        let lease = self.book.remove(id);
        self.let_go(lease.hold, None);
    }

    /// The pool that an address is in; none if it is reserved.
    fn pool_holding(&self, (space, address): Place) -> PoolNumber {
        let pools = &self.pools;
        let holds = |&pool: &PoolId| pools.space_of(pool) == space && pools.contains(pool, address);
        let found = self.pools.pools().find(holds);
        found.filter(|_| !pools.is_reserved(space, address)).map_or(NO_POOL, number)
    }

    /// Gives an address back to the pools.
    fn let_go(&mut self, hold: Hold, owner: Option<OwnerTag>) {
        match hold {
            Hold::None => {}
            Hold::Claimed(claim) => self.pools.release(claim, owner),
            Hold::Quarantined(quarantined) => self.pools.pardon(quarantined, owner),
        }
    }

    /// Who the lease's address is remembered for.
    pub(super) fn tag(&self, id: LeaseId) -> OwnerTag {
        let lease = self.book.get(id);
        let identity = lease.traits().identity();
        OwnerTag::from_hash(self.book.hash(lease.server, &identity))
    }

    /// Records a change of a lease as it still is in the book.
    pub(super) fn record(
        &mut self,
        now: Now,
        id: LeaseId,
        change: ChangeRef<'_>,
        out: &mut Outbox,
    ) {
        let lease = self.book.get(id);
        let durable = (lease.state == State::Bound).then_some(lease.deadline);
        let place = (lease.space, lease.address);
        if self.store.has_failed() {
            self.store.changed(place);
            return;
        }
        let space = space_name(&self.pools, place.0);
        out.record((place.0, space), place.1, self.clock.stamp(now), change, durable);
    }

    /// What an event says of a lease.
    pub(super) fn told(&self, id: LeaseId) -> Told {
        let lease = self.book.get(id);
        Told {
            server: Arc::clone(self.services.name(lease.server)),
            address: lease.address,
            client: lease.client.hardware(),
            host_name: lease.client.host_name().into(),
        }
    }

    /// Takes an address for a client that named it.
    pub(super) fn take(&mut self, exchange: &Exchange<'_>, address: Ipv4Addr) -> Option<LeaseId> {
        let (space, address) = exchange.place(address);
        let is_fixed = exchange.terms.fixed_address() == Some(address);
        let claim = match is_fixed {
            true => self.pools.take_reserved(space, address),
            false => self.pools.take(space, address),
        };
        let claim = claim.ok()?;
        Some(self.hold(exchange, claim, NO_POOL))
    }
}

/// How it came out that somebody else is on an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// Its client declined it.
    ByClient,
    /// A probe was answered, by this station if the answer was ARP.
    ByProbe(Option<Mac>),
}

/// The name of an address space in records, where `main` is the empty string.
pub(super) fn space_name(pools: &Pools, space: SpaceId) -> &str {
    match space {
        SpaceId::MAIN => "",
        space => pools.space_name(space).unwrap_or_default(),
    }
}

/// The moment that is `seconds` from `now`; `u32::MAX` seconds are for ever.
pub(super) fn after_seconds(now: Boottime, seconds: u32) -> Boottime {
    match seconds {
        //= https://www.rfc-editor.org/rfc/rfc2131#section-3.3
        //# The time value of 0xffffffff is reserved to represent "infinity".
        u32::MAX => NEVER,
        seconds => now.after(Duration::from_secs(seconds.into())),
    }
}

/// Whole seconds until a deadline; `u32::MAX` is for ever.
pub(super) fn seconds_until(now: Boottime, deadline: Boottime) -> u32 {
    if deadline == NEVER {
        return u32::MAX;
    }
    u32::try_from(now.until(deadline).as_secs()).unwrap_or(u32::MAX - 1)
}

/// Seconds until a deadline, none of them lost: what a record has to hold.
pub(super) fn seconds_covering(now: Boottime, deadline: Boottime) -> u32 {
    if deadline == NEVER {
        return u32::MAX;
    }
    let seconds = now.until(deadline).as_millis().div_ceil(1000);
    u32::try_from(seconds).unwrap_or(u32::MAX - 1)
}

/// The quarantine after `before` conflicts of the same address.
pub(super) fn quarantine_seconds(first: u32, before: u8) -> u32 {
    first.saturating_mul(1 << before.min(16)).min(QUARANTINE_MAX.max(first))
}
