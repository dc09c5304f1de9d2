//! What a handle refers to, and the access that it has.

#![allow(unsafe_code, reason = "calls of Win32")]

use std::fs::File;
use std::os::windows::io::AsRawHandle;
use std::ptr;

use windows_sys::Wdk::Foundation::{
    NtQueryObject, OBJECT_INFORMATION_CLASS, ObjectBasicInformation, ObjectTypeInformation,
};
use windows_sys::Win32::Foundation::NTSTATUS;
use windows_sys::Win32::System::WindowsProgramming::{
    PUBLIC_OBJECT_BASIC_INFORMATION, PUBLIC_OBJECT_TYPE_INFORMATION,
};

use crate::error::{Error, ErrorKind, Result};

/// Returns whether the handle refers to a section, not to a file.
pub(in crate::sys) fn is_section(file: &File) -> bool {
    /// The system's name for the type.
    const SECTION: &str = "Section";
    /// `PUBLIC_OBJECT_TYPE_INFORMATION` with room for the name that it points to.
    #[repr(C)]
    struct TypeInformation {
        about: PUBLIC_OBJECT_TYPE_INFORMATION,
        name: [u16; 64],
    }
    let mut answer = TypeInformation { about: Default::default(), name: [0; 64] };
    let status = query(file, ObjectTypeInformation, &mut answer);
    let units = SECTION.encode_utf16().count();
    if status < 0 || usize::from(answer.about.TypeName.Length) != 2 * units {
        return false;
    }
    // SAFETY: the system wrote a text of `units` units into the answer, which lives.
    let name = unsafe { std::slice::from_raw_parts(answer.about.TypeName.Buffer, units) };
    name.iter().copied().eq(SECTION.encode_utf16())
}

/// Returns the access mask of the handle.
pub(in crate::sys) fn granted_access(file: &File) -> Result<u32> {
    let mut about = PUBLIC_OBJECT_BASIC_INFORMATION::default();
    let status = query(file, ObjectBasicInformation, &mut about);
    if status < 0 {
        let why = format!("the system does not report the access of the handle ({status:#x})");
        return Err(Error::new(ErrorKind::Os, why));
    }
    Ok(about.GrantedAccess)
}

/// Asks for the information of a class; the status is negative if that failed.
fn query<T>(file: &File, class: OBJECT_INFORMATION_CLASS, into: &mut T) -> NTSTATUS {
    // SAFETY: the handle is open, and the answer has the size that is passed.
    unsafe {
        NtQueryObject(
            file.as_raw_handle(),
            class,
            (&raw mut *into).cast(),
            size_of::<T>() as u32,
            ptr::null_mut(),
        )
    }
}
