//! The worker's turns: drain what has arrived, seal, commit, and send what became durable.

use core::mem::discriminant;
use core::time::Duration;
use std::collections::VecDeque;
use std::rc::Rc;

use leasehold_dhcp::record::Change;
use leasehold_dhcp::{Durable, Event, Input, Now, ProbeAnswer, StoreState, Wall};

use crate::clock::Moment;
use crate::disk::Failed;
use crate::history::What;
use crate::incident::CrashPoint;
use crate::oracle::Rule;
use crate::planted::{self, Bug};
use crate::server::{Beginning, Landed, Process, Said};
use crate::topology;
use crate::world::{Happening, Inbound, Reboot, World};

/// The most datagrams of one turn.
const DRAIN_MAX: usize = 256;
/// How often the worker may be woken for a deadline that stays where it is.
const IDLE_TICKS_MAX: u32 = 50;

/// How much of the inbox one turn takes: a configuration begins a turn.
fn drained(inbox: &VecDeque<Inbound>) -> usize {
    let next = inbox.iter().skip(1).position(|inbound| matches!(inbound, Inbound::Config(_)));
    let length = next.map_or(inbox.len(), |before| before + 1);
    length.min(DRAIN_MAX)
}

impl World<'_> {
    /// Something reaches the server's machine; while nobody is there, it is lost.
    pub(crate) fn arrive(&mut self, inbound: Inbound) {
        let asleep = self.now < self.asleep_until && !matches!(inbound, Inbound::Config(_));
        if self.process.is_some() && !asleep {
            self.inbox.push_back(inbound);
            self.plan_work_soon();
        }
    }

    /// Somebody answers a probe.
    pub(crate) fn arrive_answer(&mut self, answer: ProbeAnswer) {
        if self.process.is_some() && self.now >= self.asleep_until {
            self.answers.push(answer);
            self.plan_work_soon();
        }
    }

    fn plan_work_soon(&mut self) {
        let soon = Moment(self.now.0 + self.random.within(0, 1));
        self.plan_work(soon);
    }

    pub(crate) fn plan_work(&mut self, at: Moment) {
        let at = at.max(self.asleep_until);
        if self.work_planned.is_none_or(|planned| at < planned) {
            self.work_planned = Some(at);
            self.agenda.plan(at, Happening::Work(self.processes));
        }
    }

    /// Whatever wakes the worker, it hears first what probes have been answered. What that leads to
    /// is said at once, so nothing is heard by a machine that is asleep.
    fn hear_answers(&mut self, now: Now) {
        if self.now < self.asleep_until {
            return;
        }
        let Some(process) = &mut self.process else { return };
        for answer in self.answers.drain(..) {
            self.oracle.probe_answered(self.now, &answer, &self.clients);
            if self.plan.planted != Some(Bug::ProbeUnheard) {
                process.handle(now, Input::Probe(answer));
            }
        }
    }

    /// One turn, unless too many are on their way to the disk already.
    pub(crate) fn work(&mut self) {
        self.work_planned = None;
        if self.now < self.asleep_until {
            return self.plan_work(self.asleep_until);
        }
        let now = self.read_clocks();
        let is_full =
            |process: &Process| process.flights.len() >= usize::from(self.plan.turns_ahead);
        if self.process.as_ref().is_none_or(is_full) {
            return;
        }
        self.hear_answers(now);
        let Some(process) = &mut self.process else { return };
        let drained = drained(&self.inbox);
        for inbound in self.inbox.drain(..drained) {
            match inbound {
                Inbound::Datagram(mut arrival) => {
                    planted::rename(self.plan.planted, &mut arrival, &self.clients, self.now);
                    let message = (&arrival.heard.message).into();
                    self.history.add(self.now, What::Arrived { message });
                    self.oracle.hear(self.now, arrival.heard.clone(), arrival.sender);
                    process.handle(now, Input::Datagram(arrival.datagram()));
                }
                Inbound::Removal(address) => {
                    self.oracle.remove(self.now, address, &self.clients);
                    process.remove(now, address);
                }
                Inbound::Force(address) => process.force(now, address),
                Inbound::Config(site) => {
                    self.history.add(self.now, What::Configured);
                    process.reconfigure(now, site);
                    if self.plan.planted == Some(Bug::ShrinkRemoves) {
                        process.remove_outside(now);
                    }
                }
            }
        }
        process.handle(now, Input::Tick);
        let site = process.site.clone();
        let said = process.seal(now);
        self.idle_ticks = if drained == 0 { self.idle_ticks + 1 } else { 0 };
        let quiet = said.commit.is_none();
        if !quiet && self.dies(CrashPoint::BeforeWrite) {
            return;
        }
        self.say(said, &site);
        if self.steps.is_multiple_of(4) {
            self.audit_book();
        }
        if quiet && self.steps.is_multiple_of(8) {
            self.audit(now);
        }
        self.plan_next(now);
    }

    pub(crate) fn read_clocks(&self) -> Now {
        planted::clocks(self.plan.planted, self.clock.read(self.now), self.now)
    }

    fn say(&mut self, said: Said, site: &Rc<crate::site::Site>) {
        for event in said.events {
            if matches!(event, Event::ProxyArp { .. }) {
                self.oracle.distrusts_answers();
            }
            self.history.note(self.now, || event.to_string());
        }
        for (nonce, with) in said.nonces {
            if let Err(failure) = self.nonces.decided(nonce, with) {
                return self.fail(failure);
            }
        }
        if let Some((sequence, records)) = said.commit {
            self.history.add(self.now, What::Turn { sequence, records: records.len() as u32 });
            for record in records.iter() {
                self.history.note(self.now, || format!("{} {:?}", record.location, record.change));
                if let Change::Bound(binding) = &record.change {
                    let to = crate::disk::named(binding);
                    self.oracle.bound(self.now, record.location.address, &to, &self.clients);
                }
            }
            let records = planted::records(self.plan.planted, records);
            self.disk.write(sequence, &records);
            let sync = self.random.within(1, self.plan.slowest_sync);
            let done = Moment(self.now.0 + sync);
            self.agenda.plan(done, Happening::Synced(self.processes, sequence));
            if self.plan.planted == Some(Bug::AckBeforeCommit) {
                self.promise(sequence, &self.disk.pretend(sequence));
            }
            if self.dies(CrashPoint::AfterWrite) {
                return;
            }
        }
        for (to, payload) in said.prompt.replies().iter() {
            if self.dies(CrashPoint::Answering(0)) {
                return;
            }
            self.emit(to, payload, None, site);
        }
        for probe in said.probes {
            self.probe(probe);
        }
    }

    /// Plans the turn that is due next, if the worker is not waiting for the disk.
    fn plan_next(&mut self, now: Now) {
        let Some(process) = &self.process else { return };
        if process.flights.len() >= usize::from(self.plan.turns_ahead) {
            return;
        }
        if !self.inbox.is_empty() {
            return self.plan_work(Moment(self.now.0 + 1));
        }
        let Some(deadline) = process.engine.deadline() else { return };
        let wait = now.boottime.until(deadline);
        if wait > Duration::ZERO {
            self.idle_ticks = 0;
        } else if self.idle_ticks > IDLE_TICKS_MAX {
            return self.fail((Rule::Stuck, format!("{deadline:?} is past at {:?}", now.boottime)));
        }
        self.plan_work(self.now.after(wait.max(Duration::from_millis(1))));
    }

    /// A commit comes back: its promises leave, or it has failed.
    pub(crate) fn synced(&mut self, sequence: u64) {
        let now = self.read_clocks();
        let Some(process) = &mut self.process else { return };
        let planted = self.plan.planted == Some(Bug::AckDespiteFailure);
        let oldest = process.flights.front().map_or(u64::MAX, |flight| flight.turn.sequence());
        match self.disk.sync(oldest.min(sequence), sequence) {
            Ok(durable) => {
                self.history.add(self.now, What::Durable { sequence });
                if self.dies(CrashPoint::AfterSync) {
                    return;
                }
                self.promise(sequence, &durable);
            }
            Err(Failed) if planted => self.promise(sequence, &self.disk.pretend(sequence)),
            // The process knows it from an earlier turn.
            Err(Failed) if process.store_failed || oldest > sequence => {}
            Err(Failed) => {
                self.history.add(self.now, What::CommitFailed { sequence });
                if self.plan.planted == Some(Bug::FailureNotTold) {
                    process.flights.clear();
                } else {
                    self.hear_answers(now);
                    if let Some(process) = &mut self.process {
                        process.abandon(now);
                        // The worker ends its turn after each thing that wakes it.
                        let (said, site) = (process.seal(now), process.site.clone());
                        self.say(said, &site);
                    }
                }
                let again = Moment(self.now.0 + 1_000);
                self.agenda.plan(again, Happening::Reopen(self.processes));
            }
        }
        self.plan_work(self.now);
    }

    /// Sends the promises of all turns that are durable.
    fn promise(&mut self, sequence: u64, durable: &Durable) {
        let Some(process) = &mut self.process else { return };
        for Landed { promises, site, granted } in process.release(sequence, durable) {
            for (to, payload) in promises.replies().iter() {
                if self.dies(CrashPoint::Promising(0)) {
                    return;
                }
                self.emit(to, payload, Some(&granted), &site);
            }
        }
    }

    /// The writer tries to open the store again.
    pub(crate) fn reopen(&mut self) {
        let now = self.read_clocks();
        self.hear_answers(now);
        let Some(process) = &mut self.process else { return };
        if !self.disk.works() {
            let again = Moment(self.now.0 + 1_000);
            return self.agenda.plan(again, Happening::Reopen(self.processes));
        }
        process.store_failed = false;
        self.history.add(self.now, What::StoreRecovered);
        process.handle(now, Input::StoreRecovered);
        self.plan_work(self.now);
    }

    /// The process is gone, with everything that it had not sent.
    pub(crate) fn kill(&mut self, down: u64, reboot: Reboot) {
        if self.process.take().is_none() {
            return;
        }
        self.processes += 1;
        self.ambush = None;
        self.work_planned = None;
        self.inbox.clear();
        self.answers.clear();
        self.disk.crash();
        self.agenda.plan(Moment(self.now.0 + down), Happening::Restart(reboot));
    }

    /// Whether the process dies at this point, which it has reached: it may have to be reached a
    /// few times more.
    fn dies(&mut self, reached: CrashPoint) -> bool {
        let settled = !self.is_clock_settling();
        let Some(ambush) = self.ambush.as_mut().filter(|_| settled) else { return false };
        if discriminant(&ambush.at) != discriminant(&reached) {
            return false;
        }
        if let CrashPoint::Answering(left @ 1..) | CrashPoint::Promising(left @ 1..) =
            &mut ambush.at
        {
            *left -= 1;
            return false;
        }
        let down = ambush.down;
        self.kill(down, Reboot::No);
        true
    }

    pub(crate) fn restart(&mut self, reboot: Reboot) {
        match reboot {
            Reboot::No => {}
            Reboot::WithBattery => self.clock.reboot(self.now, true),
            Reboot::WithoutBattery => self.clock.reboot(self.now, false),
        }
        let records = self.disk.replay(self.plan.planted);
        let records = planted::replay(self.plan.planted, records);
        let suspect = core::mem::take(&mut self.store_lost);
        let records_count = records.len() as u32;
        self.history.add(self.now, What::Started { records: records_count, suspect });
        let store = self.suspicion(suspect);
        let identities = self.clients.iter().map(|one| one.identity.clone()).collect();
        self.process = Some(Process::start(Beginning {
            site: self.site.clone(),
            links: &self.plan.links,
            identities,
            interfaces: topology::interfaces(&self.plan.links),
            records,
            newest: self.disk.latest(),
            newest_turn: self.disk.newest(),
            store,
            now: self.read_clocks(),
            seed: self.random.bits(),
        }));
        self.plan_work(self.now);
    }

    /// What a start knows of leases that may be missing: it finds that out now, or its marker has
    /// it from an earlier start. The wall clock says how long that is over.
    fn suspicion(&mut self, found_now: bool) -> StoreState {
        let now = self.read_clocks().wall;
        if found_now {
            self.suspect_since = Some(now);
        }
        let longest = self.site.servers.iter().filter(|it| it.enabled).map(|it| it.lease_time);
        let longest = u64::from(longest.max().unwrap_or(0));
        let left = |since: Wall| longest.saturating_sub(now.0.saturating_sub(since.0));
        self.suspect_since = self.suspect_since.filter(|&since| left(since) > 0);
        let until = self.suspect_since.map(|it| self.now.after(Duration::from_secs(left(it))));
        self.oracle.started(until);
        self.nonces.started();
        let forgotten = match self.plan.planted {
            Some(Bug::LossNotTold) => true,
            Some(Bug::LossForgotten) => !found_now,
            _ => false,
        };
        match self.suspect_since.filter(|_| !forgotten) {
            Some(since) => StoreState::Suspect { since },
            None => StoreState::Intact,
        }
    }
}
