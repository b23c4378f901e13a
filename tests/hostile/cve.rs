//! What brought other servers down, by the number under which it is known.

use std::net::Ipv4Addr;

use crate::lab::scene::SERVER;
use crate::lab::{Envelope, Mac, Message, Scene, code, kind};

const KINDS: [u8; 5] = [kind::DISCOVER, kind::REQUEST, kind::DECLINE, kind::RELEASE, kind::INFORM];

/// Sends all of these by broadcast; then the daemon lives and serves.
fn survives(scene: &mut Scene, messages: &[Message]) {
    for message in messages {
        assert!(message.bytes().len() <= 1472, "it would not fit into a frame");
        scene.tap.send(&Envelope::broadcast(Mac::of(1)), message);
    }
    scene.assert_serving();
    scene.server.assert_alive();
}

/// Kea: a unicast message that matches no network.
#[test]
fn cve_2025_40779_unicast_from_an_unknown_network() {
    let mut scene = Scene::new();
    let stranger = Ipv4Addr::new(192, 168, 1, 5);
    let client = scene.client(1);
    for kind in KINDS {
        for option in [code::HOST_NAME, 60, 77, 81, 82, 97, 118] {
            let message = client.message(kind).option(option, b"\x05\x04abcd");
            let message = message.with(|message| message.ciaddr = stranger);
            let envelope = Envelope::unicast(client.mac(), stranger, scene.server_mac, SERVER);
            scene.tap.send(&envelope, &message);
        }
    }
    survives(&mut scene, &[]);
}

/// Kea: host names of which nothing is left when they are cleaned.
#[test]
fn cve_2025_11232_names_that_clean_to_nothing() {
    let mut scene = Scene::new();
    let names: [&[u8]; 8] =
        [b"", b"\0", b".", b"...", b"-", b"!!!", b"\xff\xff", b"\0\0\0\0\0\0\0\0"];
    let messages: Vec<Message> = names
        .iter()
        .flat_map(|name| {
            let fqdn = [&[0_u8, 0, 0], *name].concat();
            let encoded = [&[4_u8, 0, 0], *name].concat();
            let client = scene.client(1);
            [
                client.discover().option(code::HOST_NAME, name),
                client.discover().option(81, &fqdn),
                client.discover().option(81, &encoded),
                client.discover().option(81, &fqdn[..name.len().min(2)]),
            ]
        })
        .collect();
    survives(&mut scene, &messages);
}

/// dhcpd: labels longer than 63 octets; busybox: compression that points at itself, names without
/// end.
#[test]
fn cve_2022_2929_2016_2148_names_in_labels() {
    let mut scene = Scene::new();
    let client = scene.client(1);
    let mut messages = Vec::new();
    for length in [0, 1, 63, 64, 65, 127, 128, 191, 192, 250] {
        let label = [&[4_u8, 0, 0, length], &vec![b'a'; length.into()][..]].concat();
        messages.push(client.discover().option(81, &label));
        messages.push(client.discover().option(119, &label[3..]));
    }
    for pointer in [[0xc0, 0], [0xc0, 1], [0xc0, 2], [0xff, 0xff], [0x3f, 0xc0]] {
        messages.push(client.discover().option(119, &pointer));
        messages.push(client.discover().option(81, &[&[4, 0, 0, 1, b'a'], &pointer[..]].concat()));
    }
    survives(&mut scene, &messages);
}

/// dhcpd: a reference counter that overflowed by options repeated without end.
#[test]
fn cve_2018_5733_options_repeated() {
    let mut scene = Scene::new();
    let client = scene.client(1);
    let mut messages = Vec::new();
    for code in 1..=254 {
        let repeated = |message: Message, times| {
            (0..times).fold(message, |message, _| message.option(code, &[1, 2, 3, 4]))
        };
        messages.push(repeated(client.discover(), 190));
        messages.push(repeated(client.message(kind::REQUEST), 190));
    }
    survives(&mut scene, &messages);
}

/// busybox: options of a fixed size that come in another one; dhcpd: client identifiers of zero and
/// one octets.
#[test]
fn cve_2018_20679_2019_5747_2012_3571_every_length() {
    let mut scene = Scene::new();
    let client = scene.client(1);
    let mut messages = Vec::new();
    for code in 1..=254 {
        for length in (0..=8).chain([255]) {
            let value = vec![0xa5; length];
            messages.push(client.discover().option(code, &value));
            if [50, 51, 54, 57, 61, 82].contains(&code) {
                messages.extend(KINDS.map(|kind| client.message(kind).option(code, &value)));
            }
        }
    }
    survives(&mut scene, &messages);
}

/// OpenBSD's dhcpd: a reply built into a buffer of the size that the client names.
#[test]
fn cve_2007_5365_maximum_sizes_below_the_minimum() {
    let scene = Scene::new();
    let every: Vec<u8> = (1..=254).collect();
    let client = scene.client(1).parameters(&every);
    for size in [0_u16, 1, 235, 239, 240, 243, 575, 576, 65535] {
        let discover = client.discover().option(code::MAX_SIZE, &size.to_be_bytes());
        assert!(client.ask(&discover).is(kind::OFFER), "{size}");
    }
}

/// dhcpd: one host that is meant twice, by its card and by its identifier; format strings in names.
#[test]
fn cve_2009_1892_2004_0460_two_identities_and_format_strings() {
    let mut scene = Scene::new();
    let witness = Mac([0x02, 0x1e, 0xff, 0xff, 0xff, 0xfe]);
    let client = crate::lab::Client::with_mac(&scene.tap, witness);
    let mut messages = Vec::new();
    for name in [&b"%n%n%s%s%x"[..], &[b'%'; 255], &[b'A'; 255]] {
        let named = |message: Message| {
            let message = message.option(code::CLIENT_ID, &name[..name.len().min(100)]);
            message.option(code::HOST_NAME, name).option(60, name)
        };
        messages.extend(KINDS.map(|kind| named(client.message(kind))));
    }
    survives(&mut scene, &messages);
}

/// dhcpd: BOOTP and DHCP messages made to halt it.
#[test]
fn cve_2011_2748_bootp() {
    let mut scene = Scene::new();
    let mut messages = Vec::new();
    for (hlen, htype) in [(0, 0), (0, 1), (6, 0), (16, 255), (6, 6)] {
        for cookie in [[99, 130, 83, 99], [0; 4], [0xff; 4]] {
            let bare = Message::bare(Mac::of(1), scene.tap.fresh_xid());
            let bare =
                bare.with(|bare| (bare.hlen, bare.htype, bare.cookie) = (hlen, htype, cookie));
            messages.push(bare.clone().option(code::REQUESTED, &[67, 9, 97, 254]));
            messages.push(bare.clone().with(|bare| bare.ciaddr = Ipv4Addr::BROADCAST));
            messages.push(bare.with(|bare| bare.end.clear()));
        }
    }
    survives(&mut scene, &messages);
}

/// Kea: died while it wrote a broken packet into its log.
#[test]
fn cve_2015_8373_broken_packets_at_log_level_trace() {
    let mut scene = Scene::prepared(crate::lab::scene::CONFIGURATION);
    scene.server.environment.push(("LEASEHOLD_LOG", "trace".into()));
    scene.server.start();
    let mut random = fastrand::Rng::with_seed(8373);
    let tap = crate::lab::Tap::new(&scene.clients, "eth0");
    let client = crate::lab::Client::new(&tap, 1);
    crate::attack(&mut scene, 10_000, |number| {
        let message = crate::mangled(&client, &mut random, number);
        (Envelope::broadcast(client.mac()), message.bytes())
    });
}
