//! Temporary names and renaming; sharing with those who delete; what each volume can do.

#![allow(unsafe_code, reason = "calls of Win32")]

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::windows::fs::{FileExt, OpenOptionsExt};
use std::os::windows::io::{AsHandle, AsRawHandle};
use std::path::{Component, Path, PathBuf, Prefix};
use std::ptr;
use std::sync::OnceLock;

use windows_sys::Win32::Foundation::{ERROR_SHARING_VIOLATION, GENERIC_READ, GENERIC_WRITE};
use windows_sys::Win32::Storage::FileSystem::{
    BY_HANDLE_FILE_INFORMATION, CREATE_NEW, CreateFileW, DELETE, FILE_ATTRIBUTE_DIRECTORY,
    FILE_ATTRIBUTE_NORMAL, FILE_ATTRIBUTE_REPARSE_POINT, FILE_ATTRIBUTE_TEMPORARY, FILE_BASIC_INFO,
    FILE_DISPOSITION_FLAG_DELETE, FILE_DISPOSITION_FLAG_IGNORE_READONLY_ATTRIBUTE,
    FILE_DISPOSITION_FLAG_POSIX_SEMANTICS, FILE_DISPOSITION_INFO, FILE_DISPOSITION_INFO_EX,
    FILE_FLAG_BACKUP_SEMANTICS, FILE_FLAG_OPEN_REPARSE_POINT, FILE_INFO_BY_HANDLE_CLASS,
    FILE_READ_ATTRIBUTES, FILE_SHARE_DELETE, FILE_SHARE_READ, FILE_SHARE_WRITE, FILE_STANDARD_INFO,
    FILE_TYPE_DISK, FILE_TYPE_PIPE, FileBasicInfo, FileDispositionInfo, FileDispositionInfoEx,
    FileStandardInfo, GetDriveTypeW, GetFileInformationByHandle, GetFileInformationByHandleEx,
    GetFileType, GetVolumeInformationW, GetVolumePathNameW, MoveFileExW, READ_CONTROL,
    SetFileInformationByHandle,
};
use windows_sys::Win32::System::SystemServices::FILE_PERSISTENT_ACLS;
use windows_sys::Win32::System::WindowsProgramming::{
    DRIVE_FIXED, DRIVE_RAMDISK, DRIVE_REMOTE, DRIVE_REMOVABLE,
};

use super::{
    Cleaner, FileType, Identity, Opening, Status, Support, is_temporary, temporary_path_of,
};
use crate::error::{Error, ErrorKind, Result};
use crate::sys::file::commit;
use crate::sys::win32::security::{self, Attributes, Of};
use crate::sys::win32::{done, owned, wide};

/// Where named objects are unless the program or the environment says otherwise.
pub(crate) fn default_path() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| {
        let local = std::env::var_os("LOCALAPPDATA").map(PathBuf::from);
        let profile =
            || Some(PathBuf::from(std::env::var_os("USERPROFILE")?).join("AppData/Local"));
        local.or_else(profile).unwrap_or_else(std::env::temp_dir).join("shmkit")
    })
}

/// Whether a character of a name cannot stand in a file name as it is: what the system forbids, and
/// what it takes for another, since it ignores case.
pub(crate) fn must_escape(character: char) -> bool {
    const FORBIDDEN: &str = r#"/\:*?"<>|"#;
    FORBIDDEN.contains(character) || character.is_ascii_uppercase() || !character.is_ascii()
}

/// Whether the system takes a file name for a device's: one of these, whatever follows a point.
pub(crate) fn is_reserved(file_name: &str) -> bool {
    const DEVICES: [&str; 4] = ["con", "prn", "aux", "nul"];
    let stem = file_name.split('.').next().unwrap_or_default().trim_end().to_ascii_lowercase();
    let numbered = ["com", "lpt"].iter().find_map(|port| stem.strip_prefix(port));
    DEVICES.contains(&stem.as_str())
        || numbered.is_some_and(|number| number.len() == 1 && number.as_bytes()[0].is_ascii_digit())
}

