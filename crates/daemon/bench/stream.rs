//! A stream of exchanges: which clients, what they do, when, and what came of it.

use std::ops::Range;

use fastrand::Rng;

use super::arrivals::Arrivals;
use super::clients::{Clients, Stage};
use super::tally::Tally;

/// Clients that are looked at before an arrival finds nobody idle.
const LOOKS: u32 = 64;

/// What the clients of a stream do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Work {
    Dora,
    Renew,
    Mixed,
    Visit,
    Discover,
}

/// How an exchange begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Start {
    Discover,
    Renew,
    Reboot,
    /// A RELEASE, which nobody answers.
    Release,
}

/// Exchanges of some of the clients.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) work: Work,
    clients: Range<u32>,
    cursor: u32,
    pub(super) arrivals: Arrivals,
    /// Exchanges that are still to be started; none if only time ends the stream.
    left: Option<u64>,
    /// When no more exchange is started.
    pub(super) until: Option<u64>,
    pub(super) under_way: u64,
    pub(super) tally: Tally,
}

impl Stream {
    pub(super) fn new(work: Work, clients: Range<u32>, arrivals: Arrivals) -> Self {
        let cursor = clients.start;
        let tally = Tally::new();
        Self { work, clients, cursor, arrivals, left: None, until: None, under_way: 0, tally }
    }

    /// Ends the stream after so many exchanges.
    pub(super) fn limited(self, exchanges: u64) -> Self {
        Self { left: Some(exchanges), ..self }
    }

    /// Ends the stream at a moment.
    pub(super) fn ending(self, until: u64) -> Self {
        Self { until: Some(until), ..self }
    }

    pub(super) fn has(&self, number: u32) -> bool {
        self.clients.contains(&number)
    }

    /// Whether no more exchange is to be started.
    pub(super) fn is_exhausted(&self, now: u64) -> bool {
        self.left == Some(0)
            || self.until.is_some_and(|until| until <= now)
            || self.arrivals.is_over()
    }

    /// The exchange to be started now, if one is due: client, what it does, when it was due.
    pub(super) fn next(
        &mut self,
        clients: &Clients,
        now: u64,
        random: &mut Rng,
    ) -> Option<(u32, Start, u64)> {
        while !self.is_exhausted(now) {
            let due = self.arrivals.due(now, self.under_way, random)?;
            let chosen = self.choose(clients, random);
            let closed = matches!(self.arrivals, Arrivals::Closed { .. });
            if chosen.is_none() && closed && self.under_way > 0 {
                return None;
            }
            self.left = self.left.map(|left| left - 1);
            match chosen {
                Some((number, start)) => return Some((number, start, due)),
                None => self.tally.skipped += 1,
            }
        }
        None
    }

    fn choose(&mut self, clients: &Clients, random: &mut Rng) -> Option<(u32, Start)> {
        if self.work == Work::Mixed {
            self.cursor = random.u32(self.clients.clone());
        }
        for _ in 0..LOOKS.min(self.clients.end - self.clients.start) {
            let number = self.cursor;
            self.cursor += 1;
            if self.cursor == self.clients.end {
                self.cursor = self.clients.start;
            }
            let stage = clients.get(number)?.stage;
            let start = match (self.work, stage) {
                (Work::Dora | Work::Visit | Work::Discover, Stage::Off | Stage::Bound) => {
                    Start::Discover
                }
                (Work::Renew, Stage::Bound) => Start::Renew,
                (Work::Mixed, Stage::Off) => Start::Discover,
                (Work::Mixed, Stage::Bound) => match random.u8(..10) {
                    0 => Start::Reboot,
                    1 => Start::Release,
                    _ => Start::Renew,
                },
                _ => continue,
            };
            return Some((number, start));
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_take_turns_and_busy_ones_are_passed_over() {
        let mut random = Rng::with_seed(1);
        let mut clients = Clients::new(3);
        let arrivals = Arrivals::Closed { outstanding: 64 };
        let mut stream = Stream::new(Work::Dora, 0..3, arrivals).limited(5);
        clients.at(1).stage = Stage::Selecting;
        let numbers: Vec<u32> = std::iter::from_fn(|| stream.next(&clients, 0, &mut random))
            .map(|(number, ..)| number)
            .collect();
        assert_eq!(numbers, [0, 2, 0, 2, 0]);
        assert!(stream.is_exhausted(0));
    }

    #[test]
    fn only_the_bound_renew() {
        let mut random = Rng::with_seed(1);
        let mut clients = Clients::new(3);
        clients.at(2).stage = Stage::Bound;
        let arrivals = Arrivals::Closed { outstanding: 64 };
        let mut stream = Stream::new(Work::Renew, 0..3, arrivals).limited(1);
        assert_eq!(stream.next(&clients, 0, &mut random), Some((2, Start::Renew, 0)));
        clients.at(2).stage = Stage::Off;
        let mut nobody = Stream::new(Work::Renew, 0..3, arrivals).limited(4);
        assert_eq!(nobody.next(&clients, 0, &mut random), None);
        assert_eq!(nobody.tally.skipped, 4);
    }

    #[test]
    fn a_mixed_stream_mixes() {
        let mut random = Rng::with_seed(1);
        let mut clients = Clients::new(1000);
        (0..900).for_each(|number| clients.at(number).stage = Stage::Bound);
        let arrivals = Arrivals::Closed { outstanding: u64::MAX };
        let mut stream = Stream::new(Work::Mixed, 0..1000, arrivals).limited(10_000);
        let starts: Vec<Start> = std::iter::from_fn(|| stream.next(&clients, 0, &mut random))
            .map(|(_, start, _)| start)
            .collect();
        let count = |wanted| starts.iter().filter(|&&start| start == wanted).count();
        assert!((6700..7700).contains(&count(Start::Renew)));
        assert!((700..1100).contains(&count(Start::Reboot)));
        assert!((700..1100).contains(&count(Start::Release)));
        assert!((800..1200).contains(&count(Start::Discover)));
    }
}
