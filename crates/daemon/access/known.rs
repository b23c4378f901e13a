//! What the gate remembers: credentials that were verified lately, and sources that guess.

use core::net::{IpAddr, Ipv6Addr};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use blake2::Blake2bMac512;
use blake2::digest::{KeyInit, Mac};

use super::Password;

/// How long a credential that was verified needs no hashing.
const REMEMBERED: Duration = Duration::from_secs(60);
/// Attempts that a source may make at once.
const ATTEMPTS: u32 = 10;
/// After this time it may make one more.
const RESPITE: Duration = Duration::from_secs(2);
/// Credentials, and sources, that are remembered.
const KEPT: usize = 4096;

/// What the gate remembers.
pub(super) struct Known {
    key: [u8; 64],
    verified: BTreeMap<String, Verified>,
    sources: BTreeMap<IpAddr, Source>,
}

struct Verified {
    tag: Vec<u8>,
    stored: Password,
    since: Instant,
}

struct Source {
    attempts: u32,
    since: Instant,
    told: bool,
}

/// Whether a failure of a source is worth a line in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Worth {
    /// It is.
    Telling,
    /// It is, and it is the last one for a while.
    LastTelling,
    /// There were too many.
    Nothing,
}

impl Known {
    /// Nothing yet; `key` keeps passwords unreadable in memory.
    pub(super) fn new(key: [u8; 64]) -> Self {
        Self { key, verified: BTreeMap::new(), sources: BTreeMap::new() }
    }

    /// Whether this very credential was verified a moment ago, and still is the user's.
    pub(super) fn remembers(
        &mut self,
        now: Instant,
        name: &str,
        password: &str,
        stored: &Password,
    ) -> bool {
        let Some(verified) = self.verified.get(name) else { return false };
        if now.duration_since(verified.since) >= REMEMBERED || verified.stored != *stored {
            self.verified.remove(name);
            return false;
        }
        // In constant time.
        self.mac(name, password).verify_slice(&verified.tag).is_ok()
    }

    /// Remembers a credential that was verified just now; its source did not guess.
    pub(super) fn remember(
        &mut self,
        now: Instant,
        (name, password): (&str, &str),
        stored: Password,
        from: IpAddr,
    ) {
        if self.verified.len() >= KEPT {
            self.verified.retain(|_, known| now.duration_since(known.since) < REMEMBERED);
            self.verified.pop_first();
        }
        let tag = self.mac(name, password).finalize().into_bytes().to_vec();
        self.verified.insert(name.into(), Verified { tag, stored, since: now });
        self.sources.remove(&whole(from));
    }

    /// Whether a source may try a password now.
    pub(super) fn may_try(&mut self, now: Instant, from: IpAddr) -> bool {
        if self.sources.len() >= KEPT {
            let age = |source: &Source| now.duration_since(source.since);
            self.sources.retain(|_, source| age(source) < RESPITE * ATTEMPTS);
            if self.sources.len() >= KEPT {
                self.sources.pop_first();
            }
        }
        let fresh = || Source { attempts: 0, since: now, told: false };
        let source = self.sources.entry(whole(from)).or_insert_with(fresh);
        let respites = now.duration_since(source.since).as_millis() / RESPITE.as_millis();
        let respites = u32::try_from(respites).unwrap_or(u32::MAX);
        if respites > 0 {
            source.attempts = source.attempts.saturating_sub(respites);
            source.since = now;
            source.told &= source.attempts > 0;
        }
        let may = source.attempts < ATTEMPTS;
        source.attempts += u32::from(may);
        may
    }

    /// Whether a failure of this source is worth telling.
    pub(super) fn worth(&mut self, from: IpAddr) -> Worth {
        match self.sources.get_mut(&whole(from)) {
            Some(source) if source.told => Worth::Nothing,
            Some(source) if source.attempts >= ATTEMPTS => {
                source.told = true;
                Worth::LastTelling
            }
            _ => Worth::Telling,
        }
    }

    fn mac(&self, name: &str, password: &str) -> Blake2bMac512 {
        let mut mac = <Blake2bMac512 as KeyInit>::new(&self.key.into());
        mac.update(&(name.len() as u64).to_be_bytes());
        mac.update(name.as_bytes());
        mac.update(password.as_bytes());
        mac
    }
}

/// Whoever has one address of an IPv6 network has all of it.
fn whole(from: IpAddr) -> IpAddr {
    match from {
        IpAddr::V4(_) => from,
        IpAddr::V6(address) => {
            Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use leasehold_routeros::Value;

    const HERE: IpAddr = IpAddr::V4(core::net::Ipv4Addr::LOCALHOST);

    #[test]
    fn a_credential_is_remembered_for_a_minute_and_as_long_as_it_is_the_user_s() {
        let (now, mut known) = (Instant::now(), Known::new([7; 64]));
        let stored = Password::parse(&Password::quick("secret")).unwrap();
        known.remember(now, ("ann", "secret"), stored.clone(), HERE);
        assert!(known.remembers(now, "ann", "secret", &stored));
        assert!(!known.remembers(now, "ann", "Secret", &stored));
        assert!(!known.remembers(now, "bob", "secret", &stored));
        let changed = Password::parse(&Password::quick("secret")).unwrap();
        assert!(!known.remembers(now, "ann", "secret", &changed), "it was set anew");
        known.remember(now, ("ann", "secret"), stored.clone(), HERE);
        assert!(!known.remembers(now + REMEMBERED, "ann", "secret", &stored));
    }

    #[test]
    fn whoever_guesses_has_to_wait() {
        let (now, mut known) = (Instant::now(), Known::new([7; 64]));
        let tries = (0..100).filter(|_| known.may_try(now, HERE)).count();
        assert_eq!(tries, ATTEMPTS as usize);
        assert_eq!(known.worth(HERE), Worth::LastTelling);
        assert_eq!(known.worth(HERE), Worth::Nothing);
        let other = IpAddr::from([192, 0, 2, 1]);
        assert!(known.may_try(now, other) && known.worth(other) == Worth::Telling);
        let later = now + RESPITE * 3;
        assert_eq!((0..100).filter(|_| known.may_try(later, HERE)).count(), 3);
        let v6 = |last: u16| IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, last]);
        assert_eq!((0..100).filter(|n| known.may_try(now, v6(*n))).count(), ATTEMPTS as usize);
    }

    #[test]
    fn many_sources_take_no_more_memory() {
        let (now, mut known) = (Instant::now(), Known::new([7; 64]));
        for n in 0..3 * KEPT as u32 {
            known.may_try(now, IpAddr::from(n.to_be_bytes()));
        }
        assert!(known.sources.len() <= KEPT);
    }
}
