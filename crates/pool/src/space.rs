//! One snapshot's view of an address space: which blocks there are, and what the plan covers.

use alloc::boxed::Box;
use alloc::sync::Arc;

use crate::geometry::{block, trunk};
use crate::run::{Run, Trunk};
use crate::site::Site;

/// One snapshot's view of an address space.
#[derive(Clone, Default)]
pub(crate) struct Space {
    /// The /8s that any plan up to now has needed, lowest first.
    pub(crate) trunks: Box<[Branches]>,
    /// What the plan covers, lowest first.
    pub(crate) covered: Box<[(u32, u32)]>,
    /// What the plan reserves, lowest first.
    pub(crate) reserved: Box<[u32]>,
}

/// One snapshot's view of a /8.
#[derive(Clone)]
pub(crate) struct Branches {
    pub(crate) trunk: Arc<Trunk>,
    pub(crate) number: u32,
    /// The number of the first block that has a slot.
    pub(crate) first: u32,
    /// For each block from the first, the run that it is in.
    pub(crate) slots: Box<[Option<Arc<Run>>]>,
}

impl Space {
    /// Whether this snapshot's plan covers the address.
    pub(crate) fn covers(&self, address: u32) -> bool {
        let after = self.covered.partition_point(|&(first, _)| first <= address);
        after > 0 && address <= self.covered[after - 1].1
    }

    pub(crate) fn reserves(&self, address: u32) -> bool {
        self.reserved.binary_search(&address).is_ok()
    }

    /// The view of the address's /8.
    #[inline]
    pub(crate) fn branches(&self, address: u32) -> Option<&Branches> {
        let number = trunk(address);
        let index = self.trunks.binary_search_by_key(&number, |branches| branches.number).ok()?;
        Some(&self.trunks[index])
    }

    /// The run of the address's block; none if no snapshot up to this one has covered it.
    #[inline]
    pub(crate) fn run(&self, address: u32) -> Option<&Arc<Run>> {
        self.branches(address)?.run(address)
    }

    /// Where the address's bits are; none if no snapshot up to this one has covered its block.
    #[inline]
    pub(crate) fn site(&self, address: u32) -> Option<Site<'_>> {
        let branches = self.branches(address)?;
        Site::new(&branches.trunk, branches.run(address)?, address)
    }
}

impl Branches {
    #[inline]
    fn run(&self, address: u32) -> Option<&Arc<Run>> {
        self.slots.get(block(address).checked_sub(self.first)? as usize)?.as_ref()
    }
}
