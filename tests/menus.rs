//! The reference page follows from the tables of all menus.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

use std::fs;
use std::path::Path;

use leasehold::menus;
use leasehold_routeros::syntax::script::{self, Form, Options};
use leasehold_routeros::{Offline, help};

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

/// Lines of a router that are about what the host does by itself here.
const ROUTER: &str = "\
# 2024-12-27 15:17:47 by RouterOS 7.16.2
/interface bridge
add name=bridge
/interface ethernet
set [ find default-name=ether1 ] name=wan
/interface bridge port
add bridge=bridge interface=ether2
/ip address
add address=192.168.88.1/24 interface=bridge network=192.168.88.0
/ip dhcp-client add interface=wan
/ip pool
add name=dhcp ranges=192.168.88.10-192.168.88.254
/system clock
set time-zone-name=Europe/Riga
/system identity
set name=tower-1
/system logging action
set 0 memory-lines=100
/user settings set minimum-categories=1
";

#[test]
fn what_is_only_shown_here_is_skipped_in_a_router_s_script() {
    let mut tree = menus::tree();
    let done = script::import(&mut tree, ROUTER, &Options::default(), &Offline);
    let done = done.unwrap_or_else(|problems| panic!("{problems:#?}"));
    let skipped = [
        ("/interface/bridge", 1),
        ("/interface/bridge/port", 1),
        ("/interface/ethernet", 1),
        ("/ip/address", 1),
        ("/ip/dhcp-client", 1),
        ("/system/clock", 1),
        ("/system/logging/action", 1),
        ("/user/settings", 1),
    ];
    assert_eq!(done.skipped, skipped.map(|(menu, lines)| (menu.to_owned(), lines)));
    assert_eq!(done.commands, 2);
    assert_eq!(
        script::export(&tree, "", Form::Compact),
        "/ip pool\nadd name=dhcp ranges=192.168.88.10-192.168.88.254\n\
         /system identity\nset name=tower-1\n"
    );
}

#[test]
fn what_a_router_has_not_either_is_refused_with_its_place() {
    let text = "/ip pool\nadd name=dhcp ranges=10.0.0.0/24\n/ip pool nonsense\nadd name=b\n\
                /ip dhcp-server network nonsense add address=10.0.0.0/24\nadd address=x\n\
                /ip service\nset www disabled=maybe\n";
    let mut tree = menus::tree();
    let refused = script::import(&mut tree, text, &Options::default(), &Offline).unwrap_err();
    let told: Vec<_> =
        refused.iter().map(|problem| format!("{}: {}", problem.place.line, problem.rule)).collect();
    assert_eq!(told[..2], ["3: bad command name nonsense", "5: bad command name nonsense"]);
    assert!(told.len() == 3 && told[2].starts_with("8: "), "{told:?}");
    let lenient = Options { lenient: true, ..Options::default() };
    let done = script::import(&mut tree, text, &lenient, &Offline).unwrap();
    assert_eq!((done.commands, done.dropped.len()), (1, 3), "{done:?}");
}
