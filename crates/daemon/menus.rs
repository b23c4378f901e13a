//! All menus of the daemon: those of the DHCP server, and of the machine and the service around it.

mod system;

pub use system::Identity;

use leasehold_dhcp::menus as dhcp;
use leasehold_routeros::{Menu, Row, Tree};

/// All menus, in the order of exports.
#[must_use]
pub fn menus() -> Vec<&'static Menu> {
    let mut menus = dhcp::menus().to_vec();
    menus.extend([Identity::menu()]);
    menus
}

/// A tree with all menus and no rows.
#[must_use]
pub fn tree() -> Tree {
    Tree::new(menus())
}
