//! Users and access lists.
//!
//! A user is known to the rest of the library by a number, as on other systems: 0 is who
//! administers the machine (the system itself, the administrators); everybody else's is a hash of
//! his security identifier.

use std::io;
use std::os::windows::io::{AsRawHandle, BorrowedHandle};
use std::ptr;
use std::sync::OnceLock;

use windows_sys::Win32::Foundation::{ERROR_SUCCESS, LocalFree};
use windows_sys::Win32::Security::Authorization::{
    ConvertSidToStringSidW, ConvertStringSecurityDescriptorToSecurityDescriptorW, GetSecurityInfo,
    SDDL_REVISION_1, SE_FILE_OBJECT, SE_KERNEL_OBJECT, SE_OBJECT_TYPE,
};
use windows_sys::Win32::Security::{
    GetTokenInformation, OWNER_SECURITY_INFORMATION, PSECURITY_DESCRIPTOR, PSID,
    SECURITY_ATTRIBUTES, TOKEN_INFORMATION_CLASS, TOKEN_QUERY, TokenOwner, TokenPrimaryGroup,
    TokenUser,
};
use windows_sys::Win32::System::Threading::{GetCurrentProcess, OpenProcessToken};

use super::{done, owned, wide};

/// The local system's, and the administrators'.
const ADMINISTRATION: [&str; 2] = ["S-1-5-18", "S-1-5-32-544"];

/// Who this process is.
struct Me {
    user: String,
    /// Who owns what it makes: the user himself, or a group that he stands for.
    owner: String,
    group: String,
}

fn me() -> io::Result<&'static Me> {
    static ME: OnceLock<Me> = OnceLock::new();
    if let Some(me) = ME.get() {
        return Ok(me);
    }
    let [user, owner, group] = [TokenUser, TokenOwner, TokenPrimaryGroup].map(of_token);
    let me = Me { user: user?, owner: owner?, group: group? };
    Ok(ME.get_or_init(|| me))
}

/// The identifier that stands first in what the process's token says.
fn of_token(what: TOKEN_INFORMATION_CLASS) -> io::Result<String> {
    let mut token = ptr::null_mut();
    // SAFETY: names this process, without a handle to close.
    let process = unsafe { GetCurrentProcess() };
    // SAFETY: the process lives, and the answer has room.
    done(unsafe { OpenProcessToken(process, TOKEN_QUERY, &raw mut token) })?;
    // SAFETY: just opened for us.
    let token = unsafe { owned(token) }?;
    // Aligned for the pointer that it begins with. No identifier has more than 68 bytes.
    let mut answer = [0_u64; 32];
    let mut length = 0;
    // SAFETY: the token is open, and the answer has as many bytes as are told.
    done(unsafe {
        GetTokenInformation(
            token.as_raw_handle(),
            what,
            answer.as_mut_ptr().cast(),
            size_of_val(&answer) as u32,
            &raw mut length,
        )
    })?;
    // SAFETY: these answers begin with a pointer to an identifier, which lies behind it.
    let sid = unsafe { answer.as_ptr().cast::<PSID>().read() };
    // SAFETY: an identifier that the system wrote.
    unsafe { text_of(sid) }
}

/// # Safety
/// `sid` is a valid identifier.
unsafe fn text_of(sid: PSID) -> io::Result<String> {
    let mut text = ptr::null_mut();
    // SAFETY: valid by the caller's promise; the answer has room.
    done(unsafe { ConvertSidToStringSidW(sid, &raw mut text) })?;
    let unit = |at: usize| {
        // SAFETY: asked for up to the zero that ends the text.
        unsafe { text.wrapping_add(at).read() }
    };
    let units: Vec<u16> = (0..).map(unit).take_while(|unit| *unit != 0).collect();
    let told = String::from_utf16_lossy(&units);
    // SAFETY: made for us, and not used any more.
    unsafe { LocalFree(text.cast()) };
    Ok(told)
}

