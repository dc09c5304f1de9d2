//! Copying between private memory and words that other processes change meanwhile.
//!
//! A copy can be a mixture of old and new words. The caller's protocol detects that afterwards, and
//! discards the copy. Each word is read or written once, like a relaxed atomic access.
//!
//! # Why vector instructions are correct here
//!
//! On x86-64 the copies are inline assembly, because the compiler copies atomics word by word,
//! which is five times slower at 1 KiB. For the compiler such a block can do whatever relaxed
//! accesses of the words can do, and is never moved across an atomic access or a fence.
//!
//! The processor keeps ordinary loads in order with loads, and stores with stores, for widths of 16
//! and 32 bytes too. Where it splits an access, it does so between words. So the fences around a
//! copy, for which the compiler emits no instruction there, also order its parts. This does not
//! hold for string instructions and non-temporal stores, which are not used here. (`rep movsb` is
//! also 12 times slower if the destination is a few bytes further into its page than the source.)
//!
//! On other processors, under loom, and with `--cfg shmkit_words` the copy is a loop over words.
//! That option is for ThreadSanitizer, which does not see the accesses of assembly.

#![allow(unsafe_code, reason = "moves bytes between private memory and shared words")]

use core::mem::MaybeUninit;

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
    #[cfg(all(target_arch = "x86_64", not(any(loom, shmkit_words))))]
    if let Some(word) = words.get(at) {
        vectors::fetch_early(word);
    }
    #[cfg(not(all(target_arch = "x86_64", not(any(loom, shmkit_words)))))]
    let _ = (words, at);
}

#[inline(always)]
fn whole_words_out(words: &[AtomicU64], into: &mut [MaybeUninit<u8>]) {
    #[cfg(all(target_arch = "x86_64", not(any(loom, shmkit_words))))]
    if into.len() > vectors::OUT_BY_WORDS {
        return vectors::copy_out(words, into);
    }
    for (bytes, word) in into.chunks_exact_mut(WORD).zip(words) {
        // ORDERING: Relaxed; the protocol of the caller orders the whole copy.
        let word = word.load(Ordering::Relaxed).to_le_bytes();
        bytes.copy_from_slice(&word.map(MaybeUninit::new));
    }
}

#[inline(always)]
fn whole_words_in(from: &[u8], words: &[AtomicU64]) {
    #[cfg(all(target_arch = "x86_64", not(any(loom, shmkit_words))))]
    if from.len() > vectors::IN_BY_WORDS {
        return vectors::copy_in(from, words);
    }
    for (bytes, word) in from.chunks_exact(WORD).zip(words) {
        let mut whole = [0; WORD];
        whole.copy_from_slice(bytes);
        // ORDERING: Relaxed; the protocol of the caller orders the whole copy.
        word.store(u64::from_le_bytes(whole), Ordering::Relaxed);
    }
}

/// Copies by instructions that move 8, 16 or 32 bytes.
#[cfg(all(target_arch = "x86_64", not(any(loom, shmkit_words))))]
mod vectors {
    use core::arch::asm;
    use core::arch::x86_64::{__m128i, _MM_HINT_T0, _mm_prefetch};

    use super::*;

    /// A value of up to this many bytes is copied out word by word, a larger one by vectors. The
    /// compiler moves a large value by vector loads, which are slow after stores of words.
    pub(super) const OUT_BY_WORDS: usize = 3 * WORD;
    /// A value of up to this many bytes is copied in word by word, because stores of words may have
    /// just written it.
    pub(super) const IN_BY_WORDS: usize = 8 * WORD;
    /// A copy of a constant length up to this becomes a few moves in the caller.
    const INLINE: usize = 2 * BLOCK;
    /// The bytes that one iteration of a loop moves.
    const BLOCK: usize = 64;

    #[inline(always)]
    pub(super) fn fetch_early(word: &AtomicU64) {
        // SAFETY: a prefetch only changes the cache, and every x86-64 processor has SSE.
        unsafe { _mm_prefetch::<_MM_HINT_T0>((&raw const *word).cast()) };
    }

