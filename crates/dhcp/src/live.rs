//! What the running server adds to the menus: leases, taken addresses, usage and states, as rows.
//!
//! The tree asks with a [`Want`]; what the engine knows is fetched by [`Order`]s in pages, so that
//! a listing of a million leases never stalls a packet.

mod foreign;

use core::net::Ipv4Addr;
use core::time::Duration;
use std::collections::BTreeMap;

use leasehold_routeros::listing::PAGE;
use leasehold_routeros::value::{Hex, Reference};
use leasehold_routeros::{Cells, Id, Live, LiveRow, Menu, Row, Tree, Want};

use crate::config::Flaw;
use crate::link::Interfaces;
use crate::menus::{
    self, AlertState, ClientIdText, LeaseState, LeaseStatus, PoolUsage, ReconfigureState, Seen,
    ServerState, Span, UsedAddress, lease_id,
};
use crate::order::{Answer, LeaseView, Order, ReconfigureStatus, Status, UsedView};
use crate::record::Location;
use crate::wire::RelayAgent;

pub use foreign::{NoLease, foreign};

/// What has to be known of a tree to find its rows among what the engine knows.
#[derive(Clone, Debug, Default)]
pub struct Roster {
    pools: BTreeMap<Id, String>,
    servers: BTreeMap<Id, ServerRow>,
    /// Interfaces of the rows that look for other servers.
    alerts: BTreeMap<Id, String>,
    /// Address spaces in the order of their numbers; the first is `main`, as the empty string.
    spaces: Vec<Box<str>>,
    flaws: BTreeMap<(&'static str, Id), String>,
}

#[derive(Clone, Debug)]
struct ServerRow {
    interface: String,
    has_address: bool,
}

impl Roster {
    /// Reads what is needed of a tree and of what is wrong with it.
    #[must_use]
    pub fn new(tree: &Tree, flaws: &[Flaw]) -> Self {
        let mut roster = Self { spaces: vec!["".into()], ..Self::default() };
        for pool in tree.rows::<menus::Pool>() {
            let Ok(row) = pool.row else { continue };
            if &*row.vrf != "main" {
                roster.spaces.push((&*row.vrf).into());
            }
            roster.pools.insert(pool.id, row.name.to_string());
        }
        // In the order of locations, so that ids and locations page alike.
        roster.spaces.sort_unstable();
        roster.spaces.dedup();
        for server in tree.rows::<menus::Server>() {
            let Ok(row) = server.row else { continue };
            let has_address = !row.server_address.is_unspecified();
            roster.servers.insert(server.id, ServerRow { interface: row.interface.0, has_address });
        }
        for alert in tree.rows::<menus::Alert>() {
            let Ok(row) = alert.row else { continue };
            roster.alerts.insert(alert.id, row.interface.0);
        }
        for flaw in flaws {
            let said = roster.flaws.entry((flaw.path, flaw.id)).or_default();
            if !said.is_empty() {
                said.push_str("; ");
            }
            said.push_str(&flaw.broken.to_string());
        }
        roster
    }

    /// The id of the dynamic row of a lease.
    #[must_use]
    pub fn id(&self, location: &Location) -> Id {
        let space = self.spaces.iter().position(|name| *name == location.space);
        let space = space.and_then(|at| u16::try_from(at).ok()).unwrap_or(u16::MAX);
        lease_id(space, location.address)
    }

    /// The lease that a dynamic row is about.
    #[must_use]
    pub fn location(&self, Id(id): Id) -> Option<Location> {
        let space = self.spaces.get(usize::try_from(id >> 32).ok()?)?.clone();
        let address = Ipv4Addr::from_bits((id & u64::from(u32::MAX)) as u32);
        Some(Location { space, address })
    }

