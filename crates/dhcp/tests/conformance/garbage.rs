//! DUR-09: a million datagrams of the worst kind (a quarter of them in a debug build). No panic,
//! no answer to garbage, and the next client is served.

use fastrand::Rng;
use leasehold_dhcp::config::{BootpSupport, Identifiers};

use crate::world::*;

fn octets(random: &mut Rng, count: usize) -> Vec<u8> {
    (0..count).map(|_| random.u8(..)).collect()
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
fn plausible(random: &mut Rng) -> Packet {
    let client = Packet::client(random.u32(0..300));
    let client = if random.usize(0..3) == 0 { client.relayed() } else { client };
    let address = [lan(100 + random.u8(0..110)), far(random.u8(..))];
    let address = address[random.usize(0..2)];
    let packet = match random.u8(0..9) {
        0 | 1 => client.discover(),
        2 => client.discover().wishing(address),
        3 => client.selecting_of(SERVER, address),
        4 => client.reboot(address),
        5 => client.rebind(address),
        6 => client.release(SERVER, address),
        7 => client.decline(SERVER, address),
        _ => client.inform(address),
    };
    let count = random.usize(0..5);
    let codes = [12, 43, 50, 51, 52, 53, 54, 55, 57, 60, 61, 77, 80, 81, 82, 97, 118, 121, 125];
    (0..count).fold(packet, |packet, _| {
        let length = [0, 1, 3, 4, 5, 8, 17, 255][random.usize(0..8)];
        let value = octets(random, length);
        packet.option(codes[random.usize(0..codes.len())], &value)
    })
}

/// Flips, cuts, repeats and stretches.
fn mutate(random: &mut Rng, bytes: &mut Vec<u8>) {
    for _ in 0..random.usize(0..4) {
        match random.u8(0..5) {
            0 => bytes.truncate(random.usize(0..=bytes.len())),
            1 => bytes.extend(octets(random, 40)),
            2 if bytes.len() > 240 => {
                let tail = bytes[240..].to_vec();
                bytes.extend(tail);
            }
            _ if !bytes.is_empty() => {
                let at = random.usize(0..bytes.len());
                bytes[at] = random.u8(..);
            }
            _ => {}
        }
    }
}

#[test]
fn dur_09_a_million_mutated_datagrams() {
    let mut world = open_world();
    // The same datagrams every time.
    let mut random = Rng::with_seed(0x1ea5_e401);
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
    // The same datagrams every time.
    let mut random = Rng::with_seed(3);
    for round in 0..200_000_u32 {
        let length = random.usize(0..700);
        let mut bytes = octets(&mut random, length);
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
