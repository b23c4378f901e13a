//! Logging in: slow for whoever guesses, quick for whoever was let in a minute ago.
//!
//! **Invariant:** at most one password is hashed at a time, on a thread of its own, so that
//! nobody's polling or guessing takes the processor from packets.

use core::net::IpAddr;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Instant;

use leasehold_routeros::Tree;
use tokio::sync::{mpsc, oneshot, watch};

use super::known::{Known, Worth};
use super::{Caller, Password, Sessions, Via, policies_of, user_of};

/// Why somebody was not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denied {
    /// Name, password or address are wrong; which of them is not told.
    Wrong,
    /// The user's group may not come this way.
    NotPermitted,
}

/// The way in for users from the network.
pub struct Gate {
    tree: watch::Receiver<Tree>,
    sessions: Sessions,
    known: Mutex<Known>,
    doubts: mpsc::Sender<Doubt>,
}

/// A password that may be the one of which the hash is known.
struct Doubt {
    password: String,
    stored: Password,
    answer: oneshot::Sender<bool>,
}

/// Attempts that may wait for the hash under way; more are denied unseen.
const WAITING: usize = 64;
/// A longer password, in octets, is nobody's.
const PASSWORD_MAX: usize = 1024;
/// Characters of a name that the log shows.
const NAME_SHOWN: usize = 64;

impl Gate {
    /// A gate for the users of this tree; `key` is a secret of this process. One thread, which
    /// ends with the gate, hashes for it: in many, the allocator would keep as many times 19 MiB.
    pub fn new(tree: watch::Receiver<Tree>, sessions: Sessions, key: [u8; 64]) -> io::Result<Self> {
        let (doubts, mut received) = mpsc::channel::<Doubt>(WAITING);
        thread::Builder::new().name("passwords".into()).spawn(move || {
            let mut memory = Vec::new();
            while let Some(Doubt { password, stored, answer }) = received.blocking_recv() {
                // Nobody waits for a client that has gone.
                if !answer.is_closed() {
                    let _ = answer.send(stored.is(&password, &mut memory));
                }
            }
        })?;
        Ok(Self { tree, sessions, known: Mutex::new(Known::new(key)), doubts })
    }

    /// The sessions that are under way.
    #[must_use]
    pub fn sessions(&self) -> &Sessions {
        &self.sessions
    }

    /// Lets a user in.
    ///
    /// # Errors
    ///
    /// The log says who failed; whoever asked learns less.
    pub async fn admit(
        &self,
        name: &str,
        password: &str,
        from: IpAddr,
        via: Via,
    ) -> Result<Caller, Denied> {
        let from = from.to_canonical();
        let user = user_of(&self.tree.borrow(), name);
        let comes_from_there = |user: &crate::menus::User| {
            user.address.is_empty() || user.address.iter().any(|prefix| prefix.contains(from))
        };
        let stored = user.filter(comes_from_there).and_then(|user| user.password);
        let known = stored
            .clone()
            .filter(|stored| self.known().remembers(Instant::now(), name, password, stored));
        if known.is_none() {
            let verified = self.verify(stored.clone(), password, from).await;
            let Some(stored) = stored.filter(|_| verified) else {
                self.failed(name, from, via);
                return Err(Denied::Wrong);
            };
            self.known().remember(Instant::now(), (name, password), stored, from);
            self.sessions.note(name);
        }
        let policies = policies_of(&self.tree.borrow(), name).unwrap_or_default();
        if !policies.allow(via.policy()) {
            self.failed(name, from, via);
            return Err(Denied::NotPermitted);
        }
        Ok(Caller::visitor(name, via, from))
    }

    /// An unknown user's password takes as long as a known one's.
    async fn verify(&self, stored: Option<Password>, password: &str, from: IpAddr) -> bool {
        if password.len() > PASSWORD_MAX || !self.known().may_try(Instant::now(), from) {
            return false;
        }
        let (answer, answered) = oneshot::channel();
        let stored = stored.unwrap_or_else(Password::of_nobody);
        let doubt = Doubt { password: password.to_owned(), stored, answer };
        self.doubts.try_send(doubt).is_ok() && answered.await.unwrap_or(false)
    }

    fn failed(&self, name: &str, from: IpAddr, via: Via) {
        let worth = self.known().worth(from);
        if worth == Worth::Nothing {
            return;
        }
        let name: String = name.chars().take(NAME_SHOWN).flat_map(char::escape_debug).collect();
        tracing::error!(target: "system", "login failure for user {name} from {from} via {via}");
        if worth == Worth::LastTelling {
            tracing::error!(target: "system", "{from} guesses: it has to wait, and is not told of");
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        // Each entry is whole between any two changes.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
