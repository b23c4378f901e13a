//! The user's how-to, step by step: an ISP's pool on `ether-83`, from a machine that has
//! `default-dhcp` alone to clients with addresses, and the same over REST.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod lab;

use std::io::Write;
use std::net::Ipv4Addr;
use std::process::Stdio;

use lab::{PATIENCE, Process, Rest, Scene, code, server};
use serde_json::json;

const DEFAULT: &str = r#"
[[pool]]
name = "default-dhcp"
ranges = "192.168.88.10-192.168.88.254"
"#;

const POOL: &str = "/ip pool add name=isp-pool ranges=67.9.97.10-67.9.97.254";
const SERVER: &str = "/ip dhcp-server add name=dhcp-server-83 interface=ether-83 \
                      address-pool=isp-pool lease-time=1d";
const NETWORK: &str = "/ip dhcp-server network add address=67.9.97.0/24 gateway=67.9.97.1 \
                       dns-server=8.8.8.8";

/// "Complete Configuration Commands".
const COMPLETE: &str = "/ip pool
add name=isp-pool ranges=67.9.97.10-67.9.97.254

/ip dhcp-server
add name=dhcp-server-83 interface=ether-83 address-pool=isp-pool lease-time=1d

/ip dhcp-server network
add address=67.9.97.0/24 gateway=67.9.97.1 dns-server=8.8.8.8
";

/// The highest address of the pool: they are given out downwards.
const FIRST: Ipv4Addr = Ipv4Addr::new(67, 9, 97, 254);

/// The cells of a table's rows.
fn table(text: &str) -> Vec<Vec<&str>> {
    let rows = text.lines().filter(|line| line.trim_start().starts_with(|c: char| c.is_numeric()));
    rows.map(|line| line.split_whitespace().collect()).collect()
}

/// A client gets what the how-to promises.
fn assert_serves(scene: &Scene) {
    let ack = scene.client(1).lease();
    assert_eq!(ack.yiaddr(), FIRST);
    assert_eq!(ack.address(code::MASK), Some(Ipv4Addr::new(255, 255, 255, 0)));
    assert_eq!(ack.address(code::ROUTER), Some(Ipv4Addr::new(67, 9, 97, 1)));
    assert_eq!(ack.addresses(code::DNS), [Ipv4Addr::new(8, 8, 8, 8)]);
    assert_eq!(ack.number(code::LEASE_TIME), Some(86_400));
}

/// A command that goes on until somebody has seen enough.
fn watched(scene: &Scene, line: &str) -> Process {
    let mut command = scene.server.machine().command(server::program());
    command.env("LEASEHOLD_SOCKET", scene.server.state().join("leasehold.sock")).arg(line);
    Process::start(command)
}

