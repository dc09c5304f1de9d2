//! What `doctor` and errors say of the system around the objects.

use std::ffi::CString;
use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::Path;

use rustix::process::{Resource, Rlimit, setrlimit};
use shmkit::ErrorKind;

use crate::mounts::{mount, mount_any, with_own_mounts};
use crate::running::{Running, skip};
use crate::{MOUNTED_AT, TestDir};

/// Runs a test with mounts of its own. Skips it if the system refuses them.
fn in_own_mounts(what: &str, test: impl FnOnce() -> io::Result<()> + Send) {
    if let Err(error) = with_own_mounts(test) {
        skip(&format!("{what}: {error}"));
    }
}

#[test]
fn the_doctor_says_who_keeps_the_space_of_a_full_file_system() {
    in_own_mounts("a full file system", || {
        let dir = TestDir::new();
        mount(dir.path(), 0, "size=256k")?;
        let kept = dir.latest::<[u64; 8]>().create("kept").unwrap();
        dir.shm(&["rm", "kept", "--force"]);
        assert_eq!(dir.json(&["doctor"]), serde_json::json!([]), "there is space");
        let fill = |number: u32| dir.latest::<u64>().create(&format!("filler {number}"));
        let full = (0..).map(fill).find_map(Result::err).unwrap();
        assert_eq!(full.kind(), ErrorKind::OutOfSpace);
        let why = "bytes left; remove objects, or enlarge the file system";
        assert!(full.reason().contains(" of 262144 ") && full.reason().contains(why), "{full}");

        let (report, code) = dir.doctor(&[]);
        let me = std::process::id();
        let why = "removed files take space while they are mapped: ";
        // A program that another test is starting has the mappings of this process, too.
        let by_me = format!("process {me} (");
        assert!(report.contains("no space for 16384 bytes: its file system has "), "{report}");
        assert!(report.contains(why) && report.contains(&by_me), "{report}");
        assert!(report.contains("end the processes"), "{report}");
        assert_eq!(code, Some(0), "no object needs repair");
        drop(kept);
        assert!(!dir.doctor(&[]).0.contains(&by_me), "nothing is kept any more");
        Ok(())
    });
}

#[test]
fn the_doctor_and_errors_say_that_there_are_no_inodes() {
    in_own_mounts("a file system without inodes", || {
        let dir = TestDir::new();
        mount(dir.path(), 0, "nr_inodes=3")?;
        let fill = |number: u32| dir.latest::<u64>().create(&format!("filler {number}"));
        let full = (0..).map(fill).find_map(Result::err).unwrap();
        let why = "no space for a new file: all 3 inodes of its file system are in use";
        assert!(full.kind() == ErrorKind::OutOfSpace && full.reason().contains(why), "{full}");
        assert!(dir.doctor(&[]).0.contains(why));
        Ok(())
    });
}

#[test]
fn the_doctor_names_a_process_that_can_open_few_files_more() {
    let dir = TestDir::new();
    dir.shm(&["event", "create", "never"]);
    let mut command = dir.command(&["event", "wait", "never"]);
    let few = || Ok(setrlimit(Resource::Nofile, Rlimit { current: Some(20), maximum: Some(20) })?);
    // SAFETY: between fork and exec the closure makes one system call.
    unsafe { command.pre_exec(few) };
    let waiting = Running::new(&mut command);
    dir.await_waiting("never", 1);
    let (report, code) = dir.doctor(&[]);
    let who = format!("process {} (shm) has ", waiting.child.id());
    let why = " open files, and 20 are allowed: the next objects that it opens may be \
               refused";
    assert!(report.contains(&who) && report.contains(why), "{report}");
    assert!(report.contains("ulimit -n") && code == Some(0), "{report}");
}

/// Runs the command without a directory of the test's.
fn in_default_directory(dir: &TestDir, arguments: &str) -> (String, Option<i32>) {
    let arguments: Vec<_> = arguments.split(' ').collect();
    let output = dir.command(&arguments).env_remove("SHMKIT_DIR").output().unwrap();
    let told = [output.stdout, output.stderr].concat();
    (String::from_utf8(told).unwrap(), output.status.code())
}

fn bind(from: &Path, to: &Path) -> io::Result<()> {
    let from = CString::new(from.as_os_str().as_bytes()).unwrap();
    mount_any(&from, to, c"none", libc::MS_BIND, "")
}

