//! `/system/…`: what this machine is, in the words that clients ask for when they connect.

use leasehold_dhcp::menus::Span;
use leasehold_routeros::menu;
use leasehold_routeros::menu::Form;

menu! {
    /// What this machine is called.
    pub struct Identity in "/system/identity" {
        /// Its name; the host's own while none is given.
        name: Option<String> = unset().always().supplied(),
    }
    /// Nothing is known beside the configuration.
    live struct IdentityState {
    }
    form: Form::Singleton,
    key: &[],
    noun: "identity",
}

menu! {
    /// What this machine has, and how much of it is in use.
    pub struct Resource in "/system/resource" {
    }
    /// Read when it is asked for.
    live struct ResourceState {
        /// Time since the machine began.
        uptime: Span = live(),
        /// RouterOS whose words are spoken.
        version: String = live(),
        /// When this program was built.
        build_time: String = live(),
        /// Memory that programs may still have, octets.
        free_memory: u64 = live(),
        /// All memory, octets.
        total_memory: u64 = live(),
        /// Name of the processor.
        cpu: String = live(),
        /// How many there are.
        cpu_count: u64 = live(),
        /// Clock, MHz.
        cpu_frequency: u64 = live(),
        /// Busy share since it was asked before (first: since the machine began), percent.
        cpu_load: u64 = live(),
        /// Free room where leases are stored, octets.
        free_hdd_space: u64 = live(),
        /// All room there, octets.
        total_hdd_space: u64 = live(),
        /// Instruction set, in RouterOS's words: `x86_64`, `arm64`.
        architecture_name: String = live(),
        /// What kind of board it is. `CHR` tells clients that there is none.
        board_name: String = live(),
        /// Whose system it is.
        platform: String = live(),
    }
    form: Form::Singleton,
    key: &[],
    noun: "resource",
}

menu! {
    /// What is installed.
    pub struct Package in "/system/package" {
    }
    /// One package.
    live struct PackageState {
        /// Its name; RouterOS's one package is called `routeros`.
        name: String = live(),
        /// RouterOS whose words are spoken.
        version: String = live(),
        /// When this program was built.
        build_time: String = live(),
        /// What will happen to it at the next start.
        scheduled: String = live(),
        /// Whether it is switched off.
        disabled: bool = live_or("no").flag('X'),
    }
    form: Form::View,
    noun: "package",
}

menu! {
    /// Whether there is something newer. The host's package manager knows that.
    pub struct PackageUpdate in "/system/package/update" {
    }
    /// What is installed.
    live struct PackageUpdateState {
        /// Where versions come from.
        channel: String = live(),
        /// RouterOS whose words are spoken.
        installed_version: String = live(),
        /// The same: nothing newer is looked for.
        latest_version: String = live(),
        /// What there is to say.
        status: String = live(),
    }
    form: Form::Singleton,
    key: &[],
    noun: "update",
}

menu! {
    /// The board, if there were one.
    pub struct Routerboard in "/system/routerboard" {
    }
    /// There is none.
    live struct RouterboardState {
        /// Whether this is a RouterBOARD.
        routerboard: bool = live_or("no"),
    }
    form: Form::Singleton,
    key: &[],
    noun: "routerboard",
}

menu! {
    /// The licence, in the words of RouterOS for virtual machines.
    pub struct License in "/system/license" {
    }
    /// Nothing is limited.
    live struct LicenseState {
        /// Speed that is allowed.
        level: String = live(),
    }
    form: Form::Singleton,
    key: &[],
    noun: "license",
}

menu! {
    /// The time here.
    pub struct Clock in "/system/clock" {
    }
    /// Read when it is asked for.
    live struct ClockState {
        /// Time of day.
        time: String = live(),
        /// Date.
        date: String = live(),
        /// Whether the zone is found out by itself: the host's is taken.
        time_zone_autodetect: bool = live_or("no"),
        /// The host's time zone.
        time_zone_name: String = live(),
        /// Its distance to UTC now.
        gmt_offset: String = live(),
        /// Whether summer time is in force.
        dst_active: bool = live_or("no"),
    }
    form: Form::Singleton,
    key: &[],
    noun: "clock",
}

menu! {
    /// Sensors. None are read: the host's own tools do that.
    pub struct Health in "/system/health" {
    }
    /// One sensor.
    live struct Sensor {
        /// What is measured.
        name: String = live(),
        /// The measure.
        value: String = live(),
    }
    form: Form::View,
    noun: "sensor",
}
