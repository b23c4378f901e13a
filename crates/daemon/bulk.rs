//! Bulk leasequery over TCP (RFC 6926): who may ask is listed, how many may is bounded.
//!
//! The listener is there only while somebody is listed. A requestor that reads slowly holds one
//! page and one connection, and for so long; the worker makes a page between two turns.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use leasehold_dhcp::bulk::{Connection, Page};
use leasehold_dhcp::config::Config;
use leasehold_dhcp::{Answer, Order};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::timeout;

use crate::clock;
use crate::worker::Request;

/// The port of RFC 6926.
//= https://www.rfc-editor.org/rfc/rfc6926#section-6.3
//# DHCPv4 servers that support Bulk Leasequery SHOULD listen for incoming TCP connections on the
//# DHCPv4 server port 67.
//= https://www.rfc-editor.org/rfc/rfc6926#section-6.3
//# Implementations MAY offer to make the incoming port configurable, but port 67 MUST be the
//# default.
const PORT: u16 = 67;

/// BULK_LQ_DATA_TIMEOUT: how long a connection may stand still, either way.
//= https://www.rfc-editor.org/rfc/rfc6926#section-6.3
//# timeout values smaller than the default values are NOT RECOMMENDED.
const DATA_TIMEOUT: Duration = Duration::from_secs(300);

/// Between attempts to listen.
const RETRY: Duration = Duration::from_secs(5);

/// Octets that are read at once.
const READ: usize = 4096;

/// The configuration that is in force.
pub type InForce = watch::Receiver<Arc<Config>>;

/// Serves requestors while the configuration lists any; ends with the worker.
pub async fn serve(requests: mpsc::UnboundedSender<Request>, mut config: InForce) {
    let is_wanted = |config: &Arc<Config>| !config.settings.bulk_leasequery.is_empty();
    while config.wait_for(is_wanted).await.is_ok() {
        match TcpListener::bind((Ipv4Addr::UNSPECIFIED, PORT)).await {
            Ok(listener) => {
                tracing::info!("bulk leasequeries are answered at TCP port {PORT}");
                accept(&listener, &requests, &mut config).await;
            }
            Err(error) => {
                tracing::error!("no bulk leasequeries at TCP port {PORT}: {error}");
                tokio::time::sleep(RETRY).await;
            }
        }
    }
}

/// Takes connections until nobody may connect any more.
async fn accept(
    listener: &TcpListener,
    requests: &mpsc::UnboundedSender<Request>,
    config: &mut InForce,
) {
    // Each connection holds one more of these.
    let places = Arc::new(());
    loop {
        let (stream, peer) = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::error!("TCP port {PORT}: {error}");
                    tokio::time::sleep(RETRY).await;
                    continue;
                }
            },
            changed = config.changed() => match changed {
                Ok(()) if !config.borrow().settings.bulk_leasequery.is_empty() => continue,
                _ => return,
            },
        };
        let (may, most) = {
            let config = config.borrow();
            (is_allowed(&config, peer), usize::from(config.settings.bulk_connections))
        };
        //= https://www.rfc-editor.org/rfc/rfc6926#section-9
        //# Connections not from permitted requestors SHOULD be closed immediately to avoid server
        //# connection resource exhaustion
        if !may {
            tracing::debug!(
                "{peer} may not read the leases: bulk-leasequery-allow does not list it"
            );
            continue;
        }
        //= https://www.rfc-editor.org/rfc/rfc6926#section-8.1
        //# Servers MUST be able to limit the number of concurrently accepted and active
        //# connections.
        //= https://www.rfc-editor.org/rfc/rfc6926#section-8.1
        //# Connections SHOULD be accepted and, if the number of connections is over
        //# BULK_LQ_MAX_CONNS, they SHOULD be closed immediately.
        if Arc::strong_count(&places) > most {
            tracing::warn!("turned {peer} away: {most} connections read the leases already");
            continue;
        }
        let (place, requests, config) = (Arc::clone(&places), requests.clone(), config.clone());
        tokio::spawn(async move {
            if let Err(error) = answer(stream, peer, &requests, config).await {
                tracing::debug!("the bulk leasequeries of {peer} ended: {error}");
            }
            drop(place);
        });
    }
}

//= https://www.rfc-editor.org/rfc/rfc6926#section-9
//# To prevent information leakage to unauthorized clients, servers SHOULD restrict Bulk Leasequery
//# connections and DHCPBULKLEASEQUERY messages to certain requestors
fn is_allowed(config: &Config, peer: SocketAddr) -> bool {
    let IpAddr::V4(peer) = peer.ip() else { return false };
    config.settings.bulk_leasequery.iter().any(|prefix| prefix.contains(&peer))
}

