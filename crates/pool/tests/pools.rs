//! What callers may rely on, without other threads.

use std::net::Ipv4Addr;

use leasehold_pool::{
    AddressState, Claim, Exhausted, OwnerTag, Plan, PlanError, PoolId, Pools, Range, Refused,
    SpaceId, Usage, Wish,
};

const MAIN: SpaceId = SpaceId::MAIN;

fn ip(text: &str) -> Ipv4Addr {
    text.parse().expect("the test's address is one")
}

fn range(first: &str, last: &str) -> Range {
    Range::new(ip(first), ip(last))
}

fn tag(number: u32) -> OwnerTag {
    OwnerTag::new(number).expect("the test's tag is not zero")
}

/// One pool `p` of the ranges.
fn plan(ranges: &[(&str, &str)]) -> Plan {
    let mut plan = Plan::new();
    let ranges: Vec<_> = ranges.iter().map(|(a, b)| range(a, b)).collect();
    plan.pool(MAIN, "p", &ranges, None);
    plan
}

fn pools(ranges: &[(&str, &str)]) -> (Pools, PoolId) {
    let pools = Pools::new(&plan(ranges)).expect("the test's plan is right");
    let pool = pools.pool("p").expect("the plan has a pool p");
    (pools, pool)
}

fn any(pools: &Pools, pool: PoolId) -> Claim {
    pools.acquire(pool, Wish::default()).expect("an address is free").claim
}

fn preferring(address: &str) -> Wish {
    Wish { preferred: Some(ip(address)), ..Wish::default() }
}

#[test]
fn the_highest_address_comes_first_and_every_one_comes_once() {
    let (pools, pool) = pools(&[("67.9.97.10", "67.9.97.254")]);
    let claims: Vec<_> = (0..245).map(|_| any(&pools, pool)).collect();
    let expected: Vec<_> = (10..=254).rev().map(|last| Ipv4Addr::new(67, 9, 97, last)).collect();
    assert_eq!(claims.iter().map(Claim::address).collect::<Vec<_>>(), expected);
    assert_eq!(pools.acquire(pool, Wish::default()), Err(Exhausted));
    assert_eq!(pools.acquire(pool, preferring("67.9.97.9")), Err(Exhausted));
    let usage = Usage { total: 245, used: 245, available: 0, quarantined: 0 };
    assert_eq!(pools.usage(pool), usage);
    for claim in claims {
        pools.release(claim, None);
    }
    assert_eq!(any(&pools, pool).address(), ip("67.9.97.254"));
}

#[test]
fn ranges_anywhere_are_used_from_the_highest_down() {
    let ranges = [
        ("0.0.0.0", "0.0.0.1"),
        ("255.255.255.254", "255.255.255.255"),
        ("10.0.15.255", "10.0.16.0"),
        ("9.255.255.255", "10.0.0.0"),
        ("128.0.0.7", "128.0.0.7"),
    ];
    let (pools, pool) = pools(&ranges);
    let given: Vec<_> = (0..9).map(|_| any(&pools, pool).address()).collect();
    let expected = [
        "255.255.255.255",
        "255.255.255.254",
        "128.0.0.7",
        "10.0.16.0",
        "10.0.15.255",
        "10.0.0.0",
        "9.255.255.255",
        "0.0.0.1",
        "0.0.0.0",
    ];
    assert_eq!(given, expected.map(ip));
    assert_eq!(pools.acquire(pool, Wish::default()), Err(Exhausted));
}

