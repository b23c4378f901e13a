//! Cases OPT, ID and parts of EXT: the options of a request and of its answer.

use std::net::Ipv4Addr;

use crate::lab::message::Reply;
use crate::lab::scene::{CONFIGURATION, SERVER};
use crate::lab::{Client, Message, Scene, code, kind};

fn at(last: u8) -> Ipv4Addr {
    Ipv4Addr::new(67, 9, 97, last)
}

/// The scenario with domain, NTP server, broadcast address and two of each.
fn rich() -> String {
    CONFIGURATION.replace(
        "dns-server = \"8.8.8.8\"",
        "dns-server = \"8.8.8.8,1.1.1.1\"\nntp-server = \"67.9.97.2\"\ndomain = \"example.net\"",
    )
}

fn offer(client: &Client<'_>) -> Reply {
    let offer = client.ask(&client.discover());
    assert!(offer.is(kind::OFFER), "{offer:?}");
    offer
}

#[test]
fn opt_02_03_in_the_order_that_the_client_asks() {
    let scene = Scene::with(&rich());
    let asked = [42, code::DOMAIN, code::DNS, code::ROUTER, code::MASK];
    let offer = offer(&scene.client(1).parameters(&asked));
    let codes = offer.codes();
    let place = |code| codes.iter().position(|present| *present == code).unwrap();
    // RFC 2132, section 3.3: the mask before the router, whatever was asked.
    assert!(place(code::MASK) < place(code::ROUTER), "{codes:?}");
    let rest: Vec<u8> = codes.iter().copied().filter(|c| asked[..4].contains(c)).collect();
    assert_eq!(rest, asked[..4], "{codes:?}");
    assert_eq!(offer.option(code::DOMAIN), Some(b"example.net".as_slice()));
    assert_eq!(offer.addresses(code::DNS), [Ipv4Addr::new(8, 8, 8, 8), Ipv4Addr::new(1, 1, 1, 1)]);
    assert_eq!(offer.address(42), Some(at(2)));
}

#[test]
fn opt_04_07_without_a_list_of_parameters() {
    let scene = Scene::new();
    let client = scene.client(1).parameters(&[]);
    let empty = client.discover().option(code::PARAMETERS, &[]);
    for discover in [client.discover(), empty] {
        let offer = client.ask(&discover);
        for code in [code::MASK, code::ROUTER, code::DNS, code::LEASE_TIME, code::SERVER] {
            assert!(offer.option(code).is_some(), "{code} is missing: {offer:?}");
        }
    }
}

#[test]
fn opt_05_06_lists_that_are_short_or_odd() {
    let scene = Scene::new();
    let client = scene.client(1).parameters(&[code::DNS]);
    for code in [code::LEASE_TIME, code::SERVER, code::T1, code::T2] {
        assert!(offer(&client).option(code).is_some(), "{code}");
    }
    let odd = [0, 255, 254, 3, 3, 6, 6, 1, 1, 53, 54, 51, 82, 61, 52];
    let offer = offer(&scene.client(1).parameters(&odd));
    let mut codes = offer.codes();
    let count = codes.len();
    codes.sort_unstable();
    codes.dedup();
    assert_eq!(codes.len(), count, "an option twice: {offer:?}");
    let every: Vec<u8> = (0..=254).collect();
    assert!(self::offer(&scene.client(2).parameters(&every)).yiaddr() != at(254));
}

#[test]
fn opt_09_10_an_option_in_pieces() {
    let scene = Scene::new();
    let [a, b, c, d] = at(77).octets();
    let client = scene.client(1);
    let adjacent = client.discover().option(code::REQUESTED, &[a, b]);
    let adjacent = adjacent.option(code::REQUESTED, &[c, d]);
    assert_eq!(client.ask(&adjacent).yiaddr(), at(77), "adjacent");
    let [.., d] = at(78).octets();
    let client = scene.client(2);
    let apart = client.discover().option(code::REQUESTED, &[a, b]);
    let apart = apart.option(code::HOST_NAME, b"name").option(code::REQUESTED, &[c, d]);
    assert_eq!(client.ask(&apart).yiaddr(), at(78), "apart");
}

#[test]
fn opt_11_options_in_file_and_sname() {
    let scene = Scene::new();
    let wish = |address: Ipv4Addr| {
        let [a, b, c, d] = address.octets();
        [code::REQUESTED, 4, a, b, c, d, 255]
    };
    for (number, overload, address) in [(1, 1, at(71)), (2, 2, at(72)), (3, 3, at(73))] {
        let client = scene.client(number);
        let discover =
            client.discover().option(code::OVERLOAD, &[overload]).with(|discover| match overload {
                2 => discover.sname[..7].copy_from_slice(&wish(address)),
                _ => discover.file[..7].copy_from_slice(&wish(address)),
            });
        assert_eq!(client.ask(&discover).yiaddr(), address, "overload {overload}");
    }
}

#[test]
fn opt_12_overload_without_a_meaning() {
    let scene = Scene::new();
    let client = scene.client(1);
    let nine = client.discover().option(code::OVERLOAD, &[9]);
    let twice = client.discover().option(code::OVERLOAD, &[1]).option(code::OVERLOAD, &[2]);
    for discover in [nine, twice] {
        client.broadcast(&discover);
        scene.assert_serving();
    }
}

