//! EXT-22: nonces in ACKs, and the FORCERENEW that is signed with them.

use hmac::{Hmac, Mac as _};
use leasehold_dhcp::order::{Reconfigure, ReconfigureStatus, Refusal};
use leasehold_dhcp::record::Change;
use leasehold_dhcp::{Answer, Destination, Order, record::Location};
use md5::Md5;

use crate::world::*;

fn world() -> World {
    let mut config = config();
    config.servers.iter_mut().for_each(|server| server.use_reconfigure = true);
    World::with(config)
}

fn capable(number: u32) -> Packet {
    Packet::client(number).option(145, &[1])
}

/// Bound, and what the ACK said in option 90.
fn bound(world: &mut World, client: &Packet) -> (std::net::Ipv4Addr, Vec<u8>) {
    let offer = world.ask(&client.clone().discover());
    assert_eq!(offer.option(145), Some(vec![1]));
    assert!(!offer.has(90));
    let ack = world.ask(&client.clone().selecting(&offer));
    assert_eq!(ack.kind(), Some(5));
    (ack.yiaddr(), ack.option(90).expect("a nonce"))
}

/// As a client checks it: the digest's place holds zeros.
fn is_signed(message: &Reply, nonce: &[u8]) -> bool {
    let option = message.option(90).expect("it is authenticated");
    let at = message.bytes.windows(16).position(|part| *part == option[12..]).expect("there");
    let mut blank = message.bytes.clone();
    blank[at..at + 16].fill(0);
    let mut mac = Hmac::<Md5>::new_from_slice(nonce).expect("a key");
    mac.update(&blank);
    mac.finalize().into_bytes()[..] == option[12..]
}

/// Asks the client of a lease to renew: what is sent.
fn forced(world: &mut World, address: std::net::Ipv4Addr) -> Reply {
    let order = Order::Reconfigure(Location::main(address));
    let mut sent = world.input(leasehold_dhcp::Input::Order(leasehold_dhcp::OrderId(999), order));
    assert_eq!(sent.len(), 1, "{:?}", world.answers);
    world.answers.clear();
    sent.remove(0)
}

fn status(world: &mut World, address: std::net::Ipv4Addr) -> Option<Reconfigure> {
    let Answer::Lease(Some(lease)) = world.order(Order::Lease(Location::main(address))) else {
        panic!("no lease")
    };
    lease.reconfigure
}

fn refused(world: &mut World, address: std::net::Ipv4Addr) -> Refusal {
    let answer = world.order(Order::Reconfigure(Location::main(address)));
    let Answer::Refused(refusal) = answer else { panic!("{answer:?}") };
    refusal
}

#[test]
fn ext_22_the_ack_holds_a_nonce_that_is_on_disk() {
    let mut world = world();
    let (address, told) = bound(&mut world, &capable(1));
    assert_eq!((told.len(), &told[..3], told[11]), (28, &[3, 1, 0][..], 1));
    let stored = world.disk.iter().rev().find_map(|record| match &record.change {
        Change::Bound(binding) if record.location.address == address => Some(&binding.nonce),
        _ => None,
    });
    assert_eq!(stored.map(|nonce| &nonce[..]), Some(&told[12..]));
    let (_, other) = bound(&mut world, &capable(2));
    assert_ne!(other[12..], told[12..]);
    assert_ne!(other[3..11], told[3..11], "the replay counter moves on");
}

#[test]
fn ext_22_a_renewal_tells_no_nonce_again_and_a_new_start_a_new_one() {
    let mut world = world();
    let client = capable(1);
    let (address, first) = bound(&mut world, &client);
    assert!(!world.ask(&client.clone().renew(address)).has(90));
    assert!(!world.ask(&Packet::client(1).renew(address)).has(90), "it still has it");
    let again = world.ask(&client.clone().reboot(address)).option(90).expect("a nonce");
    assert_ne!(again[12..], first[12..]);
    let signed = forced(&mut world, address);
    assert_eq!(signed.kind(), Some(9));
}

#[test]
fn ext_22_who_renews_without_a_nonce_gets_one() {
    let mut world = World::new();
    let address = world.lease(&capable(1));
    world.reconfigure(|config| config.servers[0].use_reconfigure = true);
    assert_eq!(refused(&mut world, address), Refusal::NotReconfigurable);
    let ack = world.ask(&capable(1).renew(address));
    assert!(ack.has(90));
    forced(&mut world, address);
}

#[test]
fn ext_22_no_nonce_for_who_did_not_offer_it() {
    let mut world = world();
    let client = Packet::client(1).asking_for(&[1, 90, 145]);
    let offer = world.ask(&client.clone().discover());
    let ack = world.ask(&client.clone().selecting(&offer));
    assert!([&offer, &ack].iter().all(|reply| !reply.has(90) && !reply.has(145)));
    assert_eq!(refused(&mut world, ack.yiaddr()), Refusal::NotReconfigurable);
    let other = Packet::client(2).option(145, &[7]);
    let offer = world.ask(&other.clone().discover());
    assert!(!offer.has(145), "an algorithm that RFC 6704 does not know");
    // Who no longer says so after a restart is asked no more.
    let (address, _) = bound(&mut world, &capable(3));
    world.ask(&Packet::client(3).reboot(address));
    assert_eq!(refused(&mut world, address), Refusal::NotReconfigurable);
}

