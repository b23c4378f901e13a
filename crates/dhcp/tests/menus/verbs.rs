//! The commands: what they do to rows, references, ids, and to the running server.

use leasehold_dhcp::menus;
use leasehold_routeros::{Ids, Tree};

use crate::world::World;

const SERVER: &str = "/ip/dhcp-server";
const LEASE: &str = "/ip/dhcp-server/lease";

#[test]
fn a_renamed_row_is_followed() {
    let mut world = World::scenario();
    world.ok("/ip dhcp-server option; add name=o code=6; add name=p code=7");
    world.ok("/ip dhcp-server option sets add name=s options=o,p");
    world.ok("/ip dhcp-server option set o name=first");
    assert_eq!(world.get("/ip/dhcp-server/option/sets", "s", "options"), "first,p");
    world.ok("/ip pool set isp-pool name=customers");
    assert_eq!(world.get(SERVER, "0", "address-pool"), "customers");
    let changed: Vec<_> =
        world.effects.changes.iter().map(|change| change.now.menu().path).collect();
    assert!(changed.is_empty(), "get changes nothing: {changed:?}");
}

#[test]
fn a_removed_row_dangles_and_is_linked_again() {
    let mut world = World::scenario();
    world.ok("/ip pool add name=other ranges=10.0.0.1 next-pool=isp-pool");
    world.ok("/ip pool remove isp-pool");
    assert_eq!(world.get(SERVER, "0", "address-pool"), "*1");
    assert_eq!(world.get("/ip/pool", "other", "next-pool"), "*1");
    world.ok("/ip pool set other comment=touched");
    world.ok("/ip dhcp-server set 0 lease-time=1h address-pool=*1");
    world.ok("/ip pool add name=isp-pool ranges=67.9.97.10-67.9.97.20");
    assert_eq!(world.effects.changes.len(), 3, "the pool and both that name it");
    assert_eq!(world.get(SERVER, "0", "address-pool"), "isp-pool");
    assert_eq!(world.get("/ip/pool", "other", "next-pool"), "isp-pool");
    assert_eq!(world.get("/ip/pool", "isp-pool", ".id"), "*3", "ids are not given twice");
}

#[test]
fn a_removal_warns_of_what_dangles() {
    let mut world = World::scenario();
    world.ok("/ip pool remove isp-pool");
    assert_eq!(
        world.effects.warnings,
        ["pool \"isp-pool\" was in use: 1 row(s) now refer to *1, \
          until another pool of that name is made"]
    );
    assert!(world.effects.changes.iter().any(|change| change.dead));
}

#[test]
fn ids_and_dangling_names_survive_a_restart() {
    let mut world = World::scenario();
    world.ok("/ip pool; add name=b ranges=10.0.0.1; add name=c ranges=10.0.0.2");
    world.ok("/ip pool; remove b; remove isp-pool");
    world.ok("/ip dhcp-server lease add address=67.9.97.9 mac-address=AA:00:00:00:00:01");
    let ids = world.tree.ids();
    let mut document = leasehold_routeros::syntax::toml::Document::new(menus::menus());
    let text = document.update(&world.tree).unwrap();
    let opened =
        leasehold_routeros::syntax::toml::open(menus::menus(), &text, &Ids::parse(&ids)).unwrap();
    assert_eq!((opened.tree.ids(), opened.problems), (ids, vec![]));
    world.tree = opened.tree;
    assert_eq!(world.get("/ip/pool", "c", ".id"), "*3");
    world.ok("/ip pool add name=isp-pool ranges=67.9.97.10");
    assert_eq!(world.get("/ip/pool", "isp-pool", ".id"), "*4");
    assert_eq!(world.get(SERVER, "0", "address-pool"), "isp-pool");
}

#[test]
fn a_broken_state_text_only_costs_ids() {
    let world = World::scenario();
    let torn: String = world.tree.ids().chars().take(70).collect();
    for text in ["", "nonsense", "/ip/pool *x \"a\"\n/ip/pool next\n\"", &torn] {
        let (tree, _, problems) = Tree::load(menus::menus(), &[], &Ids::parse(text));
        assert_eq!((tree.records("/ip/pool").count(), problems), (0, vec![]));
    }
}

#[test]
fn cleared_properties_have_their_presets_again() {
    let mut world = World::scenario();
    world.ok("/ip dhcp-server network set 0 next-server=1.2.3.4 domain=example boot-file-name=x");
    world.ok("/ip dhcp-server network unset 0 next-server");
    world.ok("/ip dhcp-server network set 0 !domain boot-file-name=\"\"");
    world.ok("/ip dhcp-server set 0 lease-time=30m authoritative=yes relay=0.0.0.0");
    let export = world.export();
    for name in ["next-server", "domain", "boot-file-name", "authoritative", "relay"] {
        assert!(!export.contains(name), "{export}");
    }
    assert!(export.contains("lease-time=30m"), "the default changed between versions: {export}");
}

