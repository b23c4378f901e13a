//! What the snapshots of a universe share: blocks of bits, and the summaries above them.

use alloc::boxed::Box;
use core::array::from_fn;

use crate::bits::{Crown, Leaves, Words, count, words};
use crate::geometry::{BLOCK, FAN, bit, bit_digit, block, word_digit};
use crate::sync::{AtomicU32, AtomicU64, Ordering, load_in_order};

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

/// The summaries of a /8, and the watches over it.
pub(crate) struct Trunk {
    fresh: Crown,
    remembered: Crown,
    watches: [Watch; FAN],
}

/// Notices releases in a /14 while somebody needs to know: a number that never falls, odd while
/// the next release shall be noticed.
///
/// The watcher sets it and then reads words of the map; a release writes a word and then reads it.
/// As with the summaries, one of the two sees the other: an odd number that stays the same means
/// that no release has ended whose bit the watcher could not see. On a line of its own, as every
/// release reads it.
#[repr(align(128))]
pub(crate) struct Watch(AtomicU64);

impl Watch {
    /// Asks for the next release to be noticed.
    pub(crate) fn set(&self) -> u64 {
        self.0.fetch_or(1, Ordering::SeqCst) | 1
    }

    /// The same number as before, if no release has been noticed since.
    pub(crate) fn number(&self) -> u64 {
        load_in_order(&self.0)
    }

    /// Says that a token has been laid down.
    #[inline]
    pub(crate) fn notice(&self) {
        let number = load_in_order(&self.0);
        if number % 2 == 1 {
            // If it fails, another release has been noticed: that is enough.
            let next = number + 1;
            let _ = self.0.compare_exchange(number, next, Ordering::SeqCst, Ordering::Relaxed);
        }
    }
}

impl Trunk {
    pub(crate) fn new() -> Self {
        let watches = from_fn(|_| Watch(AtomicU64::new(0)));
        Self { fresh: Crown::empty(), remembered: Crown::empty(), watches }
    }

    #[inline]
    pub(crate) fn watch(&self, branch: usize) -> &Watch {
        &self.watches[branch]
    }

    pub(crate) fn crown(&self, map: Map) -> &Crown {
        match map {
            Map::Fresh => &self.fresh,
            Map::Remembered => &self.remembered,
        }
    }
}

/// Consecutive blocks of one /8, made together.
pub(crate) struct Run {
    /// The number of the first block.
    first: u32,
    fresh: Leaves,
    /// None in a space that remembers no owners.
    memory: Option<Memory>,
    reservations: Box<[Reservations]>,
}

/// What blocks remember of their addresses.
pub(crate) struct Memory {
    remembered: Leaves,
    tags: Box<[AtomicU32]>,
}

/// What a block keeps apart from the free addresses.
pub(crate) struct Reservations {
    /// The words of `reserved` that have ever had a bit.
    reserved_words: AtomicU64,
    reserved: Words,
    vacant: Words,
    quarantined: Words,
}

impl Run {
    /// The blocks from number `first`; all their addresses are fresh.
    pub(crate) fn new(first: u32, blocks: usize, memory: bool) -> Self {
        Self {
            first,
            fresh: Leaves::full(blocks),
            memory: memory.then(|| Memory::new(blocks)),
            reservations: (0..blocks).map(|_| Reservations::new()).collect(),
        }
    }

    /// The place of the address's block among these.
    #[inline]
    pub(crate) fn place(&self, address: u32) -> Option<usize> {
        let place = block(address).checked_sub(self.first)? as usize;
        (place < self.reservations.len()).then_some(place)
    }

    #[inline]
    pub(crate) fn leaves(&self, map: Map) -> Option<&Leaves> {
        match map {
            Map::Fresh => Some(&self.fresh),
            Map::Remembered => self.memory.as_ref().map(|memory| &memory.remembered),
        }
    }

    /// The tag of the address, whose block is at `place`; none in a space without memory.
    #[inline]
    pub(crate) fn tag(&self, place: usize, address: u32) -> Option<&AtomicU32> {
        self.memory.as_ref()?.tags.get(place * BLOCK + address as usize % BLOCK)
    }

    #[inline]
    pub(crate) fn reservations(&self, place: usize) -> Option<&Reservations> {
        self.reservations.get(place)
    }
}

impl Memory {
    fn new(blocks: usize) -> Self {
        let tags = (0..blocks * BLOCK).map(|_| AtomicU32::new(0)).collect();
        Self { remembered: Leaves::empty(blocks), tags }
    }
}

impl Reservations {
    fn new() -> Self {
        Self {
            reserved_words: AtomicU64::new(0),
            reserved: words(0),
            vacant: words(0),
            quarantined: words(0),
        }
    }

    /// The word and the bit that say whether the address is reserved and nobody has it.
    pub(crate) fn vacant(&self, address: u32) -> (&AtomicU64, u64) {
        (&self.vacant[word_digit(address)], bit(bit_digit(address)))
    }

    /// The word and the bit that say whether the address is in quarantine.
    pub(crate) fn quarantined(&self, address: u32) -> (&AtomicU64, u64) {
        (&self.quarantined[word_digit(address)], bit(bit_digit(address)))
    }

    #[inline]
    pub(crate) fn is_reserved(&self, address: u32) -> bool {
        let words = self.reserved_words.load(Ordering::Acquire);
        words & bit(word_digit(address)) != 0 && {
            let word = self.reserved[word_digit(address)].load(Ordering::Acquire);
            word & bit(bit_digit(address)) != 0
        }
    }

    pub(crate) fn reserve(&self, address: u32) {
        let word = word_digit(address);
        self.reserved[word].fetch_or(bit(bit_digit(address)), Ordering::AcqRel);
        self.reserved_words.fetch_or(bit(word), Ordering::AcqRel);
    }

    pub(crate) fn unreserve(&self, address: u32) {
        let mine = bit(bit_digit(address));
        self.reserved[word_digit(address)].fetch_and(!mine, Ordering::AcqRel);
    }

    /// How many of `first..=last`, both in this block, are quarantined.
    pub(crate) fn count_quarantined(&self, first: u32, last: u32) -> u32 {
        count(&self.quarantined, first, last)
    }
}
