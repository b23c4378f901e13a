//! Many datagrams or frames with one system call: recvmmsg and sendmmsg over buffers made once.

use std::io;
use std::mem;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::ops::Range;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr;
use std::time::Duration;

/// Octets of a received datagram or frame that are kept: an Ethernet frame's worth.
const RECEIVED_MAX: usize = 1536;
/// Octets of a datagram or frame to be sent.
pub(super) const SENT_MAX: usize = 640;

/// Received datagrams or frames.
pub(super) struct Inbox {
    bytes: Box<[[u8; RECEIVED_MAX]]>,
    sources: Box<[libc::sockaddr_in]>,
    _pieces: Box<[libc::iovec]>,
    headers: Box<[libc::mmsghdr]>,
}

impl Inbox {
    /// Room for `size` of them.
    pub(super) fn new(size: usize) -> Self {
        let mut bytes = vec![[0; RECEIVED_MAX]; size].into_boxed_slice();
        let mut sources = vec![no_address(); size].into_boxed_slice();
        let mut pieces = pieces(bytes.iter_mut().map(|slot| &mut slot[..]));
        let mut headers = headers(&mut pieces);
        for (header, source) in headers.iter_mut().zip(&mut sources) {
            header.msg_hdr.msg_name = ptr::from_mut(source).cast();
        }
        Self { bytes, sources, _pieces: pieces, headers }
    }

    /// Takes what has arrived, without waiting; zero if nothing has.
    pub(super) fn receive(&mut self, socket: BorrowedFd<'_>) -> io::Result<usize> {
        for header in &mut self.headers {
            header.msg_hdr.msg_namelen = mem::size_of::<libc::sockaddr_in>() as libc::socklen_t;
        }
        // SAFETY: the headers point into boxed slices that live as long as `self`, and their
        // lengths are those of the slices.
        let count = unsafe {
            libc::recvmmsg(
                socket.as_raw_fd(),
                self.headers.as_mut_ptr(),
                self.headers.len() as libc::c_uint,
                libc::MSG_DONTWAIT,
                ptr::null_mut(),
            )
        };
        match usize::try_from(count) {
            Ok(count) => Ok(count),
            Err(_) => match io::Error::last_os_error() {
                error if is_transient(&error) => Ok(0),
                error => Err(error),
            },
        }
    }

    /// The octets of one that [`Inbox::receive`] counted.
    pub(super) fn bytes(&self, index: usize) -> &[u8] {
        let length = self.headers[index].msg_len as usize;
        &self.bytes[index][..length.min(RECEIVED_MAX)]
    }

    /// Where a datagram came from; meaningless for frames.
    pub(super) fn source(&self, index: usize) -> SocketAddrV4 {
        let source = &self.sources[index];
        let address = Ipv4Addr::from(u32::from_be(source.sin_addr.s_addr));
        SocketAddrV4::new(address, u16::from_be(source.sin_port))
    }
}

/// Datagrams or frames that wait to be sent.
pub(super) struct Outgoing {
    bytes: Box<[[u8; SENT_MAX]]>,
    targets: Box<[libc::sockaddr_in]>,
    pieces: Box<[libc::iovec]>,
    headers: Box<[libc::mmsghdr]>,
    count: usize,
    first: usize,
}

impl Outgoing {
    /// Room for `size` of them. What is sent begins at octet `first` of each buffer.
    pub(super) fn new(size: usize, first: usize) -> Self {
        let mut bytes = vec![[0; SENT_MAX]; size].into_boxed_slice();
        let targets = vec![no_address(); size].into_boxed_slice();
        let mut pieces = pieces(bytes.iter_mut().map(|slot| &mut slot[first..]));
        let headers = headers(&mut pieces);
        Self { bytes, targets, pieces, headers, count: 0, first }
    }

    pub(super) fn is_full(&self) -> bool {
        self.count == self.bytes.len()
    }

    /// The buffer that [`Outgoing::push`] will add.
    pub(super) fn slot(&mut self) -> &mut [u8; SENT_MAX] {
        &mut self.bytes[self.count]
    }

