//! What the console prints, to the blank.

use crate::world::World;

#[test]
fn a_menu_without_flags_has_two_blanks_after_the_number() {
    let mut world = World::empty();
    world.ok("/ip pool add name=default-dhcp ranges=192.168.2.10-192.168.2.254");
    world.usage("default-dhcp", 245, 8);
    assert_eq!(
        world.ok("/ip pool print"),
        "Columns: NAME, RANGES, TOTAL, USED, AVAILABLE\n\
         #  NAME          RANGES                      TOTAL  USED  AVAILABLE\n\
         0  default-dhcp  192.168.2.10-192.168.2.254    245     8        237\n"
    );
}

#[test]
fn a_column_is_there_when_a_row_has_a_value() {
    let mut world = World::scenario();
    world.ok("/ip pool add name=b ranges=10.0.0.1,10.0.0.9 next-pool=isp-pool comment=\"two\"");
    assert_eq!(
        world.ok("/ip pool print"),
        "Columns: NAME, RANGES, NEXT-POOL\n\
         #  NAME      RANGES                  NEXT-POOL\n\
         0  isp-pool  67.9.97.10-67.9.97.254\n\
         ;;; two\n\
         1  b         10.0.0.1                isp-pool\n\
         \x20            10.0.0.9\n"
    );
    assert_eq!(World::empty().ok("/ip pool print"), "");
}

#[test]
fn flags_that_occur_have_a_legend_and_a_column() {
    let mut world = World::scenario();
    assert_eq!(
        world.ok("/ip dhcp-server print"),
        "Columns: NAME, INTERFACE, ADDRESS-POOL, LEASE-TIME\n\
         # NAME            INTERFACE  ADDRESS-POOL  LEASE-TIME\n\
         0 dhcp-server-83  ether-83   isp-pool      1d\n"
    );
    world.bind("67.9.97.254", "aa:bb:cc:dd:ee:ff", "dhcp-server-83", "laptop");
    assert_eq!(
        world.ok("/ip dhcp-server lease print"),
        "Flags: D - DYNAMIC\n\
         Columns: ADDRESS, MAC-ADDRESS, HOST-NAME, SERVER, STATUS, LAST-SEEN\n\
         #   ADDRESS      MAC-ADDRESS        HOST-NAME  SERVER          STATUS  LAST-SEEN\n\
         0 D 67.9.97.254  AA:BB:CC:DD:EE:FF  laptop     dhcp-server-83  bound   1m5s\n"
    );
    world.ok(
        "/ip dhcp-server lease add mac-address=AA:00:00:00:00:01 block-access=yes disabled=yes",
    );
    assert_eq!(
        world.ok("/ip dhcp-server lease print proplist=mac-address,status"),
        "Flags: X - DISABLED; D - DYNAMIC; B - BLOCKED\n\
         Columns: MAC-ADDRESS, STATUS\n\
         #     MAC-ADDRESS        STATUS\n\
         0 X B AA:00:00:00:00:01  waiting\n\
         1  D  AA:BB:CC:DD:EE:FF  bound\n"
    );
    assert_eq!(
        world.ok("/ip dhcp-server lease print proplist=address where dynamic"),
        "Flags: D - DYNAMIC\n\
         Columns: ADDRESS\n\
         #   ADDRESS\n\
         1 D 67.9.97.254\n",
        "numbers are places in the whole list"
    );
}

#[test]
fn a_narrow_terminal_drops_columns_and_never_cuts_a_name() {
    let mut world = World::scenario();
    world.ok("/ip pool add name=a-very-long-name-of-a-pool ranges=10.0.0.1");
    world.width = Some(60);
    assert_eq!(
        world.ok("/ip pool print"),
        "Columns: NAME, RANGES\n\
         #  NAME                       RANGES\n\
         0  isp-pool                   67.9.97.10-67.9.97.254\n\
         1  a-very-long-name-of-a-pool  10.0.0.1\n"
            .replace(
                "#  NAME                       RANGES",
                "#  NAME                        RANGES"
            )
            .replace("isp-pool                   67", "isp-pool                    67")
    );
    let picked = world.ok("/ip pool print from=a-very-long-name-of-a-pool");
    assert!(picked.contains("\n1  a-very-long-name-of-a-pool  10.0.0.1\n"), "{picked}");
    world.width = Some(10);
    assert!(world.ok("/ip pool print").contains("\n1  a-very-long-name-of-a-pool\n"));
}

