//! What a client was promised is there after the server was killed, and when its disk is full.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod lab;

use std::fs;
use std::io::Write;
use std::net::Ipv4Addr;
use std::os::unix::process::ExitStatusExt;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use lab::crowd::{Crowd, Manners, Owners, Question, converse};
use lab::disk::Disk;
use lab::namespace::is_real_root;
use lab::power::PowerDisk;
use lab::scene::CONFIGURATION;
use lab::{Client, Curtain, Envelope, Mac, Scene, code, eventually, kind};

const SERVER: Ipv4Addr = Ipv4Addr::new(10, 84, 0, 1);

/// Most new clients that come between two kills, and most that renew.
const NEWCOMERS: u32 = 5_000;
const MOST: usize = NEWCOMERS as usize;

/// How many of those who have had no ACK since the kill before are asked after each.
const SAMPLE: usize = 1_000;

/// The scenario with room for 780,000 clients, on a server that leaves those alone
/// whom it does not know: there a lost lease shows.
fn wide() -> String {
    lab::scene::wide(12, "10.84.1.0-10.95.254.255")
        .replace("lease-time = \"1d\"", "lease-time = \"1d\"\nauthoritative = \"no\"")
}

fn wide_scene() -> Scene {
    let scene = Scene::prepared(&wide());
    scene.server.machine().address("ether-83", "10.84.0.1/12");
    scene
}

/// A number from the environment, so that a long run needs no other program.
fn setting(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).map_or(otherwise, |text| text.parse().unwrap())
}

/// New clients come, known ones renew, some leave, until `go_on` says no; every ACK is noted.
fn load(scene: &Scene, owners: &mut Owners, newcomers: u32, go_on: &dyn Fn() -> bool) {
    let mut known: Vec<_> = owners.iter().collect();
    fastrand::Rng::with_seed(newcomers.into()).shuffle(&mut known);
    known.truncate(MOST);
    let renewing = Crowd::of(&scene.tap, known.iter().map(|(_, mac)| *mac));
    let coming = Crowd::new(&scene.tap, newcomers, NEWCOMERS);
    let mut renewals = renewing.clients.iter().zip(&known);
    for (client, (address, _)) in renewals.by_ref().take(5) {
        // Whether the release arrives is unknown, so the address belongs to nobody from now on.
        owners.released(*address);
        client.broadcast(&client.release(*address, SERVER));
    }
    let mut speakers = Vec::new();
    let mut questions = Vec::new();
    for newcomer in &coming.clients {
        if let Some((client, (address, _))) = renewals.next() {
            let envelope = Envelope::unicast(client.mac(), *address, scene.server_mac, SERVER);
            questions.push(Question { envelope, message: client.renewing(*address) });
            speakers.push(client);
        }
        questions.push(Question::broadcast(newcomer, newcomer.discover()));
        speakers.push(newcomer);
    }
    let manners = Manners { go_on, ..Manners::default() };
    converse(&scene.tap, questions, manners, |number, reply| {
        let client = speakers[number];
        match reply.kind() {
            kind::OFFER => Some(Question::broadcast(client, client.selecting(reply))),
            kind::ACK => {
                owners.acknowledged(reply);
                None
            }
            _ => {
                assert!(!owners.knows(client.mac()), "a known client was refused: {reply:?}");
                Some(Question::broadcast(client, client.discover()))
            }
        }
    });
}

/// Nobody else gets what was promised, and every client comes back with it. The server is not
/// authoritative: to a client whose lease it has lost it would say nothing.
fn assert_kept(scene: &Scene, owners: impl IntoIterator<Item = (Ipv4Addr, Mac)>, stranger: u32) {
    let (held, macs): (Vec<Ipv4Addr>, Vec<_>) = owners.into_iter().unzip();
    let thief = Client::new(&scene.tap, stranger);
    for address in held.iter().step_by(held.len().div_ceil(50).max(1)) {
        let offer = thief.ask(&thief.discover().option_address(code::REQUESTED, *address));
        assert_ne!(offer.yiaddr(), *address, "offered although it is held");
    }
    let crowd = Crowd::of(&scene.tap, macs.into_iter());
    for (answer, address) in crowd.reboot(&held).iter().zip(&held) {
        let answer = answer.as_ref().unwrap_or_else(|| panic!("the lease of {address} is lost"));
        assert_eq!((answer.kind(), answer.yiaddr()), (kind::ACK, *address), "{answer:?}");
    }
}

