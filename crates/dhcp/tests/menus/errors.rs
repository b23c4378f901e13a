//! RouterOS's error texts, each by the input that causes it; nothing is changed by any of them.

use crate::world::World;

fn check(cases: &[(&str, &str)]) {
    let mut world = World::scenario();
    world.ok("/ip pool add name=other ranges=10.0.0.1-10.0.0.9");
    world.ok("/ip dhcp-server add name=relayed interface=ether-83 relay=10.0.0.1");
    for (text, error) in cases {
        assert_eq!(world.error(text), *error, "{text}");
    }
}

#[test]
fn of_pools() {
    const EXPECTS: &str = "value of range expects range of ip addresses";
    check(&[
        ("/ip pool add name=isp-pool ranges=1.2.3.4", "failure: pool with such name exists"),
        ("/ip pool set other name=isp-pool", "failure: pool with such name exists"),
        ("/ip pool add name=q ranges=abc", EXPECTS),
        ("/ip pool add name=q ranges=\"\"", EXPECTS),
        ("/ip pool add name=q ranges=10.0.0.20-10.0.0.10", EXPECTS),
        ("/ip pool add name=q ranges=-10.0.0.5", "value of range must have ip address before '-'"),
        ("/ip pool add name=q ranges=10.0.0.5-", "value of range must have ip address after '-'"),
        ("/ip pool set other ranges=10.0.0.5-x", "value of range must have ip address after '-'"),
        ("/ip pool add name=q ranges=10.0.0.1-10.0.0.9,10.0.0.5", "failure: ranges overlap"),
        ("/ip pool add name=q", "missing value(s) of argument(s) ranges"),
        ("/ip pool set other !ranges", "missing value(s) of argument(s) ranges"),
        ("/ip pool unset other ranges", "missing value(s) of argument(s) ranges"),
        (
            "/ip pool add name=q ranges=1.2.3.4 next-pool=nobody",
            "input does not match any value of next-pool",
        ),
        ("/ip pool set other next-pool=*99", "input does not match any value of next-pool"),
        ("/ip pool used remove 0", "bad command name remove (line 1 column 15)"),
    ]);
}

#[test]
fn of_servers() {
    const NAMED: &str = "failure: server with such name already exists";
    const TAKEN: &str = "failure: server or relay with such interface already exists";
    const RANGE: &str = "value of lease-time out of range (1s..7101w3d6h28m15s)";
    check(&[
        ("/ip dhcp-server add name=dhcp-server-83 interface=ether-84", NAMED),
        ("/ip dhcp-server add name=x interface=ether-83", TAKEN),
        ("/ip dhcp-server add name=x interface=ether-83 relay=10.0.0.1", TAKEN),
        ("/ip dhcp-server set relayed relay=0.0.0.0", TAKEN),
        (
            "/ip dhcp-server add name=x interface=nowhere",
            "input does not match any value of interface",
        ),
        (
            "/ip dhcp-server add name=x interface=ether-84 address-pool=nobody",
            "input does not match any value of address-pool",
        ),
        ("/ip dhcp-server set 0 lease-time=8000w", RANGE),
        ("/ip dhcp-server set 0 lease-time=0", RANGE),
        ("/ip dhcp-server set 0 lease-time=soon", "invalid value for argument lease-time"),
        (
            "/ip dhcp-server set 0 authoritative=maybe",
            "input does not match any value of authoritative",
        ),
        ("/ip dhcp-server set 0 add-arp=maybe", "input does not match any value of add-arp"),
        ("/ip dhcp-server set 0 relay=here", "invalid value for argument relay"),
        ("/ip dhcp-server set 0 src-address=1.2.3.4", "expected end of command (line 1 column 23)"),
        ("/ip dhcp-server set 0 invalid=yes", "expected end of command (line 1 column 23)"),
    ]);
}

#[test]
fn of_networks() {
    check(&[
        ("/ip dhcp-server network add address=192.168.88.1/24", "failure: invalid network"),
        (
            "/ip dhcp-server network add address=67.9.97.0/24",
            "failure: such network already exists",
        ),
        ("/ip dhcp-server network set 0 netmask=33", "value of netmask out of range (0..32)"),
        ("/ip dhcp-server network set 0 gateway=67.9.97.1,x", "invalid value for argument gateway"),
        (
            "/ip dhcp-server network set 0 dhcp-option=nobody",
            "input does not match any value of dhcp-option",
        ),
    ]);
    let mut world = World::scenario();
    world.ok("/ip dhcp-server network; add address=67.9.97.0/25; add address=67.9.97.128/25");
}

