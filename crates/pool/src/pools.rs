//! A snapshot of all pools: what callers use.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::net::Ipv4Addr;

use crate::check::Checked;
use crate::home::Home;
use crate::mutant::{Mutant, planted};
use crate::plan::{Plan, PlanError, Range, SpacePlan};
use crate::pool::{Found, Pool, WatchSum};
use crate::run::Map;
use crate::site::Site;
use crate::space::Space;
use crate::sync::{AtomicU64, Ordering};
use crate::token::{
    AddressState, Claim, Exhausted, Grant, OwnerTag, PoolId, Quarantined, Refused, SpaceId, Usage,
    Wish,
};

/// A snapshot of the pools over the bits of a universe of addresses.
///
/// All snapshots that come from one [`Pools::new`] by [`reconfigure`](Self::reconfigure) share the
/// bits: an address that is claimed through one of them is claimed in all. Clones are cheap, and
/// every call may be made from any thread at any time.
///
/// A claim is given back to the snapshot that granted it or to a later one.
#[derive(Clone)]
pub struct Pools(Arc<Snapshot>);

struct Snapshot {
    pools: Box<[Pool]>,
    /// The pools' ids in the order of their names.
    by_name: Box<[u32]>,
    space_plans: Box<[SpacePlan]>,
    spaces: Box<[Space]>,
    generation: u64,
    /// The generation of the newest snapshot of this universe.
    newest: Arc<AtomicU64>,
}

impl Pools {
    /// The first snapshot of a new universe, in which every address is fresh.
    ///
    /// # Errors
    ///
    /// The first rule that the plan breaks.
    pub fn new(plan: &Plan) -> Result<Self, PlanError> {
        let checked = Checked::new(plan)?;
        Ok(Self::with_spaces(plan, &checked, &[], 0, Arc::new(AtomicU64::new(0))))
    }

    /// The next snapshot of this universe. Its claims, tags and quarantines stay as they are.
    ///
    /// An address that the plan reserves is reserved from now on in every snapshot, or from its
    /// release if it is claimed. A vacant address that it does not reserve any more is free.
    ///
    /// # Errors
    ///
    /// The first rule that the plan breaks; nothing has changed then. Snapshots follow each other
    /// in one line, so that two of them cannot make the same address twice: this one can be
    /// reconfigured once.
    pub fn reconfigure(&self, plan: &Plan) -> Result<Self, PlanError> {
        let checked = Checked::new(plan)?;
        let old = &*self.0;
        for (number, space) in old.space_plans.iter().enumerate() {
            if plan.spaces.get(number) != Some(space) {
                return Err(PlanError::OtherSpaces { space: space.name.clone() });
            }
        }
        let generation = old.generation + 1;
        old.newest
            .compare_exchange(old.generation, generation, Ordering::AcqRel, Ordering::Acquire)
            .map_err(|_| PlanError::Superseded)?;
        Ok(Self::with_spaces(plan, &checked, &old.spaces, generation, old.newest.clone()))
    }

    /// An empty plan that knows the spaces of this universe: for
    /// [`reconfigure`](Self::reconfigure).
    pub fn plan(&self) -> Plan {
        Plan::with_spaces(self.0.space_plans.to_vec())
    }

    /// The pool of that name.
    pub fn pool(&self, name: &str) -> Option<PoolId> {
        let by_name = &self.0.by_name;
        let found = by_name.binary_search_by_key(&name, |&id| &*self.0.pools[id as usize].name);
        found.ok().map(|index| PoolId(by_name[index]))
    }

    /// The space of that name.
    pub fn space(&self, name: &str) -> Option<SpaceId> {
        let index = self.0.space_plans.iter().position(|space| &*space.name == name)?;
        Some(SpaceId(index as u16))
    }

    /// All pools, in the order of the plan.
    pub fn pools(&self) -> impl ExactSizeIterator<Item = PoolId> + use<> {
        (0..self.0.pools.len() as u32).map(PoolId)
    }

    /// The pool's name.
    pub fn name(&self, pool: PoolId) -> &str {
        &self.at(pool).name
    }

    /// The pool's space.
    pub fn space_of(&self, pool: PoolId) -> SpaceId {
        self.at(pool).space
    }

    /// The space's name.
    pub fn space_name(&self, space: SpaceId) -> Option<&str> {
        self.0.space_plans.get(usize::from(space.0)).map(|space| &*space.name)
    }

