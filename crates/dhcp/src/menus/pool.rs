//! `/ip/pool` and `/ip/pool/used`.

use core::net::Ipv4Addr;
use std::collections::{BTreeMap, BTreeSet};

use leasehold_routeros::menu::{Form, Unique};
use leasehold_routeros::value::{AddressRange, Name, Ranges, Reference};
use leasehold_routeros::{Record, Row, Tree, choice, menu};

choice! {
    /// Where to look when a pool has no free address.
    pub enum NextPool {
        /// Nowhere.
        None = "none",
    } or {
        /// In this pool.
        Pool(Reference<Pool>),
    }
}

/// Overlaps and loops are legal, as on RouterOS: no address is given twice, and chains end. But
/// they are seldom meant.
fn remarks(tree: &Tree, row: &Record) -> Vec<String> {
    let Ok(pool) = Pool::read(row.cells()) else { return Vec::new() };
    let mut remarks = Vec::new();
    let mut next = BTreeMap::new();
    for other in tree.rows::<Pool>() {
        let (id, Ok(other)) = (other.id, other.row) else { continue };
        let overlap = |one: &AddressRange| {
            other.ranges.iter().any(|two| one.first <= two.last && two.first <= one.last)
        };
        if row.id() != Some(id) && other.vrf == pool.vrf && pool.ranges.iter().any(overlap) {
            remarks.push(format!("pool \"{}\" overlaps pool \"{}\"", &*pool.name, &*other.name));
        }
        if let NextPool::Pool(reference) = &other.next_pool {
            next.insert(other.name.to_string(), reference.text().to_owned());
        }
    }
    let mut seen = BTreeSet::new();
    let mut at = Some(pool.name.to_string());
    while let Some(name) = at.filter(|name| seen.insert(name.clone())) {
        at = next.get(&name).cloned();
        if at.as_deref() == Some(&*pool.name) {
            remarks.push(format!("the chain of pool \"{}\" is a loop", &*pool.name));
        }
    }
    remarks
}

menu! {
    /// Pools of addresses to give out, highest free address first.
    pub struct Pool in "/ip/pool" {
        /// Unique name; `pool1`, `pool2`, … when none is given.
        name: Name = numbered("pool"),
        /// Addresses to give out: `a`, `a-b`, `a/24`, several with commas.
        ranges: Ranges = required(),
        /// Pool to look in when no address is free here; loops end.
        next_pool: NextPool = preset("none").blank(),
        /// Address space of the pool (ours): pools of different VRFs may use the same addresses.
        vrf: Name = preset("main").ours(),
        /// Free text.
        comment: String = preset(""),
    }
    /// What the allocator knows of a pool.
    live struct PoolUsage {
        /// How many addresses the ranges hold.
        total: u64 = live(),
        /// How many of them are taken.
        used: u64 = live(),
        /// How many of them are free.
        available: u64 = live(),
        /// What is remarkable about the pool.
        about: String = live(),
    }
    key: &["name"],
    columns: &["name", "ranges", "next-pool", "total", "used", "available"],
    unique: &[Unique {
        by: &["name"],
        within: None,
        enabled_only: false,
        failure: "pool with such name exists",
    }],
    remarks: Some(remarks),
    noun: "pool",
}

menu! {
    /// Addresses that are taken, and by whom.
    pub struct PoolUsed in "/ip/pool/used" {
    }
    /// One taken address.
    live struct UsedAddress {
        /// The pool that it came from.
        pool: String = live(),
        /// The address.
        address: Ipv4Addr = live(),
        /// The service that took it: `DHCP`.
        owner: String = live(),
        /// For whom: the client's MAC address.
        info: String = live(),
    }
    form: Form::View,
    key: &["address"],
    noun: "used address",
}
