//! One address space: where the bits of its addresses are, and how an address changes hands.
//!
//! Each address of a block has exactly one token. It lies in the map of fresh addresses, in the
//! map of remembered ones, among the vacant reserved ones, or it is out, as a claim. Whoever clears
//! a token's bit has the token, and may write the address's tag until the token is laid down again.

use alloc::boxed::Box;
use alloc::sync::Arc;

use crate::bits::{Block, Crown, Leaves, edges, words};
use crate::geometry::{
    FAN, FAN_LOG, bit, bit_digit, block, block_first, block_last, branch_digit, trunk, word_digit,
};
use crate::sync::{AtomicU32, AtomicU64, Ordering};

/// The two maps of free addresses, in the order in which they are given out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Map {
    /// Remembered for nobody.
    Fresh,
    /// Remembered for their last owners.
    Remembered,
}

/// Both maps, fresh first.
pub(crate) const MAPS: [Map; 2] = [Map::Fresh, Map::Remembered];

/// What the snapshots of one universe share of a /8.
pub(crate) struct Trunk {
    fresh: Crown,
    remembered: Crown,
    frees: Box<[Frees]>,
}

/// How many tokens have been laid into the free maps of a /14, ever. On a line of its own: every
/// release writes it.
#[repr(align(128))]
struct Frees(AtomicU64);

impl Trunk {
    pub(crate) fn new() -> Self {
        let frees = (0..FAN).map(|_| Frees(AtomicU64::new(0))).collect();
        Self { fresh: Crown::empty(), remembered: Crown::empty(), frees }
    }

    pub(crate) fn announce_fresh(&self, address: u32) {
        self.fresh.announce(address);
    }

    /// How many tokens have been laid into the free maps of the branch, ever.
    pub(crate) fn frees(&self, branch: usize) -> u64 {
        self.frees[branch].0.load(Ordering::Acquire)
    }

    fn crown(&self, map: Map) -> &Crown {
        match map {
            Map::Fresh => &self.fresh,
            Map::Remembered => &self.remembered,
        }
    }
}

/// Consecutive blocks of one /8, made together and shared by the snapshots that know them.
pub(crate) struct Run {
    fresh: Leaves,
    memory: Option<Memory>,
    /// The words of each block that have ever held a reservation.
    reserved_words: Box<[AtomicU64]>,
    reserved: Box<[AtomicU64]>,
    vacant: Box<[AtomicU64]>,
    quarantined: Box<[AtomicU64]>,
}

struct Memory {
    remembered: Leaves,
    tags: Box<[AtomicU32]>,
}

impl Run {
    /// Blocks whose addresses are all fresh.
    pub(crate) fn new(blocks: usize, memory: bool) -> Self {
        let memory = memory.then(|| Memory {
            remembered: Leaves::empty(blocks),
            tags: (0..blocks * FAN * FAN).map(|_| AtomicU32::new(0)).collect(),
        });
        Self {
            fresh: Leaves::full(blocks),
            memory,
            reserved_words: words(blocks, 0),
            reserved: words(blocks * FAN, 0),
            vacant: words(blocks * FAN, 0),
            quarantined: words(blocks * FAN, 0),
        }
    }

    fn leaves(&self, map: Map) -> Option<&Leaves> {
        match map {
            Map::Fresh => Some(&self.fresh),
            Map::Remembered => self.memory.as_ref().map(|memory| &memory.remembered),
        }
    }
}

/// One snapshot's view of a /8.
#[derive(Clone)]
pub(crate) struct Branches {
    pub(crate) trunk: Arc<Trunk>,
    /// The number of the first block that has a slot.
    pub(crate) first: u32,
    /// For each block from the first: which run, and where in it.
    pub(crate) slots: Box<[Slot]>,
}

/// Where a block is. The run's number is above the offset.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Slot(u32);

impl Slot {
    pub(crate) const NONE: Slot = Slot(u32::MAX);
    const OFFSET_LOG: u32 = 2 * FAN_LOG;

    pub(crate) const fn new(run: usize, offset: usize) -> Self {
        Self((run << Self::OFFSET_LOG | offset) as u32)
    }

    const fn run(self) -> usize {
        (self.0 >> Self::OFFSET_LOG) as usize
    }

