//! Bugs that the proofs must find, planted only in a test build for the model checker.

/// A bug that was once possible, or nearly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mutant {
    /// The summaries are believed: nothing announced means nothing free.
    BelieveHints,
    /// What is not found near a home is not there.
    HomeIsAll,
    /// A summary bit is taken back without looking at the word again.
    NoSecondLookAtWord,
    /// A block's hint is taken back without looking at its summary again.
    NoSecondLookAtSummary,
    /// The summary is told of a bit before the bit is there.
    AnnounceBeforeBit,
    /// Writing a word and then reading its summary are not ordered with the opposite.
    LoadsOutOfOrder,
    /// The scan is believed, whatever was released behind its back.
    NoLookAtWatches,
    /// The watches are read, but not set.
    WatchesNotSet,
    /// A release is noticed before the bit is there.
    NoticeBeforeBit,
    /// The pools of a chain are proved empty one after the other, but not at one moment.
    ProofsApart,
    /// A reservation that changes while a token is laid down is missed.
    NoSecondLookAtReservation,
    /// The tag is written when the token is out of the writer's hands.
    TagAfterToken,
    /// The tag is read only before the token is taken.
    NoSecondLookAtTag,
}

#[cfg(all(test, loom))]
std::thread_local! {
    static PLANTED: core::cell::Cell<Option<Mutant>> = const { core::cell::Cell::new(None) };
}

/// Whether this bug is planted. Never, outside the model checker.
#[inline]
pub(crate) fn planted(mutant: Mutant) -> bool {
    #[cfg(all(test, loom))]
    return PLANTED.with(|planted| planted.get() == Some(mutant));
    #[cfg(not(all(test, loom)))]
    {
        let _ = mutant;
        false
    }
}

/// Runs `run` with the bug planted, on this thread and on those that the model checker makes.
#[cfg(all(test, loom))]
pub(crate) fn with_planted<T>(mutant: Option<Mutant>, run: impl FnOnce() -> T) -> T {
    PLANTED.with(|planted| planted.set(mutant));
    let result = run();
    PLANTED.with(|planted| planted.set(None));
    result
}
