//! All leases: by client, by location, by expiry. The three agree, and a function checks it.

mod clients;
mod due;
mod locations;
#[cfg(test)]
mod tests;

use core::net::Ipv4Addr;

use leasehold_pool::SpaceId;

use self::clients::Clients;
use self::due::Due;
use self::locations::Locations;
use super::identity::{Identity, Traits};
use super::lease::{Lease, ServerKey, State, Step};
use super::supply::{self, Source};
use crate::time::Boottime;

/// A lease of the book, for as long as it is in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct LeaseId(u32);

/// Where a lease is.
pub(super) type Place = (SpaceId, Ipv4Addr);

/// All leases and the ways to find them.
///
/// **Invariants** ([`Book::check`]): a place has at most one lease that is found by its place, and
/// at most one ended lease that is displaced by it; a lease that has a client is found by that
/// client; a lease that can end by itself is due no later than it ends; the
/// census is of all leases.
#[derive(Debug)]
pub(super) struct Book {
    slots: Slots,
    locations: Locations,
    clients: Clients,
    /// By hardware address, client-id and port, whatever tells the clients apart; while asked for.
    traits: Option<Clients>,
    due: Due,
    census: Census,
}

/// How many leases are in each state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Census([u64; State::ALL.len()]);

/// The leases of one client on one server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct OfClient {
    /// Being probed or offered.
    pub(super) pending: Option<LeaseId>,
    /// Bound.
    pub(super) bound: Option<LeaseId>,
    /// The one that ended last.
    pub(super) ended: Option<LeaseId>,
}

