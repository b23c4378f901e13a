//! Commands to the running server: the file is the one truth, and clients notice nothing.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod lab;

use std::fs;
use std::net::Ipv4Addr;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::process::Output;
use std::sync::atomic::{AtomicBool, Ordering};

use lab::crowd::Crowd;
use lab::scene::{CONFIGURATION, SERVER};
use lab::{Scene, eventually, kind};

/// What a command said, and whether it was carried out.
fn said(scene: &Scene, words: &[&str]) -> Output {
    let mut command = scene.server.machine().command(env!("CARGO_BIN_EXE_leasehold"));
    command.env("LEASEHOLD_SOCKET", scene.server.state().join("leasehold.sock"));
    command.args(words).output().unwrap()
}

fn done(scene: &Scene, words: &[&str]) -> String {
    let output = said(scene, words);
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{words:?}: {error}");
    String::from_utf8(output.stdout).unwrap()
}

fn refused(scene: &Scene, words: &[&str]) -> String {
    let output = said(scene, words);
    assert_eq!(output.status.code(), Some(1), "{words:?} was carried out");
    String::from_utf8(output.stderr).unwrap().trim_end().to_owned()
}

fn file(scene: &Scene) -> PathBuf {
    scene.lab.file("server.toml")
}

fn text(scene: &Scene) -> String {
    fs::read_to_string(file(scene)).unwrap()
}

#[test]
fn a_command_is_in_the_file_before_its_answer_and_comments_stay() {
    let scene = Scene::with(&format!("# first line\n{CONFIGURATION}\n# last line\n"));
    done(&scene, &["/ip", "pool", "set", "isp-pool", "comment=for the tower"]);
    let after = text(&scene);
    assert!(after.starts_with("# first line\n"), "{after}");
    assert!(after.ends_with("# last line\n"), "{after}");
    assert!(after.contains("comment = \"for the tower\""), "{after}");
    let shown = done(&scene, &["/ip pool print detail where comment=\"for the tower\""]);
    assert!(shown.contains("name=\"isp-pool\""), "{shown}");
}

#[test]
fn ten_thousand_static_leases_come_in_one_file_and_one_set_is_one_write() {
    let mut script =
        String::from("# 2024-12-27 15:17:47 by RouterOS 7.16.2\n/ip dhcp-server lease\n");
    for n in 0..10_000u32 {
        let address = Ipv4Addr::from_bits(0x0a00_0000 + n);
        let [_, _, a, b] = n.to_be_bytes();
        script += &format!("add address={address} mac-address=02:AA:00:00:{a:02X}:{b:02X}\n");
    }
    let mut scene = Scene::prepared(CONFIGURATION);
    let rsc = scene.lab.write("leases.rsc", &script);
    let toml = scene.lab.file("leases.toml");
    let words = ["import", rsc.to_str().unwrap(), "--output", toml.to_str().unwrap()];
    done(&scene, &words);
    let leases = fs::read_to_string(toml).unwrap();
    let marked = leases.replacen("\n[[", "\n# by hand\n[[", 10);
    fs::write(file(&scene), format!("{CONFIGURATION}{marked}")).unwrap();
    scene.server.start();
    let count = done(&scene, &["/ip dhcp-server lease print count-only"]);
    assert_eq!(count.trim(), "10001");
    let (before, inode) = (text(&scene), fs::metadata(file(&scene)).unwrap().ino());
    done(&scene, &["/ip dhcp-server lease set [find address=10.0.19.136] comment=tower"]);
    let after = text(&scene);
    assert_ne!(fs::metadata(file(&scene)).unwrap().ino(), inode, "replaced as a whole");
    let new: Vec<_> = after.lines().filter(|line| line.contains("tower")).collect();
    assert_eq!(new, ["comment = \"tower\""]);
    assert_eq!(after.replacen("comment = \"tower\"\n", "", 1), before, "nothing else has changed");
}

#[test]
fn a_hand_made_change_is_never_overwritten() {
    let mut scene = Scene::new();
    let edited = text(&scene).replace("8.8.8.8", "9.9.9.9");
    fs::write(file(&scene), &edited).unwrap();
    let why = refused(&scene, &["/ip pool add name=q ranges=10.0.0.0/24"]);
    assert!(why.contains("changed by hand") && why.contains("reload"), "{why}");
    assert_eq!(text(&scene), edited);
    assert!(!done(&scene, &["/ip pool print"]).contains(" q "), "nothing was changed");
    done(&scene, &["reload"]);
    done(&scene, &["/ip pool add name=q ranges=10.0.0.0/24"]);
    assert!(text(&scene).contains("9.9.9.9") && text(&scene).contains("name = \"q\""));
    scene.server.assert_alive();
}

