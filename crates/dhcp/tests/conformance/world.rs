//! An engine with a clock, an interface, a store that works or does not, and packets for it.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use leasehold_dhcp::config::{
    AddressPool, Config, FixedAddress, FixedLease, Network, Networks, PoolIndex, PoolSpec, Relay,
    Server, Settings,
};
use leasehold_dhcp::{
    Abandoned, Answer, Boottime, Datagram, Destination, Durable, Engine, Event, IfIndex, Input,
    Interface, Interfaces, Mac, Now, Order, OrderId, Outbox, Probe, ProbeAnswer, Record, Start,
    StoreState, Wall,
};
use leasehold_pool::{Plan, Pools};

pub(crate) use crate::packet::Packet;
pub(crate) use crate::reply::Reply;

/// The interface of the direct clients, 172.29.0.2/24.
pub(crate) const LAN: IfIndex = IfIndex(2);
/// Another interface with a server of its own, 172.29.1.2/24.
pub(crate) const LAN2: IfIndex = IfIndex(3);
/// Where relayed datagrams come in; no server is on it.
pub(crate) const UPLINK: IfIndex = IfIndex(4);

pub(crate) const SERVER: Ipv4Addr = Ipv4Addr::new(172, 29, 0, 2);
pub(crate) const SERVER2: Ipv4Addr = Ipv4Addr::new(172, 29, 1, 2);
pub(crate) const UPLINK_ADDRESS: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 2);
pub(crate) const GATEWAY: Ipv4Addr = Ipv4Addr::new(172, 29, 0, 1);
pub(crate) const RELAY: Ipv4Addr = Ipv4Addr::new(172, 29, 2, 1);
pub(crate) const BROADCAST: Ipv4Addr = Ipv4Addr::BROADCAST;
pub(crate) const NOBODY: Ipv4Addr = Ipv4Addr::UNSPECIFIED;

pub(crate) const LEASE_TIME: u32 = 120;

/// The last of 172.29.0.
pub(crate) fn lan(host: u8) -> Ipv4Addr {
    Ipv4Addr::new(172, 29, 0, host)
}

/// The last of 172.29.2, behind the relay.
pub(crate) fn far(host: u8) -> Ipv4Addr {
    Ipv4Addr::new(172, 29, 2, host)
}

pub(crate) fn mac(number: u32) -> Mac {
    let [a, b, c, d] = number.to_be_bytes();
    Mac([2, 0, a, b, c, d])
}

pub(crate) fn pool(name: &str, first: Ipv4Addr, last: Ipv4Addr) -> PoolSpec {
    PoolSpec { name: name.into(), space: "".into(), ranges: vec![first..=last], next: None }
}

pub(crate) fn server(name: &str, interface: &str, pool: u16) -> Server {
    Server {
        name: name.into(),
        interface: interface.into(),
        lease_time: LEASE_TIME,
        address_pool: AddressPool::Pool(PoolIndex(pool)),
        conflict_detection: false,
        ..Server::default()
    }
}

pub(crate) fn network(prefix: &str) -> Network {
    Network::new(prefix.parse().expect("a prefix"))
}

/// The first pool has only so many addresses, from 172.29.0.200 down.
pub(crate) fn small_pool(addresses: u8) -> Config {
    let mut config = config();
    config.pools[0] = pool("lan-pool", lan(201 - addresses), lan(200));
    config
}

/// A static lease of the client with this number.
pub(crate) fn fixed(number: u32, address: Ipv4Addr) -> FixedLease {
    FixedLease {
        key: number,
        mac: Some(mac(number)),
        address: FixedAddress::At(address),
        ..FixedLease::default()
    }
}

/// The first network with something to boot.
pub(crate) fn boot_network() -> Networks {
    let mut network = network("172.29.0.0/24");
    network.next_server = Some(lan(5));
    network.boot_file_name = "pxelinux.0".into();
    [network].into_iter().collect()
}

/// Two direct servers and one behind a relay, as the cases say; no conflict detection.
pub(crate) fn config() -> Config {
    let mut lan_network = network("172.29.0.0/24");
    lan_network.gateways = vec![GATEWAY];
    lan_network.dns = vec![Ipv4Addr::new(8, 8, 8, 8), Ipv4Addr::new(8, 8, 4, 4)];
    lan_network.domain = "example.net".into();
    let mut far_network = network("172.29.2.0/24");
    far_network.gateways = vec![RELAY];
    let lan2 = |host| Ipv4Addr::new(172, 29, 1, host);
    Config {
        servers: vec![
            server("dhcp1", "lan", 0),
            server("dhcp2", "lan2", 1),
            Server { relay: Relay::At(RELAY), ..server("far", "uplink", 2) },
        ],
        networks: [lan_network, network("172.29.1.0/24"), far_network].into_iter().collect(),
        pools: vec![
            pool("lan-pool", lan(100), lan(200)),
            pool("lan2-pool", lan2(100), lan2(200)),
            pool("far-pool", far(100), far(200)),
        ],
        settings: Settings { lease_time_min: 30, ..Settings::default() },
        ..Config::default()
    }
}

