//! What the engine obeys: plain typed values, references resolved, nothing to look up by name.

mod compile;
mod fixed;
mod network;
mod option;
mod orphan;
mod plan;

use core::net::Ipv4Addr;
use core::ops::RangeInclusive;
use std::sync::Arc;

pub use self::compile::{Broken, Compiled, Flaw, Host};
pub use self::fixed::{FixedAddress, FixedLease, FixedLeases, Identifiers, Shown};
pub use self::network::{Network, Networks};
pub use self::option::{OptionEntry, OptionSet, Piece, RadiusString, Value};
pub use self::orphan::Orphaned;
use crate::link::Mac;

/// A whole configuration. Built by the control task, or by hand in tests; never changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// Enabled, valid servers.
    pub servers: Vec<Server>,
    /// What clients are told, by the address that they get.
    pub networks: Networks,
    /// Enabled, valid static leases.
    pub leases: FixedLeases,
    /// Matchers in order: the first that fits wins.
    pub matchers: Vec<Matcher>,
    /// Pools in order.
    pub pools: Vec<PoolSpec>,
    /// Addresses covered by objects that are disabled or invalid: never given out for their sake,
    /// and nobody who asks for one is told NAK.
    pub withheld: Vec<Withheld>,
    /// Links on which other servers are looked for.
    pub alerts: Vec<Alert>,
    /// What applies to all servers.
    pub settings: Settings,
}

/// Index into [`Config::servers`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServerIndex(pub u16);

/// Index into [`Config::pools`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PoolIndex(pub u16);

/// One `/ip dhcp-server`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Its name: in log lines, and in records.
    pub name: Arc<str>,
    /// The interface whose direct clients it serves, by name.
    pub interface: Arc<str>,
    /// Which relays' clients it serves instead.
    pub relay: Relay,
    /// Seconds; `u32::MAX` is for ever.
    pub lease_time: u32,
    /// Where dynamic addresses come from.
    pub address_pool: AddressPool,
    /// What tells dynamic clients apart.
    pub identifiers: Identifiers,
    /// Who may use BOOTP.
    pub bootp_support: BootpSupport,
    /// Seconds that a BOOTP client has its address; `u32::MAX` is for ever.
    pub bootp_lease_time: u32,
    /// Clients that have tried for fewer seconds are ignored.
    pub delay_threshold: u16,
    /// Stands in option 54 instead of the interface's primary address, and in `siaddr`.
    pub server_address: Option<Ipv4Addr>,
    /// Who is told NAK.
    pub authoritative: Authoritative,
    /// Every reply is broadcast, whatever the client's flag says.
    pub always_broadcast: bool,
    /// Dynamic addresses are probed before they are offered.
    pub conflict_detection: bool,
    /// Leases that one hardware address may hold.
    pub client_mac_limit: Option<u32>,
    /// Leases that clients behind one port of a relay may hold.
    pub circuit_lease_limit: Option<CircuitLimit>,
    /// Seconds that no new lease is longer than while the pool is nearly empty.
    pub pressure_lease_time: Option<u32>,
    /// Addresses whose owners do not answer are given to others when no other is left.
    pub reclaim_silent: bool,
    /// Options of the server's sets.
    pub options: OptionSet,
    /// Option 15 where the network has no domain.
    pub domain_suffix: Arc<str>,
    /// Answers a DISCOVER that asks for it with an ACK (RFC 4039).
    pub rapid_commit: bool,
    /// Option 108: seconds that an IPv6-only-capable client may do without IPv4 (RFC 8925).
    pub ipv6_only_preferred: Option<u32>,
    /// Clients that get no address may give themselves one (RFC 2563).
    pub auto_configure: bool,
    /// FORCERENEW is prepared for and may be sent (RFC 3203, RFC 6704).
    pub use_reconfigure: bool,
}

impl Default for Server {
    /// RouterOS's defaults; without a name, an interface or a pool.
    fn default() -> Self {
        Self {
            name: Arc::from(""),
            interface: Arc::from(""),
            relay: Relay::None,
            lease_time: 1800,
            address_pool: AddressPool::StaticOnly,
            identifiers: Identifiers::default(),
            bootp_support: BootpSupport::Static,
            bootp_lease_time: u32::MAX,
            delay_threshold: 0,
            server_address: None,
            authoritative: Authoritative::Yes,
            always_broadcast: false,
            conflict_detection: true,
            client_mac_limit: None,
            circuit_lease_limit: None,
            pressure_lease_time: None,
            reclaim_silent: false,
            options: OptionSet::default(),
            domain_suffix: Arc::from(""),
            rapid_commit: false,
            ipv6_only_preferred: None,
            auto_configure: true,
            use_reconfigure: false,
        }
    }
}

impl Server {
    /// Whether it takes leases back whose owners are silent: only where its offers are probed.
    pub(crate) fn reclaims(&self) -> bool {
        self.reclaim_silent && self.conflict_detection
    }
}

