//! Zeroed private memory with the alignment of a mapping, for tests of protocols.

#![allow(unsafe_code, reason = "owns an allocation, as `Box` does, but aligned to a page")]

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::ptr::NonNull;

use super::View;

const PAGE: usize = 4096;

/// Zeroed bytes that begin at a page, like those of a mapping.
#[derive(Debug)]
pub(crate) struct HeapMemory {
    base: NonNull<u8>,
    layout: Layout,
}

// SAFETY: the value owns its bytes, which are accessed only through views.
unsafe impl Send for HeapMemory {}
// SAFETY: as above.
unsafe impl Sync for HeapMemory {}

impl HeapMemory {
    /// Allocates `length` bytes, at least one.
    pub(crate) fn zeroed(length: usize) -> Self {
        let layout =
            Layout::from_size_align(length.max(1), PAGE).expect("the length is below `isize::MAX`");
        // SAFETY: the size is at least 1.
        let base = unsafe { alloc_zeroed(layout) };
        Self { base: NonNull::new(base).unwrap_or_else(|| handle_alloc_error(layout)), layout }
    }

    /// Returns a view of all bytes.
    pub(crate) fn view(&self) -> View<'_> {
        // SAFETY: the bytes live as long as `self`, are readable and writable, and are accessed
        // only through views.
        unsafe { View::new(self.base, self.layout.size(), true) }
    }
}

impl Drop for HeapMemory {
    fn drop(&mut self) {
        // SAFETY: `zeroed` allocated the bytes with this layout, and every view of them has ended.
        unsafe { dealloc(self.base.as_ptr(), self.layout) }
    }
}
