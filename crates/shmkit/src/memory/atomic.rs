//! Where atomics come from: `core`, or `loom` when a protocol is being model-checked.

#[cfg(not(loom))]
pub(crate) use core::hint::spin_loop;
#[cfg(not(loom))]
pub(crate) use core::sync::atomic::{AtomicU64, Ordering, compiler_fence, fence};
#[cfg(loom)]
pub(crate) use loom::hint::spin_loop;
#[cfg(loom)]
pub(crate) use loom::sync::atomic::{AtomicU64, Ordering, fence};

/// A full fence directly behind a read-modify-write that was `SeqCst`.
///
/// On x86-64 such an instruction is a full fence itself, so nothing but the compiler needs to be
/// told. Everywhere else, and under loom, it is a fence of its own.
#[inline(always)]
pub(crate) fn fence_behind_rmw() {
    #[cfg(all(target_arch = "x86_64", not(loom)))]
    compiler_fence(Ordering::SeqCst);
    #[cfg(not(all(target_arch = "x86_64", not(loom))))]
    fence(Ordering::SeqCst);
}
