//! The way back to a router: a script with configuration and live leases, or the router's relays.

use std::net::Ipv4Addr;
use std::path::Path;

use leasehold_dhcp::menus::{AddressPool, Lease, Network, Pool, Server};
use leasehold_routeros::syntax::quote;
use leasehold_routeros::syntax::script::{self, Form};
use leasehold_routeros::{Command, Record, Row, Tree};

use super::TransferError;
use crate::faces::client::Client;

/// The menus that a router has as well, in an order in which it can take them.
const MENUS: [&str; 2] = ["/ip/pool", "/ip/dhcp-server"];
/// The comment by which the leases of a move are found afterwards.
const COMMENT: &str = "moved from leasehold";

/// The bound dynamic leases of the running server.
pub(super) fn live(socket: Option<&Path>) -> Result<Vec<Record>, TransferError> {
    let query = leasehold_routeros::syntax::console::query("dynamic=yes and status=bound");
    let query = query.map_err(|_| TransferError::Leases("the query cannot be read".into()))?;
    let command = Command::new(Lease::menu().path, "print").filtered(query);
    let asked = Client::connect(socket).and_then(|mut client| client.ask(&command));
    Ok(asked.map_err(TransferError::Server)?.records)
}

/// What a router needs to go on with the same clients. It cannot be given dynamic leases: they
/// become static ones with a comment, to be removed when their clients have renewed.
pub(super) fn script(tree: Option<&Tree>, leases: &[Record]) -> String {
    let mut text = super::script_header();
    for (tree, menu) in tree.into_iter().flat_map(|tree| MENUS.map(|menu| (tree, menu))) {
        text.push_str(&script::export(tree, menu, Form::Router));
    }
    if leases.is_empty() {
        return text;
    }
    text.push_str(&format!(
        "# Live leases. When their clients have renewed, they may become dynamic again:\n\
         # /ip dhcp-server lease remove [find comment~\"{COMMENT}\"]\n\
         /ip dhcp-server lease\n"
    ));
    for lease in leases {
        let left = lease.text("expires-after").map(|left| format!(", {left} left"));
        let comment = format!("{COMMENT}{}", left.unwrap_or_default());
        let mut words = vec!["add".to_owned()];
        for name in ["address", "client-id", "mac-address", "server"] {
            let value = lease.text(name).filter(|value| !value.is_empty());
            words.extend(value.map(|value| format!("{name}={}", quote::when_needed(&value))));
        }
        words.insert(3.min(words.len()), format!("comment={}", quote::when_needed(&comment)));
        text.push_str(&words.join(" "));
        text.push('\n');
    }
    text
}

/// What a router needs to send its clients' messages to this server instead.
pub(super) fn relays(tree: &Tree, here: Ipv4Addr) -> String {
    let mut text = super::script_header();
    text.push_str(
        "# The router gives no addresses itself, it relays. Its own address is the relay's.\n\
         /ip dhcp-server disable [find]\n/ip dhcp-relay\n",
    );
    let networks: Vec<_> =
        tree.rows::<Network>().into_iter().filter_map(|row| row.row.ok()).collect();
    let pools: Vec<_> = tree.rows::<Pool>().into_iter().filter_map(|row| row.row.ok()).collect();
    for server in tree.rows::<Server>().into_iter().filter(|row| !row.disabled) {
        let Ok(server) = server.row else { continue };
        let AddressPool::Pool(pool) = &server.address_pool else { continue };
        let pool = pools.iter().find(|known| *known.name == *pool.text());
        let first = pool.and_then(|pool| pool.ranges.iter().next()).map(|range| range.first);
        let network = networks
            .iter()
            .find(|network| first.is_some_and(|first| network.address.0.contains(&first)));
        let gateway = network.and_then(|network| network.gateway.first().copied());
        let local = Some(server.relay).filter(|relay| !relay.is_unspecified()).or(gateway);
        let local = local.map_or_else(
            || " local-address=".to_owned() + "ROUTER-ADDRESS-ON-THIS-INTERFACE",
            |local| format!(" local-address={local}"),
        );
        text.push_str(&format!(
            "add name={} interface={} dhcp-server={here}{local} disabled=no\n",
            quote::when_needed(&format!("relay-{}", &*server.name)),
            quote::when_needed(&server.interface.0),
        ));
    }
    text
}
