//! `pthread_atfork`, and a page that is wiped in every child.

#![allow(unsafe_code, reason = "fork handlers, and a page that is wiped in children")]

mod files;
pub(super) mod owned_file;

use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, Ordering};
use std::cell::Cell;
use std::ffi::c_void;
use std::mem::ManuallyDrop;
use std::ops::Deref;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::ptr::{self, NonNull};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use rustix::mm::{MapFlags, ProtFlags};

use self::files::Files;
use super::{FIRST_SECOND, system};
use crate::error::{Error, Result};
use crate::sys::random::random;
use crate::sys::status::{self, Identity};

/// A mapping whose pages hold zeros in a forked child. `MADV_WIPEONFORK` does the same for private
/// memory only.
///
/// No process forks between the mapping and its registration, nor between the end of both: a child
/// that kept the pages would keep the open file description, and its locks.
#[derive(Debug)]
pub(crate) struct WipedOnFork<M> {
    mapping: ManuallyDrop<M>,
    pages: Pages,
}

/// Whole pages. INVARIANT: they are mapped, and their user accepts zeros in a child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Pages {
    first: NonNull<u8>,
    bytes: usize,
}

// SAFETY: the pages belong to the process, not to a thread.
unsafe impl Send for Pages {}
// SAFETY: as above; nothing is read or written through a shared value.
unsafe impl Sync for Pages {}

impl<M> WipedOnFork<M> {
    /// Makes a mapping by `map`, and registers its pages, as `pages_of` returns them.
    ///
    /// # Safety
    /// The pages are whole, and stay mapped for as long as the mapping lives. Every reader of them
    /// accepts zeros in a forked child.
    pub(crate) unsafe fn new(
        map: impl FnOnce() -> Result<M>,
        pages_of: impl FnOnce(&M) -> (NonNull<u8>, usize),
    ) -> Result<Self> {
        let mut registry = Registry::lock()?;
        let mapping = map()?;
        let (first, bytes) = pages_of(&mapping);
        // INVARIANT: as the caller promises.
        let pages = Pages { first, bytes };
        registry.wiped.push(pages);
        Ok(Self { mapping: ManuallyDrop::new(mapping), pages })
    }
}

impl<M> Deref for WipedOnFork<M> {
    type Target = M;

    fn deref(&self) -> &M {
        &self.mapping
    }
}

impl<M> Drop for WipedOnFork<M> {
    fn drop(&mut self) {
        let mut registry = Registry::lock_without_handlers();
        registry.wiped.retain(|other| *other != self.pages);
        // SAFETY: this is `drop`, so nothing uses the mapping after it.
        unsafe { ManuallyDrop::drop(&mut self.mapping) };
    }
}

impl Pages {
    /// Replaces the pages by zeros. They are read-only, so that the system commits no memory for
    /// them and has no reason to refuse. A writer of an object checks its stamp first.
    ///
    /// # Safety
    /// Called in a forked child only, before it runs any code of its own.
    unsafe fn wipe(self) {
        let flags = MapFlags::PRIVATE | MapFlags::FIXED | MapFlags::NORESERVE;
        let first = self.first.as_ptr().cast::<c_void>();
        // SAFETY: by the invariant these are whole mapped pages whose user accepts zeros. The user
        // refers to the content only as to words that other processes can change at any time.
        let _ = unsafe { rustix::mm::mmap_anonymous(first, self.bytes, ProtFlags::READ, flags) };
    }
}

struct Registry {
    files: Files,
    wiped: Vec<Pages>,
    /// The file that a child gets in place of each lock file.
    empty: Option<(OwnedFd, Identity)>,
}

type RegistryGuard = MutexGuard<'static, Registry>;

/// Locked by a thread that opens or closes a file of the library, and by a forking thread across
/// its `fork`.
static REGISTRY: Mutex<Registry> =
    Mutex::new(Registry { files: Files::new(), wiped: Vec::new(), empty: None });

impl Registry {
    /// Locks the registry, after making sure that every later `fork` runs the handlers.
    fn lock() -> Result<RegistryGuard> {
        ensure_handlers()?;
        let mut registry = Self::lock_without_handlers();
        if registry.empty.is_none() {
            let empty = system::empty_file()
                .map_err(|error| Error::from_os(error).because("no descriptor for fork safety"))?;
            let identity = status::identity(empty.as_fd()).map_err(Error::from_os)?;
            registry.empty = Some((empty, identity));
        }
        Ok(registry)
    }

