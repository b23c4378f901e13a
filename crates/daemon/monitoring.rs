//! Monitoring: `/metrics` for Prometheus, `/healthz` for keepalived, and warnings of full pools.
//!
//! What is told are counters. Nothing is listed, so a scrape costs the same with one lease as with
//! a million.

mod fullness;
mod text;

use core::convert::Infallible;
use core::net::SocketAddrV4;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::CONTENT_TYPE;
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use leasehold_dhcp::order::PoolUsage;
use leasehold_dhcp::{Answer, Order};
use leasehold_routeros::Tree;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc, oneshot, watch};

use crate::menus::Metrics;
use crate::worker::{self, Health};
use fullness::Fullness;

/// Who asks the worker how it does.
#[derive(Clone, Debug)]
pub struct Monitor {
    requests: mpsc::UnboundedSender<worker::Request>,
    state: PathBuf,
}

/// How long the worker may take to answer: its loop turns many times in it.
const PATIENCE: Duration = Duration::from_secs(2);
/// Connections at once.
const CONNECTIONS: usize = 32;
/// How long a client may take to ask, and between two questions.
const SILENCE: Duration = Duration::from_secs(10);
/// Between two attempts to listen.
const RETRY: Duration = Duration::from_secs(5);
/// How often pools are looked at.
const LOOK: Duration = Duration::from_secs(10);

impl Monitor {
    /// Of this worker, with leases in this directory.
    #[must_use]
    pub fn new(requests: mpsc::UnboundedSender<worker::Request>, state: &Path) -> Self {
        Self { requests, state: state.to_owned() }
    }

    /// Listens where `/system/metrics` says, and warns of full pools, for ever.
    pub async fn work(self, mut tree: watch::Receiver<Tree>) {
        tokio::spawn(self.clone().watch_pools());
        let mut listener: Option<(SocketAddrV4, TcpListener)> = None;
        let places = Arc::new(Semaphore::new(CONNECTIONS));
        loop {
            let rows = tree.borrow_and_update().rows::<Metrics>();
            let wanted = rows.into_iter().find_map(|row| row.row.ok()?.place());
            if listener.as_ref().map(|(place, _)| *place) != wanted {
                listener = None;
                if let Some(place) = wanted {
                    listener = listen(place).await.map(|socket| (place, socket));
                }
            }
            loop {
                let lacking = wanted.is_some() && listener.is_none();
                tokio::select! {
                    changed = tree.changed() => match changed {
                        Ok(()) => break,
                        Err(_) => return,
                    },
                    stream = accepted(listener.as_ref()) => {
                        let Ok(place) = Arc::clone(&places).try_acquire_owned() else { continue };
                        let monitor = self.clone();
                        tokio::spawn(async move {
                            monitor.serve(stream).await;
                            drop(place);
                        });
                    }
                    () = tokio::time::sleep(RETRY), if lacking => break,
                }
            }
        }
    }

    async fn serve(self, stream: TcpStream) {
        let answer = service_fn(move |request: Request<Incoming>| {
            let monitor = self.clone();
            async move { Ok::<_, Infallible>(monitor.answer(&request).await) }
        });
        let mut http = hyper::server::conn::http1::Builder::new();
        http.timer(TokioTimer::new()).header_read_timeout(SILENCE).max_buf_size(16 << 10);
        // Who asks nothing whole is not answered.
        let _ = http.serve_connection(TokioIo::new(stream), answer).await;
    }

    async fn answer(&self, request: &Request<Incoming>) -> Response<Full<Bytes>> {
        let (status, text) = match (request.method(), request.uri().path()) {
            (&Method::GET, "/metrics") => match self.metrics().await {
                Some(text) => (200, text),
                None => (503, "the worker does not answer\n".into()),
            },
            (&Method::GET, "/healthz") => match self.trouble().await {
                None => (200, "ok\n".into()),
                Some(trouble) => (503, format!("{trouble}\n")),
            },
            (&Method::GET, _) => (404, "see /metrics and /healthz\n".into()),
            _ => (405, "only GET\n".into()),
        };
        let mut response = Response::new(Full::new(Bytes::from(text)));
        *response.status_mut() = hyper::StatusCode::from_u16(status).unwrap_or_default();
        let kind = "text/plain; version=0.0.4; charset=utf-8";
        response.headers_mut().insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static(kind));
        response
    }

    /// Why no clients should be sent here; nothing if they can be.
    async fn trouble(&self) -> Option<&'static str> {
        match self.health().await {
            None => Some("the worker does not turn"),
            Some(health) if !health.store_works => {
                Some("the lease store fails: no new leases are given out")
            }
            Some(_) => None,
        }
    }

    async fn metrics(&self) -> Option<String> {
        let health = self.health().await?;
        let Answer::Counters(counters) = self.order(Order::Counters).await? else { return None };
        let Answer::States(states) = self.order(Order::States).await? else { return None };
        let pools = self.usage().await?;
        let store = store_octets(&self.state);
        Some(text::metrics(&health, &counters, &states, &pools, store))
    }

    async fn health(&self) -> Option<Health> {
        self.ask(worker::Request::Health).await
    }

    async fn usage(&self) -> Option<Vec<PoolUsage>> {
        match self.order(Order::Usage).await? {
            Answer::Usage(pools) => Some(pools),
            _ => None,
        }
    }

    async fn order(&self, order: Order) -> Option<Answer> {
        self.ask(|answer| worker::Request::Order(order, answer)).await
    }

    async fn ask<T>(
        &self,
        request: impl FnOnce(oneshot::Sender<T>) -> worker::Request,
    ) -> Option<T> {
        let (answer, answered) = oneshot::channel();
        self.requests.send(request(answer)).ok()?;
        tokio::time::timeout(PATIENCE, answered).await.ok()?.ok()
    }

    async fn watch_pools(self) {
        let mut fullness = Fullness::default();
        let mut look = tokio::time::interval(LOOK);
        loop {
            look.tick().await;
            if self.requests.is_closed() {
                return;
            }
            for warning in self.usage().await.iter().flat_map(|pools| fullness.look(pools)) {
                tracing::warn!(target: "dhcp", "{warning}");
            }
        }
    }
}

async fn listen(place: SocketAddrV4) -> Option<TcpListener> {
    match TcpListener::bind(place).await {
        Ok(listener) => {
            tracing::info!("metrics at http://{place}/metrics");
            Some(listener)
        }
        Err(error) => {
            tracing::error!("no metrics at {place}: {error}; trying again");
            None
        }
    }
}

async fn accepted(listener: Option<&(SocketAddrV4, TcpListener)>) -> TcpStream {
    loop {
        let Some((_, listener)) = listener else { return core::future::pending().await };
        match listener.accept().await {
            Ok((stream, _)) => return stream,
            // Out of descriptors: some are given back soon.
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
}

/// Octets of all files of the state directory.
fn store_octets(directory: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(directory) else { return 0 };
    let sizes = entries.flatten().map(|entry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => store_octets(&entry.path()),
        Ok(metadata) => metadata.len(),
        Err(_) => 0,
    });
    sizes.sum()
}
