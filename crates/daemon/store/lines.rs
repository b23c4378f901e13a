//! A store as lines of JSON: for people, for other programs, and to move it elsewhere.
//!
//! The first line names the store, one follows for each address and each tenure that has ended,
//! the last one counts them: a file that was cut short is noticed.

use core::fmt;
use core::net::Ipv4Addr;
use std::io::{self, BufRead, Write};
use std::path::{Path, PathBuf};

use leasehold_dhcp::record::{Binding, Change, Location};
use leasehold_dhcp::{Mac, Record, Wall};
use serde::{Deserialize, Serialize};

use super::contents::{self, Contents};
use super::database::hex;
use super::row::{Ending, Row, Tenure};
use super::{OpenError, Paths, lock, repair};

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "kebab-case", deny_unknown_fields)]
enum Line {
    /// Its format, and the newest turn and time in it.
    LeaseholdStore { version: u32, turn: u64, newest: u64 },
    /// What is known of an address: the records that rebuild it.
    Lease { at: Place, turn: u64, since: u64, records: Vec<Event> },
    /// A tenure that has ended, and the turn that ended it.
    Tenure { at: Place, turn: u64, since: u64, renewed: u64, ended: u64, how: String, to: Tenant },
    /// How many leases and tenures there were.
    End { leases: usize, tenures: usize },
}

/// An address, with the name of its space outside `main`.
#[derive(Serialize, Deserialize)]
struct Place {
    address: Ipv4Addr,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    space: String,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "kebab-case")]
enum Event {
    Bound {
        time: u64,
        #[serde(flatten)]
        to: Tenant,
    },
    Renewed {
        time: u64,
        lease_time: u32,
    },
    Released {
        time: u64,
    },
    Expired {
        time: u64,
    },
    Removed {
        time: u64,
    },
    Conflict {
        time: u64,
        seconds: u32,
        by: Option<String>,
        declined: bool,
    },
}

/// Octets are hexadecimal.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Tenant {
    server: String,
    lease_time: u32,
    hardware_type: u8,
    hardware_address: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    client_id: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    host_name: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    class_id: String,
    #[serde(default = "nobody", skip_serializing_if = "Ipv4Addr::is_unspecified")]
    relay: Ipv4Addr,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    agent_information: String,
    /// The client's secret, so the lines are for few eyes.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    nonce: String,
}

const VERSION: u32 = 1;

fn nobody() -> Ipv4Addr {
    Ipv4Addr::UNSPECIFIED
}

/// Why a store was not written as lines, or made of them.
#[derive(Debug)]
pub enum LinesError {
    /// The store.
    Store(OpenError),
    /// The lines cannot be read or written.
    Io(io::Error),
    /// A line is none of ours: its number, and what is wrong.
    Line(usize, String),
    /// The last line is missing, or counts more than there are.
    Short,
    /// There are leases already.
    Occupied(PathBuf),
}

impl fmt::Display for LinesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Store(error) => error.fmt(f),
            Self::Io(error) => error.fmt(f),
            Self::Line(number, what) => {
                write!(f, "line {number}: {what}; nothing was imported")
            }
            Self::Short => f.write_str(
                "the last line, which counts the others, is missing or does not agree: the file \
                 was cut short; nothing was imported",
            ),
            Self::Occupied(path) => {
                write!(f, "{} holds leases; --force puts them aside and imports", path.display())
            }
        }
    }
}

impl std::error::Error for LinesError {}

/// What was written or read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counted {
    /// Addresses of which something is known.
    pub leases: usize,
    /// Tenures that have ended.
    pub tenures: usize,
}

impl fmt::Display for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} addresses, {} ended tenures", self.leases, self.tenures)
    }
}

