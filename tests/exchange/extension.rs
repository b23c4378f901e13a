//! Cases EXT on the wire: names, vendors' options, what clients without an address are told.

use std::net::Ipv4Addr;

use crate::lab::scene::CONFIGURATION;
use crate::lab::{Scene, code, kind};

/// The scenario with a domain.
fn with_domain() -> String {
    CONFIGURATION
        .replace("dns-server = \"8.8.8.8\"", "dns-server = \"8.8.8.8\"\ndomain = \"example.net\"")
}

#[test]
fn ext_07_08_09_the_clients_fqdn() {
    let scene = Scene::with(&with_domain());
    // Flags and name that are sent, and what comes back of them.
    let cases: [(u8, &[u8], u8, &[u8]); 4] = [
        (0, b"pc.example.org", 8, b"pc.example.org"),
        (1, b"pc", 8 | 2, b"pc.example.net"),
        (4, b"\x02pc\x07example\x03org\0", 8 | 4, b"\x02pc\x07example\x03org\0"),
        (5, b"\x02pc", 8 | 2 | 4, b"\x02pc\x07example\x03net\0"),
    ];
    for (number, (flags, name, flags_back, name_back)) in (1..).zip(cases) {
        let client = scene.client(number);
        let sent = [&[flags, 0, 0], name].concat();
        let named = |message: crate::lab::Message| {
            message.option(code::HOST_NAME, b"another").option(81, &sent)
        };
        let offer = client.ask(&named(client.discover()));
        let ack = client.ask(&named(client.selecting(&offer)));
        let expected = [&[flags_back, 255, 255], name_back].concat();
        for reply in [offer, ack] {
            assert_eq!(reply.option(81), Some(&*expected), "{reply:?}");
        }
    }
    let log = scene.server.process().output().text();
    assert!(log.contains("02:1E:00:00:00:01 pc\n"), "{log}");
    assert!(!log.contains("another"), "{log}");
}

#[test]
fn ext_05_each_vendor_its_own() {
    let option = "
[[dhcp-server-option]]
name = \"cable\"
code = 125
value = \"4491(2:s'cable')\"

[[dhcp-server-option]]
name = \"acs\"
code = 125
value = \"3561(1:s'http://acs.example')\"
";
    let network = "gateway = \"67.9.97.1\"\ndhcp-option = \"cable,acs\"";
    let text = CONFIGURATION.replace("gateway = \"67.9.97.1\"", network) + option;
    let scene = Scene::with(&text);
    let client = scene.client(1).parameters(&[1, 3, 125]);
    let of = |enterprise: u32| [&enterprise.to_be_bytes()[..], &[0]].concat();
    let offer = client.ask(&client.discover().option(124, &of(4491)));
    assert_eq!(offer.option(125), Some(&b"\0\0\x11\x8b\x07\x02\x05cable"[..]), "{offer:?}");
    let offer = client.ask(&client.discover().option(124, &of(9)));
    assert_eq!(offer.option(125), None, "{offer:?}");
    let both = client.ask(&client.discover());
    assert_eq!(both.option(125).map(<[u8]>::len), Some(12 + 25), "{both:?}");
}

#[test]
fn ext_18_no_address_and_none_of_its_own() {
    let text = CONFIGURATION
        .replace("67.9.97.10-67.9.97.254", "67.9.97.10")
        .replace("conflict-detection", "auto-configure = \"no\"\nconflict-detection");
    let scene = Scene::with(&text);
    assert_eq!(scene.client(1).lease().yiaddr(), Ipv4Addr::new(67, 9, 97, 10));
    let client = scene.client(2);
    let offer = client.ask(&client.discover().option(116, &[1]));
    assert_eq!((offer.kind(), offer.yiaddr()), (kind::OFFER, Ipv4Addr::UNSPECIFIED));
    assert_eq!(offer.option(116), Some(&[0][..]));
    scene.assert_silent_to(&[client.discover()]);
}
