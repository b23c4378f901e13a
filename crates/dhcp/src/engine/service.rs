//! Which server answers: it follows from giaddr, link selection, ciaddr or the interface, never
//! from the socket that a datagram happened to come through.

use core::net::Ipv4Addr;
use std::collections::BTreeMap;
use std::sync::Arc;

use ipnet::Ipv4Net;
use leasehold_pool::{PoolId, Pools, SpaceId};

use super::book::Book;
use super::lease::{ServerKey, State};
use crate::config::{AddressPool, Config, PoolIndex, Relay, Server, ServerIndex};
use crate::event::Silence;
use crate::input::Datagram;
use crate::link::{IfIndex, Interface, Interfaces};
use crate::wire::{Request, code};

/// A configuration with its names resolved against pools and interfaces.
#[derive(Debug, Default)]
pub(super) struct Services {
    /// In the order of [`Config::servers`].
    served: Vec<Served>,
    direct: BTreeMap<IfIndex, ServerIndex>,
    by_relay: BTreeMap<Ipv4Addr, Vec<ServerIndex>>,
    any_relay: Vec<ServerIndex>,
    by_key: BTreeMap<ServerKey, ServerIndex>,
    /// In the order of [`Config::pools`].
    pools: Vec<Option<PoolId>>,
    /// Addresses of this machine, sorted.
    own: Vec<Ipv4Addr>,
    names: Names,
}

#[derive(Clone, Copy, Debug)]
struct Served {
    key: ServerKey,
    interface: Option<IfIndex>,
    space: SpaceId,
    pool: Option<PoolId>,
}

/// The names that servers have or had: a lease may outlive its server.
#[derive(Debug, Default)]
struct Names {
    names: Vec<Arc<str>>,
    keys: BTreeMap<Arc<str>, ServerKey>,
}

/// One server, as one request is served by it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Service {
    pub(super) index: ServerIndex,
    pub(super) key: ServerKey,
    pub(super) space: SpaceId,
    /// The pool that the server's addresses come from, entered where the client's link is.
    pub(super) pool: Option<PoolId>,
    /// An address on the client's link, where a relay or the client told one.
    pub(super) link: Option<Ipv4Addr>,
    /// Where the request came in.
    pub(super) ingress: IfIndex,
    /// Stands in option 54; direct clients on another prefix get that prefix's.
    pub(super) server_id: Ipv4Addr,
}

/// The client's link: an address on it, and the network that this is in.
#[derive(Clone, Copy)]
struct Link {
    address: Ipv4Addr,
    network: Option<Ipv4Net>,
}

/// What servers are looked up in.
#[derive(Clone, Copy)]
pub(super) struct Site<'a> {
    pub(super) config: &'a Config,
    pub(super) pools: &'a Pools,
    pub(super) interfaces: &'a Interfaces,
    pub(super) book: &'a Book,
}

impl Services {
    /// Resolves a configuration. Servers keep their keys by name, or by interface and relay where
    /// the name is new and the old one is gone.
    pub(super) fn adopt(
        &mut self,
        old: &Config,
        config: &Config,
        pools: &Pools,
        interfaces: &Interfaces,
    ) {
        let keys: Vec<_> = config.servers.iter().map(|it| self.key_for(it, old, config)).collect();
        self.pools = config.pools.iter().map(|pool| pools.pool(&pool.name)).collect();
        let space = |server| {
            let name = config.space_of(server);
            let found = if name.is_empty() { None } else { pools.space(name) };
            found.unwrap_or(SpaceId::MAIN)
        };
        let served = config.servers.iter().zip(keys).map(|(server, key)| Served {
            key,
            interface: interfaces.named(&server.interface).map(|it| it.index),
            space: space(server),
            pool: self.pool_of(server.address_pool),
        });
        self.served = served.collect();
        self.own = interfaces.iter().flat_map(|it| &it.addresses).map(Ipv4Net::addr).collect();
        self.own.sort_unstable();
        self.index(config);
    }

