//! A message takes no memory of the heap.

#![allow(unsafe_code, reason = "an allocator that counts")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use super::TestDir;

struct Counting;

thread_local! {
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: it passes each call on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.set(COUNT.get() + 1);
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(place, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn publishing_and_receiving_allocate_nothing() {
    let dir = TestDir::new();
    let topic = dir.options::<[u64; 8]>().create("topic").unwrap();
    let mut publisher = topic.publisher().unwrap();
    let mut subscriber = topic.subscriber().unwrap();
    let before = COUNT.get();
    for number in 0..100_000 {
        publisher.publish(&[number; 8]).unwrap();
        assert_eq!(subscriber.recv().unwrap(), [number; 8]);
    }
    assert_eq!(COUNT.get(), before);
}
