//! `getentropy`.

#![allow(unsafe_code, reason = "rustix has no call for entropy here: by libc")]

use std::ffi::c_void;
use std::io;

use crate::error::{Error, Result};

/// Returns random bytes from the kernel's generator.
pub(crate) fn random<const N: usize>() -> Result<[u8; N]> {
    const { assert!(N <= 256, "more than one call returns") };
    let mut bytes = [0; N];
    // SAFETY: `bytes` has room for `N` bytes.
    if unsafe { libc::getentropy(bytes.as_mut_ptr().cast::<c_void>(), N) } == -1 {
        let error = Error::from_os(io::Error::last_os_error());
        return Err(error.because("the system refuses random numbers"));
    }
    Ok(bytes)
}
