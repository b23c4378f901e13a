//! Linearizability: each recorded history of a small pool has an order that explains it.
//!
//! Threads call the pool and note when each call began and ended. The checker (Wing and Gong's)
//! looks for an order of the calls that keeps that of calls which did not overlap, and in which a
//! plain set of free addresses gives the same answers.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::vec::Vec;

use crate::{Claim, OwnerTag, Plan, Pools, Range, SpaceId, Wish};

const MAIN: SpaceId = SpaceId::MAIN;
/// Two words and two blocks, so that there are summaries to go wrong. The chain is high to low.
const ADDRESSES: [u32; 6] = [4_030, 4_031, 4_095, 4_096, 4_159, 4_160];
const NEXT_POOL_FROM: usize = 3;

/// A call and its answer, about addresses by their number in `ADDRESSES`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Call {
    Acquired(usize),
    Exhausted,
    Took(usize),
    WasRefused(usize),
    Released(usize),
}

/// A call, and the moments of its begin and end.
#[derive(Clone, Copy, Debug)]
struct Event {
    call: Call,
    begin: usize,
    end: usize,
}

impl Call {
    /// The free addresses after the call, if its answer is right.
    fn applied(self, free: u8) -> Option<u8> {
        let bit = |number: usize| 1 << number;
        match self {
            Call::Acquired(number) | Call::Took(number) => {
                (free & bit(number) != 0).then_some(free & !bit(number))
            }
            Call::Exhausted => (free == 0).then_some(free),
            Call::WasRefused(number) => (free & bit(number) == 0).then_some(free),
            Call::Released(number) => (free & bit(number) == 0).then_some(free | bit(number)),
        }
    }
}

/// Whether some order explains the history, from all addresses free.
fn is_linearizable(history: &[Event]) -> bool {
    assert!(history.len() < 64, "the checker keeps a history in one word");
    let all = (1 << ADDRESSES.len()) - 1;
    explains(history, 0, all, &mut BTreeSet::new())
}

fn explains(history: &[Event], done: u64, free: u8, failed: &mut BTreeSet<(u64, u8)>) -> bool {
    if done.count_ones() as usize == history.len() {
        return true;
    }
    if failed.contains(&(done, free)) {
        return false;
    }
    let left = || (0..history.len()).filter(|&index| done & 1 << index == 0);
    // The next one in the order must have begun before any other one that is left has ended.
    let first_end = left().map(|index| history[index].end).min().unwrap_or(usize::MAX);
    let explained = left().filter(|&index| history[index].begin < first_end).any(|index| {
        let after = history[index].call.applied(free);
        after.is_some_and(|free| explains(history, done | 1 << index, free, failed))
    });
    if !explained {
        failed.insert((done, free));
    }
    explained
}

#[cfg(shuttle)]
use shuttle::{sync::Barrier, sync::atomic, thread};
#[cfg(not(shuttle))]
use std::{sync::Barrier, sync::atomic, thread};

/// One thread's part of a history.
struct Recorder<'a> {
    pools: &'a Pools,
    clock: &'a atomic::AtomicUsize,
    held: Vec<Claim>,
    events: Vec<Event>,
    random: u64,
}

impl Recorder<'_> {
    fn below(&mut self, end: usize) -> usize {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random >> 33) as usize % end
    }

    fn record(&mut self, call: impl FnOnce(&mut Self) -> Call) {
        let begin = self.clock.fetch_add(1, atomic::Ordering::SeqCst);
        let call = call(self);
        let end = self.clock.fetch_add(1, atomic::Ordering::SeqCst);
        self.events.push(Event { call, begin, end });
    }

    fn call_something(&mut self) {
        let number = self.below(ADDRESSES.len());
        match self.below(5) {
            0 | 1 if !self.held.is_empty() => self.release(number),
            2 => self.take(number),
            choice => self.acquire(number, choice),
        }
    }

    fn release(&mut self, number: usize) {
        let claim = self.held.swap_remove(number % self.held.len());
        let owner = if self.below(2) == 0 { None } else { OwnerTag::new(number as u32 + 1) };
        self.record(|this| {
            let number = number_of(claim.address());
            this.pools.release(claim, owner);
            Call::Released(number)
        });
    }

    fn take(&mut self, number: usize) {
        self.record(|this| match this.pools.take(MAIN, ip(number)) {
            Ok(claim) => {
                this.held.push(claim);
                Call::Took(number)
            }
            Err(_) => Call::WasRefused(number),
        });
    }

    fn acquire(&mut self, number: usize, choice: usize) {
        let owner = OwnerTag::new(number as u32 + 1);
        let wish = match choice {
            3 => Wish { preferred: Some(ip(number)), ..Wish::default() },
            4 => Wish { owner, last: Some(ip(number)), preferred: None },
            _ => Wish::default(),
        };
        self.record(|this| {
            let pool = this.pools.pool("a").expect("the plan has the pool");
            match this.pools.acquire(pool, wish) {
                Ok(grant) => {
                    let number = number_of(grant.claim.address());
                    this.held.push(grant.claim);
                    Call::Acquired(number)
                }
                Err(_) => Call::Exhausted,
            }
        });
    }
}

