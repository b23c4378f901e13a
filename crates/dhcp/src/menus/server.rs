//! `/ip/dhcp-server`.

use core::net::Ipv4Addr;

use leasehold_routeros::menu::{Effect, Special, Unique};
use leasehold_routeros::value::{Bounded, Interface, Name, Reference};
use leasehold_routeros::{Record, Row, Tree, choice, menu};

use super::{Lasting, Pool, SetReference};

choice! {
    /// Where a server takes the addresses of clients without a static lease from.
    pub enum AddressPool {
        /// Nowhere: it serves static leases alone.
        StaticOnly = "static-only",
    } or {
        /// This pool and what is chained to it.
        Pool(Reference<Pool>),
    }
}

choice! {
    /// Whether a REQUEST for an address that the server cannot give is refused.
    pub enum Authoritative {
        /// Always.
        Yes = "yes",
        /// Never: the request is ignored.
        No = "no",
        /// Once the client has tried for two seconds.
        After2s = "after-2sec-delay",
        /// Once the client has tried for ten seconds.
        After10s = "after-10sec-delay",
    }
}

choice! {
    /// Which BOOTP clients are served.
    pub enum BootpSupport {
        /// None.
        None = "none",
        /// Those with a static lease.
        Static = "static",
        /// All.
        Dynamic = "dynamic",
    }
}

choice! {
    /// How long a BOOTP client keeps its address.
    pub enum BootpLeaseTime {
        /// For ever.
        Forever = "forever",
        /// As long as a DHCP client.
        LeaseTime = "lease-time",
    } or {
        /// This long.
        Time(Lasting),
    }
}

choice! {
    /// How long a client has to have tried before it is answered.
    pub enum DelayThreshold {
        /// It is answered at once.
        None = "none",
    } or {
        /// `secs` has to be at least this.
        Time(Lasting),
    }
}

choice! {
    /// One of the things that tell one dynamic client from another.
    pub enum Identifier {
        /// Its MAC address.
        ClientMac = "client-mac",
        /// Its option 61.
        ClientId = "client-id",
        /// The relay's option 82.
        Opt82 = "opt-82",
    }
}

choice! {
    /// Whether RADIUS is asked.
    pub enum UseRadius {
        /// No.
        No = "no",
        /// For addresses and accounting.
        Yes = "yes",
        /// For accounting alone.
        Accounting = "accounting",
    }
}

choice! {
    /// How many leases clients that share something may have.
    pub enum LeaseLimit {
        /// Any number.
        Unlimited = "unlimited",
    } or {
        /// This many.
        Leases(Bounded<1, { u32::MAX as u64 }>),
    }
}

choice! {
    /// What becomes of a client that would have one lease too many.
    pub enum LimitAction {
        /// It gets nothing.
        Refuse = "refuse",
        /// It gets a lease, and the one whose client was heard longest ago ends.
        ReplaceOldest = "replace-oldest",
    }
}

choice! {
    /// Where a dynamic queue is put.
    pub enum QueuePlace {
        /// Before all others.
        First = "first",
        /// After all others.
        Bottom = "bottom",
    } or {
        /// Before this queue.
        Before(String),
    }
}

choice! {
    /// A queue, or none.
    pub enum Queue {
        /// None.
        None = "none",
    } or {
        /// This one.
        Named(String),
    }
}

/// Nothing is reclaimed without probes, however often it is wanted.
fn remarks(_: &Tree, row: &Record) -> Vec<String> {
    let server = Server::read(row.cells());
    let idle = server.iter().filter(|server| server.reclaim_silent && !server.conflict_detection);
    let remark = |server: &Server| {
        let name = &*server.name;
        format!("reclaim-silent of server \"{name}\" needs conflict-detection=yes")
    };
    idle.map(remark).collect()
}

