//! A part of a file in the address space of this process.
//!
//! ```text
//! file     0 ............ offset ........... offset + length ..... its size
//!                         |------ Region ------|
//! Region                  0 ............... len
//! ```
//!
//! The range is compared with the size of the file once, when it is mapped. If a process shrinks
//! the file later, an access to the missing part is a bus error. Memory with a sealed size
//! ([`SharedMemory::seal`](super::SharedMemory::seal)) excludes that.

use std::ops::{Bound, Range, RangeBounds};

use super::View;
use super::atomic::AtomicU64;
use super::backing::Backing;
use super::while_used::Leaving;
use crate::error::{Error, ErrorKind, Result};
use crate::sys::mapping::{self, Mapping, Placement};

pub use crate::sys::mapping::{Advice, Protection};

/// Options for mapping shared memory or a file. By default they map all of it.
///
/// Returned by [`SharedMemory::region`](super::SharedMemory::region) and
/// [`FileMapping::region`](super::FileMapping::region).
#[derive(Clone, Debug)]
#[must_use = "nothing is mapped before `map`"]
pub struct RegionOptions<'a> {
    backing: &'a Backing,
    offset: u64,
    length: Option<usize>,
    protection: Protection,
    placement: Placement,
}

impl<'a> RegionOptions<'a> {
    pub(super) fn new(backing: &'a Backing) -> Self {
        let protection =
            if backing.is_writable() { Protection::ReadWrite } else { Protection::ReadOnly };
        Self { backing, offset: 0, length: None, protection, placement: Placement::default() }
    }

    /// Sets the first byte, which can be anywhere in a page. The default is 0.
    pub fn offset(mut self, offset: u64) -> Self {
        self.offset = offset;
        self
    }

    /// Sets the number of bytes. The default is up to the end.
    pub fn length(mut self, length: usize) -> Self {
        self.length = Some(length);
        self
    }

    /// Maps read-only. The default is the access of the handle.
    pub fn read_only(mut self) -> Self {
        self.protection = Protection::ReadOnly;
        self
    }

    /// Maps for reading and for private writing: no other region sees what is written, and it is
    /// lost with the region. A read-only handle is enough.
    ///
    /// It is unspecified whether a page that was not written yet shows what other processes write.
    pub fn copy_on_write(mut self) -> Self {
        self.protection = Protection::CopyOnWrite;
        self
    }

    /// Puts the first byte at this address, or fails if the addresses are in use.
    ///
    /// The address must be congruent to the offset modulo the page size (on Windows 64 KiB).
    pub fn address(mut self, address: usize) -> Self {
        self.placement.address = Some(address);
        self
    }

    /// Asks for huge pages (2 MiB), with which large regions cause fewer TLB misses.
    ///
    /// The system can ignore this: [`Region::huge_page_bytes`] returns the result. Only whole huge
    /// pages at multiples of 2 MiB in the file are possible.
    pub fn huge_pages(mut self) -> Self {
        self.placement.huge_pages = true;
        self
    }

    /// Maps the range.
    ///
    /// # Errors
    ///
    /// `OutOfRange` if the range is not within the file; `InvalidArgument` for an empty range or
    /// file, and for an address that is in use or not aligned; `PermissionDenied` for writing
    /// through a read-only handle; `OutOfSpace` if the address space of the process is full.
    pub fn map(&self) -> Result<Region> {
        let mapped = self.backing.status().and_then(|status| {
            let length = self.checked_length(status.size)?;
            if self.protection == Protection::ReadWrite && !self.backing.is_writable() {
                let why = "it is open read-only";
                return Err(Error::new(ErrorKind::PermissionDenied, why));
            }
            let (file, offset) = (self.backing.file(), self.offset);
            let mapping = Mapping::place(file, offset, length, self.protection, self.placement)?;
            Ok((mapping, status.committed < status.size))
        });
        let (mapping, has_holes) = mapped.map_err(|it| self.backing.with_context(it, "map"))?;
        let leaving = self.backing.leaving_of_mapping();
        Ok(Region { mapping, _leaving: leaving, has_holes, label: self.backing.label().to_owned() })
    }

