//! The configuration file: read with places, written back with comments and order.

use leasehold_dhcp::menus::{self, AddressPool, Pool, Server};
use leasehold_routeros::syntax::toml::{self, Document, Opened};
use leasehold_routeros::{Command, Ids, Offline, Tree};

const SCENARIO: &str = include_str!("../../../../config/leasehold.toml");

fn open(text: &str) -> Opened {
    toml::open(menus::menus(), text, &Ids::default()).expect("the text is TOML")
}

fn problems(text: &str) -> Vec<String> {
    open(text).problems.iter().map(ToString::to_string).collect()
}

fn run(tree: &mut Tree, command: &Command) {
    tree.run(command, &Offline).unwrap_or_else(|trap| panic!("{command:?}: {trap}"));
}

#[test]
fn the_shipped_file_is_read() {
    let Opened { tree, mut document, problems } = open(SCENARIO);
    assert_eq!(problems, []);
    let pool = tree.rows::<Pool>().remove(0).row.unwrap();
    assert_eq!(pool.ranges[0].count(), 245);
    let server = tree.rows::<Server>().remove(0).row.unwrap();
    assert!(
        matches!(server.address_pool, AddressPool::Pool(pool) if pool.name() == Some("isp-pool"))
    );
    assert_eq!(document.update(&tree).unwrap(), SCENARIO);
}

#[test]
fn every_kind_of_value_is_read() {
    let text = r#"
[[dhcp-server-network]]
address = "10.0.0.0/24"
netmask = 25
dns-none = true
gateway = ["10.0.0.1", "10.0.0.2"]

[dhcp-server-config]
accounting = false
"#;
    let Opened { tree, problems, .. } = open(text);
    assert_eq!(problems, []);
    let network = tree.records("/ip/dhcp-server/network").next().unwrap();
    let shown = |name| network.text(name).unwrap();
    assert_eq!(shown("netmask"), "25");
    assert_eq!(shown("dns-none"), "yes");
    assert_eq!(shown("gateway"), "10.0.0.1,10.0.0.2");
    let config = tree.records("/ip/dhcp-server/config").next().unwrap();
    assert_eq!(config.text("accounting").as_deref(), Some("no"));
}

#[test]
fn what_is_wrong_is_told_with_place_rule_and_mend() {
    let text = r#"
[[pool]]
name = "a"
range = "10.0.0.1"

[[pool]]
name = "b"
ranges = "10.0.0.1-"
next-pool = "aa"
total = 3

[[pools]]
name = "c"

[[pool]]
name = "b"
ranges = ["10.0.0.9", 1.5]

[dhcp-server]
name = "d"
"#;
    assert_eq!(
        problems(text),
        [
            "2:1: missing value(s) of argument(s) ranges; \
             add ranges = \"192.168.88.10-192.168.88.254\"",
            "4:1: unknown parameter range; did you mean ranges?",
            "8:10: value of range must have ip address after '-'; \
             write ranges = \"192.168.88.10-192.168.88.254\" or the like",
            "9:13: input does not match any value of next-pool: there is no \"aa\" in /ip/pool; \
             did you mean a?",
            "10:1: total is told by the server and cannot be set; remove it",
            "12:3: no table is called pools; did you mean pool?",
            "15:1: missing value(s) of argument(s) ranges; \
             add ranges = \"192.168.88.10-192.168.88.254\"",
            "15:1: failure: pool with such name exists; change or remove one of the two",
            "17:10: ranges is neither a string, an integer, a boolean nor a list; put it in quotes",
            "19:2: dhcp-server is a list of tables; write [[dhcp-server]] for each row",
        ]
    );
    let broken = toml::open(menus::menus(), "[[pool]\nname = 1\n", &Ids::default());
    assert_eq!(broken.err().map(|problem| problem.place.line), Some(1));
}

#[test]
fn what_a_file_says_in_vain_is_told_once() {
    let text = "[[dhcp-server]]\nname = \"s\"\ninterface = \"e\"\nadd-arp = true\n";
    let mut tree = open(text).tree;
    assert_eq!(tree.not_obeyed(), ["/ip/dhcp-server add-arp is kept but not obeyed yet"]);
    assert_eq!(tree.not_obeyed(), [""; 0]);
    let set = Command::new("/ip/dhcp-server", "set").target("s").with("add-arp", "yes");
    assert_eq!(tree.run(&set, &Offline).unwrap().effects.warnings, [""; 0]);
}

#[test]
fn a_bad_row_is_invalid_and_its_neighbours_are_served() {
    let text = "[[pool]]\nname = \"a\"\nranges = \"nonsense\"\n\n\
                [[pool]]\nname = \"b\"\nranges = \"10.0.0.1\"\n";
    let rows = open(text).tree.rows::<Pool>();
    let fault = rows[0].row.as_ref().unwrap_err();
    assert_eq!(fault.to_string(), "value of range expects range of ip addresses");
    assert!(rows[1].row.is_ok());
}