#[test]
fn ext_22_off_unless_the_server_uses_it() {
    let mut world = World::new();
    let offer = world.ask(&capable(1).discover());
    let ack = world.ask(&capable(1).selecting(&offer));
    assert!(!offer.has(145) && !ack.has(90));
    assert_eq!(refused(&mut world, ack.yiaddr()), Refusal::ReconfigureOff);
    assert_eq!(refused(&mut world, lan(150)), Refusal::NoSuchLease);
}

#[test]
fn ext_22_the_message_is_a_signed_unicast() {
    let mut world = world();
    let client = capable(1).client_id(b"one");
    let (address, told) = bound(&mut world, &client);
    let message = forced(&mut world, address);
    assert_eq!(message.link().expect("on the link").0, mac(1));
    assert_eq!((*message.target().ip(), message.target().port()), (address, 68));
    assert_eq!((message.bytes[0], message.ciaddr()), (2, address));
    assert_eq!((message.kind(), message.address(54)), (Some(9), Some(SERVER)));
    assert_eq!(message.option(61).as_deref(), Some(&b"one"[..]));
    let option = message.option(90).expect("it is authenticated");
    assert_eq!((&option[..3], option[11]), (&[3, 1, 0][..], 2));
    assert!(option[3..11] > told[3..11], "the replay counter grows");
    assert!(is_signed(&message, &told[12..]));
    message.decoded();
}

#[test]
fn ext_22_it_is_sent_again_until_the_client_renews() {
    let mut world = world();
    let client = capable(1);
    let (address, _) = bound(&mut world, &client);
    forced(&mut world, address);
    assert_eq!(world.pass(seconds(3)).len(), 0);
    assert_eq!(world.pass(seconds(2)).len(), 1, "after four seconds");
    assert_eq!(world.pass(seconds(6)).len(), 0);
    assert_eq!(world.pass(seconds(2)).len(), 1, "after eight more");
    world.ask(&client.clone().renew(address));
    assert_eq!(world.pass(seconds(60)).len(), 0);
    let status = status(&mut world, address).expect("it was asked");
    assert_eq!(status.status, ReconfigureStatus::Renewed);
    assert_eq!(status.ago.as_secs(), 61);
}

#[test]
fn ext_22_it_is_given_up_in_the_end() {
    let mut world = world();
    let (address, _) = bound(&mut world, &capable(1));
    forced(&mut world, address);
    assert_eq!(world.pass(seconds(59)).len(), 3);
    let asked = status(&mut world, address).map(|it| it.status);
    assert_eq!(asked, Some(ReconfigureStatus::Sent));
    assert_eq!(world.pass(seconds(2)).len(), 0);
    let asked = status(&mut world, address).map(|it| it.status);
    assert_eq!(asked, Some(ReconfigureStatus::NoAnswer));
    world.send(&Packet::client(1).release(SERVER, address));
    assert_eq!(refused(&mut world, address), Refusal::NoSuchLease);
    let (again, _) = bound(&mut world, &capable(1));
    assert_eq!((again, status(&mut world, again)), (address, None), "forgotten with its lease");
}

/// The ACK that told the nonce may have been lost, and no renewal tells it again.
#[test]
fn ext_22_who_was_asked_in_vain_gets_another_nonce() {
    let mut world = world();
    let (address, told) = bound(&mut world, &capable(1));
    forced(&mut world, address);
    world.pass(seconds(61));
    assert_eq!(status(&mut world, address).map(|it| it.status), Some(ReconfigureStatus::NoAnswer));
    // Who does not say that it can keeps what it may have.
    assert!(!world.ask(&Packet::client(1).renew(address)).has(90));
    forced(&mut world, address);
    world.pass(seconds(61));
    let again = world.ask(&capable(1).renew(address)).option(90).expect("another nonce");
    assert_ne!(again[12..], told[12..]);
    assert!(!world.ask(&capable(1).renew(address)).has(90), "it is told once");
    let message = forced(&mut world, address);
    assert!(is_signed(&message, &again[12..]));
}

#[test]
fn ext_22_a_nonce_outlives_a_kill() {
    let mut world = world();
    let (address, told) = bound(&mut world, &capable(1));
    let first = forced(&mut world, address).option(90).expect("authenticated");
    let mut world = world.restarted(seconds(5));
    let message = forced(&mut world, address);
    let option = message.option(90).expect("authenticated");
    assert!(option[3..11] > first[3..11], "also across a restart");
    assert!(is_signed(&message, &told[12..]));
}

#[test]
fn ext_22_a_client_behind_a_relay_is_asked_by_itself() {
    let mut world = world();
    let client = capable(1).relayed();
    let (address, _) = bound(&mut world, &client);
    let message = forced(&mut world, address);
    assert!(matches!(message.to, Destination::Routed { .. }));
    assert_eq!((*message.target().ip(), message.target().port()), (address, 68));
    assert_eq!(message.giaddr(), NOBODY);
}

#[test]
fn ext_22_rapid_commit_tells_it_too() {
    let mut config = config();
    config.servers[0].use_reconfigure = true;
    config.servers[0].rapid_commit = true;
    let mut world = World::with(config);
    let ack = world.ask(&capable(1).option(80, &[]).discover());
    assert_eq!((ack.kind(), ack.has(90)), (Some(5), true));
}