#[test]
fn without_its_default_directory_each_command_says_what_to_mount() {
    in_own_mounts("a system without /dev/shm", || {
        let dir = TestDir::new();
        let null = dir.path().join("null");
        File::create(&null)?;
        bind(Path::new("/dev/null"), &null)?;
        mount(Path::new("/dev"), 0, "mode=755")?;
        File::create("/dev/null")?;
        bind(&null, Path::new("/dev/null"))?;
        let why = "no directory /dev/shm: mount a file system in memory there (mount -t tmpfs \
               tmpfs /dev/shm)";
        for (arguments, code) in [
            ("ls", 3),
            ("info x", 3),
            ("get x", 3),
            ("rm x", 3),
            ("doctor", 3),
            ("sem create x 1", 3),
            ("lock x -- true", 125),
            ("raw create x --size 10", 3),
            ("raw read x", 3),
        ] {
            let (told, found) = in_default_directory(&dir, arguments);
            assert!(told.contains(why) && found == Some(code), "{arguments}: {found:?}: {told}");
        }
        dir.shm(&["sem", "create", "x", "1"]);
        dir.shm(&["sem", "acquire", "x", "--", "true"]);
        Ok(())
    });
}

#[test]
fn a_user_who_cannot_be_looked_up_is_not_taken_for_an_unknown_one() {
    in_own_mounts("a table of users of the test's own", || {
        let dir = TestDir::new();
        let users = dir.path().join("users");
        std::fs::write(&users, format!("long:x:4321:4321:{}::\n", "x".repeat(3 << 20)))?;
        let refused = |why| dir.fails(&["ls", "--trust", "long"], 2, why);
        refused("expected own, anyone, or the name or the number of a user");
        bind(&users, Path::new("/etc/passwd"))?;
        refused("the system's table of users cannot be read: Numerical result");
        Ok(())
    });
}

#[test]
fn raw_ls_lists_nothing_of_objects_and_says_so() {
    in_own_mounts("a /dev/shm of the test's own", || {
        let (dir, memory) = (TestDir::new(), Path::new("/dev/shm"));
        mount(memory, 0, "mode=1777")?;
        for object in ["pose.shmkit", ".0123456789abcdef.shmkit-new"] {
            File::create(memory.join(object))?;
        }
        let told = |arguments: &str| in_default_directory(&dir, arguments).0;
        let none = "shm: no named memory in /dev/shm ";
        assert_eq!(told("raw ls"), format!("{none}besides the objects of shmkit\n"));
        File::create(memory.join("psm"))?;
        assert_eq!(told("raw ls").lines().count(), 2);
        let prefix = "with a name that begins with \"x\"\n";
        assert_eq!(told("raw ls x"), format!("{none}{prefix}"));
        Ok(())
    });
}

#[test]
fn the_doctor_names_a_disk_where_memory_belongs() {
    let parent = std::path::absolute(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let disk = tempfile::tempdir_in(parent).unwrap();
    if shmkit::inspect::mount(disk.path()).is_none_or(|it| it.file_system == "tmpfs") {
        return skip("a disk: the build directory is in memory");
    }
    in_own_mounts("a disk over /dev/shm", || {
        let dir = TestDir::new();
        bind(disk.path(), Path::new("/dev/shm"))?;
        let (report, code) = in_default_directory(&dir, "doctor");
        let what = "/dev/shm: it is on a disk (";
        assert!(report.contains(what) && report.contains("mount -t tmpfs"), "{report}");
        assert_eq!(code, Some(0));
        Ok(())
    });
}

#[test]
fn the_doctor_tells_file_systems_under_one_path_apart() {
    let dir = TestDir::new();
    let place = || {
        let report = String::from_utf8(dir.run(&["doctor"]).stdout).unwrap();
        report.lines().find(|line| line.contains(MOUNTED_AT)).unwrap().to_owned()
    };
    let here = place();
    assert_eq!(here, place());
    in_own_mounts("a second file system under one path", || {
        mount(dir.path(), 0, "size=1m")?;
        let there = place();
        let path = dir.path().display();
        let start = format!("note: {path} is in the tmpfs mounted at {path}, device ");
        assert!(there.starts_with(&start) && there != here, "{there}\n{here}");
        mount(dir.path(), 0, "size=1m")?;
        assert_ne!(place(), there, "another one, at the same path");
        Ok(())
    });
}
