//! Which file system a directory is in, by the table of mounts.

use std::path::{Path, PathBuf};

use super::place::Mount;

/// Returns the file system that the directory is in. None if `/proc` is not mounted.
pub(crate) fn mount(directory: &Path) -> Option<Mount> {
    // A thread can have mounts of its own.
    let table = std::fs::read("/proc/thread-self/mountinfo").ok()?;
    mount_in(&String::from_utf8_lossy(&table), &directory.canonicalize().ok()?)
}

/// <https://docs.kernel.org/filesystems/proc.html#proc-pid-mountinfo>: the third field is the
/// device, the fifth is the mount point, and the type follows a hyphen.
fn mount_in(table: &str, directory: &Path) -> Option<Mount> {
    let mounts = table.lines().filter_map(|line| {
        let (fields, after) = line.split_once(" - ")?;
        let mut fields = fields.split(' ').skip(2);
        let (device, point) = (fields.next()?.into(), PathBuf::from(unescaped(fields.nth(1)?)));
        Some(Mount { file_system: after.split(' ').next()?.into(), device, point })
    });
    // The innermost one; of several at one place the last one covers the others.
    let around = mounts.filter(|it| directory.starts_with(&it.point));
    around.max_by_key(|it| it.point.as_os_str().len())
}

/// Returns a path of the table as it is: some characters are escaped, as in `\040`.
fn unescaped(path: &str) -> String {
    [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")]
        .into_iter()
        .fold(path.to_owned(), |path, (escape, character)| path.replace(escape, character))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_innermost_mount_that_covers_the_others_is_found() {
        let table = "1 0 8:1 / / rw - ext4 /dev/sda1 rw\n\
                     2 1 0:5 / /dev rw,nosuid shared:2 - devtmpfs udev rw\n\
                     3 2 0:26 / /dev/shm rw - tmpfs tmpfs rw\n\
                     4 2 0:61 / /dev/shm rw - tmpfs shm rw\n\
                     5 1 0:7 / /my\\040data rw - xfs x rw\n";
        let found = |directory: &str| {
            let it = mount_in(table, Path::new(directory)).unwrap();
            (it.file_system, it.device, it.point.to_str().unwrap().to_owned())
        };
        assert_eq!(found("/dev/shm/a"), ("tmpfs".into(), "0:61".into(), "/dev/shm".into()));
        assert_eq!(found("/dev/shmem").1, "0:5");
        assert_eq!(found("/my data").2, "/my data");
        assert_eq!(found("/home").0, "ext4");
    }
}
