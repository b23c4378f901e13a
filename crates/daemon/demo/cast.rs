//! Who takes part in the demo: a server, a client's machine, and a client of some kind.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::DemoError;

/// Runs a command and insists that it succeeds.
pub(super) fn run(line: &str) -> Result<(), DemoError> {
    let mut words = line.split_whitespace();
    let mut command = Command::new(words.next().unwrap_or("true"));
    let status = command.args(words).stdin(Stdio::null()).status();
    let status = status.map_err(|error| DemoError::Program("ip", error))?;
    if status.success() { Ok(()) } else { Err(DemoError::Command(line.to_owned(), status)) }
}

/// `leasehold serve`, as systemd would run it.
pub(super) struct Server {
    child: Child,
    /// Kept open: a supervisor listens as long as its service runs.
    notify: UnixDatagram,
}

impl Server {
    /// Starts it and waits until it is ready.
    pub(super) fn start(stage: &Path, config: &Path) -> Result<Self, DemoError> {
        let notify = stage.join("notify");
        let _ = fs::remove_file(&notify);
        let io = |error| DemoError::Io("the supervisor's socket", error);
        let socket = UnixDatagram::bind(&notify).map_err(io)?;
        socket.set_read_timeout(Some(Duration::from_secs(20))).map_err(io)?;
        let own = std::env::current_exe().map_err(|error| DemoError::Io("our program", error))?;
        let mut command = Command::new(own);
        command.arg("serve").args(["--user", "root"]).arg("--config").arg(config);
        command.arg("--state").arg(stage.join("state")).env("NOTIFY_SOCKET", &notify);
        command.stdin(Stdio::null()).stderr(Stdio::piped());
        let child = command.spawn().map_err(|error| DemoError::Program("leasehold", error))?;
        let mut server = Self { child, notify: socket };
        server.show_log();
        let mut told = [0; 512];
        loop {
            let length = server
                .notify
                .recv(&mut told)
                .map_err(|error| DemoError::Io("the server did not become ready", error))?;
            if told[..length].split(|octet| *octet == b'\n').any(|line| line == b"READY=1") {
                return Ok(server);
            }
        }
    }

    /// Its log lines, each behind a margin.
    fn show_log(&mut self) {
        let Some(log) = self.child.stderr.take() else { return };
        std::thread::spawn(move || {
            for line in BufReader::new(log).lines().map_while(Result::ok) {
                println!("  log | {line}");
            }
        });
    }

    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    /// SIGKILL: it gets no chance to write anything.
    pub(super) fn kill(mut self) -> Result<(), DemoError> {
        let killed = self.child.kill().and_then(|()| self.child.wait());
        killed.map(drop).map_err(|error| DemoError::Io("killing the server", error))
    }

    /// SIGTERM, and waits for its clean end.
    pub(super) fn terminate(mut self) -> Result<(), DemoError> {
        signal(&self.child, Signal::TERM)?;
        let status = self.child.wait().map_err(|error| DemoError::Io("the server", error))?;
        if status.success() {
            Ok(())
        } else {
            Err(DemoError::Command("leasehold serve".into(), status))
        }
    }
}

fn signal(child: &Child, signal: Signal) -> Result<(), DemoError> {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let sent = pid.map_or(Err(rustix::io::Errno::SRCH), |pid| kill_process(pid, signal));
    sent.map_err(|error| DemoError::Io("a signal", error.into()))
}

/// A network namespace held by a sleeping process; both go with the demo.
pub(super) struct Machine {
    child: Child,
}

impl Machine {
    pub(super) fn new() -> Result<Self, DemoError> {
        let mut command = Command::new("unshare");
        command.args(["--net", "--kill-child", "--fork", "--", "sh", "-c", "echo; exec sleep inf"]);
        let spawned = command.stdout(Stdio::piped()).spawn();
        let mut child = spawned.map_err(|error| DemoError::Program("unshare", error))?;
        let mut line = String::new();
        if let Some(out) = child.stdout.take() {
            // One line says that the namespace is there.
            let read = BufReader::new(out).read_line(&mut line);
            read.map_err(|error| DemoError::Io("the client's machine", error))?;
        }
        Ok(Self { child })
    }

