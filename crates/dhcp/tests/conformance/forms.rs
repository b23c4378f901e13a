//! OPT and EXT: values as administrators write them, from the menus to the octets of the reply.

use leasehold_dhcp::config::{self, Compiled, Host, Networks};
use leasehold_dhcp::{Config, menus};
use leasehold_routeros::{Fault, Trap, Tree};

use crate::world::{Packet, World};

const OPTION: &str = "/ip/dhcp-server/option";

/// The options with these codes and values, for all clients of the network on [`LAN`].
fn networks(options: &[(u8, &str)]) -> Networks {
    let mut tree: Tree = menus::tree();
    let mut names = Vec::new();
    for (at, (code, value)) in options.iter().enumerate() {
        let (name, code) = (format!("o{at}"), code.to_string());
        let row = [("name", &*name), ("code", &code), ("value", value)];
        tree.add(OPTION, &row).unwrap_or_else(|trap| panic!("{code} {value}: {trap}"));
        names.push(name);
    }
    let network = [("address", "172.29.0.0/24"), ("dhcp-option", &*names.join(","))];
    tree.add("/ip/dhcp-server/network", &network).expect("a legal network");
    let Compiled { config, flaws } = Config::compile(&tree, Host::default());
    assert!(flaws.is_empty(), "{flaws:?}");
    config.networks
}

/// The reply to a client that asks for an option.
fn told(options: &[(u8, &str)], client: Packet, code: u8) -> Option<Vec<u8>> {
    let config = Config { networks: networks(options), ..crate::world::config() };
    let client = client.asking_for(&[code]).option(57, &1500_u16.to_be_bytes());
    World::with(config).ask(&client.discover()).option(code)
}

fn octets(hex: &str) -> Vec<u8> {
    let hex: Vec<char> = hex.chars().filter(|digit| *digit != ' ').collect();
    let digits = |pair: &[char]| u8::from_str_radix(&pair.iter().collect::<String>(), 16);
    let octet = |pair: &[char]| digits(pair).expect("two digits");
    hex.chunks(2).map(octet).collect()
}

/// Each code with a value in its own form and the octets that it stands for on the wire.
const STANDARD: &[(u8, &str, &str)] = &[
    (1, "255.255.255.0", "ffffff00"),
    (2, "-5h", "ffffb9b0"),
    (3, "10.0.0.1,10.0.0.2", "0a000001 0a000002"),
    (4, "10.0.0.1", "0a000001"),
    (5, "10.0.0.1,10.0.0.3", "0a000001 0a000003"),
    (6, "8.8.8.8,8.8.4.4", "08080808 08080404"),
    (7, "10.0.0.1", "0a000001"),
    (8, "10.0.0.1", "0a000001"),
    (9, "10.0.0.1", "0a000001"),
    (10, "10.0.0.1", "0a000001"),
    (11, "10.0.0.1", "0a000001"),
    (12, "host", "686f7374"),
    (13, "2048", "0800"),
    (14, "/core", "2f636f7265"),
    (15, "example.net", "6578616d706c652e6e6574"),
    (16, "10.0.0.9", "0a000009"),
    (17, "/root", "2f726f6f74"),
    (18, "/ext", "2f657874"),
    (19, "yes", "01"),
    (20, "no", "00"),
    (21, "10.0.0.0/8,192.168.0.0/16", "0a000000 ff000000 c0a80000 ffff0000"),
    (22, "576", "0240"),
    (23, "64", "40"),
    (24, "10m", "00000258"),
    (25, "68,296,1500", "0044 0128 05dc"),
    (26, "1400", "0578"),
    (27, "yes", "01"),
    (28, "172.29.0.255", "ac1d00ff"),
    (29, "no", "00"),
    (30, "no", "00"),
    (31, "yes", "01"),
    (32, "10.0.0.1", "0a000001"),
    (33, "10.0.0.7 via 10.0.0.1", "0a000007 0a000001"),
    (34, "no", "00"),
    (35, "1m", "0000003c"),
    (36, "no", "00"),
    (37, "64", "40"),
    (38, "2h", "00001c20"),
    (39, "yes", "01"),
    (40, "nis", "6e6973"),
    (41, "10.0.0.1", "0a000001"),
    (42, "10.0.0.1,10.0.0.2", "0a000001 0a000002"),
    (43, "1:'10.0.0.1',2:s'10'", "0104 0a000001 0202 3130"),
    (44, "10.0.0.1", "0a000001"),
    (45, "10.0.0.1", "0a000001"),
    (46, "8", "08"),
    (47, "scope", "73636f7065"),
    (48, "10.0.0.1", "0a000001"),
    (49, "10.0.0.1", "0a000001"),
    (56, "s'hello'", "68656c6c6f"),
    (60, "PXEClient", "505845436c69656e74"),
    (62, "nw.example", "6e772e6578616d706c65"),
    (63, "0x0501", "0501"),
    (64, "nisplus", "6e6973706c7573"),
    (65, "10.0.0.1", "0a000001"),
    (66, "tftp.example.net", "746674702e6578616d706c652e6e6574"),
    (67, "pxelinux.0", "7078656c696e75782e30"),
    (68, "10.0.0.1", "0a000001"),
    (69, "10.0.0.1", "0a000001"),
    (70, "10.0.0.1", "0a000001"),
    (71, "10.0.0.1", "0a000001"),
    (72, "10.0.0.1", "0a000001"),
    (73, "10.0.0.1", "0a000001"),
    (74, "10.0.0.1", "0a000001"),
    (75, "10.0.0.1", "0a000001"),
    (76, "10.0.0.1,10.0.0.2", "0a000001 0a000002"),
    (78, "0x01'10.0.0.1'", "01 0a000001"),
    (79, "0x00s'DEFAULT'", "00 44454641554c54"),
    (85, "'10.0.0.1'", "0a000001"),
    (86, "s'tree'", "74726565"),
    (87, "s'ctx'", "637478"),
    (88, "bcmcs.example", "05 62636d6373 07 6578616d706c65 00"),
    (89, "10.0.0.1", "0a000001"),
    (98, "s'http://a'", "687474703a2f2f61"),
    (100, "EST5EDT", "45535435454454"),
    (101, "Europe/Riga", "4575726f70652f52696761"),
    (108, "30m", "00000708"),
    (112, "'10.0.0.1'", "0a000001"),
    (113, "s'tag'", "746167"),
    (114, "https://a.example/", "68747470733a2f2f612e6578616d706c652f"),
    (116, "no", "00"),
    (117, "0x00060029", "0006 0029"),
    (119, "a.net,b.a.net", "01 61 03 6e6574 00 01 62 01 61 03 6e6574 00"),
    (120, "0x01'10.0.0.1'", "01 0a000001"),
    (121, "10.0.0.0/8 via 67.9.97.1,0.0.0.0/0 via 67.9.97.2", "08 0a 43096101 00 43096102"),
    (122, "0x0104'10.0.0.1'", "0104 0a000001"),
    (125, "4491(2:'10.0.0.1')", "0000118b 06 0204 0a000001"),
    (136, "'10.0.0.1'", "0a000001"),
    (137, "0x04s'lost'0x00", "04 6c6f7374 00"),
    (138, "10.0.0.1", "0a000001"),
    (150, "10.0.0.1,10.0.0.2", "0a000001 0a000002"),
    (208, "0xf100747e", "f100747e"),
    (209, "pxe.cfg", "7078652e636667"),
    (210, "/pxe/", "2f7078652f"),
    (211, "30s", "0000001e"),
    (249, "10.1.2.0/25 via 10.0.0.1", "19 0a010200 0a000001"),
];

