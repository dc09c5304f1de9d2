//! `pthread_atfork`, and a page that is wiped in any child.

#![allow(unsafe_code, reason = "fork handlers, and a page that is wiped")]

use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, Ordering};
use std::cell::Cell;
use std::ffi::c_void;
use std::fs::File;
use std::mem::ManuallyDrop;
use std::ops::Deref;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::ptr::{self, NonNull};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use rustix::mm::{MapFlags, ProtFlags};

use super::system;
use crate::error::{Error, Result};
use crate::sys::directory::{self, Identity};
use crate::sys::process::random;

/// A file whose description holds locks, and nothing else: never mapped, never asked through.
pub(crate) struct LockFile {
    file: ManuallyDrop<File>,
    known: Known,
}

impl LockFile {
    /// Registers what `open` opens. No `fork` happens in between.
    pub(crate) fn open(open: impl FnOnce() -> Result<File>) -> Result<Self> {
        let mut registry = Registry::lock()?;
        let file = open()?;
        let known = Known::of(file.as_fd())?;
        registry.lock_files.push(known);
        Ok(Self { file: ManuallyDrop::new(file), known })
    }
}

impl LockFile {
    /// Whether the descriptor still leads to the file that was opened.
    pub(crate) fn is_there(&self) -> bool {
        self.known.leads_to(self.known)
    }
}

/// A descriptor and the file that it led to: somebody may have closed what is not his
/// (`closefrom`), and opened another file under the number.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Known {
    descriptor: RawFd,
    file: Identity,
}

impl Known {
    fn of(file: BorrowedFd<'_>) -> Result<Self> {
        let identity = directory::identity(file).map_err(Error::from_os)?;
        Ok(Self { descriptor: file.as_raw_fd(), file: identity })
    }

    /// Whether the descriptor leads to the file of `other`.
    fn leads_to(self, other: Self) -> bool {
        // SAFETY: the number may lead to any file, or none: `fstat` answers for each.
        let file = unsafe { BorrowedFd::borrow_raw(self.descriptor) };
        directory::identity(file).is_ok_and(|identity| identity == other.file)
    }
}

impl Deref for LockFile {
    type Target = File;

    fn deref(&self) -> &File {
        &self.file
    }
}

impl Drop for LockFile {
    fn drop(&mut self) {
        // Held until after the close: a child forked in between would keep the description.
        let mut registry = Registry::wait_for_it();
        registry.lock_files.retain(|&other| other != self.known);
        let in_a_child = registry.harmless.as_ref().is_some_and(|(_, it)| self.known.leads_to(*it));
        if in_a_child || self.known.leads_to(self.known) {
            // SAFETY: this is `drop`: the file is not used again.
            unsafe { ManuallyDrop::drop(&mut self.file) };
        }
    }
}

/// Pages that a forked child finds as zeros, as `MADV_WIPEONFORK` makes them of private memory: for
/// as long as this lives.
#[derive(Debug)]
pub(crate) struct WipedOnFork(Pages);

/// Whole pages. INVARIANT: mapped, and of somebody who allows that a child's become zeros.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Pages {
    first: NonNull<u8>,
    bytes: usize,
}

// SAFETY: the pages belong to the process, not to a thread.
unsafe impl Send for Pages {}
// SAFETY: as above; nothing is read or written through a shared one.
unsafe impl Sync for Pages {}

impl WipedOnFork {
    /// # Safety
    /// `bytes` from `first` on are whole pages, and stay mapped for as long as what is returned
    /// lives. Whoever reads them is content with zeros in a forked child.
    pub(crate) unsafe fn register(first: NonNull<u8>, bytes: usize) -> Result<Self> {
        // INVARIANT: by the caller's promise.
        let pages = Pages { first, bytes };
        Registry::lock()?.wiped.push(pages);
        Ok(Self(pages))
    }
}

impl Drop for WipedOnFork {
    fn drop(&mut self) {
        let mut registry = Registry::wait_for_it();
        registry.wiped.retain(|other| *other != self.0);
    }
}