/// Writes the store of a state directory that no server uses.
pub fn export(directory: &Path, out: &mut impl Write) -> Result<Counted, LinesError> {
    let paths = Paths(directory.to_owned());
    let _lock = lock(&paths).map_err(LinesError::Store)?;
    let contents = contents::read(&paths.store(), &paths.turns()).map_err(LinesError::Store)?;
    let mut line = |line: &Line| {
        serde_json::to_writer(&mut *out, line).map_err(io::Error::from)?;
        out.write_all(b"\n")
    };
    let mut write = || {
        let (turn, newest) = (contents.turn, contents.newest.0);
        line(&Line::LeaseholdStore { version: VERSION, turn, newest })?;
        for (location, row) in &contents.rows {
            let records = row.records(location).map(|record| event(&record)).collect();
            let (at, turn, since) = (place(location), row.sequence(), row.since().0);
            line(&Line::Lease { at, turn, since, records })?;
        }
        for (key, tenure) in &contents.tenures {
            line(&tenure_line(key, tenure))?;
        }
        let (leases, tenures) = (contents.rows.len(), contents.tenures.len());
        line(&Line::End { leases, tenures })?;
        Ok(Counted { leases, tenures })
    };
    let counted = write().map_err(LinesError::Io)?;
    out.flush().map_err(LinesError::Io)?;
    Ok(counted)
}

/// Makes the store of a state directory of what [`export`] wrote. All or nothing; leases that are
/// there already are put aside with `force`.
pub fn import(directory: &Path, lines: impl BufRead, force: bool) -> Result<Counted, LinesError> {
    let mut contents = Contents::default();
    let mut ended = None;
    for (number, text) in (1..).zip(lines.lines()) {
        let text = text.map_err(LinesError::Io)?;
        let line: Result<Line, _> = serde_json::from_str(&text);
        let line = line.map_err(|error| error.to_string());
        let taken = line.and_then(|line| take(&mut contents, line, number == 1));
        ended = taken.map_err(|what| LinesError::Line(number, what))?;
    }
    let counted = Counted { leases: contents.rows.len(), tenures: contents.tenures.len() };
    if ended != Some(counted) {
        return Err(LinesError::Short);
    }
    std::fs::create_dir_all(directory).map_err(LinesError::Io)?;
    let paths = Paths(directory.to_owned());
    let _lock = lock(&paths).map_err(LinesError::Store)?;
    if paths.store().exists() && !force {
        return Err(LinesError::Occupied(paths.store()));
    }
    repair::replace(&paths, &contents).map_err(LinesError::Store)?;
    Ok(counted)
}

/// Takes a line in; gives back the counts of the last one.
fn take(contents: &mut Contents, line: Line, first: bool) -> Result<Option<Counted>, String> {
    match line {
        Line::LeaseholdStore { version, .. } if version != VERSION => {
            return Err(format!("version {version} is newer than this program's {VERSION}"));
        }
        Line::LeaseholdStore { turn, newest, .. } if first => {
            (contents.turn, contents.newest) = (turn, Wall(newest));
        }
        _ if first => return Err("not the first line of a store's export".into()),
        Line::LeaseholdStore { .. } => return Err("a second first line".into()),
        Line::Lease { at, turn, since, records } => {
            let location = location(at)?;
            let record = |event| {
                let (at, change) = change(event)?;
                Ok(Record { location: location.clone(), at, change })
            };
            let records = records.into_iter().map(record).collect::<Result<Vec<_>, String>>()?;
            let row = Row::of_records(turn, Wall(since), records);
            contents.add_row(location, row);
        }
        Line::Tenure { at, turn, since, renewed, ended, how, to } => {
            let ending = Ending::of_name(&how).ok_or(format!("no way to end: {how}"))?;
            let tenure = Tenure {
                location: location(at)?,
                since: Wall(since),
                renewed: Wall(renewed),
                ended: Some((Wall(ended), ending)),
                binding: binding(to)?,
            };
            contents.tenures.insert(tenure.key(turn), tenure);
        }
        Line::End { leases, tenures } => return Ok(Some(Counted { leases, tenures })),
    }
    Ok(None)
}

