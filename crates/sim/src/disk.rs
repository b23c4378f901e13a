//! The store's contract without a disk: append a turn durably, replay all, and every way to fail.
//!
//! A commit is *written* when it begins and *durable* when it ends well. What was written but did
//! not become durable is in doubt: a crash may find all of it, the beginning of it, or nothing.

use core::net::Ipv4Addr;
use std::collections::{BTreeMap, VecDeque};

use leasehold_dhcp::record::{Binding, Change, Folded, Location, Records, decode_all};
use leasehold_dhcp::{Durable, Hardware, Record, Wall};

use crate::client::Identity;
use crate::oracle::same;
use crate::planted::Bug;
use crate::random::Random;

/// How a sick disk treats a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Sickness {
    /// Refuses it and keeps nothing: the file system is full.
    Full,
    /// Takes it, cannot sync it, and may or may not keep it.
    SyncFails,
}

/// Some bytes of a turn, written in one piece.
#[derive(Clone, Debug)]
struct Written {
    sequence: u64,
    bytes: Vec<u8>,
}

/// The disk under the store. It outlives the server's process.
#[derive(Debug)]
pub(crate) struct Disk {
    durable: Vec<Written>,
    /// All of `durable`, folded.
    leases: BTreeMap<Location, Folded>,
    /// Who was bound to what before or by a turn of the newest sync, also if a later turn of the
    /// same sync has changed that: the promises of all of them leave together.
    newest: Vec<(Location, Identity)>,
    /// Written and not yet, or never, synced; in order.
    doubtful: VecDeque<Written>,
    sickness: Option<Sickness>,
    /// Commits up to this one can succeed no more: the disk was mended under them.
    settled: u64,
    /// The newest commit that was begun.
    written: u64,
    random: Random,
}

/// The disk did not make a turn durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Failed;

impl Disk {
    pub(crate) fn new(random: Random) -> Self {
        Self {
            durable: Vec::new(),
            leases: BTreeMap::new(),
            newest: Vec::new(),
            doubtful: VecDeque::new(),
            settled: 0,
            written: 0,
            sickness: None,
            random,
        }
    }

    pub(crate) fn sicken(&mut self, sickness: Sickness) {
        self.sickness = Some(sickness);
    }

    /// Works again. What the store finds of the failed commits is settled by looking.
    pub(crate) fn heal(&mut self) {
        if self.sickness.take().is_none() {
            return;
        }
        self.settle();
        self.settled = self.written;
    }

    pub(crate) fn works(&self) -> bool {
        self.sickness.is_none()
    }

    /// A commit begins: its bytes are on their way.
    pub(crate) fn write(&mut self, sequence: u64, records: &Records) {
        self.written = sequence;
        if self.sickness == Some(Sickness::Full) {
            return;
        }
        self.doubtful.push_back(Written { sequence, bytes: records.bytes().to_vec() });
    }

    /// A commit ends: everything from `oldest` up to and including `sequence` is durable, or it
    /// failed.
    pub(crate) fn sync(&mut self, oldest: u64, sequence: u64) -> Result<Durable, Failed> {
        if self.sickness.is_some() || oldest <= self.settled {
            return Err(Failed);
        }
        self.newest.clear();
        while self.doubtful.front().is_some_and(|next| next.sequence <= sequence) {
            self.doubtful.pop_front().into_iter().for_each(|written| self.keep(written));
        }
        Ok(Durable::after_sync(sequence))
    }

    /// A false proof, for a planted bug.
    pub(crate) fn pretend(&self, sequence: u64) -> Durable {
        Durable::after_sync(sequence)
    }

    /// The process or the machine is gone, and with it every commit on its way.
    pub(crate) fn crash(&mut self) {
        self.settle();
        self.settled = 0;
    }

    /// The store is gone, and a new one is made.
    pub(crate) fn lose(&mut self) {
        let random = self.random.clone();
        *self = Self { sickness: self.sickness, ..Self::new(random) };
    }

    /// Doubtful writes are kept up to one that is cut short or gone, and that for ever: a log is
    /// read up to its first tear.
    fn settle(&mut self) {
        for mut written in core::mem::take(&mut self.doubtful) {
            match self.random.within(0, 3) {
                0 => return,
                1 => {
                    let length = self.random.index(written.bytes.len() + 1);
                    written.bytes.truncate(length);
                    return self.keep(written);
                }
                _ => self.keep(written),
            }
        }
    }

    /// A store finds a torn write by its checksum and keeps the frames before the tear.
    fn keep(&mut self, written: Written) {
        for record in frames(&written.bytes) {
            let location = record.location.clone();
            let lease = self.leases.entry(location.clone()).or_default();
            let before = binding(lease).map(named);
            lease.apply(record);
            let holders = before.into_iter().chain(binding(lease).map(named));
            self.newest.extend(holders.map(|holder| (location.clone(), holder)));
        }
        self.durable.push(written);
    }

