//! `CreateFileMappingW`, `MapViewOfFileEx`, `FlushViewOfFile`, `VirtualLock`.
//!
//! A file is mapped through a section made for it; a raw name is one of a section already. Views
//! begin at multiples of 64 KiB, and are given up whole: what a mapping is shrunk by stays mapped.

#![allow(unsafe_code, reason = "mapping is unsafe to the system; a `Mapping` owns its view")]

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::windows::io::{AsHandle, AsRawHandle, OwnedHandle};
use std::ptr::{self, NonNull};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use windows_sys::Win32::Foundation::{
    ERROR_ACCESS_DENIED, ERROR_COMMITMENT_LIMIT, ERROR_INVALID_ADDRESS, ERROR_LOCK_VIOLATION,
    ERROR_MAPPED_ALIGNMENT, ERROR_NO_SYSTEM_RESOURCES, ERROR_NOT_ENOUGH_MEMORY, ERROR_NOT_LOCKED,
    ERROR_WORKING_SET_QUOTA, HANDLE,
};
use windows_sys::Win32::System::Memory::{
    CreateFileMappingW, FILE_MAP_COPY, FILE_MAP_READ, FILE_MAP_WRITE, FlushViewOfFile,
    MEMORY_MAPPED_VIEW_ADDRESS, MapViewOfFileEx, PAGE_READONLY, PAGE_READWRITE, PAGE_WRITECOPY,
    PrefetchVirtualMemory, UnmapViewOfFile, VirtualLock, VirtualUnlock, WIN32_MEMORY_RANGE_ENTRY,
};
use windows_sys::Win32::System::SystemInformation::{GetSystemInfo, SYSTEM_INFO};
use windows_sys::Win32::System::Threading::GetCurrentProcess;

use super::{Advice, Placement, Protection};
use crate::error::{Error, ErrorKind, Result};
use crate::sys::file::is_section;
use crate::sys::win32::{done, halves, owned};

fn system() -> &'static SystemUnits {
    static SYSTEM: OnceLock<SystemUnits> = OnceLock::new();
    SYSTEM.get_or_init(|| {
        let mut info = SYSTEM_INFO::default();
        // SAFETY: the answer has room.
        unsafe { GetSystemInfo(&raw mut info) };
        SystemUnits {
            page: info.dwPageSize as usize,
            granularity: info.dwAllocationGranularity as usize,
        }
    })
}

struct SystemUnits {
    page: usize,
    /// Views begin at multiples of it.
    granularity: usize,
}

/// The unit of protection and of sizes, a power of two.
pub(crate) fn page_size() -> usize {
    system().page
}

/// A view of a file or a section in this process, and the bytes of it that were asked for.
///
/// INVARIANT 1: `view .. view + view_bytes` is mapped, belongs to this value alone.
/// INVARIANT 2: `lead + length <= view_bytes`.
#[derive(Debug)]
pub(crate) struct Mapping {
    view: NonNull<u8>,
    view_bytes: usize,
    lead: usize,
    length: usize,
    protection: Protection,
    source: Source,
    /// Whether its pages are kept in memory.
    locked: AtomicBool,
}

/// What a mapping keeps open.
#[derive(Debug)]
enum Source {
    /// A file, to be flushed.
    File(OwnedHandle),
    /// A section, whose name is there as long as somebody has it open.
    Memory(OwnedHandle),
}

