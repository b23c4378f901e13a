//! What the pools shall be: address spaces, ranges, next pools, reservations.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;
use core::net::Ipv4Addr;

use crate::token::SpaceId;

/// The addresses `first..=last`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Range {
    /// The lowest address.
    pub first: Ipv4Addr,
    /// The highest address.
    pub last: Ipv4Addr,
}

impl Range {
    /// The addresses `first..=last`.
    pub const fn new(first: Ipv4Addr, last: Ipv4Addr) -> Self {
        Self { first, last }
    }

    /// How many addresses it has; none if it is reversed.
    pub fn count(&self) -> u64 {
        (u64::from(self.last.to_bits()) + 1).saturating_sub(self.first.to_bits().into())
    }

    /// Whether it holds the address.
    pub fn contains(&self, address: Ipv4Addr) -> bool {
        self.first <= address && address <= self.last
    }
}

impl From<Ipv4Addr> for Range {
    fn from(address: Ipv4Addr) -> Self {
        Self::new(address, address)
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last {
            write!(f, "{}", self.first)
        } else {
            write!(f, "{}-{}", self.first, self.last)
        }
    }
}

/// What the pools shall be. Checked as a whole when [`Pools`](crate::Pools) are made of it.
#[derive(Clone, Debug)]
pub struct Plan {
    pub(crate) spaces: Vec<SpacePlan>,
    pub(crate) pools: Vec<PoolPlan>,
    pub(crate) reserved: Vec<(SpaceId, u32)>,
    pub(crate) covered: Vec<(SpaceId, u32)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SpacePlan {
    pub(crate) name: Box<str>,
    pub(crate) memory: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct PoolPlan {
    pub(crate) name: Box<str>,
    pub(crate) space: SpaceId,
    pub(crate) ranges: Box<[Range]>,
    pub(crate) next: Option<Box<str>>,
}

impl Plan {
    /// At most so many addresses in all, counted in whole /20 blocks.
    ///
    /// A range of half the Internet is a slip of the pen; it must not take all memory.
    pub const ADDRESSES_MAX: u64 = 1 << 26;

    /// A plan of no pools and the space `main`.
    pub fn new() -> Self {
        Self::with_spaces(Vec::from([SpacePlan { name: "main".into(), memory: true }]))
    }

    pub(crate) fn with_spaces(spaces: Vec<SpacePlan>) -> Self {
        Self { spaces, pools: Vec::new(), reserved: Vec::new(), covered: Vec::new() }
    }

    /// The space of that name, made if it is new.
    pub fn space(&mut self, name: &str) -> SpaceId {
        let found = self.spaces.iter().position(|space| &*space.name == name);
        let index = found.unwrap_or_else(|| {
            self.spaces.push(SpacePlan { name: name.into(), memory: true });
            self.spaces.len() - 1
        });
        // A plan of more spaces than ids is refused as a whole.
        SpaceId(u16::try_from(index).unwrap_or(u16::MAX))
    }

    /// The space remembers no owners: no tags (4 bytes an address), no order among free addresses
    /// but the highest first. Fixed when the space is first used.
    pub fn forget_owners(&mut self, space: SpaceId) {
        if let Some(space) = self.spaces.get_mut(usize::from(space.0)) {
            space.memory = false;
        }
    }

    /// A pool. When it has no free address, addresses come from `next`, and so on.
    pub fn pool(&mut self, space: SpaceId, name: &str, ranges: &[Range], next: Option<&str>) {
        let (name, ranges) = (name.into(), ranges.into());
        self.pools.push(PoolPlan { name, space, ranges, next: next.map(Into::into) });
    }

    /// The address is never acquired: it counts as used, and only
    /// [`take_reserved`](crate::Pools::take_reserved) gives it. It need not be in a range.
    pub fn reserve(&mut self, space: SpaceId, address: Ipv4Addr) {
        self.reserved.push((space, address.to_bits()));
    }

    /// The address can be taken and released though it may be in no range: a lease that outlived
    /// its pool.
    pub fn cover(&mut self, space: SpaceId, address: Ipv4Addr) {
        self.covered.push((space, address.to_bits()));
    }
}

impl Default for Plan {
    fn default() -> Self {
        Self::new()
    }
}

/// Why a plan cannot be: the broken rule, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PlanError {
    /// Two pools have one name.
    DuplicatePool {
        /// The name.
        pool: Box<str>,
    },
    /// A pool has no ranges.
    NoRanges {
        /// The pool.
        pool: Box<str>,
    },
    /// A range's last address is lower than its first.
    ReversedRange {
        /// The pool.
        pool: Box<str>,
        /// The range.
        range: Range,
    },
    /// Two ranges of one pool share addresses. (Ranges of two pools may.)
    OverlappingRanges {
        /// The pool.
        pool: Box<str>,
        /// The lower range.
        first: Range,
        /// The other.
        second: Range,
    },
    /// A pool's next pool is not in the plan.
    UnknownNextPool {
        /// The pool.
        pool: Box<str>,
        /// The missing one.
        next: Box<str>,
    },
    /// A pool's next pool lies in another address space.
    NextPoolInOtherSpace {
        /// The pool.
        pool: Box<str>,
        /// The other one.
        next: Box<str>,
    },
    /// A pool's space is not one of the plan.
    UnknownSpaceOfPool {
        /// The pool.
        pool: Box<str>,
    },
    /// The space of a reserved or covered address is not one of the plan.
    UnknownSpaceOfAddress {
        /// The address.
        address: Ipv4Addr,
    },
    /// More than 65,535 spaces.
    TooManySpaces,
    /// More than [`Plan::ADDRESSES_MAX`] addresses, counted in whole /20 blocks.
    TooManyAddresses {
        /// How many.
        addresses: u64,
    },
    /// The plan does not know the universe's spaces by the same ids: it was not made by
    /// [`Pools::plan`](crate::Pools::plan), or changes whether a space remembers owners.
    OtherSpaces {
        /// The first space that differs.
        space: Box<str>,
    },
    /// The snapshot has been reconfigured already: only the newest one can be.
    Superseded,
}

impl fmt::Display for PlanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PlanError::DuplicatePool { pool } => write!(f, "two pools are named {pool}"),
            PlanError::NoRanges { pool } => write!(f, "pool {pool} has no ranges"),
            PlanError::ReversedRange { pool, range } => {
                write!(f, "pool {pool}: range {range} ends before it begins")
            }
            PlanError::OverlappingRanges { pool, first, second } => {
                write!(f, "pool {pool}: ranges {first} and {second} overlap")
            }
            PlanError::UnknownNextPool { pool, next } => {
                write!(f, "pool {pool}: there is no pool {next} to go to next")
            }
            PlanError::NextPoolInOtherSpace { pool, next } => {
                write!(f, "pool {pool}: its next pool {next} is in another address space")
            }
            PlanError::UnknownSpaceOfPool { pool } => {
                write!(f, "pool {pool}: its address space is not one of the plan")
            }
            PlanError::UnknownSpaceOfAddress { address } => {
                write!(f, "{address}: its address space is not one of the plan")
            }
            PlanError::TooManySpaces => f.write_str("more than 65535 address spaces"),
            PlanError::TooManyAddresses { addresses } => {
                let max = Plan::ADDRESSES_MAX;
                write!(f, "{addresses} addresses in whole /20 blocks, at most {max} are possible")
            }
            PlanError::OtherSpaces { space } => {
                write!(f, "address space {space} is not what it was in the pools before")
            }
            PlanError::Superseded => f.write_str("these pools have been reconfigured already"),
        }
    }
}

impl core::error::Error for PlanError {}
