//! The worker, as the control task talks to it: orders and configurations, answered between turns.

use std::sync::Arc;

use leasehold_dhcp::config::Config;
use leasehold_dhcp::{Answer, Location, Order};
use leasehold_pool::PlanError;
use tokio::sync::{broadcast, mpsc, oneshot};

use super::past::Past;
use crate::worker::{Request, Worker};

/// The way to the worker. Its calls wait for the answer: only for the control task's own thread.
#[derive(Debug)]
pub struct Plane {
    requests: mpsc::UnboundedSender<Request>,
    /// Who had an address when.
    pub(super) past: Past,
    /// Which leases have changed.
    pub(super) leases: broadcast::Sender<Arc<[Location]>>,
}

impl Plane {
    /// To this worker.
    #[must_use]
    pub fn new(worker: &Worker) -> Self {
        let past = Past::new(worker.historian.clone());
        Self { requests: worker.requests.clone(), past, leases: worker.leases.clone() }
    }

    /// The engine's answer; `None` if the worker has ended.
    pub(super) fn order(&self, order: Order) -> Option<Answer> {
        let (answer, answered) = oneshot::channel();
        self.requests.send(Request::Order(order, answer)).ok()?;
        answered.blocking_recv().ok()
    }

    /// Puts a configuration in force. A worker that has ended is told nothing: the supervisor's
    /// pulse notices that.
    pub(super) fn configure(&self, config: Arc<Config>) -> Result<(), PlanError> {
        let (done, applied) = oneshot::channel();
        if self.requests.send(Request::Config(config, done)).is_err() {
            return Ok(());
        }
        applied.blocking_recv().unwrap_or(Ok(()))
    }
}
