//! The server's process: the shipped engine, and the turns of the daemon's worker around it.

use core::net::Ipv4Addr;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;

use leasehold_dhcp::config::{
    AddressPool, Authoritative, BootpSupport, FixedAddress, FixedLease, Network, Networks,
    PoolIndex, PoolSpec, Relay, Server, ServerIndex, Settings, Withheld,
};
use leasehold_dhcp::order::LeaseView;
use leasehold_dhcp::record::Change;
use leasehold_dhcp::{
    Answer, Config, Durable, Engine, Event, IfIndex, Input, Interfaces, Location, Mac, Now, Order,
    OrderId, Outbox, Probe, Promises, Prompt, Record, Records, Start, StoreState, Turn, Wall,
};
use leasehold_pool::{Plan as PoolPlan, Pools};

use crate::client::{ClientId, Identity};
use crate::disk::named;
use crate::force::Nonce;
use crate::site::Site;
use crate::topology::{LinkId, RELAYS, Reach, Relays, UPLINKS, interface_name};

/// A turn on its way to the disk, and the configuration under which it was decided.
#[derive(Debug)]
pub(crate) struct Flight {
    pub turn: Turn,
    pub site: Rc<Site>,
    /// The addresses that it grants, and for how many seconds.
    pub granted: Vec<(Ipv4Addr, u32)>,
}

/// What leaves when a turn has reached the disk.
pub(crate) struct Landed {
    pub promises: Promises,
    pub site: Rc<Site>,
    pub granted: Vec<(Ipv4Addr, u32)>,
}

/// What one turn of the worker says at once.
pub(crate) struct Said {
    pub prompt: Prompt,
    pub probes: Vec<Probe>,
    pub events: Vec<Event>,
    /// Nonces that clients are to be told, and whose they are.
    pub nonces: Vec<(Nonce, Identity)>,
    /// The number of a turn that the disk shall have, and its records.
    pub commit: Option<(u64, Records)>,
}

/// A running process. It dies without a last word.
#[derive(Debug)]
pub(crate) struct Process {
    pub engine: Engine,
    pub pools: Pools,
    pub site: Rc<Site>,
    pub flights: VecDeque<Flight>,
    pub store_failed: bool,
    outbox: Outbox,
    interfaces: Arc<Interfaces>,
    links: Vec<Reach>,
    identities: Vec<Identity>,
}

/// What a process begins with.
pub(crate) struct Beginning<'a> {
    pub site: Rc<Site>,
    pub links: &'a [Reach],
    pub identities: Vec<Identity>,
    pub interfaces: Interfaces,
    pub records: Vec<Record>,
    /// The newest time that any record ever had: the store keeps it when it folds.
    pub newest: Option<Wall>,
    /// The newest turn in the store.
    pub newest_turn: u64,
    pub store: StoreState,
    pub now: Now,
    pub seed: u64,
}

impl Process {
    pub(crate) fn start(beginning: Beginning<'_>) -> Self {
        let Beginning { site, links, identities, interfaces, records, now, .. } = beginning;
        let config = Arc::new(configure(&site, links, &identities));
        let pools = Pools::new(&config.plan(&interfaces, PoolPlan::new()))
            .expect("a site's pools have ranges of their own and existing next pools");
        let start = Start { now, newest: beginning.newest, store: beginning.store };
        let mut engine = Engine::new(config, pools.clone(), start, beginning.seed);
        for record in records {
            engine.restore(record);
        }
        let mut outbox = Outbox::after(beginning.newest_turn);
        let interfaces = Arc::new(interfaces);
        engine.handle(now, Input::Interfaces(interfaces.clone()), &mut outbox);
        Self {
            engine,
            pools,
            site,
            flights: VecDeque::new(),
            store_failed: false,
            outbox,
            interfaces,
            links: links.to_vec(),
            identities,
        }
    }

    pub(crate) fn handle(&mut self, now: Now, input: Input<'_>) {
        self.engine.handle(now, input, &mut self.outbox);
    }

    /// The control task has a new configuration.
    pub(crate) fn reconfigure(&mut self, now: Now, site: Rc<Site>) {
        let config = Arc::new(configure(&site, &self.links, &self.identities));
        let plan = config.plan(&self.interfaces, self.pools.plan());
        self.pools = self
            .pools
            .reconfigure(&plan)
            .expect("a site's pools have ranges of their own and existing next pools");
        self.site = site;
        self.handle(now, Input::Config(config, self.pools.clone()));
    }

