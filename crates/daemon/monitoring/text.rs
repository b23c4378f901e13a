//! What is counted, in the text that Prometheus reads.

use core::fmt::Write;

use leasehold_dhcp::order::PoolUsage;

use crate::worker::Health;
use crate::worker::latency::BOUNDS;

/// What the engine's counters of messages begin with.
const RECEIVED: &str = "received-";

/// All metrics.
pub(super) fn metrics(
    health: &Health,
    counters: &[(&'static str, u64)],
    states: &[(&'static str, u64)],
    pools: &[PoolUsage],
    store: u64,
) -> String {
    let mut page = Page(String::new());
    let version = env!("CARGO_PKG_VERSION");
    page.family("build_info", "gauge", "The program.", [(label("version", version), 1)]);
    let pool = |value: fn(&PoolUsage) -> u64| {
        pools.iter().map(move |pool| (label("pool", &pool.name), value(pool)))
    };
    page.family("pool_total", "gauge", "Addresses of a pool.", pool(|pool| pool.total));
    page.family("pool_used", "gauge", "Addresses that are taken.", pool(|pool| pool.used));
    page.family("pool_available", "gauge", "Addresses that are free.", pool(|pool| pool.available));
    let quarantined = "Addresses out of use because somebody else was found on them.";
    page.family("pool_quarantined", "gauge", quarantined, pool(|pool| pool.quarantined));
    let states = states.iter().map(|(state, count)| (label("state", state), *count));
    page.family("leases", "gauge", "Leases by what they are doing.", states);
    let (received, events): (Vec<_>, Vec<_>) =
        counters.iter().partition(|(name, _)| name.starts_with(RECEIVED));
    let received = received
        .into_iter()
        .map(|(name, count)| (label("kind", name.strip_prefix(RECEIVED).unwrap_or(name)), count));
    page.family("messages_received_total", "counter", "Messages by kind.", received);
    let events = events.into_iter().map(|(name, count)| (label("event", name), count));
    let about = "What happened, and every reason why a client got no answer.";
    page.family("events_total", "counter", about, events);
    let traffic = &health.traffic;
    let datagrams = [
        ("received", traffic.received),
        ("broken", traffic.broken),
        ("twice", traffic.twice),
        ("late", traffic.late),
        ("sent", traffic.sent),
        ("refused", traffic.refused),
    ];
    let datagrams = datagrams.map(|(what, count)| (label("what", what), count));
    page.family("datagrams_total", "counter", "Datagrams by what became of them.", datagrams);
    let pending = [(String::new(), health.pending as u64)];
    page.family("turns_pending", "gauge", "Turns that wait for the disk.", pending);
    let works = [(String::new(), u64::from(health.store_works))];
    page.family("store_works", "gauge", "Whether new leases can be made durable.", works);
    let octets = [(String::new(), store)];
    page.family("store_bytes", "gauge", "Octets of the state directory's files.", octets);
    page.commits(health);
    page.0
}

/// `{name="value"}`
fn label(name: &str, value: &str) -> String {
    let value = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    format!("{{{name}=\"{value}\"}}")
}

struct Page(String);

impl Page {
    fn head(&mut self, name: &str, kind: &str, about: &str) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.0, "# HELP leasehold_{name} {about}\n# TYPE leasehold_{name} {kind}");
    }

    fn family(
        &mut self,
        name: &str,
        kind: &str,
        about: &str,
        samples: impl IntoIterator<Item = (String, u64)>,
    ) {
        self.head(name, kind, about);
        for (labels, value) in samples {
            let _ = writeln!(self.0, "leasehold_{name}{labels} {value}");
        }
    }

    fn commits(&mut self, health: &Health) {
        let name = "commit_seconds";
        self.head(name, "histogram", "Time from a turn's end until the disk has it.");
        let mut count = 0;
        for (bound, counted) in BOUNDS.iter().zip(health.commits.counts) {
            count += counted;
            let bound = *bound as f64 / 1e6;
            let _ = writeln!(self.0, "leasehold_{name}_bucket{{le=\"{bound}\"}} {count}");
        }
        count += health.commits.counts[BOUNDS.len()];
        let sum = health.commits.sum as f64 / 1e6;
        let _ = writeln!(self.0, "leasehold_{name}_bucket{{le=\"+Inf\"}} {count}");
        let _ = writeln!(self.0, "leasehold_{name}_sum {sum}\nleasehold_{name}_count {count}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_pools_cannot_break_the_text() {
        assert_eq!(label("pool", "a\"b\\c\nd"), "{pool=\"a\\\"b\\\\c\\nd\"}");
    }
}