menu! {
    /// DHCP servers: one per interface and relay.
    pub struct Server in "/ip/dhcp-server" {
        /// Unique name; `dhcp1`, `dhcp2`, … when none is given.
        name: Name = numbered("dhcp"),
        /// Interface whose clients are served.
        interface: Interface = required(),
        /// Relay whose clients are served: 0.0.0.0 none, 255.255.255.255 any without an entry.
        relay: Ipv4Addr = preset("0.0.0.0"),
        /// Pool that addresses come from; `static-only` serves static leases alone.
        address_pool: AddressPool = preset("static-only").always(),
        /// How long a client keeps its address without renewing it.
        lease_time: Lasting = preset("30m").always().exported()
            .earlier(&[((6, 20), "3d"), ((7, 12), "10m")]),
        /// What tells one dynamic client from another.
        dynamic_lease_identifiers: Vec<Identifier> = preset("client-mac,client-id").always(),
        //= https://www.rfc-editor.org/rfc/rfc1534#section-2
        //# the decision to allow a DHCP server to return automatic addresses must be under the
        //# control of the system administrator.
        //= https://www.rfc-editor.org/rfc/rfc1534#section-2
        //# this feature must be configurable, and the feature must default off.
        //= https://www.rfc-editor.org/rfc/rfc1534#section-2
        //# Enabling of the feature must be the result of an active decision by the system
        //# administrator.
        //= https://www.rfc-editor.org/rfc/rfc1534#section-2
        //# MUST provide a configuration switch if returning automatic addresses to BOOTP clients,
        //= https://www.rfc-editor.org/rfc/rfc1534#section-2
        //# MUST default this optional configuration to OFF,
        /// Which BOOTP clients are served.
        bootp_support: BootpSupport = preset("static"),
        //= https://www.rfc-editor.org/rfc/rfc1534#section-2
        //# Thus the DHCP server must assign an infinite lease duration to for automatic addresses
        //# assigned to BOOTP clients.
        /// How long a BOOTP client keeps its address.
        bootp_lease_time: BootpLeaseTime = preset("forever"),
        /// Clients that have tried for less than this are ignored.
        delay_threshold: DelayThreshold = preset("none"),
        /// Address that the server answers with; 0.0.0.0 is the interface's own.
        server_address: Ipv4Addr = preset("0.0.0.0").formerly(&["src-address"]),
        /// Adds a permanent neighbour entry for each lease.
        add_arp: bool = preset("no").not_obeyed(),
        /// Adds a DNS name for each lease.
        add_dns_entries: bool = preset("no").not_obeyed(),
        /// Domain under which the names are added.
        add_dns_entries_suffix: String = preset("lan").always().not_obeyed(),
        /// Whether requests for addresses that the server cannot give are refused.
        authoritative: Authoritative = preset("yes")
            .earlier(&[((6, 39), "after-2sec-delay")]),
        /// Answers by broadcast even when the client can take unicast.
        always_broadcast: bool = preset("no"),
        /// Whether RADIUS is asked.
        use_radius: UseRadius = preset("no").always().not_obeyed(),
        /// How many leases one MAC address may have; relayed clients are not counted.
        client_mac_limit: LeaseLimit = preset("unlimited"),
        /// How many leases the clients behind one port of a relay or switch may have, by the
        /// circuit-id and remote-id of option 82 (ours).
        circuit_lease_limit: LeaseLimit = preset("unlimited").ours(),
        /// What becomes of a client beyond circuit-lease-limit: it is refused, or it replaces the
        /// one that was heard longest ago, so that a swapped modem works at once (ours).
        circuit_lease_action: LimitAction = preset("replace-oldest").ours(),
        /// No new lease is longer than this while nine tenths of the pool are taken; a client that
        /// stays gets as long as it has stayed (ours).
        pressure_lease_time: DelayThreshold = preset("none").ours(),
        /// When no address is left, takes back the lease of a client on this link that was silent
        /// for ten minutes and does not answer ARP; needs conflict-detection (ours).
        reclaim_silent: bool = preset("no").ours(),
        //= https://www.rfc-editor.org/rfc/rfc2131#section-3.1
        //# Servers SHOULD be implemented so that network administrators MAY choose to disable
        //# probes of newly allocated addresses.
        /// Probes an address before it is offered.
        conflict_detection: bool = preset("yes"),
        /// Sends RADIUS Framed-Route as option 121.
        use_framed_as_classless: bool = preset("yes").not_obeyed(),
        /// May ask clients to renew (RFC 3203).
        use_reconfigure: bool = preset("no").always(),
        /// Command to run when a lease is bound or ends.
        lease_script: String = preset("").always().not_obeyed(),
        /// Where the dynamic queue of a lease is put.
        insert_queue_before: QueuePlace = preset("first").not_obeyed(),
        /// Parent of the dynamic queue of a lease.
        parent_queue: Queue = preset("none").not_obeyed(),
        /// Options for all clients of the server.
        dhcp_option_set: SetReference = preset("none"),
        /// Address lists that hold the addresses of bound leases.
        address_lists: Vec<String> = preset("").always().not_obeyed(),
        /// One queue for a client's IPv4 and IPv6 leases.
        allow_dual_stack_queue: bool = preset("yes").not_obeyed(),
        /// Tells RADIUS the TR-101 parts of option 82.
        support_broadband_tr101: bool = preset("no").always().not_obeyed(),
        /// Tells clients for how long to do without IPv4 (option 108).
        ipv6_only_preferred: DelayThreshold = preset("none"),
        /// Answers a DISCOVER that asks for it with the lease itself (RFC 4039; ours).
        rapid_commit: bool = preset("no").ours(),
        /// Clients that get no address may give themselves one; else they are told not to
        /// (option 116; ours).
        auto_configure: bool = preset("yes").ours(),
        /// Whether the server is switched off.
        disabled: bool = preset("no").always().flag('X').earlier(&[((7, 0), "yes")]),
        /// Free text.
        comment: String = preset(""),
    }
    /// What the running server knows of a server entry.
    live struct ServerState {
        /// Made by something else than the configuration.
        dynamic: bool = live_or("no").flag('D'),
        /// Cannot serve: the interface is missing, a slave, or without an address.
        invalid: bool = live_or("no").flag('I'),
        /// What is remarkable about the server.
        about: String = live(),
    }
    columns: &["name", "interface", "relay", "address-pool", "lease-time"],
    unique: &[
        Unique {
            by: &["name"],
            within: None,
            enabled_only: false,
            failure: "server with such name already exists",
        },
        Unique {
            by: &["interface", "relay"],
            within: None,
            enabled_only: false,
            failure: "server or relay with such interface already exists",
        },
    ],
    specials: &[Special {
        verb: "setup",
        doc: "asks what it needs and makes a pool, a network and a server, on a console",
        effect: Effect::Dialogue,
    }],
    remarks: Some(remarks),
    noun: "server",
}