#[test]
fn a_remembered_address_waits_for_its_owner() {
    let (pools, pool) = pools(&[("10.0.0.1", "10.0.0.4")]);
    let first = any(&pools, pool);
    assert_eq!(first.address(), ip("10.0.0.4"));
    pools.release(first, Some(tag(7)));
    assert_eq!(pools.state(MAIN, ip("10.0.0.4")), AddressState::Remembered(tag(7)));
    let others: Vec<_> = (0..3).map(|_| any(&pools, pool).address()).collect();
    assert_eq!(others, ["10.0.0.3", "10.0.0.2", "10.0.0.1"].map(ip));

    let stranger = Wish { owner: Some(tag(8)), last: Some(ip("10.0.0.4")), ..Wish::default() };
    let owner = Wish { owner: Some(tag(7)), ..stranger };
    let claim = pools.acquire(pool, owner).expect("it is remembered for the owner").claim;
    assert_eq!(claim.address(), ip("10.0.0.4"));
    pools.release(claim, Some(tag(7)));
    // Nothing else is left, so the stranger gets it all the same.
    assert_eq!(any(&pools, pool).address(), ip("10.0.0.4"));
}

#[test]
fn a_stranger_gets_no_remembered_address_while_a_fresh_one_is_free() {
    let (pools, pool) = pools(&[("10.0.0.1", "10.0.0.4")]);
    pools.remember(MAIN, ip("10.0.0.4"), tag(7)).expect("it is free");
    let stranger = Wish { owner: Some(tag(8)), last: Some(ip("10.0.0.4")), ..Wish::default() };
    let claim = pools.acquire(pool, stranger).expect("three are fresh").claim;
    assert_eq!(claim.address(), ip("10.0.0.3"));
    let asking = pools.acquire(pool, preferring("10.0.0.4")).expect("it is free").claim;
    assert_eq!(asking.address(), ip("10.0.0.4"));
}

#[test]
fn the_next_pool_comes_when_the_pool_is_empty_and_a_circle_ends() {
    let mut plan = Plan::new();
    plan.pool(MAIN, "a", &[range("10.0.0.1", "10.0.0.2")], Some("b"));
    plan.pool(MAIN, "b", &[range("10.9.0.1", "10.9.0.1")], Some("c"));
    plan.pool(MAIN, "c", &[range("10.0.0.2", "10.0.0.3")], Some("b"));
    plan.pool(MAIN, "self", &[range("10.8.0.1", "10.8.0.1")], Some("self"));
    let pools = Pools::new(&plan).expect("circles are legal");
    let id = |name| pools.pool(name).expect("it is in the plan");
    let chain = |name| pools.chain(id(name)).map(|pool| pools.name(pool)).collect::<Vec<_>>();
    assert_eq!(chain("a"), ["a", "b", "c"]);
    assert_eq!(chain("b"), ["b", "c"]);
    assert_eq!(chain("c"), ["c", "b"]);
    assert_eq!(chain("self"), ["self"]);

    let kept = pools.take(MAIN, ip("10.0.0.2")).expect("it is free");
    pools.release(kept, Some(tag(1)));
    let mut given = Vec::new();
    while let Ok(grant) = pools.acquire(id("a"), Wish::default()) {
        given.push((grant.claim.address(), pools.name(grant.pool).to_owned()));
    }
    // The remembered address of the pool comes before the fresh ones of the next pool.
    let expected = [("10.0.0.1", "a"), ("10.0.0.2", "a"), ("10.9.0.1", "b"), ("10.0.0.3", "c")];
    assert_eq!(given, expected.map(|(address, pool)| (ip(address), pool.to_owned())));
    assert!(pools.acquire(id("self"), Wish::default()).is_ok());
    assert_eq!(pools.acquire(id("self"), Wish::default()), Err(Exhausted));
}

#[test]
fn overlapping_pools_share_addresses_and_spaces_do_not() {
    let mut plan = Plan::new();
    let blue = plan.space("blue");
    plan.pool(MAIN, "p", &[range("10.0.0.1", "10.0.0.9")], None);
    plan.pool(MAIN, "q", &[range("10.0.0.5", "10.0.0.12")], None);
    plan.pool(blue, "r", &[range("10.0.0.1", "10.0.0.9")], None);
    let pools = Pools::new(&plan).expect("overlap is legal");
    let id = |name| pools.pool(name).expect("it is in the plan");
    assert_eq!(any(&pools, id("p")).address(), ip("10.0.0.9"));
    assert_eq!(any(&pools, id("q")).address(), ip("10.0.0.12"));
    let from_q = pools.acquire(id("q"), preferring("10.0.0.9")).expect("others are free").claim;
    assert_eq!(from_q.address(), ip("10.0.0.11"));
    assert_eq!(pools.usage(id("q")).used, 3);
    let in_blue = any(&pools, id("r"));
    assert_eq!((in_blue.address(), in_blue.space()), (ip("10.0.0.9"), blue));
}

