//! Randomness that depends on the seed alone: xoshiro256** with one stream for each actor.
//!
//! Each client, each link and the disk draw from a stream of their own. Taking a client out of a
//! run therefore changes no number that another client draws, which is what makes shrinking work.

/// A stream of random numbers.
#[derive(Clone, Debug)]
pub struct Random {
    seed: u64,
    state: [u64; 4],
}

impl Random {
    /// The root stream of a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let mut source = seed;
        Self { seed, state: core::array::from_fn(|_| splitmix(&mut source)) }
    }

    /// A stream that depends on the seed and `label` alone, not on what was drawn before.
    #[must_use]
    pub fn fork(&self, label: u64) -> Self {
        let mut source = self.seed ^ label.wrapping_mul(0xd134_2543_de82_ef95);
        Self::new(splitmix(&mut source))
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        let [a, b, c, d] = self.state;
        let result = b.wrapping_mul(5).rotate_left(7).wrapping_mul(9);
        let (c, d) = (c ^ a, d ^ b);
        self.state = [a ^ d, b ^ c, c ^ (b << 17), d.rotate_left(45)];
        result
    }

    /// A number in `low..=high`.
    pub fn within(&mut self, low: u64, high: u64) -> u64 {
        debug_assert!(low <= high, "an empty range has no number");
        let span = high.wrapping_sub(low).wrapping_add(1);
        if span == 0 {
            return self.bits();
        }
        low + ((u128::from(self.bits()) * u128::from(span)) >> 64) as u64
    }

    /// An index below `length`, which is not zero.
    pub fn index(&mut self, length: usize) -> usize {
        self.within(0, length as u64 - 1) as usize
    }

    /// True `per_mille` times out of a thousand.
    pub fn chance(&mut self, per_mille: u32) -> bool {
        self.within(0, 999) < u64::from(per_mille)
    }

    /// One of the given values.
    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.index(from.len())]
    }
}

fn splitmix(source: &mut u64) -> u64 {
    *source = source.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *source;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forks_do_not_depend_on_what_was_drawn() {
        let mut drawn = Random::new(7);
        let before = drawn.fork(3).bits();
        drawn.bits();
        assert_eq!(drawn.fork(3).bits(), before);
        assert_ne!(drawn.fork(4).bits(), before);
    }

    #[test]
    fn within_reaches_both_ends_and_nothing_else() {
        let mut random = Random::new(1);
        let mut seen = [0_u32; 4];
        for _ in 0..4_000 {
            seen[random.within(5, 8) as usize - 5] += 1;
        }
        assert!(seen.iter().all(|&count| count > 800), "{seen:?}");
        assert_eq!(random.within(9, 9), 9);
        random.within(0, u64::MAX);
    }
}
