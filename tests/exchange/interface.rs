//! Interfaces that come late, go, come back, and get their address later.

use std::net::Ipv4Addr;

use crate::lab::scene::CONFIGURATION;
use crate::lab::{Client, Lab, Server, Tap, code, eventually};

const FIRST: Ipv4Addr = Ipv4Addr::new(67, 9, 97, 254);

/// Makes the cable of the scenario; the server's end gets its address.
fn connect(lab: &Lab, server: &Server, clients: &crate::lab::Namespace) -> Tap {
    lab.cable((server.machine(), "ether-83"), (clients, "eth0"));
    server.machine().address("ether-83", "67.9.97.1/24");
    Tap::new(clients, "eth0")
}

#[test]
fn appears_after_the_start_goes_and_comes_back() {
    let lab = Lab::new();
    let (machine, clients) = (lab.machine("server"), lab.machine("clients"));
    let mut server = Server::serve(&lab, &machine, CONFIGURATION);
    for _ in 0..3 {
        let tap = connect(&lab, &server, &clients);
        // The same client each time: its lease outlives the interface.
        assert_eq!(Client::new(&tap, 1).lease().yiaddr(), FIRST);
        machine.ip("link delete dev ether-83");
        server.assert_alive();
    }
}

#[test]
fn goes_down_and_up() {
    let lab = Lab::new();
    let (machine, clients) = (lab.machine("server"), lab.machine("clients"));
    let mut server = Server::serve(&lab, &machine, CONFIGURATION);
    let tap = connect(&lab, &server, &clients);
    assert_eq!(Client::new(&tap, 1).lease().yiaddr(), FIRST);
    for _ in 0..3 {
        machine.down("ether-83");
        server.assert_alive();
        machine.up("ether-83");
        let client = Client::new(&tap, 1);
        assert_eq!(client.ask(&client.init_reboot(FIRST)).yiaddr(), FIRST);
    }
}

#[test]
fn is_renamed_to_the_configured_name() {
    let lab = Lab::new();
    let (machine, clients) = (lab.machine("server"), lab.machine("clients"));
    lab.cable((&machine, "eth9"), (&clients, "eth0"));
    machine.address("eth9", "67.9.97.1/24");
    let _server = Server::serve(&lab, &machine, CONFIGURATION);
    machine.down("eth9");
    machine.ip("link set dev eth9 name ether-83");
    machine.up("ether-83");
    let tap = Tap::new(&clients, "eth0");
    assert_eq!(Client::new(&tap, 1).lease().yiaddr(), FIRST);
}

#[test]
fn gets_its_address_later() {
    let lab = Lab::new();
    let (machine, clients) = (lab.machine("server"), lab.machine("clients"));
    lab.cable((&machine, "ether-83"), (&clients, "eth0"));
    let _server = Server::serve(&lab, &machine, CONFIGURATION);
    machine.address("ether-83", "67.9.97.1/24");
    let tap = Tap::new(&clients, "eth0");
    let ack = Client::new(&tap, 1).lease();
    assert_eq!((ack.yiaddr(), ack.address(code::SERVER)), (FIRST, Some([67, 9, 97, 1].into())));
}

#[test]
fn gets_another_address() {
    let lab = Lab::new();
    let (machine, clients) = (lab.machine("server"), lab.machine("clients"));
    let server = Server::serve(&lab, &machine, CONFIGURATION);
    let tap = connect(&lab, &server, &clients);
    assert_eq!(Client::new(&tap, 1).lease().yiaddr(), FIRST);
    machine.ip("address flush dev ether-83");
    machine.address("ether-83", "67.9.97.2/24");
    // Its own new address is never given out, and stands in the answers.
    let client = Client::new(&tap, 2);
    let own = Ipv4Addr::new(67, 9, 97, 2);
    eventually("the new address in option 54", || {
        client.ask(&client.discover()).address(code::SERVER) == Some(own)
    });
}

#[test]
fn of_a_bridge_serves_every_port() {
    let lab = Lab::new();
    let machine = lab.machine("server");
    machine.ip("link add name ether-83 type bridge forward_delay 0");
    machine.address("ether-83", "67.9.97.1/24");
    machine.up("ether-83");
    let _server = Server::serve(&lab, &machine, CONFIGURATION);
    for (number, port) in (1..).zip(["port1", "port2"]) {
        let clients = lab.machine("clients");
        lab.cable((&machine, port), (&clients, "eth0"));
        machine.ip(&format!("link set dev {port} master ether-83"));
        let tap = Tap::new(&clients, "eth0");
        let ack = Client::new(&tap, number).lease();
        assert_eq!(ack.yiaddr(), Ipv4Addr::new(67, 9, 97, 255 - u8::try_from(number).unwrap()));
    }
}
