//! Leases by the time when their state ends: a calendar that is lazy about leases that live longer.

use core::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use super::{LeaseId, NEVER, Slots};
use crate::time::Boottime;

/// An entry may be early, never late: a renewal touches nothing here. When its time comes, an
/// entry whose lease lives longer is put where the lease's deadline is then.
///
/// Most entries come to nothing: an offer's, whose lease was bound, and a lease's that was renewed.
/// So they stand by the page that they fall on, in no order, and only those of a page that has
/// begun are put in order, if they still count.
#[derive(Debug, Default)]
pub(super) struct Due {
    pages: BTreeMap<Page, Vec<LeaseId>>,
    /// Of pages that have begun.
    today: BinaryHeap<Reverse<(Boottime, LeaseId)>>,
    /// Entries of all pages and of today.
    entries: usize,
    /// Leases with a deadline: what there would be entries of if they were not lazy.
    timed: usize,
}

/// 1,024 milliseconds of boottime, by their number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Page(u64);

impl Page {
    const BITS: u32 = 10;

    fn of(at: Boottime) -> Self {
        Self(at.0 >> Self::BITS)
    }

    fn begins(self) -> Boottime {
        Boottime(self.0 << Self::BITS)
    }
}

/// There may be so many entries more than there are leases with a deadline, and half as many.
const SLACK: usize = 1024;

/// Entries that are put in order in one go: a million of one second must not stop the packets.
const AT_ONCE: usize = 1024;

/// Before every page: whoever knows no better time has nothing put in order.
const PAST: Boottime = Boottime(0);

impl Due {
    /// A lease's deadline moved; [`NEVER`] is none.
    pub(super) fn moved(&mut self, id: LeaseId, before: Boottime, now: Boottime, slots: &Slots) {
        self.timed -= usize::from(before != NEVER);
        self.timed += usize::from(now != NEVER);
        // A later deadline is found when the entry of the earlier one comes up.
        if now < before {
            self.enter(id, now, PAST);
            self.sweep(slots);
        }
    }

    /// A lease with this deadline is gone; its entries come up for nothing.
    pub(super) fn forget(&mut self, deadline: Boottime) {
        self.timed -= usize::from(deadline != NEVER);
    }

    pub(super) fn first(&self) -> Option<Boottime> {
        let today = self.today.peek().map(|&Reverse((at, _))| at);
        let page = self.pages.first_key_value().map(|(page, _)| page.begins());
        today.into_iter().chain(page).min()
    }

    /// A lease that is due. It comes again until its deadline is moved or it is gone. What is left
    /// over for another time is [`Due::first`] still.
    pub(super) fn pop(&mut self, now: Boottime, slots: &Slots) -> Option<LeaseId> {
        let due = self.pop_today(now, slots);
        due.or_else(|| {
            self.turn_over(now, slots);
            self.pop_today(now, slots)
        })
    }

    fn pop_today(&mut self, now: Boottime, slots: &Slots) -> Option<LeaseId> {
        while let Some(&Reverse((at, id))) = self.today.peek()
            && at <= now
        {
            let deadline = slots.deadline(id);
            if deadline <= now {
                return Some(id);
            }
            self.today.pop();
            self.entries -= 1;
            self.enter(id, deadline, now);
        }
        None
    }

    /// Puts in order what still counts of the pages that have begun.
    fn turn_over(&mut self, now: Boottime, slots: &Slots) {
        let mut left = AT_ONCE;
        while left > 0
            && let Some(mut page) = self.pages.first_entry()
            && page.key().begins() <= now
        {
            let ids = page.get_mut();
            let some = ids.split_off(ids.len().saturating_sub(left));
            if ids.is_empty() {
                page.remove();
            }
            left -= some.len();
            self.entries -= some.len();
            some.into_iter().for_each(|id| self.enter(id, slots.deadline(id), now));
        }
    }

    fn enter(&mut self, id: LeaseId, deadline: Boottime, now: Boottime) {
        let page = Page::of(deadline);
        match deadline {
            NEVER => return,
            _ if page.begins() <= now => self.today.push(Reverse((deadline, id))),
            _ => self.pages.entry(page).or_default().push(id),
        }
        self.entries += 1;
    }

    /// Throws out what would come up for nothing, before it can pile up.
    fn sweep(&mut self, slots: &Slots) {
        if self.entries <= self.timed + self.timed / 2 + SLACK {
            return;
        }
        (self.pages, self.today, self.entries) = Default::default();
        slots.ids().for_each(|id| self.enter(id, slots.deadline(id), PAST));
    }

    #[cfg(test)]
    pub(super) fn entries(&self) -> usize {
        self.entries
    }

    /// The earliest entry of each lease.
    pub(super) fn earliest(&self) -> BTreeMap<LeaseId, Boottime> {
        let today = self.today.iter().map(|&Reverse((at, id))| (id, at));
        let pages = self.pages.iter();
        let pages = pages.flat_map(|(page, ids)| ids.iter().map(|&id| (id, page.begins())));
        let mut earliest = BTreeMap::new();
        for (id, at) in today.chain(pages) {
            let entry = earliest.entry(id).or_insert(at);
            *entry = at.min(*entry);
        }
        earliest
    }
}
