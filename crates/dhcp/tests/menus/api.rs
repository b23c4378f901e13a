//! The binary API: what a client's parser sees, word by word.

use leasehold_routeros::syntax::sentence::{self, Call, Limits, Request};
use leasehold_routeros::{Reply, Trap};

use crate::world::World;

impl World {
    /// The sentences that answer one sentence.
    fn api(&mut self, words: &[&str]) -> Vec<Vec<String>> {
        let words: Vec<String> = words.iter().map(|word| (*word).into()).collect();
        let mut buffer = Vec::new();
        match Request::read(&words) {
            Err((tag, trap)) => sentence::trap(&mut buffer, tag.as_deref(), &trap),
            Ok(Request { tag, call: Call::Command(command) }) => {
                let tag = tag.as_deref();
                match self.tree.run(&command, &self.running) {
                    Err(trap) => sentence::trap(&mut buffer, tag, &trap),
                    Ok(outcome) => self.tell(&mut buffer, tag, outcome.reply),
                }
            }
            Ok(other) => panic!("{other:?}"),
        }
        let mut sentences = Vec::new();
        let mut rest = buffer.as_slice();
        while let Some((words, length)) = sentence::read(rest, Limits::USER).expect("ours") {
            sentences.push(words);
            rest = &rest[length..];
        }
        sentences
    }

    fn tell(&self, buffer: &mut Vec<u8>, tag: Option<&str>, reply: Reply) {
        match reply {
            Reply::Rows(listing) if listing.counts() => {
                let count = listing.collect(&self.running).len().to_string();
                sentence::done(buffer, tag, Some(&count));
            }
            Reply::Rows(listing) => {
                let proplist = listing.proplist().to_vec();
                for record in listing.collect(&self.running) {
                    sentence::record(buffer, tag, &record, &proplist);
                }
                sentence::done(buffer, tag, None);
            }
            reply => sentence::outcome(buffer, tag, &reply),
        }
    }
}

#[test]
fn rows_have_a_tag_first_and_both_equals_signs() {
    let mut world = World::scenario();
    world.usage("isp-pool", 245, 8);
    assert_eq!(
        world.api(&["/ip/pool/print", ".tag=3"]),
        [
            vec![
                "!re",
                ".tag=3",
                "=.id=*1",
                "=name=isp-pool",
                "=ranges=67.9.97.10-67.9.97.254",
                "=total=245",
                "=used=8",
                "=available=237"
            ],
            vec!["!done", ".tag=3"]
        ]
    );
    assert_eq!(world.api(&["/ip/pool/print", "?name=x"]), [["!done"]]);
}

#[test]
fn every_command_of_a_client_is_answered() {
    let mut world = World::scenario();
    let add = ["/ip/pool/add", "=name=p", "=ranges=10.0.0.1", "=comment"];
    assert_eq!(world.api(&add), [["!done", "=ret=*2"]]);
    assert_eq!(world.api(&["/ip/pool/print", "=count-only="]), [["!done", "=ret=2"]]);
    let set = ["/ip/pool/set", "=numbers=p", "=comment=a=b", ".tag=x"];
    assert_eq!(world.api(&set), [["!done", ".tag=x"]]);
    let one = ["/ip/pool/getall", "=.id=p", "=.proplist=comment", "=detail="];
    assert_eq!(world.api(&one)[0], ["!re", "=.id=*2", "=comment=a=b"]);
    let unset = ["/ip/pool/unset", "=.id=*2", "=value-name=comment"];
    assert_eq!(world.api(&unset), [["!done"]]);
    assert_eq!(world.api(&["/ip/pool/set", "=.id=*2", "=!next-pool="]), [["!done"]]);
    assert_eq!(world.api(&["/ip/pool/remove", "=.id=p,*2"]), [["!done"]]);
    let queries = ["/ip/dhcp-server/print", "?disabled=no", "?=disabled=false", "?-comment"];
    assert_eq!(world.api(&queries).len(), 2);
    let or = ["/ip/pool/print", "?name=x", "?name=isp-pool", "?#|", "?>ranges=", "?#&"];
    assert_eq!(world.api(&or).len(), 2);
}

#[test]
fn flags_read_as_truths_and_words_stay_words() {
    let mut world = World::scenario();
    let row = world.api(&["/ip/dhcp-server/print"]).remove(0);
    for word in ["=disabled=false", "=use-radius=no", "=lease-time=1d", "=invalid=false"] {
        assert!(row.iter().any(|known| known == word), "{word}: {row:?}");
    }
    world.ok("/ip dhcp-server lease add mac-address=AA:00:00:00:00:01 address=67.9.97.9");
    let active = ["/ip/dhcp-server/lease/print", "?address=67.9.97.9", "=active="];
    assert_eq!(world.api(&active), [["!done"]]);
}

