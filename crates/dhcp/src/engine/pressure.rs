//! Under pressure: while a pool is nearly empty, new leases are shorter, and addresses whose
//! owners do not answer are reclaimed. Both are off unless the server says otherwise.
//!
//! **Invariant:** a lease is ended for another client only after its owner has been silent to
//! [`SILENCES`] probes in a row on a link where others answer, and only when nothing else is left.
//! Its end is recorded before the address is offered, and the offer is probed. An owner that comes
//! back has its lease for as long as the address is nobody else's.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use leasehold_pool::PoolId;

use super::Engine;
use super::book::{LeaseId, NEVER, Place};
use super::exchange::Exchange;
use super::lease::{Lease, ServerKey, State};
use crate::config::ServerIndex;
use crate::event::Ended;
use crate::input::ProbeAnswer;
use crate::link::IfIndex;
use crate::outbox::{Outbox, Probe};
use crate::time::{Boottime, Now};

/// Probes in a row that an owner has to leave unanswered.
const SILENCES: u8 = 3;

/// Time between two probes of one owner.
const ROUND: Duration = Duration::from_secs(10);

/// An owner that was heard since is not probed, nor is one that answered since.
const PRESENT: Duration = Duration::from_secs(600);

/// Owners that are probed at a time.
const WATCHED_MAX: usize = 256;

/// Leases that a round looks at: a million must not stop the packets.
const LOOKED_AT: usize = 4096;

/// Owners that may be gone.
#[derive(Debug, Default)]
pub(super) struct Pressure {
    /// When the next round is due, while a pool is nearly empty.
    due: Option<Boottime>,
    /// How far the search for them has come.
    reached: Option<Place>,
    watched: BTreeMap<LeaseId, Watch>,
    /// Leases whose owners answered, and until when they are believed to be there.
    present: BTreeMap<LeaseId, Boottime>,
    /// Where somebody answered a probe since the start: elsewhere silence proves nothing.
    speaking: BTreeSet<IfIndex>,
}

/// A lease whose owner is being probed.
#[derive(Clone, Copy, Debug)]
struct Watch {
    place: Place,
    interface: IfIndex,
    /// When its client was heard last: if that changes it is there.
    heard: Boottime,
    /// Probes in a row that were not answered.
    silences: u8,
    /// Whether a probe is out.
    asked: bool,
}

/// A server whose pools are nearly empty, and that may reclaim.
type Scarce = (ServerKey, IfIndex, PoolId);

impl Pressure {
    /// Another configuration or other interfaces: what was seen until now may mean something else.
    pub(super) fn forget(&mut self) {
        *self = Self { speaking: core::mem::take(&mut self.speaking), ..Self::default() };
    }

    /// When the next round is due.
    pub(super) fn deadline(&self) -> Option<Boottime> {
        self.due
    }
}

impl Engine {
    /// Seconds that a client is granted, which holds the lease already or gets it now. While its
    /// pool is nearly empty that is no longer than `pressure-lease-time`, or than it has had the
    /// address already: who stays is not made to renew all the time, who passes by is soon gone.
    pub(super) fn lease_time(&mut self, exchange: &Exchange<'_>, held: Option<LeaseId>) -> u32 {
        let time = exchange.lease_time();
        let Some(limit) = exchange.server.pressure_lease_time else { return time };
        let now = exchange.now.boottime;
        let is_from_pool = exchange.terms.fixed_address().is_none();
        let pool = exchange.terms.pool.filter(|_| is_from_pool);
        if !pool.is_some_and(|pool| self.supply.is_chain_scarce(pool, now, &self.pools)) {
            return time;
        }
        let bound = held.map(|id| self.book.get(id)).filter(|lease| lease.state == State::Bound);
        let had = bound.map_or(0, |lease| lease.since.until(now).as_secs());
        time.min(limit.max(u32::try_from(had).unwrap_or(u32::MAX)))
    }

    /// A client wants an address of a pool: if it is nearly empty, owners are looked for.
    pub(super) fn feel_pressure(&mut self, exchange: &Exchange<'_>, pool: PoolId) {
        let now = exchange.now.boottime;
        if exchange.server.reclaims()
            && self.pressure.due.is_none()
            && self.supply.is_chain_scarce(pool, now, &self.pools)
        {
            self.pressure.due = Some(now);
        }
    }

    /// Ends the lease of the owner that was heard longest ago, of those that are silent; whether
    /// there was one.
    pub(super) fn reclaim(
        &mut self,
        exchange: &Exchange<'_>,
        pool: PoolId,
        out: &mut Outbox,
    ) -> bool {
        let ingress = exchange.service.ingress;
        if !exchange.server.reclaims() || self.probes.is_suspended(ingress, exchange.now.boottime) {
            return false;
        }
        let space = exchange.service.space;
        let is_gone = |&(id, watch): &(&LeaseId, &Watch)| {
            watch.silences >= SILENCES
                && self.pressure.speaking.contains(&watch.interface)
                && watch.place.0 == space
                && self.pools.chain(pool).any(|it| self.pools.contains(it, watch.place.1))
                && self.is_still(*id, watch)
        };
        let gone = self.pressure.watched.iter().filter(is_gone);
        let Some(id) = gone.min_by_key(|(_, watch)| watch.heard).map(|(id, _)| *id) else {
            return false;
        };
        self.pressure.watched.remove(&id);
        self.end(exchange.now, id, Ended::Reclaimed, out);
        true
    }