#[test]
fn opt_14_to_16_sizes_that_clients_accept() {
    let scene = Scene::with(&rich());
    let client = scene.client(1);
    for size in [0_u16, 1, 100, 235, 239, 300, 575, 576, 1500, u16::MAX] {
        let answer = client.ask(&client.discover().option(code::MAX_SIZE, &size.to_be_bytes()));
        assert!(answer.is(kind::OFFER), "{size}");
        assert!(answer.bytes.len() + 28 <= usize::from(size.clamp(576, 1500)), "{size}");
    }
    assert!(offer(&client).bytes.len() <= 548);
}

#[test]
fn id_01_02_the_client_id_comes_back() {
    let scene = Scene::new();
    // The comparison itself is made for every answer.
    let client = scene.client(1).client_id(b"\0client one");
    let offer = client.ask(&client.discover());
    let ack = client.ask(&client.selecting(&offer));
    let nak = client.ask(&client.init_reboot(Ipv4Addr::new(10, 0, 0, 1)));
    assert_eq!([offer.kind(), ack.kind(), nak.kind()], [kind::OFFER, kind::ACK, kind::NAK]);
    for reply in [offer, ack, nak] {
        assert_eq!(reply.option(code::CLIENT_ID), Some(b"\0client one".as_slice()));
    }
    assert_eq!(self::offer(&scene.client(2)).option(code::CLIENT_ID), None);
}

#[test]
fn id_03_04_who_is_the_same_client() {
    let scene = Scene::new();
    let named = |number, name: &[u8]| scene.client(number).client_id(name).lease().yiaddr();
    let address = named(1, b"\0laptop");
    assert_eq!(named(2, b"\0laptop"), address, "one identifier, two cards");
    assert_ne!(named(1, b"\0other"), address, "one card, two identifiers");
}

#[test]
fn id_06_to_10_identifiers_of_all_kinds() {
    let scene = Scene::new();
    let client = scene.client(1);
    let empty = client.discover().option(code::CLIENT_ID, &[]);
    client.broadcast(&empty);
    scene.assert_serving();
    assert!(offer(&scene.client(2).client_id(&[7])).is(kind::OFFER));
    assert!(offer(&scene.client(3).client_id(&[0xaa; 255]).parameters(&[])).is(kind::OFFER));
    let iaid = |number: u8| scene.client(4).client_id(&[255, 0, 0, 0, number, 0, 4, 1, 2, 3]);
    assert_ne!(iaid(1).lease().yiaddr(), iaid(2).lease().yiaddr());
    assert!(offer(&scene.client(5).client_id(&[255])).is(kind::OFFER));
}

#[test]
fn id_15_pool_07_a_static_lease_is_for_its_owner_alone() {
    let reserved = "[[dhcp-server-lease]]\naddress = \"67.9.97.254\"\n\
                    mac-address = \"02:1E:00:00:00:63\"\n";
    let scene = Scene::with(&format!("{CONFIGURATION}\n{reserved}"));
    assert_eq!(scene.client(1).lease().yiaddr(), at(253));
    assert_eq!(scene.client(0x63).lease().yiaddr(), at(254));
    let named = scene.client(0x63).client_id(b"\x01\x02\x1e\0\0\0\x63");
    assert_eq!(named.lease().yiaddr(), at(254), "the same card with an identifier");
}

#[test]
fn ext_06_10_11_hostile_text_is_only_text() {
    let scene = Scene::new();
    let names: [&[u8]; 9] = [
        b"nul\0inside\0",
        b"line\nfeed\r\n",
        b"`;$(reboot)'\"<script>",
        "h\u{f6}st".as_bytes(),
        &[0xff, 0xfe, 0x80],
        b"%n%s%x",
        b"....",
        b"\0",
        &[b'a'; 255],
    ];
    for (number, name) in (1..).zip(names) {
        let client = scene.client(number);
        let with_name = |message: Message| {
            let fqdn = [&[0_u8, 0, 0], &name[..name.len().min(250)]].concat();
            message.option(code::HOST_NAME, name).option(81, &fqdn).option(60, name)
        };
        let offer = client.ask(&with_name(client.discover()));
        let ack = client.ask(&with_name(client.selecting(&offer)));
        assert!(ack.is(kind::ACK), "{name:?}: {ack:?}");
    }
    let log = scene.server.process().output().text();
    let plain = |c: char| c == '\n' || c == '\t' || !c.is_control();
    let clean = log.replace('\u{1b}', "").chars().all(plain);
    assert!(clean, "control characters in the log:\n{log}");
}

#[test]
fn ext_13_rapid_commit_is_off() {
    let scene = Scene::new();
    let client = scene.client(1);
    let answer = client.ask(&client.discover().option(80, &[]));
    assert_eq!((answer.kind(), answer.option(80)), (kind::OFFER, None));
}

#[test]
fn btp_02_05_08_09_messages_that_nobody_may_send_here() {
    let scene = Scene::new();
    let client = scene.client(1);
    let bootp = Message::bare(client.mac(), 77);
    let kinds = [0, 2, 5, 6, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 99, 255];
    let mut messages: Vec<Message> = kinds.iter().map(|kind| client.message(*kind)).collect();
    messages.push(bootp.clone());
    messages.push(bootp.option(code::KIND, &[]).with(|m| m.xid = 78));
    scene.assert_silent_to(&messages);
}

#[test]
fn opt_25_no_next_server_and_no_boot_file() {
    let scene = Scene::new();
    let offer = offer(&scene.client(1));
    assert_eq!(offer.siaddr(), Ipv4Addr::UNSPECIFIED);
    assert!(offer.bytes[44..236].iter().all(|octet| *octet == 0));
    assert_eq!(offer.address(code::SERVER), Some(SERVER));
}
