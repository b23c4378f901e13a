//! The built daemon on a machine of the laboratory: started, killed, started again.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixDatagram;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::rc::Rc;
use std::time::{Duration, Instant};

use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags};

use super::PATIENCE;
use super::disk::Disk;
use super::namespace::{Lab, Namespace};
use super::process::Process;

/// `leasehold serve` with its configuration, its state and what it told its supervisor.
pub struct Server {
    machine: Namespace,
    configuration: PathBuf,
    state: PathBuf,
    notify_path: PathBuf,
    notify: UnixDatagram,
    process: Option<Process>,
    disk: Option<Rc<Disk>>,
    /// The sockets that it has given to its supervisor, by name; nobody keeps them if this is none.
    pub kept: Option<BTreeMap<String, OwnedFd>>,
    /// Environment for the daemon, such as its log level.
    pub environment: Vec<(&'static str, String)>,
}

impl Server {
    /// A daemon with this TOML as its configuration, not yet running.
    pub fn prepare(lab: &Lab, machine: &Namespace, configuration: &str) -> Self {
        let label = machine.label();
        let notify_path = lab.file(&format!("{label}.notify"));
        let notify = UnixDatagram::bind(&notify_path).unwrap();
        let state = lab.file(&format!("{label}.state"));
        fs::create_dir(&state).unwrap();
        Self {
            machine: machine.clone(),
            configuration: lab.write(&format!("{label}.toml"), configuration),
            state,
            notify_path,
            notify,
            process: None,
            disk: None,
            kept: None,
            environment: Vec::new(),
        }
    }

    /// A running daemon, ready for packets.
    pub fn serve(lab: &Lab, machine: &Namespace, configuration: &str) -> Self {
        let mut server = Self::prepare(lab, machine, configuration);
        server.start();
        server
    }

    /// Starts the daemon and waits until it says that it is ready.
    pub fn start(&mut self) {
        self.launch();
        self.until_notified("READY=1");
    }

    /// Starts the daemon and does not wait.
    pub fn launch(&mut self) {
        assert!(self.process.is_none(), "already running");
        self.obey();
        self.process = Some(Process::start(self.command()));
    }

    /// The command line and environment that systemd would use.
    pub fn command(&self) -> Command {
        let mut command = match &self.kept {
            None => self.machine.command(program()),
            Some(kept) => self.inheriting(kept),
        };
        command.arg("serve").arg("--config").arg(&self.configuration);
        command.arg("--state").arg(&self.state);
        if let Some(disk) = &self.disk {
            disk.let_in(&mut command);
        }
        command.env("NOTIFY_SOCKET", &self.notify_path).env_remove("RUST_BACKTRACE");
        // The test's directory is its user's alone; and no test may find a system call unlisted.
        command.env("LEASEHOLD_USER", "root").env("LEASEHOLD_UNLISTED_CALLS", "kills");
        command.envs(self.environment.iter().map(|(name, value)| (*name, value.as_str())));
        command
    }

    /// The daemon with the sockets that were kept for it, as `sd_listen_fds(3)` has it.
    fn inheriting(&self, kept: &BTreeMap<String, OwnedFd>) -> Command {
        const FIRST: i32 = 3;
        let mut command = self.machine.command("sh");
        command.args(["-c", "export LISTEN_PID=$$; exec \"$0\" \"$@\""]).arg(program());
        command.env("LISTEN_FDS", kept.len().to_string());
        let names: Vec<_> = kept.keys().map(String::as_str).collect();
        command.env("LISTEN_FDNAMES", names.join(":"));
        // Out of the way of their new numbers; open until the command is dropped.
        let aside = |socket: &OwnedFd| rustix::io::fcntl_dupfd_cloexec(socket, 500).unwrap();
        let sockets: Vec<OwnedFd> = kept.values().map(aside).collect();
        // SAFETY: dup2 is a single system call without allocation, as a child of a process with
        // threads may make.
        unsafe {
            command.pre_exec(move || {
                for (number, socket) in (FIRST..).zip(&sockets) {
                    if libc::dup2(socket.as_raw_fd(), number) < 0 {
                        return Err(io::Error::last_os_error());
                    }
                }
                Ok(())
            });
        }
        command
    }

    /// Hears what it has told until now, and does it.
    pub fn obey(&mut self) {
        while self.notified(Duration::ZERO).is_some() {}
    }

    /// Keeps its state on this disk from the next start on.
    pub fn keep_state_on(&mut self, disk: &Rc<Disk>) {
        self.state = disk.path().join("state");
        fs::create_dir_all(disk.file("state")).unwrap();
        self.disk = Some(disk.clone());
    }