#[test]
fn a_reserved_address_goes_only_to_who_asks_for_it_as_such() {
    let mut plan = plan(&[("10.0.0.1", "10.0.0.3")]);
    plan.reserve(MAIN, ip("10.0.0.3"));
    plan.reserve(MAIN, ip("192.168.7.7"));
    let pools = Pools::new(&plan).expect("the plan is right");
    let pool = pools.pool("p").expect("the plan has a pool p");
    assert_eq!(pools.usage(pool).available, 2);
    assert_eq!(pools.take(MAIN, ip("10.0.0.3")), Err(Refused::Reserved));
    assert_eq!(pools.take_reserved(MAIN, ip("10.0.0.2")), Err(Refused::NotReserved));
    let other = pools.acquire(pool, preferring("10.0.0.3")).expect("two are free").claim;
    assert_eq!(other.address(), ip("10.0.0.2"));
    let claim = pools.take_reserved(MAIN, ip("10.0.0.3")).expect("it is vacant");
    assert_eq!(pools.take_reserved(MAIN, ip("10.0.0.3")), Err(Refused::Claimed));
    pools.release(claim, Some(tag(5)));
    assert_eq!(pools.state(MAIN, ip("10.0.0.3")), AddressState::Vacant);
    assert_eq!(pools.state(MAIN, ip("192.168.7.7")), AddressState::Vacant);
    assert_eq!(pools.state(MAIN, ip("192.168.7.8")), AddressState::NotCovered);

    // Without the reservation it is free again, remembered for the one that had it.
    let mut next = pools.plan();
    next.pool(MAIN, "p", &[range("10.0.0.1", "10.0.0.3")], None);
    let pools = pools.reconfigure(&next).expect("the plan is right");
    assert_eq!(pools.state(MAIN, ip("10.0.0.3")), AddressState::Remembered(tag(5)));
    assert_eq!(pools.state(MAIN, ip("192.168.7.7")), AddressState::NotCovered);
}

#[test]
fn a_reservation_of_a_claimed_address_waits_for_its_release() {
    let (old, pool) = pools(&[("10.0.0.1", "10.0.0.1")]);
    let claim = any(&old, pool);
    let mut next = old.plan();
    next.pool(MAIN, "p", &[range("10.0.0.1", "10.0.0.1")], None);
    next.reserve(MAIN, ip("10.0.0.1"));
    let new = old.reconfigure(&next).expect("the plan is right");
    assert_eq!(new.take_reserved(MAIN, ip("10.0.0.1")), Err(Refused::Claimed));
    old.release(claim, None);
    assert_eq!(new.state(MAIN, ip("10.0.0.1")), AddressState::Vacant);
    assert_eq!(old.acquire(pool, Wish::default()), Err(Exhausted));
}

#[test]
fn claims_live_through_a_reconfiguration() {
    let (old, pool) = pools(&[("10.0.0.1", "10.0.0.200")]);
    let inside = pools_take(&old, "10.0.0.50");
    let outside = pools_take(&old, "10.0.0.150");
    let mut next = old.plan();
    next.pool(MAIN, "p", &[range("10.0.0.49", "10.0.0.51"), range("10.7.0.1", "10.7.0.1")], None);
    next.cover(MAIN, ip("10.0.0.151"));
    let new = old.reconfigure(&next).expect("the plan is right");
    assert_eq!(old.reconfigure(&next).err(), Some(PlanError::Superseded));
    let given: Vec<_> = (0..3).map(|_| any(&new, pool).address()).collect();
    assert_eq!(given, ["10.7.0.1", "10.0.0.51", "10.0.0.49"].map(ip));
    assert_eq!(new.take(MAIN, ip("10.0.0.150")), Err(Refused::NotCovered));
    assert!(new.take(MAIN, ip("10.0.0.151")).is_ok());
    new.release(outside, None);
    assert_eq!(new.acquire(pool, Wish::default()), Err(Exhausted));
    new.release(inside, None);
    assert_eq!(any(&new, pool).address(), ip("10.0.0.50"));
}