impl Pages {
    /// Puts zeros in their place, which can only be read: so the system counts them as nobody's
    /// memory, and has no reason to refuse. Whoever writes to an object has looked whose it is.
    ///
    /// # Safety
    /// Only in a forked child, before it runs anything of its own.
    unsafe fn wipe(self) {
        let flags = MapFlags::PRIVATE | MapFlags::FIXED | MapFlags::NORESERVE;
        let first = self.first.as_ptr().cast::<c_void>();
        // SAFETY: whole pages, which by the invariant are mapped and whose user allows it; he
        // refers to what is in them as to words that others may change at any time.
        let _ = unsafe { rustix::mm::mmap_anonymous(first, self.bytes, ProtFlags::READ, flags) };
    }
}

struct Registry {
    lock_files: Vec<Known>,
    wiped: Vec<Pages>,
    /// What a child has in place of each lock file.
    harmless: Option<(OwnedFd, Known)>,
}

/// Held by whoever attaches or leaves, and across each `fork` by the thread that forks.
static REGISTRY: Mutex<Registry> =
    Mutex::new(Registry { lock_files: Vec::new(), wiped: Vec::new(), harmless: None });

impl Registry {
    fn lock() -> Result<MutexGuard<'static, Self>> {
        ensure_handlers()?;
        let mut registry = Self::wait_for_it();
        if registry.harmless.is_none() {
            let harmless = system::harmless_file()
                .map_err(|error| Error::from_os(error).because("no descriptor for fork safety"))?;
            let known = Known::of(harmless.as_fd())?;
            registry.harmless = Some((harmless, known));
        }
        Ok(registry)
    }

    fn wait_for_it() -> MutexGuard<'static, Self> {
        REGISTRY.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether the handlers are registered.
static HANDLED: AtomicBool = AtomicBool::new(false);

/// Registers the handlers when the library is loaded: a `fork` that has begun when its process
/// attaches for the first time runs no handlers that come then.
#[used]
// SAFETY: the system calls what it finds there, once, before `main`; the function takes nothing,
// and needs nothing that is made later.
#[cfg_attr(target_os = "linux", unsafe(link_section = ".init_array"))]
#[cfg_attr(target_os = "macos", unsafe(link_section = "__DATA,__mod_init_func,mod_init_funcs"))]
static AT_LOAD: extern "C" fn() = {
    extern "C" fn at_load() {
        // An error is met again, and told, by who attaches.
        let _ = register_handlers();
    }
    at_load
};

/// Registers the handlers unless that was done.
pub(super) fn ensure_handlers() -> Result<()> {
    // ORDERING: Acquire; pairs with the Release in `register_handlers`.
    if HANDLED.load(Ordering::Acquire) { Ok(()) } else { register_handlers() }
}

/// Registering them twice does no harm.
fn register_handlers() -> Result<()> {
    // SAFETY: the handlers are functions of this module that stay loaded with it. Linux forgets
    // them when the module is unloaded; macOS unloads none that has variables of a thread.
    let code = unsafe { libc::pthread_atfork(Some(prepare), Some(parent), Some(child)) };
    if code != 0 {
        let error = std::io::Error::from_raw_os_error(code);
        return Err(Error::from_os(error).because("no handlers for fork"));
    }
    // ORDERING: Release; pairs with the Acquire in `ensure_handlers`: from there on every fork
    // passes `prepare`.
    HANDLED.store(true, Ordering::Release);
    Ok(())
}

thread_local! {
    /// The registry, held by this thread from `prepare` to `parent` or `child`.
    static ACROSS_FORK: Cell<Option<ManuallyDrop<MutexGuard<'static, Registry>>>> =
        const { Cell::new(None) };
}

extern "C" fn prepare() {
    let held = held_across_fork().unwrap_or_else(Registry::wait_for_it);
    ACROSS_FORK.set(Some(ManuallyDrop::new(held)));
}

fn held_across_fork() -> Option<MutexGuard<'static, Registry>> {
    ACROSS_FORK.take().map(ManuallyDrop::into_inner)
}

extern "C" fn parent() {
    drop(held_across_fork());
}

/// Only calls that are allowed between `fork` and `exec`: no allocation, no other lock.
extern "C" fn child() {
    // ORDERING: Acquire; pairs with the Release in `Stamp::of_this_process`.
    if let Some(page) = NonNull::new(CURRENT.load(Ordering::Acquire)) {
        // SAFETY: a page that is never unmapped.
        system::wipe_stamp(unsafe { page.as_ref() });
    }
    let Some(registry) = held_across_fork() else { return };
    for pages in &registry.wiped {
        // SAFETY: this is the child, just forked.
        unsafe { pages.wipe() };
    }
    let harmless = registry.harmless.as_ref().filter(|(_, known)| known.leads_to(*known));
    for known in registry.lock_files.iter().filter(|known| known.leads_to(**known)) {
        // SAFETY: it leads to the lock file, which is used for locks alone, and which a forked
        // handle does not use.
        let lock_file = unsafe { OwnedFdInPlace::borrow(known.descriptor) };
        lock_file.replace_by(harmless.map(|(file, _)| file.as_fd()));
    }
}

