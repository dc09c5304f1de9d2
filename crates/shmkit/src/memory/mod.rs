//! Raw memory that processes share, byte for byte: named memory, mapped files, regions of them.

#[allow(unused_imports, reason = "the floors above arrive next")]
pub(crate) mod atomic;
pub(crate) mod copy;
#[cfg(test)]
mod heap;
mod view;

#[cfg(test)]
pub(crate) use heap::HeapMemory;
pub use view::View;
