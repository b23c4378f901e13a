//! EXT-23 on the wire: bulk leasequeries over TCP, and leasequeries of a relay.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use crate::lab::relay::{self, Relay};
use crate::lab::scene::{CONFIGURATION, SERVER};
use crate::lab::{Client, Lab, Mac, Message, PATIENCE, Scene, Server, Tap, code, eventually};

const ALLOWED: &str = "\n[dhcp-server-config]\nbulk-leasequery-allow = \"67.9.97.8/32\"\n";

/// A requestor at this address of the clients' machine.
fn connect(scene: &Scene) -> std::io::Result<TcpStream> {
    scene.clients.inside(|| {
        let server = SocketAddr::from((SERVER, 67));
        let stream = TcpStream::connect_timeout(&server, Duration::from_secs(2))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(stream)
    })
}

/// The scene with a requestor's address on the clients' side.
fn scene(configuration: &str) -> Scene {
    let scene = Scene::with(configuration);
    scene.clients.address("eth0", "67.9.97.8/24");
    scene
}

fn query(xid: u32) -> Vec<u8> {
    let mut query = Message::new(14, Mac([0; 6]), xid);
    (query.htype, query.hlen) = (0, 0);
    let bytes = query.bytes();
    [&u16::try_from(bytes.len()).unwrap().to_be_bytes()[..], &bytes].concat()
}

/// Message type and `ciaddr` of the next message.
fn next(stream: &mut TcpStream) -> (u8, Ipv4Addr) {
    let mut length = [0; 2];
    stream.read_exact(&mut length).unwrap();
    let mut message = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut message).unwrap();
    assert_eq!(message[240..242], [53, 1]);
    let ciaddr: [u8; 4] = message[12..16].try_into().unwrap();
    (message[242], ciaddr.into())
}

/// The addresses with a lease, and how many without, up to the end of a query.
fn told(stream: &mut TcpStream) -> (Vec<Ipv4Addr>, usize) {
    let (mut leased, mut free) = (Vec::new(), 0);
    loop {
        match next(stream) {
            (13, address) => leased.push(address),
            (11, _) => free += 1,
            (15, _) => return (leased, free),
            (kind, _) => panic!("a message of kind {kind}"),
        }
    }
}

#[test]
fn ext_23_bulk_over_tcp() {
    let scene = scene(&format!("{CONFIGURATION}{ALLOWED}"));
    let mut addresses: Vec<_> =
        (1..=3).map(|number| scene.client(number).lease().yiaddr()).collect();
    addresses.sort_unstable();
    let mut stream = connect(&scene).unwrap();
    stream.write_all(&[query(1), query(2)].concat()).unwrap();
    for _ in 0..2 {
        let (leased, free) = told(&mut stream);
        assert_eq!((&leased, free), (&addresses, 246 - 3), "the pool and the static lease");
    }
    // Its own end closed, the server closes too.
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(stream.read(&mut [0; 1]).unwrap(), 0);
}

#[test]
fn ext_23_bulk_only_for_who_is_listed() {
    let mut scene = scene(CONFIGURATION);
    assert!(connect(&scene).is_err(), "nobody listens by default");
    let other = ALLOWED.replace("67.9.97.8", "67.9.97.77");
    scene.server.reload(&format!("{CONFIGURATION}{other}"));
    eventually("a listener", || connect(&scene).is_ok());
    let mut stream = connect(&scene).unwrap();
    assert_eq!(stream.read(&mut [0; 1]).unwrap_or(0), 0, "closed at once");
    scene.server.reload(&format!("{CONFIGURATION}{ALLOWED}"));
    let mut stream = connect(&scene).unwrap();
    stream.write_all(&query(1)).unwrap();
    told(&mut stream);
    scene.server.reload(CONFIGURATION);
    assert_eq!(stream.read(&mut [0; 1]).unwrap_or(0), 0, "no longer allowed");
    eventually("no listener", || connect(&scene).is_err());
    scene.assert_serving();
}

#[test]
fn ext_23_bulk_slow_and_rude_requestors_stop_nobody() {
    let few = format!("{ALLOWED}bulk-leasequery-connections = \"3\"\n");
    let scene = scene(&format!("{CONFIGURATION}{few}"));
    let before = scene.server.descriptors();
    let mut slow: Vec<_> = (0..3).map(|_| connect(&scene).unwrap()).collect();
    for stream in &mut slow {
        // Far more answers than all buffers hold; nobody reads them.
        stream.set_nonblocking(true).unwrap();
        for xid in 0..2000 {
            if stream.write(&query(xid)).is_err() {
                break;
            }
        }
    }
    let mut fourth = connect(&scene).unwrap();
    assert_eq!(fourth.read(&mut [0; 1]).unwrap_or(0), 0, "turned away");
    for number in 1..=20 {
        scene.client(number).lease();
    }
    let held = scene.server.resident();
    scene.assert_serving();
    assert!(scene.server.resident() < held + 4096, "memory does not follow the queries");
    drop(slow);
    eventually("all connections closed", || scene.server.descriptors() <= before);
    let mut rude = connect(&scene).unwrap();
    rude.write_all(&[0xff; 100]).unwrap();
    assert_eq!(rude.read(&mut [0; 1]).unwrap_or(0), 0, "no query has that length");
}

#[test]
fn ext_23_a_relay_asks_who_has_an_address() {
    let lab = Lab::new();
    let (machine, clients) = (lab.machine("server"), lab.machine("clients"));
    let agent = Relay::new(&lab, &machine, &clients);
    let tap = Tap::new(&clients, "eth0");
    let allowed = "\n[dhcp-server-config]\nleasequery-allow = \"172.29.2.1\"\n";
    let configuration = format!("{}{allowed}", relay::CONFIGURATION);
    let _server = Server::serve(&lab, &machine, &configuration);
    let relayed = |message: Message| {
        message.with(|message| {
            message.giaddr = relay::GIADDR;
            message.hops = 1;
        })
    };
    let client = Client::new(&tap, 1);
    let offer = agent.ask(&relayed(client.discover()));
    let ack = agent.ask(&relayed(client.selecting(&offer)));
    let by_mac = relayed(client.message(10));
    let active = agent.ask(&by_mac);
    assert_eq!((active.kind(), active.ciaddr()), (13, ack.yiaddr()));
    assert!(active.number(code::LEASE_TIME).is_some_and(|left| left > 86_000));
}
