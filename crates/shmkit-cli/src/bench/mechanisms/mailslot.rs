//! Mailslots of Windows: message queues without a limit. So a sender waits after some messages
//! until the receiver says, through another mailslot, that it has received them.

#![allow(unsafe_code, reason = "calls of Win32")]

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::windows::io::{FromRawHandle, OwnedHandle};
use std::path::Path;
use std::ptr;

use windows_sys::Win32::Foundation::INVALID_HANDLE_VALUE;
use windows_sys::Win32::System::Mailslots::CreateMailslotW;

use super::super::mechanism::{Cannot, Family, Mechanism, Prepared};
use super::super::payload::WORD;
use super::super::side::Side;
use super::super::stream::Records;
use super::super::worker::Worker;
use super::named_pipe::open;
use crate::sys;

pub(super) const MECHANISM: Mechanism = Mechanism {
    name: "mailslot",
    title: "mailslot",
    family: Family::MessageQueue,
    keeps_all: true,
    prepare,
    run,
};

/// A receiver tells the sender that it has received this many more messages.
const BATCH: u64 = 16;
/// How many messages may be sent and not known to be received.
const WINDOW: u64 = 4 * BATCH;
/// The timeout of a mailslot whose reader waits as long as it takes.
const EVER: u32 = u32::MAX;

fn prepare(_directory: &Path, _size: usize) -> Result<Prepared, Cannot> {
    let unique = sys::monotonic_ns();
    let prefix = format!(r"\\.\mailslot\shm-bench-{}-{unique:x}", std::process::id());
    Ok(Prepared { ends: vec![prefix], keep: Vec::new() })
}

struct Mailslots {
    messages: Records<File, File>,
    received_by_other: File,
    received_here: File,
    sent: u64,
    received: u64,
    /// The messages that the other side is known to have received.
    known: u64,
}

fn run(worker: &Worker) -> anyhow::Result<()> {
    worker.run(|worker| {
        let prefix = &worker.ends()[0];
        let [to, from] = worker.ways();
        let reader = create(&format!("{prefix}-{from}"))?;
        let received_by_other = create(&format!("{prefix}-{to}-received"))?;
        let writer = |name: String| open(|| File::options().write(true).open(&name));
        let messages = writer(format!("{prefix}-{to}"))?;
        let received_here = writer(format!("{prefix}-{from}-received"))?;
        let messages = Records::new(reader, messages, worker.size());
        let (sent, received, known) = (0, 0, 0);
        Ok(Mailslots { messages, received_by_other, received_here, sent, received, known })
    })
}

fn create(name: &str) -> io::Result<File> {
    let name: Vec<u16> = name.encode_utf16().chain([0]).collect();
    // SAFETY: the name ends with a zero; no other attributes are asked for.
    let slot = unsafe { CreateMailslotW(name.as_ptr(), 0, EVER, ptr::null()) };
    if slot == INVALID_HANDLE_VALUE {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call has opened it for this caller only.
    Ok(unsafe { OwnedHandle::from_raw_handle(slot) }.into())
}

impl Side for Mailslots {
    fn send(&mut self, number: u64) -> anyhow::Result<()> {
        if self.sent - self.known >= WINDOW {
            self.received_by_other.read_exact(&mut [0; WORD])?;
            self.known += BATCH;
        }
        self.sent += 1;
        self.messages.send(number)
    }

    fn receive(&mut self) -> anyhow::Result<Option<u64>> {
        let number = self.messages.receive()?;
        self.received += 1;
        if self.received.is_multiple_of(BATCH) {
            self.received_here.write_all(&[0; WORD])?;
        }
        Ok(number)
    }
}
