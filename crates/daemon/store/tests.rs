//! The store against a model: restarts, failures, corruption, history; kills are in `kill`.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use leasehold_dhcp::record::{Binding, Change, Location, Records};
use leasehold_dhcp::{Mac, Record, Wall};
use proptest::prelude::*;

use super::database::Fault;
use super::row::Row;
use super::*;

mod damage;
mod kill;
mod lines;

/// Makes the next syncs fail.
#[derive(Clone, Debug, Default)]
pub(super) struct Faults(Arc<Mutex<Option<Strike>>>);

#[derive(Clone, Copy, Debug)]
enum Strike {
    Error,
    Panic,
}

impl Faults {
    fn set(&self, strike: Option<Strike>) {
        *self.0.lock().unwrap() = strike;
    }

    /// Where sled syncs.
    pub(super) fn strike(&self) -> Result<(), Fault> {
        let strike = *self.0.lock().unwrap();
        assert!(!matches!(strike, Some(Strike::Panic)), "as sled does");
        self.error()
    }

    /// Where the log is written.
    pub(super) fn error(&self) -> Result<(), Fault> {
        match *self.0.lock().unwrap() {
            Some(Strike::Error) => Err(Fault::Io("sync", std::io::ErrorKind::Other.into())),
            Some(Strike::Panic) | None => Ok(()),
        }
    }
}

pub(crate) fn any_record() -> impl Strategy<Value = Record> {
    let change = prop_oneof![
        3 => any_binding().prop_map(|binding| Change::Bound(Box::new(binding))),
        3 => any::<u32>().prop_map(|lease_time| Change::Renewed { lease_time }),
        1 => Just(Change::Released),
        1 => Just(Change::Expired),
        1 => Just(Change::Removed),
        1 => (any::<u32>(), any::<Option<[u8; 6]>>(), any::<bool>()).prop_map(
            |(seconds, by, declined)| Change::Quarantined { seconds, by: by.map(Mac), declined }
        ),
    ];
    ("[a-z]{0,2}", 0u32..4, 0u64..1 << 33, change).prop_map(|(space, low, at, change)| {
        let address = (0x0a00_0000 + low).into();
        Record { location: Location { space: space.into(), address }, at: Wall(at), change }
    })
}

/// As the engine hands them over.
pub(super) fn encoded(records: &[Record]) -> Records {
    let mut all = Records::default();
    records.iter().for_each(|record| all.push(record));
    all
}

fn any_binding() -> impl Strategy<Value = Binding> {
    let bytes = |most| prop::collection::vec(any::<u8>(), 0..most);
    let client = (prop::sample::select(vec![0u8, 1, 2]), bytes(3));
    (any::<u32>(), "[a-z]{0,3}", client, "\\PC{0,8}", bytes(9), bytes(20)).prop_map(
        |(lease_time, server, (chaddr, client_id), host_name, class_id, relay_agent)| Binding {
            lease_time,
            server: server.into(),
            client_id: client_id.into(),
            htype: 1,
            chaddr: vec![2, 0, 0, 0, 0, chaddr].into(),
            host_name: host_name.into(),
            class_id: class_id.into(),
            relay_agent: relay_agent.into(),
            ..Binding::default()
        },
    )
}

fn location(last: u8) -> Location {
    Location { space: "".into(), address: [67, 9, 97, last].into() }
}

fn record(last: u8, at: u64, change: Change) -> Record {
    Record { location: location(last), at: Wall(at), change }
}

fn bound(client: u8) -> Change {
    Change::Bound(Box::new(Binding {
        lease_time: 86_400,
        server: "dhcp-server-83".into(),
        client_id: [].into(),
        htype: 1,
        chaddr: [2, 0, 0, 0, 0, client].into(),
        host_name: "host".into(),
        class_id: [].into(),
        ..Binding::default()
    }))
}

/// When each store of these tests is opened.
const NOW: Wall = Wall(1_000);

/// A store with its outcomes, and what it restored.
struct Running {
    store: Store,
    outcomes: Receiver<Outcome>,
    restored: Vec<Record>,
    trust: Trust,
    sequence: u64,
}

