//! Offers that one process hands to the next: no promises, and nobody misses them after a crash.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use leasehold_dhcp::Record;
use leasehold_dhcp::record::Records;

use super::codec;

fn place(state: &Path) -> PathBuf {
    state.join("offers")
}

/// Leaves them for the next process.
pub fn hand_over(state: &Path, offers: &Records) -> io::Result<()> {
    if offers.is_empty() {
        return Ok(());
    }
    let beside = place(state).with_extension("new");
    fs::write(&beside, codec::seal(&[offers.bytes()]))?;
    fs::rename(beside, place(state))
}

/// Takes what the process before has left; a second time there is nothing.
pub fn take_over(state: &Path) -> Vec<Record> {
    let place = place(state);
    let taken = fs::read(&place).and_then(|value| {
        fs::remove_file(&place)?;
        let offers = codec::body(&value).and_then(codec::frames);
        offers.map_err(|why| io::Error::new(io::ErrorKind::InvalidData, why.to_string()))
    });
    match taken {
        Ok(offers) => offers,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => {
            tracing::warn!("the offers in {} are lost: {error}", place.display());
            Vec::new()
        }
    }
}
