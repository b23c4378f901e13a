//! What the running daemon may still do: every thread has the filter, few capabilities, its user.
//!
//! That the filter lists enough is shown by all tests: they run daemons that die by a call that is
//! not listed.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod lab;

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use lab::namespace::is_real_root;
use lab::scene::CONFIGURATION;
use lab::{Scene, kind};

/// CAP_NET_BIND_SERVICE, CAP_NET_ADMIN, CAP_NET_RAW.
const CAPABILITIES: &str = "0000000000003400";

/// A field of `/proc/PID/task/TID/status` in every thread.
fn in_every_thread(scene: &Scene, field: &str) -> Vec<String> {
    let tasks = format!("/proc/{}/task", scene.server.process().id());
    let mut values: Vec<String> = fs::read_dir(tasks)
        .unwrap()
        .map(|task| fs::read_to_string(task.unwrap().path().join("status")).unwrap())
        .map(|status| {
            let mut lines = status.lines().filter_map(|line| line.split_once(':'));
            lines.find(|(name, _)| *name == field).unwrap().1.trim().to_owned()
        })
        .collect();
    values.sort();
    values.dedup();
    values
}

#[test]
fn every_thread_is_confined() {
    let mut scene = Scene::prepared(CONFIGURATION);
    scene.server.environment.push(("LEASEHOLD_LOG", "debug".into()));
    scene.server.start();
    assert!(scene.client(1).lease().is(kind::ACK));
    assert_eq!(in_every_thread(&scene, "Seccomp"), ["2"], "a filter");
    assert_eq!(in_every_thread(&scene, "NoNewPrivs"), ["1"]);
    assert_eq!(in_every_thread(&scene, "CapEff"), [CAPABILITIES]);
    assert_eq!(in_every_thread(&scene, "CapPrm"), [CAPABILITIES]);
    assert_eq!(in_every_thread(&scene, "CapBnd"), [CAPABILITIES]);
    assert_eq!(in_every_thread(&scene, "Umask"), ["0027"]);
    scene.server.logged(&["Landlock"]);
    // Nothing that it has written is for everybody.
    assert_private(scene.server.state());
}

#[test]
fn started_as_root_it_becomes_its_user() {
    if !is_real_root("a change of the user") {
        return;
    }
    let mut scene = Scene::prepared(CONFIGURATION);
    // The laboratory is root's alone.
    let laboratory = scene.server.state().parent().unwrap().to_owned();
    for (place, mode) in [(laboratory.clone(), 0o755), (laboratory.join("server.notify"), 0o777)] {
        fs::set_permissions(place, fs::Permissions::from_mode(mode)).unwrap();
    }
    scene.server.environment.push(("LEASEHOLD_USER", "nobody".into()));
    scene.server.start();
    let address = scene.client(1).lease().yiaddr();
    let uid = in_every_thread(&scene, "Uid");
    let nobody = fs::metadata(scene.server.state()).unwrap().uid();
    assert_ne!(nobody, 0);
    assert_eq!(uid, [format!("{nobody}\t{nobody}\t{nobody}\t{nobody}")]);
    assert_eq!(in_every_thread(&scene, "CapEff"), [CAPABILITIES]);
    // What it has written it reads again.
    assert!(scene.server.terminate().success());
    scene.server.start();
    let client = scene.client(1);
    assert_eq!(client.ask(&client.init_reboot(address)).yiaddr(), address);
    assert_private(scene.server.state());
}

fn assert_private(place: &Path) {
    for entry in fs::read_dir(place).unwrap() {
        let entry = entry.unwrap();
        let meta = entry.metadata().unwrap();
        assert_eq!(meta.permissions().mode() & 0o007, 0, "{}", entry.path().display());
        if meta.is_dir() {
            assert_private(&entry.path());
        }
    }
}
