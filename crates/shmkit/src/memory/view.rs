//! A checked window over bytes that other threads and processes can change at any time.
//!
//! ```text
//! base                                     base + length
//! |---------|------- sub(offset, length) -------|------|
//!               read: copied out     word: an atomic of 8 bytes, aligned
//! ```
//!
//! No reference to the bytes is ever formed: they are copied, whole words as words, or used as
//! atomics. Every offset is compared with the length before an access. So a number that another
//! process wrote can be used as an offset unchecked: at worst the result is `OutOfRange`.

#![allow(unsafe_code, reason = "the only place that turns a checked offset into an address")]

use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::ptr::NonNull;

use super::atomic::AtomicU64;
use super::copy::{copy_in, copy_out};
use crate::error::{Error, ErrorKind, Result};
use crate::sys::mapping::{Mapping, Protection};

/// The size of a word, the unit of atomic access between processes.
const WORD: usize = size_of::<u64>();

/// A window over shared bytes, valid for `'a`.
///
/// It is a plain value that can be copied freely. If other threads or processes change the bytes
/// during a copy, the copy is a mixture of old and new bytes. Atomics and a protocol prevent that.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// INVARIANT: `length` bytes from here are readable for `'a`, and writable if `writable`.
    /// During `'a` they are accessed only by views, by atomics, or from other processes.
    base: NonNull<u8>,
    length: usize,
    writable: bool,
    lifetime: PhantomData<&'a AtomicU64>,
}

// SAFETY: every operation of a view is sound while other threads change the same bytes.
unsafe impl Send for View<'_> {}
// SAFETY: as above.
unsafe impl Sync for View<'_> {}

impl<'a> View<'a> {
    /// Makes a window over `length` bytes from `base`.
    ///
    /// # Safety
    ///
    /// During `'a`
    /// - the bytes are readable, and writable if `writable`;
    /// - this process has no references to them, except to atomics;
    /// - this process accesses them only by views and atomics.
    pub(crate) unsafe fn new(base: NonNull<u8>, length: usize, writable: bool) -> Self {
        Self { base, length, writable, lifetime: PhantomData }
    }

    /// Makes a window over all bytes of a mapping.
    pub(crate) fn of_mapping(mapping: &'a Mapping) -> Self {
        let base = NonNull::new(mapping.as_ptr()).expect("no mapping is at address 0");
        let writable = mapping.protection() != Protection::ReadOnly;
        // SAFETY: the borrow keeps the bytes mapped for `'a`, with this protection. All other code
        // accesses mapped bytes by views too.
        unsafe { Self::new(base, mapping.len(), writable) }
    }

    /// Returns the number of bytes.
    #[inline]
    pub fn len(&self) -> usize {
        self.length
    }

    /// Returns whether there are no bytes.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Returns whether the bytes can be changed through this view.
    #[inline]
    pub fn is_writable(&self) -> bool {
        self.writable
    }

    /// Returns the address of the first byte. Any access through it must allow for concurrent
    /// changes of the bytes.
    #[inline]
    pub fn as_ptr(&self) -> *mut u8 {
        self.base.as_ptr()
    }

    /// Returns a window over `length` of these bytes, from `offset`.
    ///
    /// # Errors
    ///
    /// `OutOfRange` if that is not within this view.
    #[inline]
    pub fn sub(&self, offset: usize, length: usize) -> Result<Self> {
        let base = self.at(offset, length)?;
        Ok(Self { base, length, ..*self })
    }

    /// Fills `into` with the bytes from `offset` on.
    ///
    /// Reads each whole word, 8 bytes at a multiple of 8 in memory, in one piece.
    ///
    /// # Errors
    ///
    /// `OutOfRange` if there are fewer bytes. Then nothing is copied.
    #[inline]
    pub fn read(&self, offset: usize, into: &mut [u8]) -> Result<()> {
        self.at(offset, into.len())?;
        let (lead, words) = self.whole_words(offset, into.len());
        let (front, rest) = into.split_at_mut(lead);
        let (middle, back) = rest.split_at_mut(words.len() * WORD);
        let behind = offset + lead + middle.len();
        self.read_bytes(offset, front)?;
        copy_out(words, as_uninit(middle));
        self.read_bytes(behind, back)
    }

    /// Writes `bytes` from `offset` on.
    ///
    /// Writes each whole word, 8 bytes at a multiple of 8 in memory, in one piece.
    ///
    /// # Errors
    ///
    /// `OutOfRange` if there are fewer bytes; `PermissionDenied` if the view is read-only. Then
    /// nothing is copied.
    #[inline]
    pub fn write(&self, offset: usize, bytes: &[u8]) -> Result<()> {
        self.at(offset, bytes.len())?;
        self.check_writable()?;
        let (lead, words) = self.whole_words(offset, bytes.len());
        let (front, rest) = bytes.split_at(lead);
        let (middle, back) = rest.split_at(words.len() * WORD);
        self.write_bytes(offset, front)?;
        copy_in(middle, words);
        self.write_bytes(offset + lead + middle.len(), back)
    }

