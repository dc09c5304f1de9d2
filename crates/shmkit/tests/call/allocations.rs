//! A call costs no heap allocation.

#![allow(unsafe_code, reason = "an allocator that counts")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use super::{Padded, TestDir};

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
fn a_call_costs_no_heap_allocation() {
    let dir = TestDir::new();
    let call = dir.options::<Padded, u64>().create("call").unwrap();
    let (client, server) = (call.client().unwrap(), call.server().unwrap());
    let before = ALLOCATIONS.with(Cell::get);
    for number in 0..10_000 {
        let request = Padded { number, flag: true };
        let mut pending = client.send(&request).unwrap();
        let mut other = client.send(&request).unwrap();
        server.recv().unwrap().respond(&number).unwrap();
        let mut stream = server.recv().unwrap();
        stream.respond_part(&number).unwrap();
        stream.finish().unwrap();
        assert_eq!(pending.recv().unwrap(), Some(number));
        assert_eq!(other.recv().unwrap(), Some(number));
    }
    assert_eq!(ALLOCATIONS.with(Cell::get), before);
}
