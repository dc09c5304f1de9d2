//! The atomics of this crate: those of `core`, or of `loom` in a model.

#[cfg(not(loom))]
pub(crate) use core::hint::spin_loop;
#[cfg(not(loom))]
pub(crate) use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, Ordering, fence};
#[cfg(not(loom))]
pub(crate) use std::thread_local;

#[cfg(loom)]
pub(crate) use loom::hint::spin_loop;
#[cfg(loom)]
pub(crate) use loom::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, Ordering, fence};
#[cfg(loom)]
pub(crate) use loom::thread_local;

/// Separates two sequentially consistent accesses that must not be reordered.
///
/// Does nothing except in a model: loom treats such accesses as weaker ones, but fences correctly.
#[inline(always)]
pub(crate) fn fence_in_model() {
    #[cfg(loom)]
    // ORDERING: SeqCst; the order that the accesses have outside of a model.
    fence(Ordering::SeqCst);
}
