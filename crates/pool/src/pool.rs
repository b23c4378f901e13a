//! One pool: windows over the bits of its space, the search through them, and the proof that they
//! are empty.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::cmp::Reverse;
use core::iter::Sum;
use core::ops::AddAssign;

use crate::check::{bounds, joined};
use crate::geometry::{block, block_first, block_last, branch_digit, trunk, trunk_last};
use crate::plan::{PoolPlan, Range};
use crate::space::{MAPS, Map, Space};
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
    /// An address in each /14 that a window touches.
    branches: Box<[u32]>,
    /// The sum of frees at which the pool was last proved empty.
    empty_at: AtomicU64,
}

/// `first..=last`, both in one /8.
#[derive(Clone, Copy)]
struct Window {
    first: u32,
    last: u32,
}

/// The sum of frees of a pool's branches; equal at two moments if no free ended in between.
///
/// The counts never fall, so that equal sums are sums of equal counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct FreesSum(u64);

impl AddAssign for FreesSum {
    fn add_assign(&mut self, other: Self) {
        self.0 = self.0.wrapping_add(other.0);
    }
}

impl Sum for FreesSum {
    fn sum<I: Iterator<Item = Self>>(sums: I) -> Self {
        Self(sums.fold(0, |sum, other| sum.wrapping_add(other.0)))
    }
}

/// What a look for a free address came to.
pub(crate) enum Found {
    /// Its token is ours.
    Address(u32),
    /// At a moment during the call nothing was free.
    Empty(FreesSum),
}

impl Pool {
    pub(crate) fn new(plan: &PoolPlan, next: Option<u32>, chain: u32) -> Self {
        let windows = windows(&plan.ranges);
        let mut branches: Vec<u32> = windows.iter().flat_map(Window::branches).collect();
        branches.sort_unstable();
        branches.dedup();
        Self {
            name: plan.name.clone(),
            space: plan.space,
            ranges: plan.ranges.clone(),
            next,
            chain,
            windows,
            branches: branches.into(),
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
            if let Some(address) = self.take_by_hints(space) {
                return Found::Address(address);
            }
            let before = self.frees(space);
            if self.empty_at.load(Ordering::Acquire) == before.0 {
                return Found::Empty(before);
            }
            if let Some(address) = self.take_by_scan(space) {
                return Found::Address(address);
            }
            // Nothing was in any word when it was looked at, and no release ended since the first
            // look: what is there by now belongs to releases that have not ended.
            if self.frees(space) == before {
                self.empty_at.store(before.0, Ordering::Release);
                return Found::Empty(before);
            }
        }
    }

    /// The sum of frees of the branches that the pool touches.
    pub(crate) fn frees(&self, space: &Space) -> FreesSum {
        let of = |&address: &u32| {
            let branches = space.branches(address)?;
            Some(branches.trunk.frees(branch_digit(address)))
        };
        FreesSum(self.branches.iter().filter_map(of).sum())
    }

    pub(crate) fn usage(&self, space: &Space) -> Usage {
        let mut usage = Usage::default();
        for window in &self.windows {
            usage.total += u64::from(window.last - window.first) + 1;
            for number in block(window.first)..=block(window.last) {
                let first = window.first.max(block_first(number));
                let last = window.last.min(block_last(number));
                let Some(site) = space.site(last) else { continue };
                let free = MAPS.iter().filter_map(|&map| site.block(map));
                usage.available += free.map(|b| u64::from(b.count(first, last))).sum::<u64>();
                usage.quarantined += u64::from(site.quarantined(first, last));
            }
        }
        usage.used = usage.total.saturating_sub(usage.available);
        usage
    }

    fn take_by_hints(&self, space: &Space) -> Option<u32> {
        let of = |map| {
            let windows = &mut self.windows.iter();
            windows.find_map(|window| space.clear_highest(map, window.first, window.last))
        };
        of(Map::Fresh).or_else(|| of(Map::Remembered))
    }

    fn take_by_scan(&self, space: &Space) -> Option<u32> {
        let of = |map| {
            let windows = &mut self.windows.iter();
            windows.find_map(|window| space.clear_highest_by_scan(map, window.first, window.last))
        };
        of(Map::Fresh).or_else(|| of(Map::Remembered))
    }
}

impl Window {
    /// An address in each /14 that the window touches.
    fn branches(&self) -> impl Iterator<Item = u32> + use<> {
        let step = crate::geometry::BRANCH as u32;
        let (first, last) = (self.first / step, self.last / step);
        (first..=last).map(move |branch| branch * step)
    }
}

fn windows(ranges: &[Range]) -> Box<[Window]> {
    let mut bounds: Vec<_> = ranges.iter().map(bounds).collect();
    if RANGE_ORDER == RangeOrder::HighestAddress {
        bounds = joined(bounds);
        bounds.sort_unstable_by_key(|&bounds| Reverse(bounds));
    }
    let cut = |(first, last): (u32, u32)| {
        (trunk(first)..=trunk(last)).rev().map(move |number| Window {
            first: if number == trunk(first) { first } else { trunk_last(number - 1) + 1 },
            last: last.min(trunk_last(number)),
        })
    };
    bounds.into_iter().flat_map(cut).collect()
}
