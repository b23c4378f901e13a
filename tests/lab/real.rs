//! The real DHCP clients of Linux distributions, each with all its state in the test's directory.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions, Permissions};
use std::io::{BufRead, BufReader, Write};
use std::net::Ipv4Addr;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use super::namespace::{Lab, Namespace};
use super::process::{Lines, Process};

/// Which program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    /// ISC's, of the package isc-dhcp-client.
    Dhclient,
    /// Busybox's.
    Udhcpc,
    /// Roy Marples's, of the package dhcpcd-base.
    Dhcpcd,
}

/// One DHCP client on one interface of a machine.
pub struct RealClient {
    program: Program,
    machine: Namespace,
    interface: String,
    directory: PathBuf,
    process: Option<Process>,
    events: Arc<Lines>,
    seen: usize,
    /// Lines for its configuration (dhclient, dhcpcd) or words for its command line (udhcpc).
    pub settings: Vec<String>,
}

/// What a client told its script: why, and the environment that it gave.
#[derive(Debug)]
pub struct Event {
    pub reason: String,
    pub variables: BTreeMap<String, String>,
}

/// A line of the pipe that ends an event, and one that ends the reader.
const END_OF_EVENT: &str = "===";
const END_OF_PIPE: &str = "=====";

impl RealClient {
    /// A client that is not yet running.
    pub fn prepare(lab: &Lab, program: Program, machine: &Namespace, interface: &str) -> Self {
        let directory = lab.file(&format!("{}-{program:?}-{interface}", machine.label()));
        fs::create_dir_all(directory.join("database")).unwrap();
        let client = Self {
            program,
            machine: machine.clone(),
            interface: interface.to_owned(),
            events: follow(&directory.join("events")),
            directory,
            process: None,
            seen: 0,
            settings: Vec::new(),
        };
        let path = "#!/bin/sh\nPATH=/usr/sbin:/sbin:/usr/bin:/bin";
        let tell = format!("{{ env; echo {END_OF_EVENT}; }} >>\"${{0%/*}}/events\"");
        client.write("script", &format!("{path}\n{}\n{tell}\n", duties(program)));
        fs::set_permissions(client.file("script"), Permissions::from_mode(0o755)).unwrap();
        client
    }

    /// A running client.
    pub fn run(lab: &Lab, program: Program, machine: &Namespace, interface: &str) -> Self {
        let mut client = Self::prepare(lab, program, machine, interface);
        client.start();
        client
    }

    /// Starts it with whatever its database holds.
    pub fn start(&mut self) {
        assert!(self.process.is_none(), "already running");
        let command = match self.program {
            Program::Dhclient => self.dhclient(&["-d", "-v"]),
            Program::Udhcpc => self.udhcpc(),
            Program::Dhcpcd => self.dhcpcd(),
        };
        self.process = Some(Process::start(command));
    }

    /// Ends it without a word to the server, as when the machine loses power; the interface
    /// loses its address as well.
    pub fn power_off(&mut self) {
        self.process.take().expect("the client runs").kill();
        self.machine.ip(&format!("address flush dev {}", self.interface));
    }

    /// Has it give up its lease.
    pub fn release(&mut self) {
        let process = self.process.as_ref().expect("the client runs");
        match self.program {
            Program::Dhclient => {
                let output = self.dhclient(&["-r"]).output().unwrap();
                assert!(output.status.success(), "{output:?}");
            }
            Program::Udhcpc => process.signal(libc::SIGUSR2),
            Program::Dhcpcd => process.signal(libc::SIGALRM),
        }
    }

    /// The next event of one of these reasons, skipping others.
    pub fn event(&mut self, patience: Duration, reasons: &[&str]) -> Event {
        let fits = |text: &str| reasons.contains(&Event::parse(text).reason.as_str());
        let found = self.events.wait(self.seen, patience, fits);
        let (number, text) = found.unwrap_or_else(|| {
            let said = self.process.as_ref().map(|process| process.output().text());
            panic!(
                "{:?}: none of {reasons:?}; events:\n{}\noutput:\n{}",
                self.program,
                self.events.text(),
                said.unwrap_or_default(),
            )
        });
        self.seen = number + 1;
        Event::parse(&text)
    }

    /// The next time that it has a lease from nothing, by whatever word it uses.
    pub fn bound(&mut self, patience: Duration) -> Event {
        self.event(patience, &["BOUND", "REBOOT", "bound"])
    }

    /// The next time that its lease is prolonged, by whatever word it uses.
    pub fn prolonged(&mut self, patience: Duration) -> Event {
        self.event(patience, &["RENEW", "REBIND", "renew"])
    }

    pub fn process(&self) -> &Process {
        self.process.as_ref().expect("the client runs")
    }

    pub fn machine(&self) -> &Namespace {
        &self.machine
    }

    fn dhclient(&self, words: &[&str]) -> Command {
        // A copy, because AppArmor confines the installed program to its usual directories. Not
        // made by this process: a descriptor open for writing would be inherited by what other
        // threads start meanwhile, and nobody can run a file that is open for writing.
        let program = self.file("dhclient");
        if !program.exists() {
            let installed =
                if fs::exists("/sbin/dhclient").unwrap() { "/sbin" } else { "/usr/sbin" };
            let copy = (format!("{installed}/dhclient"), program.to_str().unwrap());
            self.machine.run("cp", &[&copy.0, copy.1]);
        }
        let patient = "timeout 30; retry 1; reboot 3; initial-interval 1; backoff-cutoff 2;\n";
        self.write("dhclient.conf", &format!("{patient}{}\n", self.settings.join("\n")));
        let mut command = self.machine.command(program);
        command.arg("-4").args(words);
        command.arg("-sf").arg(self.file("script"));
        command.arg("-cf").arg(self.file("dhclient.conf"));
        command.arg("-lf").arg(self.file("database/leases"));
        command.arg("-pf").arg(self.file("pid"));
        command.arg(&self.interface);
        self.with_environment(command)
    }

