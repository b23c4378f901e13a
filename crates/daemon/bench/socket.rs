//! The sockets of the generator and of the null servers, with room for bursts.

use std::ffi::CString;
use std::io;
use std::mem;
use std::net::{SocketAddrV4, UdpSocket};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// Octets of kernel buffer: a burst of some 50,000 datagrams. The kernel doubles it.
const BUFFER: libc::c_int = 32 << 20;

/// A UDP socket at `address`.
pub(super) fn datagrams(address: SocketAddrV4) -> io::Result<OwnedFd> {
    let socket = OwnedFd::from(UdpSocket::bind(address)?);
    widen(&socket)?;
    Ok(socket)
}

/// A raw socket on an interface that gets UDP datagrams to `port` and ARP.
pub(super) fn frames(interface: &str, port: u16) -> io::Result<OwnedFd> {
    let index = interface_index(interface)?;
    let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    // SAFETY: no memory is passed. Protocol 0 receives nothing until the bind below.
    let socket = unsafe { libc::socket(libc::AF_PACKET, kind, 0) };
    if socket < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the descriptor is new and nobody else has it.
    let socket = unsafe { OwnedFd::from_raw_fd(socket) };
    attach_filter(&socket, port)?;
    widen(&socket)?;
    let yes: libc::c_int = 1;
    set(&socket, libc::SOL_PACKET, libc::PACKET_IGNORE_OUTGOING, &yes)?;
    set(&socket, libc::SOL_PACKET, libc::PACKET_QDISC_BYPASS, &yes)?;
    // SAFETY: a sockaddr_ll of zeros is valid.
    let mut place: libc::sockaddr_ll = unsafe { mem::zeroed() };
    place.sll_family = libc::AF_PACKET as u16;
    place.sll_protocol = (libc::ETH_P_ALL as u16).to_be();
    place.sll_ifindex = index;
    let size = mem::size_of_val(&place) as libc::socklen_t;
    // SAFETY: the address and its size describe the local `place`.
    if unsafe { libc::bind(socket.as_raw_fd(), (&raw const place).cast(), size) } < 0 {
        return Err(io::Error::last_os_error());
    }
    let everybody = libc::packet_mreq {
        mr_ifindex: index,
        mr_type: libc::PACKET_MR_PROMISC as u16,
        mr_alen: 0,
        mr_address: [0; 8],
    };
    set(&socket, libc::SOL_PACKET, libc::PACKET_ADD_MEMBERSHIP, &everybody)?;
    Ok(socket)
}

/// An interface's Ethernet address.
pub(super) fn interface_mac(interface: &str) -> io::Result<[u8; 6]> {
    let text = std::fs::read_to_string(format!("/sys/class/net/{interface}/address"))?;
    let mut mac = [0; 6];
    let mut octets = text.trim().split(':').map(|octet| u8::from_str_radix(octet, 16));
    for place in &mut mac {
        let octet = octets.next().and_then(Result::ok);
        *place = octet.ok_or(io::Error::from(io::ErrorKind::InvalidData))?;
    }
    Ok(mac)
}

/// Datagrams that the kernel dropped because the UDP socket was not read in time.
pub(super) fn datagrams_dropped(socket: BorrowedFd<'_>) -> u64 {
    let mut info = [0u32; 9];
    get(socket, libc::SOL_SOCKET, libc::SO_MEMINFO, &mut info).map_or(0, |()| u64::from(info[8]))
}

/// Frames that the kernel dropped because the raw socket was not read in time.
pub(super) fn frames_dropped(socket: BorrowedFd<'_>) -> u64 {
    let mut counted = [0u32; 2];
    let read = get(socket, libc::SOL_PACKET, libc::PACKET_STATISTICS, &mut counted);
    read.map_or(0, |()| u64::from(counted[1]))
}

fn interface_index(interface: &str) -> io::Result<libc::c_int> {
    let name = CString::new(interface)?;
    // SAFETY: the name ends in NUL and outlives the call.
    match unsafe { libc::if_nametoindex(name.as_ptr()) } {
        0 => Err(io::Error::last_os_error()),
        index => Ok(index as libc::c_int),
    }
}

/// Lets through ARP, and unfragmented UDP datagrams to `port`.
fn attach_filter(socket: &OwnedFd, port: u16) -> io::Result<()> {
    let code = |code: u32, jt, jf, k| libc::sock_filter { code: code as u16, jt, jf, k };
    let (half, byte, index) = (libc::BPF_H, libc::BPF_B, libc::BPF_IND);
    let load = |size, mode| libc::BPF_LD | size | mode;
    let equal = libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K;
    let program = [
        code(load(half, libc::BPF_ABS), 0, 0, 12),
        code(equal, 8, 0, 0x0806),
        code(equal, 0, 8, 0x0800),
        code(load(byte, libc::BPF_ABS), 0, 0, 23),
        code(equal, 0, 6, 17),
        code(load(half, libc::BPF_ABS), 0, 0, 20),
        code(libc::BPF_JMP | libc::BPF_JSET | libc::BPF_K, 4, 0, 0x1fff),
        code(libc::BPF_LDX | libc::BPF_B | libc::BPF_MSH, 0, 0, 14),
        code(load(half, index), 0, 0, 16),
        code(equal, 0, 1, u32::from(port)),
        code(libc::BPF_RET | libc::BPF_K, 0, 0, u32::MAX),
        code(libc::BPF_RET | libc::BPF_K, 0, 0, 0),
    ];
    let filter =
        libc::sock_fprog { len: program.len() as u16, filter: program.as_ptr().cast_mut() };
    set(socket, libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, &filter)
}

/// Without CAP_NET_ADMIN the buffer stays within the system's limit, and drops are counted.
fn widen(socket: &OwnedFd) -> io::Result<()> {
    for (forced, plain) in
        [(libc::SO_RCVBUFFORCE, libc::SO_RCVBUF), (libc::SO_SNDBUFFORCE, libc::SO_SNDBUF)]
    {
        set(socket, libc::SOL_SOCKET, forced, &BUFFER)
            .or_else(|_| set(socket, libc::SOL_SOCKET, plain, &BUFFER))?;
    }
    Ok(())
}

fn set<T>(socket: &OwnedFd, level: i32, option: i32, value: &T) -> io::Result<()> {
    let size = mem::size_of::<T>() as libc::socklen_t;
    let value = std::ptr::from_ref(value).cast();
    // SAFETY: the pointer and size describe a value that outlives the call; the kernel reads it.
    match unsafe { libc::setsockopt(socket.as_raw_fd(), level, option, value, size) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// The options that are read are arrays of 32-bit counters.
fn get(socket: BorrowedFd<'_>, level: i32, option: i32, value: &mut [u32]) -> io::Result<()> {
    let mut size = mem::size_of_val(value) as libc::socklen_t;
    let place = value.as_mut_ptr().cast();
    // SAFETY: the pointer and size describe a writable slice, and any bits are a valid u32.
    match unsafe { libc::getsockopt(socket.as_raw_fd(), level, option, place, &mut size) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
