//! Acquire and release of one address: the pool beside the structures that could do its work.
//!
//! Each figure is one pair on one thread: an address is acquired and given back at once (`again`),
//! or a random held address is given back and one is acquired (`pair`), so that the processor
//! cannot foresee the way. The queues have no order, cannot give a named address and cannot prove
//! that they are empty. Then the same on several threads, each with addresses of its own, by order
//! and near homes.

use std::collections::{BTreeSet, VecDeque};
use std::hint::black_box;
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Barrier, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, BenchmarkId, Criterion, criterion_group, criterion_main};
use crossbeam_queue::SegQueue;
use leasehold_pool::{Claim, Home, OwnerTag, Plan, PoolId, Pools, Range, SpaceId, Wish};

/// A pool's addresses, as the prefix that they fill.
#[derive(Clone, Copy)]
struct Size {
    name: &'static str,
    first: u32,
    count: u32,
}

const SIZES: [Size; 3] = [
    Size { name: "24", first: 0xc0a8_580a, count: 245 },
    Size { name: "16", first: 0x0a14_0000, count: 1 << 16 },
    Size { name: "8", first: 0x0a00_0000, count: 1 << 24 },
];

/// How many addresses stay free while pairs are made.
#[derive(Clone, Copy)]
enum Fill {
    Percent(u32),
    AllBut(u32),
}

const FILLS: [(&str, Fill); 5] = [
    ("0%", Fill::Percent(0)),
    ("50%", Fill::Percent(50)),
    ("99%", Fill::Percent(99)),
    ("2 free", Fill::AllBut(2)),
    ("full", Fill::AllBut(0)),
];

impl Fill {
    fn held(self, count: u32) -> usize {
        let held = match self {
            Fill::Percent(percent) => (u64::from(count) * u64::from(percent) / 100) as u32,
            Fill::AllBut(free) => count - free,
        };
        held.max(1) as usize
    }
}

trait Allocator {
    type Held;
    fn acquire(&self) -> Option<Self::Held>;
    fn release(&self, held: Self::Held);
}

struct Leasehold {
    pools: Pools,
    pool: PoolId,
}

impl Leasehold {
    fn new(size: Size, memory: bool) -> Self {
        let mut plan = Plan::new();
        let [first, last] = [size.first, size.first + (size.count - 1)].map(Ipv4Addr::from_bits);
        plan.pool(SpaceId::MAIN, "bench", &[Range::new(first, last)], None);
        if !memory {
            plan.forget_owners(SpaceId::MAIN);
        }
        let pools = Pools::new(&plan).expect("the plan is right");
        let pool = pools.pool("bench").expect("the plan has the pool");
        Self { pools, pool }
    }
}

/// No owners: the free map alone.
impl Allocator for Leasehold {
    type Held = Claim;

    fn acquire(&self) -> Option<Claim> {
        self.pools.acquire(self.pool, Wish::default()).ok().map(|grant| grant.claim)
    }

    fn release(&self, held: Claim) {
        self.pools.release(held, None);
    }
}

struct LockedTree(Mutex<BTreeSet<u32>>);

impl Allocator for LockedTree {
    type Held = u32;

    fn acquire(&self) -> Option<u32> {
        self.0.lock().expect("no thread panics").pop_last()
    }

    fn release(&self, held: u32) {
        self.0.lock().expect("no thread panics").insert(held);
    }
}

struct LockedList(Mutex<VecDeque<u32>>);

impl Allocator for LockedList {
    type Held = u32;

    fn acquire(&self) -> Option<u32> {
        self.0.lock().expect("no thread panics").pop_front()
    }

    fn release(&self, held: u32) {
        self.0.lock().expect("no thread panics").push_back(held);
    }
}

struct Queue(SegQueue<u32>);

impl Allocator for Queue {
    type Held = u32;

    fn acquire(&self) -> Option<u32> {
        self.0.pop()
    }

    fn release(&self, held: u32) {
        self.0.push(held);
    }
}

/// One level of words and a cursor to the word that was good last.
struct FlatBitmap {
    words: Box<[AtomicU64]>,
    cursor: AtomicUsize,
}