fn settings() -> Settings {
    let retention = Duration::from_secs(u64::MAX);
    Settings { reserve_bytes: 0, cache_bytes: 8 << 20, retention, ..Settings::default() }
}

fn start(directory: &Path, settings: Settings) -> Running {
    let mut restored = Vec::new();
    let mut opened = Opened::open(directory, settings, NOW).unwrap();
    let trust = opened.load(|record| restored.push(record)).unwrap();
    let sequence = opened.sequence();
    let (sender, outcomes) = channel();
    let store = opened.start(move |outcome| drop(sender.send(outcome))).unwrap();
    Running { store, outcomes, restored, trust, sequence }
}

impl Running {
    fn append(&mut self, records: &[Record]) -> u64 {
        self.sequence += 1;
        self.store.append(self.sequence, encoded(records));
        self.sequence
    }

    fn outcome(&self) -> Outcome {
        self.outcomes.recv_timeout(Duration::from_secs(20)).expect("the writer reports")
    }

    fn durable(&self, wanted: u64) {
        loop {
            match self.outcome() {
                Outcome::Durable { through, .. } if through >= wanted => return,
                Outcome::Durable { .. } => {}
                other => panic!("{other:?}"),
            }
        }
    }

    fn recovered(&self) {
        while !matches!(self.outcome(), Outcome::Recovered) {}
    }

    fn history(&self, query: Query) -> Vec<Tenure> {
        let mut all = Vec::new();
        let mut query = query;
        loop {
            let (sender, answer) = channel();
            self.store.historian().history(query.clone(), move |page| drop(sender.send(page)));
            let page = answer.recv_timeout(Duration::from_secs(20)).unwrap().unwrap();
            all.extend(page.tenures);
            query.after = page.next;
            if query.after.is_none() {
                return all;
            }
        }
    }
}

/// A store with so many tenures, each on an address of its own.
pub(crate) fn with_tenures(directory: &Path, count: u32) -> Store {
    let mut running = start(directory, settings());
    let records: Vec<Record> = (0..count)
        .map(|n| {
            let location = Location::main((0x0a00_0000 + n).into());
            Record { location, at: Wall(1000), change: bound(1) }
        })
        .collect();
    let turn = running.append(&records);
    running.durable(turn);
    running.store
}

/// What each address looks like after the records, by the row's own rules.
fn model<'a>(records: impl IntoIterator<Item = &'a Record>) -> BTreeMap<Location, Vec<Record>> {
    let mut rows: BTreeMap<Location, Row> = BTreeMap::new();
    for record in records {
        rows.entry(record.location.clone()).or_default().apply(1, record.clone());
    }
    let told =
        rows.into_iter().map(|(at, row)| (at.clone(), row.into_records(&at).collect::<Vec<_>>()));
    told.filter(|(_, records)| !records.is_empty()).collect()
}

