//! The conformance cases against the engine: each test is named after its case.

mod disc;
mod packet;
mod reply;
mod world;
