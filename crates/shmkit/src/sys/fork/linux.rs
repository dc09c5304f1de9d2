//! `pthread_atfork`, and a page that the kernel wipes in any child (`MADV_WIPEONFORK`).

#![allow(unsafe_code, reason = "fork handlers, and a page that the kernel wipes")]

use core::sync::atomic::{AtomicU64, Ordering};
use std::cell::UnsafeCell;
use std::fs::File;
use std::mem::ManuallyDrop;
use std::ops::Deref;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::ptr::{self, NonNull};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use rustix::fs::MemfdFlags;
use rustix::io::DupFlags;
use rustix::mm::{Advice, MapFlags, ProtFlags};

use crate::error::{Error, Result};

/// A file whose description holds locks, and nothing else: never mapped, never asked through.
pub(crate) struct LockFile(ManuallyDrop<File>);

impl LockFile {
    /// Registers what `open` opens. No `fork` happens in between.
    pub(crate) fn open(open: impl FnOnce() -> Result<File>) -> Result<Self> {
        let mut registry = Registry::lock()?;
        let file = open()?;
        registry.lock_files.push(file.as_raw_fd());
        Ok(Self(ManuallyDrop::new(file)))
    }
}

impl Deref for LockFile {
    type Target = File;

    fn deref(&self) -> &File {
        &self.0
    }
}

impl Drop for LockFile {
    fn drop(&mut self) {
        // Held until after the close: a child forked in between would keep the description.
        let Ok(mut registry) = Registry::lock() else { return };
        let descriptor = self.0.as_raw_fd();
        registry.lock_files.retain(|&other| other != descriptor);
        // SAFETY: this is `drop`: the file is not used again.
        unsafe { ManuallyDrop::drop(&mut self.0) };
    }
}

struct Registry {
    lock_files: Vec<RawFd>,
    /// What a child has in place of each lock file.
    harmless: OwnedFd,
}

static REGISTRY: OnceLock<Mutex<Registry>> = OnceLock::new();

impl Registry {
    fn lock() -> Result<MutexGuard<'static, Self>> {
        if REGISTRY.get().is_none() {
            Self::set_up()?;
        }
        let registry = REGISTRY.get().expect("set up above");
        Ok(registry.lock().unwrap_or_else(PoisonError::into_inner))
    }

    #[cold]
    fn set_up() -> Result<()> {
        static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
        let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        if REGISTRY.get().is_some() {
            return Ok(());
        }
        let harmless = rustix::fs::memfd_create("shmkit: after fork", MemfdFlags::CLOEXEC)
            .map_err(|error| Error::from_os(error).because("no descriptor for fork safety"))?;
        // SAFETY: the handlers are functions of this module that stay loaded with it; the
        // system forgets them when the module is unloaded.
        let code = unsafe { libc::pthread_atfork(Some(prepare), Some(parent), Some(child)) };
        if code != 0 {
            let error = std::io::Error::from_raw_os_error(code);
            return Err(Error::from_os(error).because("no handlers for fork"));
        }
        let registry = Self { lock_files: Vec::new(), harmless };
        assert!(REGISTRY.set(Mutex::new(registry)).is_ok(), "set up under a lock");
        Ok(())
    }
}

/// The registry's lock, held by the forking thread from `prepare` to `parent` or `child`.
struct AcrossFork(UnsafeCell<Option<MutexGuard<'static, Registry>>>);

// SAFETY: only the handlers touch the cell, and only while their thread holds the registry.
unsafe impl Sync for AcrossFork {}

static ACROSS_FORK: AcrossFork = AcrossFork(UnsafeCell::new(None));

extern "C" fn prepare() {
    let Some(registry) = REGISTRY.get() else { return };
    let guard = registry.lock().unwrap_or_else(PoisonError::into_inner);
    // SAFETY: this thread has just taken the registry, so no other is in a handler.
    unsafe { *ACROSS_FORK.0.get() = Some(guard) };
}

fn held_across_fork() -> Option<MutexGuard<'static, Registry>> {
    // SAFETY: runs in the thread that `prepare` ran in, and in the child that is the only one.
    unsafe { (*ACROSS_FORK.0.get()).take() }
}