    const fn offset(self) -> usize {
        (self.0 & ((1 << Self::OFFSET_LOG) - 1)) as usize
    }
}

/// One snapshot's view of an address space.
#[derive(Clone, Default)]
pub(crate) struct Space {
    /// For each /8 from 0.0.0.0: its number in `trunks`, or `NO_TRUNK`.
    pub(crate) trunk_numbers: Box<[u16]>,
    pub(crate) trunks: Box<[Branches]>,
    pub(crate) runs: Box<[Arc<Run>]>,
    /// What the plan covers, lowest first.
    pub(crate) covered: Box<[(u32, u32)]>,
    /// What the plan reserves, lowest first.
    pub(crate) reserved: Box<[u32]>,
}

/// In `trunk_numbers`: a /8 that no plan has needed yet.
pub(crate) const NO_TRUNK: u16 = u16::MAX;

impl Space {
    /// Whether this snapshot's plan covers the address.
    pub(crate) fn covers(&self, address: u32) -> bool {
        let after = self.covered.partition_point(|&(first, _)| first <= address);
        after > 0 && address <= self.covered[after - 1].1
    }

    pub(crate) fn reserves(&self, address: u32) -> bool {
        self.reserved.binary_search(&address).is_ok()
    }

    /// The view of the address's /8.
    pub(crate) fn branches(&self, address: u32) -> Option<&Branches> {
        let number = *self.trunk_numbers.get(trunk(address) as usize)?;
        self.trunks.get(usize::from(number))
    }

    /// Where the address's bits are; none if no snapshot up to this one has covered its block.
    pub(crate) fn site(&self, address: u32) -> Option<Site<'_>> {
        let branches = self.branches(address)?;
        let slot = *branches.slots.get(block(address).checked_sub(branches.first)? as usize)?;
        let run = self.runs.get(slot.run())?;
        Some(Site { run, trunk: &branches.trunk, offset: slot.offset(), address })
    }

    /// Clears the highest token of `map` in `first..=last`, both in one /8, following the hints.
    pub(crate) fn clear_highest(&self, map: Map, first: u32, last: u32) -> Option<u32> {
        let branches = self.branches(last)?;
        let crown = branches.trunk.crown(map);
        let mut last = last;
        loop {
            let low = first.max(block_first(block(last)));
            let found = self.site(last)?.block(map)?.clear_highest(low, last);
            if found.is_some() {
                return found;
            }
            last = block_last(block(crown.lower(last)?));
            if last < first {
                return None;
            }
        }
    }

    /// Clears the highest token of `map` in `first..=last`, both in one /8, by looking at each word.
    pub(crate) fn clear_highest_by_scan(&self, map: Map, first: u32, last: u32) -> Option<u32> {
        (block(first)..=block(last)).rev().find_map(|number| {
            let low = first.max(block_first(number));
            let high = last.min(block_last(number));
            self.site(high)?.block(map)?.clear_highest_by_scan(low, high)
        })
    }
}

/// Where the bits of one address are.
#[derive(Clone, Copy)]
pub(crate) struct Site<'a> {
    run: &'a Run,
    trunk: &'a Trunk,
    offset: usize,
    address: u32,
}

impl<'a> Site<'a> {
    pub(crate) fn address(&self) -> u32 {
        self.address
    }

