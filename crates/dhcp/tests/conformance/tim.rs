//! TIM: lease time and timers.

use leasehold_dhcp::config::{FixedLease, Matcher, OptionSet};
use leasehold_dhcp::{Input, Now, Start, StoreState, Wall};

use crate::world::*;

fn lease_time(asked: Option<&[u8]>) -> Option<u32> {
    let mut world = World::new();
    let client = asked.iter().fold(Packet::client(1), |packet, asked| packet.option(51, asked));
    let offer = world.ask(&client.clone().discover());
    let ack = world.ask(&client.selecting(&offer));
    assert_eq!(ack.pieces()[1..], offer.pieces()[1..]);
    ack.number(51)
}

fn asked(seconds: u32) -> Option<u32> {
    lease_time(Some(&seconds.to_be_bytes()))
}

#[test]
fn tim_01_nothing_asked() {
    assert_eq!(lease_time(None), Some(120));
}

#[test]
fn tim_02_what_is_asked_is_clamped() {
    assert_eq!((asked(10), asked(60), asked(1000)), (Some(30), Some(60), Some(120)));
}

#[test]
fn tim_03_for_ever_is_what_is_configured() {
    assert_eq!(asked(u32::MAX), Some(120));
}

#[test]
fn tim_04_a_lease_time_of_another_size_is_none() {
    assert_eq!(lease_time(Some(&[0, 0, 1])), Some(120));
    assert_eq!(lease_time(Some(&[0; 8])), Some(120));
}

#[test]
fn tim_05_one_second_is_too_short() {
    assert_eq!((asked(1), asked(0)), (Some(30), Some(30)));
}

#[test]
fn tim_06_t1_before_t2_before_the_end() {
    let mut world = World::new();
    let offer = world.ask(&Packet::client(1).discover());
    assert_eq!((offer.number(58), offer.number(59)), (Some(60), Some(105)));
    let inform = world.ask(&Packet::client(2).inform(lan(50)));
    assert!(!inform.has(58) && !inform.has(59));
    for seconds in [1, 2, 7, 8, 1000, u32::MAX] {
        let mut config = config();
        config.servers[0].lease_time = seconds;
        let offer = World::with(config).ask(&Packet::client(1).discover());
        if let (Some(t1), Some(t2)) = (offer.number(58), offer.number(59)) {
            assert!(t1 < t2 && t2 < seconds && seconds != u32::MAX, "{t1} {t2} {seconds}");
        } else {
            assert!(seconds < 4 || seconds == u32::MAX, "{seconds}");
        }
    }
}

#[test]
fn tim_07_the_lease_time_stands_there_once() {
    let mut world = World::new();
    let offer = world.ask(&Packet::client(1).discover().asking_for(&[51, 1, 51]));
    let times: Vec<_> = offer.pieces().into_iter().filter(|(code, _)| *code == 51).collect();
    assert_eq!(times, [(51, 120_u32.to_be_bytes().to_vec())]);
}

#[test]
fn tim_08_a_lease_that_is_not_renewed_ends_on_time() {
    let mut world = World::new();
    world.lease(&Packet::client(1));
    world.pass(std::time::Duration::from_millis(119_999));
    assert_eq!((world.usage().0, world.count("deassigned")), (1, 0));
    world.pass(std::time::Duration::from_millis(1));
    assert_eq!((world.usage().0, world.count("deassigned")), (0, 1));
    let expired = leasehold_dhcp::record::Change::Expired;
    assert_eq!(world.disk.last().unwrap().change, expired);
}

#[test]
fn tim_09_a_wall_clock_that_jumps_expires_nothing() {
    let mut world = World::new();
    let held = world.lease(&Packet::client(1));
    let real = world.now.wall.0;
    for wall in [real + 3600, real - 3600, real + 315_000_000, real - 315_000_000] {
        world.now = Now { wall: Wall(wall), ..world.now };
        world.input(Input::Tick);
        assert_eq!(world.ask(&Packet::client(1).renew(held)).number(51), Some(LEASE_TIME));
    }
    assert_eq!(world.count("deassigned"), 0);
}

#[test]
fn tim_09_a_box_without_a_battery_clock_expires_nothing_at_its_start() {
    let mut world = World::new();
    let held = world.lease(&Packet::client(1));
    let newest = world.disk.last().map(|record| record.at);
    let now = Now { wall: Wall(17), ..world.now };
    let start = Start { now, newest, store: StoreState::Intact };
    let mut world = World::started(config(), start, &world.disk);
    world.pass(seconds(100));
    assert_ne!(world.ask(&Packet::client(2).discover().wishing(held)).yiaddr(), held);
    assert_eq!(world.ask(&Packet::client(1).renew(held)).kind(), Some(5));
    assert!(world.disk.last().unwrap().at >= newest.unwrap(), "stamps do not go back");
}

