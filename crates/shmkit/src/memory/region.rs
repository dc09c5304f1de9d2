//! Part of a file in this process's memory.
//!
//! ```text
//! file     0 ............ offset ........... offset + length ..... its size
//!                         |------ Region ------|
//! Region                  0 ............... len
//! ```
//!
//! The range is compared with the size of the file once, when it is mapped. If somebody cuts the
//! file later, touching what is gone is a bus error; memory that is sealed against it
//! ([`SharedMemory::seal`](super::SharedMemory::seal)) excludes that.

use std::ops::{Bound, Range, RangeBounds};

use super::View;
use super::atomic::AtomicU64;
use super::backing::Backing;
use crate::error::{Error, ErrorKind, Result};
use crate::sys::mapping::{self, Mapping, Placement};

pub use crate::sys::mapping::{Advice, Protection};

/// How shared memory or a file is to be mapped: all of it, unless told otherwise.
///
/// Made by [`SharedMemory::region`](super::SharedMemory::region) and
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

    /// Begins at this byte, which need not begin a page. The default is 0.
    pub fn offset(mut self, offset: u64) -> Self {
        self.offset = offset;
        self
    }

    /// Maps this many bytes. The default is up to the end.
    pub fn length(mut self, length: usize) -> Self {
        self.length = Some(length);
        self
    }

    /// For reading alone. The default is what the handle was opened for.
    pub fn read_only(mut self) -> Self {
        self.protection = Protection::ReadOnly;
        self
    }

    /// For reading, and writing that nobody else sees and that goes with the region. The handle may
    /// be one for reading alone.
    ///
    /// Pages that were not written yet may or may not follow what others write.
    pub fn copy_on_write(mut self) -> Self {
        self.protection = Protection::CopyOnWrite;
        self
    }

    /// Puts the first byte at this address, or fails if something else is there.
    ///
    /// The address must lie as deep in a page as the offset does (on Windows: in 64 KiB).
    pub fn address(mut self, address: usize) -> Self {
        self.placement.address = Some(address);
        self
    }

    /// Asks for huge pages (2 MiB), which large regions reach with fewer misses.
    ///
    /// It is a wish: what became of it says [`Region::huge_page_bytes`]. Only whole huge pages at
    /// multiples of 2 MiB of the file can be had.
    pub fn huge_pages(mut self) -> Self {
        self.placement.huge_pages = true;
        self
    }

    /// Maps it.
    ///
    /// # Errors
    ///
    /// `OutOfRange` where the range is not within the file, `InvalidArgument` for an empty range or
    /// file, and for an address that is taken or cannot begin such a range; `PermissionDenied` for
    /// writing through a handle that is for reading alone.
    pub fn map(&self) -> Result<Region> {
        let mapped = self.checked_length().and_then(|length| {
            if self.protection == Protection::ReadWrite && !self.backing.is_writable() {
                let why = "it is open for reading alone";
                return Err(Error::new(ErrorKind::PermissionDenied, why));
            }
            let (file, offset) = (self.backing.file(), self.offset);
            Mapping::place(file, offset, length, self.protection, self.placement)
        });
        let mapping = mapped.map_err(|error| self.backing.say(error, "map"))?;
        Ok(Region { mapping, label: self.backing.label().to_owned() })
    }

    fn checked_length(&self) -> Result<usize> {
        let (size, offset) = (self.backing.size()?, self.offset);
        let outside = |why| Err(Error::new(ErrorKind::OutOfRange, why));
        let empty = |why| Err(Error::new(ErrorKind::InvalidArgument, why));
        match self.length {
            _ if size == 0 => empty("it is empty: there is nothing to map".to_owned()),
            Some(0) => empty("a region of 0 bytes was asked for".to_owned()),
            Some(length) if offset.checked_add(length as u64).is_none_or(|end| end > size) => {
                outside(format!("{length} bytes at {offset} are not within its {size}"))
            }
            Some(length) => Ok(length),
            None if offset >= size => {
                outside(format!("it has {size} bytes, so that none is left at {offset}"))
            }
            None => usize::try_from(size - offset).or_else(|_| {
                outside(format!("its {size} bytes are more than this process can address"))
            }),
        }
    }
}

