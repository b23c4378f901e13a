//! From the menus' rows to a [`Config`]: references become indexes, bad objects stay out.
//!
//! **Invariant:** compiling cannot fail. An object that breaks a rule is left out or loses the part
//! that is wrong, its neighbours are served, and a [`Flaw`] says which rule, where, and the mend.

use core::fmt;
use core::net::Ipv4Addr;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use leasehold_pool::Plan;
use leasehold_routeros::value::Reference;
use leasehold_routeros::{Id, Row, RowFault, Tree};

use super::{
    AddressPool, Alert, Config, FixedAddress, FixedLease, FixedLeases, Matcher, Network, Networks,
    OptionEntry, PoolIndex, PoolSpec, Server, ServerIndex, Settings, Withheld,
};
use crate::menus;

mod options;
mod rows;

/// A configuration, and what is wrong with the rows that it was made of.
#[derive(Clone, Debug, Default)]
pub struct Compiled {
    /// What the engine obeys.
    pub config: Config,
    /// Rows that do not say what was meant, in the order of the menus.
    pub flaws: Vec<Flaw>,
}

/// One rule that one row breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flaw {
    /// The row's menu.
    pub path: &'static str,
    /// The row.
    pub id: Id,
    /// What a person calls the row: its name or address.
    pub label: String,
    /// The rule.
    pub broken: Broken,
}

/// The rules that rows can break, though each of their values is legal or the file said it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Broken {
    /// A value is illegal; the row is left out.
    Value(RowFault),
    /// An earlier row has the same `property`; this row is left out.
    Twin(&'static str),
    /// What `property` names does not exist or cannot be used; `left_out` if the row is useless
    /// without it.
    Dangling {
        /// The property.
        property: &'static str,
        /// What it names.
        target: String,
        /// The row is left out; else only the property is.
        left_out: bool,
    },
    /// The next pool is in another address space; the chain ends before it.
    NextPoolElsewhere(String),
    /// All pools together would take more bits than the allocator is built for.
    TooLarge,
    /// More rows than the engine has numbers for.
    TooMany,
}

impl Broken {
    /// Whether the row is not obeyed at all.
    #[must_use]
    pub fn invalidates(&self) -> bool {
        match self {
            Self::Dangling { left_out, .. } => *left_out,
            Self::NextPoolElsewhere(_) => false,
            _ => true,
        }
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Value(fault) => write!(f, "{fault}"),
            Self::Twin(property) => {
                write!(f, "another one has the same {property}: change or remove one of them")
            }
            Self::Dangling { property, target, .. } => {
                write!(f, "{property} is {target}, which does not exist or cannot be used: ")?;
                write!(f, "add it, or set another {property}")
            }
            Self::NextPoolElsewhere(pool) => {
                write!(f, "next-pool {pool} is in another vrf: set the same vrf for both")
            }
            Self::TooLarge => {
                let most = Plan::ADDRESSES_MAX;
                write!(f, "all pools together hold more than {most} addresses: shrink the ranges")
            }
            Self::TooMany => f.write_str("more than 65535 of them: remove some"),
        }
    }
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.path, self.label, self.broken)
    }
}

/// What the machine contributes to a configuration.
#[derive(Clone, Copy, Debug, Default)]
pub struct Host<'a> {
    /// Its resolvers, told to clients whose network names no DNS server.
    pub resolvers: &'a [Ipv4Addr],
}

impl Config {
    /// Reads the rows of `tree`.
    #[must_use]
    pub fn compile(tree: &Tree, host: Host<'_>) -> Compiled {
        let mut compiler = Compiler { tree, host, ..Compiler::new(tree) };
        let pools = compiler.pools();
        let networks = compiler.networks();
        let servers = compiler.servers(&pools);
        let leases = compiler.leases(&servers, &pools);
        let matchers = compiler.matchers();
        let alerts = compiler.alerts();
        let settings = compiler.settings();
        let config = Config {
            servers,
            networks,
            leases,
            matchers,
            pools,
            withheld: compiler.withheld,
            alerts,
            settings,
        };
        Compiled { config, flaws: compiler.flaws }
    }
}

/// What is known while the menus are read one after another.
struct Compiler<'a> {
    tree: &'a Tree,
    host: Host<'a>,
    options: BTreeMap<String, OptionEntry>,
    sets: BTreeMap<String, Vec<OptionEntry>>,
    pool_names: BTreeMap<String, PoolIndex>,
    server_names: BTreeMap<String, ServerIndex>,
    withheld: Vec<Withheld>,
    flaws: Vec<Flaw>,
}

/// The row that a flaw is about.
struct Place {
    path: &'static str,
    id: Id,
    label: String,
}

impl Place {
    fn of<R: Row>(id: Id, label: impl Into<String>) -> Self {
        Self { path: R::menu().path, id, label: label.into() }
    }
}

impl<'a> Compiler<'a> {
    fn new(tree: &'a Tree) -> Self {
        let mut compiler = Self {
            tree,
            host: Host::default(),
            options: BTreeMap::new(),
            sets: BTreeMap::new(),
            pool_names: BTreeMap::new(),
            server_names: BTreeMap::new(),
            withheld: Vec::new(),
            flaws: Vec::new(),
        };
        compiler.read_options();
        compiler
    }

    /// The rows of one menu that can be read, with their ids, and whether they are enabled.
    fn rows<R: Row>(&mut self) -> Vec<(Id, bool, R)> {
        let mut readable = Vec::new();
        for configured in self.tree.rows::<R>() {
            match configured.row {
                Ok(row) => readable.push((configured.id, !configured.disabled, row)),
                Err(fault) => {
                    let place = Place::of::<R>(configured.id, configured.id.to_string());
                    self.flaw(&place, Broken::Value(fault));
                }
            }
        }
        readable
    }

    fn flaw(&mut self, place: &Place, broken: Broken) {
        let Place { path, id, ref label } = *place;
        self.flaws.push(Flaw { path, id, label: label.clone(), broken });
    }

    fn dangling(&mut self, place: &Place, property: &'static str, target: &str, left_out: bool) {
        self.flaw(place, Broken::Dangling { property, target: target.into(), left_out });
    }

    /// The pool that a row names.
    fn pool(
        &mut self,
        place: &Place,
        property: &'static str,
        named: &Reference<menus::Pool>,
    ) -> Option<PoolIndex> {
        let found = named.name().and_then(|name| self.pool_names.get(name)).copied();
        if found.is_none() {
            self.dangling(place, property, named.text(), false);
        }
        found
    }
}

#[cfg(test)]
mod tests;
