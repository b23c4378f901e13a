//! `/ip/dhcp-server/lease`: static leases, and what the running server knows of all leases.

use core::net::Ipv4Addr;

use ipnet::Ipv4Net;
use leasehold_routeros::menu::{Effect, Special, Unique};
use leasehold_routeros::value::{Hex, Reference};
use leasehold_routeros::{Cells, Fault, Id, Menu, Row, Value, choice, menu};

use super::{
    ClientIdText, DhcpOption, Pool, Queue, QueuePlace, RateLimit, Server, SetReference, Span,
};
use crate::link::Mac;

choice! {
    /// The address of a static lease.
    pub enum LeaseAddress {
    } or {
        /// This address; 0.0.0.0 is any of the server's pool.
        Address(Ipv4Addr),
        /// Any address of this pool.
        Pool(Reference<Pool>),
    }
}

choice! {
    /// The servers that give a static lease out.
    pub enum LeaseServer {
        /// All.
        All = "all",
    } or {
        /// This one.
        Server(Reference<Server>),
    }
}

choice! {
    /// What came of asking a client to renew.
    pub enum ReconfigureState {
        /// It was asked, and has time to do so.
        Sent = "sent",
        /// It has renewed.
        Renewed = "renewed",
        /// It was asked several times and did not.
        NoAnswer = "no-answer",
    }
}

choice! {
    /// What a lease is doing.
    pub enum LeaseStatus {
        /// Nobody has it.
        Waiting = "waiting",
        /// Its address is being probed.
        Testing = "testing",
        /// RADIUS is being asked.
        Authorizing = "authorizing",
        /// The server somehow could not use it.
        Busy = "busy",
        /// It was offered.
        Offered = "offered",
        /// A client has it.
        Bound = "bound",
        /// A client said that somebody else has the address.
        Declined = "declined",
        /// A probe found somebody else on the address.
        Conflict = "conflict",
    }
}

choice! {
    /// How long ago something was.
    pub enum Seen {
        /// It never was.
        Never = "never",
        /// Before the last restart.
        Sometime = "sometime",
    } or {
        /// This long ago.
        Ago(Span),
    }
}

/// One route through a client: `10.1.0.0/16 192.168.88.7 1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    /// What is routed.
    pub destination: Ipv4Net,
    /// Through whom; the lease's own address if not given.
    pub gateway: Option<Ipv4Addr>,
    /// The smaller the better.
    pub distance: u8,
}

impl Value for Route {
    const EXAMPLE: &'static str = "10.1.0.0/16 192.168.88.7 1";

    fn describe() -> String {
        "route (destination, gateway, distance)".into()
    }

    fn parse(text: &str) -> Result<Self, Fault> {
        let mut words = text.split_whitespace();
        let destination = Ipv4Net::parse(words.next().ok_or(Fault::Invalid)?)?;
        let gateway = words.next().map(Ipv4Addr::parse).transpose()?;
        let distance = words.next().map_or(Ok(1), str::parse).map_err(|_| Fault::Invalid)?;
        if words.next().is_some() {
            return Err(Fault::Invalid);
        }
        Ok(Self { destination, gateway, distance })
    }

    fn print(&self) -> String {
        match self.gateway {
            Some(gateway) => format!("{} {gateway} {}", self.destination, self.distance),
            None => self.destination.to_string(),
        }
    }
}

/// Routes of a client while its lease is bound.
pub type Routes = Vec<Route>;

/// The id of a dynamic lease follows from its address space (0 is `main`) and its address.
#[must_use]
pub fn lease_id(space: u16, address: Ipv4Addr) -> Id {
    Id(u64::from(space) << 32 | u64::from(address.to_bits()))
}

fn blocked(cells: &Cells) -> Option<String> {
    let menu: &Menu = Lease::menu();
    menu.text(cells, menu.place("block-access")?)
}

