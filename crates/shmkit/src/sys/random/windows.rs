//! `BCryptGenRandom`.

#![allow(unsafe_code, reason = "calls of Win32")]

use std::ptr;

use windows_sys::Win32::Security::Cryptography::{
    BCRYPT_USE_SYSTEM_PREFERRED_RNG, BCryptGenRandom,
};

use crate::error::{Error, ErrorKind, Result};

/// Returns random bytes from the system's generator.
pub(crate) fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    // SAFETY: no algorithm is named, and `bytes` has room for `N` bytes.
    let status = unsafe {
        BCryptGenRandom(
            ptr::null_mut(),
            bytes.as_mut_ptr(),
            N as u32,
            BCRYPT_USE_SYSTEM_PREFERRED_RNG,
        )
    };
    if status < 0 {
        let why = format!("the system refuses random numbers: {status:#x}");
        return Err(Error::new(ErrorKind::Os, why));
    }
    Ok(bytes)
}
