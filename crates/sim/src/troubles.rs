//! The kinds of trouble that a plan may have, drawn one by one.

use core::time::Duration;

use crate::client::{ClientId, Mischief};
use crate::clock::Moment;
use crate::disk::Sickness;
use crate::incident::{CrashPoint, Incident};
use crate::plan::Draft;
use crate::query::Query;
use crate::site::{OUTSIDE_FIRST, RANGE_FIRST, SiteChange};
use crate::topology::LinkId;

pub(crate) type Trouble = fn(&mut Draft, &mut Vec<(Moment, Incident)>);

pub(crate) const TROUBLES: [Trouble; 15] = [
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
    informs,
    store_losses,
    queries,
    forcings,
];

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
        let count = draft.random.within(0, 3) as u8;
        let at = match draft.random.within(0, 9) {
            0..=3 => CrashPoint::Now,
            4 => CrashPoint::BeforeWrite,
            5 => CrashPoint::AfterWrite,
            6 => CrashPoint::AfterSync,
            7 => CrashPoint::Answering(count),
            _ => CrashPoint::Promising(count),
        };
        incidents.push((draft.moment(), Incident::Kill { down, at }));
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
    if draft.rude.is_empty() {
        for _ in 0..draft.times(3) {
            draw_rude(draft);
        }
    }
    for rude in draft.rude.clone() {
        for _ in 0..draft.times(25) {
            let deed = draft.random.pick(&DEEDS);
            incidents.push((draft.moment(), Incident::Misbehave(rude, deed)));
        }
    }
}

fn draw_rude(draft: &mut Draft) {
    let rude = draft.client();
    draft.rude.push(rude);
    let habits = &mut draft.clients[usize::from(rude.0)].habits;
    match draft.random.within(0, 4) {
        0 => habits.ignores_nak = true,
        1 => habits.keeps_expired = true,
        2 => habits.random_wish = true,
        3 => habits.declines_all = true,
        _ => draw_clone(draft, rude),
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

fn informs(draft: &mut Draft, incidents: &mut Vec<(Moment, Incident)>) {
    for _ in 0..draft.times(10) {
        let client = draft.client();
        incidents.push((draft.moment(), Incident::Inform(client)));
    }
}

/// Once is enough: what was promised before is nobody's memory any more.
fn store_losses(draft: &mut Draft, incidents: &mut Vec<(Moment, Incident)>) {
    let down = draft.random.pick(&[500, 20_000, 200_000]);
    incidents.push((draft.moment(), Incident::LoseStore { down }));
}

fn queries(draft: &mut Draft, incidents: &mut Vec<(Moment, Incident)>) {
    for _ in 0..draft.times(40) {
        let (link, client) = (draft.link(), draft.client());
        let query = match draft.random.within(0, 4) {
            0..=1 => Query::Lease(client),
            2..=3 => Query::Client(client),
            _ => Query::Address(link.host(RANGE_FIRST + draft.random.within(0, 30) as u8)),
        };
        incidents.push((draft.moment(), Incident::Query(link, query)));
    }
}

fn forcings(draft: &mut Draft, incidents: &mut Vec<(Moment, Incident)>) {
    for _ in 0..draft.times(20) {
        let client = draft.client();
        incidents.push((draft.moment(), Incident::Force(client)));
    }
}
