//! Records of the store become leases again.

use core::net::Ipv4Addr;
use core::time::Duration;

use leasehold_pool::SpaceId;

use super::Engine;
use super::book::{LeaseId, NEVER, Place};
use super::identity::Kind;
use super::lease::{Client, Hold, Lease, ServerKey, State};
use super::lifecycle::{seconds_covering, space_name};
use super::supply::NO_POOL;
use crate::config::{Identifiers, ServerIndex};
use crate::planted::planted;
use crate::record::bytes::{ChangeRef, Records};
use crate::record::{Binding, Change, Location, Record};
use crate::time::{Boottime, Now, Wall};

impl Engine {
    /// Takes one record from the store, in the order of the store, before anything else.
    ///
    /// A lease whose time is over comes back all the same: it ends with the first
    /// [`Tick`](crate::Input::Tick), so that its end is told and recorded like any other.
    //= https://www.rfc-editor.org/rfc/rfc2131#section-1.6
    //# Retain DHCP client configuration across server reboots
    //= https://www.rfc-editor.org/rfc/rfc2131#section-2.2
    //# guarantees not to reallocate that address within the requested time
    pub fn restore(&mut self, record: Record) {
        let Record { location, at, change } = record;
        let Some(place) = self.place_of(&location) else { return };
        match change {
            Change::Bound(binding) => self.restore_bound(place, at, &binding),
            Change::Renewed { lease_time } => {
                if let Some(id) = self.restored(place, State::Bound) {
                    let deadline = self.clock.deadline(at, lease_time);
                    self.book.set_deadline(id, deadline);
                    self.book.get_mut(id).since = self.before(at);
                }
            }
            Change::Released | Change::Expired | Change::Removed => self.restore_ended(place),
            Change::Quarantined { seconds, by, declined } => {
                let state = if declined { State::Declined } else { State::Conflict };
                self.clear(place);
                let until = self.clock.deadline(at, seconds);
                if until > self.clock.start().boottime {
                    // No record of a quarantine says whose it was.
                    let server = self.server_giving(place);
                    let server = server.unwrap_or_else(|| self.services.key(""));
                    self.insert_restored(place, state, at, until, server, Client::station(by));
                }
            }
        }
    }

    /// The offers that stand, as [`Engine::restore_offer`] takes them: whoever ends in good order
    /// hands them to the next, for their clients may have asked already.
    #[must_use]
    pub fn offers(&self, now: Now) -> Records {
        let mut offers = Records::default();
        let offered = self.book.ids().map(|id| self.book.get(id));
        for lease in offered.filter(|lease| lease.state == State::Offered) {
            let left = seconds_covering(now.boottime, lease.deadline);
            let binding = lease.client.binding(self.services.name(lease.server), left);
            let space = space_name(&self.pools, lease.space);
            let at = self.clock.stamp(now);
            offers.write(space, lease.address, at, ChangeRef::Bound(binding));
        }
        offers
    }

    /// Takes one of [`Engine::offers`], after all records of the store.
    pub fn restore_offer(&mut self, record: Record) {
        let (Some(place), Change::Bound(binding)) =
            (self.place_of(&record.location), record.change)
        else {
            return;
        };
        if self.book.at(place).is_some_and(|id| self.book.get(id).state != State::Ended) {
            return;
        }
        self.clear(place);
        let until = self.clock.deadline(record.at, binding.lease_time);
        let key = self.services.key(&binding.server);
        let client = Client::restore(&binding);
        self.insert_restored(place, State::Offered, record.at, until, key, client);
        let is_held = |id| matches!(self.book.get(id).hold, Hold::Claimed(_));
        if !self.book.at(place).is_some_and(is_held) {
            self.clear(place);
        }
    }

    /// Whether somebody is answered when a probe is over.
    #[must_use]
    pub fn is_probing(&self) -> bool {
        self.probes.are_waited_for()
    }

