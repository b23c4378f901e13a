//! systemd-networkd's own DHCP client, which runs without systemd in a namespace of its own.

use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use crate::lab::namespace::is_real_root;
use crate::lab::scene::{CONFIGURATION, SERVER};
use crate::lab::{Namespace, Process, Tap, eventually, kind};
use crate::{FIRST, LONG, Network, assert_answered, is_renewal};

const PROGRAM: &str = "/lib/systemd/systemd-networkd";

/// Its own `/run`, and `/sys` read-only: then it waits for no udev.
const SCRIPT: &str = "
mount -t tmpfs tmpfs /run && mount -t sysfs -o ro sysfs /sys && mkdir -p /run/systemd/network &&
printf '[Match]\\nName=eth0\\n[Network]\\nDHCP=ipv4\\nLinkLocalAddressing=no\\nIPv6AcceptRA=no\\n' \
    >/run/systemd/network/10.network &&
exec env SYSTEMD_LOG_LEVEL=debug SYSTEMD_LOG_TARGET=console /lib/systemd/systemd-networkd";

fn start(machine: &Namespace) -> Process {
    let mut command = machine.command("unshare");
    command.args(["--mount", "--", "sh", "-c", SCRIPT]);
    Process::start(command)
}

/// What it wrote about its lease.
fn lease(networkd: &Process) -> String {
    let its_own = PathBuf::from(format!("/proc/{}", networkd.id())).join("root");
    let leases = its_own.join("run/systemd/netif/leases");
    let files = fs::read_dir(leases).into_iter().flatten().flatten();
    files.filter_map(|file| fs::read_to_string(file.path()).ok()).collect()
}

fn has(machine: &Namespace, address: Ipv4Addr) -> bool {
    machine.ip("-4 address show dev eth0").contains(&format!("inet {address}/24"))
}

#[test]
fn networkd_lives() {
    if !is_real_root("systemd-networkd, which changes its user") {
        return;
    }
    assert!(Path::new(PROGRAM).exists(), "no {PROGRAM}: .ci/packages names what the tests need");
    let network = Network::new(&CONFIGURATION.replace("\"1d\"", "\"10s\""));
    let watch = Tap::watch(&network.client, "eth0");
    let mut networkd = start(&network.client);
    eventually("the address", || has(&network.client, FIRST));
    eventually("the lease's file", || lease(&networkd).contains("LIFETIME=10"));
    let told = lease(&networkd);
    for line in
        ["ADDRESS=67.9.97.254", "ROUTER=67.9.97.1", "DNS=8.8.8.8", "SERVER_ADDRESS=67.9.97.1"]
    {
        assert!(told.contains(line), "no {line} in {told}");
    }
    network.server.logged(&["dhcp-server-83", "assigned", "67.9.97.254"]);

    let renewal = watch.hear(LONG, |sent| is_renewal(sent, FIRST, SERVER)).expect("a renewal");
    assert_answered(&watch, &renewal);

    network.cut_unicast();
    let everybody = Ipv4Addr::BROADCAST;
    let rebinding = watch.hear(LONG, |sent| is_renewal(sent, FIRST, everybody));
    assert_answered(&watch, &rebinding.expect("a rebinding"));
    network.heal();
    assert!(has(&network.client, FIRST));

    networkd.signal(libc::SIGTERM);
    watch.expect("a RELEASE", |sent| sent.op() == 1 && sent.is(kind::RELEASE));
    network.server.logged(&["deassigned", "67.9.97.254"]);
    networkd.wait();
}
