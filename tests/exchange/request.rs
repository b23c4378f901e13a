//! Cases SEL, IR and REN: DHCPREQUEST in the four states that it can come from.

use std::net::Ipv4Addr;

use crate::lab::scene::{CONFIGURATION, SERVER};
use crate::lab::{Envelope, Mac, Reply, Scene, code, kind};

const OTHER_SERVER: Ipv4Addr = Ipv4Addr::new(67, 9, 97, 2);

fn at(last: u8) -> Ipv4Addr {
    Ipv4Addr::new(67, 9, 97, last)
}

/// Cases SEL-15 and SEL-16: what a NAK holds, and where it goes.
fn assert_nak(nak: &Reply) {
    assert!(nak.is(kind::NAK), "{nak:?}");
    let zero = Ipv4Addr::UNSPECIFIED;
    assert_eq!((nak.ciaddr(), nak.yiaddr(), nak.siaddr()), (zero, zero, zero), "{nak:?}");
    let allowed = [code::KIND, code::SERVER, code::TEXT, code::CLIENT_ID];
    assert!(nak.codes().iter().all(|code| allowed.contains(code)), "{nak:?}");
    assert!(nak.option(code::TEXT).is_some_and(|text| !text.is_empty()), "{nak:?}");
    assert_eq!((nak.headers.target_mac, nak.headers.target), (Mac::BROADCAST, Ipv4Addr::BROADCAST));
    assert_eq!(nak.headers.target_port, 68);
}

#[test]
fn sel_01_opt_24_ack_says_what_the_offer_said() {
    let scene = Scene::new();
    let client = scene.client(1);
    let offer = client.ask(&client.discover());
    let ack = client.ask(&client.selecting(&offer));
    assert!(ack.is(kind::ACK));
    assert_eq!(ack.yiaddr(), offer.yiaddr());
    assert_eq!(ack.options[1..], offer.options[1..]);
    scene.server.logged(&["dhcp-server-83", "assigned", "67.9.97.254", "02:1E:00:00:00:01"]);
}

#[test]
fn sel_02_03_the_client_takes_another_servers_offer() {
    let scene = Scene::new();
    let client = scene.client(1);
    let offer = client.ask(&client.discover());
    let elsewhere = client
        .message(kind::REQUEST)
        .option_address(code::SERVER, OTHER_SERVER)
        .option_address(code::REQUESTED, offer.yiaddr());
    scene.assert_silent_to(&[elsewhere]);
    let second = scene.client(2);
    let discover = second.discover().option_address(code::REQUESTED, offer.yiaddr());
    assert_eq!(second.ask(&discover).yiaddr(), offer.yiaddr());
}

#[test]
fn sel_04_05_12_13_addresses_that_were_not_offered() {
    let scene = Scene::new();
    let other = scene.client(9).lease().yiaddr();
    for (number, address) in (1..).zip([at(77), other, at(9), Ipv4Addr::new(10, 0, 0, 5)]) {
        let client = scene.client(number);
        let offer = client.ask(&client.discover());
        let request = client
            .message(kind::REQUEST)
            .option_address(code::SERVER, SERVER)
            .option_address(code::REQUESTED, address);
        assert_ne!(offer.yiaddr(), address);
        assert_nak(&client.ask(&request));
    }
}

#[test]
fn sel_06_no_address_at_all() {
    let scene = Scene::new();
    let client = scene.client(1);
    client.ask(&client.discover());
    let request = client.message(kind::REQUEST).option_address(code::SERVER, SERVER);
    client.broadcast(&request);
    scene.assert_serving();
    assert!(scene.tap.heard(|reply| reply.answers(&request) && !reply.is(kind::NAK)).is_empty());
}

#[test]
fn sel_07_a_request_without_a_discover() {
    let scene = Scene::new();
    let client = scene.client(1);
    let request = client
        .message(kind::REQUEST)
        .option_address(code::SERVER, SERVER)
        .option_address(code::REQUESTED, at(77));
    let ack = client.ask(&request);
    assert_eq!((ack.kind(), ack.yiaddr()), (kind::ACK, at(77)));
}

#[test]
fn sel_09_a_server_identifier_of_two_octets() {
    let scene = Scene::new();
    let client = scene.client(1);
    let offer = client.ask(&client.discover());
    let request = client
        .message(kind::REQUEST)
        .option(code::SERVER, &[67, 9])
        .option_address(code::REQUESTED, offer.yiaddr());
    scene.assert_silent_to(&[request]);
}

#[test]
fn sel_10_a_repeated_request() {
    let scene = Scene::new();
    let client = scene.client(1);
    let offer = client.ask(&client.discover());
    let request = client.selecting(&offer);
    let first = client.ask(&request);
    let second = client.ask(&request);
    assert_eq!((second.kind(), second.yiaddr()), (kind::ACK, first.yiaddr()));
    let (first, second) = (first.number(code::LEASE_TIME), second.number(code::LEASE_TIME));
    assert!(second >= first.map(|time| time - 5), "shortened from {first:?} to {second:?}");
}

#[test]
fn sel_11_another_client_id_than_in_the_discover() {
    let scene = Scene::new();
    let (one, two) = (scene.client(1).client_id(b"\0one"), scene.client(1).client_id(b"\0two"));
    let offer = one.ask(&one.discover());
    let answer = two.ask(&two.selecting(&offer));
    assert!(answer.is(kind::NAK), "bound to the first identity: {answer:?}");
}

