//! Bugs on purpose, for the simulator to find; compiled away without `--cfg leasehold_planted`.
//!
//! No shipped build has that switch: there, [`planted!`] is the constant `false`. Only what cannot
//! be planted from outside is here; the other bugs are in the simulator's own worker and disk.

/// A bug in the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Planted {
    /// A restart does not take the addresses of its leases out of the pools.
    RestoreTakesNothing,
    /// An offer is honoured though the address is another client's by now.
    StaleOffer,
    /// A shorter renewal ends before what was promised before.
    RenewalShortens,
}

#[cfg(leasehold_planted)]
mod switch {
    use core::cell::Cell;

    use super::Planted;

    std::thread_local! {
        static PLANTED: Cell<Option<Planted>> = const { Cell::new(None) };
    }

    /// Every engine of this thread has this bug from now on, or none.
    pub fn plant(bug: Option<Planted>) {
        PLANTED.set(bug);
    }

    pub(crate) fn is(bug: Planted) -> bool {
        PLANTED.get() == Some(bug)
    }
}

#[cfg(leasehold_planted)]
pub(crate) use self::switch::is;
#[cfg(leasehold_planted)]
pub use self::switch::plant;

/// Whether this bug was planted.
#[cfg(leasehold_planted)]
macro_rules! planted {
    ($bug:ident) => {
        $crate::planted::is($crate::planted::Planted::$bug)
    };
}

/// Whether this bug was planted: never, in this build.
#[cfg(not(leasehold_planted))]
macro_rules! planted {
    ($bug:ident) => {
        false
    };
}

pub(crate) use planted;