fn pools_take(pools: &Pools, address: &str) -> Claim {
    pools.take(MAIN, ip(address)).expect("it is free")
}

#[test]
fn a_quarantined_address_is_counted_and_comes_back() {
    let (pools, pool) = pools(&[("10.0.0.1", "10.0.0.2")]);
    let quarantined = pools.quarantine(any(&pools, pool));
    assert_eq!(quarantined.address(), ip("10.0.0.2"));
    assert_eq!(pools.state(MAIN, ip("10.0.0.2")), AddressState::Quarantined);
    assert_eq!(pools.take(MAIN, ip("10.0.0.2")), Err(Refused::Quarantined));
    let usage = Usage { total: 2, used: 1, available: 1, quarantined: 1 };
    assert_eq!(pools.usage(pool), usage);
    pools.pardon(quarantined, None);
    assert_eq!(pools.usage(pool).quarantined, 0);
    assert_eq!(any(&pools, pool).address(), ip("10.0.0.2"));
}

#[test]
fn a_space_without_memory_gives_the_highest_address_whoever_had_it() {
    let mut plan = plan(&[("10.0.0.1", "10.0.0.4")]);
    plan.forget_owners(MAIN);
    let pools = Pools::new(&plan).expect("the plan is right");
    let pool = pools.pool("p").expect("the plan has a pool p");
    let claim = any(&pools, pool);
    pools.release(claim, Some(tag(7)));
    assert_eq!(pools.state(MAIN, ip("10.0.0.4")), AddressState::Fresh);
    assert_eq!(any(&pools, pool).address(), ip("10.0.0.4"));
}

#[test]
fn a_wrong_plan_is_refused_by_rule_and_place() {
    let refusal = |change: &dyn Fn(&mut Plan)| {
        let mut plan = plan(&[("10.0.0.1", "10.0.0.4")]);
        change(&mut plan);
        Pools::new(&plan).err().map(|error| error.to_string())
    };
    let text = |text: &str| Some(text.to_owned());
    let one = [range("10.1.0.1", "10.1.0.1")];
    assert_eq!(refusal(&|_| ()), None);
    assert_eq!(refusal(&|plan| plan.pool(MAIN, "p", &one, None)), text("two pools are named p"));
    assert_eq!(refusal(&|plan| plan.pool(MAIN, "q", &[], None)), text("pool q has no ranges"));
    assert_eq!(
        refusal(&|plan| plan.pool(MAIN, "q", &[range("10.0.0.2", "10.0.0.1")], None)),
        text("pool q: range 10.0.0.2-10.0.0.1 ends before it begins")
    );
    let overlapping = [range("10.0.0.5", "10.0.0.9"), range("10.0.0.1", "10.0.0.5")];
    assert_eq!(
        refusal(&|plan| plan.pool(MAIN, "q", &overlapping, None)),
        text("pool q: ranges 10.0.0.1-10.0.0.5 and 10.0.0.5-10.0.0.9 overlap")
    );
    assert_eq!(
        refusal(&|plan| plan.pool(MAIN, "q", &one, Some("r"))),
        text("pool q: there is no pool r to go to next")
    );
    assert_eq!(
        refusal(&|plan| {
            let blue = plan.space("blue");
            plan.pool(blue, "q", &one, Some("p"));
        }),
        text("pool q: its next pool p is in another address space")
    );
    assert_eq!(
        refusal(&|plan| plan.pool(MAIN, "q", &[range("0.0.0.0", "255.255.255.255")], None)),
        text("4294967296 addresses in whole /20 blocks, at most 67108864 are possible")
    );
}
