//! Events as log lines: RouterOS's words and topics, fields for machines, floods bounded.

use std::time::{Duration, Instant};

use leasehold_dhcp::Event;
use leasehold_dhcp::event::Lease;
use tracing::Level;

/// Writes events to the log, so many of each kind and no more.
#[derive(Debug, Default)]
pub struct Journal {
    /// The few kinds that have occurred; a search by eye is quicker than any map.
    kinds: Vec<(&'static str, Bucket)>,
}

/// How many lines of one kind are written, and how many were not.
#[derive(Debug)]
struct Bucket {
    left: u32,
    filled: Instant,
    withheld: u64,
}

/// Lines of one kind at once, and in each second that follows. What a client can cause without
/// having a lease is worth fewer.
const LEASE_LINES: u32 = 1000;
const OTHER_LINES: u32 = 20;

impl Journal {
    /// Writes one event.
    pub fn write(&mut self, event: &Event) {
        let level = level(event.topics());
        if !enabled(level) {
            return;
        }
        let kind = event.counter();
        match self.allow(kind, lines(event), Instant::now()) {
            None => {}
            Some(0) => emit(level, event),
            Some(withheld) => {
                emit(level, event);
                tracing::warn!(
                    kind,
                    withheld,
                    "{withheld} more lines of this kind were not written"
                );
            }
        }
    }

    /// Whether one more line of a kind may be written, and how many before it were withheld.
    fn allow(&mut self, kind: &'static str, lines: u32, now: Instant) -> Option<u64> {
        let known = self.kinds.iter().position(|(known, _)| *known == kind);
        let index = known.unwrap_or_else(|| {
            self.kinds.push((kind, Bucket { left: lines, filled: now, withheld: 0 }));
            self.kinds.len() - 1
        });
        let (_, bucket) = &mut self.kinds[index];
        if now.duration_since(bucket.filled) >= Duration::from_secs(1) {
            bucket.left = lines;
            bucket.filled = now;
        }
        if bucket.left == 0 {
            bucket.withheld += 1;
            return None;
        }
        bucket.left -= 1;
        Some(core::mem::take(&mut bucket.withheld))
    }
}

fn lines(event: &Event) -> u32 {
    match event {
        Event::Assigned(_) | Event::Deassigned(..) => LEASE_LINES,
        _ => OTHER_LINES,
    }
}

/// The last of RouterOS's topics names the level.
fn level(topics: &str) -> Level {
    match topics.rsplit(',').next() {
        Some("error") => Level::ERROR,
        Some("warning") => Level::WARN,
        Some("debug") => Level::DEBUG,
        _ => Level::INFO,
    }
}

fn enabled(level: Level) -> bool {
    match level {
        Level::ERROR => tracing::enabled!(target: "dhcp", Level::ERROR),
        Level::WARN => tracing::enabled!(target: "dhcp", Level::WARN),
        Level::INFO => tracing::enabled!(target: "dhcp", Level::INFO),
        _ => tracing::enabled!(target: "dhcp", Level::DEBUG),
    }
}

fn emit(level: Level, event: &Event) {
    let topics = event.topics();
    let kind = event.counter();
    let mac = event.client().map(tracing::field::display);
    let (server, address) = match event {
        Event::Assigned(lease)
        | Event::Deassigned(lease, _)
        | Event::OfferedWithoutSuccess(lease)
        | Event::Declined(lease) => {
            let Lease { server, address, .. } = lease;
            (Some(&**server), Some(*address))
        }
        Event::Conflict { server, address, .. } | Event::Denied { server, address, .. } => {
            (Some(&**server), Some(*address))
        }
        Event::PoolEmpty { server, .. } => (Some(&**server), None),
        Event::Silent { server, .. } => (server.as_deref(), None),
        _ => (None, None),
    };
    let address = address.map(tracing::field::display);
    macro_rules! line {
        ($level:expr) => {
            tracing::event!(target: "dhcp", $level, topics, kind, server, mac, address, "{event}")
        };
    }
    match level {
        Level::ERROR => line!(Level::ERROR),
        Level::WARN => line!(Level::WARN),
        Level::INFO => line!(Level::INFO),
        _ => line!(Level::DEBUG),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_cut_and_counted() {
        let mut journal = Journal::default();
        let start = Instant::now();
        let written = (0..100).filter(|_| journal.allow("pool-empty", 20, start).is_some());
        assert_eq!(written.count(), 20);
        assert_eq!(journal.allow("assigned", 20, start), Some(0), "kinds do not share");
        let later = start + Duration::from_secs(1);
        assert_eq!(journal.allow("pool-empty", 20, later), Some(80));
        assert_eq!(journal.allow("pool-empty", 20, later), Some(0));
    }

    #[test]
    fn topics_name_the_level() {
        assert_eq!(level("dhcp,info"), Level::INFO);
        assert_eq!(level("dhcp,critical,error"), Level::ERROR);
        assert_eq!(level("dhcp,debug"), Level::DEBUG);
    }
}