/// Answers one requestor until it has had enough, or stands still.
async fn answer(
    mut stream: TcpStream,
    peer: SocketAddr,
    requests: &mpsc::UnboundedSender<Request>,
    mut config: InForce,
) -> io::Result<()> {
    let IpAddr::V4(local) = stream.local_addr()?.ip() else { return Ok(()) };
    let queries = usize::from(config.borrow().settings.bulk_queries);
    let mut connection = Connection::new(local, queries);
    let mut out = Vec::new();
    loop {
        //= https://www.rfc-editor.org/rfc/rfc6926#section-8.2
        //# If the connection becomes blocked while the server is attempting to send reply messages,
        //# the server SHOULD be prepared to terminate the TCP connection after a
        //# BULK_LQ_DATA_TIMEOUT.
        //= https://www.rfc-editor.org/rfc/rfc6926#section-8.5
        //# The server MUST close its end of the TCP connection if it encounters an error sending
        //# data on the connection.
        timeout(DATA_TIMEOUT, stream.write_all(&out)).await??;
        out.clear();
        if !is_allowed(&config.borrow_and_update(), peer) {
            return end(stream, &mut connection, "this requestor is no longer allowed").await;
        }
        let Some(octets) = hear(&mut stream, &connection, &mut config).await? else {
            //= https://www.rfc-editor.org/rfc/rfc6926#section-8.5
            //# The DHCPv4 server SHOULD NOT assume that the manner in which the requestor closed a
            //# connection carries any special meaning.
            //= https://www.rfc-editor.org/rfc/rfc6926#section-8.5
            //# If the server detects that the requesting end of the connection has been closed, the
            //# server MUST close its end of the connection.
            return stream.shutdown().await;
        };
        connection.receive(&octets, &mut out).map_err(hangup)?;
        let Some(order) = connection.order() else { continue };
        //= https://www.rfc-editor.org/rfc/rfc6926#section-8.5
        //# The server MUST close its end of the TCP connection if it finds that it has to abort an
        //# in-process request.
        let Some(page) = page(requests, order).await else {
            return end(stream, &mut connection, "the server is ending").await;
        };
        connection.page(clock::now(), &page, &mut out).map_err(hangup)?;
    }
}

/// What the requestor says; waits for it only if there is nothing else to do. `None`: it is gone.
async fn hear(
    stream: &mut TcpStream,
    connection: &Connection,
    config: &mut InForce,
) -> io::Result<Option<Vec<u8>>> {
    let mut octets = vec![0; READ];
    let read = match (connection.wants_input(), connection.is_busy()) {
        (false, _) => return Ok(Some(Vec::new())),
        (true, true) => match stream.try_read(&mut octets) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(Some(Vec::new())),
            read => read?,
        },
        //= https://www.rfc-editor.org/rfc/rfc6926#section-8.1
        //# If the TCP connection becomes blocked while the server is accepting a connection or
        //# reading a query, it SHOULD be prepared to terminate the connection after a
        //# BULK_LQ_DATA_TIMEOUT.
        //= https://www.rfc-editor.org/rfc/rfc6926#section-8.5
        //# If the timer expires, the DHCPv4 server should close the connection.
        (true, false) => tokio::select! {
            read = timeout(DATA_TIMEOUT, stream.read(&mut octets)) => read??,
            _ = config.changed() => return Ok(Some(Vec::new())),
        },
    };
    octets.truncate(read);
    Ok((read > 0).then_some(octets))
}

/// The worker's page; `None` if it has ended.
async fn page(requests: &mpsc::UnboundedSender<Request>, order: Order) -> Option<Page> {
    let (answer, answered) = oneshot::channel();
    requests.send(Request::Order(order, answer)).ok()?;
    match answered.await.ok()? {
        Answer::Bindings(page) => Some(page),
        _ => None,
    }
}

/// Tells the requestor why its queries end, and closes.
//= https://www.rfc-editor.org/rfc/rfc6926#section-8.5
//# The DHCPv4 server SHOULD close connections in a graceful manner and not abort the connection.
async fn end(
    mut stream: TcpStream,
    connection: &mut Connection,
    reason: &'static str,
) -> io::Result<()> {
    let mut out = Vec::new();
    connection.terminate(reason, &mut out);
    timeout(DATA_TIMEOUT, stream.write_all(&out)).await??;
    stream.shutdown().await
}

fn hangup(hangup: leasehold_dhcp::bulk::Hangup) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, hangup.to_string())
}
