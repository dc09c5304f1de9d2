//! Permission bits, user numbers, and errors of the system.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use std::process::{Command, Output};

use shmkit::Access;

use crate::running::skip;
use crate::{TestDir, shm_path};

/// Runs a script, in which `shm` is the command.
fn shell(dir: &TestDir, script: &str) -> Output {
    let script = format!("shm() {{ '{}' \"$@\"; }}; {script}", shm_path());
    Command::new("sh").args(["-c", &script]).env("SHMKIT_DIR", dir.path()).output().unwrap()
}

#[test]
fn an_error_of_the_system_says_what_was_being_done() {
    let dir = TestDir::new();
    for descriptors in 6..12 {
        let output = shell(&dir, &format!("ulimit -n {descriptors}; shm clock time --count 1"));
        let errors = String::from_utf8(output.stderr).unwrap();
        let is_told = errors.starts_with("shm: cannot ") || output.status.success();
        assert!(is_told, "{descriptors} descriptors: {errors}");
    }
    if !cfg!(target_os = "linux") {
        return;
    }
    for command in ["ls --sample 1ms", "ls --json", "man", "get time"] {
        let output = shell(&dir, &format!("shm {command} >/dev/full"));
        let errors = String::from_utf8(output.stderr).unwrap();
        assert!(errors.starts_with("shm: cannot write to standard output: No space"), "{errors}");
        assert_eq!(output.status.code(), Some(1), "the file system of objects is not full");
    }
}

#[test]
fn an_error_of_the_system_names_the_directory() {
    let dir = TestDir::new();
    let long = "x".repeat(5000);
    for (directory, why) in [("/dev/null", "Not a directory"), (&*long, "File name too long")] {
        let named = format!("{directory} ($SHMKIT_DIR)");
        for (command, message) in [
            ("event create e", format!("cannot create \"e\": in {named}: {why}")),
            ("event wait e", format!("cannot open \"e\": in {named}: {why}")),
            ("get e", format!("cannot open \"e\": in {named}: {why}")),
            ("rm e", format!("cannot remove \"e\": in {named}: {why}")),
            ("ls", format!("cannot list \"{named}\": its entries cannot be read: {why}")),
        ] {
            let output = shell(&dir, &format!("SHMKIT_DIR={directory}; shm {command}"));
            let errors = String::from_utf8(output.stderr).unwrap();
            assert!(errors.contains(&message), "{errors}\nmust contain: {message}");
        }
    }
    let why = "cannot create \"e\": in /dev/null: Not a directory";
    dir.fails(&["--dir", "/dev/null", "event", "create", "e"], 1, why);
}

#[test]
fn a_read_only_file_system_is_named() {
    let dir = TestDir::new();
    dir.shm(&["event", "create", "e"]);
    dir.leave("count", &1_u64);
    let mount =
        "mount --bind \"$SHMKIT_DIR\" \"$SHMKIT_DIR\" && mount -o remount,bind,ro \"$SHMKIT_DIR\"";
    let run = |command: &str| {
        let script = format!("unshare -m sh -c '{mount} && exec \"$0\" {command}' {}", shm_path());
        shell(&dir, &script)
    };
    if !run("ls").status.success() {
        return skip("a read-only file system: only root can mount");
    }
    for command in ["rm e", "event set e", "set count 2"] {
        let output = run(command);
        let errors = String::from_utf8(output.stderr).unwrap();
        assert!(errors.contains("; the file system is mounted read-only\n"), "{command}: {errors}");
        assert_eq!(output.status.code(), Some(5));
    }
    assert!(String::from_utf8(run("event create f").stderr).unwrap().contains("Read-only"));
}

#[test]
fn info_reports_a_changed_file_mode() {
    let dir = TestDir::new();
    let goals = dir.latest::<u8>().access(Access::Group).read_only_peers(true);
    let _goals = goals.create("robot/goal").unwrap();
    let file = dir.path().join("robot%2fgoal.shmkit");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o7777, 0o640);
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    let info = dir.shm(&["info", "robot/goal"]);
    assert!(info.contains("group, other users read only; but its file has mode 0644"), "{info}");
}

