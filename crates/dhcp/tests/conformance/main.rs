//! The conformance cases against the engine: each test is named after its case.

mod alert;
mod btp;
mod clauses;
mod dec;
mod disc;
mod dur;
mod ext;
mod forcerenew;
mod forms;
mod garbage;
mod hdr;
mod id;
mod inf;
mod ir;
mod leasequery;
mod opt;
mod packet;
mod pools;
mod port;
mod rel;
mod ren;
mod reply;
mod rly;
mod sel;
mod tim;
mod world;
