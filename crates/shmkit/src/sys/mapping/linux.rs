//! `mmap`, `madvise`, `msync`, `mlock`.

#![allow(unsafe_code, reason = "mapping is unsafe to the system; a `Mapping` owns its pages")]

use std::ffi::c_void;
use std::fs::File;
use std::ops::Range;
use std::ptr::NonNull;

use rustix::io::Errno;
use rustix::mm::{Advice as RawAdvice, MapFlags, MsyncFlags, ProtFlags};
use rustix::process::{Resource, getrlimit};

use super::{Advice, Placement, Protection};
use crate::error::{Error, ErrorKind, Result};

/// The size of a huge page that the system puts together by itself.
const HUGE_PAGE: usize = 2 << 20;

/// The unit of mapping, a power of two.
pub(crate) fn page_size() -> usize {
    rustix::param::page_size()
}

/// Pages of a file in this process, and the bytes of them that were asked for.
///
/// INVARIANT 1: `pages .. pages + page_bytes` is mapped, belongs to this value alone, and starts
/// and ends on a page.
/// INVARIANT 2: `lead + length <= page_bytes`.
#[derive(Debug)]
pub(crate) struct Mapping {
    pages: NonNull<u8>,
    page_bytes: usize,
    lead: usize,
    length: usize,
    protection: Protection,
}

