//! The engine with state: datagrams of anything, time that passes, a store that fails. Its indexes
//! agree, what it would log can be written, and what became durable starts another engine.

use std::fmt::Write;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::{Arc, OnceLock};

use leasehold_dhcp::config::{Config, Host};
use leasehold_dhcp::{
    Boottime, Datagram, Durable, Engine, IfIndex, Input, Interface, Interfaces, Mac, Now, Outbox,
    Probe, ProbeAnswer, Record, Start, StoreState, Wall, menus,
};
use leasehold_pool::{Plan, Pools};
use leasehold_routeros::Ids;
use leasehold_routeros::syntax::toml;

const CONFIGURATION: &str = r#"
[[pool]]
name = "small"
ranges = "10.0.0.10-10.0.0.13"

[[dhcp-server-option]]
name = "named"
code = "15"
value = "s'$(HOSTNAME)'"

[[dhcp-server]]
name = "lan"
interface = "eth0"
address-pool = "small"
bootp-support = "dynamic"
lease-time = "1m"
client-mac-limit = "3"
rapid-commit = "yes"

[[dhcp-server]]
name = "far"
interface = "eth0"
relay = "10.1.0.1"
address-pool = "small"
conflict-detection = "no"

[[dhcp-server-matcher]]
name = "phones"
server = "lan"
code = "60"
matching-type = "substring"
value = "phone"
address-pool = "small"

[dhcp-server-config]
leasequery-allow = "10.1.0.0/16"
subnet-selection = "yes"

[[dhcp-server-network]]
address = "10.0.0.0/16"
gateway = "10.0.0.1"
dns-server = "10.0.0.1"
dhcp-option = "named"

[[dhcp-server-lease]]
address = "10.0.0.9"
mac-address = "02:00:00:00:00:01"
"#;

const LAN: IfIndex = IfIndex(2);
const SERVER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
const RELAY: Ipv4Addr = Ipv4Addr::new(10, 1, 0, 1);
const START: Now = Now { boottime: Boottime(1_000_000), wall: Wall(1_700_000_000) };

/// What every engine has; only its pools are its own.
fn shared() -> &'static (Arc<Config>, Arc<Interfaces>) {
    static SHARED: OnceLock<(Arc<Config>, Arc<Interfaces>)> = OnceLock::new();
    SHARED.get_or_init(|| {
        let opened = toml::open(menus::menus(), CONFIGURATION, &Ids::default());
        let opened = opened.unwrap_or_else(|problem| panic!("{problem}"));
        let compiled = Config::compile(&opened.tree, Host { resolvers: &[] });
        let interfaces = Interfaces::new(vec![Interface {
            index: LAN,
            name: "eth0".into(),
            mac: Mac([2, 0xff, 0, 0, 0, 1]),
            addresses: vec!["10.0.0.1/16".parse().expect("a prefix")],
            mtu: 1500,
            running: true,
            slave: false,
        }]);
        (Arc::new(compiled.config), Arc::new(interfaces))
    })
}

/// An engine that starts with these records in its store, sound after its first tick.
pub fn start(now: Now, records: &[Record]) -> (Engine, Outbox) {
    let (config, interfaces) = shared();
    let pools = Pools::new(&config.plan(interfaces, Plan::new())).expect("a legal plan");
    let newest = records.iter().map(|record| record.at).max();
    let start = Start { now, newest, store: StoreState::Intact };
    let mut engine = Engine::new(config.clone(), pools, start, 1);
    records.iter().for_each(|record| engine.restore(record.clone()));
    let mut out = Outbox::default();
    engine.handle(now, Input::Interfaces(interfaces.clone()), &mut out);
    engine.handle(now, Input::Tick, &mut out);
    engine.check().unwrap_or_else(|broken| panic!("{broken}"));
    (engine, out)
}

/// Each datagram: two octets of its length, one of [`Way`], its payload.
pub fn run(bytes: &[u8]) {
    let mut now = START;
    let mut durable: Vec<Record> = Vec::new();
    let (mut engine, mut out) = start(now, &durable);
    let mut rest = bytes;
    while let Some((&[low, high, way], more)) = rest.split_first_chunk() {
        let length = usize::from(u16::from_le_bytes([low, high]) % 1500).min(more.len());
        let (payload, behind) = more.split_at(length);
        rest = behind;
        let way = Way(way);
        engine.handle(now, Input::Datagram(way.datagram(payload)), &mut out);
        let probed: Vec<Probe> = out.probes().collect();
        for probe in probed.into_iter().filter(|_| way.is_answered()) {
            let (Probe::Arp { target, .. } | Probe::Echo { target }) = probe else { continue };
            let answer = ProbeAnswer { interface: LAN, address: target, mac: None };
            engine.handle(now, Input::Probe(answer), &mut out);
        }
        let passed = way.milliseconds();
        now.boottime.0 += passed;
        now.wall.0 += passed / 1000;
        engine.handle(now, Input::Tick, &mut out);
        tell(&mut out);
        let (prompt, turn) = out.seal();
        prompt.replies().iter().for_each(|(_, reply)| assert_reply(reply));
        if way.is_abandoned() {
            engine.handle(now, Input::Abandoned(turn.abandon()), &mut out);
            engine.handle(now, Input::StoreRecovered, &mut out);
        } else {
            durable.extend(turn.records().iter());
            let proof = Durable::after_sync(turn.sequence());
            let promises = turn.release(&proof);
            promises.replies().iter().for_each(|(_, reply)| assert_reply(reply));
        }
        engine.check().unwrap_or_else(|broken| panic!("{broken}"));
    }
    start(now, &durable);
}

/// Every event as the log has it, at any level.
fn tell(out: &mut Outbox) {
    let mut log = String::new();
    out.events().for_each(|event| write!(log, "{event} {event:?}").expect("a string"));
}

/// A BOOTREPLY, no shorter than BOOTP's messages, that fits into a frame.
fn assert_reply(reply: &[u8]) {
    assert_eq!(reply.first(), Some(&2));
    assert!((300..=1472).contains(&reply.len()), "{} octets", reply.len());
}

/// How a datagram comes, and what happens after it.
#[derive(Clone, Copy)]
struct Way(u8);

impl Way {
    /// By a relay, or by broadcast with or without the frame's source.
    fn datagram(self, payload: &[u8]) -> Datagram<'_> {
        let link_source = (self.0 & 2 != 0).then_some(Mac([2, 0, 0, 0, 0, self.0 & 3]));
        let (source, destination) = match self.0 & 1 {
            0 => (SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 68), Ipv4Addr::BROADCAST),
            _ => (SocketAddrV4::new(RELAY, 67), SERVER),
        };
        Datagram { interface: LAN, link_source, source, destination, payload }
    }

    /// The store fails, and recovers.
    fn is_abandoned(self) -> bool {
        self.0 & 4 != 0
    }

    /// Somebody has every address that is probed.
    fn is_answered(self) -> bool {
        self.0 & 8 != 0
    }

    /// No time at all, or 20 ms to more than five minutes.
    fn milliseconds(self) -> u64 {
        match self.0 >> 4 {
            0 => 0,
            power => 10 << power,
        }
    }
}