    /// Sets `length` bytes from `offset` on to `value`.
    ///
    /// # Errors
    ///
    /// As for [`View::write`]: `OutOfRange`, `PermissionDenied`.
    pub fn fill(&self, offset: usize, length: usize, value: u8) -> Result<()> {
        const BLOCK: usize = 512;
        self.at(offset, length)?;
        let block = [value; BLOCK];
        for start in (0..length).step_by(BLOCK) {
            self.write(offset + start, &block[..BLOCK.min(length - start)])?;
        }
        Ok(())
    }

    /// Returns the word at `offset`, which other threads and processes can change at any time.
    ///
    /// Words of a read-only view can only be loaded. The callers in this crate know the kind of
    /// their view; the public [`Region::words`](super::Region::words) refuses read-only regions.
    ///
    /// # Errors
    ///
    /// `OutOfRange` if the word is not within the view or not at a multiple of 8.
    #[inline]
    pub(crate) fn word(&self, offset: usize) -> Result<&'a AtomicU64> {
        match self.words(offset, 1)? {
            [word] => Ok(word),
            _ => unreachable!("one word was requested"),
        }
    }

    /// Returns `count` words from `offset` on, as [`View::word`] returns one.
    ///
    /// # Errors
    ///
    /// `OutOfRange`, as for [`View::word`].
    #[cfg(not(loom))]
    #[inline]
    pub(crate) fn words(&self, offset: usize, count: usize) -> Result<&'a [AtomicU64]> {
        let length = count.checked_mul(WORD).ok_or_else(|| self.outside(offset, usize::MAX))?;
        let first = self.at(offset, length)?;
        if !first.as_ptr().cast::<AtomicU64>().is_aligned() {
            let why = format!("a word must begin at a multiple of {WORD}, not at {offset}");
            return Err(Error::new(ErrorKind::OutOfRange, why));
        }
        // SAFETY: the pointer is aligned and not null. The words are within the view, whose bytes
        // are readable for `'a`. Any 8 bytes are a valid `AtomicU64`, which allows concurrent
        // changes. The total size is at most that of the view.
        Ok(unsafe { std::slice::from_raw_parts(first.as_ptr().cast(), count) })
    }

    /// Reports that a model has no words in bytes: models pass words to a protocol without a view.
    #[cfg(loom)]
    pub(crate) fn words(&self, _: usize, _: usize) -> Result<&'a [AtomicU64]> {
        Err(Error::new(ErrorKind::Unsupported, "a view has no words in a model"))
    }

    /// Splits `length` bytes from `offset`, which are within the view. Returns how many bytes are
    /// before the first whole word, and the whole words.
    #[inline]
    fn whole_words(&self, offset: usize, length: usize) -> (usize, &'a [AtomicU64]) {
        let address = self.base.as_ptr().wrapping_add(offset);
        let lead = address.align_offset(WORD).min(length);
        match self.words(offset + lead, (length - lead) / WORD) {
            Ok(words) => (lead, words),
            // No whole word fits in, or this is a model.
            Err(_) => (length, &[]),
        }
    }

    /// Copies bytes out one by one.
    #[inline]
    fn read_bytes(&self, offset: usize, into: &mut [u8]) -> Result<()> {
        let from = self.at(offset, into.len())?;
        for (at, byte) in into.iter_mut().enumerate() {
            // SAFETY: `at` has checked that the bytes are within the view, and any value is a byte.
            // Volatile, because the byte can change at any time.
            *byte = unsafe { from.as_ptr().wrapping_add(at).read_volatile() };
        }
        Ok(())
    }

    /// Copies bytes in one by one. The caller has checked that the view is writable.
    #[inline]
    fn write_bytes(&self, offset: usize, bytes: &[u8]) -> Result<()> {
        let to = self.at(offset, bytes.len())?;
        for (at, byte) in bytes.iter().enumerate() {
            // SAFETY: `at` has checked that the bytes are within the view, and the caller that it
            // is writable. Volatile, because other processes can read at any time.
            unsafe { to.as_ptr().wrapping_add(at).write_volatile(*byte) };
        }
        Ok(())
    }

    /// Returns the address of `offset`, after checking that `length` bytes from there are within
    /// the view.
    #[inline]
    fn at(&self, offset: usize, length: usize) -> Result<NonNull<u8>> {
        if offset > self.length || length > self.length - offset {
            return Err(self.outside(offset, length));
        }
        // SAFETY: `offset` is at most the length of the view.
        Ok(unsafe { self.base.add(offset) })
    }

    /// Refuses a read-only view.
    #[inline]
    pub(super) fn check_writable(&self) -> Result<()> {
        if self.writable {
            return Ok(());
        }
        Err(Error::new(ErrorKind::PermissionDenied, "it is open read-only"))
    }

    #[cold]
    fn outside(&self, offset: usize, length: usize) -> Error {
        let why = format!("{length} bytes at {offset} are outside its {} bytes", self.length);
        Error::new(ErrorKind::OutOfRange, why)
    }
}

