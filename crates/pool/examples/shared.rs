//! Two services share one universe: their pools overlap, and no address is given twice. Then the
//! pools change while addresses are out.
//!
//! `cargo run -p leasehold-pool --example shared`

use std::error::Error;
use std::net::Ipv4Addr;
use std::thread;

use leasehold_pool::{Claim, Plan, Pools, Range, SpaceId, Wish};

const MAIN: SpaceId = SpaceId::MAIN;

fn ip(last: u8) -> Ipv4Addr {
    Ipv4Addr::new(192, 168, 88, last)
}

/// Everything that a service can get from its pool.
fn all_of(pools: &Pools, name: &str) -> Vec<Claim> {
    let Some(pool) = pools.pool(name) else { return Vec::new() };
    let acquire = || pools.acquire(pool, Wish::default()).ok();
    std::iter::from_fn(acquire).map(|grant| grant.claim).collect()
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut plan = Plan::new();
    plan.pool(MAIN, "dhcp", &[Range::new(ip(10), ip(200))], None);
    plan.pool(MAIN, "hotspot", &[Range::new(ip(100), ip(254))], None);
    let pools = Pools::new(&plan)?;

    let (dhcp, hotspot) = thread::scope(|scope| {
        let dhcp = scope.spawn(|| all_of(&pools, "dhcp"));
        let hotspot = scope.spawn(|| all_of(&pools, "hotspot"));
        (dhcp.join(), hotspot.join())
    });
    let (Ok(dhcp), Ok(hotspot)) = (dhcp, hotspot) else { return Err("a service failed".into()) };
    println!("dhcp got {}, hotspot got {}, of 245 in all", dhcp.len(), hotspot.len());

    // The next snapshot has other ranges, the same bits, and a reservation for the router.
    let mut plan = pools.plan();
    plan.pool(MAIN, "hotspot", &[Range::new(ip(1), ip(50))], None);
    plan.reserve(MAIN, ip(1));
    let pools = pools.reconfigure(&plan)?;
    println!("the new pool has {} left", all_of(&pools, "hotspot").len());
    dhcp.into_iter().for_each(|claim| pools.release(claim, None));
    println!("and {} when dhcp is gone", all_of(&pools, "hotspot").len());
    Ok(())
}
