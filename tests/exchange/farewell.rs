//! Cases DEC, REL and INF: a client refuses an address, gives it back, or only asks.

use std::net::Ipv4Addr;

use crate::lab::crowd::Crowd;
use crate::lab::scene::{CONFIGURATION, SERVER};
use crate::lab::{Client, Envelope, Message, Scene, code, kind};

const OTHER_SERVER: Ipv4Addr = Ipv4Addr::new(67, 9, 97, 2);

fn at(last: u8) -> Ipv4Addr {
    Ipv4Addr::new(67, 9, 97, last)
}

/// A pool of the two addresses .40 and .41.
fn two_addresses() -> String {
    CONFIGURATION.replace("67.9.97.10-67.9.97.254", "67.9.97.40-67.9.97.41")
}

/// The address is nobody else's, and its owner can renew. The stranger asks first: an owner
/// who was forgotten would be adopted.
fn assert_still_owner(scene: &Scene, client: &Client<'_>, address: Ipv4Addr) {
    let stranger = scene.client(0xabcd);
    assert!(stranger.ask(&stranger.init_reboot(address)).is(kind::NAK), "{address} was free");
    let ack = client.ask(&client.renewing(address));
    assert_eq!((ack.kind(), ack.yiaddr()), (kind::ACK, address));
}

#[test]
fn dec_01_11_a_declined_address_is_given_to_nobody() {
    let scene = Scene::with(&two_addresses());
    let client = scene.client(1);
    let address = client.lease().yiaddr();
    scene.assert_silent_to(&[client.decline(address, SERVER)]);
    scene.server.logged(&["declined", &address.to_string()]);
    let other = client.lease().yiaddr();
    assert_eq!((address, other), (at(41), at(40)));
    let wish = scene.client(2).discover().option_address(code::REQUESTED, address);
    scene.assert_silent_to(&[wish, scene.client(3).discover()]);
}

#[test]
fn dec_03_05_08_declines_that_do_not_count() {
    let scene = Scene::with(&two_addresses());
    let client = scene.client(1);
    let address = client.lease().yiaddr();
    let no_address = client.message(kind::DECLINE).option_address(code::SERVER, SERVER);
    let elsewhere = client.decline(address, OTHER_SERVER);
    let other_id = scene.client(1).client_id(b"\0other").decline(address, SERVER);
    scene.assert_silent_to(&[no_address, elsewhere, other_id]);
    assert_still_owner(&scene, &client, address);
}

#[test]
fn dec_06_07_a_stranger_declines() {
    let scene = Scene::with(&two_addresses());
    let client = scene.client(1);
    let held = client.lease().yiaddr();
    let stranger = scene.client(2);
    let (owned, free) = (stranger.decline(held, SERVER), stranger.decline(at(40), SERVER));
    scene.assert_silent_to(&[owned, free]);
    assert_still_owner(&scene, &client, held);
    assert_eq!(scene.client(3).lease().yiaddr(), at(40), "a free address was burnt");
}

#[test]
fn dec_10_one_client_declines_everything() {
    let scene = Scene::new();
    let troubled = scene.client(1);
    for _ in 0..60 {
        let discover = troubled.discover();
        troubled.broadcast(&discover);
        let Some(offer) =
            scene.tap.hear(std::time::Duration::from_millis(200), |reply| reply.answers(&discover))
        else {
            break;
        };
        let request = troubled.selecting(&offer);
        if troubled.ask(&request).is(kind::ACK) {
            troubled.broadcast(&troubled.decline(offer.yiaddr(), SERVER));
        }
    }
    // At most a tenth of the 245 addresses is in quarantine.
    let crowd = Crowd::new(&scene.tap, 100, 215);
    let served = crowd.lease().into_iter().flatten().count();
    assert_eq!(served, 215, "the pool was drained");
}

#[test]
fn rel_01_09_a_released_address_comes_back_to_its_owner() {
    let scene = Scene::new();
    let client = scene.client(1);
    let address = client.lease().yiaddr();
    scene.assert_silent_to(&[client.release(address, SERVER)]);
    scene.server.logged(&["deassigned", &address.to_string()]);
    assert_eq!(scene.client(2).lease().yiaddr(), at(253), "others are free: kept for the owner");
    assert_eq!(client.lease().yiaddr(), address);
}

