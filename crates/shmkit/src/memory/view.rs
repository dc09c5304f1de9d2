//! A checked window over bytes that others may change at any moment.
//!
//! ```text
//! base                                     base + length
//! |---------|------- sub(offset, length) -------|------|
//!               read: copied out     word: an atomic of 8 bytes, aligned
//! ```
//!
//! No reference to the bytes is ever formed: they are copied, whole words as words, or are atomics.
//! Every offset is compared with the length before anything is touched, so a number that another
//! process wrote can be used as an offset as it is: at worst the answer is `OutOfRange`.

#![allow(unsafe_code, reason = "the one place that turns a checked offset into an address")]

use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::ptr::NonNull;

use super::atomic::AtomicU64;
use super::copy::{copy_in, copy_out};
use crate::error::{Error, ErrorKind, Result};
use crate::sys::mapping::{Mapping, Protection};

/// The size of a word: what is shared between processes and atomic.
const WORD: usize = size_of::<u64>();

/// A window over shared bytes, as long as `'a`.
///
/// It is a plain value: copy it freely. Other threads and processes may change the bytes while a
/// copy is made, which then is a mixture of old and new; atomics and a protocol prevent that.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// INVARIANT: `length` bytes from here are readable for `'a`, and writable if `writable`; all
    /// who touch them meanwhile do so by views, by atomics, or from another process.
    base: NonNull<u8>,
    length: usize,
    writable: bool,
    lifetime: PhantomData<&'a AtomicU64>,
}

// SAFETY: whatever a view does is sound while others change the same bytes.
unsafe impl Send for View<'_> {}
// SAFETY: as above.
unsafe impl Sync for View<'_> {}

impl<'a> View<'a> {
    /// A window over the `length` bytes from `base`.
    ///
    /// # Safety
    ///
    /// For all of `'a`, the bytes must be readable, and writable if `writable`; nobody in this
    /// process may hold a reference to any of them, other than to atomics, or touch them in another
    /// way than by views and atomics.
    pub(crate) unsafe fn new(base: NonNull<u8>, length: usize, writable: bool) -> Self {
        Self { base, length, writable, lifetime: PhantomData }
    }

    /// A window over all that a mapping maps, for as long as it is mapped.
    pub(crate) fn of_mapping(mapping: &'a Mapping) -> Self {
        let base = NonNull::new(mapping.as_ptr()).expect("a mapping is not at 0");
        let writable = mapping.protection() != Protection::ReadOnly;
        // SAFETY: the borrow keeps the bytes mapped for `'a`, with this protection; whoever else
        // maps or shares them does so by a view too.
        unsafe { Self::new(base, mapping.len(), writable) }
    }

    /// How many bytes it shows.
    #[inline]
    pub fn len(&self) -> usize {
        self.length
    }

    /// Whether it shows no byte.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Whether the bytes may be changed through it.
    #[inline]
    pub fn is_writable(&self) -> bool {
        self.writable
    }

    /// The first byte. Getting it is safe; what is done with it must bear that others change the
    /// bytes.
    #[inline]
    pub fn as_ptr(&self) -> *mut u8 {
        self.base.as_ptr()
    }

    /// A window over `length` of these bytes, from `offset`.
    ///
    /// # Errors
    ///
    /// `OutOfRange` where that is not within this one.
    #[inline]
    pub fn sub(&self, offset: usize, length: usize) -> Result<Self> {
        let base = self.at(offset, length)?;
        Ok(Self { base, length, ..*self })
    }

    /// Copies bytes out, from `offset`, until `into` is full. Each whole word of the view, 8 bytes
    /// at a multiple of 8 in memory, is read in one piece.
    ///
    /// # Errors
    ///
    /// `OutOfRange` where there are not as many; then nothing is copied.
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

    /// Copies all of `bytes` in, from `offset`. Each whole word of the view, 8 bytes at a multiple
    /// of 8 in memory, is written in one piece.
    ///
    /// # Errors
    ///
    /// `OutOfRange` where there is not as much room, and `PermissionDenied` where the view is
    /// read-only; then nothing is copied.
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

    /// Sets `length` bytes from `offset` to `value`.
    ///
    /// # Errors
    ///
    /// As [`View::write`].
    pub fn fill(&self, offset: usize, length: usize, value: u8) -> Result<()> {
        const BLOCK: usize = 512;
        self.at(offset, length)?;
        let block = [value; BLOCK];
        for start in (0..length).step_by(BLOCK) {
            self.write(offset + start, &block[..BLOCK.min(length - start)])?;
        }
        Ok(())
    }

