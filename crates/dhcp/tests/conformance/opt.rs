//! OPT: how replies are made.

use leasehold_dhcp::Config;
use leasehold_dhcp::config::{FixedLease, Matcher, Network, OptionEntry, OptionSet, Piece, Value};

use crate::world::*;

fn entry(code: u8, value: &[u8]) -> OptionEntry {
    OptionEntry { code, force: false, value: Value::Bytes(value.into()) }
}

fn set(entries: Vec<OptionEntry>) -> OptionSet {
    OptionSet::new(entries)
}

/// The first server has these options.
fn with(entries: Vec<OptionEntry>) -> Config {
    let mut config = config();
    config.servers[0].options = set(entries);
    config
}

fn offer(config: Config, packet: Packet) -> Reply {
    World::with(config).ask(&packet.discover())
}

fn asking(list: &[u8]) -> Packet {
    Packet::client(1).asking_for(list)
}

/// What stands behind the options that every offer has.
fn parameters(reply: &Reply) -> Vec<u8> {
    reply.codes().into_iter().filter(|code| ![53, 54, 51, 58, 59].contains(code)).collect()
}

#[test]
fn opt_01_the_message_type_comes_first() {
    let reply = offer(config(), asking(&[6, 1]));
    assert_eq!((reply.bytes[240], reply.codes()[0]), (53, 53));
}

#[test]
fn opt_02_the_order_of_the_request_list() {
    assert_eq!(parameters(&offer(config(), asking(&[15, 6, 28, 3]))), [15, 6, 28, 3]);
    assert_eq!(parameters(&offer(config(), asking(&[6, 3, 15]))), [6, 3, 15]);
}

#[test]
fn opt_03_the_mask_before_the_router() {
    assert_eq!(parameters(&offer(config(), asking(&[3, 6, 1]))), [1, 3, 6]);
}

#[test]
fn opt_04_no_request_list() {
    let forced = OptionEntry { force: true, ..entry(150, b"x") };
    let reply = offer(with(vec![forced, entry(151, b"y")]), Packet::client(1));
    assert_eq!(reply.codes(), [53, 54, 51, 58, 59, 1, 3, 6, 150]);
}

#[test]
fn opt_05_what_every_lease_needs_is_there_unasked() {
    let reply = offer(config(), asking(&[6]));
    for code in [51, 54, 58, 59] {
        assert!(reply.has(code), "{code}");
    }
}

#[test]
fn opt_06_a_strange_request_list() {
    let list = [0, 255, 6, 6, 222, 1, 53, 54, 51, 82, 52, 61, 6];
    let reply = offer(config(), asking(&list));
    assert_eq!(reply.codes(), [53, 54, 51, 58, 59, 6, 1]);
}

#[test]
fn opt_07_an_empty_request_list_is_none() {
    assert_eq!(parameters(&offer(config(), asking(&[]))), [1, 3, 6]);
}

#[test]
fn opt_08_a_long_value_is_split() {
    let value: Vec<u8> = (0..320_u32).map(|at| at as u8).collect();
    let packet = asking(&[224, 3]).option(57, &1500_u16.to_be_bytes());
    let reply = offer(with(vec![entry(224, &value)]), packet);
    let pieces = reply.pieces();
    let at = pieces.iter().position(|(code, _)| *code == 224).unwrap();
    assert_eq!((pieces[at].1.len(), pieces[at + 1].1.len()), (255, 65));
    assert_eq!(reply.option(224), Some(value));
}

#[test]
fn opt_09_a_request_list_in_two_pieces() {
    let packet = Packet::client(1).asking_for(&[3]).asking_for(&[15, 6]);
    assert_eq!(parameters(&offer(config(), packet)), [3, 15, 6]);
}

#[test]
fn opt_10_pieces_with_another_option_between() {
    let packet = asking(&[3]).option(12, b"name").asking_for(&[6]);
    assert_eq!(parameters(&offer(config(), packet)), [3, 6]);
}

