//! The stream of a bulk leasequery's connection, cut anywhere: what comes back are whole messages,
//! and each query has exactly one end.

use std::net::Ipv4Addr;

use leasehold_dhcp::bulk::Connection;
use leasehold_dhcp::record::decode_all;
use leasehold_dhcp::wire::{COOKIE, HEADER};
use leasehold_dhcp::{Answer, Boottime, Engine, Input, Now, OrderId, Outbox, Wall};

use super::engine;

const NOW: Now = Now { boottime: Boottime(1_000_000), wall: Wall(1_700_000_000) };

/// Leases that the store has.
const LEASES: &[u8] = include_bytes!("../corpus/record/bound");

/// DHCPLEASEQUERYDONE.
const DONE: u8 = 15;

/// How many queries run side by side, then the stream: before each piece its length.
pub fn run(bytes: &[u8]) {
    let Some((simultaneous, mut rest)) = bytes.split_first() else { return };
    let simultaneous = usize::from(simultaneous % 4) + 1;
    let records: Vec<_> = decode_all(LEASES).collect::<Result<_, _>>().expect("a sound record");
    let (mut engine, mut out) = engine::start(NOW, &records);
    let mut connection = Connection::new(Ipv4Addr::LOCALHOST, simultaneous);
    let (mut heard, mut said) = (Vec::new(), Vec::new());
    let mut is_whole = true;
    while let Some((&length, behind)) = rest.split_first() {
        let (piece, behind) = behind.split_at(usize::from(length).min(behind.len()));
        rest = behind;
        while !connection.wants_input() && is_whole {
            is_whole = turn(&mut connection, &mut engine, &mut out, &mut said);
        }
        if !is_whole {
            break;
        }
        heard.extend_from_slice(piece);
        is_whole = connection.receive(piece, &mut said).is_ok();
    }
    while connection.is_busy() && is_whole {
        is_whole = turn(&mut connection, &mut engine, &mut out, &mut said);
    }

    let mut ended: Vec<[u8; 4]> = frames(&said)
        .inspect(|message| assert_eq!(message[0], 2, "a reply"))
        .filter(|message| message[HEADER..].starts_with(&[53, 1, DONE]))
        .map(xid)
        .collect();
    let asked = frames(&heard).take_while(|message| {
        (HEADER..=4096).contains(&message.len())
            && message[0] == 1
            && message[2] <= 16
            && message[236..HEADER] == COOKIE
    });
    let mut asked: Vec<[u8; 4]> = asked.map(xid).collect();
    ended.sort_unstable();
    asked.sort_unstable();
    if is_whole {
        assert_eq!(ended, asked, "each query ends once");
    } else {
        assert!(ended.iter().all(|xid| asked.contains(xid)), "an end that nobody asked for");
    }
}

/// The page that the connection orders; whether the stream goes on.
fn turn(
    connection: &mut Connection,
    engine: &mut Engine,
    out: &mut Outbox,
    said: &mut Vec<u8>,
) -> bool {
    let order = connection.order().expect("a busy connection");
    engine.handle(NOW, Input::Order(OrderId(1), order), out);
    let Some((_, Answer::Bindings(page))) = out.answers().next() else { panic!("no page") };
    connection.page(NOW, &page, said).is_ok()
}

/// The messages of a stream, as far as they are whole.
fn frames(mut stream: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (length, rest) = stream.split_first_chunk::<2>()?;
        let (message, rest) = rest.split_at_checked(u16::from_be_bytes(*length).into())?;
        stream = rest;
        Some(message)
    })
}

fn xid(message: &[u8]) -> [u8; 4] {
    [message[4], message[5], message[6], message[7]]
}
