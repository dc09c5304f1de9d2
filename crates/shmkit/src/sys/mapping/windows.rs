//! `CreateFileMappingW`, `MapViewOfFileEx`, `FlushViewOfFile`, `VirtualLock`.
//!
//! A file is mapped through a section that is created for it; a raw name refers to a section
//! already. A view begins at a multiple of 64 KiB, and is unmapped as a whole: bytes that a mapping
//! is shrunk by stay mapped.

#![allow(unsafe_code, reason = "calls of the system on a view that a `Mapping` owns")]

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::windows::io::{AsHandle, AsRawHandle, OwnedHandle};
use std::ptr::{self, NonNull};
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
    MEMORY_BASIC_INFORMATION, MEMORY_MAPPED_VIEW_ADDRESS, MapViewOfFileEx, PAGE_READONLY,
    PAGE_READWRITE, PAGE_WRITECOPY, PrefetchVirtualMemory, UnmapViewOfFile, VirtualLock,
    VirtualQuery, VirtualUnlock, WIN32_MEMORY_RANGE_ENTRY,
};
use windows_sys::Win32::System::Threading::GetCurrentProcess;

use super::options::{Advice, Placement, Protection, check_shrinking};
use crate::error::{Error, ErrorKind, Result};
use crate::sys::pages::{granularity, page_size};
use crate::sys::win32::object::is_section;
use crate::sys::win32::{check, low_and_high, owned};

/// A view of a file or a section in this process, and the requested bytes in it.
///
/// INVARIANT 1: `view .. view + view_bytes` is mapped, and belongs to this value alone.
/// INVARIANT 2: `lead + length <= view_bytes`.
#[derive(Debug)]
pub(crate) struct Mapping {
    view: NonNull<u8>,
    view_bytes: usize,
    lead: usize,
    length: usize,
    protection: Protection,
    source: Source,
    /// Whether its pages are locked into memory.
    locked: AtomicBool,
}

/// The handle that a mapping keeps open.
#[derive(Debug)]
enum Source {
    /// A file, for flushing.
    File(OwnedHandle),
    /// A section, whose name lives while a process has it open.
    Memory(OwnedHandle),
}