impl Book {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            slots: Slots::default(),
            locations: Locations::default(),
            clients: Clients::new(seed),
            traits: None,
            due: Due::default(),
            census: Census::default(),
        }
    }

    /// A hash of the identity that nobody can aim at.
    pub(super) fn hash(&self, server: ServerKey, identity: &Identity<'_>) -> u64 {
        self.clients.hash(server, identity)
    }

    /// Where a client is, as one of those who share a pool's offers.
    pub(super) fn source(&self, server: ServerKey, traits: &Traits<'_>) -> Source {
        let link = Identity::Port { relay: traits.giaddr, circuit: &[], remote: &[] };
        supply::source(self.hash(server, &traits.port().unwrap_or(link)))
    }

    pub(super) fn get(&self, id: LeaseId) -> &Lease {
        self.slots.get(id)
    }

    /// The lease, for changes that no index sees. State, deadline, client and server have their
    /// own functions.
    pub(super) fn get_mut(&mut self, id: LeaseId) -> &mut Lease {
        self.slots.get_mut(id)
    }

    /// The lease, if it is still there: for ids that may have outlived theirs.
    pub(super) fn find(&self, id: LeaseId) -> Option<&Lease> {
        self.slots.find(id)
    }

    /// The lease at a place: one that is displaced is not found here.
    pub(super) fn at(&self, place: Place) -> Option<LeaseId> {
        self.locations.get(place)
    }

    /// The leases of a client on a server.
    pub(super) fn of(&self, server: ServerKey, traits: &Traits<'_>, hash: u64) -> OfClient {
        let mut of = OfClient::default();
        for id in self.clients.with(hash) {
            let lease = self.slots.get(id);
            if lease.server != server || !lease.is_of(traits) {
                continue;
            }
            let newest = |old: Option<LeaseId>| {
                let older = old.filter(|&old| self.slots.get(old).since > lease.since);
                older.or(Some(id))
            };
            match lease.state {
                State::Testing | State::Offered => of.pending = newest(of.pending),
                State::Bound => of.bound = newest(of.bound),
                State::Ended => of.ended = newest(of.ended),
                State::Declined | State::Conflict => {}
            }
        }
        of
    }

    /// Adds a lease. An ended lease at its place makes way for it, and comes back if the new one
    /// comes to nothing; a lease that is not ended must not be there.
    pub(super) fn insert(&mut self, mut lease: Lease) -> LeaseId {
        let place = (lease.space, lease.address);
        lease.displaced = self.locations.get(place);
        if let Some(old) = lease.displaced {
            debug_assert_eq!(self.slots.get(old).state, State::Ended);
        }
        self.census.joins(lease.state);
        let id = self.slots.insert(lease);
        self.locations.set(place, Some(id));
        self.index_client(id);
        self.index_deadline(id);
        id
    }

    /// Takes a lease out; what it displaced is found again.
    pub(super) fn remove(&mut self, id: LeaseId) -> Lease {
        self.unindex_client(id);
        let lease = self.slots.remove(id);
        self.census.leaves(lease.state);
        let place = (lease.space, lease.address);
        if self.locations.get(place) == Some(id) {
            self.locations.set(place, lease.displaced);
        } else if let Some(cover) = self.locations.get(place) {
            // It was displaced itself: the lease above it has nothing to give back any more.
            self.slots.get_mut(cover).displaced = None;
        }
        self.due.forget(lease.deadline);
        lease
    }

    /// Forgets the ended lease that this one displaced: its address is really another's now.
    pub(super) fn forget_displaced(&mut self, id: LeaseId) {
        if let Some(old) = self.slots.get_mut(id).displaced.take() {
            self.unindex_client(old);
            let old = self.slots.remove(old);
            self.census.leaves(old.state);
            self.due.forget(old.deadline);
        }
    }

    /// The lease goes on in another state until `deadline`.
    pub(super) fn set_state(&mut self, id: LeaseId, state: State, now: Boottime, until: Boottime) {
        let had_client = self.slots.get(id).state.has_client();
        if had_client && !state.has_client() {
            self.unindex_client(id);
        }
        let lease = self.slots.get_mut(id);
        if lease.state != state {
            lease.since = now;
        }
        self.census.leaves(lease.state);
        self.census.joins(state);
        lease.state = state;
        self.set_deadline(id, until);
        if !had_client && state.has_client() {
            self.index_client(id);
        }
    }

    /// The lease is offered, if it was not yet: its time goes on.
    pub(super) fn set_offered(&mut self, id: LeaseId) {
        let lease = self.slots.get_mut(id);
        self.census.leaves(lease.state);
        lease.state = lease.state.next(Step::Offer);
        self.census.joins(lease.state);
    }

    /// How many leases are in each state, displaced ones too.
    pub(super) fn census(&self) -> Census {
        self.census
    }

    /// The lease's state ends at another time.
    pub(super) fn set_deadline(&mut self, id: LeaseId, deadline: Boottime) {
        let lease = self.slots.get_mut(id);
        let before = core::mem::replace(&mut lease.deadline, deadline);
        self.due.moved(id, before, deadline, &self.slots);
    }

    /// Changes who the lease's client is, or whose lease it is: `change` sees the lease.
    pub(super) fn set_client(&mut self, id: LeaseId, change: impl FnOnce(&mut Lease)) {
        self.unindex_client(id);
        change(self.slots.get_mut(id));
        self.index_client(id);
    }

    /// A lease whose state ends at `now` or before, if there is one: the same one until its state
    /// or its deadline is changed.
    pub(super) fn due(&mut self, now: Boottime) -> Option<LeaseId> {
        self.due.pop(now, &self.slots)
    }

    /// When [`Book::due`] has something to say at the earliest; it may turn out to be nothing.
    pub(super) fn deadline(&self) -> Option<Boottime> {
        self.due.first()
    }

    /// The leases behind `after`, by place; displaced ones are not among them.
    pub(super) fn from(&self, after: Option<Place>) -> impl Iterator<Item = LeaseId> + '_ {
        self.locations.from(after)
    }

    /// All leases, displaced ones too, in no order that means anything.
    pub(super) fn ids(&self) -> impl Iterator<Item = LeaseId> + '_ {
        self.slots.ids()
    }

    /// Whether [`Book::with_trait`] is going to be asked: it costs an index of its own.
    pub(super) fn keep_traits(&mut self, keep: bool) {
        if keep == self.traits.is_some() {
            return;
        }
        self.traits = keep.then(|| self.clients.empty());
        if let Some(table) = &mut self.traits {
            for id in self.slots.ids() {
                let hashes = trait_hashes(&self.clients, self.slots.get(id));
                hashes.into_iter().flatten().for_each(|hash| table.insert(hash, id));
            }
        }
    }

    /// Leases whose clients may have this hardware address, client-id or port, on whatever server;
    /// none unless they are kept. The caller compares.
    pub(super) fn with_trait(&self, identity: &Identity<'_>) -> impl Iterator<Item = LeaseId> + '_ {
        let hash = self.clients.hash(ANY_SERVER, identity);
        self.traits.iter().flat_map(move |table| table.with(hash))
    }

    fn index_client(&mut self, id: LeaseId) {
        let lease = self.slots.get(id);
        if lease.state.has_client() {
            let hash = self.clients.hash(lease.server, &lease.traits().identity());
            self.clients.insert(hash, id);
            if let Some(table) = &mut self.traits {
                let hashes = trait_hashes(&self.clients, lease);
                hashes.into_iter().flatten().for_each(|hash| table.insert(hash, id));
            }
        }
    }

    fn unindex_client(&mut self, id: LeaseId) {
        let lease = self.slots.get(id);
        if lease.state.has_client() {
            let hash = self.clients.hash(lease.server, &lease.traits().identity());
            self.clients.remove(hash, id);
            if let Some(table) = &mut self.traits {
                let hashes = trait_hashes(&self.clients, lease);
                hashes.into_iter().flatten().for_each(|hash| table.remove(hash, id));
            }
        }
    }

    fn index_deadline(&mut self, id: LeaseId) {
        let deadline = self.slots.get(id).deadline;
        self.due.moved(id, NEVER, deadline, &self.slots);
    }

    /// Whether the indexes agree with the leases, and with each other.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong, in words.
    pub(super) fn check(&self) -> Result<(), String> {
        let earliest = self.due.earliest();
        let mut census = Census::default();
        for id in self.slots.ids() {
            let lease = self.slots.get(id);
            census.joins(lease.state);
            let place = (lease.space, lease.address);
            let found = self.locations.get(place);
            let covered = found.is_some_and(|at| self.slots.get(at).displaced == Some(id));
            if found != Some(id) && !covered {
                return Err(format!("{} is not found by its place", lease.address));
            }
            if covered && lease.state != State::Ended {
                return Err(format!("{} is displaced though it has not ended", lease.address));
            }
            let hash = self.clients.hash(lease.server, &lease.traits().identity());
            let by_client = self.clients.with(hash).filter(|&other| other == id).count();
            if by_client != usize::from(lease.state.has_client()) {
                return Err(format!("{} is found {by_client} times by client", lease.address));
            }
            for hash in trait_hashes(&self.clients, lease).into_iter().flatten() {
                let Some(table) = &self.traits else { break };
                if table.with(hash).filter(|&other| other == id).count() != 1 {
                    return Err(format!("{} is not found once by each trait", lease.address));
                }
            }
            let due = earliest.get(&id).copied().unwrap_or(NEVER);
            if due > lease.deadline {
                return Err(format!("{} is never due", lease.address));
            }
        }
        if census != self.census {
            return Err(format!("{census:?} there are, {:?} were counted", self.census));
        }
        let placed = self.locations.from(None).count();
        let displaced = self.slots.ids().filter(|&id| self.slots.get(id).displaced.is_some());
        let expected = placed + displaced.count();
        if expected != self.slots.len() {
            return Err(format!("{expected} leases are found, {} there are", self.slots.len()));
        }
        if self.clients.len() > self.slots.len() {
            return Err(format!("{} clients of {} leases", self.clients.len(), self.slots.len()));
        }
        Ok(())
    }
}

