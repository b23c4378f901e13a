//! Wall-clock times across a restart: what is over, and what new records are stamped with.

use core::time::Duration;

use super::book::NEVER;
use crate::input::Start;
use crate::time::{Boottime, Now, Wall};

/// The time of the start against the time in the store.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    start: Start,
}

impl Clock {
    pub(super) fn new(start: Start) -> Self {
        Self { start }
    }

    /// When a lease ends that was given for `lease_time` seconds at `at`. What passed while the
    /// server was down counts only if the wall clock can be right: a box without a battery clock
    /// wakes up in the past, and must not take the leases of everybody for it.
    pub(super) fn deadline(&self, at: Wall, lease_time: u32) -> Boottime {
        if lease_time == u32::MAX {
            return NEVER;
        }
        let elapsed = match self.is_behind() {
            true => 0,
            // Both times are whole seconds, rounded down: less may have passed than they differ.
            false => self.start.now.wall.0.saturating_sub(at.0).saturating_sub(1),
        };
        let left = u64::from(lease_time).saturating_sub(elapsed);
        self.start.now.boottime.after(Duration::from_secs(left))
    }

    /// What a record is stamped with: never before the newest time in the store, so that nothing
    /// new is older than what it follows.
    pub(super) fn stamp(&self, now: Now) -> Wall {
        match self.start.newest {
            Some(newest) if self.is_behind() && now.wall < newest => {
                let since = self.start.now.boottime.until(now.boottime).as_secs();
                Wall(newest.0.saturating_add(since))
            }
            _ => now.wall,
        }
    }

    /// When the server began.
    pub(super) fn start(&self) -> Now {
        self.start.now
    }

    fn is_behind(&self) -> bool {
        self.start.newest.is_some_and(|newest| self.start.now.wall < newest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::StoreState;

    fn clock(wall: u64, newest: Option<u64>) -> Clock {
        let now = Now { boottime: Boottime(5_000), wall: Wall(wall) };
        Clock::new(Start { now, newest: newest.map(Wall), store: StoreState::Intact })
    }

    #[test]
    fn what_passed_while_down_counts() {
        let clock = clock(1_100, Some(1_000));
        assert_eq!(clock.deadline(Wall(1_000), 600), Boottime(506_000));
        assert_eq!(clock.deadline(Wall(1_000), 60), Boottime(5_000));
        assert_eq!(clock.deadline(Wall(1_000), u32::MAX), NEVER);
        assert_eq!(clock.deadline(Wall(2_000), 600), Boottime(605_000));
    }

    #[test]
    fn a_clock_behind_the_store_expires_nothing_and_never_stamps_the_past() {
        let clock = clock(7, Some(1_000));
        assert_eq!(clock.deadline(Wall(400), 60), Boottime(65_000));
        let later = |wall| Now { boottime: Boottime(8_000), wall: Wall(wall) };
        assert_eq!(clock.stamp(later(10)), Wall(1_003));
        assert_eq!(clock.stamp(later(2_000)), Wall(2_000));
    }
}
