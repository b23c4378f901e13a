//! Leases by the time when their state ends: a heap that is lazy about leases that live longer.

use core::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use super::{LeaseId, NEVER, Slots};
use crate::time::Boottime;

/// An entry may be early, never late: a renewal touches nothing here. When its time comes, an
/// entry whose lease lives longer is put back with the lease's deadline then.
#[derive(Debug, Default)]
pub(super) struct Due {
    heap: BinaryHeap<Reverse<(Boottime, LeaseId)>>,
    /// Leases with a deadline: what the heap would hold if it were not lazy.
    timed: usize,
}

/// The heap may hold so many entries more than there are leases with a deadline, and half as many.
const SLACK: usize = 1024;

impl Due {
    /// A lease's deadline moved; [`NEVER`] is none.
    pub(super) fn moved(&mut self, id: LeaseId, before: Boottime, now: Boottime, slots: &Slots) {
        self.timed -= usize::from(before != NEVER);
        self.timed += usize::from(now != NEVER);
        // A later deadline is found when the entry of the earlier one comes up.
        if now < before {
            self.heap.push(Reverse((now, id)));
            self.sweep(slots);
        }
    }

    /// A lease with this deadline is gone; its entries come up for nothing.
    pub(super) fn forget(&mut self, deadline: Boottime) {
        self.timed -= usize::from(deadline != NEVER);
    }

    pub(super) fn first(&self) -> Option<Boottime> {
        self.heap.peek().map(|&Reverse((at, _))| at)
    }

    /// A lease that is due. It comes again until its deadline is moved or it is gone.
    pub(super) fn pop(&mut self, now: Boottime, slots: &Slots) -> Option<LeaseId> {
        while let Some(&Reverse((at, id))) = self.heap.peek()
            && at <= now
        {
            let deadline = slots.find(id).map_or(NEVER, |lease| lease.deadline);
            if deadline <= now {
                return Some(id);
            }
            self.heap.pop();
            if deadline != NEVER {
                self.heap.push(Reverse((deadline, id)));
            }
        }
        None
    }

    /// Throws out what would come up for nothing, before it can pile up.
    fn sweep(&mut self, slots: &Slots) {
        if self.heap.len() <= self.timed + self.timed / 2 + SLACK {
            return;
        }
        let ids = slots.ids().map(|id| (slots.get(id).deadline, id));
        self.heap = ids.filter(|&(at, _)| at != NEVER).map(Reverse).collect();
    }

    #[cfg(test)]
    pub(super) fn entries(&self) -> usize {
        self.heap.len()
    }

    /// The earliest entry of each lease.
    pub(super) fn earliest(&self) -> BTreeMap<LeaseId, Boottime> {
        let mut earliest = BTreeMap::new();
        for &Reverse((at, id)) in &self.heap {
            let entry = earliest.entry(id).or_insert(at);
            *entry = at.min(*entry);
        }
        earliest
    }
}
