//! One pool: windows over the bits of its space, the search through them, and the proof that they
//! are empty.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::cmp::Reverse;
use core::iter::Sum;
use core::ops;

use crate::bits::Block;
use crate::check::{bounds, joined};
use crate::geometry::{
    BRANCH, FAN, block, block_first, block_last, branch_digit, line, trunk, trunk_last,
};
use crate::home::Home;
use crate::mutant::{Mutant, planted};
use crate::plan::{PoolPlan, Range};
use crate::run::{MAPS, Map, Run, Trunk};
use crate::space::Space;
use crate::sync::{AtomicU64, Ordering};
use crate::token::{SpaceId, Usage};

/// In which order the ranges of one pool are used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RangeOrder {
    /// The numerically highest free address of all ranges comes first.
    HighestAddress,
    /// The highest free address of the range that is listed first comes first.
    Listed,
}

/// RouterOS gives out the highest address of a range first. What it does with several ranges is
/// not known; this is the choice made here.
pub const RANGE_ORDER: RangeOrder = RangeOrder::HighestAddress;

/// A pool of one snapshot.
pub(crate) struct Pool {
    pub(crate) name: Box<str>,
    pub(crate) space: SpaceId,
    /// As the plan lists them.
    pub(crate) ranges: Box<[Range]>,
    pub(crate) next: Option<u32>,
    /// How many pools the chain from here has, each counted once.
    pub(crate) chain: u32,
    /// The ranges in the order of use, cut where a /8 ends.
    windows: Box<[Window]>,
    /// The /14s that the windows touch.
    branches: Box<[(Arc<Trunk>, usize)]>,
    /// The watches' sum at which the pool was last proved empty.
    empty_at: AtomicU64,
}

/// `first..=last`, both in one /8.
struct Window {
    first: u32,
    last: u32,
    trunk: Arc<Trunk>,
    /// The run of the last address: where most searches begin and end.
    run: Arc<Run>,
    /// The place of its block in the run.
    top_place: usize,
    /// The places of the blocks under it, if they are few and all in this run.
    few_places: Option<ops::Range<usize>>,
}

/// In so many blocks, 65,536 addresses, it is cheaper to look at all summaries than to follow the
/// crown, whose hints are writes.
const FEW_BLOCKS: usize = FAN / 4;

/// How often a home is moved before the search goes by order.
const MOVES: usize = 4;

/// The sum of the watches over a pool's branches.
///
/// Watches never fall, so a sum that is the same later is a sum of the same numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct WatchSum(u64);

impl ops::AddAssign for WatchSum {
    fn add_assign(&mut self, other: Self) {
        self.0 = self.0.wrapping_add(other.0);
    }
}

impl Sum for WatchSum {
    fn sum<I: Iterator<Item = Self>>(sums: I) -> Self {
        Self(sums.fold(0, |sum, other| sum.wrapping_add(other.0)))
    }
}

/// What a look for a free address came to.
pub(crate) enum Found {
    /// Its token is ours.
    Address(u32),
    /// At a moment during the call nothing was free.
    Empty(WatchSum),
}

impl Pool {
    /// The space must have all blocks of the pool's ranges.
    pub(crate) fn new(plan: &PoolPlan, next: Option<u32>, chain: u32, space: &Space) -> Self {
        let windows = windows(&plan.ranges);
        let mut branches: Vec<u32> = windows.iter().flat_map(branches).collect();
        branches.sort_unstable();
        branches.dedup();
        let windows = windows.iter().filter_map(|&bounds| Window::new(bounds, space)).collect();
        let branch =
            |address| Some((space.branches(address)?.trunk.clone(), branch_digit(address)));
        Self {
            name: plan.name.clone(),
            space: plan.space,
            ranges: plan.ranges.clone(),
            next,
            chain,
            windows,
            branches: branches.into_iter().filter_map(branch).collect(),
            empty_at: AtomicU64::new(u64::MAX),
        }
    }

    pub(crate) fn contains(&self, address: u32) -> bool {
        self.windows.iter().any(|window| window.first <= address && address <= window.last)
    }

    /// The token of the pool's best free address, or the proof that there is none.
    ///
    /// A further round means that somebody else's release ended meanwhile.
    pub(crate) fn take_best(&self, space: &Space) -> Found {
        loop {
            if let Some(proof) = self.standing_proof() {
                return proof;
            }
            if let Some(address) = self.take_by_hints(space) {
                return Found::Address(address);
            }
            if let Some(found) = self.take_or_prove(space) {
                return found;
            }
        }
    }

