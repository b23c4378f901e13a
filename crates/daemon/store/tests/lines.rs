//! A store as lines: out, in, and out again; nonsense is refused whole.

use super::*;
use crate::store::{LinesError, export, import};

fn exported(place: &Path) -> String {
    let mut text = Vec::new();
    export(place, &mut text).unwrap();
    String::from_utf8(text).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]
    #[test]
    fn what_was_exported_comes_back(
        turns in prop::collection::vec(prop::collection::vec(any_record(), 0..40), 0..8),
    ) {
        let home = tempfile::tempdir().unwrap();
        let (one, other) = (home.path().join("one"), home.path().join("other"));
        let mut running = start(&one, settings());
        for turn in &turns {
            let sequence = running.append(turn);
            running.durable(sequence);
        }
        drop(running);
        let text = exported(&one);
        import(&other, text.as_bytes(), false).unwrap();
        prop_assert_eq!(&exported(&other), &text);
        let running = start(&other, settings());
        prop_assert!(matches!(running.trust, Trust::Suspect(_)));
        prop_assert_eq!(model(&running.restored), model(turns.iter().flatten()));
    }
}

#[test]
fn nothing_is_imported_of_lines_that_are_not_whole() {
    let home = tempfile::tempdir().unwrap();
    let (one, other) = (home.path().join("one"), home.path().join("other"));
    drop(with_tenures(&one, 3));
    let text = exported(&one);
    let lines: Vec<&str> = text.lines().collect();
    let cut = lines[..lines.len() - 1].join("\n");
    let fewer = [&lines[..1], &lines[2..]].concat().join("\n");
    for short in ["", &cut, &fewer] {
        assert!(matches!(import(&other, short.as_bytes(), false), Err(LinesError::Short)));
    }
    let strange = [
        (1, text.replace("\"version\":1", "\"version\":2")),
        (1, lines[1..].join("\n")),
        (2, text.replacen("0200000000", "02000000zz", 1)),
        (2, text.replacen("10.0.0.0", "10.0.0.256", 1)),
        (2, text.replacen("\"lease\"", "\"leese\"", 1)),
        (2, text.replacen("{\"lease\"", "[[[[[[[[", 1)),
    ];
    for (place, strange) in strange {
        match import(&other, strange.as_bytes(), false) {
            Err(LinesError::Line(line, _)) => assert_eq!(line, place),
            unexpected => panic!("{strange}: {unexpected:?}"),
        }
    }
    assert!(!other.exists());
    assert!(matches!(import(&one, text.as_bytes(), false), Err(LinesError::Occupied(_))));
    assert_eq!(import(&one, text.as_bytes(), true).unwrap().leases, 3);
    assert!(one.join("leases.damaged-1").exists(), "what was there is kept");
}

#[test]
fn a_backup_is_the_store_at_one_moment() {
    let home = tempfile::tempdir().unwrap();
    let mut running = start(home.path(), settings());
    for turn in 0..20u8 {
        running.append(&(0..20).map(|n| record(n, turn.into(), bound(turn))).collect::<Vec<_>>());
    }
    let last = running.append(&[record(1, 100, Change::Released)]);
    let (sender, answer) = channel();
    running.store.historian().backup(move |copied| drop(sender.send(copied)));
    let copy = answer.recv_timeout(Duration::from_secs(20)).unwrap().unwrap();
    let later = running.append(&[record(200, 200, bound(9))]);
    running.durable(later);
    let text = exported(&copy);
    assert!(text.starts_with(&format!("{{\"leasehold-store\":{{\"version\":1,\"turn\":{last}")));
    assert_eq!(text.matches("{\"lease\":").count(), 20);
    assert!(text.contains("released") && !text.contains("67.9.97.200"));
}
