//! Every 4 KiB of a store flipped, zeroed, overwritten, cut off: it opens with what is whole.
//!
//! Some places by default; all of them with `LEASEHOLD_DAMAGES=all`.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use super::*;
use crate::store::{repair, verify, wants_repair};

const PAGE: usize = 4096;
/// Addresses that each turn changes.
const TURN: u32 = 20;
/// Octets of the log that one takes, at least.
const TURN_BYTES: usize = 700;

type Way<'a> = &'a dyn Fn(&mut Vec<u8>);

/// A store, and everything that was ever true of each address.
struct Sample {
    home: tempfile::TempDir,
    truths: BTreeMap<Location, Vec<Vec<Record>>>,
}

impl Sample {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let (whole, killed) = (home.path().join("whole"), home.path().join("killed"));
        let mut sample = Self { home, truths: BTreeMap::new() };
        let mut rows = BTreeMap::new();
        let mut running = None;
        for life in 0..3 {
            drop(running.take());
            let running = running.insert(start(&whole, settings()));
            (0..40).for_each(|turn| sample.take_turn(running, &mut rows, life, turn));
        }
        // Killed when the last turns are not folded, and the marker knows of the others.
        let mut running = running.unwrap();
        let folded = format!("turn {}\n", running.sequence);
        let marker = whole.join("leases.marker");
        eventually(|| fs::read_to_string(&marker).unwrap().ends_with(&folded));
        (0..40).for_each(|turn| sample.take_turn(&mut running, &mut rows, 3, turn));
        core::mem::forget(running.store);
        copy(&whole, &killed);
        sample
    }

    fn take_turn(
        &mut self,
        running: &mut Running,
        rows: &mut BTreeMap<Location, Row>,
        life: u8,
        turn: u32,
    ) {
        let record = |n: u32| {
            let location = Location::main((0x0a00_0000 + turn * TURN + n).into());
            let change = match (life, n % 4) {
                (1, 0) => Change::Released,
                (1, 1) => Change::Renewed { lease_time: 600 },
                _ => bound(life),
            };
            Record { location, at: Wall(u64::from(life) * 1000 + u64::from(turn)), change }
        };
        let records: Vec<Record> = (0..TURN).map(record).collect();
        let sequence = running.append(&records);
        running.durable(sequence);
        for record in &records {
            let row = rows.entry(record.location.clone()).or_default();
            row.apply(sequence, record.clone());
            let truth = row.records(&record.location).collect();
            self.truths.entry(record.location.clone()).or_default().push(truth);
        }
    }

    fn damaged(&self, file: &Path, damage: impl FnOnce(&mut Vec<u8>)) -> PathBuf {
        let place = self.home.path().join("damaged");
        let _ = fs::remove_dir_all(&place);
        copy(&self.home.path().join("killed"), &place);
        let file = place.join(file);
        let mut octets = fs::read(&file).unwrap();
        damage(&mut octets);
        fs::write(&file, octets).unwrap();
        place
    }

    /// Opens it as the server does; says how many addresses are as they were last. Of so many it
    /// may not be known that they are not.
    fn judge(&self, place: &Path, unknown: usize) -> (Trust, usize) {
        let sound = verify(place).is_ok_and(|verified| verified.is_sound());
        let mut restored = Vec::new();
        let mend = || {
            let repaired = repair(place).unwrap();
            assert!(repaired.aside.join("db").exists(), "the old files are kept");
        };
        if wants_repair(place) {
            mend();
        }
        let trust = open(place, &mut restored).unwrap_or_else(|error| {
            assert!(error.is_damage(), "{error}");
            mend();
            restored.clear();
            let trust = open(place, &mut restored).unwrap();
            assert!(matches!(trust, Trust::Suspect(_)), "what is lost is not known");
            assert!(verify(place).unwrap().is_sound());
            trust
        });
        assert!(!sound || trust == Trust::Sound);
        let mut latest = 0;
        let mut rows: BTreeMap<Location, Vec<Record>> = BTreeMap::new();
        for record in restored {
            rows.entry(record.location.clone()).or_default().push(record);
        }
        for (location, row) in &rows {
            let truths = &self.truths[location];
            assert!(truths.contains(row), "{location} was never {row:?}");
            latest += usize::from(truths.last() == Some(row));
        }
        if trust == Trust::Sound {
            assert!(latest + unknown >= self.truths.len(), "sound, but not whole: {latest}");
        }
        (trust, latest)
    }
}

