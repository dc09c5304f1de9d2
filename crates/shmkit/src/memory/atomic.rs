//! Where atomics come from: `core`, or `loom` when a protocol is being model-checked.

#[cfg(not(loom))]
pub(crate) use core::hint::spin_loop;
#[cfg(not(loom))]
pub(crate) use core::sync::atomic::{AtomicU64, Ordering, fence};
#[cfg(loom)]
pub(crate) use loom::hint::spin_loop;
#[cfg(loom)]
pub(crate) use loom::sync::atomic::{AtomicU64, Ordering, fence};

/// To stand between two sequentially consistent accesses that must not pass each other: nothing,
/// but in a model, since loom takes such accesses for weaker ones, and fences for what they are.
#[inline(always)]
pub(crate) fn fence_in_model() {
    #[cfg(loom)]
    // ORDERING: SeqCst; what the accesses say outside of a model.
    fence(Ordering::SeqCst);
}
