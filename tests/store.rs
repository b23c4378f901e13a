//! The lease store in an administrator's hands: damaged, repaired, backed up, taken elsewhere.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod lab;

use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::thread;

use lab::crowd::Crowd;
use lab::server::program;
use lab::{Curtain, Scene, kind};

fn store(state: &Path, words: &[&str]) -> Output {
    let socket = state.join("leasehold.sock");
    let mut command = Command::new(program());
    command.arg("--socket").arg(socket).arg("store").args(words).arg("--state").arg(state);
    command.output().unwrap()
}

fn done(output: &Output) -> String {
    let words = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}{}", words(&output.stdout), words(&output.stderr));
    words(&output.stdout)
}

/// A bit is flipped while the server is down. It starts, keeps what is whole, and says so; clients
/// keep what they have.
#[test]
fn a_flipped_bit_costs_nobody_the_address() {
    let mut scene = Scene::new();
    let mut crowd = Crowd::new(&scene.tap, 1, 200);
    crowd.manners.window = 4;
    let held: Vec<_> = crowd.lease().into_iter().map(|ack| ack.unwrap().yiaddr()).collect();
    let state = scene.server.state().to_owned();
    let busy = store(&state, &["verify"]);
    assert!(!busy.status.success(), "it is in use");
    scene.server.kill();
    assert!(done(&store(&state, &["verify"])).ends_with("sound\n"));
    let log = state.join("leases.sled/db");
    let mut octets = fs::read(&log).unwrap();
    let middle = octets.iter().rposition(|octet| *octet != 0).unwrap() / 2;
    octets[middle..middle + 64].fill(0xa5);
    fs::write(&log, octets).unwrap();
    let verified = store(&state, &["verify"]);
    assert!(!verified.status.success());
    let said = String::from_utf8_lossy(&verified.stdout).into_owned();
    assert!(said.contains("repair"), "{said}");
    scene.server.start();
    scene.server.logged(&["lease store was damaged and is repaired"]);
    assert!(state.join("leases.damaged-1/db").exists());
    let crowd = Crowd::new(&scene.tap, 1, 200);
    for (answer, address) in crowd.reboot(&held).into_iter().zip(&held) {
        let answer = answer.unwrap();
        assert_eq!((answer.kind(), answer.yiaddr()), (kind::ACK, *address));
    }
    assert!(scene.server.terminate().success());
    assert!(done(&store(&state, &["verify"])).ends_with("sound\n"));
}

/// Backups under load: each holds at least what was acknowledged before it, and serves.
#[test]
fn a_backup_of_the_running_server_serves_elsewhere() {
    let mut scene = Scene::new();
    let state = scene.server.state().to_owned();
    let before = Crowd::new(&scene.tap, 1, 50);
    let held: Vec<_> = before.lease().into_iter().map(|ack| ack.unwrap().yiaddr()).collect();
    let file = scene.lab.file("backup.json");
    let curtain = Curtain::default();
    thread::scope(|scope| {
        scope.spawn(|| {
            while curtain.is_up() {
                done(&store(&state, &["backup", file.to_str().unwrap()]));
            }
        });
        let _fall = curtain.falls_with_scope();
        let acks = Crowd::new(&scene.tap, 1000, 150).lease();
        assert!(acks.iter().all(Option::is_some), "a backup is in nobody's way");
    });
    use std::os::unix::fs::PermissionsExt;
    let mode = fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o077, 0, "who leased what is nobody else's business");
    scene.server.kill();
    let occupied = store(&state, &["import", file.to_str().unwrap()]);
    assert!(!occupied.status.success(), "leases are not overwritten");
    fs::remove_dir_all(&state).unwrap();
    done(&store(&state, &["import", file.to_str().unwrap()]));
    scene.server.start();
    scene.server.logged(&["probed before they are offered"]);
    let thief = scene.client(5000);
    for (number, address) in (1..).zip(&held) {
        if number % 10 == 1 {
            assert!(thief.ask(&thief.init_reboot(*address)).is(kind::NAK), "{address} is lost");
        }
        let client = scene.client(number);
        assert_eq!(client.ask(&client.init_reboot(*address)).yiaddr(), *address);
    }
}