    /// Locks the registry for a use that does not need the handlers.
    fn lock_without_handlers() -> RegistryGuard {
        REGISTRY.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether the handlers are registered.
static HAS_HANDLERS: AtomicBool = AtomicBool::new(false);

/// Registers the handlers when the library is loaded. A `fork` that is running when its process
/// attaches for the first time would not run handlers that are registered then.
#[used]
// SAFETY: the system calls each function in this section once, before `main`. This one has no
// arguments, and needs nothing that is initialised later.
#[cfg_attr(target_os = "linux", unsafe(link_section = ".init_array"))]
#[cfg_attr(target_os = "macos", unsafe(link_section = "__DATA,__mod_init_func,mod_init_funcs"))]
static AT_LOAD: extern "C" fn() = {
    extern "C" fn at_load() {
        // The thread that attaches tries again and reports the error.
        let _ = register_handlers();
    }
    at_load
};

/// Registers the handlers, unless they are registered already.
fn ensure_handlers() -> Result<()> {
    // ORDERING: Acquire; pairs with the Release in `register_handlers`.
    if HAS_HANDLERS.load(Ordering::Acquire) { Ok(()) } else { register_handlers() }
}

/// Registers the handlers. To run them twice does no harm.
fn register_handlers() -> Result<()> {
    // SAFETY: the handlers are functions of this library and stay loaded with it. Linux removes
    // them when it unloads the library; macOS does not unload a library with thread-local
    // variables.
    let code = unsafe { libc::pthread_atfork(Some(prepare), Some(parent), Some(child)) };
    if code != 0 {
        let error = std::io::Error::from_raw_os_error(code);
        return Err(Error::from_os(error).because("the system does not register handlers for fork"));
    }
    // ORDERING: Release; pairs with the Acquire in `ensure_handlers`: every later fork runs
    // `prepare`.
    HAS_HANDLERS.store(true, Ordering::Release);
    Ok(())
}

thread_local! {
    /// The guard of the registry, from `prepare` to `parent` or `child`.
    static ACROSS_FORK: Cell<Option<ManuallyDrop<RegistryGuard>>> =
        const { Cell::new(None) };
}

extern "C" fn prepare() {
    let guard = take_guard().unwrap_or_else(Registry::lock_without_handlers);
    ACROSS_FORK.set(Some(ManuallyDrop::new(guard)));
}

fn take_guard() -> Option<RegistryGuard> {
    ACROSS_FORK.take().map(ManuallyDrop::into_inner)
}

extern "C" fn parent() {
    drop(take_guard());
}

/// Uses only what is allowed between `fork` and `exec`: no allocation, no other lock.
extern "C" fn child() {
    // ORDERING: Acquire; pairs with the Release in `ProcessStamp::of_this_process`.
    let inherited = NonNull::new(CURRENT.load(Ordering::Acquire));
    if let Some(page) = inherited.filter(|_| system::HANDLERS_WIPE_STAMP) {
        // SAFETY: the page is never unmapped.
        unsafe { page.as_ref() }.wipe();
    }
    let Some(mut registry) = take_guard() else { return };
    let Registry { files, wiped, empty } = &mut *registry;
    for pages in wiped {
        // SAFETY: this process is a child that was just forked.
        unsafe { pages.wipe() };
    }
    let empty = empty.as_ref().map(|(file, identity)| (file.as_fd(), *identity));
    let empty = empty.filter(|(file, identity)| files::refers_to(file.as_raw_fd(), *identity));
    // SAFETY: this process is a child that was just forked.
    unsafe { files.replace_lock_files(empty) };
}

/// A value that a process makes once.
///
/// The process cannot fork meanwhile, so no child waits for a thread that it does not have. Must
/// not be made while a file of the library is being opened.
pub(crate) struct Once<T>(OnceLock<T>);

impl<T> Once<T> {
    pub(crate) const fn new() -> Self {
        Self(OnceLock::new())
    }

    /// Returns the value. The first call makes it by `make`.
    pub(crate) fn get_or_make(&self, make: impl FnOnce() -> T) -> &T {
        if let Some(value) = self.0.get() {
            return value;
        }
        let _no_fork = Registry::lock_without_handlers();
        self.0.get_or_init(make)
    }
}

/// The page of the stamp of this process or, in a child that has made none, of its parent.
static CURRENT: AtomicPtr<StampPage> = AtomicPtr::new(ptr::null_mut());

/// What a process knows, and a forked child must not take over. A child finds zeros.
#[repr(C)]
#[derive(Debug)]
struct StampPage {
    /// Random, not 0.
    number: AtomicU64,
    /// See [`ProcessStamp::second`].
    second: AtomicU64,
}

impl StampPage {
    fn wipe(&self) {
        // ORDERING: Relaxed; this is the child's only thread.
        self.number.store(0, Ordering::Relaxed);
        // ORDERING: Relaxed; as above.
        self.second.store(0, Ordering::Relaxed);
    }
}

/// Names the process that made a handle.
///
/// A child finds its page wiped, and makes a page of its own.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ProcessStamp {
    page: &'static StampPage,
}

impl ProcessStamp {
    /// Returns the stamp of this process.
    pub(crate) fn of_this_process() -> Result<Self> {
        let current = || {
            // ORDERING: Acquire; pairs with the Release below: the number is in the page.
            let page = NonNull::new(CURRENT.load(Ordering::Acquire))?;
            // SAFETY: the page is never unmapped.
            let stamp = Self { page: unsafe { page.as_ref() } };
            stamp.is_mine().then_some(stamp)
        };
        if let Some(stamp) = current() {
            return Ok(stamp);
        }
        let _one_at_a_time = Registry::lock_without_handlers();
        if let Some(stamp) = current() {
            return Ok(stamp);
        }
        // A random number differs from those of ancestors and siblings.
        let number = u64::from_le_bytes(random()?).max(1);
        let page = new_stamp_page()?;
        // ORDERING: Relaxed; published by the store below.
        page.number.store(number, Ordering::Relaxed);
        // ORDERING: Relaxed; as above.
        page.second.store(FIRST_SECOND, Ordering::Relaxed);
        // ORDERING: Release; pairs with the Acquire above.
        CURRENT.store(ptr::from_ref(page).cast_mut(), Ordering::Release);
        Ok(Self { page })
    }

