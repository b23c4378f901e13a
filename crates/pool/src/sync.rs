//! The atomics: those of `core`, or of the model checker that a test build asks for.

#[cfg(not(all(test, loom)))]
pub(crate) use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};
#[cfg(all(test, loom))]
pub(crate) use loom::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// A load that takes part in the one order of all sequentially consistent accesses.
///
/// The model checker knows that order for fences alone.
pub(crate) fn load_in_order(word: &AtomicU64) -> u64 {
    #[cfg(all(test, loom))]
    loom::sync::atomic::fence(Ordering::SeqCst);
    word.load(Ordering::SeqCst)
}
