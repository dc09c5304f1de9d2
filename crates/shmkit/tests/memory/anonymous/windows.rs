//! Memory without a name as Windows has it: of one size for ever, and not sealed.

use shmkit::ErrorKind;
use shmkit::memory::{Region, Seal, SharedMemory};

use crate::refused;

#[test]
fn its_size_is_in_whole_pages_and_stays() {
    let memory = SharedMemory::anonymous(100).unwrap();
    assert_eq!(memory.map().unwrap().len(), Region::page_size());
    refused(memory.set_size(50), ErrorKind::Unsupported, "keeps the size it was made with");
    assert!(memory.is_sealed(Seal::Size).unwrap());
    refused(memory.seal(Seal::NewWriters), ErrorKind::Unsupported, "Windows has no seals");
    let none = "Windows has no memory of 0 bytes";
    refused(SharedMemory::anonymous(0), ErrorKind::InvalidArgument, none);
}
