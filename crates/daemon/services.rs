//! The services of `/ip/service`: each listens where its row says, as soon as it says so.
//!
//! **Invariant:** nothing listens on the network before there is a user who could log in.

mod listener;
mod tls;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use leasehold_routeros::{Id, Live, LiveRow, Row, Tree, Want};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::access::{Gate, has_user};
use crate::control::Control;
use crate::menus::{Service, ServiceState};
use listener::Listener;

/// What is wrong with services, by name: shown in their rows. A clone is the same list.
#[derive(Clone, Debug, Default)]
pub struct Troubles(Arc<Mutex<BTreeMap<String, String>>>);

impl Troubles {
    /// Notes what is wrong with a service, or that nothing is; true if that is new.
    fn note(&self, service: &str, trouble: Option<String>) -> bool {
        // Every entry is whole between any two changes.
        let mut troubles = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = match &trouble {
            Some(trouble) => troubles.insert(service.into(), trouble.clone()),
            None => troubles.remove(service),
        };
        before != trouble
    }

    /// What is known of the rows of `/ip/service`.
    pub(crate) fn fetch(&self, want: &Want, tree: &Tree) -> Option<Vec<LiveRow>> {
        let Want::Overlay(menu, ids) = want else { return None };
        if menu.path != Service::menu().path {
            return None;
        }
        let troubles = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let rows = ids.iter().filter_map(|id: &Id| {
            let name = tree.record(menu.path, *id)?.text("name")?;
            let about = troubles.get(&name).cloned();
            let state = ServiceState { invalid: about.as_ref().map(|_| true), about };
            Some(LiveRow { id: *id, cells: state.cells() })
        });
        Some(rows.collect())
    }
}

/// What services need beside their rows.
#[derive(Clone)]
pub struct Means {
    /// Where commands go.
    pub control: Control,
    /// Who may give them.
    pub gate: Arc<Gate>,
    /// Where certificates are looked for; the first is the state directory.
    pub directories: Vec<PathBuf>,
    /// What is wrong.
    pub troubles: Troubles,
}

/// Follows the rows for ever: services begin, change and end as they say.
pub async fn follow(means: Means) {
    let mut tree = means.control.tree();
    let mut running: BTreeMap<String, Running> = BTreeMap::new();
    loop {
        let wanted = wanted(&tree.borrow_and_update());
        for service in wanted {
            let on = service.1.then(|| Arc::new(service.0.clone()));
            let name = service.0.name.to_string();
            match running.get(&name) {
                Some(known) => known.tell(on),
                None if on.is_some() => drop(running.insert(name, Running::start(&means, on))),
                None => {}
            }
        }
        if tree.changed().await.is_err() {
            return;
        }
    }
}

/// The services that we speak, and whether they are to listen.
fn wanted(tree: &Tree) -> Vec<(Service, bool)> {
    let somebody = has_user(tree);
    let rows = tree.rows::<Service>().into_iter().filter_map(|row| row.row.ok());
    let spoken = rows.filter(|service| service.protocol().is_some());
    spoken.map(|service| (service.clone(), somebody && service.is_on())).collect()
}

/// A service that listens or did.
struct Running {
    service: watch::Sender<Option<Arc<Service>>>,
    task: JoinHandle<()>,
}

impl Running {
    fn start(means: &Means, service: Option<Arc<Service>>) -> Self {
        let (sender, receiver) = watch::channel(service);
        let task = tokio::spawn(Listener::new(means.clone(), receiver).serve());
        Self { service: sender, task }
    }
}

impl Running {
    /// Other rows change often: nothing is told that is known.
    fn tell(&self, service: Option<Arc<Service>>) {
        self.service.send_if_modified(|known| {
            let differs = *known != service;
            if differs {
                *known = service;
            }
            differs
        });
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}
