//! One run: everything that happens, one thing after the other, in one thread.

use core::net::Ipv4Addr;
use std::collections::VecDeque;
use std::rc::Rc;

use leasehold_dhcp::{Datagram, ProbeAnswer, Wall};

use crate::agenda::Agenda;
use crate::client::{Client, ClientId, Outgoing, Rumour};
use crate::clock::{MachineClock, Moment};
use crate::disk::Disk;
use crate::force::Nonces;
use crate::history::{History, What};
use crate::incident::{CrashPoint, Incident};
use crate::legal::Heard;
use crate::message::Message;
use crate::network::Network;
use crate::oracle::{Failure, Oracle, Rule};
use crate::plan::Plan;
use crate::random::Random;
use crate::server::Process;
use crate::site::Site;
use crate::topology::LinkId;

/// Something that is going to happen.
#[derive(Debug)]
pub(crate) enum Happening {
    /// The incident with this number.
    Incident(usize),
    /// A client's timer runs out, unless it was set anew.
    ClientWakes(ClientId),
    /// A datagram reaches the server's machine.
    ToServer(Box<Arrival>),
    /// A datagram reaches a client, if it is still on that link.
    ToClient(ClientId, LinkId, Rc<Message>),
    /// The worker of the process with this number gets the processor.
    Work(u64),
    /// A commit of the process with this number comes back from the disk.
    Synced(u64, u64),
    /// Somebody answered a probe.
    ProbeAnswered(ProbeAnswer),
    /// The process is started, after a reboot of the machine or without.
    Restart(Reboot),
    /// The store's writer looks whether the disk works again.
    Reopen(u64),
}

/// Whether and how the machine was started before the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reboot {
    No,
    WithBattery,
    WithoutBattery,
}

/// A datagram on the server's machine.
#[derive(Debug)]
pub(crate) struct Arrival {
    pub interface: leasehold_dhcp::IfIndex,
    pub link_source: Option<leasehold_dhcp::Mac>,
    pub destination: Ipv4Addr,
    pub payload: Vec<u8>,
    pub heard: Heard,
    pub sender: ClientId,
}

impl Arrival {
    pub(crate) fn datagram(&self) -> Datagram<'_> {
        Datagram {
            interface: self.interface,
            link_source: self.link_source,
            source: self.heard.source,
            destination: self.destination,
            payload: &self.payload,
        }
    }
}

/// What waits for the worker.
#[derive(Debug)]
pub(crate) enum Inbound {
    Datagram(Box<Arrival>),
    Config(Rc<Site>),
    Removal(Ipv4Addr),
    Force(Ipv4Addr),
}

/// A kill that waits for the process to reach a point of its turn.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ambush {
    pub at: CrashPoint,
    pub down: u64,
}

/// Everything there is.
pub(crate) struct World<'p> {
    pub plan: &'p Plan,
    pub now: Moment,
    pub agenda: Agenda<Happening>,
    pub clients: Vec<Client>,
    pub network: Network,
    pub clock: MachineClock,
    pub disk: Disk,
    pub oracle: Oracle,
    pub nonces: Nonces,
    pub history: History,
    /// The configuration as the file on the server's machine has it.
    pub site: Rc<Site>,
    pub process: Option<Process>,
    /// How many processes there have been.
    pub processes: u64,
    pub inbox: VecDeque<Inbound>,
    /// Answers to probes, which have a socket of their own.
    pub answers: Vec<ProbeAnswer>,
    pub work_planned: Option<Moment>,
    pub ambush: Option<Ambush>,
    /// The next start finds no store.
    pub store_lost: bool,
    /// Since when leases may be missing, as the marker of the store says.
    pub suspect_since: Option<Wall>,
    /// Until when the machine is suspended.
    pub asleep_until: Moment,
    /// Until when nobody may pull the plug: the new time of a clock that was set needs a moment
    /// to reach the disk. Set while the machine is down, it could not be told from time passing.
    pub clock_settles: Moment,
    pub idle_ticks: u32,
    pub random: Random,
    pub failure: Option<Failure>,
    pub steps: u64,
}