impl FlatBitmap {
    fn new(count: u32) -> Self {
        let words = (0..count.div_ceil(64)).map(|word| {
            let bits = (count - word * 64).min(64);
            AtomicU64::new(u64::MAX >> (64 - bits))
        });
        Self { words: words.collect(), cursor: AtomicUsize::new(0) }
    }
}

impl Allocator for FlatBitmap {
    type Held = u32;

    fn acquire(&self) -> Option<u32> {
        let start = self.cursor.load(Ordering::Relaxed);
        for step in 0..self.words.len() {
            let index = (start + step) % self.words.len();
            let mut bits = self.words[index].load(Ordering::Acquire);
            while bits != 0 {
                let bit = bits & bits.wrapping_neg();
                bits = self.words[index].fetch_and(!bit, Ordering::AcqRel);
                if bits & bit != 0 {
                    if index != start {
                        self.cursor.store(index, Ordering::Relaxed);
                    }
                    return Some(index as u32 * 64 + bit.trailing_zeros());
                }
            }
        }
        None
    }

    fn release(&self, held: u32) {
        self.words[held as usize / 64].fetch_or(1 << (held % 64), Ordering::AcqRel);
    }
}

/// The next of a sequence of numbers below `end` that looks random (xorshift).
fn random(state: &mut u64, end: usize) -> usize {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    // No division: it would cost as much as the rest.
    (((*state >> 32) * end as u64) >> 32) as usize
}

/// The allocator and so many of its addresses.
fn filled<A: Allocator>(allocator: A, held: usize) -> (A, Vec<Option<A::Held>>) {
    let take = |_| allocator.acquire().expect("the pool is large enough");
    let all = (0..held).map(take).map(Some).collect();
    (allocator, all)
}

/// A random address comes back, and the best one is taken.
fn pairs<A: Allocator>(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    held: usize,
    new: impl Fn() -> A,
) {
    let mut made = None;
    let mut state = 0x9e37_79b9_7f4a_7c15;
    group.bench_function(name, |bencher| {
        let (allocator, all) = made.get_or_insert_with(|| filled(new(), held));
        bencher.iter(|| {
            let slot = random(&mut state, held);
            if let Some(held) = all[slot].take() {
                allocator.release(held);
            }
            all[slot] = allocator.acquire();
        });
    });
}

/// The best address is taken, and comes back at once.
fn again<A: Allocator>(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    held: usize,
    new: impl Fn() -> A,
) {
    let mut made = None;
    group.bench_function(name, |bencher| {
        let (allocator, _all) = made.get_or_insert_with(|| filled(new(), held));
        bencher.iter(|| {
            if let Some(held) = allocator.acquire() {
                allocator.release(black_box(held));
            }
        });
    });
}

/// The address comes back to the owner that had it last, as a returning client's does.
fn owners(group: &mut BenchmarkGroup<'_, WallTime>, size: Size, held: usize) {
    let mut made = None;
    let mut state = 0x9e37_79b9_7f4a_7c15;
    group.bench_function("leasehold, owner and last address", |bencher| {
        let (Leasehold { pools, pool }, all) =
            made.get_or_insert_with(|| filled(Leasehold::new(size, true), held));
        bencher.iter(|| {
            let slot = random(&mut state, held);
            let owner = OwnerTag::new(slot as u32 + 1);
            let last = all[slot].as_ref().map(Claim::address);
            if let Some(claim) = all[slot].take() {
                pools.release(claim, owner);
            }
            let wish = Wish { owner, last, preferred: None };
            all[slot] = pools.acquire(*pool, wish).ok().map(|grant| grant.claim);
        });
    });
}

