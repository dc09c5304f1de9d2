//! The only code that knows an operating system: by capability, then by system, `wait/linux.rs`.

pub(crate) mod mapping;
pub(crate) mod wait;
