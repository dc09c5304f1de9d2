//! Temporary names and renaming; deleting files that are open; which volumes work.

#![allow(unsafe_code, reason = "calls of Win32")]

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::windows::fs::{FileExt, OpenOptionsExt};
use std::os::windows::io::AsRawHandle;
use std::path::{Component, Path, PathBuf, Prefix};
use std::ptr;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Instant;

use windows_sys::Win32::Foundation::{GENERIC_READ, GENERIC_WRITE};
use windows_sys::Win32::Storage::FileSystem::{
    CREATE_NEW, CreateFileW, DELETE, FILE_ATTRIBUTE_NORMAL, FILE_ATTRIBUTE_TEMPORARY,
    FILE_BASIC_INFO, FILE_DISPOSITION_FLAG_DELETE, FILE_DISPOSITION_FLAG_IGNORE_READONLY_ATTRIBUTE,
    FILE_DISPOSITION_FLAG_POSIX_SEMANTICS, FILE_DISPOSITION_INFO, FILE_DISPOSITION_INFO_EX,
    FILE_FLAG_BACKUP_SEMANTICS, FILE_FLAG_OPEN_REPARSE_POINT, FILE_INFO_BY_HANDLE_CLASS,
    FILE_READ_ATTRIBUTES, FILE_SHARE_DELETE, FILE_SHARE_READ, FILE_SHARE_WRITE, FileBasicInfo,
    FileDispositionInfo, FileDispositionInfoEx, GetDriveTypeW, GetVolumeInformationW,
    GetVolumePathNameW, MoveFileExW, READ_CONTROL, SetFileInformationByHandle,
};
use windows_sys::Win32::System::SystemServices::FILE_PERSISTENT_ACLS;
use windows_sys::Win32::System::WindowsProgramming::{
    DRIVE_FIXED, DRIVE_RAMDISK, DRIVE_REMOTE, DRIVE_REMOVABLE,
};

use super::place::{Flaw, Support};
use super::temporary::{is_temporary, numbered_path};
use crate::error::{Error, ErrorKind, Result};
use crate::sys::fork::OwnedFile;
use crate::sys::opening::Opening;
use crate::sys::process::milliseconds;
use crate::sys::status::{Identity, Status, has_name, identity, status};
use crate::sys::win32::security::{Attributes, Securable};
use crate::sys::win32::{check, open_error, owned, wide};

/// For so long a file that has some name counts as having the name that it had, and a directory as
/// being on the volume that it was on.
const NAME_EVERY_MS: u64 = 1_000;

/// Returns the directory of objects, unless the program or the environment chooses another.
pub(crate) fn default_path() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| {
        let local = std::env::var_os("LOCALAPPDATA").map(PathBuf::from);
        let profile =
            || Some(PathBuf::from(std::env::var_os("USERPROFILE")?).join("AppData/Local"));
        local.or_else(profile).unwrap_or_else(std::env::temp_dir).join("shmkit")
    })
}

/// Whether the default directory is in memory.
pub(crate) const DEFAULT_IS_MEMORY: bool = false;

/// Returns whether a character of a name must be escaped in a file name: the system forbids some,
/// and ignores case.
pub(crate) fn must_escape(character: char) -> bool {
    const FORBIDDEN: &str = r#"/\:*?"<>|"#;
    FORBIDDEN.contains(character) || character.is_ascii_uppercase() || !character.is_ascii()
}

/// Returns whether the system takes a file name for a device, whatever follows the first dot.
pub(crate) fn is_reserved(file_name: &str) -> bool {
    const DEVICES: [&str; 4] = ["con", "prn", "aux", "nul"];
    let stem = file_name.split('.').next().unwrap_or_default().trim_end().to_ascii_lowercase();
    let numbered = ["com", "lpt"].iter().find_map(|port| stem.strip_prefix(port));
    DEVICES.contains(&stem.as_str())
        || numbered.is_some_and(|number| number.len() == 1 && number.as_bytes()[0].is_ascii_digit())
}

/// Whether no name can lead to a file again for which [`is_unlinked`] returned true. No: the file
/// may have another name.
pub(crate) const UNLINKED_FOR_GOOD: bool = false;

