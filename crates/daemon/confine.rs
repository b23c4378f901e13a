//! What the server may still do once it runs: user, capabilities, files, system calls.
//!
//! Done once, before any thread starts, so that every thread inherits it; under systemd the unit
//! has done most of it already. What this kernel or this user cannot have is told, and the server
//! runs without it: a network without DHCP is worse.

use core::fmt;
use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access, AccessFs, CompatLevel, Compatible, PathBeneath, PathFd, Ruleset, RulesetAttr,
    RulesetCreated, RulesetCreatedAttr, RulesetError, RulesetStatus,
};
use rustix::fs::Mode;
use rustix::process::{Gid, Resource, Rlimit, Uid, geteuid, getrlimit, setrlimit, umask};
use rustix::thread::{self, CapabilitySet, CapabilitySets};

mod calls;

pub use calls::{Unlisted, is_listed};

/// Where the server reads and writes, and as whom it runs.
#[derive(Clone, Debug)]
pub struct Limits<'a> {
    /// Its user when it is started as root; `root` stays what it is.
    pub user: &'a str,
    /// The state directory, made if need be.
    pub state: &'a Path,
    /// The configuration file.
    pub config: &'a Path,
    /// The socket for commands.
    pub socket: &'a Path,
    /// What happens to a system call that is not listed.
    pub unlisted: Unlisted,
}

/// Something that was done, or was not, for the log.
#[derive(Debug)]
pub enum Note {
    /// It runs as this user from now on.
    RunsAs(String),
    /// There is no such user, so it stays root.
    NoUser(String),
    /// Files are limited as far as the kernel knows how.
    Files(RulesetStatus),
    /// This was not possible.
    Failed(&'static str, String),
}

impl Note {
    /// Writes it into the log.
    pub fn tell(&self) {
        match self {
            Self::RunsAs(_) | Self::Files(RulesetStatus::FullyEnforced) => {
                tracing::debug!("{self}");
            }
            Self::Files(_) => tracing::info!("{self}"),
            Self::NoUser(_) | Self::Failed(..) => tracing::warn!("{self}"),
        }
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RunsAs(user) => write!(f, "runs as {user}"),
            Self::NoUser(user) => write!(
                f,
                "there is no user {user}: runs as root, with the capabilities that it needs; \
                 `make install` makes the user, --user names another"
            ),
            Self::Files(RulesetStatus::FullyEnforced) => {
                f.write_str("files are limited to its own by Landlock")
            }
            Self::Files(RulesetStatus::PartiallyEnforced) => {
                f.write_str("files are limited by Landlock as far as this kernel knows how")
            }
            Self::Files(RulesetStatus::NotEnforced) => {
                f.write_str("this kernel has no Landlock: files are limited by their modes alone")
            }
            Self::Failed(what, why) => write!(f, "cannot {what}: {why}; it runs without that"),
        }
    }
}

/// Confines this process, which has one thread.
pub fn confine(limits: &Limits<'_>) -> Vec<Note> {
    let mut notes = Vec::new();
    let mut note = |what, done: io::Result<()>| {
        if let Err(error) = done {
            notes.push(Note::Failed(what, error.to_string()));
        }
    };
    // What it writes is for its user and its group.
    umask(umask(Mode::empty()) | Mode::from_raw_mode(0o027));
    note("make the state directory", fs::create_dir_all(limits.state));
    note("forbid core files", forbid_cores());
    note("raise the limit of open files", raise_descriptors());
    note("drop capabilities", bound_capabilities());
    match user(limits.user) {
        Some(user) if geteuid().is_root() && user.uid != Uid::ROOT => {
            note("give the state directory to its user", give(limits.state, &user));
            match become_user(&user) {
                Ok(()) => notes.push(Note::RunsAs(limits.user.to_owned())),
                Err(error) => notes.push(Note::Failed("change the user", error.to_string())),
            }
        }
        None if geteuid().is_root() => notes.push(Note::NoUser(limits.user.to_owned())),
        _ => {}
    }
    let mut note = |what, done: io::Result<()>| {
        if let Err(error) = done {
            notes.push(Note::Failed(what, error.to_string()));
        }
    };
    note("keep only the needed capabilities", keep_capabilities());
    note("give up new privileges", thread::set_no_new_privs(true).map_err(Into::into));
    match files(limits) {
        Ok(status) => notes.push(Note::Files(status)),
        Err(error) => notes.push(Note::Failed("limit files", error.to_string())),
    }
    if let Err(error) = calls::filter(limits.unlisted) {
        notes.push(Note::Failed("filter system calls", error.to_string()));
    }
    notes
}

