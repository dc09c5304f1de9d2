//! The variables of the environment, if they may be obeyed.

use std::ffi::OsString;

#[cfg(target_os = "linux")]
use super::linux::has_more_rights;
#[cfg(target_os = "macos")]
use super::macos::has_more_rights;
#[cfg(windows)]
use super::windows::has_more_rights;

/// Returns a variable of the environment. `None` in a program that has more rights than the user
/// who started it, since that user chose the environment.
pub(crate) fn variable(name: &str) -> Option<OsString> {
    if has_more_rights() { None } else { std::env::var_os(name) }
}
