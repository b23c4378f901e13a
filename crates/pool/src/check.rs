//! The rules of a plan, and what follows from one that keeps them.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::net::Ipv4Addr;

use crate::geometry;
use crate::plan::{Plan, PlanError, PoolPlan, Range};
use crate::token::SpaceId;

/// What follows from a plan that keeps the rules.
pub(crate) struct Checked {
    /// The next pool of each pool.
    pub(crate) next: Vec<Option<u32>>,
    /// How many pools the chain from each pool has, each counted once.
    pub(crate) chain: Vec<u32>,
    /// The addresses of each space, lowest first, neighbours joined.
    pub(crate) covered: Vec<Vec<(u32, u32)>>,
}

impl Checked {
    pub(crate) fn new(plan: &Plan) -> Result<Self, PlanError> {
        if plan.spaces.len() > usize::from(u16::MAX) {
            return Err(PlanError::TooManySpaces);
        }
        let mut covered = Vec::new();
        covered.resize_with(plan.spaces.len(), Vec::new);
        for pool in &plan.pools {
            let pool_name = || PlanError::UnknownSpaceOfPool { pool: pool.name.clone() };
            let space = covered.get_mut(usize::from(pool.space.0)).ok_or_else(pool_name)?;
            space.extend(sorted_ranges(pool)?.iter().map(bounds));
        }
        for &(space, address) in plan.reserved.iter().chain(&plan.covered) {
            let unknown =
                || PlanError::UnknownSpaceOfAddress { address: Ipv4Addr::from_bits(address) };
            let space = covered.get_mut(usize::from(space.0)).ok_or_else(unknown)?;
            space.push((address, address));
        }
        let covered: Vec<_> = covered.into_iter().map(joined).collect();
        let addresses = covered.iter().map(|intervals| in_whole_blocks(intervals)).sum();
        if addresses > Plan::ADDRESSES_MAX {
            return Err(PlanError::TooManyAddresses { addresses });
        }
        let next = next_pools(plan)?;
        Ok(Self { chain: chain_lengths(&next), next, covered })
    }
}

/// For each pool, how many pools its chain has, each counted once.
fn chain_lengths(next: &[Option<u32>]) -> Vec<u32> {
    const UNKNOWN: u32 = 0;
    let mut lengths = Vec::new();
    lengths.resize(next.len(), UNKNOWN);
    let mut place_in_path: BTreeMap<usize, usize> = BTreeMap::new();
    for start in 0..next.len() {
        place_in_path.clear();
        let mut path = Vec::new();
        let mut at = Some(start);
        while let Some(id) =
            at.filter(|id| lengths[*id] == UNKNOWN && !place_in_path.contains_key(id))
        {
            place_in_path.insert(id, path.len());
            path.push(id);
            at = next[id].map(|id| id as usize);
        }
        let circle = at.and_then(|id| place_in_path.get(&id)).map(|&place| path.split_off(place));
        let mut length = match &circle {
            Some(circle) => circle.len() as u32,
            None => at.map_or(0, |id| lengths[id]),
        };
        circle.iter().flatten().for_each(|&id| lengths[id] = length);
        for id in path.into_iter().rev() {
            length += 1;
            lengths[id] = length;
        }
    }
    lengths
}

/// The blocks of some intervals, as intervals of block numbers, lowest first, disjoint.
pub(crate) fn blocks(intervals: &[(u32, u32)]) -> Vec<(u32, u32)> {
    joined(intervals.iter().map(|&(a, b)| (geometry::block(a), geometry::block(b))).collect())
}

/// The intervals in order, those that touch or overlap made one.
pub(crate) fn joined(mut intervals: Vec<(u32, u32)>) -> Vec<(u32, u32)> {
    intervals.sort_unstable();
    intervals.dedup_by(|&mut (first, last), (_, before)| {
        let touches = first <= before.saturating_add(1);
        if touches {
            *before = last.max(*before);
        }
        touches
    });
    intervals
}

