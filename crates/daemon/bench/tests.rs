//! The generator against servers on the loopback interface: a null server, and ones that lie.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use clap::Parser;

use super::args::{Bench, Load, Way};
use super::carrier::Carrier;
use super::null::{self, Log, NullServer};
use super::packet::{Messages, Profile};
use super::plot;
use super::report::Report;
use super::run::{describe, measure};

#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    bench: Bench,
}

/// The load of `leasehold bench relayed …`.
fn load(arguments: &str) -> Load {
    let fixed = ["bench", "relayed", "--server", "127.0.0.1", "--relay", "127.0.0.1", "--quiet"];
    let all = fixed.into_iter().chain(arguments.split(' '));
    match Arguments::parse_from(all).bench.way {
        Way::Relayed(relayed) => relayed.load,
        _ => unreachable!("the arguments say `relayed`"),
    }
}

fn relay() -> SocketAddrV4 {
    SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0)
}

fn messages(option_82: bool) -> Messages {
    let giaddr = *relay().ip();
    Messages::new(Profile { giaddr, broadcast: false, client_id: true, host_name: true, option_82 })
}

fn run(arguments: &str, server: SocketAddrV4, option_82: bool) -> Report {
    let load = load(arguments);
    let messages = messages(option_82);
    let carrier = Carrier::relayed(relay(), server).expect("a loopback socket");
    let measured = measure(&load, carrier, messages).expect("a run");
    describe("relayed", &load, measured)
}

fn v4(address: SocketAddr) -> SocketAddrV4 {
    match address {
        SocketAddr::V4(address) => address,
        SocketAddr::V6(_) => unreachable!("bound to an IPv4 address"),
    }
}

/// Runs the load against a null server.
fn against_null(arguments: &str, option_82: bool, log: Option<Log>) -> Report {
    let listen = SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0);
    let mut server = NullServer::datagrams(listen, log).expect("a loopback socket");
    let address = v4(server.address().expect("a bound socket"));
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let serving = scope.spawn(|| server.serve(&stop));
        let report = run(arguments, address, option_82);
        stop.store(true, Ordering::Relaxed);
        serving.join().expect("no panic").expect("no error");
        report
    })
}

/// Runs the load against a null server whose answers are spoiled: the closure gets the number of
/// the request and its answer, and may change it or hold it back.
fn against(arguments: &str, spoil: impl Fn(usize, &mut [u8]) -> bool + Sync) -> Report {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a loopback socket");
    socket.set_read_timeout(Some(Duration::from_millis(20))).expect("a timeout");
    let address = v4(socket.local_addr().expect("a bound socket"));
    let stop = AtomicBool::new(false);
    let serve = || {
        let prepared = null::prepared(Ipv4Addr::LOCALHOST);
        let (mut request, mut answer) = ([0; 1500], [0; 1500]);
        let mut number = 0;
        while !stop.load(Ordering::Relaxed) {
            let Ok((size, from)) = socket.recv_from(&mut request) else { continue };
            let Some(size) = null::fill(&prepared, &request[..size], &mut answer) else { continue };
            if spoil(number, &mut answer[..size]) {
                socket.send_to(&answer[..size], from).expect("an answer leaves");
            }
            number += 1;
        }
    };
    thread::scope(|scope| {
        let serving = scope.spawn(serve);
        let report = run(arguments, address, false);
        stop.store(true, Ordering::Relaxed);
        serving.join().expect("no panic");
        report
    })
}

fn rules(report: &Report) -> Vec<&str> {
    report.faults.iter().map(|fault| fault.rule).collect()
}

#[test]
fn every_client_is_bound_once() {
    let report = against_null("dora --clients 500 --outstanding 16", true, None);
    assert_eq!((report.load.outcome.started, report.load.outcome.done), (500, 500));
    assert_eq!(report.answers_checked, 1000);
    assert_eq!(rules(&report), [""; 0]);
    assert_eq!(report.load.outcome.latency_ms.count, 500);
    assert_eq!(report.load.outcome.course.done.iter().sum::<u32>(), 500);
}

#[test]
fn guests_come_and_go_and_come_again() {
    let report = against_null("visit --clients 20 --exchanges 200 --outstanding 4", false, None);
    assert_eq!((report.load.outcome.started, report.load.outcome.done), (200, 200));
    assert_eq!(report.answers_checked, 400, "nobody answers a RELEASE");
    assert_eq!(rules(&report), [""; 0]);
}