/// The property `relay`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relay {
    /// `0.0.0.0`: direct clients only.
    None,
    /// One relay, by `giaddr`.
    At(Ipv4Addr),
    /// `255.255.255.255`: every relay that no other server names.
    Any,
}

/// The property `address-pool`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddressPool {
    /// Only static leases are given.
    StaticOnly,
    /// From this pool and those that follow it.
    Pool(PoolIndex),
}

/// The property `bootp-support`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BootpSupport {
    /// BOOTP is ignored.
    None,
    /// Static leases only.
    Static,
    /// From the pool too.
    Dynamic,
}

/// The properties `circuit-lease-limit` and `circuit-lease-action`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CircuitLimit {
    /// So many.
    pub leases: u32,
    /// One more ends the one whose client was heard longest ago; else it is refused.
    pub replace_oldest: bool,
}

/// The property `authoritative`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Authoritative {
    /// Unknown clients' requests are ignored.
    No,
    /// This server knows all addresses of its networks.
    Yes,
    /// As `No` while `secs` is below this, then as `Yes`.
    After(u16),
}

/// One `/ip dhcp-server matcher`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Matcher {
    /// Its name.
    pub name: Arc<str>,
    /// Its server; all of them if `None`.
    pub server: Option<ServerIndex>,
    /// The option that is looked at.
    pub code: u8,
    /// What it is compared with.
    pub value: Box<[u8]>,
    /// Anywhere within the option instead of the whole of it.
    pub substring: bool,
    /// Where its clients' addresses come from instead of the server's pool.
    pub address_pool: Option<AddressPool>,
    /// What its clients are told besides.
    pub options: OptionSet,
    /// Seconds instead of the server's lease time.
    pub lease_time: Option<u32>,
}

/// One `/ip pool`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolSpec {
    /// Its name.
    pub name: Arc<str>,
    /// The address space, `vrf=`; `main` is the empty string.
    pub space: Arc<str>,
    /// First and last address of each range.
    pub ranges: Vec<RangeInclusive<Ipv4Addr>>,
    /// The pool that is asked when this one is empty. Chains may loop.
    pub next: Option<PoolIndex>,
}

/// One enabled `/ip dhcp-server alert`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alert {
    /// The interface that is watched, by name.
    pub interface: Arc<str>,
    /// Servers that are allowed, by their stations.
    pub valid_servers: Vec<Mac>,
    /// Seconds until a server that was found is forgotten, and told again.
    pub timeout: Option<u32>,
}

/// Addresses that a disabled or invalid object covers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Withheld {
    /// The address space; `main` is the empty string.
    pub space: Arc<str>,
    /// First and last.
    pub addresses: RangeInclusive<Ipv4Addr>,
}

/// What applies to all servers. RouterOS has no words for these; the defaults are ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Milliseconds that an offer is held for its client.
    pub offer_ms: u32,
    /// The same when the pool is more than nine tenths full.
    pub offer_scarce_ms: u32,
    /// Milliseconds that a probe waits for an answer.
    pub probe_ms: u32,
    /// Probes a second at most, of which no source of clients takes what others need. Offers beyond
    /// are made without one, unless the store is suspect.
    pub probes_per_second: u32,
    /// Seconds that an address is out of use after its first conflict; it doubles with each.
    pub quarantine: u32,
    /// Seconds that no lease is shorter than, whatever the client asks for.
    pub lease_time_min: u32,
    /// Option 82 is believed where no relay can have added it (access switches, OLTs).
    pub trust_option_82_of_clients: bool,
    /// The link-selection sub-option is obeyed (RFC 3527).
    pub link_selection: bool,
    /// Option 118 is obeyed (RFC 3011); off as its section 6 demands.
    pub subnet_selection: bool,
    /// Seconds that it is remembered who had an address.
    pub history: u32,
    /// Relays that may send DHCPLEASEQUERY (RFC 4388).
    pub leasequery: Vec<ipnet::Ipv4Net>,
    /// Who may read all bindings over TCP (RFC 6926).
    pub bulk_leasequery: Vec<ipnet::Ipv4Net>,
    /// Connections for that at once.
    pub bulk_connections: u16,
    /// Queries that one of them works on at once.
    pub bulk_queries: u16,
    /// Options beside the protocol's own that relays are told.
    pub leasequery_options: Vec<u8>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            offer_ms: 30_000,
            offer_scarce_ms: 8_000,
            probe_ms: 500,
            probes_per_second: 1000,
            quarantine: 600,
            lease_time_min: 60,
            trust_option_82_of_clients: true,
            link_selection: true,
            //= https://www.rfc-editor.org/rfc/rfc3011#section-6
            //# Servers that implement the subnet selection option MUST by default disable use of
            //# the feature; it must specifically be enabled through configuration.
            subnet_selection: false,
            history: 30 * 86_400,
            leasequery: Vec::new(),
            bulk_leasequery: Vec::new(),
            bulk_connections: 10,
            bulk_queries: 4,
            leasequery_options: vec![1, 3, 6, 15, 28, 42, 60],
        }
    }
}
