//! Where an address lies: bit, word (/26), block (/20), branch (/14), trunk (/8).
//!
//! Every level has the same fan-out and is aligned to the address itself, so an address is read as
//! digits, and no two pools can disagree about where its bit is.

/// Binary logarithm of the fan-out. The model checker gets words of two bits, else it never ends.
pub(crate) const FAN_LOG: u32 = if cfg!(all(test, loom)) { 1 } else { 6 };
/// Bits in a word, words in a block, blocks in a branch, branches in a trunk.
pub(crate) const FAN: usize = 1 << FAN_LOG;
/// A word with all its bits set.
pub(crate) const ALL: u64 = u64::MAX >> (64 - FAN);
/// Addresses in a block.
pub(crate) const BLOCK: usize = FAN * FAN;
/// Addresses in a branch.
pub(crate) const BRANCH: usize = FAN * BLOCK;
/// Blocks in a trunk.
pub(crate) const TRUNK_BLOCKS: usize = FAN * FAN;

const BLOCK_LOG: u32 = 2 * FAN_LOG;
const TRUNK_LOG: u32 = 4 * FAN_LOG;

/// The block of an address: its /20.
pub(crate) const fn block(address: u32) -> u32 {
    address >> BLOCK_LOG
}

/// The first address of a block.
pub(crate) const fn block_first(block: u32) -> u32 {
    block << BLOCK_LOG
}

/// The last address of a block.
pub(crate) const fn block_last(block: u32) -> u32 {
    block_first(block) | (BLOCK as u32 - 1)
}

/// The trunk of an address: its /8.
pub(crate) const fn trunk(address: u32) -> u32 {
    address >> TRUNK_LOG
}

/// The last address of a trunk.
pub(crate) const fn trunk_last(trunk: u32) -> u32 {
    (trunk << TRUNK_LOG) | ((BLOCK * TRUNK_BLOCKS) as u32 - 1)
}

/// The bit of an address in its word.
pub(crate) const fn bit_digit(address: u32) -> usize {
    address as usize % FAN
}

/// The word of an address in its block.
pub(crate) const fn word_digit(address: u32) -> usize {
    (address >> FAN_LOG) as usize % FAN
}

/// The block of an address in its branch.
pub(crate) const fn block_digit(address: u32) -> usize {
    (address >> BLOCK_LOG) as usize % FAN
}

/// The branch of an address in its trunk.
pub(crate) const fn branch_digit(address: u32) -> usize {
    (address >> (3 * FAN_LOG)) as usize % FAN
}

/// A word with one bit set.
pub(crate) const fn bit(digit: usize) -> u64 {
    1 << digit
}

/// A word with the bits `first..=last` set.
pub(crate) const fn span(first: usize, last: usize) -> u64 {
    (u64::MAX << first) & (u64::MAX >> (63 - last))
}

/// A word with the bits under `digit` set.
pub(crate) const fn below(digit: usize) -> u64 {
    (1 << digit) - 1
}

/// The digit of the highest bit of a word that is not empty.
pub(crate) const fn highest(word: u64) -> usize {
    63 - word.leading_zeros() as usize
}
