//! From the start of the process's work to an engine that can offer, with a million leases: after
//! a clean end, and after SIGKILL with turns that were not yet folded.

mod traffic;

use std::io::{BufRead, BufReader, Write};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::channel;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use leasehold::store::{Opened, Outcome, Settings};
use leasehold_dhcp::record::{Binding, Change, Location, Records};
use leasehold_dhcp::{Now, Record, Wall};
use traffic::{LARGE, Traffic, WALL};

const MILLION: u32 = 1_000_000;
/// Names the state directory to the child that fills it and is killed.
const FILL: &str = "LEASEHOLD_BENCH_FILL";

fn disk() -> PathBuf {
    std::env::var_os("TMPDIR").map_or_else(|| PathBuf::from("/var/tmp"), PathBuf::from)
}

fn address(client: u32) -> Ipv4Addr {
    Ipv4Addr::from(0x0a00_0002 + client)
}

fn record(client: u32, at: Wall) -> Record {
    let [a, b, c, d] = client.to_be_bytes();
    let binding = Binding {
        lease_time: 86_400,
        server: "server".into(),
        client_id: [1, 2, 0, a, b, c, d].into(),
        htype: 1,
        chaddr: [2, 0, a, b, c, d].into(),
        host_name: format!("cpe-{client:08}").into(),
        ..Binding::default()
    };
    let location = Location::main(address(client));
    Record { location, at, change: Change::Bound(Box::new(binding)) }
}

/// Binds every client and, in the end, renews a part of them, without giving the store time to
/// fold that; then says so and waits to be killed. With `clean` it closes the store instead.
fn fill(directory: &Path, clean: bool) {
    let mut opened = Opened::open(directory, Settings::default(), Wall(0)).expect("a store");
    opened.load(drop).expect("an empty store");
    let (sender, outcomes) = channel();
    let mut sequence = opened.sequence();
    let store = opened.start(move |outcome| drop(sender.send(outcome))).expect("a thread");
    let mut commit = |records: Records| {
        sequence += 1;
        store.append(sequence, records);
        let Outcome::Durable { through, .. } = outcomes.recv().expect("the writer lives") else {
            panic!("the store failed");
        };
        assert!(through >= sequence, "turns are reported in order");
    };
    for first in (0..MILLION).step_by(1000) {
        let mut records = Records::default();
        (first..first + 1000).for_each(|client| records.push(&record(client, WALL)));
        commit(records);
    }
    if clean {
        return;
    }
    for first in (0..MILLION).step_by(100_000) {
        let mut records = Records::default();
        (first..first + 1000).for_each(|client| records.push(&record(client, Wall(WALL.0 + 60))));
        commit(records);
    }
    println!("filled");
    std::io::stdout().flush().expect("a parent that reads");
    std::thread::sleep(Duration::from_secs(600));
}

fn fill_and_kill(directory: &Path) {
    let program = std::env::current_exe().expect("this program");
    let mut child =
        Command::new(program).env(FILL, directory).stdout(Stdio::piped()).spawn().expect("a child");
    let output = child.stdout.take().expect("a pipe");
    let said = BufReader::new(output).lines().next().expect("a line").expect("text");
    assert_eq!(said, "filled");
    child.kill().expect("a child that lives");
    child.wait().expect("its end");
}

/// What the daemon does before its first OFFER, which goes to a client that it remembers.
fn restart(directory: &Path) {
    let mut restored = Vec::new();
    let mut opened = Opened::open(directory, Settings::default(), Wall(0)).expect("a store");
    opened.load(|record| restored.push(record)).expect("a sound store");
    assert_eq!(restored.len(), MILLION as usize);
    let mut traffic = Traffic::restored(LARGE, 1, opened.before(Now::default()).newest, restored);
    traffic.discover(0..1);
    assert_eq!(traffic.address(0), address(0));
}

fn restarts(criterion: &mut Criterion) {
    if let Some(directory) = std::env::var_os(FILL) {
        fill(Path::new(&directory), false);
        return;
    }
    let mut group = criterion.benchmark_group("restart with 1,000,000 leases");
    group.throughput(Throughput::Elements(u64::from(MILLION)));
    let folder = tempfile::tempdir_in(disk()).expect("a folder on a disk");
    let clean = folder.path().join("clean");
    fill(&clean, true);
    group.bench_function("after a clean end", |bencher| {
        bencher.iter(|| restart(&clean));
    });
    let killed = folder.path().join("killed");
    fill_and_kill(&killed);
    group.bench_function("after SIGKILL", |bencher| {
        bencher.iter(|| restart(&killed));
    });
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(20));
    targets = restarts
}
criterion_main!(benches);