    /// The token of an address that the hints do not lead to, or the proof that there is none;
    /// nothing if a release ended meanwhile.
    pub(crate) fn take_or_prove(&self, space: &Space) -> Option<Found> {
        if planted(Mutant::BelieveHints) {
            return Some(Found::Empty(self.watches()));
        }
        let before = if planted(Mutant::WatchesNotSet) { self.watches() } else { self.watch() };
        if let Some(address) = self.take_by_scan(space) {
            return Some(Found::Address(address));
        }
        // Each word was empty when it was looked at, and no release that came too late for that
        // look has ended. At this moment nothing is free.
        if self.watches() == before || planted(Mutant::NoLookAtWatches) {
            self.empty_at.store(before.0, Ordering::Release);
            return Some(Found::Empty(before));
        }
        None
    }

    /// The last proof that the pool is empty, if no release has been noticed since.
    fn standing_proof(&self) -> Option<Found> {
        // Read before the watches, so that they cannot be older than the proof.
        let proved_at = WatchSum(self.empty_at.load(Ordering::Acquire));
        let now = self.watches();
        (now == proved_at).then_some(Found::Empty(now))
    }

    /// The watches over the branches that the pool touches.
    pub(crate) fn watches(&self) -> WatchSum {
        let numbers = self.branches.iter().map(|(trunk, branch)| trunk.watch(*branch).number());
        numbers.map(WatchSum).sum()
    }

    /// The same, and sets them.
    fn watch(&self) -> WatchSum {
        let numbers = self.branches.iter().map(|(trunk, branch)| trunk.watch(*branch).set());
        numbers.map(WatchSum).sum()
    }

    pub(crate) fn usage(&self, space: &Space) -> Usage {
        let mut usage = Usage::default();
        for window in &self.windows {
            usage.total += window.count();
            for number in block(window.first)..=block(window.last) {
                let first = window.first.max(block_first(number));
                let last = window.last.min(block_last(number));
                let Some(site) = space.site(last) else { continue };
                let free = MAPS.iter().filter_map(|&map| site.block(map));
                usage.available += free.map(|b| u64::from(b.count(first, last))).sum::<u64>();
                usage.quarantined += u64::from(site.count_quarantined(first, last));
            }
        }
        usage.used = usage.total.saturating_sub(usage.available);
        usage
    }

    /// The token of the pool's best free address, as far as the hints lead to it.
    ///
    /// A call, so that what surrounds it is small enough to become a part of its callers.
    #[inline(never)]
    pub(crate) fn take_by_hints(&self, space: &Space) -> Option<u32> {
        for map in MAPS {
            for window in &self.windows {
                if let Some(address) = window.take_by_hints(map, space) {
                    return Some(address);
                }
            }
        }
        None
    }

    /// The token of a fresh address of the home, or of another home that it is moved to. None says
    /// nothing of the pool.
    #[inline]
    pub(crate) fn take_near(&self, home: &mut Home, space: &Space) -> Option<u32> {
        let found = home.near().and_then(|near| self.take_from_line(near, space));
        found.or_else(|| (0..MOVES).find_map(|_| self.take_elsewhere(home, space)))
    }

    fn take_elsewhere(&self, home: &mut Home, space: &Space) -> Option<u32> {
        let count = self.windows.iter().map(Window::count).sum();
        let near = home.move_to(count, |mut number| {
            self.windows.iter().find_map(|window| {
                if number < window.count() {
                    return Some(window.first + number as u32);
                }
                number -= window.count();
                None
            })
        });
        self.take_from_line(near?, space)
    }

    #[inline]
    fn take_from_line(&self, near: u32, space: &Space) -> Option<u32> {
        let holds = |window: &&Window| window.first <= near && near <= window.last;
        let window = self.windows.iter().find(holds)?;
        let (first, last) = line(near);
        let bits = window.bits(Map::Fresh, near, space)?;
        bits.clear_highest(first.max(window.first), last.min(window.last))
    }

    fn take_by_scan(&self, space: &Space) -> Option<u32> {
        let of = |map| self.windows.iter().find_map(|window| window.take_by_scan(map, space));
        of(Map::Fresh).or_else(|| of(Map::Remembered))
    }
}

impl Window {
    fn new((first, last): (u32, u32), space: &Space) -> Option<Self> {
        let trunk = space.branches(last)?.trunk.clone();
        let run = space.run(last)?.clone();
        let top_place = run.place(last)?;
        let lower = run.place(first).map(|place| place..top_place);
        let few_places = lower.filter(|places| places.len() < FEW_BLOCKS);
        Some(Self { first, last, trunk, run, top_place, few_places })
    }

    fn count(&self) -> u64 {
        u64::from(self.last - self.first) + 1
    }

    /// Takes the highest token of one map, following the hints.
    #[inline]
    fn take_by_hints(&self, map: Map, space: &Space) -> Option<u32> {
        let leaves = self.run.leaves(map)?;
        let top = Block::new(leaves, self.top_place, self.trunk.crown(map), self.last)?;
        let found = top.clear_highest(self.first_in_block(self.last), self.last);
        found.or_else(|| self.take_below_top(map, space))
    }

