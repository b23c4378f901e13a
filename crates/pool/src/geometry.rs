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
/// Words in a line of the processor's cache.
const LINE_WORDS: usize = if FAN < 8 { FAN } else { 8 };
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

/// The first and the last address whose bits are in the line of this one's; all in one block.
pub(crate) const fn line(address: u32) -> (u32, u32) {
    let rest = (FAN * LINE_WORDS) as u32 - 1;
    (address & !rest, address | rest)
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

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    /// The ends of all, and both sides of every kind of edge.
    const EDGES: [u32; 14] = [
        0,
        1,
        63,
        64,
        4_095,
        4_096,
        (1 << 18) - 1,
        1 << 18,
        (1 << 24) - 1,
        1 << 24,
        0x7fff_ffff,
        0x8000_0000,
        u32::MAX - 1,
        u32::MAX,
    ];

    #[test]
    fn digits_make_the_address_again() {
        for address in EDGES {
            let digits = [branch_digit, block_digit, word_digit, bit_digit].map(|of| of(address));
            let again = digits.iter().fold(trunk(address) as usize, |all, digit| all * FAN + digit);
            assert_eq!(again, address as usize);
            assert!(digits.iter().all(|&digit| digit < FAN));
        }
    }

    #[test]
    fn blocks_and_trunks_begin_and_end_where_they_should() {
        for address in EDGES {
            let number = block(address);
            assert_eq!(
                (block_first(number), block_last(number)),
                (address & !0xfff, address | 0xfff)
            );
            assert_eq!(trunk_last(trunk(address)), address | 0xff_ffff);
        }
    }

    #[test]
    fn spans_are_the_bits_that_they_say() {
        for first in 0..FAN {
            assert_eq!(highest(bit(first)), first);
            assert_eq!(below(first).count_ones() as usize, first);
            for last in first..FAN {
                let expected = (first..=last).fold(0, |word, digit| word | bit(digit));
                assert_eq!(span(first, last), expected);
            }
        }
        assert_eq!(span(0, FAN - 1), ALL);
    }
}
