//! The door of one connection: who may come in through it, and how many at once.

use core::net::IpAddr;
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::access::{Caller, Denied, Gate, Presence, Via};

/// What a connection from the network has to pass.
#[derive(Clone)]
pub(crate) struct Door {
    /// Knows the users.
    pub(crate) gate: Arc<Gate>,
    /// From where the connection comes.
    pub(crate) from: IpAddr,
    /// By which service.
    pub(crate) via: Via,
    /// Places for sessions of that service.
    pub(crate) places: Arc<Semaphore>,
}

/// A place within, given back when it is dropped.
pub(super) struct Entry(#[allow(dead_code, reason = "it is held")] OwnedSemaphorePermit);

impl Door {
    pub(super) async fn admit(&self, name: &str, password: &str) -> Result<Caller, Denied> {
        self.gate.admit(name, password, self.from, self.via).await
    }

    /// A place within, if there is one.
    pub(super) fn try_enter(&self) -> Option<Entry> {
        Arc::clone(&self.places).try_acquire_owned().ok().map(Entry)
    }

    /// A place within, when there is one.
    pub(super) async fn enter(&self) -> Option<Entry> {
        Arc::clone(&self.places).acquire_owned().await.ok().map(Entry)
    }

    pub(super) fn present(&self, caller: &Caller) -> Option<Presence> {
        self.gate.sessions().enter(caller)
    }
}
