//! A deterministic simulator of the shipped engine: one seed, one history.
#![forbid(unsafe_code)]

mod agenda;
mod audit;
mod client;
mod clock;
mod disk;
mod force;
mod history;
mod incident;
mod legal;
mod loss;
mod message;
mod network;
mod oracle;
mod plan;
mod planted;
mod query;
mod random;
mod run;
mod server;
mod shrink;
mod site;
mod topology;
mod troubles;
mod turns;
mod wires;
mod world;

pub use client::{ClientId, Habits, Identity, Mischief};
pub use clock::Moment;
pub use disk::Sickness;
pub use incident::{CrashPoint, Incident};
pub use legal::Fault;
pub use network::Weather;
pub use oracle::{Failure, Rule};
pub use plan::{ClientPlan, Plan};
pub use planted::Bug;
pub use query::Query;
pub use random::Random;
pub use run::{Outcome, Reached, STEPS_MAX, run};
pub use shrink::shrink;
pub use site::{PoolSite, ServerSite, Site, SiteChange};
pub use topology::{LinkId, Reach, Relays};
