//! One service: its socket, and the connections that came through it.

use core::net::{IpAddr, SocketAddr};
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use socket2::{Domain, Protocol as Transport, SockAddr, Socket, TcpKeepalive, Type};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::{Means, tls};
use crate::access::Via;
use crate::faces::door::Door;
use crate::faces::{http, serve_sentences};
use crate::menus::{EVERYWHERE, Protocol, Service};

/// Connections of one service at once, logged in or not.
const CONNECTIONS: usize = 512;
/// Connections of one service from one source at once.
const FROM_ONE: usize = 64;
/// How long a client may take for TLS's handshake.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// Between two attempts to listen.
const RETRY: Duration = Duration::from_secs(5);
/// How often it is looked whether the certificate's files were renewed.
const RENEWAL: Duration = Duration::from_secs(60);
/// A silent connection is asked whether it is still there after this time.
const KEEPALIVE: Duration = Duration::from_secs(60);
/// Connections that wait in the kernel.
const BACKLOG: i32 = 128;
/// The VRF of services that name none.
const MAIN: &str = "main";

/// One service that follows its row.
pub(super) struct Listener {
    means: Means,
    row: watch::Receiver<Option<Arc<Service>>>,
    socket: Option<TcpListener>,
    /// Where the socket listens.
    place: Option<(u64, String)>,
    tls: Option<Arc<ServerConfig>>,
    sessions: usize,
    places: Arc<Semaphore>,
    connections: JoinSet<IpAddr>,
    sources: BTreeMap<IpAddr, usize>,
}

impl Listener {
    pub(super) fn new(means: Means, row: watch::Receiver<Option<Arc<Service>>>) -> Self {
        Self {
            means,
            row,
            socket: None,
            place: None,
            tls: None,
            sessions: 0,
            places: Arc::new(Semaphore::new(0)),
            connections: JoinSet::new(),
            sources: BTreeMap::new(),
        }
    }

    /// Listens as the row says, for ever.
    pub(super) async fn serve(mut self) {
        let mut renewal = tokio::time::interval(RENEWAL);
        loop {
            let row = self.row.borrow_and_update().clone();
            match &row {
                Some(service) => self.prepare(service),
                None => self.close(),
            }
            loop {
                let lacking = row.is_some() && self.socket.is_none();
                let full = self.connections.len() >= CONNECTIONS;
                tokio::select! {
                    changed = self.row.changed() => match changed {
                        Ok(()) => break,
                        Err(_) => return,
                    },
                    Some(ended) = self.connections.join_next() => self.ended(ended.ok()),
                    accepted = accept(self.socket.as_ref()), if !full => {
                        self.accepted(accepted, row.as_ref()).await;
                    }
                    _ = renewal.tick() => self.renew(row.as_deref()),
                    () = tokio::time::sleep(RETRY), if lacking => break,
                }
            }
        }
    }

    /// Off: nobody is served any more.
    fn close(&mut self) {
        if self.socket.take().is_some() {
            tracing::info!(target: "system", "a service is off");
        }
        self.place = None;
        self.connections.abort_all();
    }

    /// On: connections that there are already are not touched.
    fn prepare(&mut self, service: &Service) {
        let name = &*service.name;
        let trouble = self.try_prepare(service).err();
        if trouble.is_some() {
            (self.socket, self.place) = (None, None);
        }
        if self.means.troubles.note(name, trouble.clone()) {
            match trouble {
                Some(trouble) => tracing::error!(target: "system", "service {name}: {trouble}"),
                None => tracing::info!(target: "system", "service {name} works again"),
            }
        }
    }

    fn try_prepare(&mut self, service: &Service) -> Result<(), String> {
        let Some((_, secure)) = service.protocol() else { return Ok(()) };
        if secure {
            self.tls = Some(tls::configuration(service, &self.means.directories)?);
        }
        let sessions = usize::try_from(service.max_sessions.number()).unwrap_or(1);
        if self.sessions != sessions {
            (self.sessions, self.places) = (sessions, Arc::new(Semaphore::new(sessions)));
        }
        let place = (service.port.number(), service.vrf.clone());
        if self.place.as_ref() == Some(&place) && self.socket.is_some() {
            return Ok(());
        }
        self.socket = None;
        let vrf = Some(&*place.1).filter(|vrf| *vrf != MAIN);
        let port = u16::try_from(place.0).unwrap_or(0);
        let socket = listen(port, vrf);
        let socket = socket.map_err(|error| format!("cannot listen on port {port}: {error}"))?;
        self.socket = Some(socket);
        self.place = Some(place);
        tracing::info!(target: "system", "service {} listens on port {port}", &*service.name);
        Ok(())
    }

