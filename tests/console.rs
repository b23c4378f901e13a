//! `leasehold console` on a real pseudo-terminal: what a person types and sees.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod lab;

use std::fs;
use std::io::{Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use lab::scene::CONFIGURATION;
use lab::{PATIENCE, Scene, eventually};

const TAB: &str = "\t";
const ENTER: &str = "\r";
const CTRL_X: &str = "\u{18}";
const CTRL_D: &str = "\u{4}";
const CTRL_C: &str = "\u{3}";

/// A console and the terminal that it runs in.
struct Terminal {
    /// `script` makes the pseudo-terminal; its end hangs it up.
    script: Child,
    keys: Arc<Mutex<ChildStdin>>,
    seen: Arc<Mutex<String>>,
    /// What was looked at already.
    at: usize,
}

impl Terminal {
    fn new(scene: &Scene) -> Self {
        let socket = scene.server.state().join("leasehold.sock");
        let line = format!(
            "stty rows 40 cols 100; exec {} --socket {} console",
            env!("CARGO_BIN_EXE_leasehold"),
            socket.display()
        );
        let mut command = scene.server.machine().command("script");
        Self::start(command.args(["-qfec", &line, "/dev/null"]), scene)
    }

    fn start(command: &mut Command, scene: &Scene) -> Self {
        command.env("TERM", "xterm").env("USER", "admin").env("EDITOR", "").env_remove("EDITOR");
        command.env_remove("VISUAL").env("XDG_STATE_HOME", scene.lab.file("home"));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut script = command.spawn().unwrap();
        let keys = Arc::new(Mutex::new(script.stdin.take().unwrap()));
        let seen = Arc::new(Mutex::new(String::new()));
        let mut output = script.stdout.take().unwrap();
        let (answers, shown) = (keys.clone(), seen.clone());
        std::thread::spawn(move || {
            let mut octets = [0; 4096];
            while let Ok(length @ 1..) = output.read(&mut octets) {
                let text = String::from_utf8_lossy(&octets[..length]).into_owned();
                // The line editor asks where the cursor is.
                for _ in text.matches("\u{1b}[6n") {
                    let _ = answers.lock().unwrap().write_all(b"\x1b[1;1R");
                }
                shown.lock().unwrap().push_str(&text);
            }
        });
        Self { script, keys, seen, at: 0 }
    }

    fn press(&mut self, keys: &str) {
        let mut input = self.keys.lock().unwrap();
        input.write_all(keys.as_bytes()).unwrap();
        input.flush().unwrap();
    }

    /// A whole line, once the prompt is there.
    fn line(&mut self, line: &str) {
        self.press(line);
        self.press(ENTER);
    }

    /// Waits until this is seen behind what was looked at, and looks at all up to its end.
    fn sees(&mut self, text: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let seen = plain(&self.seen.lock().unwrap());
            let fresh = seen.get(self.at..).unwrap_or_default();
            if let Some(found) = fresh.find(text) {
                let end = found + text.len();
                self.at += end;
                return fresh[..end].to_owned();
            }
            assert!(Instant::now() < deadline, "no {text:?} in:\n{fresh}");
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
    }

    /// The line is cut: the terminal is gone without a word.
    fn hang_up(mut self) {
        self.script.kill().unwrap();
        self.script.wait().unwrap();
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.script.kill();
        let _ = self.script.wait();
    }
}

/// A text without the terminal's control sequences.
fn plain(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        match c {
            '\u{1b}' => match rest.next() {
                Some('[') => {
                    let _ = rest.find(|c| c.is_ascii_alphabetic() || *c == '~');
                }
                Some(']') => {
                    let _ = rest.find(|c| *c == '\u{7}' || *c == '\\');
                }
                _ => {}
            },
            '\r' => {}
            c => plain.push(c),
        }
    }
    plain
}

fn text(scene: &Scene) -> String {
    fs::read_to_string(scene.lab.file("server.toml")).unwrap()
}