impl<'p> World<'p> {
    pub(crate) fn new(plan: &'p Plan, lines: bool) -> Self {
        let root = Random::new(plan.seed).fork(2);
        let mut agenda = Agenda::new();
        let clients = (0..).zip(&plan.clients).map(|(number, client)| {
            let random = root.fork(1_000 + u64::from(number));
            let id = ClientId(number);
            Client::new(id, client.identity.clone(), client.habits, client.link, random)
        });
        let clients: Vec<Client> = clients.collect();
        agenda.plan(Moment(0), Happening::Restart(Reboot::No));
        for (number, (at, _)) in plan.incidents.iter().enumerate() {
            agenda.plan(*at, Happening::Incident(number));
        }
        for (client, planned) in clients.iter().zip(&plan.clients) {
            if let Some(at) = planned.starts {
                agenda.plan(at, Happening::ClientWakes(client.id));
            }
        }
        Self {
            plan,
            now: Moment(0),
            agenda,
            clients,
            network: Network::new(plan.weather, root.fork(1)),
            clock: MachineClock::new(),
            disk: Disk::new(root.fork(2)),
            oracle: Oracle::new(plan.rude(), plan.cloned()),
            nonces: Nonces::default(),
            history: History::new(lines),
            site: Rc::new(plan.site.clone()),
            process: None,
            processes: 0,
            inbox: VecDeque::new(),
            answers: Vec::new(),
            work_planned: None,
            ambush: None,
            store_lost: false,
            suspect_since: None,
            asleep_until: Moment(0),
            clock_settles: Moment(0),
            idle_ticks: 0,
            random: root.fork(3),
            failure: None,
            steps: 0,
        }
    }

    /// Runs until the plan's end, a broken rule, or `steps` steps.
    pub(crate) fn run(&mut self, steps: u64) {
        while self.failure.is_none() && self.steps < steps {
            let Some((at, what)) = self.agenda.next().filter(|(at, _)| *at <= self.plan.ends)
            else {
                return self.look_for_unbound();
            };
            self.now = at;
            self.steps += 1;
            self.happen(what);
        }
    }

    pub(crate) fn fail(&mut self, (rule, detail): (Rule, String)) {
        if rule.is_inside() && !self.plan.looks_inside {
            return;
        }
        if self.failure.is_none() {
            self.failure = Some(Failure { at: self.now, rule, detail });
        }
    }

    fn happen(&mut self, what: Happening) {
        // What the disk or the kernel has to say waits until the machine wakes up.
        let waits = matches!(what, Happening::Synced(..) | Happening::Reopen(_));
        if waits && self.now < self.asleep_until {
            return self.agenda.plan(self.asleep_until, what);
        }
        match what {
            Happening::Incident(number) => self.befall(number),
            Happening::ClientWakes(client) => self.wake(client),
            Happening::ToServer(arrival) => self.arrive(Inbound::Datagram(arrival)),
            Happening::ToClient(client, link, message) => self.receive(client, link, &message),
            Happening::Work(process) if process == self.processes => {
                if self.work_planned == Some(self.now) {
                    self.work();
                }
            }
            Happening::Synced(process, sequence) if process == self.processes => {
                self.synced(sequence);
            }
            Happening::Reopen(process) if process == self.processes => self.reopen(),
            Happening::Work(_) | Happening::Synced(..) | Happening::Reopen(_) => {}
            Happening::ProbeAnswered(answer) => self.arrive_answer(answer),
            Happening::Restart(reboot) => self.restart(reboot),
        }
    }

    /// Lets one client act, then sends what it has to say and plans its next timer.
    fn act(&mut self, client: ClientId, act: impl FnOnce(&mut Client, &mut Vec<Outgoing>)) {
        let mut out = Vec::new();
        let one = &mut self.clients[usize::from(client.0)];
        let before = (one.state, one.in_use(), one.wakes);
        act(one, &mut out);
        let (state, address, wakes) = (one.state, one.in_use(), one.wakes);
        if (state, address) != (before.0, before.1) {
            self.history.add(self.now, What::Became { client, state, address });
        }
        if let Some(at) = wakes.filter(|_| wakes != before.2) {
            self.agenda.plan(at.max(self.now), Happening::ClientWakes(client));
        }
        for outgoing in out {
            self.send(client, outgoing);
        }
    }

