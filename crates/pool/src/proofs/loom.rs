//! What the model checker proves: every interleaving of a few threads, on words of two bits.
//!
//! Each scenario must hold as the crate ships, and must fail with each planted bug that concerns
//! it. `RUSTFLAGS="--cfg loom" cargo test -p leasehold-pool --lib --release -- --nocapture loom`

use std::boxed::Box;
use std::net::Ipv4Addr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::println;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::vec::Vec;

use loom::thread;

use crate::mutant::Mutant;
use crate::pool::Found;
use crate::{AddressState, Claim, Home, OwnerTag, Plan, PoolId, Pools, Range, SpaceId, Wish};

const MAIN: SpaceId = SpaceId::MAIN;

/// Addresses 0 and 1 are in one word, 2 and 3 in the next; 4 begins the next block.
fn ip(number: u32) -> Ipv4Addr {
    Ipv4Addr::from_bits(number)
}

fn tag(number: u32) -> OwnerTag {
    OwnerTag::new(number).expect("the scenario's tag is not zero")
}

fn plan(last: u32) -> Plan {
    let mut plan = Plan::new();
    plan.pool(MAIN, "p", &[Range::new(ip(0), ip(last))], None);
    plan
}

/// One pool `p` of the addresses `0..=last`.
fn pools(last: u32) -> Pools {
    Pools::new(&plan(last)).expect("the plan is right")
}

fn id(pools: &Pools, name: &str) -> PoolId {
    pools.pool(name).expect("the plan has the pool")
}

fn acquire(pools: &Pools) -> Option<Claim> {
    pools.acquire(id(pools, "p"), Wish::default()).ok().map(|grant| grant.claim)
}

fn take(pools: &Pools, number: u32) -> Claim {
    pools.take(MAIN, ip(number)).expect("the address is free")
}

fn spawn<T: 'static>(
    pools: &Pools,
    run: impl FnOnce(&Pools) -> T + 'static,
) -> thread::JoinHandle<T> {
    let pools = pools.clone();
    thread::spawn(move || run(&pools))
}

fn join<T>(thread: thread::JoinHandle<T>) -> T {
    thread.join().expect("the thread ends")
}

/// With no call under way, the hints must lead to exactly `free` addresses.
fn assert_hints_lead_to(pools: &Pools, free: usize) {
    let found = core::iter::from_fn(|| pools.take_by_hints(id(pools, "p"))).count();
    assert_eq!(found, free, "addresses that the hints lead to");
}

/// Runs a scenario through all interleavings; how many there were, or were until it failed.
fn interleavings(
    mutant: Option<Mutant>,
    preemptions: usize,
    scenario: fn(),
) -> Result<usize, usize> {
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(preemptions);
    model.max_branches = 10_000;
    let check = || {
        model.check(move || {
            counted.fetch_add(1, Ordering::Relaxed);
            scenario();
        });
    };
    let outcome = crate::mutant::with_planted(mutant, || catch_unwind(AssertUnwindSafe(check)));
    let count = count.load(Ordering::Relaxed);
    outcome.map(|()| count).map_err(|_| count)
}

/// The scenario holds as the crate ships, and fails with each of the bugs.
fn prove(name: &str, preemptions: usize, scenario: fn(), bugs: &[Mutant]) {
    let proof = interleavings(None, preemptions, scenario);
    let count = proof.unwrap_or_else(|count| panic!("{name} fails in interleaving {count}"));
    println!("{name}: holds in all {count} interleavings of at most {preemptions} preemptions");
    quietly(|| {
        for &bug in bugs {
            match interleavings(Some(bug), preemptions, scenario) {
                Ok(count) => panic!("{name}: {bug:?} is not found in {count} interleavings"),
                Err(count) => println!("{name}: {bug:?} is found in interleaving {count}"),
            }
        }
    });
}

/// Bugs that are found panic; their messages are no news.
fn quietly(run: impl FnOnce()) {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| ()));
    let outcome = catch_unwind(AssertUnwindSafe(run));
    std::panic::set_hook(hook);
    if let Err(panic) = outcome {
        std::panic::resume_unwind(panic);
    }
}

#[test]
fn an_address_has_one_owner() {
    fn scenario() {
        let pools = pools(0);
        let other = spawn(&pools, acquire);
        let mine = pools.take(MAIN, ip(0)).is_ok();
        assert!(mine != join(other).is_some(), "one of the two gets the address");
    }
    prove("an address has one owner", 4, scenario, &[]);
}

#[test]
fn two_threads_never_exhaust_two_addresses() {
    fn scenario() {
        let pools = pools(1);
        let claim = acquire(&pools).expect("two are free");
        let other = spawn(&pools, |pools| acquire(pools).expect("one address is free"));
        pools.release(claim, None);
        let mine = acquire(&pools).expect("one address is free");
        let others = join(other);
        assert_ne!(mine.address(), others.address(), "an address has one owner");
        pools.release(mine, None);
        pools.release(others, None);
        assert_hints_lead_to(&pools, 2);
    }
    prove("two addresses for two", 4, scenario, &[Mutant::BelieveHints]);
}