    /// The word at `offset`, which others may change at any moment.
    ///
    /// From a read-only view it may only be loaded: the callers here know which they have, those of
    /// the public [`Region::words`](super::Region::words) get none.
    ///
    /// # Errors
    ///
    /// `OutOfRange` where it is not within the view or not at a multiple of 8.
    #[inline]
    pub(crate) fn word(&self, offset: usize) -> Result<&'a AtomicU64> {
        match self.words(offset, 1)? {
            [word] => Ok(word),
            _ => unreachable!("one word was asked for"),
        }
    }

    /// The `count` words from `offset`, which others may change at any moment.
    ///
    /// # Errors
    ///
    /// As [`View::word`].
    #[cfg(not(loom))]
    #[inline]
    pub(crate) fn words(&self, offset: usize, count: usize) -> Result<&'a [AtomicU64]> {
        let length = count.checked_mul(WORD).ok_or_else(|| self.outside(offset, usize::MAX))?;
        let first = self.at(offset, length)?;
        if !first.as_ptr().cast::<AtomicU64>().is_aligned() {
            let why = format!("a word cannot be at {offset}: it is no multiple of {WORD}");
            return Err(Error::new(ErrorKind::OutOfRange, why));
        }
        // SAFETY: the pointer is not null and aligned; the words lie within the view, whose bytes
        // are readable for `'a`; every 8 bytes are a valid `AtomicU64`, and may change behind it;
        // their length is at most that of the view.
        Ok(unsafe { std::slice::from_raw_parts(first.as_ptr().cast(), count) })
    }

    /// A model's words are not bytes: models hand words to a protocol, without a view.
    #[cfg(loom)]
    pub(crate) fn words(&self, _: usize, _: usize) -> Result<&'a [AtomicU64]> {
        Err(Error::new(ErrorKind::Unsupported, "a view has no words in a model"))
    }

    /// How many of the `length` bytes from `offset`, which are within, lie before the first whole
    /// word, and the whole words from there on.
    #[inline]
    fn whole_words(&self, offset: usize, length: usize) -> (usize, &'a [AtomicU64]) {
        let address = self.base.as_ptr().wrapping_add(offset);
        let lead = address.align_offset(WORD).min(length);
        match self.words(offset + lead, (length - lead) / WORD) {
            Ok(words) => (lead, words),
            // None fits in, or this is a model.
            Err(_) => (length, &[]),
        }
    }

    /// Copies bytes out one by one.
    #[inline]
    fn read_bytes(&self, offset: usize, into: &mut [u8]) -> Result<()> {
        let from = self.at(offset, into.len())?;
        for (at, byte) in into.iter_mut().enumerate() {
            // SAFETY: `at` checked that as many bytes are within the view; any value is a byte.
            // Volatile, since it may change at any moment.
            *byte = unsafe { from.as_ptr().wrapping_add(at).read_volatile() };
        }
        Ok(())
    }

    /// Copies bytes in one by one. The view is writable.
    #[inline]
    fn write_bytes(&self, offset: usize, bytes: &[u8]) -> Result<()> {
        let to = self.at(offset, bytes.len())?;
        for (at, byte) in bytes.iter().enumerate() {
            // SAFETY: `at` checked that as many bytes are within the view, which the caller knows
            // to be writable. Volatile, since others may look at any moment.
            unsafe { to.as_ptr().wrapping_add(at).write_volatile(*byte) };
        }
        Ok(())
    }

    /// The address of `length` bytes from `offset`, all of them within the view.
    #[inline]
    fn at(&self, offset: usize, length: usize) -> Result<NonNull<u8>> {
        if offset > self.length || length > self.length - offset {
            return Err(self.outside(offset, length));
        }
        // SAFETY: `offset` is at most the length of what the view shows.
        Ok(unsafe { self.base.add(offset) })
    }

    #[inline]
    pub(super) fn check_writable(&self) -> Result<()> {
        if self.writable {
            return Ok(());
        }
        Err(Error::new(ErrorKind::PermissionDenied, "it is open for reading alone"))
    }

    #[cold]
    fn outside(&self, offset: usize, length: usize) -> Error {
        let why = format!("{length} bytes at {offset} are not within its {}", self.length);
        Error::new(ErrorKind::OutOfRange, why)
    }
}

/// The same bytes, to be written by who wants places that need not be initialised.
fn as_uninit(bytes: &mut [u8]) -> &mut [MaybeUninit<u8>] {
    let (start, length) = (bytes.as_mut_ptr().cast(), bytes.len());
    // SAFETY: the same bytes, borrowed as they were. What is written there is initialised, since
    // the one user of this, `copy_out`, writes bytes.
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
    fn what_is_not_within_is_refused_with_its_numbers_and_changes_nothing() {
        let memory = HeapMemory::zeroed(100);
        let view = memory.view();
        for (offset, length) in [(0, 101), (100, 1), (101, 0), (1, 100), (usize::MAX, 2)] {
            let mut into = vec![1; length];
            let error = view.read(offset, &mut into).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::OutOfRange);
            let why = format!("{length} bytes at {offset} are not within its 100");
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
    fn words_are_aligned_within_and_the_same_bytes() {
        let memory = HeapMemory::zeroed(100);
        let view = memory.view();
        view.write(16, &5_u64.to_le_bytes()).unwrap();
        assert_eq!(view.word(16).unwrap().load(Ordering::Relaxed), 5);
        view.words(0, 12).unwrap()[11].store(6, Ordering::Relaxed);
        let mut last = [0; 8];
        view.read(88, &mut last).unwrap();
        assert_eq!(last, 6_u64.to_le_bytes());
        let error = view.word(4).unwrap_err();
        assert_eq!(error.to_string(), "a word cannot be at 4: it is no multiple of 8");
        assert!(view.words(0, 13).is_err() && view.word(96).is_err());
    }

    #[test]
    fn a_read_only_view_refuses_to_write() {
        let memory = HeapMemory::zeroed(8);
        // SAFETY: as `HeapMemory::view`, and never written.
        let view = unsafe { View::new(NonNull::new(memory.view().as_ptr()).unwrap(), 8, false) };
        let kinds = [view.write(0, &[1]), view.fill(0, 1, 1)].map(|it| it.unwrap_err().kind());
        assert_eq!(kinds, [ErrorKind::PermissionDenied; 2]);
        assert_eq!(view.word(0).unwrap().load(Ordering::Relaxed), 0);
    }
}
