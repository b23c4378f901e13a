//! A lease as it stands after all its records, and the tenures that it has been through.
//!
//! Folding is a pure function: `Row::apply(record)` gives at most one tenure that has ended.
//! A row knows the turn that it was last changed by, so that folding a record twice does nothing.

use leasehold_dhcp::record::{self, Binding, Change, Kind, Location, Records};
use leasehold_dhcp::{Mac, Record, Wall};

use super::codec::{self, Corrupt};
use super::fold;

/// How a tenure ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Given back by the client.
    Released,
    /// Not renewed in time.
    Expired,
    /// Taken away by the administrator.
    Removed,
    /// Somebody else was found on the address.
    Quarantined,
    /// Another client got the address without a gap.
    Superseded,
}

impl Ending {
    const ALL: [Self; 5] =
        [Self::Released, Self::Expired, Self::Removed, Self::Quarantined, Self::Superseded];

    /// The word for people and machines.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Released => "released",
            Self::Expired => "expired",
            Self::Removed => "removed",
            Self::Quarantined => "conflict",
            Self::Superseded => "superseded",
        }
    }

    pub(super) fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|ending| ending.name() == name)
    }

    fn tag(self) -> u8 {
        match self {
            Self::Released => 1,
            Self::Expired => 2,
            Self::Removed => 3,
            Self::Quarantined => 4,
            Self::Superseded => 5,
        }
    }

    fn of_tag(tag: u8) -> Result<Self, Corrupt> {
        Self::ALL.into_iter().find(|ending| ending.tag() == tag).ok_or(Corrupt::Tag(tag))
    }
}

/// One client's time on one address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tenure {
    /// Where.
    pub location: Location,
    /// First bound.
    pub since: Wall,
    /// Last granted or renewed; the binding's `lease_time` counts from here.
    pub renewed: Wall,
    /// When and how it ended; `None` while it lasts.
    pub ended: Option<(Wall, Ending)>,
    /// To whom, by which server.
    pub binding: Binding,
}

/// A bound or formerly bound client of an address.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Tenant {
    since: Wall,
    renewed: Wall,
    ended: Option<(Wall, Ending)>,
    binding: Binding,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Quarantine {
    at: Wall,
    seconds: u32,
    by: Option<Mac>,
    declined: bool,
}

/// What is known of one address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Row {
    sequence: u64,
    tenant: Option<Tenant>,
    quarantine: Option<Quarantine>,
}

impl Row {
    /// The last turn that changed it.
    pub(super) fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Whether nothing is known of the address any more: a quarantine is over, and nobody had it.
    pub(super) fn is_blank(&self) -> bool {
        self.tenant.is_none() && self.quarantine.is_none()
    }

    /// When the address was last anybody's business; `None` while it is bound.
    pub(super) fn idle_since(&self) -> Option<Wall> {
        let left = match &self.tenant {
            Some(Tenant { ended: None, .. }) => return None,
            Some(Tenant { ended: Some((at, _)), .. }) => *at,
            None => Wall(0),
        };
        let pardoned = self.quarantine.map_or(Wall(0), |q| Wall(q.at.0 + u64::from(q.seconds)));
        Some(left.max(pardoned))
    }

    /// Applies the record of turn `sequence`; gives back the tenure that it has ended.
    pub(super) fn apply(&mut self, sequence: u64, record: Record) -> Option<Tenure> {
        self.sequence = sequence;
        let Record { location, at, change } = record;
        match change {
            Change::Bound(binding) => self.bind(&location, at, *binding),
            Change::Renewed { lease_time } => {
                if let Some(tenant) = self.lasting() {
                    tenant.renewed = at;
                    tenant.binding.lease_time = lease_time;
                }
                None
            }
            Change::Released => self.end(&location, at, Ending::Released),
            Change::Expired => self.end(&location, at, Ending::Expired),
            Change::Removed => self.end(&location, at, Ending::Removed),
            Change::Quarantined { seconds, by, declined } => {
                let ended = self.end(&location, at, Ending::Quarantined);
                self.quarantine = Some(Quarantine { at, seconds, by, declined });
                ended
            }
        }
    }

