//! The host's interfaces, addresses and neighbours as rows.

use std::collections::BTreeMap;
use std::fs;

use leasehold_dhcp::{IfIndex, Interface, Interfaces, Mac};
use leasehold_routeros::{Cells, Live, Value};

use crate::menus::{AddressState, EthernetState, InterfaceState, Neighbour};

/// What a link has carried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Carried {
    octets: u64,
    packets: u64,
    errors: u64,
    dropped: u64,
}

/// A link with what the kernel says of it beside its name and addresses.
pub(super) struct Link<'a> {
    interface: &'a Interface,
    kind: &'static str,
    up: bool,
    received: Carried,
    sent: Carried,
}

/// A menu's row of a link.
pub(super) trait LinkRow: Live {
    /// The row; `None` if the menu does not show this link.
    fn of(link: &Link<'_>) -> Option<Self>
    where
        Self: Sized;
}

macro_rules! link_row {
    ($live:ident, $shown:expr) => {
        impl LinkRow for $live {
            fn of(link: &Link<'_>) -> Option<Self> {
                let Link { interface, kind, up, received, sent } = link;
                let shown: fn(&str) -> bool = $shown;
                shown(kind).then(|| Self {
                    name: Some(interface.name.clone()),
                    default_name: Some(interface.name.clone()),
                    r#type: Some((*kind).into()),
                    mtu: Some(interface.mtu.into()),
                    actual_mtu: Some(interface.mtu.into()),
                    mac_address: Some(interface.mac),
                    rx_byte: Some(received.octets),
                    tx_byte: Some(sent.octets),
                    rx_packet: Some(received.packets),
                    tx_packet: Some(sent.packets),
                    rx_drop: Some(received.dropped),
                    tx_drop: Some(sent.dropped),
                    rx_error: Some(received.errors),
                    tx_error: Some(sent.errors),
                    running: Some(interface.running),
                    slave: Some(interface.slave),
                    disabled: Some(!up),
                })
            }
        }
    };
}

link_row!(InterfaceState, |_| true);
link_row!(EthernetState, |kind| kind == "ether");

/// The interfaces that a menu shows, by their numbers.
pub(super) fn links<R: LinkRow>(interfaces: &Interfaces) -> Vec<(u32, Cells)> {
    let counters = counters(&fs::read_to_string("/proc/thread-self/net/dev").unwrap_or_default());
    let row = |interface: &Interface| {
        let (received, sent) = counters.get(&interface.name).copied().unwrap_or_default();
        let up = is_up(interface);
        let link = Link { interface, kind: kind(&interface.name), up, received, sent };
        let IfIndex(index) = interface.index;
        R::of(&link).map(|row| (index, row.cells()))
    };
    interfaces.iter().filter_map(row).collect()
}

/// RouterOS's word for what a link is, as far as the kernel's files tell it.
fn kind(name: &str) -> &'static str {
    let file = |file: &str| fs::read_to_string(format!("/sys/class/net/{name}/{file}"));
    let there = |inner: &str| fs::exists(format!("/sys/class/net/{name}/{inner}")).unwrap_or(false);
    // `ARPHRD_LOOPBACK`
    if name == "lo" || file("type").is_ok_and(|number| number.trim() == "772") {
        return "loopback";
    }
    let event = file("uevent").unwrap_or_default();
    let kind = event.lines().find_map(|line| line.strip_prefix("DEVTYPE="));
    match kind {
        Some("vlan") => "vlan",
        Some("bridge") => "bridge",
        Some("bond") => "bond",
        Some("vxlan") => "vxlan",
        Some("wireguard") => "wg",
        Some("wlan") => "wlan",
        _ if there("bridge") => "bridge",
        _ if there("bonding") => "bond",
        _ => "ether",
    }
}

