//! A test's own ear and mouth on an interface: whole frames in, whole frames out.

use std::cell::{Cell, RefCell};
use std::ffi::CString;
use std::fs;
use std::io;
use std::mem::{self, MaybeUninit};
use std::net::Ipv4Addr;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use super::PATIENCE;
use super::frame::{self, Checksum, Envelope, Mac};
use super::message::{Message, Reply};
use super::namespace::Namespace;

/// A packet socket on one interface, and every DHCP message heard on it so far.
pub struct Tap {
    socket: OwnedFd,
    machine: Namespace,
    mac: Mac,
    xid: Cell<u32>,
    heard: RefCell<Vec<Reply>>,
}

/// Which way the frames go that a tap hears.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Hears {
    /// Only what comes in: the tap plays the machine.
    Incoming,
    /// Also what the machine sends: the tap watches a real client.
    Both,
}

/// The virtio header that goes before a frame on a socket with `PACKET_VNET_HDR`.
const VIRTIO_HEADER: usize = 10;

impl Tap {
    /// Listens and speaks as the machine itself.
    pub fn new(machine: &Namespace, interface: &str) -> Self {
        Self::open(machine, interface, Hears::Incoming)
    }

    /// Watches what a real client on this machine says and hears.
    pub fn watch(machine: &Namespace, interface: &str) -> Self {
        Self::open(machine, interface, Hears::Both)
    }

    fn open(machine: &Namespace, interface: &str, hears: Hears) -> Self {
        let (socket, mac) = machine.inside(|| {
            let link = machine.ip(&format!("-o link show dev {interface}"));
            let mac = link.split("link/ether ").nth(1).expect("an Ethernet interface");
            let socket = packet_socket(interface, hears);
            (socket.unwrap_or_else(|e| panic!("{interface}: {e}")), Mac::parse(&mac[..17]))
        });
        // Two taps of one test never use the same transaction id.
        static TAPS: AtomicU32 = AtomicU32::new(1);
        let first_xid = TAPS.fetch_add(1, Ordering::Relaxed) << 24;
        Self {
            socket,
            machine: machine.clone(),
            mac,
            xid: Cell::new(first_xid),
            heard: RefCell::default(),
        }
    }

    /// The machine whose interface it is.
    pub fn machine(&self) -> &Namespace {
        &self.machine
    }

    /// The interface's own address.
    pub fn mac(&self) -> Mac {
        self.mac
    }

    /// A transaction id that nobody used before.
    pub fn fresh_xid(&self) -> u32 {
        self.xid.set(self.xid.get().wrapping_add(1));
        self.xid.get()
    }

    /// Sends a message inside these headers.
    pub fn send(&self, envelope: &Envelope, message: &Message) {
        self.send_bytes(envelope, &message.bytes());
    }

    pub fn send_bytes(&self, envelope: &Envelope, payload: &[u8]) {
        let partial = envelope.checksum == Checksum::Partial;
        self.send_frame(&envelope.frame(payload), partial);
    }

    /// Sends a frame as it is. `partial`: the kernel shall treat its UDP checksum as not yet made.
    pub fn send_frame(&self, frame: &[u8], partial: bool) {
        let mut bytes = vec![0; VIRTIO_HEADER];
        if partial {
            // VIRTIO_NET_HDR_F_NEEDS_CSUM, over everything behind the IP header.
            bytes[0] = 1;
            bytes[6..8].copy_from_slice(&34_u16.to_ne_bytes());
            bytes[8..10].copy_from_slice(&6_u16.to_ne_bytes());
        }
        bytes.extend_from_slice(frame);
        loop {
            // SAFETY: pointer and length are those of `bytes`.
            let sent = unsafe {
                libc::send(self.socket.as_raw_fd(), bytes.as_ptr().cast(), bytes.len(), 0)
            };
            if sent == isize::try_from(bytes.len()).unwrap() {
                return;
            }
            let error = io::Error::last_os_error();
            assert_eq!(error.raw_os_error(), Some(libc::ENOBUFS), "sending a frame: {error}");
            std::thread::yield_now();
        }
    }

