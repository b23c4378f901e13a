//! The engine: what has arrived goes in, what is to be said comes out.

use std::sync::Arc;

use leasehold_pool::Pools;

use crate::config::Config;
use crate::input::{Input, Start};
use crate::link::Interfaces;
use crate::outbox::Outbox;
use crate::record::Record;
use crate::time::{Boottime, Now};

/// All servers, and the one owner of all leases.
#[derive(Debug)]
pub struct Engine {
    config: Arc<Config>,
    pools: Pools,
    interfaces: Arc<Interfaces>,
    start: Start,
    seed: u64,
}

impl Engine {
    /// An engine without leases. It knows no interface until [`Input::Interfaces`] tells them.
    ///
    /// The `seed` keys its hashes: a secret, so that nobody can choose client-ids that collide.
    #[must_use]
    pub fn new(config: Arc<Config>, pools: Pools, start: Start, seed: u64) -> Self {
        Self { config, pools, interfaces: Arc::default(), start, seed }
    }

    /// Takes one record from the store, in the order of the store, before anything else.
    pub fn restore(&mut self, record: Record) {
        let _ = (record, &self.start, self.seed);
    }

    /// Takes one input; what it leads to is in `out`.
    pub fn handle(&mut self, now: Now, input: Input<'_>, out: &mut Outbox) {
        let _ = (now, out);
        match input {
            Input::Config(config, pools) => {
                self.config = config;
                self.pools = pools;
            }
            Input::Interfaces(interfaces) => self.interfaces = interfaces,
            _ => {}
        }
    }

    /// When [`Input::Tick`] is due at the latest, if nothing else arrives before.
    #[must_use]
    pub fn deadline(&self) -> Option<Boottime> {
        None
    }
}
