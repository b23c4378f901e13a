//! Relayed clients for an engine without sockets or a disk: packet in, packet out.
#![allow(dead_code, reason = "each bench uses what it needs of it")]

use std::hint::black_box;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::ops::Range;
use std::sync::Arc;

use leasehold::bench::packet::{Fields, Kind, Messages, Profile};
use leasehold_dhcp::config::{
    AddressPool, Config, Network, PoolIndex, PoolSpec, Relay, Server, Settings,
};
use leasehold_dhcp::{
    Boottime, Datagram, Durable, Engine, IfIndex, Input, Interface, Interfaces, Mac, Now, Outbox,
    Record, Start, StoreState, Wall,
};
use leasehold_pool::{Plan, Pools};

const UPLINK: IfIndex = IfIndex(2);
const SERVER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 2);
const RELAY: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
const LEASE_TIME: u32 = 86_400;
/// The time of every bench.
pub(crate) const WALL: Wall = Wall(1_700_000_000);
/// Messages of one turn, as `leasehold bench` has them under way.
pub(crate) const TURN: u32 = 64;

/// Ten million addresses, for as many clients as a bench wants.
pub(crate) const LARGE: (Ipv4Addr, Ipv4Addr) =
    (Ipv4Addr::new(10, 0, 0, 2), Ipv4Addr::new(10, 159, 255, 254));

/// An engine, its clients, and what they have got.
pub(crate) struct Traffic {
    engine: Engine,
    outbox: Outbox,
    messages: Messages,
    message: Vec<u8>,
    now: Now,
    addresses: Vec<Ipv4Addr>,
}

impl Traffic {
    /// A server of a pool from the first to the last address, and `clients` clients that have
    /// nothing yet.
    pub(crate) fn new(pool: (Ipv4Addr, Ipv4Addr), clients: u32) -> Self {
        Self::restored(pool, clients, None, Vec::new())
    }

    /// The same after a restart: what the store held, and the newest time in it.
    pub(crate) fn restored(
        (first, last): (Ipv4Addr, Ipv4Addr),
        clients: u32,
        newest: Option<Wall>,
        records: Vec<Record>,
    ) -> Self {
        let config = Arc::new(config(first, last));
        let interfaces = Arc::new(interfaces());
        let pools = Pools::new(&config.plan(&interfaces, Plan::new())).expect("a legal plan");
        let now = Now { boottime: Boottime(1_000_000), wall: WALL };
        let start = Start { now, newest, store: StoreState::Intact };
        let mut engine = Engine::new(config, pools, start, 1);
        records.into_iter().for_each(|record| engine.restore(record));
        let mut outbox = Outbox::default();
        engine.handle(now, Input::Interfaces(interfaces), &mut outbox);
        let messages = Messages::new(Profile {
            giaddr: RELAY,
            broadcast: false,
            client_id: true,
            host_name: true,
            option_82: false,
        });
        let addresses = vec![Ipv4Addr::UNSPECIFIED; clients as usize];
        Self { engine, outbox, messages, message: vec![0; 640], now, addresses }
    }

    /// What a client was last offered or given.
    pub(crate) fn address(&self, number: u32) -> Ipv4Addr {
        self.addresses[number as usize]
    }

    /// The four messages of each client.
    pub(crate) fn dora(&mut self, clients: Range<u32>) {
        self.discover(clients.clone());
        self.ask(Kind::Select, clients);
    }

    /// DISCOVER and OFFER of each client.
    pub(crate) fn discover(&mut self, clients: Range<u32>) {
        self.ask(Kind::Discover, clients);
    }

    /// REQUEST and ACK of each client, which has a lease.
    pub(crate) fn renew(&mut self, clients: Range<u32>) {
        self.ask(Kind::Renew, clients);
    }

    /// RELEASE of each client, which has a lease.
    pub(crate) fn release(&mut self, clients: Range<u32>) {
        clients.for_each(|number| self.say(Kind::Release, number));
        let (_, turn) = self.outbox.seal();
        let sequence = turn.sequence();
        black_box(turn.release(&Durable::after_sync(sequence)));
        self.outbox.events().for_each(drop);
    }

    /// One turn: a message of each client and the answer to each.
    fn ask(&mut self, kind: Kind, clients: Range<u32>) {
        let count = clients.len();
        clients.clone().for_each(|number| self.say(kind, number));
        let (prompt, mut turn) = self.outbox.seal();
        let (sequence, records) = (turn.sequence(), turn.take_records());
        black_box(records.bytes());
        let promises = turn.release(&Durable::after_sync(sequence));
        let answers = prompt.replies().iter().chain(promises.replies().iter());
        let mut answered = 0;
        for ((_, answer), number) in answers.zip(clients) {
            let octets: [u8; 4] = answer[16..20].try_into().expect("a header");
            self.addresses[number as usize] = octets.into();
            answered += 1;
        }
        assert_eq!(answered, count, "every {kind:?} is answered");
        self.outbox.recycle_prompt(prompt);
        self.outbox.recycle_promises(promises);
        self.outbox.events().for_each(drop);
        self.now.boottime.0 += 1;
    }

    fn say(&mut self, kind: Kind, number: u32) {
        let [a, b, c, d] = number.to_be_bytes();
        let fields = Fields {
            xid: number,
            secs: 0,
            mac: [2, 0, a, b, c, d],
            number,
            address: self.addresses[number as usize],
            server: SERVER,
        };
        let size = self.messages.write(kind, &fields, &mut self.message);
        let datagram = Datagram {
            interface: UPLINK,
            link_source: None,
            source: SocketAddrV4::new(RELAY, 67),
            destination: SERVER,
            payload: &self.message[..size],
        };
        self.engine.handle(self.now, Input::Datagram(datagram), &mut self.outbox);
    }
}

fn config(first: Ipv4Addr, last: Ipv4Addr) -> Config {
    let mut network = Network::new("10.0.0.0/8".parse().expect("a prefix"));
    network.gateways = vec![RELAY];
    network.dns = vec![RELAY];
    let ranges = vec![first..=last];
    Config {
        servers: vec![Server {
            name: "server".into(),
            interface: "uplink".into(),
            lease_time: LEASE_TIME,
            address_pool: AddressPool::Pool(PoolIndex(0)),
            conflict_detection: false,
            relay: Relay::At(RELAY),
            ..Server::default()
        }],
        networks: [network].into_iter().collect(),
        pools: vec![PoolSpec { name: "pool".into(), space: "".into(), ranges, next: None }],
        settings: Settings::default(),
        ..Config::default()
    }
}

fn interfaces() -> Interfaces {
    Interfaces::new(vec![Interface {
        index: UPLINK,
        name: "uplink".into(),
        mac: Mac([2, 0xff, 0, 0, 0, 1]),
        addresses: vec!["192.0.2.2/24".parse().expect("a prefix")],
        mtu: 1500,
        running: true,
        slave: false,
    }])
}