impl Census {
    /// Each state and how many leases are in it.
    pub(super) fn all(self) -> impl Iterator<Item = (State, u64)> {
        State::ALL.into_iter().zip(self.0)
    }

    fn joins(&mut self, state: State) {
        self.0[state as usize] += 1;
    }

    fn leaves(&mut self, state: State) {
        self.0[state as usize] -= 1;
    }
}

/// Stands for every server where leases are found by a trait of their clients.
const ANY_SERVER: ServerKey = ServerKey(u32::MAX);

/// By hardware address, client-id and port; nothing for a lease without a client.
fn trait_hashes(clients: &Clients, lease: &Lease) -> [Option<u64>; 3] {
    if !lease.state.has_client() {
        return [None; 3];
    }
    let client = &lease.client;
    let hardware = Identity::Hardware { htype: client.htype(), octets: client.chaddr() };
    let id = Some(client.client_id()).filter(|id| !id.is_empty()).map(Identity::Client);
    let hash = |identity| clients.hash(ANY_SERVER, &identity);
    [Some(hash(hardware)), id.map(hash), lease.traits().port().map(hash)]
}

/// A deadline that never comes.
pub(super) const NEVER: Boottime = Boottime(u64::MAX);

/// The leases themselves, in chunks that never move: growing must not stop the packets.
#[derive(Debug, Default)]
struct Slots {
    chunks: Vec<Vec<Slot>>,
    vacant: Option<u32>,
    len: usize,
}