#[test]
fn a_first_start_is_new_and_the_next_is_sound() {
    let directory = tempfile::tempdir().unwrap();
    let mut running = start(directory.path(), settings());
    assert_eq!(running.trust, Trust::New);
    let turn = running.append(&[record(254, 1000, bound(1))]);
    running.durable(turn);
    drop(running);
    let running = start(directory.path(), settings());
    assert_eq!((running.trust, running.sequence), (Trust::Sound, 1));
    assert_eq!(running.restored, [record(254, 1000, bound(1))]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    #[test]
    fn restarts_bring_back_the_same_leases(
        lives in prop::collection::vec(
            prop::collection::vec(prop::collection::vec(any_record(), 0..40), 0..12),
            1..4,
        ),
    ) {
        let directory = tempfile::tempdir().unwrap();
        let mut all = Vec::new();
        for turns in lives {
            let mut running = start(directory.path(), settings());
            prop_assert_eq!(model(&running.restored), model(&all));
            for turn in turns {
                let sequence = running.append(&turn);
                running.durable(sequence);
                all.extend(turn);
            }
        }
        let running = start(directory.path(), settings());
        prop_assert_eq!(model(&running.restored), model(&all));
    }
}

#[test]
fn a_turn_of_many_records_is_split_and_comes_back() {
    let directory = tempfile::tempdir().unwrap();
    let mut running = start(directory.path(), settings());
    let records: Vec<Record> = (0..2000u32)
        .map(|n| {
            let location = Location { space: "".into(), address: (0x0a00_0000 + n).into() };
            Record { location, at: Wall(5), change: bound(7) }
        })
        .collect();
    let turn = running.append(&records);
    running.durable(turn);
    drop(running);
    assert_eq!(start(directory.path(), settings()).restored, records);
}

#[test]
fn an_error_of_the_disk_is_no_promise_and_passes() {
    let directory = tempfile::tempdir().unwrap();
    let settings = settings();
    let faults = settings.faults.clone();
    let mut running = start(directory.path(), settings);
    let turn = running.append(&[record(254, 1000, bound(1))]);
    running.durable(turn);
    faults.set(Some(Strike::Error));
    running.append(&[record(253, 1001, bound(2))]);
    let Outcome::Failed { epoch, .. } = running.outcome() else { panic!("a false promise") };
    // Turns that build on the failed one and were sent before the worker heard of it.
    running.append(&[record(253, 1002, Change::Renewed { lease_time: 60 })]);
    faults.set(None);
    running.recovered();
    running.append(&[record(253, 1003, Change::Renewed { lease_time: 60 })]);
    running.store.give_up(epoch);
    let turn = running.append(&[record(252, 1004, bound(3))]);
    running.durable(turn);
    drop(running);
    let restored = model(&start(directory.path(), super::tests::settings()).restored);
    assert_eq!(restored[&location(254)], [record(254, 1000, bound(1))]);
    assert_eq!(restored[&location(252)], [record(252, 1004, bound(3))]);
    // The failed turn may or may not be on disk; what built on it must not be.
    let failed = restored.get(&location(253)).map(Vec::as_slice);
    assert!(failed.is_none_or(|kept| kept == [record(253, 1001, bound(2))]), "{failed:?}");
}

#[test]
fn a_panic_of_sled_passes_and_no_promise_is_lost() {
    let directory = tempfile::tempdir().unwrap();
    let settings = settings();
    let faults = settings.faults.clone();
    let mut running = start(directory.path(), settings);
    let turn = running.append(&[record(254, 1000, bound(1))]);
    running.durable(turn);
    faults.set(Some(Strike::Panic));
    let turn = running.append(&[record(253, 1001, bound(2))]);
    running.durable(turn);
    // Whoever asks the past makes the archive fold.
    running.store.historian().history(Query::default(), drop);
    let Outcome::Failed { epoch, .. } = running.outcome() else { panic!("nothing was folded") };
    faults.set(None);
    running.recovered();
    running.store.give_up(epoch);
    let turn = running.append(&[record(252, 1002, bound(3))]);
    running.durable(turn);
    drop(running);
    assert_eq!(start(directory.path(), super::tests::settings()).restored.len(), 3);
}

#[test]
fn no_room_is_no_promise() {
    let directory = tempfile::tempdir().unwrap();
    let full = Settings { reserve_bytes: u64::MAX, ..settings() };
    let mut running = start(directory.path(), full);
    running.append(&[record(254, 1000, bound(1))]);
    let Outcome::Failed { reason, .. } = running.outcome() else { panic!("a false promise") };
    assert!(reason.contains("the disk is full"), "{reason}");
}

#[test]
fn a_store_that_is_removed_is_written_anew() {
    let directory = tempfile::tempdir().unwrap();
    let state = directory.path().join("state");
    let mut running = start(&state, settings());
    let turn = running.append(&[record(254, 1000, bound(1))]);
    running.durable(turn);
    // The marker may be written anew in the middle of it.
    while std::fs::remove_dir_all(&state).is_err() && state.exists() {}
    let turn = running.append(&[record(253, 1001, bound(2))]);
    running.durable(turn);
    let refused = Opened::open(&state, settings(), NOW).unwrap_err();
    assert!(matches!(refused, OpenError::Locked(_)), "{refused}");
    drop(running);
    let running = start(&state, settings());
    assert_eq!((running.trust, running.restored.len()), (Trust::Sound, 2));
}

#[test]
fn another_store_in_its_place_is_no_promise() {
    let directory = tempfile::tempdir().unwrap();
    let store = directory.path().join("leases.sled");
    let mut running = start(directory.path(), settings());
    let turn = running.append(&[record(254, 1000, bound(1))]);
    running.durable(turn);
    let away = directory.path().join("away");
    std::fs::rename(&store, &away).unwrap();
    drop(Database::open(&store, &settings()).unwrap());
    running.append(&[record(253, 1001, bound(2))]);
    let Outcome::Failed { epoch, .. } = running.outcome() else { panic!("a false promise") };
    std::fs::remove_dir_all(&store).unwrap();
    std::fs::rename(&away, &store).unwrap();
    running.recovered();
    running.store.give_up(epoch);
    let turn = running.append(&[record(252, 1002, bound(3))]);
    running.durable(turn);
}

#[test]
fn a_store_that_is_gone_or_rolled_back_is_suspect() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name| directory.path().join(name);
    let (store, turns) = (path("leases.sled"), path("leases.turns"));
    let copies = [(&store, path("store.copy")), (&turns, path("turns.copy"))];
    drop(start(directory.path(), settings()));
    for (from, to) in &copies {
        let copied = std::process::Command::new("cp").arg("-r").args([*from, to]).status();
        assert!(copied.unwrap().success());
    }
    let mut running = start(directory.path(), settings());
    let turn = running.append(&[record(254, 1000, bound(1))]);
    running.durable(turn);
    drop(running);
    for (to, from) in &copies {
        std::fs::remove_dir_all(to).unwrap();
        std::fs::rename(from, to).unwrap();
    }
    let trust = || start(directory.path(), settings()).trust;
    assert_eq!(trust(), Trust::Suspect(Suspicion::Older { found: 0, known: 1 }));
    assert_eq!(trust(), Trust::Suspect(Suspicion::Earlier { since: NOW }));
    std::fs::remove_dir_all(&turns).unwrap();
    assert_eq!(trust(), Trust::Suspect(Suspicion::TurnsMissing));
    std::fs::remove_dir_all(&store).unwrap();
    assert_eq!(trust(), Trust::Suspect(Suspicion::StoreMissing));
    std::fs::remove_file(path("leases.marker")).unwrap();
    assert_eq!(trust(), Trust::Suspect(Suspicion::MarkerMissing));
}

