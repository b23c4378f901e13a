//! The network's ways in: what clients' parsers rely on, what is heard as it happens, and what
//! strangers can do without anybody noticing.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod lab;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use lab::{PATIENCE, Scene, eventually};
use leasehold_routeros::syntax::sentence::{self, Limits};

const USER: &str = "ann";
const PASSWORD: &str = "correct horse";

fn served() -> Scene {
    let scene = Scene::new();
    scene.server.ask(&format!("/user add name={USER} group=full password=\"{PASSWORD}\""));
    for service in ["www", "api"] {
        scene.server.ask(&format!("/ip service set {service} disabled=no"));
        scene.server.logged(&[&format!("service {service} listens")]);
    }
    scene
}

/// A connection to a port of the server's machine.
fn connect(scene: &Scene, port: u16) -> TcpStream {
    let stream = scene.server.machine().inside(|| TcpStream::connect(("127.0.0.1", port)).unwrap());
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// A client of the binary API.
struct Api {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Api {
    fn stranger(scene: &Scene) -> Self {
        Self { stream: connect(scene, 8728), buffer: Vec::new() }
    }

    fn user(scene: &Scene) -> Self {
        let mut api = Self::stranger(scene);
        let (name, password) = (format!("=name={USER}"), format!("=password={PASSWORD}"));
        assert_eq!(api.ask(&["/login", &name, &password]), [["!done"]]);
        api
    }

    fn say(&mut self, words: &[&str]) {
        let mut buffer = Vec::new();
        sentence::write(&mut buffer, words.iter().copied());
        self.stream.write_all(&buffer).unwrap();
    }

    /// The next sentence; `None` if the server has closed the connection.
    fn hear(&mut self) -> Option<Vec<String>> {
        loop {
            if let Some((words, length)) = sentence::read(&self.buffer, Limits::USER).unwrap() {
                self.buffer.drain(..length);
                return Some(words);
            }
            let mut octets = [0; 4096];
            match self.stream.read(&mut octets).unwrap() {
                0 => return None,
                length => self.buffer.extend_from_slice(&octets[..length]),
            }
        }
    }

    /// All that is said to a sentence, up to its `!done` or `!fatal`.
    fn ask(&mut self, words: &[&str]) -> Vec<Vec<String>> {
        self.say(words);
        let mut said = Vec::new();
        while said
            .last()
            .is_none_or(|words: &Vec<String>| !matches!(words[0].as_str(), "!done" | "!fatal"))
        {
            said.push(self.hear().expect("an answer"));
        }
        said
    }
}

#[test]
fn a_stranger_has_to_log_in_and_learns_nothing() {
    let scene = served();
    let mut api = Api::stranger(&scene);
    let wrong = [vec!["!trap", "=message=invalid user name or password (6)"], vec!["!done"]];
    for login in [["=name=ann", "=password=x"], ["=name=nobody", "=password=correct horse"]] {
        assert_eq!(api.ask(&["/login", login[0], login[1]]), wrong);
    }
    let old = api.ask(&["/login", ".tag=7"]);
    assert_eq!(old[0][..2], ["!trap", ".tag=7"]);
    assert!(old[0][2].contains("challenge login"), "{old:?}");
    assert_eq!(old[1], ["!done", ".tag=7"]);
    assert_eq!(api.ask(&["/ip/pool/print"]), [["!fatal", "not logged in"]]);
    assert_eq!(api.hear(), None, "and is let go");
    scene.server.logged(&["login failure for user nobody from 127.0.0.1 via api"]);
    let mut api = Api::user(&scene);
    let active = api.ask(&["/user/active/print"]);
    assert!(active[0].contains(&"=name=ann".into()), "{active:?}");
    assert!(active[0].contains(&"=via=api".into()), "{active:?}");
    let users = api.ask(&["/user/print"]).concat().join(" ");
    assert!(users.contains("=name=ann") && !users.contains("argon2"), "{users}");
}

#[test]
fn sentences_are_as_clients_parsers_want_them() {
    let scene = served();
    let mut api = Api::user(&scene);
    let made = api.ask(&["/ip/pool/add", ".tag=1", "=name=p", "=ranges=10.0.0.1"]);
    assert_eq!(made[0][..2], ["!done", ".tag=1"], "the tag comes first");
    assert!(made[0][2].starts_with("=ret=*"), "{made:?}");
    let again = api.ask(&["/ip/pool/add", "=name=p", "=ranges=10.0.0.1", ".tag=2"]);
    let failure = "=message=failure: pool with such name exists";
    assert_eq!(again, [vec!["!trap", ".tag=2", failure], vec!["!done", ".tag=2"]]);
    let range = api.ask(&["/ip/dhcp-server/option/add", "=name=o", "=code=0", "=value='x'"]);
    let out = "=message=value of code out of range (1..254)";
    assert_eq!(range[0], ["!trap", "=category=1", out], "category first, nothing else");
    let none = api.ask(&["/ip/pool/print", "?name=nobody"]);
    assert_eq!(none, [["!done"]], "no !empty");
    let count = api.ask(&["/ip/pool/print", "?name=p", "=count-only", "=detail", ".tag=3"]);
    assert_eq!(count, [["!done", ".tag=3", "=ret=1"]], "attributes after queries, and without `=`");
    let unknown = api.ask(&["#", ".tag=4"]);
    assert_eq!(unknown.last().unwrap(), &["!done", ".tag=4"], "a keep-alive");
    assert!(api.ask(&["/ipv6/pool/print"])[0].concat().contains("no such command prefix"));
    for query in ["?=disabled=no", "?disabled=false"] {
        let servers = api.ask(&["/ip/dhcp-server/print", query, ".proplist=name,disabled"]);
        assert!(servers[0].contains(&"=disabled=false".into()), "{servers:?}");
    }
    api.ask(&["/ip/pool/set", "=numbers=p", "=comment=ä=b", "=!next-pool="]);
    let set = api.ask(&["/ip/pool/getall", "?>comment=", "?name=p"]);
    assert!(set[0].contains(&"=comment=ä=b".into()), "{set:?}");
    api.ask(&["/ip/pool/set", "=.id=p", "=comment"]);
    let cleared = api.ask(&["/ip/pool/print", "?name=p"]);
    assert!(!cleared[0].iter().any(|word| word.starts_with("=comment=")), "{cleared:?}");
    api.ask(&["/ip/pool/remove", "=.id=p"]);
    assert_eq!(api.ask(&["/quit"])[0][0], "!fatal");
    assert_eq!(api.hear(), None);
}

#[test]
fn cancel_ends_what_has_a_tag_and_what_has_none() {
    let scene = served();
    let mut api = Api::user(&scene);
    let interrupted = |tag: &[&str]| {
        let mut words = vec!["!trap"];
        words.extend(tag);
        words.extend(["=category=2", "=message=interrupted"]);
        words.into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    // With its own tag, as mikrotik-rs does.
    api.say(&["/ip/pool/listen", ".tag=5"]);
    api.say(&["/cancel", "=tag=5", ".tag=5"]);
    assert_eq!(api.hear().unwrap(), interrupted(&[".tag=5"]));
    assert_eq!(api.hear().unwrap(), ["!done", ".tag=5"]);
    assert_eq!(api.hear().unwrap(), ["!done", ".tag=5"]);
    // Without a tag, all: also what has none itself.
    api.say(&["/ip/pool/listen"]);
    api.say(&["/cancel", ".tag=6"]);
    assert_eq!(api.hear().unwrap(), interrupted(&[]));
    assert_eq!(api.hear().unwrap(), ["!done"]);
    assert_eq!(api.hear().unwrap(), ["!done", ".tag=6"]);
    assert_eq!(api.ask(&["/cancel"]), [["!done"]], "nothing runs");
    assert_eq!(api.ask(&["/ip/pool/print", "?name=none"]), [["!done"]]);
}

#[test]
fn leases_are_heard_as_they_happen() {
    let scene = served();
    let mut api = Api::user(&scene);
    api.say(&["/ip/dhcp-server/lease/listen", ".tag=9", "=.proplist=address,status,mac-address"]);
    std::thread::sleep(Duration::from_millis(500));
    let client = scene.client(1);
    let address = client.lease().yiaddr();
    let heard = api.hear().unwrap();
    assert_eq!(heard[..2], ["!re", ".tag=9"]);
    assert!(heard.contains(&format!("=address={address}")), "{heard:?}");
    assert!(heard.contains(&"=status=bound".into()), "{heard:?}");
    let id = heard.iter().find(|word| word.starts_with("=.id=")).unwrap().clone();
    client.broadcast(&client.release(address, lab::scene::SERVER));
    let gone = api.hear().unwrap();
    assert_eq!(gone, ["!re", ".tag=9", "=.dead=yes", &id]);
    // The witness's lease is configured: its row goes on.
    scene.assert_serving();
    let witness = api.hear().unwrap().join(" ");
    assert!(witness.contains("=address=67.9.97.9") && !witness.contains(".dead"), "{witness}");
}

#[test]
fn hostile_connections_take_no_memory_and_delay_no_lease() {
    let mut scene = served();
    let _ = Api::user(&scene).ask(&["/ip/pool/print"]);
    let before = scene.server.resident();
    // 200 that say an octet now and then; those above the limit of one source are let go at once.
    let slow: Vec<TcpStream> = (0..200)
        .map(|n| {
            let mut stream = connect(&scene, if n % 2 == 0 { 80 } else { 8728 });
            let _ = stream.write_all(if n % 2 == 0 { b"G" } else { b"\x06" });
            stream
        })
        .collect();
    scene.assert_serving();
    drop(slow);
    // A word of 2^28 octets is refused by its length.
    eventually("there is a place again", || {
        let mut long = connect(&scene, 8728);
        long.write_all(&[0xf0, 0x10, 0, 0, 0]).unwrap();
        let mut said = Vec::new();
        long.read_to_end(&mut said).is_ok()
            && String::from_utf8_lossy(&said).contains("sentence is too long")
    });
    // A body of a GiB, and JSON that is nested 100,000 deep.
    let head = |length: usize, password: &str| {
        use base64::Engine;
        let credentials = base64::prelude::BASE64_STANDARD.encode(format!("{USER}:{password}"));
        format!(
            "PUT /rest/ip/pool HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\
             Authorization: Basic {credentials}\r\nContent-Length: {length}\r\n\r\n"
        )
    };
    let status = |head: String, body: &[u8]| {
        let mut http = connect(&scene, 80);
        let _ = http.write_all(head.as_bytes()).and_then(|()| http.write_all(body));
        let mut said = vec![0; 12];
        http.read_exact(&mut said).unwrap();
        String::from_utf8(said).unwrap()
    };
    assert_eq!(status(head(1 << 30, "wrong"), &[b'['; 1000]), "HTTP/1.1 401");
    assert_eq!(status(head(1 << 30, PASSWORD), &[b'['; 1000]), "HTTP/1.1 413");
    assert_eq!(status(head(100_000, PASSWORD), &[b'['; 100_000]), "HTTP/1.1 400");
    // 10,000 wrong logins: most of them are refused unseen.
    let mut guesser = Api::stranger(&scene);
    for n in 0..10_000 {
        let password = format!("=password={n}");
        let said = guesser.ask(&["/login", "=name=ann", &password]);
        assert_eq!(said[0].last().unwrap(), "=message=invalid user name or password (6)");
        if n % 1000 == 0 {
            guesser = Api::stranger(&scene);
        }
    }
    scene.assert_serving();
    scene.server.assert_alive();
    let after = scene.server.resident();
    assert!(after < before + (48 << 10), "memory went from {before} to {after} KiB");
}

/// The record of a TLS client that offers one version and these suites.
fn client_hello(version: [u8; 2], suites: &[[u8; 2]]) -> Vec<u8> {
    let sized = |octets: &[u8]| [&(octets.len() as u16).to_be_bytes(), octets].concat();
    // P-256 and uncompressed points; ECDSA and RSA signatures.
    let groups = [&[0, 10][..], &sized(&sized(&[0, 23]))].concat();
    let points = [&[0, 11][..], &sized(&[1, 0])].concat();
    let signatures = [&[0, 13][..], &sized(&sized(&[4, 3, 8, 4, 4, 1]))].concat();
    let extensions = sized(&[groups, points, signatures].concat());
    let suites = sized(suites.as_flattened());
    let body = [&version[..], &[7; 32], &[0], &suites, &[1, 0], &extensions].concat();
    let handshake = [&[1, 0][..], &sized(&body)].concat();
    [&[22, 3, 1][..], &sized(&handshake)].concat()
}

#[test]
fn old_tls_and_suites_without_forward_secrecy_are_refused() {
    const HANDSHAKE: u8 = 22;
    const ALERT: u8 = 21;
    let scene = Scene::new();
    let rest = lab::Rest::set_up(&scene, USER, PASSWORD);
    let answer = |version, suites: &[[u8; 2]]| {
        let mut stream = connect(&scene, 443);
        stream.write_all(&client_hello(version, suites)).unwrap();
        let mut answer = [0; 7];
        stream.read_exact(&mut answer).unwrap();
        (answer[0], answer[6])
    };
    // ECDHE with AES-GCM, which is spoken, also with TLS 1.2.
    let modern = [[0xc0, 0x2b], [0xc0, 0x2f]];
    assert_eq!(answer([3, 3], &modern).0, HANDSHAKE);
    // protocol_version, for TLS 1.0 and 1.1.
    for version in [[3, 1], [3, 2]] {
        assert_eq!(answer(version, &modern), (ALERT, 70));
    }
    // handshake_failure: key exchange by RSA, CBC, RC4, 3DES.
    for old in [[0x00, 0x9c], [0x00, 0x2f], [0xc0, 0x13], [0x00, 0x05], [0x00, 0x0a]] {
        assert_eq!(answer([3, 3], &[old]), (ALERT, 40), "{old:x?}");
    }
    assert_eq!(rest.call("GET", "/system/identity", "").0, 200);
}
