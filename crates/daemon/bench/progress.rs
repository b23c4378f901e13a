//! The progress line on standard error.

use std::io::{IsTerminal, Write, stderr};

use super::tally::Tally;

/// Nanoseconds between two lines: on a terminal they replace each other, elsewhere they add up.
const TERMINAL: u64 = 250_000_000;
const ELSEWHERE: u64 = 5_000_000_000;

/// Shows now and then how far the run is.
#[derive(Debug)]
pub(super) struct Progress {
    /// Nanoseconds between two lines; none is silence.
    interval: Option<u64>,
    replaces: bool,
    label: &'static str,
    next: u64,
    before: (u64, u64),
}

impl Progress {
    pub(super) fn silent() -> Self {
        Self { interval: None, replaces: false, label: "", next: 0, before: (0, 0) }
    }

    pub(super) fn new() -> Self {
        let replaces = stderr().is_terminal();
        let interval = Some(if replaces { TERMINAL } else { ELSEWHERE });
        Self { interval, replaces, ..Self::silent() }
    }

    /// What the next lines are about.
    pub(super) fn begin(&mut self, label: &'static str, now: u64) {
        self.label = label;
        self.next = now + self.interval.unwrap_or(0);
        self.before = (now, 0);
    }

    pub(super) fn show(&mut self, now: u64, tally: &Tally) {
        let Some(interval) = self.interval else { return };
        if now < self.next {
            return;
        }
        self.next = now + interval;
        let (then, done) = std::mem::replace(&mut self.before, (now, tally.done));
        let rate = (tally.done - done) as f64 * 1e9 / (now - then).max(1) as f64;
        let line = format!(
            "{}: {:.1} s, {} started, {} done ({rate:.0}/s), {} retries, {} NAKs, {} given up",
            self.label,
            now as f64 / 1e9,
            tally.started,
            tally.done,
            tally.retries,
            tally.naks,
            tally.given_up
        );
        // A progress line that cannot be written is no reason to stop.
        let _ = match self.replaces {
            true => write!(stderr(), "\r\x1b[K{line}").and_then(|()| stderr().flush()),
            false => writeln!(stderr(), "{line}"),
        };
    }

    /// Leaves the terminal's line free for what follows.
    pub(super) fn end(&self) {
        if self.interval.is_some() && self.replaces {
            let _ = write!(stderr(), "\r\x1b[K");
        }
    }
}
