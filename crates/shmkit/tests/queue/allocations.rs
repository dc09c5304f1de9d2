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

/// How many allocations this thread has made.
pub(crate) fn count() -> u64 {
    ALLOCATIONS.with(Cell::get)
}

#[test]
fn a_message_costs_no_heap_allocation() {
    for priorities in [false, true] {
        let dir = TestDir::new();
        let queue = dir.options::<Job>().priorities(priorities).create("jobs").unwrap();
        let (sender, receiver) = (queue.sender().unwrap(), queue.receiver().unwrap());
        let before = count();
        for number in 0..10_000 {
            sender.send(&job(number)).unwrap();
            sender.send_with_priority(&job(number), u32::from(priorities)).unwrap();
            receiver.recv().unwrap().acknowledge().unwrap();
            drop(receiver.recv().unwrap());
        }
        assert_eq!(count(), before, "priorities: {priorities}");
    }
}

#[test]
fn a_list_in_memory_that_the_caller_has_costs_no_allocation_and_sending_none() {
    let dir = TestDir::new();
    let bytes = dir.options::<[u8]>().create("bytes").unwrap();
    let (sender, receiver) = (bytes.sender().unwrap(), bytes.receiver().unwrap());
    let mut buffer = [0; 100];
    let before = count();
    for length in (0..100).cycle().take(10_000) {
        sender.send(&[7; 100][..length]).unwrap();
        assert_eq!(receiver.recv_into(&mut buffer).unwrap().len(), length);
    }
    assert_eq!(count(), before);

    // With padding: a thread keeps the memory in which it encodes.
    let jobs = dir.options::<[Job]>().create("jobs").unwrap();
    let (sender, receiver) = (jobs.sender().unwrap(), jobs.receiver().unwrap());
    let (list, mut buffer) = ([job(1); 10], [job(0); 10]);
    sender.send(&list).unwrap();
    drop(receiver.recv_into(&mut buffer).unwrap());
    let before = count();
    for length in (0..10).cycle().take(10_000) {
        sender.send(&list[..length]).unwrap();
        drop(receiver.recv_into(&mut buffer).unwrap());
    }
    assert_eq!(count(), before);
}