    /// Answers the tree; `ask` carries an order to the engine and brings its answer.
    pub fn fetch(
        &self,
        want: &Want,
        interfaces: &Interfaces,
        ask: &mut dyn FnMut(Order) -> Answer,
    ) -> Vec<LiveRow> {
        let is = |menu: &Menu, other: &Menu| menu.path == other.path;
        match want {
            Want::Page(menu, after) if is(menu, menus::Lease::menu()) => self.leases(*after, ask),
            Want::Page(menu, after) if is(menu, menus::PoolUsed::menu()) => self.used(*after, ask),
            Want::Row(menu, id) if is(menu, menus::Lease::menu()) => self.lease(*id, ask),
            Want::Overlay(menu, ids) if is(menu, menus::Lease::menu()) => self.fixed(ids, ask),
            Want::Overlay(menu, ids) if is(menu, menus::Pool::menu()) => self.usage(ids, ask),
            Want::Overlay(menu, ids) if is(menu, menus::Server::menu()) => {
                ids.iter().filter_map(|id| self.server(*id, interfaces)).collect()
            }
            Want::Overlay(menu, ids) if is(menu, menus::Alert::menu()) => {
                self.found(ids, interfaces, ask)
            }
            _ => Vec::new(),
        }
    }

    fn about(&self, menu: &Menu, id: Id) -> Option<String> {
        self.flaws.get(&(menu.path, id)).cloned()
    }

    fn leases(&self, after: Option<Id>, ask: &mut dyn FnMut(Order) -> Answer) -> Vec<LiveRow> {
        let mut rows = Vec::new();
        let mut after = after.and_then(|id| self.location(id));
        loop {
            let limit = PAGE - rows.len();
            let Answer::Leases { leases, more } = ask(Order::Leases { after, limit }) else {
                break;
            };
            after = leases.last().map(|lease| lease.location.clone());
            rows.extend(leases.iter().filter(|lease| lease.fixed.is_none()).map(|lease| LiveRow {
                id: self.id(&lease.location),
                cells: dynamic_lease(lease),
            }));
            if !more || after.is_none() || rows.len() >= PAGE {
                break;
            }
        }
        rows
    }

    fn lease(&self, id: Id, ask: &mut dyn FnMut(Order) -> Answer) -> Vec<LiveRow> {
        let Some(location) = self.location(id) else { return Vec::new() };
        match ask(Order::Lease(location)) {
            Answer::Lease(Some(lease)) if lease.fixed.is_none() => {
                vec![LiveRow { id, cells: dynamic_lease(&lease) }]
            }
            _ => Vec::new(),
        }
    }

    fn fixed(&self, ids: &[Id], ask: &mut dyn FnMut(Order) -> Answer) -> Vec<LiveRow> {
        let menu = menus::Lease::menu();
        let mut rows: BTreeMap<Id, Cells> = BTreeMap::new();
        let keys = ids.iter().filter_map(|id| u32::try_from(id.0).ok()).collect();
        if let Answer::Leases { leases, .. } = ask(Order::OfFixed(keys)) {
            for lease in &leases {
                let Some(key) = lease.fixed else { continue };
                rows.insert(Id(u64::from(key)), lease_state(lease).cells());
            }
        }
        for id in ids {
            if let Some(about) = self.about(menu, *id) {
                let said = LeaseState { about: Some(about), ..LeaseState::default() };
                rows.entry(*id).or_default().overlay(&said.cells());
            }
        }
        rows.into_iter().map(|(id, cells)| LiveRow { id, cells }).collect()
    }

    fn used(&self, after: Option<Id>, ask: &mut dyn FnMut(Order) -> Answer) -> Vec<LiveRow> {
        let after = after.and_then(|id| self.location(id));
        let Answer::Used { addresses, .. } = ask(Order::Used { after, limit: PAGE }) else {
            return Vec::new();
        };
        let row = |used: &UsedView| LiveRow {
            id: self.id(&used.location),
            cells: UsedAddress {
                pool: Some(used.pool.to_string()),
                address: Some(used.location.address),
                owner: Some("DHCP".into()),
                info: Some(used.info.to_string()),
            }
            .cells(),
        };
        addresses.iter().map(row).collect()
    }

