//! The two clocks that the engine is told: time since boot, and the wall clock.

use leasehold_dhcp::{Boottime, Now, Wall};
use rustix::time::{ClockId, Timespec, clock_gettime};

/// Both clocks, read now.
#[must_use]
pub fn now() -> Now {
    let boottime = clock_gettime(ClockId::Boottime);
    let wall = clock_gettime(ClockId::Realtime);
    Now { boottime: Boottime(millis(boottime)), wall: Wall(millis(wall) / 1000) }
}

/// A clock before its epoch stands at zero.
fn millis(time: Timespec) -> u64 {
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    seconds
        .saturating_mul(1000)
        .saturating_add(u64::try_from(time.tv_nsec).unwrap_or(0) / 1_000_000)
}