    /// The process that `ip link set … netns` wants.
    pub(super) fn id(&self) -> Result<u32, DemoError> {
        let children = format!("/proc/{0}/task/{0}/children", self.child.id());
        let text = fs::read_to_string(children);
        let text = text.map_err(|error| DemoError::Io("the client's machine", error))?;
        let first = text.split_whitespace().next().and_then(|id| id.parse().ok());
        first.ok_or_else(|| DemoError::Broken("the client's machine is gone".into()))
    }

    /// A command on that machine.
    pub(super) fn command(&self, program: &str) -> Result<Command, DemoError> {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net=/proc/{}/ns/net", self.id()?)).arg("--").arg(program);
        command.stdin(Stdio::null());
        Ok(command)
    }
}

/// A DHCP client on the client's machine.
pub(super) struct Client {
    kind: Kind,
    child: Option<Child>,
    script: PathBuf,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Udhcpc,
    Busybox,
    Own,
}

/// What udhcpc calls when it has, renews, or loses a lease.
const SCRIPT: &str = r#"#!/bin/sh
case "$1" in
bound|renew) ip addr replace "$ip/$mask" dev "$interface"
    ip route replace default via "${router%% *}" dev "$interface" ;;
deconfig) ip addr flush dev "$interface" ;;
esac
"#;

impl Client {
    /// A client that this machine has, or our own.
    pub(super) fn find(stage: &Path) -> Result<Self, DemoError> {
        let found = |program: &str| {
            let path = std::env::var_os("PATH").unwrap_or_default();
            std::env::split_paths(&path).any(|directory| directory.join(program).is_file())
        };
        let kind = match () {
            () if found("udhcpc") => Kind::Udhcpc,
            () if found("busybox") && busybox_has_udhcpc() => Kind::Busybox,
            () => Kind::Own,
        };
        let script = stage.join("lease.sh");
        let written = fs::write(&script, SCRIPT)
            .and_then(|()| fs::set_permissions(&script, fs::Permissions::from_mode(0o755)));
        written.map_err(|error| DemoError::Io("the client's script", error))?;
        Ok(Self { kind, child: None, script })
    }

    pub(super) fn name(&self) -> &'static str {
        match self.kind {
            Kind::Udhcpc => "udhcpc",
            Kind::Busybox => "busybox udhcpc",
            Kind::Own => "leasehold probe",
        }
    }

    /// Gets a lease and configures the interface with it.
    pub(super) fn start(&mut self, machine: &Machine, interface: &str) -> Result<(), DemoError> {
        let mut command = match self.kind {
            Kind::Udhcpc => machine.command("udhcpc")?,
            Kind::Busybox => machine.command("busybox")?,
            Kind::Own => return self.own(machine, interface, "--lease"),
        };
        if self.kind == Kind::Busybox {
            command.arg("udhcpc");
        }
        command.args(["-f", "-i", interface, "-s"]).arg(&self.script);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn();
        self.child = Some(child.map_err(|error| DemoError::Program("nsenter", error))?);
        Ok(())
    }

    /// Renews the lease now instead of in half a day.
    pub(super) fn renew(&mut self, machine: &Machine, interface: &str) -> Result<(), DemoError> {
        match &self.child {
            Some(child) => signal(child, Signal::USR1),
            None => self.own(machine, interface, "--renew"),
        }
    }

    fn own(&self, machine: &Machine, interface: &str, task: &str) -> Result<(), DemoError> {
        let own = std::env::current_exe().map_err(|error| DemoError::Io("our program", error))?;
        let mut command = machine.command(&own.to_string_lossy())?;
        command.args(["probe", "--interface", interface, task]);
        if task == "--renew" {
            command.arg("67.9.97.254");
        }
        let status = command.stdout(Stdio::null()).status();
        let status = status.map_err(|error| DemoError::Program("nsenter", error))?;
        if !status.success() {
            return Err(DemoError::Command(format!("leasehold probe {task}"), status));
        }
        let mut ip = machine.command("ip")?;
        ip.args(["addr", "replace", "67.9.97.254/24", "dev", interface]);
        let status = ip.status().map_err(|error| DemoError::Program("ip", error))?;
        if status.success() { Ok(()) } else { Err(DemoError::Command("ip addr".into(), status)) }
    }
}

fn busybox_has_udhcpc() -> bool {
    let list = Command::new("busybox").arg("--list").output();
    list.is_ok_and(|list| list.stdout.split(|octet| *octet == b'\n').any(|it| it == b"udhcpc"))
}
