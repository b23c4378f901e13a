//! `/ip/dhcp-server/config`: what all servers share.

use ipnet::Ipv4Net;
use leasehold_routeros::menu::Form;
use leasehold_routeros::value::Bounded;
use leasehold_routeros::{choice, menu};

use super::{Lasting, OptionCode, Span};

choice! {
    /// How soon leases are on disk. Here always before the client has its answer.
    pub enum StoreLeases {
        /// At once.
        Immediately = "immediately",
        /// Never.
        Never = "never",
    } or {
        /// At this interval.
        Every(Lasting),
    }
}

choice! {
    /// The password that RADIUS is told.
    pub enum RadiusPassword {
        /// None.
        Empty = "empty",
        /// The user name.
        SameAsUser = "same-as-user",
    } or {
        /// This one.
        Password(String),
    }
}

menu! {
    /// Settings of all servers.
    pub struct Config in "/ip/dhcp-server/config" {
        /// How soon leases are stored; whatever it says, a lease is on disk before its ACK leaves.
        store_leases_disk: StoreLeases = preset("5m").always(),
        /// How long it is remembered who had an address (ours; RouterOS forgets at once).
        lease_history: Lasting = preset("4w2d"),
        /// Obeys a relay that names the client's subnet in option 82 (RFC 3527; ours).
        link_selection: bool = preset("yes").ours(),
        /// Obeys a client that names a subnet in option 118 (RFC 3011; ours).
        subnet_selection: bool = preset("no").ours(),
        /// Believes an option 82 that no relay can have added: access switches and OLTs add it
        /// without being relays (ours).
        trust_option_82: bool = preset("yes").ours(),
        /// Relays that may ask who has an address (RFC 4388, ours); nobody by default.
        leasequery_allow: Vec<Ipv4Net> = preset("").ours(),
        //= https://www.rfc-editor.org/rfc/rfc4388#section-6.4.2
        //# DHCP servers SHOULD be configurable with a list of "non-sensitive options" that can be
        //# returned to the client
        /// Options that they are told besides, if they want to know (ours).
        leasequery_options: Vec<OptionCode> = preset("1,3,6,15,28,42,60").ours(),
        /// Who may read all leases over TCP port 67 (RFC 6926, ours); nobody by default.
        bulk_leasequery_allow: Vec<Ipv4Net> = preset("").ours(),
        /// How many of them at once; whoever comes beyond is turned away.
        bulk_leasequery_connections: Bounded<1, 1000> = preset("10").ours(),
        /// How many queries of one connection are answered side by side.
        bulk_leasequery_queries: Bounded<1, 1000> = preset("4").ours(),
        /// Reports leases to RADIUS.
        accounting: bool = preset("yes").always().not_obeyed(),
        /// Interval of reports on a lease that goes on; 0s is RADIUS's own.
        interim_update: Span = preset("0s").always().not_obeyed(),
        /// Password that RADIUS is told.
        radius_password: RadiusPassword = preset("empty").always().not_obeyed(),
    }
    /// Nothing is known beside the configuration.
    live struct ConfigState {
    }
    form: Form::Singleton,
    key: &[],
    noun: "config",
}
