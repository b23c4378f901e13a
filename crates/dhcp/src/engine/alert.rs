//! Other DHCP servers on the links that are watched: looked for every minute, told once.

use core::net::Ipv4Addr;
use core::time::Duration;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::Engine;
use crate::client::Hardware;
use crate::config::Alert;
use crate::event::Event;
use crate::input::Datagram;
use crate::link::{IfIndex, Interfaces, Mac};
use crate::order::AlertView;
use crate::outbox::{Outbox, Probe};
use crate::time::{Boottime, Now};
use crate::wire::{searcher, server_of};

/// Between two searches on a link.
const INTERVAL: Duration = Duration::from_secs(60);

/// Servers that are remembered on one link: what somebody makes up must not fill memory or log.
const REMEMBERED: usize = 64;

/// The watched links.
#[derive(Debug, Default)]
pub(super) struct Alerts {
    watched: Vec<Watched>,
    searches: u32,
}

#[derive(Debug)]
struct Watched {
    alert: Alert,
    /// Where it is, while the interface is there and up, and its address.
    link: Option<(IfIndex, Mac)>,
    /// When to look next.
    next: Boottime,
    /// Who was found, and until when that is remembered.
    unknown: BTreeMap<Mac, Option<Boottime>>,
}

impl Alerts {
    /// Watches other links, or the same ones with other settings; what was found stays.
    pub(super) fn adopt(&mut self, alerts: &[Alert], interfaces: &Interfaces) {
        let mut before = core::mem::take(&mut self.watched);
        self.watched.extend(alerts.iter().map(|alert| {
            let old = before.iter().position(|it| it.alert.interface == alert.interface);
            let old = old.map(|at| before.swap_remove(at));
            let (next, mut unknown) =
                old.map_or((Boottime(0), BTreeMap::new()), |it| (it.next, it.unknown));
            unknown.retain(|mac, _| !alert.valid_servers.contains(mac));
            let running = interfaces.named(&alert.interface).filter(|it| it.running);
            let link = running.map(|it| (it.index, it.mac));
            Watched { alert: alert.clone(), link, next, unknown }
        }));
    }

    /// When to look next.
    pub(super) fn deadline(&self) -> Option<Boottime> {
        let watched = self.watched.iter().filter(|it| it.link.is_some());
        watched.map(|it| it.next).min()
    }

    /// Whether a client is one of our searches, come back over a relay.
    pub(super) fn is_search(&self, client: &Hardware) -> bool {
        let mut links = self.watched.iter().filter_map(|it| it.link);
        links.any(|(_, own)| client.mac() == Some(searcher(own)))
    }

    /// What was found on each watched link.
    pub(super) fn all(&self, now: Boottime) -> Vec<AlertView> {
        let is_remembered = |until: &Option<Boottime>| until.is_none_or(|until| until > now);
        let view = |it: &Watched| AlertView {
            interface: Arc::clone(&it.alert.interface),
            unknown: (it.unknown.iter())
                .filter(|(_, until)| is_remembered(until))
                .map(|(mac, _)| *mac)
                .collect(),
        };
        self.watched.iter().map(view).collect()
    }

    /// Forgets what was found on a link, and looks again.
    pub(super) fn reset(&mut self, interface: &str) {
        for watched in self.watched.iter_mut().filter(|it| *it.alert.interface == *interface) {
            watched.unknown.clear();
            watched.next = Boottime(0);
        }
    }

    fn search(&mut self, now: Boottime, out: &mut Outbox) {
        for watched in &mut self.watched {
            let Some((interface, _)) = watched.link.filter(|_| watched.next <= now) else {
                continue;
            };
            watched.next = now.after(INTERVAL);
            self.searches = self.searches.wrapping_add(1);
            let xid = 0x4c48_0000 ^ self.searches ^ interface.0 << 8;
            out.probe(Probe::Servers { interface, xid });
        }
    }

    /// A server that is not allowed spoke on a link: the link's name, unless it is known already.
    fn found(&mut self, now: Boottime, at: IfIndex, server: Mac) -> Option<Arc<str>> {
        let on_link = |it: &&mut Watched| it.link.is_some_and(|(index, _)| index == at);
        let watched = self.watched.iter_mut().find(on_link)?;
        let Alert { interface, valid_servers, timeout } = &watched.alert;
        if valid_servers.contains(&server) {
            return None;
        }
        watched.unknown.retain(|_, until| until.is_none_or(|until| until > now));
        if watched.unknown.contains_key(&server) || watched.unknown.len() >= REMEMBERED {
            return None;
        }
        let until = timeout.map(|seconds| now.after(Duration::from_secs(seconds.into())));
        watched.unknown.insert(server, until);
        Some(Arc::clone(interface))
    }
}

impl Engine {
    /// Looks for other servers where it is time to.
    pub(super) fn search_servers(&mut self, now: Now, out: &mut Outbox) {
        if !self.alerts.watched.is_empty() {
            self.alerts.search(now.boottime, out);
        }
    }

    /// Somebody speaks as a server on a watched link. What is our own word does not count, also
    /// if a relay passes it on.
    pub(super) fn server_heard(&mut self, now: Now, datagram: &Datagram<'_>, out: &mut Outbox) {
        let Some(mac) = datagram.link_source else { return };
        let Some(named) = server_of(datagram.payload) else { return };
        let address = *datagram.source.ip();
        let is_ours = |address: Ipv4Addr| {
            let mut servers = self.config.servers.iter();
            self.services.is_own(address) || servers.any(|it| it.server_address == Some(address))
        };
        let is_own_station = self.interfaces.iter().any(|interface| interface.mac == mac);
        if is_own_station || is_ours(address) || named.is_some_and(is_ours) {
            return;
        }
        if let Some(interface) = self.alerts.found(now.boottime, datagram.interface, mac) {
            self.tell(out, |_| Event::UnknownServer { interface, mac, address });
        }
    }
}