    fn wake(&mut self, client: ClientId) {
        let now = self.now;
        let one = &self.clients[usize::from(client.0)];
        match one.wakes {
            Some(at) if at <= now => {
                self.clients[usize::from(client.0)].wakes = None;
                let taken = self.is_taken(client);
                self.act(client, |one, out| one.wake(now, taken, out));
            }
            // The first time, it is switched on; a timer that was set anew has its own happening.
            None if self.plan.clients[usize::from(client.0)].starts == Some(now) => {
                self.act(client, |one, out| one.power_on(now, out));
            }
            _ => {}
        }
    }

    /// What ARP tells a client about the address that it was given: whether anybody else on its
    /// link answers for it.
    fn is_taken(&self, client: ClientId) -> bool {
        let one = &self.clients[usize::from(client.0)];
        let Some(lease) = one.lease(self.now) else { return false };
        self.clients.iter().any(|other| {
            other.id != client && other.link == one.link && other.answers_for(lease.address)
        })
    }

    fn receive(&mut self, client: ClientId, link: LinkId, message: &Message) {
        let now = self.now;
        if self.clients[usize::from(client.0)].link != link {
            return;
        }
        self.history.add(now, What::Received { client, message: message.into() });
        self.act(client, |one, out| one.receive(now, message, out));
    }

    fn befall(&mut self, number: usize) {
        let (_, incident) = &self.plan.incidents[number];
        if let Some(later) = self.postponed(incident) {
            return self.agenda.plan(later, Happening::Incident(number));
        }
        self.history.add(self.now, What::Incident(incident.clone()));
        let now = self.now;
        match *incident {
            Incident::PowerOn(client) => self.act(client, |one, out| one.power_on(now, out)),
            Incident::PowerOff(client) => self.act(client, |one, _| one.power_off()),
            Incident::Release(client) => self.act(client, |one, out| one.release(now, out)),
            Incident::Carry(client, link) => {
                self.act(client, |one, out| one.carry_to(link, now, out));
            }
            Incident::Inform(client) => self.act(client, |one, out| one.inform(now, out)),
            Incident::Misbehave(client, deed) => {
                let rumour = self.rumour(client);
                self.act(client, |one, out| one.misbehave(deed, rumour, out));
            }
            Incident::Kill { down, at: CrashPoint::Now } => self.kill(down, Reboot::No),
            Incident::Kill { down, at } => self.ambush = Some(Ambush { at, down }),
            Incident::LoseStore { down } => self.lose_store(down),
            Incident::CutPower { down, battery: true } => self.kill(down, Reboot::WithBattery),
            Incident::CutPower { down, battery: false } => {
                self.kill(down, Reboot::WithoutBattery);
            }
            Incident::Suspend(millis) => self.asleep_until = Moment(now.0 + millis),
            Incident::Sicken(sickness) => self.disk.sicken(sickness),
            Incident::HealDisk => {
                self.disk.heal();
                if self.clock_settles.0 > 0 {
                    self.settle_clock();
                }
            }
            Incident::SetClock(error) => {
                self.clock.set_error(error);
                self.settle_clock();
                self.plan_work(now);
            }
            Incident::Cut(link) => self.network.cut(link),
            Incident::Join(link) => self.network.join(link),
            Incident::Weather(weather) => self.network.change(weather),
            Incident::Reconfigure(change) => {
                self.oracle.reconfigured(now, change);
                self.reconfigure(|site| site.apply(change));
            }
            Incident::RemoveLease(client) => self.remove_lease(client),
            Incident::Force(client) => self.force(client),
            Incident::Query(link, query) => self.query(link, query),
            Incident::Calm => self.calm(),
        }
    }