// SAFETY: the pages belong to the process, not to a thread, and the methods that change which pages
// there are take `&mut self`. What is in the pages is reached only through the raw pointer.
unsafe impl Send for Mapping {}
// SAFETY: as above; the methods that take `&self` change nothing in this value.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Maps `length` bytes of `file` from byte `offset`, wherever there is room.
    pub(crate) fn map(
        file: &File,
        offset: u64,
        length: usize,
        protection: Protection,
    ) -> Result<Self> {
        Self::place(file, offset, length, protection, Placement::default())
    }

    /// Maps `length` bytes of `file` from byte `offset`, where and how `placement` says.
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
        let lead = (offset % page_size() as u64) as usize;
        let too_long = || {
            let why = format!("{length} bytes at {offset} are more than can be mapped");
            Error::new(ErrorKind::OutOfRange, why)
        };
        let page_bytes = lead
            .checked_add(length)
            .and_then(|bytes| bytes.checked_next_multiple_of(page_size()))
            .filter(|&bytes| isize::try_from(bytes).is_ok())
            .ok_or_else(too_long)?;
        let first_page = offset - lead as u64;
        i64::try_from(first_page)
            .ok()
            .and_then(|first| first.checked_add(page_bytes as i64))
            .ok_or_else(too_long)?;

        let place = match (placement.address, placement.huge_pages) {
            (Some(address), _) => Place::Exactly(first_page_at(address, lead)?),
            (None, true) => Place::Congruent,
            (None, false) => Place::Anywhere,
        };
        let pages = map_pages(file, first_page, page_bytes, protection, place)?;
        let mapping = Self { pages, page_bytes, lead, length, protection };
        if placement.huge_pages {
            mapping.ask_for_huge_pages();
        }
        Ok(mapping)
    }

    /// The first byte that was asked for.
    pub(crate) fn as_ptr(&self) -> *mut u8 {
        // By invariant 2 it lies within the pages.
        self.pages.as_ptr().wrapping_add(self.lead)
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
        let flags = if wait { MsyncFlags::SYNC } else { MsyncFlags::ASYNC };
        let (start, bytes) = self.pages_of(range);
        // SAFETY: the pages are this value's, and flushing changes nothing in them.
        unsafe { rustix::mm::msync(start, bytes, flags) }.map_err(Error::from_os)
    }

    /// Tells the system how the pages that hold `range` are used.
    pub(crate) fn advise(&self, range: Range<usize>, advice: Advice) -> Result<()> {
        let raw = match advice {
            Advice::Normal => RawAdvice::Normal,
            Advice::Sequential => RawAdvice::Sequential,
            Advice::Random => RawAdvice::Random,
            Advice::WillNeed => RawAdvice::WillNeed,
            // `MADV_DONTNEED` would throw away what a private page holds.
            Advice::DontNeed if self.protection == Protection::CopyOnWrite => return Ok(()),
            Advice::DontNeed => RawAdvice::LinuxDontNeed,
            Advice::Cold => RawAdvice::LinuxCold,
            Advice::DontDump => RawAdvice::LinuxDontDump,
            Advice::Dump => RawAdvice::LinuxDoDump,
            Advice::DontFork => RawAdvice::LinuxDontFork,
            Advice::Fork => RawAdvice::LinuxDoFork,
        };
        self.raw_advice(range, raw).map_err(|error| match error {
            Errno::INVAL => Error::from_os(error).of_kind(ErrorKind::Unsupported),
            _ => Error::from_os(error),
        })
    }

    /// Keeps the bytes out of core dumps: shared data can be large, and is often not ours to
    /// spread.
    pub(crate) fn exclude_from_core_dumps(&self) -> Result<()> {
        self.advise(0..self.length, Advice::DontDump)
    }

    /// The whole pages of which it is a part.
    pub(super) fn pages(&self) -> (NonNull<u8>, usize) {
        (self.pages, self.page_bytes)
    }

    /// Makes every page present now, so that no access has to wait for one.
    pub(crate) fn prefault(&self) -> Result<()> {
        let advice = match self.protection {
            Protection::ReadOnly => RawAdvice::LinuxPopulateRead,
            Protection::ReadWrite | Protection::CopyOnWrite => RawAdvice::LinuxPopulateWrite,
        };
        match self.raw_advice(0..self.length, advice) {
            Ok(()) => Ok(()),
            // Before Linux 5.14: reading ahead is the best there is.
            Err(Errno::INVAL) => self.advise(0..self.length, Advice::WillNeed),
            // What would be SIGBUS at an access.
            Err(Errno::FAULT) => {
                let why = "the file system has no room for a page, or the file was cut";
                Err(Error::new(ErrorKind::OutOfSpace, why))
            }
            Err(error) => Err(Error::from_os(error)),
        }
    }

    /// Keeps every page in memory until the mapping goes, or `unlock`.
    pub(crate) fn lock(&self) -> Result<()> {
        let (start, bytes) = self.pages_of(0..self.length);
        // SAFETY: the pages are this value's, and locking changes nothing in them.
        let answer = unsafe { rustix::mm::mlock(start, bytes) };
        answer.map_err(|error| match error {
            Errno::NOMEM | Errno::PERM | Errno::AGAIN => {
                let limit = getrlimit(Resource::Memlock).current;
                let limit = limit.map_or("no limit".to_owned(), |it| format!("{it} bytes"));
                let why = format!("{bytes} more bytes; the limit (RLIMIT_MEMLOCK) is {limit}");
                Error::from_os(error).of_kind(ErrorKind::OutOfSpace).because(why)
            }
            _ => Error::from_os(error),
        })
    }

    /// Takes `lock` back.
    pub(crate) fn unlock(&self) -> Result<()> {
        let (start, bytes) = self.pages_of(0..self.length);
        // SAFETY: the pages are this value's, and unlocking changes nothing in them.
        unsafe { rustix::mm::munlock(start, bytes) }.map_err(Error::from_os)
    }

    /// Gives up the first `bytes`, and every page that held only those.
    pub(crate) fn shrink_front(&mut self, bytes: usize) -> Result<()> {
        self.check_shrinking(bytes)?;
        let lead = self.lead + bytes;
        let whole_pages = lead - lead % page_size();
        if whole_pages > 0 {
            // SAFETY: the pages belong to this value, and nobody may use them longer than it lives
            // or after `&mut self` was taken; those that stay are not touched.
            unsafe { rustix::mm::munmap(self.pages.as_ptr().cast(), whole_pages) }
                .map_err(Error::from_os)?;
        }
        // INVARIANT: 1 and 2; `whole_pages <= lead < page_bytes`, since `bytes < length`.
        // SAFETY: as above, the sum lies within the pages.
        self.pages = unsafe { self.pages.add(whole_pages) };
        self.page_bytes -= whole_pages;
        self.lead = lead - whole_pages;
        self.length -= bytes;
        Ok(())
    }

    /// Gives up the last `bytes`, and every page that held only those.
    pub(crate) fn shrink_back(&mut self, bytes: usize) -> Result<()> {
        self.check_shrinking(bytes)?;
        let kept = (self.lead + self.length - bytes).next_multiple_of(page_size());
        if kept < self.page_bytes {
            let first = self.pages.as_ptr().wrapping_add(kept).cast();
            // SAFETY: the pages belong to this value, and nobody may use them longer than it lives
            // or after `&mut self` was taken; those that stay are not touched.
            unsafe { rustix::mm::munmap(first, self.page_bytes - kept) }.map_err(Error::from_os)?;
        }
        // INVARIANT: 1 and 2.
        self.page_bytes = kept;
        self.length -= bytes;
        Ok(())
    }

    fn check_shrinking(&self, bytes: usize) -> Result<()> {
        if bytes < self.length {
            return Ok(());
        }
        let why = format!("{bytes} bytes less than {} leave nothing", self.length);
        Err(Error::new(ErrorKind::OutOfRange, why))
    }

    /// How many of the mapped bytes are in huge pages now, as the kernel accounts for them.
    pub(crate) fn huge_page_bytes(&self) -> Result<u64> {
        let smaps = std::fs::read_to_string("/proc/self/smaps").map_err(Error::from_os)?;
        let start = self.pages.as_ptr() as u64;
        Ok(huge_bytes_in(&smaps, start..start + self.page_bytes as u64))
    }

    fn ask_for_huge_pages(&self) {
        /// `MADV_COLLAPSE`, since Linux 6.1: now, and also where the system's setting says "never".
        const COLLAPSE: i32 = 25;
        let _ = self.raw_advice(0..self.length, RawAdvice::LinuxHugepage);
        let (start, bytes) = self.pages_of(0..self.length);
        // Whether it worked is not in these answers but in `huge_page_bytes`.
        // SAFETY: the pages are this value's; collapsing changes where they are, not what they
        // hold.
        let _ = unsafe { libc::madvise(start, bytes, COLLAPSE) };
    }

    fn raw_advice(&self, range: Range<usize>, advice: RawAdvice) -> rustix::io::Result<()> {
        let (start, bytes) = self.pages_of(range);
        // SAFETY: the pages are this value's. None of the advices that are given here changes what
        // a shared page holds, and `DONTNEED` is not given for private ones.
        unsafe { rustix::mm::madvise(start, bytes, advice) }
    }

    /// The whole pages that hold `range`. Ranges are checked by the callers; one that is not right
    /// is cut to the mapping.
    fn pages_of(&self, range: Range<usize>) -> (*mut c_void, usize) {
        let first = self.lead + range.start.min(self.length);
        let end = (self.lead + range.end.min(self.length)).max(first);
        let first = first - first % page_size();
        let start = self.pages.as_ptr().wrapping_add(first);
        (start.cast(), end.next_multiple_of(page_size()) - first)
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: by invariant 1 the pages are this value's, and whoever borrowed from it is gone.
        let unmapped = unsafe { rustix::mm::munmap(self.pages.as_ptr().cast(), self.page_bytes) };
        debug_assert!(unmapped.is_ok(), "{unmapped:?}");
    }
}