// SAFETY: the view belongs to the process, not to a thread, and the methods that change its extent
// take `&mut self`. The content is reached only through the raw pointer.
unsafe impl Send for Mapping {}
// SAFETY: as above; the methods that take `&self` change nothing in this value.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Maps `length` bytes of `file` from byte `offset`, with this placement.
    ///
    /// There are no huge pages: Windows has them only in sections that a privileged user creates
    /// with them.
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
        let lead = (offset % granularity() as u64) as usize;
        let view_bytes = lead.checked_add(length).filter(|&it| isize::try_from(it).is_ok());
        let Some(view_bytes) = view_bytes else {
            let why = format!("{length} bytes at {offset} are more than a process can map");
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
        let view = match map_view(section.as_raw_handle(), first, view_bytes, protection, address) {
            Err(error) if matches!(source, Source::Memory(_)) => {
                let section = section.as_raw_handle();
                map_rest(section, first, view_bytes, protection, address).ok_or(error)?
            }
            answer => answer?,
        };
        // INVARIANT: 1 and 2.
        let locked = AtomicBool::new(false);
        Ok(Self { view, view_bytes, lead, length, protection, source, locked })
    }

    /// Returns the address of the first requested byte.
    pub(crate) fn as_ptr(&self) -> *mut u8 {
        // By invariant 2 it is within the view.
        self.view.as_ptr().wrapping_add(self.lead)
    }

    /// Returns how many bytes were requested.
    pub(crate) fn len(&self) -> usize {
        self.length
    }

    /// Returns the access that the mapping allows.
    pub(crate) fn protection(&self) -> Protection {
        self.protection
    }

    /// Writes the pages that hold `range` to the file, and waits for the device if `wait`.
    pub(crate) fn flush(&self, range: Range<usize>, wait: bool) -> Result<()> {
        let (start, bytes) = self.part(&range);
        let (Source::File(file), Protection::ReadWrite) = (&self.source, self.protection) else {
            return Ok(());
        };
        if bytes == 0 {
            // For the system 0 would mean the whole view.
            return Ok(());
        }
        flush_view(start, bytes).map_err(Error::from_os)?;
        if wait {
            use windows_sys::Win32::Storage::FileSystem::FlushFileBuffers;
            // SAFETY: the file is open.
            check(unsafe { FlushFileBuffers(file.as_raw_handle()) }).map_err(Error::from_os)?;
        }
        Ok(())
    }

    /// Tells the system the expected use of the pages that hold `range`.
    pub(crate) fn advise(&self, range: Range<usize>, advice: Advice) -> Result<()> {
        let (start, bytes) = self.part(&range);
        if bytes == 0 {
            return Ok(());
        }
        match advice {
            // Windows has no `fork`.
            Advice::Normal | Advice::DontFork | Advice::Fork => Ok(()),
            Advice::WillNeed => {
                let part =
                    WIN32_MEMORY_RANGE_ENTRY { VirtualAddress: start.cast(), NumberOfBytes: bytes };
                // SAFETY: returns a pseudo handle of this process, which needs no closing.
                let process = unsafe { GetCurrentProcess() };
                // SAFETY: the range is within the view, and reading ahead does not change its
                // content.
                check(unsafe { PrefetchVirtualMemory(process, 1, &raw const part, 0) })
                    .map_err(Error::from_os)
            }
            // ORDERING: Relaxed; if one thread locks while another advises, either order is
            // correct.
            Advice::DontNeed | Advice::Cold if self.locked.load(Ordering::Relaxed) => {
                let why = "the pages are locked into memory: unlock the region first";
                Err(Error::new(ErrorKind::Unsupported, why))
            }
            // Private pages move to the page file and keep their content.
            Advice::DontNeed | Advice::Cold => {
                // To unlock pages that are not locked removes them from the working set.
                // SAFETY: the range is within the view, and the pages keep their content.
                match check(unsafe { VirtualUnlock(start.cast(), bytes) }) {
                    Err(error) if error.raw_os_error() == Some(ERROR_NOT_LOCKED as i32) => Ok(()),
                    answer => answer.map_err(Error::from_os),
                }
            }
            Advice::Sequential | Advice::Random | Advice::DontDump | Advice::Dump => {
                let why = "Windows takes no such advice about a view";
                Err(Error::new(ErrorKind::Unsupported, why))
            }
        }
    }

    /// Does nothing: the program that writes a dump decides about its content.
    pub(crate) fn exclude_from_core_dumps(&self) -> Result<()> {
        Ok(())
    }

    /// Returns the whole view that contains the mapping.
    pub(super) fn pages(&self) -> (NonNull<u8>, usize) {
        (self.view, self.view_bytes)
    }

    /// Makes the pages of `range` present, so that the next access waits for none.
    pub(crate) fn prefault(&self, range: Range<usize>, _writes: bool) -> Result<()> {
        let (first, last) = (self.as_ptr(), range.end.saturating_sub(1));
        for at in range.step_by(page_size()).chain([last]) {
            let byte = first.wrapping_add(at);
            // SAFETY: the byte is within the view, and its value is not used.
            let _ = unsafe { byte.read_volatile() };
        }
        Ok(())
    }

    /// Keeps every page in memory until the mapping ends or is unlocked.
    pub(crate) fn lock(&self) -> Result<()> {
        let (start, bytes) = self.part(&(0..self.length));
        // SAFETY: the range is within the view, and locking does not change its content.
        check(unsafe { VirtualLock(start.cast(), bytes) }).map_err(|error| {
            let code = error.raw_os_error().unwrap_or(0) as u32;
            if matches!(code, ERROR_WORKING_SET_QUOTA | ERROR_NO_SYSTEM_RESOURCES) {
                let why =
                    format!("cannot lock {bytes} bytes: that exceeds the limit of the working set");
                return Error::from_os(error).of_kind(ErrorKind::OutOfSpace).because(why);
            }
            Error::from_os(error)
        })?;
        // ORDERING: Relaxed; see `advise`.
        self.locked.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// Undoes [`lock`](Self::lock).
    pub(crate) fn unlock(&self) -> Result<()> {
        let (start, bytes) = self.part(&(0..self.length));
        // ORDERING: Relaxed; see `advise`.
        self.locked.store(false, Ordering::Relaxed);
        // SAFETY: the range is within the view, and unlocking does not change its content.
        check(unsafe { VirtualUnlock(start.cast(), bytes) }).map_err(Error::from_os)
    }

    /// Excludes the first `bytes` bytes. They stay mapped.
    pub(crate) fn shrink_front(&mut self, bytes: usize) -> Result<()> {
        check_shrinking(self.length, bytes)?;
        // INVARIANT: 2; the sum stays.
        self.lead += bytes;
        self.length -= bytes;
        Ok(())
    }

    /// Excludes the last `bytes` bytes. They stay mapped.
    pub(crate) fn shrink_back(&mut self, bytes: usize) -> Result<()> {
        check_shrinking(self.length, bytes)?;
        // INVARIANT: 2.
        self.length -= bytes;
        Ok(())
    }

    /// Returns 0: see [`Mapping::place`].
    pub(crate) fn huge_page_bytes(&self) -> Result<u64> {
        Ok(0)
    }

    /// Returns the start of a range and its bytes, cut to the mapping. The callers check ranges.
    fn part(&self, range: &Range<usize>) -> (*mut u8, usize) {
        let start = range.start.min(self.length);
        let end = range.end.min(self.length).max(start);
        (self.as_ptr().wrapping_add(start), end - start)
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        let view = MEMORY_MAPPED_VIEW_ADDRESS { Value: self.view.as_ptr().cast() };
        // SAFETY: by invariant 1 the view belongs to this value, and all borrows of it have ended.
        let unmapped = check(unsafe { UnmapViewOfFile(view) });
        debug_assert!(unmapped.is_ok(), "{unmapped:?}");
    }
}

