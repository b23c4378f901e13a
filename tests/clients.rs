//! The real clients of Linux distributions, each through its whole life, and the tools people use.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod lab;

#[path = "clients/networkd.rs"]
mod networkd;

use std::net::Ipv4Addr;
use std::time::Duration;

use lab::namespace::is_real_root;
use lab::real::{Event, Program, RealClient};
use lab::relay::{GIADDR, Relay, UPLINK_SERVER};
use lab::scene::{CONFIGURATION, SERVER};
use lab::{Client, Lab, Mac, Namespace, Process, Reply, Server, Tap, code, kind};

const FIRST: Ipv4Addr = Ipv4Addr::new(67, 9, 97, 254);
const SECOND: Ipv4Addr = Ipv4Addr::new(67, 9, 97, 253);

/// Longer than any client waits by itself: busybox pauses twenty seconds after a conflict.
const LONG: Duration = Duration::from_secs(90);

/// A server, a client's machine and a switch between them.
struct Network {
    server: Server,
    client: Namespace,
    switch: lab::namespace::Switch,
    lab: Lab,
}

impl Network {
    fn new(configuration: &str) -> Self {
        let lab = Lab::new();
        let switch = lab.switch();
        let (machine, client) = (lab.machine("server"), lab.machine("client"));
        switch.plug(&lab, &machine, "ether-83");
        switch.plug(&lab, &client, "eth0");
        machine.address("ether-83", "67.9.97.1/24");
        let server = Server::serve(&lab, &machine, configuration);
        Self { server, client, switch, lab }
    }

    /// The switch swallows what goes to the server alone; broadcasts still pass.
    fn cut_unicast(&self) {
        let rules = "add table bridge cut
            add chain bridge cut pass { type filter hook forward priority 0; }
            add rule bridge cut pass ip daddr 67.9.97.1 udp dport 67 drop";
        for rule in rules.lines() {
            self.switch.machine().run("nft", &[rule.trim()]);
        }
    }

    fn heal(&self) {
        self.switch.machine().run("nft", &["delete table bridge cut"]);
    }
}

/// What the client was given is what the scenario says.
fn assert_scenario(event: &Event, address: Ipv4Addr, lease: u32) {
    assert_eq!(event.address(), address, "{event:?}");
    assert_eq!(event.get("subnet_mask", "subnet"), Some("255.255.255.0"), "{event:?}");
    assert_eq!(event.get("routers", "router"), Some("67.9.97.1"), "{event:?}");
    assert_eq!(event.get("domain_name_servers", "dns"), Some("8.8.8.8"), "{event:?}");
    let time = event.get("dhcp_lease_time", "lease").map(str::to_owned);
    assert_eq!(time, Some(lease.to_string()), "{event:?}");
}

/// A REQUEST that the client sent with its address in ciaddr: to the server alone, or to everybody.
fn is_renewal(sent: &Reply, address: Ipv4Addr, target: Ipv4Addr) -> bool {
    let request = sent.op() == 1 && sent.is(kind::REQUEST);
    request && sent.ciaddr() == address && sent.headers.target == target
}

fn assert_answered(watch: &Tap, sent: &Reply) {
    watch.expect("the ACK", |r| r.op() == 2 && r.xid() == sent.xid() && r.is(kind::ACK));
}

