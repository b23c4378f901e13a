//! Monitoring: what is scraped, health, and that documents name metrics that exist.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod lab;

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use lab::disk::Disk;
use lab::namespace::is_real_root;
use lab::scene::{CONFIGURATION, SERVER};
use lab::{Api, Scene, eventually};

/// Status and body of a request on the server's machine; nothing if nobody listens.
fn get(scene: &Scene, method: &str, path: &str) -> Option<(u16, String)> {
    scene.server.machine().inside(|| {
        let mut stream = TcpStream::connect("127.0.0.1:9547").ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let request = format!("{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        Some((head.split(' ').nth(1)?.parse().unwrap(), body.to_owned()))
    })
}

/// The value of a sample by its name and labels.
fn sample(page: &str, name: &str) -> u64 {
    let line = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {name} in {page}")).parse().unwrap()
}

/// All names of metrics in a text.
fn names(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| word.starts_with("leasehold_")).map(str::to_owned).collect()
}

#[test]
fn what_is_scraped_is_true_and_all_that_documents_name_exists() {
    let scene = Scene::with(CONFIGURATION);
    assert_eq!(get(&scene, "GET", "/metrics"), None, "off until it is switched on");
    let mut api = Api::connect(&scene);
    api.done(&["/system/metrics/set", "=disabled=no"]);
    eventually("metrics are told", || get(&scene, "GET", "/healthz").is_some());
    assert_eq!(get(&scene, "GET", "/healthz"), Some((200, "ok\n".into())));
    let address = scene.client(7).lease().yiaddr();
    let (status, page) = get(&scene, "GET", "/metrics").unwrap();
    assert_eq!(status, 200);
    assert_eq!(sample(&page, "leasehold_pool_total{pool=\"isp-pool\"}"), 245);
    assert_eq!(sample(&page, "leasehold_pool_used{pool=\"isp-pool\"}"), 1);
    for (state, count) in [("bound", 1), ("offered", 0), ("declined", 0), ("ended", 0)] {
        assert_eq!(sample(&page, &format!("leasehold_leases{{state=\"{state}\"}}")), count);
    }
    assert_eq!(sample(&page, "leasehold_messages_received_total{kind=\"discover\"}"), 1);
    assert_eq!(sample(&page, "leasehold_events_total{event=\"assigned\"}"), 1);
    assert!(sample(&page, "leasehold_datagrams_total{what=\"sent\"}") >= 2);
    assert_eq!(sample(&page, "leasehold_store_works"), 1);
    assert!(sample(&page, "leasehold_commit_seconds_count") >= 1);
    assert!(sample(&page, "leasehold_store_bytes") > 0);
    let client = scene.client(7);
    client.broadcast(&client.release(address, SERVER));
    scene.client(8).ask(&scene.client(8).discover());
    let states = || get(&scene, "GET", "/metrics").unwrap().1;
    eventually("the lease has ended", || {
        let page = states();
        ["bound", "offered", "ended"]
            .map(|state| sample(&page, &format!("leasehold_leases{{state=\"{state}\"}}")))
            == [0, 1, 1]
    });
    assert_eq!(get(&scene, "GET", "/").unwrap().0, 404);
    assert_eq!(get(&scene, "POST", "/metrics").unwrap().0, 405);

    let exist = names(&page);
    for document in ["monitoring.md", "prometheus-alerts.yml", "grafana-dashboard.json"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(document);
        let named = names(&fs::read_to_string(path).unwrap());
        assert!(named.len() >= 6, "{document} names {named:?}");
        let none: Vec<_> = named.difference(&exist).collect();
        assert!(none.is_empty(), "{document} names {none:?}, which do not exist");
    }
    api.done(&["/system/metrics/set", "=disabled=yes"]);
    eventually("nobody listens", || get(&scene, "GET", "/healthz").is_none());
}

#[test]
fn keepalived_sends_no_clients_to_a_server_that_cannot_store_their_leases() {
    if !is_real_root("a loop device") {
        return;
    }
    let configuration = format!("{CONFIGURATION}\n[system-metrics]\ndisabled = \"no\"\n");
    let mut scene = Scene::prepared(&configuration);
    let disk = Rc::new(Disk::ext4(&scene.lab, "disk", 24));
    scene.server.keep_state_on(&disk);
    scene.server.start();
    eventually("it is asked for", || get(&scene, "GET", "/healthz").is_some());
    assert_eq!(get(&scene, "GET", "/healthz"), Some((200, "ok\n".into())));
    disk.fill();
    // The store may still have room inside its own files.
    let mut number = 100;
    eventually("it is ill", || {
        number += 1;
        let client = scene.client(number);
        let discover = client.discover();
        client.broadcast(&discover);
        let patience = Duration::from_millis(500);
        if let Some(offer) = scene.tap.hear(patience, |reply| reply.answers(&discover)) {
            client.broadcast(&client.selecting(&offer));
        }
        get(&scene, "GET", "/healthz").unwrap().0 == 503
    });
    let (_, why) = get(&scene, "GET", "/healthz").unwrap();
    assert_eq!(why, "the lease store fails: no new leases are given out\n");
    let page = get(&scene, "GET", "/metrics").unwrap().1;
    assert_eq!(sample(&page, "leasehold_store_works"), 0);
    disk.empty();
    eventually("it is well again", || get(&scene, "GET", "/healthz").unwrap().0 == 200);
    scene.assert_serving();
}
