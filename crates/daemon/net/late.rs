//! Overload: a datagram whose client has asked again meanwhile is not worth an answer.
//!
//! The kernel's queues give out the oldest first, so under a load that cannot be served the oldest
//! are dropped first. Nothing is measured as long as the queues are emptied now and then, for then
//! nothing can have waited long.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// What has waited longer is late: RFC 2131's clients ask again after three to five seconds, and
/// the answer would hardly come before that.
const LATE: Duration = Duration::from_millis(2500);
/// Queues that were not empty for so long may hold something late.
const BEHIND: Duration = Duration::from_secs(1);
/// After so long without that, nobody measures any more.
const CALM: Duration = Duration::from_secs(10);

/// Whether the queues are behind, and since when.
#[derive(Debug, Default)]
pub(super) struct Lateness {
    behind: Option<Instant>,
    /// The kernel stamps what it queues; when the queues were behind last.
    stamped: Option<Instant>,
}

impl Lateness {
    /// After each read: whether it emptied the queues. Says if stamping has to change, and to what.
    pub(super) fn read(&mut self, emptied: bool, now: Instant) -> Option<bool> {
        let behind = if emptied { None } else { Some(self.behind.unwrap_or(now)) };
        self.behind = behind;
        let long = behind.is_some_and(|since| now.duration_since(since) >= BEHIND);
        match self.stamped {
            None if long => {
                self.stamped = Some(now);
                Some(true)
            }
            Some(_) if behind.is_some() => {
                self.stamped = Some(now);
                None
            }
            Some(last) if now.duration_since(last) >= CALM => {
                self.stamped = None;
                Some(false)
            }
            _ => None,
        }
    }

    /// The time by which datagrams are judged, if they are.
    pub(super) fn clock(&self) -> Option<Duration> {
        self.stamped.and_then(|_| SystemTime::now().duration_since(UNIX_EPOCH).ok())
    }
}

/// Whether a datagram that came at `came` has waited too long.
pub(super) fn is_late(came: Option<Duration>, clock: Option<Duration>) -> bool {
    came.zip(clock).is_some_and(|(came, clock)| clock.saturating_sub(came) > LATE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_begin_when_queues_stay_full_and_end_when_all_is_calm() {
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let mut lateness = Lateness::default();
        assert_eq!(lateness.read(false, at(0)), None);
        assert_eq!(lateness.read(true, at(900)), None, "emptied: nothing is old");
        assert_eq!(lateness.read(false, at(1000)), None);
        assert_eq!(lateness.clock(), None);
        assert_eq!(lateness.read(false, at(2000)), Some(true));
        assert!(lateness.clock().is_some());
        assert_eq!(lateness.read(true, at(5000)), None);
        assert_eq!(lateness.read(false, at(9000)), None, "not calm yet");
        assert_eq!(lateness.read(true, at(18_999)), None);
        assert_eq!(lateness.read(true, at(19_000)), Some(false));
    }

    #[test]
    fn what_is_not_stamped_is_not_late() {
        let clock = Some(Duration::from_secs(1000));
        assert!(is_late(Some(Duration::from_secs(997)), clock));
        assert!(!is_late(Some(Duration::from_secs(998)), clock));
        assert!(!is_late(Some(Duration::from_secs(2000)), clock), "the clock was set back");
        assert!(!is_late(None, clock) && !is_late(Some(Duration::ZERO), None));
    }
}