#[test]
fn opt_22_standard_options_octet_by_octet() {
    assert!(STANDARD.len() >= 91, "{}", STANDARD.len());
    for &(code, value, hex) in STANDARD {
        let reply = told(&[(code, value)], Packet::client(1), code);
        assert_eq!(reply, Some(octets(hex)), "{code} {value}");
    }
}

/// The refusal of a value.
fn refused(code: u8, value: &str) -> String {
    let (mut tree, code) = (menus::tree(), code.to_string());
    let trap = tree.add(OPTION, &[("name", "o"), ("code", &code), ("value", value)]);
    let trap = trap.expect_err("an illegal value");
    assert!(matches!(trap, Trap::Value { .. }));
    trap.to_string()
}

#[test]
fn opt_21_static_routes_lead_to_hosts_and_never_to_the_default() {
    let rule = "value of this code must be routes to hosts: 10.0.0.7 via 10.1.0.1";
    for value in ["0.0.0.0 via 10.0.0.1", "0.0.0.0/0 via 10.0.0.1", "10.0.0.0/8 via 10.0.0.1"] {
        assert_eq!(refused(33, value), rule);
    }
    let routes = "10.1.0.7 via 10.0.0.1,10.2.0.7 via 10.0.0.2";
    let expected = octets("0a010007 0a000001 0a020007 0a000002");
    assert_eq!(told(&[(33, routes)], Packet::client(1), 33), Some(expected));
}

#[test]
fn a_value_that_its_code_cannot_have_is_refused() {
    for (code, value) in [
        (121, "10.0.0.0/8"),
        (121, "10.0.0.0/33 via 10.0.0.1"),
        (6, "10.0.0.1,dns.example"),
        (6, "10.0.0.1 10.0.0.2"),
        (26, "70000"),
        (23, "-1"),
        (19, "1"),
        (119, "exa mple"),
        (119, "a..b"),
        (58, "soon"),
        (43, "1:"),
        (43, "1:'x' 2:'y'"),
        (43, "300:'x'"),
        (43, "1:$(HOSTNAME)"),
        (125, "4491:'x'"),
        (125, "4491(1:'x'"),
    ] {
        assert!(refused(code, value).starts_with("value of this code must be "), "{code} {value}");
    }
    assert_eq!(refused(224, "plain"), Fault::Invalid.message("value"));
}

