//! The moves of AArch64, all of which have the vector instructions used here.

use core::arch::aarch64::uint8x16_t;
use core::arch::asm;

use crate::memory::atomic::AtomicU64;

/// 16 bytes.
pub(super) type Vector = uint8x16_t;

/// Prefetches the cache line of a word.
#[inline(always)]
pub(in super::super) fn fetch_early(word: &AtomicU64) {
    // SAFETY: a prefetch only changes the cache.
    unsafe {
        asm!(
            "prfm pldl1keep, [{word}]",
            word = in(reg) &raw const *word,
            options(nostack, preserves_flags, readonly),
        );
    }
}

#[inline(always)]
pub(in super::super) fn own_early(word: &AtomicU64) {
    // SAFETY: a prefetch only changes the cache.
    unsafe {
        asm!(
            "prfm pstl1keep, [{word}]",
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
            "ldr {loaded:q}, [{from}]",
            from = in(reg) from,
            loaded = out(vreg) loaded,
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
    // SAFETY: loads and stores the bytes below `length`, which the caller allows.
    unsafe {
        asm!(
            "2:",
            "ldp {a:q}, {b:q}, [{from}]",
            "ldp {c:q}, {d:q}, [{from}, #32]",
            "add {from}, {from}, #64",
            "stp {a:q}, {b:q}, [{to}]",
            "stp {c:q}, {d:q}, [{to}, #32]",
            "add {to}, {to}, #64",
            "subs {left}, {left}, #64",
            "b.ne 2b",
            from = inout(reg) from => _,
            to = inout(reg) to => _,
            left = inout(reg) length => _,
            a = out(vreg) _,
            b = out(vreg) _,
            c = out(vreg) _,
            d = out(vreg) _,
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
            "ldp {a:q}, {b:q}, [{from}]",
            "ldp {c:q}, {d:q}, [{from}, #32]",
            "stp {a:q}, {b:q}, [{to}]",
            "stp {c:q}, {d:q}, [{to}, #32]",
            from = in(reg) from,
            to = in(reg) to,
            a = out(vreg) _,
            b = out(vreg) _,
            c = out(vreg) _,
            d = out(vreg) _,
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
            "ldr {a:q}, [{from}]",
            "str {a:q}, [{to}]",
            from = in(reg) from,
            to = in(reg) to,
            a = out(vreg) _,
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
            "ldr {a}, [{from}]",
            "str {a}, [{to}]",
            from = in(reg) from,
            to = in(reg) to,
            a = out(reg) _,
            options(nostack, preserves_flags),
        );
    }
}
