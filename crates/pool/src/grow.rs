//! How a space grows: new blocks for what a new plan covers, the old ones shared.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::iter::repeat_n;

use crate::check::blocks;
use crate::geometry::{TRUNK_BLOCKS, block_first, trunk};
use crate::space::{Branches, NO_TRUNK, Run, Slot, Space, Trunk};

impl Space {
    /// This space with all blocks that `covered` needs. The blocks there are stay: claims on their
    /// addresses may be out.
    pub(crate) fn grown(&self, covered: &[(u32, u32)], reserved: Vec<u32>, memory: bool) -> Self {
        let mut growth = Growth {
            trunk_numbers: self.trunk_numbers.to_vec(),
            trunks: self.trunks.to_vec(),
            runs: self.runs.to_vec(),
            memory,
        };
        for (first, last) in blocks(covered) {
            growth.cover(first, last);
        }
        Self {
            trunk_numbers: growth.trunk_numbers.into(),
            trunks: growth.trunks.into(),
            runs: growth.runs.into(),
            covered: covered.into(),
            reserved: reserved.into(),
        }
    }
}

struct Growth {
    trunk_numbers: Vec<u16>,
    trunks: Vec<Branches>,
    runs: Vec<Arc<Run>>,
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
        let number = self.trunk_number(first);
        let branches = &mut self.trunks[number];
        branches.widen(first, last);
        let mut start = first;
        while start <= last {
            let missing =
                (start..=last).take_while(|&block| branches.slot(block).is_none()).count();
            if missing == 0 {
                start += 1;
                continue;
            }
            for offset in 0..missing {
                let block = start + offset as u32;
                *branches.slot_mut(block) = Slot::new(self.runs.len(), offset);
            }
            self.runs.push(Arc::new(Run::new(missing, self.memory)));
            for block in start..start + missing as u32 {
                branches.trunk.announce_fresh(block_first(block));
            }
            start += missing as u32;
        }
    }

    fn trunk_number(&mut self, block: u32) -> usize {
        let trunk = trunk(block_first(block)) as usize;
        if self.trunk_numbers.len() <= trunk {
            self.trunk_numbers.resize(trunk + 1, NO_TRUNK);
        }
        if self.trunk_numbers[trunk] == NO_TRUNK {
            self.trunk_numbers[trunk] = self.trunks.len() as u16;
            let new = Branches {
                trunk: Arc::new(Trunk::new()),
                first: block,
                slots: Vec::new().into_boxed_slice(),
            };
            self.trunks.push(new);
        }
        usize::from(self.trunk_numbers[trunk])
    }
}

impl Branches {
    /// Gives each of the blocks `first..=last` a slot, empty where it has none.
    fn widen(&mut self, first: u32, last: u32) {
        let end = self.first + self.slots.len() as u32;
        let low = first.min(self.first);
        let high = (last + 1).max(end);
        let before = repeat_n(Slot::NONE, (self.first - low) as usize);
        let after = repeat_n(Slot::NONE, (high - end) as usize);
        self.slots = before.chain(self.slots.iter().copied()).chain(after).collect();
        self.first = low;
    }

    fn slot(&self, block: u32) -> Option<Slot> {
        let slot = self.slots[(block - self.first) as usize];
        (slot != Slot::NONE).then_some(slot)
    }

    fn slot_mut(&mut self, block: u32) -> &mut Slot {
        &mut self.slots[(block - self.first) as usize]
    }
}
