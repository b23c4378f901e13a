//! How one address changes hands.
//!
//! Each address of a block has exactly one token. It lies in the map of fresh addresses, in the
//! map of remembered ones, among the vacant reserved ones, or it is out, as a claim. Whoever clears
//! a token's bit has the token, and alone may write the address's tag until the token is laid down.

use crate::bits::Block;
use crate::geometry::branch_digit;
use crate::mutant::{Mutant, planted};
use crate::run::{MAPS, Map, Reservations, Run, Trunk};
use crate::sync::Ordering;

/// Where the bits of one address are.
#[derive(Clone, Copy)]
pub(crate) struct Site<'a> {
    run: &'a Run,
    place: usize,
    reservations: &'a Reservations,
    trunk: &'a Trunk,
    address: u32,
}

impl<'a> Site<'a> {
    /// The address must be in the trunk; none if its block is not in the run.
    #[inline]
    pub(crate) fn new(trunk: &'a Trunk, run: &'a Run, address: u32) -> Option<Self> {
        let place = run.place(address)?;
        Some(Self { run, place, reservations: run.reservations(place)?, trunk, address })
    }

    /// The address's block of one map; a space without memory has no remembered addresses.
    #[inline]
    pub(crate) fn block(self, map: Map) -> Option<Block<'a>> {
        Block::new(self.run.leaves(map)?, self.place, self.trunk.crown(map), self.address)
    }

    /// The number of the last owner's tag; 0 for none.
    #[inline]
    pub(crate) fn tag(self) -> u32 {
        let tag = self.run.tag(self.place, self.address);
        tag.map_or(0, |tag| tag.load(Ordering::Relaxed))
    }

    /// Writes the tag; only for the holder of the token.
    #[inline]
    pub(crate) fn write_tag(self, tag: u32) {
        if let Some(memory) = self.run.tag(self.place, self.address) {
            memory.store(tag, Ordering::Relaxed);
        }
    }

    pub(crate) fn is_in(self, map: Map) -> bool {
        self.block(map).is_some_and(|block| block.is_set(self.address))
    }

    /// Takes the token out of one map; false if it is not there.
    #[inline]
    pub(crate) fn take_from(self, map: Map) -> bool {
        self.block(map).is_some_and(|block| block.clear(self.address))
    }

    /// Takes the token out of the free maps; false if it is in neither.
    pub(crate) fn take_free(self) -> bool {
        MAPS.into_iter().any(|map| self.take_from(map))
    }

    /// Takes the token from among the vacant reserved addresses; false if it is not there.
    pub(crate) fn take_vacant(self) -> bool {
        let (word, bit) = self.reservations.vacant(self.address);
        word.fetch_and(!bit, Ordering::AcqRel) & bit != 0
    }

    pub(crate) fn is_vacant(self) -> bool {
        let (word, bit) = self.reservations.vacant(self.address);
        word.load(Ordering::Acquire) & bit != 0
    }

    #[inline]
    pub(crate) fn is_reserved(self) -> bool {
        self.reservations.is_reserved(self.address)
    }

    pub(crate) fn is_quarantined(self) -> bool {
        let (word, bit) = self.reservations.quarantined(self.address);
        word.load(Ordering::Acquire) & bit != 0
    }

    /// Marks the address as quarantined; only for the holder of the token.
    pub(crate) fn mark_quarantined(self) {
        let (word, bit) = self.reservations.quarantined(self.address);
        word.fetch_or(bit, Ordering::AcqRel);
    }

    /// Ends the mark; only for the holder of the token.
    pub(crate) fn unmark_quarantined(self) {
        let (word, bit) = self.reservations.quarantined(self.address);
        word.fetch_and(!bit, Ordering::AcqRel);
    }

    /// How many of `first..=last`, both in this block, are quarantined.
    pub(crate) fn count_quarantined(self, first: u32, last: u32) -> u32 {
        self.reservations.count_quarantined(first, last)
    }

    /// Takes the token if the address is remembered for the owner of that tag.
    #[inline]
    pub(crate) fn take_remembered(self, tag: u32) -> bool {
        if self.tag() != tag || !self.take_from(Map::Remembered) {
            return false;
        }
        // Only now that the token is ours the tag cannot change any more.
        let is_owners = self.tag() == tag || planted(Mutant::NoSecondLookAtTag);
        if !is_owners {
            self.lay_back();
        }
        is_owners
    }

    /// Lays the caller's token, with that tag, where it belongs.
    #[inline]
    pub(crate) fn lay_down(self, tag: u32) {
        if self.is_reserved() {
            return self.lay_among_vacant();
        }
        self.lay_free(if tag == 0 { Map::Fresh } else { Map::Remembered });
        if self.is_reserved() && !planted(Mutant::NoSecondLookAtReservation) {
            self.follow_reservation();
        }
    }

    /// Sets the reservation; a free address becomes a vacant one.
    pub(crate) fn reserve(self) {
        self.reservations.reserve(self.address);
        self.follow_reservation();
    }

    /// Ends the reservation; a vacant address becomes a free one.
    pub(crate) fn unreserve(self) {
        self.reservations.unreserve(self.address);
        self.follow_end_of_reservation();
    }

    #[inline]
    fn lay_free(self, map: Map) {
        // A space without memory has only fresh addresses.
        let block = self.block(map).or_else(|| self.block(Map::Fresh));
        let watch = self.trunk.watch(branch_digit(self.address));
        if planted(Mutant::NoticeBeforeBit) {
            watch.notice();
        }
        let was_out = block.is_some_and(|block| block.set(self.address));
        debug_assert!(was_out, "a token was laid down twice: a claim of another universe");
        if !planted(Mutant::NoticeBeforeBit) {
            watch.notice();
        }
    }

    #[cold]
    fn lay_among_vacant(self) {
        let (word, bit) = self.reservations.vacant(self.address);
        word.fetch_or(bit, Ordering::AcqRel);
        if !self.is_reserved() && !planted(Mutant::NoSecondLookAtReservation) {
            self.follow_end_of_reservation();
        }
    }

    /// The reservation was set, perhaps while the token was laid among the free ones. Both threads
    /// look, and whoever gets the token moves it. To get here again from the other side, the
    /// reservation must have been changed again meanwhile.
    #[cold]
    fn follow_reservation(self) {
        if self.take_free() {
            self.lay_back();
        }
    }

    /// The same the other way round.
    #[cold]
    fn follow_end_of_reservation(self) {
        if self.take_vacant() {
            self.lay_back();
        }
    }

    /// Lays the token down with the tag that the address has.
    #[cold]
    fn lay_back(self) {
        self.lay_down(self.tag());
    }
}
