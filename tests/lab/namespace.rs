//! Network namespaces that vanish with the test, and the cables between them.

use std::cell::RefCell;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Once};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// One test's machines, and a directory for their files.
pub struct Lab {
    namespaces: RefCell<Vec<Namespace>>,
    directory: TempDir,
}

/// A machine of the laboratory: a network namespace with its loopback up.
#[derive(Clone)]
pub struct Namespace {
    descriptor: Arc<OwnedFd>,
    label: &'static str,
}

impl Lab {
    pub fn new() -> Self {
        become_root();
        let directory = tempfile::Builder::new().prefix("leasehold-").tempdir().unwrap();
        Self { namespaces: RefCell::default(), directory }
    }

    /// A new machine without interfaces but the loopback.
    pub fn machine(&self, label: &'static str) -> Namespace {
        let descriptor = thread::spawn(|| {
            // SAFETY: no memory is passed; only this short-lived thread changes its namespace.
            check(unsafe { libc::unshare(libc::CLONE_NEWNET) }).expect("a network namespace");
            File::open("/proc/thread-self/ns/net").expect("the thread's own namespace")
        });
        let descriptor = Arc::new(OwnedFd::from(descriptor.join().unwrap()));
        let namespace = Namespace { descriptor, label };
        namespace.ip("link set dev lo up");
        self.namespaces.borrow_mut().push(namespace.clone());
        namespace
    }

    /// A cable: an interface at each end, both up.
    pub fn cable(&self, near: (&Namespace, &str), far: (&Namespace, &str)) {
        near.0.ip(&format!("link add name {} type veth peer name lh-far", near.1));
        near.0.ip(&format!("link set dev lh-far netns {} name {}", far.0.path(), far.1));
        near.0.up(near.1);
        far.0.up(far.1);
    }

    /// A switch: a bridge on a machine of its own; plug machines in with [`Switch::plug`].
    pub fn switch(&self) -> Switch {
        let machine = self.machine("switch");
        machine.ip("link add name br type bridge forward_delay 0 mcast_snooping 0");
        machine.up("br");
        Switch { machine, ports: RefCell::new(0) }
    }

    /// A path in the test's own directory, which is removed with it.
    pub fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Writes a file into the test's own directory.
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.file(name);
        fs::write(&path, text).unwrap();
        path
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        let inodes: Vec<u64> =
            self.namespaces.borrow().iter().filter_map(|namespace| namespace.inode()).collect();
        let deadline = Instant::now() + Duration::from_secs(5);
        while end_processes_in(&inodes) > 0 && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(5));
        }
    }
}

/// A bridge and its ports.
pub struct Switch {
    machine: Namespace,
    ports: RefCell<u32>,
}

impl Switch {
    /// Plugs an interface of this name and machine into the switch; returns the port's name.
    pub fn plug(&self, lab: &Lab, machine: &Namespace, interface: &str) -> String {
        *self.ports.borrow_mut() += 1;
        let port = format!("port{}", self.ports.borrow());
        lab.cable((machine, interface), (&self.machine, &port));
        self.machine.ip(&format!("link set dev {port} master br"));
        port
    }

    /// The switch's own machine: for frames that cross it, and for pulling a port.
    pub fn machine(&self) -> &Namespace {
        &self.machine
    }
}

