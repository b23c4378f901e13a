//! Pools that fill up: told once when they pass a mark, again only after they had recovered.

use std::collections::BTreeMap;
use std::sync::Arc;

use leasehold_dhcp::order::PoolUsage;

/// Percent of a pool at which it is told.
const MARKS: [u64; 2] = [95, 80];
/// Percent below a mark at which it counts as passed no more.
const RECOVERED: u64 = 5;

/// The marks that pools have passed.
#[derive(Debug, Default)]
pub(super) struct Fullness(BTreeMap<Arc<str>, u64>);

impl Fullness {
    /// What is to be told of the pools as they are now.
    pub(super) fn look(&mut self, pools: &[PoolUsage]) -> Vec<String> {
        self.0.retain(|name, _| pools.iter().any(|pool| pool.name == *name));
        let mut warnings = Vec::new();
        for PoolUsage { name, total, used, .. } in pools {
            let Some(percent) = (used * 100).checked_div(*total) else { continue };
            let told = self.0.get(name).copied().unwrap_or(0);
            let passed = MARKS.into_iter().find(|mark| percent >= *mark).unwrap_or(0);
            if passed > told {
                warnings.push(format!("pool <{name}> is {percent}% used: {used} of {total}"));
                self.0.insert(Arc::clone(name), passed);
            } else if percent + RECOVERED < told {
                self.0.insert(Arc::clone(name), passed);
            }
        }
        warnings
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_told_once_and_again_after_the_pool_had_recovered() {
        let mut fullness = Fullness::default();
        let mut told = |used| {
            let (name, available) = ("isp-pool".into(), 100 - used);
            let pool = PoolUsage { name, total: 100, used, available, quarantined: 0 };
            fullness.look(&[pool]).len()
        };
        let course = [79, 80, 81, 78, 80, 95, 94, 96, 89, 95, 74, 80, 100, 0, 100];
        let warned: Vec<_> = course.into_iter().filter(|used| told(*used) > 0).collect();
        assert_eq!(warned, [80, 95, 95, 80, 100, 100]);
        let empty =
            PoolUsage { name: "none".into(), total: 0, used: 0, available: 0, quarantined: 0 };
        assert!(fullness.look(&[empty]).is_empty());
    }
}
