//! The bits of one map and its summaries, which are hints.
//!
//! A bit of a word is the truth. A bit of a summary says that something below is probably not
//! empty. A summary bit that is set over an empty word is repaired by whoever falls into it. A
//! summary bit that is missing over a word with bits is transient: somebody is between two steps
//! of [`Block::set`] or [`Block::clear`]; only a scan of the words proves that a range is empty.

use alloc::boxed::Box;

use crate::geometry::{
    ALL, FAN, below, bit, bit_digit, block, block_digit, block_first, branch_digit, highest, span,
    word_digit,
};
use crate::sync::{AtomicU64, Ordering};

/// The words of consecutive blocks, and a summary word for each block.
pub(crate) struct Leaves {
    summaries: Box<[AtomicU64]>,
    words: Box<[AtomicU64]>,
}

impl Leaves {
    /// Leaves of `blocks` blocks with every bit set.
    pub(crate) fn full(blocks: usize) -> Self {
        Self { summaries: words(blocks, ALL), words: words(blocks * FAN, ALL) }
    }

    /// Leaves of `blocks` blocks with no bit set.
    pub(crate) fn empty(blocks: usize) -> Self {
        Self { summaries: words(blocks, 0), words: words(blocks * FAN, 0) }
    }
}

/// `count` words of the same value.
pub(crate) fn words(count: usize, value: u64) -> Box<[AtomicU64]> {
    (0..count).map(|_| AtomicU64::new(value)).collect()
}

/// The summaries above the blocks of one /8.
pub(crate) struct Crown {
    hint: AtomicU64,
    branches: Box<[AtomicU64]>,
}

impl Crown {
    pub(crate) fn empty() -> Self {
        Self { hint: AtomicU64::new(0), branches: words(FAN, 0) }
    }

    /// Says that the block of `address` is probably not empty.
    pub(crate) fn announce(&self, address: u32) {
        self.branches[branch_digit(address)].fetch_or(bit(block_digit(address)), Ordering::AcqRel);
        self.hint.fetch_or(bit(branch_digit(address)), Ordering::AcqRel);
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

    fn retract_branch(&self, branch: usize) {
        self.hint.fetch_and(!bit(branch), Ordering::AcqRel);
        if self.branches[branch].load(Ordering::Acquire) != 0 {
            self.hint.fetch_or(bit(branch), Ordering::AcqRel);
        }
    }
}

/// The first address of a block of the /8 of `address`.
fn at(address: u32, branch: usize, block_in_branch: usize) -> u32 {
    let trunk = block(address) as usize / (FAN * FAN);
    block_first(((trunk * FAN + branch) * FAN + block_in_branch) as u32)
}

/// One block of one map: its words, its summary, and the crown above it.
#[derive(Clone, Copy)]
pub(crate) struct Block<'a> {
    words: &'a [AtomicU64],
    summary: &'a AtomicU64,
    crown: &'a Crown,
    first: u32,
}

impl<'a> Block<'a> {
    /// The block with number `block`, which is the one at `offset` in `leaves`.
    pub(crate) fn new(leaves: &'a Leaves, offset: usize, crown: &'a Crown, block: u32) -> Self {
        Self {
            words: &leaves.words[offset * FAN..][..FAN],
            summary: &leaves.summaries[offset],
            crown,
            first: block_first(block),
        }
    }

    /// Whether the address's bit is set now.
    pub(crate) fn is_set(&self, address: u32) -> bool {
        let bits = self.words[word_digit(address)].load(Ordering::Acquire);
        bits & bit(bit_digit(address)) != 0
    }

    /// The bits of `first..=last`, both in this block, that are set now.
    pub(crate) fn count(&self, first: u32, last: u32) -> u32 {
        (word_digit(first)..=word_digit(last))
            .map(|word| {
                let bits = self.words[word].load(Ordering::Acquire);
                (bits & edges(word, first, last)).count_ones()
            })
            .sum()
    }

