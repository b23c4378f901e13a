//! What the control task keeps: the tree, the file that it came from, and what became of both.
//!
//! **Invariant:** tree, file and what the worker obeys say the same. A change is made on a copy,
//! checked, written, and only then becomes the tree.

use core::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use leasehold_dhcp::config::{Compiled, Config, Flaw};
use leasehold_dhcp::live::{Errand, Roster};
use leasehold_dhcp::order::Refusal;
use leasehold_dhcp::{Answer, Interfaces, Location, menus};
use leasehold_pool::PlanError;
use leasehold_routeros::syntax::toml::{Document, NotWritten, Problem};
use leasehold_routeros::{
    Cells, Change, Command, Ids, LiveRow, Menu, Order, Record, Row, Source, Trap, Tree, Want,
};
use tokio::sync::watch;

use super::file::{self, ConfigFile, FileError};
use super::guard::{self, Orphans};
use super::plane::Plane;
use super::safe;
use crate::access::Sessions;
use crate::configuration::{self, ConfigurationError, Loaded};
use crate::files::Files;
use crate::host::Host;
use crate::services::Troubles;

/// Why a configuration is not obeyed. The one before goes on.
#[derive(Debug)]
pub enum Refused {
    /// The file cannot be read, or is no TOML.
    Unreadable(ConfigurationError),
    /// Rows of the file break rules.
    Problems(PathBuf, Vec<Problem>),
    /// Clients would lose their addresses.
    Orphans(Orphans),
    /// The file has no place for a row.
    NoPlace(NotWritten),
    /// The file was not written.
    File(FileError),
    /// The ids of rows were not written.
    Ids(PathBuf, io::Error),
    /// The pools cannot be made.
    Pools(PlanError),
    /// The server is ending.
    Ending,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(error) => error.fmt(f),
            Self::Problems(path, problems) => {
                let said: Vec<_> =
                    problems.iter().map(|one| format!("{}:{one}", path.display())).collect();
                f.write_str(&said.join("\n"))
            }
            Self::Orphans(orphans) => orphans.fmt(f),
            Self::NoPlace(error) => error.fmt(f),
            Self::File(error) => error.fmt(f),
            Self::Ids(path, error) => write!(
                f,
                "cannot write {}: {error}; the state directory must be writable",
                path.display()
            ),
            Self::Pools(error) => write!(f, "the pools cannot be made: {error}"),
            Self::Ending => f.write_str("the server is ending"),
        }
    }
}

impl std::error::Error for Refused {}

/// A configuration to which one can go back.
pub(super) struct Point {
    tree: Tree,
    document: Document,
    text: String,
}

impl Point {
    /// The file.
    pub(super) fn text(&self) -> &str {
        &self.text
    }
}

/// The tree and what belongs to it.
pub struct Keeper {
    tree: Tree,
    document: Document,
    file: ConfigFile,
    state: PathBuf,
    config: Arc<Config>,
    roster: Roster,
    interfaces: Arc<Interfaces>,
    host: Host,
    sessions: Sessions,
    troubles: Troubles,
    shown: watch::Sender<Tree>,
}

/// Ids of configured rows, in the state directory.
const IDS: &str = "ids";
/// The last configuration that was obeyed, in the state directory.
pub(super) const LAST_GOOD: &str = "last-good.toml";

