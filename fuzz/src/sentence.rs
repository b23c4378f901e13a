//! Sentences of the binary API, as a stranger's connection brings them: each is answered.

use leasehold_dhcp::menus;
use leasehold_routeros::Offline;
use leasehold_routeros::syntax::sentence::{self, Call, Limits, Request};

/// One input.
pub fn run(bytes: &[u8]) {
    let mut rest = bytes;
    let mut tree = menus::tree();
    while let Ok(Some((words, length))) = sentence::read(rest, Limits::USER) {
        let mut again = Vec::new();
        sentence::write(&mut again, words.iter().map(String::as_str));
        // What was no UTF-8 has become longer, and may go beyond a limit.
        if let Ok(Some((same, _))) = sentence::read(&again, Limits::USER) {
            assert_eq!(same, words);
        }
        if let Ok(Request { call: Call::Command(command), .. }) = Request::read(&words) {
            let mut reply = Vec::new();
            match tree.run(&command, &Offline) {
                Ok(outcome) => sentence::outcome(&mut reply, None, &outcome.reply),
                Err(trap) => sentence::trap(&mut reply, None, &trap),
            }
        }
        rest = &rest[length..];
    }
}
