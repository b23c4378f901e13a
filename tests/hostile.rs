//! Datagrams that nobody should send, by the million, and the next client served all the same.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod lab;

#[path = "hostile/cve.rs"]
mod cve;

use fastrand::Rng;
use lab::{Client, Envelope, Mac, Message, Scene, code, kind};

/// After so many datagrams the server is asked for a lease; so its queue never overflows, and every
/// datagram is read.
const BATCH: u32 = 1000;

fn setting(name: &str, otherwise: u32) -> u32 {
    std::env::var(name).map_or(otherwise, |text| text.parse().unwrap())
}

/// Sends `count` of what `make` makes, in batches; memory and descriptors stay what they were.
fn attack(scene: &mut Scene, count: u32, mut make: impl FnMut(u32) -> (Envelope, Vec<u8>)) {
    let mut settled = None;
    for start in (0..count).step_by(usize::try_from(BATCH).unwrap()) {
        for number in start..start + BATCH {
            let (envelope, bytes) = make(number);
            scene.tap.send_bytes(&envelope, &bytes);
        }
        scene.assert_serving();
        scene.tap.forget();
        if start >= count / 5 {
            let now = (scene.server.resident(), scene.server.descriptors());
            let (memory, descriptors) = *settled.get_or_insert(now);
            assert!(now.0 <= memory + 8192, "memory grew from {memory} KiB to {} KiB", now.0);
            assert!(now.1 <= descriptors + 4, "descriptors grew from {descriptors} to {}", now.1);
        }
    }
    scene.server.assert_alive();
    println!(
        "{count} datagrams; resident before and after: {settled:?}, {}",
        scene.server.resident()
    );
}

fn garbage(random: &mut Rng, length: usize) -> Vec<u8> {
    std::iter::repeat_with(|| random.u8(..)).take(length).collect()
}

/// Octets without any meaning: nothing may come back.
#[test]
fn random_octets_get_no_answer() {
    let mut scene = Scene::new();
    let mut random = Rng::with_seed(83);
    let count = setting("LEASEHOLD_DATAGRAMS", 1_000_000) / 2;
    let envelope = Envelope::broadcast(Mac::of(1));
    let heard_before = scene.tap.heard(|reply| reply.op() == 2).len();
    attack(&mut scene, count, |_| {
        let length = random.usize(0..700);
        (envelope, garbage(&mut random, length))
    });
    let answers = scene.tap.heard(|reply| reply.op() == 2 && reply.mac() == Mac::of(1));
    assert!(answers.is_empty() && heard_before == 0, "{answers:#?}");
    assert_eq!(scene.client(1).lease().yiaddr().octets()[3], 254, "garbage took an address");
}

/// A DHCP message with one thing or several wrong: any `hlen`, options cut off, repeated, of any length,
/// hidden in `file` and `sname`.
fn mangled(client: &Client<'_>, random: &mut Rng, number: u32) -> Message {
    let kinds = [kind::DISCOVER, kind::REQUEST, kind::DECLINE, kind::RELEASE, kind::INFORM];
    let mut message = client.message(kinds[random.usize(..kinds.len())]);
    message.hlen = u8::try_from(number & 0xff).unwrap();
    for _ in 0..random.usize(0..12) {
        let code = [50, 51, 52, 53, 54, 55, 57, 61, 81, 82, 12, 77, 119, 121, 124, random.u8(..)];
        let length = [0, 1, 3, 4, 5, 8, 63, 255][random.usize(..8)];
        let code = code[random.usize(..code.len())];
        message = message.option(code, &garbage(random, length));
    }
    match random.u8(0..6) {
        0 => message.end.clear(),
        1 => message.cut_at = random.usize(0..message.bytes().len()),
        2 => {
            message.file.copy_from_slice(&garbage(random, 128));
            message.sname.copy_from_slice(&garbage(random, 64));
            message = message.option(code::OVERLOAD, &[3]);
        }
        3 => {
            let at = random.usize(..message.options.len());
            message.options[at] = random.u8(..);
        }
        4 => {
            let repeated = message.options.clone();
            message.options.extend_from_slice(&repeated);
        }
        _ => message.chaddr.copy_from_slice(&garbage(random, 16)),
    }
    message.cut_at = message.cut_at.min(1472);
    message
}

#[test]
fn mangled_messages_do_no_harm() {
    let mut scene = Scene::new();
    let mut random = Rng::with_seed(67);
    let count = setting("LEASEHOLD_DATAGRAMS", 1_000_000) / 2;
    let tap = lab::Tap::new(&scene.clients, "eth0");
    let clients: Vec<Client<'_>> = (1..200).map(|number| Client::new(&tap, number)).collect();
    attack(&mut scene, count, |number| {
        let client = &clients[random.usize(..clients.len())];
        let message = mangled(client, &mut random, number);
        (Envelope::broadcast(client.mac()), message.bytes())
    });
    let log = scene.server.process().output().text();
    assert!(!log.contains("panicked"), "{log}");
}

/// DISCOVERs without a REQUEST, each from another card: offers are bounded, and known clients renew.
#[test]
fn dur_07_starvation_by_discovers() {
    let mut scene = Scene::new();
    let address = scene.client(1).lease().yiaddr();
    let mut random = Rng::with_seed(97);
    let tap = lab::Tap::new(&scene.clients, "eth0");
    let count = setting("LEASEHOLD_DATAGRAMS", 1_000_000) / 50;
    attack(&mut scene, count, |_| {
        let client = Client::new(&tap, random.u32(1000..));
        (Envelope::broadcast(client.mac()), client.discover().bytes())
    });
    let known = scene.client(1);
    let ack = known.ask(&known.renewing(address));
    assert_eq!((ack.kind(), ack.yiaddr()), (kind::ACK, address));
    // And a new client that means it gets its address at once.
    assert!(scene.client(2).lease().is(kind::ACK));
}