/// Returns whether `path` does not refer to the file any more. If the file was renamed, it can take
/// [`NAME_EVERY_MS`] until this is noticed.
///
/// Every waiter asks this again and again. To ask the open file costs one call, and to find it by
/// its name a search in each directory of the path.
pub(crate) fn is_unlinked(file: &OwnedFile, path: &Path) -> Result<bool> {
    is_unlinked_at(file, path, milliseconds(Instant::now()))
}

fn is_unlinked_at(file: &OwnedFile, path: &Path, now_ms: u64) -> Result<bool> {
    if !has_name(file)? {
        return Ok(true);
    }
    if file.named_ms().is_some_and(|named_ms| now_ms < named_ms + NAME_EVERY_MS) {
        return Ok(false);
    }
    match open_for_query(path, FILE_READ_ATTRIBUTES).and_then(|named| identity(&named)) {
        Ok(named) if named == file.identity() => {
            file.set_named_ms(now_ms);
            Ok(false)
        }
        Ok(_) => Ok(true),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(true),
        Err(error) => Err(error),
    }
}

/// Returns what the file system reports about the file at `path`. Does not follow a symbolic link.
pub(crate) fn status_of_name(path: &Path) -> Result<Status> {
    status(&open_for_query(path, FILE_READ_ATTRIBUTES | READ_CONTROL)?)
}

/// Opens what has this name, to ask about it: the link itself, not what it refers to; directories
/// too.
fn open_for_query(path: &Path, access: u32) -> Result<File> {
    let flags = FILE_FLAG_OPEN_REPARSE_POINT | FILE_FLAG_BACKUP_SEMANTICS;
    let file = OpenOptions::new().access_mode(access).custom_flags(flags).open(path);
    file.map_err(open_error)
}

/// Opens the file at `path`. Does not follow a symbolic link. Other processes may rename and delete
/// the file.
pub(crate) fn open(path: &Path, opening: Opening) -> Result<File> {
    let access = match opening {
        Opening::ReadOnly => GENERIC_READ,
        Opening::ReadWrite => GENERIC_READ | GENERIC_WRITE,
    };
    let flags = FILE_FLAG_OPEN_REPARSE_POINT;
    OpenOptions::new().access_mode(access).custom_flags(flags).open(path).map_err(|error| {
        if path.symlink_metadata().is_ok_and(|it| it.is_dir()) {
            return Error::new(ErrorKind::WrongKind, "it is a directory");
        }
        open_error(error)
    })
}

/// Returns `None`: Windows has no files without a name.
pub(crate) fn new_unnamed(_directory: &Path, _mode: u32) -> Result<Option<File>> {
    Ok(None)
}

/// Reports that there are no unnamed files to name.
pub(crate) fn name_unnamed(_file: &File, _path: &Path) -> Result<()> {
    Err(Error::new(ErrorKind::Unsupported, "Windows has no files without a name"))
}

/// Creates a file under a temporary name, with the access list for these permission bits.
pub(crate) fn new_temporary(path: &Path, mode: u32) -> Result<File> {
    let attributes = Attributes::of_mode(mode, Securable::File).map_err(Error::from_os)?;
    let path = wide_path(path)?;
    // SAFETY: the path and the attributes live during the call; there is no template file.
    let file = unsafe {
        CreateFileW(
            path.as_ptr(),
            GENERIC_READ | GENERIC_WRITE,
            FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE,
            attributes.as_ptr(),
            CREATE_NEW,
            FILE_ATTRIBUTE_NORMAL,
            ptr::null_mut(),
        )
    };
    // SAFETY: the call above created the handle for this function alone.
    Ok(unsafe { owned(file) }.map_err(Error::from_os)?.into())
}

