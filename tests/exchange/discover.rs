//! Cases DISC and TIM: what is offered, to whom, for how long.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::time::Duration;

use crate::lab::crowd::Crowd;
use crate::lab::scene::{CONFIGURATION, SERVER};
use crate::lab::{Mac, Scene, code, kind};

/// The `last`th address of the scenario's network.
fn at(last: u8) -> Ipv4Addr {
    Ipv4Addr::new(67, 9, 97, last)
}

#[test]
fn disc_01_offer_and_the_headers_that_it_comes_in() {
    let scene = Scene::new();
    let client = scene.client(1);
    let offer = client.ask(&client.discover());
    assert!(offer.is(kind::OFFER));
    assert_eq!((offer.yiaddr(), offer.ciaddr()), (at(254), Ipv4Addr::UNSPECIFIED));
    assert_eq!(offer.number(code::LEASE_TIME), Some(86400));
    assert_eq!(offer.address(code::SERVER), Some(SERVER));
    assert_eq!(offer.address(code::MASK), Some(Ipv4Addr::new(255, 255, 255, 0)));
    assert_eq!(offer.address(code::ROUTER), Some(SERVER));
    assert_eq!(offer.addresses(code::DNS), [Ipv4Addr::new(8, 8, 8, 8)]);
    // RFC 2131, section 4.1: without broadcast flag, straight to the client.
    assert_eq!((offer.headers.target_mac, offer.headers.target), (client.mac(), at(254)));
    assert_eq!((offer.headers.source_mac, offer.headers.source), (scene.server_mac, SERVER));
    assert_eq!((offer.headers.source_port, offer.headers.target_port), (67, 68));
    assert_eq!(offer.headers.checksum_good, Some(true));
}

#[test]
fn disc_01_with_the_broadcast_flag_to_everybody() {
    let scene = Scene::new();
    let client = scene.client(1).wants_broadcast();
    let offer = client.ask(&client.discover());
    let ack = client.ask(&client.selecting(&offer));
    for reply in [offer, ack] {
        assert_eq!(reply.headers.target_mac, Mac::BROADCAST);
        assert_eq!(reply.headers.target, Ipv4Addr::BROADCAST);
        assert_eq!(reply.yiaddr(), at(254));
    }
}

#[test]
fn disc_03_to_06_the_address_that_the_client_wishes() {
    let scene = Scene::new();
    let wish = |number, address| {
        let client = scene.client(number);
        let discover = client.discover().option_address(code::REQUESTED, address);
        client.ask(&discover).yiaddr()
    };
    assert_eq!(wish(3, at(77)), at(77), "free, in the pool");
    let pool = at(10)..=at(254);
    assert!(pool.contains(&wish(4, at(5))), "in the network, outside the pool");
    assert!(pool.contains(&wish(5, Ipv4Addr::new(10, 0, 0, 77))), "another network");
    let never = [SERVER, at(0), at(255), Ipv4Addr::UNSPECIFIED, Ipv4Addr::BROADCAST];
    for (number, address) in (6..).zip(never) {
        let offered = wish(number, address);
        assert!(pool.contains(&offered) && offered != address, "{address}: {offered}");
    }
    assert_ne!(wish(20, at(9)), at(9), "reserved for the witness");
}

#[test]
fn disc_07_a_wished_address_that_another_holds() {
    let scene = Scene::new();
    let held = scene.client(1).lease().yiaddr();
    let second = scene.client(2);
    let discover = second.discover().option_address(code::REQUESTED, held);
    assert_eq!(second.ask(&discover).yiaddr(), at(253));
}

#[test]
fn disc_09_10_the_same_client_again() {
    let scene = Scene::new();
    let client = scene.client(1);
    let discover = client.discover();
    let first = client.ask(&discover).yiaddr();
    assert_eq!(client.ask(&discover).yiaddr(), first, "repeated");
    assert_eq!(client.ask(&client.discover()).yiaddr(), first, "begun again");
    assert_eq!(client.lease().yiaddr(), first, "bound");
    assert_eq!(client.ask(&client.discover()).yiaddr(), first, "begun again while bound");
    assert_eq!(scene.client(2).lease().yiaddr(), at(253), "it held one address only");
}

