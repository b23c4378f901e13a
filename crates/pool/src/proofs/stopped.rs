//! A thread that stops in the middle of a call, for ever, stops nobody; and no call takes many
//! steps.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::vec::Vec;

use crate::sync::steps::{Steps, counted, stopped_after};
use crate::{Claim, Exhausted, Grant, OwnerTag, Plan, PoolId, Pools, Range, SpaceId, Wish};

const MAIN: SpaceId = SpaceId::MAIN;
/// More than any call may take on the pools here: beyond it, it would be waiting for somebody.
const MANY: u32 = 4_000;

fn ip(number: u32) -> Ipv4Addr {
    Ipv4Addr::from_bits(number)
}

fn tag(number: u32) -> OwnerTag {
    OwnerTag::new(number).expect("the test's tag is not zero")
}

fn range(first: u32, last: u32) -> Range {
    Range::new(ip(first), ip(last))
}

/// Two pools in a chain over three words of two blocks; one address is reserved.
struct World {
    pools: Pools,
    first: PoolId,
    /// What can be acquired from the chain when nobody holds anything.
    all: BTreeSet<Ipv4Addr>,
}

const RESERVED: u32 = 4_096;

impl World {
    fn new() -> Self {
        let pools = Pools::new(&Self::plan(Plan::new())).expect("the plan is right");
        let first = pools.pool("a").expect("the plan has the pool");
        let all = (4_030..=4_033).chain(4_094..=4_097).filter(|&a| a != RESERVED).map(ip);
        Self { pools, first, all: all.collect() }
    }

    fn plan(mut plan: Plan) -> Plan {
        plan.pool(MAIN, "a", &[range(4_094, 4_097)], Some("b"));
        plan.pool(MAIN, "b", &[range(4_030, 4_033)], Some("a"));
        plan.reserve(MAIN, ip(RESERVED));
        plan
    }

    /// Claims every address, in calls that all end soon.
    fn drain(&self) -> Vec<Claim> {
        let one = || within(MANY, || self.pools.acquire(self.first, Wish::default()));
        core::iter::from_fn(|| one().ok()).map(|grant| grant.claim).collect()
    }

    fn release(&self, claims: Vec<Claim>) {
        claims.into_iter().for_each(|claim| within(MANY, || self.pools.release(claim, None)));
    }
}

fn within<T>(steps: u32, run: impl FnOnce() -> T) -> T {
    stopped_after(steps, run).expect("the call ends whatever others do")
}

/// Stops `victim` before each of its accesses in turn, in a new world each time. `prepare` makes
/// what the victim needs, and what others hold and give back when the victim has stopped. They must
/// go on, and get all addresses but the one that the victim had its hands on.
fn stop_everywhere<S>(
    prepare: impl Fn(&World) -> (S, Vec<Claim>),
    victim: impl Fn(&World, S),
) -> u32 {
    for steps in 0..MANY {
        let world = World::new();
        let (state, others) = prepare(&world);
        let ended = stopped_after(steps, || victim(&world, state)).is_some();
        world.release(others);
        let mut before = None;
        for round in 0..4 {
            let claims = world.drain();
            let got: BTreeSet<_> = claims.iter().map(Claim::address).collect();
            assert_eq!(got.len(), claims.len(), "an address was given twice");
            let lost = world.all.difference(&got).count();
            assert!(got.is_subset(&world.all) && lost <= 1, "stopped after {steps}: {got:?}");
            assert!(before.is_none_or(|before| before == got), "an address was lost later");
            // A reservation that was stopped half-way takes effect with the first release.
            before = (round > 0).then_some(got);
            world.release(claims);
        }
        if ended {
            return steps;
        }
    }
    panic!("the call itself never ends");
}

fn acquire(world: &World, wish: Wish) -> Result<Grant, Exhausted> {
    world.pools.acquire(world.first, wish)
}

/// The victim never comes to keep what it acquires: its claim is lost with it.
fn acquire_and_lose(world: &World, wish: Wish) {
    let _lost = acquire(world, wish);
}

fn take(world: &World, address: u32) -> Claim {
    world.pools.take(MAIN, ip(address)).expect("the address is free")
}

#[test]
fn whoever_stops_while_acquiring_stops_nobody() {
    let any = Wish::default();
    let nothing = |_: &World| ((), Vec::new());
    assert!(stop_everywhere(nothing, |world, ()| acquire_and_lose(world, any)) > 2);
    let preferred = Wish { preferred: Some(ip(4_031)), ..any };
    stop_everywhere(nothing, |world, ()| acquire_and_lose(world, preferred));
    let remember = |world: &World| {
        world.pools.remember(MAIN, ip(4_095), tag(7)).expect("the address is free");
        ((), Vec::new())
    };
    let last = Wish { owner: Some(tag(7)), last: Some(ip(4_095)), ..any };
    stop_everywhere(remember, |world, ()| acquire_and_lose(world, last));
}

#[test]
fn whoever_stops_while_acquiring_the_last_address_stops_nobody() {
    let all_but_one = |world: &World| {
        let mut claims = world.drain();
        let last = claims.pop().expect("there were addresses");
        world.pools.release(last, None);
        ((), claims)
    };
    stop_everywhere(all_but_one, |world, ()| acquire_and_lose(world, Wish::default()));
}

