//! Random bytes from the system.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
pub(crate) use linux::random;
#[cfg(target_os = "macos")]
mod macos;
#[cfg(target_os = "macos")]
pub(crate) use macos::random;
#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub(crate) use windows::random;