/// What the file system says of an open file.
pub(crate) fn status(file: &File) -> Result<Status> {
    let mut about = BY_HANDLE_FILE_INFORMATION::default();
    // SAFETY: the handle is open.
    let raw_type = unsafe { GetFileType(file.as_raw_handle()) };
    if raw_type != FILE_TYPE_DISK {
        let file_type = if raw_type == FILE_TYPE_PIPE { FileType::Fifo } else { FileType::Other };
        return Ok(Status {
            identity: Identity { device: 0, file: 0 },
            links: 1,
            size: 0,
            committed: 0,
            owner: 0,
            mode: None,
            file_type,
        });
    }
    // SAFETY: the handle is open, and the answer has room.
    done(unsafe { GetFileInformationByHandle(file.as_raw_handle(), &raw mut about) })
        .map_err(Error::from_os)?;
    let file_type = if about.dwFileAttributes & FILE_ATTRIBUTE_REPARSE_POINT != 0 {
        FileType::SymbolicLink
    } else if about.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY != 0 {
        FileType::Directory
    } else {
        FileType::Regular
    };
    let joined = |high: u32, low: u32| u64::from(high) << 32 | u64::from(low);
    Ok(Status {
        // Files that are compared are of one directory, thus of one volume. (Wine knows a volume's
        // number by some handles of a file and not by others.)
        identity: Identity { device: 0, file: joined(about.nFileIndexHigh, about.nFileIndexLow) },
        links: about.nNumberOfLinks.into(),
        size: joined(about.nFileSizeHigh, about.nFileSizeLow),
        committed: u64::try_from(standard_info(file)?.AllocationSize).unwrap_or(0),
        owner: security::owner(file.as_handle(), Of::File).map_err(Error::from_os)?,
        mode: None,
        file_type,
    })
}

fn standard_info(file: &File) -> Result<FILE_STANDARD_INFO> {
    let mut about = FILE_STANDARD_INFO::default();
    ask(file, FileStandardInfo, &mut about).map_err(Error::from_os)?;
    Ok(about)
}

fn ask<T>(file: &File, class: FILE_INFO_BY_HANDLE_CLASS, into: &mut T) -> io::Result<()> {
    // SAFETY: the handle is open, and the answer, which belongs to the class, has as many bytes as
    // are told.
    done(unsafe {
        GetFileInformationByHandleEx(
            file.as_raw_handle(),
            class,
            (&raw mut *into).cast(),
            size_of::<T>() as u32,
        )
    })
}

/// Whether the name does not lead to the file any more. The file itself is renamed when it is
/// removed, and keeps a name as long as it is open.
pub(crate) fn is_unlinked(file: &File, path: &Path) -> Result<bool> {
    let identity = status(file)?.identity;
    match status_of_name(path) {
        Ok(named) => Ok(named.identity != identity),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(true),
        Err(error) => Err(error),
    }
}

/// What the file system says of whatever has the name, a symbolic link itself included.
pub(crate) fn status_of_name(path: &Path) -> Result<Status> {
    let itself = FILE_FLAG_OPEN_REPARSE_POINT | FILE_FLAG_BACKUP_SEMANTICS;
    let access = FILE_READ_ATTRIBUTES | READ_CONTROL;
    let file = OpenOptions::new().access_mode(access).custom_flags(itself).open(path);
    status(&file.map_err(Error::from_os)?)
}

/// Opens what has the name, never through a symbolic link. Others may rename and delete it.
pub(crate) fn open(path: &Path, opening: Opening) -> Result<File> {
    let access = match opening {
        Opening::ReadOnly => GENERIC_READ,
        Opening::ReadWrite => GENERIC_READ | GENERIC_WRITE,
    };
    let wary = FILE_FLAG_OPEN_REPARSE_POINT;
    OpenOptions::new().access_mode(access).custom_flags(wary).open(path).map_err(|error| {
        if path.symlink_metadata().is_ok_and(|it| it.is_dir()) {
            return Error::new(ErrorKind::WrongKind, "it is a directory");
        }
        Error::from_os(error)
    })
}

