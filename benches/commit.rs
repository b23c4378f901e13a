//! The commit path: a turn of renewals until it is durable, against the floor of a bare log that
//! was laid out before. Needs a disk: `TMPDIR` says which, /var/tmp otherwise.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::net::Ipv4Addr;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use leasehold::store::{Opened, Outcome, Settings, Store};
use leasehold_dhcp::record::{Binding, Change, Location, Records};
use leasehold_dhcp::{Record, Wall};

const BATCHES: [u32; 5] = [1, 16, 64, 256, 1024];
const LEASES: u32 = 100_000;
const LOG_BYTES: u64 = 64 << 20;

fn disk() -> PathBuf {
    std::env::var_os("TMPDIR").map_or_else(|| PathBuf::from("/var/tmp"), PathBuf::from)
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir_in(disk()).expect("a folder on a disk")
}

fn record(client: u32, at: u64, renewed: bool) -> Record {
    let lease_time = 86_400;
    let change = if renewed {
        Change::Renewed { lease_time }
    } else {
        let [a, b, c, d] = client.to_be_bytes();
        Change::Bound(Box::new(Binding {
            lease_time,
            server: "server".into(),
            client_id: [1, 2, 0, a, b, c, d].into(),
            htype: 1,
            chaddr: [2, 0, a, b, c, d].into(),
            host_name: format!("cpe-{client:08}").into(),
            ..Binding::default()
        }))
    };
    let address = Ipv4Addr::from(0x0a00_0000 + client);
    Record { location: Location::main(address), at: Wall(at), change }
}

/// A running store and its leases.
struct Running {
    store: Store,
    outcomes: Receiver<Outcome>,
    sequence: u64,
    at: u64,
    random: fastrand::Rng,
}

impl Running {
    fn start(directory: &Path) -> Self {
        let mut opened = Opened::open(directory, Settings::default(), Wall(0)).expect("a store");
        opened.load(drop).expect("an empty store");
        let (sender, outcomes) = channel();
        let sequence = opened.sequence();
        let store = opened.start(move |outcome| drop(sender.send(outcome))).expect("a thread");
        let random = fastrand::Rng::with_seed(1);
        let mut running = Self { store, outcomes, sequence, at: 1_700_000_000, random };
        for first in (0..LEASES).step_by(1000) {
            let mut records = Records::default();
            (first..first + 1000).for_each(|n| records.push(&record(n, running.at, false)));
            running.commit(records);
        }
        running
    }

    /// Renewals of random clients.
    fn renewals(&mut self, count: u32) -> Records {
        self.at += 1;
        let mut records = Records::default();
        for _ in 0..count {
            records.push(&record(self.random.u32(..LEASES), self.at, true));
        }
        records
    }

    /// Returns when the turn is durable.
    fn commit(&mut self, records: Records) {
        self.sequence += 1;
        self.store.append(self.sequence, records);
        loop {
            match self.outcomes.recv().expect("the writer lives") {
                Outcome::Durable { through, .. } if through >= self.sequence => return,
                Outcome::Durable { .. } | Outcome::Recovered => {}
                Outcome::Failed { reason, .. } => panic!("the store failed: {reason}"),
            }
        }
    }
}

/// The floor: the same octets, one write and one fdatasync.
struct Log {
    file: File,
    at: u64,
}

impl Log {
    fn create(path: &Path) -> Self {
        let mut options = OpenOptions::new();
        let mut file = options.write(true).create(true).truncate(true).open(path).expect("a file");
        let zeros = vec![0; 1 << 20];
        (0..LOG_BYTES >> 20).for_each(|_| file.write_all(&zeros).expect("room on the disk"));
        file.sync_all().expect("a sync");
        Self { file, at: 0 }
    }

    fn commit(&mut self, bytes: &[u8]) {
        if self.at + bytes.len() as u64 > LOG_BYTES {
            self.at = 0;
        }
        self.file.write_all_at(bytes, self.at).expect("a write");
        self.file.sync_data().expect("a sync");
        self.at += bytes.len() as u64;
    }
}

fn commits(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("commit");
    let folder = folder();
    let mut running = Running::start(&folder.path().join("state"));
    let mut log = Log::create(&folder.path().join("log"));
    for batch in BATCHES {
        group.throughput(Throughput::Elements(u64::from(batch)));
        group.bench_function(BenchmarkId::new("bare log", batch), |bencher| {
            let records = running.renewals(batch);
            bencher.iter(|| log.commit(records.bytes()));
        });
        group.bench_function(BenchmarkId::new("store", batch), |bencher| {
            bencher.iter_batched_ref(
                || (),
                |()| {
                    let records = running.renewals(batch);
                    running.commit(records);
                },
                criterion::BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(4));
    targets = commits
}
criterion_main!(benches);
