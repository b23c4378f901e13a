//! Leases of another server whose clients move here: bound from now on, so that no client notices.

use core::net::Ipv4Addr;

use leasehold_pool::AddressState;

use super::Engine;
use super::book::{LeaseId, OfClient, Place};
use super::identity::Kind;
use super::lease::{Client, Hold, Lease, State};
use super::lifecycle::{after_seconds, seconds_covering, space_name};
use super::supply::NO_POOL;
use crate::config::ServerIndex;
use crate::event::Event;
use crate::order::{Answer, Foreign, NotTaken, OrderId, Refusal, TakenOver};
use crate::outbox::Outbox;
use crate::record::bytes::ChangeRef;
use crate::time::Now;

impl Engine {
    /// Takes over what can be; the others are told. In a dry run nothing is changed.
    pub(super) fn take_over_all(
        &mut self,
        now: Now,
        order: OrderId,
        leases: &[Foreign],
        dry_run: bool,
        out: &mut Outbox,
    ) {
        if self.store.has_failed() {
            return out.answer(order, Answer::Refused(Refusal::StoreFailed));
        }
        let taken = leases.iter().map(|lease| self.take_one_over(now, lease, dry_run, out));
        let answer = Answer::TakenOver(taken.collect());
        if dry_run { out.answer(order, answer) } else { out.promise_answer(order, answer) }
    }

    fn take_one_over(
        &mut self,
        now: Now,
        lease: &Foreign,
        dry_run: bool,
        out: &mut Outbox,
    ) -> Result<TakenOver, NotTaken> {
        let Foreign { address, binding } = lease;
        let mut servers = self.config.servers.iter().zip(0..);
        let server = servers.find(|(server, _)| *server.name == *binding.server);
        let (server, index) = server.ok_or(NotTaken::NoServer)?;
        let index = ServerIndex(index);
        let (key, space) = (self.services.key_of(index), self.services.space_of(index));
        let (Some(key), Some(space)) = (key, space) else { return Err(NotTaken::NoServer) };
        let client = Client::restore(binding);
        let kind = client.traits(Kind::Hardware).kind(server.identifiers);
        let traits = client.traits(kind);
        let of = self.book.of(key, &traits, self.book.hash(key, &traits.identity()));
        let place = (space, *address);
        let there = self.book.at(place);
        if let Some(id) = there.filter(|id| Some(*id) == of.bound) {
            return Ok(self.prolong(now, id, binding.lease_time, dry_run, out));
        }
        if let Some(bound) = of.bound {
            return Err(NotTaken::HasOther(self.book.get(bound).address));
        }
        self.may_take_over(place, there, &client)?;
        if dry_run {
            return Ok(TakenOver::Bound);
        }
        self.make_room(&of, there);
        let claim = self.pools.take(space, *address);
        let claim = claim.or_else(|_| self.pools.take_reserved(space, *address));
        let claim = claim.map_err(|_| NotTaken::InUse)?;
        let deadline = after_seconds(now.boottime, binding.lease_time);
        let id = self.book.insert(Lease {
            space,
            server: key,
            address: *address,
            state: State::Bound,
            kind,
            offers: 0,
            pool: NO_POOL,
            serial: 0,
            source: 0,
            checking: false,
            hold: Hold::Claimed(claim),
            deadline,
            since: now.boottime,
            heard: crate::time::Boottime(0),
            displaced: None,
            client,
        });
        self.book.forget_displaced(id);
        self.mac_limits.held(self.book.get(id));
        self.tell(out, |engine| Event::Assigned(engine.told(id)));
        let lease = self.book.get(id);
        let change = ChangeRef::Bound(
            lease.client.binding(self.services.name(lease.server), binding.lease_time),
        );
        let space = (place.0, space_name(&self.pools, place.0));
        out.record(space, place.1, self.clock.stamp(now), change, None);
        Ok(TakenOver::Bound)
    }

    /// What was offered comes to nothing, and only the client's new address is remembered.
    fn make_room(&mut self, of: &OfClient, there: Option<LeaseId>) {
        for id in of.pending.into_iter().chain(there) {
            let is_open = |lease: &Lease| lease.state != State::Ended;
            if self.book.find(id).is_some_and(is_open) {
                self.give_up(id);
            }
        }
        if let Some(ended) = of.ended.filter(|id| Some(*id) != there) {
            self.book.remove(ended);
        }
    }

    /// The client has the address here already: it keeps it for the longer of both times.
    fn prolong(
        &mut self,
        now: Now,
        id: LeaseId,
        lease_time: u32,
        dry_run: bool,
        out: &mut Outbox,
    ) -> TakenOver {
        let before = self.book.get(id).deadline;
        let deadline = after_seconds(now.boottime, lease_time);
        if before >= deadline {
            return TakenOver::Known;
        }
        if !dry_run {
            self.book.set_deadline(id, deadline);
            let place = (self.book.get(id).space, self.book.get(id).address);
            let lease_time = seconds_covering(now.boottime, deadline);
            let space = (place.0, space_name(&self.pools, place.0));
            let change = ChangeRef::Renewed { lease_time };
            out.record(space, place.1, self.clock.stamp(now), change, Some(before));
        }
        TakenOver::Prolonged
    }

    /// Whether nobody else has or is to have the address.
    fn may_take_over(
        &self,
        place: Place,
        there: Option<LeaseId>,
        client: &Client,
    ) -> Result<(), NotTaken> {
        let (space, address): (_, Ipv4Addr) = place;
        if self.services.is_own(address) {
            return Err(NotTaken::Own);
        }
        let there = there.map(|id| self.book.get(id));
        match there.map(|lease| lease.state) {
            Some(State::Bound) => {
                let hardware = there.map(|lease| lease.client.hardware());
                return Err(NotTaken::Taken(hardware.unwrap_or_default()));
            }
            Some(State::Declined | State::Conflict) => return Err(NotTaken::Quarantined),
            Some(State::Testing | State::Offered | State::Ended) | None => {}
        }
        let mut fixed = self.config.leases.at(address).peekable();
        if fixed.peek().is_some() && !fixed.any(|row| Self::fits(client, row)) {
            return Err(NotTaken::Reserved);
        }
        match self.pools.state(space, address) {
            AddressState::NotCovered => Err(NotTaken::NoPool),
            AddressState::Quarantined => Err(NotTaken::Quarantined),
            AddressState::Claimed if there.is_none() => Err(NotTaken::InUse),
            _ => Ok(()),
        }
    }
}