#[test]
fn ir_01_reboot_with_the_right_address() {
    let scene = Scene::new();
    let client = scene.client(1);
    let address = client.lease().yiaddr();
    let ack = client.ask(&client.init_reboot(address));
    assert_eq!((ack.kind(), ack.yiaddr()), (kind::ACK, address));
    assert_eq!((ack.headers.target_mac, ack.headers.target), (client.mac(), address));
}

#[test]
fn ir_02_03_reboot_with_a_wrong_address() {
    let scene = Scene::new();
    let client = scene.client(1);
    client.lease();
    assert_nak(&client.ask(&client.init_reboot(at(33))));
    assert_nak(&client.ask(&client.init_reboot(Ipv4Addr::new(192, 168, 1, 5))));
    let unknown = scene.client(2);
    assert_nak(&unknown.ask(&unknown.init_reboot(Ipv4Addr::new(192, 168, 1, 5))));
}

#[test]
fn ir_04_an_unknown_client_is_adopted_where_we_are_the_only_server() {
    let scene = Scene::new();
    let client = scene.client(1);
    let ack = client.ask(&client.init_reboot(at(77)));
    assert_eq!((ack.kind(), ack.yiaddr()), (kind::ACK, at(77)));
}

#[test]
fn ir_04_05_09_and_left_alone_where_we_are_not() {
    let modest = "lease-time = \"1d\"\nauthoritative = \"no\"";
    let scene = Scene::with(&CONFIGURATION.replace("lease-time = \"1d\"", modest));
    let client = scene.client(1);
    let reboots = [at(77), at(5), Ipv4Addr::new(192, 168, 1, 5)].map(|a| client.init_reboot(a));
    scene.assert_silent_to(&reboots);
}

#[test]
fn ir_06_no_address() {
    let scene = Scene::new();
    let client = scene.client(1);
    let request = client.message(kind::REQUEST);
    client.broadcast(&request);
    scene.assert_serving();
    assert!(scene.tap.heard(|reply| reply.answers(&request) && !reply.is(kind::NAK)).is_empty());
}

#[test]
fn ren_01_renewal_by_unicast() {
    let scene = Scene::new();
    let client = scene.client(1);
    let address = client.lease().yiaddr();
    let ack = client.ask_server(&client.renewing(address), scene.server_mac, SERVER);
    assert!(ack.is(kind::ACK));
    assert_eq!((ack.yiaddr(), ack.ciaddr()), (address, address));
    assert_eq!(ack.number(code::LEASE_TIME), Some(86400));
    // To the client's station without asking for it by ARP, although it can answer.
    assert_eq!((ack.headers.target_mac, ack.headers.target), (client.mac(), address));
    assert_eq!((ack.headers.source, ack.headers.target_port), (SERVER, 68));
    assert_eq!(scene.tap.heard(|reply| reply.xid() == ack.xid()).len(), 1, "answered twice");
}

#[test]
fn ren_02_rebinding_by_broadcast() {
    let scene = Scene::new();
    let client = scene.client(1);
    let address = client.lease().yiaddr();
    let envelope = Envelope { source: address, ..Envelope::broadcast(client.mac()) };
    let ack = client.ask_in(&envelope, &client.renewing(address));
    assert_eq!((ack.kind(), ack.yiaddr()), (kind::ACK, address));
    assert_eq!(ack.headers.target, address);
    assert_eq!(scene.tap.heard(|reply| reply.xid() == ack.xid()).len(), 1, "answered twice");
}

#[test]
fn ren_03_renewal_before_its_time() {
    let scene = Scene::new();
    let client = scene.client(1);
    let address = client.lease().yiaddr();
    for _ in 0..3 {
        let ack = client.ask_server(&client.renewing(address), scene.server_mac, SERVER);
        assert!(ack.number(code::LEASE_TIME) >= Some(86400 - 60), "{ack:?}");
    }
}

#[test]
fn ren_04_the_address_of_another() {
    let scene = Scene::new();
    let held = scene.client(1).lease().yiaddr();
    let thief = scene.client(2);
    assert_nak(&thief.ask(&thief.renewing(held)));
    let owner = scene.client(1);
    assert!(owner.ask(&owner.renewing(held)).is(kind::ACK));
}

#[test]
fn ren_05_an_unknown_client_is_adopted() {
    let scene = Scene::new();
    let client = scene.client(1);
    let ack = client.ask_server(&client.renewing(at(88)), scene.server_mac, SERVER);
    assert_eq!((ack.kind(), ack.yiaddr()), (kind::ACK, at(88)));
    let second = scene.client(2);
    assert_nak(&second.ask(&second.init_reboot(at(88))));
}

#[test]
fn ren_09_12_states_told_apart_by_their_fields() {
    let scene = Scene::new();
    let client = scene.client(1);
    let address = client.lease().yiaddr();
    // Renewal with a server identifier: handled as in SELECTING, never another address.
    let named = client.renewing(address).option_address(code::SERVER, SERVER);
    let ack = client.ask(&named);
    assert_eq!((ack.kind(), ack.yiaddr()), (kind::ACK, address));
    // Renewal of a broken client, ciaddr zero: as in INIT-REBOOT.
    let ack = client.ask(&client.init_reboot(address));
    assert_eq!((ack.kind(), ack.yiaddr()), (kind::ACK, address));
}

#[test]
fn ren_14_renewal_carries_the_new_options() {
    let mut scene = Scene::new();
    let address = scene.client(1).lease().yiaddr();
    scene.server.reload(&CONFIGURATION.replace("8.8.8.8", "9.9.9.9"));
    let client = scene.client(1);
    let ack = client.ask_server(&client.renewing(address), scene.server_mac, SERVER);
    assert_eq!(ack.addresses(code::DNS), [Ipv4Addr::new(9, 9, 9, 9)]);
}
