//! Before a configuration is obeyed: how many clients would lose their address through it.

use core::fmt;

use leasehold_dhcp::config::{Config, Orphaned};
use leasehold_dhcp::order::Status;
use leasehold_dhcp::{Answer, Order};

use super::Plane;

/// Leases that would be orphaned, when they are more than may be without being asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Orphans {
    /// How many.
    pub orphaned: usize,
    /// Of how many that are bound.
    pub bound: usize,
    /// The first of them: address, hardware address, and why.
    pub named: Vec<(String, String, Orphaned)>,
}

/// So many may always be orphaned without being asked.
const ALWAYS: usize = 10;
/// Otherwise one of so many.
const SHARE: usize = 100;
/// So many are named.
const NAMED: usize = 20;
/// Leases that are fetched at once.
const PAGE: usize = 1024;

impl fmt::Display for Orphans {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { orphaned, bound, named } = self;
        write!(f, "{orphaned} of {bound} bound leases would be orphaned:")?;
        for (address, client, why) in named {
            write!(f, " {address} of {client} ({why});")?;
        }
        if orphaned > &named.len() {
            write!(f, " and {} more;", orphaned - named.len())?;
        }
        f.write_str(" confirm to do it nevertheless")
    }
}

/// Counts what `new` would orphan.
///
/// # Errors
///
/// More than one in a hundred bound leases, and more than ten.
pub(super) fn check(old: &Config, new: &Config, plane: &Plane) -> Result<(), Orphans> {
    if !old.may_orphan(new) {
        return Ok(());
    }
    let mut orphans = Orphans { orphaned: 0, bound: 0, named: Vec::new() };
    let mut after = None;
    loop {
        let page = plane.order(Order::Leases { after, limit: PAGE });
        let Some(Answer::Leases { leases, more }) = page else { break };
        for lease in leases.iter().filter(|lease| lease.status == Status::Bound) {
            orphans.bound += 1;
            let Some(why) = old.orphans(new, lease) else { continue };
            orphans.orphaned += 1;
            if orphans.named.len() < NAMED {
                let address = lease.location.address.to_string();
                orphans.named.push((address, lease.hardware.to_string(), why));
            }
        }
        after = leases.last().map(|lease| lease.location.clone());
        if !more || after.is_none() {
            break;
        }
    }
    let allowed = ALWAYS.max(orphans.bound / SHARE);
    if orphans.orphaned > allowed { Err(orphans) } else { Ok(()) }
}
