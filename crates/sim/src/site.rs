//! The configuration of the simulated server: one DHCP server and one pool for each link.

use core::fmt;
use core::net::Ipv4Addr;
use std::collections::BTreeMap;

use crate::client::ClientId;
use crate::topology::{LinkId, Reach};

/// The lowest host number that is ever in a range; those below are routers and static addresses.
pub(crate) const RANGE_FIRST: u8 = 10;
/// The host numbers from here on belong to static leases outside every range.
pub(crate) const OUTSIDE_FIRST: u8 = 200;

/// What is configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    /// The DHCP server of each link.
    pub servers: Vec<ServerSite>,
    /// The pool with the addresses of each link.
    pub pools: Vec<PoolSite>,
    /// Static leases by client, on the link that the address belongs to.
    pub statics: BTreeMap<ClientId, Ipv4Addr>,
    /// Clients are told so much that it does not fit into the options field of a small datagram.
    pub chatty: bool,
}

/// One row of `/ip/dhcp-server`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerSite {
    /// Not `disabled`.
    pub enabled: bool,
    /// The link whose pool it draws from: its own, unless somebody swapped them.
    pub pool: LinkId,
    /// Seconds.
    pub lease_time: u32,
    /// `authoritative=yes`, else `no`.
    pub authoritative: bool,
    /// `conflict-detection`.
    pub detects_conflicts: bool,
    /// `rapid-commit`.
    pub rapid_commit: bool,
    /// `ipv6-only-preferred`, seconds.
    pub ipv6_only: Option<u32>,
    /// `bootp-support=dynamic`, else `static`.
    pub bootp: bool,
    /// `use-reconfigure`.
    pub reconfigures: bool,
}

/// One row of `/ip/pool`: a single range of the link's network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolSite {
    /// First host number.
    pub first: u8,
    /// Last host number.
    pub last: u8,
    /// `next-pool`.
    pub next: Option<LinkId>,
}

/// One change of the configuration while the server runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SiteChange {
    /// A pool's range becomes smaller, larger or another one.
    Range {
        /// The pool.
        pool: LinkId,
        /// First host number.
        first: u8,
        /// Last host number.
        last: u8,
    },
    /// The server of a link draws from the pool of a link.
    Draw {
        /// The server's link.
        server: LinkId,
        /// The pool's link.
        pool: LinkId,
    },
    /// The servers of two links exchange their pools.
    Swap(LinkId, LinkId),
    /// A pool continues in another one, or in none.
    Next {
        /// The pool.
        pool: LinkId,
        /// Where it continues.
        next: Option<LinkId>,
    },
    /// A static lease is added, moved or removed.
    Static {
        /// For whom.
        client: ClientId,
        /// Its address from now on.
        address: Option<Ipv4Addr>,
    },
    /// A server is enabled or disabled.
    Enable {
        /// The server's link.
        server: LinkId,
        /// Not disabled.
        enabled: bool,
    },
    /// A server's lease time.
    LeaseTime {
        /// The server's link.
        server: LinkId,
        /// Seconds.
        seconds: u32,
    },
    /// A server's `authoritative`.
    Authoritative {
        /// The server's link.
        server: LinkId,
        /// `yes`, else `no`.
        yes: bool,
    },
}

impl Site {
    /// Carries a change out. One that makes no sense (two static leases for one address) is void.
    pub(crate) fn apply(&mut self, change: SiteChange) {
        match change {
            SiteChange::Range { pool, first, last } => {
                let pool = self.pool_mut(pool);
                (pool.first, pool.last) = (first, last);
            }
            SiteChange::Draw { server, pool } => self.server_mut(server).pool = pool,
            SiteChange::Swap(one, other) => {
                let (a, b) = (self.server(one).pool, self.server(other).pool);
                self.server_mut(one).pool = b;
                self.server_mut(other).pool = a;
            }
            SiteChange::Next { pool, next } => self.pool_mut(pool).next = next,
            SiteChange::Static { client, address: None } => {
                self.statics.remove(&client);
            }
            SiteChange::Static { client, address: Some(address) } => {
                if !self.statics.values().any(|&taken| taken == address) {
                    self.statics.insert(client, address);
                }
            }
            SiteChange::Enable { server, enabled } => self.server_mut(server).enabled = enabled,
            SiteChange::LeaseTime { server, seconds } => {
                self.server_mut(server).lease_time = seconds;
            }
            SiteChange::Authoritative { server, yes } => {
                self.server_mut(server).authoritative = yes;
            }
        }
    }

    /// The configuration in which every client of a link must find an address.
    pub(crate) fn make_ample(&mut self) {
        for (number, server) in self.servers.iter_mut().enumerate() {
            server.enabled = true;
            server.pool = LinkId(number as u8);
            server.authoritative = true;
            server.bootp = true;
        }
        for pool in &mut self.pools {
            *pool = PoolSite { first: RANGE_FIRST, last: OUTSIDE_FIRST - 1, next: None };
        }
    }

