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
    #[serde(rename = "load")]
    pub(super) main: Outcome,
    /// The clients of `--bound`, which renewed meanwhile.
    pub(super) bound: Option<Outcome>,
    pub(super) answers_checked: u64,
    pub(super) foreign_answers: u64,
    pub(super) faults: Vec<FaultReport>,
    pub(super) server: Option<ServerReport>,
    pub(super) generator: GeneratorReport,
    pub(super) interrupted: bool,
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

#[derive(Debug, Serialize)]
pub(super) struct ServerReport {
    pub(super) cpu_s: f64,
    pub(super) cpu_us_per_exchange: f64,
    pub(super) datagrams_dropped: u64,
}

#[derive(Debug, Default, Serialize)]
pub(super) struct GeneratorReport {
    pub(super) cpu_us_per_exchange: f64,
    /// Of the whole machine: the server, this generator, the kernel, and whatever else runs.
    pub(super) system_cpu_us_per_exchange: f64,
    pub(super) answers_dropped: u64,
}

impl Report {
    /// Notes the CPU time that all exchanges of the run took.
    pub(super) fn price(&mut self, usage: Usage, with_server: bool, dropped: u64) {
        let done = self.main.done + self.bound.as_ref().map_or(0, |bound| bound.done);
        let each = |nanoseconds: u64| nanoseconds as f64 / 1e3 / done.max(1) as f64;
        self.server = with_server.then(|| ServerReport {
            cpu_s: usage.server as f64 / 1e9,
            cpu_us_per_exchange: each(usage.server),
            datagrams_dropped: usage.server_dropped,
        });
        self.generator = GeneratorReport {
            cpu_us_per_exchange: each(usage.generator),
            system_cpu_us_per_exchange: each(usage.system),
            answers_dropped: dropped,
        };
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
        let Self { way, scenario, clients, seed, arrivals, .. } = self;
        writeln!(f, "{way} {scenario}: {clients} clients, {arrivals}, seed {seed}")?;
        write!(f, "{}", self.main)?;
        if let Some(bound) = &self.bound {
            writeln!(f, "renewals of the bound clients meanwhile")?;
            write!(f, "{bound}")?;
        }
        if let Some(server) = &self.server {
            writeln!(
                f,
                "  server     {:.1} µs CPU an exchange ({:.2} s in all), {} datagrams dropped",
                server.cpu_us_per_exchange, server.cpu_s, server.datagrams_dropped
            )?;
        }
        let generator = &self.generator;
        writeln!(
            f,
            "  generator  {:.1} µs CPU an exchange, {} answers dropped; the whole machine {:.1} µs",
            generator.cpu_us_per_exchange,
            generator.answers_dropped,
            generator.system_cpu_us_per_exchange
        )?;
        write!(f, "  checked    {} answers", self.answers_checked)?;
        if self.foreign_answers > 0 {
            write!(f, ", {} for other hosts passed over", self.foreign_answers)?;
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
            writeln!(f, "  interrupted: what was under way is not counted")?;
        }
        Ok(())
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
