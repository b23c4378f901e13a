//! When exchanges start: a closed loop waits for answers, an open loop does not care.

use fastrand::Rng;

/// Decides when the next exchange starts. Times are nanoseconds since the run began.
#[derive(Clone, Copy, Debug)]
pub(super) enum Arrivals {
    /// So many at a time.
    Closed { outstanding: u64 },
    /// `left` exchanges at moments drawn evenly from now until `end`; `next` is the earliest.
    Within { next: u64, end: u64, left: u64 },
    /// A Poisson process with `gap` nanoseconds between two exchanges on average.
    Rate { next: u64, gap: f64 },
}

impl Arrivals {
    pub(super) fn within(now: u64, span: u64, count: u64, random: &mut Rng) -> Self {
        let mut arrivals = Self::Within { next: now, end: now + span, left: count };
        arrivals.draw(random);
        arrivals
    }

    pub(super) fn rate(now: u64, per_second: f64, random: &mut Rng) -> Self {
        let mut arrivals = Self::Rate { next: now, gap: 1e9 / per_second };
        arrivals.draw(random);
        arrivals
    }

    /// The moment at which an exchange was due, if one is.
    pub(super) fn due(&mut self, now: u64, under_way: u64, random: &mut Rng) -> Option<u64> {
        match *self {
            Self::Closed { outstanding } => (under_way < outstanding).then_some(now),
            Self::Within { left: 0, .. } => None,
            Self::Within { next, end, left } if next <= now => {
                *self = Self::Within { next, end, left: left - 1 };
                self.draw(random);
                Some(next)
            }
            Self::Rate { next, .. } if next <= now => {
                self.draw(random);
                Some(next)
            }
            Self::Within { .. } | Self::Rate { .. } => None,
        }
    }

    /// When to look again if no answer comes; none if only an answer matters.
    pub(super) fn next(&self) -> Option<u64> {
        match *self {
            Self::Closed { .. } | Self::Within { left: 0, .. } => None,
            Self::Within { next, .. } | Self::Rate { next, .. } => Some(next),
        }
    }

    /// Whether an open loop has started everything.
    pub(super) fn is_over(&self) -> bool {
        matches!(self, Self::Within { left: 0, .. })
    }

    fn draw(&mut self, random: &mut Rng) {
        // 1 - f64() lies in (0, 1].
        let uniform = 1.0 - random.f64();
        match self {
            Self::Closed { .. } | Self::Within { left: 0, .. } => {}
            // The least of `left` moments drawn evenly from the rest of the span.
            Self::Within { next, end, left } => {
                let share = 1.0 - uniform.powf(1.0 / *left as f64);
                *next += ((*end - *next) as f64 * share) as u64;
            }
            Self::Rate { next, gap } => *next += (-uniform.ln() * *gap) as u64,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_arrive_within_the_span_and_evenly() {
        let mut random = Rng::with_seed(1);
        let mut arrivals = Arrivals::within(1000, 10_000_000, 10_000, &mut random);
        let (mut count, mut before, mut first_half) = (0, 0, 0);
        while let Some(due) = arrivals.due(u64::MAX, 0, &mut random) {
            assert!((1000..=10_001_000).contains(&due) && due >= before);
            first_half += u32::from(due < 5_001_000);
            before = due;
            count += 1;
        }
        assert_eq!(count, 10_000);
        assert!(arrivals.is_over());
        assert!((4700..5300).contains(&first_half), "{first_half} of 10,000 in the first half");
    }

    #[test]
    fn a_rate_is_kept_on_average() {
        let mut random = Rng::with_seed(1);
        let mut arrivals = Arrivals::rate(0, 1000.0, &mut random);
        let second = 1_000_000_000;
        let count = std::iter::from_fn(|| arrivals.due(10 * second, 0, &mut random)).count();
        assert!((9500..10_500).contains(&count), "{count} in ten seconds");
    }

    #[test]
    fn a_closed_loop_fills_up() {
        let mut random = Rng::with_seed(1);
        let mut arrivals = Arrivals::Closed { outstanding: 2 };
        assert_eq!(arrivals.due(5, 1, &mut random), Some(5));
        assert_eq!(arrivals.due(5, 2, &mut random), None);
    }
}