#[test]
fn a_file_that_is_wrong_is_refused_as_a_whole_with_every_reason() {
    let mut scene = Scene::new();
    let good = text(&scene);
    // A half-saved file.
    fs::write(file(&scene), &good[..good.len() / 2]).unwrap();
    let why = refused(&scene, &["reload"]);
    assert!(why.contains("server.toml"), "{why}");
    // Two mistakes.
    let typos =
        good.replace("ranges", "rangs").replace("lease-time = \"1d\"", "lease-time = \"x\"");
    fs::write(file(&scene), typos).unwrap();
    let why = refused(&scene, &["reload"]);
    assert!(why.contains("rangs") && why.contains("lease-time"), "{why}");
    scene.assert_serving();
    // The machine starts again with the broken file: the last good copy is served, loudly.
    fs::write(file(&scene), &good[..good.len() / 2]).unwrap();
    scene.server.kill();
    scene.server.start();
    scene.server.logged(&["SERVING THE LAST GOOD COPY"]);
    scene.assert_serving();
    let why = refused(&scene, &["/ip pool add name=q ranges=10.0.0.0/24"]);
    assert!(why.contains("changed by hand"), "{why}");
}

#[test]
fn ids_survive_a_restart_and_are_never_given_again() {
    let mut scene = Scene::new();
    let id = |scene: &Scene, name: &str| {
        done(scene, &[&format!(":put [/ip pool get {name} .id]")]).trim().to_owned()
    };
    done(&scene, &["/ip pool add name=a ranges=10.0.0.0/24"]);
    done(&scene, &["/ip pool add name=b ranges=10.0.1.0/24"]);
    let (a, b) = (id(&scene, "a"), id(&scene, "b"));
    assert_ne!(a, b);
    done(&scene, &["/ip pool remove b"]);
    scene.server.kill();
    scene.server.start();
    assert_eq!(id(&scene, "a"), a);
    done(&scene, &["/ip pool add name=c ranges=10.0.2.0/24"]);
    let c = id(&scene, "c");
    assert!(c != a && c != b, "{c} was given before");
}

#[test]
fn a_change_that_orphans_many_leases_has_to_be_confirmed() {
    let scene = Scene::new();
    let crowd = Crowd::new(&scene.tap, 1, 40);
    assert_eq!(crowd.lease().iter().flatten().count(), 40);
    let shrink = "/ip pool set isp-pool ranges=67.9.97.10-67.9.97.229";
    let before = text(&scene);
    let why = refused(&scene, &[shrink]);
    assert!(why.contains("25 of 40 bound leases would be orphaned"), "{why}");
    assert!(why.contains("67.9.97.2"), "it names them: {why}");
    assert_eq!(text(&scene), before);
    done(&scene, &["--confirm", shrink]);
    assert!(text(&scene).contains("67.9.97.229"));
}

/// Ranges shrink and grow, pools are swapped, servers go and come back: what is promised is kept.
#[test]
fn two_hundred_changes_under_load_lose_nothing() {
    let scene = Scene::with(&format!(
        "{CONFIGURATION}\n[[pool]]\nname = \"other\"\nranges = \"67.9.97.10-67.9.97.254\"\n"
    ));
    let crowd = Crowd::new(&scene.tap, 1, 100);
    let held: Vec<_> = crowd.lease().iter().flatten().map(|ack| ack.yiaddr()).collect();
    assert_eq!(held.len(), 100);
    let over = AtomicBool::new(false);
    let socket = scene.server.state().join("leasehold.sock");
    let machine = scene.server.machine().clone();
    let changes = [
        "/ip pool set isp-pool ranges=67.9.97.100-67.9.97.254",
        "/ip dhcp-server set dhcp-server-83 address-pool=other",
        "/ip pool set isp-pool ranges=67.9.97.10-67.9.97.254",
        "/ip dhcp-server set dhcp-server-83 address-pool=isp-pool",
    ];
    std::thread::scope(|scope| {
        let changing = scope.spawn(|| {
            for change in changes.iter().cycle().take(200) {
                let mut command = machine.command(env!("CARGO_BIN_EXE_leasehold"));
                command.env("LEASEHOLD_SOCKET", &socket).args(["--confirm", change]);
                let output = command.output().unwrap();
                assert!(output.status.success(), "{change}: {output:?}");
            }
            over.store(true, Ordering::Relaxed);
        });
        let mut rounds = 0;
        while !over.load(Ordering::Relaxed) && !changing.is_finished() {
            let renewed = crowd.renew(&held, scene.server_mac, SERVER);
            let acks = renewed.iter().flatten().filter(|reply| reply.is(kind::ACK)).count();
            assert_eq!(acks, 100, "round {rounds}");
            rounds += 1;
        }
        changing.join().unwrap();
        assert!(rounds > 3, "the load ran beside the changes");
    });
    eventually("the last change is in force", || {
        done(&scene, &["/ip dhcp-server print"]).contains("isp-pool")
    });
    let late = scene.client(500).lease();
    assert!(!held.contains(&late.yiaddr()), "no address has two owners");
}

#[test]
fn a_renamed_server_keeps_its_leases() {
    let scene = Scene::new();
    let crowd = Crowd::new(&scene.tap, 1, 40);
    let held: Vec<_> = crowd.lease().iter().flatten().map(|ack| ack.yiaddr()).collect();
    done(&scene, &["/ip dhcp-server set dhcp-server-83 name=tower"]);
    let renewed = crowd.renew(&held, scene.server_mac, SERVER);
    assert_eq!(renewed.iter().flatten().filter(|reply| reply.is(kind::ACK)).count(), 40);
    let count = done(&scene, &["/ip dhcp-server lease print count-only where server=tower"]);
    assert_eq!(count.trim(), "40");
}
