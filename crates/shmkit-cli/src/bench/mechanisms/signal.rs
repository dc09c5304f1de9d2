//! Shared memory with real-time signals: `sigqueue` and `sigwaitinfo`.

#![allow(unsafe_code, reason = "calls that only libc has")]

use std::io;
use std::mem::{self, MaybeUninit};
use std::path::Path;
use std::ptr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::bail;

use super::super::mechanism::{Cannot, Family, Mechanism, Prepared};
use super::super::worker::{PATIENCE, Part, Worker};
use super::ring::{self, Rings, Wakes};

pub(super) const MECHANISM: Mechanism = Mechanism {
    name: "memory-signal",
    title: "shared memory, sigqueue",
    family: Family::SharedMemory,
    keeps_all: true,
    prepare,
    run,
};

fn prepare(directory: &Path, size: usize) -> Result<Prepared, Cannot> {
    ring::create(directory, size)?;
    Ok(Prepared::default())
}

/// The process that gets the signals. Each process gets one for a filled slot in the ring to it,
/// and another one for a free slot in the ring from it.
struct Signals {
    other: libc::pid_t,
    filled: libc::c_int,
    free: libc::c_int,
}

fn run(worker: &Worker) -> anyhow::Result<()> {
    worker.run(|worker| {
        let region = ring::open(worker)?;
        let (own, other) = match worker.part() {
            Part::First => (0, 1),
            Part::Second => (1, 0),
        };
        let ids = region.words(0, 2)?;
        // ORDERING: Relaxed; nothing else depends on it.
        ids[own].store(std::process::id().into(), Ordering::Relaxed);
        let other = await_id(&ids[other])?;
        let (filled, free) = (libc::SIGRTMIN(), libc::SIGRTMIN() + 1);
        Ok(Rings::new(region, worker, Signals { other, filled, free }))
    })
}

/// Waits until the other process has written its id.
fn await_id(id: &AtomicU64) -> anyhow::Result<libc::pid_t> {
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        // ORDERING: Relaxed; as above.
        match id.load(Ordering::Relaxed) {
            0 => thread::sleep(Duration::from_micros(100)),
            id => return Ok(libc::pid_t::try_from(id)?),
        }
    }
    bail!("the other process did not write its id")
}

impl Signals {
    fn send(&self, signal: libc::c_int) -> anyhow::Result<()> {
        // SAFETY: zeros are a valid value, which nobody reads.
        let value: libc::sigval = unsafe { mem::zeroed() };
        // SAFETY: the call takes numbers only.
        match unsafe { libc::sigqueue(self.other, signal, value) } {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error().into()),
        }
    }
}

/// Waits for a signal, which is blocked in all threads.
fn wait(signal: libc::c_int) -> anyhow::Result<()> {
    let mut set = MaybeUninit::uninit();
    // SAFETY: the call fills the set.
    unsafe { libc::sigemptyset(set.as_mut_ptr()) };
    // SAFETY: the set is filled, and the number is one of a signal.
    unsafe { libc::sigaddset(set.as_mut_ptr(), signal) };
    loop {
        // SAFETY: the set is filled; the details of the signal are not asked for.
        if unsafe { libc::sigwaitinfo(set.as_ptr(), ptr::null_mut()) } == signal {
            return Ok(());
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error.into());
        }
    }
}

impl Wakes for Signals {
    fn tell_filled(&mut self) -> anyhow::Result<()> {
        self.send(self.filled)
    }

    fn await_filled(&mut self) -> anyhow::Result<()> {
        wait(self.filled)
    }

    fn tell_free(&mut self) -> anyhow::Result<()> {
        self.send(self.free)
    }

    fn await_free(&mut self) -> anyhow::Result<()> {
        wait(self.free)
    }
}
