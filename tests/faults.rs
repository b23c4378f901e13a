//! The machine fails around the server: no descriptors, no permission, a disk that is read-only.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod lab;

use std::fs::{self, Permissions};
use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt;
use std::rc::Rc;
use std::sync::LazyLock;
use std::time::Duration;

use lab::disk::Disk;
use lab::namespace::is_real_root;
use lab::scene::CONFIGURATION;
use lab::{Api, Client, Scene, code, kind};

const HOUR: u32 = 3600;

static HOURLY: LazyLock<String> =
    LazyLock::new(|| CONFIGURATION.replace("lease-time = \"1d\"", "lease-time = \"1h\""));

/// An offer is no promise; the ACK that would be one does not come.
fn assert_no_new_promise(scene: &Scene, client: &Client<'_>) {
    let offer = client.ask(&client.discover());
    let request = client.selecting(&offer);
    client.broadcast(&request);
    scene.server.logged(&["lease store failed"]);
    assert!(scene.tap.heard(|reply| reply.answers(&request)).is_empty());
}

/// A renewal gets what is durable already, and no second more.
fn assert_remaining_time(client: &Client<'_>, address: Ipv4Addr) {
    std::thread::sleep(Duration::from_secs(2));
    let ack = client.ask(&client.renewing(address));
    assert_eq!((ack.kind(), ack.yiaddr()), (kind::ACK, address));
    assert!(ack.number(code::LEASE_TIME).unwrap() < HOUR);
}

#[test]
fn out_of_descriptors_packets_are_answered_and_connections_wait() {
    let scene = Scene::new();
    let first = scene.client(1).lease().yiaddr();
    let process = scene.server.process();
    // It has more already: no new one is given.
    let had = process.limit(libc::RLIMIT_NOFILE, 3);
    let mut waiting: Vec<_> = (0..8).map(|_| Api::connect(&scene)).collect();
    for api in &mut waiting {
        api.send(&["/system/identity/print"]);
    }
    scene.server.logged(&["leasehold.sock", "Too many open files"]);
    let held = (2..60).map(|number| (number, scene.client(number).lease().yiaddr()));
    let held: Vec<_> = held.chain([(1, first)]).collect();
    let client = scene.client(1);
    let ack = client.ask(&client.renewing(first));
    assert_eq!((ack.kind(), ack.yiaddr()), (kind::ACK, first));
    process.limit(libc::RLIMIT_NOFILE, had);
    for api in &mut waiting {
        assert_eq!(api.next(lab::PATIENCE).unwrap()[0], "!re");
    }
    scene.assert_kept(&held);
}

/// What is open could be written still, but nobody can say whether there is room for it.
#[test]
fn without_permission_for_its_state_it_promises_nothing_new() {
    let mut scene = Scene::prepared(&HOURLY);
    scene.server.start();
    let (known, late) = (scene.client(1), scene.client(2));
    let address = known.lease().yiaddr();
    let state = scene.server.state().to_owned();
    let permit = |mode| fs::set_permissions(&state, Permissions::from_mode(mode)).unwrap();
    let denied = [state.to_str().unwrap(), "Permission denied"];
    permit(0);
    assert_no_new_promise(&scene, &late);
    scene.server.logged(&denied);
    assert_remaining_time(&known, address);
    permit(0o700);
    scene.server.logged(&["lease store works again"]);
    let held = [(1, address), (2, late.lease().yiaddr())];
    scene.server.kill();
    permit(0);
    scene.server.launch();
    scene.server.logged(&denied);
    scene.server.kill();
    permit(0o700);
    scene.server.start();
    scene.assert_kept(&held);
}

/// As ext4 does when its disk fails.
#[test]
fn a_disk_that_turns_read_only() {
    if !is_real_root("a loop device") {
        return;
    }
    let mut scene = Scene::prepared(&HOURLY);
    let disk = Rc::new(Disk::ext4(&scene.lab, "disk", 64));
    scene.server.keep_state_on(&disk);
    scene.server.start();
    let known = scene.client(1);
    let address = known.lease().yiaddr();
    disk.turn_read_only();
    assert_no_new_promise(&scene, &scene.client(2));
    scene.server.logged(&[scene.server.state().to_str().unwrap(), "Read-only file system"]);
    assert_remaining_time(&known, address);
    scene.server.assert_alive();
    // What sled panics about behind its fence is a line of the log.
    let log = scene.server.process().output().text();
    assert!(log.lines().all(|line| !line.starts_with("thread ")), "{log}");
}
