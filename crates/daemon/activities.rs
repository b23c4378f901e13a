//! Commands that go on for a while: each is a task that tells rows until it has ended or nobody
//! listens any more.

mod ping;
mod torch;

use leasehold_routeros::{Activity, Id, Live, Menu, Record, RowFault, Trap};
use tokio::sync::mpsc;

use crate::files::Files;
use crate::menus::{Chunk, FileRead, Ping, Torch};

/// Rows that wait for a slow listener; then the activity waits.
const WAITING: usize = 16;

/// Begins an activity. The last thing that it tells may be a trap; dropping the receiver ends it.
pub(crate) fn begin(activity: Activity, files: Files) -> mpsc::Receiver<Result<Record, Trap>> {
    let (rows, told) = mpsc::channel(WAITING);
    let listener = Listener { menu: activity.menu(), rows, number: 0 };
    tokio::spawn(async move {
        let refusals = listener.rows.clone();
        tokio::select! {
            // A listener who has gone may leave while nothing is told.
            () = refusals.closed() => {}
            done = carry_out(&activity, &files, listener) => {
                if let Err(trap) = done {
                    // A listener who has gone hears nothing.
                    let _ = refusals.send(Err(trap)).await;
                }
            }
        }
    });
    told
}

async fn carry_out(activity: &Activity, files: &Files, listener: Listener) -> Result<(), Trap> {
    if let Some(ping) = activity.read::<Ping>() {
        return ping::run(&ping.map_err(fault)?, listener).await;
    }
    if let Some(torch) = activity.read::<Torch>() {
        return torch::run(&torch.map_err(fault)?, listener).await;
    }
    if let Some(read) = activity.read::<FileRead>() {
        return part(&read.map_err(fault)?, files, listener).await;
    }
    Err(Trap::NoSuchCommand(activity.menu().path.into()))
}

fn fault(RowFault { property, fault }: RowFault) -> Trap {
    Trap::value(property, fault)
}

fn failed(what: &str, error: &std::io::Error) -> Trap {
    Trap::Failure(format!("{what}: {error}"))
}

/// Who hears the rows.
struct Listener {
    menu: &'static Menu,
    rows: mpsc::Sender<Result<Record, Trap>>,
    number: usize,
}

impl Listener {
    async fn tell(&mut self, row: &impl Live) {
        let record = Record::new(self.menu, Id(0), self.number, row.cells());
        self.number += 1;
        // Without a listener the task is about to end.
        let _ = self.rows.send(Ok(record)).await;
    }
}

/// `/file/read`.
async fn part(read: &FileRead, files: &Files, mut listener: Listener) -> Result<(), Trap> {
    let text = files.read(&read.file).map_err(|error| Trap::Failure(error.to_string()))?;
    let from = usize::try_from(read.offset).unwrap_or(usize::MAX).min(text.len());
    let length = usize::try_from(read.chunk_size.number()).unwrap_or(0);
    let octets = &text.as_bytes()[from..text.len().min(from + length)];
    let data = String::from_utf8_lossy(octets).into_owned();
    listener.tell(&Chunk { data: Some(data) }).await;
    Ok(())
}
