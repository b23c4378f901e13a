//! The system calls that no crate wraps for us: batches of datagrams with what the kernel knows
//! of them, and a few socket options. All of the server's unsafe code is in this file.

use core::mem::{self, MaybeUninit};
use core::net::{Ipv4Addr, SocketAddrV4};
use core::ptr;
use core::sync::atomic::{AtomicBool, Ordering};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::time::Duration;

use leasehold_dhcp::{IfIndex, Mac};
use libc::{c_int, c_uint, c_void, socklen_t};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Datagrams read or sent with one system call.
pub(crate) const BATCH: usize = 64;
/// Octets of one datagram that are read; a DHCP message that is longer is nobody's. Not a power of
/// two: the caches would keep the beginnings of all buffers in one and the same place.
pub(crate) const DATAGRAM: usize = 4096 + 320;
const CONTROL: usize = 128;

/// Sets a socket option whose value is an integer.
pub(crate) fn set_option(
    socket: BorrowedFd<'_>,
    level: c_int,
    name: c_int,
    value: c_uint,
) -> io::Result<()> {
    let length = size_of::<c_uint>() as socklen_t;
    // SAFETY: the pointer is to a live integer of the length that is given.
    let result = unsafe {
        libc::setsockopt(socket.as_raw_fd(), level, name, ptr::from_ref(&value).cast(), length)
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Has the kernel note when datagrams come, or not.
pub(crate) fn stamp(socket: BorrowedFd<'_>, on: bool) -> io::Result<()> {
    set_option(socket, libc::SOL_SOCKET, libc::SO_TIMESTAMPNS, on.into())
}

/// The descriptors that the service manager has passed (`sd_listen_fds_with_names(3)`), and their
/// names; nothing when it is asked again.
pub(crate) fn inherited() -> io::Result<Vec<(String, OwnedFd)>> {
    static TAKEN: AtomicBool = AtomicBool::new(false);
    if TAKEN.swap(true, Ordering::Relaxed) {
        return Ok(Vec::new());
    }
    let passed = sd_notify::listen_fds_with_names()?;
    // SAFETY: the manager opened them for this process, which says so by its number, and they are
    // taken once: nobody else owns them.
    Ok(passed.map(|(fd, name)| (name, unsafe { OwnedFd::from_raw_fd(fd) })).collect())
}

/// Names the network namespace of a socket (`SO_NETNS_COOKIE`, Linux 5.14).
pub(crate) fn network(socket: BorrowedFd<'_>) -> io::Result<u64> {
    const SO_NETNS_COOKIE: c_int = 71;
    let mut cookie = 0_u64;
    let mut length = size_of::<u64>() as socklen_t;
    // SAFETY: both pointers are to live values, and the length is the first one's.
    let result = unsafe {
        let value = ptr::from_mut(&mut cookie).cast();
        libc::getsockopt(socket.as_raw_fd(), libc::SOL_SOCKET, SO_NETNS_COOKIE, value, &mut length)
    };
    if result == 0 { Ok(cookie) } else { Err(io::Error::last_os_error()) }
}

/// The protocol and the interface that a packet socket is bound to.
pub(crate) fn bound_link(socket: BorrowedFd<'_>) -> io::Result<(u16, IfIndex)> {
    let LinkAddress(mut address) = link_address(0, IfIndex(0), None);
    let mut length = size_of::<libc::sockaddr_ll>() as socklen_t;
    // SAFETY: both pointers are to live values, and the length is the first one's.
    let result = unsafe {
        libc::getsockname(socket.as_raw_fd(), ptr::from_mut(&mut address).cast(), &mut length)
    };
    if result == 0 {
        Ok((u16::from_be(address.sll_protocol), IfIndex(address.sll_ifindex.cast_unsigned())))
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Lets a task wait until a descriptor can be read. Needs a tokio runtime around it.
pub(crate) fn awaitable(descriptor: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: an `OwnedFd` is one descriptor from its beginning to its end, and the `AsyncFd` that
    // owns it takes it out of tokio's poll before it is closed.
    let registered = unsafe { AsyncFd::register_with_interest(descriptor, Interest::READABLE) };
    registered.map_err(io::Error::from)
}

/// The link-layer address of a packet socket: an interface, a protocol, perhaps a station.
pub(crate) fn link_address(protocol: u16, interface: IfIndex, mac: Option<Mac>) -> LinkAddress {
    // SAFETY: `sockaddr_ll` is plain numbers, for which all zeroes are valid.
    let mut address: libc::sockaddr_ll = unsafe { mem::zeroed() };
    address.sll_family = libc::AF_PACKET as u16;
    address.sll_protocol = protocol.to_be();
    address.sll_ifindex = interface.0.cast_signed();
    if let Some(Mac(octets)) = mac {
        address.sll_halen = 6;
        address.sll_addr[..6].copy_from_slice(&octets);
    }
    LinkAddress(address)
}

/// See [`link_address`].
#[derive(Clone, Copy)]
pub(crate) struct LinkAddress(libc::sockaddr_ll);

/// Binds a packet socket.
pub(crate) fn bind_link(socket: BorrowedFd<'_>, address: &LinkAddress) -> io::Result<()> {
    let length = size_of::<libc::sockaddr_ll>() as socklen_t;
    // SAFETY: the pointer is to a live address of the length that is given.
    let result =
        unsafe { libc::bind(socket.as_raw_fd(), ptr::from_ref(&address.0).cast(), length) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Where a datagram came from, by the socket that it came through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum From {
    /// A packet socket: the interface, how the frame was addressed (`PACKET_HOST` …), its source.
    Link { interface: IfIndex, kind: u8, mac: Option<Mac> },
    /// An IP socket.
    Inet(SocketAddrV4),
    /// The kernel did not say.
    Nowhere,
}

/// What the kernel told beside the octets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Told {
    /// `tp_status` of a packet socket, and the VLAN tag that the kernel took off.
    pub(crate) status: u32,
    pub(crate) vlan: u16,
    /// Interface and destination of an IP socket's datagram.
    pub(crate) arrival: Option<(IfIndex, Ipv4Addr)>,
    /// When it came, by the wall clock, if the socket was asked to say so.
    pub(crate) came: Option<Duration>,
}

/// One datagram of a [`Receiver`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Received<'a> {
    pub(crate) bytes: &'a [u8],
    pub(crate) from: From,
    pub(crate) told: Told,
}

#[repr(C, align(8))]
#[derive(Clone, Copy)]
struct Control([u8; CONTROL]);

/// Buffers for one batch of received datagrams.
pub(crate) struct Receiver {
    bytes: Box<[[u8; DATAGRAM]]>,
    names: Box<[MaybeUninit<libc::sockaddr_storage>]>,
    controls: Box<[Control]>,
    headers: Vec<libc::mmsghdr>,
    iovecs: Vec<libc::iovec>,
}

// SAFETY: the raw pointers in `headers` and `iovecs` are made anew by each call of `receive`, point
// into this value's own boxes, and are used by no other method; so it may move between threads.
unsafe impl Send for Receiver {}

impl Receiver {
    pub(crate) fn new() -> Self {
        Self {
            bytes: vec![[0; DATAGRAM]; BATCH].into(),
            names: vec![MaybeUninit::zeroed(); BATCH].into(),
            controls: vec![Control([0; CONTROL]); BATCH].into(),
            headers: Vec::with_capacity(BATCH),
            iovecs: Vec::with_capacity(BATCH),
        }
    }

    /// Reads at most `most` datagrams without waiting; [`Receiver::get`] gives them.
    pub(crate) fn receive(&mut self, socket: BorrowedFd<'_>, most: usize) -> io::Result<usize> {
        let most = most.min(BATCH);
        self.iovecs.clear();
        self.headers.clear();
        for index in 0..most {
            let base = self.bytes[index].as_mut_ptr().cast::<c_void>();
            self.iovecs.push(libc::iovec { iov_base: base, iov_len: DATAGRAM });
        }
        for index in 0..most {
            // SAFETY: `mmsghdr` is numbers and pointers, for which all zeroes are valid.
            let mut header: libc::mmsghdr = unsafe { mem::zeroed() };
            header.msg_hdr.msg_name = self.names[index].as_mut_ptr().cast();
            header.msg_hdr.msg_namelen = size_of::<libc::sockaddr_storage>() as socklen_t;
            header.msg_hdr.msg_iov = &raw mut self.iovecs[index];
            header.msg_hdr.msg_iovlen = 1;
            header.msg_hdr.msg_control = self.controls[index].0.as_mut_ptr().cast();
            header.msg_hdr.msg_controllen = CONTROL as _;
            self.headers.push(header);
        }
        // SAFETY: the headers point to `most` live buffers of the lengths that they say, and
        // nothing else borrows them during the call.
        let count = unsafe {
            libc::recvmmsg(
                socket.as_raw_fd(),
                self.headers.as_mut_ptr(),
                most as c_uint,
                libc::MSG_DONTWAIT as _,
                ptr::null_mut(),
            )
        };
        usize::try_from(count).map_err(|_| io::Error::last_os_error())
    }

    /// Datagram `index` of the last call; `None` if it was longer than a buffer.
    pub(crate) fn get(&self, index: usize) -> Option<Received<'_>> {
        let header = self.headers.get(index)?;
        if header.msg_hdr.msg_flags & libc::MSG_TRUNC != 0 {
            return None;
        }
        let bytes = self.bytes[index].get(..header.msg_len as usize)?;
        let from = self.from(index, header.msg_hdr.msg_namelen as usize);
        let control = &self.controls[index].0;
        let length = header.msg_hdr.msg_controllen.min(control.len());
        Some(Received { bytes, from, told: told(&control[..length]) })
    }

    fn from(&self, index: usize, length: usize) -> From {
        let name = self.names[index].as_ptr();
        // SAFETY: the storage was zeroed once and is only ever written to by the kernel, so each
        // of its octets is initialised; it is large enough and aligned for every address.
        let family = c_int::from(unsafe { (*name).ss_family });
        if family == libc::AF_PACKET && length >= size_of::<libc::sockaddr_ll>() - 2 {
            // SAFETY: as above, and the family says which address it is.
            let link = unsafe { *name.cast::<libc::sockaddr_ll>() };
            let mac = link.sll_addr.first_chunk().filter(|_| link.sll_halen == 6);
            let interface = IfIndex(link.sll_ifindex.cast_unsigned());
            return From::Link { interface, kind: link.sll_pkttype, mac: mac.copied().map(Mac) };
        }
        if family == libc::AF_INET && length >= size_of::<libc::sockaddr_in>() {
            // SAFETY: as above, and the family says which address it is.
            let inet = unsafe { *name.cast::<libc::sockaddr_in>() };
            let address = Ipv4Addr::from(u32::from_be(inet.sin_addr.s_addr));
            return From::Inet(SocketAddrV4::new(address, u16::from_be(inet.sin_port)));
        }
        From::Nowhere
    }
}

/// Reads the control messages that we ask for.
fn told(mut control: &[u8]) -> Told {
    let mut told = Told::default();
    let header = size_of::<libc::cmsghdr>();
    while let Some((head, _)) = control.split_at_checked(header) {
        // SAFETY: `head` has the size of a `cmsghdr`, which is plain numbers; it may be unaligned.
        let head = unsafe { ptr::read_unaligned(head.as_ptr().cast::<libc::cmsghdr>()) };
        let length = head.cmsg_len as usize;
        let Some(data) = control.get(header..length) else { break };
        match (head.cmsg_level, head.cmsg_type) {
            (libc::SOL_PACKET, libc::PACKET_AUXDATA) => {
                if let Some(aux) = plain::<libc::tpacket_auxdata>(data) {
                    told.status = aux.tp_status;
                    told.vlan = aux.tp_vlan_tci;
                }
            }
            (libc::IPPROTO_IP, libc::IP_PKTINFO) => {
                if let Some(info) = plain::<libc::in_pktinfo>(data) {
                    let destination = Ipv4Addr::from(u32::from_be(info.ipi_addr.s_addr));
                    let interface = IfIndex(info.ipi_ifindex.cast_unsigned());
                    told.arrival = Some((interface, destination));
                }
            }
            (libc::SOL_SOCKET, libc::SCM_TIMESTAMPNS) => {
                if let Some(time) = plain::<libc::timespec>(data) {
                    let (seconds, nanoseconds) = (time.tv_sec as u64, time.tv_nsec as u32);
                    told.came = Some(Duration::new(seconds, nanoseconds));
                }
            }
            _ => {}
        }
        let Some(rest) = control.get(length.next_multiple_of(size_of::<usize>())..) else { break };
        control = rest;
    }
    told
}

/// Structures of the kernel that are plain numbers: any octets are a valid value.
trait Plain: Copy {}
impl Plain for libc::tpacket_auxdata {}
impl Plain for libc::in_pktinfo {}
impl Plain for libc::timespec {}

fn plain<T: Plain>(bytes: &[u8]) -> Option<T> {
    let bytes = bytes.get(..size_of::<T>())?;
    // SAFETY: there are as many octets as `T` has, and any octets are a valid `T`.
    Some(unsafe { ptr::read_unaligned(bytes.as_ptr().cast()) })
}

/// Where a datagram goes, by the socket that carries it.
#[derive(Clone, Copy)]
pub(crate) enum To {
    /// A packet socket.
    Link(LinkAddress),
    /// An IP socket, and the source that it is to have (unspecified: the kernel's choice).
    Inet(SocketAddrV4, Ipv4Addr),
}

/// One datagram to send: a header of our own, perhaps empty, and the payload.
#[derive(Clone, Copy)]
pub(crate) struct Sending<'a> {
    pub(crate) to: To,
    pub(crate) header: &'a [u8],
    pub(crate) payload: &'a [u8],
}

union Name {
    link: libc::sockaddr_ll,
    inet: libc::sockaddr_in,
}

/// Buffers for one batch of datagrams to send.
pub(crate) struct Sender {
    names: Vec<Name>,
    controls: Vec<Control>,
    iovecs: Vec<[libc::iovec; 2]>,
    headers: Vec<libc::mmsghdr>,
}

// SAFETY: the raw pointers in `headers` and `iovecs` are made anew by each call of `send` and are
// used by no other method; so it may move between threads.
unsafe impl Send for Sender {}

impl Sender {
    pub(crate) fn new() -> Self {
        Self {
            names: Vec::with_capacity(BATCH),
            controls: Vec::with_capacity(BATCH),
            iovecs: Vec::with_capacity(BATCH),
            headers: Vec::with_capacity(BATCH),
        }
    }

    /// Sends datagrams with as few system calls as it takes; says how many there were. One that is
    /// refused is skipped and told to `refused` with the kernel's reason; the others go on.
    pub(crate) fn send<'a>(
        &mut self,
        socket: BorrowedFd<'_>,
        batch: impl IntoIterator<Item = Sending<'a>>,
        mut refused: impl FnMut(io::Error),
    ) -> usize {
        let mut batch = batch.into_iter().peekable();
        let mut count = 0;
        while batch.peek().is_some() {
            self.names.clear();
            self.controls.clear();
            self.iovecs.clear();
            self.headers.clear();
            for sending in batch.by_ref().take(BATCH) {
                self.push(&sending);
            }
            count += self.headers.len();
            self.transmit(socket, &mut refused);
        }
        count
    }

    /// Adds a message; there is room, so nothing that a header points to moves.
    fn push(&mut self, sending: &Sending<'_>) {
        self.names.push(name(sending.to));
        self.iovecs.push([iovec(sending.header), iovec(sending.payload)]);
        // SAFETY: `mmsghdr` is numbers and pointers, for which all zeroes are valid.
        let mut header: libc::mmsghdr = unsafe { mem::zeroed() };
        header.msg_hdr.msg_name =
            self.names.last_mut().map_or(ptr::null_mut(), ptr::from_mut).cast();
        header.msg_hdr.msg_namelen = match sending.to {
            To::Link(_) => size_of::<libc::sockaddr_ll>() as socklen_t,
            To::Inet(..) => size_of::<libc::sockaddr_in>() as socklen_t,
        };
        if let Some(iovecs) = self.iovecs.last_mut() {
            let skipped = usize::from(sending.header.is_empty());
            header.msg_hdr.msg_iov = iovecs[skipped..].as_mut_ptr();
            header.msg_hdr.msg_iovlen = iovecs.len() - skipped;
        }
        if let To::Inet(_, source) = sending.to {
            self.controls.push(control(source));
            let control = self.controls.last_mut().map_or(ptr::null_mut(), ptr::from_mut);
            header.msg_hdr.msg_control = control.cast();
            header.msg_hdr.msg_controllen = pktinfo_space() as _;
        }
        self.headers.push(header);
    }

    fn transmit(&mut self, socket: BorrowedFd<'_>, refused: &mut impl FnMut(io::Error)) {
        let mut sent = 0;
        while sent < self.headers.len() {
            let left = self.headers.len() - sent;
            // SAFETY: the headers point to names, controls and octets that outlive the call.
            let count = unsafe {
                libc::sendmmsg(
                    socket.as_raw_fd(),
                    self.headers[sent..].as_mut_ptr(),
                    left as c_uint,
                    libc::MSG_DONTWAIT as _,
                )
            };
            match usize::try_from(count) {
                Ok(count) => sent += count.max(1),
                Err(_) => {
                    let error = io::Error::last_os_error();
                    if error.kind() != io::ErrorKind::Interrupted {
                        refused(error);
                        sent += 1;
                    }
                }
            }
        }
    }
}

fn iovec(bytes: &[u8]) -> libc::iovec {
    libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() }
}