/// SIGKILL at random moments under load. Rounds by `LEASEHOLD_ROUNDS`, seed by `LEASEHOLD_SEED`.
#[test]
fn dur_01_every_ack_survives_sigkill() {
    let rounds = setting("LEASEHOLD_ROUNDS", 8);
    let seed = setting("LEASEHOLD_SEED", 83);
    let mut random = fastrand::Rng::with_seed(seed);
    let mut scene = wide_scene();
    let mut owners = Owners::default();
    for round in 0..u32::try_from(rounds).unwrap() {
        scene.server.start();
        assert_kept(&scene, owners.sample(SAMPLE), 2_000_000 + round);
        let delay = Duration::from_micros(random.u64(1_000..400_000));
        let id = scene.server.process().id().cast_signed();
        let alive = AtomicBool::new(true);
        thread::scope(|scope| {
            scope.spawn(|| {
                thread::sleep(delay);
                // SAFETY: no memory is passed; the daemon is not yet reaped, so the id is its own.
                unsafe { libc::kill(id, libc::SIGKILL) };
                alive.store(false, Ordering::Release);
            });
            load(&scene, &mut owners, 1 + round * NEWCOMERS, &|| alive.load(Ordering::Acquire));
        });
        scene.server.kill();
        println!("round {round}: killed after {delay:?}, {} leases promised", owners.count());
        if random.bool() {
            // Killed once more while it starts.
            scene.server.launch();
            thread::sleep(Duration::from_micros(random.u64(0..60_000)));
            scene.server.kill();
        }
    }
    scene.server.start();
    assert_kept(&scene, owners.iter(), 3_000_000);
    assert!(owners.seen() > 50, "the load was no load: {}", owners.seen());
    println!("seed {seed}: {rounds} kills, {} ACKs, {} leases kept", owners.seen(), owners.count());
}

/// Power cuts at random moments under load. Rounds by `LEASEHOLD_CUTS`.
#[test]
fn dur_01_every_ack_survives_a_power_cut() {
    if !is_real_root("a loop device") {
        return;
    }
    let cuts = u32::try_from(setting("LEASEHOLD_CUTS", 4)).unwrap();
    let seed = setting("LEASEHOLD_SEED", 83);
    let mut random = fastrand::Rng::with_seed(seed);
    let mut scene = wide_scene();
    let mut owners = Owners::default();
    let mut content = PowerDisk::formatted(&scene.lab, 64);
    for round in 0..=cuts {
        let power = PowerDisk::mount(&scene.lab, &format!("disk{round}"), content);
        scene.server.keep_state_on(&power.disk);
        scene.server.start();
        assert_kept(&scene, owners.sample(SAMPLE), 2_000_000 + round);
        if round == cuts {
            assert_kept(&scene, owners.iter(), 3_000_000);
            break;
        }
        let delay = Duration::from_micros(random.u64(1_000..400_000));
        let running = AtomicBool::new(true);
        let plug = power.plug();
        content = thread::scope(|scope| {
            let (running, random) = (&running, &mut random);
            let cutting = scope.spawn(move || {
                thread::sleep(delay);
                let content = plug.pull(random);
                // What is acknowledged from now on must have been flushed before.
                thread::sleep(Duration::from_millis(50));
                running.store(false, Ordering::Release);
                content
            });
            load(&scene, &mut owners, 1 + round * NEWCOMERS, &|| running.load(Ordering::Acquire));
            cutting.join().unwrap()
        });
        scene.server.kill();
        println!("round {round}: cut after {delay:?}, {} leases promised", owners.count());
    }
    assert!(owners.seen() > 20, "the load was no load: {}", owners.seen());
    println!("seed {seed}: {cuts} cuts, {} ACKs, {} leases kept", owners.seen(), owners.count());
}