/// Returns a path as the wide functions expect it, of any length.
fn wide_path(path: &Path) -> Result<Vec<u16>> {
    let absolute = std::path::absolute(path).map_err(Error::from_os)?;
    let text = absolute.as_os_str();
    if absolute.components().next().is_some_and(|first| match first {
        Component::Prefix(prefix) => matches!(prefix.kind(), Prefix::Disk(_)),
        _ => false,
    }) {
        let mut verbatim = OsString::from(r"\\?\");
        verbatim.push(text);
        return Ok(wide(verbatim));
    }
    Ok(wide(text))
}

/// Gives a file its final name in place of the temporary one. Does not replace an existing name.
pub(crate) fn rename_temporary(from: &Path, to: &Path) -> Result<()> {
    rename(from, to).map_err(Error::from_os)
}

fn rename(from: &Path, to: &Path) -> io::Result<()> {
    let as_wide = |path| wide_path(path).map_err(|_| io::ErrorKind::InvalidFilename);
    let (from, to) = (as_wide(from)?, as_wide(to)?);
    // Without flags the call does not replace an existing file.
    // SAFETY: both paths live during the call.
    check(unsafe { MoveFileExW(from.as_ptr(), to.as_ptr(), 0) })
}

/// Keeps data that belongs in memory off the disk for as long as the system can.
pub(crate) fn keep_off_disk(file: &File) -> Result<()> {
    // Times of 0 change nothing.
    let attributes =
        FILE_BASIC_INFO { FileAttributes: FILE_ATTRIBUTE_TEMPORARY, ..Default::default() };
    set_information(file, FileBasicInfo, &attributes).map_err(Error::from_os)
}

/// Writes all of `bytes` at `offset`.
pub(crate) fn write_all_at(file: &File, bytes: &[u8], offset: u64) -> Result<()> {
    let mut written = 0;
    while written < bytes.len() {
        match file.seek_write(&bytes[written..], offset + written as u64) {
            Ok(0) => return Err(Error::from_os(io::Error::from(io::ErrorKind::WriteZero))),
            Ok(count) => written += count,
            Err(error) => return Err(Error::from_os(error)),
        }
    }
    Ok(())
}

/// Reads until `bytes` is full or the file ends. Returns how many bytes it read.
pub(crate) fn read_at(file: &File, bytes: &mut [u8], offset: u64) -> Result<usize> {
    let mut filled = 0;
    while filled < bytes.len() {
        match file.seek_read(&mut bytes[filled..], offset + filled as u64) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) => return Err(Error::from_os(error)),
        }
    }
    Ok(filled)
}

fn open_to_delete(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .access_mode(DELETE | FILE_READ_ATTRIBUTES | READ_CONTROL)
        .custom_flags(FILE_FLAG_OPEN_REPARSE_POINT)
        .open(path)
}

/// Returns false: the system's error says it.
pub(crate) fn is_read_only(_path: &Path) -> bool {
    false
}

/// Returns whether this process may remove the name.
pub(crate) fn may_unlink(path: &Path, _owner: u32) -> Result<bool> {
    match open_to_delete(path) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(false),
        // Another process has removed it meanwhile.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(error) => Err(open_error(error)),
    }
}

/// Removes the name at once, even if the file is mapped and cannot be deleted yet.
pub(crate) fn unlink(path: &Path) -> Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    if is_temporary(&name) {
        return open_to_delete(path).map(|file| delete(&file)).map_err(open_error);
    }
    let aside = path_aside(path, status_of_name(path)?.identity);
    rename(path, &aside).map_err(open_error)?;
    // CRASH: a process that dies here leaves a file under a temporary name, which the sweep
    // removes. A process that cannot open the file to delete it leaves the same.
    if let Ok(file) = open_to_delete(&aside) {
        delete(&file);
    }
    Ok(())
}

/// What a file under a temporary name is that no process uses.
pub(crate) const LEFT_OVER: &str =
    "a process died before this file had its name, or after it had been removed";

/// Whether the last process that has a removed file open must delete it.
pub(super) const MUST_FINISH_UNLINK: bool = true;

/// Deletes a removed file, unless another process has it mapped. The last of them succeeds.
pub(super) fn finish_unlink(file: &File, path: &Path) {
    let Ok(identity) = status(file).map(|it| it.identity) else { return };
    let Ok(aside) = open_to_delete(&path_aside(path, identity)) else { return };
    if status(&aside).is_ok_and(|it| it.identity == identity) {
        delete(&aside);
    }
}