/// Bytes of shared memory or of a file, in this process's memory.
///
/// It needs neither the handle that it was made from nor the name: it stays until it is dropped,
/// and so do the bytes. Forked children inherit it and see the same bytes.
///
/// The bytes are copied in and out. Others may change them meanwhile: a copy that is made just then
/// is a mixture of old and new. `Latest` and its siblings, or atomics ([`Region::words`]) and a
/// protocol of your own, exclude that.
///
/// # If a process dies
///
/// What it wrote through a region stays, also where it had written half of it.
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
    label: String,
}

impl Region {
    /// The size of a page, the system's unit of memory. Offsets and lengths need not heed it.
    pub fn page_size() -> usize {
        mapping::page_size()
    }

    /// How many bytes it has, at least one.
    #[expect(clippy::len_without_is_empty, reason = "a region is never empty")]
    pub fn len(&self) -> usize {
        self.mapping.len()
    }

    /// Whether it can be written, and who sees it.
    pub fn protection(&self) -> Protection {
        self.mapping.protection()
    }

    /// The first byte, for use as long as the region lives. Getting it is safe.
    ///
    /// Whoever makes a reference or a slice of it must know that nobody, in no process, changes the
    /// bytes while it lives. For the bytes of a region that can only be read, writing ends the
    /// process.
    pub fn as_ptr(&self) -> *mut u8 {
        self.mapping.as_ptr()
    }