    /// Sets the address's bit; false if it was set before.
    pub(crate) fn set(&self, address: u32) -> bool {
        let mine = bit(bit_digit(address));
        let before = self.words[word_digit(address)].fetch_or(mine, Ordering::AcqRel);
        if before == 0 {
            self.announce_word(word_digit(address));
        }
        before & mine == 0
    }

    /// Clears the address's bit; true if it was set, so that the caller alone has it now.
    pub(crate) fn clear(&self, address: u32) -> bool {
        self.clear_bit(word_digit(address), bit(bit_digit(address)))
    }

    /// Clears the highest bit of `first..=last`, both in this block, that the summary leads to.
    pub(crate) fn clear_highest(&self, first: u32, last: u32) -> Option<u32> {
        let summary = self.summary.load(Ordering::Acquire);
        if summary == 0 {
            self.retract_stale_block();
            return None;
        }
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
    pub(crate) fn clear_highest_by_scan(&self, first: u32, last: u32) -> Option<u32> {
        (word_digit(first)..=word_digit(last)).rev().find_map(|word| {
            let mask = edges(word, first, last);
            if self.words[word].load(Ordering::Acquire) & mask == 0 {
                return None;
            }
            self.summary.fetch_or(bit(word), Ordering::AcqRel);
            self.crown.announce(self.first);
            self.clear_highest_of(word, mask)
        })
    }

    fn clear_highest_of(&self, word: usize, mask: u64) -> Option<u32> {
        loop {
            let bits = self.words[word].load(Ordering::Acquire);
            if bits == 0 {
                self.retract_word(word);
                return None;
            }
            if bits & mask == 0 {
                return None;
            }
            let digit = highest(bits & mask);
            // Losing the bit means that another thread got it.
            if self.clear_bit(word, bit(digit)) {
                return Some(self.first + (word * FAN + digit) as u32);
            }
        }
    }

    fn clear_bit(&self, word: usize, mine: u64) -> bool {
        let before = self.words[word].fetch_and(!mine, Ordering::AcqRel);
        if before == mine {
            self.retract_word(word);
        }
        before & mine != 0
    }

    /// The word has got its first bit: says so, up to the first summary that is not empty.
    fn announce_word(&self, word: usize) {
        if self.summary.fetch_or(bit(word), Ordering::AcqRel) == 0 {
            self.announce_block();
        }
    }

    fn announce_block(&self) {
        let branch = branch_digit(self.first);
        let mine = bit(block_digit(self.first));
        if self.crown.branches[branch].fetch_or(mine, Ordering::AcqRel) == 0 {
            self.crown.hint.fetch_or(bit(branch), Ordering::AcqRel);
        }
    }

    /// The word was seen empty: takes back the summary bit, then looks at the word again.
    ///
    /// Whoever sets a bit after that look finds the summary bit missing and sets it; whoever set
    /// one before it is seen here, because both sides write the summary word in between.
    fn retract_word(&self, word: usize) {
        let mine = bit(word);
        let before = self.summary.fetch_and(!mine, Ordering::AcqRel);
        if before & mine == 0 {
            return;
        }
        if self.words[word].load(Ordering::Acquire) != 0 {
            self.announce_word(word);
        } else if before == mine {
            self.retract_block();
        }
    }

    fn retract_block(&self) {
        let branch = branch_digit(self.first);
        let mine = bit(block_digit(self.first));
        let before = self.crown.branches[branch].fetch_and(!mine, Ordering::AcqRel);
        if before & mine == 0 {
            return;
        }
        if self.summary.load(Ordering::Acquire) != 0 {
            self.announce_block();
        } else if before == mine {
            self.crown.retract_branch(branch);
        }
    }

    fn retract_stale_block(&self) {
        let blocks = self.crown.branches[branch_digit(self.first)].load(Ordering::Acquire);
        if blocks & bit(block_digit(self.first)) != 0 {
            self.retract_block();
        }
    }
}

/// The bits of one word of the block that lie in `first..=last`.
pub(crate) fn edges(word: usize, first: u32, last: u32) -> u64 {
    let low = if word == word_digit(first) { bit_digit(first) } else { 0 };
    let high = if word == word_digit(last) { bit_digit(last) } else { FAN - 1 };
    span(low, high)
}