impl Keeper {
    /// Reads the file. One that cannot be read or is no TOML is replaced by the last good copy, if
    /// there is one: the clients of this server do not care what happened to its file.
    pub fn load(config: &Path, state: &Path) -> Result<Self, ConfigurationError> {
        safe::after_a_crash(config, state);
        let ids = fs::read_to_string(state.join(IDS)).unwrap_or_default();
        let ids = Ids::parse(&ids);
        let good = state.join(LAST_GOOD);
        let loaded = match configuration::load(config, &ids) {
            Ok(loaded) => loaded,
            Err(error) => {
                let copy = configuration::load(&good, &ids);
                let Ok(copy) = copy else { return Err(error) };
                tracing::error!("{error}");
                tracing::error!(
                    "SERVING THE LAST GOOD COPY, {}: mend {} and reload it",
                    good.display(),
                    config.display()
                );
                copy
            }
        };
        for problem in &loaded.problems {
            tracing::warn!("{}:{problem}", config.display());
        }
        let compiled = configuration::compile(&loaded.tree);
        tell(&compiled.flaws);
        let Loaded { text, mut tree, document, .. } = loaded;
        tree.not_obeyed().iter().for_each(|warning| tracing::warn!("{warning}"));
        let roster = Roster::new(&tree, &compiled.flaws);
        let keeper = Self {
            shown: watch::Sender::new(tree.clone()),
            tree,
            document,
            file: ConfigFile::new(config.to_owned(), text),
            state: state.to_owned(),
            config: Arc::new(compiled.config),
            roster,
            interfaces: Arc::default(),
            host: Host::new(state),
            sessions: Sessions::default(),
            troubles: Troubles::default(),
        };
        keeper.remember();
        Ok(keeper)
    }

    /// What the engine is to obey.
    #[must_use]
    pub fn config(&self) -> Arc<Config> {
        Arc::clone(&self.config)
    }

    /// The rows.
    #[must_use]
    pub fn tree(&self) -> &Tree {
        &self.tree
    }

    /// Where the server keeps what is no configuration.
    pub(super) fn state(&self) -> &Path {
        &self.state
    }

    /// The configuration as it is now.
    pub(super) fn point(&self) -> Point {
        let (tree, document) = (self.tree.clone(), self.document.clone());
        Point { tree, document, text: self.file.text().into() }
    }

    /// Makes an earlier configuration true again; the file of now is kept beside it. A file that
    /// somebody has edited and not applied yet is left to them.
    pub(super) fn go_back(&mut self, point: Point, plane: &Plane) -> Result<(), Refused> {
        let Point { mut tree, document, text } = point;
        let names = self.interfaces.iter().map(|interface| interface.name.clone());
        tree.set_interfaces(names);
        tree.succeed(&self.tree);
        let compiled = self.checked(&tree, true, plane)?;
        self.write_ids(&tree)?;
        let undone = self.state.join(safe::UNDONE);
        let kept = file::write_whole(&undone, self.file.text());
        kept.map_err(|error| Refused::File(FileError::Unwritable(undone, error)))?;
        match self.file.replace(text.clone()) {
            Err(FileError::Edited(path)) => {
                tracing::warn!(
                    "{} was changed by hand: it is left as it is, and still has what was undone",
                    path.display()
                );
                self.file = ConfigFile::new(path, text);
            }
            other => other.map_err(Refused::File)?,
        }
        self.obey(tree, document, compiled, plane)?;
        self.remember();
        Ok(())
    }

    /// Its files.
    #[must_use]
    pub fn files(&self) -> &Files {
        self.host.files()
    }

    /// Takes the machine's interfaces: what is typed may name no others.
    pub fn set_interfaces(&mut self, interfaces: Arc<Interfaces>) {
        let names = interfaces.iter().map(|interface| interface.name.clone());
        self.tree.set_interfaces(names);
        self.interfaces = interfaces;
    }

    /// The running server, as the tree asks it.
    pub(super) fn source<'a>(&'a self, plane: &'a Plane) -> Running<'a> {
        let Self { roster, interfaces, host, sessions, troubles, tree, .. } = self;
        Running { roster, interfaces, host, sessions, troubles, tree, plane }
    }

    /// The rows as they are, and whenever they change.
    #[must_use]
    pub fn shown(&self) -> watch::Receiver<Tree> {
        self.shown.subscribe()
    }

    /// The sessions of users.
    #[must_use]
    pub fn sessions(&self) -> Sessions {
        self.sessions.clone()
    }

    /// What is wrong with services.
    #[must_use]
    pub fn troubles(&self) -> Troubles {
        self.troubles.clone()
    }

