//! What happened: counts, latencies and the course over time.

use hdrhistogram::Histogram;

use super::reply::Fault;

/// Nanoseconds of one point of the course over time.
pub(super) const BIN: u64 = 100_000_000;
/// A microsecond to five minutes, in nanoseconds, to three digits.
const LATENCY: (u64, u64, u8) = (1000, 300_000_000_000, 3);

/// The counts and latencies of one stream of exchanges. Latencies are nanoseconds.
#[derive(Debug)]
pub(super) struct Tally {
    pub(super) started: u64,
    pub(super) done: u64,
    /// Messages sent once more because no answer came in time.
    pub(super) retries: u64,
    /// Clients that had no answer to the last transmission, or were refused again and again.
    pub(super) given_up: u64,
    pub(super) naks: u64,
    /// Answers that nobody waited for any more: repeated ones, and those that came too late.
    pub(super) late: u64,
    /// Arrivals of an open loop for which every client tried was still busy.
    pub(super) skipped: u64,
    /// From the moment when the exchange was due to its end, retransmissions included.
    pub(super) whole: Histogram<u64>,
    /// From DISCOVER to OFFER.
    pub(super) offer: Histogram<u64>,
    /// From REQUEST to ACK.
    pub(super) ack: Histogram<u64>,
    /// How late the generator itself was to start an exchange of an open loop.
    pub(super) lag: Histogram<u64>,
    /// Exchanges done in each [`BIN`] since `first_due`.
    pub(super) course: Vec<u32>,
    pub(super) first_due: Option<u64>,
    pub(super) last_due: u64,
    pub(super) last_done: u64,
}

impl Tally {
    pub(super) fn new() -> Self {
        Self {
            started: 0,
            done: 0,
            retries: 0,
            given_up: 0,
            naks: 0,
            late: 0,
            skipped: 0,
            whole: latencies(),
            offer: latencies(),
            ack: latencies(),
            lag: latencies(),
            course: Vec::with_capacity(4096),
            first_due: None,
            last_due: 0,
            last_done: 0,
        }
    }

    pub(super) fn start(&mut self, due: u64, now: u64) {
        self.started += 1;
        self.first_due.get_or_insert(due);
        self.last_due = due;
        self.lag.saturating_record(now - due);
    }

    pub(super) fn finish(&mut self, due: u64, now: u64) {
        self.done += 1;
        self.last_done = now;
        self.whole.saturating_record(now - due);
        let since = now.saturating_sub(self.first_due.unwrap_or(now));
        let bin = (since / BIN) as usize;
        if bin >= self.course.len() {
            self.course.resize(bin + 1, 0);
        }
        self.course[bin] += 1;
    }

    /// From the first exchange's due moment to the last one's end.
    pub(super) fn span(&self) -> u64 {
        self.last_done.saturating_sub(self.first_due.unwrap_or(self.last_done))
    }
}

fn latencies() -> Histogram<u64> {
    let (low, high, digits) = LATENCY;
    Histogram::new_with_bounds(low, high, digits).expect("the bounds are legal constants")
}

/// Broken rules: how often, and the first case of each.
#[derive(Debug, Default)]
pub(super) struct Faults {
    counts: [u64; Fault::ALL.len()],
    cases: Vec<(Fault, String)>,
}

impl Faults {
    /// Notes a broken rule; `case` tells about the first one.
    pub(super) fn note(&mut self, fault: Fault, case: impl FnOnce() -> String) {
        let count = &mut self.counts[fault as usize];
        *count += 1;
        if *count == 1 {
            self.cases.push((fault, case()));
        }
    }

    /// The rules that were broken: how often, and the first case.
    pub(super) fn broken(&self) -> impl Iterator<Item = (Fault, u64, &str)> {
        self.cases.iter().map(|(fault, case)| (*fault, self.counts[*fault as usize], &**case))
    }
}