    fn usage(&self, ids: &[Id], ask: &mut dyn FnMut(Order) -> Answer) -> Vec<LiveRow> {
        let Answer::Usage(usage) = ask(Order::Usage) else { return Vec::new() };
        let usage: BTreeMap<&str, _> = usage.iter().map(|usage| (&*usage.name, usage)).collect();
        let row = |id: &Id| {
            let usage = self.pools.get(id).and_then(|name| usage.get(name.as_str()));
            let about = self.about(menus::Pool::menu(), *id);
            let state = PoolUsage {
                total: usage.map(|usage| usage.total),
                used: usage.map(|usage| usage.used),
                available: usage.map(|usage| usage.available),
                about: about.or_else(|| usage.and_then(|usage| fullness(usage))),
            };
            LiveRow { id: *id, cells: state.cells() }
        };
        ids.iter().map(row).collect()
    }

    fn found(
        &self,
        ids: &[Id],
        interfaces: &Interfaces,
        ask: &mut dyn FnMut(Order) -> Answer,
    ) -> Vec<LiveRow> {
        let Answer::Alerts(alerts) = ask(Order::Alerts) else { return Vec::new() };
        let row = |id: &Id| {
            let interface = self.alerts.get(id)?;
            let found = alerts.iter().find(|alert| *alert.interface == **interface);
            let unknown = found.map(|alert| alert.unknown.clone());
            let state = AlertState {
                invalid: Some(interfaces.named(interface).is_none()),
                unknown_server: unknown.filter(|unknown| !unknown.is_empty()),
            };
            Some(LiveRow { id: *id, cells: state.cells() })
        };
        ids.iter().filter_map(row).collect()
    }

