//! Packets of clients, legal ones and others.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddrV4};

use leasehold_dhcp::{IfIndex, Mac};

use crate::reply::Reply;
use crate::world::{BROADCAST, LAN, NOBODY, RELAY, SERVER, UPLINK, UPLINK_ADDRESS, mac};

/// A client's packet; by default a broadcast on [`LAN`].
#[derive(Clone, Debug)]
pub(crate) struct Packet {
    pub(crate) op: u8,
    pub(crate) htype: u8,
    pub(crate) hlen: u8,
    pub(crate) hops: u8,
    pub(crate) xid: u32,
    pub(crate) secs: u16,
    pub(crate) flags: u16,
    pub(crate) ciaddr: Ipv4Addr,
    pub(crate) yiaddr: Ipv4Addr,
    pub(crate) siaddr: Ipv4Addr,
    pub(crate) giaddr: Ipv4Addr,
    pub(crate) chaddr: [u8; 16],
    pub(crate) sname: [u8; 64],
    pub(crate) file: [u8; 128],
    pub(crate) cookie: [u8; 4],
    pub(crate) options: Vec<(u8, Vec<u8>)>,
    /// Goes behind the options as it is; END by default.
    pub(crate) tail: Vec<u8>,
    pub(crate) interface: IfIndex,
    pub(crate) link_source: Option<Mac>,
    pub(crate) source: SocketAddrV4,
    pub(crate) destination: Ipv4Addr,
}

impl Packet {
    /// The client with this number: its MAC address follows from it.
    pub(crate) fn client(number: u32) -> Self {
        let mut chaddr = [0; 16];
        chaddr[..6].copy_from_slice(&mac(number).0);
        Self {
            op: 1,
            htype: 1,
            hlen: 6,
            hops: 0,
            xid: 0x4c48_0000 + number,
            secs: 0,
            flags: 0,
            ciaddr: NOBODY,
            yiaddr: NOBODY,
            siaddr: NOBODY,
            giaddr: NOBODY,
            chaddr,
            sname: [0; 64],
            file: [0; 128],
            cookie: [99, 130, 83, 99],
            options: Vec::new(),
            tail: vec![255],
            interface: LAN,
            link_source: Some(mac(number)),
            source: SocketAddrV4::new(NOBODY, 68),
            destination: BROADCAST,
        }
    }

    /// Adds an option behind those that are there.
    pub(crate) fn option(mut self, code: u8, value: &[u8]) -> Self {
        self.options.push((code, value.to_vec()));
        self
    }

    pub(crate) fn client_id(self, id: &[u8]) -> Self {
        self.option(61, id)
    }

    pub(crate) fn asking_for(self, codes: &[u8]) -> Self {
        self.option(55, codes)
    }

    /// Through the relay, which sits in 172.29.2.0/24.
    pub(crate) fn relayed(mut self) -> Self {
        self.giaddr = RELAY;
        self.hops = 1;
        self.interface = UPLINK;
        self.link_source = None;
        self.source = SocketAddrV4::new(RELAY, 67);
        self.destination = UPLINK_ADDRESS;
        self
    }

    fn message(mut self, kind: u8) -> Self {
        self.options.insert(0, (53, vec![kind]));
        self
    }

    pub(crate) fn discover(self) -> Self {
        self.message(1)
    }

    pub(crate) fn wishing(self, address: Ipv4Addr) -> Self {
        self.option(50, &address.octets())
    }

    /// The REQUEST that takes an offer.
    pub(crate) fn selecting(self, offer: &Reply) -> Self {
        let server = offer.address(54).expect("an offer names its server");
        self.selecting_of(server, offer.yiaddr())
    }

    pub(crate) fn selecting_of(self, server: Ipv4Addr, address: Ipv4Addr) -> Self {
        self.message(3).option(54, &server.octets()).option(50, &address.octets())
    }

    pub(crate) fn reboot(self, address: Ipv4Addr) -> Self {
        self.message(3).wishing(address)
    }

    /// A unicast to the server.
    pub(crate) fn renew(mut self, address: Ipv4Addr) -> Self {
        self.ciaddr = address;
        self.source = SocketAddrV4::new(address, 68);
        self.destination = if self.interface == LAN { SERVER } else { UPLINK_ADDRESS };
        self.message(3)
    }

    pub(crate) fn rebind(mut self, address: Ipv4Addr) -> Self {
        self.ciaddr = address;
        self.message(3)
    }

    pub(crate) fn decline(self, server: Ipv4Addr, address: Ipv4Addr) -> Self {
        self.message(4).option(50, &address.octets()).option(54, &server.octets())
    }

    pub(crate) fn release(mut self, server: Ipv4Addr, address: Ipv4Addr) -> Self {
        self.ciaddr = address;
        self.destination = SERVER;
        self.source = SocketAddrV4::new(address, 68);
        self.message(7).option(54, &server.octets())
    }

    pub(crate) fn inform(mut self, address: Ipv4Addr) -> Self {
        self.ciaddr = address;
        self.source = SocketAddrV4::new(address, 68);
        self.message(8)
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut bytes = vec![self.op, self.htype, self.hlen, self.hops];
        bytes.extend(self.xid.to_be_bytes());
        bytes.extend(self.secs.to_be_bytes());
        bytes.extend(self.flags.to_be_bytes());
        for address in [self.ciaddr, self.yiaddr, self.siaddr, self.giaddr] {
            bytes.extend(address.octets());
        }
        bytes.extend(self.chaddr);
        bytes.extend(self.sname);
        bytes.extend(self.file);
        bytes.extend(self.cookie);
        for (code, value) in &self.options {
            bytes.extend([*code, value.len() as u8]);
            bytes.extend(value);
        }
        bytes.extend(&self.tail);
        bytes
    }
}

/// Short: for the messages of failing tests.
impl fmt::Display for Packet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let chaddr = &self.chaddr[..6];
        write!(f, "{chaddr:02x?} ciaddr {} giaddr {}", self.ciaddr, self.giaddr)?;
        self.options.iter().try_for_each(|(code, value)| write!(f, " {code}={value:02x?}"))
    }
}
