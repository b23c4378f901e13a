//! What stands in the way on the machine: other programs, firewalls, small buffers.

use std::fs;
use std::process::Command;

use super::{Finding, Findings};

/// Looks at what the configuration cannot say.
pub(super) fn examine(found: &mut Findings) {
    examine_port(found);
    examine_firewall(found);
    examine_buffers(found);
}

/// Who else has UDP port 67.
fn examine_port(found: &mut Findings) {
    let table = fs::read_to_string("/proc/net/udp").unwrap_or_default();
    for inode in sockets_on_port(&table, 67) {
        let owner = owner_of(inode);
        if owner.as_ref().is_some_and(|(_, name)| name == "leasehold") {
            continue;
        }
        let who = owner.map_or("another program".into(), |(id, name)| format!("{name} ({id})"));
        let text = format!("{who} has UDP port 67: another DHCP server or relay runs here");
        found.error(Finding::new(text, "stop it, and keep it from starting again"));
    }
}

/// Inodes of the sockets bound to a port, from `/proc/net/udp`.
fn sockets_on_port(table: &str, port: u16) -> Vec<u64> {
    let suffix = format!(":{port:04X}");
    let rows = table.lines().skip(1).map(|line| line.split_whitespace().collect::<Vec<_>>());
    let bound = rows.filter(|row| row.get(1).is_some_and(|local| local.ends_with(&suffix)));
    bound.filter_map(|row| row.get(9)?.parse().ok()).collect()
}

/// The process that has a socket open, if we may see it.
fn owner_of(inode: u64) -> Option<(u32, String)> {
    let link = format!("socket:[{inode}]");
    for process in fs::read_dir("/proc").ok()?.flatten() {
        let Some(id) = process.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        let Ok(open) = fs::read_dir(process.path().join("fd")) else { continue };
        let has = |entry: fs::DirEntry| {
            fs::read_link(entry.path()).is_ok_and(|target| target.as_os_str() == link.as_str())
        };
        if open.flatten().any(has) {
            let name = fs::read_to_string(process.path().join("comm")).unwrap_or_default();
            return Some((id, name.trim().to_owned()));
        }
    }
    None
}

/// Packet sockets hear and speak beside the firewall; relays' datagrams pass through it.
fn examine_firewall(found: &mut Findings) {
    for (program, arguments) in [("nft", &["list", "ruleset"][..]), ("iptables-save", &[])] {
        let Ok(output) = Command::new(program).args(arguments).output() else { continue };
        for rule in dropping(&String::from_utf8_lossy(&output.stdout)) {
            let text = format!("the firewall drops DHCP of relays and routed clients: `{rule}`");
            let mend = "accept UDP port 67 before it (clients on a link are not concerned)";
            found.warning(Finding::new(text, mend));
        }
    }
}

/// Rules that name port 67 or 68 and drop.
fn dropping(rules: &str) -> Vec<String> {
    let names = ["67", "68", "67-68", "67:68", "bootps", "bootpc"];
    let named = |line: &str| {
        let mut words = line.split(|c: char| c.is_whitespace() || "{},".contains(c));
        line.contains("dport") && words.any(|word| names.contains(&word))
    };
    let drops = |line: &str| {
        let mut words = line.split_whitespace();
        words.any(|word| matches!(word, "drop" | "reject" | "DROP" | "REJECT"))
    };
    let lines = rules.lines().map(str::trim).filter(|line| !line.starts_with('#'));
    lines.filter(|line| named(line) && drops(line)).map(str::to_owned).collect()
}

/// What the kernel keeps for us while the disk syncs.
fn examine_buffers(found: &mut Findings) {
    const WANTED: u64 = 4 << 20;
    let limit = fs::read_to_string("/proc/sys/net/core/rmem_max").unwrap_or_default();
    let Ok(limit) = limit.trim().parse::<u64>() else { return };
    if limit < WANTED {
        let text = format!(
            "receive buffers are limited to {} KiB: a burst of clients may lose packets",
            limit >> 10
        );
        let mend = "harmless as root or with CAP_NET_ADMIN, as the systemd unit has it; else \
                    `sysctl net.core.rmem_max=8388608`";
        found.note(Finding::new(text, mend));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_are_found_by_port() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   \
                     uid  timeout inode ref pointer drops\n \
                     171: 00000000:0043 00000000:0000 07 00000000:00000000 00:00000000 00000000 \
                     0 0 4711 2 0000000000000000 0\n \
                     172: 00000000:0044 00000000:0000 07 00000000:00000000 00:00000000 00000000 \
                     0 0 4712 2 0000000000000000 0\n";
        assert_eq!(sockets_on_port(table, 67), [4711]);
    }

    #[test]
    fn only_rules_that_drop_dhcp_are_told() {
        let rules = "table inet filter {\n  chain input {\n    udp dport 67 accept\n    \
                     udp dport { 67, 68 } drop\n    tcp dport 6767 drop\n    udp dport bootps \
                     counter reject\n  }\n}\n-A INPUT -p udp -m udp --dport 67:68 -j DROP\n";
        let told = dropping(rules);
        assert_eq!(told.len(), 3, "{told:?}");
    }
}
