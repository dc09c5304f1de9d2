//! Memory without a name on Windows: of a constant size, and without seals.

use shmkit::ErrorKind;
use shmkit::memory::{Region, Seal, SharedMemory};

use crate::assert_error;

#[test]
fn the_size_is_in_whole_pages_and_constant() {
    let memory = SharedMemory::anonymous(100).unwrap();
    assert_eq!(memory.map().unwrap().len(), Region::page_size());
    assert_error(memory.set_size(50), ErrorKind::Unsupported, "Windows cannot resize memory");
    assert!(memory.is_sealed(Seal::Size).unwrap());
    assert_error(memory.seal(Seal::NewWriters), ErrorKind::Unsupported, "Windows has no seals");
    let none = "Windows has no memory of 0 bytes";
    assert_error(SharedMemory::anonymous(0), ErrorKind::InvalidArgument, none);
}
