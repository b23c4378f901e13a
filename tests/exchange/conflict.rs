//! Conflict detection: an address that somebody has set by hand, and a station that answers for
//! all.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::thread;
use std::time::Duration;

use crate::lab::namespace::Switch;
use crate::lab::relay::Relay;
use crate::lab::scene::{CONFIGURATION, SERVER};
use crate::lab::tap::Arp;
use crate::lab::{Client, Curtain, Lab, Namespace, Server, Tap, code, kind, relay};

fn at(last: u8) -> Ipv4Addr {
    Ipv4Addr::new(67, 9, 97, last)
}

/// The scenario with conflict detection, and a switch that others can be plugged into.
struct Link {
    server: Server,
    tap: Tap,
    /// Hears every ARP message, and nothing is taken from the other tap.
    ear: Tap,
    switch: Switch,
    lab: Lab,
}

impl Link {
    fn new() -> Self {
        let lab = Lab::new();
        let switch = lab.switch();
        let (machine, clients) = (lab.machine("server"), lab.machine("clients"));
        switch.plug(&lab, &machine, "ether-83");
        switch.plug(&lab, &clients, "eth0");
        machine.address("ether-83", "67.9.97.1/24");
        let (tap, ear) = (Tap::new(&clients, "eth0"), Tap::new(&clients, "eth0"));
        let server = Server::serve(&lab, &machine, &detecting(CONFIGURATION));
        Self { server, tap, ear, switch, lab }
    }

    fn client(&self, number: u32) -> Client<'_> {
        Client::new(&self.tap, number)
    }

    /// A machine that has this address by hand.
    fn squatter(&self, address: Ipv4Addr) -> Namespace {
        let squatter = self.lab.machine("squatter");
        self.switch.plug(&self.lab, &squatter, "eth0");
        squatter.address("eth0", &format!("{address}/24"));
        squatter
    }

    /// Addresses that were asked for by ARP since the last time.
    fn probed(&self) -> BTreeSet<Ipv4Addr> {
        std::iter::from_fn(|| self.ear.next_arp(Duration::ZERO))
            .filter(|arp| arp.operation == Arp::REQUEST && arp.sender == Ipv4Addr::UNSPECIFIED)
            .map(|arp| arp.target)
            .collect()
    }
}

fn detecting(configuration: &str) -> String {
    configuration.replace("conflict-detection = \"no\"", "conflict-detection = \"yes\"")
}

#[test]
fn disc_17_an_address_that_answers_is_not_offered() {
    let link = Link::new();
    let _squatter = link.squatter(at(254));
    assert_eq!(link.client(1).lease().yiaddr(), at(253));
    link.server.logged(&["dhcp-server-83", "detected conflict by ARP", "67.9.97.254"]);
    assert!(link.probed().is_superset(&[at(254), at(253)].into()));
    // What was found is remembered: the next client does not wait for it.
    assert_eq!(link.client(2).lease().yiaddr(), at(252));
    assert!(!link.probed().contains(&at(254)));
}

#[test]
fn disc_18_an_address_that_is_silent_is_offered_and_nobody_else_waits() {
    let link = Link::new();
    let bound = link.client(1);
    let address = bound.lease().yiaddr();
    let newcomer = link.client(2);
    let (discover, renewal) = (newcomer.discover(), bound.renewing(address));
    newcomer.broadcast(&discover);
    bound.broadcast(&renewal);
    // The renewal came later, and is answered first: the newcomer's address is being probed.
    let first = link.tap.hear(crate::lab::PATIENCE, |reply| reply.op() == 2).unwrap();
    assert!(first.answers(&renewal), "{first:?}");
    assert_eq!(newcomer.answer(&discover).yiaddr(), at(253));
    assert!(link.probed().contains(&at(253)));
}

#[test]
fn its_own_last_address_and_a_static_lease_are_not_probed() {
    let link = Link::new();
    let client = link.client(1);
    let address = client.lease().yiaddr();
    assert!(link.probed().contains(&address));
    client.broadcast(&client.release(address, SERVER));
    assert_eq!(client.lease().yiaddr(), address);
    let witness = link.client(0xffff_fffe);
    assert_eq!(witness.lease().yiaddr(), at(9));
    assert!(link.probed().is_disjoint(&[address, at(9)].into()));
}

#[test]
fn a_station_that_answers_for_everybody_does_not_empty_the_pool() {
    let link = Link::new();
    let proxy = link.lab.machine("proxy");
    link.switch.plug(&link.lab, &proxy, "eth0");
    let ear = Tap::new(&proxy, "eth0");
    let curtain = Curtain::default();
    thread::scope(|scope| {
        scope.spawn(|| {
            let ear = ear;
            while curtain.is_up() {
                let asked = ear.next_arp(Duration::from_millis(20));
                if let Some(asked) = asked.filter(|asked| asked.operation == Arp::REQUEST) {
                    ear.send_frame(&asked.answered_by(ear.mac()), false);
                }
            }
        });
        let _fall = curtain.falls_with_scope();
        for number in 1..=8 {
            assert!(link.client(number).lease().is(kind::ACK));
        }
        link.server.logged(&["conflict detection suspended"]);
    });
}

#[test]
fn disc_17_behind_a_relay_by_icmp_echo() {
    let lab = Lab::new();
    let (machine, clients) = (lab.machine("server"), lab.machine("clients"));
    let relay = Relay::new(&lab, &machine, &clients);
    clients.address("eth0", "172.29.2.200/24");
    clients.ip("route add default via 172.29.2.1");
    let tap = Tap::new(&clients, "eth0");
    let server = Server::serve(&lab, &machine, &detecting(relay::CONFIGURATION));
    let client = Client::new(&tap, 1);
    let relayed = |message: crate::lab::Message| message.with(|m| m.giaddr = relay::GIADDR);
    let offer = relay.ask(&relayed(client.discover()));
    assert_eq!(offer.yiaddr(), Ipv4Addr::new(172, 29, 2, 199));
    assert_eq!(offer.address(code::SERVER), Some(relay::UPLINK_SERVER));
    server.logged(&["detected conflict by ICMP", "172.29.2.200"]);
}