#[test]
fn tim_10_a_client_that_comes_back_after_the_server_was_down() {
    let mut world = World::new();
    let held = world.lease(&Packet::client(1));
    let mut world = world.restarted(seconds(3600));
    let ack = world.ask(&Packet::client(1).reboot(held));
    assert_eq!((ack.kind(), ack.yiaddr()), (Some(5), held));
}

#[test]
fn tim_11_the_nearest_lease_time_wins() {
    let mut config = config();
    config.leases =
        [FixedLease { lease_time: Some(700), ..fixed(1, lan(20)) }].into_iter().collect();
    config.matchers = vec![Matcher {
        name: "short".into(),
        server: None,
        code: 60,
        value: Box::from(&b"guest"[..]),
        substring: true,
        address_pool: None,
        options: OptionSet::default(),
        lease_time: Some(40),
    }];
    let mut world = World::with(config);
    let time = |world: &mut World, packet: Packet| world.ask(&packet.discover()).number(51);
    assert_eq!(time(&mut world, Packet::client(1).option(60, b"guest 7")), Some(700));
    assert_eq!(time(&mut world, Packet::client(2).option(60, b"guest 7")), Some(40));
    assert_eq!(time(&mut world, Packet::client(3)), Some(120));
}

#[test]
fn what_was_left_at_a_restart_is_what_is_left() {
    let mut world = World::new();
    let held = world.lease(&Packet::client(1));
    world.pass(seconds(50));
    let mut world = world.restarted(seconds(30));
    world.pass(seconds(39));
    assert_eq!(world.count("deassigned"), 0);
    // A second more: stored times are whole seconds, and nothing may end early.
    world.pass(seconds(3));
    assert_eq!((world.count("deassigned"), world.usage().0), (1, 0));
    assert_eq!(world.lease(&Packet::client(1)), held);
}

/// A store that is missing or too old: clients may hold leases that nobody here knows.
#[test]
fn after_a_lost_store_every_offer_is_probed_for_one_lease_time() {
    let now = World::new().now;
    let start = Start { now, newest: None, store: StoreState::Suspect { since: now.wall } };
    let mut world = World::started(config(), start, &[]);
    assert!(world.send(&Packet::client(1).discover()).is_empty());
    assert_eq!(world.probes.len(), 1);
    world.occupied(lan(200), mac(40));
    assert_eq!(world.pass(seconds(1))[0].yiaddr(), lan(199));
    // A client that renews what it holds is adopted.
    assert_eq!(world.ask(&Packet::client(40).renew(lan(180))).kind(), Some(5));
    world.pass(seconds(u64::from(LEASE_TIME)));
    world.probes.clear();
    assert_eq!(world.ask(&Packet::client(2).discover()).kind(), Some(2));
    assert!(world.probes.is_empty());
}

/// The process that finds the store lost may end at once: the next one knows it too.
#[test]
fn a_restart_does_not_forget_that_the_store_was_lost() {
    let now = World::new().now;
    let lease_time = u64::from(LEASE_TIME);
    for (ago, is_over) in [(0, false), (lease_time - 1, false), (lease_time, true)] {
        let since = Wall(now.wall.0 - ago);
        let start = Start { now, newest: None, store: StoreState::Suspect { since } };
        let mut world = World::started(config(), start, &[]);
        assert_eq!(world.send(&Packet::client(1).discover()).len(), usize::from(is_over));
        world.pass(seconds(lease_time - ago));
        assert_eq!(world.ask(&Packet::client(2).discover()).kind(), Some(2));
    }
    // A clock that stands before the loss says nothing about the time since.
    let start =
        Start { now, newest: None, store: StoreState::Suspect { since: Wall(now.wall.0 + 9) } };
    let mut world = World::started(config(), start, &[]);
    assert!(world.send(&Packet::client(1).discover()).is_empty());
}

/// The clock was wrong when leases were given, is set right, and then the server is restarted.
#[test]
fn tim_09_a_wall_clock_that_was_set_before_a_restart() {
    for step in [3600_i64, -3600, 315_000_000, -315_000_000] {
        let mut world = World::new();
        let held: Vec<_> = (0..3).map(|number| world.lease(&Packet::client(number))).collect();
        world.pass(seconds(10));
        world.now.wall.0 = world.now.wall.0.wrapping_add_signed(step);
        world.pass(seconds(10));
        world.input(Input::Tick);
        world.pass(seconds(1));
        let mut world = world.restarted(seconds(5));
        world.pass(seconds(1));
        assert_eq!(world.count("deassigned"), 0, "{step}");
        for (number, &address) in (0..).zip(&held) {
            assert_eq!(world.ask(&Packet::client(number).renew(address)).kind(), Some(5));
        }
    }
}