#[test]
fn steps_1_to_4_and_the_verification() {
    let scene = Scene::with(DEFAULT);
    let ask = |line: &str| scene.server.ask(line);
    // Step 1.
    let before = ask("/ip pool print");
    assert_eq!(table(&before)[0][..3], ["0", "default-dhcp", "192.168.88.10-192.168.88.254"]);
    // Step 2.
    assert_eq!(ask(POOL), "");
    let pools = ask("/ip pool print");
    let rows = table(&pools);
    assert_eq!(rows[0][..3], ["0", "default-dhcp", "192.168.88.10-192.168.88.254"]);
    assert_eq!(rows[1][..3], ["1", "isp-pool", "67.9.97.10-67.9.97.254"]);
    assert_eq!(rows.len(), 2, "{pools}");
    // Step 3.
    assert_eq!(ask(SERVER), "");
    let servers = ask("/ip dhcp-server print");
    let expected = ["0", "dhcp-server-83", "ether-83", "isp-pool", "1d"];
    assert_eq!(table(&servers), [expected], "{servers}");
    // Step 4.
    assert_eq!(ask(NETWORK), "");
    let networks = ask("/ip dhcp-server network print");
    assert_eq!(table(&networks), [["0", "67.9.97.0/24", "67.9.97.1", "8.8.8.8"]], "{networks}");

    // "Torch": seen while clients ask.
    let torch = watched(&scene, "/tool torch interface=ether-83");
    let client = scene.client(1);
    let seen = (0..10).find_map(|_| {
        client.broadcast(&client.discover());
        let patience = std::time::Duration::from_secs(1);
        torch.output().wait(0, patience, |line| line.contains(" 68 ") && line.contains(" 67 "))
    });
    assert!(seen.is_some(), "{}", torch.output().text());
    drop(torch);
    assert_serves(&scene);

    // "Check Assigned IP Addresses".
    let leases = ask("/ip dhcp-server lease print");
    let row = format!("{:?}", table(&leases));
    for cell in ["67.9.97.254", "dhcp-server-83", "bound"] {
        assert!(row.contains(cell), "no {cell} in\n{leases}");
    }
    assert!(leases.contains("D - DYNAMIC"), "{leases}");
    // "Ping Test", from the client and from the server.
    scene.clients.address("eth0", "67.9.97.254/24");
    scene.clients.run("ping", &["-c", "1", "-W", "5", "67.9.97.1"]);
    let mut ping = watched(&scene, "/ping 67.9.97.1");
    let (_, answer) = ping.output().wait(0, PATIENCE, |line| line.contains(" 67.9.97.1 ")).unwrap();
    assert!(answer.contains("us") || answer.contains("ms"), "{answer}");
    ping.signal(libc::SIGINT);
    ping.wait();
    assert_eq!(table(&ask("/ping 67.9.97.254 count=2")).len(), 2);
    // "DHCP Server Logs".
    let log = ask("/system logging print where topics~\"dhcp\"");
    assert!(log.contains("dhcp-server-83 assigned 67.9.97.254 for "), "{log}");
}

#[test]
fn the_complete_configuration_is_pasted_into_the_console_or_imported() {
    let scene = Scene::with(DEFAULT);
    let mut console = scene.server.machine().command(server::program());
    console.env("LEASEHOLD_SOCKET", scene.server.state().join("leasehold.sock")).arg("console");
    console.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut pasted = console.spawn().unwrap();
    let mut keys = pasted.stdin.take().unwrap();
    keys.write_all(format!("{COMPLETE}/ip pool\nprint\n/ip/dhcp-server/print").as_bytes()).unwrap();
    drop(keys);
    let output = pasted.wait_with_output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{said}");
    let rows = table(&said);
    assert_eq!(rows[1][..3], ["1", "isp-pool", "67.9.97.10-67.9.97.254"], "{said}");
    assert_eq!(rows[2], ["0", "dhcp-server-83", "ether-83", "isp-pool", "1d"], "{said}");
    assert_serves(&scene);

    let another = Scene::with(DEFAULT);
    let rest = Rest::set_up(&another, "api_user", "api_password");
    rest.post("/file/add", &json!({"name": "complete.rsc", "contents": COMPLETE}).to_string());
    another.server.ask("/import file-name=complete.rsc");
    assert_serves(&another);
}