fn name(to: To) -> Name {
    match to {
        To::Link(LinkAddress(link)) => Name { link },
        To::Inet(target, _) => Name {
            inet: libc::sockaddr_in {
                sin_family: libc::AF_INET as u16,
                sin_port: target.port().to_be(),
                sin_addr: libc::in_addr { s_addr: u32::from(*target.ip()).to_be() },
                sin_zero: [0; 8],
            },
        },
    }
}

fn pktinfo_space() -> usize {
    (size_of::<libc::cmsghdr>() + size_of::<libc::in_pktinfo>())
        .next_multiple_of(size_of::<usize>())
}

fn control(source: Ipv4Addr) -> Control {
    let mut control = Control([0; CONTROL]);
    // SAFETY: `cmsghdr` is plain numbers, for which all zeroes are valid.
    let mut head: libc::cmsghdr = unsafe { mem::zeroed() };
    let length = size_of::<libc::cmsghdr>() + size_of::<libc::in_pktinfo>();
    head.cmsg_len = length as _;
    head.cmsg_level = libc::IPPROTO_IP;
    head.cmsg_type = libc::IP_PKTINFO;
    let info = libc::in_pktinfo {
        ipi_ifindex: 0,
        ipi_spec_dst: libc::in_addr { s_addr: u32::from(source).to_be() },
        ipi_addr: libc::in_addr { s_addr: 0 },
    };
    let at = control.0.as_mut_ptr();
    // SAFETY: both fit into the 128 octets, one behind the other; unaligned writes are meant.
    unsafe {
        ptr::write_unaligned(at.cast(), head);
        ptr::write_unaligned(at.add(size_of::<libc::cmsghdr>()).cast(), info);
    }
    control
}