#[test]
fn traps_have_a_category_before_the_message_and_a_done_behind() {
    let mut world = World::scenario();
    let mut trapped = |words: &[&str]| {
        let mut sentences = world.api(words);
        assert_eq!(sentences.len(), 2, "{sentences:?}");
        assert_eq!(sentences[1][0], "!done");
        sentences.remove(0)
    };
    assert_eq!(
        trapped(&["/ip/pool/add", "=name=q", "=ranges=-10.0.0.5", ".tag=9"]),
        [
            "!trap",
            ".tag=9",
            "=category=1",
            "=message=value of range must have ip address before '-'"
        ]
    );
    assert_eq!(
        trapped(&["/ip/pool/add", "=name=isp-pool", "=ranges=10.0.0.5"]),
        ["!trap", "=message=failure: pool with such name exists"]
    );
    assert_eq!(
        trapped(&["/ip/dhcp-server/network/add", "=address=10.0.0.1/24"]),
        ["!trap", "=message=failure: invalid network"]
    );
    assert_eq!(
        trapped(&["/ip/dhcp-server/add", "=name=x", "=interface=eth9"]),
        ["!trap", "=category=1", "=message=input does not match any value of interface"]
    );
    assert_eq!(
        trapped(&["/caps-man/interface/print"]),
        ["!trap", "=category=0", "=message=no such command prefix"]
    );
    assert_eq!(trapped(&["#"]), ["!trap", "=category=0", "=message=no such command prefix"]);
    assert_eq!(
        trapped(&["/ip/pool/enable", "=.id=*1"]),
        ["!trap", "=category=0", "=message=no such command"]
    );
    assert_eq!(
        trapped(&["/ip/pool/set", "=.id=*77", "=comment=x"]),
        ["!trap", "=category=0", "=message=no such item"]
    );
    assert_eq!(trapped(&["/ip/pool/add", "=nam=x"]), ["!trap", "=message=unknown parameter nam"]);
    let mut buffer = Vec::new();
    sentence::trap(&mut buffer, None, &Trap::Interrupted);
    let (words, _) = sentence::read(&buffer, Limits::USER).unwrap().unwrap();
    assert_eq!(words, ["!trap", "=category=2", "=message=interrupted"]);
}

#[test]
fn a_sentence_of_anything_is_answered() {
    let parts = [
        "/ip/pool", "/print", "/set", "/add", "/", "=", "name", "?", "#", "|", "&", "!", ".", "9",
        "*1", "=.id=", "ranges", "=.found=", ".tag=", "~(", "@", "[", "isp-pool", ",", "-", "<",
    ];
    let mut world = World::scenario();
    let mut state = 11_usize;
    for _ in 0..5000 {
        let mut random = |below: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 33) % below
        };
        let mut words = Vec::new();
        for _ in 0..=random(6) {
            let length = 1 + random(5);
            words.push((0..length).map(|_| parts[random(parts.len())]).collect::<String>());
        }
        if words[0].starts_with("/ip/pool") || random(8) == 0 {
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            let answer = world.api(&words);
            assert_eq!(answer.last().map(|words| words[0].as_str()), Some("!done"), "{words:?}");
        }
    }
}

#[test]
fn changes_are_told_to_those_who_listen() {
    let mut world = World::scenario();
    let listen = leasehold_routeros::Command::new("/ip/pool", "listen");
    let outcome = world.tree.run(&listen, &world.running).unwrap();
    let Reply::Watch(watch) = outcome.reply else { panic!("{outcome:?}") };
    world.ok("/ip pool set 0 comment=x");
    let changes = core::mem::take(&mut world.effects.changes);
    assert!(changes.iter().all(|change| !change.dead && watch.wants(change)));
    world.ok("/ip pool remove 0");
    let changes = core::mem::take(&mut world.effects.changes);
    let pools: Vec<_> = changes.iter().filter(|change| watch.wants(change)).collect();
    assert_eq!(pools.len(), 1);
    let mut buffer = Vec::new();
    sentence::dead(&mut buffer, Some("4"), pools[0]);
    let (words, _) = sentence::read(&buffer, Limits::USER).unwrap().unwrap();
    assert_eq!(words, ["!re", ".tag=4", "=.dead=yes", "=.id=*1"]);
}
