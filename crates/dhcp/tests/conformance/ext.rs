//! EXT: extensions and odd options.

use leasehold_dhcp::Event;
use leasehold_dhcp::config::{
    AddressPool, FixedLease, FixedLeases, Matcher, OptionEntry, OptionSet, PoolIndex, Value,
};
use leasehold_dhcp::event::Silence;

use crate::world::*;

fn entry(code: u8, value: &[u8]) -> OptionEntry {
    OptionEntry { code, force: false, value: Value::Bytes(value.into()) }
}

fn matcher(code: u8, value: &[u8], entries: Vec<OptionEntry>) -> Matcher {
    Matcher {
        name: "m".into(),
        server: None,
        code,
        value: value.into(),
        substring: false,
        address_pool: None,
        options: OptionSet::new(entries),
        lease_time: None,
    }
}

/// The first server has these options.
fn with(entries: Vec<OptionEntry>) -> World {
    let mut config = config();
    config.servers[0].options = OptionSet::new(entries);
    World::with(config)
}

#[test]
fn ext_01_the_options_of_a_class() {
    let mut config = config();
    config.matchers = vec![matcher(60, b"acceptance-class", vec![entry(150, b"class")])];
    let mut world = World::with(config);
    let client = Packet::client(1).option(60, b"acceptance-class").asking_for(&[150]);
    let offer = world.ask(&client.clone().discover());
    let ack = world.ask(&client.selecting(&offer));
    for reply in [offer, ack] {
        assert_eq!(reply.option(150), Some(b"class".to_vec()));
    }
}

#[test]
fn ext_02_a_boot_file_by_architecture() {
    let mut config = config();
    config.networks = boot_network();
    config.matchers = vec![
        matcher(77, b"iPXE", vec![entry(67, b"menu.ipxe")]),
        matcher(93, &[0, 7], vec![entry(67, b"ipxe.efi")]),
    ];
    let mut world = World::with(config);
    let uuid = [&[0][..], &[7; 16]].concat();
    let rom = |number: u32, arch: u8| {
        let class = format!("PXEClient:Arch:{arch:05}:UNDI:003016");
        let packet = Packet::client(number).option(60, class.as_bytes()).option(93, &[0, arch]);
        packet.option(97, &uuid).asking_for(&[1, 3, 66, 67])
    };
    let efi = world.ask(&rom(1, 7).discover());
    assert_eq!((efi.file(), efi.option(67)), (&b"ipxe.efi"[..], Some(b"ipxe.efi".to_vec())));
    assert_eq!((efi.option(97), efi.siaddr()), (Some(uuid.clone()), lan(5)));
    let bios = world.ask(&rom(2, 0).discover());
    assert_eq!(bios.file(), b"pxelinux.0");
    let ipxe = world.ask(&rom(1, 7).option(77, b"iPXE").discover());
    assert_eq!(ipxe.file(), b"menu.ipxe");
}

#[test]
fn ext_03_vendor_specific_information() {
    let encapsulated = [6, 1, 8, 255];
    let mut world = with(vec![entry(43, &encapsulated)]);
    assert!(!world.ask(&Packet::client(1).asking_for(&[1]).discover()).has(43));
    let offer = world.ask(&Packet::client(2).asking_for(&[43]).discover());
    assert_eq!(offer.option(43), Some(encapsulated.to_vec()));
}

#[test]
fn ext_04_a_user_class_as_a_list_and_as_a_string() {
    let mut config = config();
    config.matchers = vec![matcher(77, b"iPXE", vec![entry(150, b"x")])];
    let mut world = World::with(config);
    let mut fits = |number, class: &[u8]| {
        let packet = Packet::client(number).option(77, class).asking_for(&[150]);
        world.ask(&packet.discover()).has(150)
    };
    assert!(fits(1, b"iPXE"));
    assert!(fits(2, b"\x04iPXE"));
    assert!(fits(3, b"\x03one\x04iPXE\x03two"));
    assert!(!fits(4, b"\x05iPXE2"));
    assert!(!fits(5, b"\x04iPX"));
}

