//! `madvise`, `msync`; counting huge pages.

#![allow(unsafe_code, reason = "calls of the system on pages that a `Mapping` owns")]

use std::ops::Range;

use rustix::io::Errno;
use rustix::mm::{Advice as RawAdvice, MsyncFlags};

use super::Mapping;
use super::options::{Advice, Protection};
use crate::error::{Error, ErrorKind, Result};
use crate::sys::pages::page_size;

impl Mapping {
    /// Writes the pages that hold `range` to the file, and waits for the device if `wait`.
    pub(crate) fn flush(&self, range: Range<usize>, wait: bool) -> Result<()> {
        let flags = if wait { MsyncFlags::SYNC } else { MsyncFlags::ASYNC };
        let (start, bytes) = self.pages_of(range);
        // SAFETY: the pages belong to this value, and flushing does not change their content.
        unsafe { rustix::mm::msync(start, bytes, flags) }.map_err(Error::from_os)
    }

    /// Tells the system the expected use of the pages that hold `range`.
    pub(crate) fn advise(&self, range: Range<usize>, advice: Advice) -> Result<()> {
        let raw = match advice {
            Advice::Normal => RawAdvice::Normal,
            Advice::Sequential => RawAdvice::Sequential,
            Advice::Random => RawAdvice::Random,
            Advice::WillNeed => RawAdvice::WillNeed,
            // `MADV_DONTNEED` would discard the content of private pages.
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

    /// Keeps the bytes out of core dumps: shared data can be large, and confidential.
    pub(crate) fn exclude_from_core_dumps(&self) -> Result<()> {
        self.advise(0..self.length, Advice::DontDump)
    }

    /// Makes the pages of `range` present, so that the next access waits for none: an access that
    /// `writes`, or that only reads.
    pub(crate) fn prefault(&self, range: Range<usize>, writes: bool) -> Result<()> {
        let advice =
            if writes { RawAdvice::LinuxPopulateWrite } else { RawAdvice::LinuxPopulateRead };
        match self.raw_advice(range.clone(), advice) {
            Ok(()) => Ok(()),
            // Before Linux 5.14 reading ahead is the only way.
            Err(Errno::INVAL) => self.advise(range, Advice::WillNeed),
            // An access would end the process by SIGBUS.
            Err(Errno::FAULT) => {
                let why = "the file system has no space for a page, or the file was shrunk";
                Err(Error::new(ErrorKind::OutOfSpace, why))
            }
            Err(error) => Err(Error::from_os(error)),
        }
    }

    /// Returns how many of the mapped bytes are in huge pages now, by the accounts of the kernel.
    pub(crate) fn huge_page_bytes(&self) -> Result<u64> {
        let smaps = std::fs::read_to_string("/proc/self/smaps").map_err(Error::from_os)?;
        let (first, bytes) = self.pages();
        let start = first.as_ptr() as u64;
        Ok(huge_bytes_in(&smaps, start..start + bytes as u64))
    }

    fn raw_advice(&self, range: Range<usize>, advice: RawAdvice) -> rustix::io::Result<()> {
        let (start, bytes) = self.pages_of(range);
        // SAFETY: the pages belong to this value. None of the advice given here changes the content
        // of shared pages, and `DONTNEED` is not given for private ones.
        unsafe { rustix::mm::madvise(start, bytes, advice) }
    }
}

/// Sums the huge bytes that `/proc/self/smaps` reports for the mappings in `range`.
///
/// The kernel can have merged a mapping with its neighbour, so at most the bytes within `range`
/// count.
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
                // All pages of `hugetlbfs` are huge.
                "Rss" if page > page_size() as u64 => huge += within,
                _ => {}
            }
        }
    }
    huge
}

/// Parses a range of addresses such as `7f00-8f00`.
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