/// A user's number.
fn number(sid: &str) -> u32 {
    if ADMINISTRATION.contains(&sid) {
        return 0;
    }
    let sid = match me() {
        Ok(me) if me.owner == sid => me.user.as_str(),
        _ => sid,
    };
    // FNV-1a, as for the header's checksum.
    let hash = sid
        .bytes()
        .fold(0x811c_9dc5, |hash: u32, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    hash.max(1)
}

/// The number of the user whose process this is.
pub(in crate::sys) fn user_number() -> u32 {
    me().map_or(u32::MAX, |me| number(&me.user))
}

/// What a handle leads to.
#[derive(Clone, Copy)]
pub(in crate::sys) enum Of {
    File,
    Section,
    /// Others may sleep on it and set it.
    Event,
}

impl Of {
    fn raw(self) -> SE_OBJECT_TYPE {
        match self {
            Self::File => SE_FILE_OBJECT,
            Self::Section | Self::Event => SE_KERNEL_OBJECT,
        }
    }
}

/// The number of the user who owns what the handle leads to.
pub(in crate::sys) fn owner(handle: BorrowedHandle<'_>, of: Of) -> io::Result<u32> {
    let (mut sid, mut descriptor) = (ptr::null_mut(), ptr::null_mut());
    // SAFETY: the handle is open, and the answers have room.
    let code = unsafe {
        GetSecurityInfo(
            handle.as_raw_handle(),
            of.raw(),
            OWNER_SECURITY_INFORMATION,
            &raw mut sid,
            ptr::null_mut(),
            ptr::null_mut(),
            ptr::null_mut(),
            &raw mut descriptor,
        )
    };
    if code != ERROR_SUCCESS {
        return Err(io::Error::from_raw_os_error(code as i32));
    }
    let descriptor = Descriptor(descriptor);
    if sid.is_null() {
        // So says Wine, whose objects are one user's, of what was made without attributes.
        return Ok(user_number());
    }
    // SAFETY: within the descriptor, which lives.
    let text = unsafe { text_of(sid) };
    drop(descriptor);
    Ok(number(&text?))
}

/// A security descriptor that the system allocated.
struct Descriptor(PSECURITY_DESCRIPTOR);

impl Drop for Descriptor {
    fn drop(&mut self) {
        // SAFETY: allocated for us, and not used any more.
        unsafe { LocalFree(self.0) };
    }
}

impl Descriptor {
    /// What permission bits mean: the owner and the administration may do all, group and others
    /// what the bits say.
    fn of_mode(mode: u32, of: Of) -> io::Result<Self> {
        let me = me()?;
        let (all, both, read) = match of {
            Of::File => ("FA", "FRFW", "FR"),
            Of::Section => ("GA", "GRGW", "GR"),
            // SYNCHRONIZE and EVENT_MODIFY_STATE.
            Of::Event => ("GA", "0x100002", "0x100002"),
        };
        let mut text = format!("D:P(A;;{all};;;{})(A;;{all};;;SY)(A;;{all};;;BA)", me.user);
        for (bits, who) in [(mode >> 3, me.group.as_str()), (mode, "WD")] {
            let rights = match bits & 0o6 {
                0o6 => both,
                0o4 => read,
                _ => continue,
            };
            text += &format!("(A;;{rights};;;{who})");
        }
        let text = wide(text);
        let mut descriptor = ptr::null_mut();
        // SAFETY: a text that ends in zero; the answer has room.
        done(unsafe {
            ConvertStringSecurityDescriptorToSecurityDescriptorW(
                text.as_ptr(),
                SDDL_REVISION_1,
                &raw mut descriptor,
                ptr::null_mut(),
            )
        })?;
        Ok(Self(descriptor))
    }
}

/// What something new is given: who may use it.
pub(in crate::sys) struct Attributes {
    raw: SECURITY_ATTRIBUTES,
    /// Keeps what `raw` points to.
    _descriptor: Descriptor,
}

impl Attributes {
    pub(in crate::sys) fn of_mode(mode: u32, of: Of) -> io::Result<Self> {
        let descriptor = Descriptor::of_mode(mode, of)?;
        let raw = SECURITY_ATTRIBUTES {
            nLength: size_of::<SECURITY_ATTRIBUTES>() as u32,
            lpSecurityDescriptor: descriptor.0,
            bInheritHandle: 0,
        };
        Ok(Self { raw, _descriptor: descriptor })
    }

    /// For a call, while this lives.
    pub(in crate::sys) fn as_ptr(&self) -> *const SECURITY_ATTRIBUTES {
        &raw const self.raw
    }
}