    fn take_below_top(&self, map: Map, space: &Space) -> Option<u32> {
        match &self.few_places {
            Some(places) => self.take_from_places(map, places.clone()),
            None => self.take_by_crown(map, space),
        }
    }

    fn take_from_places(&self, map: Map, mut places: ops::Range<usize>) -> Option<u32> {
        let leaves = self.run.leaves(map)?;
        loop {
            let place = leaves.highest(places.clone())?;
            let number = block(self.last) - (self.top_place - place) as u32;
            let (first, last) = (block_first(number), block_last(number));
            let bits = Block::new(leaves, place, self.trunk.crown(map), first)?;
            let found = bits.clear_highest(first.max(self.first), last);
            if found.is_some() {
                return found;
            }
            places.end = place;
        }
    }

    fn take_by_crown(&self, map: Map, space: &Space) -> Option<u32> {
        let crown = self.trunk.crown(map);
        let mut at = self.last;
        loop {
            at = block_last(block(crown.lower(at)?));
            if at < self.first {
                return None;
            }
            let bits = self.bits(map, at, space)?;
            let found = bits.clear_highest(self.first_in_block(at), at);
            if found.is_some() {
                return found;
            }
            bits.retract_if_empty();
        }
    }

    /// Takes the highest token of one map, looking at each word.
    fn take_by_scan(&self, map: Map, space: &Space) -> Option<u32> {
        (block(self.first)..=block(self.last)).rev().find_map(|number| {
            let last = self.last.min(block_last(number));
            let bits = self.bits(map, last, space)?;
            bits.clear_highest_by_scan(self.first_in_block(last), last)
        })
    }

    fn first_in_block(&self, address: u32) -> u32 {
        self.first.max(block_first(block(address)))
    }

    /// The block of one of the window's addresses.
    #[inline]
    fn bits<'a>(&'a self, map: Map, address: u32, space: &'a Space) -> Option<Block<'a>> {
        let crown = self.trunk.crown(map);
        let of = |run: &'a Run| Block::new(run.leaves(map)?, run.place(address)?, crown, address);
        of(&self.run).or_else(|| of(space.run(address)?))
    }
}

/// An address in each /14 that the window touches.
fn branches(&(first, last): &(u32, u32)) -> impl Iterator<Item = u32> + use<> {
    let step = BRANCH as u32;
    (first / step..=last / step).map(move |branch| branch * step)
}

/// The bounds of the windows over some ranges, in the order of use.
fn windows(ranges: &[Range]) -> Vec<(u32, u32)> {
    let mut all: Vec<_> = ranges.iter().map(bounds).collect();
    if RANGE_ORDER == RangeOrder::HighestAddress {
        all = joined(all);
        all.sort_unstable_by_key(|&bounds| Reverse(bounds));
    }
    let cut = |(first, last): (u32, u32)| {
        (trunk(first)..=trunk(last)).rev().map(move |number| {
            let low = if number == trunk(first) { first } else { trunk_last(number - 1) + 1 };
            (low, last.min(trunk_last(number)))
        })
    };
    all.into_iter().flat_map(cut).collect()
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use core::net::Ipv4Addr;

    fn cut(ranges: &[(u32, u32)]) -> Vec<(u32, u32)> {
        let range =
            |&(a, b): &(u32, u32)| Range::new(Ipv4Addr::from_bits(a), Ipv4Addr::from_bits(b));
        windows(&ranges.iter().map(range).collect::<Vec<_>>())
    }

    #[test]
    fn windows_go_down_and_end_where_a_trunk_ends() {
        let max = u32::MAX;
        assert_eq!(cut(&[(0, 0), (max, max)]), [(max, max), (0, 0)]);
        assert_eq!(cut(&[(3, 4), (5, 6), (9, 9)]), [(9, 9), (3, 6)]);
        let edge = 1 << 24;
        assert_eq!(cut(&[(edge - 1, edge)]), [(edge, edge), (edge - 1, edge - 1)]);
        let all = cut(&[(0, max)]);
        assert_eq!(all.len(), 256);
        assert_eq!((all[0], all[255]), ((0xff00_0000, max), (0, edge - 1)));
        assert!(all.windows(2).all(|pair| pair[1].1 + 1 == pair[0].0));
    }

    #[test]
    fn branches_are_those_that_a_window_touches() {
        let of = |bounds| branches(&bounds).collect::<Vec<_>>();
        assert_eq!(of((0, 0)), [0]);
        assert_eq!(of((BRANCH as u32 - 1, BRANCH as u32)), [0, BRANCH as u32]);
        assert_eq!(of((u32::MAX, u32::MAX)), [u32::MAX - (BRANCH as u32 - 1)]);
        assert_eq!(of((0xff00_0000, u32::MAX)).len(), FAN);
    }
}
