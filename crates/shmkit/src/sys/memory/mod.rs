//! Memory under raw names: literally the names that other programs use.

#[cfg(unix)]
mod file_name;
#[cfg(target_os = "linux")]
pub(crate) use file_name::plain_name;
#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
pub(crate) use linux::{
    create, global_name, is_removed, is_while_used, liveness_file, open, remove, rounded_size,
    while_used_mode,
};
#[cfg(target_os = "macos")]
mod macos;
#[cfg(target_os = "macos")]
pub(crate) use macos::{
    create, global_name, is_memory, is_removed, is_while_used, new_unnamed, open, plain_name,
    remove, rounded_size, set_size, while_used_mode,
};
#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub(crate) use windows::{
    create, global_name, is_removed, is_while_used, new_section, open, plain_name, remove,
    rounded_size, while_used_mode,
};

#[cfg(not(target_os = "linux"))]
mod beside;
#[cfg(not(target_os = "linux"))]
pub(crate) use beside::liveness_file;
