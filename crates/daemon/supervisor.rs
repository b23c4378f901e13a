//! The service manager (`sd_notify(3)`): it is told how the service does, and keeps its sockets
//! while one process ends and the next one begins, so that no datagram is lost between them.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use rustix::net::{
    AddressFamily, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketAddrUnix,
    SocketFlags, SocketType, sendmsg_addr, socket_with,
};
use sd_notify::NotifyState;

use crate::net::sys;

/// Tells the manager, in order, from a thread of its own: one that does not listen at the moment
/// keeps nobody waiting, and misses nothing.
#[derive(Clone, Debug, Default)]
pub struct Supervisor(Option<Sender<Message>>);

#[derive(Debug)]
struct Message {
    text: String,
    socket: Option<OwnedFd>,
}

impl Supervisor {
    /// The manager that the environment names, if it does.
    #[must_use]
    pub fn of_environment() -> Self {
        let Some(place) = std::env::var_os("NOTIFY_SOCKET") else { return Self::default() };
        let (sender, messages) = channel();
        let started = address(&place).and_then(|address| {
            let flags = SocketFlags::CLOEXEC;
            let socket = socket_with(AddressFamily::UNIX, SocketType::DGRAM, flags, None)?;
            let thread = thread::Builder::new().name("supervisor".into());
            thread.spawn(move || tell_all(&socket, &address, &messages))
        });
        match started {
            Ok(_) => Self(Some(sender)),
            Err(error) => {
                tracing::warn!("cannot tell the supervisor: {error}");
                Self::default()
            }
        }
    }

    /// Tells it states.
    pub fn tell(&self, states: &[NotifyState<'_>]) {
        self.send(states, None);
    }

    fn send(&self, states: &[NotifyState<'_>], socket: Option<OwnedFd>) {
        if let Some(sender) = &self.0 {
            let text = states.iter().map(|state| format!("{state}\n")).collect();
            // A thread that has ended has said why.
            let _ = sender.send(Message { text, socket });
        }
    }
}

fn address(place: &OsStr) -> io::Result<SocketAddrUnix> {
    Ok(match place.as_bytes() {
        [b'@', name @ ..] => SocketAddrUnix::new_abstract_name(name)?,
        path => SocketAddrUnix::new(path)?,
    })
}

fn tell_all(socket: &OwnedFd, address: &SocketAddrUnix, messages: &Receiver<Message>) {
    for Message { text, socket: kept } in messages {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        let kept = kept.as_ref().map(AsFd::as_fd);
        if let Some(kept) = &kept {
            control.push(SendAncillaryMessage::ScmRights(core::slice::from_ref(kept)));
        }
        let text = [IoSlice::new(text.as_bytes())];
        let flags = SendFlags::NOSIGNAL;
        if let Err(error) = sendmsg_addr(socket, address, &text, &mut control, flags) {
            tracing::warn!("cannot tell the supervisor: {error}");
        }
    }
}

/// Sockets that the manager has kept for this process, by name.
pub type Inherited = io::Result<Vec<(String, OwnedFd)>>;

/// What the manager has kept. To be asked once, by a process that has opened nothing yet: a number
/// that the manager got wrong must not be that of a descriptor of ours.
pub fn inherited() -> Inherited {
    sys::inherited()
}

/// Sockets that outlive their process, by name.
#[derive(Debug, Default)]
pub struct Keep {
    supervisor: Supervisor,
    inherited: BTreeMap<String, OwnedFd>,
}

impl Keep {
    /// Those that were [`inherited`].
    #[must_use]
    pub fn new(supervisor: Supervisor, inherited: Inherited) -> Self {
        let inherited = inherited.unwrap_or_else(|error| {
            tracing::warn!("the sockets of the process before are lost: {error}");
            Vec::new()
        });
        Self { supervisor, inherited: inherited.into_iter().collect() }
    }

    /// The socket that was kept under a name, if it is what `fits` makes of it; else one that
    /// `open` makes, which is kept from now on.
    pub(crate) fn or_open<T: AsFd, E>(
        &mut self,
        name: &str,
        fits: impl FnOnce(OwnedFd) -> io::Result<T>,
        open: impl FnOnce() -> Result<T, E>,
    ) -> Result<T, E> {
        match self.inherited.remove(name).map(fits) {
            Some(Ok(socket)) => return Ok(socket),
            Some(Err(error)) => {
                tracing::warn!("the socket {name} of the process before is of no use: {error}");
                self.forget(name);
            }
            None => {}
        }
        let socket = open()?;
        match socket.as_fd().try_clone_to_owned() {
            Ok(kept) => {
                let name = format!("FDNAME={name}");
                // What the manager would find by polling is the worker's to find.
                let states = ["FDSTORE=1", &name, "FDPOLL=0"].map(NotifyState::Custom);
                self.supervisor.send(&states, Some(kept));
            }
            Err(error) => tracing::debug!("the socket {name} is not kept: {error}"),
        }
        Ok(socket)
    }

    /// The manager keeps a socket no longer.
    pub(crate) fn forget(&self, name: &str) {
        let name = format!("FDNAME={name}");
        self.supervisor.tell(&["FDSTOREREMOVE=1", &name].map(NotifyState::Custom));
    }

    /// Whatever was kept and not asked for is of no use any more.
    pub(crate) fn forget_rest(&mut self) {
        for (name, socket) in core::mem::take(&mut self.inherited) {
            drop(socket);
            self.forget(&name);
        }
    }
}

/// Fails unless a socket has this family and type and is of this network namespace.
pub(crate) fn expect(
    socket: BorrowedFd<'_>,
    family: AddressFamily,
    kind: SocketType,
) -> io::Result<()> {
    if rustix::net::sockopt::socket_domain(socket)? != family {
        return Err(unfit("its family is another"));
    }
    if rustix::net::sockopt::socket_type(socket)? != kind {
        return Err(unfit("its type is another"));
    }
    let ours = socket_with(AddressFamily::INET, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
    match (sys::network(socket), sys::network(ours.as_fd())) {
        (Ok(its), Ok(ours)) if its != ours => Err(unfit("its network namespace is another")),
        // Kernels before 5.14 do not tell; the manager starts the service where it was.
        _ => Ok(()),
    }
}

/// Why a socket that was kept is of no use.
pub(crate) fn unfit(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, what)
}
