//! Copies by instructions that move 8, 16, 32 or 64 bytes.

#[cfg(target_arch = "aarch64")]
mod aarch64;
#[cfg(target_arch = "x86_64")]
mod x86_64;

use core::mem::MaybeUninit;

#[cfg(target_arch = "aarch64")]
use self::aarch64 as moves;
pub(super) use self::moves::{fetch_early, own_early};
#[cfg(target_arch = "x86_64")]
use self::x86_64 as moves;
use crate::memory::atomic::{AtomicU64, Ordering};

const WORD: usize = size_of::<u64>();
/// A value of up to this many bytes is copied out word by word, a larger one by vectors. The
/// compiler moves a large value by vector loads, which are slow after stores of words.
const OUT_BY_WORDS: usize = 3 * WORD;
/// A value of up to this many bytes is copied in word by word, because stores of words may have
/// just written it.
const IN_BY_WORDS: usize = 8 * WORD;
/// A copy of a constant length up to this becomes a few moves in the caller.
const INLINE: usize = 2 * BLOCK;
/// The bytes that one iteration of a loop moves.
const BLOCK: usize = 64;

/// Fills `into`, which is a number of whole words, with the first of `words`. Does nothing, and
/// returns false, if `into` is so short that a loop over words is faster.
#[inline(always)]
pub(super) fn copy_out(words: &[AtomicU64], into: &mut [MaybeUninit<u8>]) -> bool {
    debug_assert!(into.len().is_multiple_of(WORD) && into.len() <= words.len() * WORD);
    if into.len() <= OUT_BY_WORDS {
        return false;
    }
    if into.len() <= INLINE {
        copy_out_short(words, into);
    } else {
        // SAFETY: `words` has at least `into.len()` bytes, and this process has no references to
        // them except as atomics; `into` is borrowed exclusively; its length is a number of whole
        // words.
        unsafe { copy(words.as_ptr().cast(), into.as_mut_ptr().cast(), into.len()) };
    }
    true
}

/// Loads by vectors, and leaves the stores to the compiler, which can keep the value in registers.
#[inline(always)]
fn copy_out_short(words: &[AtomicU64], into: &mut [MaybeUninit<u8>]) {
    let count = into.len() / WORD;
    let mut pairs = into.chunks_exact_mut(2 * WORD);
    for (pair, words) in (&mut pairs).zip(words.chunks_exact(2)) {
        // SAFETY: the slice has two words.
        let loaded = unsafe { moves::load_16(words.as_ptr().cast()) };
        // SAFETY: the slice has 16 bytes, which are borrowed exclusively, at any alignment.
        unsafe { pair.as_mut_ptr().cast::<moves::Vector>().write_unaligned(loaded) };
    }
    let last = pairs.into_remainder();
    if !last.is_empty() {
        // ORDERING: Relaxed; the protocol of the caller orders the whole copy.
        let word = words[count - 1].load(Ordering::Relaxed).to_le_bytes();
        last.copy_from_slice(&word.map(MaybeUninit::new));
    }
}

/// Copies `from`, which is a number of whole words, to the first of `words`. Does nothing, and
/// returns false, if `from` is so short that a loop over words is faster.
#[inline(always)]
pub(super) fn copy_in(from: &[u8], words: &[AtomicU64]) -> bool {
    debug_assert!(from.len().is_multiple_of(WORD) && from.len() <= words.len() * WORD);
    if from.len() <= IN_BY_WORDS {
        return false;
    }
    // SAFETY: `words` has at least `from.len()` bytes, and atomics can be changed through a shared
    // borrow; `from` does not overlap, because it is borrowed as plain bytes; its length is a
    // number of whole words.
    unsafe { copy(from.as_ptr(), words.as_ptr().cast_mut().cast(), from.len()) };
    true
}

/// Copies `length` bytes.
///
/// # Safety
/// `length` is a multiple of 8. That many bytes are readable at `from` and writable at `to`. One
/// side is private; the other side consists of words that other processes can change meanwhile.
#[inline(always)]
unsafe fn copy(from: *const u8, to: *mut u8, length: usize) {
    if length <= INLINE {
        // SAFETY: as the caller promises.
        unsafe { copy_short(from, to, length) };
    } else {
        // SAFETY: as the caller promises.
        unsafe { copy_long(from, to, length) };
    }
}

/// Copies a large number of bytes in blocks.
///
/// # Safety
/// As for [`copy`], with at least 64 bytes.
#[inline(never)]
unsafe fn copy_long(from: *const u8, to: *mut u8, length: usize) {
    let blocks = length / BLOCK * BLOCK;
    // SAFETY: these are the first bytes of the range that the caller allows: at least one block.
    unsafe { moves::copy_blocks(from, to, blocks) };
    // SAFETY: `blocks` is at most `length`.
    let from = unsafe { from.add(blocks) };
    // SAFETY: as above.
    let to = unsafe { to.add(blocks) };
    // SAFETY: these are the remaining bytes of the range that the caller allows.
    unsafe { copy_short(from, to, length - blocks) };
}

/// Copies a small number of bytes.
///
/// # Safety
/// As for [`copy`].
#[inline(always)]
unsafe fn copy_short(from: *const u8, to: *mut u8, length: usize) {
    let mut at = 0;
    while length - at >= 64 {
        // SAFETY: 64 bytes remain of the range that the caller allows.
        unsafe { moves::move_64(from.wrapping_add(at), to.wrapping_add(at)) };
        at += 64;
    }
    while length - at >= 16 {
        // SAFETY: as above, 16 bytes.
        unsafe { moves::move_16(from.wrapping_add(at), to.wrapping_add(at)) };
        at += 16;
    }
    if length - at >= 8 {
        // SAFETY: as above, 8 bytes.
        unsafe { moves::move_8(from.wrapping_add(at), to.wrapping_add(at)) };
    }
}
