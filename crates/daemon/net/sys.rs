//! The system calls that no crate wraps for us: batches of datagrams with what the kernel knows
//! of them, and a few socket options. All of the server's unsafe code is in this file.

use core::mem::{self, MaybeUninit};
use core::net::{Ipv4Addr, SocketAddrV4};
use core::ops::Range;
use core::ptr;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

use leasehold_dhcp::{IfIndex, Mac};
use libc::{c_int, c_uint, c_void, socklen_t};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Datagrams read or sent with one system call.
pub(crate) const BATCH: usize = 64;
/// Octets of one datagram that are read; a DHCP message that is longer is nobody's.
pub(crate) const DATAGRAM: usize = 4096;
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
impl Plain for u16 {}

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

/// Sends a batch with as few system calls as it takes. A datagram that is refused is skipped and
/// told to `refused` with its index and the kernel's reason; the others go on.
///
/// Neighbours of one length from one address to one other are handed over as one datagram that the
/// kernel cuts (`UDP_SEGMENT`): replies to a relay then cost a third less. A kernel or a link that
/// cannot do so gets them one by one.
pub(crate) fn send(
    socket: BorrowedFd<'_>,
    batch: &[Sending<'_>],
    mut refused: impl FnMut(usize, io::Error),
) {
    for (number, part) in batch.chunks(BATCH).enumerate() {
        let mut uncut = Vec::new();
        send_groups(socket, part, &groups(part), |group, error| {
            if group.len() == 1 {
                refused(number * BATCH + group.start, error);
            } else {
                uncut.extend(group.map(|index| index..index + 1));
            }
        });
        let mut single = |group: Range<usize>, error| refused(number * BATCH + group.start, error);
        send_groups(socket, part, &uncut, &mut single);
    }
}

/// The most octets that the kernel takes to cut.
const CUT_BYTES: usize = 60_000;

/// Runs of datagrams that can be handed over as one.
fn groups(part: &[Sending<'_>]) -> Vec<Range<usize>> {
    let alike = |one: &Sending<'_>, next: &Sending<'_>| match (one.to, next.to) {
        (To::Inet(to, from), To::Inet(next_to, next_from)) => {
            (to, from, one.payload.len()) == (next_to, next_from, next.payload.len())
        }
        _ => false,
    };
    let mut groups = Vec::with_capacity(part.len());
    let mut start = 0;
    for run in part.chunk_by(alike) {
        let most = (CUT_BYTES / run[0].payload.len().max(1)).max(1);
        for group in run.chunks(most) {
            groups.push(start..start + group.len());
            start += group.len();
        }
    }
    groups
}

/// Sends each group with one header; a group that is refused is told and skipped.
fn send_groups(
    socket: BorrowedFd<'_>,
    part: &[Sending<'_>],
    groups: &[Range<usize>],
    mut refused: impl FnMut(Range<usize>, io::Error),
) {
    let mut iovecs: Vec<[libc::iovec; 2]> =
        part.iter().map(|sending| [iovec(sending.header), iovec(sending.payload)]).collect();
    let (mut names, mut controls): (Vec<Name>, Vec<Ancillary>) = groups
        .iter()
        .map(|group| (name(part[group.start].to), ancillary(&part[group.clone()])))
        .unzip();
    let mut headers = Vec::with_capacity(groups.len());
    for (index, group) in groups.iter().enumerate() {
        // SAFETY: `mmsghdr` is numbers and pointers, for which all zeroes are valid.
        let mut header: libc::mmsghdr = unsafe { mem::zeroed() };
        header.msg_hdr.msg_name = (&raw mut names[index]).cast();
        header.msg_hdr.msg_namelen = match part[group.start].to {
            To::Link(_) => size_of::<libc::sockaddr_ll>() as socklen_t,
            To::Inet(..) => size_of::<libc::sockaddr_in>() as socklen_t,
        };
        header.msg_hdr.msg_iov = iovecs[group.clone()].as_mut_ptr().cast();
        header.msg_hdr.msg_iovlen = (2 * group.len()) as _;
        let Ancillary(control, length) = &mut controls[index];
        if *length > 0 {
            header.msg_hdr.msg_control = control.0.as_mut_ptr().cast();
            header.msg_hdr.msg_controllen = *length as _;
        }
        headers.push(header);
    }
    let mut sent = 0;
    while sent < headers.len() {
        let left = headers.len() - sent;
        // SAFETY: the headers point to names, controls and octets that outlive the call.
        let count = unsafe {
            libc::sendmmsg(
                socket.as_raw_fd(),
                headers[sent..].as_mut_ptr(),
                left as c_uint,
                libc::MSG_DONTWAIT as _,
            )
        };
        match usize::try_from(count) {
            Ok(count) => sent += count.max(1),
            Err(_) => {
                let error = io::Error::last_os_error();
                if error.kind() != io::ErrorKind::Interrupted {
                    refused(groups[sent].clone(), error);
                    sent += 1;
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

/// Control messages, and their octets.
struct Ancillary(Control, usize);

impl Ancillary {
    fn push<T: Plain>(&mut self, level: c_int, kind: c_int, data: T) {
        let length = size_of::<libc::cmsghdr>() + size_of::<T>();
        // SAFETY: `cmsghdr` is plain numbers, for which all zeroes are valid.
        let mut head: libc::cmsghdr = unsafe { mem::zeroed() };
        head.cmsg_len = length as _;
        head.cmsg_level = level;
        head.cmsg_type = kind;
        let Self(control, used) = self;
        let room = control.0[*used..][..length].as_mut_ptr();
        // SAFETY: both fit into the octets that were just sliced, one behind the other; unaligned
        // writes are meant.
        unsafe {
            ptr::write_unaligned(room.cast(), head);
            ptr::write_unaligned(room.add(size_of::<libc::cmsghdr>()).cast(), data);
        }
        *used += length.next_multiple_of(size_of::<usize>());
    }
}

/// What the kernel is told of a group: the source that it is to have, and where it is to be cut.
fn ancillary(group: &[Sending<'_>]) -> Ancillary {
    let mut ancillary = Ancillary(Control([0; CONTROL]), 0);
    let Some(Sending { to: To::Inet(_, source), payload, .. }) = group.first() else {
        return ancillary;
    };
    if !source.is_unspecified() {
        let info = libc::in_pktinfo {
            ipi_ifindex: 0,
            ipi_spec_dst: libc::in_addr { s_addr: u32::from(*source).to_be() },
            ipi_addr: libc::in_addr { s_addr: 0 },
        };
        ancillary.push(libc::IPPROTO_IP, libc::IP_PKTINFO, info);
    }
    if let (2.., Ok(size)) = (group.len(), u16::try_from(payload.len())) {
        ancillary.push(libc::SOL_UDP, libc::UDP_SEGMENT, size);
    }
    ancillary
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;
    use std::os::fd::AsFd;
    use std::time::Duration;

    use super::*;

    fn socket() -> (UdpSocket, SocketAddrV4) {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let port = socket.local_addr().unwrap().port();
        (socket, SocketAddrV4::new(Ipv4Addr::LOCALHOST, port))
    }

    fn to<'a>(target: SocketAddrV4, payload: &'a [u8]) -> Sending<'a> {
        Sending { to: To::Inet(target, Ipv4Addr::LOCALHOST), header: &[], payload }
    }

    #[test]
    fn neighbours_that_are_alike_are_one_group() {
        let (one, other) = ("192.0.2.1:67".parse().unwrap(), "192.0.2.2:67".parse().unwrap());
        let part = [to(one, b"abc"), to(one, b"def"), to(one, b"gh"), to(other, b"ij")];
        assert_eq!(groups(&part), [0..2, 2..3, 3..4]);
        let large = [0; 1400];
        let many: Vec<_> = (0..64).map(|_| to(one, &large)).collect();
        assert_eq!(groups(&many), [0..42, 42..64]);
    }

    #[test]
    fn each_datagram_of_a_group_arrives_by_itself_and_in_order() {
        let (sender, _) = socket();
        let (receiver, target) = socket();
        let payloads: Vec<Vec<u8>> = (0..70u8).map(|n| vec![n; 300 + usize::from(n > 9)]).collect();
        let batch: Vec<_> = payloads.iter().map(|payload| to(target, payload)).collect();
        send(sender.as_fd(), &batch, |index, error| panic!("{index}: {error}"));
        for payload in &payloads {
            let mut buffer = [0; 1500];
            let (size, _) = receiver.recv_from(&mut buffer).unwrap();
            assert_eq!(&buffer[..size], payload);
        }
    }

    #[test]
    fn a_refused_datagram_is_named_and_its_neighbours_arrive() {
        let (sender, _) = socket();
        let (receiver, target) = socket();
        // Port 0 is refused, for each datagram of the group.
        let nowhere = SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0);
        let batch = [to(nowhere, b"one"), to(nowhere, b"two"), to(target, b"three")];
        let mut named = Vec::new();
        send(sender.as_fd(), &batch, |index, _| named.push(index));
        assert_eq!(named, [0, 1]);
        let mut buffer = [0; 16];
        assert_eq!(receiver.recv(&mut buffer).unwrap(), 5);
    }
}
