//! The moves of x86-64.

use core::arch::asm;
use core::arch::x86_64::{__m128i, _MM_HINT_T0, _mm_prefetch};

use crate::memory::atomic::AtomicU64;

/// 16 bytes.
pub(super) type Vector = __m128i;

/// Prefetches the cache line of a word.
#[inline(always)]
pub(in super::super) fn fetch_early(word: &AtomicU64) {
    // SAFETY: a prefetch only changes the cache, and every x86-64 processor has SSE.
    unsafe { _mm_prefetch::<_MM_HINT_T0>((&raw const *word).cast()) };
}

#[inline(always)]
pub(in super::super) fn own_early(word: &AtomicU64) {
    // SAFETY: a prefetch only changes the cache, and does nothing on a processor that lacks it.
    unsafe {
        asm!(
            "prefetchw [{word}]",
            word = in(reg) &raw const *word,
            options(nostack, preserves_flags, readonly),
        );
    }
}

/// Loads 16 bytes.
///
/// # Safety
/// 16 bytes are readable at `from`. Other processes can change them meanwhile.
#[inline(always)]
pub(super) unsafe fn load_16(from: *const u8) -> Vector {
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

/// Copies blocks of 64 bytes.
///
/// # Safety
/// `length` is a multiple of 64, and not 0. That many bytes are readable at `from` and writable at
/// `to`; other processes can access the one or the other side meanwhile.
#[inline(always)]
pub(super) unsafe fn copy_blocks(from: *const u8, to: *mut u8, length: usize) {
    if std::arch::is_x86_feature_detected!("avx") {
        // SAFETY: the processor has AVX; otherwise as the caller promises.
        unsafe { copy_blocks_avx(from, to, length) };
    } else {
        // SAFETY: as the caller promises.
        unsafe { copy_blocks_sse(from, to, length) };
    }
}

/// Copies blocks by vectors of 32 bytes.
///
/// # Safety
/// As for [`copy_blocks`].
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
/// As for [`copy_blocks`].
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

/// Moves 64 bytes.
///
/// # Safety
/// As for [`copy_blocks`], with 64 bytes.
#[inline(always)]
pub(super) unsafe fn move_64(from: *const u8, to: *mut u8) {
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
/// As for [`copy_blocks`], with 16 bytes.
#[inline(always)]
pub(super) unsafe fn move_16(from: *const u8, to: *mut u8) {
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
/// As for [`copy_blocks`], with 8 bytes.
#[inline(always)]
pub(super) unsafe fn move_8(from: *const u8, to: *mut u8) {
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