    /// The tenure that lasts, if one does.
    pub(super) fn tenure(&self, location: &Location) -> Option<Tenure> {
        let tenant = self.tenant.as_ref().filter(|tenant| tenant.ended.is_none())?;
        Some(tenant.tenure(location))
    }

    /// The fewest records that rebuild this row's state in the engine, in order.
    pub(super) fn records(&self, location: &Location) -> impl Iterator<Item = Record> {
        self.clone().into_records(location)
    }

    /// The same, for a row that is not needed any more.
    pub(super) fn into_records(self, location: &Location) -> impl Iterator<Item = Record> {
        let record = |at, change| Record { location: location.clone(), at, change };
        let (renewed, ended, binding) = match self.tenant {
            Some(Tenant { renewed, ended, binding, .. }) => (renewed, ended, Some(binding)),
            None => (Wall(0), None, None),
        };
        let bound = binding.map(|binding| record(renewed, Change::Bound(Box::new(binding))));
        let ended = ended.and_then(|(at, ending)| match ending {
            Ending::Released => Some(record(at, Change::Released)),
            Ending::Expired => Some(record(at, Change::Expired)),
            Ending::Removed => Some(record(at, Change::Removed)),
            Ending::Quarantined | Ending::Superseded => None,
        });
        let quarantined = self.quarantine.map(|q| {
            let Quarantine { at, seconds, by, declined } = q;
            record(at, Change::Quarantined { seconds, by, declined })
        });
        bound.into_iter().chain(ended).chain(quarantined)
    }

    /// Its sealed value: the last turn, the beginning of the tenure, the records that rebuild it.
    pub(super) fn into_value(self, location: &Location) -> Vec<u8> {
        let since = self.tenant.as_ref().map_or(0, |tenant| tenant.since.0);
        let sequence = self.sequence;
        let mut records = Records::default();
        self.into_records(location).for_each(|record| records.push(&record));
        codec::seal(&[&sequence.to_be_bytes(), &since.to_be_bytes(), records.bytes()])
    }

    /// Reads a sealed value.
    pub(super) fn of_value(value: &[u8]) -> Result<Self, Corrupt> {
        let (sequence, since, records) = parts(value)?;
        Ok(Self::of_records(sequence, since, records))
    }

    /// A row, and where it belongs, if this value is one that says so.
    pub(super) fn whole(value: &[u8]) -> Option<(Location, Self)> {
        let (sequence, since, records) = parts(value).ok()?;
        let location = records.first()?.location.clone();
        Some((location, Self::of_records(sequence, since, records)))
    }

    /// What turn `sequence` made of it, rebuilt from [`Row::records`].
    pub(super) fn of_records(sequence: u64, since: Wall, records: Vec<Record>) -> Self {
        let mut row = Self { sequence, ..Self::default() };
        for record in records {
            row.apply(sequence, record);
        }
        if let Some(tenant) = &mut row.tenant {
            tenant.since = since;
        }
        row
    }

    /// When its client, present or last, was first bound.
    pub(super) fn since(&self) -> Wall {
        self.tenant.as_ref().map_or(Wall(0), |tenant| tenant.since)
    }

    fn lasting(&mut self) -> Option<&mut Tenant> {
        self.tenant.as_mut().filter(|tenant| tenant.ended.is_none())
    }

    fn bind(&mut self, location: &Location, at: Wall, binding: Binding) -> Option<Tenure> {
        self.quarantine = None;
        if let Some(tenant) = self.lasting()
            && same_client(&tenant.binding, &binding)
        {
            tenant.renewed = at;
            tenant.binding = binding;
            return None;
        }
        let ended = self.end(location, at, Ending::Superseded);
        self.tenant = Some(Tenant { since: at, renewed: at, ended: None, binding });
        ended
    }

