//! Users by name.
#![allow(unsafe_code, reason = "the system's table of users is read through libc")]

use std::ffi::CString;
use std::mem::MaybeUninit;
use std::ptr;

/// The most bytes that an entry of the table may need.
const MAX_ENTRY: usize = 1 << 20;

/// Returns the number of the user with this name.
pub(crate) fn user_number(name: &str) -> Option<u32> {
    let name = CString::new(name).ok()?;
    let mut strings = vec![0; 1024];
    loop {
        let (mut entry, mut found) = (MaybeUninit::uninit(), ptr::null_mut());
        // SAFETY: the name ends with a zero byte; the other pointers are valid for the answer, and
        // the length is that of `strings`.
        let code = unsafe {
            libc::getpwnam_r(
                name.as_ptr(),
                entry.as_mut_ptr(),
                strings.as_mut_ptr(),
                strings.len(),
                &raw mut found,
            )
        };
        match code {
            libc::ERANGE if strings.len() < MAX_ENTRY => strings.resize(2 * strings.len(), 0),
            _ if found.is_null() => return None,
            // SAFETY: the call found the user, so it has filled the entry.
            _ => return Some(unsafe { entry.assume_init() }.pw_uid),
        }
    }
}
