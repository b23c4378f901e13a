//! EXT-02: network boot, from the menus to what each kind of boot ROM is told.

use leasehold_dhcp::config::{Compiled, Host};
use leasehold_dhcp::{Config, menus};

use crate::reply::Reply;
use crate::world::{LAN, Packet, World, config, lan, mac};

/// What the PXE ROMs of PC BIOSes ask for.
const BIOS_LIST: &[u8] = &[
    1, 2, 3, 5, 6, 11, 12, 13, 15, 16, 17, 18, 43, 54, 60, 67, 128, 129, 130, 131, 132, 133, 134,
    135,
];

/// What UEFI firmware asks for, for PXE and for HTTP boot.
const UEFI_LIST: &[u8] = &[
    1, 2, 3, 4, 5, 6, 12, 13, 15, 17, 18, 22, 23, 28, 40, 41, 42, 43, 50, 51, 54, 58, 59, 60, 66,
    67, 97, 128, 129, 130, 131, 132, 133, 134, 135,
];

/// What iPXE asks for.
const IPXE_LIST: &[u8] = &[
    1, 3, 6, 7, 12, 15, 17, 26, 43, 60, 66, 67, 119, 128, 129, 130, 131, 132, 133, 134, 135, 175,
    203,
];

/// Clients by the most telling thing first: HTTP boot by option 60, iPXE by option 77, the others
/// by the architecture in option 93.
fn site() -> Config {
    let mut tree = menus::tree();
    let mut add = |path: &str, row: &[(&str, &str)]| {
        tree.add(path, row).expect("a legal row");
    };
    let files = [
        ("http", "http://172.29.0.5/shim.efi"),
        ("menu", "http://172.29.0.5/menu.ipxe"),
        ("efi64", "ipxe-x86_64.efi"),
        ("arm64", "ipxe-arm64.efi"),
        ("bios", "undionly.kpxe"),
    ];
    let option = "/ip/dhcp-server/option";
    for (name, file) in files {
        add(option, &[("name", name), ("code", "67"), ("value", file)]);
    }
    add(option, &[("name", "http-class"), ("code", "60"), ("value", "HTTPClient")]);
    add(option, &[("name", "no-proxy"), ("code", "175"), ("value", "0xb00101")]);
    for (set, options) in [
        ("http", "http,http-class"),
        ("menu", "menu,no-proxy"),
        ("efi64", "efi64"),
        ("arm64", "arm64"),
        ("bios", "bios"),
    ] {
        add("/ip/dhcp-server/option/sets", &[("name", set), ("options", options)]);
    }
    for (name, code, value, how) in [
        ("http", "60", "HTTPClient", "substring"),
        ("menu", "77", "iPXE", "exact"),
        ("efi64", "93", "0x0007", "exact"),
        ("efi64-too", "93", "0x0009", "exact"),
        ("arm64", "93", "0x000b", "exact"),
        ("bios", "93", "0x0000", "exact"),
    ] {
        let set = name.trim_end_matches("-too");
        let row = [("name", name), ("code", code), ("value", value), ("matching-type", how)];
        add("/ip/dhcp-server/matcher", &[&row[..], &[("option-set", set)]].concat());
    }
    let network = [("address", "172.29.0.0/24"), ("next-server", "172.29.0.5")];
    add("/ip/dhcp-server/network", &network);
    let Compiled { config: site, flaws } = Config::compile(&tree, Host::default());
    assert!(flaws.is_empty(), "{flaws:?}");
    Config { matchers: site.matchers, networks: site.networks, ..config() }
}

/// A ROM's DISCOVER as it is sent, but for the list.
fn rom(number: u32, class: &str, arch: u16, undi: [u8; 3], size: u16, list: &[u8]) -> Packet {
    let identifier = [&[0][..], &[0x4c; 10], &mac(number).0].concat();
    let packet = Packet { flags: 0x8000, secs: 4, ..Packet::client(number) };
    assert_eq!(packet.interface, LAN);
    packet
        .asking_for(list)
        .option(57, &size.to_be_bytes())
        .option(97, &identifier)
        .option(93, &arch.to_be_bytes())
        .option(94, &undi)
        .option(60, class.as_bytes())
}

