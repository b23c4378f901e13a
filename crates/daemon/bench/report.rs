//! What a run found: as text for people, as JSON for programs.

use std::fmt;

use hdrhistogram::Histogram;
use serde::Serialize;

use super::cpu::Usage;
use super::stream::Stream;
use super::tally::{BIN, Faults, Tally};

/// Percentiles of the plot and of the JSON's curve.
const CURVE: [f64; 12] = [1.0, 10.0, 25.0, 50.0, 75.0, 90.0, 95.0, 99.0, 99.5, 99.9, 99.99, 100.0];

/// Everything about one run.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub(super) version: &'static str,
    pub(super) way: &'static str,
    pub(super) scenario: &'static str,
    /// `closed`, with the exchanges under way, or `open`, with exchanges per second.
    pub(super) arrivals: String,
    pub(super) clients: u32,
    pub(super) seed: u64,
    /// The DORAs that bound the clients before the load, in a closed loop.
    pub(super) binding: Option<Phase>,
    pub(super) load: Phase,
    /// The clients of `--bound`, which renewed meanwhile.
    pub(super) bound: Option<Outcome>,
    pub(super) answers_checked: u64,
    pub(super) foreign_answers: u64,
    pub(super) faults: Vec<FaultReport>,
    /// Answers that the kernel dropped because the generator was too slow to read them.
    pub(super) answers_dropped: u64,
    pub(super) interrupted: bool,
}

/// A stream of exchanges, and the CPU time while it ran.
#[derive(Debug, Serialize)]
pub(super) struct Phase {
    #[serde(flatten)]
    pub(super) outcome: Outcome,
    pub(super) cpu: Cpu,
}

/// CPU time per exchange, microseconds.
#[derive(Debug, Serialize)]
pub(super) struct Cpu {
    /// The processes of `--pid`.
    pub(super) server_us: Option<f64>,
    pub(super) generator_us: f64,
    /// The whole machine: server, generator, kernel, and whatever else ran.
    pub(super) system_us: f64,
    /// Datagrams that the server's sockets dropped because they were full.
    pub(super) server_dropped: Option<u64>,
}

/// One stream of exchanges.
#[derive(Debug, Serialize)]
pub(super) struct Outcome {
    pub(super) started: u64,
    pub(super) done: u64,
    pub(super) seconds: f64,
    pub(super) per_second: f64,
    pub(super) retries: u64,
    pub(super) naks: u64,
    pub(super) given_up: u64,
    pub(super) late_answers: u64,
    pub(super) skipped: u64,
    /// From the last exchange's due moment to the last one's end: how long the server had to catch
    /// up.
    pub(super) last_done_after_last_due_s: f64,
    /// From the moment when an exchange was due to its end.
    pub(super) latency_ms: Latency,
    pub(super) discover_to_offer_ms: Option<Latency>,
    pub(super) request_to_ack_ms: Option<Latency>,
    /// How late the generator was to start what was due.
    pub(super) generator_lag_ms: Latency,
    pub(super) course: Course,
}

#[derive(Debug, Serialize)]
pub(super) struct Latency {
    pub(super) count: u64,
    pub(super) mean: f64,
    pub(super) p50: f64,
    pub(super) p90: f64,
    pub(super) p99: f64,
    pub(super) p99_9: f64,
    pub(super) max: f64,
    /// Pairs of percentile and milliseconds.
    pub(super) curve: Vec<(f64, f64)>,
}

/// Exchanges done in each interval since the first one was due.
#[derive(Debug, Serialize)]
pub(super) struct Course {
    pub(super) interval_s: f64,
    pub(super) done: Vec<u32>,
}

#[derive(Debug, Serialize)]
pub(super) struct FaultReport {
    pub(super) rule: &'static str,
    pub(super) count: u64,
    pub(super) first: String,
}

impl Phase {
    /// Names the price of all exchanges that ended while `usage` was used.
    pub(super) fn new(streams: &[Stream], usage: Usage, with_server: bool) -> Self {
        let done: u64 = streams.iter().map(|stream| stream.tally.done).sum();
        let each = |nanoseconds: u64| nanoseconds as f64 / 1e3 / done.max(1) as f64;
        let cpu = Cpu {
            server_us: with_server.then(|| each(usage.server)),
            generator_us: each(usage.generator),
            system_us: each(usage.system),
            server_dropped: with_server.then_some(usage.server_dropped),
        };
        Self { outcome: Outcome::of(&streams[0]), cpu }
    }
}

