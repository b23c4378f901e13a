//! True time, and the two clocks that the server's machine makes of it.

use core::fmt;
use core::time::Duration;

use leasehold_dhcp::{Boottime, Now, Wall};

/// True time: milliseconds since the simulation began. Nobody in the simulated world can read it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(pub u64);

impl Moment {
    /// The moment `later` after this one; saturates.
    #[must_use]
    pub fn after(self, later: Duration) -> Self {
        Self(self.0.saturating_add(later.as_millis() as u64))
    }

    /// The time from `earlier` until now; zero if `earlier` is in the future.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}.{:03}", self.0 / 1_000, self.0 % 1_000))
    }
}

/// Wall-clock time when the simulation begins, if nothing is wrong: 2026-01-01.
const BEGINNING: u64 = 1_767_225_600;

/// What a box without a battery believes when it is switched on: 1970-01-02.
const NO_BATTERY: u64 = 86_400;

/// The clocks of the server's machine.
#[derive(Clone, Debug)]
pub(crate) struct MachineClock {
    booted: Moment,
    /// Uptime at `booted`, milliseconds.
    uptime: u64,
    /// What the wall clock shows too much, seconds.
    error: i64,
}

impl MachineClock {
    /// A machine that has been up for an hour and knows the time.
    pub(crate) fn new() -> Self {
        Self { booted: Moment(0), uptime: 3_600_000, error: 0 }
    }

    /// One reading of both.
    pub(crate) fn read(&self, now: Moment) -> Now {
        let boottime = Boottime(self.uptime).after(now.since(self.booted));
        let wall = (BEGINNING + now.0 / 1_000).saturating_add_signed(self.error);
        Now { boottime, wall: Wall(wall) }
    }

    /// The administrator or NTP sets the wall clock: `error` seconds away from the truth.
    pub(crate) fn set_error(&mut self, error: i64) {
        self.error = error;
    }

    /// The machine starts anew: boottime begins again, and without a battery the wall clock too.
    pub(crate) fn reboot(&mut self, now: Moment, battery: bool) {
        self.booted = now;
        self.uptime = 0;
        if !battery {
            let truth = (BEGINNING + now.0 / 1_000) as i64;
            self.error = NO_BATTERY as i64 - truth;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boottime_never_steps_and_wall_does() {
        let mut clock = MachineClock::new();
        let before = clock.read(Moment(5_000));
        clock.set_error(-315_360_000);
        let after = clock.read(Moment(6_000));
        assert_eq!(before.boottime.until(after.boottime), Duration::from_secs(1));
        assert_eq!(after.wall.0, before.wall.0 + 1 - 315_360_000);
    }

    #[test]
    fn a_reboot_without_a_battery_forgets_the_year() {
        let mut clock = MachineClock::new();
        clock.reboot(Moment(9_000_000), false);
        assert_eq!(clock.read(Moment(9_000_000)).wall, Wall(NO_BATTERY));
        assert_eq!(clock.read(Moment(9_000_000)).boottime, Boottime(0));
    }
}
