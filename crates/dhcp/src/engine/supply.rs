//! What each pool has left, and how much of it may be held by offers and quarantines.
//!
//! A flood of DISCOVERs costs those who send it: where offers have to make room, the source that
//! holds the most of them goes first.

use core::time::Duration;
use std::collections::VecDeque;

use leasehold_pool::{PoolId, Pools, Usage};

use super::book::{Book, LeaseId};
use super::lease::{Lease, State};
use crate::config::Settings;
use crate::time::Boottime;

/// A pool of the present snapshot, small enough to stand in a lease; [`NO_POOL`] is none.
pub(super) type PoolNumber = u16;

/// The lease's address is in no pool, or it matters no more which one.
pub(super) const NO_POOL: PoolNumber = PoolNumber::MAX;

/// Where an offer's client is: behind a port of a relay, behind a relay, or on the server's own
/// links. A number below [`SOURCES`] that nobody can aim at, and that few others share.
pub(super) type Source = u16;

const SOURCES: u16 = 1024;

/// Offers that may be held however little is free.
const OFFERS_MIN: u64 = 16;

/// Offers that a source may hold while others find the pool empty.
const OFFERS_OF_SOURCE: u32 = 4;

/// Offers that are looked at to find one of the source that holds the most.
const LOOKED_AT: usize = 256;

/// For so long the pool's counts are believed, and within a millisecond always: what was claimed
/// since is known. Reading them costs a microsecond for a /16.
const FRESH: Duration = Duration::from_secs(1);

/// The pools of the present snapshot.
#[derive(Debug, Default)]
pub(super) struct Supply {
    pools: Vec<PoolSupply>,
    serial: u32,
}

#[derive(Debug)]
struct PoolSupply {
    id: PoolId,
    /// Offers in the order in which they were made; those that are over are skipped.
    offers: VecDeque<(LeaseId, u32)>,
    /// How many of `offers` are not over.
    offered: u64,
    /// The same by source; empty before the first.
    offered_to: Vec<u32>,
    /// Quarantined leases in the order in which they came; those that are over are skipped.
    quarantined: VecDeque<LeaseId>,
    usage: Usage,
    read_at: Option<Boottime>,
    /// Addresses that were claimed since the counts were read.
    claimed: u64,
}

impl Supply {
    /// Counts anew for another snapshot: numbers of pools may have changed.
    pub(super) fn adopt(&mut self, pools: &Pools, book: &mut Book) {
        self.pools = pools.pools().map(PoolSupply::new).collect();
        let mut pending: Vec<_> = (book.ids())
            .filter(|&id| {
                let state = book.get(id).state;
                matches!(state, State::Testing | State::Offered) || state.is_quarantined()
            })
            .map(|id| (book.get(id).since, id))
            .collect();
        pending.sort_unstable();
        for (_, id) in pending {
            let lease = book.get(id);
            let at = |pool: &PoolId| {
                pools.space_of(*pool) == lease.space && pools.contains(*pool, lease.address)
            };
            let pool = pools.pools().find(at);
            let (is_fixed, state) = (lease.pool == NO_POOL, lease.state);
            let number = pool.filter(|_| !is_fixed).map_or(NO_POOL, number);
            let source = book.source(lease.server, &lease.traits());
            let lease = book.get_mut(id);
            (lease.pool, lease.source) = (number, source);
            if state.is_quarantined() {
                self.quarantined(number, id);
            } else {
                let serial = self.offered(number, id, source);
                book.get_mut(id).serial = serial;
            }
        }
    }

    /// An address of the pool is held for a client; the lease keeps the serial number.
    pub(super) fn offered(&mut self, pool: PoolNumber, id: LeaseId, source: Source) -> u32 {
        self.serial = self.serial.wrapping_add(1);
        if let Some(pool) = self.pools.get_mut(usize::from(pool)) {
            pool.offers.push_back((id, self.serial));
            pool.offered += 1;
            pool.offered_to.resize(SOURCES.into(), 0);
            pool.offered_to[usize::from(source)] += 1;
        }
        self.serial
    }

    /// An address of the pool was claimed, whatever for.
    pub(super) fn claimed(&mut self, pool: PoolNumber) {
        if let Some(pool) = self.pools.get_mut(usize::from(pool)) {
            pool.claimed += 1;
        }
    }

    /// The lease is not held by an offer any more: bound, or given up.
    pub(super) fn unoffered(&mut self, lease: &Lease) {
        if let Some(pool) = self.pools.get_mut(usize::from(lease.pool)) {
            pool.offered = pool.offered.saturating_sub(1);
            if let Some(of_source) = pool.offered_to.get_mut(usize::from(lease.source)) {
                *of_source = of_source.saturating_sub(1);
            }
        }
    }

    /// The offer that has to make room, if the pool's offers hold too much already: at most ten
    /// percent of what is free, but always sixteen.
    pub(super) fn excess(
        &mut self,
        number: PoolNumber,
        now: Boottime,
        pools: &Pools,
        book: &Book,
    ) -> Option<LeaseId> {
        let pool = self.pools.get_mut(usize::from(number))?;
        pool.read(now, pools);
        pool.trim(number, book);
        let free = pool.available() + pool.offered;
        let is_excess = pool.offered > OFFERS_MIN.max(free / 10);
        is_excess.then(|| pool.take_of_most(number, book)).flatten()
    }

