//! RouterOS scripts: imported whole or not at all; what was imported is exported, and again.

use leasehold_dhcp::menus;
use leasehold_routeros::Offline;
use leasehold_routeros::syntax::script::{self, Form, Options};

/// One input.
pub fn run(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let options = Options { lenient: bytes.len().is_multiple_of(2), ..Options::default() };
    let mut tree = menus::tree();
    if script::import(&mut tree, &text, &options, &Offline).is_err() {
        return;
    }
    let exported = script::export(&tree, "", Form::Compact);
    let mut again = menus::tree();
    script::import(&mut again, &exported, &Options::default(), &Offline)
        .unwrap_or_else(|problems| panic!("{problems:?}\n{exported}"));
    assert_eq!(script::export(&again, "", Form::Compact), exported);
}