    fn end(&mut self, location: &Location, at: Wall, ending: Ending) -> Option<Tenure> {
        if self.quarantine.take().is_some()
            && let Some(Tenant { ended: Some((_, how @ Ending::Quarantined)), .. }) =
                &mut self.tenant
        {
            // The quarantine is over; that the lease has ended must still be told.
            *how = Ending::Removed;
        }
        let tenant = self.lasting()?;
        tenant.ended = Some((at, ending));
        Some(tenant.tenure(location))
    }
}

/// A sealed row after changes that bind it first or only renew it, made from the octets of both;
/// `None` if there is more to it, and the row has to be taken apart.
pub(super) fn plain_value(kept: &[u8], changes: &[fold::Change<'_>]) -> Option<Vec<u8>> {
    let (known, since, frame, renewals) = match changes {
        [bound, renewals @ ..] if kept.is_empty() && bound.framed.kind() == Kind::Bound => {
            (0, bound.framed.at().0, bound.framed.frame(), renewals)
        }
        renewals => {
            let (known, rest) = codec::number(codec::body(kept).ok()?).ok()?;
            let (since, frame) = codec::number(rest).ok()?;
            (known, since, frame, renewals)
        }
    };
    let renews = |change: &fold::Change<'_>| matches!(change.framed.kind(), Kind::Renewed(_));
    if !renewals.iter().all(renews) || changes.iter().any(|change| change.turn <= known) {
        return None;
    }
    let mut frame = frame.to_vec();
    if let Some(last) = renewals.last()
        && let Kind::Renewed(lease_time) = last.framed.kind()
        && !record::renew(&mut frame, last.framed.at(), lease_time)
    {
        return None;
    }
    let turn = changes.last()?.turn;
    Some(codec::seal(&[&turn.to_be_bytes(), &since.to_be_bytes(), &frame]))
}

/// The frames in a sealed row: the records that rebuild its state in the engine.
pub(super) fn frames_of_value(value: &[u8]) -> Result<&[u8], Corrupt> {
    let (_, rest) = codec::number(codec::body(value)?)?;
    let (_, frames) = codec::number(rest)?;
    Ok(frames)
}

impl Tenant {
    fn tenure(&self, location: &Location) -> Tenure {
        Tenure {
            location: location.clone(),
            since: self.since,
            renewed: self.renewed,
            ended: self.ended,
            binding: self.binding.clone(),
        }
    }
}

impl Tenure {
    /// Key in the history: its place, its beginning, and the turn that ended it.
    pub fn key(&self, sequence: u64) -> Vec<u8> {
        let mut key = self.location.key();
        key.extend_from_slice(&self.since.0.to_be_bytes());
        key.extend_from_slice(&sequence.to_be_bytes());
        key
    }

    /// Its sealed value in the history: last renewal, end, how, and the binding's record.
    pub(super) fn value(&self) -> Vec<u8> {
        let (at, tag) = self.ended.map_or((Wall(0), 0), |(at, ending)| (at, ending.tag()));
        let mut records = Records::default();
        let change = Change::Bound(Box::new(self.binding.clone()));
        let location = self.location.clone();
        records.push(&Record { location, at: self.renewed, change });
        codec::seal(&[&at.0.to_be_bytes(), &[tag], records.bytes()])
    }

    /// Reads what [`Tenure::key`] and [`Tenure::value`] made.
    pub(super) fn read(key: &[u8], value: &[u8]) -> Result<Self, Corrupt> {
        let (rest, _) = key.split_last_chunk::<8>().ok_or(Corrupt::Key)?;
        let (location, since) = rest.split_last_chunk::<8>().ok_or(Corrupt::Key)?;
        let location = codec::key_location(location)?;
        let since = Wall(u64::from_be_bytes(*since));
        let (at, rest) = codec::number(codec::body(value)?)?;
        let (&tag, frames) = rest.split_first().ok_or(Corrupt::Short)?;
        let ended = if tag == 0 { None } else { Some((Wall(at), Ending::of_tag(tag)?)) };
        let record = codec::frames(frames)?.pop().ok_or(Corrupt::Unbound)?;
        let Change::Bound(binding) = record.change else { return Err(Corrupt::Unbound) };
        Ok(Self { location, since, renewed: record.at, ended, binding: *binding })
    }

    /// A tenure with its key, if this value is one; without a key that fits, it has begun when it
    /// was last renewed.
    pub(super) fn whole(keys: &[Vec<u8>], value: &[u8]) -> Option<(Vec<u8>, Self)> {
        let (_, rest) = codec::number(codec::body(value).ok()?).ok()?;
        let record = codec::frames(rest.get(1..)?).ok()?.pop()?;
        let prefix = record.location.key();
        let mut fits = keys
            .iter()
            .filter(|key| key.len() == prefix.len() + KEY_NUMBERS && key.starts_with(&prefix));
        let made = [prefix.as_slice(), &record.at.0.to_be_bytes(), &[0; 8]].concat();
        let key = fits.next().cloned().unwrap_or(made);
        let tenure = Self::read(&key, value).ok()?;
        Some((key, tenure))
    }
}

/// Octets behind the location in a tenure's key: its beginning, and the turn that ended it.
const KEY_NUMBERS: usize = 16;

/// Turn, beginning and records of a row's value.
fn parts(value: &[u8]) -> Result<(u64, Wall, Vec<Record>), Corrupt> {
    let (sequence, rest) = codec::number(codec::body(value)?)?;
    let (since, frames) = codec::number(rest)?;
    Ok((sequence, Wall(since), codec::frames(frames)?))
}

/// RFC 2131 § 4.2: the client identifier if there is one, else the hardware address.
fn same_client(one: &Binding, other: &Binding) -> bool {
    one.server == other.server
        && one.client_id == other.client_id
        && (!one.client_id.is_empty() || (one.htype, &one.chaddr) == (other.htype, &other.chaddr))
}

#[cfg(test)]
mod tests {
    use super::fold::apply;
    use super::*;
    use crate::store::tests::{any_record, encoded};
    use proptest::prelude::*;

    /// A turn each.
    fn changes(records: &Records, first: u64) -> Vec<fold::Change<'_>> {
        let framed = record::framed(records.bytes()).map(Result::unwrap);
        (first..).zip(framed).map(|(turn, framed)| fold::Change { turn, framed }).collect()
    }

    fn at_one_address(mut records: Vec<Record>) -> Vec<Record> {
        for (index, record) in records.iter_mut().enumerate() {
            record.location = Location::main([10, 0, 0, 1].into());
            record.at = Wall(1_000 + index as u64);
        }
        records
    }

    fn visible(row: &Row, location: &Location) -> Vec<Record> {
        row.records(location).collect()
    }

    fn fold<'a>(records: impl IntoIterator<Item = &'a Record>) -> (Row, Vec<Tenure>) {
        let mut row = Row::default();
        let mut ended = Vec::new();
        for (index, record) in records.into_iter().enumerate() {
            ended.extend(row.apply(index as u64 + 1, record.clone()));
        }
        (row, ended)
    }

    proptest! {
        #[test]
        fn a_row_comes_back(records in prop::collection::vec(any_record(), 0..20)) {
            let (row, ended) = fold(&at_one_address(records));
            let location = Location::main([10, 0, 0, 1].into());
            let read = Row::of_value(&row.clone().into_value(&location)).unwrap();
            prop_assert_eq!(read.sequence(), row.sequence());
            prop_assert_eq!(read.tenure(&location), row.tenure(&location));
            prop_assert_eq!(visible(&read, &location), visible(&row, &location));
            let value = row.clone().into_value(&location);
            let kept = codec::frames(frames_of_value(&value).unwrap()).unwrap();
            prop_assert_eq!(visible(&row, &location), kept);
            for tenure in ended {
                let read = Tenure::read(&tenure.key(7), &tenure.value()).unwrap();
                prop_assert_eq!(read, tenure);
            }
        }

        #[test]
        fn plain_octets_are_those_of_a_row_that_was_taken_apart(
            before in prop::collection::vec(any_record(), 0..6),
            records in prop::collection::vec(any_record(), 1..4),
            times in prop::collection::vec((1u64..1 << 40, any::<u32>()), 0..4),
        ) {
            let location = Location::main([10, 0, 0, 1].into());
            let (mut row, _) = fold(&at_one_address(before));
            let kept = if row.is_blank() { Vec::new() } else { row.clone().into_value(&location) };
            let renewal = |(at, lease_time)| Record {
                location: location.clone(),
                at: Wall(at),
                change: Change::Renewed { lease_time },
            };
            let records = at_one_address(records).into_iter().chain(times.into_iter().map(renewal));
            let records = encoded(&records.collect::<Vec<_>>());
            let changes = changes(&records, row.sequence() + 1);
            apply(&mut row, &changes, |_, _| {});
            if let Some(value) = plain_value(&kept, &changes) {
                prop_assert_eq!(value, row.into_value(&location));
            }
        }

        #[test]
        fn rebuilt_rows_behave_the_same(
            before in prop::collection::vec(any_record(), 0..20),
            after in prop::collection::vec(any_record(), 0..20),
        ) {
            let all = at_one_address([before.clone(), after].concat());
            let (before, after) = all.split_at(before.len());
            let (row, _) = fold(before);
            let location = &all.first().map_or_else(
                || Location::main([10, 0, 0, 1].into()),
                |record| record.location.clone(),
            );
            let rebuilt = [visible(&row, location), after.to_vec()].concat();
            let (straight, _) = fold(&all);
            let (short, _) = fold(&rebuilt);
            prop_assert_eq!(visible(&straight, location), visible(&short, location));
        }

        #[test]
        fn tenures_never_overlap(records in prop::collection::vec(any_record(), 0..40)) {
            let (row, ended) = fold(&at_one_address(records));
            let location = Location::main([10, 0, 0, 1].into());
            let all: Vec<Tenure> = ended.into_iter().chain(row.tenure(&location)).collect();
            for pair in all.windows(2) {
                let (end, _) = pair[0].ended.unwrap();
                prop_assert!(pair[0].since <= end && end <= pair[1].since);
            }
        }
    }

    #[test]
    fn what_is_bound_and_renewed_is_written_by_octets() {
        let location = Location::main([10, 0, 0, 1].into());
        let record = |at, change| Record { location: location.clone(), at: Wall(at), change };
        let bound = record(1_700_000_000, Change::Bound(Box::default()));
        let renewal = record(1_700_000_600, Change::Renewed { lease_time: 600 });
        let mut row = Row::default();
        row.apply(1, bound.clone());
        let kept = row.clone().into_value(&location);
        let alone = encoded(core::slice::from_ref(&bound));
        assert_eq!(plain_value(&[], &changes(&alone, 1)), Some(kept.clone()));
        row.apply(2, renewal.clone());
        let renewed = Some(row.clone().into_value(&location));
        let together = encoded(&[bound, renewal.clone()]);
        assert_eq!(plain_value(&[], &changes(&together, 1)), renewed);
        let renewal = encoded(&[renewal]);
        assert_eq!(plain_value(&kept, &changes(&renewal, 2)), renewed);
        // Folded once more after a crash.
        assert_eq!(plain_value(&kept, &changes(&renewal, 1)), None);
        row.apply(3, record(1_700_000_700, Change::Released));
        assert_eq!(plain_value(&row.into_value(&location), &changes(&renewal, 4)), None);
    }
}