    fn udhcpc(&self) -> Command {
        let mut command = self.machine.command("busybox");
        command.args(["udhcpc", "-f", "-t", "10", "-T", "1", "-A", "1", "-i", &self.interface]);
        command.arg("-s").arg(self.file("script"));
        command.args(self.settings.iter().flat_map(|words| words.split_whitespace()));
        self.with_environment(command)
    }

    /// dhcpcd keeps its database and sockets at fixed places: it gets a view of the file system in
    /// which those are the test's own.
    fn dhcpcd(&self) -> Command {
        let quiet = "nodelay\nnoipv4ll\nipv4only\nnodev\nnohook resolv.conf hostname\n\
                     option domain_name_servers, domain_name, domain_search, host_name\n\
                     option classless_static_routes, interface_mtu, ntp_servers\n";
        self.write("dhcpcd.conf", &format!("{quiet}{}\n", self.settings.join("\n")));
        let view = "set -e
            mount -t sysfs sysfs /sys
            mount -t tmpfs tmpfs /run
            mkdir -p /var/lib/dhcpcd /run/dhcpcd
            mount --bind \"$DIRECTORY/database\" /var/lib/dhcpcd
            cd \"$DIRECTORY\"
            exec dhcpcd -4 -B -d -f \"$PWD/dhcpcd.conf\" -c \"$PWD/script\" \"$INTERFACE\"";
        let mut command = self.machine.command("unshare");
        command.args(["--mount", "--propagation", "private", "sh", "-c", view]);
        self.with_environment(command)
    }

    /// Nothing of the test's own environment; the script finds its pipe beside itself.
    fn with_environment(&self, mut command: Command) -> Command {
        command.env_clear().env("PATH", "/usr/sbin:/sbin:/usr/bin:/bin");
        command.env("DIRECTORY", &self.directory).env("INTERFACE", &self.interface);
        command.current_dir(&self.directory);
        command
    }

    fn file(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.file(name), text).unwrap();
    }
}

impl Drop for RealClient {
    fn drop(&mut self) {
        let mut pipe = OpenOptions::new();
        pipe.write(true).custom_flags(libc::O_NONBLOCK);
        if let Ok(mut pipe) = pipe.open(self.file("events")) {
            let _ = writeln!(pipe, "{END_OF_PIPE}");
        }
    }
}

impl Event {
    fn parse(text: &str) -> Self {
        let pairs = text.lines().filter_map(|line| line.split_once('='));
        let pairs = pairs.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let variables: BTreeMap<String, String> = pairs.collect();
        let reason = variables.get("reason").cloned().unwrap_or_default();
        Self { reason, variables }
    }

    /// A variable, by its name in dhclient's and dhcpcd's script (without `new_`) or in udhcpc's.
    pub fn get(&self, name: &str, udhcpc_name: &str) -> Option<&str> {
        let prefixed = self.variables.get(&format!("new_{name}"));
        prefixed.or_else(|| self.variables.get(udhcpc_name)).map(String::as_str)
    }

    pub fn address(&self) -> Ipv4Addr {
        self.get("ip_address", "ip").expect("an address").parse().unwrap()
    }
}

/// What each client's script does before it tells the test: dhclient and udhcpc leave setting the
/// address to it, dhcpcd does that itself.
fn duties(program: Program) -> &'static str {
    match program {
        Program::Dhclient => {
            r#"case "$reason" in
PREINIT) ip link set dev "$interface" up ;;
BOUND | REBOOT | RENEW | REBIND)
    ip address replace "$new_ip_address/${new_subnet_mask:-32}" dev "$interface"
    for router in $new_routers; do ip route replace default via "$router"; done ;;
EXPIRE | FAIL | RELEASE | STOP) ip address flush dev "$interface" ;;
esac"#
        }
        Program::Udhcpc => {
            r#"export reason="$1"
case "$reason" in
bound | renew)
    ip address replace "$ip/${mask:-32}" dev "$interface"
    for gateway in $router; do ip route replace default via "$gateway"; done ;;
deconfig) ip address flush dev "$interface" ;;
esac"#
        }
        Program::Dhcpcd => "",
    }
}

/// Makes a pipe and reads events from it until the client goes.
fn follow(path: &std::path::Path) -> Arc<Lines> {
    let name = std::ffi::CString::new(path.to_str().unwrap()).unwrap();
    // SAFETY: the name ends in NUL.
    assert_eq!(unsafe { libc::mkfifo(name.as_ptr(), 0o622) }, 0, "a pipe for events");
    fs::set_permissions(path, Permissions::from_mode(0o622)).unwrap();
    // Open for writing as well, so that it does not end between two events.
    let pipe = OpenOptions::new().read(true).write(true).open(path).unwrap();
    let events = Arc::new(Lines::default());
    let sink = events.clone();
    thread::spawn(move || {
        let mut event = String::new();
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            match line.as_str() {
                END_OF_PIPE => break,
                END_OF_EVENT => sink.push(std::mem::take(&mut event)),
                line => {
                    event.push_str(line);
                    event.push('\n');
                }
            }
        }
    });
    events
}