/// Returns the path of a removed file that is not deleted yet. Each handle of the file can compute
/// it.
fn path_aside(path: &Path, identity: Identity) -> PathBuf {
    numbered_path(path.parent().unwrap_or(Path::new(".")), identity.file)
}

/// Marks a file for deletion by its handle. The file can stay while it is mapped.
fn delete(file: &File) {
    let flags = FILE_DISPOSITION_FLAG_DELETE
        | FILE_DISPOSITION_FLAG_POSIX_SEMANTICS
        | FILE_DISPOSITION_FLAG_IGNORE_READONLY_ATTRIBUTE;
    let immediately = FILE_DISPOSITION_INFO_EX { Flags: flags };
    if set_information(file, FileDispositionInfoEx, &immediately).is_err() {
        // Before Windows 10: when the last handle is closed.
        let at_last_close = FILE_DISPOSITION_INFO { DeleteFile: true };
        let _ = set_information(file, FileDispositionInfo, &at_last_close);
    }
}

fn set_information<T>(file: &File, class: FILE_INFO_BY_HANDLE_CLASS, what: &T) -> io::Result<()> {
    // SAFETY: the handle is open. `what`, whose type belongs to the class, has the size that is
    // passed.
    check(unsafe {
        SetFileInformationByHandle(
            file.as_raw_handle(),
            class,
            (&raw const *what).cast(),
            size_of::<T>() as u32,
        )
    })
}

/// Returns what [`support`] returns, for a file in the directory. The answer about one directory is
/// kept for [`NAME_EVERY_MS`], since each object that is opened asks for it.
pub(crate) fn support_of(_file: &File, directory: &Path) -> Result<Support> {
    static LAST: Mutex<Option<(PathBuf, Support, u64)>> = Mutex::new(None);
    let last = || LAST.lock().unwrap_or_else(PoisonError::into_inner);
    let now_ms = milliseconds(Instant::now());
    if let Some((path, support, asked_ms)) = &*last()
        && path == directory
        && now_ms < asked_ms + NAME_EVERY_MS
    {
        return Ok(*support);
    }
    let support = support(directory)?;
    *last() = Some((directory.into(), support, now_ms));
    Ok(support)
}

/// Returns the kind of storage of the directory, or an error if objects cannot live there. Creates
/// the default directory if it is missing.
pub(crate) fn support(directory: &Path) -> Result<Support> {
    if directory == default_path() {
        std::fs::create_dir_all(directory).map_err(Error::from_os)?;
    }
    if !directory.metadata().map_err(Error::from_os)?.is_dir() {
        return Err(Error::from_os(io::Error::from(io::ErrorKind::NotADirectory)));
    }
    /// The length of the longest path.
    const MAX_UNITS: usize = 32_768;
    let path = wide_path(directory)?;
    let mut volume = vec![0; MAX_UNITS];
    // SAFETY: the path ends in a zero, and the answer has the size that is passed.
    check(unsafe { GetVolumePathNameW(path.as_ptr(), volume.as_mut_ptr(), MAX_UNITS as u32) })
        .map_err(Error::from_os)?;
    // SAFETY: the path ends in a zero.
    match unsafe { GetDriveTypeW(volume.as_ptr()) } {
        DRIVE_FIXED | DRIVE_REMOVABLE | DRIVE_RAMDISK if has_access_lists(&volume)? => {
            Ok(Support::Disk)
        }
        DRIVE_FIXED | DRIVE_REMOVABLE | DRIVE_RAMDISK => {
            let place = directory.display();
            let why = format!("{place} is on a volume without access lists, such as FAT");
            Err(Error::new(ErrorKind::Unsupported, why))
        }
        DRIVE_REMOTE => {
            let why = format!(
                "{} is on a network, which does not share locks and memory",
                directory.display()
            );
            Err(Error::new(ErrorKind::Unsupported, why))
        }
        _ => Ok(Support::Untried),
    }
}