    fn index(&mut self, config: &Config) {
        self.direct.clear();
        self.by_relay.clear();
        self.any_relay.clear();
        self.by_key.clear();
        for (at, (server, served)) in (0..).zip(config.servers.iter().zip(&self.served)) {
            let index = ServerIndex(at);
            self.by_key.insert(served.key, index);
            match (server.relay, served.interface) {
                (Relay::None, Some(interface)) => {
                    self.direct.entry(interface).or_insert(index);
                }
                (Relay::None, None) => {}
                (Relay::At(relay), _) => self.by_relay.entry(relay).or_default().push(index),
                (Relay::Any, _) => self.any_relay.push(index),
            }
        }
    }

    fn key_for(&mut self, server: &Server, old: &Config, new: &Config) -> ServerKey {
        if let Some(key) = self.names.find(&server.name) {
            return key;
        }
        let is_gone = |was: &&Server| new.servers.iter().all(|it| it.name != was.name);
        let same_place =
            |was: &&Server| was.interface == server.interface && was.relay == server.relay;
        let renamed = old.servers.iter().filter(is_gone).find(same_place);
        match renamed.and_then(|was| self.names.find(&was.name)) {
            Some(key) => {
                self.names.rename(key, &server.name);
                key
            }
            None => self.names.add(&server.name),
        }
    }

    /// The key of a server of this name, which may be long gone.
    pub(super) fn key(&mut self, name: &str) -> ServerKey {
        self.names.find(name).unwrap_or_else(|| self.names.add(&Arc::from(name)))
    }

    /// The name of a server that is or was.
    pub(super) fn name(&self, ServerKey(key): ServerKey) -> &Arc<str> {
        &self.names.names[key as usize]
    }

    /// The server that has this key now.
    pub(super) fn with_key(&self, key: ServerKey) -> Option<ServerIndex> {
        self.by_key.get(&key).copied()
    }

    pub(super) fn pool_of(&self, pool: AddressPool) -> Option<PoolId> {
        match pool {
            AddressPool::StaticOnly => None,
            AddressPool::Pool(PoolIndex(at)) => self.pools.get(usize::from(at)).copied().flatten(),
        }
    }

    /// The key of a configured server.
    pub(super) fn key_of(&self, index: ServerIndex) -> Option<ServerKey> {
        self.of(index).map(|served| served.key)
    }

    /// The address space of a configured server.
    pub(super) fn space_of(&self, index: ServerIndex) -> Option<SpaceId> {
        self.of(index).map(|served| served.space)
    }