#[test]
fn renewals_come_after_binding_and_are_counted_alone() {
    let report = against_null("renew --clients 100 --exchanges 300", false, None);
    assert_eq!((report.load.outcome.started, report.load.outcome.done), (300, 300));
    assert_eq!(report.answers_checked, 200 + 300);
    assert!(report.load.outcome.discover_to_offer_ms.is_none());
    assert_eq!(rules(&report), [""; 0]);
}

#[test]
fn a_mixed_load_ends() {
    let report = against_null("mixed --clients 200 --exchanges 1000 --seed 5", false, None);
    assert_eq!((report.load.outcome.started, report.load.outcome.done), (1000, 1000));
    assert_eq!(rules(&report), [""; 0]);
}

#[test]
fn an_open_loop_starts_everything_while_others_renew() {
    let arguments = "dora --clients 300 --within 200ms --bound 20 --bound-rate 500";
    let report = against_null(arguments, false, None);
    assert_eq!((report.load.outcome.started, report.load.outcome.done), (300, 300));
    let bound = report.bound.as_ref().expect("bound clients");
    assert_eq!(bound.started, bound.done);
    assert!(bound.done > 0);
    let plot = plot::svg(&report);
    assert_eq!(plot.matches("<polyline").count(), 4, "two streams in two panels");
    assert!(plot.ends_with("</svg>\n") && !plot.contains("NaN"));
}

#[test]
fn discovers_bind_nobody() {
    let report = against_null("discover --clients 50 --exchanges 100", false, None);
    assert_eq!((report.load.outcome.done, report.answers_checked), (100, 100));
    assert!(report.load.outcome.request_to_ack_ms.is_none());
}

#[test]
fn acks_are_logged_before_they_leave() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("log");
    for (laid_out, length) in [(true, 64 << 20), (false, 3 * 64)] {
        let log = Log::create(&path, laid_out).expect("a log");
        against_null("dora --clients 3", false, Some(log));
        let bytes = std::fs::read(&path).expect("the log");
        assert_eq!(bytes.len(), length);
        let written = bytes.chunks(64).filter(|record| record.iter().any(|&byte| byte != 0));
        assert_eq!(written.count(), 3, "one record for each ACK, none for an OFFER");
    }
}

#[test]
fn one_address_for_all_is_a_fault() {
    let report = against("dora --clients 5", |_, answer| {
        answer[16..20].copy_from_slice(&[10, 0, 0, 1]);
        true
    });
    assert_eq!(rules(&report), ["no address has two owners"]);
    assert_eq!(report.faults[0].count, 4);
}

#[test]
fn an_answer_for_another_client_is_a_fault() {
    let report = against("dora --clients 1 --retry 50ms", |_, answer| {
        answer[33] ^= 1;
        true
    });
    assert_eq!(rules(&report), ["an answer's chaddr is that of its request"]);
    assert_eq!((report.load.outcome.done, report.load.outcome.given_up), (0, 1));
}

#[test]
fn an_ack_with_another_address_is_a_fault() {
    let report = against("dora --clients 1 --retry 50ms", |_, answer| {
        if answer[242] == 5 {
            answer[19] ^= 1;
        }
        true
    });
    assert_eq!(rules(&report), ["the ACK has the address that was requested"]);
}

#[test]
fn what_is_lost_is_sent_again() {
    let report = against("dora --clients 1 --retry 50ms,50ms", |number, _| number != 0);
    let main = &report.load.outcome;
    assert_eq!((main.done, main.retries, main.given_up), (1, 1, 0));
    assert_eq!(rules(&report), [""; 0]);
}

#[test]
fn a_silent_server_is_given_up() {
    let report = against("dora --clients 4 --retry 30ms,30ms", |_, _| false);
    let main = &report.load.outcome;
    assert_eq!((main.started, main.done, main.retries, main.given_up), (4, 0, 4, 4));
}

#[test]
fn a_refused_client_begins_anew_and_not_for_ever() {
    let report = against("dora --clients 1", |_, answer| {
        if answer[242] == 5 {
            answer[242] = 6;
        }
        true
    });
    let main = &report.load.outcome;
    assert_eq!((main.done, main.naks, main.given_up), (0, 5, 1));
    assert_eq!(rules(&report), [""; 0]);
}

#[test]
fn clients_that_cannot_be_bound_are_told() {
    let load = load("renew --clients 2 --retry 30ms");
    let nobody = UdpSocket::bind("127.0.0.1:0").expect("a loopback socket");
    let address = v4(nobody.local_addr().expect("a bound socket"));
    let messages = messages(false);
    let carrier = Carrier::relayed(relay(), address).expect("a loopback socket");
    let Err(error) = measure(&load, carrier, messages) else { panic!("nobody answered") };
    assert!(error.to_string().starts_with("none of 2 clients got a lease"), "{error}");
}
