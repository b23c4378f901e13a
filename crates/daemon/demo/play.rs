//! The play itself, within its namespaces: each step is shown, and checked.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use leasehold_dhcp::IfIndex;
use leasehold_dhcp::record::{Binding, Change, Location};

use super::DemoError;
use super::cast::{Client, Machine, Server, run};
use crate::log::Time;
use crate::probe::message::{self, code};
use crate::probe::tap::Passed;
use crate::probe::{self, Sheet, Tap};
use crate::store;

/// Where the play takes place.
#[derive(Clone, Debug)]
pub struct Scene {
    /// A directory of its own.
    pub stage: PathBuf,
}

/// The configuration that is shown, as it is in the source tree.
const CONFIG: &str = include_str!("../../../config/leasehold.toml");

const SERVER_SIDE: &str = "ether-83";
const CLIENT_SIDE: &str = "eth0";
const PATIENCE: Duration = Duration::from_secs(20);

/// Plays it, first to last.
pub fn play(scene: &Scene) -> Result<(), DemoError> {
    let io = |error| DemoError::Io("the demo's directory", error);
    std::fs::write(scene.stage.join("begun"), "").map_err(io)?;
    let config = scene.stage.join("leasehold.toml");
    std::fs::write(&config, CONFIG).map_err(io)?;

    say("Two machines and a cable: the server's end is ether-83 with 67.9.97.1/24.");
    let machine = Machine::new()?;
    cable(&machine)?;
    let tap = listen()?;

    say("The server starts with config/leasehold.toml.");
    let server = Server::start(&scene.stage, &config)?;
    let mut client = Client::find(&scene.stage)?;
    say(&format!("The client, {}, is switched on. The exchange, packet by packet:", client.name()));
    client.start(&machine, CLIENT_SIDE)?;
    let ack = until(&tap, message::ACK)?;
    check(&ack)?;

    say("The client can reach the gateway.");
    ping(&machine)?;

    say("The lease table, `/ip dhcp-server lease print`:");
    print_leases(scene)?;

    say(&format!("The server is killed: SIGKILL to process {}.", server.id()));
    server.kill()?;
    say("What is on its disk:");
    table(scene)?;

    say("It starts again, and the client renews its lease.");
    let server = Server::start(&scene.stage, &config)?;
    client.renew(&machine, CLIENT_SIDE)?;
    let renewed = until(&tap, message::ACK)?;
    check(&renewed)?;
    server.terminate()?;
    say("The same address. Nothing of this is left behind.");
    Ok(())
}

fn say(text: &str) {
    println!("\n== {text}");
}

fn cable(machine: &Machine) -> Result<(), DemoError> {
    let peer = machine.id()?;
    run("ip link set lo up")?;
    run(&format!("ip link add {SERVER_SIDE} type veth peer name {CLIENT_SIDE} netns {peer}"))?;
    run(&format!("ip addr add 67.9.97.1/24 dev {SERVER_SIDE}"))?;
    run(&format!("ip link set {SERVER_SIDE} up"))?;
    for words in [["link", "set", CLIENT_SIDE, "up"], ["link", "set", "lo", "up"]] {
        let status = machine.command("ip")?.args(words).status();
        let status = status.map_err(|error| DemoError::Program("ip", error))?;
        if !status.success() {
            return Err(DemoError::Command(words.join(" "), status));
        }
    }
    Ok(())
}

/// Hears everything on the server's end, on a thread of its own.
fn listen() -> Result<Receiver<Passed>, DemoError> {
    let interfaces = probe::interfaces().map_err(DemoError::Probe)?;
    let index = interfaces.named(SERVER_SIDE).map_or(IfIndex(0), |interface| interface.index);
    let mut tap = Tap::open(index).map_err(|error| DemoError::Io("listening", error))?;
    let (sender, heard) = channel();
    std::thread::spawn(move || {
        while let Ok(passed) = tap.next(Duration::from_secs(1)) {
            if passed.is_some_and(|passed| sender.send(passed).is_err()) {
                return;
            }
        }
    });
    Ok(heard)
}