    /// The address spaces of all servers, with repetitions.
    pub(super) fn spaces(&self) -> impl Iterator<Item = SpaceId> + '_ {
        self.served.iter().map(|served| served.space)
    }

    /// The interface of a server's direct clients.
    pub(super) fn direct_interface(&self, index: ServerIndex) -> Option<IfIndex> {
        let interface = self.of(index)?.interface?;
        (self.direct(interface) == Some(index)).then_some(interface)
    }

    /// Whether the address is one of this machine's.
    pub(super) fn is_own(&self, address: Ipv4Addr) -> bool {
        self.own.binary_search(&address).is_ok()
    }

    /// The server of direct clients on an interface.
    pub(super) fn direct(&self, interface: IfIndex) -> Option<ServerIndex> {
        self.direct.get(&interface).copied()
    }

    /// The server that answers a request.
    ///
    /// # Errors
    ///
    /// Why none does.
    pub(super) fn select(
        &self,
        site: Site<'_>,
        request: &Request<'_>,
        datagram: &Datagram<'_>,
    ) -> Result<Service, Silence> {
        if request.is_relayed() {
            if self.is_own(request.giaddr) {
                return Err(Silence::OwnRelay);
            }
            return self.select_relayed(site, request, datagram);
        }
        let ingress = self.direct(datagram.interface);
        let on_link = ingress.is_some() && site.is_on_link(datagram.interface, request.ciaddr);
        let routed =
            !request.ciaddr.is_unspecified() && !datagram.destination.is_broadcast() && !on_link;
        if routed && self.is_orphaned(site, request.ciaddr) {
            return Err(Silence::Withheld);
        }
        let index = match routed {
            true => self.by_ciaddr(site, request.ciaddr, ingress),
            false => ingress,
        };
        match site.subnet_selection(request) {
            Some(link) => self.select_subnet(site, index, link, request, datagram),
            None => {
                //= https://www.rfc-editor.org/rfc/rfc2131#section-1
                //# A host should not act as a DHCP server unless explicitly configured to do so by
                //# a system administrator.
                let index = index.ok_or(Silence::NoServer)?;
                self.service(site, index, None, request, datagram)
            }
        }
    }

    /// A direct client that asks for an address of another subnet (RFC 3011).
    fn select_subnet(
        &self,
        site: Site<'_>,
        ingress: Option<ServerIndex>,
        link: Ipv4Addr,
        request: &Request<'_>,
        datagram: &Datagram<'_>,
    ) -> Result<Service, Silence> {
        let link = site.link(link);
        let network = link.network.ok_or(Silence::NoNetwork)?;
        let has_pool = |index: &ServerIndex| self.pool_on(site.pools, *index, network).is_some();
        let all = || (0..self.served.len() as u16).map(ServerIndex);
        //= https://www.rfc-editor.org/rfc/rfc3011#section-2
        //# the DHCP server MUST allocate the address on either:
        let index = ingress.filter(has_pool).or_else(|| all().find(has_pool)).or(ingress);
        let index = index.ok_or(Silence::NoServer)?;
        self.service(site, index, Some(link), request, datagram)
    }

    //= https://www.rfc-editor.org/rfc/rfc2131#section-4.3.1
    //# A new address allocated from the server's pool of available
    //# addresses; the address is selected based on the subnet from which
    //# the message was received (if 'giaddr' is 0) or on the address of
    //# the relay agent that forwarded the message ('giaddr' when not 0).
    fn select_relayed(
        &self,
        site: Site<'_>,
        request: &Request<'_>,
        datagram: &Datagram<'_>,
    ) -> Result<Service, Silence> {
        let selection = site.link_selection(request);
        //= https://www.rfc-editor.org/rfc/rfc3527#section-3
        //# the information contained in the link-selection sub-option MUST be used to control
        let link = selection.or_else(|| site.subnet_selection(request)).unwrap_or(request.giaddr);
        let link = site.link(link);
        let network = link.network;
        //= https://www.rfc-editor.org/rfc/rfc3527#section-3
        //# the server MUST NOT offer an address that is not on the requested subnet or the link
        if selection.is_some() && network.is_none() {
            //= https://www.rfc-editor.org/rfc/rfc3527#section-3
            //# the handling of DHCPDISCOVER for an unknown subnet should continue to operate
            //# unchanged.
            return Err(Silence::NoNetwork);
        }
        let has_pool = |&&index: &&ServerIndex| {
            network.is_some_and(|network| self.pool_on(site.pools, index, network).is_some())
        };
        let is_ingress = |&&index: &&ServerIndex| {
            self.of(index).is_some_and(|served| served.interface == Some(datagram.interface))
        };
        let named = self.by_relay.get(&request.giaddr).map_or(&[][..], Vec::as_slice);
        let first = |servers: &[ServerIndex]| {
            let mut best = servers.iter().filter(has_pool);
            best.clone().find(is_ingress).or_else(|| best.next()).copied()
        };
        //= https://www.rfc-editor.org/rfc/rfc3527#section-3
        //# When the DHCP server is allocating an address and this sub-option is present, then the
        //# DHCP server MUST allocate the address on either:
        let index = match first(named) {
            Some(index) => Some(index),
            None if selection.is_some() => {
                let all = || self.by_relay.values().flatten().chain(&self.any_relay);
                all().find(has_pool).or_else(|| named.first()).copied()
            }
            None => {
                let unnamed = || first(&self.any_relay).or_else(|| self.any_relay.first().copied());
                let named = named.iter().find(is_ingress).or_else(|| named.first()).copied();
                named.or_else(|| unnamed().filter(|_| network.is_some()))
            }
        };
        let nobody = if self.any_relay.is_empty() || network.is_some() {
            Silence::NoServer
        } else {
            Silence::NoNetwork
        };
        self.service(site, index.ok_or(nobody)?, Some(link), request, datagram)
    }

    /// The server of a client that renews around its relay, or over another uplink.
    fn by_ciaddr(
        &self,
        site: Site<'_>,
        ciaddr: Ipv4Addr,
        ingress: Option<ServerIndex>,
    ) -> Option<ServerIndex> {
        let gives = |index: ServerIndex| {
            let pool = self.of(index)?.pool?;
            site.pools.chain(pool).any(|pool| site.pools.contains(pool, ciaddr)).then_some(index)
        };
        let holds = |space: SpaceId| {
            let lease = site.book.get(site.book.at((space, ciaddr))?);
            let index = self.with_key(lease.server)?;
            match lease.state {
                // Who has found an address in use is not who lent it.
                State::Declined | State::Conflict => None,
                // Who had it once and gives it no more has nothing to say of it.
                State::Ended => gives(index),
                State::Testing | State::Offered | State::Bound => Some(index),
            }
        };
        // A static lease tells it, also where the store does not any more.
        let fixed = || site.config.leases.at(ciaddr).find_map(|row| row.server);
        let ingress_space = ingress.and_then(|index| self.of(index)).map(|served| served.space);
        ingress_space
            .and_then(holds)
            .or_else(fixed)
            .or_else(|| ingress.and_then(gives))
            .or_else(|| self.served.iter().find_map(|served| holds(served.space)))
            .or_else(|| (0..self.served.len() as u16).map(ServerIndex).find_map(gives))
            .or(ingress)
    }

    /// Whether the address is leased by a server that is not configured now: disabled, most
    /// likely. What it promised holds, and no other server is to judge it.
    fn is_orphaned(&self, site: Site<'_>, address: Ipv4Addr) -> bool {
        let mut spaces = self.spaces().chain([SpaceId::MAIN]);
        spaces.any(|space| {
            let lease = site.book.at((space, address)).map(|id| site.book.get(id));
            lease.is_some_and(|lease| {
                lease.state == State::Bound && self.with_key(lease.server).is_none()
            })
        })
    }

    fn of(&self, ServerIndex(at): ServerIndex) -> Option<&Served> {
        self.served.get(usize::from(at))
    }

    /// The first pool of a server's chain that has addresses in a network.
    fn pool_on(&self, pools: &Pools, index: ServerIndex, network: Ipv4Net) -> Option<PoolId> {
        let overlaps = |pool: &PoolId| {
            let ranges = pools.ranges(*pool).iter();
            ranges
                .clone()
                .any(|range| range.first <= network.broadcast() && network.network() <= range.last)
        };
        pools.chain(self.of(index)?.pool?).find(overlaps)
    }

    fn service(
        &self,
        site: Site<'_>,
        index: ServerIndex,
        link: Option<Link>,
        request: &Request<'_>,
        datagram: &Datagram<'_>,
    ) -> Result<Service, Silence> {
        let served = self.of(index).ok_or(Silence::NoServer)?;
        let server = site.config.server(index).ok_or(Silence::NoServer)?;
        // Around its relay, only the address that a client renews tells its link.
        let around = || (server.relay == Relay::Any).then(|| site.link(request.ciaddr));
        let link = link.or_else(around);
        let network = link.and_then(|link| link.network);
        let entered = network.and_then(|network| self.pool_on(site.pools, index, network));
        // A server for every relay must not give one relay's addresses to another's clients, and
        // who asks for one subnet gets no address of another.
        let is_selected =
            site.link_selection(request).is_some() || site.subnet_selection(request).is_some();
        let pool = match server.relay {
            Relay::Any => entered,
            //= https://www.rfc-editor.org/rfc/rfc3011#section-2
            //# the server MUST NOT offer an address that is not on the requested subnet or network
            //# segment.
            //= https://www.rfc-editor.org/rfc/rfc3527#section-3
            //# the server MUST NOT offer an address that is not on the requested subnet or the link
            _ if is_selected => entered,
            Relay::None | Relay::At(_) => entered.or(served.pool),
        };
        let server_id = self.server_id(site, server, *served, request, datagram);
        Ok(Service {
            index,
            key: served.key,
            space: served.space,
            pool,
            link: link.map(|link| link.address),
            ingress: datagram.interface,
            server_id: server_id.ok_or(Silence::NoServer)?,
        })
    }

    //= https://www.rfc-editor.org/rfc/rfc2131#section-4.1
    //# To accommodate potentially incomplete network
    //# connectivity, a server MUST choose an address as a 'server
    //# identifier' that, to the best of the server's knowledge, is reachable
    //# from the client.
    fn server_id(
        &self,
        site: Site<'_>,
        server: &Server,
        served: Served,
        request: &Request<'_>,
        datagram: &Datagram<'_>,
    ) -> Option<Ipv4Addr> {
        let agent = request.relay_agent().filter(|_| request.is_relayed());
        //= https://www.rfc-editor.org/rfc/rfc5107#section-4
        //# The octets "a1" through "a4" specify the value that MUST be inserted into the Server
        //# Identifier option by the DHCP Server upon reply.
        //= https://www.rfc-editor.org/rfc/rfc5107#section-4
        //# MUST use this value, if present in a DHCP message received from a client, as the value
        //# to insert into the Server Identifier option in the corresponding response.
        if let Some(address) = agent.and_then(|agent| agent.server_id_override()) {
            return Some(address);
        }
        let primary = |index: IfIndex| site.interfaces.get(index).and_then(Interface::primary);
        let interface = served.interface.and_then(primary);
        let is_routed = request.is_relayed() || served.interface != Some(datagram.interface);
        //= https://www.rfc-editor.org/rfc/rfc2131#section-4.1
        //# If the server has received a message through a DHCP relay agent, the server SHOULD
        //# choose an address from the interface on which the message was recieved as the 'server
        //# identifier'
        let reached =
            Some(datagram.destination).filter(|address| is_routed && self.is_own(*address));
        server.server_address.or(reached).or(interface).or_else(|| primary(datagram.interface))
    }
}