#[test]
fn a_restart_does_not_forget_that_leases_may_be_missing() {
    let directory = tempfile::tempdir().unwrap();
    drop(start(directory.path(), settings()));
    std::fs::remove_dir_all(directory.path().join("leases.turns")).unwrap();
    let mut running = start(directory.path(), settings());
    assert_eq!(running.trust, Trust::Suspect(Suspicion::TurnsMissing));
    let turn = running.append(&[record(1, 1000, bound(1))]);
    running.durable(turn);
    // Its end writes a marker of its own.
    drop(running);
    let later = Wall(NOW.0 + 500);
    let mut opened = Opened::open(directory.path(), settings(), later).unwrap();
    let trust = opened.load(drop).unwrap();
    assert_eq!(trust, Trust::Suspect(Suspicion::Earlier { since: NOW }));
    opened.believe().unwrap();
    drop(opened);
    assert_eq!(start(directory.path(), settings()).trust, Trust::Sound);
}

/// sled alone is older than the log: what lies between is lost unless the log has it.
#[test]
fn what_sled_has_lost_and_the_log_has_comes_back() {
    let directory = tempfile::tempdir().unwrap();
    let (store, copy) = (directory.path().join("leases.sled"), directory.path().join("copy"));
    drop(start(directory.path(), settings()));
    let copied = std::process::Command::new("cp").arg("-r").args([&store, &copy]).status();
    assert!(copied.unwrap().success());
    let mut running = start(directory.path(), settings());
    let turn = running.append(&[record(254, 1000, bound(1))]);
    running.durable(turn);
    drop(running);
    std::fs::remove_dir_all(&store).unwrap();
    std::fs::rename(&copy, &store).unwrap();
    let running = start(directory.path(), settings());
    assert_eq!((running.trust, running.restored.len()), (Trust::Sound, 1));
}