/// Starts to write pages to the file. The system refuses that while it writes the pages itself, so
/// this tries again for a moment.
fn flush_view(start: *const u8, bytes: usize) -> io::Result<()> {
    const TRIES: u32 = 500;
    for _ in 1..TRIES {
        // SAFETY: the range is within a view of the caller; flushing does not change its content.
        match check(unsafe { FlushViewOfFile(start.cast(), bytes) }) {
            Err(error) if error.raw_os_error() == Some(ERROR_LOCK_VIOLATION as i32) => {
                thread::sleep(Duration::from_millis(1));
            }
            answer => return answer,
        }
    }
    Err(io::Error::from_raw_os_error(ERROR_LOCK_VIOLATION as i32))
}

/// Returns the address of the view if the byte after `lead` must be at `address`.
fn view_at(address: usize, lead: usize) -> Result<usize> {
    let granularity = granularity();
    if address % granularity != lead || address < granularity {
        let why = format!(
            "address {address:#x} must be {lead} bytes after a multiple of {granularity}, and at \
             least {granularity}"
        );
        return Err(Error::new(ErrorKind::InvalidArgument, why));
    }
    Ok(address - lead)
}

/// Creates a section of a whole file.
fn section_of(file: &File, protection: Protection) -> Result<OwnedHandle> {
    let allowed = match protection {
        Protection::ReadOnly => PAGE_READONLY,
        Protection::ReadWrite => PAGE_READWRITE,
        Protection::CopyOnWrite => PAGE_WRITECOPY,
    };
    // SAFETY: the file is open; there are no attributes and no name, and 0 stands for its size.
    let section = unsafe {
        CreateFileMappingW(file.as_raw_handle(), ptr::null(), allowed, 0, 0, ptr::null())
    };
    // SAFETY: the call above created the handle for this function alone.
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
    let (low, high) = low_and_high(first);
    let hint = ptr::without_provenance(address);
    // SAFETY: the section is open; the system takes only unused addresses, even if one is
    // requested.
    let view = unsafe { MapViewOfFileEx(section, access, high, low, bytes, hint) };
    NonNull::new(view.Value.cast())
        .ok_or_else(|| mapping_error(io::Error::last_os_error(), address, bytes))
}

/// Maps a section from byte `first` to its end, if its pages hold `bytes` bytes from there on. A
/// section of a file may end within its last page; the system maps all of that page, but only if it
/// is not asked for it.
#[cold]
fn map_rest(
    section: HANDLE,
    first: u64,
    bytes: usize,
    protection: Protection,
    address: usize,
) -> Option<NonNull<u8>> {
    let view = map_view(section, first, 0, protection, address).ok()?;
    let mut about = MEMORY_BASIC_INFORMATION::default();
    let size = size_of_val(&about);
    // SAFETY: `about` has room for the answer.
    let answered = unsafe { VirtualQuery(view.as_ptr().cast(), &raw mut about, size) } != 0;
    if answered && about.RegionSize >= bytes {
        return Some(view);
    }
    let view = MEMORY_MAPPED_VIEW_ADDRESS { Value: view.as_ptr().cast() };
    // SAFETY: this function made the view, and keeps no pointer into it.
    let _ = unsafe { UnmapViewOfFile(view) };
    None
}

#[cold]
fn mapping_error(error: io::Error, address: usize, bytes: usize) -> Error {
    match error.raw_os_error().unwrap_or(0) as u32 {
        ERROR_INVALID_ADDRESS | ERROR_MAPPED_ALIGNMENT if address != 0 => {
            let why =
                format!("the {bytes} bytes at {address:#x} are in use: choose another address");
            Error::new(ErrorKind::InvalidArgument, why)
        }
        ERROR_ACCESS_DENIED => Error::from_os(error)
            .of_kind(ErrorKind::PermissionDenied)
            .because("the file was not opened for this access"),
        ERROR_NOT_ENOUGH_MEMORY | ERROR_COMMITMENT_LIMIT => {
            let why = format!("the process has no room for {bytes} more bytes");
            Error::from_os(error).of_kind(ErrorKind::OutOfSpace).because(why)
        }
        _ => Error::from_os(error),
    }
}