/// One life: lease, renewal at T1, power off and reboot with the old address, rebinding at T2,
/// release.
fn live(program: Program, lease: u32, settings: &[&str]) {
    let timed = CONFIGURATION.replace("\"1d\"", &format!("\"{lease}s\""));
    let network = Network::new(&timed);
    let watch = Tap::watch(&network.client, "eth0");
    let mut client = RealClient::prepare(&network.lab, program, &network.client, "eth0");
    client.settings.extend(settings.iter().map(|line| (*line).to_owned()));
    client.start();
    assert_scenario(&client.bound(LONG), FIRST, lease);
    network.server.logged(&["dhcp-server-83", "assigned", "67.9.97.254"]);

    let renewal = watch.hear(LONG, |sent| is_renewal(sent, FIRST, SERVER)).expect("a renewal");
    assert_scenario(&client.prolonged(LONG), FIRST, lease);
    assert_answered(&watch, &renewal);

    client.power_off();
    watch.heard(|_| false);
    watch.forget();
    if program == Program::Udhcpc {
        // It keeps no lease file; this is how it is told its old address.
        client.settings.push(format!("-r {FIRST}"));
    }
    client.start();
    assert_scenario(&client.bound(LONG), FIRST, lease);
    if program != Program::Udhcpc {
        let rebooted = watch.expect("an INIT-REBOOT", |s| s.op() == 1 && s.is(kind::REQUEST));
        assert_eq!(rebooted.option(code::SERVER), None, "{rebooted:?}");
        assert_eq!(rebooted.address(code::REQUESTED), Some(FIRST));
    }

    network.cut_unicast();
    let everybody = Ipv4Addr::BROADCAST;
    let rebinding = watch.hear(LONG, |sent| is_renewal(sent, FIRST, everybody));
    let rebinding = rebinding.expect("a rebinding");
    assert_eq!(rebinding.headers.target_mac, Mac::BROADCAST);
    assert_scenario(&client.prolonged(LONG), FIRST, lease);
    assert_answered(&watch, &rebinding);
    network.heal();

    client.release();
    watch.expect("a RELEASE", |sent| sent.op() == 1 && sent.is(kind::RELEASE));
    network.server.logged(&["deassigned", "67.9.97.254"]);
}

#[test]
fn dhclient_lives() {
    live(Program::Dhclient, 10, &[]);
}

#[test]
fn udhcpc_lives() {
    live(Program::Udhcpc, 10, &[]);
}

#[test]
fn dhcpcd_lives() {
    // It takes no lease for shorter than twenty seconds.
    live(Program::Dhcpcd, 20, &["noarp"]);
}

/// Somebody sits on the first address, set by hand: the client finds out and declines it.
fn decline(program: Program, settings: &[&str]) {
    let network = Network::new(CONFIGURATION);
    let squatter = network.lab.machine("squatter");
    network.switch.plug(&network.lab, &squatter, "eth0");
    squatter.address("eth0", "67.9.97.254/24");
    let mut client = RealClient::prepare(&network.lab, program, &network.client, "eth0");
    client.settings.extend(settings.iter().map(|line| (*line).to_owned()));
    client.start();
    network.server.logged(&["declined", "67.9.97.254"]);
    assert_scenario(&client.bound(LONG), SECOND, 86400);
}

#[test]
fn udhcpc_declines_a_conflict() {
    decline(Program::Udhcpc, &["-a"]);
}

#[test]
fn dhcpcd_declines_a_conflict() {
    decline(Program::Dhcpcd, &[]);
}

#[test]
fn nmap_shows_the_scenario() {
    let network = Network::new(CONFIGURATION);
    network.client.address("eth0", "67.9.97.5/24");
    // Two scripts: one broadcasts a DISCOVER, the other sends an INFORM to the server's port.
    let offer = ["--script", "broadcast-dhcp-discover", "-e", "eth0"];
    let inform = ["-n", "-Pn", "-sU", "-p", "67", "--script", "dhcp-discover", "67.9.97.1"];
    let shared = ["Subnet Mask: 255.255.255.0", "Router: 67.9.97.1", "Domain Name Server: 8.8.8.8"];
    let offered = ["DHCP Message Type: DHCPOFFER", "IP Offered: 67.9.97.254"];
    let informed = ["67/udp open", "DHCP Message Type: DHCPACK", "Server Identifier: 67.9.97.1"];
    for (arguments, own) in [(&offer[..], &offered[..]), (&inform[..], &informed[..])] {
        let found = network.client.run("nmap", arguments);
        for line in own.iter().chain(&shared) {
            assert!(found.contains(line), "no {line:?} in:\n{found}");
        }
    }
}

