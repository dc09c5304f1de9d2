//! `madvise`, `msync`; huge pages.

#![allow(unsafe_code, reason = "mapping is unsafe to the system; a `Mapping` owns its pages")]

use std::fs::File;
use std::ops::Range;
use std::ptr::NonNull;

use rustix::io::Errno;
use rustix::mm::{Advice as RawAdvice, MapFlags, MsyncFlags, ProtFlags};

use super::unix::{flags_of, in_use, not_mapped, placed, unmap};
use super::{Advice, Mapping, Placement, Protection, page_size};
use crate::error::{Error, ErrorKind, Result};

/// The size of a huge page that the system puts together by itself.
const HUGE_PAGE: usize = 2 << 20;

impl Mapping {
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

    /// How many of the mapped bytes are in huge pages now, as the kernel accounts for them.
    pub(crate) fn huge_page_bytes(&self) -> Result<u64> {
        let smaps = std::fs::read_to_string("/proc/self/smaps").map_err(Error::from_os)?;
        let (first, bytes) = self.pages();
        let start = first.as_ptr() as u64;
        Ok(huge_bytes_in(&smaps, start..start + bytes as u64))
    }

    pub(super) fn ask_for_huge_pages(&self) {
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
}

/// Where pages are to be.
#[derive(Clone, Copy)]
enum Place {
    Anywhere,
    Exactly(usize),
    /// At an address that equals the file's offset modulo the size of a huge page.
    Congruent,
}

pub(super) fn map_pages(
    file: &File,
    first_page: u64,
    bytes: usize,
    protection: Protection,
    placement: Placement,
) -> Result<NonNull<u8>> {
    let place = match (placement.address, placement.huge_pages) {
        (Some(address), _) => Place::Exactly(address),
        (None, true) => Place::Congruent,
        (None, false) => Place::Anywhere,
    };
    let (allowed, sharing) = flags_of(protection);
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
        _ => not_mapped(error, bytes),
    })?;
    placed(pages, bytes, placement.address)
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