#[test]
fn a_change_is_written_where_it_belongs() {
    let text = r#"# Site 7.

# The customers' pool.
[[pool]]
name = "a"     # first
ranges = "10.0.0.1-10.0.0.9"
# chained
next-pool = "b"

[[dhcp-server]]
name = "s"
interface = "ether1"
address-pool = "a" # see above
disabled = true

[[pool]]
name = "b"
ranges = ["10.0.1.1", "10.0.1.3"]

# The end.
"#;
    let Opened { mut tree, mut document, problems } = open(text);
    assert_eq!(problems, []);
    run(
        &mut tree,
        &Command::new("/ip/pool", "set").target("b").with("ranges", "10.0.1.1,10.0.1.5"),
    );
    run(&mut tree, &Command::new("/ip/pool", "set").target("a").with("name", "first"));
    run(&mut tree, &Command::new("/ip/dhcp-server", "enable").target("s"));
    run(&mut tree, &Command::new("/ip/pool", "set").target("first").with("next-pool", "none"));
    let add = Command::new("/ip/pool", "add").with("name", "c").with("ranges", "10.0.2.0/24");
    run(&mut tree, &add.with("comment", "new"));
    let expected = r#"# Site 7.

# The customers' pool.
[[pool]]
name = "first"     # first
ranges = "10.0.0.1-10.0.0.9"

[[dhcp-server]]
name = "s"
interface = "ether1"
address-pool = "first" # see above

[[pool]]
name = "b"
ranges = ["10.0.1.1", "10.0.1.5"]

[[pool]]
name = "c"
ranges = "10.0.2.0/24"
comment = "new"

# The end.
"#;
    assert_eq!(document.update(&tree).unwrap(), expected);
    assert_eq!(document.update(&tree).unwrap(), expected, "nothing more to write");
    let again = open(expected);
    assert_eq!(again.problems, []);
    assert_eq!(again.tree.ids(), tree.ids());
}

#[test]
fn a_removed_row_takes_its_own_comment_along_and_no_other() {
    let text = "# Site 7.\n\n# The pool of floor 1.\n[[pool]]\nname = \"a\"\n\
                ranges = \"10.0.0.1\"\n\n\
                # Floor 2.\n[[pool]]\nname = \"b\"\nranges = \"10.0.0.2\"\n";
    let Opened { mut tree, mut document, .. } = open(text);
    run(&mut tree, &Command::new("/ip/pool", "remove").target("a"));
    let expected = "# Site 7.\n\n# Floor 2.\n[[pool]]\nname = \"b\"\nranges = \"10.0.0.2\"\n";
    assert_eq!(document.update(&tree).unwrap(), expected);
    run(&mut tree, &Command::new("/ip/pool", "remove").target("b"));
    let left = document.update(&tree).unwrap();
    assert_eq!(left.trim(), "# Site 7.");
}

#[test]
fn an_ordered_menu_is_written_in_its_order() {
    let text = "[[dhcp-server-matcher]]\nname = \"a\"\ncode = 60\nvalue = \"x\"\n\n\
                # second\n[[dhcp-server-matcher]]\nname = \"b\"\ncode = 60\nvalue = \"y\"\n";
    let Opened { mut tree, mut document, problems } = open(text);
    assert_eq!(problems, []);
    let order =
        Command::new("/ip/dhcp-server/matcher", "move").target("b").with("destination", "a");
    run(&mut tree, &order);
    let written = document.update(&tree).unwrap();
    assert!(written.find("\"b\"") < written.find("\"a\""), "{written}");
    assert!(written.contains("# second\n[[dhcp-server-matcher]]\nname = \"b\""), "{written}");
}

#[test]
fn a_new_file_is_made_from_nothing() {
    let mut tree = menus::tree();
    tree.add("/ip/pool", &[("name", "a"), ("ranges", "10.0.0.1,10.0.0.9")]).unwrap();
    let network = [("address", "10.0.0.0/24"), ("netmask", "24"), ("dns-none", "yes")];
    tree.add("/ip/dhcp-server/network", &network).unwrap();
    let config = Command::new("/ip/dhcp-server/config", "set").with("accounting", "no");
    run(&mut tree, &config);
    let text = Document::new(menus::menus()).update(&tree).unwrap();
    let opened = open(&text);
    assert_eq!(opened.problems, []);
    assert_eq!(opened.tree.ids(), tree.ids());
    assert!(text.contains("ranges = [\"10.0.0.1\", \"10.0.0.9\"]"), "{text}");
    assert!(text.contains("netmask = 24\n") && text.contains("dns-none = true\n"), "{text}");
    assert!(text.contains("[dhcp-server-config]\naccounting = false\n"), "{text}");
}

#[test]
fn a_change_that_has_no_place_in_the_file_is_refused() {
    let Opened { mut tree, mut document, problems } = open("pool = 1\n");
    assert_eq!(problems.len(), 1);
    tree.add("/ip/pool", &[("name", "a"), ("ranges", "10.0.0.1")]).unwrap();
    let refused = document.update(&tree).unwrap_err();
    assert_eq!(refused.to_string(), "pool in the file is no table of rows: mend the file first");
}

#[test]
fn one_of_ten_thousand_static_leases_changes_one_line() {
    let mut text = String::new();
    for n in 0..10_000_u32 {
        let (high, low) = (n / 256, n % 256);
        text.push_str(&format!(
            "# customer {n}\n[[dhcp-server-lease]]\naddress = \"10.1.{high}.{low}\"\n\
             mac-address = \"02:00:00:00:{high:02X}:{low:02X}\"\n\n"
        ));
    }
    let Opened { mut tree, mut document, problems } = open(&text);
    assert_eq!(problems, []);
    let set = Command::new("/ip/dhcp-server/lease", "set").target("7777").with("comment", "late");
    run(&mut tree, &set);
    let written = document.update(&tree).unwrap();
    let added: Vec<&str> = written.lines().filter(|line| line.starts_with("comment")).collect();
    assert_eq!(added, ["comment = \"late\""]);
    assert_eq!(written.replace("comment = \"late\"\n", ""), text);
}