    /// Makes a changed tree true: checked, written to the file, obeyed.
    pub(super) fn adopt(
        &mut self,
        tree: Tree,
        confirmed: bool,
        plane: &Plane,
    ) -> Result<(), Refused> {
        let compiled = self.checked(&tree, confirmed, plane)?;
        let mut document = self.document.clone();
        let text = document.update(&tree).map_err(Refused::NoPlace)?;
        self.write_ids(&tree)?;
        let before = self.file.text().to_owned();
        let intended = safe::intend(&self.state, &text);
        intended.map_err(|error| Refused::Ids(self.state.clone(), error))?;
        self.file.replace(text).map_err(Refused::File)?;
        if let Err(refused) = self.obey(tree, document, compiled, plane) {
            // As it was: what the file says and what is obeyed stay the same.
            if let Err(error) = self.file.replace(before) {
                tracing::error!("{error}");
            }
            return Err(refused);
        }
        self.remember();
        Ok(())
    }

    /// Reads the file again and obeys it, or says everything that is wrong with it.
    pub(super) fn reload(&mut self, confirmed: bool, plane: &Plane) -> Result<(), Refused> {
        let ids = Ids::parse(&self.tree.ids());
        let path = self.file.path().to_owned();
        let loaded = configuration::load(&path, &ids).map_err(Refused::Unreadable)?;
        let Loaded { text, mut tree, document, problems } = loaded;
        if !problems.is_empty() {
            return Err(Refused::Problems(path, problems));
        }
        let names = self.interfaces.iter().map(|interface| interface.name.clone());
        tree.set_interfaces(names);
        tree.not_obeyed().iter().for_each(|warning| tracing::warn!("{warning}"));
        let compiled = self.checked(&tree, confirmed, plane)?;
        self.write_ids(&tree)?;
        tell(&compiled.flaws);
        self.obey(tree, document, compiled, plane)?;
        self.file = ConfigFile::new(path, text);
        self.remember();
        Ok(())
    }

    fn checked(&self, tree: &Tree, confirmed: bool, plane: &Plane) -> Result<Compiled, Refused> {
        let compiled = configuration::compile(tree);
        if !confirmed {
            guard::check(&self.config, &compiled.config, plane).map_err(Refused::Orphans)?;
        }
        Ok(compiled)
    }

    fn obey(
        &mut self,
        tree: Tree,
        document: Document,
        compiled: Compiled,
        plane: &Plane,
    ) -> Result<(), Refused> {
        let roster = Roster::new(&tree, &compiled.flaws);
        let config = Arc::new(compiled.config);
        plane.configure(Arc::clone(&config)).map_err(Refused::Pools)?;
        (self.tree, self.document, self.config, self.roster) = (tree, document, config, roster);
        self.shown.send_replace(self.tree.clone());
        Ok(())
    }

    fn write_ids(&self, tree: &Tree) -> Result<(), Refused> {
        let path = self.state.join(IDS);
        let text = tree.ids();
        if fs::read_to_string(&path).is_ok_and(|known| known == text) {
            return Ok(());
        }
        let written =
            fs::create_dir_all(&self.state).and_then(|()| file::write_whole(&path, &text));
        written.map_err(|error| Refused::Ids(path, error))
    }

    /// Keeps a copy of what is obeyed, for a start with a broken file.
    fn remember(&self) {
        let path = self.state.join(LAST_GOOD);
        if fs::read_to_string(&path).is_ok_and(|known| known == self.file.text()) {
            return;
        }
        let kept = fs::create_dir_all(&self.state)
            .and_then(|()| file::write_whole(&path, self.file.text()));
        if let Err(error) = kept {
            tracing::warn!("cannot keep a copy of the configuration: {error}");
        }
    }

