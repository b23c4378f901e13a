//! Looks into the server when nothing is on its way: book, store and pools must tell one story.

use core::net::Ipv4Addr;
use std::collections::BTreeMap;

use leasehold_dhcp::order::{LeaseView, Status};
use leasehold_dhcp::{Hardware, Now};
use leasehold_pool::{AddressState, SpaceId};

use crate::client::Identity;
use crate::oracle::Rule;
use crate::topology::LinkId;
use crate::world::World;

impl World<'_> {
    /// The engine's own check, after every turn.
    pub(crate) fn audit_book(&mut self) {
        let Some(process) = &self.process else { return };
        if let Err(detail) = process.engine.check() {
            self.fail((Rule::Book, detail));
        }
    }

    /// Compares everything, if no turn is on its way to the disk and the store works.
    pub(crate) fn audit(&mut self, now: Now) {
        let Some(process) = &mut self.process else { return };
        if !process.flights.is_empty() || process.store_failed {
            return;
        }
        let book: BTreeMap<Ipv4Addr, LeaseView> =
            process.leases(now).into_iter().map(|lease| (lease.location.address, lease)).collect();
        if let Err(detail) = self.compare_with_store(&book) {
            return self.fail((Rule::Store, detail));
        }
        if let Err(detail) = self.compare_with_pools(&book) {
            self.fail((Rule::Pool, detail));
        }
    }

    /// The store, folded, has the bound leases of the book, of the same clients, and no others.
    fn compare_with_store(&self, book: &BTreeMap<Ipv4Addr, LeaseView>) -> Result<(), String> {
        for lease in book.values() {
            let address = lease.location.address;
            if lease.status == Status::Bound && !self.disk.holds(address, &identity(lease)) {
                return Err(format!("{address} is bound in the book, not in the store"));
            }
        }
        let stored = self.disk.bound();
        let unknown = stored
            .filter(|address| book.get(address).is_none_or(|lease| lease.status != Status::Bound));
        match unknown.into_iter().next() {
            Some(address) => Err(format!("{address} is bound in the store, not in the book")),
            None => Ok(()),
        }
    }

    /// Each address of a range or a static lease is what the book says: claimed, quarantined,
    /// reserved and vacant, or free.
    fn compare_with_pools(&self, book: &BTreeMap<Ipv4Addr, LeaseView>) -> Result<(), String> {
        let Some(process) = &self.process else { return Ok(()) };
        let ranges = (0..)
            .map(LinkId)
            .zip(&process.site.pools)
            .flat_map(|(link, pool)| (pool.first..=pool.last).map(move |host| link.host(host)));
        for address in ranges.chain(process.site.statics.values().copied()) {
            let state = process.pools.state(SpaceId::MAIN, address);
            let reserved = process.pools.is_reserved(SpaceId::MAIN, address);
            // The static lease of a disabled server, in no range.
            if state == AddressState::NotCovered && !process.site.is_served(address) {
                continue;
            }
            let agrees = match book.get(&address).map(|lease| lease.status) {
                Some(Status::Bound | Status::Offered | Status::Testing) => {
                    state == AddressState::Claimed
                }
                Some(Status::Declined | Status::Conflict) => state == AddressState::Quarantined,
                None if reserved => state == AddressState::Vacant,
                None => matches!(state, AddressState::Fresh | AddressState::Remembered(_)),
            };
            if !agrees {
                let status = book.get(&address).map(|lease| lease.status);
                return Err(format!("{address} is {status:?} in the book, {state:?} in the pools"));
            }
        }
        Ok(())
    }
}

fn identity(lease: &LeaseView) -> Identity {
    let mac = Hardware::mac(&lease.hardware).unwrap_or_default();
    Identity { mac: mac.0, client_id: lease.client_id.to_vec() }
}
