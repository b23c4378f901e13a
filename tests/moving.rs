//! Moving house: a router's configuration and leases come here, and go back, and no client notices.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod lab;

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::process::Output;
use std::sync::{Arc, Mutex};

use lab::scene::{CONFIGURATION, SERVER};
use lab::{Scene, kind};

fn run(scene: &Scene, words: &[&str]) -> Output {
    let mut command = scene.server.machine().command(env!("CARGO_BIN_EXE_leasehold"));
    command.env("LEASEHOLD_SOCKET", scene.server.state().join("leasehold.sock"));
    command.env("LEASEHOLD_PASSWORD", "secret word").args(words).output().unwrap()
}

fn done(scene: &Scene, words: &[&str]) -> (String, String) {
    let output = run(scene, words);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{words:?}: {said}");
    (String::from_utf8(output.stdout).unwrap(), said)
}

/// What a router prints of client `number`'s lease, wrapped as on a narrow terminal.
fn row(scene: &Scene, number: u32, address: &str, left: &str) -> String {
    let mac = scene.client(number).mac().to_string().to_uppercase();
    format!(
        " {number} D address={address} mac-address={mac} address-lists=\"\" \r\n     \
         server=defconf dhcp-option=\"\" status=bound expires-after={left} last-seen=1m5s \r\n     \
         active-address={address} active-mac-address={mac} active-server=defconf \r\n     \
         host-name=\"client {number}\" \r\n\r\n"
    )
}

fn table(scene: &Scene) -> String {
    let mut table = "[admin@r1] > /ip dhcp-server lease print detail\r\n\
        Flags: X - disabled, R - radius, D - dynamic, B - blocked \r\n"
        .to_owned();
    table += " 0   ;;; the printer\r\n     address=67.9.97.8 mac-address=02:00:00:00:00:99 \
              server=defconf status=bound\r\n\r\n";
    table += &row(scene, 1, "67.9.97.111", "8h");
    table += &row(scene, 2, "67.9.97.112", "5m");
    // Beyond every pool, and in use by somebody else.
    table += &row(scene, 3, "10.0.0.3", "5m");
    table += &row(scene, 4, "67.9.97.254", "5m");
    table
}

/// Client 1, which never spoke to this server, renews as if nothing had happened.
fn assert_renews(scene: &Scene, address: Ipv4Addr) {
    let client = scene.client(1);
    let ack = client.ask_server(&client.renewing(address), scene.server_mac, SERVER);
    assert_eq!((ack.kind(), ack.yiaddr()), (kind::ACK, address));
}

#[test]
fn the_leases_of_a_router_go_on_in_the_running_server() {
    let mut scene = Scene::new();
    assert_eq!(scene.client(9).lease().yiaddr(), Ipv4Addr::new(67, 9, 97, 254));
    let file = scene.lab.write("table.txt", &table(&scene));
    let words =
        ["import", "--leases", file.to_str().unwrap(), "--map-server", "defconf=dhcp-server-83"];
    let count = |scene: &Scene| {
        scene
            .server
            .ask("/ip dhcp-server lease print count-only where dynamic=yes")
            .trim()
            .to_owned()
    };
    let (_, said) = done(&scene, &[&words[..], &["--dry-run"]].concat());
    assert!(said.contains("2 lease(s) taken over") && said.contains("dry run"), "{said}");
    assert_eq!(count(&scene), "1");
    let (_, said) = done(&scene, &words);
    assert!(said.contains("2 lease(s) taken over"), "{said}");
    assert!(said.contains("1 static ones"), "{said}");
    assert!(said.contains("10.0.0.3 of") && said.contains("no pool here"), "{said}");
    assert!(said.contains("67.9.97.254 of") && said.contains("has the address here"), "{said}");
    let shown = scene.server.ask("/ip dhcp-server lease print detail where address=67.9.97.111");
    assert!(shown.contains("status=bound") && shown.contains("expires-after=7h59m"), "{shown}");
    assert!(shown.contains("host-name=\"client-1\""), "{shown}");
    // Again: nothing new.
    let (_, said) = done(&scene, &words);
    assert!(said.contains("0 lease(s) taken over"), "{said}");
    // Durable, and the client notices nothing.
    scene.server.kill();
    scene.server.start();
    assert_renews(&scene, Ipv4Addr::new(67, 9, 97, 111));
}