/// An allocation that fails ends the process where it is, which is one more way to be killed.
#[test]
fn dur_01_every_ack_survives_the_end_of_memory() {
    let mut scene = wide_scene();
    scene.server.start();
    let mut owners = Owners::default();
    load(&scene, &mut owners, 1, &|| true);
    let id = scene.server.process().id();
    // KiB that it may write to; nothing once it has ended.
    let memory = || {
        let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmData:"));
        line.map(|line| line.trim().trim_end_matches(" kB").parse::<u64>().unwrap())
    };
    scene.server.process().limit(libc::RLIMIT_DATA, (memory().unwrap() + 1024) << 10);
    for round in 1..20 {
        load(&scene, &mut owners, 1 + round * NEWCOMERS, &|| memory().is_some());
        if memory().is_none() {
            break;
        }
    }
    // Its line is written in pieces, and lines of the log may come in between.
    scene.server.logged(&["memory allocation of "]);
    assert_eq!(scene.server.end().signal(), Some(libc::SIGABRT));
    scene.server.start();
    assert_kept(&scene, owners.iter(), 3_000_000);
    println!("{} ACKs, {} leases kept", owners.seen(), owners.count());
}

/// The configuration is read anew while exchanges are under way: nothing is lost, nobody is
/// refused.
#[test]
fn dur_05_reload_with_open_transactions() {
    let mut scene = wide_scene();
    scene.server.start();
    let id = scene.server.process().id().cast_signed();
    let curtain = Curtain::default();
    let acks = thread::scope(|scope| {
        scope.spawn(|| {
            while curtain.is_up() {
                // SAFETY: no memory is passed; the daemon is not reaped before the test ends.
                unsafe { libc::kill(id, libc::SIGHUP) };
                thread::sleep(Duration::from_millis(20));
            }
        });
        let _fall = curtain.falls_with_scope();
        let mut crowd = Crowd::new(&scene.tap, 1, 1000);
        (crowd.manners.tries, crowd.manners.repeat) = (2, lab::PATIENCE);
        crowd.lease()
    });
    let mut owners = Owners::default();
    for ack in &acks {
        owners.acknowledged(ack.as_ref().expect("an ACK for each client"));
    }
    scene.server.assert_alive();
    assert_kept(&scene, owners.iter(), 1_000_000);
}

#[test]
fn sel_18_the_last_ack_before_the_kill() {
    let mut scene = Scene::new();
    for number in 1..=8 {
        let address = scene.client(number).lease().yiaddr();
        scene.server.kill();
        scene.server.start();
        scene.assert_kept(&[(number, address)]);
    }
}

#[test]
fn sel_17_dur_02_a_full_disk_and_room_again() {
    if !is_real_root("a loop device") {
        return;
    }
    let mut scene = Scene::prepared(&CONFIGURATION.replace("\"1d\"", "\"1h\""));
    let disk = Rc::new(Disk::ext4(&scene.lab, "disk", 24));
    scene.server.keep_state_on(&disk);
    scene.server.start();
    let known = Client::new(&scene.tap, 1);
    let address = known.lease().yiaddr();
    let promised = std::time::Instant::now();

    disk.fill();
    // The server may still have room inside its own files: clients come until it says no.
    let mut number = 100;
    eventually("silence for new clients", || {
        number += 1;
        let client = scene.client(number);
        let discover = client.discover();
        client.broadcast(&discover);
        let patience = Duration::from_secs(2);
        let Some(offer) = scene.tap.hear(patience, |reply| reply.answers(&discover)) else {
            return true;
        };
        let request = client.selecting(&offer).with(|request| request.xid ^= 0x5555_5555);
        client.broadcast(&request);
        scene.tap.hear(patience, |reply| reply.answers(&request)).is_none()
    });
    scene.server.logged(&["lease store failed"]);
    // A renewal gets what is already durable and no second more.
    let passed = u32::try_from(promised.elapsed().as_secs()).unwrap();
    let ack = known.ask(&known.renewing(address));
    assert_eq!((ack.kind(), ack.yiaddr()), (kind::ACK, address));
    let left = ack.number(code::LEASE_TIME).unwrap();
    assert!(left <= 3600 - passed + 1, "{left} s promised, {passed} s after a promise of 3600 s");
    scene.server.assert_alive();

    disk.empty();
    scene.server.logged(&["lease store works again"]);
    let late = scene.client(99);
    let promised = late.lease().yiaddr();
    let ack = known.ask(&known.renewing(address));
    assert_eq!(ack.number(code::LEASE_TIME), Some(3600));
    scene.server.kill();
    scene.server.start();
    scene.assert_kept(&[(1, address), (99, promised)]);
}