#[test]
fn opt_20_routes_as_they_are_written() {
    let prefixes = ["0.0.0.0/0", "10.0.0.128/25", "10.9.9.9/32"].map(str::to_owned);
    let prefixes = prefixes.into_iter().chain((0..40).map(|net| format!("10.1.{net}.0/24")));
    let routes: Vec<String> = prefixes.map(|net| format!("{net} via 172.29.0.1")).collect();
    let reply = told(&[(121, &routes.join(", "))], Packet::client(1), 121).unwrap();
    assert_eq!(reply.len(), 5 + 9 + 9 + 40 * 8);
    assert_eq!(reply[..14], octets("00 ac1d0001 19 0a000080 ac1d0001"));
}

#[test]
fn ext_21_a_search_list_as_it_is_written() {
    let domains: Vec<String> = (0..24).map(|at| format!("department-{at}.example.net")).collect();
    let reply = told(&[(119, &domains.join(","))], Packet::client(1), 119).unwrap();
    assert!(reply.len() > 512);
    let mut expected = Vec::new();
    for domain in &domains {
        for label in domain.split('.') {
            expected.push(label.len() as u8);
            expected.extend(label.bytes());
        }
        expected.push(0);
    }
    assert_eq!(reply, expected);
}

#[test]
fn ext_03_sub_options_of_option_43() {
    let value = "1:'10.0.0.1',241:s'a,b',6:'8',7:0x01s'x'0x00";
    let expected = octets("01040a000001 f103612c62 060108 0703017800");
    assert_eq!(told(&[(43, value)], Packet::client(1), 43), Some(expected));
    assert_eq!(told(&[(43, value)], Packet::client(1), 1).unwrap(), [255, 255, 255, 0]);
}

#[test]
fn ext_05_each_enterprise_is_told_what_is_its_own() {
    let options = [(125, "4491(2:s'cable'),3561(1:s'acs')"), (125, "9(1:'10.0.0.9'),4491(2:'x')")];
    let cable = octets("0000118b 07 0205 6361626c65");
    let acs = octets("00000de9 05 0103 616373");
    let voice = octets("00000009 06 0104 0a000009");
    let asking =
        |classes: &str| told(&options, Packet::client(1).option(124, &octets(classes)), 125);
    assert_eq!(asking("0000118b 0403 646f63"), Some(cable.clone()));
    assert_eq!(asking("0000118b 00 00000009 0100"), Some([cable.clone(), voice.clone()].concat()));
    assert_eq!(asking("00000007 00"), None, "another's");
    // Option 125 of the client names enterprises too; who names none is told everything.
    let client = Packet::client(1).option(125, &octets("00000de9 00"));
    assert_eq!(told(&options, client, 125), Some(acs.clone()));
    assert_eq!(told(&options, Packet::client(1), 125), Some([cable, acs, voice].concat()));
}

#[test]
fn ext_05_a_matcher_by_enterprise() {
    let fits = |value: &[u8], code: u8, sent: &str| {
        let matcher = config::Matcher {
            name: "m".into(),
            server: None,
            code,
            value: value.into(),
            substring: false,
            address_pool: Some(config::AddressPool::StaticOnly),
            options: config::OptionSet::default(),
            lease_time: None,
        };
        let config = Config { matchers: vec![matcher], ..crate::world::config() };
        let packet = Packet::client(1).option(code, &octets(sent));
        World::with(config).send(&packet.discover()).is_empty()
    };
    let two = "00000009 0403 646f63 0000118b 0403 636d31";
    assert!(fits(&octets("0000118b"), 124, two));
    assert!(fits(b"doc", 124, two) && fits(b"cm1", 124, two));
    assert!(!fits(&octets("0000118c"), 124, two) && !fits(b"cm", 124, two));
    assert!(fits(b"doc", 125, "00000009 05 0103 646f63"));
    assert!(!fits(b"doc", 125, "00000009 06 0103 646f63"), "what is cut off does not count");
}

#[test]
fn ext_24_options_of_the_field_in_all_their_forms() {
    for (code, value, expected) in [
        (252, "http://wpad.example/wpad.dat", &b"http://wpad.example/wpad.dat"[..]),
        (252, "s'http://wpad.example/wpad.dat'0x0a", b"http://wpad.example/wpad.dat\n"),
        (150, "10.0.0.1,10.0.0.2", &[10, 0, 0, 1, 10, 0, 0, 2]),
        (150, "'10.0.0.1''10.0.0.2'", &[10, 0, 0, 1, 10, 0, 0, 2]),
        (150, "0x0a000001", &[10, 0, 0, 1]),
        (160, "http://10.0.0.1/polycom", b"http://10.0.0.1/polycom"),
        (160, "s'10.0.0.1'", b"10.0.0.1"),
        (176, "MCIPADD=10.0.0.1,MCPORT=1719", b"MCIPADD=10.0.0.1,MCPORT=1719"),
        (242, "s'HTTPSRVR=10.0.0.1,L2QVLAN=0'", b"HTTPSRVR=10.0.0.1,L2QVLAN=0"),
    ] {
        let reply = told(&[(code, value)], Packet::client(1), code);
        assert_eq!(reply.as_deref(), Some(expected), "{code} {value}");
    }
}
