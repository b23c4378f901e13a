//! The conformance cases against the engine: each test is named after its case.

mod btp;
mod dec;
mod disc;
mod hdr;
mod inf;
mod ir;
mod packet;
mod rel;
mod ren;
mod reply;
mod sel;
mod tim;
mod world;
