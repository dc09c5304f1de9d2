//! Shared memory with events of Windows: counters in the memory say how much there is, and an event
//! wakes the side that waits.

#![allow(unsafe_code, reason = "calls of Win32")]

use std::io;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
use std::path::Path;
use std::ptr;
use std::sync::atomic::{AtomicU64, Ordering};

use shmkit::Region;
use windows_sys::Win32::Foundation::WAIT_OBJECT_0;
use windows_sys::Win32::System::Threading::{
    CreateEventW, INFINITE, SetEvent, WaitForSingleObject,
};

use super::super::mechanism::{Cannot, Family, Mechanism, Prepared};
use super::super::system;
use super::super::worker::{Part, Worker};
use super::ring::{self, HEAD, Rings, Wakes};

pub(super) const MECHANISM: Mechanism = Mechanism {
    name: "memory-event",
    title: "shared memory, event",
    family: Family::SharedMemory,
    keeps_all: true,
    prepare,
    run,
};

/// Filled and free slots of the ring there, then of the ring back.
const EVENTS: usize = 4;
/// The bytes from one counter to the next, in cache lines of their own.
const STRIDE: usize = 128;
const _: () = assert!(EVENTS * STRIDE <= HEAD);

fn prepare(directory: &Path, size: usize) -> Result<Prepared, Cannot> {
    ring::create(directory, size)?;
    let mut prepared = Prepared::default();
    for _ in 0..EVENTS {
        // SAFETY: an event without a name, with the default attributes. One wait resets it.
        let event = unsafe { CreateEventW(ptr::null(), 0, 0, ptr::null()) };
        if event.is_null() {
            return Err(io::Error::last_os_error().into());
        }
        // SAFETY: the call has opened it for this caller only.
        let event = unsafe { OwnedHandle::from_raw_handle(event) };
        prepared.ends.push(system::inheritable(&event)?);
        prepared.keep.push(Box::new(event));
    }
    Ok(prepared)
}

/// A counter in the memory, and the event that tells of its changes.
struct Counter {
    number: usize,
    event: OwnedHandle,
    /// How much of it was taken.
    taken: u64,
}

struct Counters {
    /// Of the same memory as the ring's.
    region: Region,
    filled_to: Counter,
    free_to: Counter,
    filled_from: Counter,
    free_from: Counter,
}

fn run(worker: &Worker) -> anyhow::Result<()> {
    worker.run(|worker| {
        let own = match worker.part() {
            Part::First => [0, 1, 2, 3],
            Part::Second => [2, 3, 0, 1],
        };
        let counter = |number: usize| -> anyhow::Result<_> {
            let event = system::inherited(&worker.ends()[number])?.into();
            Ok(Counter { number, event, taken: 0 })
        };
        let [filled_to, free_to, filled_from, free_from] = own;
        let counters = Counters {
            region: ring::open(worker)?,
            filled_to: counter(filled_to)?,
            free_to: counter(free_to)?,
            filled_from: counter(filled_from)?,
            free_from: counter(free_from)?,
        };
        Ok(Rings::new(ring::open(worker)?, worker, counters))
    })
}

impl Counter {
    fn word<'a>(&self, region: &'a Region) -> anyhow::Result<&'a AtomicU64> {
        Ok(&region.words(self.number * STRIDE, 1)?[0])
    }

    fn add(&self, region: &Region) -> anyhow::Result<()> {
        // ORDERING: Release; pairs with the Acquire in `take` of the other side.
        self.word(region)?.fetch_add(1, Ordering::Release);
        // SAFETY: the handle is open.
        match unsafe { SetEvent(self.event.as_raw_handle()) } {
            0 => Err(io::Error::last_os_error().into()),
            _ => Ok(()),
        }
    }

    fn take(&mut self, region: &Region) -> anyhow::Result<()> {
        // ORDERING: Acquire; pairs with the Release in `add` of the other side.
        while self.word(region)?.load(Ordering::Acquire) <= self.taken {
            // SAFETY: the handle is open.
            if unsafe { WaitForSingleObject(self.event.as_raw_handle(), INFINITE) } != WAIT_OBJECT_0
            {
                return Err(io::Error::last_os_error().into());
            }
        }
        self.taken += 1;
        Ok(())
    }
}

impl Wakes for Counters {
    fn tell_filled(&mut self) -> anyhow::Result<()> {
        self.filled_to.add(&self.region)
    }

    fn await_filled(&mut self) -> anyhow::Result<()> {
        self.filled_from.take(&self.region)
    }

    fn tell_free(&mut self) -> anyhow::Result<()> {
        self.free_from.add(&self.region)
    }

    fn await_free(&mut self) -> anyhow::Result<()> {
        self.free_to.take(&self.region)
    }
}