    /// Returns a number that no ancestor, child or sibling has, or 0 if the stamp is inherited.
    #[inline(always)]
    pub(crate) fn number(self) -> u64 {
        // ORDERING: Relaxed; the number names a process and guards no data.
        self.page.number.load(Ordering::Relaxed)
    }

    /// Returns the second since 1970 in which a thread of the process last read the clock, or 0 if
    /// the stamp is inherited. So one comparison detects both a new second and a forked
    /// child.
    #[inline(always)]
    pub(crate) fn second(self) -> u64 {
        // ORDERING: Relaxed; only the time counts.
        self.page.second.load(Ordering::Relaxed)
    }

    /// Stores the present second for all stamps of this process.
    pub(crate) fn set_second(second: u64) {
        // ORDERING: Acquire; pairs with the Release in `of_this_process`: the page has a second.
        let Some(page) = NonNull::new(CURRENT.load(Ordering::Acquire)) else { return };
        // SAFETY: the page is never unmapped.
        let page = unsafe { page.as_ref() };
        // ORDERING: Relaxed; only the time counts.
        let before = page.second.load(Ordering::Relaxed);
        // A child leaves the zero of its parent's page, also one that a signal handler forks here.
        if before != 0 {
            let (new, ordering) = (second.max(FIRST_SECOND), Ordering::Relaxed);
            // ORDERING: Relaxed; as above. If another thread was faster, its second counts.
            let _ = page.second.compare_exchange(before, new, ordering, ordering);
        }
    }

    /// Returns whether this process made the stamp and did not inherit it. Costs one private load.
    #[inline(always)]
    pub(crate) fn is_mine(self) -> bool {
        self.number() != 0
    }
}

fn new_stamp_page() -> Result<&'static StampPage> {
    let length = rustix::param::page_size();
    let protection = ProtFlags::READ | ProtFlags::WRITE;
    // SAFETY: the mapping is new and private, and the system chooses an unused address.
    let page = unsafe {
        rustix::mm::mmap_anonymous(ptr::null_mut(), length, protection, MapFlags::PRIVATE)
    };
    let page = page.map_err(|error| Error::from_os(error).because(system::NO_STAMP_PAGE))?;
    // SAFETY: the call above mapped the page, and it holds nothing yet.
    unsafe { system::mark_stamp_page(page, length) }?;
    if system::HANDLERS_WIPE_STAMP {
        ensure_handlers()?;
    }
    let page = NonNull::new(page.cast::<StampPage>()).expect("no mapping is at address 0");
    // SAFETY: the page is aligned, zeroed, and never unmapped.
    Ok(unsafe { page.as_ref() })
}

#[cfg(test)]
mod tests;