    /// The offer that makes room for a client of another source, which finds the pool empty: one of
    /// a source that holds many, and more than the client's own.
    pub(super) fn crowding(
        &mut self,
        number: PoolNumber,
        source: Source,
        book: &Book,
    ) -> Option<LeaseId> {
        let pool = self.pools.get_mut(usize::from(number))?;
        let own = pool.offered_to.get(usize::from(source)).copied()?;
        let is_crowded = pool.most() > OFFERS_OF_SOURCE.max(own + 1);
        is_crowded.then(|| pool.take_of_most(number, book)).flatten()
    }

    /// Milliseconds that an offer is held: less when the pool is nearly empty.
    pub(super) fn hold_ms(
        &mut self,
        number: PoolNumber,
        now: Boottime,
        pools: &Pools,
        settings: &Settings,
    ) -> u32 {
        let Some(pool) = self.pools.get_mut(usize::from(number)) else { return settings.offer_ms };
        pool.read(now, pools);
        if pool.is_scarce() { settings.offer_scarce_ms } else { settings.offer_ms }
    }

    /// Whether a pool and those that follow it are all nearly empty.
    pub(super) fn is_chain_scarce(&mut self, first: PoolId, now: Boottime, pools: &Pools) -> bool {
        pools.chain(first).all(|id| {
            let pool = self.pools.get_mut(usize::from(number(id)));
            pool.is_some_and(|pool| {
                pool.read(now, pools);
                pool.is_scarce()
            })
        })
    }

    /// An address of the pool is out of use; at most ten percent of a pool may be, but always one.
    /// What is returned has to come back into use.
    pub(super) fn quarantined(&mut self, pool: PoolNumber, id: LeaseId) {
        if let Some(pool) = self.pools.get_mut(usize::from(pool)) {
            pool.quarantined.push_back(id);
        }
    }

    /// The quarantine that has to end because too much of the pool is out of use.
    pub(super) fn excess_quarantine(
        &mut self,
        number: PoolNumber,
        pools: &Pools,
        book: &Book,
    ) -> Option<LeaseId> {
        let pool = self.pools.get_mut(usize::from(number))?;
        pool.quarantined.retain(|&id| {
            book.find(id).is_some_and(|it| it.pool == number && it.state.is_quarantined())
        });
        let most = (pools.usage(pool.id).total / 10).max(1);
        let excess = pool.quarantined.len() as u64 > most;
        if excess { pool.quarantined.pop_front() } else { None }
    }
}

impl PoolSupply {
    fn new(id: PoolId) -> Self {
        Self {
            id,
            offers: VecDeque::new(),
            offered: 0,
            offered_to: Vec::new(),
            quarantined: VecDeque::new(),
            usage: Usage::default(),
            read_at: None,
            claimed: 0,
        }
    }

    fn read(&mut self, now: Boottime, pools: &Pools) {
        let age = self.read_at.map_or(FRESH, |at| at.until(now));
        let is_far = self.claimed > self.usage.available / 16;
        if age >= FRESH || is_far && !age.is_zero() {
            self.usage = pools.usage(self.id);
            self.read_at = Some(now);
            self.claimed = 0;
        }
    }

    /// More than nine tenths of it are taken.
    fn is_scarce(&self) -> bool {
        self.available() * 10 < self.usage.total
    }

    fn available(&self) -> u64 {
        self.usage.available.saturating_sub(self.claimed)
    }

    /// Offers of the source that holds the most.
    fn most(&self) -> u32 {
        // `max` takes them one after the other, this several at once.
        self.offered_to.iter().fold(0, |most, &count| if count > most { count } else { most })
    }

    /// The oldest offer of the source that holds the most, which is to be given up.
    fn take_of_most(&mut self, number: PoolNumber, book: &Book) -> Option<LeaseId> {
        let stands = |&(id, serial): &(LeaseId, u32)| is_offer(book, id, serial, number);
        while self.offers.front().is_some_and(|offer| !stands(offer)) {
            self.offers.pop_front();
        }
        let most = self.most();
        let of_most = |&(id, _): &(LeaseId, u32)| {
            self.offered_to.get(usize::from(book.get(id).source)) == Some(&most)
        };
        let mut oldest = self.offers.iter().take(LOOKED_AT);
        let at = oldest.position(|offer| stands(offer) && of_most(offer)).unwrap_or_default();
        self.offers.remove(at).map(|(id, _)| id)
    }

    /// Keeps offers that are over from piling up behind one that is renewed again and again.
    fn trim(&mut self, number: PoolNumber, book: &Book) {
        if self.offers.len() as u64 > 2 * self.offered + 64 {
            self.offers.retain(|&(id, serial)| is_offer(book, id, serial, number));
        }
    }
}

/// The number of a pool; there are never as many as would not fit.
pub(super) fn number(pool: PoolId) -> PoolNumber {
    PoolNumber::try_from(pool.index()).unwrap_or(NO_POOL)
}

/// The source that a hash stands for.
pub(super) fn source(hash: u64) -> Source {
    // Less than SOURCES, so that it fits.
    (hash % u64::from(SOURCES)) as Source
}

fn is_offer(book: &Book, id: LeaseId, serial: u32, pool: PoolNumber) -> bool {
    book.find(id).is_some_and(|lease| {
        matches!(lease.state, State::Testing | State::Offered)
            && (lease.serial, lease.pool) == (serial, pool)
    })
}
