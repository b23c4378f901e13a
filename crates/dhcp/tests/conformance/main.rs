//! The conformance cases against the engine: each test is named after its case.

mod disc;
mod hdr;
mod ir;
mod packet;
mod ren;
mod reply;
mod sel;
mod world;
