//! Where one thread takes its addresses from, so that threads do not meet.

/// A part of a pool that one caller of [`acquire_near`](crate::Pools::acquire_near) takes from
/// while it lasts: 512 addresses, whose bits are one line of the processor's cache.
///
/// Each thread has its own. Homes are drawn at random, so that two threads seldom have the same;
/// if they do, they are slower and nothing else.
#[derive(Clone, Debug)]
pub struct Home {
    near: Option<u32>,
    random: u64,
}

impl Home {
    /// A caller that has taken nothing yet. Other seeds, other homes.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self { near: None, random: seed }
    }

    /// An address of the home, once there is one.
    pub(crate) fn near(&self) -> Option<u32> {
        self.near
    }

    /// Moves to the address that `at` gives for a random number below `count`.
    pub(crate) fn move_to(
        &mut self,
        count: u64,
        at: impl FnOnce(u64) -> Option<u32>,
    ) -> Option<u32> {
        // splitmix64.
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.random ^ (self.random >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let number = (u128::from(mixed ^ (mixed >> 31)) * u128::from(count)) >> 64;
        self.near = at(number as u64);
        self.near
    }
}
