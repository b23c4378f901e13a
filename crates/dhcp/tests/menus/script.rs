//! `.rsc` scripts of many versions: in, out and in again.

use leasehold_dhcp::menus;
use leasehold_routeros::syntax::script::{self, Form, Imported, Options};
use leasehold_routeros::{Command, Ids, Offline, Tree};

use crate::world::World;

const ISP: &str = include_str!("../../../../config/isp.rsc");

/// File, its text, rows of pool, server, network, lease, option, set and matcher, skipped menus.
type Sample = (&'static str, &'static str, [usize; 7], &'static [(&'static str, usize)]);

macro_rules! sample {
    ($name:literal, $rows:expr, $skipped:expr) => {
        ($name, include_str!(concat!("rsc/", $name, ".rsc")), $rows, $skipped)
    };
}

const SAMPLES: [Sample; 10] = [
    sample!(
        "6.19-home",
        [1, 1, 1, 1, 0, 0, 0],
        &[("/interface/bridge", 1), ("/interface/wireless", 1), ("/system/identity", 1)]
    ),
    sample!("6.34-office", [3, 3, 3, 4, 2, 0, 0], &[("/ip/firewall/filter", 2)]),
    sample!("6.40-relay", [2, 3, 2, 0, 0, 0, 0], &[]),
    sample!("6.45-vendor", [4, 1, 1, 2, 2, 1, 1], &[]),
    sample!("6.46-crlf", [2, 2, 0, 1, 0, 0, 0], &[]),
    sample!(
        "6.49-isp",
        [2, 1, 1, 0, 2, 1, 0],
        &[("/interface/pppoe-client", 1), ("/system/script", 1), ("/tool/netwatch", 1)]
    ),
    sample!("7.1-first", [1, 1, 1, 0, 0, 0, 0], &[]),
    sample!("7.6-terse", [2, 1, 1, 0, 1, 0, 2], &[("/interface/bridge", 1)]),
    sample!(
        "7.16-defconf",
        [1, 1, 1, 1, 0, 0, 0],
        &[
            ("/interface/bridge", 1),
            ("/interface/bridge/port", 1),
            ("/interface/wifi", 1),
            ("/ip/dns", 1)
        ]
    ),
    sample!("7.24-newest", [1, 1, 1, 1, 1, 1, 1], &[]),
];

fn imported(text: &str) -> (Tree, Imported) {
    let mut tree = menus::tree();
    let done = script::import(&mut tree, text, &Options::default(), &Offline);
    let done = done.unwrap_or_else(|problems| panic!("{problems:#?}"));
    (tree, done)
}

fn refused(text: &str) -> Vec<String> {
    let mut tree = menus::tree();
    let before = tree.ids();
    let done = script::import(&mut tree, text, &Options::default(), &Offline);
    let problems = done.expect_err("the script is wrong");
    assert_eq!(tree.ids(), before, "a refused script changes nothing");
    problems.iter().map(ToString::to_string).collect()
}

fn text(tree: &Tree, path: &str, row: usize, name: &str) -> Option<String> {
    tree.records(path).nth(row)?.text(name)
}

#[test]
fn the_how_tos_script_comes_back_with_sorted_arguments() {
    let (tree, done) = imported(ISP);
    assert_eq!((done.commands, done.warnings.len()), (3, 0));
    assert_eq!(
        script::export(&tree, "", Form::Compact),
        "/ip pool\n\
         add name=isp-pool ranges=67.9.97.10-67.9.97.254\n\
         /ip dhcp-server\n\
         add address-pool=isp-pool interface=ether-83 lease-time=1d name=dhcp-server-83\n\
         /ip dhcp-server network\n\
         add address=67.9.97.0/24 dns-server=8.8.8.8 gateway=67.9.97.1\n"
    );
}

#[test]
fn every_version_is_imported_exported_and_imported_again() {
    const MENUS: [&str; 7] = [
        "/ip/pool",
        "/ip/dhcp-server",
        "/ip/dhcp-server/network",
        "/ip/dhcp-server/lease",
        "/ip/dhcp-server/option",
        "/ip/dhcp-server/option/sets",
        "/ip/dhcp-server/matcher",
    ];
    for (name, text, rows, skipped) in SAMPLES {
        let (tree, done) = imported(text);
        assert_eq!(MENUS.map(|path| tree.records(path).count()), rows, "{name}");
        let listed: Vec<_> = done.skipped.iter().map(|(path, n)| (path.as_str(), *n)).collect();
        assert_eq!(listed, skipped, "{name}");
        for form in [Form::Compact, Form::Verbose, Form::Terse] {
            let exported = script::export(&tree, "", form);
            let header = script::header("2026-01-01 00:00:00", "7.16.2");
            let (again, _) = imported(&format!("{header}{exported}"));
            assert_eq!(script::export(&again, "", form), exported, "{name} {form:?}");
            assert_eq!(again.ids(), tree.ids(), "{name} {form:?}");
        }
        let wide = script::export(&tree, "", Form::Compact);
        assert!(wide.lines().all(|line| line.len() <= 80), "{name}: {wide}");
    }
}