    /// Adds the slot, which is filled up to octet `end`; a datagram needs a target.
    pub(super) fn push(&mut self, end: usize, target: Option<SocketAddrV4>) {
        self.pieces[self.count].iov_len = end - self.first;
        if let Some(target) = target {
            let name = &mut self.targets[self.count];
            name.sin_addr.s_addr = u32::from(*target.ip()).to_be();
            name.sin_port = target.port().to_be();
            let header = &mut self.headers[self.count].msg_hdr;
            header.msg_name = ptr::from_mut(name).cast();
            header.msg_namelen = mem::size_of::<libc::sockaddr_in>() as libc::socklen_t;
        }
        self.count += 1;
    }

    /// Sends everything, and waits for room when the kernel has none.
    pub(super) fn send(&mut self, socket: BorrowedFd<'_>) -> io::Result<()> {
        let count = std::mem::take(&mut self.count);
        let mut sent = 0;
        while sent < count {
            match self.send_some(socket, sent..count) {
                Ok(fresh) => sent += fresh,
                Err(error) if is_transient(&error) => wait(socket, libc::POLLOUT, MOMENT)?,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn send_some(&mut self, socket: BorrowedFd<'_>, which: Range<usize>) -> io::Result<usize> {
        let headers = &mut self.headers[which];
        let size = headers.len() as libc::c_uint;
        // SAFETY: the headers point into boxed slices that live as long as `self`, and each
        // length was set from a filled part of its buffer.
        let sent = unsafe {
            libc::sendmmsg(socket.as_raw_fd(), headers.as_mut_ptr(), size, libc::MSG_DONTWAIT)
        };
        usize::try_from(sent).map_err(|_| io::Error::last_os_error())
    }
}

/// How long a full send queue is waited for before it is tried again.
const MOMENT: Duration = Duration::from_millis(1);

/// Full or empty queues, signals, and the ICMP errors of earlier datagrams.
fn is_transient(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionRefused, Interrupted, WouldBlock};
    matches!(error.kind(), WouldBlock | Interrupted | ConnectionRefused)
        || error.raw_os_error() == Some(libc::ENOBUFS)
}

/// Waits until the socket has something (`POLLIN`) or takes something (`POLLOUT`), or for `limit`.
pub(super) fn wait(socket: BorrowedFd<'_>, events: i16, limit: Duration) -> io::Result<()> {
    let mut poll = libc::pollfd { fd: socket.as_raw_fd(), events, revents: 0 };
    let limit = libc::timespec {
        tv_sec: limit.as_secs() as libc::time_t,
        tv_nsec: libc::c_long::from(limit.subsec_nanos()),
    };
    // SAFETY: one pollfd is passed with the count of one, and the timespec outlives the call.
    if unsafe { libc::ppoll(&mut poll, 1, &limit, ptr::null()) } < 0 {
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
    Ok(())
}

fn no_address() -> libc::sockaddr_in {
    libc::sockaddr_in {
        sin_family: libc::AF_INET as libc::sa_family_t,
        sin_port: 0,
        sin_addr: libc::in_addr { s_addr: 0 },
        sin_zero: [0; 8],
    }
}

fn pieces<'a>(buffers: impl Iterator<Item = &'a mut [u8]>) -> Box<[libc::iovec]> {
    buffers
        .map(|bytes| libc::iovec { iov_base: bytes.as_mut_ptr().cast(), iov_len: bytes.len() })
        .collect()
}

fn headers(pieces: &mut [libc::iovec]) -> Box<[libc::mmsghdr]> {
    let header = |piece: &mut libc::iovec| {
        // SAFETY: a msghdr of zeros is valid: no name, no pieces, no control data.
        let mut header: libc::mmsghdr = unsafe { mem::zeroed() };
        header.msg_hdr.msg_iov = piece;
        header.msg_hdr.msg_iovlen = 1;
        header
    };
    pieces.iter_mut().map(header).collect()
}