    /// The pool's ranges, as the plan lists them.
    pub fn ranges(&self, pool: PoolId) -> &[Range] {
        &self.at(pool).ranges
    }

    /// Whether one of the pool's own ranges holds the address.
    pub fn contains(&self, pool: PoolId, address: Ipv4Addr) -> bool {
        self.at(pool).contains(address.to_bits())
    }

    /// The pool, its next pool and so on, each once, even if the next pools go round.
    #[inline]
    pub fn chain(&self, pool: PoolId) -> impl Iterator<Item = PoolId> + '_ {
        let mut at = Some(pool.0);
        let next = move || {
            let id = at?;
            at = self.0.pools[id as usize].next;
            Some(PoolId(id))
        };
        core::iter::from_fn(next).take(self.at(pool).chain as usize)
    }

    /// How many addresses of the pool are what. Reads the pool's bits: a microsecond for a /16.
    pub fn usage(&self, pool: PoolId) -> Usage {
        let pool = self.at(pool);
        pool.usage(&self.0.spaces[usize::from(pool.space.0)])
    }

    /// Claims an address of the pool or of its next pools. In this order:
    ///
    /// 1. `wish.preferred`, if it is free;
    /// 2. `wish.last`, if it is free and remembered for `wish.owner`;
    /// 3. pool by pool along the chain: the highest fresh address, then the highest remembered one.
    ///
    /// Without other threads the order is exact. With them, an address that is released during the
    /// call may be passed over.
    ///
    /// # Errors
    ///
    /// [`Exhausted`] if at one moment during the call no address of the chain was free. This is
    /// exact, whatever other threads do.
    #[inline]
    pub fn acquire(&self, pool: PoolId, wish: Wish) -> Result<Grant, Exhausted> {
        let bits = |address: Option<Ipv4Addr>| address.map(Ipv4Addr::to_bits);
        let found = match (bits(wish.preferred), wish.owner, bits(wish.last)) {
            (None, None, _) | (None, _, None) => self.take_best(pool),
            (preferred, owner, last) => self.take_wished(pool, preferred, owner, last),
        };
        found.map(|(pool, address)| Grant { claim: Claim::new(self.at(pool).space, address), pool })
    }

    /// Claims a fresh address near the caller's home, so that threads that have homes of their own
    /// take from one pool without meeting. There is no order then. When the caller's home and the
    /// few that it was moved to have no fresh address, it is [`acquire`](Self::acquire) without
    /// a wish: with its order, and its pace.
    ///
    /// # Errors
    ///
    /// As `acquire`, and as exact.
    #[inline]
    pub fn acquire_near(&self, pool: PoolId, home: &mut Home) -> Result<Grant, Exhausted> {
        let found = match self.at(pool).take_near(home, self.space_at(pool)) {
            Some(address) => Ok((pool, address)),
            None if planted(Mutant::HomeIsAll) => Err(Exhausted),
            None => self.take_best(pool),
        };
        found.map(|(pool, address)| Grant { claim: Claim::new(self.at(pool).space, address), pool })
    }

    /// Claims a given address, free or remembered for anybody.
    ///
    /// # Errors
    ///
    /// Why it cannot be had.
    pub fn take(&self, space: SpaceId, address: Ipv4Addr) -> Result<Claim, Refused> {
        let site = self.covered_site(space, address)?;
        if site.take_free() {
            return Ok(Claim::new(space, address.to_bits()));
        }
        Err(if site.is_reserved() { Refused::Reserved } else { held(&site) })
    }

    /// Claims a given address that the plan reserves: for the one that it is reserved for.
    ///
    /// # Errors
    ///
    /// Why it cannot be had.
    pub fn take_reserved(&self, space: SpaceId, address: Ipv4Addr) -> Result<Claim, Refused> {
        let site = self.covered_site(space, address)?;
        if site.take_vacant() {
            return Ok(Claim::new(space, address.to_bits()));
        }
        Err(if site.is_reserved() { held(&site) } else { Refused::NotReserved })
    }

    /// Gives an address back. With a tag it is remembered for that owner, and given to others last.
    ///
    /// # Panics
    ///
    /// If the claim was granted by a later snapshot or by another universe.
    #[inline]
    pub fn release(&self, claim: Claim, owner: Option<OwnerTag>) {
        self.lay_down(claim, owner.map_or(0, OwnerTag::number));
    }

    /// Remembers a free address for an owner: at a restart, for each lease that has ended.
    ///
    /// # Errors
    ///
    /// Why it cannot be remembered: it is not covered, or somebody holds it.
    pub fn remember(
        &self,
        space: SpaceId,
        address: Ipv4Addr,
        owner: OwnerTag,
    ) -> Result<(), Refused> {
        let site = self.covered_site(space, address)?;
        if !site.take_free() && !site.take_vacant() {
            return Err(held(&site));
        }
        site.write_tag(owner.number());
        site.lay_down(owner.number());
        Ok(())
    }

    /// Puts a claimed address into quarantine: it stays claimed, and is counted apart.
    ///
    /// # Panics
    ///
    /// As [`release`](Self::release).
    pub fn quarantine(&self, claim: Claim) -> Quarantined {
        self.site_of(&claim).mark_quarantined();
        Quarantined::new(claim)
    }

    /// Ends a quarantine: gives the address back as [`release`](Self::release) does.
    ///
    /// # Panics
    ///
    /// As [`release`](Self::release).
    pub fn pardon(&self, quarantined: Quarantined, owner: Option<OwnerTag>) {
        let claim = quarantined.into_claim();
        self.site_of(&claim).unmark_quarantined();
        self.release(claim, owner);
    }

    /// What is known of an address now.
    pub fn state(&self, space: SpaceId, address: Ipv4Addr) -> AddressState {
        let Ok(site) = self.covered_site(space, address) else {
            return AddressState::NotCovered;
        };
        match OwnerTag::new(site.tag()) {
            _ if site.is_in(Map::Fresh) => AddressState::Fresh,
            Some(owner) if site.is_in(Map::Remembered) => AddressState::Remembered(owner),
            _ if site.is_vacant() => AddressState::Vacant,
            _ if site.is_quarantined() => AddressState::Quarantined,
            _ => AddressState::Claimed,
        }
    }

    /// Whether this snapshot's plan reserves the address.
    pub fn is_reserved(&self, space: SpaceId, address: Ipv4Addr) -> bool {
        let space = self.0.spaces.get(usize::from(space.0));
        space.is_some_and(|space| space.reserves(address.to_bits()))
    }

    fn with_spaces(
        plan: &Plan,
        checked: &Checked,
        old: &[Space],
        generation: u64,
        newest: Arc<AtomicU64>,
    ) -> Self {
        let mut reserved: Vec<Vec<u32>> = Vec::new();
        reserved.resize_with(plan.spaces.len(), Vec::new);
        for &(space, address) in &plan.reserved {
            reserved[usize::from(space.0)].push(address);
        }
        let none = Space::default();
        let grow = |(number, mut reserved): (usize, Vec<u32>)| {
            reserved.sort_unstable();
            reserved.dedup();
            let before = old.get(number).unwrap_or(&none);
            let memory = plan.spaces[number].memory;
            let after = before.grown(&checked.covered[number], reserved, memory);
            after.adopt_reservations(before);
            after
        };
        let spaces: Box<[Space]> = reserved.into_iter().enumerate().map(grow).collect();
        let chains = checked.next.iter().zip(&checked.chain);
        let pools: Box<[Pool]> = (plan.pools.iter().zip(chains))
            .map(|(pool, (&next, &chain))| {
                Pool::new(pool, next, chain, &spaces[usize::from(pool.space.0)])
            })
            .collect();
        let mut by_name: Vec<u32> = (0..pools.len() as u32).collect();
        by_name.sort_unstable_by_key(|&id| &*pools[id as usize].name);
        Self(Arc::new(Snapshot {
            pools,
            by_name: by_name.into(),
            space_plans: plan.spaces.as_slice().into(),
            spaces,
            generation,
            newest,
        }))
    }

    fn take_wished(
        &self,
        pool: PoolId,
        preferred: Option<u32>,
        owner: Option<OwnerTag>,
        last: Option<u32>,
    ) -> Result<(PoolId, u32), Exhausted> {
        if let Some(address) = preferred
            && let Some((member, site)) = self.in_chain(pool, address)
            && site.take_free()
        {
            return Ok((member, address));
        }
        if let (Some(owner), Some(address)) = (owner, last)
            && let Some((member, site)) = self.in_chain(pool, address)
            && site.take_remembered(owner.number())
        {
            return Ok((member, address));
        }
        self.take_best(pool)
    }

    #[inline]
    fn take_best(&self, pool: PoolId) -> Result<(PoolId, u32), Exhausted> {
        match self.at(pool).take_by_hints(self.space_at(pool)) {
            Some(address) => Ok((pool, address)),
            None => self.take_from_chain(pool),
        }
    }

    /// The best address of the chain, or the proof that there is none.
    ///
    /// A further round means that somebody else's release ended meanwhile.
    fn take_from_chain(&self, pool: PoolId) -> Result<(PoolId, u32), Exhausted> {
        let space = self.space_at(pool);
        loop {
            let mut at_proofs = WatchSum::default();
            for pool in self.chain(pool) {
                match self.at(pool).take_best(space) {
                    Found::Address(address) => return Ok((pool, address)),
                    Found::Empty(watches) => at_proofs += watches,
                }
            }
            // Each pool was empty at some moment. If no release has ended since, all were at once.
            let now = self.chain(pool).map(|pool| self.at(pool).watches()).sum();
            if at_proofs == now || planted(Mutant::ProofsApart) {
                return Err(Exhausted);
            }
        }
    }

    #[inline]
    fn space_at(&self, pool: PoolId) -> &Space {
        &self.0.spaces[usize::from(self.at(pool).space.0)]
    }

    #[inline]
    fn at(&self, pool: PoolId) -> &Pool {
        &self.0.pools[pool.0 as usize]
    }

    /// The first pool of the chain that holds the address, and where its bits are.
    #[inline]
    fn in_chain(&self, pool: PoolId, address: u32) -> Option<(PoolId, Site<'_>)> {
        let member = self.chain(pool).find(|&member| self.at(member).contains(address))?;
        Some((member, self.space_at(pool).site(address)?))
    }

    fn covered_site(&self, space: SpaceId, address: Ipv4Addr) -> Result<Site<'_>, Refused> {
        let space = self.0.spaces.get(usize::from(space.0)).ok_or(Refused::UnknownSpace)?;
        let address = address.to_bits();
        if !space.covers(address) {
            return Err(Refused::NotCovered);
        }
        space.site(address).ok_or(Refused::NotCovered)
    }

    fn lay_down(&self, claim: Claim, tag: u32) {
        let site = self.site_of(&claim);
        site.write_tag(if planted(Mutant::TagAfterToken) { site.tag() } else { tag });
        site.lay_down(tag);
        if planted(Mutant::TagAfterToken) {
            site.write_tag(tag);
        }
    }

    #[inline]
    fn site_of(&self, claim: &Claim) -> Site<'_> {
        let space = self.0.spaces.get(usize::from(claim.space().0));
        let site = space.and_then(|space| space.site(claim.address().to_bits()));
        site.expect("a claim is given back to the snapshot that granted it or to a later one")
    }
}