#[test]
fn an_object_of_another_user_is_refused_unless_trusted() {
    let dir = TestDir::new();
    dir.leave("theirs", &1_u8);
    let file = dir.path().join("theirs.shmkit");
    if std::os::unix::fs::chown(&file, Some(4321), None).is_err() {
        return skip("an object of another user: only root can give a file away");
    }
    dir.fails(
        &["get", "theirs"],
        5,
        "did not ask to trust them: add --trust 4321 to open it anyway\n",
    );
    assert!(dir.shm(&["ls", "--sample", "1ms"]).contains("--trust 4321 to open it anyway"));
    assert_eq!(dir.shm(&["get", "theirs", "--trust", "4321"]), "1\n");
    let report = dir.shm(&["doctor"]);
    assert!(
        report.contains("examine it as user 4321, or trust user 4321: --trust 4321"),
        "{report}"
    );
}

#[test]
fn the_objects_of_another_user_share_a_line() {
    let dir = TestDir::new();
    for name in ["a", "b", "c", "mine"] {
        dir.leave(name, &1_u8);
        let file = dir.path().join(format!("{name}.shmkit"));
        if name != "mine" && std::os::unix::fs::chown(&file, Some(4321), None).is_err() {
            return skip("an object of another user: only root can give a file away");
        }
    }
    let list = dir.shm(&["ls", "--sample", "1ms"]);
    let lines: Vec<_> = list.lines().collect();
    let theirs = "3 objects (a, b, c) belong to user 4321: add --trust 4321 to open them anyway";
    assert_eq!((lines.len(), lines[2]), (3, theirs), "{list}");
    let report = dir.json(&["ls", "--sample", "1ms"]);
    assert_eq!(report.as_array().unwrap().len(), 4);
    assert!(report[1]["error"].as_str().unwrap().contains("user 4321"), "{report}");
}

#[test]
fn a_user_is_trusted_by_name() {
    let dir = TestDir::new();
    dir.leave("theirs", &1_u8);
    let Some(user) = fs::read_to_string("/etc/passwd").ok().and_then(|users| {
        let fields = users.lines().map(|it| it.split(':').map(str::to_owned).collect::<Vec<_>>());
        let mut others = fields.filter(|it| it.len() > 2 && it[2] != "0" && it[0] != "nobody");
        others.next()
    }) else {
        return skip("a second user in /etc/passwd");
    };
    let file = dir.path().join("theirs.shmkit");
    if std::os::unix::fs::chown(&file, Some(user[2].parse().unwrap()), None).is_err() {
        return skip("an object of another user: only root can give a file away");
    }
    dir.fails(&["get", "theirs"], 5, &format!("add --trust {}", user[2]));
    assert_eq!(dir.shm(&["get", "theirs", "--trust", &user[0]]), "1\n");
}

#[cfg(target_os = "linux")]
#[test]
fn ls_opens_only_the_objects_with_the_prefix() {
    use rustix::fs::inotify::{self, CreateFlags, Reader, WatchFlags};

    let dir = TestDir::new();
    for name in ["robot/goal", "robot/pose", "rob", "tank/level"] {
        dir.leave(name, &1_u8);
    }
    let notices = inotify::init(CreateFlags::NONBLOCK).unwrap();
    inotify::add_watch(&notices, dir.path(), WatchFlags::OPEN).unwrap();
    assert_eq!(dir.table(&["ls", "robot/", "--sample", "1ms"]).len(), 3);
    let (mut room, mut opened) = ([std::mem::MaybeUninit::uninit(); 4096], Vec::new());
    let mut reader = Reader::new(&notices, &mut room);
    while let Ok(event) = reader.next() {
        // The directory itself has no name.
        opened.extend(event.file_name().map(|name| name.to_str().unwrap().to_owned()));
    }
    opened.sort();
    opened.dedup();
    assert_eq!(opened, ["robot%2fgoal.shmkit", "robot%2fpose.shmkit"]);
}
