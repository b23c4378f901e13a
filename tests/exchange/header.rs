//! Cases HDR: the header of the message, and the frame around it.

use std::net::Ipv4Addr;

use crate::lab::frame::Checksum;
use crate::lab::scene::{CONFIGURATION, SERVER};
use crate::lab::{Client, Envelope, Lab, Mac, Message, Scene, Server, Tap, code, kind};

#[test]
fn hdr_01_02_only_requests_are_answered() {
    let scene = Scene::new();
    let client = scene.client(1);
    let of = |op| client.discover().with(|discover| discover.op = op);
    scene.assert_silent_to(&[of(2), of(0), of(255)]);
}

#[test]
fn hdr_03_no_hardware_address_and_no_client_id() {
    let scene = Scene::new();
    let nameless = scene.client(1).discover().with(|discover| discover.hlen = 0);
    scene.assert_silent_to(&[nameless]);
}

#[test]
fn hdr_04_no_hardware_address_but_a_client_id() {
    // RFC 4390: InfiniBand.
    let scene = Scene::new();
    let client = Client::with_mac(&scene.tap, Mac([0; 6])).client_id(b"\x20infiniband");
    let discover = client.discover().with(|discover| {
        (discover.htype, discover.hlen) = (32, 0);
        discover.flags = Message::BROADCAST_FLAG;
    });
    let envelope = Envelope::broadcast(Mac::of(4));
    let offer = client.ask_in(&envelope, &discover);
    assert!(offer.is(kind::OFFER), "{offer:?}");
    assert_eq!(offer.headers.target_mac, Mac::BROADCAST);
    assert_eq!(offer.chaddr(), [0; 16]);
}

#[test]
fn hdr_05_sixteen_octets_of_hardware_address() {
    let scene = Scene::new();
    let client = scene.client(1).wants_broadcast();
    let discover = client.discover().with(|discover| {
        discover.hlen = 16;
        discover.chaddr[6..].copy_from_slice(b"0123456789");
    });
    // That all sixteen come back is checked in every answer.
    assert!(client.ask(&discover).is(kind::OFFER));
}

#[test]
fn hdr_06_hardware_address_longer_than_its_field() {
    let scene = Scene::new();
    let client = scene.client(1);
    let of = |hlen| client.discover().with(|discover| discover.hlen = hlen);
    scene.assert_silent_to(&[of(17), of(32), of(255)]);
}

#[test]
fn hdr_07_hardware_type_zero_does_no_harm() {
    let scene = Scene::new();
    let client = scene.client(1);
    client.broadcast(&client.discover().with(|discover| discover.htype = 0));
    scene.assert_serving();
}

#[test]
fn hdr_08_09_addresses_that_are_no_stations() {
    let scene = Scene::new();
    let of = |mac| Client::with_mac(&scene.tap, Mac(mac)).discover();
    let zero = (Envelope::broadcast(Mac::of(1)), of([0; 6]));
    let multicast = (Envelope::broadcast(Mac::of(1)), of([0x03, 0, 0, 0, 0, 1]));
    let broadcast = (Envelope::broadcast(Mac::of(1)), of([0xff; 6]));
    scene.assert_silent(&[zero, multicast, broadcast]);
}

#[test]
fn hdr_10_without_the_cookie_it_is_not_dhcp() {
    let scene = Scene::new();
    scene.assert_silent_to(&[scene.client(1).discover().with(|d| d.cookie = [0; 4])]);
}

#[test]
fn hdr_11_shorter_than_a_header() {
    let scene = Scene::new();
    let client = scene.client(1);
    let of = |length| client.discover().with(|discover| discover.cut_at = length);
    scene.assert_silent_to(&[of(239), of(236), of(44), of(28), of(1), of(0)]);
}

#[test]
fn hdr_12_13_without_padding_without_end() {
    let scene = Scene::new();
    let client = scene.client(1).parameters(&[]);
    let short = client.discover().with(|discover| discover.padded_to = 0);
    assert_eq!(short.bytes().len(), 244);
    assert!(client.ask(&short).is(kind::OFFER));
    let endless = client.discover().with(|discover| {
        discover.end.clear();
        discover.padded_to = 0;
    });
    assert!(client.ask(&endless).is(kind::OFFER));
}

