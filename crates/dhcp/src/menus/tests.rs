//! The tables of this server as tables.

use leasehold_routeros::{Fault, Live, Row, Value};

use super::*;

#[test]
fn every_table_is_sound() {
    for menu in menus() {
        let mut names: Vec<_> = menu.properties.iter().map(|property| property.name).collect();
        let listed = [menu.columns, menu.key].concat();
        for unique in menu.unique {
            assert!(unique.by.iter().chain(&unique.within).all(|name| names.contains(name)));
        }
        assert!(listed.iter().all(|name| names.contains(name)), "{}: {listed:?}", menu.path);
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), menu.properties.len(), "{}: a name is there twice", menu.path);
        for property in menu.properties {
            let presets = property.rule.preset_text().into_iter();
            let earlier = property.rule.earlier.iter().map(|(_, text)| *text);
            for text in presets.chain(earlier).filter(|text| !text.is_empty()) {
                let canonical = (property.value.canonical)(text);
                assert_eq!(canonical, Ok(Some(text.into())), "{} {}", menu.path, property.name);
            }
            let example = (property.value.canonical)(property.value.example);
            assert!(example.is_ok(), "{} {}: {example:?}", menu.path, property.name);
            assert!(property.doc.trim().ends_with('.'), "{} {}", menu.path, property.name);
        }
    }
}

#[test]
fn a_canonical_text_is_its_own_canonical_text() {
    let shapes = [
        "",
        "yes",
        "true",
        "0",
        "007",
        "0x2A",
        "42",
        "4294967295",
        "300",
        "1w2d03:04:05",
        "500ms",
        "10.0.0.1",
        "10.0.0.7/24",
        "10.0.0.0-10.0.0.255",
        "10.0.0.9,10.0.1.0/24",
        "a,b",
        "a;b, c",
        "AA-bb.cc:dd-ee.0f",
        "01:0:0C",
        "0x0A0B",
        "0a:0b",
        "'10'",
        "s'x'0x00$(HOSTNAME)",
        "none",
        "*1F",
        "64k/128M 1k",
        "10.9.0.0/16 10.0.0.1",
        "10.9.0.0/16",
        "client-id,client-mac",
        "name",
    ];
    let mut read = 0;
    for property in menus().into_iter().flat_map(|menu| menu.properties) {
        let words = property.value.words.iter().chain([&property.value.example]);
        for text in shapes.iter().chain(words) {
            let Ok(Some(canonical)) = (property.value.canonical)(text) else { continue };
            let again = (property.value.canonical)(&canonical);
            assert_eq!(again, Ok(Some(canonical)), "{} from {text:?}", property.name);
            read += 1;
        }
    }
    assert!(read > 1000, "only {read} texts were legal");
}

#[test]
fn the_how_tos_rows_are_read_into_typed_ones() {
    let mut tree = tree();
    let ranges = "67.9.97.10-67.9.97.254";
    tree.add("/ip/pool", &[("name", "isp-pool"), ("ranges", ranges)]).unwrap();
    let server = [
        ("name", "dhcp-server-83"),
        ("interface", "ether-83"),
        ("address-pool", "isp-pool"),
        ("lease-time", "1d"),
    ];
    tree.add("/ip/dhcp-server", &server).unwrap();
    let network =
        [("address", "67.9.97.0/24"), ("gateway", "67.9.97.1"), ("dns-server", "8.8.8.8")];
    tree.add("/ip/dhcp-server/network", &network).unwrap();

    let server = tree.rows::<Server>().remove(0);
    assert!(!server.disabled);
    let server = server.row.unwrap();
    assert_eq!(server.lease_time.seconds(), 86_400);
    let AddressPool::Pool(pool) = server.address_pool else { panic!("{:?}", server.address_pool) };
    assert_eq!(pool.name(), Some("isp-pool"));
    assert_eq!(server.client_mac_limit, LeaseLimit::Unlimited);
    let network = tree.rows::<Network>().remove(0).row.unwrap();
    assert_eq!(network.dns_server, [core::net::Ipv4Addr::new(8, 8, 8, 8)]);
    assert_eq!(network.next_server, None);
    let config = tree.rows::<Config>().remove(0).row.unwrap();
    assert_eq!(config.store_leases_disk, StoreLeases::Every(Lasting::new(300).unwrap()));
}

#[test]
fn mac_addresses_are_read_in_every_spelling() {
    for text in ["aa:bb:cc:dd:ee:0f", "AA-BB-CC-DD-EE-0F", "aa.bb.cc.dd.ee.0f"] {
        assert_eq!(Mac::parse(text).map(|mac| mac.print()), Ok("AA:BB:CC:DD:EE:0F".into()));
    }
    for nonsense in ["", "aa:bb:cc:dd:ee", "aa:bb:cc:dd:ee:ff:00", "aa:bb:cc:dd:ee:+f"] {
        assert_eq!(Mac::parse(nonsense), Err(Fault::Invalid), "{nonsense}");
    }
}

#[test]
fn what_the_server_knows_becomes_cells_of_its_menu() {
    let usage = PoolUsage { total: Some(245), available: Some(237), ..PoolUsage::default() };
    let (menu, cells) = (Pool::menu(), usage.cells());
    assert_eq!(menu.text(&cells, menu.place("total").unwrap()).as_deref(), Some("245"));
    assert_eq!(menu.text(&cells, menu.place("used").unwrap()), None);
    assert_eq!(menu.text(&cells, menu.place("name").unwrap()), None);
}

#[test]
fn a_client_id_has_no_leading_zeros() {
    let id = ClientIdText::parse("01:00:0C:42:00:D4:64").unwrap();
    assert_eq!(id.print(), "1:0:c:42:0:d4:64");
    assert_eq!(ClientIdText::parse("client"), Err(Fault::Invalid));
}