    #[inline(always)]
    pub(super) fn copy_out(words: &[AtomicU64], into: &mut [MaybeUninit<u8>]) {
        debug_assert!(into.len().is_multiple_of(WORD) && into.len() <= words.len() * WORD);
        if into.len() <= INLINE {
            return copy_out_short(words, into);
        }
        // SAFETY: `words` has at least `into.len()` bytes, and this process has no references to
        // them except as atomics; `into` is borrowed exclusively; its length is a number of whole
        // words.
        unsafe { copy(words.as_ptr().cast(), into.as_mut_ptr().cast(), into.len()) };
    }

    /// Loads by vectors, and leaves the stores to the compiler, which can keep the value in
    /// registers.
    #[inline(always)]
    fn copy_out_short(words: &[AtomicU64], into: &mut [MaybeUninit<u8>]) {
        let count = into.len() / WORD;
        let mut pairs = into.chunks_exact_mut(2 * WORD);
        for (pair, words) in (&mut pairs).zip(words.chunks_exact(2)) {
            // SAFETY: the slice has two words.
            let loaded = unsafe { load_16(words.as_ptr().cast()) };
            // SAFETY: the slice has 16 bytes, which are borrowed exclusively, at any alignment.
            unsafe { pair.as_mut_ptr().cast::<__m128i>().write_unaligned(loaded) };
        }
        let last = pairs.into_remainder();
        if !last.is_empty() {
            // ORDERING: Relaxed; the protocol of the caller orders the whole copy.
            let word = words[count - 1].load(Ordering::Relaxed).to_le_bytes();
            last.copy_from_slice(&word.map(MaybeUninit::new));
        }
    }

    /// Loads 16 bytes.
    ///
    /// # Safety
    /// 16 bytes are readable at `from`. Other processes can change them meanwhile.
    #[inline(always)]
    unsafe fn load_16(from: *const u8) -> __m128i {
        let loaded;
        // SAFETY: loads 16 bytes, which the caller allows.
        unsafe {
            asm!(
                "movups {loaded}, [{from}]",
                from = in(reg) from,
                loaded = out(xmm_reg) loaded,
                options(nostack, preserves_flags),
            );
        }
        loaded
    }

    #[inline(always)]
    pub(super) fn copy_in(from: &[u8], words: &[AtomicU64]) {
        debug_assert!(from.len().is_multiple_of(WORD) && from.len() <= words.len() * WORD);
        // SAFETY: `words` has at least `from.len()` bytes, and atomics can be changed through a
        // shared borrow; `from` does not overlap, because it is borrowed as plain bytes; its length
        // is a number of whole words.
        unsafe { copy(from.as_ptr(), words.as_ptr().cast_mut().cast(), from.len()) };
    }

    /// Copies `length` bytes.
    ///
    /// # Safety
    /// `length` is a multiple of 8. That many bytes are readable at `from` and writable at `to`.
    /// One side is private; the other side consists of words that other processes can change
    /// meanwhile.
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
    /// As for [`copy`].
    #[inline(never)]
    unsafe fn copy_long(from: *const u8, to: *mut u8, length: usize) {
        let blocks = length / BLOCK * BLOCK;
        if std::arch::is_x86_feature_detected!("avx") {
            // SAFETY: the processor has AVX; otherwise as the caller promises.
            unsafe { copy_blocks_avx(from, to, blocks) };
        } else {
            // SAFETY: as the caller promises.
            unsafe { copy_blocks_sse(from, to, blocks) };
        }
        // SAFETY: `blocks` is at most `length`.
        let from = unsafe { from.add(blocks) };
        // SAFETY: as above.
        let to = unsafe { to.add(blocks) };
        // SAFETY: these are the remaining bytes of the range that the caller allows.
        unsafe { copy_short(from, to, length - blocks) };
    }

    /// Copies blocks by vectors of 32 bytes.
    ///
    /// # Safety
    /// As for [`copy`]; `length` is a multiple of 64, and not 0.
    #[target_feature(enable = "avx")]
    unsafe fn copy_blocks_avx(from: *const u8, to: *mut u8, length: usize) {
        // SAFETY: loads and stores the bytes below `length`, which the caller allows.
        unsafe {
            asm!(
                "2:",
                "vmovups ymm0, [{from} + {at}]",
                "vmovups ymm1, [{from} + {at} + 32]",
                "vmovups [{to} + {at}], ymm0",
                "vmovups [{to} + {at} + 32], ymm1",
                "add {at}, 64",
                "cmp {at}, {length}",
                "jb 2b",
                "vzeroupper",
                from = in(reg) from,
                to = in(reg) to,
                length = in(reg) length,
                at = inout(reg) 0_usize => _,
                // `vzeroupper` changes the upper half of every register.
                out("ymm0") _, out("ymm1") _, out("ymm2") _, out("ymm3") _,
                out("ymm4") _, out("ymm5") _, out("ymm6") _, out("ymm7") _,
                out("ymm8") _, out("ymm9") _, out("ymm10") _, out("ymm11") _,
                out("ymm12") _, out("ymm13") _, out("ymm14") _, out("ymm15") _,
                options(nostack),
            );
        }
    }