#[test]
fn a_person_finds_the_way_with_tab_and_question_mark() {
    let scene = Scene::new();
    let mut terminal = Terminal::new(&scene);
    terminal.sees("[admin@");
    terminal.press("/ip po");
    terminal.press(TAB);
    terminal.sees("pool ");
    terminal.press("pr");
    terminal.press(TAB);
    terminal.sees("print ");
    terminal.press(ENTER);
    let shown = terminal.sees("245");
    assert!(shown.contains("Columns: NAME, RANGES, TOTAL, USED, AVAILABLE"), "{shown}");
    // A menu changes the prompt; names of rows come from the server.
    terminal.line("/ip dhcp-server");
    terminal.sees("] /ip/dhcp-server> ");
    terminal.press("add address-pool=is");
    terminal.press(TAB);
    terminal.sees("isp-pool");
    terminal.press(CTRL_C);
    terminal.sees("] /ip/dhcp-server> ");
    terminal.press("set dhcp-server-83 lease-time=");
    terminal.press("?");
    let help = terminal.sees("default `30m`");
    assert!(help.contains("lease-time:"), "{help}");
    terminal.press("2h");
    terminal.press(ENTER);
    terminal.sees("] /ip/dhcp-server> ");
    eventually("the lease time is set", || text(&scene).contains("lease-time = \"2h\""));
    // Numbers mean what was printed.
    terminal.line("/ip pool add name=a ranges=10.0.0.0/24");
    terminal.line("/ip pool print where name=a");
    terminal.sees("10.0.0.0/24");
    terminal.line("/ip pool remove 0");
    terminal.line("/ip pool print count-only");
    terminal.sees("\n1\n");
    terminal.line("..");
    terminal.sees("] /ip> ");
    terminal.line("/ip pool bogus");
    terminal.sees("bad command name bogus (line 1 column 10)");
    terminal.line("/quit");
    assert!(terminal.script.wait().unwrap().success());
}

#[test]
fn a_value_is_edited_and_changes_are_followed() {
    let scene = Scene::new();
    let mut terminal = Terminal::new(&scene);
    terminal.sees("[admin@");
    terminal.line("/ip pool edit isp-pool ranges");
    terminal.sees("ranges: ");
    terminal.press(",67.9.98.0/24");
    terminal.press(ENTER);
    terminal.sees("> ");
    eventually("the ranges are set", || text(&scene).contains("254,67.9.98.0/24"));
    terminal.line("/ip pool print follow where name~\"^t\"");
    terminal.sees("-- [Q quit]");
    scene.server.ask("/ip pool add name=tower ranges=10.0.0.0/24");
    terminal.sees("tower");
    scene.server.ask("/ip pool add name=other ranges=10.0.1.0/24");
    scene.server.ask("/ip pool remove tower");
    let seen = terminal.sees("removed");
    assert!(!seen.contains("other"), "{seen}");
    terminal.press("q");
    terminal.sees("> ");
    terminal.press(CTRL_D);
    assert!(terminal.script.wait().unwrap().success());
}

#[test]
fn safe_mode_undoes_everything_when_the_session_drops() {
    let scene = Scene::with(&format!("# first line\n{CONFIGURATION}"));
    let before = text(&scene);
    let mut terminal = Terminal::new(&scene);
    terminal.sees("[admin@");
    terminal.press(CTRL_X);
    terminal.sees("[Safe Mode taken]");
    terminal.sees("<SAFE> ");
    terminal.line("/ip pool add name=oops ranges=10.99.0.0/24");
    terminal.line("/ip dhcp-server remove dhcp-server-83");
    eventually("the server is gone", || !text(&scene).contains("dhcp-server-83"));
    // Another session changes something meanwhile, and may not take safe mode.
    scene.server.ask("/ip pool add name=theirs ranges=10.98.0.0/24");
    let mut other = Terminal::new(&scene);
    other.sees("[admin@");
    other.press(CTRL_X);
    other.sees("Hijacking Safe Mode from someone - unroll/release/don't take it [u/r/d]: ");
    other.line("d");
    other.sees("Safe Mode was not taken");
    terminal.hang_up();
    eventually("everything is as it was", || text(&scene) == before);
    scene.assert_serving();
    // What was undone is told and kept, also what the others did.
    scene.server.logged(&["safe mode undone", "/ip/pool", "theirs", "removed"]);
    scene.server.logged(&["3 row(s) are as they were before", "undone.toml"]);
    let undone = fs::read_to_string(scene.server.state().join("undone.toml")).unwrap();
    assert!(undone.contains("oops") && undone.contains("theirs"), "{undone}");
    let id = |name: &str| scene.server.ask(&format!(":put [/ip pool get {name} .id]"));
    scene.server.ask("/ip pool add name=next ranges=10.97.0.0/24");
    assert_eq!(id("next").trim(), "*4", "no id is given twice");
}

