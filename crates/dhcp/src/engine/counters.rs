//! What was counted since the engine began: messages by kind, events by reason.

use crate::event::{Denied, Event, Malformed, Silence};
use crate::wire::{Message, Requested};

/// Counts for monitoring, by name.
#[derive(Debug)]
pub(super) struct Counters {
    received: [u64; RECEIVED.len()],
    happened: Vec<(&'static str, u64)>,
}

/// Messages by kind; a DHCPREQUEST by the state that it comes from.
const RECEIVED: [&str; 11] = [
    "received-discover",
    "received-request-selecting",
    "received-request-init-reboot",
    "received-request-renewing",
    "received-request-rebinding",
    "received-decline",
    "received-release",
    "received-inform",
    "received-leasequery",
    "received-bootp",
    "received-malformed",
];

const MALFORMED: usize = 10;

/// Events that are not reasons.
const EVENTS: [&str; 10] = [
    "assigned",
    "conflict",
    "deassigned",
    "declined",
    "offered-without-success",
    "pool-empty",
    "proxy-arp",
    "store-failed",
    "store-recovered",
    "unknown-server",
];

impl Default for Counters {
    /// All counters there are, at zero: what never happened is seen too.
    fn default() -> Self {
        let reasons = (Malformed::ALL.iter().map(|rule| rule.counter()))
            .chain(Silence::ALL.iter().map(|reason| reason.counter()))
            .chain(Denied::ALL.iter().map(|reason| reason.counter()));
        let mut names: Vec<_> = EVENTS.into_iter().chain(reasons).collect();
        names.sort_unstable();
        names.dedup();
        let happened = names.into_iter().map(|name| (name, 0)).collect();
        Self { received: [0; RECEIVED.len()], happened }
    }
}

impl Counters {
    pub(super) fn received(&mut self, message: Message) {
        let kind = match message {
            Message::Discover { .. } => 0,
            Message::Request(Requested::Selecting { .. }) => 1,
            Message::Request(Requested::InitReboot { .. }) => 2,
            Message::Request(Requested::Renewing { .. }) => 3,
            Message::Request(Requested::Rebinding { .. }) => 4,
            Message::Decline { .. } => 5,
            Message::Release { .. } => 6,
            Message::Inform => 7,
            Message::LeaseQuery => 8,
            Message::Bootp => 9,
        };
        self.received[kind] += 1;
    }

    pub(super) fn happened(&mut self, event: &Event) {
        self.received[MALFORMED] += u64::from(matches!(event, Event::Malformed { .. }));
        let name = event.counter();
        if let Ok(at) = self.happened.binary_search_by_key(&name, |&(name, _)| name) {
            self.happened[at].1 += 1;
        }
    }

    /// Name and count, by name.
    pub(super) fn all(&self) -> Vec<(&'static str, u64)> {
        let received = RECEIVED.into_iter().zip(self.received);
        let mut all: Vec<_> = received.chain(self.happened.iter().copied()).collect();
        all.sort_unstable();
        all
    }
}
