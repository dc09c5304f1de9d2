//! Memory under raw names: those that other programs use, literally.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
pub(crate) use linux::{create, for_all_sessions, misses, open, remove, whole_size};
#[cfg(target_os = "macos")]
mod macos;
#[cfg(target_os = "macos")]
pub(crate) use macos::{
    create, for_all_sessions, is_memory, misses, new_unnamed, open, remove, set_size, whole_size,
};
#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub(crate) use windows::{create, for_all_sessions, misses, new_section, open, remove, whole_size};
