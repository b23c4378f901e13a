//! What clients ask for when they connect: menus of the machine, and menus that do not exist.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod lab;

use lab::scene::CONFIGURATION;
use lab::{Api, Scene};

#[test]
fn a_client_that_connects_gets_true_values_and_keeps_its_connection() {
    let scene = Scene::with(CONFIGURATION);
    let mut api = Api::connect(&scene);
    let name = &api.rows(&["/system/identity/getall"])[0]["name"];
    assert!(!name.is_empty());
    let resource = api.rows(&["/system/resource/print"]).remove(0);
    assert_eq!(resource["version"], "7.16.2 (stable)");
    assert!(resource["board-name"].starts_with("CHR"), "{resource:?}");
    assert!(resource["total-memory"].parse::<u64>().unwrap() > 1 << 20);
    assert_eq!(api.rows(&["/system/routerboard/getall"])[0]["routerboard"], "false");
    let update = api.rows(&["/system/package/update/print"]).remove(0);
    assert_eq!(update["installed-version"], "7.16.2");
    assert_eq!(api.rows(&["/system/package/print"])[0]["name"], "routeros");
    let link = api.rows(&["/interface/print", "?name=ether-83"]).remove(0);
    assert_eq!((link["type"].as_str(), link["running"].as_str()), ("ether", "true"));
    assert!(link["rx-byte"].parse::<u64>().is_ok());
    let address = api.rows(&["/ip/address/print", "?interface=ether-83"]).remove(0);
    assert_eq!(address["address"], "67.9.97.1/24");
    assert_eq!(address["network"], "67.9.97.0");
    for empty in ["/ip/dhcp-client", "/ip/dns/static", "/interface/wifi", "/system/health"] {
        assert!(api.rows(&[&format!("{empty}/print")]).is_empty(), "{empty}");
    }
    for absent in
        ["/ip/firewall/filter/print", "/caps-man/interface/getall", "/interface/lte/print"]
    {
        assert_eq!(api.trap(&[absent]), "no such command prefix", "{absent}");
    }
    api.done(&["/system/identity/set", "=name=tower-1"]);
    assert_eq!(api.rows(&["/system/identity/print"])[0]["name"], "tower-1");
    assert_eq!(api.trap(&["/system/resource/set", "=version=8"]), "no such command");
}