extern "C" fn parent() {
    drop(held_across_fork());
}

/// Only calls that are allowed between `fork` and `exec`: no allocation, no other lock.
extern "C" fn child() {
    let Some(registry) = held_across_fork() else { return };
    for &descriptor in &registry.lock_files {
        // SAFETY: a registered descriptor stays open until it is unregistered under the lock.
        let lock_file = unsafe { OwnedFdInPlace::borrow(descriptor) };
        lock_file.replace_by(registry.harmless.as_fd());
    }
}

/// A descriptor that someone else owns and that is to name another file.
struct OwnedFdInPlace(ManuallyDrop<OwnedFd>);

impl OwnedFdInPlace {
    /// # Safety
    /// `descriptor` is open, and its owner uses it for nothing that depends on which file it is.
    unsafe fn borrow(descriptor: RawFd) -> Self {
        use std::os::fd::FromRawFd;
        // SAFETY: open by the caller's promise; `ManuallyDrop` leaves closing to the owner.
        Self(ManuallyDrop::new(unsafe { OwnedFd::from_raw_fd(descriptor) }))
    }

    fn replace_by(mut self, file: BorrowedFd<'_>) {
        if rustix::io::dup3(file, &mut self.0, DupFlags::CLOEXEC).is_err() {
            // Closing the child's descriptor leaves the parent's lock alone as well.
            // SAFETY: closed at most once here; the owner's later close fails and is harmless
            // as long as the child opens nothing at that number, which `dup3` failing makes rare.
            unsafe { ManuallyDrop::drop(&mut self.0) };
        }
    }
}

/// Names the process that made a handle.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stamp {
    page: &'static AtomicU64,
    value: u64,
}

impl Stamp {
    /// The stamp of this process.
    pub(crate) fn of_this_process() -> Result<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let page = stamp_page()?;
        // ORDERING: Relaxed throughout; the stamp names a process and guards no data.
        let mut value = page.load(Ordering::Relaxed);
        if value == 0 {
            // The counter is inherited and the page is wiped, so a child never repeats a stamp.
            let fresh = NEXT.fetch_add(1, Ordering::Relaxed);
            value = match page.compare_exchange(0, fresh, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => fresh,
                Err(other_thread_s) => other_thread_s,
            };
        }
        Ok(Self { page, value })
    }

    /// A number that no other process of this family has.
    pub(crate) fn number(self) -> u64 {
        self.value
    }

    /// Whether this process made the stamp, rather than inheriting it. One private load.
    #[inline]
    pub(crate) fn is_mine(self) -> bool {
        // ORDERING: Relaxed; see `of_this_process`.
        self.page.load(Ordering::Relaxed) == self.value
    }
}

fn stamp_page() -> Result<&'static AtomicU64> {
    static PAGE: OnceLock<&'static AtomicU64> = OnceLock::new();
    if let Some(page) = PAGE.get() {
        return Ok(page);
    }
    let page = new_stamp_page().map_err(|error| {
        Error::from_os(error).because("no page that the system wipes at fork (Linux 4.14)")
    })?;
    Ok(PAGE.get_or_init(|| page))
}

fn new_stamp_page() -> std::io::Result<&'static AtomicU64> {
    let length = rustix::param::page_size();
    let protection = ProtFlags::READ | ProtFlags::WRITE;
    // SAFETY: a new private mapping, at an address that the system chooses.
    let page = unsafe {
        rustix::mm::mmap_anonymous(ptr::null_mut(), length, protection, MapFlags::PRIVATE)
    }?;
    // SAFETY: the page just mapped, which holds nothing yet.
    unsafe { rustix::mm::madvise(page, length, Advice::LinuxWipeOnFork) }?;
    let page = NonNull::new(page.cast::<AtomicU64>()).expect("a mapping is not at 0");
    // SAFETY: aligned to a page, zeroed, and never unmapped.
    Ok(unsafe { page.as_ref() })
}

#[cfg(test)]
mod tests;
