//! A message costs no heap allocation.

#![allow(unsafe_code, reason = "an allocator that counts")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use super::{Job, TestDir, job};

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

#[global_allocator]
static COUNTING: Counting = Counting;

// SAFETY: everything is passed on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // A thread that ends allocates without being counted.
        let _ = ALLOCATIONS.try_with(|it| it.set(it.get() + 1));
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(place, layout) }
    }
}

#[test]
fn a_message_costs_no_heap_allocation() {
    for priorities in [false, true] {
        let dir = TestDir::new();
        let queue = dir.options::<Job>().priorities(priorities).create("jobs").unwrap();
        let (sender, receiver) = (queue.sender().unwrap(), queue.receiver().unwrap());
        let before = ALLOCATIONS.with(Cell::get);
        for number in 0..10_000 {
            sender.send(&job(number)).unwrap();
            sender.send_with_priority(&job(number), u32::from(priorities)).unwrap();
            receiver.recv().unwrap().acknowledge().unwrap();
            drop(receiver.recv().unwrap());
        }
        assert_eq!(ALLOCATIONS.with(Cell::get), before, "priorities: {priorities}");
    }
}
