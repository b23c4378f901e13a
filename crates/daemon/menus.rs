//! All menus of the daemon: those of the DHCP server, and of the machine and the service around it.

mod network;
mod system;

pub use network::{
    Address, AddressState, Arp, BridgeHost, DhcpClient, DnsStatic, Ethernet, EthernetState,
    Interface, InterfaceState, Neighbour, Registration, Wifi,
};
pub use system::{
    Clock, ClockState, Health, Identity, License, LicenseState, Package, PackageState,
    PackageUpdate, PackageUpdateState, Resource, ResourceState, Routerboard, RouterboardState,
};

use leasehold_dhcp::menus as dhcp;
use leasehold_routeros::{Menu, Row, Tree};

/// All menus, in the order of exports.
#[must_use]
pub fn menus() -> Vec<&'static Menu> {
    let mut menus = vec![
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
        Clock::menu(),
        Health::menu(),
        Identity::menu(),
        License::menu(),
        Package::menu(),
        PackageUpdate::menu(),
        Resource::menu(),
        Routerboard::menu(),
    ]);
    menus
}

/// A tree with all menus and no rows.
#[must_use]
pub fn tree() -> Tree {
    Tree::new(menus())
}