    /// The row of a lease that has changed: a dynamic one, or the configured one that it obeys.
    pub(super) fn lease(&self, location: &Location, plane: &Plane) -> Change {
        let menu = menus::Lease::menu();
        let address = location.address.to_string();
        let source = self.source(plane);
        let id = self.roster.id(location);
        if let Some(row) = source.fetch(&Want::Row(menu, id)).pop() {
            return Change { id, now: Record::new(menu, id, 0, row.cells), dead: false };
        }
        let is_it = |record: &Record| record.text("address").as_deref() == Some(&*address);
        let configured = self.tree.records(menu.path).find(is_it);
        if let Some((id, record)) = configured.and_then(|record| Some((record.id()?, record))) {
            let mut cells = record.cells().clone();
            let known = source.fetch(&Want::Overlay(menu, vec![id]));
            known.iter().for_each(|row| cells.overlay(&row.cells));
            return Change { id, now: Record::new(menu, id, record.number(), cells), dead: false };
        }
        let cells = Cells::named(menu, [("address", &*address)]);
        Change { id, now: Record::new(menu, id, 0, cells), dead: true }
    }

    /// Does what a command asks of the running server.
    /// The text is the id of a row that was made.
    pub(super) fn errand(&self, order: &Order, plane: &Plane) -> Result<Option<String>, Trap> {
        if !is_server_s(order.menu) {
            return self.host.errand(order);
        }
        let order = match self.roster.errand(order) {
            Errand::Order(order) => order,
            Errand::Nothing => return Ok(None),
            Errand::Unknown(verb) => return Err(Trap::NoSuchCommand(verb)),
        };
        match plane.order(order) {
            Some(Answer::Refused(Refusal::NoSuchLease)) => Err(Trap::NoSuchItem),
            Some(Answer::Refused(refusal)) => Err(Trap::Failure(said(refusal).into())),
            Some(_) => Ok(None),
            None => Err(Trap::Failure(Refused::Ending.to_string())),
        }
    }
}

/// Whether the DHCP server knows of the menu; else the machine does.
fn is_server_s(menu: &Menu) -> bool {
    menus::menus().iter().any(|known| known.path == menu.path)
}

fn said(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::NoSuchLease => "no such lease",
        Refusal::NotInConflict => "lease is neither in conflict nor declined",
        Refusal::NotBound => "lease is not bound",
        Refusal::ReconfigureOff => "use-reconfigure is off: set it for the lease's server",
        Refusal::NotReconfigurable => {
            "the client did not say that it can be asked to renew (RFC 6704)"
        }
        Refusal::StoreFailed => "the lease store fails: nothing was changed",
    }
}

fn tell(flaws: &[Flaw]) {
    for flaw in flaws {
        tracing::warn!(target: "dhcp", "{flaw}");
    }
}

/// Takes the word `.confirm` out of a command: leases may be orphaned.
pub(super) fn take_confirmation(command: &mut Command) -> bool {
    let confirmed = command.switch(".confirm");
    command.arguments.retain(|argument| argument.name != ".confirm");
    confirmed
}

/// The running server.
pub(super) struct Running<'a> {
    roster: &'a Roster,
    interfaces: &'a Interfaces,
    host: &'a Host,
    sessions: &'a Sessions,
    troubles: &'a Troubles,
    tree: &'a Tree,
    plane: &'a Plane,
}

impl Source for Running<'_> {
    fn fetch(&self, want: &Want) -> Vec<LiveRow> {
        if let Want::Page(menu, after) = want
            && menu.path == menus::LeaseHistory::menu().path
        {
            return self.plane.past.page(*after);
        }
        let rows = self.sessions.fetch(want, self.tree);
        if let Some(rows) = rows.or_else(|| self.troubles.fetch(want, self.tree)) {
            return rows;
        }
        let menu = match want {
            Want::Overlay(menu, _) | Want::Page(menu, _) | Want::Row(menu, _) => menu,
        };
        if !is_server_s(menu) {
            return self.host.fetch(want, self.interfaces);
        }
        let nothing = Answer::Refused(Refusal::StoreFailed);
        self.roster.fetch(want, self.interfaces, &mut |order| {
            self.plane.order(order).unwrap_or_else(|| nothing.clone())
        })
    }
}