/// There are no files without a name.
pub(crate) fn new_unnamed(_directory: &Path, _mode: u32) -> Result<Option<File>> {
    Ok(None)
}

/// Nor are they given one.
pub(crate) fn name_unnamed(_file: &File, _path: &Path) -> Result<()> {
    Err(Error::new(ErrorKind::Unsupported, "every file has a name here"))
}

/// A new file under a temporary name, with the access list that permission bits mean.
pub(crate) fn new_temporary(path: &Path, mode: u32) -> Result<File> {
    let attributes = Attributes::of_mode(mode, Of::File).map_err(Error::from_os)?;
    let path = wide_path(path)?;
    // SAFETY: path and attributes live during the call; no other file is a model for this one.
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
    // SAFETY: made for us.
    Ok(unsafe { owned(file) }.map_err(Error::from_os)?.into())
}

/// A path as the wide functions take it, of any length.
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

/// Gives a file its final name in place of the temporary one. An existing name stays.
pub(crate) fn rename_temporary(from: &Path, to: &Path) -> Result<()> {
    rename(from, to).map_err(Error::from_os)
}

fn rename(from: &Path, to: &Path) -> io::Result<()> {
    let as_wide = |path| wide_path(path).map_err(|_| io::ErrorKind::InvalidFilename);
    let (from, to) = (as_wide(from)?, as_wide(to)?);
    // Without a flag an existing file is not replaced.
    // SAFETY: both names live during the call.
    done(unsafe { MoveFileExW(from.as_ptr(), to.as_ptr(), 0) })
}

/// Has what is only to be in memory written to the disk as late as can be.
pub(crate) fn spare_the_disk(file: &File) -> Result<()> {
    // Times of 0 stay as they are.
    let attributes =
        FILE_BASIC_INFO { FileAttributes: FILE_ATTRIBUTE_TEMPORARY, ..Default::default() };
    tell(file, FileBasicInfo, &attributes).map_err(Error::from_os)
}

/// Makes the file this large, with all its space committed.
pub(crate) fn reserve(file: &File, size: u64) -> Result<()> {
    commit(file, 0, size)
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

/// Reads until `bytes` is full or the file ends; says how many bytes there were.
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
    let itself = FILE_FLAG_OPEN_REPARSE_POINT;
    OpenOptions::new()
        .access_mode(DELETE | FILE_READ_ATTRIBUTES | READ_CONTROL)
        .custom_flags(itself)
        .open(path)
}

/// Whether this process may take away a name in a directory.
pub(crate) fn may_unlink(path: &Path, _owner: u32) -> Result<bool> {
    match open_to_delete(path) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(false),
        // Another took it away meanwhile.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(error) => Err(Error::from_os(error)),
    }
}

/// Takes the name away: at once, also where the file is mapped and cannot go yet.
pub(crate) fn unlink(path: &Path) -> Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    if is_temporary(&name) {
        return open_to_delete(path).map(|file| delete(&file)).map_err(Error::from_os);
    }
    let away = away(path, status_of_name(path)?.identity);
    rename(path, &away).map_err(|error| {
        let in_use = error.raw_os_error() == Some(ERROR_SHARING_VIOLATION as i32);
        let error = Error::from_os(error);
        let why = "another program has its file open, and does not let it be removed";
        if in_use { error.of_kind(ErrorKind::Busy).because(why) } else { error }
    })?;
    // CRASH: dying here leaves a file under a temporary name, which the sweep takes away; as does
    // whoever cannot open it to delete it.
    if let Ok(file) = open_to_delete(&away) {
        delete(&file);
    }
    Ok(())
}

