//! How a space grows: new blocks for what a new plan covers, the old ones shared.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::iter::repeat_n;

use crate::check::blocks;
use crate::geometry::{TRUNK_BLOCKS, block_first, trunk};
use crate::run::{Map, Run, Trunk};
use crate::space::{Branches, Space};

impl Space {
    /// This space with all blocks that `covered` needs. The blocks there are stay: claims on their
    /// addresses may be out.
    pub(crate) fn grown(&self, covered: &[(u32, u32)], reserved: Vec<u32>, memory: bool) -> Self {
        let mut growth = Growth { trunks: self.trunks.to_vec(), memory };
        for (first, last) in blocks(covered) {
            growth.cover(first, last);
        }
        Self { trunks: growth.trunks.into(), covered: covered.into(), reserved: reserved.into() }
    }
}

struct Growth {
    trunks: Vec<Branches>,
    memory: bool,
}

impl Growth {
    /// Makes the missing ones of the blocks `first..=last`.
    fn cover(&mut self, first: u32, last: u32) {
        let per_trunk = TRUNK_BLOCKS as u32;
        for number in first / per_trunk..=last / per_trunk {
            let low = first.max(number * per_trunk);
            let high = last.min(number * per_trunk + (per_trunk - 1));
            self.cover_in_trunk(low, high);
        }
    }

    /// Makes the missing ones of the blocks `first..=last`, all in one /8.
    fn cover_in_trunk(&mut self, first: u32, last: u32) {
        let place = self.trunk(first);
        let branches = &mut self.trunks[place];
        branches.widen(first, last);
        let mut start = first;
        while start <= last {
            let missing =
                (start..=last).take_while(|&block| branches.slot_mut(block).is_none()).count();
            if missing == 0 {
                start += 1;
                continue;
            }
            let run = Arc::new(Run::new(start, missing, self.memory));
            for block in start..start + missing as u32 {
                *branches.slot_mut(block) = Some(Arc::clone(&run));
                branches.trunk.crown(Map::Fresh).announce(block_first(block));
            }
            start += missing as u32;
        }
    }

    /// The place of the block's /8 among the trunks.
    fn trunk(&mut self, block: u32) -> usize {
        let number = trunk(block_first(block));
        let found = self.trunks.binary_search_by_key(&number, |branches| branches.number);
        found.unwrap_or_else(|place| {
            let trunk = Arc::new(Trunk::new());
            let slots = Vec::new().into_boxed_slice();
            self.trunks.insert(place, Branches { trunk, number, first: block, slots });
            place
        })
    }
}

impl Branches {
    /// Gives each of the blocks `first..=last` a slot, empty where it has none.
    fn widen(&mut self, first: u32, last: u32) {
        let end = self.first + self.slots.len() as u32;
        let low = first.min(self.first);
        let high = (last + 1).max(end);
        let before = repeat_n(None, (self.first - low) as usize);
        let after = repeat_n(None, (high - end) as usize);
        self.slots = before.chain(self.slots.iter().cloned()).chain(after).collect();
        self.first = low;
    }

    fn slot_mut(&mut self, block: u32) -> &mut Option<Arc<Run>> {
        &mut self.slots[(block - self.first) as usize]
    }
}
