//! The state of one location: what remains when its records are folded.

use super::bytes::{Corrupt, Records, decode_all};
use super::{Change, Record};

/// What a store keeps of one location: its last binding, and how that ended if it did.
///
/// Folding drops nothing that a restart needs: the owner of a lease that ended is remembered, so
/// that a client gets its old address again. The history is in the turns, not here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Folded {
    bound: Option<Record>,
    ended: Option<Record>,
}

impl Folded {
    /// Takes the location's next record; records of other locations must not come here.
    pub fn apply(&mut self, record: Record) {
        match record.change {
            Change::Bound(_) => *self = Self { bound: Some(record), ended: None },
            Change::Renewed { lease_time } => self.renew(record.at, lease_time),
            Change::Released | Change::Expired | Change::Removed => {
                // What ends a quarantine leaves nothing behind: the owner before it is long gone.
                if self.bound.is_some() {
                    self.ended = Some(record);
                } else {
                    *self = Self::default();
                }
            }
            Change::Quarantined { .. } => *self = Self { bound: None, ended: Some(record) },
        }
    }

    /// The records that stand for all that were applied, in order: at most two.
    pub fn records(&self) -> impl Iterator<Item = &Record> {
        self.bound.iter().chain(&self.ended)
    }

    /// Whether nothing needs to be kept.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bound.is_none() && self.ended.is_none()
    }

    /// As bytes: frames like a turn's.
    #[must_use]
    pub fn encode(&self) -> Records {
        let mut records = Records::default();
        for record in self.records() {
            records.push(record);
        }
        records
    }

    /// What [`Folded::encode`] wrote.
    ///
    /// # Errors
    ///
    /// The bytes are no frames.
    pub fn decode(bytes: &[u8]) -> Result<Self, Corrupt> {
        let mut folded = Self::default();
        for record in decode_all(bytes) {
            folded.apply(record?);
        }
        Ok(folded)
    }

    fn renew(&mut self, at: crate::time::Wall, renewed: u32) {
        // What has ended is not renewed: the binding between is lost, and with it the owner.
        let (Some(record), None) = (&mut self.bound, &self.ended) else { return };
        let Change::Bound(binding) = &mut record.change else { return };
        record.at = at;
        binding.lease_time = renewed;
    }
}