    /// A window over all of it, for parts with bounds of their own.
    pub fn view(&self) -> View<'_> {
        View::of_mapping(&self.mapping)
    }

    /// The `count` words of 8 bytes from `offset`, which others may change at any moment: for
    /// protocols of your own.
    ///
    /// # Errors
    ///
    /// `OutOfRange` where they are not within the region or do not begin at a multiple of 8 in
    /// memory; `PermissionDenied` where the region is read-only.
    pub fn words(&self, offset: usize, count: usize) -> Result<&[AtomicU64]> {
        let view = self.view();
        let words = view.words(offset, count).and_then(|words| {
            view.check_writable()?;
            Ok(words)
        });
        words.map_err(|error| self.say(error, "take words of"))
    }

    /// Copies bytes out, from `offset`, until `into` is full. Each whole word, 8 bytes at a
    /// multiple of 8 in memory, is read in one piece.
    ///
    /// # Errors
    ///
    /// `OutOfRange` where there are not as many; then nothing is copied.
    pub fn read_at(&self, offset: usize, into: &mut [u8]) -> Result<()> {
        self.view().read(offset, into).map_err(|error| self.say(error, "read"))
    }

    /// Copies all of `bytes` in, from `offset`. Each whole word, 8 bytes at a multiple of 8 in
    /// memory, is written in one piece.
    ///
    /// # If a process dies
    ///
    /// Any part of the bytes may have been written.
    ///
    /// # Errors
    ///
    /// `OutOfRange` where there is not as much room, `PermissionDenied` where the region is
    /// read-only; then nothing is copied.
    pub fn write_at(&self, offset: usize, bytes: &[u8]) -> Result<()> {
        self.view().write(offset, bytes).map_err(|error| self.say(error, "write to"))
    }

    /// Sets all bytes of `range` to `value`: `..` means all.
    ///
    /// # Errors
    ///
    /// As [`Region::write_at`].
    pub fn fill(&self, range: impl RangeBounds<usize>, value: u8) -> Result<()> {
        let filled =
            self.within(range).and_then(|range| self.view().fill(range.start, range.len(), value));
        filled.map_err(|error| self.say(error, "fill"))
    }

    /// Writes what was changed in `range` back to the file, and waits until the device has it.
    ///
    /// Others who map the bytes see them without it. Shared memory and copy-on-write regions have
    /// no device, and there is nothing to do.
    ///
    /// # Errors
    ///
    /// `OutOfRange`, or what the device says.
    pub fn flush(&self, range: impl RangeBounds<usize>) -> Result<()> {
        self.flush_pages(range, true)
    }

    /// As [`Region::flush`], without waiting.
    ///
    /// # Errors
    ///
    /// `OutOfRange`.
    pub fn flush_async(&self, range: impl RangeBounds<usize>) -> Result<()> {
        self.flush_pages(range, false)
    }

    fn flush_pages(&self, range: impl RangeBounds<usize>, wait: bool) -> Result<()> {
        let flushed = self.within(range).and_then(|range| self.mapping.flush(range, wait));
        flushed.map_err(|error| self.say(error, "flush"))
    }

    /// Tells the system how the pages of `range` will be used.
    ///
    /// # Errors
    ///
    /// `OutOfRange`, or `Unsupported` where the system does not know the advice.
    pub fn advise(&self, range: impl RangeBounds<usize>, advice: Advice) -> Result<()> {
        let advised = self.within(range).and_then(|range| self.mapping.advise(range, advice));
        advised.map_err(|error| self.say(error, "advise on"))
    }

    /// Makes every page present now, so that no later access has to wait for one.
    ///
    /// # Errors
    ///
    /// `OutOfSpace` where the file system has no room for a page.
    pub fn prefault(&self) -> Result<()> {
        self.mapping.prefault().map_err(|error| self.say(error, "prefault"))
    }

    /// Makes every page present and keeps it in memory, until [`Region::unlock`] or the end of the
    /// region. Forked children do not inherit it.
    ///
    /// # Errors
    ///
    /// `OutOfSpace` where that is more than this process may lock; the limit is in the message.
    pub fn lock(&self) -> Result<()> {
        self.mapping.lock().map_err(|error| self.say(error, "lock into memory"))
    }

    /// Takes [`Region::lock`] back.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn unlock(&self) -> Result<()> {
        self.mapping.unlock().map_err(|error| self.say(error, "unlock"))
    }

    /// How many bytes of the mapped pages are in huge pages at the moment, as the system accounts
    /// for them: 0 where [`RegionOptions::huge_pages`] remained a wish.
    ///
    /// # Errors
    ///
    /// Where the system does not tell.
    pub fn huge_page_bytes(&self) -> Result<u64> {
        self.mapping.huge_page_bytes().map_err(|error| self.say(error, "count the huge pages of"))
    }

    /// Gives up the first `bytes`. What was byte `bytes` is then byte 0, at the same address.
    ///
    /// The file stays as it is. Pages that held nothing else are unmapped.
    ///
    /// # Errors
    ///
    /// `OutOfRange` where nothing would be left.
    pub fn shrink_front(&mut self, bytes: usize) -> Result<()> {
        let shrunk = self.mapping.shrink_front(bytes);
        shrunk.map_err(|error| self.say(error, "shrink"))
    }

    /// Gives up the last `bytes`.
    ///
    /// The file stays as it is. Pages that held nothing else are unmapped.
    ///
    /// # Errors
    ///
    /// `OutOfRange` where nothing would be left.
    pub fn shrink_back(&mut self, bytes: usize) -> Result<()> {
        let shrunk = self.mapping.shrink_back(bytes);
        shrunk.map_err(|error| self.say(error, "shrink"))
    }

    /// The bytes that `range` means, which must be within the region.
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
                let why = format!("bytes {start} to {end} are not within its {}", self.len());
                Err(Error::new(ErrorKind::OutOfRange, why))
            }
        }
    }

    #[cold]
    fn say(&self, error: Error, doing: &'static str) -> Error {
        error.doing(doing).on(&self.label)
    }
}