#[test]
fn defaults_of_the_version_are_filled_in_and_told() {
    let server = "/ip dhcp-server\nadd interface=ether1 name=s\n";
    for (version, lease_time, disabled, authoritative) in [
        ("6.19", "3d", "yes", Some("after-2sec-delay")),
        ("6.38.5", "10m", "yes", Some("after-2sec-delay")),
        ("6.49.10", "10m", "yes", None),
        ("7.6", "10m", "no", None),
        ("7.16.2", "30m", "no", None),
    ] {
        let header = script::header("2026-01-01 00:00:00", version);
        let (tree, done) = imported(&format!("{header}{server}"));
        let shown = |name| text(&tree, "/ip/dhcp-server", 0, name);
        assert_eq!(shown("lease-time").as_deref(), Some(lease_time), "{version}");
        assert_eq!(shown("disabled").as_deref(), Some(disabled), "{version}");
        assert_eq!(shown("authoritative").as_deref(), authoritative, "{version}");
        assert_eq!(done.notes.is_empty(), version == "7.16.2", "{:?}", done.notes);
    }
    let (_, done) = imported(
        "# a by RouterOS 6.45\n/ip dhcp-server\nadd interface=e name=s \
                              disabled=no lease-time=1d src-address=10.0.0.1\n",
    );
    assert_eq!(done.notes, ["3:1: src-address is called server-address now"]);
}

#[test]
fn references_may_come_before_what_they_name() {
    let (tree, _) = imported(
        "/ip pool\nadd name=a next-pool=b ranges=10.0.0.1\nadd name=b next-pool=a ranges=10.0.0.2",
    );
    assert_eq!(text(&tree, "/ip/pool", 0, "next-pool").as_deref(), Some("b"));
    assert_eq!(text(&tree, "/ip/pool", 1, "next-pool").as_deref(), Some("a"));
}

#[test]
fn a_dangling_reference_of_another_router_never_comes_to_mean_a_row_of_ours() {
    let (tree, _) = imported(
        "/ip pool\nadd name=a ranges=10.0.0.1\nadd name=b ranges=10.0.0.2\n\
         /ip dhcp-server\nadd address-pool=*2 interface=e1 name=s\n\
         add address-pool=*F interface=e2 name=t\n",
    );
    assert_eq!(text(&tree, "/ip/dhcp-server", 0, "address-pool").as_deref(), Some("*3"));
    assert_eq!(text(&tree, "/ip/dhcp-server", 1, "address-pool").as_deref(), Some("*F"));
    let mut tree = tree;
    let id = tree.add("/ip/pool", &[("name", "c"), ("ranges", "10.0.0.3")]).unwrap();
    assert_eq!(id.to_string(), "*10");
}

#[test]
fn every_way_to_name_rows_is_read() {
    let (tree, _) = imported(
        "/ip pool add name=a ranges=10.0.0.1\n\
         /ip/pool/add name=b range=10.0.0.2\n\
         /ip pool\n\
         set [ find name=a ] comment=\"by find\"\n\
         set 1 comment=\"by number\"\n\
         add name=c ranges=10.0.0.3; add name=d ranges=10.0.0.4\n\
         set c comment=\"by name\"\n\
         set *4 comment=\"by id\"\n\
         add name=e ranges=10.0.0.5\n\
         remove [find where name~\"^e\"]\n\
         set [find name=nobody] comment=x\n\
         .. dhcp-server\n\
         add interface=ether1 name=s disabled=yes\n\
         enable s\n\
         comment s \"a server\"\n",
    );
    let comments: Vec<_> = tree.records("/ip/pool").map(|row| row.text("comment")).collect();
    let expected = ["by find", "by number", "by name", "by id"].map(|text| Some(text.to_owned()));
    assert_eq!(comments, expected);
    assert_eq!(text(&tree, "/ip/dhcp-server", 0, "disabled").as_deref(), Some("no"));
    assert_eq!(text(&tree, "/ip/dhcp-server", 0, "comment").as_deref(), Some("a server"));
}

#[test]
fn what_is_wrong_is_told_with_line_and_column_and_nothing_is_changed() {
    assert_eq!(
        refused(
            "/ip pool\n\
             add name=a ranges=10.0.0.1-\n\
             add name=b rangez=10.0.0.1\n\
             add name=b ranges=10.0.0.1\n\
             add name=b ranges=10.0.0.2\n\
             add name=c next-pool=nobody ranges=10.0.0.3\n\
             :local x 1\n\
             add name=d ranges=$x\n\
             bogus\n\
             add name= ranges=10.0.0.4\n\
             add name=\"open\n"
        ),
        [
            "2:19: value of range must have ip address after '-'",
            "3:12: unknown parameter rangez; did you mean ranges?",
            "5:1: failure: pool with such name exists",
            "6:22: input does not match any value of next-pool: there is no \"nobody\" in \
             /ip/pool; make it in the script, or leave the name out",
            "7:1: :local is script language, only commands can be read here; \
             write out what it does, or leave it out",
            "8:19: syntax error",
            "9:1: bad command name bogus",
            "10:10: expected end of command",
            "11:10: syntax error",
        ]
    );
}

