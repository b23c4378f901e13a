//! Atomics that count each access of a thread, and can stop it before any of them, for ever.

use core::cell::Cell;
use core::sync::atomic;
use std::boxed::Box;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

pub(crate) use core::sync::atomic::Ordering;

/// What a call did to shared memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Steps {
    /// Plain reads.
    pub(crate) loads: u32,
    /// Writes, and reads that write.
    pub(crate) writes: u32,
}

impl Steps {
    pub(crate) fn all(self) -> u32 {
        self.loads + self.writes
    }
}

std::thread_local! {
    static STEPS: Cell<Steps> = const { Cell::new(Steps { loads: 0, writes: 0 }) };
    static LIMIT: Cell<u32> = const { Cell::new(u32::MAX) };
}

/// What a stopped thread unwinds with.
struct Stopped;

/// Runs a call and counts its accesses.
pub(crate) fn counted<T>(run: impl FnOnce() -> T) -> (T, Steps) {
    STEPS.set(Steps::default());
    let result = run();
    (result, STEPS.get())
}

/// Runs a call that stops before access number `limit + 1` and never goes on; its result if it
/// needed no more than that.
pub(crate) fn stopped_after<T>(limit: u32, run: impl FnOnce() -> T) -> Option<T> {
    STEPS.set(Steps::default());
    LIMIT.set(limit);
    let outcome = catch_unwind(AssertUnwindSafe(run));
    LIMIT.set(u32::MAX);
    match outcome {
        Ok(result) => Some(result),
        Err(panic) if panic.is::<Stopped>() => None,
        Err(panic) => resume_unwind(panic),
    }
}

fn step(count: impl FnOnce(&mut Steps)) {
    let mut steps = STEPS.get();
    if steps.all() == LIMIT.get() {
        resume_unwind(Box::new(Stopped));
    }
    count(&mut steps);
    STEPS.set(steps);
}

macro_rules! atomic {
    ($name:ident, $value:ty) => {
        #[derive(Debug)]
        pub(crate) struct $name(atomic::$name);

        #[allow(dead_code, reason = "not each width needs each access")]
        impl $name {
            pub(crate) fn new(value: $value) -> Self {
                Self(atomic::$name::new(value))
            }

            pub(crate) fn load(&self, ordering: Ordering) -> $value {
                step(|steps| steps.loads += 1);
                self.0.load(ordering)
            }

            pub(crate) fn store(&self, value: $value, ordering: Ordering) {
                step(|steps| steps.writes += 1);
                self.0.store(value, ordering);
            }

            pub(crate) fn fetch_or(&self, value: $value, ordering: Ordering) -> $value {
                step(|steps| steps.writes += 1);
                self.0.fetch_or(value, ordering)
            }

            pub(crate) fn fetch_and(&self, value: $value, ordering: Ordering) -> $value {
                step(|steps| steps.writes += 1);
                self.0.fetch_and(value, ordering)
            }

            pub(crate) fn compare_exchange(
                &self,
                current: $value,
                new: $value,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$value, $value> {
                step(|steps| steps.writes += 1);
                self.0.compare_exchange(current, new, success, failure)
            }
        }
    };
}

atomic!(AtomicU32, u32);
atomic!(AtomicU64, u64);