    /// All leases, as a face gets them.
    pub(crate) fn leases(&mut self, now: Now) -> Vec<LeaseView> {
        let all = Order::Leases { after: None, limit: usize::MAX };
        self.handle(now, Input::Order(OrderId(0), all));
        let answers = self.outbox.answers().filter_map(|(_, answer)| match answer {
            Answer::Leases { leases, .. } => Some(leases),
            _ => None,
        });
        answers.flatten().collect()
    }

    /// A planted bug: leases outside all ranges are gone.
    pub(crate) fn remove_outside(&mut self, now: Now) {
        for lease in self.leases(now) {
            let address = lease.location.address;
            if !self.pools.pools().any(|pool| self.pools.contains(pool, address)) {
                self.remove(now, address);
            }
        }
    }

    /// The administrator removes the lease at an address.
    pub(crate) fn remove(&mut self, now: Now, address: Ipv4Addr) {
        let order = Order::Remove(Location::main(address));
        self.handle(now, Input::Order(OrderId(0), order));
    }

    /// The administrator has whoever has an address asked to renew.
    pub(crate) fn force(&mut self, now: Now, address: Ipv4Addr) {
        let order = Order::Reconfigure(Location::main(address));
        self.handle(now, Input::Order(OrderId(0), order));
    }

    /// Ends the turn. While the store fails, what would have to be stored is abandoned.
    pub(crate) fn seal(&mut self, now: Now) -> Said {
        let (prompt, mut turn) = self.outbox.seal();
        let probes = self.outbox.probes().collect();
        let mut events: Vec<Event> = self.outbox.events().collect();
        let nonces = turn.records().iter().filter_map(|record| match record.change {
            Change::Bound(binding) => Some(((*binding.nonce).try_into().ok()?, named(&binding))),
            _ => None,
        });
        let (nonces, mut commit) = (nonces.collect(), None);
        if !turn.is_empty() {
            if self.store_failed {
                self.handle(now, Input::Abandoned(turn.abandon()));
                events.extend(self.outbox.events());
            } else {
                let granted = turn.records().iter().filter_map(|record| match record.change {
                    Change::Bound(binding) => Some((record.location.address, binding.lease_time)),
                    Change::Renewed { lease_time } => Some((record.location.address, lease_time)),
                    _ => None,
                });
                let granted = granted.collect();
                commit = Some((turn.sequence(), turn.take_records()));
                self.flights.push_back(Flight { turn, site: self.site.clone(), granted });
            }
        }
        Said { prompt, probes, events, nonces, commit }
    }

    /// The promises of all turns up to this one, in order, against the proof for it.
    pub(crate) fn release(&mut self, sequence: u64, durable: &Durable) -> Vec<Landed> {
        let waits = |flight: &Flight| flight.turn.sequence() > sequence;
        let ready = self.flights.iter().position(waits).unwrap_or(self.flights.len());
        let ready = self.flights.drain(..ready);
        let landed = |Flight { turn, site, granted }: Flight| {
            let promises = turn.release(durable);
            Landed { promises, site, granted }
        };
        ready.map(landed).collect()
    }

    /// The disk has failed: nothing that is on its way is promised.
    pub(crate) fn abandon(&mut self, now: Now) {
        self.store_failed = true;
        while let Some(flight) = self.flights.pop_front() {
            self.handle(now, Input::Abandoned(flight.turn.abandon()));
        }
    }
}