/// Every kind of answer, as tshark sees it.
#[test]
fn tshark_finds_no_fault() {
    let scene = lab::Scene::new();
    let client = scene.client(1).client_id(b"\0tshark");
    let every: Vec<u8> = (1..=254).collect();
    let curious = scene.client(2).parameters(&every).wants_broadcast();
    let offer = client.ask(&client.discover());
    let ack = client.ask(&client.selecting(&offer));
    let nak = client.ask(&client.init_reboot(Ipv4Addr::new(10, 0, 0, 1)));
    let renewal = client.ask_server(&client.renewing(ack.yiaddr()), scene.server_mac, SERVER);
    let inform = client.ask(&client.inform(ack.yiaddr()));
    let all = curious.ask(&curious.discover());
    let replies = [offer, ack, nak, renewal, inform, all];
    let path = scene.lab.file("replies.pcap");
    lab::tap::write_pcap(&path, &replies);
    let read = |filter| {
        let path = path.to_str().unwrap();
        let checks = ["ip.check_checksum:TRUE", "udp.check_checksum:TRUE"];
        let arguments = ["-n", "-r", path, "-o", checks[0], "-o", checks[1], "-V", "-Y", filter];
        scene.clients.run("tshark", &arguments)
    };
    let faults = read("_ws.malformed || _ws.expert.severity >= 0x400000");
    assert!(faults.is_empty(), "{faults}");
    let decoded = read("dhcp.option.dhcp && udp.checksum.status == 1");
    assert_eq!(decoded.matches("\nDynamic Host Configuration Protocol").count(), replies.len());
}

/// A relay agent of a distribution between client and server: lease and NAK through it, renewal
/// around it. Gives back what the server heard.
fn through_a_relay(agent: &[&str]) -> Vec<Reply> {
    let lab = Lab::new();
    let (machine, clients) = (lab.machine("server"), lab.machine("clients"));
    let relay = Relay::machine(&lab, &machine, &clients);
    let timed = lab::relay::CONFIGURATION.replace("\"1d\"", "\"10s\"");
    let server = Server::serve(&lab, &machine, &timed);
    let uplink = Tap::new(&machine, "uplink");
    let mut command = relay.command(agent[0]);
    command.args(&agent[1..]).current_dir(lab.file(""));
    let _agent = Process::start(command);

    let address = Ipv4Addr::new(172, 29, 2, 200);
    let watch = Tap::watch(&clients, "eth0");
    let mut client = RealClient::run(&lab, Program::Dhclient, &clients, "eth0");
    let bound = client.bound(LONG);
    assert_eq!(bound.address(), address);
    assert_eq!(bound.get("routers", "router"), Some("172.29.2.1"));
    let renewal = watch.hear(LONG, |sent| is_renewal(sent, address, UPLINK_SERVER));
    assert_answered(&watch, &renewal.expect("a renewal around the relay"));
    client.prolonged(LONG);
    client.power_off();

    let tap = Tap::new(&clients, "eth0");
    let wrong = Client::new(&tap, 7);
    let reboot = wrong.init_reboot(Ipv4Addr::new(10, 1, 2, 3));
    wrong.broadcast(&reboot);
    let nak = tap.expect("a NAK", |reply| reply.answers(&reboot) && reply.is(kind::NAK));
    assert_eq!(nak.headers.target_mac, Mac::BROADCAST);
    server.logged(&["relayed", "assigned", "172.29.2.200"]);
    let heard = uplink.heard(|sent| sent.op() == 1 && sent.giaddr() == GIADDR);
    assert!(!heard.is_empty(), "nothing was relayed");
    heard
}

#[test]
fn isc_dhcrelay_with_option_82() {
    let agent = ["dhcrelay", "-4", "-d", "-a", "-id", "lan", "-iu", "uplink", "10.83.0.1"];
    let relayed = through_a_relay(&agent);
    assert!(relayed.iter().all(|sent| sent.option(82).is_some()), "{relayed:#?}");
}

#[test]
fn dnsmasq_as_a_relay() {
    if !is_real_root("dnsmasq, which sets its groups") {
        return;
    }
    let quiet = ["--conf-file=/dev/null", "--keep-in-foreground", "--log-facility=-", "--port=0"];
    let files = ["--pid-file=", "--user=root", "--dhcp-relay=172.29.2.1,10.83.0.1"];
    through_a_relay(&[&["dnsmasq"], &quiet[..], &files[..]].concat());
}