/// Takes a removed file away, unless another has it mapped: the last one can.
pub(super) fn finish_unlink(file: &File, path: &Path) {
    let Ok(identity) = status(file).map(|it| it.identity) else { return };
    let Ok(away) = open_to_delete(&away(path, identity)) else { return };
    if status(&away).is_ok_and(|it| it.identity == identity) {
        delete(&away);
    }
}

/// Where a file is put that is removed: whoever has it open knows it.
fn away(path: &Path, identity: Identity) -> PathBuf {
    temporary_path_of(path.parent().unwrap_or(Path::new(".")), identity.file)
}

/// Marks a file for deletion, by its handle. One that is mapped may stay.
fn delete(file: &File) {
    let flags = FILE_DISPOSITION_FLAG_DELETE
        | FILE_DISPOSITION_FLAG_POSIX_SEMANTICS
        | FILE_DISPOSITION_FLAG_IGNORE_READONLY_ATTRIBUTE;
    let at_once = FILE_DISPOSITION_INFO_EX { Flags: flags };
    if tell(file, FileDispositionInfoEx, &at_once).is_err() {
        // Before Windows 10: when the last handle is closed.
        let at_the_end = FILE_DISPOSITION_INFO { DeleteFile: true };
        let _ = tell(file, FileDispositionInfo, &at_the_end);
    }
}

fn tell<T>(file: &File, class: FILE_INFO_BY_HANDLE_CLASS, what: &T) -> io::Result<()> {
    // SAFETY: the handle is open, and what is told, which belongs to the class, has as many bytes.
    done(unsafe {
        SetFileInformationByHandle(
            file.as_raw_handle(),
            class,
            (&raw const *what).cast(),
            size_of::<T>() as u32,
        )
    })
}

/// What the directory's volume is good for, or why it is not. The default one is made if need be.
pub(crate) fn support(directory: &Path) -> Result<Support> {
    if directory == default_path() {
        std::fs::create_dir_all(directory).map_err(Error::from_os)?;
    }
    if !directory.metadata().map_err(Error::from_os)?.is_dir() {
        return Err(Error::from_os(io::Error::from(io::ErrorKind::NotADirectory)));
    }
    /// The longest path.
    const MAX_UNITS: usize = 32_768;
    let path = wide_path(directory)?;
    let mut volume = vec![0; MAX_UNITS];
    // SAFETY: the path ends in zero, and the answer has as many units as are told.
    done(unsafe { GetVolumePathNameW(path.as_ptr(), volume.as_mut_ptr(), MAX_UNITS as u32) })
        .map_err(Error::from_os)?;
    // SAFETY: a path that ends in zero.
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

/// Whether a volume, whose root this is, keeps who may use what.
fn has_access_lists(root: &[u16]) -> Result<bool> {
    let mut flags = 0;
    // SAFETY: the root ends in zero; of the answers that it could give only the flags have room.
    done(unsafe {
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

/// Who cleans the directory behind its users' backs.
pub(crate) fn cleaners(directory: &Path) -> Vec<Cleaner> {
    if !directory.starts_with(std::env::temp_dir()) {
        return Vec::new();
    }
    vec![Cleaner {
        what: "Storage Sense and disk clean-up remove what was not touched for some days here"
            .into(),
        remedy: "name another directory by SHMKIT_DIR".into(),
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

    #[test]
    fn a_removed_file_has_no_name_for_those_who_have_it_open() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x");
        let file = new_temporary(&path, 0o600).unwrap();
        assert!(!is_unlinked(&file, &path).unwrap());
        unlink(&path).unwrap();
        assert_eq!(status_of_name(&path).unwrap_err().kind(), ErrorKind::NotFound);
        assert!(is_unlinked(&file, &path).unwrap());
        new_temporary(&path, 0o600).expect("the name is free at once");
        assert!(is_unlinked(&file, &path).unwrap(), "it is another's");
    }
}
