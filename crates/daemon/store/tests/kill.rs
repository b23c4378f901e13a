//! The store in a process of its own: killed at any moment, and out of room for a while.
//!
//! The child is this test binary again, running the one ignored test below; it prints each turn
//! that was reported durable. Whatever it has printed must be there after a restart.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};

use super::*;

const PLACE: &str = "LEASEHOLD_STORE_UNDER_TEST";

/// Turn `n` binds address `n % 512` and says so with its own number as the time.
fn turn(n: u64) -> Vec<Record> {
    (0..=n % 3)
        .map(|part| {
            let low = u32::try_from((n * 7 + part * 131) % 512).unwrap();
            let location = Location { space: "".into(), address: (0x0a00_0000 + low).into() };
            let client = u8::try_from(n % 251).unwrap();
            Record { location, at: Wall(n), change: bound(client) }
        })
        .collect()
}

#[test]
#[ignore = "the child of the tests below"]
fn child() {
    let Ok(place) = std::env::var(PLACE) else { return };
    let mut running = start(Path::new(&place), settings());
    let mut out = std::io::stdout().lock();
    loop {
        for _ in 0..=running.sequence % 5 {
            let records = turn(running.sequence + 1);
            running.append(&records);
        }
        let line = match running.outcome() {
            Outcome::Durable { through, .. } => format!("durable {through}"),
            Outcome::Failed { .. } => "failed".to_owned(),
            Outcome::Recovered => "recovered".to_owned(),
        };
        writeln!(out, "{line}").unwrap();
        out.flush().unwrap();
        if line == "failed" {
            running.recovered();
            running.store.give_up(1);
            writeln!(out, "recovered").unwrap();
        }
    }
}

fn spawn(place: &Path) -> Child {
    // A shell that ignores SIGXFSZ, so that a file limit is an error and not the end.
    Command::new("sh")
        .args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\""])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "store::tests::kill::child", "--ignored", "--nocapture", "--quiet"])
        .env(PLACE, place)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Reads lines until one starts with `word`, and gives the number behind it.
fn await_line(lines: &mut impl Iterator<Item = std::io::Result<String>>, word: &str) -> u64 {
    let line = lines.find(|line| line.as_ref().is_ok_and(|line| line.starts_with(word)));
    let line = line.expect("the child goes on").unwrap();
    line.rsplit(' ').next().and_then(|number| number.parse().ok()).unwrap_or(0)
}

fn last_durable(lines: impl Iterator<Item = std::io::Result<String>>) -> u64 {
    let numbers = lines.map_while(Result::ok);
    let numbers = numbers.filter_map(|line| line.strip_prefix("durable ")?.parse().ok());
    numbers.last().unwrap_or(0)
}

//= https://www.rfc-editor.org/rfc/rfc2131#section-4
//= type=test
//# Each server also maintains a database of allocated addresses and leases in local permanent
//# storage.
#[test]
fn nothing_durable_is_lost_by_kills() {
    let directory = tempfile::tempdir().unwrap();
    let rounds = std::env::var("LEASEHOLD_KILLS").map_or(8, |kills| kills.parse().unwrap());
    let mut durable = 0;
    for round in 0..rounds {
        let mut child = spawn(directory.path());
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        for _ in 0..(round * 37) % 150 + 1 {
            durable = await_line(&mut lines, "durable").max(durable);
        }
        child.kill().unwrap();
        child.wait().unwrap();
        durable = last_durable(lines).max(durable);
        let running = start(directory.path(), settings());
        assert_eq!(running.trust, Trust::Sound);
        assert!(running.sequence >= durable, "{} < {durable}", running.sequence);
        let expected = (1..=running.sequence).flat_map(turn).collect::<Vec<_>>();
        let expected = model(&expected);
        assert_eq!(model(&running.restored), expected, "round {round}");
    }
    println!("{rounds} kills, {durable} turns durable, none lost");
}

#[test]
fn out_of_room_for_a_while() {
    use rustix::process::{Pid, Resource, Rlimit, prlimit};
    let directory = tempfile::tempdir().unwrap();
    let mut child = spawn(directory.path());
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    await_line(&mut lines, "durable");
    // The log may not grow beyond where it is: sled's writes fail as on a full disk.
    let log = std::fs::metadata(directory.path().join("leases.sled/db")).unwrap().len();
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap());
    let limit = |current| Rlimit { current, maximum: None };
    prlimit(pid, Resource::Fsize, limit(Some(log))).unwrap();
    await_line(&mut lines, "failed");
    prlimit(pid, Resource::Fsize, limit(None)).unwrap();
    await_line(&mut lines, "recovered");
    await_line(&mut lines, "durable");
    child.kill().unwrap();
    child.wait().unwrap();
    let durable = last_durable(lines);
    let running = start(directory.path(), settings());
    assert!(running.sequence >= durable);
}
