//! Another DHCP server on the link: found by `/ip dhcp-server alert` and by `check --probe`.

use std::fs;

use crate::lab::namespace::is_real_root;
use crate::lab::scene::CONFIGURATION;
use crate::lab::server::program;
use crate::lab::{Lab, Namespace, Process, Server, Tap, eventually};

const ALERT: &str = r#"
[[dhcp-server-alert]]
interface = "ether-83"
disabled = "no"
"#;

/// The scenario's server, and dnsmasq beside it, which pings what it offers for three seconds.
struct Beside {
    lab: Lab,
    machine: Namespace,
    rogue: Namespace,
    dnsmasq: Process,
}

impl Beside {
    fn new() -> Option<Self> {
        if !is_real_root("dnsmasq, which sets its groups") {
            return None;
        }
        let lab = Lab::new();
        let (machine, rogue) = (lab.machine("server"), lab.machine("rogue"));
        lab.cable((&machine, "ether-83"), (&rogue, "eth0"));
        machine.address("ether-83", "67.9.97.1/24");
        rogue.address("eth0", "67.9.97.2/24");
        let mut command = rogue.command("dnsmasq");
        command.args(["--conf-file=/dev/null", "--keep-in-foreground", "--log-facility=-"]);
        command.args(["--port=0", "--pid-file=", "--user=root", "--dhcp-authoritative"]);
        command.arg("--dhcp-range=67.9.97.100,67.9.97.120,1h");
        command.arg(format!("--dhcp-leasefile={}", lab.file("rogue.leases").display()));
        let dnsmasq = Process::start(command);
        // It hears nothing before it says this.
        eventually("dnsmasq's start", || dnsmasq.output().text().contains("DHCP, IP range"));
        Some(Self { lab, machine, rogue, dnsmasq })
    }

    fn mac(&self) -> String {
        Tap::new(&self.rogue, "eth0").mac().to_string().to_uppercase()
    }
}

#[test]
fn alert_finds_dnsmasq() {
    let Some(beside) = Beside::new() else { return };
    let mac = beside.mac();
    let mut server =
        Server::serve(&beside.lab, &beside.machine, &format!("{CONFIGURATION}{ALERT}"));
    let line = server.logged(&["dhcp alert on ether-83: discovered unknown dhcp server"]);
    assert!(line.contains(&format!("mac {mac}, ip 67.9.97.2")), "{line}");
    let listed = || server.ask("/ip dhcp-server alert print detail");
    assert!(listed().contains(&format!("unknown-server={mac}")), "{}", listed());
    beside.dnsmasq.signal(libc::SIGTERM);
    server.ask("/ip dhcp-server alert reset-alert [find]");
    assert!(!listed().contains(&mac), "{}", listed());
    let leases = server.ask("/ip dhcp-server lease print count-only");
    assert_eq!(leases.trim(), "1", "the static one: the search took no address");
    server.assert_alive();
}

#[test]
fn alert_of_an_allowed_server_is_none() {
    let Some(beside) = Beside::new() else { return };
    let allowed = format!("{CONFIGURATION}{ALERT}valid-server = \"{}\"\n", beside.mac());
    let server = Server::serve(&beside.lab, &beside.machine, &allowed);
    // dnsmasq's word for the offer that was heard.
    eventually("the rogue's offer", || beside.dnsmasq.output().text().contains("DHCPOFFER"));
    let listed = server.ask("/ip dhcp-server alert print detail");
    assert!(!listed.contains("unknown-server"), "{listed}");
    assert!(!server.process().output().text().contains("dhcp alert"));
}

#[test]
fn check_with_probe_waits_for_a_slow_server() {
    let Some(beside) = Beside::new() else { return };
    let path = beside.lab.write("check.toml", CONFIGURATION);
    let mut command = beside.machine.command(program());
    command.args(["check", "--probe", "--config"]).arg(path);
    command.arg("--state").arg(beside.lab.file("nowhere"));
    let output = command.output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("another DHCP server answers on ether-83: 67.9.97.2"), "{said}");
    assert!(fs::metadata(beside.lab.file("nowhere")).is_err(), "it wrote a state");
}