    /// Whether an address belongs to this client by what is durable.
    pub(crate) fn holds(&self, address: Ipv4Addr, identity: &Identity) -> bool {
        let location = Location::main(address);
        let held = self.leases.get(&location).and_then(binding).map(named);
        held.is_some_and(|held| same(&held, identity))
    }

    /// Whether it does, or did before or within the newest sync.
    pub(crate) fn has_just_held(&self, address: Ipv4Addr, identity: &Identity) -> bool {
        let location = Location::main(address);
        let mut newest = self.newest.iter();
        self.holds(address, identity)
            || newest.any(|(at, held)| *at == location && same(held, identity))
    }

    /// The addresses that are bound by what is durable.
    pub(crate) fn bound(&self) -> impl Iterator<Item = Ipv4Addr> + '_ {
        let bound = self.leases.iter().filter(|(_, lease)| binding(lease).is_some());
        bound.map(|(location, _)| location.address)
    }

    /// The newest time of all records that ever became durable.
    pub(crate) fn latest(&self) -> Option<Wall> {
        records(&self.durable).map(|record| record.at).max()
    }

    /// The newest turn that a restart finds.
    pub(crate) fn newest(&self) -> u64 {
        self.durable.iter().map(|written| written.sequence).max().unwrap_or(0)
    }

    /// What a restart reads: the older turns folded, in the order of addresses, then the newer ones
    /// as they are. Where the fold ends is left to chance, as it is to the background task.
    pub(crate) fn replay(&mut self, planted: Option<Bug>) -> Vec<Record> {
        let fold_end = self.random.index(self.durable.len() + 1);
        let (older, newer) = self.durable.split_at(fold_end);
        let mut leases: BTreeMap<Location, Folded> = BTreeMap::new();
        for record in records(older) {
            leases.entry(record.location.clone()).or_default().apply(record);
        }
        let folded = leases.values().flat_map(|lease| lease.records().cloned());
        let newer = if planted == Some(Bug::NewestNotReplayed) { &[] } else { newer };
        folded.chain(records(newer)).collect()
    }
}

fn records(written: &[Written]) -> impl Iterator<Item = Record> + '_ {
    written.iter().flat_map(|written| frames(&written.bytes))
}

/// The lease's binding, if it has not ended.
fn binding(lease: &Folded) -> Option<&Binding> {
    let mut records = lease.records();
    match (&records.next()?.change, records.next()) {
        (Change::Bound(binding), None) => Some(binding),
        _ => None,
    }
}

/// Whose a binding is.
pub(crate) fn named(binding: &Binding) -> Identity {
    let mac = Hardware::new(binding.htype, &binding.chaddr).mac().unwrap_or_default().0;
    Identity { mac, client_id: binding.client_id.to_vec() }
}

fn frames(bytes: &[u8]) -> impl Iterator<Item = Record> + '_ {
    decode_all(bytes).map_while(Result::ok)
}

#[cfg(test)]
mod tests {
    use leasehold_dhcp::Wall;

    use super::*;

    fn turn(addresses: core::ops::Range<u8>) -> Records {
        let mut records = Records::default();
        for host in addresses {
            let location = Location::main(Ipv4Addr::new(10, 0, 0, host));
            let change = Change::Quarantined { seconds: 60, by: None, declined: false };
            records.push(&Record { location, at: Wall(7), change });
        }
        records
    }

    fn found(disk: &mut Disk) -> usize {
        disk.replay(None).len()
    }

    #[test]
    fn what_was_synced_is_found_however_it_is_folded() {
        let mut disk = Disk::new(Random::new(3));
        for sequence in 1..=4 {
            let first = sequence as u8 * 10;
            disk.write(sequence, &turn(first..first + 5));
            assert!(disk.sync(sequence, sequence).is_ok());
        }
        disk.settle();
        assert!((0..50).all(|_| found(&mut disk) == 20));
        assert_eq!(disk.newest(), 4);
    }

    #[test]
    fn what_was_not_synced_is_kept_cut_or_gone() {
        let mut counts = [0; 6];
        for seed in 0..300 {
            let mut disk = Disk::new(Random::new(seed));
            disk.write(1, &turn(0..5));
            disk.settle();
            counts[found(&mut disk)] += 1;
        }
        assert!(counts.iter().all(|&count| count > 5), "{counts:?}");
    }

    #[test]
    fn a_sick_disk_makes_nothing_durable() {
        let mut disk = Disk::new(Random::new(3));
        disk.sicken(Sickness::Full);
        disk.write(1, &turn(0..5));
        assert!(disk.sync(1, 1).is_err());
        disk.heal();
        assert_eq!(found(&mut disk), 0);
        disk.write(2, &turn(0..2));
        assert!(disk.sync(1, 2).is_err(), "no turn is durable before one that it follows");
        assert!(disk.sync(2, 2).is_ok());
        assert_eq!(found(&mut disk), 2);
    }
}
