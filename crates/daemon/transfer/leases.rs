//! Lease tables of a router: into the running server, or into a store that is not running.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc;

use leasehold_dhcp::config::Config;
use leasehold_dhcp::{Answer, Engine, Input, Interfaces, Order, OrderId, Outbox};
use leasehold_pool::{Plan, Pools};
use leasehold_routeros::{Command, Ids};

use super::TransferError;
use crate::control::Table;
use crate::faces::client::Client;
use crate::store::{Opened, Outcome, Settings};
use crate::{clock, configuration};

/// Leases that are made durable together.
const AT_ONCE: usize = 256;

/// Has the running server take a table over; what it says.
pub(super) fn running(socket: Option<&Path>, table: &Table) -> Result<String, TransferError> {
    let servers: Vec<_> = table.servers.iter().map(|(a, b)| format!("{a}={b}")).collect();
    let mut command = Command::new("", "import").with("leases", &table.text);
    if !servers.is_empty() {
        command = command.with("map-server", servers.join(","));
    }
    if table.dry_run {
        command = command.with("dry-run", "");
    }
    let asked = Client::connect(socket).and_then(|mut client| client.ask(&command));
    Ok(asked.map_err(TransferError::Server)?.said.unwrap_or_default())
}

/// Takes a table over into the store of a server that is not running.
pub(super) fn stopped(
    state: &Path,
    configuration: &Path,
    table: &Table,
) -> Result<String, TransferError> {
    let loaded = configuration::load(configuration, &Ids::default());
    let loaded = loaded.map_err(TransferError::Configuration)?;
    let config = Arc::new(configuration::compile(&loaded.tree).config);
    let refused = |trap: leasehold_routeros::Trap| TransferError::Leases(trap.to_string());
    let rows = table.read().map_err(refused)?;
    let mut stopped = Stopped::open(state, config)?;
    let mut taken = Vec::new();
    for leases in rows.leases.chunks(AT_ONCE) {
        let order = Order::TakeOver { leases: leases.to_vec(), dry_run: table.dry_run };
        match stopped.order(order)? {
            Answer::TakenOver(some) => taken.extend(some),
            _ => return Err(TransferError::Leases("the lease store fails".into())),
        }
    }
    Ok(rows.report(&taken, table.dry_run))
}

/// An engine without clients, and its store.
struct Stopped {
    engine: Engine,
    outbox: Outbox,
    store: crate::store::Store,
    outcomes: mpsc::Receiver<Outcome>,
}

impl Stopped {
    fn open(state: &Path, config: Arc<Config>) -> Result<Self, TransferError> {
        let failed = |error: &dyn core::fmt::Display| TransferError::Leases(error.to_string());
        let pools = Pools::new(&config.plan(&Interfaces::default(), Plan::new()));
        let pools = pools.map_err(|error| failed(&error))?;
        let now = clock::now();
        let opened = Opened::open(state, Settings::default(), now.wall);
        let mut opened = opened.map_err(|error| failed(&error))?;
        let mut engine = Engine::new(config, pools, opened.before(now), fastrand::u64(..));
        let loaded = opened.load(|record| engine.restore(record));
        loaded.map_err(|error| failed(&error))?;
        let outbox = Outbox::after(opened.sequence());
        let (sender, outcomes) = mpsc::channel();
        // Whoever waits for nothing more hears nothing.
        let store = opened.start(move |outcome| drop(sender.send(outcome)));
        let store = store.map_err(|error| TransferError::Io(PathBuf::from(state), error))?;
        Ok(Self { engine, outbox, store, outcomes })
    }

    /// The answer, once what it promises is durable.
    fn order(&mut self, order: Order) -> Result<Answer, TransferError> {
        self.engine.handle(clock::now(), Input::Order(OrderId(0), order), &mut self.outbox);
        self.outbox.events().for_each(drop);
        let at_once = self.outbox.answers().next();
        let (_, mut turn) = self.outbox.seal();
        let failed = |why: String| TransferError::Leases(format!("lease store: {why}"));
        if turn.is_empty() {
            let answer = at_once.map(|(_, answer)| answer);
            return answer.ok_or_else(|| failed("no answer".into()));
        }
        self.store.commit(&mut turn);
        loop {
            match self.outcomes.recv() {
                Ok(Outcome::Durable { through, proof }) if through >= turn.sequence() => {
                    let mut promises = turn.release(&proof);
                    let answer = at_once.or_else(|| promises.answers().next());
                    return answer
                        .map(|(_, answer)| answer)
                        .ok_or_else(|| failed("no answer".into()));
                }
                Ok(Outcome::Failed { reason, .. }) => return Err(failed(reason)),
                Ok(_) => {}
                Err(_) => return Err(failed("it has ended".into())),
            }
        }
    }
}
