//! Stored records, whatever the disk gives back: what was read is written the same, and an engine
//! starts with it.

use leasehold_dhcp::record::{Framed, Records, decode_all, framed};
use leasehold_dhcp::{Boottime, Location, Now, Wall};

use super::engine;

/// One input.
pub fn run(bytes: &[u8]) {
    let read: Vec<_> = decode_all(bytes).map_while(Result::ok).collect();
    let framed: Vec<_> = framed(bytes).map_while(Result::ok).collect();
    assert_eq!(framed.iter().map(Framed::record).collect::<Vec<_>>(), read);
    assert!(bytes.starts_with(&framed.iter().map(Framed::frame).collect::<Vec<_>>().concat()));
    let mut written = Records::default();
    read.iter().for_each(|record| written.push(record));
    let again: Vec<_> = decode_all(written.bytes()).collect::<Result<_, _>>().expect("our own");
    assert_eq!(again, read);
    if let Some(location) = Location::from_key(bytes) {
        assert_eq!(location.key(), bytes);
    }
    engine::start(Now { boottime: Boottime(1_000_000), wall: Wall(1_700_000_000) }, &read);
}
