//! Other people's RouterOS clients, unmodified, against the built daemon.
//!
//! `.ci/clients` installs them outside the tree; where it could not, these tests are left out and
//! say so, and in CI that is a failure.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod lab;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use lab::{Scene, eventually};

const USER: &str = "api_user";
const PASSWORD: &str = "api_password";
const HOST: &str = "127.0.0.1";

/// Where `.ci/clients` has put them.
fn clients() -> Option<PathBuf> {
    let cache = || {
        let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
        let home = || std::env::var_os("HOME").map(|home| Path::new(&home).join(".cache"));
        cache.or_else(home).unwrap_or_default().join("leasehold/clients")
    };
    let place = std::env::var_os("LEASEHOLD_CLIENTS").map_or_else(cache, PathBuf::from);
    if place.join("stamp").exists() {
        return Some(place);
    }
    assert!(std::env::var_os("CI").is_none(), "no clients: run .ci/clients");
    eprintln!("notice: no RouterOS clients are installed (.ci/clients): left out");
    None
}

/// The how-to's machine with a user and all four services, and a lease.
fn served() -> Scene {
    let scene = Scene::new();
    scene.server.ask(&format!("/user add name={USER} group=full password={PASSWORD}"));
    scene.server.ask("/ip service set www-ssl address=0.0.0.0/0 port=443");
    for service in ["www", "api", "api-ssl"] {
        scene.server.ask(&format!("/ip service set {service} disabled=no"));
    }
    for service in ["www-ssl", "www", "api", "api-ssl"] {
        scene.server.logged(&[&format!("service {service} listens")]);
    }
    scene.client(1).lease();
    scene
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/apis").join(name)
}

/// Runs a client on the server's machine; what it prints.
fn run(scene: &Scene, mut command: Command) -> String {
    command.stdin(Stdio::null());
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let error = String::from_utf8_lossy(&output.stderr);
    let log = scene.server.process().output().text();
    assert!(output.status.success(), "{command:?}\n{said}\n{error}\nthe server:\n{log}");
    said
}

/// Runs a script with a Python of `.ci/clients`.
fn python(scene: &mut Scene, age: &str, name: &str, place: &Path) {
    let mut command = scene.server.machine().command(place.join(age).join("bin/python"));
    command.arg(script(name)).args([HOST, USER, PASSWORD]);
    assert!(run(scene, command).contains("works"));
    scene.assert_serving();
    scene.server.assert_alive();
}

#[test]
fn librouteros_of_both_ages() {
    let Some(place) = clients() else { return };
    let mut scene = served();
    for age in ["older", "newer"] {
        python(&mut scene, age, "librouteros_session.py", &place);
    }
}

#[test]
fn routeros_api() {
    let Some(place) = clients() else { return };
    python(&mut served(), "older", "routeros_api_session.py", &place);
}

#[test]
fn mktxp_exports_pools_and_leases() {
    let Some(place) = clients() else { return };
    python(&mut served(), "older", "mktxp_session.py", &place);
}

#[test]
fn napalm_ros() {
    let Some(place) = clients() else { return };
    python(&mut served(), "newer", "napalm_ros_session.py", &place);
}

#[test]
fn mikrotik_rest_mcp() {
    let Some(place) = clients() else { return };
    python(&mut served(), "newer", "mcp_session.py", &place);
}

#[test]
fn the_how_to_s_programs_as_they_are() {
    let Some(place) = clients() else { return };
    let scene = served();
    let program = |name: &str| {
        let text = std::fs::read_to_string(script(name)).unwrap();
        let filled = scene.lab.write(name, &text.replace("your_router_ip", HOST));
        let mut command = scene.server.machine().command(place.join("newer/bin/python"));
        command.arg(filled);
        run(&scene, command)
    };
    let created = program("howto_create.py");
    let expected = "IP Pool created successfully\n{'message': 'added', '.id': '*";
    assert!(created.starts_with(expected), "{created}");
    let listed = program("howto_list.py");
    assert!(listed.starts_with("IP Pools retrieved successfully\n[{"), "{listed}");
    for expected in ["'name': 'isp-pool-api'", "'next-pool': ''", "'.id': '*"] {
        assert!(listed.contains(expected), "{listed}");
    }
    let again = program("howto_create.py");
    assert!(again.starts_with("Error creating IP Pool: 400 - "), "{again}");
    assert!(again.contains("failure: pool with such name exists"), "{again}");
}

#[test]
fn ansible_changes_nothing_the_second_time() {
    let Some(place) = clients() else { return };
    let scene = served();
    let play = || {
        let newer = place.join("newer/bin");
        let mut command = scene.server.machine().command(newer.join("ansible-playbook"));
        command.env("ANSIBLE_COLLECTIONS_PATH", place.join("collections"));
        command.env("ANSIBLE_NOCOLOR", "1").env("HOME", scene.lab.file(""));
        let python = newer.join("python");
        let python = format!("ansible_python_interpreter={}", python.display());
        let variables = [format!("host={HOST}"), format!("user={USER}"), python];
        for variable in variables {
            command.arg("-e").arg(variable);
        }
        command.arg("-e").arg(format!("password={PASSWORD}")).arg(script("ansible_play.yml"));
        run(&scene, command)
    };
    let first = play();
    assert!(first.contains("failed=0") && !first.contains("changed=0 "), "{first}");
    let second = play();
    assert!(second.contains("changed=0 ") && second.contains("failed=0"), "{second}");
    let leases = scene.server.ask("/ip dhcp-server lease print");
    assert!(leases.contains("67.9.97.88"), "{leases}");
}

#[test]
fn node_routeros_and_routeros_client() {
    let Some(place) = clients() else { return };
    let mut scene = served();
    let mut command = scene.server.machine().command("node");
    command.env("NODE_PATH", place.join("node_modules"));
    command.arg(script("node_session.js")).args([HOST, USER, PASSWORD]);
    assert!(run(&scene, command).contains("work"));
    scene.server.assert_alive();
    eventually("its sessions are over", || {
        scene.server.ask("/user active print count-only").trim() == "0"
    });
}