#[test]
fn a_scan_is_no_proof_while_addresses_move_behind_it() {
    fn scenario() {
        let mut plan = Plan::new();
        plan.pool(MAIN, "p", &[Range::new(ip(1), ip(2))], None);
        let pools = Pools::new(&plan).expect("the plan is right");
        let two = take(&pools, 2);
        // At each moment one of the two addresses is free.
        let other = spawn(&pools, |pools| {
            pools.release(two, None);
            pools.take(MAIN, ip(1)).is_ok()
        });
        let found = pools.take_or_prove(id(&pools, "p"));
        assert!(!matches!(found, Some(Found::Empty(_))), "an address was free all the time");
        join(other);
    }
    let bugs = [
        Mutant::NoLookAtWatches,
        Mutant::WatchesNotSet,
        Mutant::NoticeBeforeBit,
        Mutant::LoadsOutOfOrder,
    ];
    prove("a scan with an address moving behind it", 4, scenario, &bugs);
}

#[test]
fn a_proof_ends_with_the_next_release() {
    fn scenario() {
        let pools = pools(0);
        let claim = acquire(&pools).expect("the address is free");
        let other = spawn(&pools, |pools| acquire(pools).is_some());
        assert!(acquire(&pools).is_none(), "the address is held");
        pools.release(claim, None);
        let mine = acquire(&pools);
        assert!(mine.is_some() != join(other), "one of the two gets the address");
    }
    let bugs = [Mutant::WatchesNotSet, Mutant::NoticeBeforeBit, Mutant::BelieveHints];
    prove("a proof and the next release", 3, scenario, &bugs[..0]);
}

#[test]
fn the_hints_of_words_are_complete_at_rest() {
    fn scenario() {
        let pools = pools(3);
        let claims = core::array::from_fn::<_, 4, _>(|_| acquire(&pools));
        let [_three, _two, one, zero] = claims.map(|claim| claim.expect("four are free"));
        pools.release(zero, None);
        let other = spawn(&pools, move |pools| pools.release(one, None));
        let mine = acquire(&pools).is_some();
        join(other);
        assert!(mine, "an address was free all the time");
        assert_hints_lead_to(&pools, 1);
    }
    let bugs = [Mutant::NoSecondLookAtWord, Mutant::AnnounceBeforeBit, Mutant::LoadsOutOfOrder];
    prove("hints of words", 4, scenario, &bugs);
}

#[test]
fn the_hints_of_blocks_are_complete_at_rest() {
    fn scenario() {
        let pools = pools(7);
        let mut claims: Vec<_> = (0..8).map(|number| take(&pools, number)).collect();
        let zero = claims.swap_remove(0);
        let other = spawn(&pools, move |pools| pools.release(zero, None));
        // Not `acquire`: its scan would mend the hints.
        let mine = pools.take_by_hints(id(&pools, "p")).is_some();
        join(other);
        assert_hints_lead_to(&pools, usize::from(!mine));
    }
    let bugs = [Mutant::NoSecondLookAtSummary];
    prove("hints of blocks", 4, scenario, &bugs);
}

#[test]
fn a_chain_is_exhausted_at_one_moment() {
    fn scenario() {
        let mut plan = Plan::new();
        plan.pool(MAIN, "p", &[Range::from(ip(0))], Some("q"));
        plan.pool(MAIN, "q", &[Range::from(ip(2))], None);
        let pools = Pools::new(&plan).expect("the plan is right");
        let zero = take(&pools, 0);
        // At each moment one of the two addresses is free.
        let other = spawn(&pools, |pools| {
            pools.release(zero, None);
            pools.take(MAIN, ip(2)).is_ok()
        });
        assert!(acquire(&pools).is_some(), "an address of the chain was free all the time");
        join(other);
    }
    prove("a chain of two pools", 4, scenario, &[Mutant::ProofsApart]);
}

#[test]
fn a_reservation_meets_a_release() {
    fn scenario() {
        let pools = pools(0);
        let claim = take(&pools, 0);
        let other = spawn(&pools, move |pools| pools.release(claim, None));
        let mut next = plan(0);
        next.reserve(MAIN, ip(0));
        let next = pools.reconfigure(&next).expect("the plan is right");
        join(other);
        assert_eq!(next.state(MAIN, ip(0)), AddressState::Vacant);
        assert!(acquire(&next).is_none(), "the address is reserved");
        assert!(next.take_reserved(MAIN, ip(0)).is_ok(), "nobody has it");
    }
    prove("reserve and release", 4, scenario, &[Mutant::NoSecondLookAtReservation]);
}