// SAFETY: the view belongs to the process, not to a thread, and the methods that change what is
// covered take `&mut self`. What is in the view is reached only through the raw pointer.
unsafe impl Send for Mapping {}
// SAFETY: as above; the methods that take `&self` change nothing in this value.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Maps `length` bytes of `file` from byte `offset`, where `placement` says. Huge pages are for
    /// those who may lock memory, and only for sections that are made of them: there are none.
    pub(crate) fn place(
        file: &File,
        offset: u64,
        length: usize,
        protection: Protection,
        placement: Placement,
    ) -> Result<Self> {
        if length == 0 {
            return Err(Error::new(ErrorKind::InvalidArgument, "0 bytes cannot be mapped"));
        }
        let lead = (offset % system().granularity as u64) as usize;
        let view_bytes = lead.checked_add(length).filter(|&it| isize::try_from(it).is_ok());
        let Some(view_bytes) = view_bytes else {
            let why = format!("{length} bytes at {offset} are more than can be mapped");
            return Err(Error::new(ErrorKind::OutOfRange, why));
        };
        let address = match placement.address {
            Some(address) => view_at(address, lead)?,
            None => 0,
        };
        let kept = file.as_handle().try_clone_to_owned().map_err(Error::from_os)?;
        let source = if is_section(file) { Source::Memory(kept) } else { Source::File(kept) };
        let first = offset - lead as u64;
        let made;
        let section = match &source {
            Source::Memory(section) => section,
            Source::File(_) => {
                made = section_of(file, protection)?;
                &made
            }
        };
        let view = map_view(section.as_raw_handle(), first, view_bytes, protection, address)?;
        // INVARIANT: 1 and 2.
        let locked = AtomicBool::new(false);
        Ok(Self { view, view_bytes, lead, length, protection, source, locked })
    }

    /// The first byte that was asked for.
    pub(crate) fn as_ptr(&self) -> *mut u8 {
        // By invariant 2 it lies within the view.
        self.view.as_ptr().wrapping_add(self.lead)
    }

    /// How many bytes were asked for.
    pub(crate) fn len(&self) -> usize {
        self.length
    }

    /// What may be done through it.
    pub(crate) fn protection(&self) -> Protection {
        self.protection
    }

    /// Writes the pages that hold `range` back to the file; waits for the device if `wait`.
    pub(crate) fn flush(&self, range: Range<usize>, wait: bool) -> Result<()> {
        let (start, bytes) = self.part(&range);
        let (Source::File(file), Protection::ReadWrite) = (&self.source, self.protection) else {
            return Ok(());
        };
        if bytes == 0 {
            // To the system 0 would mean all.
            return Ok(());
        }
        flush_view(start, bytes).map_err(Error::from_os)?;
        if wait {
            use windows_sys::Win32::Storage::FileSystem::FlushFileBuffers;
            // SAFETY: the file is open.
            done(unsafe { FlushFileBuffers(file.as_raw_handle()) }).map_err(Error::from_os)?;
        }
        Ok(())
    }

    /// Tells the system how the pages that hold `range` are used.
    pub(crate) fn advise(&self, range: Range<usize>, advice: Advice) -> Result<()> {
        let (start, bytes) = self.part(&range);
        if bytes == 0 {
            return Ok(());
        }
        match advice {
            // Nobody is forked.
            Advice::Normal | Advice::DontFork | Advice::Fork => Ok(()),
            Advice::WillNeed => {
                let part =
                    WIN32_MEMORY_RANGE_ENTRY { VirtualAddress: start.cast(), NumberOfBytes: bytes };
                // SAFETY: names this process, without a handle to close.
                let process = unsafe { GetCurrentProcess() };
                // SAFETY: one range, within the view; reading ahead changes nothing in it.
                done(unsafe { PrefetchVirtualMemory(process, 1, &raw const part, 0) })
                    .map_err(Error::from_os)
            }
            // ORDERING: Relaxed; who locks and advises at once gets either.
            Advice::DontNeed | Advice::Cold if self.locked.load(Ordering::Relaxed) => {
                let why = "the pages are locked into memory";
                Err(Error::new(ErrorKind::Unsupported, why))
            }
            // Pages of a view of one's own would stay, in the page file.
            Advice::DontNeed | Advice::Cold => {
                // Unlocking what is not locked takes it out of the working set.
                // SAFETY: within the view; what its pages hold stays.
                match done(unsafe { VirtualUnlock(start.cast(), bytes) }) {
                    Err(error) if error.raw_os_error() == Some(ERROR_NOT_LOCKED as i32) => Ok(()),
                    answer => answer.map_err(Error::from_os),
                }
            }
            Advice::Sequential | Advice::Random | Advice::DontDump | Advice::Dump => {
                let why = "Windows takes no such advice for a view";
                Err(Error::new(ErrorKind::Unsupported, why))
            }
        }
    }

    /// What is in a dump is said by who asks for one.
    pub(crate) fn exclude_from_core_dumps(&self) -> Result<()> {
        Ok(())
    }

    /// The whole view of which it is a part.
    pub(super) fn pages(&self) -> (NonNull<u8>, usize) {
        (self.view, self.view_bytes)
    }

    /// Makes every page present now, so that no access has to wait for one.
    pub(crate) fn prefault(&self) -> Result<()> {
        let first = self.as_ptr();
        for at in (0..self.length).step_by(page_size()).chain([self.length - 1]) {
            let byte = first.wrapping_add(at);
            // SAFETY: within the view, and any byte that is there will do.
            let _ = unsafe { byte.read_volatile() };
        }
        Ok(())
    }

    /// Keeps every page in memory until the mapping goes, or `unlock`.
    pub(crate) fn lock(&self) -> Result<()> {
        let (start, bytes) = self.part(&(0..self.length));
        // SAFETY: within the view; locking changes nothing in it.
        done(unsafe { VirtualLock(start.cast(), bytes) }).map_err(|error| {
            let code = error.raw_os_error().unwrap_or(0) as u32;
            if matches!(code, ERROR_WORKING_SET_QUOTA | ERROR_NO_SYSTEM_RESOURCES) {
                let why = format!("{bytes} bytes are more than the working set may have");
                return Error::from_os(error).of_kind(ErrorKind::OutOfSpace).because(why);
            }
            Error::from_os(error)
        })?;
        // ORDERING: Relaxed; see `advise`.
        self.locked.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// Takes `lock` back.
    pub(crate) fn unlock(&self) -> Result<()> {
        let (start, bytes) = self.part(&(0..self.length));
        // ORDERING: Relaxed; see `advise`.
        self.locked.store(false, Ordering::Relaxed);
        // SAFETY: within the view; unlocking changes nothing in it.
        done(unsafe { VirtualUnlock(start.cast(), bytes) }).map_err(Error::from_os)
    }

    /// Gives up the first `bytes`.
    pub(crate) fn shrink_front(&mut self, bytes: usize) -> Result<()> {
        self.check_shrinking(bytes)?;
        // INVARIANT 2: the sum stays.
        self.lead += bytes;
        self.length -= bytes;
        Ok(())
    }

    /// Gives up the last `bytes`.
    pub(crate) fn shrink_back(&mut self, bytes: usize) -> Result<()> {
        self.check_shrinking(bytes)?;
        // INVARIANT: 2.
        self.length -= bytes;
        Ok(())
    }

    /// How many of the mapped bytes are in huge pages now: see [`Mapping::place`].
    pub(crate) fn huge_page_bytes(&self) -> Result<u64> {
        Ok(0)
    }

    /// Where a range begins, and its bytes. Ranges are checked by the callers; one that is not
    /// right is cut to the mapping.
    fn part(&self, range: &Range<usize>) -> (*mut u8, usize) {
        let start = range.start.min(self.length);
        let end = range.end.min(self.length).max(start);
        (self.as_ptr().wrapping_add(start), end - start)
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        let view = MEMORY_MAPPED_VIEW_ADDRESS { Value: self.view.as_ptr().cast() };
        // SAFETY: by invariant 1 the view is this value's, and whoever borrowed from it is gone.
        let unmapped = done(unsafe { UnmapViewOfFile(view) });
        debug_assert!(unmapped.is_ok(), "{unmapped:?}");
    }
}

