//! The book against a model: whatever happens to leases, the indexes agree.

use std::collections::BTreeMap;

use leasehold_pool::SpaceId;

use super::*;
use crate::engine::identity::Kind;
use crate::engine::lease::{Client, Hold};
use crate::engine::supply::NO_POOL;
use crate::record::Binding;

const SERVER: ServerKey = ServerKey(0);

fn client(number: u8) -> Client {
    let chaddr = [2, 0, 0, 0, 0, number].into();
    Client::restore(&Binding { htype: 1, chaddr, ..Binding::default() })
}

fn lease(address: u8, number: u8, state: State, deadline: u64) -> Lease {
    Lease {
        space: SpaceId::MAIN,
        server: SERVER,
        address: Ipv4Addr::new(10, 0, 0, address),
        state,
        kind: Kind::Hardware,
        offers: 0,
        pool: NO_POOL,
        serial: 0,
        source: 0,
        checking: false,
        hold: Hold::None,
        deadline: Boottime(deadline),
        since: Boottime(0),
        heard: Boottime(0),
        displaced: None,
        client: client(number),
    }
}

fn found(book: &Book, number: u8) -> OfClient {
    let client = client(number);
    let traits = client.traits(Kind::Hardware);
    book.of(SERVER, &traits, book.hash(SERVER, &traits.identity()))
}

#[test]
fn an_ended_lease_makes_way_and_comes_back() {
    let mut book = Book::new(1);
    let old = book.insert(lease(1, 7, State::Ended, u64::MAX));
    let new = book.insert(lease(1, 8, State::Offered, 30));
    let place = (SpaceId::MAIN, Ipv4Addr::new(10, 0, 0, 1));
    assert_eq!(book.at(place), Some(new));
    assert_eq!(found(&book, 7).ended, Some(old), "its client still finds it");
    book.check().unwrap();
    book.remove(new);
    assert_eq!((book.at(place), found(&book, 8).pending), (Some(old), None));
    book.check().unwrap();
}

#[test]
fn an_ended_lease_is_forgotten_when_its_address_is_really_anothers() {
    let mut book = Book::new(1);
    book.insert(lease(1, 7, State::Ended, u64::MAX));
    let new = book.insert(lease(1, 8, State::Offered, 30));
    book.forget_displaced(new);
    assert_eq!(found(&book, 7), OfClient::default());
    book.set_state(new, State::Bound, Boottime(1), Boottime(600));
    book.check().unwrap();
}

#[test]
fn a_lease_is_due_when_its_time_is_over_and_not_before() {
    let mut book = Book::new(1);
    let id = book.insert(lease(1, 7, State::Bound, 100));
    book.set_deadline(id, Boottime(500));
    assert_eq!(book.due(Boottime(499)), None);
    assert_eq!(book.due(Boottime(500)), Some(id));
    assert_eq!(book.due(Boottime(500)), Some(id), "until somebody does something about it");
    book.set_deadline(id, Boottime(50));
    book.set_deadline(id, NEVER);
    assert_eq!(book.due(Boottime(u64::MAX - 1)), None);
}

/// Deadlines go back and forth across pages while time goes on: what is due comes up at its
/// millisecond, and nothing else does.
#[test]
fn what_is_due_comes_up_on_whatever_page_it_is() {
    let mut book = Book::new(1);
    let mut random = 7_u64;
    let mut next = |below: u64| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963);
        (random >> 33) % below
    };
    let ids: Vec<_> = (0..200).map(|at| book.insert(lease(at, at, State::Bound, 1))).collect();
    for now in (0..20_000).step_by(7).map(Boottime) {
        for _ in 0..3 {
            let id = ids[next(200) as usize];
            book.set_deadline(id, Boottime(now.0 + next(5_000)));
        }
        while let Some(id) = book.due(now) {
            assert!(book.get(id).deadline <= now);
            let forever = next(4) == 0;
            let until = if forever { NEVER } else { Boottime(now.0 + 1 + next(3_000)) };
            book.set_deadline(id, until);
        }
        assert!(ids.iter().all(|&id| book.get(id).deadline > now), "at {now:?}");
        assert!(book.deadline().is_none_or(|at| at > now || book.due(now).is_none()));
        if now.0 % 70 == 0 {
            book.check().unwrap();
        }
    }
}

#[test]
fn a_crowd_that_is_due_at_once_comes_up_bit_by_bit() {
    let mut book = Book::new(1);
    let crowd = 3_000_u32;
    for at in 0..crowd {
        let lease = lease(1, at as u8, State::Bound, 1_030_000 + u64::from(at % 9));
        book.insert(Lease { address: Ipv4Addr::from(0x0a00_0000 + at), ..lease });
    }
    let (mut ended, mut turns) = (0, 0);
    while book.deadline().is_some_and(|at| at <= Boottime(2_000_000)) {
        while let Some(id) = book.due(Boottime(2_000_000)) {
            book.remove(id);
            ended += 1;
        }
        turns += 1;
        assert!(turns < 10);
    }
    assert_eq!(ended, crowd);
}

#[test]
fn renewals_and_releases_do_not_pile_up() {
    let mut book = Book::new(1);
    for round in 0..50_000_u64 {
        let id = book.insert(lease(1, 7, State::Bound, 1_000_000 + round));
        book.set_deadline(id, Boottime(round));
        book.remove(id);
    }
    assert!(book.due.earliest().len() <= 1);
    assert!(book.due.entries() < 4096, "{}", book.due.entries());
}

/// A million leases with names must fit into 200 MB: 200 octets each, indexes included.
#[test]
fn a_lease_is_small() {
    let heap = 16 + 7 + 6 + 7 + 12;
    let indexes = 4 + (8 + 1) * 8 / 7 + 8;
    let lease = size_of::<Slot>() + heap + indexes;
    assert!(lease <= 200, "{lease} octets, {} of them the lease", size_of::<Slot>());
}

#[test]
fn random_steps_leave_the_indexes_in_agreement() {
    let mut book = Book::new(3);
    let mut model: BTreeMap<u8, (LeaseId, u8, State)> = BTreeMap::new();
    let mut random = 9_u64;
    let mut below = |limit: u64| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (random >> 33) % limit
    };
    for step in 0..20_000_u64 {
        let (address, number) = (below(40) as u8, below(60) as u8);
        let until = step + below(500);
        match (model.get(&address).copied(), below(6)) {
            (None, _) => {
                let id = book.insert(lease(address, number, State::Offered, until));
                model.insert(address, (id, number, State::Offered));
            }
            (Some((id, number, _)), 0) => {
                book.set_state(id, State::Bound, Boottime(step), Boottime(until));
                model.insert(address, (id, number, State::Bound));
            }
            (Some((id, _, State::Bound)), 1) => {
                book.set_state(id, State::Ended, Boottime(step), NEVER);
                book.remove(id);
                model.remove(&address);
            }
            (Some((id, _, state)), 2) => {
                book.set_client(id, |lease| lease.client = client(number));
                model.insert(address, (id, number, state));
            }
            (Some((id, ..)), 3) => {
                book.remove(id);
                model.remove(&address);
            }
            (Some((id, ..)), _) => book.set_deadline(id, Boottime(until)),
        }
        if step % 50 == 0 {
            book.check().unwrap();
            let listed: Vec<_> = book.from(None).collect();
            let expected: Vec<_> = model.values().map(|&(id, ..)| id).collect();
            assert_eq!(listed, expected);
        }
    }
}