fn open(place: &Path, restored: &mut Vec<Record>) -> Result<Trust, OpenError> {
    let mut opened = Opened::open(place, settings(), NOW)?;
    opened.load(|record| restored.push(record))
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &to.join(entry.file_name())),
            false => drop(fs::copy(entry.path(), to.join(entry.file_name())).unwrap()),
        }
    }
}

fn eventually(mut done: impl FnMut() -> bool) {
    for _ in 0..300 {
        if done() {
            return;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    panic!("it never came to that");
}

/// Damages pages of a file in each way; at worst so many addresses are as they were last.
fn damage(sample: &Sample, file: &Path, pages_of_it: usize, unknown: usize) -> usize {
    let whole = fs::read(sample.home.path().join("killed").join(file)).unwrap();
    let full = |page: &usize| whole[page * PAGE..].iter().take(PAGE).any(|octet| *octet != 0);
    let pages: Vec<usize> = (0..whole.len() / PAGE).filter(full).collect();
    let all = std::env::var("LEASEHOLD_DAMAGES").is_ok_and(|which| which == "all");
    let step = if all { 1 } else { pages.len().div_ceil(pages_of_it).max(1) };
    let mut worst = usize::MAX;
    let mut told = BTreeMap::<String, u32>::new();
    for (number, page) in pages.iter().enumerate().step_by(step) {
        let at = page * PAGE;
        let end = (at + PAGE).min(whole.len());
        let noise: Vec<u8> = {
            let mut random = fastrand::Rng::with_seed(at as u64);
            std::iter::repeat_with(|| random.u8(..)).take(end - at).collect()
        };
        let ways: [(&str, Way<'_>); 4] = [
            ("flipped", &|octets| octets[at + number * 97 % PAGE] ^= 1 << (number % 8)),
            ("zeroed", &|octets| octets[at..end].fill(0)),
            ("overwritten", &|octets| octets[at..end].copy_from_slice(&noise)),
            ("cut", &|octets| octets.truncate(at)),
        ];
        for (way, damage) in ways {
            let (trust, latest) = sample.judge(&sample.damaged(file, damage), unknown);
            let trust = format!("{trust:?}");
            *told
                .entry(format!("{way}: {}", trust.split(' ').next().unwrap_or("")))
                .or_default() += 1;
            if way != "cut" {
                worst = worst.min(latest);
            }
        }
    }
    let (file, count) = (file.display(), sample.truths.len());
    println!("{file}: at worst {worst} of {count} addresses are as they were last; {told:#?}");
    worst
}

#[test]
fn every_page_damaged_in_every_way() {
    let sample = Sample::new();
    let count = sample.truths.len();
    assert!(!wants_repair(&sample.home.path().join("killed")));
    // The log of the newest turns holds everything else.
    let worst = damage(&sample, Path::new("leases.sled/db"), 2, 0);
    assert!(worst * 10 >= count * 9, "more is lost than was damaged: {worst}");
    for entry in fs::read_dir(sample.home.path().join("killed/leases.turns")).unwrap() {
        let file = Path::new("leases.turns").join(entry.unwrap().file_name());
        // That the last page of the log is lost, and was not just about to be written, nothing can
        // tell: no turn behind it says that those in it were durable.
        damage(&sample, &file, 1, PAGE.div_ceil(TURN_BYTES) * TURN as usize);
    }
    // Beside the log, sled keeps little that it cannot do without.
    for entry in fs::read_dir(sample.home.path().join("killed/leases.sled")).unwrap() {
        let entry = entry.unwrap();
        let name = Path::new("leases.sled").join(entry.file_name());
        if entry.file_type().unwrap().is_dir() || name.ends_with("db") {
            continue;
        }
        for damage in
            [|octets: &mut Vec<u8>| octets.clear(), |octets: &mut Vec<u8>| octets.reverse()]
        {
            let (trust, latest) = sample.judge(&sample.damaged(&name, damage), 0);
            assert_eq!(latest, sample.truths.len(), "{}: {trust:?}", name.display());
        }
    }
}
