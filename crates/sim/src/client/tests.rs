//! The client against figure 5: which message in which state, and how long an address is its own.

use super::*;
use crate::message::{self, Kind};

const SERVER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 50);

fn client(habits: Habits) -> Client {
    let identity = Identity { mac: [2, 0, 0, 0, 0, 1], client_id: Vec::new() };
    Client::new(ClientId(0), identity, habits, LinkId(0), Random::new(5))
}

/// What a client sends when it is woken at the time that it has asked for.
fn next(client: &mut Client) -> (Moment, Vec<Outgoing>) {
    let at = client.wakes.expect("the client waits for something");
    let mut out = Vec::new();
    client.wake(at, false, &mut out);
    (at, out)
}

fn message(outgoing: &Outgoing) -> &Message {
    match &outgoing.payload {
        Payload::Message(message) => message,
        Payload::Rubbish(_) => panic!("a polite client sends messages"),
    }
}

fn answer(request: &Message, kind: Kind, seconds: u32) -> Message {
    let mut reply = Message::request(kind, request.xid, request.mac())
        .with_address(message::SERVER_ID, SERVER)
        .with(message::LEASE_TIME, &seconds.to_be_bytes());
    reply.op = 2;
    reply.yiaddr = ADDRESS;
    reply
}

/// Brings a client to BOUND; the REQUEST is sent at the moment that comes back.
fn bind(client: &mut Client, seconds: u32) -> Moment {
    let mut out = Vec::new();
    client.power_on(Moment(0), &mut out);
    let (at, discover) = next(client);
    let mut request = Vec::new();
    client.receive(at, &answer(message(&discover[0]), Kind::Offer, seconds), &mut request);
    assert_eq!(message(&request[0]).address(message::REQUESTED_ADDRESS), Some(ADDRESS));
    assert_eq!(message(&request[0]).address(message::SERVER_ID), Some(SERVER));
    let ack = answer(message(&request[0]), Kind::Ack, seconds);
    client.receive(Moment(at.0 + 700), &ack, &mut Vec::new());
    at
}

#[test]
fn a_lease_counts_from_the_request_not_from_the_ack() {
    let mut client = client(Habits::default());
    let asked = bind(&mut client, 100);
    assert_eq!(client.state, State::Bound);
    assert_eq!(client.lease(Moment(asked.0 + 99_999)).map(|lease| lease.address), Some(ADDRESS));
    assert_eq!(client.lease(Moment(asked.0 + 100_000)), None);
}

#[test]
fn renewing_rebinding_and_the_end() {
    let mut client = client(Habits::default());
    let asked = bind(&mut client, 100);
    let (at, renewal) = next(&mut client);
    assert_eq!((client.state, at.0 - asked.0), (State::Renewing, 50_000));
    assert_eq!(renewal[0].toward, Toward::Server(SERVER));
    let request = message(&renewal[0]);
    assert_eq!((request.ciaddr, request.address(message::REQUESTED_ADDRESS)), (ADDRESS, None));
    assert_eq!(request.address(message::SERVER_ID), None);
    let mut rebound = 0;
    while client.state != State::Selecting {
        let (at, sent) = next(&mut client);
        if client.state == State::Rebinding {
            assert_eq!(sent[0].toward, Toward::Everybody);
            assert!((87_500..100_000).contains(&(at.0 - asked.0)), "{at}");
            rebound += 1;
        }
    }
    assert!(rebound > 0);
    assert_eq!((client.in_use(), client.lease(Moment(asked.0 + 100_000))), (None, None));
}

#[test]
fn an_ack_for_another_exchange_or_address_is_nothing() {
    let mut client = client(Habits::default());
    bind(&mut client, 100);
    let (at, renewal) = next(&mut client);
    let good = answer(message(&renewal[0]), Kind::Ack, 900);
    let until = client.lease(at).map(|lease| lease.until);
    let mut other = good.clone();
    other.xid ^= 1;
    client.receive(at, &other, &mut Vec::new());
    let mut elsewhere = good.clone();
    elsewhere.yiaddr = Ipv4Addr::new(10, 0, 0, 51);
    client.receive(at, &elsewhere, &mut Vec::new());
    assert_eq!(client.lease(at).map(|lease| lease.until), until);
    client.receive(at, &good, &mut Vec::new());
    assert_eq!(client.lease(at).map(|lease| lease.until), Some(Moment(at.0 + 900_000)));
}

#[test]
fn a_remembered_lease_is_asked_for_and_a_nak_ends_it() {
    let mut client = client(Habits { remembers: true, ..Habits::default() });
    let asked = bind(&mut client, 600);
    client.power_off();
    assert_eq!(client.in_use(), None);
    let later = Moment(asked.0 + 10_000);
    assert!(client.lease(later).is_some(), "it may come back to the address");
    let mut out = Vec::new();
    client.power_on(later, &mut out);
    let request = message(&out[0]).clone();
    assert_eq!(client.state, State::Rebooting);
    assert_eq!(request.address(message::REQUESTED_ADDRESS), Some(ADDRESS));
    assert_eq!(request.address(message::SERVER_ID), None);
    client.receive(later, &answer(&request, Kind::Nak, 0), &mut Vec::new());
    assert_eq!((client.state, client.lease(later)), (State::Init, None));
}

#[test]
fn an_address_in_use_is_declined() {
    let mut client = client(Habits { checks: true, ..Habits::default() });
    bind(&mut client, 600);
    assert_eq!((client.state, client.in_use()), (State::Checking, None));
    let at = client.wakes.expect("it waits for ARP");
    let mut out = Vec::new();
    client.wake(at, true, &mut out);
    assert_eq!(message(&out[0]).kind(), Some(Kind::Decline));
    assert_eq!((client.state, client.lease(at)), (State::Init, None));
    assert!(client.wakes >= Some(Moment(at.0 + 10_000)), "RFC 2131 § 3.1: ten seconds");
}

#[test]
fn a_released_address_is_nobodys_at_once() {
    let mut client = client(Habits::default());
    let asked = bind(&mut client, 600);
    let mut out = Vec::new();
    client.release(Moment(asked.0 + 1_000), &mut out);
    assert_eq!(message(&out[0]).ciaddr, ADDRESS);
    assert_eq!((client.state, client.lease(Moment(asked.0 + 1_000))), (State::Off, None));
}
