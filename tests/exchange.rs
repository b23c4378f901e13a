//! The exchange on the wire: raw frames to the built daemon, and every header of what comes back.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod lab;

#[path = "exchange/boot.rs"]
mod boot;
#[path = "exchange/bulk.rs"]
mod bulk;
#[path = "exchange/conflict.rs"]
mod conflict;
#[path = "exchange/discover.rs"]
mod discover;
#[path = "exchange/extension.rs"]
mod extension;
#[path = "exchange/farewell.rs"]
mod farewell;
#[path = "exchange/forcerenew.rs"]
mod forcerenew;
#[path = "exchange/header.rs"]
mod header;
#[path = "exchange/interface.rs"]
mod interface;
#[path = "exchange/laboratory.rs"]
mod laboratory;
#[path = "exchange/option.rs"]
mod option;
#[path = "exchange/relay.rs"]
mod relay;
#[path = "exchange/request.rs"]
mod request;
#[path = "exchange/rogue.rs"]
mod rogue;

use std::net::Ipv4Addr;

use lab::{Scene, code, kind};

/// What the README promises of the shipped configuration, as a client on `ether-83` sees it.
#[test]
fn the_shipped_configuration_serves_the_scenario() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/config/leasehold.toml");
    let mut scene = Scene::with(&std::fs::read_to_string(path).unwrap());
    let client = scene.client(1);
    let ack = client.lease();
    let address = Ipv4Addr::new(67, 9, 97, 254);
    assert_eq!(ack.yiaddr(), address);
    assert_eq!(ack.address(code::MASK), Some(Ipv4Addr::new(255, 255, 255, 0)));
    assert_eq!(ack.addresses(code::ROUTER), [Ipv4Addr::new(67, 9, 97, 1)]);
    assert_eq!(ack.addresses(code::DNS), [Ipv4Addr::new(8, 8, 8, 8)]);
    assert_eq!(ack.number(code::LEASE_TIME), Some(86400));

    scene.server.kill();
    scene.server.start();
    let client = scene.client(1);
    let ack = client.ask_server(&client.renewing(address), scene.server_mac, lab::scene::SERVER);
    assert_eq!((ack.kind(), ack.yiaddr()), (kind::ACK, address));

    let status = scene.server.terminate();
    assert!(status.success(), "SIGTERM ended it with {status}");
}
