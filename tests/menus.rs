//! The reference page follows from the tables of all menus.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

use std::fs;
use std::path::Path;

use leasehold::menus;
use leasehold_routeros::help;

#[test]
fn the_reference_page_is_up_to_date() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/properties.md");
    let wanted = help::reference(&menus::menus());
    let found = fs::read_to_string(&page).unwrap_or_default();
    if found != wanted {
        fs::write(&page, &wanted).expect("the page can be written");
    }
    assert!(found == wanted, "docs/properties.md was out of date and is written anew: commit it");
}