/// Leases three addresses of one block, and lets its value be bent, which has this key.
fn leased_and_bent(directory: &Path, bend: impl FnOnce(&Database, &[u8], &[u8])) {
    let mut running = start(directory, settings());
    for last in 1..=3 {
        running.append(&[record(last, 1000, bound(last))]);
    }
    drop(running);
    let database = Database::open(&directory.join("leases.sled"), &settings()).unwrap();
    let (key, value) = database.leases.first().unwrap().unwrap();
    bend(&database, &key, &value);
}

#[test]
fn corrupt_values_are_set_aside_and_the_rest_opens() {
    let directory = tempfile::tempdir().unwrap();
    leased_and_bent(directory.path(), |database, key, value| {
        let mut block = database.block(key, value).unwrap();
        let mut bent = block.get(1).unwrap().to_vec();
        bent[3] ^= 4;
        block.set(1, bent);
        database.put_block(key, &block).unwrap();
    });
    let path = directory.path().join("leases.sled");
    let running = start(directory.path(), settings());
    assert_eq!(running.trust, Trust::Suspect(Suspicion::Corrupt { values: 1 }));
    assert_eq!(model(&running.restored).len(), 2);
    drop(running);
    assert_eq!(Database::open(&path, &settings()).unwrap().corrupt.len(), 1);
    assert_eq!(
        start(directory.path(), settings()).trust,
        Trust::Suspect(Suspicion::Earlier { since: NOW })
    );
}

#[test]
fn a_second_process_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let _running = start(directory.path(), settings());
    let refused = Opened::open(directory.path(), settings(), NOW).unwrap_err();
    assert!(matches!(refused, OpenError::Locked(_)), "{refused}");
}

#[test]
fn the_past_is_remembered() {
    let directory = tempfile::tempdir().unwrap();
    let mut running = start(directory.path(), settings());
    running.append(&[record(10, 1000, bound(1)), record(11, 1000, bound(2))]);
    running.append(&[record(10, 1500, Change::Renewed { lease_time: 600 })]);
    running.append(&[record(10, 2000, Change::Released), record(10, 2500, bound(3))]);
    running.append(&[record(10, 3000, bound(4))]);
    let at = |address, wall| {
        let query = Query {
            location: Some(location(address)),
            between: Wall(wall)..=Wall(wall),
            ..Query::default()
        };
        let found = running.history(query);
        found.iter().map(|tenure| tenure.binding.chaddr[5]).collect::<Vec<_>>()
    };
    assert_eq!(at(10, 999), [0; 0]);
    assert_eq!(at(10, 1700), [1]);
    assert_eq!(at(10, 2200), [0; 0]);
    assert_eq!(at(10, 2700), [3]);
    assert_eq!(at(10, 9000), [4]);
    assert_eq!(at(11, 9000), [2]);
    assert_eq!(at(1, 9000), [0; 0]);
    let all = running.history(Query { limit: 1, ..Query::default() });
    let clients: Vec<u8> = all.iter().map(|tenure| tenure.binding.chaddr[5]).collect();
    assert_eq!(clients, [1, 3, 4, 2], "in pages of one");
    let ended: Vec<_> = all.iter().map(|tenure| tenure.ended).collect();
    let released = Some((Wall(2000), Ending::Released));
    assert_eq!(ended, [released, Some((Wall(3000), Ending::Superseded)), None, None]);
    let chaddr = Some([2, 0, 0, 0, 0, 4].into());
    assert_eq!(running.history(Query { chaddr, ..Query::default() }).len(), 1);
}