/// Port 67, raw frames to clients without an address, receive buffers beyond the system's limit.
const KEPT: CapabilitySet =
    CapabilitySet::NET_BIND_SERVICE.union(CapabilitySet::NET_RAW).union(CapabilitySet::NET_ADMIN);

/// Memory holds passwords and keys.
fn forbid_cores() -> io::Result<()> {
    Ok(setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?)
}

/// Each served interface takes a descriptor.
fn raise_descriptors() -> io::Result<()> {
    let limit = getrlimit(Resource::Nofile);
    Ok(setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit })?)
}

/// What is not kept can never come back, be it by a program with file capabilities.
fn bound_capabilities() -> io::Result<()> {
    for bit in 0..u64::BITS {
        let capability = CapabilitySet::from_bits_retain(1 << bit);
        let bound = thread::capability_is_in_bounding_set(capability);
        if !KEPT.contains(capability) && bound.unwrap_or(false) {
            match thread::remove_capability_from_bounding_set(capability) {
                // Who is not root has none that could come back.
                Ok(()) | Err(rustix::io::Errno::PERM) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
    Ok(())
}

fn keep_capabilities() -> io::Result<()> {
    let kept = thread::capabilities(None)?.permitted & KEPT;
    let none = CapabilitySet::empty();
    let sets = CapabilitySets { effective: kept, permitted: kept, inheritable: none };
    Ok(thread::set_capabilities(None, sets)?)
}

struct User {
    uid: Uid,
    gid: Gid,
}

fn user(name: &str) -> Option<User> {
    let accounts = fs::read_to_string("/etc/passwd").ok()?;
    let mut lines = accounts.lines().map(|line| line.split(':'));
    let mut fields = lines.find_map(|mut fields| (fields.next()? == name).then_some(fields))?;
    let (uid, gid) = (fields.nth(1)?.parse().ok()?, fields.next()?.parse().ok()?);
    Some(User { uid: Uid::from_raw(uid), gid: Gid::from_raw(gid) })
}

fn become_user(user: &User) -> io::Result<()> {
    thread::set_keep_capabilities(true)?;
    thread::set_thread_groups(&[user.gid])?;
    thread::set_thread_res_gid(user.gid, user.gid, user.gid)?;
    Ok(thread::set_thread_res_uid(user.uid, user.uid, user.uid)?)
}

/// As systemd does with a state directory that has another owner: it, and what is in it.
fn give(place: &Path, user: &User) -> io::Result<()> {
    let meta = fs::symlink_metadata(place)?;
    if meta.is_symlink() || meta.uid() == user.uid.as_raw() {
        return Ok(());
    }
    if meta.is_dir() {
        for entry in fs::read_dir(place)? {
            give(&entry?.path(), user)?;
        }
    }
    chown(place, Some(user.uid.as_raw()), Some(user.gid.as_raw()))
}

/// What the system says of itself, users and zones among it.
const READ: [&str; 10] = [
    "/etc",
    "/proc",
    "/sys",
    "/usr",
    "/lib",
    "/lib64",
    "/run",
    "/dev/null",
    "/dev/urandom",
    "/dev/random",
];

/// Reads what is the system's, writes what is its own, runs nothing.
fn files(limits: &Limits<'_>) -> Result<RulesetStatus, RulesetError> {
    let abi = ABI::V5;
    let rules = Ruleset::default().set_compatibility(CompatLevel::BestEffort);
    let mut rules = rules.handle_access(AccessFs::from_all(abi))?.create()?;
    let reading = AccessFs::ReadFile | AccessFs::ReadDir;
    for path in READ {
        rules = rule(rules, Path::new(path), reading)?;
    }
    let directory = |path: &Path| match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    };
    let all = AccessFs::from_all(abi) & !AccessFs::Execute;
    // The configuration is replaced as a whole, so its directory is written.
    for path in [limits.state.to_owned(), directory(limits.config), directory(limits.socket)] {
        rules = rule(rules, &path, all)?;
    }
    Ok(rules.restrict_self()?.ruleset)
}

fn rule(
    rules: RulesetCreated,
    path: &Path,
    access: landlock::BitFlags<AccessFs>,
) -> Result<RulesetCreated, RulesetError> {
    // A path that is not there needs no rule.
    let Ok(place) = PathFd::new(path) else { return Ok(rules) };
    let access = if path.is_dir() { access } else { access & AccessFs::from_file(ABI::V5) };
    rules.add_rule(PathBeneath::new(place, access))
}
