//! A full file system, and unusual umasks.

use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use shmkit::{Access, ErrorKind, Latest};

use crate::children::{Child, Link};
use crate::test_dir::{TestDir, kind, skip};

const NAME: &str = "level";
const KIB: usize = 1024;

/// Mounts a small file system in memory over the directory, for this thread alone.
fn mount_small(directory: &Path) -> std::io::Result<()> {
    let directory = CString::new(directory.as_os_str().as_bytes()).unwrap();
    let mount =
        |kind: &std::ffi::CStr, target: &std::ffi::CStr, flags, options: &std::ffi::CStr| {
            let options = options.as_ptr().cast();
            // SAFETY: the strings end in 0, and live during the call.
            let code = unsafe {
                libc::mount(kind.as_ptr(), target.as_ptr(), kind.as_ptr(), flags, options)
            };
            if code == 0 { Ok(()) } else { Err(std::io::Error::last_os_error()) }
        };
    // SAFETY: gives this thread its own mount namespace; no memory is involved.
    if unsafe { libc::unshare(libc::CLONE_NEWNS) } != 0 {
        return Err(std::io::Error::last_os_error());
    }
    // Keeps the mount that follows from other namespaces.
    mount(c"none", c"/", libc::MS_REC | libc::MS_PRIVATE, c"")?;
    mount(c"tmpfs", &directory, 0, c"size=64k")
}

/// Creates and uses objects in a file system of 64 KiB.
pub(crate) fn small_file_system(link: &mut Link) {
    let directory = shmkit::default_directory();
    if let Err(error) = mount_small(&directory) {
        return link.send(format!("cannot mount: {error}"));
    }
    let files = || std::fs::read_dir(&directory).unwrap().count();
    let large = Latest::<[u8; 100 * KIB]>::create(NAME).err().unwrap();
    assert_eq!(large.kind(), ErrorKind::OutOfSpace, "{large}");
    assert!(large.to_string().starts_with(r#"cannot create "level": "#), "{large}");
    assert_eq!(files(), 0, "a file was left");
    assert_eq!(kind(Latest::<[u8; 100 * KIB]>::open_or_create(NAME)), ErrorKind::OutOfSpace);

    let small = Latest::<[u64; 8]>::create(NAME).expect("an object that fits");
    let mut fillers = Vec::new();
    let full = loop {
        match Latest::<u64>::create(&format!("filler {}", fillers.len())) {
            Ok(filler) => fillers.push(filler),
            Err(error) => break error,
        }
    };
    assert_eq!(full.kind(), ErrorKind::OutOfSpace, "{full}");
    assert_eq!(files(), 1 + fillers.len());
    // All space was committed at creation, so that writing never lacks a page.
    let mut writer = small.writer().unwrap();
    for number in 0..1_000 {
        writer.set(&[number; 8]).unwrap();
        for filler in &fillers {
            filler.writer().unwrap().set(&number).unwrap();
        }
    }
    Latest::<u64>::remove("filler 0").unwrap();
    drop(fillers);
    Latest::<u64>::create("another").expect("space was freed");
    link.send("done");
}

#[test]
fn a_full_file_system_is_out_of_space_at_creation_and_never_later() {
    let dir = TestDir::new();
    let answer = Child::start(&dir, "small file system", "").receive();
    if answer.starts_with("cannot mount") {
        return skip(&format!("a small file system: {answer}"));
    }
    assert_eq!(answer, "done");
}

/// Creates objects under the umask of its task.
pub(crate) fn umask(link: &mut Link) {
    let mask = u32::from_str_radix(&link.task(), 8).unwrap();
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(mask));
    let latest = Latest::<u64>::create(NAME).unwrap();
    latest.writer().unwrap().set(&1).unwrap();
    Latest::<u64>::options().access(Access::Everyone).create("for all").unwrap();
    link.send(Latest::<u64>::open(NAME).unwrap().get().unwrap());
}

#[test]
fn access_is_for_the_owner_or_as_asked_for_under_any_umask() {
    for mask in ["0", "22", "77", "777"] {
        let dir = TestDir::new();
        assert_eq!(Child::start(&dir, "umask", mask).receive(), "1");
        for (file, expected) in [("level.shmkit", 0o600), ("for all.shmkit", 0o666)] {
            let mode = std::fs::metadata(dir.path().join(file)).unwrap().permissions().mode();
            assert_eq!(mode & 0o7777, expected, "{file} under the umask {mask}");
        }
    }
}