fn tenure_line(key: &[u8], tenure: &Tenure) -> Line {
    let turn = key.last_chunk().map_or(0, |turn| u64::from_be_bytes(*turn));
    let (ended, how) = tenure.ended.map_or((0, ""), |(at, how)| (at.0, how.name()));
    let (at, how, to) = (place(&tenure.location), how.to_owned(), tenant(&tenure.binding));
    Line::Tenure { at, turn, since: tenure.since.0, renewed: tenure.renewed.0, ended, how, to }
}

fn place(location: &Location) -> Place {
    Place { address: location.address, space: location.space.to_string() }
}

fn location(Place { address, space }: Place) -> Result<Location, String> {
    let location = Location { space: space.into(), address };
    match Location::from_key(&location.key()) {
        Some(_) => Ok(location),
        None => Err(format!("no name of a space: {:?}", location.space)),
    }
}

fn event(record: &Record) -> Event {
    let time = record.at.0;
    match &record.change {
        Change::Bound(binding) => Event::Bound { time, to: tenant(binding) },
        Change::Renewed { lease_time } => Event::Renewed { time, lease_time: *lease_time },
        Change::Released => Event::Released { time },
        Change::Expired => Event::Expired { time },
        Change::Removed => Event::Removed { time },
        Change::Quarantined { seconds, by, declined } => {
            let by = by.map(|Mac(octets)| hex(&octets));
            Event::Conflict { time, seconds: *seconds, by, declined: *declined }
        }
    }
}

fn change(event: Event) -> Result<(Wall, Change), String> {
    let (time, change) = match event {
        Event::Bound { time, to } => (time, Change::Bound(Box::new(binding(to)?))),
        Event::Renewed { time, lease_time } => (time, Change::Renewed { lease_time }),
        Event::Released { time } => (time, Change::Released),
        Event::Expired { time } => (time, Change::Expired),
        Event::Removed { time } => (time, Change::Removed),
        Event::Conflict { time, seconds, by, declined } => {
            let by = by.map(|by| {
                let octets: Option<[u8; 6]> = octets(&by)?.try_into().ok();
                octets.map(Mac).ok_or(format!("not six octets: {by}"))
            });
            (time, Change::Quarantined { seconds, by: by.transpose()?, declined })
        }
    };
    Ok((Wall(time), change))
}

fn tenant(binding: &Binding) -> Tenant {
    Tenant {
        server: binding.server.to_string(),
        lease_time: binding.lease_time,
        hardware_type: binding.htype,
        hardware_address: hex(&binding.chaddr),
        client_id: hex(&binding.client_id),
        host_name: binding.host_name.to_string(),
        class_id: hex(&binding.class_id),
        relay: binding.giaddr,
        agent_information: hex(&binding.relay_agent),
        nonce: hex(&binding.nonce),
    }
}

fn binding(to: Tenant) -> Result<Binding, String> {
    Ok(Binding {
        lease_time: to.lease_time,
        server: to.server.into(),
        client_id: octets(&to.client_id)?.into(),
        htype: to.hardware_type,
        chaddr: octets(&to.hardware_address)?.into(),
        host_name: to.host_name.into(),
        class_id: octets(&to.class_id)?.into(),
        giaddr: to.relay,
        relay_agent: octets(&to.agent_information)?.into(),
        nonce: octets(&to.nonce)?.into(),
    })
}

/// Longer strings of octets are no client's.
const OCTETS_MAX: usize = 4096;

fn octets(text: &str) -> Result<Vec<u8>, String> {
    let pairs = text.as_bytes().chunks(2).map(|pair| {
        let pair = core::str::from_utf8(pair).ok().filter(|pair| pair.len() == 2)?;
        u8::from_str_radix(pair, 16).ok().filter(|_| !pair.starts_with('+'))
    });
    let octets: Option<Vec<u8>> = pairs.collect();
    let octets = octets.filter(|octets| octets.len() <= OCTETS_MAX);
    octets.ok_or_else(|| format!("not hexadecimal, or too long: {:.40}", text))
}