pub(crate) fn interfaces() -> Interfaces {
    let interface = |index, name: &str, host: u8, address: &str| Interface {
        index,
        name: name.into(),
        mac: Mac([2, 0xff, 0, 0, 0, host]),
        addresses: vec![address.parse().expect("a prefix")],
        mtu: 1500,
        running: true,
        slave: false,
    };
    Interfaces::new(vec![
        interface(LAN, "lan", 1, "172.29.0.2/24"),
        interface(LAN2, "lan2", 2, "172.29.1.2/24"),
        interface(UPLINK, "uplink", 3, "192.0.2.2/24"),
    ])
}

/// The engine and what it said.
pub(crate) struct World {
    pub(crate) engine: Engine,
    pub(crate) now: Now,
    pub(crate) events: Vec<Event>,
    pub(crate) probes: Vec<Probe>,
    /// Everything that is durable.
    pub(crate) disk: Vec<Record>,
    pub(crate) answers: Vec<(OrderId, Answer)>,
    /// Whether the store makes turns durable.
    pub(crate) store_works: bool,
    pub(crate) config: Arc<Config>,
    pub(crate) pools: Pools,
    /// The engine has to be sound after every so many inputs.
    pub(crate) check_every: u64,
    inputs: u64,
    out: Outbox,
    orders: u64,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(config())
    }

    pub(crate) fn with(config: Config) -> Self {
        let wall = Wall(1_764_000_000);
        let now = Now { boottime: Boottime(10_000), wall };
        Self::started(config, Start { now, newest: None, store: StoreState::Intact }, &[])
    }

    /// A server that starts with these records in its store.
    pub(crate) fn started(config: Config, start: Start, disk: &[Record]) -> Self {
        let config = Arc::new(config);
        let pools = Pools::new(&config.plan(&interfaces(), Plan::new())).expect("a good plan");
        let mut engine = Engine::new(config.clone(), pools.clone(), start, 7);
        disk.iter().for_each(|record| engine.restore(record.clone()));
        let mut world = Self {
            engine,
            now: start.now,
            events: Vec::new(),
            probes: Vec::new(),
            disk: disk.to_vec(),
            answers: Vec::new(),
            store_works: true,
            config,
            pools,
            check_every: 1,
            inputs: 0,
            out: Outbox::after(0),
            orders: 0,
        };
        world.input(Input::Interfaces(Arc::new(interfaces())));
        world
    }

    /// The same server after a kill, `down` later, with what was durable.
    pub(crate) fn restarted(self, down: Duration) -> Self {
        let mut now = self.now;
        now.boottime = now.boottime.after(down);
        now.wall.0 += down.as_secs();
        let newest = self.disk.iter().map(|record| record.at).max();
        let start = Start { now, newest, store: StoreState::Intact };
        Self::started((*self.config).clone(), start, &self.disk)
    }

    /// Changes the configuration of the running server.
    pub(crate) fn reconfigure(&mut self, change: impl FnOnce(&mut Config)) -> Vec<Reply> {
        let mut config = (*self.config).clone();
        change(&mut config);
        let plan = config.plan(&interfaces(), self.pools.plan());
        self.pools = self.pools.reconfigure(&plan).expect("a good plan");
        self.config = Arc::new(config);
        self.input(Input::Config(self.config.clone(), self.pools.clone()))
    }

    /// One input, one turn.
    pub(crate) fn input(&mut self, input: Input<'_>) -> Vec<Reply> {
        self.engine.handle(self.now, input, &mut self.out);
        let mut replies = self.end_turn();
        if let Some(abandoned) = replies.1 {
            self.engine.handle(self.now, Input::Abandoned(abandoned), &mut self.out);
            let (more, again) = self.end_turn();
            assert!(again.is_none(), "a failed store is asked to keep nothing");
            replies.0.extend(more);
        }
        self.inputs += 1;
        if self.inputs.is_multiple_of(self.check_every) {
            let sound = self.engine.check();
            assert!(sound.is_ok(), "{sound:?}");
        }
        replies.0
    }

    fn end_turn(&mut self) -> (Vec<Reply>, Option<Abandoned>) {
        self.events.extend(self.out.events());
        self.probes.extend(self.out.probes());
        self.answers.extend(self.out.answers());
        let (prompt, turn) = self.out.seal();
        let sent = |(to, bytes): (Destination, &[u8])| Reply { to, bytes: bytes.to_vec() };
        let mut replies: Vec<_> = prompt.replies().iter().map(sent).collect();
        if turn.is_empty() {
            return (replies, None);
        }
        if !self.store_works {
            return (replies, Some(turn.abandon()));
        }
        self.disk.extend(turn.records().iter());
        let durable = Durable::after_sync(turn.sequence());
        let mut promises = turn.release(&durable);
        replies.extend(promises.replies().iter().map(sent));
        self.answers.extend(promises.answers());
        (replies, None)
    }

    /// Sends a packet of the clients on [`LAN`], unless it says otherwise.
    pub(crate) fn send(&mut self, packet: &Packet) -> Vec<Reply> {
        let payload = packet.bytes();
        self.send_bytes(packet, &payload)
    }

    /// Sends these octets the way the packet would go.
    pub(crate) fn send_bytes(&mut self, packet: &Packet, payload: &[u8]) -> Vec<Reply> {
        self.input(Input::Datagram(Datagram {
            interface: packet.interface,
            link_source: packet.link_source,
            source: packet.source,
            destination: packet.destination,
            payload,
        }))
    }

    /// Sends a packet that must be answered once.
    pub(crate) fn ask(&mut self, packet: &Packet) -> Reply {
        let mut replies = self.send(packet);
        assert_eq!(replies.len(), 1, "{packet}: {:?}", self.last_events());
        replies.remove(0)
    }

    /// Sends a packet that must not be answered; the reason.
    pub(crate) fn silent(&mut self, packet: &Packet) -> Event {
        let before = self.events.len();
        let replies = self.send(packet);
        assert!(replies.is_empty(), "{packet} was answered: {:?}", replies[0].decoded());
        let events = self.events.split_off(before);
        self.events.extend(events.iter().cloned());
        events.last().cloned().expect("silence has a reason")
    }

    /// DISCOVER, OFFER, REQUEST, ACK: the address.
    pub(crate) fn lease(&mut self, client: &Packet) -> Ipv4Addr {
        let offer = self.ask(&client.clone().discover());
        assert_eq!(offer.kind(), Some(2), "{:?}", self.last_events());
        let ack = self.ask(&client.clone().selecting(&offer));
        assert_eq!(
            (ack.kind(), ack.yiaddr()),
            (Some(5), offer.yiaddr()),
            "{:?}",
            self.last_events()
        );
        ack.yiaddr()
    }

    /// Lets time pass, ticking whenever the engine asks for it.
    pub(crate) fn pass(&mut self, time: Duration) -> Vec<Reply> {
        let end = self.now.boottime.after(time);
        let mut replies = Vec::new();
        while let Some(due) = self.engine.deadline().filter(|&due| due <= end) {
            self.jump(due.max(self.now.boottime));
            replies.extend(self.input(Input::Tick));
        }
        self.jump(end);
        replies
    }

    fn jump(&mut self, to: Boottime) {
        let passed = self.now.boottime.until(to).as_secs();
        self.now.wall.0 += passed;
        self.now.boottime = to;
    }

    /// Somebody answers for an address on [`LAN`].
    pub(crate) fn occupied(&mut self, address: Ipv4Addr, by: Mac) -> Vec<Reply> {
        self.input(Input::Probe(ProbeAnswer { interface: LAN, address, mac: Some(by) }))
    }

    pub(crate) fn order(&mut self, order: Order) -> Answer {
        self.orders += 1;
        let id = OrderId(self.orders);
        self.input(Input::Order(id, order));
        let at = self.answers.iter().position(|(asked, _)| *asked == id).expect("an answer");
        self.answers.remove(at).1
    }

    /// How often something was counted.
    pub(crate) fn count(&mut self, name: &str) -> u64 {
        let Answer::Counters(counters) = self.order(Order::Counters) else { panic!() };
        counters.into_iter().find(|(counter, _)| *counter == name).expect(name).1
    }

    /// The usage of the first pool: used and available.
    pub(crate) fn usage(&mut self) -> (u64, u64) {
        let Answer::Usage(usage) = self.order(Order::Usage) else { panic!() };
        (usage[0].used, usage[0].available)
    }

    fn last_events(&self) -> Vec<String> {
        self.log().into_iter().rev().take(3).collect()
    }

    /// The log lines since the start.
    pub(crate) fn log(&self) -> Vec<String> {
        self.events.iter().map(ToString::to_string).collect()
    }
}

pub(crate) fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}
