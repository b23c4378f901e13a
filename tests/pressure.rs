//! Pools that run dry, and more clients than the kernel has neighbours.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod lab;

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use lab::crowd::{Crowd, Manners};
use lab::scene::{CONFIGURATION, SERVER, wide};
use lab::{Scene, code, kind};

/// The pool's addresses in the order in which they are given out.
fn pool() -> Vec<Ipv4Addr> {
    (10..=254).rev().map(|last| Ipv4Addr::new(67, 9, 97, last)).collect()
}

/// Gives all 245 addresses away, one client after the other, from the highest down.
fn fill(scene: &Scene) {
    let mut crowd = Crowd::new(&scene.tap, 1, 245);
    crowd.manners.window = 1;
    let acks = crowd.lease();
    let given: Vec<Ipv4Addr> = acks.iter().flatten().map(|ack| ack.yiaddr()).collect();
    assert_eq!(given, pool());
}

#[test]
fn disc_15_a_full_pool_is_silent_and_says_why() {
    let scene = Scene::new();
    fill(&scene);
    // The 246th client, however it asks.
    let late = scene.client(246);
    let wish = late.discover().option_address(code::REQUESTED, Ipv4Addr::new(67, 9, 97, 100));
    scene.assert_silent_to(&[late.discover(), late.discover(), wish]);
    scene.server.logged(&["isp-pool", "empty"]);
    // And whoever looks sees it.
    let usage = scene.server.ask("/ip pool print detail");
    for cell in ["total=245", "used=245", "available=0"] {
        assert!(usage.contains(cell), "no {cell} in:\n{usage}");
    }
    // The 245 are served as before.
    let crowd = Crowd::new(&scene.tap, 1, 245);
    let renewed = crowd.renew(&pool(), scene.server_mac, SERVER);
    assert_eq!(renewed.iter().flatten().filter(|ack| ack.is(kind::ACK)).count(), 245);
    // One goes, and the one who waits is served.
    let address = Ipv4Addr::new(67, 9, 97, 100);
    let leaving = scene.client(155);
    leaving.broadcast(&leaving.release(address, SERVER));
    assert_eq!(late.lease().yiaddr(), address);
    scene.assert_silent_to(&[scene.client(247).discover()]);
}

#[test]
fn pool_02_03_the_next_pool_with_its_own_networks_options() {
    let next = CONFIGURATION.replace("67.9.97.254\"", "67.9.97.254\"\nnext-pool = \"overflow\"")
        + "[[pool]]
           name = \"overflow\"
           ranges = \"10.84.0.10-10.84.0.11\"
           next-pool = \"isp-pool\"

           [[dhcp-server-network]]
           address = \"10.84.0.0/16\"
           gateway = \"10.84.0.1\"
           dns-server = \"10.84.0.53\"
           ";
    let mut scene = Scene::prepared(&next);
    scene.server.machine().address("ether-83", "10.84.0.1/16");
    scene.server.start();
    fill(&scene);
    for (number, last) in [(246, 11), (247, 10)] {
        let ack = scene.client(number).lease();
        assert_eq!(ack.yiaddr(), Ipv4Addr::new(10, 84, 0, last));
        assert_eq!(ack.address(code::MASK), Some(Ipv4Addr::new(255, 255, 0, 0)));
        assert_eq!(ack.address(code::ROUTER), Some(Ipv4Addr::new(10, 84, 0, 1)));
        assert_eq!(ack.addresses(code::DNS), [Ipv4Addr::new(10, 84, 0, 53)]);
    }
    // The chain is a loop, and it ends.
    scene.assert_silent_to(&[scene.client(248).discover()]);
    let renewed = scene.client(246);
    let ack = renewed.ask(&renewed.renewing(Ipv4Addr::new(10, 84, 0, 11)));
    assert_eq!(ack.address(code::ROUTER), Some(Ipv4Addr::new(10, 84, 0, 1)));
}

#[test]
fn pool_01_the_lowest_address_first_wastes_none() {
    let scene = Scene::new();
    let odd = scene.client(999);
    let lowest = Ipv4Addr::new(67, 9, 97, 10);
    let offer = odd.ask(&odd.discover().option_address(code::REQUESTED, lowest));
    assert_eq!(odd.ask(&odd.selecting(&offer)).yiaddr(), lowest);
    let mut crowd = Crowd::new(&scene.tap, 1, 244);
    crowd.manners.window = 8;
    let acks = crowd.lease();
    let given: BTreeSet<Ipv4Addr> = acks.iter().flatten().map(|ack| ack.yiaddr()).collect();
    assert_eq!(given.len(), 244, "the rest of the pool was not given out");
    scene.assert_silent_to(&[scene.client(1000).discover()]);
}

#[test]
fn five_thousand_clients_on_one_link_renew() {
    let mut scene = Scene::prepared(&wide(16, "10.84.0.10-10.84.31.254"));
    let server = Ipv4Addr::new(10, 84, 0, 1);
    scene.server.machine().address("ether-83", "10.84.0.1/16");
    scene.server.start();
    // Nobody here answers ARP: whoever asks the kernel to resolve a client gets nowhere, and
    // its table of 1,024 neighbours is left as it is.
    let mut crowd = Crowd::new(&scene.tap, 1, 5000);
    crowd.manners = Manners { window: 256, ..Manners::default() };
    let acks = crowd.lease();
    let held: Vec<Ipv4Addr> = acks.iter().flatten().map(|ack| ack.yiaddr()).collect();
    assert_eq!(held.iter().collect::<BTreeSet<_>>().len(), 5000);
    for _ in 0..2 {
        let renewed = crowd.renew(&held, scene.server_mac, server);
        for (answer, address) in renewed.iter().zip(&held) {
            let answer = answer.as_ref().expect("an answer to each renewal");
            assert_eq!((answer.kind(), answer.yiaddr()), (kind::ACK, *address));
            assert_eq!(answer.headers.target, *address);
        }
    }
}

/// The interface has no address in the network of the next pool, but the client is on its link.
#[test]
fn rebinding_from_a_network_that_the_interface_is_not_in() {
    let narrow = CONFIGURATION.replace("67.9.97.10-67.9.97.254", "10.84.0.10-10.84.0.11");
    let scene = Scene::with(&narrow);
    let client = scene.client(1);
    let address = client.lease().yiaddr();
    let ack = client.ask(&client.renewing(address));
    assert_eq!((ack.kind(), ack.yiaddr()), (kind::ACK, address));
    assert_eq!((ack.headers.target_mac, ack.headers.target), (client.mac(), address));
}
