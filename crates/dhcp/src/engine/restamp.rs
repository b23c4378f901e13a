//! When the wall clock steps: leases are stamped anew, so that a restart does not misjudge them.

use super::Engine;
use super::book::{LeaseId, Place};
use super::lease::State;
use super::lifecycle::seconds_covering;
use crate::outbox::Outbox;
use crate::record::bytes::ChangeRef;
use crate::time::{Boottime, Now};

/// Seconds that the wall clock may part from the time since boot before it has stepped.
const STEP: u64 = 2;

/// Leases that are stamped in one turn.
const AT_ONCE: usize = 256;

/// How far the two clocks are apart, and how far a new stamping has come.
#[derive(Debug, Default)]
pub(super) struct Restamp {
    /// Wall clock minus time since boot, seconds, when the leases in the store were stamped.
    apart: Option<i64>,
    /// The lease that was stamped last, while there are more.
    reached: Option<Option<Place>>,
}

impl Engine {
    /// Sees whether the wall clock was set, and stamps the next leases if it was. Time since boot
    /// knows how long they last; what is on disk is read with the wall clock alone.
    pub(super) fn watch_clock(&mut self, now: Now, out: &mut Outbox) {
        let apart = now.wall.0.cast_signed() - (now.boottime.0 / 1000).cast_signed();
        let before = *self.restamp.apart.get_or_insert(apart);
        if apart.abs_diff(before) > STEP {
            self.restamp = Restamp { apart: Some(apart), reached: Some(None) };
        }
        let Some(reached) = self.restamp.reached else { return };
        if self.store.has_failed() {
            return;
        }
        let next: Vec<LeaseId> = self.book.from(reached).take(AT_ONCE).collect();
        for &id in &next {
            self.stamp_anew(now, id, out);
        }
        self.restamp.reached = (next.last()).map(|&id| {
            let lease = self.book.get(id);
            Some((lease.space, lease.address))
        });
    }

    /// When the next leases have to be stamped: at once, if there are any.
    pub(super) fn restamp_deadline(&self) -> Option<Boottime> {
        (self.restamp.reached.is_some() && !self.store.has_failed()).then_some(Boottime(0))
    }

    fn stamp_anew(&mut self, now: Now, id: LeaseId, out: &mut Outbox) {
        let lease = self.book.get(id);
        let left = seconds_covering(now.boottime, lease.deadline);
        let change = match lease.state {
            State::Bound => ChangeRef::Renewed { lease_time: left },
            State::Declined => ChangeRef::Quarantined { seconds: left, by: None, declined: true },
            State::Conflict => {
                let by = lease.client.hardware().mac();
                ChangeRef::Quarantined { seconds: left, by, declined: false }
            }
            State::Testing | State::Offered | State::Ended => return,
        };
        self.record(now, id, change, out);
    }
}