#[derive(Debug)]
enum Slot {
    Lease(Lease),
    /// The next vacant slot.
    Vacant(Option<u32>),
}

const CHUNK: usize = 1 << 10;

impl Slots {
    fn insert(&mut self, lease: Lease) -> LeaseId {
        self.len += 1;
        if let Some(vacant) = self.vacant {
            let slot = self.slot_mut(vacant);
            let Slot::Vacant(next) = *slot else { unreachable!("a vacant slot holds no lease") };
            *slot = Slot::Lease(lease);
            self.vacant = next;
            return LeaseId(vacant);
        }
        if self.chunks.last().is_none_or(|chunk| chunk.len() == CHUNK) {
            self.chunks.push(Vec::with_capacity(CHUNK));
        }
        let before = (self.chunks.len() - 1) * CHUNK;
        let chunk = self.chunks.last_mut().expect("a chunk with room was made sure of");
        chunk.push(Slot::Lease(lease));
        LeaseId((before + chunk.len() - 1) as u32)
    }

    fn remove(&mut self, LeaseId(at): LeaseId) -> Lease {
        let vacant = Slot::Vacant(self.vacant);
        let Slot::Lease(lease) = core::mem::replace(self.slot_mut(at), vacant) else {
            unreachable!("a lease is removed once")
        };
        self.vacant = Some(at);
        self.len -= 1;
        lease
    }

    fn get(&self, LeaseId(at): LeaseId) -> &Lease {
        match &self.chunks[at as usize / CHUNK][at as usize % CHUNK] {
            Slot::Lease(lease) => lease,
            Slot::Vacant(_) => unreachable!("an id is used only while its lease is there"),
        }
    }

    fn get_mut(&mut self, LeaseId(at): LeaseId) -> &mut Lease {
        match self.slot_mut(at) {
            Slot::Lease(lease) => lease,
            Slot::Vacant(_) => unreachable!("an id is used only while its lease is there"),
        }
    }

    /// The lease, if there is one: for ids that may have outlived theirs.
    fn find(&self, LeaseId(at): LeaseId) -> Option<&Lease> {
        match self.chunks.get(at as usize / CHUNK)?.get(at as usize % CHUNK)? {
            Slot::Lease(lease) => Some(lease),
            Slot::Vacant(_) => None,
        }
    }

    /// When the lease's state ends; never if it is gone.
    fn deadline(&self, id: LeaseId) -> Boottime {
        self.find(id).map_or(NEVER, |lease| lease.deadline)
    }

    fn slot_mut(&mut self, at: u32) -> &mut Slot {
        &mut self.chunks[at as usize / CHUNK][at as usize % CHUNK]
    }

    fn ids(&self) -> impl Iterator<Item = LeaseId> + '_ {
        let slots = self.chunks.iter().flatten().enumerate();
        slots.filter(|(_, slot)| matches!(slot, Slot::Lease(_))).map(|(at, _)| LeaseId(at as u32))
    }

    fn len(&self) -> usize {
        self.len
    }
}
