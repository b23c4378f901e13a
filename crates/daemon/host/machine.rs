//! `/system/…` of this machine: what the kernel says in `/proc`.

use std::cell::Cell;
use std::fs;
use std::path::Path;
use std::time::UNIX_EPOCH;

use leasehold_dhcp::menus::Span;

use crate::log::Time;
use crate::menus::{
    ClockState, LicenseState, PackageState, PackageUpdateState, ResourceState, RouterboardState,
};
use crate::transfer::ROUTEROS_VERSION;

/// The host's own name.
pub(super) fn name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// As RouterOS spells a version: clients compare what stands before the blank.
fn version() -> Option<String> {
    Some(format!("{ROUTEROS_VERSION} (stable)"))
}

/// When this program's file was written.
fn build_time() -> Option<String> {
    let written = fs::metadata("/proc/self/exe").and_then(|file| file.modified()).ok()?;
    Some(Time(written.duration_since(UNIX_EPOCH).ok()?.as_secs()).to_string())
}

pub(super) fn package() -> PackageState {
    PackageState {
        name: Some("routeros".into()),
        version: Some(ROUTEROS_VERSION.into()),
        build_time: build_time(),
        scheduled: Some(String::new()),
        disabled: Some(false),
    }
}

pub(super) fn update() -> PackageUpdateState {
    PackageUpdateState {
        channel: Some("stable".into()),
        installed_version: Some(ROUTEROS_VERSION.into()),
        latest_version: Some(ROUTEROS_VERSION.into()),
        status: Some("System is already up to date".into()),
    }
}

pub(super) fn routerboard() -> RouterboardState {
    RouterboardState { routerboard: Some(false) }
}

pub(super) fn license() -> LicenseState {
    LicenseState { level: Some("p-unlimited".into()) }
}

pub(super) fn clock() -> ClockState {
    let now = jiff::Zoned::now();
    ClockState {
        time: Some(now.strftime("%H:%M:%S").to_string()),
        date: Some(now.strftime("%Y-%m-%d").to_string()),
        time_zone_autodetect: Some(false),
        time_zone_name: Some(now.time_zone().iana_name().unwrap_or("UTC").to_owned()),
        gmt_offset: Some(now.strftime("%:z").to_string()),
        dst_active: Some(now.time_zone().to_offset_info(now.timestamp()).dst().is_dst()),
    }
}

/// Ticks of all processors since the machine began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Ticks {
    idle: u64,
    all: u64,
}

/// The processors, and how busy they had been when somebody asked before.
#[derive(Debug, Default)]
pub(super) struct Processors(Cell<Ticks>);

impl Processors {
    /// What the machine has, with leases in the directory `state`.
    pub(super) fn resource(&self, state: &Path) -> ResourceState {
        let text = |path| fs::read_to_string(path).unwrap_or_default();
        let (memory, processors) = (text("/proc/meminfo"), text("/proc/cpuinfo"));
        let room = rustix::fs::statvfs(state).ok();
        let octets = |blocks: u64, size: u64| blocks.saturating_mul(size);
        ResourceState {
            uptime: uptime(&text("/proc/uptime")),
            version: version(),
            build_time: build_time(),
            free_memory: kilobytes(&memory, "MemAvailable"),
            total_memory: kilobytes(&memory, "MemTotal"),
            cpu: field(&processors, "model name").map(str::to_owned),
            cpu_count: std::thread::available_parallelism().ok().map(|count| count.get() as u64),
            cpu_frequency: field(&processors, "cpu MHz").and_then(whole),
            cpu_load: self.load(ticks(&text("/proc/stat"))),
            free_hdd_space: room.as_ref().map(|room| octets(room.f_bavail, room.f_frsize)),
            total_hdd_space: room.as_ref().map(|room| octets(room.f_blocks, room.f_frsize)),
            architecture_name: Some(architecture(std::env::consts::ARCH).into()),
            board_name: Some("CHR Leasehold".into()),
            platform: Some("Leasehold".into()),
        }
    }

    fn load(&self, now: Option<Ticks>) -> Option<u64> {
        let now = now?;
        let before = self.0.replace(now);
        let all = now.all.saturating_sub(before.all);
        let idle = now.idle.saturating_sub(before.idle);
        Some((all.saturating_sub(idle) * 100).checked_div(all).unwrap_or(0))
    }
}

/// RouterOS's word for an instruction set.
fn architecture(rust: &str) -> &str {
    match rust {
        "aarch64" => "arm64",
        other => other,
    }
}

fn uptime(text: &str) -> Option<Span> {
    let seconds = text.split_whitespace().next().and_then(whole)?;
    u32::try_from(seconds).ok().and_then(Span::new)
}

/// What stands before the point.
fn whole(text: &str) -> Option<u64> {
    text.split('.').next()?.parse().ok()
}

/// The value of `name : value`, the first one.
fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let mut fields = text.lines().filter_map(|line| line.split_once(':'));
    fields.find(|(known, _)| known.trim() == name).map(|(_, value)| value.trim())
}

/// Octets of `name: value kB`.
fn kilobytes(text: &str, name: &str) -> Option<u64> {
    let number = field(text, name)?.strip_suffix("kB")?.trim();
    number.parse::<u64>().ok().map(|number| number * 1024)
}

fn ticks(text: &str) -> Option<Ticks> {
    let line = text.lines().find_map(|line| line.strip_prefix("cpu "))?;
    // user nice system idle iowait irq softirq steal; what follows is counted among them already.
    let numbers: Vec<u64> = line.split_whitespace().take(8).flat_map(str::parse).collect();
    let idle = numbers.get(3)? + numbers.get(4)?;
    Some(Ticks { idle, all: numbers.iter().sum() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use leasehold_routeros::Value;

    #[test]
    fn what_the_kernel_says_is_understood() {
        assert_eq!(uptime("788645.91 1.0\n").map(|time| time.print()), Some("1w2d3h4m5s".into()));
        let memory = "MemTotal:       16314580 kB\nMemAvailable:    8000 kB\n";
        assert_eq!(kilobytes(memory, "MemAvailable"), Some(8_192_000));
        assert_eq!(kilobytes(memory, "MemFree"), None);
        let processors =
            "processor\t: 0\nmodel name\t: Fast One @ 3.00GHz\ncpu MHz\t\t: 2999.998\n";
        assert_eq!(field(processors, "model name"), Some("Fast One @ 3.00GHz"));
        assert_eq!(field(processors, "cpu MHz").and_then(whole), Some(2999));
        let stat = "cpu  10 0 20 60 10 0 0 0 5 0\ncpu0 1 2 3 4\n";
        assert_eq!(ticks(stat), Some(Ticks { idle: 70, all: 100 }));
    }

    #[test]
    fn the_load_is_that_of_the_time_since_it_was_asked_for() {
        let processors = Processors::default();
        assert_eq!(processors.load(Some(Ticks { idle: 70, all: 100 })), Some(30));
        assert_eq!(processors.load(Some(Ticks { idle: 80, all: 200 })), Some(90));
        assert_eq!(processors.load(Some(Ticks { idle: 80, all: 200 })), Some(0));
    }

    #[test]
    fn this_machine_has_all_that_clients_ask_for() {
        let resource = Processors::default().resource(Path::new("/"));
        assert!(resource.uptime.is_some() && resource.total_memory > resource.free_memory);
        assert!(resource.total_hdd_space.is_some() && resource.cpu_count >= Some(1));
        assert_eq!(resource.version.as_deref(), Some("7.16.2 (stable)"));
        assert!(!name().is_empty());
    }
}
