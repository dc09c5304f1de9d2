//! What would end the command without words: a bus error, a file that may not grow, no memory left.

#![allow(unsafe_code, reason = "a signal handler, and the allocator")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::io;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, Ordering};

use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};
use signal_hook::consts::{SIGABRT, SIGBUS, SIGXFSZ};
use signal_hook::low_level::{exit, register};

use super::signals::is_ignored;

/// The code with which the command ends.
static CODE: AtomicU8 = AtomicU8::new(1);

/// Makes sudden ends print why, and end the command with this code. A file that may not grow gives
/// an error instead.
pub(crate) fn explain_sudden_ends(code: u8) -> io::Result<()> {
    // ORDERING: Relaxed; there is no other thread yet.
    CODE.store(code, Ordering::Relaxed);
    // No check before an access can exclude that the memory is truncated after it.
    let explain = || {
        end(b"shm: another process truncated the memory, or its file system has no space left: \
              create it again, or free space\n")
    };
    // SAFETY: a handler may call `write` and `_exit` (signal-safety(7)), and it calls only these.
    unsafe { register(SIGBUS, explain) }?;
    if !is_ignored(SIGXFSZ) {
        // Handled and not ignored: a command that `shm lock` runs gets the system's default again.
        // SAFETY: the handler does nothing.
        unsafe { register(SIGXFSZ, || ()) }?;
    }
    Ok(())
}

/// Makes a lack of memory print why, and end the command. Allocates nothing.
///
/// An allocation that cannot return an error aborts the process. What can return one does so.
pub(crate) fn explain_lack_of_memory() {
    extern "C" fn explain(signal: libc::c_int) {
        if LACKS_MEMORY.get() > 0 {
            end(b"shm: the system has no memory left for this process: raise its limit (ulimit \
                  -v), or free memory\n");
        }
        // An abort for another reason ends the process as usual, also if another process sent it.
        // The signal is blocked here, and comes again when the handler returns.
        // SAFETY: a handler may call both (signal-safety(7)).
        unsafe { libc::signal(signal, libc::SIG_DFL) };
        // SAFETY: as above.
        unsafe { libc::raise(signal) };
    }
    if !is_ignored(SIGABRT) {
        let handler = explain as extern "C" fn(_) as libc::sighandler_t;
        // SAFETY: as above; the variable of the thread needs no allocation, and is never dropped.
        unsafe { libc::signal(SIGABRT, handler) };
    }
}

/// The mode of the terminal, and what is written to it, to leave it as it was.
static TERMINAL: OnceLock<(Termios, &'static [u8])> = OnceLock::new();

/// Makes a sudden end also give the terminal the mode that it has now, and write these codes to it.
pub(crate) fn restore_at_sudden_end(codes: &'static [u8]) {
    // Without a terminal there is nothing to restore.
    if let Ok(mode) = tcgetattr(rustix::stdio::stdin()) {
        let _ = TERMINAL.set((mode, codes));
    }
}

/// Ends the process at once, with these words.
fn end(words: &[u8]) -> ! {
    // A handler may read what was set before, and may call `tcsetattr` and `write`.
    if let Some((mode, codes)) = TERMINAL.get() {
        let _ = tcsetattr(rustix::stdio::stdin(), OptionalActions::Now, mode);
        let _ = rustix::io::write(rustix::stdio::stdout(), codes);
    }
    let _ = rustix::io::write(rustix::stdio::stderr(), words);
    // ORDERING: Relaxed; as above.
    exit(CODE.load(Ordering::Relaxed).into())
}

/// How many allocations may succeed between one that failed and the abort because of it: what the
/// standard library prints before it aborts can allocate. After more of them, the failure was
/// returned as an error. (A backtrace, which a developer asks for, needs more.)
const ALLOCATIONS_BEFORE_ABORT: u8 = 16;

thread_local! {
    /// Not 0 if an allocation of this thread failed: how many may still succeed until that counts
    /// no longer.
    static LACKS_MEMORY: Cell<u8> = const { Cell::new(0) };
}

/// The system's allocator, which notes that it has no memory left.
struct Allocator;

#[global_allocator]
static ALLOCATOR: Allocator = Allocator;

impl Allocator {
    fn noted(allocated: *mut u8) -> *mut u8 {
        LACKS_MEMORY.set(match allocated.is_null() {
            true => ALLOCATIONS_BEFORE_ABORT,
            false => LACKS_MEMORY.get().saturating_sub(1),
        });
        allocated
    }
}

// SAFETY: it is the system's allocator.
unsafe impl GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller keeps the rules of this function, which are the same.
        Self::noted(unsafe { System.alloc(layout) })
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above.
        Self::noted(unsafe { System.alloc_zeroed(layout) })
    }

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: as above.
        Self::noted(unsafe { System.realloc(place, layout, size) })
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(place, layout) }
    }
}

#[cfg(test)]
mod tests {
    use std::hint::black_box;

    use super::*;

    #[test]
    fn a_failed_allocation_that_was_an_error_explains_no_later_abort() {
        let failed = Vec::<u8>::new().try_reserve_exact(isize::MAX as usize);
        assert!(LACKS_MEMORY.get() > 0 && failed.is_err());
        for _ in 0..ALLOCATIONS_BEFORE_ABORT {
            drop(black_box(Box::new(0_u64)));
        }
        assert_eq!(LACKS_MEMORY.get(), 0);
    }
}