/// Starts writing back. While the system writes these pages by itself it refuses, for a moment.
fn flush_view(start: *const u8, bytes: usize) -> io::Result<()> {
    const TRIES: u32 = 500;
    for _ in 1..TRIES {
        // SAFETY: within a view of the caller's; flushing changes nothing in it.
        match done(unsafe { FlushViewOfFile(start.cast(), bytes) }) {
            Err(error) if error.raw_os_error() == Some(ERROR_LOCK_VIOLATION as i32) => {
                thread::sleep(Duration::from_millis(1));
            }
            answer => return answer,
        }
    }
    Err(io::Error::from_raw_os_error(ERROR_LOCK_VIOLATION as i32))
}

/// Where the view begins if the byte after `lead` is to be at `address`.
fn view_at(address: usize, lead: usize) -> Result<usize> {
    let granularity = system().granularity;
    if address % granularity != lead || address < granularity {
        let why = format!("address {address:#x} is not {lead} bytes into a unit of {granularity}");
        return Err(Error::new(ErrorKind::InvalidArgument, why));
    }
    Ok(address - lead)
}

/// A section of all of a file.
fn section_of(file: &File, protection: Protection) -> Result<OwnedHandle> {
    let allowed = match protection {
        Protection::ReadOnly => PAGE_READONLY,
        Protection::ReadWrite => PAGE_READWRITE,
        Protection::CopyOnWrite => PAGE_WRITECOPY,
    };
    // SAFETY: the file is open; no attributes, no name, and the file's own size.
    let section = unsafe {
        CreateFileMappingW(file.as_raw_handle(), ptr::null(), allowed, 0, 0, ptr::null())
    };
    // SAFETY: made for us.
    unsafe { owned(section) }.map_err(|error| mapping_error(error, 0, 0))
}

fn map_view(
    section: HANDLE,
    first: u64,
    bytes: usize,
    protection: Protection,
    address: usize,
) -> Result<NonNull<u8>> {
    let access = match protection {
        Protection::ReadOnly => FILE_MAP_READ,
        Protection::ReadWrite => FILE_MAP_READ | FILE_MAP_WRITE,
        Protection::CopyOnWrite => FILE_MAP_COPY,
    };
    let (low, high) = halves(first);
    let hint = ptr::without_provenance(address);
    // SAFETY: the section is open; only unused addresses are taken, also where one is asked for.
    let view = unsafe { MapViewOfFileEx(section, access, high, low, bytes, hint) };
    NonNull::new(view.Value.cast())
        .ok_or_else(|| mapping_error(io::Error::last_os_error(), address, bytes))
}

#[cold]
fn mapping_error(error: io::Error, address: usize, bytes: usize) -> Error {
    match error.raw_os_error().unwrap_or(0) as u32 {
        ERROR_INVALID_ADDRESS | ERROR_MAPPED_ALIGNMENT if address != 0 => {
            let why = format!("something is mapped in the {bytes} bytes at {address:#x} already");
            Error::new(ErrorKind::InvalidArgument, why)
        }
        ERROR_ACCESS_DENIED => Error::from_os(error)
            .of_kind(ErrorKind::PermissionDenied)
            .because("the file was not opened for this use"),
        ERROR_NOT_ENOUGH_MEMORY | ERROR_COMMITMENT_LIMIT => {
            let why = format!("the process has no room for {bytes} bytes more");
            Error::from_os(error).of_kind(ErrorKind::OutOfSpace).because(why)
        }
        _ => Error::from_os(error),
    }
}
