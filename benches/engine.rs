//! The engine alone: packet in, packet out, in turns of 64; no socket, no disk.

mod traffic;

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use traffic::{LARGE, TURN, Traffic};

/// Clients of the benches that are about the usual size.
const USUAL: u32 = 10_000;
const MILLION: u32 = 1_000_000;

/// Runs whole turns until there were `count` exchanges, through `clients` clients in turn.
fn turns(count: u64, clients: u32, mut turn: impl FnMut(std::ops::Range<u32>)) -> Duration {
    let began = Instant::now();
    let mut first = 0;
    for _ in 0..count.div_ceil(u64::from(TURN)) {
        turn(first..first + TURN);
        first = (first + TURN) % (clients - clients % TURN);
    }
    // What was done in excess of `count` to end the last turn is not charged.
    let whole = count.next_multiple_of(u64::from(TURN));
    began.elapsed().mul_f64(count as f64 / whole as f64)
}

fn bound(clients: u32) -> Traffic {
    let mut traffic = Traffic::new(LARGE, clients);
    turns(u64::from(clients), clients, |range| traffic.dora(range));
    traffic
}

fn exchanges(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("engine");
    group.throughput(Throughput::Elements(1));
    group.bench_function("DORA, new client", |bencher| {
        bencher.iter_custom(|count| {
            let mut spent = Duration::ZERO;
            let mut left = count;
            while left > 0 {
                let part = left.min(u64::from(MILLION));
                let clients = (part as u32).next_multiple_of(TURN);
                let mut traffic = Traffic::new(LARGE, clients);
                spent += turns(part, clients, |range| traffic.dora(range));
                left -= part;
            }
            spent
        });
    });
    let mut traffic = bound(USUAL);
    group.bench_function("DORA, known client of 10,000", |bencher| {
        bencher.iter_custom(|count| turns(count, USUAL, |range| traffic.dora(range)));
    });
    group.bench_function("DISCOVER, known client of 10,000", |bencher| {
        bencher.iter_custom(|count| turns(count, USUAL, |range| traffic.discover(range)));
    });
    for (name, clients) in [("renewal, of 10,000", USUAL), ("renewal, of 1,000,000", MILLION)] {
        let mut traffic = bound(clients);
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|count| turns(count, clients, |range| traffic.renew(range)));
        });
    }
    group.finish();
}

/// A /16 but for its network, gateway and broadcast addresses: DORA and RELEASE of one turn's
/// clients while the others keep their leases.
fn fill_levels(criterion: &mut Criterion) {
    let pool = (Ipv4Addr::new(10, 1, 0, 0), Ipv4Addr::new(10, 1, 255, 255));
    let size = 65_536;
    let mut group = criterion.benchmark_group("DORA and RELEASE in a /16");
    group.throughput(Throughput::Elements(1));
    for (name, held) in [("1 %", 640), ("50 %", 32_768), ("99.9 %", size - TURN)] {
        let mut traffic = Traffic::new(pool, size);
        turns(u64::from(held), held, |range| traffic.dora(range));
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|count| {
                turns(count, TURN, |_| {
                    traffic.dora(held..held + TURN);
                    traffic.release(held..held + TURN);
                })
            });
        });
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20).measurement_time(Duration::from_secs(3));
    targets = exchanges, fill_levels
}
criterion_main!(benches);