    fn checked_length(&self, size: u64) -> Result<usize> {
        let offset = self.offset;
        let outside = |why| Err(Error::new(ErrorKind::OutOfRange, why));
        let empty = |why| Err(Error::new(ErrorKind::InvalidArgument, why));
        match self.length {
            _ if size == 0 => empty("it is empty: there is nothing to map".to_owned()),
            Some(0) => empty("a region needs at least 1 byte".to_owned()),
            Some(length) if offset.checked_add(length as u64).is_none_or(|end| end > size) => {
                outside(format!("{length} bytes at {offset} are outside its {size} bytes"))
            }
            Some(length) => Ok(length),
            None if offset >= size => {
                outside(format!("its {size} bytes end before the offset {offset}"))
            }
            None => usize::try_from(size - offset).or_else(|_| {
                outside(format!("its {size} bytes are more than this process can address"))
            }),
        }
    }
}

/// Bytes of shared memory or of a file, in the address space of this process.
///
/// A region and its bytes stay until the region is dropped, even if the handle that mapped it is
/// dropped and the name is removed. Forked children inherit the region and see the same bytes.
///
/// Bytes are copied in and out. If other processes change them during a copy, the copy is a mixture
/// of old and new bytes. `Latest` excludes that, and so do atomics ([`Region::words`]) with a
/// protocol of your own.
///
/// # If a process dies
///
/// The bytes that it wrote through a region stay, even if a write was half done.
///
/// # Examples
///
/// ```
/// # use shmkit::memory::SharedMemory;
/// # let name = format!("doc-region-{}", std::process::id());
/// let memory = SharedMemory::create(&name, 10_000)?;
/// let region = memory.region().offset(5_000).length(100).map()?;
/// region.write_at(0, b"hello")?;
///
/// let mut bytes = [0; 5];
/// memory.map()?.read_at(5_000, &mut bytes)?;
/// assert_eq!(&bytes, b"hello");
/// # let _ = SharedMemory::remove(&name);
/// # Ok::<(), shmkit::Error>(())
/// ```
#[derive(Debug)]
#[doc(alias = "mapped_region")]
#[doc(alias = "mmap")]
#[doc(alias = "MapViewOfFile")]
pub struct Region {
    mapping: Mapping,
    /// After `mapping`: what is to be done when that ends.
    _leaving: Option<Leaving>,
    /// Whether the file system had not committed all bytes of the file: at the first access to a
    /// page it may have no space for it.
    has_holes: bool,
    label: String,
}

impl Region {
    /// Returns the size of a page, the unit of memory of the system. Offsets and lengths of regions
    /// need not be multiples of it.
    pub fn page_size() -> usize {
        mapping::page_size()
    }

    /// Returns the number of bytes, at least one.
    #[expect(clippy::len_without_is_empty, reason = "a region is never empty")]
    pub fn len(&self) -> usize {
        self.mapping.len()
    }

    /// Returns whether the region can be written, and whether other regions see the writes.
    pub fn protection(&self) -> Protection {
        self.mapping.protection()
    }

    /// Returns the address of the first byte, valid while the region lives.
    ///
    /// A reference or a slice made from it is sound only if no process changes the bytes while it
    /// lives. A process that writes to the bytes of a read-only region is killed.
    pub fn as_ptr(&self) -> *mut u8 {
        self.mapping.as_ptr()
    }