#[test]
fn the_end_of_a_reservation_meets_a_release() {
    fn scenario() {
        let mut first = plan(0);
        first.reserve(MAIN, ip(0));
        let pools = Pools::new(&first).expect("the plan is right");
        let claim = pools.take_reserved(MAIN, ip(0)).expect("nobody has it");
        let other = spawn(&pools, move |pools| pools.release(claim, None));
        let next = pools.reconfigure(&plan(0)).expect("the plan is right");
        join(other);
        assert_eq!(next.state(MAIN, ip(0)), AddressState::Fresh);
        assert_hints_lead_to(&next, 1);
    }
    prove("unreserve and release", 4, scenario, &[Mutant::NoSecondLookAtReservation]);
}

#[test]
fn a_reservation_meets_an_acquire_and_its_release() {
    fn scenario() {
        let pools = pools(0);
        let other = spawn(&pools, |pools| {
            if let Some(claim) = acquire(pools) {
                pools.release(claim, Some(tag(1)));
            }
        });
        let mut next = plan(0);
        next.reserve(MAIN, ip(0));
        let next = pools.reconfigure(&next).expect("the plan is right");
        join(other);
        assert_eq!(next.state(MAIN, ip(0)), AddressState::Vacant);
    }
    prove("reserve, acquire, release", 4, scenario, &[Mutant::NoSecondLookAtReservation]);
}

#[test]
fn the_tag_is_that_of_the_last_owner() {
    fn scenario() {
        let pools = pools(0);
        let claim = take(&pools, 0);
        let other = spawn(&pools, |pools| {
            let claim = acquire(pools)?;
            pools.release(claim, Some(tag(2)));
            Some(())
        });
        pools.release(claim, Some(tag(1)));
        let last = if join(other).is_some() { tag(2) } else { tag(1) };
        assert_eq!(pools.state(MAIN, ip(0)), AddressState::Remembered(last));
    }
    prove("the last owner's tag", 4, scenario, &[Mutant::TagAfterToken]);
}

#[test]
fn the_last_address_is_given_to_its_owner_alone() {
    fn scenario() {
        let pools = pools(1);
        pools.remember(MAIN, ip(0), tag(7)).expect("it is free");
        let other = spawn(&pools, |pools| {
            let wish = Wish { preferred: Some(ip(0)), ..Wish::default() };
            let claim = pools.acquire(id(pools, "p"), wish).expect("one is free").claim;
            let address = claim.address();
            pools.release(claim, Some(tag(8)));
            address
        });
        let wish = Wish { owner: Some(tag(7)), last: Some(ip(0)), preferred: None };
        let mine = pools.acquire(id(&pools, "p"), wish).expect("one is free").claim;
        // If the other had it, it is not remembered for us any more, and a fresh one was free.
        assert_ne!(mine.address(), join(other), "remembered for another owner");
    }
    prove("the owner's last address", 4, scenario, &[Mutant::NoSecondLookAtTag]);
}

#[test]
fn homes_never_exhaust_what_two_threads_share() {
    fn scenario() {
        let pools = pools(1);
        let claim = acquire(&pools).expect("two are free");
        let near = |pools: &Pools, seed| {
            let granted = pools.acquire_near(id(pools, "p"), &mut Home::new(seed));
            granted.expect("one address is free").claim
        };
        let other = spawn(&pools, move |pools| near(pools, 1));
        pools.release(claim, None);
        let mine = near(&pools, 2);
        let others = join(other);
        assert_ne!(mine.address(), others.address(), "an address has one owner");
        pools.release(mine, None);
        pools.release(others, None);
        assert_hints_lead_to(&pools, 2);
    }
    prove("two homes in one word", 3, scenario, &[Mutant::HomeIsAll, Mutant::BelieveHints]);
}

#[test]
fn a_home_and_the_order_leave_the_hints_complete() {
    fn scenario() {
        let pools = pools(3);
        let claims = core::array::from_fn::<_, 4, _>(|_| acquire(&pools));
        let [_three, _two, one, zero] = claims.map(|claim| claim.expect("four are free"));
        pools.release(zero, None);
        let other = spawn(&pools, move |pools| pools.release(one, None));
        let mine = pools.acquire_near(id(&pools, "p"), &mut Home::new(1)).is_ok();
        join(other);
        assert!(mine, "an address was free all the time");
        assert_hints_lead_to(&pools, 1);
    }
    let bugs = [Mutant::NoSecondLookAtWord, Mutant::AnnounceBeforeBit, Mutant::LoadsOutOfOrder];
    prove("hints of words beside a home", 4, scenario, &bugs);
}

#[test]
fn three_threads_share_three_addresses() {
    fn scenario() {
        let pools = pools(2);
        let cycle = |pools: &Pools| {
            let claim = acquire(pools).expect("an address is free for each thread");
            let address = claim.address();
            pools.release(claim, None);
            address
        };
        let others = [spawn(&pools, cycle), spawn(&pools, cycle)];
        cycle(&pools);
        for other in others {
            join(other);
        }
        assert_hints_lead_to(&pools, 3);
    }
    prove("three threads, three addresses", 2, scenario, &[]);
}
