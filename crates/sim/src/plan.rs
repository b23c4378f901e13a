//! The plan of a run: who is there and what befalls them, all of it drawn from the seed.
//!
//! Each seed draws first which kinds of trouble it has, then when: a run that has every trouble at
//! once hides more than it finds. A plan is data, so that a failing one can be made smaller.

use core::fmt;
use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use crate::client::{ClientId, Habits, Identity};
use crate::clock::Moment;
use crate::incident::Incident;
use crate::network::Weather;
use crate::planted::Bug;
use crate::random::Random;
use crate::site::{PoolSite, RANGE_FIRST, ServerSite, Site};
use crate::topology::{LinkId, Reach, Relays};
use crate::troubles::TROUBLES;

/// One client of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientPlan {
    /// By what a server can tell it.
    pub identity: Identity,
    /// How it behaves.
    pub habits: Habits,
    /// Where it begins.
    pub link: LinkId,
    /// When it is first switched on; never in a plan that was shrunk to do without it.
    pub starts: Option<Moment>,
    /// Whether another client speaks in the same name. Nobody can promise anything to such a pair.
    pub cloned: bool,
}

/// A whole run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// What everything is drawn from.
    pub seed: u64,
    /// The links.
    pub links: Vec<Reach>,
    /// The configuration at the beginning.
    pub site: Site,
    /// The clients.
    pub clients: Vec<ClientPlan>,
    /// The network at the beginning.
    pub weather: Weather,
    /// What befalls, in order of time.
    pub incidents: Vec<(Moment, Incident)>,
    /// How many turns may be on their way to the disk at once.
    pub turns_ahead: u8,
    /// The longest sync of the disk, milliseconds.
    pub slowest_sync: u64,
    /// When the run ends.
    pub ends: Moment,
    /// Whether the judge may look into server and store, besides seeing what clients see.
    pub looks_inside: bool,
    /// A bug on purpose.
    pub planted: Option<Bug>,
}

/// How long the calm at the end is: time for the longest lease to run out, and for its client to
/// get another.
const CALM: Duration = Duration::from_secs(1_500);

impl Plan {
    /// The plan of a seed: up to forty minutes of trouble, then the calm.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self::draw(seed, None)
    }

    /// The plan of a seed that lasts so many hours.
    #[must_use]
    pub fn lasting(seed: u64, hours: u64) -> Self {
        Self::draw(seed, Some(hours))
    }

    fn draw(seed: u64, hours: Option<u64>) -> Self {
        let mut draft = Draft::new(seed);
        let mut incidents = Vec::new();
        if let Some(hours) = hours {
            draft.calm = Moment(0).after(Duration::from_secs(hours * 3_600).saturating_sub(CALM));
        }
        // As much trouble in each half hour as a short plan has.
        let rounds = hours.map_or(1, |hours| 2 * hours);
        for trouble in TROUBLES {
            if draft.random.chance(400) {
                (0..rounds).for_each(|_| trouble(&mut draft, &mut incidents));
            }
        }
        incidents.push((draft.calm, Incident::Calm));
        incidents.sort_by_key(|(at, _)| *at);
        let slowest_sync = draft.random.pick(&[2, 20, 300, 1_500]);
        Self {
            seed,
            weather: draft.weather(),
            turns_ahead: draft.random.pick(&[1, 1, 2, 4]),
            slowest_sync,
            incidents,
            ends: draft.calm.after(CALM),
            looks_inside: true,
            planted: None,
            links: draft.links,
            site: draft.site,
            clients: draft.clients,
        }
    }

    /// The same plan for a server with a bug.
    #[must_use]
    pub fn with(self, planted: Bug) -> Self {
        Self { planted: Some(planted), ..self }
    }

    /// The same plan for a judge who sees only what clients see.
    #[must_use]
    pub fn seen_from_outside(self) -> Self {
        Self { looks_inside: false, ..self }
    }

    /// When everything is mended.
    #[must_use]
    pub fn calm(&self) -> Option<Moment> {
        let calm = self.incidents.iter().find(|(_, incident)| *incident == Incident::Calm)?;
        Some(calm.0)
    }

    /// The clients that are rude, by deed or by habit.
    pub(crate) fn rude(&self) -> BTreeSet<ClientId> {
        let deeds = self.incidents.iter().filter_map(|(_, incident)| match incident {
            Incident::Misbehave(client, _) => Some(*client),
            _ => None,
        });
        let habits = self.ids().filter(|(_, client)| !client.habits.polite());
        deeds.chain(habits.map(|(id, _)| id)).collect()
    }

    /// The clients whose name another one has too.
    pub(crate) fn cloned(&self) -> BTreeSet<ClientId> {
        self.ids().filter(|(_, client)| client.cloned).map(|(id, _)| id).collect()
    }

    fn ids(&self) -> impl Iterator<Item = (ClientId, &ClientPlan)> {
        (0..).map(ClientId).zip(&self.clients)
    }
}

/// For a reader of a failing plan: who is there and what befalls them.
impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "seed {}, up to {} turns on their way", self.seed, self.turns_ahead)?;
        if let Some(bug) = self.planted {
            writeln!(f, "planted: {bug}")?;
        }
        writeln!(f, "syncs take up to {} ms, the network: {}", self.slowest_sync, self.weather)?;
        let servers = self.links.iter().zip(&self.site.servers).zip(&self.site.pools);
        for (number, ((reach, server), pool)) in servers.enumerate() {
            let link = LinkId(number as u8);
            writeln!(
                f,
                "{link}: {reach:?}, pool {}-{}, {server:?}",
                link.host(pool.first),
                link.host(pool.last)
            )?;
        }
        for (id, client) in self.ids().filter(|(_, client)| client.starts.is_some()) {
            let ClientPlan { identity, habits, link, cloned, .. } = client;
            let clone = if *cloned { ", cloned" } else { "" };
            writeln!(f, "{id} on {link}{clone}: {identity:?} {habits:?}")?;
        }
        for (at, incident) in &self.incidents {
            writeln!(f, "{at:>10}  {incident}")?;
        }
        write!(f, "{:>10}  end", self.ends)
    }
}

