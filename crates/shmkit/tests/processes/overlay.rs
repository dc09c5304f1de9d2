//! Objects and files in a lower layer of overlayfs, which copies a file when it is first opened for
//! writing.

use std::ffi::{CStr, CString};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use shmkit::memory::FileMapping;
use shmkit::{Access, ErrorKind, Latest, Trust, inspect};

use crate::children::{Child, Link};
use crate::test_dir::{TestDir, kind, skip};

const NAME: &str = "count";
/// Only its owner may write to it.
const PUBLIC: &str = "public count";
const STRANGER: libc::uid_t = 54_321;

/// Mounts an overlay of these layers in the namespace of this thread.
fn mount_overlay(options: &str, target: &Path) -> io::Result<()> {
    let (options, target) =
        (CString::new(options)?, CString::new(target.as_os_str().as_encoded_bytes())?);
    let mount = |kind: &CStr, target: &CStr, flags, options: &CStr| {
        let options = options.as_ptr().cast();
        // SAFETY: the strings end in 0, and live during the call.
        let code =
            unsafe { libc::mount(kind.as_ptr(), target.as_ptr(), kind.as_ptr(), flags, options) };
        if code == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    };
    // SAFETY: gives this thread its own mount namespace; no memory is involved.
    if unsafe { libc::unshare(libc::CLONE_NEWNS) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // Keeps the mount that follows from other namespaces.
    mount(c"none", c"/", libc::MS_REC | libc::MS_PRIVATE, c"")?;
    mount(c"overlay", &target, 0, &options)
}

fn options(directory: &Path) -> shmkit::Options<Latest<u64>> {
    Latest::options().directory(directory)
}

/// Reads objects of a lower layer before and after they are written.
pub(crate) fn reader(link: &mut Link) {
    let directory = shmkit::default_directory();
    let [lower, upper, work, merged] =
        ["lower", "upper", "work", "merged"].map(|name| directory.join(name));
    let layers = |names: &[(&str, &Path)]| {
        let names = names.iter().map(|(name, path)| format!("{name}={}", path.display()));
        names.collect::<Vec<_>>().join(",")
    };
    let writable = layers(&[("lowerdir", &lower), ("upperdir", &upper), ("workdir", &work)]);
    if let Err(error) = mount_overlay(&writable, &merged) {
        return link.send(format!("cannot mount: {error}"));
    }
    let reader = options(&merged).open_read_only(NAME).unwrap();
    assert_eq!(reader.get().unwrap(), 1);
    options(&merged).open(NAME).unwrap().writer().unwrap().set(&2).unwrap();
    assert_eq!(reader.get().unwrap(), 2, "what was written after the reader opened the object");

    let raw = merged.join("raw");
    let follower = FileMapping::options().read_only().follow_writers();
    let region = follower.open(&raw).unwrap().map().unwrap();
    FileMapping::open(&raw).unwrap().map().unwrap().write_at(0, b"new").unwrap();
    let mut seen = [0; 3];
    region.read_at(0, &mut seen).unwrap();
    assert_eq!(&seen, b"new");

    // An overlay without an upper layer has no writers.
    let frozen = directory.join("frozen");
    mount_overlay(&format!("lowerdir={}:{}", lower.display(), work.display()), &frozen).unwrap();
    assert_eq!(options(&frozen).open_read_only(NAME).unwrap().get().unwrap(), 1);
    assert_eq!(options(&frozen).open(NAME).unwrap().get().unwrap(), 1);

    // SAFETY: changes only the user of this process.
    assert_eq!(unsafe { libc::setuid(STRANGER) }, 0);
    let error = options(&merged).open_read_only(PUBLIC).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
    assert!(error.to_string().contains("put it on a volume or into memory"), "{error}");
    assert_eq!(kind(options(&merged).open(PUBLIC)), ErrorKind::Unsupported);
    assert_eq!(kind(inspect::describe(&merged, PUBLIC, Trust::Own)), ErrorKind::Unsupported);
    assert_eq!(options(&frozen).open_read_only(PUBLIC).unwrap().get().unwrap(), 5);
    let raw = merged.join("other raw");
    assert_eq!(kind(follower.open(&raw)), ErrorKind::Unsupported);
    FileMapping::options().read_only().open(&raw).unwrap();
    link.send("done");
}

#[test]
fn a_reader_on_overlayfs_sees_what_is_written_or_is_refused() {
    let dir = TestDir::new();
    let public = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(dir.path(), public).unwrap();
    for name in ["lower", "upper", "work", "merged", "frozen"] {
        std::fs::create_dir(dir.path().join(name)).unwrap();
    }
    let lower = dir.path().join("lower");
    options(&lower).create(NAME).unwrap().writer().unwrap().set(&1).unwrap();
    let public = options(&lower).access(Access::Everyone).read_only_peers(true);
    public.create(PUBLIC).unwrap().writer().unwrap().set(&5).unwrap();
    for raw in ["raw", "other raw"] {
        std::fs::write(lower.join(raw), "old").unwrap();
    }

    let answer = Child::start(&dir, "reader on overlayfs", "").receive();
    if answer.starts_with("cannot mount") {
        return skip(&format!("an overlay: {answer}"));
    }
    assert_eq!(answer, "done");
}