    /// Copies blocks by vectors of 16 bytes.
    ///
    /// # Safety
    /// As for [`copy`]; `length` is a multiple of 64, and not 0.
    unsafe fn copy_blocks_sse(from: *const u8, to: *mut u8, length: usize) {
        // SAFETY: loads and stores the bytes below `length`, which the caller allows.
        unsafe {
            asm!(
                "2:",
                "movups {a}, [{from} + {at}]",
                "movups {b}, [{from} + {at} + 16]",
                "movups {c}, [{from} + {at} + 32]",
                "movups {d}, [{from} + {at} + 48]",
                "movups [{to} + {at}], {a}",
                "movups [{to} + {at} + 16], {b}",
                "movups [{to} + {at} + 32], {c}",
                "movups [{to} + {at} + 48], {d}",
                "add {at}, 64",
                "cmp {at}, {length}",
                "jb 2b",
                from = in(reg) from,
                to = in(reg) to,
                length = in(reg) length,
                at = inout(reg) 0_usize => _,
                a = out(xmm_reg) _,
                b = out(xmm_reg) _,
                c = out(xmm_reg) _,
                d = out(xmm_reg) _,
                options(nostack),
            );
        }
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
            unsafe { move_64(from.wrapping_add(at), to.wrapping_add(at)) };
            at += 64;
        }
        while length - at >= 16 {
            // SAFETY: as above, 16 bytes.
            unsafe { move_16(from.wrapping_add(at), to.wrapping_add(at)) };
            at += 16;
        }
        if length - at >= 8 {
            // SAFETY: as above, 8 bytes.
            unsafe { move_8(from.wrapping_add(at), to.wrapping_add(at)) };
        }
    }

    /// Moves 64 bytes.
    ///
    /// # Safety
    /// As for [`copy`], with 64 bytes.
    #[inline(always)]
    unsafe fn move_64(from: *const u8, to: *mut u8) {
        // SAFETY: loads and stores 64 bytes, which the caller allows.
        unsafe {
            asm!(
                "movups {a}, [{from}]",
                "movups {b}, [{from} + 16]",
                "movups {c}, [{from} + 32]",
                "movups {d}, [{from} + 48]",
                "movups [{to}], {a}",
                "movups [{to} + 16], {b}",
                "movups [{to} + 32], {c}",
                "movups [{to} + 48], {d}",
                from = in(reg) from,
                to = in(reg) to,
                a = out(xmm_reg) _,
                b = out(xmm_reg) _,
                c = out(xmm_reg) _,
                d = out(xmm_reg) _,
                options(nostack, preserves_flags),
            );
        }
    }

    /// Moves 16 bytes.
    ///
    /// # Safety
    /// As for [`copy`], with 16 bytes.
    #[inline(always)]
    unsafe fn move_16(from: *const u8, to: *mut u8) {
        // SAFETY: loads and stores 16 bytes, which the caller allows.
        unsafe {
            asm!(
                "movups {a}, [{from}]",
                "movups [{to}], {a}",
                from = in(reg) from,
                to = in(reg) to,
                a = out(xmm_reg) _,
                options(nostack, preserves_flags),
            );
        }
    }

    /// Moves 8 bytes.
    ///
    /// # Safety
    /// As for [`copy`], with 8 bytes.
    #[inline(always)]
    unsafe fn move_8(from: *const u8, to: *mut u8) {
        // SAFETY: loads and stores 8 bytes, which the caller allows.
        unsafe {
            asm!(
                "mov {a}, [{from}]",
                "mov [{to}], {a}",
                from = in(reg) from,
                to = in(reg) to,
                a = out(reg) _,
                options(nostack, preserves_flags),
            );
        }
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