    /// Nowhere is an address space that no pool names any more: its leases stay in the store.
    fn place_of(&self, location: &Location) -> Option<Place> {
        let space = match &*location.space {
            "" => Some(SpaceId::MAIN),
            name => self.pools.space(name),
        };
        Some((space?, location.address))
    }

    fn restore_bound(&mut self, place: Place, at: Wall, binding: &Binding) {
        self.clear(place);
        let until = self.clock.deadline(at, binding.lease_time);
        let key = self.services.key(&binding.server);
        self.insert_restored(place, State::Bound, at, until, key, Client::restore(binding));
    }

    fn restore_ended(&mut self, place: Place) {
        let Some(id) = self.restored(place, State::Bound) else {
            self.clear(place);
            return;
        };
        let tag = self.tag(id);
        self.mac_limits.let_go(self.book.get(id));
        let hold = core::mem::take(&mut self.book.get_mut(id).hold);
        self.book.set_state(id, State::Ended, self.clock.start().boottime, NEVER);
        if let Hold::Claimed(claim) = hold {
            self.pools.release(claim, Some(tag));
        }
    }

    fn insert_restored(
        &mut self,
        (space, address): (SpaceId, Ipv4Addr),
        state: State,
        at: Wall,
        deadline: Boottime,
        server: ServerKey,
        client: Client,
    ) {
        let claim = self.pools.take(space, address);
        let claim = claim.or_else(|_| self.pools.take_reserved(space, address)).ok();
        let hold = match claim {
            Some(claim) if planted!(RestoreTakesNothing) => {
                self.pools.release(claim, None);
                Hold::None
            }
            None => Hold::None,
            Some(claim) if state.is_quarantined() => {
                Hold::Quarantined(self.pools.quarantine(claim))
            }
            Some(claim) => Hold::Claimed(claim),
        };
        let index = self.services.with_key(server).and_then(|index| self.config.server(index));
        let identifiers = index.map_or(Identifiers::default(), |server| server.identifiers);
        let kind = client.traits(Kind::Hardware).kind(identifiers);
        let id = self.book.insert(Lease {
            space,
            server,
            address,
            state,
            kind,
            offers: 0,
            pool: NO_POOL,
            serial: 0,
            source: 0,
            checking: false,
            hold,
            deadline,
            since: self.before(at),
            heard: Boottime(0),
            displaced: None,
            client,
        });
        self.mac_limits.held(self.book.get(id));
    }

    /// The first server that gives an address.
    fn server_giving(&self, (space, address): Place) -> Option<ServerKey> {
        let mut servers = (0..).map(ServerIndex).zip(&self.config.servers);
        let giving = servers.find(|(index, server)| {
            let first = self.services.pool_of(server.address_pool);
            let mut chain = first.into_iter().flat_map(|first| self.pools.chain(first));
            self.services.space_of(*index) == Some(space)
                && chain.any(|pool| self.pools.contains(pool, address))
        });
        giving.and_then(|(index, _)| self.services.key_of(index))
    }

    /// The lease at a place, if it is in that state.
    fn restored(&self, place: Place, state: State) -> Option<LeaseId> {
        self.book.at(place).filter(|&id| self.book.get(id).state == state)
    }

    /// Forgets the lease at a place.
    fn clear(&mut self, place: Place) {
        let Some(id) = self.book.at(place) else { return };
        self.mac_limits.let_go(self.book.get(id));
        let lease = self.book.remove(id);
        match lease.hold {
            Hold::None => {}
            Hold::Claimed(claim) => self.pools.release(claim, None),
            Hold::Quarantined(quarantined) => self.pools.pardon(quarantined, None),
        }
    }

    /// A time before the start, as far as the clock since boot goes back.
    fn before(&self, at: Wall) -> Boottime {
        let start = self.clock.start();
        let ago = Duration::from_secs(start.wall.0.saturating_sub(at.0)).as_millis();
        Boottime(start.boottime.0.saturating_sub(u64::try_from(ago).unwrap_or(u64::MAX)))
    }
}