impl Space {
    /// Makes the reservations of this snapshot out of those of the one before.
    fn adopt_reservations(&self, before: &Space) {
        let site = |&address: &u32| self.site(address);
        before.reserved.iter().filter(|&&a| !self.reserves(a)).filter_map(site).for_each(|site| {
            site.unreserve();
        });
        self.reserved.iter().filter(|&&a| !before.reserves(a)).filter_map(site).for_each(|site| {
            site.reserve();
        });
    }
}

/// Why an address that is in no free map cannot be had.
fn held(site: &Site<'_>) -> Refused {
    if site.is_quarantined() { Refused::Quarantined } else { Refused::Claimed }
}

impl fmt::Debug for Pools {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = |f: &mut fmt::DebugList<'_, '_>| {
            f.entries(self.0.pools.iter().map(|pool| &pool.name)).finish()
        };
        f.write_str("Pools ")?;
        names(&mut f.debug_list())
    }
}

/// The halves of `acquire`, for the proofs.
#[cfg(all(test, any(loom, shuttle)))]
impl Pools {
    pub(crate) fn take_by_hints(&self, pool: PoolId) -> Option<u32> {
        self.at(pool).take_by_hints(self.space_at(pool))
    }

    #[cfg(loom)]
    pub(crate) fn take_or_prove(&self, pool: PoolId) -> Option<Found> {
        self.at(pool).take_or_prove(self.space_at(pool))
    }
}
