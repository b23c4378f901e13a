//! `/ip/dhcp-server/alert`: other DHCP servers on the link.

use leasehold_routeros::menu;
use leasehold_routeros::menu::{Effect, Special, Unique};
use leasehold_routeros::value::Interface;

use super::DelayThreshold;
use crate::link::Mac;

menu! {
    /// Looks for DHCP servers that are not ours, once a minute.
    pub struct Alert in "/ip/dhcp-server/alert" {
        /// Interface to look on.
        interface: Interface = required(),
        /// Servers that are allowed, by MAC address; this machine's own always are.
        valid_server: Vec<Mac> = preset("").always(),
        /// RouterOS's script for when another one is found: kept, and not run. Follow the log.
        on_alert: String = preset("").always().not_obeyed(),
        /// Time after which a found server is forgotten, and told again if it is still there.
        alert_timeout: DelayThreshold = preset("1h").always(),
        /// Whether the alert is switched off.
        disabled: bool = preset("yes").always().flag('X'),
        /// Free text.
        comment: String = preset(""),
    }
    /// What was found.
    live struct AlertState {
        /// Cannot look: the interface is missing.
        invalid: bool = live_or("no").flag('I'),
        /// Servers that are not allowed.
        unknown_server: Vec<Mac> = live(),
    }
    key: &["interface"],
    columns: &["interface", "valid-server", "on-alert", "alert-timeout", "unknown-server"],
    unique: &[Unique {
        by: &["interface"],
        within: None,
        enabled_only: false,
        failure: "alert for such interface already exists",
    }],
    specials: &[Special {
        verb: "reset-alert",
        doc: "forgets the servers that were found",
        effect: Effect::None,
    }],
    noun: "alert",
}