/// The store is gone, its clients are not: they are adopted, and keep their addresses.
#[test]
fn a_lost_store_darkens_nobody() {
    let mut scene = Scene::new();
    let crowd = Crowd::new(&scene.tap, 1, 20);
    let held: Vec<_> = crowd.lease().into_iter().map(|ack| ack.unwrap().yiaddr()).collect();
    scene.server.kill();
    for entry in fs::read_dir(scene.server.state()).unwrap().flatten() {
        let removed = fs::remove_dir_all(entry.path()).or_else(|_| fs::remove_file(entry.path()));
        removed.unwrap();
    }
    scene.server.start();
    let crowd = Crowd::new(&scene.tap, 1, 20);
    for (answer, address) in crowd.reboot(&held).into_iter().zip(&held) {
        let answer = answer.unwrap();
        assert_eq!((answer.kind(), answer.yiaddr()), (kind::ACK, *address));
    }
}

/// The directory goes while the server runs. What it writes into the old files is on no disk any
/// more, so it has to write all of it anew before the next promise.
#[test]
fn a_directory_that_vanishes_is_no_promise() {
    let mut scene = Scene::new();
    let first = scene.client(1).lease().yiaddr();
    fs::remove_dir_all(scene.server.state()).unwrap();
    let second = scene.client(2).lease().yiaddr();
    scene.server.assert_alive();
    scene.server.kill();
    scene.server.start();
    scene.assert_kept(&[(1, first), (2, second)]);
}

/// The state directory is not there at the start: it is made, or the daemon says what is wrong.
#[test]
fn a_missing_state_directory() {
    let mut scene = Scene::prepared(CONFIGURATION);
    fs::remove_dir(scene.server.state()).unwrap();
    scene.server.start();
    let address = scene.client(1).lease().yiaddr();
    scene.server.kill();
    scene.server.start();
    scene.assert_kept(&[(1, address)]);
}

/// The rig itself: what was synced survives each cut, and a file that never was does not always.
#[test]
fn laboratory_a_power_cut_takes_what_was_not_synced() {
    if !is_real_root("a loop device") {
        return;
    }
    let lab = lab::Lab::new();
    let mut random = fastrand::Rng::with_seed(5);
    let mut lost = 0;
    for round in 0..4 {
        let name = format!("disk{round}");
        let power = PowerDisk::mount(&lab, &name, PowerDisk::formatted(&lab, 16));
        let mut synced = fs::File::create(power.disk.file("synced")).unwrap();
        let mut loose = fs::File::create(power.disk.file("loose")).unwrap();
        let plug = power.plug();
        let delay = Duration::from_micros(random.u64(1_000..100_000));
        let (records, content) = thread::scope(|scope| {
            let random = &mut random;
            let cutting = scope.spawn(move || {
                thread::sleep(delay);
                plug.pull(random)
            });
            let mut records = 0_u64;
            loop {
                let record = records.to_be_bytes().repeat(16);
                loose.write_all(&record).unwrap();
                if synced.write_all(&record).and_then(|()| synced.sync_data()).is_err() {
                    break;
                }
                records += 1;
            }
            (records, cutting.join().unwrap())
        });
        drop((synced, loose, power));
        let after = PowerDisk::mount(&lab, &format!("{name}-after"), content);
        let kept = fs::read(after.disk.file("synced")).unwrap_or_default();
        for number in 0..records {
            let at = usize::try_from(number).unwrap() * 128;
            let record = kept.get(at..at + 128);
            assert_eq!(record, Some(&number.to_be_bytes().repeat(16)[..]), "{number} of {records}");
        }
        let loose = fs::read(after.disk.file("loose")).unwrap_or_default();
        lost += u32::from(loose.len() < usize::try_from(records).unwrap() * 128);
        println!("{records} records synced, {} octets of the other file", loose.len());
    }
    assert!(lost > 0, "the cache was never lost");
}