    /// Returns a window over the whole region, which can be divided into parts with their own
    /// bounds.
    ///
    /// Unlike the copies of a region, those of a window do not commit bytes that another program
    /// left uncommitted: call [`prefault`](Self::prefault) before.
    pub fn view(&self) -> View<'_> {
        View::of_mapping(&self.mapping)
    }

    /// Returns `count` words of 8 bytes from `offset` on, for protocols of your own. Other
    /// processes can change them at any time.
    ///
    /// # Errors
    ///
    /// `OutOfRange` if the words are not within the region or do not begin at a multiple of 8 in
    /// memory; `PermissionDenied` if the region is read-only; `OutOfSpace` if the file system has
    /// no space for their pages.
    pub fn words(&self, offset: usize, count: usize) -> Result<&[AtomicU64]> {
        let view = self.view();
        let words = view.words(offset, count).and_then(|words| {
            view.check_writable()?;
            self.commit(offset, count * size_of::<u64>(), true)?;
            Ok(words)
        });
        words.map_err(|error| self.with_context(error, "get words of"))
    }

    /// Fills `into` with the bytes from `offset` on.
    ///
    /// Reads each whole word, 8 bytes at a multiple of 8 in memory, in one piece.
    ///
    /// # Errors
    ///
    /// `OutOfRange` if there are fewer bytes; `OutOfSpace` if another program made the file larger
    /// without committing the bytes, and the file system has no space for them. Then nothing is
    /// copied.
    pub fn read_at(&self, offset: usize, into: &mut [u8]) -> Result<()> {
        let read =
            self.commit(offset, into.len(), false).and_then(|()| self.view().read(offset, into));
        read.map_err(|error| self.with_context(error, "read"))
    }

    /// Writes `bytes` from `offset` on.
    ///
    /// Writes each whole word, 8 bytes at a multiple of 8 in memory, in one piece.
    ///
    /// # If a process dies
    ///
    /// Any part of the bytes can have been written.
    ///
    /// # Errors
    ///
    /// `OutOfRange` if there are fewer bytes; `PermissionDenied` if the region is read-only;
    /// `OutOfSpace` as for [`Region::read_at`]. Then nothing is copied.
    pub fn write_at(&self, offset: usize, bytes: &[u8]) -> Result<()> {
        let written =
            self.commit(offset, bytes.len(), true).and_then(|()| self.view().write(offset, bytes));
        written.map_err(|error| self.with_context(error, "write to"))
    }

    /// Sets all bytes of `range` to `value`. `..` means the whole region.
    ///
    /// # Errors
    ///
    /// As for [`Region::write_at`]: `OutOfRange`, `PermissionDenied`, `OutOfSpace`.
    pub fn fill(&self, range: impl RangeBounds<usize>, value: u8) -> Result<()> {
        let filled = self.within(range).and_then(|range| {
            self.commit(range.start, range.len(), true)?;
            self.view().fill(range.start, range.len(), value)
        });
        filled.map_err(|error| self.with_context(error, "fill"))
    }

    /// Writes the changed bytes of `range` to the file, and waits until the device has them.
    ///
    /// Other mappings show the bytes without this. For shared memory and copy-on-write regions
    /// there is no device, and this does nothing.
    ///
    /// # Errors
    ///
    /// `OutOfRange`, or an error of the device.
    pub fn flush(&self, range: impl RangeBounds<usize>) -> Result<()> {
        self.flush_pages(range, true)
    }

    /// Starts to write the changed bytes of `range` to the file, as [`Region::flush`] does, and
    /// does not wait.
    ///
    /// # Errors
    ///
    /// `OutOfRange`.
    pub fn flush_async(&self, range: impl RangeBounds<usize>) -> Result<()> {
        self.flush_pages(range, false)
    }

    fn flush_pages(&self, range: impl RangeBounds<usize>, wait: bool) -> Result<()> {
        let flushed = self.within(range).and_then(|range| self.mapping.flush(range, wait));
        flushed.map_err(|error| self.with_context(error, "flush"))
    }

    /// Tells the system the expected use of the pages of `range`.
    ///
    /// # Errors
    ///
    /// `OutOfRange`; `Unsupported` if the system does not know the advice.
    pub fn advise(&self, range: impl RangeBounds<usize>, advice: Advice) -> Result<()> {
        let advised = self.within(range).and_then(|range| self.mapping.advise(range, advice));
        advised.map_err(|error| self.with_context(error, "advise on"))
    }

    /// Makes every page present, so that no later access waits for one.
    ///
    /// # Errors
    ///
    /// `OutOfSpace` if the file system has no space for a page.
    pub fn prefault(&self) -> Result<()> {
        let writes = self.protection() != Protection::ReadOnly;
        let made = self.mapping.prefault(0..self.len(), writes);
        made.map_err(|error| self.with_context(error, "prefault"))
    }

    /// Makes every page present and keeps it in memory, until [`Region::unlock`] or the end of the
    /// region. Forked children do not inherit the lock.
    ///
    /// # Errors
    ///
    /// `OutOfSpace` if that exceeds what this process may lock. The message names the limit.
    pub fn lock(&self) -> Result<()> {
        self.mapping.lock().map_err(|error| self.with_context(error, "lock into memory"))
    }

    /// Undoes [`Region::lock`].
    ///
    /// # Errors
    ///
    /// Any error of the system.
    pub fn unlock(&self) -> Result<()> {
        self.mapping.unlock().map_err(|error| self.with_context(error, "unlock"))
    }

    /// Returns how many bytes of the mapped pages are in huge pages now: 0 if the system ignored
    /// [`RegionOptions::huge_pages`].
    ///
    /// # Errors
    ///
    /// Any error of the system.
    pub fn huge_page_bytes(&self) -> Result<u64> {
        self.mapping
            .huge_page_bytes()
            .map_err(|error| self.with_context(error, "count the huge pages of"))
    }

    /// Removes the first `bytes` bytes. Byte `bytes` becomes byte 0, at the same address.
    ///
    /// The file does not change. Pages that contain only removed bytes
    /// are unmapped; on Windows when the region is dropped.
    ///
    /// # Errors
    ///
    /// `OutOfRange` if nothing would be left.
    pub fn shrink_front(&mut self, bytes: usize) -> Result<()> {
        let shrunk = self.mapping.shrink_front(bytes);
        shrunk.map_err(|error| self.with_context(error, "shrink"))
    }

    /// Removes the last `bytes` bytes.
    ///
    /// The file does not change. Pages that contain only removed bytes
    /// are unmapped; on Windows when the region is dropped.
    ///
    /// # Errors
    ///
    /// `OutOfRange` if nothing would be left.
    pub fn shrink_back(&mut self, bytes: usize) -> Result<()> {
        let shrunk = self.mapping.shrink_back(bytes);
        shrunk.map_err(|error| self.with_context(error, "shrink"))
    }

    /// Makes sure that the file system has space for `length` bytes from `offset` on, before an
    /// access that `writes`, or that only reads: without space the access would be a bus error.
    /// Leaves a range that is outside, and writing to a read-only region, to the access.
    #[inline]
    fn commit(&self, offset: usize, length: usize, writes: bool) -> Result<()> {
        let is_refused = writes && self.protection() == Protection::ReadOnly;
        match offset.checked_add(length) {
            Some(end) if self.has_holes && end <= self.len() && length > 0 && !is_refused => {
                self.mapping.prefault(offset..end, writes)
            }
            _ => Ok(()),
        }
    }

    /// Converts `range` to offsets, which must be within the region.
    fn within(&self, range: impl RangeBounds<usize>) -> Result<Range<usize>> {
        let start = match range.start_bound() {
            Bound::Included(&start) => Some(start),
            Bound::Excluded(&before) => before.checked_add(1),
            Bound::Unbounded => Some(0),
        };
        let end = match range.end_bound() {
            Bound::Included(&last) => last.checked_add(1),
            Bound::Excluded(&end) => Some(end),
            Bound::Unbounded => Some(self.len()),
        };
        match (start, end) {
            (Some(start), Some(end)) if start <= end && end <= self.len() => Ok(start..end),
            _ => {
                let (start, end) = (start.unwrap_or(usize::MAX), end.unwrap_or(usize::MAX));
                let why = format!("bytes {start} to {end} are outside its {} bytes", self.len());
                Err(Error::new(ErrorKind::OutOfRange, why))
            }
        }
    }

    /// Adds the operation and the name of the mapped thing to an error.
    #[cold]
    fn with_context(&self, error: Error, doing: &'static str) -> Error {
        error.doing(doing).on(&self.label)
    }
}
