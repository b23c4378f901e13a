#![doc = include_str!("../README.md")]
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod bits;
mod check;
mod geometry;
mod grow;
mod home;
mod mutant;
mod plan;
mod pool;
mod pools;
#[cfg(test)]
mod proofs;
mod run;
mod site;
mod space;
mod sync;
mod token;

pub use home::Home;
pub use plan::{Plan, PlanError, Range};
pub use pool::{RANGE_ORDER, RangeOrder};
pub use pools::Pools;
pub use token::{
    AddressState, Claim, Exhausted, Grant, OwnerTag, PoolId, Quarantined, Refused, SpaceId, Usage,
    Wish,
};