fn pair(criterion: &mut Criterion) {
    for size in SIZES {
        let tree = || LockedTree(Mutex::new((0..size.count).collect()));
        for (fill_name, fill) in FILLS {
            let held = fill.held(size.count);
            let mut group = criterion.benchmark_group(format!("pair/{}/{fill_name}", size.name));
            pairs(&mut group, "leasehold", held, || Leasehold::new(size, false));
            owners(&mut group, size, held);
            pairs(&mut group, "Mutex<BTreeSet>", held, tree);
            pairs(&mut group, "Mutex<VecDeque>", held, || {
                LockedList(Mutex::new((0..size.count).collect()))
            });
            pairs(&mut group, "SegQueue", held, || {
                let queue = SegQueue::new();
                (0..size.count).for_each(|address| queue.push(address));
                Queue(queue)
            });
            pairs(&mut group, "flat bitmap", held, || FlatBitmap::new(size.count));
            group.finish();
            let mut group = criterion.benchmark_group(format!("again/{}/{fill_name}", size.name));
            // The last one comes and goes.
            let held = held.min(size.count as usize - 1);
            again(&mut group, "leasehold", held, || Leasehold::new(size, false));
            again(&mut group, "Mutex<BTreeSet>", held, tree);
            again(&mut group, "flat bitmap", held, || FlatBitmap::new(size.count));
            group.finish();
        }
    }
}

/// A call on an empty pool, again and again.
fn exhausted(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("exhausted");
    for size in SIZES {
        let mut made = None;
        group.bench_function(size.name, |bencher| {
            let (leasehold, _all) = made
                .get_or_insert_with(|| filled(Leasehold::new(size, false), size.count as usize));
            bencher.iter(|| black_box(leasehold.acquire().is_none()));
        });
    }
    group.finish();
}

/// The time of one pair when so many threads make pairs at once.
fn shared<A: Allocator + Sync>(
    group: &mut BenchmarkGroup<'_, WallTime>,
    (name, threads, held): (&str, u32, usize),
    allocator: &A,
    acquire: impl Fn(&mut Home) -> Option<A::Held> + Sync,
) {
    group.bench_function(BenchmarkId::new(name, threads), |bencher| {
        bencher.iter_custom(|pairs| {
            let start = Barrier::new(threads as usize);
            let (start, acquire) = (&start, &acquire);
            let run = |thread: u32| {
                move || {
                    let mut home = Home::new(thread.into());
                    let mut state = 0x9e37_79b9_7f4a_7c15 ^ u64::from(thread);
                    let mut all: Vec<_> = (0..held).map(|_| acquire(&mut home)).collect();
                    start.wait();
                    let began = Instant::now();
                    for _ in 0..pairs {
                        let slot = random(&mut state, held);
                        if let Some(held) = all[slot].take() {
                            allocator.release(held);
                        }
                        all[slot] = acquire(&mut home);
                    }
                    let spent = began.elapsed();
                    all.into_iter().flatten().for_each(|held| allocator.release(held));
                    spent
                }
            };
            thread::scope(|scope| {
                let running: Vec<_> = (0..threads).map(|n| scope.spawn(run(n))).collect();
                let spent = running.into_iter().map(|it| it.join().expect("no thread panics"));
                spent.max().unwrap_or_default()
            })
        });
    });
}

/// A /16, a part of it in use by as many threads as there are cores, and by one.
fn threads(criterion: &mut Criterion) {
    let cores = thread::available_parallelism().map_or(1, |cores| cores.get() as u32);
    let [_, size, _] = SIZES;
    for (fill_name, fill) in [("1%", Fill::Percent(1)), ("50%", Fill::Percent(50))] {
        let mut group = criterion.benchmark_group(format!("threads/{}/{fill_name}", size.name));
        for threads in if cores > 1 { vec![1, cores] } else { vec![1] } {
            let held = fill.held(size.count) / threads as usize;
            let ours = Leasehold::new(size, false);
            let Leasehold { pools, pool } = &ours;
            shared(&mut group, ("leasehold, in order", threads, held), &ours, |_| ours.acquire());
            shared(&mut group, ("leasehold, near homes", threads, held), &ours, |home| {
                pools.acquire_near(*pool, home).ok().map(|grant| grant.claim)
            });
            let queue = SegQueue::new();
            (0..size.count).for_each(|address| queue.push(address));
            let queue = Queue(queue);
            shared(&mut group, ("SegQueue", threads, held), &queue, |_| queue.acquire());
            let tree = LockedTree(Mutex::new((0..size.count).collect()));
            shared(&mut group, ("Mutex<BTreeSet>", threads, held), &tree, |_| tree.acquire());
        }
        group.finish();
    }
}

criterion_group! {
    name = pool;
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(600))
        .sample_size(20);
    targets = pair, exhausted, threads
}
criterion_main!(pool);
