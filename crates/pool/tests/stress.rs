//! Exactness under load: whoever holds a token is owed an address, whatever the others do.
//!
//! There are as many tokens as addresses, outside the pool. A thread takes one, acquires, and gives
//! the token back after the address: so at each call an address is free, and any "exhausted" is a
//! bug. A set beside the pool sees whether an address has two owners.

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicBool, AtomicIsize, Ordering};
use std::thread;

use leasehold_pool::{Claim, Home, OwnerTag, Plan, PoolId, Pools, Range, SpaceId, Wish};

const MAIN: SpaceId = SpaceId::MAIN;
const FIRST: u32 = 0x0a0f_ff0a;

/// A token for each address.
struct Tokens(AtomicIsize);

impl Tokens {
    fn take(&self) -> bool {
        let had = self.0.fetch_sub(1, Ordering::SeqCst) > 0;
        if !had {
            self.give();
        }
        had
    }

    fn give(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

struct World {
    pools: Pools,
    pool: PoolId,
    tokens: Tokens,
    owned: Vec<AtomicBool>,
}

impl World {
    /// So many addresses in two pools, a chain that goes round; a third one lies over both.
    fn new(count: u32) -> Self {
        let ip = |number: u32| Ipv4Addr::from_bits(FIRST + number);
        let mut plan = Plan::new();
        let middle = count / 2;
        plan.pool(MAIN, "upper", &[Range::new(ip(middle), ip(count - 1))], Some("lower"));
        if middle > 0 {
            plan.pool(MAIN, "lower", &[Range::new(ip(0), ip(middle - 1))], Some("upper"));
        } else {
            plan.pool(MAIN, "lower", &[Range::from(ip(0))], Some("upper"));
        }
        plan.pool(MAIN, "all", &[Range::new(ip(0), ip(count - 1))], None);
        let pools = Pools::new(&plan).expect("the plan is right");
        let pool = pools.pool("upper").expect("the plan has the pool");
        let owned = (0..count).map(|_| AtomicBool::new(false)).collect();
        Self { pools, pool, tokens: Tokens(AtomicIsize::new(count as isize)), owned }
    }

    fn owned(&self, claim: &Claim) -> &AtomicBool {
        &self.owned[(claim.address().to_bits() - FIRST) as usize]
    }

    fn run(&self, thread: u32, calls: u32, held_max: usize) {
        let mut random = u64::from(thread + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut below = |end: u32| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            (((random >> 32) * u64::from(end)) >> 32) as u32
        };
        let all = self.pools.pool("all").expect("the plan has the pool");
        let owner = OwnerTag::new(thread + 1);
        let mut home = Home::new(thread.into());
        let mut held: Vec<Claim> = Vec::new();
        for _ in 0..calls {
            if held.len() < held_max && below(3) > 0 && self.tokens.take() {
                let number = below(self.owned.len() as u32);
                let address = Some(Ipv4Addr::from_bits(FIRST + number));
                let pool = if below(2) == 0 { self.pool } else { all };
                let granted = match below(6) {
                    0 | 1 => self.pools.acquire_near(pool, &mut home),
                    2 => self.pools.acquire(pool, Wish { preferred: address, ..Wish::default() }),
                    3 => self.pools.acquire(pool, Wish { owner, last: address, preferred: None }),
                    _ => self.pools.acquire(pool, Wish::default()),
                };
                let grant = granted.expect("the token owes an address");
                let again = self.owned(&grant.claim).swap(true, Ordering::SeqCst);
                assert!(!again, "{} has two owners", grant.claim.address());
                held.push(grant.claim);
            } else if !held.is_empty() {
                let claim = held.swap_remove(below(held.len() as u32) as usize);
                self.give_back(claim, owner.filter(|_| below(2) == 0));
            }
        }
        held.into_iter().for_each(|claim| self.give_back(claim, None));
    }

    fn give_back(&self, claim: Claim, owner: Option<OwnerTag>) {
        self.owned(&claim).store(false, Ordering::SeqCst);
        self.pools.release(claim, owner);
        self.tokens.give();
    }
}

fn stress(threads: u32, count: u32, calls: u32) {
    let world = World::new(count);
    thread::scope(|scope| {
        for thread in 0..threads {
            let world = &world;
            scope.spawn(move || world.run(thread, calls, 64));
        }
    });
    let all = world.pools.pool("all").expect("the plan has the pool");
    let acquire = || world.pools.acquire(all, Wish::default()).ok();
    let left = std::iter::from_fn(acquire).count();
    assert_eq!(left, count as usize, "{threads} threads, {count} addresses: some are lost");
}

/// How many calls each thread makes: more by hand, with `CALLS`.
fn calls() -> u32 {
    std::env::var("CALLS").ok().and_then(|text| text.parse().ok()).unwrap_or(20_000)
}

#[test]
fn few_addresses_are_never_exhausted_for_a_holder_of_a_token() {
    for count in [1, 2, 3, 63, 64, 65] {
        for threads in [2, 4, 8] {
            stress(threads, count, calls());
        }
    }
}

#[test]
fn many_addresses_are_never_exhausted_for_a_holder_of_a_token() {
    for count in [245, 4_097, 70_000] {
        stress(4, count, calls());
    }
}
