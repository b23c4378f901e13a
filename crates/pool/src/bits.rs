//! The bits of one map and its summaries, which are hints.
//!
//! A bit of a word is the truth. A bit of a summary says that something below is probably not
//! empty. A summary bit over an empty word is stale: the search that falls into it takes it back.
//! A summary bit that is missing over a word with bits is transient: some thread is between two
//! steps of [`Block::set`] or of taking back. So only a scan of the words proves that a range is
//! empty.
//!
//! Setting a bit and taking back a summary bit meet as Dekker's threads do: one writes the word and
//! then reads the summary, the other writes the summary and then reads the word. These four
//! accesses are sequentially consistent, so at least one of the two sees the other.

use alloc::boxed::Box;
use core::array::from_fn;
use core::ops::Range;

use crate::geometry::{
    ALL, FAN, below, bit, bit_digit, block, block_digit, block_first, branch_digit, highest, span,
    word_digit,
};
use crate::mutant::{Mutant, planted};
use crate::sync::{AtomicU64, Ordering, load_in_order};

/// The words of one block, in the order of the addresses.
pub(crate) type Words = [AtomicU64; FAN];

/// Words of one value.
pub(crate) fn words(value: u64) -> Words {
    from_fn(|_| AtomicU64::new(value))
}

/// Consecutive blocks of one map.
pub(crate) struct Leaves {
    /// Apart from the words, so that a look for the next block reads few lines.
    summaries: Box<[AtomicU64]>,
    words: Box<[Words]>,
}

impl Leaves {
    /// Blocks with every bit set.
    pub(crate) fn full(blocks: usize) -> Self {
        Self::new(blocks, ALL)
    }

    /// Blocks with no bit set.
    pub(crate) fn empty(blocks: usize) -> Self {
        Self::new(blocks, 0)
    }

    fn new(blocks: usize, value: u64) -> Self {
        Self {
            summaries: (0..blocks).map(|_| AtomicU64::new(value)).collect(),
            words: (0..blocks).map(|_| words(value)).collect(),
        }
    }

    /// The highest of the blocks at `places` that is probably not empty: a tight loop of its own.
    #[inline(never)]
    pub(crate) fn highest(&self, places: Range<usize>) -> Option<usize> {
        let summaries = self.summaries.get(places.clone())?;
        let found = summaries.iter().rposition(|summary| summary.load(Ordering::Acquire) != 0)?;
        Some(places.start + found)
    }
}

/// The summaries above the blocks of one /8.
pub(crate) struct Crown {
    hint: AtomicU64,
    branches: Words,
}

impl Crown {
    pub(crate) fn empty() -> Self {
        Self { hint: AtomicU64::new(0), branches: words(0) }
    }

    /// Says that the block of `address` is probably not empty, whatever the summaries say.
    pub(crate) fn announce(&self, address: u32) {
        let branch = branch_digit(address);
        self.branches[branch].fetch_or(bit(block_digit(address)), Ordering::SeqCst);
        self.hint.fetch_or(bit(branch), Ordering::SeqCst);
    }

    /// The nearest block under the one of `address` in the same /8 that is probably not empty,
    /// by an address in it.
    pub(crate) fn lower(&self, address: u32) -> Option<u32> {
        let branch = branch_digit(address);
        let left = self.branches[branch].load(Ordering::Acquire) & below(block_digit(address));
        if left != 0 {
            return Some(at(address, branch, highest(left)));
        }
        let mut branches = self.hint.load(Ordering::Acquire) & below(branch);
        while branches != 0 {
            let branch = highest(branches);
            let blocks = self.branches[branch].load(Ordering::Acquire);
            if blocks != 0 {
                return Some(at(address, branch, highest(blocks)));
            }
            self.retract_branch(branch);
            branches &= !bit(branch);
        }
        None
    }

    /// The block of `address` has got its first word.
    fn announce_block(&self, address: u32) {
        let branch = branch_digit(address);
        let mine = bit(block_digit(address));
        if load_in_order(&self.branches[branch]) & mine == 0
            && self.branches[branch].fetch_or(mine, Ordering::SeqCst) == 0
        {
            self.announce_branch(branch);
        }
    }

    fn announce_branch(&self, branch: usize) {
        if load_in_order(&self.hint) & bit(branch) == 0 {
            self.hint.fetch_or(bit(branch), Ordering::SeqCst);
        }
    }

    /// The branch was seen empty: takes back the hint, then looks again.
    fn retract_branch(&self, branch: usize) {
        self.hint.fetch_and(!bit(branch), Ordering::SeqCst);
        if load_in_order(&self.branches[branch]) != 0 {
            self.announce_branch(branch);
        }
    }
}

/// The first address of a block of the /8 of `address`.
fn at(address: u32, branch: usize, block_in_branch: usize) -> u32 {
    let trunk = block(address) as usize / (FAN * FAN);
    block_first(((trunk * FAN + branch) * FAN + block_in_branch) as u32)
}

/// One block of one map and the crown above it.
#[derive(Clone, Copy)]
pub(crate) struct Block<'a> {
    summary: &'a AtomicU64,
    words: &'a Words,
    crown: &'a Crown,
    first: u32,
}