#[test]
fn the_rest_examples_answer_as_they_say() {
    let scene = Scene::with(DEFAULT);
    let rest = Rest::set_up(&scene, "api_user", "api_password");
    for line in [POOL, SERVER, NETWORK] {
        scene.server.ask(line);
    }
    // "Create an IP Pool": 200 with these two members, though another pool has the same range.
    let body = r#"{"name": "isp-pool-api", "ranges": "67.9.97.10-67.9.97.254"}"#;
    let created = rest.post("/ip/pool", body);
    assert_eq!(created, json!({"message": "added", ".id": "*3"}));
    // "Get all IP Pools": these fields, and what a router tells since 7.18.
    let row = |id: &str, name: &str, ranges: &str| {
        json!({
            ".id": id, "name": name, "ranges": ranges, "next-pool": "",
            "total": "245", "used": "0", "available": "245",
        })
    };
    let all = json!([
        row("*1", "default-dhcp", "192.168.88.10-192.168.88.254"),
        row("*2", "isp-pool", "67.9.97.10-67.9.97.254"),
        row("*3", "isp-pool-api", "67.9.97.10-67.9.97.254"),
    ]);
    assert_eq!(rest.get("/ip/pool"), all);
    // "Error Handling".
    let stranger = Rest::of(&scene, "api_user", "wrong");
    let (status, said) = stranger.call("GET", "/ip/pool", "");
    assert_eq!((status, said), (401, json!({"error": 401, "message": "Unauthorized"})));
    assert_eq!(rest.call("POST", "/ip/pool", "{\"name\":").0, 400, "invalid JSON");
    let why = rest.refused("POST", "/ip/pool", body);
    assert_eq!(why, "failure: pool with such name exists");
    // "REST API Parameter Descriptions": ranges are required; without a name RouterOS makes one up.
    let why = rest.refused("POST", "/ip/pool", r#"{"name": "p"}"#);
    assert_eq!(why, "missing value(s) of argument(s) ranges");
    assert_eq!(rest.get("/ip/pool"), all, "nothing was changed");
    let body = r#"{"name": "more", "ranges": "10.0.0.0/24", "next-pool": "isp-pool"}"#;
    let id = rest.post("/ip/pool", body)[".id"].as_str().unwrap().to_owned();
    assert_eq!(rest.get(&format!("/ip/pool/{id}"))["next-pool"], "isp-pool");
    assert_eq!(rest.call("DELETE", &format!("/ip/pool/{id}"), "").0, 204);
    // One address is never given twice, whichever of the two pools it comes from.
    assert_serves(&scene);
    rest.post(
        "/ip/dhcp-server/set",
        r#"{".id": "dhcp-server-83", "address-pool": "isp-pool-api"}"#,
    );
    assert_ne!(scene.client(2).lease().yiaddr(), FIRST);
    let leases = rest.get("/ip/dhcp-server/lease?status=bound");
    assert_eq!(leases.as_array().unwrap().len(), 2, "{leases}");
    assert_eq!(rest.get("/ip/dhcp-server/dhcp-server-83")["lease-time"], "1d");
    assert_eq!(rest.get("/ip/dhcp-server/network")[0]["dns-server"], "8.8.8.8");

    // "Restrict API access to trusted sources": everybody else is turned away.
    scene.server.ask("/ip service set www-ssl address=192.168.88.0/24");
    let answer = rest.attempt("GET", "/ip/pool", "");
    assert!(answer.as_ref().map_or(true, |(status, _)| *status == 403), "{answer:?}");
}

#[test]
fn related_features_and_pitfalls() {
    let scene = Scene::with(DEFAULT);
    let ask = |line: &str| scene.server.ask(line);
    scene.server.ask(POOL);
    // "Make sure the DHCP server is enabled", and that its interface is there.
    let mut wrong = watched(&scene, &SERVER.replace("ether-83", "ether-84"));
    assert_eq!(wrong.wait().code(), Some(1));
    let why = "input does not match any value of interface";
    assert!(wrong.output().text().contains(why), "{}", wrong.output().text());
    ask(&format!("{SERVER} disabled=yes"));
    let servers = ask("/ip dhcp-server print");
    assert!(servers.contains("X - DISABLED"), "{servers}");
    ask("/ip dhcp-server enable dhcp-server-83");
    ask(NETWORK);
    // "Static DHCP Leases" and "DHCP Options".
    let mac = scene.client(1).mac();
    ask(&format!("/ip dhcp-server lease add address=67.9.97.50 mac-address={mac}"));
    ask("/ip dhcp-server network set [find] ntp-server=67.9.97.2");
    let ack = scene.client(1).parameters(&[42]).lease();
    assert_eq!(ack.yiaddr(), Ipv4Addr::new(67, 9, 97, 50));
    assert_eq!(ack.addresses(42), [Ipv4Addr::new(67, 9, 97, 2)]);
    // "Pool Exhaustion Handling": the next pool is taken, and shown.
    ask("/ip pool set isp-pool ranges=67.9.97.10 next-pool=default-dhcp");
    let pools = ask("/ip pool print");
    assert!(pools.contains("NEXT-POOL") && pools.contains("default-dhcp"), "{pools}");
    assert_eq!(scene.client(2).lease().yiaddr(), Ipv4Addr::new(67, 9, 97, 10));
    assert_eq!(scene.client(3).lease().yiaddr(), Ipv4Addr::new(192, 168, 88, 254));
}