/// Whether the administrator has it switched on (`IFF_UP`).
fn is_up(interface: &Interface) -> bool {
    let flags = fs::read_to_string(format!("/sys/class/net/{}/flags", interface.name));
    let flags = flags.ok().and_then(|text| u64::parse(text.trim()).ok());
    interface.running || flags.is_none_or(|flags| flags & 1 == 1)
}

/// What each link has received and sent, from the kernel's table.
fn counters(text: &str) -> BTreeMap<String, (Carried, Carried)> {
    let line = |line: &str| {
        let (name, numbers) = line.split_once(':')?;
        let numbers: Vec<u64> = numbers.split_whitespace().flat_map(str::parse).collect();
        // Eight columns each: bytes packets errs drop …
        let carried = |at: usize| match numbers.get(at..at + 4)? {
            &[octets, packets, errors, dropped] => {
                Some(Carried { octets, packets, errors, dropped })
            }
            _ => None,
        };
        Some((name.trim().to_owned(), (carried(0)?, carried(8)?)))
    };
    text.lines().filter_map(line).collect()
}

/// The host's IPv4 addresses.
pub(super) fn addresses(interfaces: &Interfaces) -> Vec<AddressState> {
    let of = |interface: &Interface| {
        let name = interface.name.clone();
        interface.addresses.clone().into_iter().map(move |net| AddressState {
            address: Some(net.to_string()),
            network: Some(net.network()),
            interface: Some(name.clone()),
            actual_interface: Some(name.clone()),
            invalid: Some(false),
            dynamic: Some(false),
            disabled: Some(false),
        })
    };
    interfaces.iter().flat_map(of).collect()
}

/// Stations that the kernel knows.
pub(super) fn neighbours() -> Vec<Neighbour> {
    let text = fs::read_to_string("/proc/thread-self/net/arp").unwrap_or_default();
    text.lines().skip(1).filter_map(neighbour).collect()
}

/// `ATF_COM`, `ATF_PERM`, `ATF_PUBL` of `linux/if_arp.h`.
const COMPLETE: u64 = 0x02;
const PERMANENT: u64 = 0x04;
const PUBLISHED: u64 = 0x08;

/// A line: address, hardware type, flags, hardware address, mask, device.
fn neighbour(line: &str) -> Option<Neighbour> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let &[address, _, flags, mac, _, device] = words.as_slice() else { return None };
    let flags = u64::parse(flags).ok()?;
    let complete = flags & COMPLETE != 0;
    Some(Neighbour {
        address: address.parse().ok(),
        mac_address: Mac::parse(mac).ok().filter(|_| complete),
        interface: Some(device.into()),
        published: Some(flags & PUBLISHED != 0),
        complete: Some(complete),
        dynamic: Some(flags & PERMANENT == 0),
        invalid: Some(false),
        disabled: Some(false),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_read_by_name() {
        let text = "Inter-|   Receive        |  Transmit\n face |bytes packets\n\
            \x20   lo: 1 2 3 4 0 0 0 0 5 6 7 8 0 0 0 0\n\
            ether-83:10 20 30 40 0 0 0 0 50 60 70 80 0 0 0 0\n";
        let counters = counters(text);
        let (received, sent) = counters["ether-83"];
        assert_eq!((received.octets, received.dropped), (10, 40));
        assert_eq!((sent.packets, sent.errors), (60, 70));
        assert_eq!(counters.len(), 2);
    }

    #[test]
    fn neighbours_have_told_their_address_or_not() {
        let line = "67.9.97.254  0x1  0x2  02:00:00:00:00:01  *  ether-83";
        let known = neighbour(line).expect("the line is whole");
        assert_eq!(known.mac_address, Some(Mac([2, 0, 0, 0, 0, 1])));
        assert_eq!((known.complete, known.dynamic), (Some(true), Some(true)));
        let asked = neighbour("67.9.97.9 0x1 0x0 00:00:00:00:00:00 * ether-83").expect("whole");
        assert_eq!((asked.mac_address, asked.complete), (None, Some(false)));
        assert!(neighbour("IP address HW type").is_none());
    }
}
