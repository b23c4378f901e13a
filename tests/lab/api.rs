//! A client of the binary API on the server's unix socket: sentences out, rows and traps in.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use leasehold_routeros::syntax::sentence::{self, Limits};

use super::{PATIENCE, Scene};

/// A row: names and texts.
pub type Row = BTreeMap<String, String>;

/// A connection.
pub struct Api {
    stream: UnixStream,
    buffer: Vec<u8>,
}

/// What a command said.
#[derive(Debug, Default)]
pub struct Said {
    pub rows: Vec<Row>,
    pub trap: Option<String>,
    pub ret: Option<String>,
}

impl Api {
    pub fn connect(scene: &Scene) -> Self {
        let stream = UnixStream::connect(scene.server.state().join("leasehold.sock")).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { stream, buffer: Vec::new() }
    }

    /// Sends a sentence.
    pub fn send(&mut self, words: &[&str]) {
        let mut octets = Vec::new();
        for word in words {
            let length = u16::try_from(word.len()).unwrap();
            match length {
                0..0x80 => octets.push(length as u8),
                _ => octets.extend((length | 0x8000).to_be_bytes()),
            }
            octets.extend(word.as_bytes());
        }
        octets.push(0);
        self.stream.write_all(&octets).unwrap();
    }

    /// The next sentence; `None` if none comes for so long.
    pub fn next(&mut self, patience: Duration) -> Option<Vec<String>> {
        self.stream.set_read_timeout(Some(patience)).unwrap();
        loop {
            let read = sentence::read(&self.buffer, Limits::USER).unwrap();
            if let Some((words, length)) = read {
                self.buffer.drain(..length);
                return Some(words);
            }
            let mut octets = [0; 1 << 16];
            match self.stream.read(&mut octets) {
                Ok(0) => panic!("the server ended the connection"),
                Ok(length) => self.buffer.extend_from_slice(&octets[..length]),
                Err(_) => return None,
            }
        }
    }

    /// Everything that a command says.
    pub fn run(&mut self, words: &[&str]) -> Said {
        self.send(words);
        let mut said = Said::default();
        loop {
            let reply = self.next(PATIENCE).expect("an answer in time");
            let row = row(&reply);
            match reply[0].as_str() {
                "!re" => said.rows.push(row),
                "!trap" => said.trap = row.get("message").cloned(),
                "!done" => {
                    said.ret = row.get("ret").cloned();
                    return said;
                }
                other => panic!("{other} {reply:?}"),
            }
        }
    }

    pub fn rows(&mut self, words: &[&str]) -> Vec<Row> {
        let said = self.run(words);
        assert_eq!(said.trap, None, "{words:?}");
        said.rows
    }

    pub fn done(&mut self, words: &[&str]) -> Option<String> {
        let said = self.run(words);
        assert_eq!(said.trap, None, "{words:?}");
        said.ret
    }

    pub fn trap(&mut self, words: &[&str]) -> String {
        self.run(words).trap.unwrap_or_else(|| panic!("{words:?} was carried out"))
    }
}

/// Names and texts of a reply's words.
pub fn row(words: &[String]) -> Row {
    let pairs = words.iter().filter_map(|word| word.strip_prefix('=')?.split_once('='));
    pairs.map(|(name, text)| (name.into(), text.into())).collect()
}