/// Returns the same bytes for a writer that accepts uninitialised memory.
fn as_uninit(bytes: &mut [u8]) -> &mut [MaybeUninit<u8>] {
    let (start, length) = (bytes.as_mut_ptr().cast(), bytes.len());
    // SAFETY: these are the same bytes with the same borrow. The bytes stay initialised, because
    // the only user, `copy_out`, writes bytes.
    unsafe { std::slice::from_raw_parts_mut(start, length) }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::memory::HeapMemory;
    use crate::memory::atomic::Ordering;

    #[test]
    fn bytes_go_in_and_out_at_any_offset() {
        let memory = HeapMemory::zeroed(1003);
        let view = memory.view();
        view.fill(0, 1003, 7).unwrap();
        for offset in 0..17 {
            for length in 0..40 {
                let bytes: Vec<u8> = (1..=length).collect();
                view.write(offset, &bytes).unwrap();
                let mut back = vec![0; bytes.len() + 1];
                view.read(offset, &mut back).unwrap();
                assert_eq!((&back[..bytes.len()], back[bytes.len()]), (&bytes[..], 7));
                view.fill(offset, bytes.len(), 7).unwrap();
            }
        }
    }

    #[test]
    fn a_range_outside_is_refused_with_its_numbers_and_changes_nothing() {
        let memory = HeapMemory::zeroed(100);
        let view = memory.view();
        for (offset, length) in [(0, 101), (100, 1), (101, 0), (1, 100), (usize::MAX, 2)] {
            let mut into = vec![1; length];
            let error = view.read(offset, &mut into).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::OutOfRange);
            let why = format!("{length} bytes at {offset} are outside its 100 bytes");
            assert_eq!(error.to_string(), why);
            assert!(view.write(offset, &into).is_err() && view.sub(offset, length).is_err());
            assert!(view.fill(offset, length, 1).is_err() && into.iter().all(|byte| *byte == 1));
        }
        assert!(view.sub(1, usize::MAX).is_err() && view.words(8, usize::MAX / 4).is_err());
        let mut all = [1; 100];
        view.read(0, &mut all).unwrap();
        assert_eq!(all, [0; 100]);
    }

    #[test]
    fn a_part_has_its_own_bounds() {
        let memory = HeapMemory::zeroed(100);
        let part = memory.view().sub(90, 10).unwrap();
        assert!(part.write(0, &[1; 10]).is_ok() && part.write(1, &[1; 10]).is_err());
        assert!(part.sub(10, 0).unwrap().is_empty() && part.sub(10, 1).is_err());
        assert!(memory.view().sub(100, 0).unwrap().write(0, &[]).is_ok());
    }

    #[test]
    fn words_are_aligned_within_bounds_and_share_the_bytes() {
        let memory = HeapMemory::zeroed(100);
        let view = memory.view();
        view.write(16, &5_u64.to_le_bytes()).unwrap();
        assert_eq!(view.word(16).unwrap().load(Ordering::Relaxed), 5);
        view.words(0, 12).unwrap()[11].store(6, Ordering::Relaxed);
        let mut last = [0; 8];
        view.read(88, &mut last).unwrap();
        assert_eq!(last, 6_u64.to_le_bytes());
        let error = view.word(4).unwrap_err();
        assert_eq!(error.to_string(), "a word must begin at a multiple of 8, not at 4");
        assert!(view.words(0, 13).is_err() && view.word(96).is_err());
    }

    #[test]
    fn a_read_only_view_refuses_to_write() {
        let memory = HeapMemory::zeroed(8);
        // SAFETY: as in `HeapMemory::view`; the bytes are never written.
        let view = unsafe { View::new(NonNull::new(memory.view().as_ptr()).unwrap(), 8, false) };
        let kinds = [view.write(0, &[1]), view.fill(0, 1, 1)].map(|it| it.unwrap_err().kind());
        assert_eq!(kinds, [ErrorKind::PermissionDenied; 2]);
        assert_eq!(view.word(0).unwrap().load(Ordering::Relaxed), 0);
    }
}