/// A value that a process makes once, while it does not fork: a child would otherwise wait for a
/// thread that it does not have. Not to be made while a lock file is being opened.
pub(crate) struct Once<T>(OnceLock<T>);

impl<T> Once<T> {
    pub(crate) const fn new() -> Self {
        Self(OnceLock::new())
    }

    /// The value, which `make` makes if nobody has.
    pub(crate) fn get_or_make(&self, make: impl FnOnce() -> T) -> &T {
        if let Some(value) = self.0.get() {
            return value;
        }
        let _no_fork = Registry::wait_for_it();
        self.0.get_or_init(make)
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

    fn replace_by(mut self, file: Option<BorrowedFd<'_>>) {
        let replaced = file.is_some_and(|file| system::put_in_place(file, &mut self.0).is_ok());
        if !replaced {
            // Closing the child's descriptor leaves the parent's lock alone as well; its owner
            // finds it gone and leaves the number alone.
            // SAFETY: closed at most once: nobody closes what does not lead to the lock file.
            unsafe { ManuallyDrop::drop(&mut self.0) };
        }
    }
}

/// The page of this process's stamp, or of its parent's.
static CURRENT: AtomicPtr<AtomicU64> = AtomicPtr::new(ptr::null_mut());

/// Names the process that made a handle: by a page that holds a number in that process, and that
/// is zeros in every child. A child makes a page of its own.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stamp {
    page: &'static AtomicU64,
}

impl Stamp {
    /// The stamp of this process.
    pub(crate) fn of_this_process() -> Result<Self> {
        let current = || {
            // ORDERING: Acquire; pairs with the Release below: the page's number is seen.
            let page = NonNull::new(CURRENT.load(Ordering::Acquire))?;
            // SAFETY: a page that is never unmapped.
            let stamp = Self { page: unsafe { page.as_ref() } };
            stamp.is_mine().then_some(stamp)
        };
        if let Some(stamp) = current() {
            return Ok(stamp);
        }
        let _one_at_a_time = Registry::wait_for_it();
        if let Some(stamp) = current() {
            return Ok(stamp);
        }
        // Random, so that neither ancestors nor siblings have the same.
        let number = u64::from_le_bytes(random()?).max(1);
        let page = new_stamp_page()?;
        // ORDERING: Relaxed; published by the store below.
        page.store(number, Ordering::Relaxed);
        // ORDERING: Release; pairs with the Acquire above.
        CURRENT.store(ptr::from_ref(page).cast_mut(), Ordering::Release);
        Ok(Self { page })
    }

    /// A number that no other process of this family has; 0 once it is inherited.
    #[inline(always)]
    pub(crate) fn number(self) -> u64 {
        // ORDERING: Relaxed; it names a process and guards no data.
        self.page.load(Ordering::Relaxed)
    }

    /// Whether this process made the stamp, rather than inheriting it. One private load.
    #[inline(always)]
    pub(crate) fn is_mine(self) -> bool {
        self.number() != 0
    }
}

fn new_stamp_page() -> Result<&'static AtomicU64> {
    let length = rustix::param::page_size();
    let protection = ProtFlags::READ | ProtFlags::WRITE;
    // SAFETY: a new private mapping, at an address that the system chooses.
    let page = unsafe {
        rustix::mm::mmap_anonymous(ptr::null_mut(), length, protection, MapFlags::PRIVATE)
    };
    let page = page.map_err(|error| Error::from_os(error).because(system::NO_STAMP_PAGE))?;
    // SAFETY: the page just mapped, which holds nothing yet.
    unsafe { system::mark_stamp_page(page, length) }?;
    let page = NonNull::new(page.cast::<AtomicU64>()).expect("a mapping is not at 0");
    // SAFETY: aligned to a page, zeroed, and never unmapped.
    Ok(unsafe { page.as_ref() })
}

#[cfg(test)]
mod tests;
