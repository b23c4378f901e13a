//! Conflict detection: a new address is probed before it is offered, and nobody waits for it but
//! the client that gets it.

use core::net::{Ipv4Addr, SocketAddrV4};
use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use super::Engine;
use super::book::LeaseId;
use super::exchange::Exchange;
use super::lease::{State, Step};
use super::lifecycle::Found;
use super::supply::Source;
use crate::event::{Event, Silence};
use crate::input::{Datagram, ProbeAnswer};
use crate::link::{IfIndex, Mac};
use crate::outbox::{Outbox, Probe};
use crate::time::{Boottime, Now};

/// One station that answers for so many addresses of others answers for all: proxy ARP.
const PROXY_ADDRESSES: usize = 3;

/// Stations that answered are remembered up to this many.
const STATIONS_MAX: usize = 1024;

/// For so long an interface with proxy ARP is not probed.
const SUSPENDED: Duration = Duration::from_secs(3600);

/// Requests that wait for a probe, at most.
const WAITING_MAX: usize = 8192;

/// Addresses in conflict that one request may find before it is given up.
const ATTEMPTS_MAX: u8 = 4;

/// Probes under way, and who answered earlier ones.
#[derive(Debug, Default)]
pub(super) struct Probes {
    waiting: BTreeMap<LeaseId, Waiting>,
    /// Buffers of requests that wait no more.
    spare: Vec<Vec<u8>>,
    suspended: BTreeMap<IfIndex, Boottime>,
    stations: BTreeMap<(IfIndex, Mac), BTreeSet<Ipv4Addr>>,
    bucket: Bucket,
}

/// A request that is answered when its address has been probed.
#[derive(Debug)]
struct Waiting {
    interface: IfIndex,
    link_source: Option<Mac>,
    source: SocketAddrV4,
    destination: Ipv4Addr,
    payload: Vec<u8>,
    attempt: u8,
}

/// Probes a second at most, a second's worth at once.
#[derive(Debug, Default)]
struct Bucket {
    /// Thousandths of probes that may be sent.
    tokens: u64,
    filled_at: Option<Boottime>,
    /// Probes for each source in the second that began at `counts_from`.
    taken: BTreeMap<Source, u32>,
    counts_from: Boottime,
}

/// A source that has had this part of a second's probes leaves half of them to the others.
const SHARE: u32 = 8;

impl Bucket {
    /// Whether one more may be sent, for a client of a source if it is for one.
    fn take(&mut self, now: Boottime, per_second: u32, source: Option<Source>) -> bool {
        let full = u64::from(per_second) * 1000;
        let gained = match self.filled_at {
            None => full,
            Some(at) => now.0.saturating_sub(at.0).saturating_mul(per_second.into()),
        };
        self.tokens = self.tokens.saturating_add(gained).min(full);
        self.filled_at = Some(now);
        if now.0.saturating_sub(self.counts_from.0) >= 1000 {
            self.taken.clear();
            self.counts_from = now;
        }
        let taken = source.map(|source| self.taken.entry(source).or_default());
        let is_share = taken.as_ref().is_none_or(|taken| **taken < per_second.div_ceil(SHARE));
        let kept = if is_share { 0 } else { full / 2 };
        let may_send = self.tokens >= 1000 + kept;
        if may_send {
            self.tokens -= 1000;
            taken.into_iter().for_each(|taken| *taken += 1);
        }
        may_send
    }
}

impl Probes {
    /// The client asks again while its address is probed: the newest request is the one that is
    /// answered.
    pub(super) fn again(&mut self, id: LeaseId, exchange: &Exchange<'_>) {
        if let Some(waiting) = self.waiting.get_mut(&id) {
            let mut payload = core::mem::take(&mut waiting.payload);
            payload.clear();
            *waiting = Waiting::new(exchange, payload, waiting.attempt);
        }
    }

    /// Nobody waits for the lease's probe any more.
    pub(super) fn forget(&mut self, id: LeaseId) {
        if !self.waiting.is_empty()
            && let Some(waiting) = self.waiting.remove(&id)
        {
            self.recycle(waiting);
        }
    }

    pub(super) fn are_waited_for(&self) -> bool {
        !self.waiting.is_empty()
    }

    fn recycle(&mut self, waiting: Waiting) {
        const SPARES: usize = 64;
        if self.spare.len() < SPARES {
            self.spare.push(waiting.payload);
        }
    }

    /// Whether one more probe may be sent on an interface; it counts as sent.
    pub(super) fn may_ask(&mut self, interface: IfIndex, now: Boottime, per_second: u32) -> bool {
        !self.is_suspended(interface, now) && self.bucket.take(now, per_second, None)
    }

    pub(super) fn is_suspended(&self, interface: IfIndex, now: Boottime) -> bool {
        self.suspended.get(&interface).is_some_and(|&until| now < until)
    }

    /// Whether the station answers for too many addresses to mean anything by it.
    fn is_proxy(&mut self, interface: IfIndex, mac: Mac, address: Ipv4Addr) -> bool {
        if self.stations.len() >= STATIONS_MAX && !self.stations.contains_key(&(interface, mac)) {
            self.stations.clear();
        }
        let addresses = self.stations.entry((interface, mac)).or_default();
        addresses.insert(address);
        addresses.len() >= PROXY_ADDRESSES
    }
}

impl Waiting {
    fn new(exchange: &Exchange<'_>, mut payload: Vec<u8>, attempt: u8) -> Self {
        let Datagram { interface, link_source, source, destination, payload: octets } =
            *exchange.datagram;
        payload.clear();
        payload.extend_from_slice(octets);
        Self { interface, link_source, source, destination, payload, attempt }
    }