#[test]
fn opt_11_options_in_file_and_sname() {
    for (overload, expected) in [(1, vec![3, 6]), (2, vec![3, 15]), (3, vec![3, 6, 15])] {
        let mut packet = asking(&[3]).option(52, &[overload]);
        packet.file[..4].copy_from_slice(&[55, 1, 6, 255]);
        packet.sname[..4].copy_from_slice(&[55, 1, 15, 255]);
        assert_eq!(parameters(&offer(config(), packet)), expected);
    }
}

#[test]
fn opt_12_an_overload_that_is_none() {
    for overload in [&[9][..], &[0], &[1, 1], &[]] {
        let mut packet = asking(&[3]).option(52, overload);
        packet.file[..4].copy_from_slice(&[55, 1, 6, 255]);
        assert_eq!(parameters(&offer(config(), packet)), [3]);
    }
    let mut packet = asking(&[3]).option(52, &[1]).option(52, &[1]);
    packet.file[..4].copy_from_slice(&[55, 1, 6, 255]);
    assert_eq!(parameters(&offer(config(), packet)), [3]);
}

/// Thirty options of forty octets.
fn crowded() -> Config {
    with((190..220).map(|code| entry(code, &[code; 40])).collect())
}

fn crowd() -> Packet {
    asking(&(190..220).collect::<Vec<u8>>())
}

#[test]
fn opt_13_what_does_not_fit_is_left_out_last_first() {
    let reply = offer(crowded(), crowd());
    assert!(reply.bytes.len() <= 548, "{}", reply.bytes.len());
    assert_eq!(reply.codes()[..6], [53, 54, 51, 58, 59, 52]);
    assert_eq!(reply.option(52), Some(vec![3]));
    // 548 - 240 - 31 - END leaves room for six, `file` for three, `sname` for one.
    assert_eq!(parameters(&reply), [&[52][..], &(190..196).collect::<Vec<u8>>()].concat());
    for (at, code) in [(108, 196), (150, 197), (192, 198), (44, 199)] {
        assert_eq!(reply.bytes[at..at + 3], [code, 40, code]);
    }
    assert_eq!((reply.bytes[234], reply.bytes[86]), (255, 255));
}

#[test]
fn opt_14_a_maximum_message_size_below_the_minimum() {
    let plain = offer(crowded(), crowd());
    for size in [0_u16, 1, 100, 235, 239, 240, 300, 575, 576] {
        let reply = offer(crowded(), crowd().option(57, &size.to_be_bytes()));
        assert_eq!(reply.bytes, plain.bytes, "{size}");
    }
}

#[test]
fn opt_15_a_larger_message_up_to_the_mtu() {
    for size in [1500_u16, 65_535] {
        let reply = offer(crowded(), crowd().option(57, &size.to_be_bytes()));
        assert_eq!(reply.codes().len(), 5 + 29, "one of thirty does not fit into 1472 octets");
        assert!(reply.bytes.len() <= 1472);
    }
}

#[test]
fn opt_16_no_maximum_message_size() {
    assert!(offer(crowded(), crowd()).bytes.len() <= 548);
}

#[test]
fn opt_17_no_reply_is_shorter_than_300_octets() {
    assert_eq!(offer(config(), asking(&[1])).bytes.len(), 300);
}

#[test]
fn opt_18_every_reply_ends_with_one_end() {
    for reply in [offer(config(), asking(&[1])), offer(crowded(), crowd())] {
        // `pieces` looks at what is behind END.
        assert!(!reply.pieces().is_empty());
    }
}

#[test]
fn opt_19_classless_routes_instead_of_routers() {
    let routes = || with(vec![entry(121, &[24, 10, 0, 0, 172, 29, 0, 1]), entry(33, &[1; 8])]);
    assert_eq!(parameters(&offer(routes(), asking(&[1, 121, 3, 33, 6]))), [1, 121, 6]);
    assert_eq!(parameters(&offer(routes(), asking(&[1, 3, 33, 6]))), [1, 3, 33, 6]);
    assert_eq!(parameters(&offer(config(), asking(&[1, 121, 3, 6]))), [1, 3, 6]);
}