#[test]
fn details_are_paragraphs() {
    let mut world = World::scenario();
    world.bind("172.16.16.120", "30:07:4D:F5:07:49", "defconf", "Galaxy-S8");
    world.width = Some(80);
    assert_eq!(
        world.ok("/ip dhcp-server lease print detail"),
        "Flags: X - disabled, R - radius, D - dynamic, B - blocked\n \
         0 D address=172.16.16.120 mac-address=30:07:4D:F5:07:49\n     \
         client-id=\"1:30:7:4d:f5:7:49\" address-lists=\"\" server=defconf\n     \
         dhcp-option=\"\" agent-circuit-id=\"\" agent-remote-id=\"\" status=bound\n     \
         expires-after=8m55s last-seen=1m5s active-address=172.16.16.120\n     \
         active-mac-address=30:07:4D:F5:07:49 active-client-id=\"1:30:7:4d:f5:7:49\"\n     \
         active-server=defconf active-agent-circuit-id=\"\" active-agent-remote-id=\"\"\n     \
         host-name=\"Galaxy-S8\"\n\n"
    );
    world.ok("/ip pool set 0 comment=\"for customers\"");
    assert_eq!(
        world.ok("/ip pool print detail"),
        " 0 ;;; for customers\n   name=\"isp-pool\" ranges=67.9.97.10-67.9.97.254\n\n"
    );
}

#[test]
fn scripts_have_forms_of_their_own() {
    let mut world = World::scenario();
    world.ok("/ip pool set 0 comment=\"a b\"");
    assert_eq!(
        world.ok("/ip pool print terse"),
        "0 name=isp-pool ranges=67.9.97.10-67.9.97.254 comment=a b\n"
    );
    assert_eq!(
        world.ok("/ip pool print value-list"),
        "     name: isp-pool\n   ranges: 67.9.97.10-67.9.97.254\n  comment: a b\n"
    );
    assert_eq!(
        world.ok(":put [/ip pool print as-value]"),
        ".id=*1;name=isp-pool;ranges=67.9.97.10-67.9.97.254;comment=a b\n"
    );
    let server = world.ok(":put [/ip dhcp-server print as-value proplist=lease-time,disabled]");
    assert_eq!(server, ".id=*1;lease-time=1d00:00:00;disabled=false\n");
    assert_eq!(
        world.ok("/ip pool print json"),
        "[{\".id\":\"*1\",\"name\":\"isp-pool\",\"ranges\":\"67.9.97.10-67.9.97.254\",\
         \"next-pool\":\"\",\"comment\":\"a b\"}]\n"
    );
    assert_eq!(world.ok("/ip dhcp-server lease print json"), "[]\n");
    assert_eq!(world.ok("/ip pool print count-only where name=nobody"), "0\n");
    assert_eq!(
        world.ok("/ip pool print show-ids proplist=name"),
        "Columns: .ID, NAME\n#  .ID  NAME\n0  *1   isp-pool\n"
    );
}

#[test]
fn the_row_of_a_singleton_is_a_list_of_values() {
    assert_eq!(
        World::empty().ok("/ip dhcp-server config print"),
        "  store-leases-disk: 5m\n         accounting: yes\n     interim-update: 0s\n    \
         radius-password: empty\n"
    );
}

#[test]
fn a_listing_goes_on_over_pages() {
    let mut world = World::scenario();
    for n in 0..700_u32 {
        let (high, low) = (n / 256, n % 256);
        let mac = format!("02:00:00:00:{high:02x}:{low:02x}");
        if n % 2 == 0 {
            world.ok(&format!(
                "/ip dhcp-server lease add address=10.7.{high}.{low} mac-address={mac}"
            ));
        } else {
            world.bind(&format!("10.7.{high}.{low}"), &mac, "dhcp-server-83", "");
        }
    }
    let listed = world.ok("/ip dhcp-server lease print terse proplist=address");
    let numbers: Vec<usize> =
        listed.lines().map(|line| line.split(' ').next().unwrap().parse().unwrap()).collect();
    assert_eq!(numbers, (0..700).collect::<Vec<_>>());
    assert_eq!(
        world.ok("/ip dhcp-server lease print count-only where address in 10.7.1.0/24"),
        "256\n"
    );
    let middle = world.get("/ip/dhcp-server/lease", "520", ".id");
    assert_eq!(world.get("/ip/dhcp-server/lease", &middle, "dynamic"), "true");
}
