//! Raw memory that processes share, byte for byte: named memory, mapped files, regions of them.

pub(crate) mod atomic;