#[test]
fn ext_06_malformed_options_are_ignored() {
    let mut world = World::new();
    let mut number = 0;
    for code in [77, 81, 119, 124, 125, 43, 60, 12, 93, 97, 116, 118] {
        for value in [&[][..], &[0], &[255], &[255; 3], &[0xc0, 0], &[9; 255]] {
            number += 1;
            let offer = world.ask(&Packet::client(number).option(code, value).discover());
            assert_eq!(offer.kind(), Some(2), "{code} {value:?}");
            world.silent(&Packet::client(number).selecting_of(lan(99), offer.yiaddr()));
        }
    }
}

#[test]
fn ext_07_the_clients_fqdn_in_its_own_encoding() {
    const N: u8 = 8;
    let mut world = World::new();
    // Flags that are sent, with bits that mean nothing and RCODEs that are none; what comes back.
    let flags = [(0, N), (1, N | 2), (4, N | 4), (5, N | 2 | 4), (8, N), (0xf4, N | 4)];
    for (number, (sent, expected)) in (1..).zip(flags) {
        let name = match sent & 4 {
            0 => &b"Pc.office.example.org"[..],
            _ => b"\x02Pc\x06office\x07example\x03org\0",
        };
        let value = [&[sent, 3, 7], name].concat();
        let client = Packet::client(number).option(81, &value);
        let offer = world.ask(&client.clone().discover());
        let ack = world.ask(&client.clone().selecting(&offer));
        let renewed = world.ask(&client.renew(ack.yiaddr()));
        let expected = Some([&[expected, 255, 255], name].concat());
        for reply in [offer, ack, renewed] {
            assert_eq!(reply.option(81), expected, "{sent}");
        }
    }
    assert!(!world.ask(&Packet::client(99).asking_for(&[1, 81]).discover()).has(81));
    assert!(!world.ask(&Packet::client(98).option(81, &[4, 0, 0, 9]).discover()).has(81));
}

#[test]
fn ext_08_the_fqdn_counts_before_the_host_name() {
    let mut world = World::new();
    let client = Packet::client(1).option(12, b"other").option(81, b"\0\0\0pc.example.org");
    world.lease(&client);
    assert!(world.log().last().unwrap().ends_with(" pc"), "{:?}", world.log());
    // One that says nothing leaves the other its say, and is completed with it.
    let client = Packet::client(2).option(12, b"other").option(81, &[4, 0, 0]);
    let offer = world.ask(&client.clone().discover());
    assert_eq!(offer.option(81), Some(b"\x0c\xff\xff\x05other\x07example\x03net\0".to_vec()));
    world.lease(&client);
    assert!(world.log().last().unwrap().ends_with(" other"), "{:?}", world.log());
}

#[test]
fn ext_09_a_partial_name_is_completed() {
    let mut config = config();
    config.servers[1].domain_suffix = "lan".into();
    let mut world = World::with(config);
    let mut answered = |packet: Packet| world.ask(&packet.discover()).option(81).unwrap();
    // By the network's domain; by the server's suffix where the network has none.
    let client = Packet::client(1).option(81, b"\0\0\0pc");
    assert_eq!(answered(client.clone())[3..], *b"pc.example.net");
    assert_eq!(answered(Packet { interface: LAN2, ..client })[3..], *b"pc.lan");
    let client = Packet::client(2).option(81, b"\x04\0\0\x02pc");
    assert_eq!(answered(client)[3..], *b"\x02pc\x07example\x03net\0");
}

#[test]
fn ext_10_a_hostile_host_name_is_cleaned() {
    let names: [(&[u8], &str); 5] = [
        (b"a\0\nb", "ab"),
        (b"x;$(reboot)", "xreboot"),
        ("K\u{fc}che".as_bytes(), "K\u{fc}che"),
        (b"%n%s", "ns"),
        (&[b'a'; 255], &"a".repeat(253)),
    ];
    let mut world = World::new();
    for (number, (raw, clean)) in (1..).zip(names) {
        world.lease(&Packet::client(number).option(12, raw));
        assert!(world.log().last().unwrap().ends_with(&format!(" {clean}")), "{:?}", world.log());
    }
}

