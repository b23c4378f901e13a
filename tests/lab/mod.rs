//! The laboratory of the end-to-end tests: namespaces, cables, the daemon, raw and real clients.
//!
//! Every test makes its own machines: network namespaces without a name, each held by nothing but a
//! descriptor of this process. So two tests never meet, and when a test ends, panics or is
//! killed the kernel takes the namespace away with every interface in it. What a test starts inside
//! is ended by process id when the [`Lab`] goes.
#![allow(dead_code, reason = "each test target uses its own part of the laboratory")]
#![allow(unused_imports, reason = "each test target uses its own part of the laboratory")]
#![allow(unreachable_pub, reason = "a module of several test targets has no outside")]
#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]
#![allow(missing_docs, reason = "a module of several test targets has no outside")]

pub mod api;
pub mod client;
pub mod crowd;
pub mod disk;
pub mod frame;
pub mod message;
pub mod namespace;
pub mod power;
pub mod process;
pub mod real;
pub mod relay;
pub mod rest;
pub mod scene;
pub mod server;
pub mod tap;

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

pub use api::Api;
pub use client::Client;
pub use frame::{Envelope, Mac};
pub use message::{Message, Reply, code, kind};
pub use namespace::{Lab, Namespace};
pub use process::Process;
pub use rest::Rest;
pub use scene::Scene;
pub use server::Server;
pub use tap::Tap;

/// How long a test waits for what must come; a working server needs milliseconds.
pub const PATIENCE: Duration = Duration::from_secs(15);

/// Says "over" to the threads of a test when its scope ends, also by a panic: they would be waited
/// for without end.
#[derive(Default)]
pub struct Curtain(AtomicBool);

/// The fall of the curtain.
pub struct Fall<'a>(&'a Curtain);

impl Curtain {
    pub fn falls_with_scope(&self) -> Fall<'_> {
        Fall(self)
    }

    pub fn is_up(&self) -> bool {
        !self.0.load(Ordering::Acquire)
    }
}

impl Drop for Fall<'_> {
    fn drop(&mut self) {
        self.0.0.store(true, Ordering::Release);
    }
}

/// Waits for something that can only be asked for again and again.
pub fn eventually(what: &str, mut happened: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !happened() {
        assert!(Instant::now() < deadline, "{what}: not within {PATIENCE:?}");
        thread::sleep(Duration::from_millis(5));
    }
}