#[test]
fn hdr_14_last_option_runs_past_the_datagram() {
    let scene = Scene::new();
    let client = scene.client(1);
    let overrun = client.discover().with(|discover| {
        discover.options.extend_from_slice(&[code::HOST_NAME, 200, b'a', b'b']);
        discover.end.clear();
        discover.padded_to = 0;
    });
    client.broadcast(&overrun);
    scene.assert_serving();
}

#[test]
fn hdr_15_udp_length_that_lies() {
    let scene = Scene::new();
    let client = scene.client(1);
    let lie = |by| Envelope { udp_length_lie: by, ..Envelope::broadcast(client.mac()) };
    scene.assert_silent(&[(lie(1), client.discover()), (lie(1000), client.discover())]);
    // Shorter than the IP payload: either wrong, or a shorter datagram with padding behind it.
    scene.tap.send(&lie(-1), &client.discover());
    scene.tap.send(&lie(-305), &client.discover());
    scene.assert_serving();
}

#[test]
fn hdr_16_bad_checksum_is_silent_others_are_not() {
    let scene = Scene::new();
    let client = scene.client(1);
    let with = |checksum| Envelope { checksum, ..Envelope::broadcast(client.mac()) };
    scene.assert_silent(&[(with(Checksum::Bad), client.discover())]);
    // None at all is legal for IPv4, and a local peer leaves it to hardware that is not there.
    for checksum in [Checksum::Absent, Checksum::Partial, Checksum::Good] {
        let offer = client.ask_in(&with(checksum), &client.discover());
        assert!(offer.is(kind::OFFER), "{checksum:?}: {offer:?}");
    }
}

#[test]
fn hdr_18_all_flags_set() {
    let scene = Scene::new();
    let client = scene.client(1);
    let offer = client.ask(&client.discover().with(|discover| discover.flags = 0xffff));
    assert!(offer.is(kind::OFFER));
    assert_eq!(offer.headers.target_mac, Mac::BROADCAST);
    assert_eq!(offer.headers.target, Ipv4Addr::BROADCAST);
    assert_ne!(offer.flags() & Message::BROADCAST_FLAG, 0);
}

#[test]
fn hdr_19_secs_and_hops_are_not_returned() {
    let scene = Scene::new();
    let client = scene.client(1);
    let discover = client.discover().with(|d| (d.secs, d.hops) = (0x1234, 3));
    // That they are zero in the answer is checked in every answer.
    assert!(client.ask(&discover).is(kind::OFFER));
}

#[test]
fn hdr_21_from_another_port_answered_to_68() {
    let scene = Scene::new();
    let client = scene.client(1);
    let envelope = Envelope { source_port: 9999, ..Envelope::broadcast(client.mac()) };
    let offer = client.ask_in(&envelope, &client.discover());
    assert_eq!((offer.kind(), offer.headers.target_port), (kind::OFFER, 68));
}

#[test]
fn hdr_22_through_a_bridge_with_its_own_address() {
    let scene = Scene::new();
    let client = scene.client(1);
    let offer = client.ask_in(&Envelope::broadcast(Mac::of(2)), &client.discover());
    assert_eq!((offer.kind(), offer.headers.target_mac), (kind::OFFER, client.mac()));
}

#[test]
fn hdr_23_fields_of_the_server_filled_by_the_client() {
    let scene = Scene::new();
    let client = scene.client(1);
    let discover = client.discover().with(|discover| {
        discover.yiaddr = Ipv4Addr::BROADCAST;
        discover.siaddr = Ipv4Addr::BROADCAST;
        discover.sname = [b's'; 64];
        discover.file = [b'f'; 128];
    });
    let offer = client.ask(&discover);
    assert_eq!(offer.yiaddr(), Ipv4Addr::new(67, 9, 97, 254));
    assert_eq!(offer.siaddr(), Ipv4Addr::UNSPECIFIED);
    assert!(offer.bytes[44..236].iter().all(|octet| *octet == 0), "sname, file of {offer:?}");
}

