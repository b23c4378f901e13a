//! The laboratory itself, because every other test believes it.

use crate::lab::frame::Checksum;
use crate::lab::{Client, Envelope, Lab, Process, Tap, kind};

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
    let forgotten = machine.run("sh", &["-c", "sleep 1000 >/dev/null 2>&1 & echo $!"]);
    let mut command = machine.command("sleep");
    command.arg("1000");
    let kept = Process::start(command);
    let runs = |id: &str| std::fs::read_link(format!("/proc/{id}/exe")).is_ok();
    let (forgotten, id) = (forgotten.trim(), kept.id().to_string());
    assert!(runs(forgotten) && runs(&id));
    let file = lab.write("file", "text");
    drop(lab);
    assert!(!runs(forgotten) && !runs(&id), "a process outlived its laboratory");
    assert!(!file.exists());
}
