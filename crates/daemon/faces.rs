//! Ways to the control task. Every face is a syntax: none names a menu or a property.

pub mod client;
pub mod console;
pub mod oneshot;
mod session;
pub mod socket;