    pub fn state(&self) -> &Path {
        &self.state
    }

    pub fn machine(&self) -> &Namespace {
        &self.machine
    }

    pub fn process(&self) -> &Process {
        self.process.as_ref().expect("the daemon runs")
    }

    /// SIGKILL: it gets no chance to write anything.
    pub fn kill(&mut self) {
        self.process.take().expect("the daemon runs").kill();
    }

    /// SIGTERM, and waits for the end.
    pub fn terminate(&mut self) -> ExitStatus {
        self.process().signal(libc::SIGTERM);
        self.end()
    }

    /// Waits for the end, however it comes.
    pub fn end(&mut self) -> ExitStatus {
        self.process.take().expect("the daemon runs").wait()
    }

    /// Writes a new configuration, has it applied by SIGHUP, and waits until it is.
    pub fn reload(&mut self, configuration: &str) {
        fs::write(&self.configuration, configuration).unwrap();
        self.obey();
        self.process().signal(libc::SIGHUP);
        self.until_notified("READY=1");
    }

    /// Gives the running daemon a command of RouterOS's, as an administrator would, and returns
    /// what is printed.
    pub fn ask(&self, words: &str) -> String {
        let socket = self.state.join("leasehold.sock");
        let arguments = ["--socket", socket.to_str().unwrap(), words];
        self.machine.run(program().to_str().unwrap(), &arguments)
    }

    /// The daemon has not ended by itself.
    pub fn assert_alive(&mut self) {
        let process = self.process.as_mut().expect("the daemon runs");
        if let Some(status) = process.ended() {
            panic!("the daemon ended with {status}:\n{}", process.output().text());
        }
    }

    /// The first log line that holds all these words, also one that is still to come.
    pub fn logged(&self, words: &[&str]) -> String {
        let fits = |line: &str| words.iter().all(|word| line.contains(word));
        let output = self.process().output();
        let found = output.wait(0, PATIENCE, fits);
        found.unwrap_or_else(|| panic!("no line with {words:?} in:\n{}", output.text())).1
    }

    /// Memory held by the process, KiB.
    pub fn resident(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process().id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    /// Open descriptors of the process.
    pub fn descriptors(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.process().id())).unwrap().count()
    }

    fn until_notified(&mut self, state: &str) {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            self.assert_alive();
            let told = self.notified(Duration::from_millis(100)).unwrap_or_default();
            if told.lines().any(|line| line == state) {
                return;
            }
        }
        panic!("the daemon did not say {state}:\n{}", self.process().output().text());
    }

    fn notified(&mut self, patience: Duration) -> Option<String> {
        let nonblocking = patience.is_zero();
        self.notify.set_nonblocking(nonblocking).unwrap();
        if !nonblocking {
            self.notify.set_read_timeout(Some(patience)).unwrap();
        }
        let mut bytes = [0; 4096];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let flags = RecvFlags::CMSG_CLOEXEC;
        let into = &mut [IoSliceMut::new(&mut bytes)];
        let length = match rustix::net::recvmsg(&self.notify, into, &mut control, flags) {
            Ok(received) => received.bytes,
            Err(rustix::io::Errno::AGAIN) => return None,
            Err(error) => panic!("the notify socket: {error}"),
        };
        let told = String::from_utf8_lossy(&bytes[..length]).into_owned();
        let sockets = control.drain().filter_map(|message| match message {
            RecvAncillaryMessage::ScmRights(sockets) => Some(sockets),
            _ => None,
        });
        let socket = sockets.flatten().next();
        if let Some(kept) = &mut self.kept {
            let name =
                told.lines().find_map(|line| line.strip_prefix("FDNAME=")).unwrap_or("stored");
            match socket {
                Some(socket) if told.lines().any(|line| line == "FDSTORE=1") => {
                    drop(kept.insert(name.to_owned(), socket));
                }
                _ if told.lines().any(|line| line == "FDSTOREREMOVE=1") => drop(kept.remove(name)),
                _ => {}
            }
        }
        Some(told)
    }
}

/// The program under test: the one that cargo built, unless `LEASEHOLD_PROGRAM` names another, such
/// as an installed release.
pub fn program() -> PathBuf {
    let named = std::env::var_os("LEASEHOLD_PROGRAM");
    named.unwrap_or_else(|| env!("CARGO_BIN_EXE_leasehold").into()).into()
}

impl Drop for Server {
    fn drop(&mut self) {
        if std::thread::panicking()
            && let Some(process) = &self.process
        {
            eprintln!("--- log of the daemon on {}:", self.machine.label());
            eprintln!("{}", process.output().text());
        }
    }
}
