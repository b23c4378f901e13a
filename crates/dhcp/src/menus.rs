//! The menus of this server: one table each, from which every face and the typed rows follow.

mod alert;
mod client_id;
mod config;
mod history;
mod lease;
mod matcher;
mod network;
mod option;
mod option_form;
mod option_value;
mod pool;
mod rate;
mod server;

pub use alert::{Alert, AlertState};
pub use client_id::ClientIdText;
pub use config::{Config, ConfigState, RadiusPassword, StoreLeases};
pub use history::{LeaseHistory, Tenancy};
pub use lease::{
    Lease, LeaseAddress, LeaseServer, LeaseState, LeaseStatus, ReconfigureState, Route, Routes,
    Seen, lease_id,
};
pub use matcher::{Matcher, MatcherPool, MatcherState, MatcherText, MatchingType};
pub use network::{Network, NetworkAddress, NetworkState};
pub use option::{DhcpOption, OptionCode, OptionSet, OptionSetState, OptionState, SetReference};
pub use option_value::{OptionValue, Piece, Variable};
pub use pool::{NextPool, Pool, PoolUsage, PoolUsed, UsedAddress};
pub use rate::{Rate, RateLimit};
pub use server::{
    AddressPool, Authoritative, BootpLeaseTime, BootpSupport, DelayThreshold, Identifier,
    LeaseLimit, LimitAction, Queue, QueuePlace, Server, ServerState, UseRadius,
};

use leasehold_routeros::value::Seconds;
use leasehold_routeros::{Fault, Kind, Menu, Row, Tree, Value};

use crate::link::Mac;

/// A time that something lasts: at least one second.
pub type Lasting = Seconds<1, { u32::MAX }>;

/// A time that may be zero.
pub type Span = Seconds<0, { u32::MAX }>;

/// All menus, in the order of exports.
#[must_use]
pub fn menus() -> [&'static Menu; 11] {
    [
        DhcpOption::menu(),
        OptionSet::menu(),
        Pool::menu(),
        PoolUsed::menu(),
        Server::menu(),
        Alert::menu(),
        Config::menu(),
        Lease::menu(),
        LeaseHistory::menu(),
        Matcher::menu(),
        Network::menu(),
    ]
}

/// A tree with all menus and no rows.
#[must_use]
pub fn tree() -> Tree {
    Tree::new(menus())
}

impl Value for Mac {
    const KIND: Kind = Kind::Mac;
    const EXAMPLE: &'static str = "AA:BB:CC:DD:EE:FF";

    fn describe() -> String {
        "MAC address".into()
    }

    /// Six pairs of digits in either case, separated by `:`, `-` or `.`.
    fn parse(text: &str) -> Result<Self, Fault> {
        let mut octets = [0; 6];
        let mut pairs = text.split([':', '-', '.']);
        for octet in &mut octets {
            let pair = pairs.next().filter(|pair| pair.len() == 2 && !pair.starts_with('+'));
            let pair = pair.ok_or(Fault::Invalid)?;
            *octet = u8::from_str_radix(pair, 16).map_err(|_| Fault::Invalid)?;
        }
        if pairs.next().is_some() { Err(Fault::Invalid) } else { Ok(Self(octets)) }
    }

    fn print(&self) -> String {
        self.to_string()
    }
}

#[cfg(test)]
mod tests;