impl Outcome {
    pub(super) fn of(stream: &Stream) -> Self {
        let tally = &stream.tally;
        let seconds = tally.span() as f64 / 1e9;
        let some =
            |histogram: &Histogram<u64>| (!histogram.is_empty()).then(|| Latency::of(histogram));
        Self {
            started: tally.started,
            done: tally.done,
            seconds,
            per_second: if seconds > 0.0 { tally.done as f64 / seconds } else { 0.0 },
            retries: tally.retries,
            naks: tally.naks,
            given_up: tally.given_up,
            late_answers: tally.late,
            skipped: tally.skipped,
            last_done_after_last_due_s: catch_up(tally),
            latency_ms: Latency::of(&tally.whole),
            discover_to_offer_ms: some(&tally.offer),
            request_to_ack_ms: some(&tally.ack),
            generator_lag_ms: Latency::of(&tally.lag),
            course: Course { interval_s: BIN as f64 / 1e9, done: tally.course.clone() },
        }
    }
}

fn catch_up(tally: &Tally) -> f64 {
    tally.last_done.saturating_sub(tally.last_due) as f64 / 1e9
}

impl Latency {
    fn of(histogram: &Histogram<u64>) -> Self {
        let at = |percentile| histogram.value_at_percentile(percentile) as f64 / 1e6;
        Self {
            count: histogram.len(),
            mean: histogram.mean() / 1e6,
            p50: at(50.0),
            p90: at(90.0),
            p99: at(99.0),
            p99_9: at(99.9),
            max: histogram.max() as f64 / 1e6,
            curve: CURVE.map(|percentile| (percentile, at(percentile))).to_vec(),
        }
    }
}

/// The broken rules as the report shows them.
pub(super) fn faults(faults: &Faults) -> Vec<FaultReport> {
    let broken = faults.broken();
    let report = |(fault, count, first): (super::reply::Fault, u64, &str)| FaultReport {
        rule: fault.rule(),
        count,
        first: first.to_owned(),
    };
    broken.map(report).collect()
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(binding) = &self.binding {
            writeln!(f, "{} DORA of the clients that are to be bound", self.way)?;
            write!(f, "{binding}")?;
        }
        let Self { way, scenario, clients, seed, arrivals, .. } = self;
        writeln!(f, "{way} {scenario}: {clients} clients, {arrivals}, seed {seed}")?;
        write!(f, "{}", self.load)?;
        if let Some(bound) = &self.bound {
            writeln!(f, "renewals of the bound clients meanwhile")?;
            write!(f, "{bound}")?;
        }
        write!(f, "checked {} answers", self.answers_checked)?;
        if self.foreign_answers > 0 {
            write!(f, ", {} for other hosts passed over", self.foreign_answers)?;
        }
        if self.answers_dropped > 0 {
            write!(f, ", {} dropped by this machine's kernel", self.answers_dropped)?;
        }
        writeln!(
            f,
            ", {}",
            if self.faults.is_empty() { "no rule broken" } else { "BROKEN RULES" }
        )?;
        for FaultReport { rule, count, first } in &self.faults {
            writeln!(f, "    {count} times not so: {rule}\n      first: {first}")?;
        }
        if self.interrupted {
            writeln!(f, "interrupted: what was under way is not counted")?;
        }
        Ok(())
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Cpu { server_us, generator_us, system_us, server_dropped } = &self.cpu;
        write!(f, "{}  CPU        ", self.outcome)?;
        if let Some(server) = server_us {
            write!(f, "server {server:.1}, ")?;
        }
        write!(f, "generator {generator_us:.1}, whole machine {system_us:.1} µs an exchange")?;
        if let Some(dropped) = server_dropped.filter(|&dropped| dropped > 0) {
            write!(f, "; the server's sockets dropped {dropped}")?;
        }
        writeln!(f)
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { started, done, seconds, per_second, .. } = self;
        let after = self.last_done_after_last_due_s;
        write!(
            f,
            "  done       {done} of {started} in {seconds:.3} s, {per_second:.0} a second; "
        )?;
        writeln!(f, "the last {after:.3} s after the last start")?;
        let Self { retries, given_up, naks, late_answers, skipped, .. } = self;
        write!(f, "  losses     {retries} retries, {given_up} given up, {naks} NAKs, ")?;
        writeln!(f, "{late_answers} late answers, {skipped} starts found all clients busy")?;
        writeln!(f, "  latency    {}", self.latency_ms)?;
        if let (Some(offer), Some(ack)) = (&self.discover_to_offer_ms, &self.request_to_ack_ms) {
            writeln!(f, "    to OFFER {offer}\n    to ACK   {ack}")?;
        }
        if self.generator_lag_ms.max > 0.0 {
            writeln!(f, "  lag        {} of the generator's own starts", self.generator_lag_ms)?;
        }
        Ok(())
    }
}

impl fmt::Display for Latency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { p50, p90, p99, p99_9, max, .. } = self;
        write!(f, "p50 {p50:.3}  p90 {p90:.3}  p99 {p99:.3}  p99.9 {p99_9:.3}  max {max:.3} ms")
    }
}
