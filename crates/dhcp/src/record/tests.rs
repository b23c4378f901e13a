//! Records survive their bytes, and folding keeps what a restart needs.

use super::*;

fn record(change: Change) -> Record {
    let location = Location { space: "customers".into(), address: Ipv4Addr::new(10, 0, 0, 7) };
    Record { location, at: Wall(1_764_000_000), change }
}

fn bound() -> Change {
    Change::Bound(Box::new(binding()))
}

fn binding() -> Binding {
    Binding {
        lease_time: 86_400,
        server: "dhcp-server-83".into(),
        client_id: [1, 2, 0, 0, 0, 0, 7].into(),
        htype: 1,
        chaddr: [2, 0, 0, 0, 0, 7].into(),
        host_name: "printer".into(),
        class_id: b"MSFT 5.0"[..].into(),
        giaddr: Ipv4Addr::new(10, 0, 0, 1),
        relay_agent: [1, 2, 0xff, 0].into(),
        nonce: [0xab; 16].into(),
    }
}

/// A client of a relay that adds no option 82.
fn bound_plainly() -> Change {
    let (relay_agent, nonce) = (Box::default(), Box::default());
    Change::Bound(Box::new(Binding { relay_agent, nonce, ..binding() }))
}

fn every_change() -> [Change; 8] {
    [
        bound(),
        bound_plainly(),
        Change::Renewed { lease_time: u32::MAX },
        Change::Released,
        Change::Expired,
        Change::Removed,
        Change::Quarantined { seconds: 600, by: None, declined: true },
        Change::Quarantined { seconds: 0, by: Some(Mac([2, 0, 0, 0, 0, 9])), declined: false },
    ]
}

#[test]
fn bytes_give_the_record_back() {
    let mut records = Records::default();
    let all: Vec<_> = every_change().into_iter().map(record).collect();
    all.iter().for_each(|record| records.push(record));
    assert_eq!(records.len(), all.len());
    assert_eq!(records.iter().collect::<Vec<_>>(), all);
    let framed: Vec<_> = framed(records.bytes()).map(Result::unwrap).collect();
    assert_eq!(framed.iter().map(Framed::record).collect::<Vec<_>>(), all);
    assert_eq!(framed.iter().map(Framed::frame).collect::<Vec<_>>().concat(), records.bytes());
    for (framed, record) in framed.iter().zip(all) {
        let Record { location, at, change } = record;
        assert_eq!((framed.location(), framed.at()), (location.borrowed(), at));
        let kind = match change {
            Change::Bound(_) => Kind::Bound,
            Change::Renewed { lease_time } => Kind::Renewed(lease_time),
            _ => Kind::Other,
        };
        assert_eq!(framed.kind(), kind);
    }
}

#[test]
fn a_renewal_takes_no_more_than_twenty_bytes() {
    let mut records = Records::default();
    records.push(&Record {
        location: Location::main(Ipv4Addr::new(67, 9, 97, 254)),
        at: Wall(1_764_000_000),
        change: Change::Renewed { lease_time: 86_400 },
    });
    assert!(records.bytes().len() <= 20, "{}", records.bytes().len());
}

#[test]
fn cut_bytes_are_truncated_at_every_length() {
    for change in every_change() {
        let mut records = Records::default();
        records.push(&record(change));
        for length in 1..records.bytes().len() {
            let decoded = decode_all(&records.bytes()[..length]).collect::<Vec<_>>();
            assert_eq!(decoded, [Err(Corrupt::Truncated)], "{length}");
        }
    }
}

#[test]
fn flipped_bits_never_panic() {
    for change in every_change() {
        let mut records = Records::default();
        records.push(&record(change));
        for bit in 0..records.bytes().len() * 8 {
            let mut bytes = records.bytes().to_vec();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(decode_all(&bytes).count() >= 1);
        }
    }
}

#[test]
fn an_unknown_version_or_kind_is_named() {
    let bytes = |head| [0, 11, head, 0, 10, 0, 0, 1, 0, 0, 0, 0, 0];
    let first = |bytes: &[u8]| decode_all(bytes).next();
    assert_eq!(first(&bytes(0x23)), Some(Err(Corrupt::Version(2))));
    assert_eq!(first(&bytes(0x1f)), Some(Err(Corrupt::Kind(15))));
    assert_eq!(first(&bytes(0x13)), Some(Err(Corrupt::Shape)));
}

#[test]
fn runs_are_whole_frames_below_the_limit() {
    let mut records = Records::default();
    (0..40).for_each(|_| records.push(&record(Change::Renewed { lease_time: 600 })));
    let runs: Vec<_> = records.runs(100).collect();
    assert!(runs.iter().all(|run| run.len() <= 100));
    assert_eq!(runs.concat(), records.bytes());
    assert_eq!(runs.iter().map(|run| decode_all(run).count()).sum::<usize>(), 40);
    assert_eq!(records.runs(1).count(), 40);
}

#[test]
fn a_renewal_folds_into_time_only() {
    let mut folded = Folded::default();
    folded.apply(record(bound()));
    let later = Wall(1_764_043_200);
    folded.apply(Record { at: later, ..record(Change::Renewed { lease_time: 600 }) });
    let records: Vec<_> = folded.records().cloned().collect();
    let Change::Bound(binding) = &records[0].change else { panic!("{records:?}") };
    assert_eq!((records.len(), records[0].at, binding.lease_time), (1, later, 600));
    assert_eq!(&*binding.host_name, "printer");
}

#[test]
fn the_owner_of_an_ended_lease_is_remembered() {
    for end in [Change::Released, Change::Expired, Change::Removed] {
        let mut folded = Folded::default();
        folded.apply(record(bound()));
        folded.apply(record(end.clone()));
        let records: Vec<_> = folded.records().cloned().collect();
        assert_eq!(records, [record(bound()), record(end)]);
        assert_eq!(Folded::decode(folded.encode().bytes()), Ok(folded));
    }
}

#[test]
fn a_renewal_without_its_binding_brings_no_old_owner_back() {
    let mut folded = Folded::default();
    for change in [bound(), Change::Expired, Change::Renewed { lease_time: 600 }] {
        folded.apply(record(change));
    }
    assert!(matches!(folded.records().last().unwrap().change, Change::Expired));
}

#[test]
fn a_quarantine_forgets_the_owner_and_its_end_leaves_nothing() {
    let mut folded = Folded::default();
    folded.apply(record(bound()));
    folded.apply(record(Change::Quarantined { seconds: 600, by: None, declined: true }));
    assert_eq!(folded.records().count(), 1);
    folded.apply(record(Change::Removed));
    assert!(folded.is_empty());
}

#[test]
fn a_key_sorts_like_its_location_and_gives_it_back() {
    let mut locations = vec![
        Location::main(Ipv4Addr::new(10, 0, 0, 2)),
        Location::main(Ipv4Addr::new(9, 255, 0, 2)),
        Location { space: "a".into(), address: Ipv4Addr::new(0, 0, 0, 0) },
        Location { space: "ab".into(), address: Ipv4Addr::new(1, 0, 0, 0) },
    ];
    let mut keys: Vec<_> = locations.iter().map(Location::key).collect();
    locations.sort();
    keys.sort();
    let back: Vec<_> = keys.iter().filter_map(|key| Location::from_key(key)).collect();
    assert_eq!(back, locations);
    assert_eq!(Location::from_key(b"\0\x01\x02\x03"), None);
}
