//! One process ends and the next begins, and no client notices: the supervisor keeps the sockets.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod lab;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, UdpSocket};
use std::thread;
use std::time::Duration;

use lab::client::Client;
use lab::crowd::{Crowd, Manners};
use lab::frame::Envelope;
use lab::relay::{self, Relay};
use lab::scene::{CONFIGURATION, SERVER, wide};
use lab::tap::cooked_socket;
use lab::{Curtain, Scene, Tap, kind};

fn kept_scene(configuration: &str) -> Scene {
    let mut scene = Scene::prepared(configuration);
    scene.server.kept = Some(BTreeMap::new());
    scene
}

#[test]
fn nothing_that_is_sent_between_two_processes_is_lost() {
    let scene = kept_scene(&(CONFIGURATION.to_owned() + relay::CONFIGURATION));
    let Scene { mut server, tap, server_mac, lab, .. } = scene;
    let agent = Relay::new(&lab, server.machine(), &lab.machine("far"));
    let client = |number| Client::new(&tap, number);
    server.start();
    let bound = client(1);
    let address = bound.lease().yiaddr();
    for round in 1..=5 {
        let offered: Vec<_> = (0..8).map(|number| client(round * 100 + number)).collect();
        let offers: Vec<_> = offered.iter().map(|client| client.ask(&client.discover())).collect();
        if round == 5 {
            // The supervisor has them also after a crash; what was offered may be lost then.
            server.obey();
            server.kill();
        } else {
            assert!(server.terminate().success());
        }
        // Nobody is there, and everybody says once what they have to say: first those who could
        // take what others have been offered.
        let new: Vec<_> = (0..8).map(|number| client(round * 100 + 50 + number)).collect();
        let discovers: Vec<_> = new.iter().map(|client| client.discover()).collect();
        new.iter().zip(&discovers).for_each(|(client, discover)| client.broadcast(discover));
        let requests: Vec<_> =
            offered.iter().zip(&offers).map(|(client, offer)| client.selecting(offer)).collect();
        offered.iter().zip(&requests).for_each(|(client, request)| client.broadcast(request));
        let renewal = bound.renewing(address);
        let envelope = Envelope::unicast(bound.mac(), address, server_mac, SERVER);
        tap.send(&envelope, &renewal);
        let relayed = client(round * 100 + 99).discover().with(|message| {
            message.giaddr = relay::GIADDR;
            message.hops = 1;
        });
        agent.send(&relayed);
        server.start();
        assert!(bound.answer(&renewal).is(kind::ACK));
        for (client, discover) in new.iter().zip(&discovers) {
            assert!(client.answer(discover).is(kind::OFFER));
        }
        if round < 5 {
            for ((client, request), offer) in offered.iter().zip(&requests).zip(&offers) {
                let ack = client.answer(request);
                assert!(ack.is(kind::ACK), "round {round}: {ack:?}");
                assert_eq!(ack.yiaddr(), offer.yiaddr());
            }
        }
        let offer = agent.answer(&relayed);
        assert!(offer.is(kind::OFFER));
    }
}

/// Everybody says everything once: a thousand renew again and again, others come, and five
/// processes follow each other meanwhile.
#[test]
fn a_crowd_does_not_notice() {
    let scene = kept_scene(&wide(16, "10.84.1.0-10.84.254.255"));
    let Scene { mut server, tap, server_mac, lab: _lab, clients, .. } = scene;
    server.machine().address("ether-83", "10.84.0.1/16");
    server.start();
    let acks = Crowd::new(&tap, 1, 1000).lease();
    let held: Vec<_> = acks.into_iter().map(|ack| ack.unwrap().yiaddr()).collect();
    let street = Tap::new(&clients, "eth0");
    let curtain = Curtain::default();
    let heard = thread::scope(|scope| {
        let crowds = scope.spawn(|| {
            let street = street;
            let once = Manners { tries: 1, repeat: lab::PATIENCE, ..Manners::default() };
            let crowd = |first, count| {
                let mut crowd = Crowd::new(&street, first, count);
                crowd.manners = once;
                crowd
            };
            let mut first = 2000;
            let mut heard = 0;
            while curtain.is_up() {
                let answers = crowd(1, 1000).renew(&held, server_mac, Ipv4Addr::new(10, 84, 0, 1));
                for (answer, address) in answers.iter().zip(&held) {
                    let answer = answer.as_ref().expect("an answer to a renewal");
                    assert_eq!((answer.kind(), answer.yiaddr()), (kind::ACK, *address));
                }
                let acks = crowd(first, 100).lease();
                assert!(acks.iter().flatten().all(|ack| ack.is(kind::ACK)));
                assert_eq!(acks.iter().flatten().count(), 100, "who comes is served");
                first += 100;
                heard += 1100;
            }
            heard
        });
        let fall = curtain.falls_with_scope();
        for _ in 0..5 {
            thread::sleep(Duration::from_millis(300));
            assert!(server.terminate().success());
            server.start();
        }
        drop(fall);
        crowds.join().unwrap()
    });
    println!("{heard} exchanges while five processes followed each other");
}