fn bios(number: u32) -> Packet {
    rom(number, "PXEClient:Arch:00000:UNDI:002001", 0, [1, 2, 1], 1260, BIOS_LIST)
}

fn uefi(number: u32, arch: u16) -> Packet {
    let class = format!("PXEClient:Arch:{arch:05}:UNDI:003016");
    rom(number, &class, arch, [1, 3, 16], 1472, UEFI_LIST)
}

fn uefi_http(number: u32, arch: u16) -> Packet {
    let class = format!("HTTPClient:Arch:{arch:05}:UNDI:003016");
    rom(number, &class, arch, [1, 3, 16], 1472, UEFI_LIST)
}

/// iPXE on the machine with this ROM: it adds its user class, as plain text, and its features.
fn ipxe(number: u32, arch: u16) -> Packet {
    let class = format!("PXEClient:Arch:{arch:05}:UNDI:003001");
    let packet = rom(number, &class, arch, [1, 3, 1], 1472, IPXE_LIST);
    let id = [&[1][..], &mac(number).0].concat();
    let features = [177, 5, 1, 0x80, 0x86, 0x10, 0x0e, 24, 1, 1, 19, 1, 1, 235, 3, 1, 21, 1];
    packet.option(77, b"iPXE").option(175, &features).client_id(&id)
}

/// The ACK of a whole exchange; the OFFER says the same.
fn booted(world: &mut World, packet: Packet) -> Reply {
    let offer = world.ask(&packet.clone().discover());
    let ack = world.ask(&packet.selecting(&offer));
    assert_eq!(ack.kind(), Some(5));
    assert_eq!(ack.pieces()[1..], offer.pieces()[1..]);
    assert_eq!((ack.file(), ack.siaddr()), (offer.file(), offer.siaddr()));
    ack
}

#[test]
fn ext_02_each_rom_gets_what_it_can_start() {
    let mut world = World::with(site());
    for (packet, file) in [
        (bios(1), "undionly.kpxe"),
        (uefi(2, 7), "ipxe-x86_64.efi"),
        (uefi(3, 9), "ipxe-x86_64.efi"),
        (uefi(4, 11), "ipxe-arm64.efi"),
        (uefi_http(5, 16), "http://172.29.0.5/shim.efi"),
        (ipxe(6, 0), "http://172.29.0.5/menu.ipxe"),
        (ipxe(7, 7), "http://172.29.0.5/menu.ipxe"),
    ] {
        let identifier = packet.options.iter().find(|(code, _)| *code == 97).cloned();
        let ack = booted(&mut world, packet.clone());
        assert_eq!((ack.file(), ack.siaddr()), (file.as_bytes(), lan(5)), "{packet}");
        assert_eq!(ack.option(67), Some(file.as_bytes().to_vec()), "{packet}");
        assert_eq!(ack.option(97), identifier.map(|(_, value)| value), "{packet}");
        assert!(ack.is_broadcast() && ack.bytes.len() <= 576 - 28);
    }
}

#[test]
fn ext_02_http_boot_is_told_the_class_that_it_looks_for() {
    let mut world = World::with(site());
    let ack = booted(&mut world, uefi_http(1, 16));
    assert_eq!(ack.option(60), Some(b"HTTPClient".to_vec()));
    assert!(!booted(&mut world, uefi(2, 7)).has(60));
    assert_eq!(booted(&mut world, ipxe(3, 7)).option(175), Some(vec![0xb0, 1, 1]));
}

#[test]
fn ext_02_the_rom_ipxe_and_the_system_are_one_client() {
    let mut world = World::with(site());
    let address = booted(&mut world, uefi(1, 7)).yiaddr();
    assert_eq!(booted(&mut world, ipxe(1, 7)).yiaddr(), address);
    assert_eq!(booted(&mut world, Packet::client(1).asking_for(&[1, 3])).yiaddr(), address);
    assert_eq!(world.usage().0, 1);
}

#[test]
fn ext_02_an_architecture_that_nobody_thought_of_gets_an_address_and_no_file() {
    let mut world = World::with(site());
    let ack = booted(&mut world, uefi(1, 6));
    assert_eq!((ack.file(), ack.has(67)), (&b""[..], false));
}
