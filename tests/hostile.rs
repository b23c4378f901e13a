//! Datagrams that nobody should send, by the million, and the next client served all the same.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod lab;

#[path = "hostile/cve.rs"]
mod cve;

use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use fastrand::Rng;
use lab::crowd::Crowd;
use lab::{Client, Curtain, Envelope, Mac, Message, Scene, code, kind};

/// After so many datagrams the server is asked for a lease; so its queue never overflows, and every
/// datagram is read.
const BATCH: u32 = 1000;

fn setting(name: &str, otherwise: u32) -> u32 {
    std::env::var(name).map_or(otherwise, |text| text.parse().unwrap())
}

/// Memory and descriptors are what they were when they were first looked at.
fn assert_flat(scene: &Scene, settled: &mut Option<(u64, usize)>) {
    let now = (scene.server.resident(), scene.server.descriptors());
    let (memory, descriptors) = *settled.get_or_insert(now);
    assert!(now.0 <= memory + 8192, "memory grew from {memory} KiB to {} KiB", now.0);
    assert!(now.1 <= descriptors + 4, "descriptors grew from {descriptors} to {}", now.1);
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
            assert_flat(scene, &mut settled);
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

/// A DHCP message with one thing or several wrong: any `hlen`, options cut off, repeated, of any
/// length, hidden in `file` and `sname`.
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

/// DISCOVERs without a REQUEST, each from another card: offers are bounded, and known clients
/// renew.
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

/// Known clients renew while datagrams of every bad sort arrive, a million a minute.
#[test]
fn dur_07_a_thousand_clients_renew_in_the_storm() {
    let mut scene = Scene::prepared(&lab::scene::wide(16, "10.84.1.0-10.84.254.255"));
    scene.server.machine().address("ether-83", "10.84.0.1/16");
    scene.server.start();
    let crowd = Crowd::new(&scene.tap, 1, 1000);
    let held: Vec<_> = crowd.lease().into_iter().map(|ack| ack.unwrap().yiaddr()).collect();
    let storm = lab::Tap::new(&scene.clients, "eth0");
    let count = setting("LEASEHOLD_DATAGRAMS", 1_000_000) / 10;
    let curtain = Curtain::default();
    let sent = AtomicU32::new(0);
    let mut renewals = 0;
    let mut settled = None;
    let began = Instant::now();
    thread::scope(|scope| {
        let sent = &sent;
        scope.spawn(|| {
            let storm = storm;
            let mut random = Rng::with_seed(1000);
            while curtain.is_up() {
                // Behind the time it makes up, but not all at once: the sender may have been late.
                let due = began.elapsed().as_millis() as u64 * 1_000_000 / 60_000;
                let behind = due.saturating_sub(sent.load(Ordering::Relaxed).into()).min(500);
                for _ in 0..behind {
                    let client = Client::new(&storm, random.u32(5000..));
                    let number = sent.fetch_add(1, Ordering::Relaxed);
                    let bytes = match random.bool() {
                        true => client.discover().bytes(),
                        false => mangled(&client, &mut random, number).bytes(),
                    };
                    storm.send_bytes(&Envelope::broadcast(client.mac()), &bytes);
                }
                thread::sleep(Duration::from_millis(2));
            }
        });
        let _fall = curtain.falls_with_scope();
        while sent.load(Ordering::Relaxed) < count {
            let server = std::net::Ipv4Addr::new(10, 84, 0, 1);
            for answer in crowd.renew(&held, scene.server_mac, server) {
                assert!(answer.is_some_and(|answer| answer.is(kind::ACK)), "a renewal failed");
            }
            renewals += held.len();
            if sent.load(Ordering::Relaxed) >= count / 5 {
                assert_flat(&scene, &mut settled);
            }
        }
    });
    scene.server.assert_alive();
    let (sent, spent) = (sent.into_inner(), began.elapsed());
    println!(
        "{renewals} renewals while {sent} datagrams came in {spent:?}; resident before and after: \
         {settled:?}, {}",
        scene.server.resident()
    );
}
