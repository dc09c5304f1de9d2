//! Users and access lists.
//!
//! The rest of the library knows a user by a number, as on other systems. 0 stands for the
//! administration of the machine (the system itself, the administrators). The number of every other
//! user is a hash of the user's security identifier.

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

use super::{check, owned, wide};

/// The identifiers of the local system and of the administrators.
const ADMINISTRATION: [&str; 2] = ["S-1-5-18", "S-1-5-32-544"];

/// The identifiers in the token of this process.
struct Account {
    user: String,
    /// The owner of what the process creates: the user, or a group of the user.
    owner: String,
    group: String,
}

fn account() -> io::Result<&'static Account> {
    static ACCOUNT: OnceLock<Account> = OnceLock::new();
    if let Some(account) = ACCOUNT.get() {
        return Ok(account);
    }
    let [user, owner, group] = [TokenUser, TokenOwner, TokenPrimaryGroup].map(token_sid);
    let account = Account { user: user?, owner: owner?, group: group? };
    Ok(ACCOUNT.get_or_init(|| account))
}

/// Returns the identifier that a piece of information of the process's token begins with.
fn token_sid(what: TOKEN_INFORMATION_CLASS) -> io::Result<String> {
    let mut token = ptr::null_mut();
    // SAFETY: returns a pseudo handle of this process, which needs no closing.
    let process = unsafe { GetCurrentProcess() };
    // SAFETY: the process lives, and `token` has room for the answer.
    check(unsafe { OpenProcessToken(process, TOKEN_QUERY, &raw mut token) })?;
    // SAFETY: the call above opened the token for this function alone.
    let token = unsafe { owned(token) }?;
    // Aligned for the pointer that the answer begins with. An identifier has at most 68 bytes.
    let mut answer = [0_u64; 32];
    let mut length = 0;
    // SAFETY: the token is open, and the answer has the size that is passed.
    check(unsafe {
        GetTokenInformation(
            token.as_raw_handle(),
            what,
            answer.as_mut_ptr().cast(),
            size_of_val(&answer) as u32,
            &raw mut length,
        )
    })?;
    // SAFETY: these answers begin with a pointer to an identifier in the same buffer.
    let sid = unsafe { answer.as_ptr().cast::<PSID>().read() };
    // SAFETY: the system wrote a valid identifier.
    unsafe { text_of(sid) }
}

/// Returns the text form of an identifier.
///
/// # Safety
/// `sid` is a valid identifier.
unsafe fn text_of(sid: PSID) -> io::Result<String> {
    let mut text = ptr::null_mut();
    // SAFETY: `sid` is valid, as the caller promises; `text` has room for the answer.
    check(unsafe { ConvertSidToStringSidW(sid, &raw mut text) })?;
    let unit = |at: usize| {
        // SAFETY: only units up to the terminating zero are read.
        unsafe { text.wrapping_add(at).read() }
    };
    let units: Vec<u16> = (0..).map(unit).take_while(|unit| *unit != 0).collect();
    let sid = String::from_utf16_lossy(&units);
    // SAFETY: the call above allocated the text, and nothing uses it after this.
    unsafe { LocalFree(text.cast()) };
    Ok(sid)
}

/// Returns a user's number.
fn number(sid: &str) -> u32 {
    if ADMINISTRATION.contains(&sid) {
        return 0;
    }
    let sid = match account() {
        Ok(account) if account.owner == sid => account.user.as_str(),
        _ => sid,
    };
    // FNV-1a, as for the fingerprint of a type.
    let hash = sid
        .bytes()
        .fold(0x811c_9dc5, |hash: u32, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    hash.max(1)
}

/// Returns the number of the user that runs this process.
pub(in crate::sys) fn user_number() -> u32 {
    account().map_or(u32::MAX, |account| number(&account.user))
}

/// The kind of a system object that has an access list.
#[derive(Clone, Copy)]
pub(in crate::sys) enum Securable {
    File,
    Section,
    /// Group and others may wait for it and set it.
    Event,
}

impl Securable {
    fn raw(self) -> SE_OBJECT_TYPE {
        match self {
            Self::File => SE_FILE_OBJECT,
            Self::Section | Self::Event => SE_KERNEL_OBJECT,
        }
    }
}

/// Returns the number of the user who owns the object of a handle.
pub(in crate::sys) fn owner(handle: BorrowedHandle<'_>, kind: Securable) -> io::Result<u32> {
    let (mut sid, mut descriptor) = (ptr::null_mut(), ptr::null_mut());
    // SAFETY: the handle is open, and there is room for both answers.
    let code = unsafe {
        GetSecurityInfo(
            handle.as_raw_handle(),
            kind.raw(),
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
        // Wine reports no owner for objects that were made without attributes. All its objects
        // belong to one user.
        return Ok(user_number());
    }
    // SAFETY: the identifier lies in the descriptor, which lives.
    let text = unsafe { text_of(sid) };
    drop(descriptor);
    Ok(number(&text?))
}

/// A security descriptor that the system allocated.
struct Descriptor(PSECURITY_DESCRIPTOR);

impl Drop for Descriptor {
    fn drop(&mut self) {
        // SAFETY: the system allocated the descriptor for this value alone.
        unsafe { LocalFree(self.0) };
    }
}

impl Descriptor {
    /// Makes the descriptor for permission bits: full access for the owner and the administration,
    /// and for group and others what the bits grant.
    fn of_mode(mode: u32, kind: Securable) -> io::Result<Self> {
        let account = account()?;
        let (all, both, read) = match kind {
            Securable::File => ("FA", "FRFW", "FR"),
            Securable::Section => ("GA", "GRGW", "GR"),
            // SYNCHRONIZE and EVENT_MODIFY_STATE.
            Securable::Event => ("GA", "0x100002", "0x100002"),
        };
        let mut text = format!("D:P(A;;{all};;;{})(A;;{all};;;SY)(A;;{all};;;BA)", account.user);
        for (bits, who) in [(mode >> 3, account.group.as_str()), (mode, "WD")] {
            let rights = match bits & 0o6 {
                0o6 => both,
                0o4 => read,
                _ => continue,
            };
            text += &format!("(A;;{rights};;;{who})");
        }
        let text = wide(text);
        let mut descriptor = ptr::null_mut();
        // SAFETY: the text ends in a zero, and `descriptor` has room for the answer.
        check(unsafe {
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

/// The security attributes of a new system object: which users may use it.
pub(in crate::sys) struct Attributes {
    raw: SECURITY_ATTRIBUTES,
    /// Owns the descriptor that `raw` points to.
    _descriptor: Descriptor,
}

// SAFETY: no thread changes the descriptor after it was made.
unsafe impl Send for Attributes {}
// SAFETY: as above.
unsafe impl Sync for Attributes {}

impl Attributes {
    /// Makes the attributes for permission bits.
    pub(in crate::sys) fn of_mode(mode: u32, kind: Securable) -> io::Result<Self> {
        let descriptor = Descriptor::of_mode(mode, kind)?;
        let raw = SECURITY_ATTRIBUTES {
            nLength: size_of::<SECURITY_ATTRIBUTES>() as u32,
            lpSecurityDescriptor: descriptor.0,
            bInheritHandle: 0,
        };
        Ok(Self { raw, _descriptor: descriptor })
    }

    /// Returns a pointer for a call, valid while this value lives.
    pub(in crate::sys) fn as_ptr(&self) -> *const SECURITY_ATTRIBUTES {
        &raw const self.raw
    }
}
