//! What would end the command without words: a bus error, a file that may not grow, no memory left.

#![allow(unsafe_code, reason = "a signal handler, and the allocator")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::io;
use std::sync::atomic::{AtomicU8, Ordering};

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
    extern "C" fn explain(_: libc::c_int) {
        // An abort for another reason stays one, because the handler returns.
        if FAILED.get() {
            end(b"shm: the system has no memory left for this process: raise its limit (ulimit \
                  -v), or free memory\n");
        }
    }
    let handler = explain as extern "C" fn(_) as libc::sighandler_t;
    // SAFETY: as above; the variable of the thread needs no allocation, and is never dropped.
    unsafe { libc::signal(SIGABRT, handler) };
}

/// Ends the process at once, with these words.
fn end(words: &[u8]) -> ! {
    let _ = rustix::io::write(rustix::stdio::stderr(), words);
    // ORDERING: Relaxed; as above.
    exit(CODE.load(Ordering::Relaxed).into())
}

thread_local! {
    /// Whether an allocation of this thread failed. It stays so: what the standard library prints
    /// before it aborts can allocate.
    static FAILED: Cell<bool> = const { Cell::new(false) };
}

/// The system's allocator, which notes that it has no memory left.
struct Allocator;

#[global_allocator]
static ALLOCATOR: Allocator = Allocator;

impl Allocator {
    fn noted(allocated: *mut u8) -> *mut u8 {
        if allocated.is_null() {
            FAILED.set(true);
        }
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
