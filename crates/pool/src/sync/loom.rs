//! The model checker's atomics, made so that it misses no interleaving.
//!
//! The checker looks for another order of two accesses only if the later one conflicts with the
//! last access of all. When a thread reads a word and then writes it, the write finds only that
//! thread's own read there, and the read of another thread before it is forgotten. So each access
//! here first touches a twin of the word in a way that conflicts with every other touch. The touch
//! is relaxed: it orders nothing.

use ::loom::sync::atomic;
pub(crate) use ::loom::sync::atomic::Ordering;

macro_rules! atomic {
    ($name:ident, $value:ty) => {
        #[derive(Debug)]
        pub(crate) struct $name {
            value: atomic::$name,
            twin: atomic::AtomicUsize,
        }

        #[allow(dead_code, reason = "not each width needs each access")]
        impl $name {
            pub(crate) fn new(value: $value) -> Self {
                let twin = atomic::AtomicUsize::new(0);
                Self { value: atomic::$name::new(value), twin }
            }

            fn touched(&self) -> &atomic::$name {
                self.twin.fetch_add(1, Ordering::Relaxed);
                &self.value
            }

            pub(crate) fn load(&self, ordering: Ordering) -> $value {
                self.touched().load(ordering)
            }

            /// A load after a fence, as the checker takes `SeqCst` loads for `Acquire` ones.
            pub(crate) fn load_in_order(&self) -> $value {
                let value = self.touched();
                atomic::fence(Ordering::SeqCst);
                value.load(Ordering::SeqCst)
            }

            pub(crate) fn store(&self, value: $value, ordering: Ordering) {
                self.touched().store(value, ordering);
            }

            pub(crate) fn fetch_or(&self, value: $value, ordering: Ordering) -> $value {
                self.touched().fetch_or(value, ordering)
            }

            pub(crate) fn fetch_and(&self, value: $value, ordering: Ordering) -> $value {
                self.touched().fetch_and(value, ordering)
            }

            pub(crate) fn compare_exchange(
                &self,
                current: $value,
                new: $value,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$value, $value> {
                self.touched().compare_exchange(current, new, success, failure)
            }
        }
    };
}

atomic!(AtomicU32, u32);
atomic!(AtomicU64, u64);