fn ip(number: usize) -> Ipv4Addr {
    Ipv4Addr::from_bits(ADDRESSES[number])
}

fn number_of(address: Ipv4Addr) -> usize {
    let found = ADDRESSES.iter().position(|&other| other == address.to_bits());
    found.expect("the pools have no other addresses")
}

fn world() -> Pools {
    let mut plan = Plan::new();
    let range = |&address: &u32| Range::from(Ipv4Addr::from_bits(address));
    let ranges: Vec<_> = ADDRESSES.iter().map(range).collect();
    plan.pool(MAIN, "a", &ranges[NEXT_POOL_FROM..], Some("b"));
    plan.pool(MAIN, "b", &ranges[..NEXT_POOL_FROM], Some("a"));
    Pools::new(&plan).expect("the plan is right")
}

/// The history of a few threads that call at random, each so many times.
fn record(threads: u64, calls: usize, seed: u64) -> Vec<Event> {
    let pools = world();
    let start = std::sync::Arc::new(Barrier::new(threads as usize));
    let clock = std::sync::Arc::new(atomic::AtomicUsize::new(0));
    let threads: Vec<_> = (0..threads)
        .map(|thread| {
            let (pools, clock, start) = (pools.clone(), clock.clone(), start.clone());
            thread::spawn(move || {
                let random = (seed * 8 + thread + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
                let (held, events) = (Vec::new(), Vec::new());
                let mut recorder = Recorder { pools: &pools, clock: &clock, held, events, random };
                start.wait();
                (0..calls).for_each(|_| recorder.call_something());
                recorder.events
            })
        })
        .collect();
    let join = |thread: thread::JoinHandle<_>| thread.join().expect("no call panics");
    threads.into_iter().flat_map(join).collect()
}

#[test]
fn the_checker_knows_right_from_wrong() {
    let event = |call, begin, end| Event { call, begin, end };
    let all = |number| event(Call::Acquired(number), number, number + 1);
    let mut history: Vec<_> = (0..6).map(all).collect();
    assert!(is_linearizable(&history));
    history.push(event(Call::Exhausted, 7, 8));
    assert!(is_linearizable(&history));
    history.push(event(Call::Released(2), 5, 6));
    assert!(!is_linearizable(&history), "an address was free before the call began");
    history[7] = event(Call::Released(2), 6, 9);
    assert!(is_linearizable(&history), "the release may come after the call");
    history.push(event(Call::Took(2), 10, 11));
    history.push(event(Call::Took(2), 12, 13));
    assert!(!is_linearizable(&history), "an address was given twice");
    history[9] = event(Call::WasRefused(2), 12, 13);
    assert!(is_linearizable(&history));
}

#[cfg(not(any(loom, shuttle)))]
#[test]
fn histories_of_real_threads_are_linearizable() {
    let overlap = |(a, b): (&Event, &Event)| a.begin < b.end && b.begin < a.end;
    let mut overlaps = 0;
    for seed in 0..2_000 {
        let history = record(3, 16, seed);
        assert!(is_linearizable(&history), "seed {seed}: {history:#?}");
        overlaps += history.iter().zip(&history[16..]).filter(|&pair| overlap(pair)).count();
    }
    std::println!("{overlaps} pairs of calls overlapped");
}

#[cfg(shuttle)]
#[test]
fn histories_of_scheduled_threads_are_linearizable() {
    let seeds = std::sync::atomic::AtomicU64::new(0);
    super::shuttle::schedules(move || {
        let seed = seeds.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let history = record(3, 5, seed);
        assert!(is_linearizable(&history), "{history:#?}");
    });
}