pub(crate) fn bounds(range: &Range) -> (u32, u32) {
    (range.first.to_bits(), range.last.to_bits())
}

fn in_whole_blocks(intervals: &[(u32, u32)]) -> u64 {
    let count = |(first, last): &(u32, u32)| u64::from(last - first) + 1;
    blocks(intervals).iter().map(count).sum::<u64>() * geometry::BLOCK as u64
}

fn sorted_ranges(pool: &PoolPlan) -> Result<Vec<Range>, PlanError> {
    let name = || pool.name.clone();
    if pool.ranges.is_empty() {
        return Err(PlanError::NoRanges { pool: name() });
    }
    if let Some(&range) = pool.ranges.iter().find(|range| range.last < range.first) {
        return Err(PlanError::ReversedRange { pool: name(), range });
    }
    let mut ranges = pool.ranges.to_vec();
    ranges.sort_unstable_by_key(|range| (range.first, range.last));
    match ranges.windows(2).find(|pair| pair[1].first <= pair[0].last) {
        Some(pair) => {
            let (first, second) = (pair[0], pair[1]);
            Err(PlanError::OverlappingRanges { pool: name(), first, second })
        }
        None => Ok(ranges),
    }
}

fn next_pools(plan: &Plan) -> Result<Vec<Option<u32>>, PlanError> {
    let mut ids: BTreeMap<&str, (u32, SpaceId)> = BTreeMap::new();
    for (id, pool) in (0..).zip(&plan.pools) {
        if ids.insert(&pool.name, (id, pool.space)).is_some() {
            return Err(PlanError::DuplicatePool { pool: pool.name.clone() });
        }
    }
    let next_of = |pool: &PoolPlan| {
        let Some(next) = pool.next.clone() else { return Ok(None) };
        let pool_name = pool.name.clone();
        match ids.get(&*next) {
            Some(&(id, space)) if space == pool.space => Ok(Some(id)),
            Some(_) => Err(PlanError::NextPoolInOtherSpace { pool: pool_name, next }),
            None => Err(PlanError::UnknownNextPool { pool: pool_name, next }),
        }
    };
    plan.pools.iter().map(next_of).collect()
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn intervals_that_touch_are_joined_even_at_the_ends() {
        let max = u32::MAX;
        assert_eq!(joined(Vec::new()), []);
        assert_eq!(joined(Vec::from([(max, max), (0, 0)])), [(0, 0), (max, max)]);
        assert_eq!(joined(Vec::from([(max, max), (max - 1, max - 1)])), [(max - 1, max)]);
        assert_eq!(joined(Vec::from([(5, 9), (0, 3), (4, 4), (11, 12)])), [(0, 9), (11, 12)]);
        assert_eq!(joined(Vec::from([(0, max), (7, 8), (max, max)])), [(0, max)]);
        assert_eq!(in_whole_blocks(&[(0, max)]), 1 << 32);
        assert_eq!(in_whole_blocks(&[(4_095, 4_096), (max, max)]), 3 * 4_096);
        assert_eq!(in_whole_blocks(&[(0, 0), (4_095, 4_095)]), 4_096);
    }

    /// All ways in which five pools can have next pools.
    #[test]
    fn every_chain_counts_each_pool_once() {
        const POOLS: u32 = 5;
        for way in 0..(POOLS + 1).pow(POOLS) {
            let choice = |pool: u32| way / (POOLS + 1).pow(pool) % (POOLS + 1);
            let next: Vec<_> = (0..POOLS).map(|pool| choice(pool).checked_sub(1)).collect();
            let walked = |pool: u32| {
                let mut seen = Vec::from([pool]);
                while let Some(id) =
                    next[seen[seen.len() - 1] as usize].filter(|id| !seen.contains(id))
                {
                    seen.push(id);
                }
                seen.len() as u32
            };
            let expected: Vec<_> = (0..POOLS).map(walked).collect();
            assert_eq!(chain_lengths(&next), expected, "{next:?}");
        }
    }
}