#[test]
fn what_ended_long_ago_is_forgotten_and_what_lasts_is_not() {
    let directory = tempfile::tempdir().unwrap();
    let month = 30 * 86_400;
    let mut running = start(directory.path(), settings());
    running.append(&[record(10, 1000, bound(1)), record(11, 1000, bound(2))]);
    running.append(&[record(10, 2000, Change::Released)]);
    running.append(&[record(12, 3000 + month, bound(3))]);
    drop(running);
    let path = directory.path().join("leases.sled");
    let database = Database::open(&path, &settings()).unwrap();
    assert_eq!((database.tenures.len(), rows(&database)), (1, 3));
    assert!(history::Trim::default().step(&database, Wall(2001)).unwrap());
    assert_eq!((database.tenures.len(), rows(&database)), (0, 2));
    drop(database);
    let verified = verify(directory.path()).unwrap();
    assert!(verified.is_sound(), "{verified}");
}

fn rows(database: &Database) -> usize {
    let blocks = database.leases.iter().values().map(Result::unwrap);
    blocks.map(|value| block::Block::read_value(&value).0.rows().count()).sum()
}

/// Rows with a key each are moved into blocks, and what has moved already is no harm.
#[test]
fn what_an_earlier_version_wrote_is_read() {
    let directory = tempfile::tempdir().unwrap();
    let mut running = start(directory.path(), settings());
    for last in [7, 8, 9, 200] {
        running.append(&[record(last, 1000, bound(last))]);
    }
    drop(running);
    let before = model(&start(directory.path(), settings()).restored);
    let path = directory.path().join("leases.sled");
    let database = Database::open(&path, &settings()).unwrap();
    let live = database.size().unwrap().1;
    database.scatter(false);
    drop(database);
    let running = start(directory.path(), settings());
    assert_eq!((running.trust, model(&running.restored)), (Trust::Sound, before.clone()));
    drop(running);
    let database = Database::open(&path, &settings()).unwrap();
    assert_eq!((rows(&database), database.size().unwrap().1), (4, live));
    database.scatter(true);
    drop(database);
    assert_eq!(model(&start(directory.path(), settings()).restored), before);
    let database = Database::open(&path, &settings()).unwrap();
    assert_eq!((rows(&database), database.size().unwrap().1), (4, live));
}

#[test]
fn a_row_at_anothers_place_is_set_aside() {
    let directory = tempfile::tempdir().unwrap();
    leased_and_bent(directory.path(), |database, key, value| {
        let mut block = database.block(key, value).unwrap();
        let moved = block.take(1).unwrap().into_owned();
        block.set(5, moved);
        database.put_block(key, &block).unwrap();
    });
    let running = start(directory.path(), settings());
    assert_eq!(running.trust, Trust::Suspect(Suspicion::Corrupt { values: 1 }));
    let rest = model(&running.restored);
    assert_eq!(rest.keys().collect::<Vec<_>>(), [&location(2), &location(3)]);
}

/// An address that was in quarantine once and bound never is nobody's business any more.
#[test]
fn a_quarantine_that_is_over_leaves_nothing_behind() {
    let directory = tempfile::tempdir().unwrap();
    let mut running = start(directory.path(), settings());
    let quarantined = Change::Quarantined { seconds: 60, by: None, declined: false };
    running.append(&[record(1, 1000, bound(1)), record(2, 1000, quarantined)]);
    running.append(&[record(2, 1060, Change::Removed)]);
    drop(running);
    let verified = verify(directory.path()).unwrap();
    assert!(verified.is_sound(), "{verified}");
}

/// A block that ends too early costs what is cut off, and is told.
#[test]
fn a_block_that_is_cut_keeps_its_other_rows() {
    let directory = tempfile::tempdir().unwrap();
    leased_and_bent(directory.path(), |database, key, value| {
        database.put(database::Tree::Leases, key, &value[..value.len() - 1]).unwrap();
    });
    let running = start(directory.path(), settings());
    assert_eq!(running.trust, Trust::Suspect(Suspicion::Corrupt { values: 1 }));
    assert_eq!(model(&running.restored).len(), 2);
    drop(running);
    assert_eq!(
        start(directory.path(), settings()).trust,
        Trust::Suspect(Suspicion::Earlier { since: NOW })
    );
}