/// Where pages are to be.
#[derive(Clone, Copy)]
enum Place {
    Anywhere,
    Exactly(usize),
    /// At an address that equals the file's offset modulo the size of a huge page.
    Congruent,
}

/// The address of the first page if the byte after `lead` is to be at `address`.
fn first_page_at(address: usize, lead: usize) -> Result<usize> {
    if address % page_size() != lead || address < page_size() {
        let page = page_size();
        let why = format!("address {address:#x} is not {lead} bytes into a page of {page}");
        return Err(Error::new(ErrorKind::InvalidArgument, why));
    }
    Ok(address - lead)
}

fn map_pages(
    file: &File,
    first_page: u64,
    bytes: usize,
    protection: Protection,
    place: Place,
) -> Result<NonNull<u8>> {
    let (allowed, sharing) = match protection {
        Protection::ReadOnly => (ProtFlags::READ, MapFlags::SHARED),
        Protection::ReadWrite => (ProtFlags::READ | ProtFlags::WRITE, MapFlags::SHARED),
        Protection::CopyOnWrite => (ProtFlags::READ | ProtFlags::WRITE, MapFlags::PRIVATE),
    };
    let (hint, fixed, reserved) = match place {
        Place::Anywhere => (std::ptr::null_mut(), MapFlags::empty(), None),
        Place::Exactly(address) => {
            (std::ptr::without_provenance_mut(address), MapFlags::FIXED_NOREPLACE, None)
        }
        Place::Congruent => {
            let reserved = reserve(first_page, bytes)?;
            (reserved.as_ptr().cast(), MapFlags::FIXED, Some(reserved))
        }
    };
    // SAFETY: `FIXED` replaces only the pages reserved for this; otherwise only unused addresses
    // are taken, since `FIXED_NOREPLACE` refuses used ones (and is a hint to a kernel that is too
    // old).
    let answer =
        unsafe { rustix::mm::mmap(hint, bytes, allowed, sharing | fixed, file, first_page) };
    if let (Err(_), Some(reserved)) = (&answer, reserved) {
        unmap(reserved, bytes);
    }
    let pages = answer.map_err(|error| match error {
        Errno::EXIST => in_use(hint as usize, bytes),
        Errno::NODEV => Error::from_os(error).of_kind(ErrorKind::Unsupported),
        Errno::ACCESS | Errno::PERM => Error::from_os(error)
            .of_kind(ErrorKind::PermissionDenied)
            .because("the file was not opened for this use, or is sealed against it"),
        Errno::NOMEM => {
            let why = format!("the process has no room for {bytes} bytes more");
            Error::from_os(error).of_kind(ErrorKind::OutOfSpace).because(why)
        }
        _ => Error::from_os(error),
    })?;
    let pages = NonNull::new(pages.cast()).expect("the system never maps address 0 unasked");
    if let Place::Exactly(address) = place
        && pages.as_ptr() as usize != address
    {
        unmap(pages, bytes);
        return Err(in_use(address, bytes));
    }
    Ok(pages)
}

