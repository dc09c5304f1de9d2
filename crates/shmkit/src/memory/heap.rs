//! Zeroed memory of this process alone, laid like a mapping: protocols are tested on it.

#![allow(unsafe_code, reason = "owns its allocation, as `Box` does, at a page's alignment")]

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::ptr::NonNull;

use super::View;

const PAGE: usize = 4096;

/// Zeroed bytes that begin on a page, as those of a mapping do.
#[derive(Debug)]
pub(crate) struct HeapMemory {
    base: NonNull<u8>,
    layout: Layout,
}

// SAFETY: it owns its bytes, which are reached only through views.
unsafe impl Send for HeapMemory {}
// SAFETY: as above.
unsafe impl Sync for HeapMemory {}

impl HeapMemory {
    /// `length` bytes, at least one.
    pub(crate) fn zeroed(length: usize) -> Self {
        let layout = Layout::from_size_align(length.max(1), PAGE).expect("a length within bounds");
        // SAFETY: the size is not 0.
        let base = unsafe { alloc_zeroed(layout) };
        Self { base: NonNull::new(base).unwrap_or_else(|| handle_alloc_error(layout)), layout }
    }

    /// All of it.
    pub(crate) fn view(&self) -> View<'_> {
        // SAFETY: the bytes live as long as `self`, are readable and writable, and are reached only
        // through views.
        unsafe { View::new(self.base, self.layout.size(), true) }
    }
}

impl Drop for HeapMemory {
    fn drop(&mut self) {
        // SAFETY: allocated by `zeroed` with this layout; every view of it is gone.
        unsafe { dealloc(self.base.as_ptr(), self.layout) }
    }
}
