//! Rows of another server's lease table as leases that can be taken over.

use core::net::Ipv4Addr;

use leasehold_routeros::value::Hex;
use leasehold_routeros::{Cells, Row, Value};

use crate::client::Hardware;
use crate::link::Mac;
use crate::menus::{ClientIdText, Lease, Span};
use crate::order::Foreign;
use crate::record::Binding;
use crate::wire::clean_name;

/// Why a row of a lease table is no lease to take over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoLease {
    /// It is configured: it comes with the configuration.
    Static,
    /// Nobody has it: its status.
    NotBound(String),
    /// A property that a bound lease has is missing or cannot be read.
    Unread(&'static str),
}

impl core::fmt::Display for NoLease {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Static => f.write_str("static: it comes with the configuration"),
            Self::NotBound(status) => write!(f, "not bound but {status}"),
            Self::Unread(name) => write!(f, "{name} is missing or cannot be read"),
        }
    }
}

/// The lease that a row tells of. Its time counts from now on, so that it never ends before its
/// client thinks so.
///
/// # Errors
///
/// Why it is none.
pub fn foreign(row: &Cells) -> Result<Foreign, NoLease> {
    let menu = Lease::menu();
    let text = |name: &str| row.get(menu.place(name)?).filter(|text| !text.is_empty());
    let either = |active: &'static str, configured: &str| text(active).or_else(|| text(configured));
    if text("dynamic") != Some("yes") {
        return Err(NoLease::Static);
    }
    let status = text("status").unwrap_or("bound");
    if status != "bound" {
        return Err(NoLease::NotBound(status.into()));
    }
    let mac = either("active-mac-address", "mac-address").and_then(|text| Mac::parse(text).ok());
    let mac = mac.ok_or(NoLease::Unread("mac-address"))?;
    let address = either("active-address", "address").and_then(|text| text.parse().ok());
    let address: Ipv4Addr = address.ok_or(NoLease::Unread("address"))?;
    let server = either("active-server", "server").ok_or(NoLease::Unread("server"))?;
    let left = text("expires-after").and_then(|text| Span::parse(text).ok());
    let left = left.ok_or(NoLease::Unread("expires-after"))?;
    let client_id = either("active-client-id", "client-id").map(ClientIdText::parse).transpose();
    let client_id = client_id.map_err(|_| NoLease::Unread("client-id"))?;
    let mut host_name = String::new();
    clean_name(text("host-name").unwrap_or_default().as_bytes(), &mut host_name);
    let hardware = Hardware::from(mac);
    let binding = Binding {
        // One that ends this very second is as good as ended.
        lease_time: left.seconds().max(1),
        server: server.into(),
        client_id: client_id.map(|id| id.0).unwrap_or_default(),
        htype: hardware.htype(),
        chaddr: hardware.octets().into(),
        host_name: host_name.into(),
        class_id: text("class-id").unwrap_or_default().as_bytes().into(),
        relay_agent: relay_agent(
            either("active-agent-circuit-id", "agent-circuit-id"),
            either("active-agent-remote-id", "agent-remote-id"),
        ),
        ..Binding::default()
    };
    Ok(Foreign { address, binding })
}

/// Option 82 of its two ids, in hexadecimal.
fn relay_agent(circuit: Option<&str>, remote: Option<&str>) -> Box<[u8]> {
    let mut option = Vec::new();
    for (code, id) in [(1, circuit), (2, remote)] {
        let id = id.and_then(|text| Hex::parse(text).ok());
        let Some(Hex(octets)) = id.filter(|Hex(octets)| !octets.is_empty()) else { continue };
        let Ok(length) = u8::try_from(octets.len()) else { continue };
        option.extend([code, length]);
        option.extend(octets);
    }
    option.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use leasehold_routeros::syntax::print;

    fn read(text: &str) -> Result<Foreign, NoLease> {
        foreign(&print::read(Lease::menu(), text).unwrap().remove(0))
    }

    #[test]
    fn a_router_s_own_row_is_read() {
        // As help.mikrotik.com shows it.
        let lease = read(
            "0 D address=172.16.16.120 mac-address=30:07:4D:F5:07:49 \
             client-id=\"1:30:7:4d:f5:7:49\" address-lists=\"\" server=defconf dhcp-option=\"\" \
             status=bound expires-after=8m55s last-seen=1m5s active-address=172.16.16.120 \
             active-mac-address=30:07:4D:F5:07:49 active-client-id=\"1:30:7:4d:f5:7:49\" \
             active-server=defconf host-name=\"Galaxy-S8\"",
        );
        let binding = Binding {
            lease_time: 535,
            server: "defconf".into(),
            client_id: [1, 0x30, 7, 0x4d, 0xf5, 7, 0x49].into(),
            htype: 1,
            chaddr: [0x30, 7, 0x4d, 0xf5, 7, 0x49].into(),
            host_name: "Galaxy-S8".into(),
            ..Binding::default()
        };
        assert_eq!(lease, Ok(Foreign { address: Ipv4Addr::new(172, 16, 16, 120), binding }));
    }

    #[test]
    fn what_is_no_bound_dynamic_lease_says_why() {
        let row = "address=10.0.0.1 mac-address=02:00:00:00:00:01 server=s expires-after=5m";
        assert!(read(&format!("0 D {row} status=bound")).is_ok());
        assert_eq!(read(&format!("0 {row} status=bound")), Err(NoLease::Static));
        let offered = Err(NoLease::NotBound("offered".into()));
        assert_eq!(read(&format!("0 D {row} status=offered")), offered);
        let bare = row.replace(" expires-after=5m", "");
        assert_eq!(read(&format!("0 D {bare}")), Err(NoLease::Unread("expires-after")));
        let bad = row.replace("02:00", "0x:00");
        assert_eq!(read(&format!("0 D {bad}")), Err(NoLease::Unread("mac-address")));
    }

    #[test]
    fn the_port_of_the_relay_comes_along() {
        let lease = read(
            "0 D address=10.0.0.1 mac-address=02:00:00:00:00:01 server=s expires-after=5m \
             active-agent-circuit-id=\"0102\" active-agent-remote-id=\"ff\"",
        );
        assert_eq!(*lease.unwrap().binding.relay_agent, [1, 2, 1, 2, 2, 1, 0xff]);
    }
}