#[test]
fn hdr_17_fragments_are_put_together() {
    let scene = Scene::new();
    let client = scene.client(1);
    let discover = client.discover().with(|discover| discover.padded_to = 1400);
    let [first, second] = Envelope::broadcast(client.mac()).fragments(&discover.bytes());
    scene.tap.send_frame(&first, false);
    scene.tap.send_frame(&second, false);
    assert!(client.answer(&discover).is(kind::OFFER));
}

#[test]
fn hdr_24_a_vlan_is_a_network_of_its_own() {
    let scene = Scene::prepared(&CONFIGURATION.replace("\"ether-83\"", "\"ether-83.83\""));
    let machine = scene.server.machine();
    if !machine.can_have("vlan") {
        return;
    }
    machine.ip("link add link ether-83 name ether-83.83 type vlan id 83");
    machine.ip("address flush dev ether-83");
    machine.address("ether-83.83", "67.9.97.1/24");
    machine.up("ether-83.83");
    let mut scene = scene;
    scene.server.start();
    let client = scene.client(1);
    let on = |tag| Envelope { tag, ..Envelope::broadcast(client.mac()) };
    let offer = client.ask_in(&on(Some(83)), &client.discover());
    assert_eq!((offer.kind(), offer.headers.vlan), (kind::OFFER, Some(83)));
    // Untagged, in another VLAN: other networks, without a server.
    let (plain, other) = (client.discover(), client.discover());
    scene.tap.send(&on(None), &plain);
    scene.tap.send(&on(Some(84)), &other);
    assert!(client.ask_in(&on(Some(83)), &client.discover()).is(kind::OFFER));
    assert!(scene.tap.heard(|reply| reply.answers(&plain) || reply.answers(&other)).is_empty());
}

#[test]
fn hdr_24_a_tagged_frame_is_not_for_the_parent_interface() {
    let scene = Scene::new();
    let client = scene.client(1);
    let on = |tag| Envelope { tag: Some(tag), ..Envelope::broadcast(client.mac()) };
    scene.assert_silent(&[(on(83), client.discover())]);
    // VLAN 0 is priority alone, not a network.
    assert!(client.ask_in(&on(0xe000), &client.discover()).is(kind::OFFER));
}

#[test]
fn hdr_25_each_interface_from_its_own_network() {
    let second = CONFIGURATION
        .replace("ether-83", "ether-84")
        .replace("dhcp-server-83", "dhcp-server-84")
        .replace("isp-pool", "second-pool")
        .replace("67.9.97.", "10.84.0.")
        .replace("FF:FE", "FF:FD");
    let lab = Lab::new();
    let (machine, clients) = (lab.machine("server"), lab.machine("clients"));
    lab.cable((&machine, "ether-83"), (&clients, "eth0"));
    lab.cable((&machine, "ether-84"), (&clients, "eth1"));
    machine.address("ether-83", "67.9.97.1/24");
    machine.address("ether-84", "10.84.0.1/24");
    let _server = Server::serve(&lab, &machine, &format!("{CONFIGURATION}{second}"));
    let taps = [Tap::new(&clients, "eth0"), Tap::new(&clients, "eth1")];
    let offers = [Ipv4Addr::new(67, 9, 97, 254), Ipv4Addr::new(10, 84, 0, 254)];
    let servers = [SERVER, Ipv4Addr::new(10, 84, 0, 1)];
    // One client whose same packet reaches both interfaces, as over a loop.
    let discover = Client::new(&taps[0], 1).discover();
    for tap in &taps {
        tap.send(&Envelope::broadcast(Mac::of(1)), &discover);
    }
    for ((tap, address), server) in taps.iter().zip(offers).zip(servers) {
        let offer = tap.expect("an offer", |reply| reply.answers(&discover));
        assert_eq!((offer.yiaddr(), offer.address(code::SERVER)), (address, Some(server)));
        assert_eq!(offer.headers.source, server);
    }
}