/// Options of every sort that clients set up their system by; two routes instead of a router.
const OPTIONS: &str = r#"
[[dhcp-server-option]]
name = "mtu"
code = "26"
value = "0x0578"

[[dhcp-server-option]]
name = "search"
code = "119"
value = "0x076578616d706c65036e657400"

[[dhcp-server-option]]
name = "routes"
code = "121"
value = "0x080a430961010043096101"

[[dhcp-server-option]]
name = "host"
code = "12"
value = "s'customer'"
"#;

fn with_options() -> String {
    let network = "dns-server = \"8.8.8.8\"";
    let more = "ntp-server = \"67.9.97.2\"\ndomain = \"example.net\"\n\
                dhcp-option = \"mtu,search,routes,host\"";
    CONFIGURATION.replace(network, &format!("{network}\n{more}")) + OPTIONS
}

/// What arrives, by the names that the client's script has for it.
fn options_arrive(program: Program, settings: &[&str], expected: &[(&str, &str)]) {
    let network = Network::new(&with_options());
    let mut client = RealClient::prepare(&network.lab, program, &network.client, "eth0");
    client.settings.extend(settings.iter().map(|line| (*line).to_owned()));
    client.start();
    let bound = client.bound(LONG);
    for (name, value) in expected {
        let found = bound.variables.get(*name).map(|found| found.trim_end_matches('.'));
        assert_eq!(found, Some(*value), "{name} of {bound:#?}");
    }
    // RFC 3442: who asks for routes gets no router beside them.
    assert_eq!(bound.get("routers", "router"), None, "{bound:#?}");
}

#[test]
fn opt_19_options_arrive_in_dhclient() {
    let settings = [
        "option routes code 121 = array of unsigned integer 8;",
        "request subnet-mask, routes, routers, domain-name, domain-search, host-name,",
        "interface-mtu, ntp-servers;",
    ];
    let expected = [
        ("new_interface_mtu", "1400"),
        ("new_domain_search", "example.net"),
        ("new_domain_name", "example.net"),
        ("new_ntp_servers", "67.9.97.2"),
        ("new_host_name", "customer"),
        ("new_routes", "8 10 67 9 97 1 0 67 9 97 1"),
    ];
    options_arrive(Program::Dhclient, &settings, &expected);
}

#[test]
fn opt_19_options_arrive_in_udhcpc() {
    let settings = ["-O mtu -O search -O staticroutes -O ntpsrv -O hostname -O domain"];
    let expected = [
        ("mtu", "1400"),
        ("search", "example.net"),
        ("domain", "example.net"),
        ("ntpsrv", "67.9.97.2"),
        ("hostname", "customer"),
        ("staticroutes", "10.0.0.0/8 67.9.97.1 0.0.0.0/0 67.9.97.1"),
    ];
    options_arrive(Program::Udhcpc, &settings, &expected);
}

#[test]
fn opt_19_options_arrive_in_dhcpcd() {
    let expected = [
        ("new_interface_mtu", "1400"),
        ("new_domain_search", "example.net"),
        ("new_domain_name", "example.net"),
        ("new_ntp_servers", "67.9.97.2"),
        ("new_host_name", "customer"),
        ("new_classless_static_routes", "10.0.0.0/8 67.9.97.1 0.0.0.0/0 67.9.97.1"),
    ];
    options_arrive(Program::Dhcpcd, &["noarp"], &expected);
}

/// The shipped demonstration, from beginning to end.
#[test]
fn the_demo_succeeds_and_leaves_nothing() {
    let lab = Lab::new();
    let machine = lab.machine("demo");
    let told = machine.run(lab::server::program().to_str().unwrap(), &["demo"]);
    assert!(told.contains("67.9.97.254"), "{told}");
    assert_eq!(machine.ip("-o link").lines().count(), 1, "an interface is left");
}

#[test]
fn the_probe_shows_what_a_server_offers() {
    let network = Network::new(CONFIGURATION);
    let program = lab::server::program();
    let found = network.client.run(program.to_str().unwrap(), &["probe", "-i", "eth0"]);
    for text in ["67.9.97.254", "67.9.97.1", "8.8.8.8"] {
        assert!(found.contains(text), "no {text} in:\n{found}");
    }
}