impl Namespace {
    pub fn label(&self) -> &'static str {
        self.label
    }

    /// The namespace as a file, for tools that take one.
    pub fn path(&self) -> String {
        format!("/proc/{}/fd/{}", std::process::id(), self.descriptor.as_raw_fd())
    }

    /// Runs `work` inside the namespace. A socket made there belongs there for good.
    pub fn inside<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        thread::scope(|scope| {
            let worker = scope.spawn(|| {
                enter(self.descriptor.as_raw_fd()).expect("entering a namespace");
                work()
            });
            worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    /// A command that will run inside, and that dies with the thread that started it. It heeds
    /// SIGINT also where the tests run in the background of a shell, which has that ignored.
    pub fn command(&self, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new(program.as_ref());
        let descriptor = self.descriptor.as_raw_fd();
        // SAFETY: each is a single system call without allocation, as a child of a process with
        // threads may make.
        unsafe {
            command.pre_exec(move || {
                libc::signal(libc::SIGINT, libc::SIG_DFL);
                check(libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL))?;
                enter(descriptor)
            });
        }
        command
    }

    /// Runs a tool inside and returns what it printed; a failure ends the test.
    pub fn run(&self, program: &str, arguments: &[&str]) -> String {
        let output = self.command(program).args(arguments).output();
        let output = output.unwrap_or_else(|error| {
            panic!("cannot run {program} (.ci/packages names what the tests need): {error}")
        });
        assert!(
            output.status.success(),
            "{}: {program} {}: {}",
            self.label,
            arguments.join(" "),
            String::from_utf8_lossy(&output.stderr),
        );
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// `ip` with these words.
    pub fn ip(&self, words: &str) -> String {
        self.run("ip", &words.split_whitespace().collect::<Vec<_>>())
    }

    /// Does the kernel know this type of interface? Says so where a test must be left out.
    pub fn can_have(&self, link_type: &str) -> bool {
        let arguments =
            ["link", "add", "name", "probe", "link", "lo", "type", link_type, "id", "1"];
        let output = self.command("ip").args(arguments).output().unwrap();
        let unknown = String::from_utf8_lossy(&output.stderr).contains("Unknown device type");
        if unknown {
            let _ = writeln!(io::stderr(), "NOT TESTED: this kernel has no {link_type} interfaces");
        } else if output.status.success() {
            self.ip("link delete dev probe");
        }
        !unknown
    }

    pub fn up(&self, interface: &str) {
        self.ip(&format!("link set dev {interface} up"));
    }

    pub fn down(&self, interface: &str) {
        self.ip(&format!("link set dev {interface} down"));
    }

    pub fn address(&self, interface: &str, prefix: &str) {
        self.ip(&format!("address add {prefix} dev {interface}"));
    }

    /// A kernel parameter of this namespace, `net/ipv4/ip_forward`.
    pub fn sysctl(&self, name: &str, value: &str) {
        let path = format!("/proc/sys/{name}");
        self.inside(|| fs::write(&path, value)).unwrap_or_else(|e| panic!("{path}: {e}"));
    }

    fn inode(&self) -> Option<u64> {
        fs::metadata(self.path()).ok().map(|metadata| metadata.ino())
    }
}

/// Sends SIGKILL to every process in one of these namespaces; returns how many there were.
fn end_processes_in(inodes: &[u64]) -> usize {
    let own = std::process::id();
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let mut found = 0;
    for entry in processes {
        let Some(process) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok())
        else {
            continue;
        };
        let Ok(namespace) = fs::metadata(entry.path().join("ns/net")) else { continue };
        if process != own && inodes.contains(&namespace.ino()) {
            found += 1;
            // SAFETY: no memory is passed; the process is in a namespace made by this test.
            unsafe { libc::kill(process.cast_signed(), libc::SIGKILL) };
        }
    }
    found
}

fn enter(descriptor: RawFd) -> io::Result<()> {
    // SAFETY: no memory is passed; the descriptor is open as long as the namespace value lives.
    check(unsafe { libc::setns(descriptor, libc::CLONE_NEWNET) })
}

fn check(result: libc::c_int) -> io::Result<()> {
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

const MARK: &str = "LEASEHOLD_IN_USER_NAMESPACE";

/// Did [`become_root`] start this process?
fn in_user_namespace() -> bool {
    std::env::var_os(MARK).is_some()
}

/// Is this the machine's root, whom `what` needs? Says so where it is not; CI has to be.
pub fn is_real_root(what: &str) -> bool {
    become_root();
    let real = !in_user_namespace();
    assert!(real || std::env::var_os("CI").is_none(), "CI has to test {what} as root");
    if !real {
        let _ = writeln!(io::stderr(), "NOT TESTED: {what} needs root outside a user namespace");
    }
    real
}

/// Namespaces need root. Without it the whole test program starts again as root of a user
/// namespace of its own; where the system forbids that too, the tests fail and say so.
fn become_root() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // SAFETY: no memory is passed, and the call cannot fail.
        if unsafe { libc::geteuid() } == 0 {
            return;
        }
        assert!(!in_user_namespace(), "no root inside the user namespace");
        // Past the test runner, which keeps what a test prints.
        let _ = writeln!(io::stderr(), "not root: starting again in a user namespace");
        let error = Command::new("unshare")
            .args(["--user", "--map-root-user", "--mount", "--net", "--"])
            .arg(std::env::current_exe().unwrap())
            .args(std::env::args_os().skip(1))
            .env(MARK, "1")
            .exec();
        panic!("these tests need root, or `unshare` and user namespaces: {error}");
    });
}
