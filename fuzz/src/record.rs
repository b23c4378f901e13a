//! Stored records, whatever the disk gives back: what was read is written the same, and an engine
//! starts with it.

use leasehold_dhcp::record::{Records, decode_all};
use leasehold_dhcp::{Boottime, Location, Now, Wall};

use super::engine;

/// One input.
pub fn run(bytes: &[u8]) {
    let read: Vec<_> = decode_all(bytes).map_while(Result::ok).collect();
    let mut written = Records::default();
    read.iter().for_each(|record| written.push(record));
    let again: Vec<_> = decode_all(written.bytes()).collect::<Result<_, _>>().expect("our own");
    assert_eq!(again, read);
    if let Some(location) = Location::from_key(bytes) {
        assert_eq!(location.key(), bytes);
    }
    engine::start(Now { boottime: Boottime(1_000_000), wall: Wall(1_700_000_000) }, &read);
}
