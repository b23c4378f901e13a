//! The atomics: those of `core`, or those of a test build that counts or reorders accesses.

#[cfg(all(test, loom))]
mod loom;
#[cfg(all(test, not(loom), not(shuttle)))]
pub(crate) mod steps;

use crate::mutant::{Mutant, planted};

#[cfg(not(test))]
pub(crate) use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

#[cfg(all(test, loom))]
pub(crate) use self::loom::{AtomicU32, AtomicU64, Ordering};
#[cfg(all(test, not(loom), not(shuttle)))]
pub(crate) use self::steps::{AtomicU32, AtomicU64, Ordering};
#[cfg(all(test, not(loom), shuttle))]
pub(crate) use shuttle::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// A load that takes part in the one order of all sequentially consistent accesses.
#[inline]
pub(crate) fn load_in_order(word: &AtomicU64) -> u64 {
    if planted(Mutant::LoadsOutOfOrder) {
        return word.load(Ordering::Acquire);
    }
    #[cfg(all(test, loom))]
    return word.load_in_order();
    #[cfg(not(all(test, loom)))]
    word.load(Ordering::SeqCst)
}