#[test]
fn names_are_made_up_and_rows_are_copied() {
    let mut world = World::scenario();
    world.ok("/ip pool; add ranges=10.0.0.1; add ranges=10.0.0.2; remove pool1");
    world.ok("/ip pool add ranges=10.0.0.3");
    assert_eq!(world.get("/ip/pool", "pool1", "ranges"), "10.0.0.3");
    world.ok("/ip pool add copy-from=isp-pool name=twin comment=copied");
    assert_eq!(world.get("/ip/pool", "twin", "ranges"), "67.9.97.10-67.9.97.254");
}

#[test]
fn rows_of_an_ordered_menu_are_moved() {
    let mut world = World::scenario();
    world.ok("/ip dhcp-server matcher; add name=a code=60 value=x; add name=b code=60 value=y");
    world.ok("/ip dhcp-server matcher add name=c code=60 value=z place-before=a");
    let order = |world: &mut World| {
        let rows = world.tree.records("/ip/dhcp-server/matcher");
        rows.filter_map(|row| row.text("name")).collect::<String>()
    };
    assert_eq!(order(&mut world), "cab");
    world.ok("/ip dhcp-server matcher move b destination=c");
    assert_eq!(order(&mut world), "bca");
    world.ok("/ip dhcp-server matcher move b,c a");
    assert_eq!(order(&mut world), "bca");
    world.ok("/ip dhcp-server matcher move 0");
    assert_eq!(order(&mut world), "cab");
    world.ok("/ip dhcp-server matcher move [find name=b] 0");
    assert_eq!(order(&mut world), "bca");
}

#[test]
fn what_is_not_obeyed_is_said_once() {
    let mut world = World::scenario();
    world.ok("/ip dhcp-server set 0 add-arp=no");
    assert_eq!(world.effects.warnings, [""; 0], "the preset needs no obedience");
    world.ok("/ip dhcp-server set 0 add-arp=yes");
    assert_eq!(world.effects.warnings, ["/ip/dhcp-server add-arp is kept but not obeyed yet"]);
    world.ok("/ip dhcp-server; set 0 add-arp=no; set 0 add-arp=yes");
    assert_eq!(world.effects.warnings, [""; 0]);
}

#[test]
fn what_is_legal_but_seldom_meant_is_warned_about() {
    let mut world = World::scenario();
    world.ok("/ip pool add name=twin ranges=67.9.97.100-67.9.98.1");
    assert_eq!(world.effects.warnings, ["pool \"twin\" overlaps pool \"isp-pool\""]);
    world.ok("/ip pool add name=blue ranges=67.9.97.0/24 vrf=blue next-pool=isp-pool");
    assert_eq!(world.effects.warnings, [""; 0]);
    world.ok("/ip pool set twin ranges=10.0.0.1 next-pool=blue");
    assert_eq!(world.effects.warnings, [""; 0]);
    world.ok("/ip pool set isp-pool next-pool=twin");
    assert_eq!(world.effects.warnings, ["the chain of pool \"isp-pool\" is a loop"]);
    world.ok("/ip pool add name=self ranges=10.0.0.2");
    world.ok("/ip pool set self next-pool=self");
    assert_eq!(world.effects.warnings, ["the chain of pool \"self\" is a loop"]);
    world.ok("/ip dhcp-server set 0 reclaim-silent=yes conflict-detection=no");
    assert_eq!(
        world.effects.warnings,
        ["reclaim-silent of server \"dhcp-server-83\" needs conflict-detection=yes"]
    );
}

#[test]
fn a_command_is_carried_out_as_a_whole_or_not_at_all() {
    let mut world = World::scenario();
    world.ok("/ip pool; add name=a ranges=10.0.0.1; add name=b ranges=10.0.0.2");
    let error = world.error("/ip pool set [find name!=isp-pool] name=twin");
    assert_eq!(error, "failure: pool with such name exists");
    assert_eq!(world.error("/ip pool remove a,nobody"), "no such item");
    world.ok("/ip pool set [find where name~\"^[ab]\\$\"] comment=both");
    assert_eq!(world.effects.changes.len(), 2);
    world.ok("/ip pool remove [find name=nobody]");
    world.ok("/ip pool remove [find comment=both]");
    assert_eq!(world.ok("/ip pool print count-only"), "1\n");
}

