//! Writing and reading do not allocate.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::io::{Read, Write};

use super::{TIMEOUT, TestDir};

std::thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: it is the allocator of the system, which counts.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = ALLOCATIONS.try_with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

#[test]
fn bytes_pass_without_an_allocation() {
    let dir = TestDir::new();
    let pipe = dir.create();
    let (mut writer, mut reader) = (pipe.writer().unwrap(), pipe.reader().unwrap());
    let (bytes, mut into) = ([7; 5_000], [0; 5_000]);
    let before = ALLOCATIONS.get();
    for size in [1, 64, 4_096, 5_000].into_iter().cycle().take(1_000) {
        writer.write_all(&bytes[..size]).unwrap();
        reader.read_exact(&mut into[..size]).unwrap();
        assert_eq!(into[..size], bytes[..size]);
        writer.write_timeout(&bytes[..64], TIMEOUT).unwrap();
        assert_eq!(reader.read_timeout(&mut into, TIMEOUT).unwrap(), 64);
    }
    assert_eq!(ALLOCATIONS.get(), before);
}
