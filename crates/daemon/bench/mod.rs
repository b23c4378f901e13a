//! `leasehold bench`: a load generator for DHCPv4 servers that checks every answer, and null
//! servers as the floor under all measurements.
//!
//! One thread, batched system calls, no allocation per message: the generator has to be much
//! faster than any server, or it would measure itself. It keeps no secret of what it cannot do:
//! its own lag, its own drops and its own CPU time stand in the report.

mod args;
mod arrivals;
mod carrier;
mod clients;
mod cpu;
mod frame;
mod load;
mod mmsg;
mod null;
pub mod packet;
mod plot;
mod progress;
mod reply;
mod report;
mod run;
mod socket;
mod stream;
mod tally;
#[cfg(test)]
mod tests;
mod wheel;

pub use args::Bench;
pub use run::run;
