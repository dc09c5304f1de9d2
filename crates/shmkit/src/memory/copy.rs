//! Copying between private memory and words that other processes change meanwhile.
//!
//! A copy can be a mixture of old and new words. The caller's protocol detects that afterwards, and
//! discards the copy. Each word is read or written once, like a relaxed atomic access.
//!
//! # Why vector instructions are correct here
//!
//! On x86-64 and AArch64 the copies are inline assembly, because the compiler copies atomics word
//! by word, which is five times slower at 1 KiB (measured on x86-64). For the compiler such a block
//! can do whatever relaxed accesses of the words can do, and is never moved across an atomic access
//! or a fence. For the processor it must be two things: whole words, and ordered with the caller's
//! stamps.
//!
//! | | an access of 16 or 32 bytes | what orders the copy |
//! |---|---|---|
//! | x86-64 | is split between words, if at all | loads keep their order, and stores theirs |
//! | AArch64 | is one access of each word | the instructions of the caller's fences |
//!
//! On x86-64 the compiler emits nothing for the fences around a copy. The order of the processor
//! holds for ordinary loads and stores, at widths of 16 and 32 bytes too. It does not hold for
//! string instructions and non-temporal stores, which are not used here. (`rep movsb` is also 12
//! times slower if the destination is a few bytes further into its page than the source.)
//!
//! On AArch64 the words of one copy are in no order among themselves, as those of a loop over
//! relaxed atomics. `fence(Acquire)` is `DMB ISHLD` and `fence(Release)` is `DMB ISH`; these, and
//! the acquire and release instructions, order the loads and stores of vectors like all others. A
//! load or store of a vector register at a multiple of 8 accesses each half in one piece (Arm
//! Architecture Reference Manual, "Requirements for single-copy atomicity"). `LDNP` and `STNP`,
//! which are exempt from some ordering, are not used.
//!
//! On other processors, under loom, and with `--cfg shmkit_words` the copy is a loop over words.
//! That option is for ThreadSanitizer, which does not see the accesses of assembly.

#![allow(unsafe_code, reason = "moves bytes between private memory and shared words")]

#[cfg(all(any(target_arch = "x86_64", target_arch = "aarch64"), not(any(loom, shmkit_words))))]
mod vectors;

use core::mem::MaybeUninit;
use core::ptr;

use super::atomic::{AtomicU64, Ordering};

const WORD: usize = size_of::<u64>();

/// Fills `into` with the first bytes of `words`. After this `into` is initialised.
///
/// # Panics
/// If `words` is shorter than `into`.
#[inline(always)]
pub(crate) fn copy_out(words: &[AtomicU64], into: &mut [MaybeUninit<u8>]) {
    assert!(into.len() <= words.len() * WORD, "more bytes than words");
    let (whole, rest) = into.split_at_mut(into.len() / WORD * WORD);
    whole_words_out(words, whole);
    if !rest.is_empty() {
        // ORDERING: Relaxed; the protocol of the caller orders the whole copy.
        let last = words[whole.len() / WORD].load(Ordering::Relaxed).to_le_bytes();
        rest.copy_from_slice(&last.map(MaybeUninit::new)[..rest.len()]);
    }
}

/// Fills `into` with the bytes of `words` from byte `offset` on.
///
/// # Panics
/// If `words` is shorter than that.
pub(crate) fn copy_part(words: &[AtomicU64], offset: usize, into: &mut [u8]) {
    let (mut words, skipped) = (&words[offset / WORD..], offset % WORD);
    let mut into = into;
    if skipped > 0 {
        let (head, rest) = into.split_at_mut(into.len().min(WORD - skipped));
        // ORDERING: Relaxed; the protocol of the caller orders the whole copy.
        let word = words[0].load(Ordering::Relaxed).to_le_bytes();
        head.copy_from_slice(&word[skipped..][..head.len()]);
        (words, into) = (&words[1..], rest);
    }
    // SAFETY: a `MaybeUninit<u8>` has the layout of a `u8`; `copy_out` writes initialised bytes.
    copy_out(words, unsafe { &mut *(ptr::from_mut(into) as *mut [MaybeUninit<u8>]) });
}

/// Copies `from` to the first bytes of `words`, and zeros to the rest of the last word.
///
/// # Panics
/// If `words` is shorter than `from`.
#[inline(always)]
pub(crate) fn copy_in(from: &[u8], words: &[AtomicU64]) {
    assert!(from.len() <= words.len() * WORD, "more bytes than words");
    let (whole, rest) = from.split_at(from.len() / WORD * WORD);
    whole_words_in(whole, words);
    if !rest.is_empty() {
        let mut last = [0; WORD];
        last[..rest.len()].copy_from_slice(rest);
        // ORDERING: Relaxed; the protocol of the caller orders the whole copy.
        words[whole.len() / WORD].store(u64::from_le_bytes(last), Ordering::Relaxed);
    }
}

