//! DUR-09: a million datagrams of the worst kind (a quarter of them in a debug build). No panic,
//! no answer to garbage, and the next client is served.

use leasehold_dhcp::config::{BootpSupport, Identifiers};

use crate::world::*;

/// SplitMix64: the same datagrams every time.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    fn octets(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.next() as u8).collect()
    }
}

/// Every door open: BOOTP for all, option 82 for identity, every limit and option on.
fn open_world() -> World {
    let mut config = config();
    for server in &mut config.servers {
        server.bootp_support = BootpSupport::Dynamic;
        server.bootp_lease_time = 60;
        server.identifiers = Identifiers { option_82: true, ..Identifiers::default() };
        server.client_mac_limit = Some(3);
        server.rapid_commit = true;
        server.ipv6_only_preferred = Some(300);
    }
    config.servers[0].conflict_detection = true;
    config.settings.subnet_selection = true;
    config.leases = [fixed(1, lan(150)), fixed(2, lan(20))].into_iter().collect();
    let mut world = World::with(config);
    world.check_every = 5_000;
    world
}

/// A packet that a client might send.
fn plausible(random: &mut Random) -> Packet {
    let client = Packet::client(random.below(300) as u32);
    let client = if random.below(3) == 0 { client.relayed() } else { client };
    let address = [lan(100 + random.below(110) as u8), far(random.below(256) as u8)];
    let address = address[random.below(2)];
    let packet = match random.below(9) {
        0 | 1 => client.discover(),
        2 => client.discover().wishing(address),
        3 => client.selecting_of(SERVER, address),
        4 => client.reboot(address),
        5 => client.rebind(address),
        6 => client.release(SERVER, address),
        7 => client.decline(SERVER, address),
        _ => client.inform(address),
    };
    let count = random.below(5);
    let codes = [12, 43, 50, 51, 52, 53, 54, 55, 57, 60, 61, 77, 80, 81, 82, 97, 118, 121, 125];
    (0..count).fold(packet, |packet, _| {
        let length = [0, 1, 3, 4, 5, 8, 17, 255][random.below(8)];
        let value = random.octets(length);
        packet.option(codes[random.below(codes.len())], &value)
    })
}

/// Flips, cuts, repeats and stretches.
fn mutate(random: &mut Random, bytes: &mut Vec<u8>) {
    for _ in 0..random.below(4) {
        match random.below(5) {
            0 => bytes.truncate(random.below(bytes.len() + 1)),
            1 => bytes.extend(random.octets(40)),
            2 if bytes.len() > 240 => {
                let tail = bytes[240..].to_vec();
                bytes.extend(tail);
            }
            _ if !bytes.is_empty() => {
                let at = random.below(bytes.len());
                bytes[at] = random.next() as u8;
            }
            _ => {}
        }
    }
}

#[test]
fn dur_09_a_million_mutated_datagrams() {
    let mut world = open_world();
    let mut random = Random(0x1ea5_e401);
    let rounds = if cfg!(debug_assertions) { 250_000 } else { 1_000_000 };
    for round in 0..rounds {
        let packet = plausible(&mut random);
        let mut bytes = packet.bytes();
        mutate(&mut random, &mut bytes);
        for reply in world.send_bytes(&packet, &bytes) {
            // Whatever came in: what goes out is a whole reply to it, or to one that waited.
            assert!(reply.bytes.len() >= 300 && reply.bytes[0] == 2);
        }
        if round % 1_000 == 0 {
            world.pass(seconds(3));
            world.events.clear();
            world.disk.clear();
            world.probes.clear();
        }
    }
    world.pass(seconds(900));
    let held = world.lease(&Packet::client(9_000_001).relayed());
    assert_eq!(world.ask(&Packet::client(9_000_001).relayed().rebind(held)).kind(), Some(5));
}

#[test]
fn dur_09_random_octets_are_never_answered() {
    let mut world = World::new();
    world.check_every = 10_000;
    let mut random = Random(3);
    for round in 0..200_000_u32 {
        let length = random.below(700);
        let mut bytes = random.octets(length);
        // Past the first checks, with every hlen there is.
        if let [op, _, hlen, hops, ..] = &mut bytes[..] {
            (*op, *hlen, *hops) = (1, round as u8, 0);
        }
        let packet = Packet::client(round);
        assert!(world.send_bytes(&packet, &bytes).is_empty());
        world.events.clear();
    }
    world.lease(&Packet::client(1));
}