    fn server(&self, id: Id, interfaces: &Interfaces) -> Option<LiveRow> {
        let row = self.servers.get(&id)?;
        let interface = interfaces.named(&row.interface);
        let why = match interface {
            None => Some(format!("there is no interface {}", row.interface)),
            Some(interface) if interface.slave => {
                Some(format!("{} is a slave: serve its master", row.interface))
            }
            Some(interface) if interface.addresses.is_empty() && !row.has_address => {
                Some(format!("{} has no address: add one, or set server-address", row.interface))
            }
            Some(_) => None,
        };
        let flaw = self.about(menus::Server::menu(), id);
        let state = ServerState {
            dynamic: Some(false),
            invalid: Some(why.is_some()),
            about: match (why, flaw) {
                (Some(why), Some(flaw)) => Some(format!("{why}; {flaw}")),
                (why, flaw) => why.or(flaw),
            },
        };
        Some(LiveRow { id, cells: state.cells() })
    }
}

/// What is worth saying of a pool that is nearly full.
fn fullness(usage: &crate::order::PoolUsage) -> Option<String> {
    let percent = (usage.used * 100).checked_div(usage.total)?;
    match percent {
        100 => Some("pool is empty".into()),
        80.. => Some(format!("{percent}% used")),
        _ => None,
    }
}

/// All cells of a dynamic lease: those of the configured properties are what `make-static` keeps.
fn dynamic_lease(lease: &LeaseView) -> Cells {
    let menu = menus::Lease::menu();
    let address = lease.location.address.to_string();
    let mac = lease.hardware.mac().unwrap_or_default().to_string();
    let client_id = client_id(lease).map(|id| leasehold_routeros::Value::print(&id));
    let mut texts = vec![("address", address.as_str()), ("mac-address", &mac)];
    texts.extend(client_id.as_deref().map(|id| ("client-id", id)));
    texts.push(("server", &lease.server));
    let mut cells = Cells::named(menu, texts);
    cells.overlay(&lease_state(lease).cells());
    cells
}

fn client_id(lease: &LeaseView) -> Option<ClientIdText> {
    (!lease.client_id.is_empty()).then(|| ClientIdText(lease.client_id.clone()))
}

fn lease_state(lease: &LeaseView) -> LeaseState {
    let active = matches!(lease.status, Status::Bound | Status::Offered);
    let relay = RelayAgent::new(&lease.relay_agent);
    let id = |octets: Option<&[u8]>| octets.map(|octets| Hex(octets.to_vec()));
    let text =
        |octets: &[u8]| (!octets.is_empty()).then(|| String::from_utf8_lossy(octets).into_owned());
    LeaseState {
        status: Some(match lease.status {
            Status::Testing => LeaseStatus::Testing,
            Status::Offered => LeaseStatus::Offered,
            Status::Bound => LeaseStatus::Bound,
            Status::Declined => LeaseStatus::Declined,
            Status::Conflict => LeaseStatus::Conflict,
        }),
        expires_after: lease.expires_after.and_then(span),
        last_seen: Some(match lease.last_seen.map(span) {
            None => Seen::Sometime,
            Some(ago) => ago.map_or(Seen::Never, Seen::Ago),
        }),
        age: span(lease.age),
        active_address: active.then_some(lease.location.address),
        active_mac_address: lease.hardware.mac().filter(|_| active),
        active_client_id: client_id(lease).filter(|_| active),
        active_server: active.then(|| Reference::to(&lease.server)),
        active_agent_circuit_id: id(relay.circuit_id()),
        active_agent_remote_id: id(relay.remote_id()),
        host_name: text(lease.host_name.as_bytes()),
        class_id: text(&lease.class_id),
        dynamic: Some(lease.fixed.is_none()),
        reconfigure_last_sent: lease.reconfigure.and_then(|it| span(it.ago)),
        reconfigure_status: lease.reconfigure.map(|it| match it.status {
            ReconfigureStatus::Sent => ReconfigureState::Sent,
            ReconfigureStatus::Renewed => ReconfigureState::Renewed,
            ReconfigureStatus::NoAnswer => ReconfigureState::NoAnswer,
        }),
        about: lease.conflict.map(|mac| format!("{mac} answers for the address")),
        ..LeaseState::default()
    }
}

fn span(duration: Duration) -> Option<Span> {
    u32::try_from(duration.as_secs()).ok().and_then(Span::new)
}

/// What an order of a face means to the engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Errand {
    /// The engine has to obey this.
    Order(Order),
    /// Nothing is left to do: the tree has done it all.
    Nothing,
    /// The server cannot do it (yet): RouterOS's word for the command.
    Unknown(String),
}

impl Roster {
    /// What the engine has to do for a command that the tree passed on.
    #[must_use]
    pub fn errand(&self, order: &leasehold_routeros::Order) -> Errand {
        if order.menu.path == menus::Alert::menu().path && order.verb == "reset-alert" {
            return match self.alerts.get(&order.row.id) {
                Some(interface) => Errand::Order(Order::ResetAlert(interface.as_str().into())),
                None => Errand::Nothing,
            };
        }
        if order.menu.path != menus::Lease::menu().path {
            return Errand::Unknown(order.verb.clone());
        }
        let place = order.menu.place("active-address");
        let active = place.and_then(|place| order.row.cells.get(place)?.parse().ok());
        let location = match active {
            // A configured row: its lease is in whatever space its server has.
            Some(address) if order.row.id.0 <= u64::from(u32::MAX >> 8) => {
                Some(Location { space: "".into(), address })
            }
            _ => self.location(order.row.id),
        };
        let Some(location) = location else { return Errand::Nothing };
        match order.verb.as_str() {
            "remove" => Errand::Order(Order::Remove(location)),
            "send-reconfigure" => Errand::Order(Order::Reconfigure(location)),
            "check-status" => Errand::Order(Order::CheckStatus(location)),
            "comment" => Errand::Nothing,
            verb => Errand::Unknown(verb.into()),
        }
    }
}

#[cfg(test)]
mod tests;
