//! `/ip/dhcp-server/lease/history`: who had an address when.

use core::net::Ipv4Addr;

use leasehold_routeros::menu;
use leasehold_routeros::menu::Form;

use super::ClientIdText;
use crate::link::Mac;

menu! {
    /// Who had an address when, also of leases that are gone. Times are UTC.
    pub struct LeaseHistory in "/ip/dhcp-server/lease/history" {
    }
    /// One client's time on one address.
    live struct Tenancy {
        /// The address.
        address: Ipv4Addr = live(),
        /// The client's MAC address.
        mac_address: Mac = live(),
        /// The client's identifier, if it sent one.
        client_id: ClientIdText = live(),
        /// The client's name for itself.
        host_name: String = live(),
        /// The server that gave it.
        server: String = live(),
        /// When it was first given: `2026-11-23 17:53:02`.
        since: String = live(),
        /// When it ended; `bound` while it lasts.
        until: String = live(),
        /// When it was renewed last.
        last_renewed: String = live(),
        /// How it ended: `released`, `expired`, `removed`, `conflict`, `superseded`.
        ended: String = live(),
        /// Option 82 as the relay sent it, hexadecimal.
        agent_information: String = live(),
    }
    form: Form::View,
    key: &["address", "since"],
    columns: &["address", "mac-address", "host-name", "server", "since", "until", "ended"],
    noun: "tenancy",
}