    /// Takes a certificate that was renewed; one that is half written waits until it is whole.
    fn renew(&mut self, service: Option<&Service>) {
        let Some(service) = service.filter(|_| self.tls.is_some()) else { return };
        match tls::configuration(service, &self.means.directories) {
            Ok(tls) => self.tls = Some(tls),
            Err(error) => tracing::warn!(target: "system", "the old one is used: {error}"),
        }
    }

    async fn accepted(
        &mut self,
        accepted: io::Result<(TcpStream, SocketAddr)>,
        service: Option<&Arc<Service>>,
    ) {
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of descriptors, most likely: what there is goes on.
                tracing::error!(target: "system", "accepting a connection: {error}");
                tokio::time::sleep(Duration::from_millis(100)).await;
                return;
            }
        };
        let from = peer.ip().to_canonical();
        let Some(service) = service.filter(|service| service.admits(from)) else { return };
        let count = self.sources.entry(from).or_default();
        if *count >= FROM_ONE {
            return;
        }
        *count += 1;
        let Some((protocol, secure)) = service.protocol() else { return };
        let via = match (protocol, secure) {
            (Protocol::Http, _) => Via::Rest,
            (Protocol::Sentences, true) => Via::ApiSsl,
            (Protocol::Sentences, false) => Via::Api,
        };
        let door = Door { gate: self.means.gate.clone(), from, via, places: self.places.clone() };
        let control = self.means.control.clone();
        let tls = self.tls.clone().filter(|_| secure);
        self.connections.spawn(async move {
            attend(&stream);
            match tls {
                None => speak(stream, protocol, control, door).await,
                Some(tls) => {
                    let handshake = TlsAcceptor::from(tls).accept(stream);
                    match tokio::time::timeout(HANDSHAKE, handshake).await {
                        Ok(Ok(stream)) => speak(stream, protocol, control, door).await,
                        Ok(Err(error)) => tracing::debug!("TLS with {from}: {error}"),
                        Err(_) => tracing::debug!("TLS with {from}: it took too long"),
                    }
                }
            }
            from
        });
    }

    fn ended(&mut self, from: Option<IpAddr>) {
        match from.and_then(|from| self.sources.get_mut(&from).map(|count| (from, count))) {
            Some((_, count)) if *count > 1 => *count -= 1,
            Some((from, _)) => drop(self.sources.remove(&from)),
            // Aborted, all of them.
            None if self.connections.is_empty() => self.sources.clear(),
            None => {}
        }
    }
}

async fn speak<S>(stream: S, protocol: Protocol, control: crate::control::Control, door: Door)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    match protocol {
        Protocol::Http => http::serve(stream, control, door).await,
        Protocol::Sentences => serve_sentences(stream, control, door).await,
    }
}

/// Sentences leave at once, and a client that has silently gone is noticed.
fn attend(stream: &TcpStream) {
    let keepalive = TcpKeepalive::new().with_time(KEEPALIVE).with_interval(KEEPALIVE);
    let set = stream.set_nodelay(true);
    let set = set.and_then(|()| socket2::SockRef::from(stream).set_tcp_keepalive(&keepalive));
    if let Err(error) = set {
        tracing::debug!("options of a connection: {error}");
    }
}

/// The next connection; none ever where nobody listens.
async fn accept(socket: Option<&TcpListener>) -> io::Result<(TcpStream, SocketAddr)> {
    match socket {
        Some(socket) => socket.accept().await,
        None => core::future::pending().await,
    }
}

/// Both families in one socket; IPv4 alone where there is no IPv6.
fn listen(port: u16, vrf: Option<&str>) -> io::Result<TcpListener> {
    let mut last = None;
    for address in EVERYWHERE {
        match bound((address, port).into(), vrf) {
            Ok(socket) => return TcpListener::from_std(socket.into()),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => return Err(error),
            Err(error) => last = Some(error),
        }
    }
    Err(last.unwrap_or_else(|| io::ErrorKind::Unsupported.into()))
}

fn bound(address: SocketAddr, vrf: Option<&str>) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Transport::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(false)?;
    }
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    if let Some(vrf) = vrf {
        socket.bind_device(Some(vrf.as_bytes()))?;
    }
    socket.bind(&SockAddr::from(address))?;
    socket.listen(BACKLOG)?;
    Ok(socket)
}
