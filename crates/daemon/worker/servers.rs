//! What stands between each server and its clients: told when it changes, once.

use std::collections::BTreeMap;
use std::sync::Arc;

use leasehold_dhcp::Interfaces;
use leasehold_dhcp::config::Server;

/// The state of each server's interface, as it was told last.
#[derive(Debug, Default)]
pub(super) struct States(BTreeMap<Arc<str>, State>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Serving,
    Missing,
    Slave,
    Down,
    NoAddress,
}

impl States {
    /// Looks at the interfaces again and tells what has changed.
    pub(super) fn follow<'a>(
        &mut self,
        servers: impl Iterator<Item = &'a Server>,
        interfaces: &Interfaces,
    ) {
        let mut states = BTreeMap::new();
        for server in servers {
            let state = state(server, interfaces);
            if self.0.get(&server.name) != Some(&state) {
                tell(server, state);
            }
            states.insert(Arc::clone(&server.name), state);
        }
        self.0 = states;
    }
}

fn state(server: &Server, interfaces: &Interfaces) -> State {
    match interfaces.named(&server.interface) {
        None => State::Missing,
        Some(interface) if interface.slave => State::Slave,
        Some(interface) if !interface.running => State::Down,
        Some(interface) if interface.addresses.is_empty() && server.server_address.is_none() => {
            State::NoAddress
        }
        Some(_) => State::Serving,
    }
}

fn tell(server: &Server, state: State) {
    let (name, interface) = (&*server.name, &*server.interface);
    match state {
        State::Serving => {
            tracing::info!(target: "dhcp", server = name, "{name} serves {interface}");
        }
        State::Missing => tracing::warn!(
            target: "dhcp", server = name,
            "{name} waits: there is no interface {interface} yet"
        ),
        // RouterOS's words.
        State::Slave => tracing::error!(
            target: "dhcp", server = name,
            "events on master port will be handled by slave {interface}, update your config!!! \
             (IPv4)"
        ),
        State::Down => tracing::warn!(
            target: "dhcp", server = name,
            "{name} waits: {interface} is down or has no carrier"
        ),
        State::NoAddress => tracing::warn!(
            target: "dhcp", server = name,
            "{name} waits: {interface} has no IPv4 address and server-address is not set"
        ),
    }
}