/// Prefetches the cache line of `words[at]`, if there is such a word.
#[inline(always)]
pub(crate) fn fetch_early(words: &[AtomicU64], at: usize) {
    if let Some(word) = words.get(at) {
        vectors::fetch_early(word);
    }
}

/// Prefetches the cache line of `words[at]` to write to it, if there is such a word.
#[inline(always)]
pub(crate) fn own_early(words: &[AtomicU64], at: usize) {
    if let Some(word) = words.get(at) {
        vectors::own_early(word);
    }
}

#[inline(always)]
fn whole_words_out(words: &[AtomicU64], into: &mut [MaybeUninit<u8>]) {
    if vectors::copy_out(words, into) {
        return;
    }
    for (bytes, word) in into.chunks_exact_mut(WORD).zip(words) {
        // ORDERING: Relaxed; the protocol of the caller orders the whole copy.
        let word = word.load(Ordering::Relaxed).to_le_bytes();
        bytes.copy_from_slice(&word.map(MaybeUninit::new));
    }
}

#[inline(always)]
fn whole_words_in(from: &[u8], words: &[AtomicU64]) {
    if vectors::copy_in(from, words) {
        return;
    }
    for (bytes, word) in from.chunks_exact(WORD).zip(words) {
        let mut whole = [0; WORD];
        whole.copy_from_slice(bytes);
        // ORDERING: Relaxed; the protocol of the caller orders the whole copy.
        word.store(u64::from_le_bytes(whole), Ordering::Relaxed);
    }
}

/// Where there are no copies by vectors.
#[cfg(any(not(any(target_arch = "x86_64", target_arch = "aarch64")), loom, shmkit_words))]
mod vectors {
    use super::*;

    pub(super) fn fetch_early(_: &AtomicU64) {}

    pub(super) fn own_early(_: &AtomicU64) {}

    pub(super) fn copy_out(_: &[AtomicU64], _: &mut [MaybeUninit<u8>]) -> bool {
        false
    }

    pub(super) fn copy_in(_: &[u8], _: &[AtomicU64]) -> bool {
        false
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::memory::HeapMemory;

    /// Returns every length up to 300, and some around the sizes at which the method changes.
    fn lengths() -> impl Iterator<Item = usize> {
        (0..300).chain([511, 512, 513, 4_095, 4_096, 70_001])
    }

    #[test]
    fn a_part_is_the_bytes_between() {
        let memory = HeapMemory::zeroed(1_024);
        let words = memory.view().words(0, 128).unwrap();
        let value: Vec<u8> = (0..1_024_u32).map(|at| (at * 7) as u8).collect();
        copy_in(&value, words);
        for offset in (0..20).chain([500, 1_001, 1_023, 1_024]) {
            for length in (0..20).chain([300, 1_024]).filter(|it| offset + it <= 1_024) {
                let mut into = vec![0xdd; length];
                copy_part(words, offset, &mut into);
                assert_eq!(into, value[offset..][..length], "{length} from {offset}");
            }
        }
    }

    #[test]
    fn bytes_come_out_as_they_went_in_and_nothing_else_changes() {
        for length in lengths() {
            for misaligned in [0, 1, 8] {
                let memory = HeapMemory::zeroed(length + 32);
                let view = memory.view();
                let words = view.words(8, length.div_ceil(WORD) + 1).unwrap();
                view.fill(0, length.div_ceil(WORD) * WORD + 16, 0xee).unwrap();

                let value: Vec<u8> = (0..misaligned + length).map(|at| at as u8).collect();
                copy_in(&value[misaligned..], words);
                let mut into = vec![MaybeUninit::new(0xdd); misaligned + length + 1];
                copy_out(words, &mut into[misaligned..][..length]);

                let into = into.into_iter().map(|byte| {
                    // SAFETY: every byte was initialised above or by `copy_out`.
                    unsafe { byte.assume_init() }
                });
                let into: Vec<u8> = into.collect();
                assert_eq!(into[misaligned..][..length], value[misaligned..], "{length}");
                assert!(into[..misaligned].iter().all(|byte| *byte == 0xdd), "{length}");
                assert_eq!(into[misaligned + length], 0xdd, "{length}");

                let mut shared = vec![0; length.div_ceil(WORD) * WORD + 16];
                view.read(0, &mut shared).unwrap();
                assert_eq!(shared[..8], [0xee; 8], "{length}");
                let rest = &shared[8 + length..shared.len() - 8];
                assert!(rest.iter().all(|byte| *byte == 0), "{length}: the rest of the last word");
                assert_eq!(shared[shared.len() - 8..], [0xee; 8], "{length}");
            }
        }
    }
}