#[cold]
fn in_use(address: usize, bytes: usize) -> Error {
    let why = format!("something is mapped in the {bytes} bytes at {address:#x} already");
    Error::new(ErrorKind::InvalidArgument, why)
}

/// Takes address space, without memory, whose start equals `offset` modulo a huge page.
fn reserve(offset: u64, bytes: usize) -> Result<NonNull<u8>> {
    let with_slack = bytes.saturating_add(HUGE_PAGE);
    let (none, private) = (ProtFlags::empty(), MapFlags::PRIVATE | MapFlags::NORESERVE);
    // SAFETY: no address is asked for, so only unused ones are taken.
    let start =
        unsafe { rustix::mm::mmap_anonymous(std::ptr::null_mut(), with_slack, none, private) };
    let start = start.map_err(|error| {
        let why = format!("the process has no room for {with_slack} bytes more");
        Error::from_os(error).of_kind(ErrorKind::OutOfSpace).because(why)
    })?;
    let start: NonNull<u8> =
        NonNull::new(start.cast()).expect("the system never maps address 0 unasked");
    let wanted = (offset % HUGE_PAGE as u64) as usize;
    let before = wanted.wrapping_sub(start.as_ptr() as usize) % HUGE_PAGE;
    // SAFETY: `before < HUGE_PAGE`, the slack.
    let first = unsafe { start.add(before) };
    if before > 0 {
        unmap(start, before);
    }
    // SAFETY: `before + bytes` is at most the reserved size.
    let behind = unsafe { first.add(bytes) };
    if before < HUGE_PAGE {
        unmap(behind, HUGE_PAGE - before);
    }
    Ok(first)
}

/// Undoes a mapping that nobody has seen.
fn unmap(pages: NonNull<u8>, bytes: usize) {
    // SAFETY: the callers mapped these pages, and have not handed them out.
    let unmapped = unsafe { rustix::mm::munmap(pages.as_ptr().cast(), bytes) };
    debug_assert!(unmapped.is_ok(), "{unmapped:?}");
}

/// Sums what `/proc/self/smaps` reports as huge for the mappings in `range`, at most what of each
/// lies in it: the system may have joined one with its neighbour.
fn huge_bytes_in(smaps: &str, range: Range<u64>) -> u64 {
    let (mut within, mut page, mut huge) = (0, 0, 0);
    for line in smaps.lines() {
        if let Some(mapped) = line.split(' ').next().and_then(addresses) {
            let (start, end) = (mapped.start.max(range.start), mapped.end.min(range.end));
            (within, page) = (end.saturating_sub(start), 0);
        } else if within > 0
            && let Some((field, kib)) = line.split_once(':')
        {
            let kib = kib.trim().strip_suffix(" kB").and_then(|kib| kib.parse().ok());
            let bytes = kib.unwrap_or(0_u64) << 10;
            match field {
                "AnonHugePages" | "ShmemPmdMapped" | "FilePmdMapped" => huge += bytes.min(within),
                "KernelPageSize" => page = bytes,
                // Memory of `hugetlbfs` is huge altogether.
                "Rss" if page > page_size() as u64 => huge += within,
                _ => {}
            }
        }
    }
    huge
}

/// The two numbers of `7f00-8f00`.
fn addresses(text: &str) -> Option<Range<u64>> {
    let (start, end) = text.split_once('-')?;
    let number = |text| u64::from_str_radix(text, 16).ok();
    Some(number(start)?..number(end)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn huge_pages_are_counted_only_inside_the_mapping() {
        let smaps = "7000-9000 rw-s 00000000 00:01 1 /dev/shm/x\nSize: 8 kB\nKernelPageSize:  4 kB\n\
                     ShmemPmdMapped:  6 kB\n9000-a000 rw-s 0 0 0 y\nShmemPmdMapped: 4 kB\n";
        assert_eq!(huge_bytes_in(smaps, 0x7000..0x9000), 6 << 10);
        assert_eq!(huge_bytes_in(smaps, 0x7000..0xa000), 10 << 10);
        assert_eq!(huge_bytes_in(smaps, 0x8000..0x9000), 4 << 10);
        assert_eq!(huge_bytes_in(smaps, 0xa000..0xb000), 0);
    }
}
