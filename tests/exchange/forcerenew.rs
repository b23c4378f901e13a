//! EXT-22 on the wire: `send-reconfigure` makes a client of the laboratory's own renew.

use std::process::Output;

use hmac::{Hmac, Mac as _};
use md5::Md5;

use crate::lab::scene::{CONFIGURATION, SERVER};
use crate::lab::server::program;
use crate::lab::{Message, Scene, kind};

const FORCERENEW: u8 = 9;
const AUTHENTICATION: u8 = 90;

fn capable(message: Message) -> Message {
    message.option(145, &[1])
}

fn send_reconfigure(scene: &Scene, which: &str) -> Output {
    let mut command = scene.server.machine().command(program());
    command.arg("--socket").arg(scene.server.state().join("leasehold.sock"));
    command.arg(format!("/ip dhcp-server lease send-reconfigure [find address={which}]"));
    command.output().unwrap()
}

/// Whether the message was signed with this nonce: the digest's place holds zeros meanwhile.
fn is_signed(message: &[u8], authentication: &[u8], nonce: &[u8]) -> bool {
    let digest = &authentication[12..];
    let at = message.windows(digest.len()).position(|part| part == digest).unwrap();
    let mut blank = message.to_vec();
    blank[at..at + digest.len()].fill(0);
    let mut hmac = Hmac::<Md5>::new_from_slice(nonce).unwrap();
    hmac.update(&blank);
    hmac.verify_slice(digest).is_ok()
}

#[test]
fn ext_22_a_client_renews_when_it_is_asked_to() {
    let on = "conflict-detection = \"no\"\nuse-reconfigure = \"yes\"";
    let mut scene = Scene::with(&CONFIGURATION.replace("conflict-detection = \"no\"", on));
    let client = scene.client(1);
    let offer = client.ask(&capable(client.discover()));
    assert_eq!(offer.option(145), Some(&[1][..]));
    let ack = client.ask(&capable(client.selecting(&offer)));
    let nonce = ack.option(AUTHENTICATION).expect("a nonce")[12..].to_vec();
    let other = scene.client(2).lease().yiaddr();

    // What client and server share is on disk.
    scene.server.kill();
    scene.server.start();
    let address = ack.yiaddr();
    let done = send_reconfigure(&scene, &address.to_string());
    assert!(done.status.success(), "{done:?}");
    let message = scene.tap.expect("a FORCERENEW", |reply| reply.is(FORCERENEW));
    assert_eq!((message.headers.target, message.headers.target_port), (address, 68));
    assert_eq!(message.headers.source, SERVER);
    let authentication = message.option(AUTHENTICATION).expect("it is authenticated");
    assert!(is_signed(&message.bytes, authentication, &nonce));
    let client = scene.client(1);
    let renewal = client.renewing(address);
    let ack = client.ask_server(&renewal, scene.server_mac, SERVER);
    assert_eq!((ack.kind(), ack.yiaddr()), (kind::ACK, address));
    let shown = scene.server.ask("/ip dhcp-server lease print detail");
    assert!(shown.contains("reconfigure-status=renewed"), "{shown}");

    let refused = send_reconfigure(&scene, &other.to_string());
    let why = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && why.contains("RFC 6704"), "{refused:?}");
    assert!(scene.tap.heard(|reply| reply.is(FORCERENEW) && reply.ciaddr() == other).is_empty());
}