impl<'a> Block<'a> {
    /// The block of `address`, which is the one at `place` in `leaves`.
    #[inline]
    pub(crate) fn new(
        leaves: &'a Leaves,
        place: usize,
        crown: &'a Crown,
        address: u32,
    ) -> Option<Self> {
        let (summary, words) = (leaves.summaries.get(place)?, leaves.words.get(place)?);
        Some(Self { summary, words, crown, first: block_first(block(address)) })
    }

    /// Whether the address's bit is set now.
    pub(crate) fn is_set(self, address: u32) -> bool {
        let bits = self.words[word_digit(address)].load(Ordering::Acquire);
        bits & bit(bit_digit(address)) != 0
    }

    /// How many bits of `first..=last`, both in this block, are set now.
    pub(crate) fn count(self, first: u32, last: u32) -> u32 {
        count(self.words, first, last)
    }

    /// Sets the address's bit; false if it was set before.
    #[inline]
    pub(crate) fn set(self, address: u32) -> bool {
        let (word, mine) = (word_digit(address), bit(bit_digit(address)));
        if planted(Mutant::AnnounceBeforeBit) {
            self.announce_word(word);
            return self.words[word].fetch_or(mine, Ordering::SeqCst) & mine == 0;
        }
        let before = self.words[word].fetch_or(mine, Ordering::SeqCst);
        if before == 0 {
            self.announce_word(word);
        }
        before & mine == 0
    }

    /// Clears the address's bit; true if it was set, so that the caller alone has it now.
    #[inline]
    pub(crate) fn clear(self, address: u32) -> bool {
        self.clear_bit(word_digit(address), bit(bit_digit(address)))
    }

    /// Clears the highest bit of `first..=last`, both in this block, that the summary leads to.
    #[inline]
    pub(crate) fn clear_highest(self, first: u32, last: u32) -> Option<u32> {
        let summary = self.summary.load(Ordering::Acquire);
        let mut candidates = summary & span(word_digit(first), word_digit(last));
        while candidates != 0 {
            let word = highest(candidates);
            if let Some(address) = self.clear_highest_of(word, edges(word, first, last)) {
                return Some(address);
            }
            candidates &= !bit(word);
        }
        None
    }

    /// Clears the highest bit of `first..=last`, both in this block, looking at every word.
    ///
    /// A word that the summaries had lost is announced again, as the thread that should have
    /// announced it may never run again.
    pub(crate) fn clear_highest_by_scan(self, first: u32, last: u32) -> Option<u32> {
        (word_digit(first)..=word_digit(last)).rev().find_map(|word| {
            let mask = edges(word, first, last);
            if load_in_order(&self.words[word]) & mask == 0 {
                return None;
            }
            self.summary.fetch_or(bit(word), Ordering::SeqCst);
            self.crown.announce(self.first);
            self.clear_highest_of(word, mask)
        })
    }

    /// The crown led here: if there is nothing at all, takes back its hint, then looks again.
    pub(crate) fn retract_if_empty(self) {
        if self.summary.load(Ordering::Acquire) != 0 {
            return;
        }
        let branch = &self.crown.branches[branch_digit(self.first)];
        branch.fetch_and(!bit(block_digit(self.first)), Ordering::SeqCst);
        if load_in_order(self.summary) != 0 && !planted(Mutant::NoSecondLookAtSummary) {
            self.crown.announce_block(self.first);
        }
    }

    #[inline]
    fn clear_highest_of(self, word: usize, mask: u64) -> Option<u32> {
        loop {
            let bits = self.words[word].load(Ordering::Acquire);
            if bits & mask == 0 {
                if bits == 0 {
                    self.retract_word(word);
                }
                return None;
            }
            let digit = highest(bits & mask);
            // If it is not set any more, another thread got it.
            if self.clear_bit(word, bit(digit)) {
                return Some(self.first + (word * FAN + digit) as u32);
            }
        }
    }

    /// A summary that becomes empty here is left to the search that the crown leads to it.
    #[inline]
    fn clear_bit(self, word: usize, mine: u64) -> bool {
        let before = self.words[word].fetch_and(!mine, Ordering::AcqRel);
        if before == mine {
            self.retract_word(word);
        }
        before & mine != 0
    }

    /// The word has got its first bit: says so, up to the first summary that says so already.
    fn announce_word(self, word: usize) {
        if load_in_order(self.summary) & bit(word) == 0
            && self.summary.fetch_or(bit(word), Ordering::SeqCst) == 0
        {
            self.crown.announce_block(self.first);
        }
    }

    /// The word was seen empty: takes back the summary bit, then looks at the word again.
    fn retract_word(self, word: usize) {
        self.summary.fetch_and(!bit(word), Ordering::SeqCst);
        if load_in_order(&self.words[word]) != 0 && !planted(Mutant::NoSecondLookAtWord) {
            self.announce_word(word);
        }
    }
}

/// How many bits of `first..=last`, both in the block of these words, are set now.
pub(crate) fn count(words: &Words, first: u32, last: u32) -> u32 {
    let of = |word: usize| words[word].load(Ordering::Acquire) & edges(word, first, last);
    (word_digit(first)..=word_digit(last)).map(|word| of(word).count_ones()).sum()
}

/// The bits of one word of the block that lie in `first..=last`.
#[inline]
fn edges(word: usize, first: u32, last: u32) -> u64 {
    let low = if word == word_digit(first) { bit_digit(first) } else { 0 };
    let high = if word == word_digit(last) { bit_digit(last) } else { FAN - 1 };
    span(low, high)
}