    /// The block of one map; a space without memory has no remembered addresses.
    pub(crate) fn block(&self, map: Map) -> Option<Block<'a>> {
        let leaves = self.run.leaves(map)?;
        Some(Block::new(leaves, self.offset, self.trunk.crown(map), block(self.address)))
    }

    /// The number of the last owner's tag; 0 for none.
    pub(crate) fn tag(&self) -> u32 {
        let tag = self.run.memory.as_ref().map(|memory| &memory.tags[self.tag_index()]);
        tag.map_or(0, |tag| tag.load(Ordering::Relaxed))
    }

    /// Writes the tag; only for the holder of the token.
    pub(crate) fn write_tag(&self, tag: u32) {
        if let Some(memory) = &self.run.memory {
            memory.tags[self.tag_index()].store(tag, Ordering::Relaxed);
        }
    }

    pub(crate) fn is_in(&self, map: Map) -> bool {
        self.block(map).is_some_and(|block| block.is_set(self.address))
    }

    /// Takes the token out of one map; false if it is not there.
    pub(crate) fn take_from(&self, map: Map) -> bool {
        self.block(map).is_some_and(|block| block.clear(self.address))
    }

    /// Takes the token out of the free maps; false if it is in neither.
    pub(crate) fn take_free(&self) -> bool {
        MAPS.into_iter().any(|map| self.take_from(map))
    }

    /// Takes the token from among the vacant reserved addresses; false if it is not there.
    pub(crate) fn take_vacant(&self) -> bool {
        self.word(&self.run.vacant).fetch_and(!self.bit(), Ordering::AcqRel) & self.bit() != 0
    }

    pub(crate) fn is_vacant(&self) -> bool {
        self.word(&self.run.vacant).load(Ordering::Acquire) & self.bit() != 0
    }

    pub(crate) fn is_reserved(&self) -> bool {
        let words = self.run.reserved_words[self.offset].load(Ordering::Acquire);
        words & bit(word_digit(self.address)) != 0
            && self.word(&self.run.reserved).load(Ordering::Acquire) & self.bit() != 0
    }

    pub(crate) fn is_quarantined(&self) -> bool {
        self.word(&self.run.quarantined).load(Ordering::Acquire) & self.bit() != 0
    }

    /// Marks the address as quarantined; only for the holder of the token.
    pub(crate) fn mark_quarantined(&self) {
        self.word(&self.run.quarantined).fetch_or(self.bit(), Ordering::AcqRel);
    }

    pub(crate) fn unmark_quarantined(&self) {
        self.word(&self.run.quarantined).fetch_and(!self.bit(), Ordering::AcqRel);
    }

    /// The quarantined addresses of `first..=last`, both in this block.
    pub(crate) fn quarantined(&self, first: u32, last: u32) -> u32 {
        (word_digit(first)..=word_digit(last))
            .map(|word| {
                let bits = self.run.quarantined[self.offset * FAN + word].load(Ordering::Acquire);
                (bits & edges(word, first, last)).count_ones()
            })
            .sum()
    }

    /// Lays the caller's token down where it belongs.
    ///
    /// The reservation may change meanwhile. So it is looked at again afterwards, and if it did,
    /// the token is moved by whoever gets it: us, or the one that changed the reservation. A
    /// second round means that a reconfiguration happened in between.
    pub(crate) fn lay_down(&self) {
        loop {
            let reserved = self.is_reserved();
            if reserved {
                self.word(&self.run.vacant).fetch_or(self.bit(), Ordering::AcqRel);
            } else {
                self.lay_free();
            }
            if self.is_reserved() == reserved {
                return;
            }
            let still_ours = if reserved { self.take_vacant() } else { self.take_free() };
            if !still_ours {
                return;
            }
        }
    }

    /// Sets the reservation; a free address becomes a vacant one.
    pub(crate) fn reserve(&self) {
        self.word(&self.run.reserved).fetch_or(self.bit(), Ordering::AcqRel);
        let word = bit(word_digit(self.address));
        self.run.reserved_words[self.offset].fetch_or(word, Ordering::AcqRel);
        if self.take_free() {
            self.lay_down();
        }
    }

    /// Ends the reservation; a vacant address becomes a free one.
    pub(crate) fn unreserve(&self) {
        self.word(&self.run.reserved).fetch_and(!self.bit(), Ordering::AcqRel);
        if self.take_vacant() {
            self.lay_down();
        }
    }

    fn lay_free(&self) {
        let remembered = self.block(Map::Remembered).filter(|_| self.tag() != 0);
        let block = remembered.or_else(|| self.block(Map::Fresh));
        let was_out = block.is_some_and(|block| block.set(self.address));
        debug_assert!(was_out, "a token was laid down twice: a claim of another universe");
        // After the bit: whoever finds the count unchanged after a scan has missed nothing that
        // was complete before.
        let branch = branch_digit(self.address);
        self.trunk.frees[branch].0.fetch_add(1, Ordering::AcqRel);
    }

    fn word<'b>(&self, words: &'b [AtomicU64]) -> &'b AtomicU64 {
        &words[self.offset * FAN + word_digit(self.address)]
    }

    fn bit(&self) -> u64 {
        bit(bit_digit(self.address))
    }

    fn tag_index(&self) -> usize {
        (self.offset * FAN + word_digit(self.address)) * FAN + bit_digit(self.address)
    }
}
