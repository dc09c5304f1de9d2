//! Open files: size and space, rights, seals; files without a name.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
pub(crate) use linux::{anonymous, commit, extend, fill_holes, is_sealed, seal, shrink, status};
#[cfg(target_os = "macos")]
mod macos;
#[cfg(target_os = "linux")]
mod space_left;
#[cfg(target_os = "macos")]
pub(crate) use macos::{anonymous, commit, fill_holes, is_sealed, seal, shrink, status};
#[cfg(unix)]
mod unix;
#[cfg(unix)]
pub(crate) use unix::{is_writable, open_path};
#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub(crate) use windows::{
    anonymous, commit, fill_holes, is_sealed, is_writable, open_path, seal, shrink, status,
};

/// What a seal on an anonymous file forbids, permanently and for all processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SealKind {
    /// Changes of the size.
    Resizing,
    /// Writing, except through mappings that exist already.
    NewWriters,
}
