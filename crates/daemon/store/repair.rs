//! A damaged store: looked at without touching it, and made anew of what is whole.

use core::fmt;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;

use super::contents::{self, Contents};
use super::database::Fault;
use super::marker::{Marker, judge};
use super::scan::{self, Scanned};
use super::{OpenError, Paths, Settings, Suspicion, Trust, lock};

/// What a repair has kept.
#[derive(Debug)]
pub struct Repaired {
    /// Addresses of which something is known.
    pub leases: usize,
    /// Tenures that have ended.
    pub tenures: usize,
    /// The newest turn that was found.
    pub turn: u64,
    /// Stretches of the log that cannot be read: place and octets.
    pub broken: Vec<(u64, u64)>,
    /// Where the damaged files are now.
    pub aside: PathBuf,
}

impl fmt::Display for Repaired {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { leases, tenures, turn, aside, .. } = self;
        write!(
            f,
            "{leases} addresses and {tenures} ended tenures, up to turn {turn}, are in the new \
             store; {}; the old files are kept in {}",
            Broken(&self.broken),
            aside.display()
        )
    }
}

/// Whether something in the store's files that is whole would be lost if they were opened as they
/// are. To be asked before that, as opening changes them.
pub fn wants_repair(directory: &Path) -> bool {
    // What cannot be read is told by opening it.
    scan::has_gaps(&Paths(directory.to_owned()).store()).unwrap_or(false)
}

/// Makes the store in this state directory anew of everything in its files that is whole. The
/// next start probes each address before it offers it, as what was lost is not known.
pub fn repair(directory: &Path) -> Result<Repaired, OpenError> {
    let paths = Paths(directory.to_owned());
    let _lock = lock(&paths)?;
    let read = Contents::of_files(&paths);
    let (contents, scanned) = read.map_err(|fault| OpenError::Store(paths.store(), fault))?;
    let aside = replace(&paths, &contents)?.unwrap_or_else(|| directory.to_owned());
    Ok(Repaired {
        leases: contents.rows.len(),
        tenures: contents.tenures.len(),
        turn: contents.turn,
        broken: scanned.broken,
        aside,
    })
}

/// Puts a store with these contents into the state directory, whose lock is held; what was there
/// before is kept, and where is given back.
pub(super) fn replace(paths: &Paths, contents: &Contents) -> Result<Option<PathBuf>, OpenError> {
    let directory = &paths.0;
    let unusable = |error| OpenError::Directory(directory.to_owned(), error);
    let (store, anew) = (paths.store(), directory.join("leases.new"));
    removed(&anew).map_err(unusable)?;
    let fault = |fault| OpenError::Store(anew.clone(), fault);
    contents.write(&anew, &Settings::default()).map_err(fault)?;
    // Without its marker it is not believed to be complete.
    match fs::remove_file(paths.marker()) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(unusable(error)),
        _ => {}
    }
    let exchange = || {
        let sync = || File::open(directory)?.sync_all();
        sync()?;
        if !store.exists() {
            fs::rename(&anew, &store)?;
            return sync().map(|()| None);
        }
        let exchanged = renameat_with(CWD, &anew, CWD, &store, RenameFlags::EXCHANGE);
        let mut places = (1u32..).map(|number| directory.join(format!("leases.damaged-{number}")));
        let aside = places.find(|place| !place.exists()).expect("numbers do not end");
        match exchanged {
            Ok(()) => fs::rename(&anew, &aside)?,
            // Not every file system can exchange two names at once.
            Err(Errno::INVAL) => {
                fs::rename(&store, &aside).and_then(|()| fs::rename(&anew, &store))?
            }
            Err(error) => return Err(error.into()),
        }
        // The log stays with its store; the turns of another one are of no use to this one.
        if paths.turns().exists() {
            duplicate(&paths.turns(), &aside.join("turns"))?;
        }
        sync().map(|()| Some(aside))
    };
    exchange().map_err(unusable)
}

/// What looking at a store has found.
#[derive(Debug)]
pub struct Verified {
    /// Addresses and ended tenures, if a copy of it opens; else why not.
    opens: Result<(usize, usize), Fault>,
    /// What marker and store say together.
    trust: Trust,
    turn: u64,
    /// Values and pieces of turns that are not what was written.
    corrupt: u64,
    /// Addresses of which its files know something newer than what it shows.
    hidden: u64,
    scanned: Scanned,
}