#[test]
fn the_leases_of_a_router_go_into_a_store_that_is_not_running() {
    let mut scene = Scene::prepared(CONFIGURATION);
    let file = scene.lab.write("table.txt", &table(&scene));
    let (state, config) = (scene.server.state().to_owned(), scene.lab.file("server.toml"));
    let words = [
        "import",
        "--leases",
        file.to_str().unwrap(),
        "--map-server",
        "defconf=dhcp-server-83",
        "--state",
        state.to_str().unwrap(),
        "--config",
        config.to_str().unwrap(),
    ];
    let (_, said) = done(&scene, &words);
    assert!(said.contains("3 lease(s) taken over"), "{said}");
    scene.server.start();
    let shown = scene.server.ask("/ip dhcp-server lease print count-only where dynamic=yes");
    assert_eq!(shown.trim(), "3");
    // The store of a running server is its own.
    let output = run(&scene, &words);
    assert!(!output.status.success());
}

/// A router's REST, as far as a move asks it: paths and what they say.
fn router(scene: &Scene, answers: Vec<(&'static str, String)>) -> (u16, Arc<Mutex<Vec<String>>>) {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let told = heard.clone();
    let listener = scene.server.machine().inside(|| TcpListener::bind("127.0.0.1:0").unwrap());
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
            let request: Vec<String> =
                lines.by_ref().map_while(Result::ok).take_while(|line| !line.is_empty()).collect();
            let path = request[0].split(' ').nth(1).unwrap().to_owned();
            let known = request.iter().any(|line| {
                line.eq_ignore_ascii_case("authorization: Basic YWRtaW46c2VjcmV0IHdvcmQ=")
            });
            let found = answers.iter().find(|(known, _)| path == format!("/rest{known}"));
            let (status, body) = match (known, found) {
                (false, _) => ("401 Unauthorized", "{\"error\":401}".to_owned()),
                (true, Some((_, body))) => ("200 OK", body.clone()),
                (true, None) => ("400 Bad Request", "{\"error\":400}".to_owned()),
            };
            told.lock().unwrap().push(path);
            let _ = write!(
                stream,
                "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
                 Connection: close\r\n\r\n{body}",
                body.len()
            );
        }
    });
    (port, heard)
}

fn rest(scene: &Scene) -> Vec<(&'static str, String)> {
    let mac = scene.client(1).mac().to_string().to_uppercase();
    vec![
        (
            "/ip/pool",
            r#"[{".id":"*1","name":"lan","ranges":"67.9.97.10-67.9.97.200","total":"191",
                "used":"1","available":"190"}]"#
                .into(),
        ),
        (
            "/ip/dhcp-server",
            r#"[{".id":"*1","name":"defconf","interface":"bridge","address-pool":"lan",
                "lease-time":"10m","lease-script":"","address-lists":"","use-radius":"no",
                "disabled":"false","dynamic":"false","invalid":"false","brand-new":"x"}]"#
                .into(),
        ),
        (
            "/ip/dhcp-server/network",
            r#"[{".id":"*1","address":"67.9.97.0/24","gateway":"67.9.97.1",
                "dns-server":"8.8.8.8,1.1.1.1","dynamic":"false"}]"#
                .into(),
        ),
        (
            "/ip/dhcp-server/lease",
            format!(
                r#"[{{".id":"*2","address":"67.9.97.150","mac-address":"{mac}","server":"defconf",
                "status":"bound","expires-after":"9m","dynamic":"true","host-name":"laptop",
                "active-address":"67.9.97.150","active-mac-address":"{mac}",
                "active-server":"defconf","disabled":"false","blocked":"false"}},
                {{".id":"*3","address":"67.9.97.9","mac-address":"02:1E:FF:FF:FF:FE",
                "comment":"tower 3","dynamic":"false","disabled":"false","status":"waiting"}}]"#
            ),
        ),
    ]
}

#[test]
fn a_live_router_is_fetched_into_the_running_server() {
    let scene = Scene::with("");
    let (port, heard) = router(&scene, rest(&scene));
    let url = format!("http://127.0.0.1:{port}");
    let words = ["import", "--from", &url, "--user", "admin", "--map", "bridge=ether-83"];
    let (_, said) = done(&scene, &[&words[..], &["--dry-run"]].concat());
    assert!(said.contains("dry run: nothing was changed"), "{said}");
    assert_eq!(scene.server.ask("/ip pool print count-only").trim(), "0");
    let (_, said) = done(&scene, &words);
    assert!(said.contains("/ip/pool: 1 row(s) taken"), "{said}");
    assert!(said.contains("/ip/dhcp-server: brand-new of 1 row(s) is left out"), "{said}");
    assert!(said.contains("/ip/dhcp-server/matcher: the router has no such menu"), "{said}");
    assert!(said.contains("1 lease(s) taken over"), "{said}");
    let export = scene.server.ask("/ip dhcp-server export");
    assert!(export.contains("interface=ether-83") && export.contains("tower 3"), "{export}");
    assert_renews(&scene, Ipv4Addr::new(67, 9, 97, 150));
    assert!(heard.lock().unwrap().len() > 4);
    // A second time everything is there already: nothing is changed, and it says why.
    let output = run(&scene, &words);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && said.contains("pool with such name exists"), "{said}");
}