#[test]
fn whoever_stops_while_proving_that_a_chain_is_empty_stops_nobody() {
    let exhausted = |world: &World| ((), world.drain());
    stop_everywhere(exhausted, |world, ()| {
        assert!(acquire(world, Wish::default()).is_err(), "all are held");
    });
    // The drain itself has left proofs; here a release has ended them.
    let was_exhausted = |world: &World| {
        let mut claims = world.drain();
        let one = claims.pop().expect("there were addresses");
        world.pools.release(one, None);
        claims.push(acquire(world, Wish::default()).expect("one is free").claim);
        ((), claims)
    };
    stop_everywhere(was_exhausted, |world, ()| {
        assert!(acquire(world, Wish::default()).is_err(), "all are held");
    });
}

#[test]
fn whoever_stops_while_releasing_stops_nobody() {
    for owner in [None, Some(tag(3))] {
        for address in [4_033, 4_094, 4_097] {
            let one = |world: &World| (take(world, address), Vec::new());
            stop_everywhere(one, |world, claim| world.pools.release(claim, owner));
        }
        // Into an empty chain, and in between proofs that it is empty.
        let all = |world: &World| {
            let mut claims = world.drain();
            (claims.pop().expect("there were addresses"), claims)
        };
        stop_everywhere(all, |world, claim| world.pools.release(claim, owner));
    }
}

#[test]
fn whoever_stops_in_quarantine_or_memory_stops_nobody() {
    let one = |world: &World| (take(world, 4_095), Vec::new());
    stop_everywhere(one, |world, claim| {
        let quarantined = world.pools.quarantine(claim);
        world.pools.pardon(quarantined, Some(tag(9)));
    });
    let nothing = |_: &World| ((), Vec::new());
    stop_everywhere(nothing, |world, ()| {
        world.pools.remember(MAIN, ip(4_030), tag(9)).expect("the address is free");
    });
}

#[test]
fn whoever_stops_while_reconfiguring_stops_nobody() {
    let nothing = |_: &World| ((), Vec::new());
    stop_everywhere(nothing, |world, ()| {
        let mut plan = World::plan(world.pools.plan());
        plan.reserve(MAIN, ip(4_097));
        let next = world.pools.reconfigure(&plan).expect("the plan is right");
        next.reconfigure(&World::plan(next.plan())).expect("the plan is right");
    });
}

/// A pool of a space without memory, from 10.0.0.0 up.
fn pool_of(count: u32) -> (Pools, PoolId) {
    let mut plan = Plan::new();
    plan.forget_owners(MAIN);
    let first = 10 << 24;
    plan.pool(MAIN, "p", &[range(first, first + (count - 1))], None);
    let pools = Pools::new(&plan).expect("the plan is right");
    let pool = pools.pool("p").expect("the plan has the pool");
    (pools, pool)
}

/// The most that an acquire and a release took, at every fill from none to all, and the least.
fn most_steps(count: u32) -> (Steps, Steps) {
    let (pools, pool) = pool_of(count);
    let mut most = (Steps::default(), Steps::default());
    let worse =
        |a: Steps, b: Steps| Steps { loads: a.loads.max(b.loads), writes: a.writes.max(b.writes) };
    let mut claims = Vec::new();
    loop {
        let (grant, acquire) = counted(|| pools.acquire(pool, Wish::default()));
        let Ok(grant) = grant else { break };
        let ((), release) = counted(|| pools.release(grant.claim, None));
        most = (worse(most.0, acquire), worse(most.1, release));
        claims.push(pools.acquire(pool, Wish::default()).expect("it is free again").claim);
    }
    // From full: the lowest, which no hint leads to yet, and all the others.
    for claim in claims.into_iter().rev() {
        let ((), release) = counted(|| pools.release(claim, None));
        let (grant, acquire) = counted(|| pools.acquire(pool, Wish::default()));
        most = (worse(most.0, acquire), worse(most.1, release));
        pools.release(grant.expect("one is free").claim, None);
    }
    most
}

#[test]
fn no_call_takes_many_steps() {
    let steps = |loads, writes| Steps { loads, writes };
    // Up to a /16 the summaries of its blocks are read one by one; above, the crown leads.
    assert_eq!(most_steps(245), (steps(4, 2), steps(4, 3)));
    assert_eq!(most_steps(1 << 16), (steps(19, 2), steps(5, 3)));
    assert_eq!(most_steps(1 << 18), (steps(8, 2), steps(5, 4)));
}

#[test]
fn an_exhausted_pool_says_so_in_few_steps() {
    for (count, loads) in [(245, 5), (1 << 16, 19), (1 << 19, 8)] {
        let (pools, pool) = pool_of(count);
        while pools.acquire(pool, Wish::default()).is_ok() {}
        let (again, steps) = counted(|| pools.acquire(pool, Wish::default()));
        assert!(again.is_err(), "all addresses are held");
        assert_eq!(steps, Steps { loads, writes: 0 });
    }
}