#[test]
fn who_waits_for_a_probe_is_answered_before_the_end() {
    let configuration = CONFIGURATION.replace("conflict-detection = \"no\"", "");
    let Scene { mut server, tap, lab: _lab, clients: _clients, .. } = kept_scene(&configuration);
    server.start();
    let client = Client::new(&tap, 1);
    let discover = client.discover();
    client.broadcast(&discover);
    tap.next_arp(lab::PATIENCE).expect("a probe");
    assert!(server.terminate().success());
    let offer = client.answer(&discover);
    let request = client.selecting(&offer);
    client.broadcast(&request);
    server.start();
    assert_eq!(client.answer(&request).yiaddr(), offer.yiaddr());
}

#[test]
fn sockets_that_do_not_fit_are_replaced() {
    let mut scene = kept_scene(CONFIGURATION);
    scene.server.start();
    scene.server.obey();
    let names: Vec<_> = scene.server.kept.as_ref().unwrap().keys().cloned().collect();
    assert_eq!(names.len(), 2, "the link's and the one for everybody else: {names:?}");
    assert!(scene.server.terminate().success());
    let machine = scene.server.machine().clone();
    let wrong = || machine.inside(|| UdpSocket::bind("127.0.0.1:0")).unwrap().into();
    let mut kept: BTreeMap<_, _> = names.into_iter().map(|name| (name, wrong())).collect();
    kept.insert("unheard-of".to_owned(), wrong());
    scene.server.kept = Some(kept);
    scene.server.start();
    assert!(scene.client(1).lease().is(kind::ACK));
    scene.server.logged(&["routed", "is of no use"]);
    scene.server.logged(&["link-", "is of no use"]);
    scene.server.obey();
    assert_eq!(scene.server.kept.as_ref().unwrap().len(), 2, "what is of no use is let go");
}

#[test]
fn a_socket_of_another_protocol_is_replaced() {
    let mut scene = kept_scene(CONFIGURATION);
    scene.server.start();
    scene.server.obey();
    assert!(scene.server.terminate().success());
    let arp = scene.server.machine().inside(|| cooked_socket(libc::ETH_P_ARP, "ether-83"));
    let kept = scene.server.kept.as_mut().unwrap();
    let link = kept.iter_mut().find(|(name, _)| name.starts_with("link-"));
    *link.unwrap().1 = arp.unwrap();
    scene.server.start();
    assert!(scene.client(1).lease().is(kind::ACK));
    scene.server.logged(&["link-", "another protocol"]);
}

#[test]
fn an_interface_that_goes_takes_its_socket_along() {
    let mut scene = kept_scene(CONFIGURATION);
    scene.server.start();
    assert!(scene.client(1).lease().is(kind::ACK));
    scene.server.machine().ip("link delete ether-83");
    let deadline = std::time::Instant::now() + lab::PATIENCE;
    while scene.server.kept.as_ref().unwrap().keys().any(|name| name.starts_with("link-")) {
        assert!(std::time::Instant::now() < deadline, "its socket is kept");
        scene.server.obey();
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    assert_eq!(scene.server.ask("/ip dhcp-server lease print count-only").trim(), "2");
}