    fn datagram(&self) -> Datagram<'_> {
        Datagram {
            interface: self.interface,
            link_source: self.link_source,
            source: self.source,
            destination: self.destination,
            payload: &self.payload,
        }
    }
}

impl Engine {
    /// Probes the lease's address if it has to be; then the lease is `Testing`, and its client is
    /// answered when that is over.
    //= https://www.rfc-editor.org/rfc/rfc2131#section-3.1
    //# When allocating a new address,
    //# servers SHOULD check that the offered network address is not
    //# already in use
    pub(super) fn probe(
        &mut self,
        exchange: &Exchange<'_>,
        id: LeaseId,
        out: &mut Outbox,
    ) -> Result<(), Silence> {
        let now = exchange.now.boottime;
        let is_suspect = now < self.suspect_until;
        let interface = exchange.service.ingress;
        let is_wanted = exchange.server.conflict_detection || is_suspect;
        if !is_wanted || self.probes.is_suspended(interface, now) {
            return Ok(());
        }
        if exchange.attempt >= ATTEMPTS_MAX {
            self.give_up(id);
            return Err(Silence::Conflict);
        }
        let settings = &exchange.config.settings;
        let source = Some(self.book.get(id).source);
        let may_wait = self.probes.waiting.len() < WAITING_MAX
            && self.probes.bucket.take(now, settings.probes_per_second, source);
        if !may_wait {
            if is_suspect {
                self.give_up(id);
                return Err(Silence::Overload);
            }
            return Ok(());
        }
        let payload = self.probes.spare.pop().unwrap_or_default();
        let waiting = Waiting::new(exchange, payload, exchange.attempt);
        self.probes.waiting.insert(id, waiting);
        let until = now.after(Duration::from_millis(settings.probe_ms.into()));
        self.book.set_state(id, State::Testing, now, until);
        let target = self.book.get(id).address;
        out.probe(match exchange.request.is_relayed() {
            true => Probe::Echo { target },
            false => Probe::Arp { interface, target },
        });
        Ok(())
    }

    /// Nobody answered: the address is offered.
    pub(super) fn probe_unanswered(&mut self, now: Now, id: LeaseId, out: &mut Outbox) {
        let offered = self.book.get(id).state.next(Step::Offer);
        let held = Duration::from_millis(self.config.settings.offer_ms.into());
        let until = now.boottime.after(held);
        self.book.set_state(id, offered, now.boottime, until);
        if let Some(waiting) = self.probes.waiting.remove(&id) {
            self.datagram(now, &waiting.datagram(), waiting.attempt.max(1), out);
            self.probes.recycle(waiting);
        }
    }

    /// Somebody answered for an address.
    pub(super) fn probe_answered(&mut self, now: Now, answer: ProbeAnswer, out: &mut Outbox) {
        self.owner_answered(now.boottime, answer);
        let Some(id) = self.probed(answer) else { return };
        let lease = self.book.get(id);
        if lease.checking {
            // Still there: the quarantine begins anew.
            let (place, first) = ((lease.space, lease.address), self.config.settings.quarantine);
            let seconds = self.strikes.next_quarantine(place, first);
            let until = now.boottime.after(Duration::from_secs(seconds.into()));
            self.book.get_mut(id).checking = false;
            self.book.set_deadline(id, until);
            return;
        }
        if lease.state != State::Testing {
            return;
        }
        // The client itself has the address already: it was restarted, and nobody knows why.
        if answer.mac.is_some() && answer.mac == lease.client.hardware().mac() {
            return;
        }
        if let Some(mac) = answer.mac
            && self.probes.is_proxy(answer.interface, mac, answer.address)
        {
            self.suspend(now, answer.interface, mac, out);
            self.probe_unanswered(now, id, out);
            return;
        }
        self.in_conflict(now, id, answer.mac, out);
    }

    /// The lease whose address is being probed.
    fn probed(&self, answer: ProbeAnswer) -> Option<LeaseId> {
        let spaces = self.spaces_of(answer.interface);
        let places = spaces.into_iter().map(|space| (space, answer.address));
        places.filter_map(|place| self.book.at(place)).find(|&id| {
            let lease = self.book.get(id);
            lease.state == State::Testing || lease.checking
        })
    }

    /// The address is somebody else's: it is out of use, and its client gets another.
    fn in_conflict(&mut self, now: Now, id: LeaseId, by: Option<Mac>, out: &mut Outbox) {
        let waiting = self.probes.waiting.remove(&id);
        self.tell(out, |engine| {
            let told = engine.told(id);
            Event::Conflict { server: told.server, address: told.address, by }
        });
        self.quarantine(now, id, Found::ByProbe(by), out);
        if let Some(waiting) = waiting {
            let attempt = waiting.attempt.saturating_add(1);
            self.datagram(now, &waiting.datagram(), attempt, out);
            self.probes.recycle(waiting);
        }
    }

    /// Probes on the interface mean nothing: what they found is taken back.
    fn suspend(&mut self, now: Now, interface: IfIndex, mac: Mac, out: &mut Outbox) {
        self.probes.suspended.insert(interface, now.boottime.after(SUSPENDED));
        self.tell(out, |_| Event::ProxyArp { interface, mac });
        let blamed = self.probes.stations.remove(&(interface, mac)).unwrap_or_default();
        for address in blamed {
            for space in self.spaces_of(interface) {
                let Some(id) = self.book.at((space, address)) else { continue };
                let lease = self.book.get(id);
                if lease.state == State::Conflict && lease.client.hardware().mac() == Some(mac) {
                    self.pardon(id);
                }
            }
        }
    }
}