menu! {
    /// Leases: the static ones are configured here, the dynamic ones are made by clients.
    pub struct Lease in "/ip/dhcp-server/lease" {
        /// Address to give, or a pool to take one from; 0.0.0.0 is the server's pool.
        address: LeaseAddress = preset("0.0.0.0").always(),
        /// The client's MAC address; zeros if it is told by its client-id alone.
        mac_address: Mac = preset("00:00:00:00:00:00").always(),
        /// The client's option 61 in hexadecimal: `1:aa:bb:cc:dd:ee:ff`.
        client_id: Option<ClientIdText> = unset(),
        /// Address lists that hold the address while the lease is bound.
        address_lists: Vec<String> = preset("").always().not_obeyed(),
        /// Server that gives the lease out.
        server: LeaseServer = preset("all"),
        /// How long the client keeps the address; 0s is the server's lease-time.
        lease_time: Span = preset("0s"),
        /// The client gets no address at all.
        block_access: bool = preset("no"),
        /// Answers by broadcast even when the client can take unicast.
        always_broadcast: bool = preset("no"),
        /// The client is told by its frames' source instead of chaddr.
        use_src_mac: bool = preset("no"),
        /// Rate of the client: `rx[/tx] [burst[/burst] [threshold[/…] [time[/…]]]]`.
        rate_limit: Option<RateLimit> = unset().not_obeyed(),
        /// Routes through the client while the lease is bound.
        routes: Routes = preset("").not_obeyed(),
        /// Options for this client.
        dhcp_option: Vec<Reference<DhcpOption>> = preset("").always(),
        /// A set of options for this client.
        dhcp_option_set: SetReference = preset("none"),
        /// The client is told by its relay's circuit-id.
        agent_circuit_id: Hex = preset("").always(),
        /// The client is told by its relay's remote-id.
        agent_remote_id: Hex = preset("").always(),
        /// One queue for the client's IPv4 and IPv6 leases.
        allow_dual_stack_queue: bool = preset("yes").not_obeyed(),
        /// Where the client's dynamic queue is put.
        insert_queue_before: Option<QueuePlace> = unset().not_obeyed(),
        /// Parent of the client's dynamic queue.
        parent_queue: Option<Queue> = unset().not_obeyed(),
        /// Kind of the client's dynamic queue.
        queue_type: Option<String> = unset().not_obeyed(),
        /// Whether the static lease is switched off.
        disabled: bool = preset("no").always().flag('X'),
        /// Free text.
        comment: String = preset(""),
    }
    /// What the running server knows of a lease.
    live struct LeaseState {
        /// What the lease is doing.
        status: LeaseStatus = live_or("waiting"),
        /// Time until the lease ends.
        expires_after: Span = live(),
        /// Time since the client was last heard.
        last_seen: Seen = live_or("never"),
        /// Time since the lease was bound.
        age: Span = live(),
        /// Address that the client has.
        active_address: Ipv4Addr = live(),
        /// MAC address of the client that has it.
        active_mac_address: Mac = live(),
        /// Option 61 of the client that has it.
        active_client_id: ClientIdText = live(),
        /// Server that bound it.
        active_server: Reference<Server> = live(),
        /// Circuit-id that the relay told.
        active_agent_circuit_id: Hex = live_or(""),
        /// Remote-id that the relay told.
        active_agent_remote_id: Hex = live_or(""),
        /// The client's name: the first label of option 81, else option 12.
        host_name: String = live(),
        /// Option 60 of the client.
        class_id: String = live(),
        /// Source of the client's frames, where it differs from its MAC address.
        src_mac_address: Mac = live(),
        /// Allowed by RADIUS.
        radius: bool = live_or("no").flag('R'),
        /// Made by a client rather than configured.
        dynamic: bool = live_or("no").flag('D'),
        /// The client is refused.
        blocked: bool = computed(blocked).flag('B'),
        /// When the client was last asked to renew.
        reconfigure_last_sent: Span = live(),
        /// What came of it.
        reconfigure_status: ReconfigureState = live(),
        /// What is remarkable about the lease.
        about: String = live(),
    }
    key: &["server", "mac-address", "client-id", "address"],
    columns: &["address", "mac-address", "host-name", "server", "status", "last-seen"],
    unique: &[
        Unique {
            by: &["mac-address"],
            within: Some("server"),
            enabled_only: true,
            failure: "already have static lease for this client",
        },
        Unique {
            by: &["address"],
            within: None,
            enabled_only: true,
            failure: "already have static lease with this IP address",
        },
    ],
    views: &[("active", "active-address")],
    specials: &[
        Special {
            verb: "make-static",
            doc: "makes a dynamic lease a configured one",
            effect: Effect::Adopt,
        },
        Special {
            verb: "check-status",
            doc: "probes a declined or conflicting address and frees it when nobody answers",
            effect: Effect::None,
        },
        Special {
            verb: "send-reconfigure",
            doc: "asks the client to renew",
            effect: Effect::None,
        },
    ],
    noun: "lease",
}
