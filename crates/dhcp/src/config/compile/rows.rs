//! Pools, networks, servers, static leases and matchers, each from its menu's rows.

use super::super::{Authoritative, BootpSupport, CircuitLimit, Identifiers, Relay};
use super::*;
use leasehold_routeros::value::Bounded;

impl Compiler<'_> {
    /// What applies to all servers; a row that cannot be read leaves the defaults.
    pub(super) fn settings(&mut self) -> Settings {
        let mut settings = Settings::default();
        for (_, _, row) in self.rows::<menus::Config>() {
            settings.history = row.lease_history.seconds();
            settings.link_selection = row.link_selection;
            settings.subnet_selection = row.subnet_selection;
            settings.trust_option_82_of_clients = row.trust_option_82;
            settings.leasequery = row.leasequery_allow;
            settings.bulk_leasequery = row.bulk_leasequery_allow;
            settings.bulk_connections = number(row.bulk_leasequery_connections);
            settings.bulk_queries = number(row.bulk_leasequery_queries);
            let told = row.leasequery_options.iter().map(menus::OptionCode::code);
            settings.leasequery_options = told.collect();
        }
        settings
    }

    pub(super) fn pools(&mut self) -> Vec<PoolSpec> {
        let mut specs: Vec<PoolSpec> = Vec::new();
        let mut chained = Vec::new();
        let mut blocks = 0;
        for (id, _, row) in self.rows::<menus::Pool>() {
            let place = Place::of::<menus::Pool>(id, &*row.name);
            let index = u16::try_from(specs.len()).map(PoolIndex);
            // The allocator counts in /20 blocks; each range may begin and end within one.
            let wanted: u64 = row.ranges.iter().map(|range| range.count() / 4096 + 2).sum();
            let broken = match index {
                Err(_) => Some(Broken::TooMany),
                _ if self.pool_names.contains_key(&*row.name) => Some(Broken::Twin("name")),
                _ if (blocks + wanted) * 4096 > Plan::ADDRESSES_MAX => Some(Broken::TooLarge),
                _ => None,
            };
            let (Ok(index), None) = (index, &broken) else {
                broken.into_iter().for_each(|broken| self.flaw(&place, broken));
                continue;
            };
            blocks += wanted;
            self.pool_names.insert(row.name.to_string(), index);
            let space = if &*row.vrf == "main" { "" } else { &*row.vrf };
            specs.push(PoolSpec {
                name: Arc::from(&*row.name),
                space: Arc::from(space),
                ranges: row.ranges.iter().map(|range| range.first..=range.last).collect(),
                next: None,
            });
            chained.push((place, row.next_pool));
        }
        for (at, (place, next)) in chained.iter().enumerate() {
            let menus::NextPool::Pool(named) = next else { continue };
            let Some(next) = self.pool(place, "next-pool", named) else { continue };
            if specs[usize::from(next.0)].space == specs[at].space {
                specs[at].next = Some(next);
            } else {
                self.flaw(place, Broken::NextPoolElsewhere(named.text().into()));
            }
        }
        specs
    }

    pub(super) fn networks(&mut self) -> Networks {
        let mut seen = BTreeSet::new();
        let mut networks = Vec::new();
        for (id, _, row) in self.rows::<menus::Network>() {
            let address = row.address.0;
            let place = Place::of::<menus::Network>(id, address.to_string());
            if !seen.insert(address) {
                self.flaw(&place, Broken::Twin("address"));
                continue;
            }
            networks.push(self.network(&place, row));
        }
        Networks::new(networks)
    }

    fn network(&mut self, place: &Place, row: menus::Network) -> Network {
        let named = |list: Vec<Ipv4Addr>, none: bool| {
            let told = list.into_iter().filter(|address| !none && !address.is_unspecified());
            told.collect::<Vec<_>>()
        };
        let dns =
            if row.dns_server.is_empty() { self.host.resolvers.to_vec() } else { row.dns_server };
        let set = ("dhcp-option-set", &row.dhcp_option_set);
        Network {
            address: row.address.0,
            gateways: named(row.gateway, false),
            netmask: u8::try_from(row.netmask.number()).ok().filter(|&length| length > 0),
            dns: named(dns, row.dns_none),
            ntp: named(row.ntp_server, row.ntp_none),
            wins: named(row.wins_server, false),
            caps_managers: named(row.caps_manager, false),
            domain: Arc::from(row.domain),
            next_server: row.next_server.filter(|address| !address.is_unspecified()),
            boot_file_name: Arc::from(row.boot_file_name),
            options: self.option_set(place, &row.dhcp_option, set),
        }
    }

    pub(super) fn servers(&mut self, pools: &[PoolSpec]) -> Vec<Server> {
        let mut servers: Vec<Server> = Vec::new();
        let (mut names, mut links) = (BTreeSet::new(), BTreeSet::new());
        for (id, enabled, row) in self.rows::<menus::Server>() {
            let place = Place::of::<menus::Server>(id, &*row.name);
            let name = row.name.to_string();
            let link = (row.interface.0.clone(), row.relay);
            let server = self.server(&place, row);
            let index = u16::try_from(servers.len()).map(ServerIndex);
            let broken = match index {
                Err(_) => Some(Broken::TooMany),
                _ if !names.insert(name.clone()) => Some(Broken::Twin("name")),
                _ if enabled && !links.insert(link) => Some(Broken::Twin("interface and relay")),
                _ => None,
            };
            let (Ok(index), None, true) = (index, &broken, enabled) else {
                broken.into_iter().for_each(|broken| self.flaw(&place, broken));
                self.withhold_pools(pools, &server);
                continue;
            };
            self.server_names.insert(name, index);
            servers.push(server);
        }
        servers
    }

    fn server(&mut self, place: &Place, row: menus::Server) -> Server {
        let (address_pool, dangles) = match &row.address_pool {
            menus::AddressPool::StaticOnly => (AddressPool::StaticOnly, false),
            menus::AddressPool::Pool(named) => match self.pool(place, "address-pool", named) {
                Some(pool) => (AddressPool::Pool(pool), false),
                None => (AddressPool::StaticOnly, true),
            },
        };
        let suffix = if row.add_dns_entries { row.add_dns_entries_suffix.as_str() } else { "" };
        let named = |identifier| row.dynamic_lease_identifiers.contains(&identifier);
        Server {
            name: Arc::from(&*row.name),
            interface: Arc::from(row.interface.0.as_str()),
            relay: relay(row.relay),
            lease_time: row.lease_time.seconds(),
            address_pool,
            identifiers: Identifiers {
                client_mac: named(menus::Identifier::ClientMac),
                client_id: named(menus::Identifier::ClientId),
                option_82: named(menus::Identifier::Opt82),
            },
            bootp_support: match row.bootp_support {
                menus::BootpSupport::None => BootpSupport::None,
                menus::BootpSupport::Static => BootpSupport::Static,
                menus::BootpSupport::Dynamic => BootpSupport::Dynamic,
            },
            bootp_lease_time: match &row.bootp_lease_time {
                menus::BootpLeaseTime::Forever => u32::MAX,
                menus::BootpLeaseTime::LeaseTime => row.lease_time.seconds(),
                menus::BootpLeaseTime::Time(time) => time.seconds(),
            },
            delay_threshold: seconds(&row.delay_threshold)
                .map_or(0, |seconds| u16::try_from(seconds).unwrap_or(u16::MAX)),
            server_address: Some(row.server_address).filter(|address| !address.is_unspecified()),
            // Without its pool a server cannot tell what it could have given.
            authoritative: match row.authoritative {
                _ if dangles => Authoritative::No,
                menus::Authoritative::Yes => Authoritative::Yes,
                menus::Authoritative::No => Authoritative::No,
                menus::Authoritative::After2s => Authoritative::After(2),
                menus::Authoritative::After10s => Authoritative::After(10),
            },
            always_broadcast: row.always_broadcast,
            conflict_detection: row.conflict_detection,
            client_mac_limit: leases(&row.client_mac_limit),
            circuit_lease_limit: leases(&row.circuit_lease_limit).map(|leases| CircuitLimit {
                leases,
                replace_oldest: row.circuit_lease_action == menus::LimitAction::ReplaceOldest,
            }),
            pressure_lease_time: seconds(&row.pressure_lease_time),
            reclaim_silent: row.reclaim_silent,
            options: self.option_set(place, &[], ("dhcp-option-set", &row.dhcp_option_set)),
            domain_suffix: Arc::from(suffix),
            ipv6_only_preferred: seconds(&row.ipv6_only_preferred),
            use_reconfigure: row.use_reconfigure,
            rapid_commit: row.rapid_commit,
            auto_configure: row.auto_configure,
        }
    }

    /// Nobody is told NAK for an address that a server which is off would give.
    fn withhold_pools(&mut self, pools: &[PoolSpec], server: &Server) {
        let AddressPool::Pool(first) = server.address_pool else { return };
        let mut seen = BTreeSet::new();
        let mut next = Some(first);
        while let Some(index) = next.filter(|index| seen.insert(*index)) {
            let Some(pool) = pools.get(usize::from(index.0)) else { return };
            let withheld = |range: &core::ops::RangeInclusive<Ipv4Addr>| Withheld {
                space: pool.space.clone(),
                addresses: range.clone(),
            };
            self.withheld.extend(pool.ranges.iter().map(withheld));
            next = pool.next;
        }
    }

    pub(super) fn leases(&mut self, servers: &[Server], pools: &[PoolSpec]) -> FixedLeases {
        let mut fixed: Vec<FixedLease> = Vec::new();
        let mut taken = BTreeSet::new();
        for (id, enabled, row) in self.rows::<menus::Lease>() {
            let place = Place::of::<menus::Lease>(id, label(&row));
            let Ok(key) = u32::try_from(id.0) else {
                self.flaw(&place, Broken::TooMany);
                continue;
            };
            let space = self.lease_space(&row, servers, pools);
            let lease = if enabled { self.lease(&place, key, &row) } else { None };
            let address = match row.address {
                menus::LeaseAddress::Address(address) if !address.is_unspecified() => address,
                _ => {
                    fixed.extend(lease);
                    continue;
                }
            };
            match lease {
                Some(lease) if taken.insert((space.clone(), address)) => fixed.push(lease),
                unused => {
                    if unused.is_some() {
                        self.flaw(&place, Broken::Twin("address"));
                    }
                    self.withheld.push(Withheld { space, addresses: address..=address });
                }
            }
        }
        FixedLeases::new(fixed)
    }

    /// The address space that a static lease is in: that of its server's pool.
    fn lease_space(&self, row: &menus::Lease, servers: &[Server], pools: &[PoolSpec]) -> Arc<str> {
        let menus::LeaseServer::Server(named) = &row.server else { return Arc::from("") };
        let server = named.name().and_then(|name| self.server_names.get(name));
        let pool = match server.and_then(|at| servers.get(usize::from(at.0))) {
            Some(Server { address_pool: AddressPool::Pool(pool), .. }) => *pool,
            _ => return Arc::from(""),
        };
        pools.get(usize::from(pool.0)).map_or_else(|| Arc::from(""), |pool| pool.space.clone())
    }

    fn lease(&mut self, place: &Place, key: u32, row: &menus::Lease) -> Option<FixedLease> {
        let address = match &row.address {
            menus::LeaseAddress::Address(address) if address.is_unspecified() => {
                FixedAddress::Server
            }
            menus::LeaseAddress::Address(address) => FixedAddress::At(*address),
            menus::LeaseAddress::Pool(named) => {
                FixedAddress::Pool(self.pool(place, "address", named)?)
            }
        };
        let server = self.named_server(place, &row.server).ok()?;
        let told = |octets: &[u8]| (!octets.is_empty()).then(|| Box::from(octets));
        let mac = row.mac_address;
        Some(FixedLease {
            key,
            server,
            address,
            mac: (mac.0 != [0; 6]).then_some(mac),
            client_id: row.client_id.as_ref().and_then(|id| told(&id.0)),
            circuit_id: told(&row.agent_circuit_id.0),
            remote_id: told(&row.agent_remote_id.0),
            use_src_mac: row.use_src_mac,
            lease_time: Some(row.lease_time.seconds()).filter(|&seconds| seconds > 0),
            block_access: row.block_access,
            always_broadcast: row.always_broadcast,
            options: self.option_set(
                place,
                &row.dhcp_option,
                ("dhcp-option-set", &row.dhcp_option_set),
            ),
        })
    }

    /// The server that a row names, `None` for all. A row for a server that is off is off too.
    fn named_server(
        &mut self,
        place: &Place,
        server: &menus::LeaseServer,
    ) -> Result<Option<ServerIndex>, ()> {
        let menus::LeaseServer::Server(named) = server else { return Ok(None) };
        let found = named.name().and_then(|name| self.server_names.get(name)).copied();
        if found.is_none() {
            self.dangling(place, "server", named.text(), true);
        }
        found.map(Some).ok_or(())
    }

    pub(super) fn matchers(&mut self) -> Vec<Matcher> {
        let mut matchers = Vec::new();
        for (id, enabled, row) in self.rows::<menus::Matcher>() {
            let place = Place::of::<menus::Matcher>(id, &*row.name);
            if !enabled {
                continue;
            }
            let Ok(server) = self.named_server(&place, &row.server) else { continue };
            let address_pool = match &row.address_pool {
                menus::MatcherPool::None => None,
                menus::MatcherPool::StaticOnly => Some(AddressPool::StaticOnly),
                menus::MatcherPool::Pool(named) => {
                    self.pool(&place, "address-pool", named).map(AddressPool::Pool)
                }
            };
            matchers.push(Matcher {
                name: Arc::from(&*row.name),
                server,
                code: row.code.code(),
                value: row.value.octets().into(),
                substring: row.matching_type == menus::MatchingType::Substring,
                address_pool,
                options: self.option_set(&place, &[], ("option-set", &row.option_set)),
                lease_time: Some(row.lease_time.seconds()).filter(|&seconds| seconds > 0),
            });
        }
        matchers
    }

    pub(super) fn alerts(&mut self) -> Vec<Alert> {
        let enabled = self.rows::<menus::Alert>().into_iter().filter(|(_, enabled, _)| *enabled);
        let alert = |(_, _, row): (Id, bool, menus::Alert)| Alert {
            interface: Arc::from(row.interface.0),
            valid_servers: row.valid_server,
            timeout: seconds(&row.alert_timeout),
        };
        enabled.map(alert).collect()
    }
}

fn relay(address: Ipv4Addr) -> Relay {
    match address {
        Ipv4Addr::UNSPECIFIED => Relay::None,
        Ipv4Addr::BROADCAST => Relay::Any,
        address => Relay::At(address),
    }
}

fn seconds(threshold: &menus::DelayThreshold) -> Option<u32> {
    match threshold {
        menus::DelayThreshold::None => None,
        menus::DelayThreshold::Time(time) => Some(time.seconds()),
    }
}

fn leases(limit: &menus::LeaseLimit) -> Option<u32> {
    match limit {
        menus::LeaseLimit::Unlimited => None,
        menus::LeaseLimit::Leases(limit) => u32::try_from(limit.number()).ok(),
    }
}

fn number<const LEAST: u64>(bounded: Bounded<LEAST, 1000>) -> u16 {
    u16::try_from(bounded.number()).unwrap_or(u16::MAX)
}

fn label(row: &menus::Lease) -> String {
    match &row.address {
        menus::LeaseAddress::Address(address) if !address.is_unspecified() => address.to_string(),
        _ => row.mac_address.to_string(),
    }
}