#[test]
fn of_leases() {
    const CLIENT: &str = "failure: already have static lease for this client";
    const ADDRESS: &str = "failure: already have static lease with this IP address";
    let mut world = World::scenario();
    world.ok("/ip dhcp-server add name=b interface=ether-84");
    world.ok("/ip dhcp-server lease add address=67.9.97.20 mac-address=AA:00:00:00:00:01 \
         server=dhcp-server-83");
    let dynamic = world.bind("67.9.97.254", "aa:bb:cc:dd:ee:ff", "dhcp-server-83", "");
    for (arguments, error) in [
        ("mac-address=aa-00-00-00-00-01 server=dhcp-server-83", CLIENT),
        ("mac-address=aa-00-00-00-00-01", CLIENT),
        ("address=67.9.97.20 mac-address=AA:00:00:00:00:02 server=b", ADDRESS),
        ("server=nobody", "input does not match any value of server"),
        ("mac-address=1:2", "invalid value for argument mac-address"),
        ("client-id=hello", "invalid value for argument client-id"),
        ("rate-limit=fast", "invalid value for argument rate-limit"),
    ] {
        let text = format!("/ip dhcp-server lease add {arguments}");
        assert_eq!(world.error(&text), error, "{arguments}");
    }
    world.ok("/ip dhcp-server lease add mac-address=AA:00:00:00:00:01 server=b");
    world.ok("/ip dhcp-server lease add mac-address=AA:00:00:00:00:01 disabled=yes");
    assert_eq!(world.error("/ip dhcp-server lease enable 2"), CLIENT);
    world.ok("/ip dhcp-server lease add address=isp-pool mac-address=AA:00:00:00:00:04");
    world.ok("/ip dhcp-server lease add address=isp-pool mac-address=AA:00:00:00:00:05");
    let set = format!("/ip dhcp-server lease set {dynamic} address=67.9.97.1");
    assert_eq!(world.error(&set), "failure: can not change dynamic lease");
    let off = format!("/ip dhcp-server lease disable {dynamic}");
    assert_eq!(world.error(&off), "failure: can not change dynamic lease");
}

#[test]
fn of_options_and_matchers() {
    check(&[
        ("/ip dhcp-server option add name=o code=0", "value of code out of range (1..254)"),
        ("/ip dhcp-server option add name=o code=300", "value of code out of range (1..254)"),
        ("/ip dhcp-server option add name=o", "missing value(s) of argument(s) code"),
        (
            "/ip dhcp-server option add name=o code=224 value=oops",
            "invalid value for argument value",
        ),
        ("/ip dhcp-server matcher add name=m code=60", "missing value(s) of argument(s) value"),
        (
            "/ip dhcp-server matcher add name=m code=60 value=x matching-type=like",
            "input does not match any value of matching-type",
        ),
        (
            "/ip dhcp-server config set store-leases-disk=often",
            "invalid value for argument store-leases-disk",
        ),
    ]);
}

#[test]
fn of_the_console() {
    check(&[
        ("this", "bad command name this (line 1 column 1)"),
        ("/ip pol", "bad command name pol (line 1 column 5)"),
        ("/ip pool\nfrobnicate", "bad command name frobnicate (line 2 column 1)"),
        ("/ip pool set isp-pool name= x", "expected end of command (line 1 column 28)"),
        ("/ip pool add nonsense=1", "expected end of command (line 1 column 14)"),
        ("/ip pool add stray", "expected end of command (line 1 column 14)"),
        ("/ip pool add name=\"a\\q\"", "syntax error (line 1 column 21)"),
        ("/ip pool add name=\"a", "syntax error (line 1 column 19)"),
        ("/ip pool add name=a{b", "syntax error (line 1 column 20)"),
        ("/ip pool set nobody comment=x", "no such item"),
        ("/ip pool set *99 comment=x", "no such item"),
        ("/ip pool set 17 comment=x", "no such item"),
        ("/ip pool remove isp-pool,nobody", "no such item"),
        ("/ip pool set comment=x", "expected item id"),
        ("/ip pool print where name~\"(\"", "failure: invalid regular expression ("),
        ("/ip pool get isp-pool nonsense", "unknown parameter nonsense"),
        ("/ip pool move 0 1", "bad command name move (line 1 column 10)"),
        ("/ip pool enable 0", "bad command name enable (line 1 column 10)"),
        ("/ip dhcp-server config remove 0", "bad command name remove (line 1 column 24)"),
    ]);
}
