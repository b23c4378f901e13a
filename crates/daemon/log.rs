//! Where log lines go: standard error and `/log`, through a thread of their own, never in a
//! packet's way.
//!
//! A line is `time topics message`. Under systemd the time is the journal's own and a priority
//! stands in front (`sd-daemon(3)`). When lines come faster than they can be written, lines are
//! dropped rather than packets.

mod ring;

use core::any::Any;
use core::fmt::{self, Write as _};
use std::io::{self, Stderr, Write};
use std::panic;
use std::sync::OnceLock;
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use leasehold_routeros::Tree;
use tokio::sync::watch;
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Level, Subscriber};
use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

pub use ring::Ring;

/// Writes what is still to be written when it is dropped.
#[must_use]
pub struct Log {
    _guard: WorkerGuard,
}

/// Lines that may wait to be written.
const LINES: usize = 16 * 1024;
/// Octets that one call writes, more or less.
const AT_ONCE: usize = 64 * 1024;

/// The latest lines.
static RECENT: Ring = Ring::new();
/// Changes what is told to the log at all.
static RELOAD: OnceLock<Box<dyn Fn(bool) + Send + Sync>> = OnceLock::new();

/// The latest lines, as `/log` shows them.
pub fn recent() -> &'static Ring {
    &RECENT
}

/// Starts the log. `LEASEHOLD_LOG` says what is written: `info`, `debug`, `dhcp=trace,warn` …
pub fn start(default: &str) -> Log {
    let asked = std::env::var("LEASEHOLD_LOG").ok();
    let asked = asked.filter(|words| EnvFilter::try_new(words).is_ok());
    let asked = asked.unwrap_or_else(|| default.into());
    let filter = EnvFilter::new(&asked);
    let debugs = filter.max_level_hint().is_none_or(|level| level >= LevelFilter::DEBUG);
    let journal = std::env::var_os("JOURNAL_STREAM").is_some();
    let (writer, guard) = NonBlockingBuilder::default()
        .lossy(true)
        .buffered_lines_limit(LINES)
        .thread_name("log")
        .finish(Ways { stderr: io::stderr(), unwritten: Vec::new(), journal, debugs });
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(writer)
        .event_format(Lines)
        .with_filter_reloading();
    let handle = subscriber.reload_handle();
    if subscriber.try_init().is_ok() {
        let reload = move |debugs: bool| {
            let more =
                if debugs { format!("{asked},dhcp=debug,leasehold=debug") } else { asked.clone() };
            // Without a subscriber nothing is told.
            let _ = handle.reload(EnvFilter::new(more));
        };
        // A second start keeps the first one's log.
        let _ = RELOAD.set(Box::new(reload));
        tell_panics();
    }
    Log { _guard: guard }
}

/// A panic is a line like any other: what is caught behind a fence does not look like the end.
fn tell_panics() {
    let verbose = panic::take_hook();
    panic::set_hook(Box::new(move |panicked| {
        let thread = thread::current();
        let thread = thread.name().unwrap_or("nameless");
        let said = panic_text(panicked.payload());
        let place = panicked.location().map_or_else(String::new, |place| format!(" at {place}"));
        tracing::error!("thread {thread} panicked{place}: {said}");
        if std::env::var_os("RUST_BACKTRACE").is_some_and(|wanted| wanted != "0") {
            verbose(panicked);
        }
    }));
}

pub(crate) fn panic_text(panic: &dyn Any) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or_default()
}

/// Obeys the rules of `/system/logging`, now and whenever they change.
pub async fn follow(mut tree: watch::Receiver<Tree>) {
    let mut debugs = false;
    loop {
        let wanted = RECENT.obey(&tree.borrow_and_update());
        if let Some(reload) = RELOAD.get().filter(|_| wanted != debugs) {
            reload(wanted);
            debugs = wanted;
        }
        if tree.changed().await.is_err() {
            return;
        }
    }
}

/// Both ways of a line, on the log's own thread.
struct Ways {
    stderr: Stderr,
    /// Lines that came at once are written by one call.
    unwritten: Vec<u8>,
    journal: bool,
    /// Whether debugging goes to standard error too, and not only where a rule wants it.
    debugs: bool,
}

impl Write for Ways {
    /// One line: its priority, its time, its topics and its message, with blanks between.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(line);
        let mut parts = text.trim_end_matches('\n').splitn(2, ' ');
        let (Some(priority), Some(rest)) = (parts.next(), parts.next()) else {
            return Ok(line.len());
        };
        let (time, said) = rest.split_at_checked(TIME).unwrap_or(("", rest));
        let said = said.trim_start();
        let (topics, message) = said.split_once(' ').unwrap_or((said, ""));
        RECENT.keep(time, topics, message);
        if self.debugs || !ring::is_debug(topics) {
            match self.journal {
                true => writeln!(self.unwritten, "<{priority}>{said}")?,
                false => writeln!(self.unwritten, "{rest}")?,
            }
        }
        if self.unwritten.len() >= AT_ONCE {
            self.flush()?
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let written = self.stderr.write_all(&self.unwritten);
        self.unwritten.clear();
        written
    }
}

struct Lines;

/// Characters of a time.
const TIME: usize = "2026-11-23 17:53:02".len();

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let level = *event.metadata().level();
        let mut line = Line::default();
        event.record(&mut line);
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        write!(writer, "{} {} ", priority(level), Time(since.as_secs()))?;
        match &*line.topics {
            "" => write!(writer, "{},{} ", topic(event.metadata().target()), word(level))?,
            topics => write!(writer, "{topics} ")?,
        }
        writeln!(writer, "{}{}", line.message, line.rest)
    }
}

/// The fields of an event: the message says most of them already.
#[derive(Default)]
struct Line {
    topics: String,
    message: String,
    rest: String,
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // Writing to a String cannot fail.
        let _ = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            "topics" => write!(self.topics, "{}", format!("{value:?}").trim_matches('"')),
            // Said by the message, in words; the fields are for subscribers that keep them apart.
            "kind" | "server" | "mac" | "address" | "interface" | "withheld" => Ok(()),
            name => write!(self.rest, " {name}={value:?}"),
        };
    }
}

fn topic(target: &str) -> &str {
    if target == "dhcp" { "dhcp" } else { "system" }
}

fn word(level: Level) -> &'static str {
    match level {
        Level::ERROR => "error",
        Level::WARN => "warning",
        Level::INFO => "info",
        Level::DEBUG => "debug",
        Level::TRACE => "debug,trace",
    }
}

fn priority(level: Level) -> u8 {
    match level {
        Level::ERROR => 3,
        Level::WARN => 4,
        Level::INFO => 6,
        Level::DEBUG | Level::TRACE => 7,
    }
}

/// Seconds since the epoch as RouterOS writes them, in UTC: `2026-11-23 17:53:02`.
pub struct Time(pub u64);

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(seconds) = *self;
        let (year, month, day) = date(seconds / 86_400);
        let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
        write!(f, "{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}")
    }
}

/// The Gregorian date of a day since 1970-01-01: years that begin in March end with their leap day.
fn date(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (era * 400 + year + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_routeros_does() {
        let known = [
            (0, "1970-01-01 00:00:00"),
            (951_782_400, "2000-02-29 00:00:00"),
            (1_735_311_467, "2024-12-27 14:57:47"),
            (4_107_542_399, "2100-02-28 23:59:59"),
            (4_107_542_400, "2100-03-01 00:00:00"),
        ];
        for (seconds, text) in known {
            assert_eq!(Time(seconds).to_string(), text);
        }
    }
}
