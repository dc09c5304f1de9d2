//! A System V message queue with two types of messages: one for each direction.

#![allow(unsafe_code, reason = "calls that only libc has")]

use std::fs;
use std::io;
use std::mem::{self, MaybeUninit};
use std::path::Path;

use anyhow::Context;

use super::super::leftovers::QUEUE_PREFIX;
use super::super::mechanism::{Cannot, Family, Mechanism, Prepared};
use super::super::payload::{self, WORD};
use super::super::side::Side;
use super::super::system;
use super::super::worker::{Part, Worker};

pub(super) const MECHANISM: Mechanism = Mechanism {
    name: "system-v-queue",
    title: "System V message queue",
    family: Family::MessageQueue,
    keeps_all: true,
    prepare,
    run,
};

fn prepare(directory: &Path, size: usize) -> Result<Prepared, Cannot> {
    let limit = largest_message()?;
    if size > limit {
        return Err(Cannot(format!("a message can have at most {limit} bytes (kernel.msgmax)")));
    }
    // SAFETY: the call takes numbers only.
    let queue = unsafe { libc::msgget(libc::IPC_PRIVATE, 0o600 | libc::IPC_CREAT) };
    if queue < 0 {
        return Err(io::Error::last_os_error().into());
    }
    let noted = fs::write(directory.join(format!("{QUEUE_PREFIX}{queue}")), "");
    if noted.is_err() {
        system::remove_queue(queue);
    }
    noted?;
    Ok(Prepared { ends: vec![queue.to_string()], keep: Vec::new() })
}

/// Returns the size of the largest message, in bytes.
fn largest_message() -> io::Result<usize> {
    let mut limits = MaybeUninit::<libc::msginfo>::zeroed();
    // SAFETY: this command fills a `msginfo`, for which there is room; it needs no queue.
    let answer = unsafe { libc::msgctl(0, libc::IPC_INFO, limits.as_mut_ptr().cast()) };
    if answer < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: zeros are a valid value, which the call has replaced.
    Ok(unsafe { limits.assume_init() }.msgmax as usize)
}

/// The words of a message after its type.
struct Queue {
    queue: i32,
    to: u64,
    from: u64,
    words: Vec<u64>,
}

fn run(worker: &Worker) -> anyhow::Result<()> {
    worker.run(|worker| {
        let queue = worker.ends()[0].parse().context("not the number of a queue")?;
        let (to, from) = match worker.part() {
            Part::First => (1, 2),
            Part::Second => (2, 1),
        };
        Ok(Queue { queue, to, from, words: vec![0; 1 + worker.size() / WORD] })
    })
}

impl Queue {
    /// Returns the bytes of a message without its type.
    fn room(&self) -> usize {
        mem::size_of_val(&self.words[1..])
    }
}

impl Side for Queue {
    fn send(&mut self, number: u64) -> anyhow::Result<()> {
        self.words[0] = self.to;
        payload::fill(&mut self.words[1..], number);
        // SAFETY: the type and the bytes of the message are words of the vector.
        while unsafe { libc::msgsnd(self.queue, self.words.as_ptr().cast(), self.room(), 0) } < 0 {
            again()?;
        }
        Ok(())
    }

    fn receive(&mut self) -> anyhow::Result<Option<u64>> {
        let (room, from) = (self.room(), self.from as libc::c_long);
        loop {
            let into = self.words.as_mut_ptr().cast();
            // SAFETY: there is room for the type and the bytes of the message.
            let read = unsafe { libc::msgrcv(self.queue, into, room, from, 0) };
            match usize::try_from(read) {
                Ok(read) => {
                    return Ok(payload::number(&self.words[1..]).filter(|_| read == room));
                }
                Err(_) => again()?,
            }
        }
    }
}

/// Returns the error of a call, unless a signal has ended it.
fn again() -> io::Result<()> {
    let error = io::Error::last_os_error();
    if error.kind() == io::ErrorKind::Interrupted { Ok(()) } else { Err(error) }
}
