//! The exchange on the wire: raw frames to the built daemon, and every header of what comes back.

mod lab;

use lab::frame::Checksum;
use lab::{Client, Envelope, Lab, Process, Tap, kind};

/// The laboratory itself, because every other test believes it.
mod laboratory {
    use super::*;

    #[test]
    fn hears_what_was_said() {
        let lab = Lab::new();
        let (here, there) = (lab.machine("here"), lab.machine("there"));
        lab.cable((&here, "eth0"), (&there, "eth0"));
        let (mouth, ear) = (Tap::new(&here, "eth0"), Tap::new(&there, "eth0"));
        let client = Client::new(&mouth, 1);
        let expected = [
            (Checksum::Good, Some(true)),
            (Checksum::Bad, Some(false)),
            (Checksum::Absent, None),
            (Checksum::Partial, None),
        ];
        for (checksum, good) in expected {
            let message = client.discover();
            let envelope = Envelope { checksum, ..Envelope::broadcast(client.mac()) };
            mouth.send(&envelope, &message);
            let heard = ear.expect("the message", |heard| heard.xid() == message.xid);
            assert_eq!(heard.headers.checksum_good, good, "{checksum:?}");
            assert_eq!(heard.bytes, message.bytes());
            assert!(heard.is(kind::DISCOVER));
            assert_eq!((heard.headers.source_mac, heard.headers.vlan), (client.mac(), None));
        }
        let message = client.discover();
        mouth.send(&Envelope { tag: Some(83), ..Envelope::broadcast(client.mac()) }, &message);
        let heard = ear.expect("the message", |heard| heard.xid() == message.xid);
        assert_eq!(heard.headers.vlan, Some(83));
    }

    #[test]
    fn leaves_nothing_behind() {
        let lab = Lab::new();
        let machine = lab.machine("machine");
        // A process that its parent forgot, as daemons do.
        let sleeper = machine.run("sh", &["-c", "sleep 1000 >/dev/null 2>&1 & echo $!"]);
        let running = format!("/proc/{}/exe", sleeper.trim());
        assert!(std::fs::read_link(&running).is_ok());
        let command = machine.command("sleep");
        let process = { Process::start(command_with(command, "1000")) };
        let other = format!("/proc/{}/exe", process.id());
        let directory = lab.write("file", "text");
        drop(lab);
        assert!(std::fs::read_link(&running).is_err(), "{running} lives");
        assert!(std::fs::read_link(&other).is_err(), "{other} lives");
        assert!(!directory.exists());
    }

    fn command_with(mut command: std::process::Command, word: &str) -> std::process::Command {
        command.arg(word);
        command
    }
}