    /// The next DHCP message from the wire that fits, kept with all others; `None` when none came
    /// in time.
    pub fn hear(&self, patience: Duration, fits: impl Fn(&Reply) -> bool) -> Option<Reply> {
        let deadline = Instant::now() + patience;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let reply = self.next(left)?;
            let fitting = fits(&reply);
            self.heard.borrow_mut().push(reply.clone());
            if fitting {
                return Some(reply);
            }
        }
    }

    /// Like [`Tap::hear`], but looks first at what was heard before.
    pub fn expect(&self, what: &str, fits: impl Fn(&Reply) -> bool) -> Reply {
        let before = self.heard.borrow().iter().find(|reply| fits(reply)).cloned();
        before.or_else(|| self.hear(PATIENCE, &fits)).unwrap_or_else(|| {
            panic!("{what} did not come; heard: {:#?}", self.heard.borrow());
        })
    }

    /// Everything heard so far that fits.
    pub fn heard(&self, fits: impl Fn(&Reply) -> bool) -> Vec<Reply> {
        while let Some(reply) = self.next(Duration::ZERO) {
            self.heard.borrow_mut().push(reply);
        }
        self.heard.borrow().iter().filter(|reply| fits(reply)).cloned().collect()
    }

    /// Forgets what was heard; long loads call it so that memory stays flat.
    pub fn forget(&self) {
        self.heard.borrow_mut().clear();
    }

    /// The next DHCP message from the wire, not kept.
    pub fn next(&self, patience: Duration) -> Option<Reply> {
        let deadline = Instant::now() + patience;
        loop {
            let (frame, vlan, unfinished) = self.next_frame(deadline)?;
            let opened = frame::open(&frame, vlan, unfinished);
            let dhcp = opened.filter(|(headers, _)| matches!(headers.target_port, 67 | 68));
            if let Some(reply) = dhcp.and_then(|(headers, bytes)| Reply::read(headers, bytes)) {
                return Some(reply);
            }
        }
    }

    /// The next ARP message.
    pub fn next_arp(&self, patience: Duration) -> Option<Arp> {
        let deadline = Instant::now() + patience;
        loop {
            let (frame, ..) = self.next_frame(deadline)?;
            if let Some(arp) = Arp::read(&frame) {
                return Some(arp);
            }
        }
    }

    fn next_frame(&self, deadline: Instant) -> Option<(Vec<u8>, Option<u16>, bool)> {
        let left = deadline.saturating_duration_since(Instant::now());
        let descriptor = self.socket.as_raw_fd();
        let mut poll = libc::pollfd { fd: descriptor, events: libc::POLLIN, revents: 0 };
        let milliseconds = libc::c_int::try_from(left.as_micros().div_ceil(1000)).unwrap();
        // SAFETY: one valid pollfd.
        if unsafe { libc::poll(&raw mut poll, 1, milliseconds) } != 1 {
            return None;
        }
        receive(descriptor).ok()
    }
}

/// An ARP message for IPv4 on Ethernet.
#[derive(Clone, Debug)]
pub struct Arp {
    pub operation: u16,
    pub sender_mac: Mac,
    pub sender: Ipv4Addr,
    pub target: Ipv4Addr,
}

impl Arp {
    pub const REQUEST: u16 = 1;
    pub const REPLY: u16 = 2;

    fn read(frame: &[u8]) -> Option<Self> {
        let address = |at: usize| {
            let octets: [u8; 4] = frame.get(at..at + 4)?.try_into().ok()?;
            Some(Ipv4Addr::from(octets))
        };
        (frame.get(12..14)? == [0x08, 0x06]).then_some(())?;
        Some(Self {
            operation: u16::from_be_bytes(frame.get(20..22)?.try_into().ok()?),
            sender_mac: Mac(frame.get(22..28)?.try_into().ok()?),
            sender: address(28)?,
            target: address(38)?,
        })
    }

    /// The frame in which this station claims the address that was asked for.
    pub fn answered_by(&self, station: Mac) -> Vec<u8> {
        let mut frame = [self.sender_mac.0, station.0].concat();
        frame.extend_from_slice(&[0x08, 0x06, 0, 1, 0x08, 0, 6, 4, 0, 2]);
        frame.extend_from_slice(&station.0);
        frame.extend_from_slice(&self.target.octets());
        frame.extend_from_slice(&self.sender_mac.0);
        frame.extend_from_slice(&self.sender.octets());
        frame
    }
}

/// Saves frames for tshark.
pub fn write_pcap(path: &std::path::Path, replies: &[Reply]) {
    let mut bytes = Vec::new();
    for field in [0xa1b2_c3d4_u32, 0x0004_0002, 0, 0, 65535, 1] {
        bytes.extend_from_slice(&field.to_ne_bytes());
    }
    for reply in replies {
        let frame = &reply.headers.frame;
        let length = u32::try_from(frame.len()).unwrap();
        for field in [0, 0, length, length] {
            bytes.extend_from_slice(&field.to_ne_bytes());
        }
        bytes.extend_from_slice(frame);
    }
    fs::write(path, bytes).unwrap();
}