/// What is known of a plan while it is drawn.
pub(crate) struct Draft {
    pub random: Random,
    pub links: Vec<Reach>,
    pub site: Site,
    pub clients: Vec<ClientPlan>,
    pub calm: Moment,
    /// The clients that do rude deeds.
    pub rude: Vec<ClientId>,
}

impl Draft {
    fn new(seed: u64) -> Self {
        let mut random = Random::new(seed).fork(1);
        let links: Vec<Reach> = (0..random.within(1, 3))
            .map(|_| match random.chance(500) {
                true => Reach::Direct,
                false => Reach::Relayed {
                    information: random.chance(500),
                    relays: random.pick(&[Relays::One, Relays::One, Relays::Two, Relays::Any]),
                },
            })
            .collect();
        let lease_time = random.pick(&[30, 60, 120, 300, 600]);
        let site = draw_site(&mut random, links.len(), lease_time);
        let clients = draw_clients(&mut random, links.len());
        let calm = Moment(1_000 * random.within(600, 2_400));
        Self { random, links, site, clients, calm, rude: Vec::new() }
    }

    pub(crate) fn weather(&mut self) -> Weather {
        match self.random.within(0, 2) {
            0 => Weather::CALM,
            1 => Weather { loss: 50, duplicates: 50, delay: 50, strays: 20, stray_delay: 8_000 },
            _ => Weather {
                loss: self.random.within(0, 400) as u32,
                duplicates: self.random.within(0, 300) as u32,
                delay: self.random.within(1, 800),
                strays: self.random.within(0, 150) as u32,
                stray_delay: self.random.within(1_000, 60_000),
            },
        }
    }

    pub(crate) fn moment(&mut self) -> Moment {
        Moment(self.random.within(2_000, self.calm.0 - 1))
    }

    pub(crate) fn client(&mut self) -> ClientId {
        ClientId(self.random.index(self.clients.len()) as u16)
    }

    pub(crate) fn link(&mut self) -> LinkId {
        LinkId(self.random.index(self.links.len()) as u8)
    }

    pub(crate) fn times(&mut self, most: u64) -> u64 {
        self.random.within(1, most)
    }
}

fn draw_site(random: &mut Random, links: usize, lease_time: u32) -> Site {
    let pools = (0..links)
        .map(|_| PoolSite {
            first: RANGE_FIRST,
            last: RANGE_FIRST - 1 + random.pick(&[2, 4, 8, 16, 60]),
            next: None,
        })
        .collect();
    let servers = (0..links)
        .map(|link| ServerSite {
            enabled: true,
            pool: LinkId(link as u8),
            lease_time,
            authoritative: random.chance(700),
            detects_conflicts: random.chance(500),
            rapid_commit: random.chance(500),
            ipv6_only: random.chance(300).then_some(300),
            bootp: random.chance(500),
            reconfigures: random.chance(500),
        })
        .collect();
    Site { servers, pools, statics: BTreeMap::new(), chatty: random.chance(300) }
}

fn draw_clients(random: &mut Random, links: usize) -> Vec<ClientPlan> {
    let count = random.pick(&[2, 4, 8, 16]);
    let mut clients: Vec<ClientPlan> = Vec::new();
    for number in 0..count {
        let mut identity = draw_identity(random, number, &clients);
        let mut habits = draw_habits(random);
        // A BOOTP client has neither options nor a twin that differs in them.
        let mac = [2, 0, 0, 0, 0, number];
        if random.chance(60) && identity.mac == mac {
            identity = Identity { mac, client_id: Vec::new() };
            habits = Habits { bootp: true, ..Habits::default() };
        }
        clients.push(ClientPlan {
            identity,
            habits,
            link: LinkId(random.index(links) as u8),
            starts: Some(Moment(random.within(0, 60_000))),
            cloned: false,
        });
    }
    clients
}

fn draw_habits(random: &mut Random) -> Habits {
    Habits {
        broadcast: random.chance(300),
        checks: random.chance(500),
        remembers: random.chance(600),
        trusts_memory: random.chance(500),
        renews_with_server: random.chance(100),
        rapid: random.chance(250),
        ipv6_only: random.chance(100),
        lease_time: random.chance(250).then(|| random.pick(&[20, 45, 600, 3_600, 86_400])),
        fqdn: random.chance(300),
        overloads: random.chance(100),
        small: random.chance(200),
        forcible: random.chance(300),
        ..Habits::default()
    }
}

/// Most have an Ethernet address of their own; some share it and differ in option 61 (a machine
/// with two systems, RFC 2131 § 4.2).
fn draw_identity(random: &mut Random, number: u8, others: &[ClientPlan]) -> Identity {
    let mac = [2, 0, 0, 0, 0, number];
    let own = [&[255, 0, 0, 0, number][..], b"duid"].concat();
    match random.within(0, 9) {
        0..=4 => Identity { mac, client_id: Vec::new() },
        5..=7 => Identity { mac, client_id: [&[1], &mac[..]].concat() },
        8 => Identity { mac, client_id: own },
        _ => match others.last().filter(|other| !other.identity.client_id.is_empty()) {
            Some(other) => Identity { mac: other.identity.mac, client_id: own },
            None => Identity { mac, client_id: own },
        },
    }
}
