//! Leases of another server that are taken over: bound at once, and never against somebody else.

use std::net::Ipv4Addr;

use leasehold_dhcp::order::{Foreign, NotTaken, TakenOver};
use leasehold_dhcp::record::Binding;
use leasehold_dhcp::{Answer, Hardware, Order};

use crate::world::*;

fn foreign(number: u32, address: Ipv4Addr, lease_time: u32) -> Foreign {
    let binding = Binding {
        lease_time,
        server: "dhcp1".into(),
        htype: 1,
        chaddr: mac(number).0.into(),
        ..Binding::default()
    };
    Foreign { address, binding }
}

fn take(world: &mut World, leases: Vec<Foreign>) -> Vec<Result<TakenOver, NotTaken>> {
    let Answer::TakenOver(taken) = world.order(Order::TakeOver { leases, dry_run: false }) else {
        panic!("no leases")
    };
    world.engine.check().expect("the indexes agree");
    taken
}

#[test]
fn a_client_that_moved_renews_and_its_lease_ends_when_it_would_have() {
    let mut world = World::new();
    assert_eq!(take(&mut world, vec![foreign(1, lan(150), 50)]), [Ok(TakenOver::Bound)]);
    assert_eq!(world.usage().0, 1);
    let mut world = world.restarted(seconds(10));
    let ack = world.ask(&Packet::client(1).renew(lan(150)));
    assert_eq!((ack.kind(), ack.yiaddr()), (Some(5), lan(150)));
    assert_eq!(take(&mut world, vec![foreign(2, lan(151), 50)]), [Ok(TakenOver::Bound)]);
    world.pass(seconds(51));
    assert_eq!(world.usage().0, 1, "the one that was not renewed has ended");
}

#[test]
fn a_dry_run_changes_nothing() {
    let mut world = World::new();
    let before = world.disk.len();
    let leases = vec![foreign(1, lan(150), 50)];
    let answer = world.order(Order::TakeOver { leases, dry_run: true });
    assert_eq!(answer, Answer::TakenOver(vec![Ok(TakenOver::Bound)]));
    assert_eq!((world.usage().0, world.disk.len()), (0, before));
}

#[test]
fn who_is_here_already_keeps_what_it_has() {
    let mut world = World::new();
    let held = world.lease(&Packet::client(1));
    let prolonged = [Ok(TakenOver::Prolonged)];
    assert_eq!(take(&mut world, vec![foreign(1, held, LEASE_TIME * 2)]), prolonged);
    assert_eq!(take(&mut world, vec![foreign(1, held, 5)]), [Ok(TakenOver::Known)]);
    let other = Hardware::from(mac(1));
    assert_eq!(take(&mut world, vec![foreign(2, held, 50)]), [Err(NotTaken::Taken(other))]);
    assert_eq!(take(&mut world, vec![foreign(1, lan(150), 50)]), [Err(NotTaken::HasOther(held))]);
    world.pass(seconds(u64::from(LEASE_TIME) + 1));
    assert_eq!(world.usage().0, 1, "its end was put off");
}

#[test]
fn an_offer_and_a_memory_make_way() {
    let mut world = World::new();
    let offer = world.ask(&Packet::client(1).discover());
    assert_eq!(take(&mut world, vec![foreign(2, offer.yiaddr(), 50)]), [Ok(TakenOver::Bound)]);
    // The offer is void.
    let answer = world.send(&Packet::client(1).selecting(&offer));
    assert!(answer.iter().all(|reply| reply.kind() != Some(5)));
    let held = world.lease(&Packet::client(3));
    world.send(&Packet::client(3).release(SERVER, held));
    assert_eq!(take(&mut world, vec![foreign(4, held, 50)]), [Ok(TakenOver::Bound)]);
    assert_eq!(take(&mut world, vec![foreign(3, lan(160), 50)]), [Ok(TakenOver::Bound)]);
}

#[test]
fn what_is_not_this_server_s_to_give_is_told() {
    let mut config = config();
    config.leases = [fixed(9, lan(190))].into_iter().collect();
    let mut world = World::with(config);
    let nowhere = Ipv4Addr::new(10, 9, 9, 9);
    let mut stranger = foreign(1, lan(150), 50);
    stranger.binding.server = "elsewhere".into();
    let leases = vec![
        stranger,
        foreign(1, nowhere, 50),
        foreign(1, SERVER, 50),
        foreign(1, lan(190), 50),
        foreign(9, lan(190), 50),
    ];
    assert_eq!(
        take(&mut world, leases),
        [
            Err(NotTaken::NoServer),
            Err(NotTaken::NoPool),
            Err(NotTaken::Own),
            Err(NotTaken::Reserved),
            Ok(TakenOver::Bound),
        ]
    );
}