#[test]
fn dynamic_leases_are_rows_like_others() {
    let mut world = World::scenario();
    let first = world.bind("67.9.97.254", "aa:bb:cc:dd:ee:01", "dhcp-server-83", "laptop");
    let second = world.bind("67.9.97.253", "aa:bb:cc:dd:ee:02", "dhcp-server-83", "");
    world.ok("/ip dhcp-server lease add address=67.9.97.9 mac-address=AA:00:00:00:00:01");
    assert_eq!(world.ok("/ip dhcp-server lease print count-only"), "3\n");
    assert_eq!(world.ok("/ip dhcp-server lease print count-only where dynamic"), "2\n");
    assert_eq!(world.ok("/ip dhcp-server lease print count-only active"), "2\n");
    assert_eq!(world.ok("/ip dhcp-server lease print count-only where last-seen<2m"), "2\n");
    assert_eq!(world.ok("/ip dhcp-server lease print count-only where server=all"), "0\n");
    assert_eq!(first.to_string(), "*430961FE");
    assert_eq!(world.get(LEASE, "*430961FE", "host-name"), "laptop");
    assert_eq!(world.get(LEASE, "2", ".id"), first.to_string(), "by the order of ids");
    assert_eq!(world.get(LEASE, "0", "dynamic"), "false");

    world.ok(&format!("/ip dhcp-server lease remove {second}"));
    assert_eq!(world.effects.orders[0].verb, "remove");
    assert_eq!(world.effects.orders[0].row.id, second);
    world.ok(&format!("/ip dhcp-server lease comment {second} \"front desk\""));
    assert_eq!(world.effects.orders[0].arguments[0].value.as_deref(), Some("front desk"));
    world.ok(&format!("/ip dhcp-server lease check-status {second}"));
    assert_eq!(world.effects.orders[0].verb, "check-status");
}

#[test]
fn make_static_keeps_everything_that_tells_the_client() {
    let mut world = World::scenario();
    let id = world.bind("67.9.97.254", "aa:bb:cc:dd:ee:01", "dhcp-server-83", "laptop");
    world.ok(&format!("/ip dhcp-server lease make-static numbers={id}"));
    assert!(world.export().contains(
        "/ip dhcp-server lease add address=67.9.97.254 client-id=1:aa:bb:cc:dd:ee:1 \
         mac-address=AA:BB:CC:DD:EE:01 server=dhcp-server-83\n"
    ));
    // The running server may still list it as dynamic for a moment: it is one row.
    assert_eq!(world.ok("/ip dhcp-server lease print count-only"), "1\n");
    world.ok(&format!("/ip dhcp-server lease set {id} address=67.9.97.7"));
    assert_eq!(world.get(LEASE, &id.to_string(), "address"), "67.9.97.7");
    world.ok(&format!("/ip dhcp-server lease make-static {id}"));
    world.ok("/ip dhcp-server lease add address=67.9.97.8 mac-address=AA:00:00:00:00:01");
    assert_eq!(world.get(LEASE, "1", ".id"), "*1", "counted ids stay small");
}

#[test]
fn a_removed_server_leaves_its_static_leases() {
    let mut world = World::scenario();
    world.ok("/ip dhcp-server lease add mac-address=AA:00:00:00:00:01 server=dhcp-server-83");
    world.ok("/ip dhcp-server remove dhcp-server-83");
    assert_eq!(world.get(LEASE, "0", "server"), "*1");
    world.ok("/ip dhcp-server add name=dhcp-server-83 interface=ether-84");
    assert_eq!(world.get(LEASE, "0", "server"), "dhcp-server-83");
}

#[test]
fn the_console_s_own_ways_work() {
    let mut world = World::scenario();
    assert_eq!(world.ok(":put [/ip pool add name=x ranges=10.0.0.1]"), "*2\n");
    assert_eq!(world.ok("/ip pool add name=y ranges=10.0.0.2"), "");
    assert_eq!(world.ok("/ip pool find where name!=isp-pool"), "*2;*3\n");
    assert_eq!(world.ok("/ip po pr count"), "3\n", "words may be shortened");
    assert_eq!(world.ok(":put [/ip dhcp-server get 0 lease-time]"), "1d\n");
    assert_eq!(world.ok(":put [/ip dhcp-server get 0 disabled]"), "false\n");
    assert_eq!(world.ok("/ip dhcp-server option add code=1 name=o value=\"0x0a\""), "");
    assert_eq!(world.get("/ip/dhcp-server/option", "o", "raw-value"), "0a");
    world.ok("/ip dhcp-server option set o code=121 value=\"10.0.0.0/8 via 67.9.97.1\"");
    assert_eq!(world.get("/ip/dhcp-server/option", "o", "raw-value"), "080a43096101");
    assert_eq!(world.get("/ip/dhcp-server/option", "o", "value"), "10.0.0.0/8 via 67.9.97.1");
    assert_eq!(
        world.error("/ip dhcp-server option set o code=6"),
        "value of this code must be addresses: 10.0.0.1,10.0.0.2"
    );
    assert_eq!(world.ok("/ip pool export terse").lines().count(), 3);
    assert!(world.ok("/ip pool help").contains("next-pool"));
}