#[test]
fn a_lenient_import_leaves_out_what_it_cannot_do_and_says_so() {
    let mut tree = menus::tree();
    let options = Options { lenient: true, ..Options::default() };
    let text = "/ip pool\nadd name=a ranges=nonsense\nadd name=b next-pool=a ranges=10.0.0.1\n\
                set [find] name=twin\n:put hello\n";
    let done = script::import(&mut tree, text, &options, &Offline).unwrap();
    let dropped: Vec<_> = done.dropped.iter().map(|problem| problem.place.line).collect();
    assert_eq!((done.commands, dropped), (2, vec![2, 3, 5]));
    let row = tree.records("/ip/pool").next().unwrap();
    assert_eq!(row.text("name").as_deref(), Some("twin"));
    // Linked as soon as there is such a pool.
    assert!(row.text("next-pool").unwrap().starts_with('*'));
    tree.add("/ip/pool", &[("name", "a"), ("ranges", "10.0.0.2")]).unwrap();
    assert_eq!(self::text(&tree, "/ip/pool", 0, "next-pool").as_deref(), Some("a"));
}

#[test]
fn interfaces_are_mapped() {
    let mut tree = menus::tree();
    tree.set_interfaces(["ens18".to_owned()]);
    let interfaces = vec![("ether-83".to_owned(), "ens18".to_owned())];
    let options = Options { interfaces, ..Options::default() };
    script::import(&mut tree, ISP, &options, &Offline).unwrap();
    assert_eq!(text(&tree, "/ip/dhcp-server", 0, "interface").as_deref(), Some("ens18"));
}

#[test]
fn ten_thousand_leases_are_one_import() {
    let mut text = String::from("/ip dhcp-server lease\n");
    for n in 0..10_000_u32 {
        let (high, low) = (n / 256, n % 256);
        text.push_str(&format!(
            "add address=10.1.{high}.{low} mac-address=02:00:00:00:{high:02X}:{low:02X}\n"
        ));
    }
    let (tree, done) = imported(&text);
    assert_eq!((done.commands, done.changes.len()), (10_000, 10_000));
    let ids = Ids::parse(&tree.ids());
    let (again, _, problems) = Tree::load(menus::menus(), &[], &ids);
    assert_eq!((again.records("/ip/dhcp-server/lease").count(), problems), (0, vec![]));
}

#[test]
fn an_export_takes_a_part_of_the_menus() {
    let (tree, _) = imported(ISP);
    let mut tree = tree;
    let mut export = |path: &str| {
        let outcome = tree.run(&Command::new(path, "export").with("terse", ""), &Offline).unwrap();
        match outcome.reply {
            leasehold_routeros::Reply::Text(text) => text,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(export("/ip/pool"), "/ip pool add name=isp-pool ranges=67.9.97.10-67.9.97.254\n");
    assert_eq!(export("/ip/dhcp-server").lines().count(), 2);
    assert_eq!(export("/ip").lines().count(), 3);
    assert_eq!(export("").lines().count(), 3);
}

#[test]
fn a_text_of_anything_is_read_or_refused() {
    let alphabet: Vec<char> =
        "ab =\"\\\n/;[]{}()!$#*ip pool add set find name ranges\r\tü".chars().collect();
    let mut state = 7_u64;
    for _ in 0..4000 {
        let mut text = String::from("/ip pool\n");
        for _ in 0..40 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            text.push(alphabet[usize::try_from(state >> 33).unwrap() % alphabet.len()]);
        }
        let mut tree = menus::tree();
        if let Err(problems) = script::import(&mut tree, &text, &Options::default(), &Offline) {
            assert!(problems.iter().all(|problem| problem.place.line > 0), "{text:?}");
        }
    }
}

#[test]
fn a_script_for_a_router_says_nothing_that_it_does_not_know() {
    let mut world = World::scenario();
    world.ok("/ip dhcp-server set 0 rapid-commit=yes circuit-lease-limit=1 always-broadcast=yes");
    let value = "\"10.0.0.0/8 via 67.9.97.1\"";
    world.ok(&format!("/ip dhcp-server option add name=o code=121 value={value}"));
    world.ok("/ip dhcp-server option add name=p code=67 value=\"s'pxelinux.0'\"");
    let script = script::export(&world.tree, "/ip/dhcp-server", script::Form::Router);
    assert!(script.contains("always-broadcast=yes") && script.contains("code=121"), "{script}");
    assert!(script.contains("value=0x080a43096101"), "{script}");
    assert!(script.contains("s'pxelinux.0'"), "{script}");
    for ours in ["rapid-commit", "circuit-lease-limit", " via "] {
        assert!(!script.contains(ours), "{script}");
    }
}