#[test]
fn disc_11_tim_08_the_address_of_an_expired_lease() {
    let scene = Scene::with(&CONFIGURATION.replace("\"1d\"", "\"4s\""));
    let ack = scene.client(1).lease();
    assert_eq!(ack.number(code::LEASE_TIME), Some(4));
    scene.server.logged(&["deassigned", &ack.yiaddr().to_string()]);
    assert_eq!(
        scene.client(2).lease().yiaddr(),
        at(253),
        "kept for the owner while others are free"
    );
    assert_eq!(scene.client(1).lease().yiaddr(), ack.yiaddr());
}

#[test]
fn disc_13_14_two_clients_never_one_offer() {
    let scene = Scene::new();
    let (first, second) = (scene.client(1), scene.client(2));
    let (one, two) = (first.discover(), second.discover().option_address(code::REQUESTED, at(254)));
    first.broadcast(&one);
    second.broadcast(&two);
    assert_eq!(first.answer(&one).yiaddr(), at(254));
    assert_eq!(second.answer(&two).yiaddr(), at(253));
}

#[test]
fn disc_20_21_fields_that_do_not_belong_there() {
    let scene = Scene::new();
    let client = scene.client(1);
    let discover = client.discover().with(|discover| discover.ciaddr = at(33));
    let offer = client.ask(&discover);
    assert_eq!((offer.kind(), offer.ciaddr()), (kind::OFFER, Ipv4Addr::UNSPECIFIED));
    let discover = client.discover().option_address(code::SERVER, SERVER);
    assert!(client.ask(&discover).is(kind::OFFER));
}

#[test]
fn disc_22_thirty_two_clients_at_once() {
    let scene = Scene::new();
    let crowd = Crowd::new(&scene.tap, 1, 32);
    let acks = crowd.lease();
    let addresses: BTreeSet<_> = acks.into_iter().map(|ack| ack.unwrap().yiaddr()).collect();
    assert_eq!(addresses.len(), 32);
}

#[test]
fn tim_01_06_07_lease_time_and_its_fractions() {
    let scene = Scene::with(&CONFIGURATION.replace("\"1d\"", "\"1h\""));
    let ack = scene.client(1).lease();
    assert_eq!(ack.number(code::LEASE_TIME), Some(3600));
    assert_eq!(ack.number(code::T1), Some(1800));
    assert_eq!(ack.number(code::T2), Some(3150));
}

#[test]
fn tim_02_to_05_lease_times_that_clients_ask_for() {
    let scene = Scene::with(&CONFIGURATION.replace("\"1d\"", "\"1h\""));
    let client = scene.client(1);
    let ask = |value: &[u8]| {
        let offer = client.ask(&client.discover().option(code::LEASE_TIME, value));
        assert!(offer.is(kind::OFFER), "{offer:?}");
        offer.number(code::LEASE_TIME).unwrap()
    };
    assert!(ask(&600_u32.to_be_bytes()) <= 3600);
    assert!(ask(&7200_u32.to_be_bytes()) <= 3600);
    assert!(ask(&u32::MAX.to_be_bytes()) <= 3600);
    assert!((1..=3600).contains(&ask(&1_u32.to_be_bytes())));
    assert!((1..=3600).contains(&ask(&[0; 4])));
    assert_eq!(ask(&[0, 0, 1]), 3600, "three octets are no time");
    assert_eq!(ask(&[0; 8]), 3600, "eight octets are no time");
}

#[test]
fn tim_08_a_pool_of_one_address_serves_the_next_client() {
    let one = CONFIGURATION.replace("67.9.97.10-67.9.97.254", "67.9.97.40-67.9.97.40");
    let scene = Scene::with(&one.replace("\"1d\"", "\"3s\""));
    assert_eq!(scene.client(1).lease().yiaddr(), at(40));
    let waiting = scene.client(2);
    let discover = waiting.discover();
    waiting.broadcast(&discover);
    // Repeats itself until the first client's lease is over.
    assert_eq!(waiting.ask(&discover).yiaddr(), at(40));
    let silence = scene.tap.hear(Duration::ZERO, |reply| reply.yiaddr() != at(40));
    assert!(silence.is_none(), "{silence:?}");
}
