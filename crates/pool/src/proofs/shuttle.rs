//! What random schedules of three to eight threads show, on words of real width.
//!
//! `RUSTFLAGS="--cfg shuttle" cargo test -p leasehold-pool --lib --release`, with the number of
//! schedules of each scenario in `SCHEDULES`.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::vec::Vec;

use shuttle::scheduler::{PctScheduler, RandomScheduler};
use shuttle::{Config, Runner, thread};

use crate::{AddressState, Claim, Home, OwnerTag, Plan, PoolId, Pools, Range, SpaceId, Wish};

const MAIN: SpaceId = SpaceId::MAIN;

/// Runs a scenario under random schedules, and under those with few changes of thread at chosen
/// points (PCT), which find other bugs.
pub(super) fn schedules(scenario: impl Fn() + Send + Sync + 'static) {
    let schedules = std::env::var("SCHEDULES").ok().and_then(|text| text.parse().ok());
    let schedules = schedules.unwrap_or(1_000);
    let scenario = Arc::new(scenario);
    let again = Arc::clone(&scenario);
    let mut config = Config::new();
    // The checker's atomics are larger than real ones, and blocks are made on the stack.
    config.stack_size = 1 << 20;
    Runner::new(RandomScheduler::new(schedules), config.clone()).run(move || scenario());
    Runner::new(PctScheduler::new(4, schedules), config).run(move || again());
}

fn ip(number: u32) -> Ipv4Addr {
    Ipv4Addr::from_bits(number)
}

/// The addresses `4_095 - before ..= 4_095 + after`: from one block into the next.
fn plan(before: u32, after: u32) -> Plan {
    let mut plan = Plan::new();
    plan.pool(MAIN, "p", &[Range::new(ip(4_095 - before), ip(4_095 + after))], None);
    plan
}

fn pool(pools: &Pools) -> PoolId {
    pools.pool("p").expect("the plan has the pool")
}

fn addresses(claims: &[Claim]) -> BTreeSet<Ipv4Addr> {
    let addresses: BTreeSet<_> = claims.iter().map(Claim::address).collect();
    assert_eq!(addresses.len(), claims.len(), "an address was given twice");
    addresses
}

fn spawn_each(
    pools: &Pools,
    count: u32,
    run: impl Fn(&Pools, u32) + Send + Sync + 'static,
) -> Vec<thread::JoinHandle<()>> {
    let run = Arc::new(run);
    let spawn = |number| {
        let (pools, run) = (pools.clone(), Arc::clone(&run));
        thread::spawn(move || run(&pools, number))
    };
    (0..count).map(spawn).collect()
}

fn join_all(threads: Vec<thread::JoinHandle<()>>) {
    threads.into_iter().for_each(|thread| thread.join().expect("no thread fails"));
}

/// Each thread holds one address at most, and there are as many as threads: there is always one.
fn one_for_each(threads: u32, before: u32, after: u32) {
    schedules(move || {
        let mut plan = plan(before, after);
        plan.forget_owners(MAIN);
        let pools = Pools::new(&plan).expect("the plan is right");
        let taken: Arc<Vec<_>> = Arc::new((0..threads).map(|_| AtomicBool::new(false)).collect());
        let lowest = 4_095 - before;
        join_all(spawn_each(&pools, threads, move |pools, number| {
            let mut home = Home::new(number.into());
            for round in 0..3 {
                let preferred = (round == number % 3).then(|| ip(lowest + number));
                let wish = Wish { preferred, ..Wish::default() };
                let granted = match round == (number + 1) % 3 {
                    true => pools.acquire_near(pool(pools), &mut home),
                    false => pools.acquire(pool(pools), wish),
                };
                let claim = granted.expect("there is one for each").claim;
                let slot = (claim.address().to_bits() - lowest) as usize;
                assert!(!taken[slot].swap(true, Ordering::Relaxed), "given twice");
                thread::yield_now();
                taken[slot].store(false, Ordering::Relaxed);
                pools.release(claim, None);
            }
        }));
        let by_hints = core::iter::from_fn(|| pools.take_by_hints(pool(&pools)));
        assert_eq!(by_hints.count(), threads as usize, "the hints lead to all at rest");
    });
}

#[test]
fn three_threads_never_exhaust_three_addresses() {
    one_for_each(3, 1, 1);
}

#[test]
fn eight_threads_never_exhaust_eight_addresses() {
    one_for_each(8, 3, 4);
}

#[test]
fn five_threads_never_exhaust_a_chain_of_five() {
    schedules(|| {
        let mut plan = Plan::new();
        plan.forget_owners(MAIN);
        let range = |first, last| Range::new(ip(first), ip(last));
        plan.pool(MAIN, "p", &[range(10, 10), range(100, 100)], Some("q"));
        plan.pool(MAIN, "q", &[range(63, 64)], Some("r"));
        plan.pool(MAIN, "r", &[range(200, 200), range(10, 10)], Some("p"));
        let pools = Pools::new(&plan).expect("the plan is right");
        join_all(spawn_each(&pools, 5, |pools, _| {
            for _ in 0..2 {
                let grant = pools.acquire(pool(pools), Wish::default());
                let grant = grant.expect("there is one for each");
                assert!(pools.contains(grant.pool, grant.claim.address()));
                pools.release(grant.claim, None);
            }
        }));
    });
}

#[test]
fn owners_reservations_and_quarantine_lose_no_address() {
    schedules(|| {
        let pools = Pools::new(&plan(2, 2)).expect("the plan is right");
        let threads = spawn_each(&pools, 3, |pools, number| {
            let owner = OwnerTag::new(number + 1);
            let mut last = None;
            for _ in 0..3 {
                let wish = Wish { owner, last, preferred: None };
                let Ok(grant) = pools.acquire(pool(pools), wish) else { continue };
                last = Some(grant.claim.address());
                if number == 0 {
                    let quarantined = pools.quarantine(grant.claim);
                    pools.pardon(quarantined, owner);
                } else {
                    pools.release(grant.claim, owner);
                }
            }
        });
        let reserving = |pools: &Pools, address| {
            let mut next = plan(2, 2);
            next.reserve(MAIN, ip(address));
            pools.reconfigure(&next).expect("the plan is right")
        };
        let newest = reserving(&reserving(&pools, 4_096), 4_094);
        join_all(threads);
        assert_eq!(newest.state(MAIN, ip(4_094)), AddressState::Vacant);
        let acquire = || newest.acquire(pool(&newest), Wish::default()).ok();
        let claims: Vec<_> = core::iter::from_fn(acquire).map(|grant| grant.claim).collect();
        let expected = [4_093, 4_095, 4_096, 4_097].map(ip);
        assert_eq!(addresses(&claims), BTreeSet::from(expected), "no address is lost");
        assert!(newest.take_reserved(MAIN, ip(4_094)).is_ok(), "the reserved one is not, either");
    });
}