/// The engine's configuration of a site.
fn configure(site: &Site, links: &[Reach], identities: &[Identity]) -> Config {
    let mut indices: BTreeMap<LinkId, Option<ServerIndex>> = BTreeMap::new();
    let mut config = Config { pools: pools(site), ..Config::default() };
    for (number, (server, reach)) in site.servers.iter().zip(links).enumerate() {
        let link = LinkId(number as u8);
        if !server.enabled {
            config.withheld.extend(withheld(site, server.pool));
            continue;
        }
        let first = ServerIndex(config.servers.len() as u16);
        config.servers.extend(configure_servers(site, link, *reach));
        // Where a link has two servers, a static lease is for all of them.
        let alone = config.servers.len() == usize::from(first.0) + 1;
        indices.insert(link, alone.then_some(first));
    }
    let networks = (0..links.len()).map(|number| network(site, LinkId(number as u8)));
    config.networks = Networks::new(networks.collect());
    let rows = site.obeyed().filter_map(|(client, address)| {
        let link = crate::topology::link_of(address)?;
        let server = *indices.get(&link)?;
        Some(fixed(client, server, address, &identities[usize::from(client.0)]))
    });
    config.leases = rows.collect();
    let is_off = |address: &&Ipv4Addr| site.obeyed().all(|(_, obeyed)| obeyed != **address);
    config.withheld.extend(
        site.statics
            .values()
            .filter(is_off)
            .map(|&address| Withheld { space: "".into(), addresses: address..=address }),
    );
    let leasequery = vec![RELAYS];
    config.settings = Settings { lease_time_min: 1, leasequery, ..Settings::default() };
    config
}

fn network(site: &Site, link: LinkId) -> Network {
    let mut network = Network { gateways: vec![link.gateway()], ..Network::new(link.network()) };
    if site.chatty {
        let many = || (1..=40).map(|host| Ipv4Addr::new(192, 0, 2, host)).collect();
        (network.dns, network.ntp, network.wins) = (many(), many(), many());
        network.domain = "a-rather-long-name-of-a-domain.example.net".into();
    }
    network
}

/// One row, or one for each of two relays.
fn configure_servers(site: &Site, link: LinkId, reach: Reach) -> Vec<Server> {
    let at = |host: u8| Relay::At(link.host(host));
    let rows: Vec<(IfIndex, Relay, String)> = match reach {
        Reach::Direct => vec![(link.interface(), Relay::None, format!("server-{}", link.0))],
        Reach::Relayed { relays: Relays::Any, .. } => {
            vec![(UPLINKS[0], Relay::Any, format!("server-{}", link.0))]
        }
        Reach::Relayed { .. } => {
            let row = |&host: &u8| (UPLINKS[0], at(host), format!("server-{}-{host}", link.0));
            reach.relays().iter().map(row).collect()
        }
    };
    let server = site.server(link);
    let row = |(interface, relay, name): (IfIndex, Relay, String)| Server {
        name: name.into(),
        interface: interface_name(interface).into(),
        relay,
        lease_time: server.lease_time,
        address_pool: AddressPool::Pool(PoolIndex(server.pool.0.into())),
        authoritative: if server.authoritative { Authoritative::Yes } else { Authoritative::No },
        conflict_detection: server.detects_conflicts,
        rapid_commit: server.rapid_commit,
        ipv6_only_preferred: server.ipv6_only,
        use_reconfigure: server.reconfigures,
        bootp_support: if server.bootp { BootpSupport::Dynamic } else { BootpSupport::Static },
        ..Server::default()
    };
    rows.into_iter().map(row).collect()
}

fn pools(site: &Site) -> Vec<PoolSpec> {
    let spec = |(number, pool): (usize, &crate::site::PoolSite)| {
        let link = LinkId(number as u8);
        PoolSpec {
            name: format!("pool-{number}").into(),
            space: "".into(),
            ranges: vec![link.host(pool.first)..=link.host(pool.last)],
            next: pool.next.map(|next| PoolIndex(next.0.into())),
        }
    };
    site.pools.iter().enumerate().map(spec).collect()
}

fn withheld(site: &Site, pool: LinkId) -> Option<Withheld> {
    let ranges = &site.pools[usize::from(pool.0)];
    let addresses = pool.host(ranges.first)..=pool.host(ranges.last);
    Some(Withheld { space: "".into(), addresses })
}

fn fixed(
    client: ClientId,
    server: Option<ServerIndex>,
    address: Ipv4Addr,
    identity: &Identity,
) -> FixedLease {
    let by_id = !identity.client_id.is_empty();
    FixedLease {
        key: client.0.into(),
        server,
        address: FixedAddress::At(address),
        mac: (!by_id).then_some(Mac(identity.mac)),
        client_id: by_id.then(|| identity.client_id.clone().into()),
        ..FixedLease::default()
    }
}
