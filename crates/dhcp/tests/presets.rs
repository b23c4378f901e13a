//! What a server does before anybody configures anything but its interface and pool.

use leasehold_dhcp::menus::{self, BootpLeaseTime, BootpSupport, Server};

/// The only server of a configuration that gives these properties and no others.
fn server(properties: &[(&str, &str)]) -> Server {
    let mut tree = menus::tree();
    let pool = [("name", "pool"), ("ranges", "10.0.0.10-10.0.0.20")];
    tree.add("/ip/pool", &pool).expect("a pool");
    let needed = [("name", "server"), ("interface", "ether-1"), ("address-pool", "pool")];
    tree.add("/ip/dhcp-server", &[&needed, properties].concat()).expect("a server");
    tree.rows::<Server>().remove(0).row.expect("a whole row")
}

//= https://www.rfc-editor.org/rfc/rfc1534#section-2
//= type=test
//# the decision to allow a DHCP server to return automatic addresses must be under the control of
//# the system administrator.
//= https://www.rfc-editor.org/rfc/rfc1534#section-2
//= type=test
//# this feature must be configurable, and the feature must default off.
//= https://www.rfc-editor.org/rfc/rfc1534#section-2
//= type=test
//# Enabling of the feature must be the result of an active decision by the system administrator.
//= https://www.rfc-editor.org/rfc/rfc1534#section-2
//= type=test
//# MUST provide a configuration switch if returning automatic addresses to BOOTP clients,
//= https://www.rfc-editor.org/rfc/rfc1534#section-2
//= type=test
//# MUST default this optional configuration to OFF,
#[test]
fn bootp_clients_get_automatic_addresses_only_when_asked_for() {
    assert_eq!(server(&[]).bootp_support, BootpSupport::Static);
    assert_eq!(server(&[("bootp-support", "dynamic")]).bootp_support, BootpSupport::Dynamic);
    assert_eq!(server(&[("bootp-support", "none")]).bootp_support, BootpSupport::None);
}

//= https://www.rfc-editor.org/rfc/rfc1534#section-2
//= type=test
//# Thus the DHCP server must assign an infinite lease duration to for automatic addresses assigned
//# to BOOTP clients.
#[test]
fn bootp_clients_keep_their_addresses_for_ever() {
    assert_eq!(server(&[]).bootp_lease_time, BootpLeaseTime::Forever);
}

//= https://www.rfc-editor.org/rfc/rfc2131#section-3.1
//= type=test
//# Servers SHOULD be implemented so that network administrators MAY choose to disable probes of
//# newly allocated addresses.
#[test]
fn addresses_are_probed_unless_the_administrator_says_no() {
    assert!(server(&[]).conflict_detection);
    assert!(!server(&[("conflict-detection", "no")]).conflict_detection);
}