#[test]
fn opt_20_long_classless_routes() {
    // /0, /25 and /32 in their packed forms, then as many /24 as it takes.
    let mut routes = vec![0, 172, 29, 0, 1, 25, 10, 0, 0, 128, 172, 29, 0, 1];
    routes.extend([32, 10, 9, 9, 9, 172, 29, 0, 1]);
    (0..40).for_each(|net| routes.extend([24, 10, 1, net, 172, 29, 0, 1]));
    let packet = asking(&[121]).option(57, &1500_u16.to_be_bytes());
    let reply = offer(with(vec![entry(121, &routes)]), packet);
    assert_eq!(reply.option(121), Some(routes));
    let read = reply.decoded();
    let code = dhcproto::v4::OptionCode::ClasslessStaticRoute;
    let Some(dhcproto::v4::DhcpOption::ClasslessStaticRoute(routes)) = read.opts().get(code) else {
        panic!("{:?}", read.opts().get(code));
    };
    let prefixes: Vec<_> = routes.iter().take(3).map(|(net, _)| net.to_string()).collect();
    assert_eq!(prefixes, ["0.0.0.0/0", "10.0.0.128/25", "10.9.9.9/32"]);
    assert_eq!(routes.len(), 43);
}

#[test]
fn opt_22_every_code_is_told_octet_by_octet() {
    let protocol = [50, 51, 52, 53, 54, 55, 57, 58, 59, 61, 80, 82, 118];
    let codes: Vec<u8> = (1..255).filter(|code| !protocol.contains(code)).collect();
    for code in codes {
        let value = [code, 0, 255, 7];
        let reply = offer(with(vec![entry(code, &value)]), asking(&[code]));
        assert_eq!(reply.option(code), Some(value.to_vec()), "{code}");
    }
    // The protocol's own options are not for configurations.
    for code in protocol {
        let reply = offer(with(vec![entry(code, &[1, 2, 3, 4])]), asking(&[code]));
        assert_ne!(reply.option(code), Some(vec![1, 2, 3, 4]), "{code}");
    }
}

#[test]
fn opt_23_the_nearest_level_wins() {
    let named = |name: &str| entry(150, name.as_bytes());
    let mut config = config();
    let mut network = Network::new("172.29.0.0/24".parse().unwrap());
    network.options = set(vec![named("network"), entry(151, b"network")]);
    config.networks = [network].into_iter().collect();
    config.servers[0].options = set(vec![named("server"), entry(152, b"server")]);
    config.matchers = vec![Matcher {
        name: "m".into(),
        server: None,
        code: 60,
        value: Box::from(*b"x"),
        substring: false,
        address_pool: None,
        options: set(vec![named("matcher")]),
        lease_time: None,
    }];
    config.leases = [FixedLease { options: set(vec![named("lease")]), ..fixed(1, lan(20)) }]
        .into_iter()
        .collect();
    let mut world = World::with(config);
    let mut told = |number: u32, class: &[u8]| {
        let packet = Packet::client(number).option(60, class).asking_for(&[150, 151, 152]);
        let reply = world.ask(&packet.discover());
        assert_eq!(reply.option(151), Some(b"network".to_vec()));
        assert_eq!(reply.option(152), Some(b"server".to_vec()));
        String::from_utf8(reply.option(150).unwrap()).unwrap()
    };
    assert_eq!(told(1, b"x"), "lease");
    assert_eq!(told(2, b"x"), "matcher");
    assert_eq!(told(3, b"y"), "server");
}

#[test]
fn opt_23_a_configured_option_wins_over_the_networks_own_property() {
    let reply = offer(with(vec![entry(6, &[1, 1, 1, 1])]), asking(&[6, 3]));
    assert_eq!(reply.option(6), Some(vec![1, 1, 1, 1]));
    assert_eq!(reply.address(3), Some(GATEWAY));
}