/// Opens the socket; runs inside the namespace.
fn packet_socket(interface: &str, hears: Hears) -> io::Result<OwnedFd> {
    let socket = unbound(libc::SOCK_RAW)?;
    set_option(&socket, libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, 64 << 20)
        .or_else(|_| set_option(&socket, libc::SOL_SOCKET, libc::SO_RCVBUF, 64 << 20))?;
    set_option(&socket, libc::SOL_PACKET, libc::PACKET_AUXDATA, 1)?;
    set_option(&socket, libc::SOL_PACKET, libc::PACKET_VNET_HDR, 1)?;
    if hears == Hears::Incoming {
        set_option(&socket, libc::SOL_PACKET, libc::PACKET_IGNORE_OUTGOING, 1)?;
    }
    bind(&socket, libc::ETH_P_ALL, interface)?;
    Ok(socket)
}

/// A cooked socket that hears one protocol on an interface; runs inside the namespace.
pub fn cooked_socket(protocol: libc::c_int, interface: &str) -> io::Result<OwnedFd> {
    let socket = unbound(libc::SOCK_DGRAM)?;
    bind(&socket, protocol, interface)?;
    Ok(socket)
}

fn unbound(kind: libc::c_int) -> io::Result<OwnedFd> {
    // SAFETY: no memory is passed.
    let descriptor = unsafe { libc::socket(libc::AF_PACKET, kind | libc::SOCK_CLOEXEC, 0) };
    if descriptor < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: a new descriptor that nobody else owns.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}

fn bind(socket: &OwnedFd, protocol: libc::c_int, interface: &str) -> io::Result<()> {
    let name = CString::new(interface).unwrap();
    // SAFETY: the name ends in NUL.
    let index = unsafe { libc::if_nametoindex(name.as_ptr()) };
    if index == 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: zeros are a valid sockaddr_ll.
    let mut address: libc::sockaddr_ll = unsafe { mem::zeroed() };
    address.sll_family = u16::try_from(libc::AF_PACKET).unwrap();
    address.sll_protocol = u16::try_from(protocol).unwrap().to_be();
    address.sll_ifindex = index.cast_signed();
    let length = libc::socklen_t::try_from(mem::size_of_val(&address)).unwrap();
    // SAFETY: a sockaddr_ll with its own length.
    match unsafe { libc::bind(socket.as_raw_fd(), (&raw const address).cast(), length) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

fn set_option(socket: &OwnedFd, level: i32, name: i32, value: libc::c_int) -> io::Result<()> {
    let length = libc::socklen_t::try_from(mem::size_of_val(&value)).unwrap();
    let pointer = (&raw const value).cast();
    // SAFETY: an integer with its own length.
    match unsafe { libc::setsockopt(socket.as_raw_fd(), level, name, pointer, length) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// One frame, the VLAN that its tag named, and whether its checksum is still to be made.
fn receive(descriptor: i32) -> io::Result<(Vec<u8>, Option<u16>, bool)> {
    let mut bytes = vec![0_u8; 65_536 + VIRTIO_HEADER];
    let mut control = [MaybeUninit::<u64>::zeroed(); 16];
    let mut vector = libc::iovec { iov_base: bytes.as_mut_ptr().cast(), iov_len: bytes.len() };
    // SAFETY: zeros are a valid msghdr.
    let mut header: libc::msghdr = unsafe { mem::zeroed() };
    header.msg_iov = &raw mut vector;
    header.msg_iovlen = 1;
    header.msg_control = control.as_mut_ptr().cast();
    header.msg_controllen = mem::size_of_val(&control);
    // SAFETY: the header points at live buffers of the lengths that it names.
    let length = unsafe { libc::recvmsg(descriptor, &raw mut header, libc::MSG_DONTWAIT) };
    let Ok(length) = usize::try_from(length) else { return Err(io::Error::last_os_error()) };
    let (mut vlan, mut unfinished) = (None, false);
    // SAFETY: the kernel filled the control buffer that `header` names.
    let first = unsafe { libc::CMSG_FIRSTHDR(&raw const header) };
    // SAFETY: null or a control message inside the buffer.
    let auxiliary = unsafe { first.as_ref() }
        .filter(|c| (c.cmsg_level, c.cmsg_type) == (libc::SOL_PACKET, libc::PACKET_AUXDATA));
    if let Some(auxiliary) = auxiliary {
        // SAFETY: a PACKET_AUXDATA message carries one tpacket_auxdata.
        let data: libc::tpacket_auxdata =
            unsafe { libc::CMSG_DATA(auxiliary).cast::<libc::tpacket_auxdata>().read_unaligned() };
        unfinished = data.tp_status & libc::TP_STATUS_CSUMNOTREADY != 0;
        vlan =
            (data.tp_status & libc::TP_STATUS_VLAN_VALID != 0).then_some(data.tp_vlan_tci & 0x0fff);
    }
    Ok((bytes.get(VIRTIO_HEADER..length).unwrap_or_default().to_vec(), vlan, unfinished))
}