#[test]
fn rel_01_disc_16_a_released_address_serves_the_waiting_client() {
    let scene = Scene::with(&two_addresses());
    let (first, second, third) = (scene.client(1), scene.client(2), scene.client(3));
    let address = first.lease().yiaddr();
    second.lease();
    scene.assert_silent_to(&[third.discover()]);
    first.broadcast(&first.release(address, SERVER));
    assert_eq!(third.lease().yiaddr(), address);
}

#[test]
fn rel_02_04_05_07_08_releases_that_do_not_count() {
    let scene = Scene::new();
    let client = scene.client(1);
    let address = client.lease().yiaddr();
    let releases = [
        client.release(address, OTHER_SERVER),
        scene.client(2).release(address, SERVER),
        scene.client(2).client_id(b"\0two").release(address, SERVER),
        scene.client(1).client_id(b"\0other").release(address, SERVER),
        client.release(at(100), SERVER),
        client.release(Ipv4Addr::new(10, 0, 0, 1), SERVER),
    ];
    scene.assert_silent_to(&releases);
    assert_still_owner(&scene, &client, address);
    // Twice is once.
    client.broadcast(&client.release(address, SERVER));
    client.broadcast(&client.release(address, SERVER));
    scene.assert_serving();
}

#[test]
fn rel_06_the_client_id_is_the_client() {
    let scene = Scene::with(&two_addresses());
    let client = scene.client(1).client_id(b"\0one");
    let address = client.lease().yiaddr();
    scene.client(2).lease();
    let moved = scene.client(3).client_id(b"\0one");
    moved.broadcast(&moved.release(address, SERVER));
    assert_eq!(scene.client(4).lease().yiaddr(), address);
}

#[test]
fn rel_11_a_static_lease_waits_for_its_owner() {
    let scene = Scene::new();
    // The witness releases and takes its static lease each time it is asked.
    scene.assert_serving();
    scene.assert_serving();
    let thief = scene.client(1);
    let discover = thief.discover().option_address(code::REQUESTED, at(9));
    assert_ne!(thief.ask(&discover).yiaddr(), at(9));
}

fn assert_answer_to_inform(scene: &Scene, client: &Client<'_>, envelope: &Envelope, ask: &Message) {
    let ack = client.ask_in(envelope, ask);
    assert!(ack.is(kind::ACK), "{ack:?}");
    assert_eq!(ack.yiaddr(), Ipv4Addr::UNSPECIFIED);
    let times = [code::LEASE_TIME, code::T1, code::T2];
    assert!(ack.codes().iter().all(|code| !times.contains(code)), "{ack:?}");
    assert_eq!(ack.addresses(code::DNS), [Ipv4Addr::new(8, 8, 8, 8)]);
    assert_eq!(ack.address(code::ROUTER), Some(SERVER));
    assert_eq!((ack.headers.target, ack.headers.target_port), (at(5), 68));
    assert_eq!(ack.headers.source_mac, scene.server_mac);
}

#[test]
fn inf_01_02_a_client_with_an_address_of_its_own() {
    let scene = Scene::new();
    let client = scene.client(1);
    let envelope = Envelope::unicast(client.mac(), at(5), scene.server_mac, SERVER);
    assert_answer_to_inform(&scene, &client, &envelope, &client.inform(at(5)));
    let broadcast = Envelope { source: at(5), ..Envelope::broadcast(client.mac()) };
    assert_answer_to_inform(&scene, &client, &broadcast, &client.inform(at(5)));
    let nothing = client.message(kind::INFORM);
    assert_answer_to_inform(&scene, &client, &broadcast, &nothing);
}

#[test]
fn inf_03_an_address_of_an_unknown_network() {
    let scene = Scene::new();
    scene.assert_silent_to(&[scene.client(1).inform(Ipv4Addr::new(192, 168, 1, 5))]);
}

#[test]
fn inf_05_06_asking_changes_nothing() {
    let one = CONFIGURATION.replace("67.9.97.10-67.9.97.254", "67.9.97.40-67.9.97.40");
    let scene = Scene::with(&one);
    let asking = scene.client(1);
    assert!(asking.ask(&asking.inform(at(40))).is(kind::ACK));
    assert_eq!(scene.client(2).lease().yiaddr(), at(40), "INFORM took the address");
    assert!(asking.ask(&asking.inform(at(5))).is(kind::ACK), "the pool is empty");
}