#[test]
fn opt_24_the_ack_says_what_the_offer_said() {
    let mut world = World::with(crowded());
    for packet in [asking(&[3, 1, 6, 15, 28]), crowd(), Packet::client(1)] {
        let offer = world.ask(&packet.clone().discover());
        let ack = world.ask(&packet.selecting(&offer));
        assert_eq!(ack.pieces()[1..], offer.pieces()[1..]);
        assert_eq!(ack.bytes[44..236], offer.bytes[44..236]);
    }
}

#[test]
fn opt_25_what_to_boot_and_from_where() {
    let mut config = config();
    config.networks = boot_network();
    let reply = offer(config.clone(), asking(&[66, 67]));
    assert_eq!((reply.siaddr(), reply.file()), (lan(5), &b"pxelinux.0"[..]));
    assert_eq!(reply.option(66), Some(b"172.29.0.5".to_vec()));
    assert_eq!(reply.option(67), Some(b"pxelinux.0".to_vec()));
    let reply = offer(self::config_without_boot(), asking(&[66, 67]));
    assert_eq!((reply.siaddr(), reply.file()), (NOBODY, &b""[..]));
    assert_eq!(parameters(&reply), [0; 0]);
    // An option 67 that is nearer is in the field too: no client reads another file than told.
    config.servers[0].options = set(vec![entry(67, b"ipxe.efi")]);
    let reply = offer(config, asking(&[67]));
    assert_eq!((reply.file(), reply.option(67)), (&b"ipxe.efi"[..], Some(b"ipxe.efi".to_vec())));
}

fn config_without_boot() -> Config {
    config()
}

#[test]
fn a_long_boot_file_is_in_the_option_alone() {
    let mut config = config();
    let long = "a".repeat(200);
    let mut network = network("172.29.0.0/24");
    network.boot_file_name = long.as_str().into();
    config.networks = [network].into_iter().collect();
    let reply = offer(config, asking(&[67]));
    assert_eq!((reply.file(), reply.option(67)), (&b""[..], Some(long.into_bytes())));
}

/// RouterOS 42: variables in values.
#[test]
fn ext_25_variables_are_filled_in() {
    let template = |pieces: Vec<Piece>| OptionEntry {
        code: 150,
        force: false,
        value: Value::Template(pieces.into()),
    };
    let route = || {
        let head = Piece::Bytes(Box::from([0x18, 0xa0, 0, 0]));
        template(vec![head, Piece::NetworkGateway])
    };
    let reply = offer(with(vec![route()]), asking(&[150]));
    assert_eq!(reply.option(150), Some(vec![0x18, 0xa0, 0, 0, 172, 29, 0, 1]));
    // On a lease there is no network to ask.
    let mut config = config();
    config.leases =
        [FixedLease { options: set(vec![route()]), ..fixed(1, lan(20)) }].into_iter().collect();
    assert_eq!(offer(config, asking(&[150])).option(150), Some(vec![0x18, 0xa0, 0, 0]));
    let name = || template(vec![Piece::HostName]);
    let named = asking(&[150]).option(12, b"kvm\0");
    assert_eq!(offer(with(vec![name()]), named).option(150), Some(b"kvm".to_vec()));
    assert_eq!(offer(with(vec![name()]), asking(&[150])).option(150), None);
    let remote = template(vec![Piece::RemoteId]);
    let packet = asking(&[150]).option(82, &[2, 3, b's', b'w', b'1']);
    assert_eq!(offer(with(vec![remote]), packet).option(150), Some(b"sw1".to_vec()));
}

/// RouterOS 40: what nobody asked for is sent only if it is forced.
#[test]
fn unasked_options_need_force() {
    let forced = OptionEntry { force: true, ..entry(151, b"y") };
    let reply = offer(with(vec![entry(150, b"x"), forced]), asking(&[1]));
    assert_eq!(parameters(&reply), [1, 151]);
}
