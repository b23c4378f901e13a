//! The plan of a run: who is there and what befalls them, all of it drawn from the seed.
//!
//! Each seed draws first which kinds of trouble it has, then when: a run that has every trouble at
//! once hides more than it finds. A plan is data, so that a failing one can be made smaller.

use core::fmt;
use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use crate::client::{ClientId, Habits, Identity, Mischief};
use crate::clock::Moment;
use crate::disk::Sickness;
use crate::incident::Incident;
use crate::network::Weather;
use crate::planted::Bug;
use crate::random::Random;
use crate::site::{OUTSIDE_FIRST, PoolSite, RANGE_FIRST, ServerSite, Site, SiteChange};
use crate::topology::{LinkId, Reach};

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

/// How long the calm at the end is: time for leases and quarantines to run out.
const CALM: Duration = Duration::from_secs(3_000);

impl Plan {
    /// The plan of a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let mut draft = Draft::new(seed);
        let mut incidents = Vec::new();
        for trouble in TROUBLES {
            if draft.random.chance(400) {
                trouble(&mut draft, &mut incidents);
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

type Trouble = fn(&mut Draft, &mut Vec<(Moment, Incident)>);

const TROUBLES: [Trouble; 11] = [
    comings_and_goings,
    moves,
    kills,
    power_cuts,
    suspensions,
    disk_failures,
    clock_steps,
    cuts,
    reconfigurations,
    removals,
    rudeness,
];

/// What is known of a plan while it is drawn.
struct Draft {
    random: Random,
    links: Vec<Reach>,
    site: Site,
    clients: Vec<ClientPlan>,
    calm: Moment,
}

impl Draft {
    fn new(seed: u64) -> Self {
        let mut random = Random::new(seed).fork(1);
        let links: Vec<Reach> = (0..random.within(1, 3))
            .map(|_| match random.within(0, 3) {
                0 | 1 => Reach::Direct,
                2 => Reach::Relayed { information: false },
                _ => Reach::Relayed { information: true },
            })
            .collect();
        let lease_time = random.pick(&[30, 60, 120, 300, 600]);
        let site = draw_site(&mut random, links.len(), lease_time);
        let clients = draw_clients(&mut random, links.len());
        let calm = Moment(1_000 * random.within(600, 2_400));
        Self { random, links, site, clients, calm }
    }

    fn weather(&mut self) -> Weather {
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

    fn moment(&mut self) -> Moment {
        Moment(self.random.within(2_000, self.calm.0 - 1))
    }

    fn client(&mut self) -> ClientId {
        ClientId(self.random.index(self.clients.len()) as u16)
    }

    fn link(&mut self) -> LinkId {
        LinkId(self.random.index(self.links.len()) as u8)
    }

    fn times(&mut self, most: u64) -> u64 {
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
        })
        .collect();
    Site { servers, pools, statics: BTreeMap::new() }
}

fn draw_clients(random: &mut Random, links: usize) -> Vec<ClientPlan> {
    let count = random.pick(&[2, 4, 8, 16]);
    let mut clients: Vec<ClientPlan> = Vec::new();
    for number in 0..count {
        let identity = draw_identity(random, number, &clients);
        clients.push(ClientPlan {
            identity,
            habits: Habits {
                broadcast: random.chance(300),
                checks: random.chance(500),
                remembers: random.chance(600),
                trusts_memory: random.chance(500),
                renews_with_server: random.chance(100),
                ..Habits::default()
            },
            link: LinkId(random.index(links) as u8),
            starts: Some(Moment(random.within(0, 60_000))),
            cloned: false,
        });
    }
    clients
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

fn comings_and_goings(draft: &mut Draft, incidents: &mut Vec<(Moment, Incident)>) {
    for _ in 0..draft.times(40) {
        let (at, client) = (draft.moment(), draft.client());
        let off = if draft.random.chance(500) {
            Incident::Release(client)
        } else {
            Incident::PowerOff(client)
        };
        let longest = draft.random.pick(&[5_000, 60_000, 900_000]);
        let back = at.after(Duration::from_millis(draft.random.within(10, longest)));
        incidents.push((at, off));
        incidents.push((back.min(draft.calm), Incident::PowerOn(client)));
    }
}

fn moves(draft: &mut Draft, incidents: &mut Vec<(Moment, Incident)>) {
    for _ in 0..draft.times(10) {
        let incident = Incident::Carry(draft.client(), draft.link());
        incidents.push((draft.moment(), incident));
    }
}

fn kills(draft: &mut Draft, incidents: &mut Vec<(Moment, Incident)>) {
    for _ in 0..draft.times(12) {
        let down = draft.random.pick(&[1, 500, 20_000, 200_000]);
        let promises = draft.random.chance(400).then(|| draft.random.within(0, 3) as u8);
        incidents.push((draft.moment(), Incident::Kill { down, promises }));
    }
}

fn power_cuts(draft: &mut Draft, incidents: &mut Vec<(Moment, Incident)>) {
    for _ in 0..draft.times(4) {
        let down = draft.random.pick(&[5_000, 60_000, 400_000]);
        let battery = draft.random.chance(600);
        let at = draft.moment();
        incidents.push((at, Incident::CutPower { down, battery }));
        if !battery {
            // The time server is reached some time after the machine is back.
            let synchronised = down + draft.random.within(1, 600_000);
            incidents.push((
                at.after(Duration::from_millis(synchronised)).min(draft.calm),
                Incident::SetClock(0),
            ));
        }
    }
}

fn suspensions(draft: &mut Draft, incidents: &mut Vec<(Moment, Incident)>) {
    for _ in 0..draft.times(4) {
        let millis = draft.random.pick(&[2_000, 60_000, 700_000]);
        incidents.push((draft.moment(), Incident::Suspend(millis)));
    }
}

fn disk_failures(draft: &mut Draft, incidents: &mut Vec<(Moment, Incident)>) {
    for _ in 0..draft.times(6) {
        let sickness = draft.random.pick(&[Sickness::Full, Sickness::SyncFails]);
        let at = draft.moment();
        let longest = draft.random.pick(&[50, 10_000, 400_000]);
        let heals = at.after(Duration::from_millis(draft.random.within(1, longest)));
        incidents.push((at, Incident::Sicken(sickness)));
        incidents.push((heals.min(draft.calm), Incident::HealDisk));
    }
}

fn clock_steps(draft: &mut Draft, incidents: &mut Vec<(Moment, Incident)>) {
    const TEN_YEARS: i64 = 315_360_000;
    for _ in 0..draft.times(5) {
        let error = draft.random.pick(&[-TEN_YEARS, -3_600, -7, 0, 7, 3_600, TEN_YEARS]);
        incidents.push((draft.moment(), Incident::SetClock(error)));
    }
}

fn cuts(draft: &mut Draft, incidents: &mut Vec<(Moment, Incident)>) {
    for _ in 0..draft.times(5) {
        let (at, link) = (draft.moment(), draft.link());
        let longest = draft.random.pick(&[3_000, 60_000, 900_000]);
        let joined = at.after(Duration::from_millis(draft.random.within(1, longest)));
        incidents.push((at, Incident::Cut(link)));
        incidents.push((joined.min(draft.calm), Incident::Join(link)));
        let weather = draft.weather();
        incidents.push((draft.moment(), Incident::Weather(weather)));
    }
}

fn reconfigurations(draft: &mut Draft, incidents: &mut Vec<(Moment, Incident)>) {
    for _ in 0..draft.times(14) {
        let change = draw_change(draft);
        incidents.push((draft.moment(), Incident::Reconfigure(change)));
    }
}

fn removals(draft: &mut Draft, incidents: &mut Vec<(Moment, Incident)>) {
    for _ in 0..draft.times(6) {
        let client = draft.client();
        incidents.push((draft.moment(), Incident::RemoveLease(client)));
    }
}

fn draw_change(draft: &mut Draft) -> SiteChange {
    let (link, other) = (draft.link(), draft.link());
    match draft.random.within(0, 9) {
        0..=2 => {
            let first = RANGE_FIRST + draft.random.within(0, 10) as u8;
            let last = first + draft.random.within(0, 30) as u8;
            SiteChange::Range { pool: link, first, last }
        }
        3 => SiteChange::Draw { server: link, pool: other },
        4 => SiteChange::Swap(link, other),
        5 => {
            let next = draft.random.chance(600).then_some(other);
            SiteChange::Next { pool: link, next }
        }
        6 => {
            let client = draft.client();
            let link = draft.clients[usize::from(client.0)].link;
            let host = if draft.random.chance(700) {
                RANGE_FIRST + draft.random.within(0, 16) as u8
            } else {
                OUTSIDE_FIRST + draft.random.within(0, 20) as u8
            };
            let address = draft.random.chance(700).then(|| link.host(host));
            SiteChange::Static { client, address }
        }
        7 => SiteChange::Enable { server: link, enabled: draft.random.chance(600) },
        8 => {
            let seconds = draft.random.pick(&[10, 30, 60, 300, 900]);
            SiteChange::LeaseTime { server: link, seconds }
        }
        _ => SiteChange::Authoritative { server: link, yes: draft.random.chance(600) },
    }
}

/// Some clients turn rude, some get a clone, and all rude deeds are planned one by one.
fn rudeness(draft: &mut Draft, incidents: &mut Vec<(Moment, Incident)>) {
    const DEEDS: [Mischief; 12] = [
        Mischief::Release,
        Mischief::Decline,
        Mischief::Select,
        Mischief::Reboot,
        Mischief::Renew,
        Mischief::Elsewhere,
        Mischief::Inform,
        Mischief::Flood(20),
        Mischief::Grab(4),
        Mischief::Rubbish,
        Mischief::Squat,
        Mischief::Leave,
    ];
    for _ in 0..draft.times(3) {
        let rude = draft.client();
        let habits = &mut draft.clients[usize::from(rude.0)].habits;
        match draft.random.within(0, 4) {
            0 => habits.ignores_nak = true,
            1 => habits.keeps_expired = true,
            2 => habits.random_wish = true,
            3 => habits.declines_all = true,
            _ => draw_clone(draft, rude),
        }
        for _ in 0..draft.times(25) {
            let deed = draft.random.pick(&DEEDS);
            incidents.push((draft.moment(), Incident::Misbehave(rude, deed)));
        }
    }
}

fn draw_clone(draft: &mut Draft, original: ClientId) {
    let original = &mut draft.clients[usize::from(original.0)];
    original.cloned = true;
    let mut clone = original.clone();
    clone.link = LinkId(draft.random.index(draft.links.len()) as u8);
    clone.starts = Some(Moment(draft.random.within(0, 60_000)));
    draft.clients.push(clone);
}
