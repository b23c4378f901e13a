//! When the store fails: no new promise is made, none is broken, and all of it is made good after.

use std::collections::BTreeMap;

use super::Engine;
use super::book::Place;
use super::lease::State;
use super::lifecycle::{seconds_covering, space_name};
use crate::event::{Ended, Event};
use crate::order::{Answer, Refusal};
use crate::outbox::{Abandoned, Outbox};
use crate::record::bytes::ChangeRef;
use crate::time::{Boottime, Now};

/// Whether the store keeps promises, and where it may hold something else than the book.
#[derive(Debug, Default)]
pub(super) struct Store {
    failed: bool,
    /// Until when the present owner of a place may have it by what is durable for sure.
    dirty: BTreeMap<Place, Option<Boottime>>,
}

impl Store {
    pub(super) fn has_failed(&self) -> bool {
        self.failed
    }

    /// A place changed in a way that promises nothing while the store does not work.
    pub(super) fn changed(&mut self, place: Place) {
        self.dirty.entry(place).or_default();
    }

    /// A record of the place was not made durable for sure.
    fn abandoned(&mut self, place: Place, until: Option<Boottime>) -> Option<Boottime> {
        let durable = self.dirty.entry(place).or_insert(until);
        // `None` is less than any time: what was promised least is what holds.
        *durable = until.min(*durable);
        *durable
    }
}

impl Engine {
    /// A turn was not made durable: the book goes back to what was promised before.
    pub(super) fn abandoned(&mut self, now: Now, abandoned: Abandoned, out: &mut Outbox) {
        if !self.store.failed {
            self.store.failed = true;
            self.tell(out, |_| Event::StoreFailed);
        }
        for undo in abandoned.undo {
            let place = (undo.space, undo.address);
            let until = self.store.abandoned(place, undo.until);
            let Some(id) = self.book.at(place) else { continue };
            let lease = self.book.get(id);
            if lease.state != State::Bound {
                continue;
            }
            match until {
                Some(until) if until > now.boottime => {
                    let deadline = lease.deadline.min(until);
                    self.book.set_deadline(id, deadline);
                }
                _ => self.end(now, id, Ended::Removed, out),
            }
        }
        for order in abandoned.orders {
            out.answer(order, Answer::Refused(Refusal::StoreFailed));
        }
    }

    /// The store works again: places where it may be wrong are told once more.
    pub(super) fn recovered(&mut self, now: Now, out: &mut Outbox) {
        if !core::mem::take(&mut self.store.failed) {
            return;
        }
        self.tell(out, |_| Event::StoreRecovered);
        for place in core::mem::take(&mut self.store.dirty).into_keys() {
            let at = self.clock.stamp(now);
            let space = (place.0, space_name(&self.pools, place.0));
            let lease = self.book.at(place).map(|id| self.book.get(id));
            let left = |deadline| seconds_covering(now.boottime, deadline);
            let (change, until) = match lease.map(|lease| (lease, lease.state)) {
                Some((lease, State::Bound)) => {
                    let server = self.services.name(lease.server);
                    let binding = lease.client.binding(server, left(lease.deadline));
                    (ChangeRef::Bound(binding), Some(lease.deadline))
                }
                Some((lease, state @ (State::Declined | State::Conflict))) => {
                    let declined = state == State::Declined;
                    let by = lease.client.hardware().mac().filter(|_| !declined);
                    let seconds = left(lease.deadline);
                    (ChangeRef::Quarantined { seconds, by, declined }, None)
                }
                _ => (ChangeRef::Removed, None),
            };
            out.record(space, place.1, at, change, until);
        }
    }
}