    fn lose_store(&mut self, down: u64) {
        self.kill(down, Reboot::No);
        self.disk.lose();
        self.store_lost = true;
        self.oracle.forget_leases(self.now, &self.clients);
    }

    /// Leases are stamped with a new time as soon as the disk takes them.
    fn settle_clock(&mut self) {
        self.clock_settles = Moment(self.now.0 + 10_000);
    }

    /// Whether the disk may still have leases with times of the clock as it was.
    pub(crate) fn is_clock_settling(&self) -> bool {
        self.now < self.clock_settles || (!self.disk.works() && self.clock_settles.0 > 0)
    }

    /// The clock is not set while the machine is down, and the plug is not pulled right after.
    fn postponed(&self, incident: &Incident) -> Option<Moment> {
        let waits = match incident {
            Incident::SetClock(_) => self.process.is_none() || self.now < self.asleep_until,
            Incident::Kill { .. } | Incident::LoseStore { .. } | Incident::CutPower { .. } => {
                self.is_clock_settling()
            }
            _ => false,
        };
        (waits && self.now < self.plan.ends).then(|| Moment(self.now.0 + 5_000))
    }

    fn reconfigure(&mut self, change: impl FnOnce(&mut Site)) {
        let mut site = Site::clone(&self.site);
        change(&mut site);
        self.site = Rc::new(site);
        self.arrive(Inbound::Config(self.site.clone()));
    }

    fn remove_lease(&mut self, client: ClientId) {
        let Some(lease) = self.clients[usize::from(client.0)].lease(self.now) else { return };
        self.arrive(Inbound::Removal(lease.address));
    }

    fn force(&mut self, client: ClientId) {
        let Some(lease) = self.clients[usize::from(client.0)].lease(self.now) else { return };
        self.arrive(Inbound::Force(lease.address));
    }

    /// What a rude client knows: the address of somebody, or one that nobody has.
    fn rumour(&mut self, client: ClientId) -> Rumour {
        let link = self.clients[usize::from(client.0)].link;
        let leases = self.clients.iter().filter(|other| other.id != client);
        let leases: Vec<_> = leases.filter_map(|other| other.lease(self.now)).collect();
        let server = match leases.first() {
            Some(lease) => lease.server,
            None => link.gateway(),
        };
        let choice = self.network.draw(client, leases.len() as u64) as usize;
        let free = link.host(crate::site::RANGE_FIRST + self.network.draw(client, 20) as u8);
        match leases.get(choice) {
            Some(lease) => Rumour { address: lease.address, server: lease.server },
            None => Rumour { address: free, server },
        }
    }

    /// Everything is mended; who is rude goes; who is polite and off comes back.
    fn calm(&mut self) {
        let now = self.now;
        self.network.heal();
        self.disk.heal();
        self.ambush = None;
        self.asleep_until = now;
        for number in 0..self.clients.len() {
            let id = ClientId(number as u16);
            if self.counts(id) {
                self.act(id, |one, out| {
                    one.squat(None);
                    one.power_on(now, out);
                });
            } else {
                self.act(id, |one, _| {
                    one.squat(None);
                    one.power_off();
                });
            }
        }
        self.reconfigure(Site::make_ample);
    }

    /// Whether a client does its part, so that it must have an address in the end.
    fn counts(&self, client: ClientId) -> bool {
        let planned = &self.plan.clients[usize::from(client.0)];
        planned.starts.is_some() && planned.habits.polite() && !planned.cloned
    }

    fn look_for_unbound(&mut self) {
        if self.plan.calm().is_none() {
            return;
        }
        // The address of a static lease may be in quarantine for longer than the calm lasts.
        let awaited =
            |one: &&Client| self.counts(one.id) && !self.site.statics.contains_key(&one.id);
        let unbound = self.clients.iter().filter(awaited).find(|one| !one.settled(self.now));
        if let Some(one) = unbound {
            let detail = format!("{} is {:?} on {}", one.id, one.state, one.link);
            self.fail((Rule::Unbound, detail));
        }
    }
}
