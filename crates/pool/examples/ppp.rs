//! A PPP-like server: calls come in on several threads, a user gets the address that it had last.
//!
//! `cargo run -p leasehold-pool --example ppp`

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::Ipv4Addr;
use std::sync::Mutex;
use std::thread;

use leasehold_pool::{Claim, OwnerTag, Plan, PlanError, Pools, Range, SpaceId, Wish};

/// The server remembers each user's last address; the pool remembers for whom an address is kept.
struct Server {
    pools: Pools,
    last: Mutex<HashMap<String, Ipv4Addr>>,
}

/// A user who is on line. The claim goes back to the pool when the call ends.
struct Session {
    user: String,
    claim: Claim,
}

impl Server {
    fn new() -> Result<Self, PlanError> {
        let mut plan = Plan::new();
        let ip = |last| Ipv4Addr::new(10, 64, 0, last);
        plan.pool(SpaceId::MAIN, "dial-in", &[Range::new(ip(10), ip(12))], Some("overflow"));
        plan.pool(SpaceId::MAIN, "overflow", &[Range::new(ip(200), ip(220))], None);
        plan.reserve(SpaceId::MAIN, ip(11));
        Ok(Self { pools: Pools::new(&plan)?, last: Mutex::default() })
    }

    /// The owner is the service and the user, as in RouterOS's `/ip pool used`.
    fn owner(user: &str) -> OwnerTag {
        let mut hasher = DefaultHasher::new();
        ("PPP", user).hash(&mut hasher);
        OwnerTag::from_hash(hasher.finish())
    }

    fn begin(&self, user: &str) -> Option<Session> {
        let pool = self.pools.pool("dial-in")?;
        let last = self.last.lock().expect("no thread panics").get(user).copied();
        let wish = Wish { owner: Some(Self::owner(user)), last, preferred: None };
        match self.pools.acquire(pool, wish) {
            Ok(grant) => {
                let (address, pool) = (grant.claim.address(), self.pools.name(grant.pool));
                println!("{user} gets {address} from {pool}");
                Some(Session { user: user.to_owned(), claim: grant.claim })
            }
            Err(exhausted) => {
                println!("{user} gets nothing: {exhausted}");
                None
            }
        }
    }

    fn end(&self, session: Session) {
        let address = session.claim.address();
        self.pools.release(session.claim, Some(Self::owner(&session.user)));
        self.last.lock().expect("no thread panics").insert(session.user, address);
    }
}

fn main() -> Result<(), PlanError> {
    let server = Server::new()?;
    for round in 1..=2 {
        println!("round {round}");
        thread::scope(|scope| {
            for line in 0..4 {
                let server = &server;
                scope.spawn(move || {
                    let sessions =
                        ["ann", "bob"].map(|user| server.begin(&format!("{user}{line}")));
                    sessions.into_iter().flatten().for_each(|session| server.end(session));
                });
            }
        });
    }
    for pool in server.pools.pools() {
        println!("{}: {:?}", server.pools.name(pool), server.pools.usage(pool));
    }
    Ok(())
}
