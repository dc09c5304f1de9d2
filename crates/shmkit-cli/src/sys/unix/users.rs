//! Users by name.
#![allow(unsafe_code, reason = "the system's table of users is read through libc")]

use std::ffi::CString;
use std::io;
use std::mem::MaybeUninit;
use std::ptr;

/// The most bytes that an entry of the table may need.
const MAX_ENTRY: usize = 1 << 20;

/// Returns the number of the user with this name, if there is one.
pub(crate) fn user_number(name: &str) -> io::Result<Option<u32>> {
    let name = CString::new(name)?;
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
            // Some systems have an error for a name that is not in the table, or for no table.
            0 | libc::ENOENT | libc::ESRCH if found.is_null() => return Ok(None),
            // SAFETY: the call found the user, so it has filled the entry.
            0 => return Ok(Some(unsafe { entry.assume_init() }.pw_uid)),
            code => return Err(io::Error::from_raw_os_error(code)),
        }
    }
}
