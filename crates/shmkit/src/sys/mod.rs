//! The only code that knows an operating system: by capability, then by system, `wait/linux.rs`.

pub(crate) mod directory;
pub(crate) mod file;
pub(crate) mod fork;
pub(crate) mod lock;
pub(crate) mod mapping;
pub(crate) mod memory;
pub(crate) mod process;
pub(crate) mod wait;
#[cfg(windows)]
mod win32;