/// Shows what passes until a message of this kind has.
fn until(tap: &Receiver<Passed>, kind: u8) -> Result<Passed, DemoError> {
    let end = Instant::now() + PATIENCE;
    loop {
        let left = end.saturating_duration_since(Instant::now());
        let passed = tap.recv_timeout(left).map_err(|_| {
            DemoError::Broken("the exchange did not come to its end in 20 seconds".into())
        })?;
        let arrow = if passed.from_server { "server → client" } else { "client → server" };
        print!("\n  {arrow}, {} > {}, ", passed.source, passed.destination);
        print!("{}", Sheet(&passed.message).to_string().replace("\n     ", "\n       "));
        if passed.message.kind() == Some(kind) {
            return Ok(passed);
        }
        if passed.message.kind() == Some(message::NAK) {
            return Err(DemoError::Broken("the server refused the client".into()));
        }
    }
}

/// The lease must be what the how-to promises.
fn check(ack: &Passed) -> Result<(), DemoError> {
    let ack = &ack.message;
    let address = |code| ack.address(code).map_or("nothing".into(), |address| address.to_string());
    let promised = [
        ("address", "67.9.97.254/24".to_owned(), format!("{}/{}", ack.yiaddr, ack.prefix())),
        ("router", "67.9.97.1".to_owned(), address(code::ROUTER)),
        ("DNS server", "8.8.8.8".to_owned(), address(code::DNS)),
        ("lease time", "86400".to_owned(), ack.lease_time().unwrap_or(0).to_string()),
    ];
    for (what, promised, got) in promised {
        if promised != got {
            return Err(DemoError::Broken(format!("{what}: {got} instead of {promised}")));
        }
    }
    println!("\n  67.9.97.254/24, router 67.9.97.1, DNS server 8.8.8.8, for 1 day: as configured.");
    Ok(())
}

fn ping(machine: &Machine) -> Result<(), DemoError> {
    let end = Instant::now() + PATIENCE;
    loop {
        let mut ping = machine.command("ping")?;
        ping.args(["-c", "1", "-W", "1", "67.9.97.1"]);
        let output = ping.output().map_err(|error| DemoError::Program("ping", error))?;
        if output.status.success() {
            let text = String::from_utf8_lossy(&output.stdout);
            text.lines().filter(|line| line.contains("from")).for_each(|it| println!("  {it}"));
            return Ok(());
        }
        // The client's script may still be setting its address.
        if Instant::now() >= end {
            return Err(DemoError::Command("ping 67.9.97.1".into(), output.status));
        }
    }
}

/// The running server's own answer.
fn print_leases(scene: &Scene) -> Result<(), DemoError> {
    let own = std::env::current_exe().map_err(|error| DemoError::Io("our program", error))?;
    let mut command = Command::new(own);
    command.arg("--socket").arg(scene.stage.join("state/leasehold.sock"));
    command.args(["/ip", "dhcp-server", "lease", "print"]);
    let output = command.output().map_err(|error| DemoError::Program("leasehold", error))?;
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines().for_each(|line| println!("  {line}"));
    if output.status.success() && text.contains("67.9.97.254") {
        return Ok(());
    }
    Err(DemoError::Command("leasehold /ip dhcp-server lease print".into(), output.status))
}

/// The lease table, read from the dead server's store.
fn table(scene: &Scene) -> Result<(), DemoError> {
    let mut leases: BTreeMap<Location, (u64, Binding)> = BTreeMap::new();
    let seen = store::peek(&scene.stage.join("state"), |record| match record.change {
        Change::Bound(binding) => {
            leases.insert(record.location, (record.at.0, *binding));
        }
        _ => drop(leases.remove(&record.location)),
    });
    seen.map_err(|error| DemoError::Broken(error.to_string()))?;
    println!("  ADDRESS          MAC-ADDRESS        SERVER          BOUND UNTIL");
    for (location, (at, binding)) in &leases {
        let octets = binding.chaddr.iter().map(|octet| format!("{octet:02X}"));
        let mac = octets.collect::<Vec<_>>().join(":");
        let until = Time(at + u64::from(binding.lease_time));
        let address = location.to_string();
        println!("  {address:<16} {mac:<18} {:<15} {until} UTC", binding.server);
    }
    let kept = leases.keys().any(|location| location.to_string() == "67.9.97.254");
    if kept { Ok(()) } else { Err(DemoError::Broken("the lease is not on the disk".into())) }
}
