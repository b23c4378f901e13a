//! The machine's interfaces as they come, change and go, through rtnetlink.

use core::fmt;
use core::net::IpAddr;
use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use futures_util::{FutureExt, StreamExt, TryStreamExt};
use ipnet::Ipv4Net;
use leasehold_dhcp::{IfIndex, Interface, Interfaces, Mac};
use rtnetlink::packet_route::AddressFamily;
use rtnetlink::packet_route::address::{AddressAttribute, AddressMessage};
use rtnetlink::packet_route::link::{
    InfoPortKind, LinkAttribute, LinkFlags, LinkInfo, LinkMessage,
};
use rtnetlink::{Handle, MulticastGroup};
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// Why the kernel does not tell its interfaces.
#[derive(Debug)]
pub enum WatchError {
    /// No netlink socket.
    Socket(io::Error),
    /// A request was refused.
    Refused(rtnetlink::Error),
    /// The connection has ended.
    Ended,
}

impl fmt::Display for WatchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Socket(error) => write!(f, "cannot open a netlink socket: {error}"),
            Self::Refused(error) => write!(f, "the kernel does not list its interfaces: {error}"),
            Self::Ended => f.write_str("the netlink connection has ended"),
        }
    }
}

impl std::error::Error for WatchError {}

/// A running watch.
pub struct Watch {
    handle: Handle,
    messages: Messages,
    connection: JoinHandle<()>,
    known: Interfaces,
    listed: Instant,
    /// Something has changed since the last list.
    stale: bool,
}

type Messages = std::pin::Pin<Box<dyn futures_util::Stream<Item = ()> + Send>>;

/// Changes come in bursts: the kernel is asked at the first one, and no sooner again than this.
const PAUSE: Duration = Duration::from_millis(50);

impl Watch {
    /// Opens the connection, within a tokio runtime, and lists the interfaces.
    pub async fn start() -> Result<(Self, Interfaces), WatchError> {
        let groups = [MulticastGroup::Link, MulticastGroup::Ipv4Ifaddr];
        let opened = rtnetlink::new_multicast_connection(&groups);
        let (connection, handle, messages) = opened.map_err(WatchError::Socket)?;
        let connection = tokio::spawn(connection);
        let known = list(&handle).await?;
        let messages: Messages = Box::pin(messages.map(|_| ()));
        let listed = Instant::now();
        Ok((
            Self { handle, messages, connection, known: known.clone(), listed, stale: false },
            known,
        ))
    }

    /// Waits until something has changed, and gives everything as it is then. A wait that is given
    /// up loses nothing: the next one goes on where it was.
    pub async fn changed(&mut self) -> Result<Interfaces, WatchError> {
        loop {
            if !self.stale {
                self.messages.next().await.ok_or(WatchError::Ended)?;
                self.stale = true;
            }
            tokio::time::sleep_until(self.listed + PAUSE).await;
            // What has come in until now is told by one list.
            while let Some(Some(())) = self.messages.next().now_or_never() {}
            let interfaces = list(&self.handle).await?;
            self.listed = Instant::now();
            self.stale = false;
            if interfaces != self.known {
                self.known = interfaces.clone();
                return Ok(interfaces);
            }
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

async fn list(handle: &Handle) -> Result<Interfaces, WatchError> {
    let mut links = handle.link().get().execute();
    let mut interfaces = BTreeMap::new();
    while let Some(link) = links.try_next().await.map_err(WatchError::Refused)? {
        if let Some(interface) = interface(&link) {
            interfaces.insert(interface.index, interface);
        }
    }
    let mut addresses = handle.address().get().execute();
    while let Some(message) = addresses.try_next().await.map_err(WatchError::Refused)? {
        let interface = interfaces.get_mut(&IfIndex(message.header.index));
        if let (Some(interface), Some(net)) = (interface, address(&message)) {
            interface.addresses.push(net);
        }
    }
    Ok(Interfaces::new(interfaces.into_values().collect()))
}

/// The kernel's description of a link, as the engine wants it.
fn interface(link: &LinkMessage) -> Option<Interface> {
    let up = LinkFlags::Up | LinkFlags::LowerUp;
    let mut name = None;
    let mut interface = Interface {
        index: IfIndex(link.header.index),
        name: String::new(),
        mac: Mac::default(),
        addresses: Vec::new(),
        mtu: 1500,
        running: link.header.flags.contains(up),
        slave: false,
    };
    for attribute in &link.attributes {
        match attribute {
            LinkAttribute::IfName(own) => name = Some(own.clone()),
            LinkAttribute::Address(octets) => {
                interface.mac = octets.as_slice().try_into().map(Mac).unwrap_or_default();
            }
            // Links of this size (loopback) exist; a DHCP datagram does not.
            LinkAttribute::Mtu(mtu) => interface.mtu = u16::try_from(*mtu).unwrap_or(u16::MAX),
            LinkAttribute::LinkInfo(infos) => interface.slave = infos.iter().any(is_slave),
            _ => {}
        }
    }
    interface.name = name?;
    Some(interface)
}

/// Whether frames that come in belong to a bridge, a bond or a team, which have their own name. A
/// VRF's members keep theirs.
fn is_slave(info: &LinkInfo) -> bool {
    matches!(
        info,
        LinkInfo::PortKind(InfoPortKind::Bond | InfoPortKind::Bridge | InfoPortKind::Team)
    ) || matches!(info, LinkInfo::PortKind(InfoPortKind::Other(kind)) if kind == "openvswitch")
}

fn address(message: &AddressMessage) -> Option<Ipv4Net> {
    if message.header.family != AddressFamily::Inet {
        return None;
    }
    let mut found = None;
    for attribute in &message.attributes {
        match attribute {
            // On a point-to-point link `Address` is the peer's and `Local` is ours.
            AddressAttribute::Local(IpAddr::V4(own)) => found = Some(*own),
            AddressAttribute::Address(IpAddr::V4(peer)) => found = found.or(Some(*peer)),
            _ => {}
        }
    }
    Ipv4Net::new(found?, message.header.prefix_len).ok()
}
