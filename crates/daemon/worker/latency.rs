//! How long turns wait for the disk, as a histogram that costs a packet nothing.

use std::time::Duration;

/// Upper bounds, microseconds.
pub const BOUNDS: [u64; 12] =
    [250, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 500_000, 1_000_000, 3_000_000];

/// Waits that were counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Latency {
    /// How many took no longer than each bound and longer than the one before; last, all others.
    pub counts: [u64; BOUNDS.len() + 1],
    /// Together, microseconds.
    pub sum: u64,
}

impl Latency {
    /// Counts one.
    pub fn note(&mut self, wait: Duration) {
        let micros = u64::try_from(wait.as_micros()).unwrap_or(u64::MAX);
        let place = BOUNDS.partition_point(|bound| *bound < micros);
        self.counts[place] += 1;
        self.sum = self.sum.saturating_add(micros);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_counted_at_its_bound() {
        let mut latency = Latency::default();
        for micros in [250, 251, 4_000_000] {
            latency.note(Duration::from_micros(micros));
        }
        assert_eq!((latency.counts[0], latency.counts[1]), (1, 1));
        assert_eq!(latency.counts[BOUNDS.len()], 1);
        assert_eq!(latency.sum, 4_000_501);
    }
}