impl Verified {
    /// Whether nothing is to be done.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        let trusted = matches!(self.trust, Trust::Sound | Trust::New);
        trusted && self.opens.is_ok() && self.hidden + self.corrupt + self.scanned.gaps == 0
    }
}

impl fmt::Display for Verified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.opens {
            Ok((leases, tenures)) => writeln!(
                f,
                "opens: {leases} addresses, {tenures} ended tenures, newest turn {}",
                self.turn
            )?,
            Err(fault) => writeln!(f, "does not open: {fault}")?,
        }
        if let Trust::Suspect(why) = self.trust {
            writeln!(f, "may be incomplete: {why}")?;
        }
        writeln!(
            f,
            "{} messages are whole; {}",
            self.scanned.messages,
            Broken(&self.scanned.broken)
        )?;
        if self.corrupt > 0 {
            writeln!(f, "{} values are not what was written", self.corrupt)?;
        }
        if self.hidden > 0 {
            writeln!(f, "{} addresses would come back by a repair", self.hidden)?;
        }
        match self.is_sound() {
            true => f.write_str("sound"),
            false => f.write_str(
                "damaged: `leasehold store repair` keeps what is whole and the old files; the \
                 server does the same by itself when it starts",
            ),
        }
    }
}

/// Looks at the store in a state directory that no server uses, and changes nothing: what opens
/// is a copy beside it, which is removed again.
pub fn verify(directory: &Path) -> Result<Verified, OpenError> {
    let paths = Paths(directory.to_owned());
    let _lock = lock(&paths)?;
    let unusable = |error| OpenError::Directory(directory.to_owned(), error);
    if !paths.store().join("db").exists() {
        return Err(unusable(io::Error::new(io::ErrorKind::NotFound, "there is no lease store")));
    }
    let read = Contents::of_files(&paths);
    let (found, scanned) = read.map_err(|fault| OpenError::Store(paths.store(), fault))?;
    let copy = directory.join("leases.verify");
    removed(&copy).and_then(|()| duplicate(&paths.store(), &copy)).map_err(unusable)?;
    let opened = match contents::read(&copy, &paths.turns()) {
        Ok(contents) => Ok(contents),
        Err(OpenError::Store(_, fault)) => Err(fault),
        Err(other) => return Err(other),
    };
    removed(&copy).map_err(unusable)?;
    let marker = Marker::read(&paths.marker());
    let shown = opened.as_ref().unwrap_or(&found);
    let mut trust = judge(true, marker, shown.id.unwrap_or_default(), shown.turn);
    if !paths.turns().exists() && trust == Trust::Sound {
        trust = Trust::Suspect(Suspicion::TurnsMissing);
    }
    let hidden = found.rows.iter().filter(|(location, row)| {
        let known = opened.as_ref().ok().and_then(|opened| opened.rows.get(location));
        // What was forgotten after its time is in the files still, and is no loss.
        known.map_or(row.idle_since().is_none(), |known| known.sequence() < row.sequence())
    });
    Ok(Verified {
        hidden: hidden.count() as u64,
        turn: shown.turn,
        corrupt: shown.corrupt,
        trust,
        opens: opened.map(|contents| (contents.rows.len(), contents.tenures.len())),
        scanned,
    })
}

/// Removes a directory, if it is there.
pub(super) fn removed(directory: &Path) -> io::Result<()> {
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Copies a directory.
pub(super) fn duplicate(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let place = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            duplicate(&entry.path(), &place)?;
        } else {
            fs::copy(entry.path(), place)?;
        }
    }
    Ok(())
}

/// Stretches of the log that cannot be read, in words.
struct Broken<'a>(&'a [(u64, u64)]);

impl fmt::Display for Broken<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let octets: u64 = self.0.iter().map(|(_, octets)| octets).sum();
        let Some((first, _)) = self.0.first() else {
            return f.write_str("nothing in the log is unreadable");
        };
        write!(
            f,
            "{octets} octets in {} places of the log cannot be read, the first at {first}",
            self.0.len()
        )
    }
}
