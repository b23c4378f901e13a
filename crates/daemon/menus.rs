//! All menus of the daemon: those of the DHCP server, and of the machine and the service around it.

mod file;
mod log;
mod metrics;
mod network;
mod service;
mod system;
mod tool;
mod user;

pub use file::{Chunk, File, FileName, FileRead, FileState};
pub use log::{Log, LogLine, Logging, Topic};
pub use metrics::{Metrics, MetricsState};
pub use network::{
    Address, AddressState, Arp, BridgeHost, DhcpClient, DnsStatic, Ethernet, EthernetState,
    Interface, InterfaceState, Neighbour, Registration, Wifi,
};
pub(crate) use service::EVERYWHERE;
pub use service::{Prefix, Protocol, Service, ServiceState, TlsVersion};
pub use system::{
    Clock, ClockState, Health, Identity, License, LicenseState, Package, PackageState,
    PackageUpdate, PackageUpdateState, Resource, ResourceState, Routerboard, RouterboardState,
};
pub use user::{Active, Group, Policies, Session, Source, User, UserState};

pub use tool::{Echo, Flow, Ping, Torch};

use leasehold_dhcp::menus as dhcp;
use leasehold_routeros::{Menu, Row, Tree};

/// All menus, in the order of exports.
#[must_use]
pub fn menus() -> Vec<&'static Menu> {
    let mut menus = vec![
        File::menu(),
        FileRead::menu(),
        Interface::menu(),
        Ethernet::menu(),
        BridgeHost::menu(),
        Wifi::menu(),
        Registration::menu(),
        Address::menu(),
        Arp::menu(),
        DhcpClient::menu(),
        DnsStatic::menu(),
    ];
    menus.extend(dhcp::menus());
    menus.extend([
        Service::menu(),
        Clock::menu(),
        Health::menu(),
        Identity::menu(),
        License::menu(),
        Log::menu(),
        Logging::menu(),
        Metrics::menu(),
        Package::menu(),
        PackageUpdate::menu(),
        Resource::menu(),
        Routerboard::menu(),
        Group::menu(),
        User::menu(),
        Active::menu(),
        Ping::menu(),
        Torch::menu(),
    ]);
    menus
}

/// A tree with all menus and no rows.
#[must_use]
pub fn tree() -> Tree {
    Tree::new(menus())
}
