//! All DHCP on an interface as it passes, in both directions.

use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

use leasehold_dhcp::IfIndex;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use socket2::Socket;

use super::message::Message;
use crate::net::filter;
use crate::net::frame::{self, Checksum};
use crate::net::packet;
use crate::net::sys::{self, Receiver};

/// `ETH_P_ALL`: also what the machine itself sends.
const EVERYTHING: u16 = 0x0003;
const QUEUE: u32 = 1 << 20;

/// Listens without taking part.
pub struct Tap {
    socket: Socket,
    receiver: Receiver,
}

/// One message that passed.
#[derive(Clone, Debug)]
pub struct Passed {
    /// What it says.
    pub message: Message,
    /// Whether a server sent it.
    pub from_server: bool,
    /// Its IP source and destination.
    pub source: core::net::Ipv4Addr,
    /// See `source`.
    pub destination: core::net::Ipv4Addr,
}

impl Tap {
    /// Opens an interface.
    pub fn open(interface: IfIndex) -> io::Result<Self> {
        let socket = packet::unbound(&filter::UDP, QUEUE)?;
        let address = sys::link_address(EVERYTHING, interface, None);
        sys::bind_link(socket.as_fd(), &address)?;
        Ok(Self { socket, receiver: Receiver::new() })
    }

    /// The next message, if one passes within `patience`.
    pub fn next(&mut self, patience: Duration) -> io::Result<Option<Passed>> {
        let patience = Timespec::try_from(patience).unwrap_or_default();
        let mut sockets = [PollFd::new(&self.socket, PollFlags::IN)];
        match poll(&mut sockets, Some(&patience)) {
            Ok(0) | Err(rustix::io::Errno::INTR) => return Ok(None),
            Ok(_) => {}
            Err(error) => return Err(error.into()),
        }
        if self.receiver.receive(self.socket.as_fd(), 1)? == 0 {
            return Ok(None);
        }
        Ok(self.receiver.get(0).and_then(|received| {
            let udp = frame::parse(received.bytes, Checksum::Trust).ok()?;
            let message = Message::read(udp.payload)?;
            Some(Passed {
                from_server: message.op == 2,
                message,
                source: *udp.source.ip(),
                destination: *udp.target.ip(),
            })
        }))
    }
}