/// Returns whether the volume with this root stores access lists.
fn has_access_lists(root: &[u16]) -> Result<bool> {
    let mut flags = 0;
    // SAFETY: the root ends in a zero. `flags` has room for its answer, and no other is requested.
    check(unsafe {
        GetVolumeInformationW(
            root.as_ptr(),
            ptr::null_mut(),
            0,
            ptr::null_mut(),
            ptr::null_mut(),
            &raw mut flags,
            ptr::null_mut(),
            0,
        )
    })
    .map_err(Error::from_os)?;
    Ok(flags & FILE_PERSISTENT_ACLS != 0)
}

/// Returns what is wrong with the directory: a part of the system that removes files unasked.
pub(crate) fn flaws(directory: &Path) -> Vec<Flaw> {
    if !directory.starts_with(std::env::temp_dir()) {
        return Vec::new();
    }
    vec![Flaw {
        what: "Storage Sense and disk clean-up remove files here that were not used for some days"
            .into(),
        remedy: "choose another directory with SHMKIT_DIR".into(),
    }]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_names_differ_in_more_than_case_and_are_no_devices() {
        assert!(['A', 'Z', '/', '\\', ':', '*', 'ä', 'ſ'].into_iter().all(must_escape));
        assert!(!['a', 'z', '0', '.', ' ', '-', '_', '$'].into_iter().any(must_escape));
        for device in ["con", "NUL", "aux.shmkit", "com1", "Lpt9.x", "con ", "prn.a.b"] {
            assert!(is_reserved(device), "{device}");
        }
        for name in ["console", "com", "com10", "xcon", "nul-1"] {
            assert!(!is_reserved(name), "{name}");
        }
    }

    /// Creates a file.
    fn owned_at(path: &Path) -> OwnedFile {
        let create = || {
            let file = new_temporary(path, 0o600)?;
            let status = status(&file)?;
            Ok((file, status))
        };
        OwnedFile::open(create).unwrap().0
    }

    #[test]
    fn a_removed_file_has_no_name_for_its_open_handles() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x");
        let file = owned_at(&path);
        assert!(!is_unlinked(&file, &path).unwrap());
        unlink(&path).unwrap();
        assert_eq!(status_of_name(&path).unwrap_err().kind(), ErrorKind::NotFound);
        let later_ms = milliseconds(Instant::now()) + NAME_EVERY_MS;
        assert!(is_unlinked_at(&file, &path, later_ms).unwrap());
        new_temporary(&path, 0o600).expect("the name is free at once");
        assert!(is_unlinked_at(&file, &path, later_ms).unwrap(), "the name is another file's");
    }

    #[test]
    fn a_renamed_file_is_noticed_at_the_first_question_and_then_within_a_second() {
        let directory = tempfile::tempdir().unwrap();
        let [path, other] = ["x", "y"].map(|name| directory.path().join(name));
        let file = owned_at(&path);
        rename(&path, &other).unwrap();
        assert!(is_unlinked_at(&file, &path, 1).unwrap(), "the first question");
        assert!(!is_unlinked_at(&file, &other, 1).unwrap());
        rename(&other, &path).unwrap();
        let unlinked_after = |ms| is_unlinked_at(&file, &other, 1 + ms).unwrap();
        assert!(!unlinked_after(NAME_EVERY_MS - 1), "its name was asked for again");
        assert!(unlinked_after(NAME_EVERY_MS));
        assert!(unlinked_after(NAME_EVERY_MS + 1), "what was noticed is not forgotten");
    }

    #[test]
    fn a_file_that_another_program_does_not_share_is_busy() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x");
        std::fs::write(&path, "bytes").unwrap();
        let alone = OpenOptions::new().read(true).share_mode(0).open(&path).unwrap();
        let answers = [
            open(&path, Opening::ReadOnly).map(drop),
            open(&path, Opening::ReadWrite).map(drop),
            may_unlink(&path, 0).map(drop),
            unlink(&path),
            crate::sys::file::open_path(&path, false).map(drop),
            crate::sys::file::open_path(&path, true).map(drop),
        ];
        for answer in answers {
            let error = answer.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Busy, "{error}");
            assert!(error.reason().starts_with("another program has the file open"), "{error}");
        }
        drop(alone);
        unlink(&path).unwrap();
    }
}