    /// Whether a client that asks from a link may be given an address. `is` tells whether the
    /// client has the name that a static lease is for.
    pub(crate) fn gives(
        &self,
        link: LinkId,
        links: &[Reach],
        is: impl Fn(ClientId) -> bool,
        address: Ipv4Addr,
    ) -> bool {
        // While somebody else still has the static address, any other will do.
        if self.fixed(link, &is) == Some(address) {
            return true;
        }
        // One's own static lease of another link is as good as any address of the pools here.
        let mut owners = self.obeyed().filter(|(_, fixed)| *fixed == address);
        if owners.any(|(owner, _)| !is(owner)) {
            return false;
        }
        // Servers for every relay stand in for each other, and for the relay of a disabled one.
        // Who hears a relay gives what the chain has from the relay's own network on, if it has
        // anything there.
        let is_any = |link: LinkId| links.get(usize::from(link.0)).is_some_and(|it| it.is_any());
        let is_direct = links.get(usize::from(link.0)) == Some(&Reach::Direct);
        let by_any = is_any(link) || (!is_direct && !self.server(link).enabled);
        let all = (0..).map(LinkId).zip(&self.servers);
        let mut servers = all.filter(|(other, server)| {
            server.enabled && (*other == link || (by_any && is_any(*other)))
        });
        servers.any(|(other, server)| {
            if self.fixed(other, &is) == Some(address) {
                return true;
            }
            let is_entered = !is_direct && self.chain(server.pool).any(|pool| pool == link);
            let entered = if is_entered { link } else { server.pool };
            (is_entered || !by_any) && self.chain(entered).any(|pool| self.holds(pool, address))
        })
    }

    /// Whether a server may have given an address whose renewal comes by unicast: that names no
    /// relay, so any one with the address in its chain is the right one.
    pub(crate) fn renews(&self, is: impl Fn(ClientId) -> bool, address: Ipv4Addr) -> bool {
        let is_free = self.obeyed().all(|(owner, fixed)| fixed != address || is(owner));
        let mut enabled = self.servers.iter().filter(|server| server.enabled);
        is_free && enabled.any(|server| self.chain(server.pool).any(|it| self.holds(it, address)))
    }

    /// A pool and those that follow it.
    fn chain(&self, first: LinkId) -> impl Iterator<Item = LinkId> + '_ {
        let next = |pool: &LinkId| self.pools[usize::from(pool.0)].next;
        core::iter::successors(Some(first), next).take(self.pools.len())
    }

    /// Whether no static lease stands between a client and an address: one of its own for
    /// another, or one of somebody else for this one.
    pub(crate) fn leaves(
        &self,
        link: LinkId,
        is: impl Fn(ClientId) -> bool + Copy,
        address: Ipv4Addr,
    ) -> bool {
        let elsewhere = self.obeyed().any(|(client, fixed)| is(client) && fixed != address);
        match self.fixed(link, is) {
            Some(fixed) => fixed == address,
            None => !elsewhere && !self.is_static(address),
        }
    }

    /// The static lease of a client on a link.
    fn fixed(&self, link: LinkId, is: impl Fn(ClientId) -> bool) -> Option<Ipv4Addr> {
        let on_link = |fixed: Ipv4Addr| crate::topology::link_of(fixed) == Some(link);
        let mut own = self.obeyed().filter(|&(client, fixed)| is(client) && on_link(fixed));
        own.next().map(|(_, fixed)| fixed)
    }

    pub(crate) fn is_static(&self, address: Ipv4Addr) -> bool {
        self.obeyed().any(|(_, fixed)| fixed == address)
    }

    /// The static leases that count: those of a disabled server are off with it.
    pub(crate) fn obeyed(&self) -> impl Iterator<Item = (ClientId, Ipv4Addr)> + '_ {
        let all = self.statics.iter().map(|(client, fixed)| (*client, *fixed));
        all.filter(|(_, fixed)| {
            crate::topology::link_of(*fixed).is_some_and(|link| self.server(link).enabled)
        })
    }

    /// Whether an address is in a range, or its link's server is enabled.
    pub(crate) fn is_served(&self, address: Ipv4Addr) -> bool {
        let enabled = crate::topology::link_of(address).is_some_and(|it| self.server(it).enabled);
        enabled || (0..).map(LinkId).zip(&self.pools).any(|(link, _)| self.holds(link, address))
    }

    fn holds(&self, pool: LinkId, address: Ipv4Addr) -> bool {
        let range = &self.pools[usize::from(pool.0)];
        pool.host(range.first) <= address && address <= pool.host(range.last)
    }

    pub(crate) fn server(&self, link: LinkId) -> &ServerSite {
        &self.servers[usize::from(link.0)]
    }

    fn server_mut(&mut self, link: LinkId) -> &mut ServerSite {
        &mut self.servers[usize::from(link.0)]
    }

    fn pool_mut(&mut self, link: LinkId) -> &mut PoolSite {
        &mut self.pools[usize::from(link.0)]
    }
}

impl fmt::Display for SiteChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Range { pool, first, last } => {
                write!(f, "the pool of {pool} is {}-{}", pool.host(first), pool.host(last))
            }
            Self::Draw { server, pool } => {
                write!(f, "the server of {server} draws from the pool of {pool}")
            }
            Self::Swap(one, other) => write!(f, "the servers of {one} and {other} swap pools"),
            Self::Next { pool, next: Some(next) } => {
                write!(f, "the pool of {pool} continues in that of {next}")
            }
            Self::Next { pool, next: None } => write!(f, "the pool of {pool} has no next"),
            Self::Static { client, address: Some(address) } => {
                write!(f, "static lease of {address} for {client}")
            }
            Self::Static { client, address: None } => write!(f, "no static lease for {client}"),
            Self::Enable { server, enabled } => {
                let word = if enabled { "enabled" } else { "disabled" };
                write!(f, "the server of {server} is {word}")
            }
            Self::LeaseTime { server, seconds } => {
                write!(f, "the server of {server} leases for {seconds} s")
            }
            Self::Authoritative { server, yes } => {
                let word = if yes { "yes" } else { "no" };
                write!(f, "the server of {server} has authoritative={word}")
            }
        }
    }
}
