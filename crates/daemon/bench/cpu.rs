//! CPU time of processes and of the whole machine, from /proc.

use std::fs;
use std::io;

/// CPU time used so far, nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Usage {
    /// The server's processes, with the threads that have ended.
    pub(super) server: u64,
    /// This process.
    pub(super) generator: u64,
    /// All cores: user, nice, system, interrupts.
    pub(super) system: u64,
    /// Datagrams that the server's network namespace dropped because a socket's buffer was full.
    pub(super) server_dropped: u64,
}

impl Usage {
    /// Reads the clocks; fails if a process does not exist.
    pub(super) fn read(pids: &[u32]) -> io::Result<Self> {
        let mut server = 0;
        for pid in pids {
            server += process(&pid.to_string())?;
        }
        let dropped = pids.first().map_or(Ok(0), |pid| datagrams_dropped(*pid));
        Ok(Self {
            server,
            generator: process("self")?,
            system: system(&fs::read_to_string("/proc/stat")?).ok_or_else(unreadable)?,
            server_dropped: dropped?,
        })
    }

    /// What was used since an earlier reading.
    pub(super) fn since(&self, earlier: &Self) -> Self {
        Self {
            server: self.server.saturating_sub(earlier.server),
            generator: self.generator.saturating_sub(earlier.generator),
            system: self.system.saturating_sub(earlier.system),
            server_dropped: self.server_dropped.saturating_sub(earlier.server_dropped),
        }
    }
}

/// `utime + stime` counts ended threads too but only to the clock tick; the scheduler's figures of
/// the living threads are exact. The larger one is nearer to the truth.
fn process(pid: &str) -> io::Result<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let ticks = ticks_of_process(&stat).ok_or_else(unreadable)? * nanoseconds_per_tick();
    let mut exact = 0;
    for task in fs::read_dir(format!("/proc/{pid}/task"))? {
        let schedule = fs::read_to_string(task?.path().join("schedstat")).unwrap_or_default();
        exact += schedule.split(' ').next().and_then(|run| run.parse().ok()).unwrap_or(0);
    }
    Ok(ticks.max(exact))
}

/// Fields 14 and 15 of /proc/PID/stat; the name in field 2 may hold blanks and parentheses.
fn ticks_of_process(stat: &str) -> Option<u64> {
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

/// The line `cpu` of /proc/stat: user, nice, system, (idle, iowait,) irq, softirq.
fn system(stat: &str) -> Option<u64> {
    let fields = stat.lines().next()?.strip_prefix("cpu ")?.split_whitespace();
    let times: Vec<u64> = fields.map_while(|field| field.parse().ok()).collect();
    let busy = times.get(..3)?.iter().sum::<u64>() + times.get(5..7)?.iter().sum::<u64>();
    Some(busy * nanoseconds_per_tick())
}

fn datagrams_dropped(pid: u32) -> io::Result<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/net/snmp"))?;
    receive_buffer_errors(&text).ok_or_else(unreadable)
}

/// `RcvbufErrors` of /proc/net/snmp, which has a line of names and a line of values.
fn receive_buffer_errors(snmp: &str) -> Option<u64> {
    let mut lines = snmp.lines().filter(|line| line.starts_with("Udp: "));
    let names = lines.next()?.split(' ');
    let mut values = lines.next()?.split(' ');
    values.nth(names.into_iter().position(|name| name == "RcvbufErrors")?)?.parse().ok()
}

fn nanoseconds_per_tick() -> u64 {
    // SAFETY: sysconf reads a constant.
    let per_second = unsafe { libc::sysconf(libc::_SC_CLK_TCK) };
    1_000_000_000 / u64::try_from(per_second).unwrap_or(100).max(1)
}

fn unreadable() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "a file of /proc has an unknown form")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_blanks_do_not_shift_the_fields() {
        let stat = "42 (a) b) R 1 2 3 4 5 6 7 8 9 10 700 30 0 0 20";
        assert_eq!(ticks_of_process(stat), Some(730));
        assert_eq!(ticks_of_process("nothing"), None);
    }

    #[test]
    fn idle_time_is_not_busy() {
        let text = "cpu  10 1 5 100000 900 3 2 7 0 0\ncpu0 1 1 1 1\n";
        assert_eq!(system(text), Some(21 * nanoseconds_per_tick()));
        assert_eq!(system("intr 5"), None);
    }

    #[test]
    fn drops_are_found_by_name() {
        let text = "Ip: A B\nIp: 1 2\nUdp: InDatagrams NoPorts RcvbufErrors\nUdp: 9 8 7\n";
        assert_eq!(receive_buffer_errors(text), Some(7));
    }

    #[test]
    fn this_process_has_used_some() {
        let usage = Usage::read(&[std::process::id()]).expect("a living process");
        assert!(usage.server > 0 && usage.system > 0);
        assert_eq!(usage.since(&usage), Usage::default());
    }
}
