//! What an open file is: its size and space, its rights, its seals; files without any name.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
pub(crate) use linux::{anonymous, commit, cut, is_sealed, seal, status};
#[cfg(target_os = "macos")]
mod macos;
#[cfg(target_os = "macos")]
pub(crate) use macos::{anonymous, commit, cut, is_sealed, seal, status};
#[cfg(unix)]
mod unix;
#[cfg(unix)]
pub(crate) use unix::{is_writable, open_path};
#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub(crate) use windows::{
    anonymous, commit, cut, is_sealed, is_section, is_writable, open_path, seal, status,
};

/// What can be ruled out for ever for an anonymous file, by its descriptor's holders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SealKind {
    /// Another size.
    Resizing,
    /// Writing, except through mappings that exist.
    NewWriters,
}
