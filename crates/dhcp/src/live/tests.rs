//! Leases as `print` shows them, fetched in pages that end.

use leasehold_routeros::{Listing, Record, Source};

use super::*;
use crate::client::Hardware;
use crate::link::Mac;

fn view(last: u8, fixed: Option<u32>) -> LeaseView {
    LeaseView {
        location: Location { space: "".into(), address: Ipv4Addr::new(10, 0, 0, last) },
        server: "dhcp1".into(),
        status: Status::Bound,
        fixed,
        hardware: Hardware::from(Mac([2, 0, 0, 0, 0, last])),
        client_id: Box::from([1, 2, 0, 0, 0, 0, last]),
        host_name: "laptop".into(),
        class_id: Box::default(),
        relay_agent: Box::from([1, 2, 0xab, 0xcd]),
        expires_after: Some(Duration::from_secs(90)),
        age: Duration::from_secs(3661),
        last_seen: Some(Duration::from_secs(5)),
        conflict: None,
        reconfigure: None,
    }
}

/// A book of leases that answers in pages, as the engine does.
struct Book {
    roster: Roster,
    leases: Vec<LeaseView>,
}

impl Book {
    fn answer(&self, order: Order) -> Answer {
        match order {
            Order::Leases { after, limit } => {
                let behind =
                    |lease: &&LeaseView| after.as_ref().is_none_or(|after| lease.location > *after);
                let found: Vec<_> = self.leases.iter().filter(behind).cloned().collect();
                let more = found.len() > limit;
                Answer::Leases { leases: found.into_iter().take(limit).collect(), more }
            }
            Order::OfFixed(keys) => {
                let of = |lease: &&LeaseView| lease.fixed.is_some_and(|key| keys.contains(&key));
                let leases = self.leases.iter().filter(of).cloned().collect();
                Answer::Leases { leases, more: false }
            }
            other => panic!("not asked for: {other:?}"),
        }
    }
}

impl Source for Book {
    fn fetch(&self, want: &Want) -> Vec<LiveRow> {
        self.roster.fetch(want, &Interfaces::default(), &mut |order| self.answer(order))
    }
}

fn listed(tree: &mut Tree, leases: Vec<LeaseView>) -> Vec<Record> {
    let book = Book { roster: Roster::new(tree, &[]), leases };
    let command = leasehold_routeros::Command::new("/ip/dhcp-server/lease", "print");
    let listing: Box<Listing> = match tree.run(&command, &book).unwrap().reply {
        leasehold_routeros::Reply::Rows(listing) => listing,
        other => panic!("no rows: {other:?}"),
    };
    listing.collect(&book)
}

#[test]
fn a_bound_dynamic_lease_shows_what_routeros_shows() {
    let records = listed(&mut menus::tree(), vec![view(9, None)]);
    let record = &records[0];
    for (property, text) in [
        ("address", "10.0.0.9"),
        ("mac-address", "02:00:00:00:00:09"),
        ("client-id", "1:2:0:0:0:0:9"),
        ("server", "dhcp1"),
        ("status", "bound"),
        ("expires-after", "1m30s"),
        ("last-seen", "5s"),
        ("age", "1h1m1s"),
        ("active-address", "10.0.0.9"),
        ("active-agent-circuit-id", "abcd"),
        ("host-name", "laptop"),
        ("dynamic", "yes"),
    ] {
        assert_eq!(record.text(property).as_deref(), Some(text), "{property}");
    }
}

#[test]
fn static_leases_show_once_with_what_the_server_adds() {
    let mut tree = menus::tree();
    let add = [("address", "10.0.0.3"), ("mac-address", "02:00:00:00:00:03")];
    let id = tree.add("/ip/dhcp-server/lease", &add).unwrap();
    let key = u32::try_from(id.0).unwrap();
    let records = listed(&mut tree, vec![view(3, Some(key)), view(4, None)]);
    let shown: Vec<_> = records.iter().map(|record| record.text("active-address")).collect();
    assert_eq!(shown, [Some("10.0.0.3".into()), Some("10.0.0.4".into())]);
    assert_eq!(records[0].text("dynamic").as_deref(), Some("no"));
}

#[test]
fn pages_end_though_most_leases_are_static() {
    let leases: Vec<_> = (1..=250).map(|last| view(last, (last % 5 != 0).then_some(7))).collect();
    assert_eq!(listed(&mut menus::tree(), leases).len(), 50);
}

#[test]
fn ids_and_locations_are_each_other_s() {
    let mut tree = menus::tree();
    for vrf in ["red", "blue"] {
        tree.add("/ip/pool", &[("ranges", "10.0.0.1"), ("vrf", vrf), ("name", vrf)]).unwrap();
    }
    let roster = Roster::new(&tree, &[]);
    let mut last = Id(0);
    for space in ["", "blue", "red"] {
        let location = Location { space: space.into(), address: Ipv4Addr::new(10, 0, 0, 1) };
        let id = roster.id(&location);
        assert!(id > last, "ids page like locations");
        assert_eq!(roster.location(id), Some(location));
        last = id;
    }
}