#[test]
fn ext_11_a_name_that_cleans_to_nothing() {
    let mut world = World::new();
    for (number, raw) in (1..).zip([&b"..."[..], b"\0", b"", b"--", b"\xff\xfe"]) {
        world.lease(&Packet::client(number).option(12, raw));
        assert!(world.log().last().unwrap().ends_with(&mac(number).to_string()));
    }
}

#[test]
fn ext_12_rapid_commit() {
    let mut config = config();
    config.servers[0].rapid_commit = true;
    let mut world = World::with(config);
    let ack = world.ask(&Packet::client(1).option(80, &[]).discover());
    assert_eq!((ack.kind(), ack.option(80), ack.number(51)), (Some(5), Some(vec![]), Some(120)));
    assert_eq!((world.disk.len(), world.count("assigned")), (1, 1));
    // Who does not ask for it gets an offer.
    assert_eq!(world.ask(&Packet::client(2).discover()).kind(), Some(2));
}

#[test]
fn ext_13_rapid_commit_where_it_means_nothing() {
    let mut world = World::new();
    let offer = world.ask(&Packet::client(1).option(80, &[]).discover());
    assert_eq!((offer.kind(), offer.has(80)), (Some(2), false));
    let mut config = config();
    config.servers[0].rapid_commit = true;
    let mut world = World::with(config);
    let offer = world.ask(&Packet::client(1).option(80, &[1]).discover());
    assert_eq!(offer.kind(), Some(2));
    let ack = world.ask(&Packet::client(1).option(80, &[]).selecting(&offer));
    assert_eq!((ack.kind(), ack.has(80)), (Some(5), false));
}

#[test]
fn ext_16_ipv6_only_preferred_only_where_it_is_asked_for_and_configured() {
    let mut config = config();
    config.servers[0].ipv6_only_preferred = Some(1800);
    let mut world = World::with(config);
    assert!(!world.ask(&Packet::client(1).asking_for(&[1]).discover()).has(108));
    let other = Packet { interface: LAN2, ..Packet::client(2).asking_for(&[108]) };
    assert!(!world.ask(&other.discover()).has(108));
}

#[test]
fn ext_14_15_ipv6_only_preferred_takes_no_address() {
    let mut config = config();
    config.servers[0].ipv6_only_preferred = Some(1800);
    config.servers[0].rapid_commit = true;
    let mut world = World::with(config);
    let client = Packet::client(1).asking_for(&[1, 108]).option(80, &[]);
    let offer = world.ask(&client.discover());
    assert_eq!((offer.kind(), offer.yiaddr(), offer.number(108)), (Some(2), NOBODY, Some(1800)));
    assert_eq!((world.usage().0, world.disk.len()), (0, 0));
    // A client that has a lease keeps it.
    let held = world.lease(&Packet::client(2));
    let ack = world.ask(&Packet::client(2).asking_for(&[108]).renew(held));
    assert_eq!((ack.kind(), ack.number(108)), (Some(5), Some(1800)));
}

#[test]
fn ext_17_the_captive_portal() {
    let uri = b"https://portal.example.net/api";
    let offer = with(vec![entry(114, uri)]).ask(&Packet::client(1).asking_for(&[114]).discover());
    assert_eq!(offer.option(114), Some(uri.to_vec()));
}

#[test]
fn ext_18_auto_configuration_is_forbidden_to_whom_nothing_is_given() {
    let mut config = small_pool(1);
    config.servers[0].auto_configure = false;
    let mut world = World::with(config.clone());
    let asking = |number| Packet::client(number).option(116, &[1]);
    // Who gets an address is told nothing of it.
    let offer = world.ask(&asking(1).asking_for(&[1, 116]).discover());
    assert_eq!((offer.kind(), offer.yiaddr(), offer.has(116)), (Some(2), lan(200), false));
    let offer = world.ask(&asking(2).discover());
    assert_eq!((offer.kind(), offer.yiaddr(), offer.option(116)), (Some(2), NOBODY, Some(vec![0])));
    assert!(offer.is_broadcast() && matches!(world.events.last(), Some(Event::PoolEmpty { .. })));
    assert_eq!(world.disk.len(), 0);
    // It is for those who ask, and where the administrator forbids it.
    world.silent(&Packet::client(3).discover());
    world.silent(&Packet::client(4).option(116, &[1, 1]).discover());
    config.servers[0].auto_configure = true;
    let mut world = World::with(config.clone());
    world.ask(&asking(1).discover());
    world.silent(&asking(2).discover());
    // For single clients too.
    config.servers[0].auto_configure = false;
    config.leases = FixedLeases::new(vec![FixedLease { block_access: true, ..fixed(5, NOBODY) }]);
    let offer = World::with(config).ask(&asking(5).discover());
    assert_eq!((offer.yiaddr(), offer.option(116)), (NOBODY, Some(vec![0])));
}