    /// Probes owners that were not heard for long, if it is time for it.
    pub(super) fn probe_owners(&mut self, now: Now, out: &mut Outbox) {
        if self.pressure.due.is_none_or(|due| due > now.boottime) {
            return;
        }
        let scarce = self.scarce(now.boottime);
        if scarce.is_empty() {
            return self.pressure.forget();
        }
        let mut watched = core::mem::take(&mut self.pressure.watched);
        watched.retain(|id, watch| self.is_still(*id, watch));
        for watch in watched.values_mut().filter(|watch| watch.asked) {
            watch.silences = watch.silences.saturating_add(1);
            watch.asked = false;
        }
        self.pressure.present.retain(|_, until| *until > now.boottime);
        self.look_for_owners(now.boottime, &scarce, &mut watched);
        let per_second = self.config.settings.probes_per_second;
        for watch in watched.values_mut().filter(|watch| watch.silences < SILENCES) {
            let interface = watch.interface;
            let is_up = self.interfaces.get(interface).is_some_and(|it| it.running);
            if is_up && self.probes.may_ask(interface, now.boottime, per_second) {
                watch.asked = true;
                out.probe(Probe::Arp { interface, target: watch.place.1 });
            }
        }
        self.pressure.watched = watched;
        self.pressure.due = Some(now.boottime.after(ROUND));
    }

    /// Somebody answered for an address: whoever owns it is there.
    pub(super) fn owner_answered(&mut self, now: Boottime, answer: ProbeAnswer) {
        if answer.mac.is_some() {
            self.pressure.speaking.insert(answer.interface);
        }
        let is_it =
            |watch: &Watch| (watch.interface, watch.place.1) == (answer.interface, answer.address);
        let present = &mut self.pressure.present;
        self.pressure.watched.retain(|id, watch| {
            let answers = is_it(watch);
            if answers {
                present.insert(*id, now.after(PRESENT));
            }
            !answers
        });
    }

    /// Servers that may reclaim and whose pools are nearly empty.
    fn scarce(&mut self, now: Boottime) -> Vec<Scarce> {
        let config = &self.config;
        let (services, supply, pools) = (&self.services, &mut self.supply, &self.pools);
        let may = config.servers.iter().zip(0..).filter(|(server, _)| server.reclaims());
        may.filter_map(|(server, at)| {
            let index = ServerIndex(at);
            let pool = services.pool_of(server.address_pool)?;
            let scarce = supply.is_chain_scarce(pool, now, pools);
            let interface = services.direct_interface(index).filter(|_| scarce)?;
            Some((services.key_of(index)?, interface, pool))
        })
        .collect()
    }

    /// Goes on through the leases, and watches those whose owners may be gone.
    fn look_for_owners(
        &mut self,
        now: Boottime,
        scarce: &[Scarce],
        watched: &mut BTreeMap<LeaseId, Watch>,
    ) {
        let mut looked_at = 0;
        let mut last = None;
        for id in self.book.from(self.pressure.reached).take(LOOKED_AT) {
            if watched.len() >= WATCHED_MAX {
                break;
            }
            let lease = self.book.get(id);
            looked_at += 1;
            last = Some((lease.space, lease.address));
            let server = scarce.iter().find(|(key, ..)| *key == lease.server);
            let Some(&(_, interface, pool)) = server else { continue };
            if self.may_be_gone(id, lease, pool, now) {
                let place = (lease.space, lease.address);
                let watch =
                    Watch { place, interface, heard: lease.heard, silences: 0, asked: false };
                watched.entry(id).or_insert(watch);
            }
        }
        self.pressure.reached = last.filter(|_| looked_at == LOOKED_AT);
    }

    /// Whether a lease of a client on the server's own link, that only the pool gives, has an
    /// owner of whom nothing was heard for long.
    fn may_be_gone(&self, id: LeaseId, lease: &Lease, pool: PoolId, now: Boottime) -> bool {
        let heard = lease.heard.max(lease.since);
        lease.state == State::Bound
            && lease.deadline != NEVER
            && lease.client.giaddr().is_unspecified()
            && heard.until(now) >= PRESENT
            && !self.pressure.present.contains_key(&id)
            && self.config.leases.at(lease.address).next().is_none()
            && self.pools.chain(pool).any(|it| self.pools.contains(it, lease.address))
    }

    /// Whether the lease is still what it was when it began to be watched.
    fn is_still(&self, id: LeaseId, watch: &Watch) -> bool {
        self.book.find(id).is_some_and(|lease| {
            lease.state == State::Bound
                && (lease.space, lease.address) == watch.place
                && lease.heard == watch.heard
        })
    }
}