#[test]
fn safe_mode_is_released_taken_over_and_survives_a_crash() {
    let mut scene = Scene::new();
    let mut terminal = Terminal::new(&scene);
    terminal.sees("[admin@");
    terminal.press(CTRL_X);
    terminal.sees("<SAFE> ");
    terminal.line("/ip pool add name=kept ranges=10.99.0.0/24");
    eventually("the pool is there", || text(&scene).contains("kept"));
    terminal.press(CTRL_X);
    terminal.sees("[Safe Mode released]");
    // Taken again, and taken over: what was done is undone at once, and its end undoes nothing.
    terminal.press(CTRL_X);
    terminal.sees("[Safe Mode taken]");
    terminal.sees("<SAFE> ");
    terminal.line("/ip pool add name=oops ranges=10.98.0.0/24");
    eventually("the pool is there", || text(&scene).contains("oops"));
    let mut other = Terminal::new(&scene);
    other.sees("[admin@");
    other.press(CTRL_X);
    other.sees("[u/r/d]: ");
    other.line("u");
    other.sees("[Safe Mode taken]");
    assert!(text(&scene).contains("kept") && !text(&scene).contains("oops"));
    terminal.hang_up();
    other.sees("<SAFE> ");
    other.line("/ip pool remove kept");
    eventually("the pool is gone", || !text(&scene).contains("kept"));
    // The server dies: its sessions have dropped.
    scene.server.kill();
    scene.server.start();
    scene.server.logged(&["the server ended in safe mode"]);
    assert!(text(&scene).contains("kept"));
    assert!(scene.server.ask("/ip pool print").contains("kept"));
}

#[test]
fn setup_asks_as_routeros_does_and_changes_all_or_nothing() {
    let scene = Scene::with("");
    let mut terminal = Terminal::new(&scene);
    terminal.sees("[admin@");
    terminal.line("/ip dhcp-server setup");
    terminal.sees("Select interface to run DHCP server on");
    for (field, offered) in [
        ("dhcp server interface: ", "ether-83"),
        ("dhcp address space: ", "67.9.97.0/24"),
        ("gateway for dhcp network: ", "67.9.97.1"),
        ("addresses to give out: ", "67.9.97.2-67.9.97.254"),
        ("send dns: ", "yes"),
    ] {
        terminal.sees(&format!("{field}{offered}"));
        assert_eq!(text(&scene), "", "nothing is changed before the last answer");
        terminal.press(ENTER);
    }
    terminal.sees("dns servers: ");
    // What is offered is replaced by what is typed.
    terminal.press("\u{15}9.9.9.9");
    terminal.press(ENTER);
    terminal.sees("lease time: 30m");
    terminal.press(ENTER);
    terminal.sees("address-pool=dhcp_pool0");
    let offer = scene.client(1).lease();
    assert_eq!(offer.yiaddr().to_string(), "67.9.97.254");
    terminal.line("/ip dhcp-server setup");
    terminal.sees("dhcp server interface: ");
    terminal.press(CTRL_C);
    terminal.sees("nothing was changed");
}

#[test]
fn a_script_from_a_pipe_has_an_honest_end() {
    let scene = Scene::new();
    let run = |lines: &str| {
        let mut command = scene.server.machine().command(env!("CARGO_BIN_EXE_leasehold"));
        command.env("LEASEHOLD_SOCKET", scene.server.state().join("leasehold.sock"));
        let mut console = command
            .arg("console")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        console.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
        let output = console.wait_with_output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    let (code, said) = run("/ip pool\nadd name=a \\\n  ranges=10.0.0.0/24\nprint count-only\n");
    assert_eq!((code, said.as_str()), (Some(0), "2\n"));
    let (code, said) = run("/ip pool add name=a ranges=x\n:put [/ip pool get a name]\n");
    assert_eq!(code, Some(1));
    assert_eq!(said, "value of range expects range of ip addresses\na\n");
    let (code, said) = run("/ip pool print detail proplist=name where name=a\n");
    assert_eq!((code, said.as_str()), (Some(0), " 0 name=\"a\"\n\n"));
}

#[test]
fn what_goes_on_is_shown_as_it_comes_until_ctrl_c() {
    let scene = Scene::new();
    let mut terminal = Terminal::new(&scene);
    terminal.sees("> ");
    terminal.line("/ping 67.9.97.1");
    terminal.sees("Columns: SEQ, HOST");
    terminal.sees(" 67.9.97.1 ");
    terminal.sees(" 67.9.97.1 ");
    terminal.press(CTRL_C);
    terminal.line("/ip pool print");
    terminal.sees("isp-pool");
}
