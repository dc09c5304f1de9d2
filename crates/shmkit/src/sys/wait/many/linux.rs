//! `futex_waitv`, on shared futexes.

#![allow(unsafe_code, reason = "a system call that no library wraps")]

use core::ptr;
use core::sync::atomic::AtomicU64;
use std::io;
use std::time::Instant;

use rustix::thread::{ClockId, Timespec};
use rustix::time::clock_gettime;

use super::slices::Slices;
use crate::sys::wait::WaitOutcome;

/// How many words a thread sleeps on at most: the kernel's `FUTEX_WAITV_MAX`.
pub(crate) const MOST: usize = 128;

/// A futex of 32 bits that other processes use, too: `FUTEX2_SIZE_U32`.
const SHARED_U32: u32 = 2;

/// The kernel's `struct futex_waitv`.
#[repr(C)]
struct Waiter {
    value: u64,
    address: u64,
    flags: u32,
    reserved: u32,
}

const _: () = assert!(size_of::<Waiter>() == 24);

/// Sleeps on many words.
pub(crate) struct Many {
    waiters: Vec<Waiter>,
    slices: Slices,
}

impl Many {
    pub(crate) fn new() -> Self {
        Self { waiters: Vec::new(), slices: Slices::new() }
    }

    /// Sleeps while the low half of each word equals that of its value, until woken or until
    /// `until`. A read-only mapping is enough.
    ///
    /// If the system refuses that, a wake of any but the first word is found after 5 ms.
    ///
    /// # Panics
    /// If there are more than [`MOST`].
    pub(crate) fn wait(
        &mut self,
        words: &[(&AtomicU64, u64)],
        until: Option<Instant>,
    ) -> WaitOutcome {
        assert!(words.len() <= MOST, "{} words", words.len());
        let end = match until.map(|until| until.saturating_duration_since(Instant::now())) {
            Some(left) if left.is_zero() => return WaitOutcome::TimedOut,
            // A time limit that the clock cannot represent counts as no limit.
            Some(left) => Timespec::try_from(left)
                .ok()
                .and_then(|left| clock_gettime(ClockId::Monotonic).checked_add(left)),
            None => None,
        };
        self.waiters.clear();
        self.waiters.extend(words.iter().map(|(word, expected)| Waiter {
            value: u64::from(*expected as u32),
            address: word.as_ptr().addr() as u64,
            flags: SHARED_U32,
            reserved: 0,
        }));
        match self.sleep(end.as_ref()) {
            Ok(()) => WaitOutcome::Woken,
            Err(libc::EAGAIN) => WaitOutcome::Changed,
            Err(libc::ETIMEDOUT) => WaitOutcome::TimedOut,
            Err(libc::EINTR) => WaitOutcome::Interrupted,
            // An older system, or a sandbox that does not know the call.
            Err(_) => self.slices.wait(words, until),
        }
    }

    fn sleep(&self, end: Option<&Timespec>) -> Result<(), i32> {
        const { assert!(cfg!(target_endian = "little"), "the low half comes first") };
        let end = end.map_or(ptr::null(), ptr::from_ref);
        // SAFETY: the list and the time live during the call. The words live as long as their
        // borrows; only the kernel accesses their halves, and only by atomic loads.
        let answer = unsafe {
            libc::syscall(
                libc::SYS_futex_waitv,
                self.waiters.as_ptr(),
                self.waiters.len() as libc::c_uint,
                0 as libc::c_uint,
                end,
                libc::CLOCK_MONOTONIC,
            )
        };
        match answer {
            -1 => Err(io::Error::last_os_error().raw_os_error().unwrap_or(0)),
            _ => Ok(()),
        }
    }
}
