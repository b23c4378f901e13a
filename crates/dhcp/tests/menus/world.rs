//! A tree, a running server that is a list, and a console in front of them.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use leasehold_dhcp::menus::{
    self, ClientIdText, Lease, LeaseAddress, LeaseServer, LeaseState, LeaseStatus, PoolUsage, Seen,
    Span, lease_id,
};
use leasehold_dhcp::{Mac, menus::Server};
use leasehold_routeros::listing::PAGE;
use leasehold_routeros::syntax::console::{self, Grammar};
use leasehold_routeros::value::Reference;
use leasehold_routeros::{
    Cells, Effects, Id, Live, LiveRow, Reply, Row, Source, Tree, Value, Want,
};

/// Rows that only a running server would have.
#[derive(Default)]
pub(crate) struct Running {
    pub(crate) dynamic: BTreeMap<Id, Cells>,
    pub(crate) overlay: BTreeMap<(&'static str, Id), Cells>,
}

impl Source for Running {
    fn fetch(&self, want: &Want) -> Vec<LiveRow> {
        let row = |(id, cells): (&Id, &Cells)| LiveRow { id: *id, cells: cells.clone() };
        match want {
            Want::Overlay(menu, ids) => {
                let known = |id: &Id| {
                    let cells = self.overlay.get(&(menu.path, *id))?.clone();
                    Some(LiveRow { id: *id, cells })
                };
                ids.iter().filter_map(known).collect()
            }
            Want::Page(menu, _) | Want::Row(menu, _) if menu.path != Lease::menu().path => {
                Vec::new()
            }
            Want::Page(_, after) => {
                let rest = self.dynamic.iter().filter(|(id, _)| after.is_none_or(|a| **id > a));
                rest.take(PAGE).map(row).collect()
            }
            Want::Row(_, id) => self.dynamic.get_key_value(id).map(row).into_iter().collect(),
        }
    }
}

/// A console in front of a tree.
pub(crate) struct World {
    pub(crate) tree: Tree,
    pub(crate) running: Running,
    pub(crate) effects: Effects,
    pub(crate) width: Option<usize>,
}

impl World {
    /// The scenario of the how-to, on a machine that has its interface and another one.
    pub(crate) fn scenario() -> Self {
        let mut world = Self::empty();
        world.tree.set_interfaces(["ether-83", "ether-84"].map(str::to_owned));
        world.ok(include_str!("../../../../config/isp.rsc"));
        world
    }

    pub(crate) fn empty() -> Self {
        Self {
            tree: menus::tree(),
            running: Running::default(),
            effects: Effects::default(),
            width: None,
        }
    }

    /// Carries a text out; what the console prints, or its error.
    pub(crate) fn say(&mut self, text: &str) -> Result<String, String> {
        let grammar = Grammar::new(self.tree.menus());
        let statements =
            console::parse(&grammar, "", text).map_err(|misread| misread.message(text))?;
        let mut printed = String::new();
        for statement in statements {
            let (console::Statement::Run(command) | console::Statement::Put(command)) = &statement
            else {
                continue;
            };
            let outcome =
                self.tree.run(command, &self.running).map_err(|trap| console::failure(&trap))?;
            self.effects = outcome.effects;
            let (reply, records) = match outcome.reply {
                Reply::Rows(listing) => {
                    let shown = self.tree.run(command, &self.running);
                    let records = listing.collect(&self.running);
                    (shown.expect("it was carried out just now").reply, records)
                }
                reply => (reply, Vec::new()),
            };
            printed.push_str(&console::answer(&statement, &reply, &records, self.width));
        }
        Ok(printed)
    }

    pub(crate) fn ok(&mut self, text: &str) -> String {
        self.say(text).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    /// The error of a text that changes nothing.
    pub(crate) fn error(&mut self, text: &str) -> String {
        let before = (self.tree.ids(), self.export());
        let error = self.say(text).expect_err(text);
        assert_eq!((self.tree.ids(), self.export()), before, "{text} changed something");
        error
    }

    pub(crate) fn export(&self) -> String {
        use leasehold_routeros::syntax::script::{Form, export};
        export(&self.tree, "", Form::Terse)
    }

    /// One property of one row, as `get` gives it.
    pub(crate) fn get(&mut self, path: &str, row: &str, name: &str) -> String {
        self.ok(&format!("{path} get {row} {name}")).trim_end().to_owned()
    }

    /// A client has an address of a server.
    pub(crate) fn bind(&mut self, address: &str, mac: &str, server: &str, host: &str) -> Id {
        let address: Ipv4Addr = address.parse().expect("an address");
        let mac = Mac::parse(mac).expect("a MAC address");
        let server = Reference::<Server>::to(server);
        let preset = Lease::read(&Cells::new()).expect("every property has a preset");
        let client_id = [&[1], &mac.0[..]].concat().into_boxed_slice();
        let lease = Lease {
            address: LeaseAddress::Address(address),
            mac_address: mac,
            client_id: Some(ClientIdText(client_id.clone())),
            server: LeaseServer::Server(server.clone()),
            ..preset
        };
        let state = LeaseState {
            status: Some(LeaseStatus::Bound),
            expires_after: Span::new(535),
            last_seen: Some(Seen::Ago(Span::new(65).expect("a time"))),
            active_address: Some(address),
            active_mac_address: Some(mac),
            active_client_id: Some(ClientIdText(client_id)),
            active_server: Some(server),
            host_name: (!host.is_empty()).then(|| host.to_owned()),
            dynamic: Some(true),
            ..LeaseState::default()
        };
        let mut cells = lease.write();
        cells.overlay(&state.cells());
        let id = lease_id(0, address);
        self.running.dynamic.insert(id, cells);
        id
    }

    /// So many addresses of a pool are taken.
    pub(crate) fn usage(&mut self, pool: &str, total: u64, used: u64) {
        let id: Id = self.get("/ip/pool", pool, ".id").parse().expect("an id");
        let (total, used, available) = (Some(total), Some(used), Some(total - used));
        let usage = PoolUsage { total, used, available, about: None };
        self.running.overlay.insert(("/ip/pool", id), usage.cells());
    }
}
