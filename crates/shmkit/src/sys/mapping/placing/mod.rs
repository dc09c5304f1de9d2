//! `mmap`: where the pages of a mapping go.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
pub(super) use linux::{ask_for_huge_pages, map_pages};
#[cfg(target_os = "macos")]
mod macos;
#[cfg(target_os = "macos")]
pub(super) use macos::{ask_for_huge_pages, map_pages};
mod unix;