#[test]
fn ext_18_with_ipv6_only_preferred() {
    let mut config = config();
    config.servers[0].ipv6_only_preferred = Some(1800);
    config.servers[0].auto_configure = false;
    let client = Packet::client(1).asking_for(&[1, 108]);
    let mut world = World::with(config);
    let offer = world.ask(&client.clone().option(116, &[1]).discover());
    assert_eq!((offer.number(108), offer.option(116)), (Some(1800), Some(vec![0])));
    assert!(!world.ask(&client.discover()).has(116));
}

#[test]
fn ext_19_subnet_selection() {
    let selecting = |number: u32, subnet: [u8; 4]| Packet::client(number).option(118, &subnet);
    let mut world = World::new();
    let offer = world.ask(&selecting(1, [172, 29, 1, 0]).discover());
    assert_eq!((offer.yiaddr(), offer.has(118)), (lan(200), false), "off by default");
    let mut config = config();
    config.settings.subnet_selection = true;
    let mut world = World::with(config);
    let offer = world.ask(&selecting(1, [172, 29, 1, 0]).discover());
    assert_eq!(offer.yiaddr(), std::net::Ipv4Addr::new(172, 29, 1, 200));
    assert_eq!(offer.option(118), Some(vec![172, 29, 1, 0]));
    let ack = world.ask(&selecting(1, [172, 29, 1, 0]).selecting(&offer));
    assert_eq!((ack.kind(), ack.option(118)), (Some(5), Some(vec![172, 29, 1, 0])));
    let event = world.silent(&selecting(2, [10, 9, 9, 0]).discover());
    assert!(matches!(event, Event::Silent { reason: Silence::NoNetwork, .. }), "{event}");
}

#[test]
fn ext_20_link_selection_before_subnet_selection() {
    let mut config = config();
    config.settings.subnet_selection = true;
    config.pools.push(pool("far2", [172, 29, 3, 100].into(), [172, 29, 3, 200].into()));
    config.pools[2].next = Some(PoolIndex(3));
    config.servers[2].address_pool = AddressPool::Pool(PoolIndex(2));
    config.networks = config.networks.iter().cloned().chain([network("172.29.3.0/24")]).collect();
    let mut world = World::with(config);
    let packet = Packet::client(1).relayed().option(118, &[172, 29, 2, 0]);
    let offer = world.ask(&packet.option(82, &[5, 4, 172, 29, 3, 1]).discover());
    assert_eq!(offer.yiaddr(), std::net::Ipv4Addr::new(172, 29, 3, 200));
}

#[test]
fn ext_21_long_search_lists_are_split_at_any_octet() {
    let list: Vec<u8> = (0..400_u16).map(|at| at as u8).collect();
    let packet = Packet::client(1).asking_for(&[119]).option(57, &1500_u16.to_be_bytes());
    let offer = with(vec![entry(119, &list)]).ask(&packet.discover());
    assert_eq!(offer.option(119), Some(list));
}

#[test]
fn ext_13_no_configuration_puts_rapid_commit_where_it_means_nothing() {
    let entry = OptionEntry { force: true, ..entry(80, &[]) };
    let mut world = with(vec![entry]);
    let client = Packet::client(1).option(80, &[]).asking_for(&[1, 80]);
    let offer = world.ask(&client.clone().discover());
    let ack = world.ask(&client.selecting(&offer));
    assert!(!offer.has(80) && !ack.has(80));
}