impl Site<'_> {
    /// Whether an address is inside a prefix of the interface.
    pub(super) fn is_on_link(self, interface: IfIndex, address: Ipv4Addr) -> bool {
        let interface = self.interfaces.get(interface);
        interface.is_some_and(|it| it.addresses.iter().any(|prefix| prefix.contains(&address)))
    }

    fn link(self, address: Ipv4Addr) -> Link {
        let network = self.config.networks.containing(address);
        Link { address, network: network.map(|network| network.address) }
    }

    fn link_selection(self, request: &Request<'_>) -> Option<Ipv4Addr> {
        let agent = request.relay_agent().filter(|_| self.config.settings.link_selection)?;
        agent.link_selection()
    }

    fn subnet_selection(self, request: &Request<'_>) -> Option<Ipv4Addr> {
        //= https://www.rfc-editor.org/rfc/rfc3011#section-2
        //# Servers that understand this option but are administratively configured to ignore the
        //# option MUST ignore the option, use their normal algorithms to allocate an address
        let enabled = self.config.settings.subnet_selection;
        request.options.address(code::SUBNET_SELECTION).filter(|_| enabled)
    }
}

impl Names {
    fn find(&self, name: &str) -> Option<ServerKey> {
        self.keys.get(name).copied()
    }

    fn add(&mut self, name: &Arc<str>) -> ServerKey {
        let key = ServerKey(self.names.len() as u32);
        self.names.push(Arc::clone(name));
        self.keys.insert(Arc::clone(name), key);
        key
    }

    fn rename(&mut self, key: ServerKey, name: &Arc<str>) {
        let ServerKey(at) = key;
        let old = core::mem::replace(&mut self.names[at as usize], Arc::clone(name));
        self.keys.remove(&old);
        self.keys.insert(Arc::clone(name), key);
    }
}
