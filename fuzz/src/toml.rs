//! Configuration files: read, compiled, written back.

use leasehold_dhcp::config::{Config, Host};
use leasehold_dhcp::menus;
use leasehold_routeros::Ids;
use leasehold_routeros::syntax::toml;

/// One input.
pub fn run(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let Ok(mut opened) = toml::open(menus::menus(), &text, &Ids::default()) else { return };
    // Compiling cannot fail: a bad row is left out.
    let _ = Config::compile(&opened.tree, Host { resolvers: &[] });
    let _ = opened.document.update(&opened.tree);
}
