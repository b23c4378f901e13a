//! The machine as rows: what the daemon's own menus show, read when it is asked for.

mod files;
mod machine;
mod network;

use std::path::{Path, PathBuf};

use leasehold_dhcp::Interfaces;
use leasehold_routeros::listing::PAGE;
use leasehold_routeros::{Cells, Id, Live, LiveRow, Menu, Order, Row, Trap, Want};

use crate::files::Files;
use crate::log;
use crate::menus::{
    Address, Arp, Clock, Ethernet, EthernetState, File, Identity, Interface, InterfaceState,
    License, Log, Package, PackageUpdate, Resource, Routerboard,
};

/// The machine, as menus ask it.
#[derive(Debug)]
pub struct Host {
    /// Where leases are stored: its room is what clients see as the disk.
    state: PathBuf,
    files: Files,
    processors: machine::Processors,
}

impl Host {
    /// This machine, with leases in this directory.
    #[must_use]
    pub fn new(state: &Path) -> Self {
        let processors = machine::Processors::default();
        Self { state: state.to_owned(), files: Files::of(state), processors }
    }

    /// Its files.
    #[must_use]
    pub fn files(&self) -> &Files {
        &self.files
    }

    /// Does what a command asks of the machine; the text is the id of a row that was made.
    pub fn errand(&self, order: &Order) -> Result<Option<String>, Trap> {
        match order.menu.path == File::menu().path {
            true => files::errand(&self.files, order),
            false => Err(Trap::NoSuchCommand(order.verb.clone())),
        }
    }

    /// What is known of the rows of one of the daemon's menus; nothing of other menus.
    #[must_use]
    pub fn fetch(&self, want: &Want, interfaces: &Interfaces) -> Vec<LiveRow> {
        let menu = match want {
            Want::Overlay(menu, _) | Want::Page(menu, _) | Want::Row(menu, _) => *menu,
        };
        let is = |other: &Menu| menu.path == other.path;
        let rows = match () {
            () if is(Interface::menu()) => numbered(network::links::<InterfaceState>(interfaces)),
            () if is(Ethernet::menu()) => numbered(network::links::<EthernetState>(interfaces)),
            () if is(Address::menu()) => counted(network::addresses(interfaces)),
            () if is(File::menu()) => files::rows(&self.files),
            () if is(Log::menu()) => return lines(want),
            () if is(Arp::menu()) => counted(network::neighbours()),
            () if is(Package::menu()) => counted([machine::package()]),
            () if is(Identity::menu()) => only(named(&machine::name())),
            () if is(Resource::menu()) => only(self.processors.resource(&self.state).cells()),
            () if is(PackageUpdate::menu()) => only(machine::update().cells()),
            () if is(Routerboard::menu()) => only(machine::routerboard().cells()),
            () if is(License::menu()) => only(machine::license().cells()),
            () if is(Clock::menu()) => only(machine::clock().cells()),
            () => Vec::new(),
        };
        wanted(rows, want)
    }
}

/// Lines of the log are paged where they are.
fn lines(want: &Want) -> Vec<LiveRow> {
    match want {
        Want::Page(_, after) => log::recent().page(*after, PAGE),
        Want::Row(_, Id(id)) => {
            let mut found = log::recent().page(id.checked_sub(1).map(Id), 1);
            found.retain(|row| row.id == Id(*id));
            found
        }
        Want::Overlay(..) => Vec::new(),
    }
}

fn named(name: &str) -> Cells {
    Cells::named(Identity::menu(), [("name", name)])
}

/// The row of a menu that has one.
fn only(cells: Cells) -> Vec<LiveRow> {
    vec![LiveRow { id: Id(0), cells }]
}

/// Rows with ids of the kernel's.
fn numbered(rows: impl IntoIterator<Item = (u32, Cells)>) -> Vec<LiveRow> {
    rows.into_iter().map(|(id, cells)| LiveRow { id: Id(id.into()), cells }).collect()
}

/// Rows that have no ids: they are counted.
fn counted(rows: impl IntoIterator<Item = impl Live>) -> Vec<LiveRow> {
    (1..).zip(rows).map(|(id, row)| LiveRow { id: Id(id), cells: row.cells() }).collect()
}

/// Those of all rows that were asked for.
fn wanted(rows: Vec<LiveRow>, want: &Want) -> Vec<LiveRow> {
    match want {
        Want::Overlay(_, ids) => rows.into_iter().filter(|row| ids.contains(&row.id)).collect(),
        Want::Row(_, id) => rows.into_iter().filter(|row| row.id == *id).collect(),
        Want::Page(_, after) => {
            rows.into_iter().filter(|row| Some(row.id) > *after).take(PAGE).collect()
        }
    }
}
