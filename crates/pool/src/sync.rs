//! The atomics: those of `core`, or of the model checker that a test build asks for.

#[cfg(all(test, loom))]
mod loom;

#[cfg(not(all(test, loom)))]
pub(crate) use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

#[cfg(all(test, loom))]
pub(crate) use self::loom::{AtomicU32, AtomicU64};
#[cfg(all(test, loom))]
pub(crate) use ::loom::sync::atomic::Ordering;

/// A load that takes part in the one order of all sequentially consistent accesses.
#[inline]
pub(crate) fn load_in_order(word: &AtomicU64) -> u64 {
    #[cfg(all(test, loom))]
    return word.load_in_order();
    #[cfg(not(all(test, loom)))]
    word.load(Ordering::SeqCst)
}
