//! REST requests, a method, a path, a query and a body of JSON: each is refused or carried out.

use leasehold_dhcp::menus;
use leasehold_routeros::syntax::rest::{self, Call, Method};
use leasehold_routeros::{Offline, Reply};

/// One input.
pub fn run(bytes: &[u8]) {
    let mut parts = bytes.splitn(4, |octet| *octet == b'\n');
    let mut text = || String::from_utf8_lossy(parts.next().unwrap_or_default()).into_owned();
    let (method, path, query, body) = (text(), text(), text(), text());
    let method = match method.as_str() {
        "PUT" => Method::Put,
        "PATCH" => Method::Patch,
        "DELETE" => Method::Delete,
        "POST" => Method::Post,
        _ => Method::Get,
    };
    let mut tree = menus::tree();
    tree.add("/ip/pool", &[("name", "small"), ("ranges", "10.0.0.10-10.0.0.13")]).expect("a pool");
    let exchange = match rest::request(&tree, method, &path, &query, body.as_bytes()) {
        Ok(exchange) => exchange,
        Err(refused) => return drop(rest::refused(&refused)),
    };
    let Call::Command(command) = &exchange.call else { return };
    let reply = match tree.run(command, &Offline) {
        Ok(outcome) => outcome.reply,
        Err(trap) => return drop(rest::failure(&exchange, &trap)),
    };
    let second = exchange.second(&reply);
    let shown = second.map(|command| tree.run(&command, &Offline).expect("what was made").reply);
    let records = match shown {
        Some(Reply::Rows(listing)) => listing.collect(&Offline),
        _ => Vec::new(),
    };
    drop(exchange.answer(&reply, &records));
}