#[test]
fn our_own_rest_is_as_good_as_a_router_s() {
    let scene = Scene::new();
    let address = scene.client(1).lease().yiaddr();
    scene.server.ask("/user add name=admin group=full password=\"secret word\"");
    scene.server.ask("/ip service set www port=8080 disabled=no");
    let (toml, state) = (scene.lab.file("there.toml"), scene.lab.file("there.state"));
    let (toml_path, state_path) = (toml.to_str().unwrap(), state.to_str().unwrap());
    let from = ["import", "--from", "http://127.0.0.1:8080", "--user", "admin"];
    let to = ["--output", toml_path, "--config", toml_path, "--state", state_path];
    let (_, said) = done(&scene, &[&from[..], &to[..]].concat());
    assert!(said.contains("1 lease(s) taken over"), "{said}");
    let there = std::fs::read_to_string(&toml).unwrap();
    assert!(there.contains("dhcp-server-83") && there.contains("the witness"), "{there}");
    // The leases alone, a second time: they are there.
    let to = ["--leases-only", "--config", toml_path, "--state", state_path];
    let (_, said) = done(&scene, &[&from[..], &to[..]].concat());
    assert!(said.contains("0 lease(s) taken over"), "{said}");
    assert!(!said.contains(&format!("{address} of")), "{said}");
}

#[test]
fn a_wrong_password_and_a_silent_router_are_told() {
    let scene = Scene::with("");
    let (port, _) = router(&scene, rest(&scene));
    let url = format!("http://127.0.0.1:{port}");
    let said = |words: &[&str]| {
        let output = run(&scene, words);
        assert_eq!(output.status.code(), Some(1));
        String::from_utf8(output.stderr).unwrap()
    };
    let why = said(&["import", "--from", &url, "--user", "mallory"]);
    assert!(why.contains("does not know this user and password"), "{why}");
    let why = said(&["import", "--from", "http://127.0.0.1:9", "--user", "admin"]);
    assert!(why.contains("http://127.0.0.1:9/rest/"), "{why}");
}

#[test]
fn the_way_back_has_configuration_and_live_leases() {
    let scene = Scene::new();
    let lease = scene.client(1).lease();
    let config = scene.lab.file("server.toml");
    let config = config.to_str().unwrap();
    let (script, _) = done(&scene, &["export", "--to-router", "--config", config]);
    assert!(script.starts_with("# ") && script.contains(" by RouterOS 7."), "{script}");
    assert!(script.contains("add name=isp-pool ranges=67.9.97.10-67.9.97.254"), "{script}");
    let mac = scene.client(1).mac().to_string().to_uppercase();
    let line = script.lines().find(|line| line.contains(&mac)).unwrap();
    assert!(line.starts_with(&format!("add address={} ", lease.yiaddr())), "{line}");
    assert!(
        line.contains("server=dhcp-server-83") && line.contains("moved from leasehold"),
        "{line}"
    );
    let words = ["export", "--to-router", "--leases-only", "--config", config];
    let (leases, _) = done(&scene, &words);
    assert!(leases.contains(&mac) && !leases.contains("/ip pool"), "{leases}");
    // It can be read: here it makes the same servers, with static leases.
    let rsc = scene.lab.write("back.rsc", &script);
    let (toml, _) = done(&scene, &["import", rsc.to_str().unwrap()]);
    assert!(toml.contains("dhcp-server-83") && toml.contains(&mac), "{toml}");
    let (relays, _) = done(&scene, &["export", "--relay", "10.0.0.2", "--config", config]);
    assert!(
        relays.contains(
            "add name=relay-dhcp-server-83 interface=ether-83 dhcp-server=10.0.0.2 \
             local-address=67.9.97.1 disabled=no"
        ),
        "{relays}"
    );
}
