//! `rm` and `doctor`.

use std::fs;

use serde_json::json;

use crate::running::skip;
#[cfg(unix)]
use crate::shm_path;
use crate::{PROGRAM, TestDir, as_argument};

#[test]
fn removal_is_reported_to_the_users_of_an_object() {
    let dir = TestDir::new();
    let count = dir.latest::<u64>().create("a/count").unwrap();
    dir.leave("b", &1_u8);
    dir.leave("c", &1_u8);
    dir.shm(&["rm", "--force", "a/count", "b"]);
    assert_eq!(count.get().unwrap_err().kind(), shmkit::ErrorKind::Closed);
    if cfg!(windows) {
        // A mapped file has lost its name, and its last user removes it.
        drop(count);
    }
    let names: Vec<_> =
        fs::read_dir(dir.path()).unwrap().map(|it| it.unwrap().file_name()).collect();
    assert_eq!(names, ["c.shmkit"]);
}

#[test]
fn an_object_in_use_is_removed_only_by_force() {
    let dir = TestDir::new();
    let count = dir.latest::<u64>().create("count").unwrap();
    let refused = |users: &str| {
        let why = format!("cannot remove \"count\": {users}: --force removes it anyway\n");
        dir.fails(&["rm", "count"], 8, &why);
    };
    let this = std::fs::read_to_string("/proc/self/comm").unwrap_or_default();
    let this = format!("process {} ({})", std::process::id(), this.trim());
    let is_shown = cfg!(target_os = "linux");
    refused(&if is_shown { format!("{this} uses it") } else { "1 reader uses it".into() });
    let reader = dir.latest::<u64>().open("count").unwrap();
    refused(&if is_shown { format!("{this} uses it") } else { "2 readers use it".into() });
    let info = dir.shm(&["info", "count"]);
    let readers = if is_shown { format!("readers    2: {this}\n") } else { "2\n".into() };
    assert!(info.contains(&readers), "{info}");
    let writer = count.writer().unwrap();
    let me = &dir.await_object("count", |it| it.participants.len() == 1).participants[0];
    let me = format!("process {} ({})", me.pid, me.program);
    refused(&format!("{me} and 1 reader use it"));
    drop(reader);
    refused(&format!("{me} uses it"));
    assert_eq!(count.get().unwrap_err().kind(), shmkit::ErrorKind::Empty, "it is still there");
    drop((writer, count));

    let mut clock = dir.start_clock("time");
    let who = format!("process {} ({PROGRAM}) uses it", clock.child.id());
    dir.fails(&["rm", "count", "time"], 8, &format!("cannot remove \"time\": {who}"));
    dir.fails(&["get", "count"], 3, "no object of this name");
    clock.kill();
    // A dead process does not use it.
    dir.shm(&["rm", "time"]);
    dir.fails(&["get", "time"], 3, "no object of this name");
}

#[test]
fn objects_are_removed_by_prefix() {
    let dir = TestDir::new();
    for name in ["robot/goal", "robot/pose", "robots", "tank"] {
        dir.leave(name, &1_u8);
    }
    dir.fails(&["rm", "--prefix", ""], 2, "it is empty, and all objects would be removed");
    dir.fails(&["rm", "--prefix", "r", "tank"], 2, "cannot be used with");
    dir.fails(&["rm"], 2, "NAME");
    let used = dir.latest::<u8>().open("robot/goal").unwrap();
    dir.fails(&["rm", "--prefix", "robot/"], 8, "cannot remove \"robot/goal\": ");
    drop(used);
    let names = || {
        let list = dir.json(&["ls", "--sample", "0ms"]);
        let names = list.as_array().unwrap().iter().map(|it| it["name"].as_str().unwrap().into());
        names.collect::<Vec<String>>()
    };
    assert_eq!(names(), ["robot/goal", "robots", "tank"]);
    dir.shm(&["rm", "--prefix", "robot/"]);
    assert_eq!(names(), ["robots", "tank"]);
    let none = "has a name that begins with \"robot/\"";
    dir.fails(&["rm", "--prefix", "robot/"], 3, none);
    dir.shm(&["rm", "--force", "--prefix", "robot/"]);
}

#[test]
fn a_failed_removal_does_not_prevent_the_next() {
    let dir = TestDir::new();
    dir.leave("b", &1_u8);
    fs::write(dir.path().join("foreign.shmkit"), "something else").unwrap();
    dir.fails(&["rm", "missing", "foreign", "b"], 3, "cannot remove \"missing\"");
    dir.fails(&["get", "b"], 3, "");
    dir.fails(&["rm", "foreign"], 7, "; --force removes its file");
    dir.shm(&["rm", "--force", "foreign", "missing"]);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn the_doctor_reports_dead_participants_and_frees_their_slots() {
    let dir = TestDir::new();
    let nothing = format!("nothing to repair in {}\n", dir.path().display());
    assert_eq!(dir.doctor(&[]), (nothing.clone(), Some(0)));
    assert_eq!(dir.json(&["doctor"]), json!([]));
    let mut clock = dir.start_clock("time");
    assert_eq!(dir.doctor(&[]).0, nothing, "a living participant is not a finding");
    clock.kill();

    let (report, code) = dir.doctor(&[]);
    let finding = format!("time: process {} ({PROGRAM}) died as the writer: ", clock.child.id());
    assert!(report.starts_with(&finding) && report.contains("shm doctor --fix"), "{report}");
    assert_eq!(code, Some(1));
    let (report, code) = dir.doctor(&["--json"]);
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    assert_eq!((&report[0]["fixable"], &report[0]["fixed"]), (&json!(true), &json!(false)));
    assert_eq!(code, Some(1));

    let fixed = dir.shm(&["doctor", "--fix"]);
    assert!(fixed.contains("free the slots of dead participants, and what they held: done"));
    assert_eq!(dir.doctor(&[]), (nothing, Some(0)));
    let info = dir.json(&["info", "time"]);
    assert_eq!((&info["participants"], &info["parts"][0]["holders"]), (&json!([]), &json!([])));
}

#[test]
fn a_copy_whose_newest_value_is_torn_is_told_and_repaired_by_the_next_set() {
    let dir = TestDir::new();
    let latest = dir.latest::<u64>().lifetime(shmkit::Lifetime::Durable).create("n").unwrap();
    let mut writer = latest.writer().unwrap();
    for value in [5, 6, 7] {
        writer.set(&value).unwrap();
    }
    drop((writer, latest));
    if dir.json(&["info", "n"])["newest_whole"].is_null() {
        return skip(&format!("a file on a disk: {} is in memory", dir.path().display()));
    }
    let path = dir.path().join("n.shmkit");
    let mut bytes = fs::read(&path).unwrap();
    let payload = u64::from_le_bytes(*bytes[128..].first_chunk().unwrap()) as usize;
    // The value of the third slot.
    bytes[payload + 256 + 3 * 16 + 8] = 0xee;
    fs::write(&path, bytes).unwrap();

    let (report, code) = dir.doctor(&["--fix"]);
    let served =
        "value 2 is served, the newest whole one\n  to do: set a value, which repairs it\n";
    assert!(report.starts_with("n: value 3 is not whole, since "), "{report}");
    assert!(report.contains(served) && !report.contains("rm --force"), "{report}");
    assert_eq!(code, Some(1));
    assert_eq!(dir.shm(&["get", "n"]), "6\n");
    assert_eq!(dir.shm(&["watch", "n", "--now", "--count", "1"]), "6\n");
    assert_eq!(dir.json(&["info", "n"])["newest_whole"], json!(2));
    let info = dir.shm(&["info", "n"]);
    assert!(info.contains("3 were set; the newest that is whole here is number 2"), "{info}");
    assert_eq!(dir.json(&["ls"])[0]["sequence"], json!(3));
    dir.shm(&["set", "n", "8"]);
    assert_eq!(dir.shm(&["get", "n"]), "8\n");
    assert_eq!(dir.json(&["doctor"]), json!([]));
}

#[cfg(unix)]
#[test]
fn the_doctor_prints_a_command_that_marks_a_lock_of_any_name() {
    let dir = TestDir::new();
    for name in ["lock", "-x", "it's one"] {
        let holder = ["lock", "--", name, &shm_path(), "event", "wait", "go"];
        dir.shm(&["event", "create", "go", "--if-missing"]);
        dir.shm(&["event", "reset", "go"]);
        let mut holder = dir.start(&holder);
        dir.await_waiting("go", 1);
        holder.kill();
        // Not every system kills the command, too.
        dir.shm(&["event", "set", "go"]);
        assert!(dir.run(&["lock", "--", name, "true"]).status.success());
        let (report, _) = dir.doctor(&["--fix"]);
        let (_, command) = report.split_once("and mark it consistent: shm ").unwrap();
        let command = command.lines().next().unwrap().replace("COMMAND", "true");
        let mut shell = std::process::Command::new("sh");
        shell.args(["-c", &format!("{} {command}", shm_path())]).env("SHMKIT_DIR", dir.path());
        assert!(shell.status().unwrap().success(), "{command}");
        let left = dir.doctor(&["--fix"]).0;
        assert!(!left.contains("mark it consistent"), "{left}");
    }
}

#[cfg(unix)]
#[test]
fn the_doctor_also_fixes_what_a_repair_brings_to_light() {
    let dir = TestDir::new();
    dir.start_clock("time").kill();
    // As its creator leaves it if it dies between two names.
    let other = dir.path().join(".0123456789abcdef.shmkit-new");
    fs::hard_link(dir.path().join("time.shmkit"), &other).unwrap();
    assert!(dir.doctor(&[]).0.contains("its file has 2 names"));
    let fixed = dir.shm(&["doctor", "--fix"]);
    let what = "free the slots of dead participants, and what they held: done";
    assert!(fixed.contains(what) && !fixed.contains("2 names"), "{fixed}");
    assert_eq!(dir.json(&["doctor"]), json!([]));
}

#[test]
fn the_doctor_leaves_invalid_files_and_prints_how_to_remove_them() {
    let dir = TestDir::new();
    fs::write(dir.path().join("foreign.shmkit"), "something else").unwrap();
    let (report, code) = dir.doctor(&["--fix"]);
    let command = ": shm rm --force foreign\n";
    assert!(report.starts_with("foreign: ") && report.contains(command), "{report}");
    assert_eq!(code, Some(1));
    assert!(dir.path().join("foreign.shmkit").exists());
    let (report, _) = dir.elsewhere(&["doctor"]);
    let command = format!(": shm --dir {} rm --force foreign\n", as_argument(dir.path()));
    assert!(report.contains(&command), "{report}");
}

#[cfg(unix)]
#[test]
fn an_object_of_which_there_are_hard_links_can_be_repaired_as_the_messages_say() {
    let dir = TestDir::new();
    dir.leave("b", &1_u8);
    let used = dir.latest::<u8>().open("b").unwrap();
    let (path, other) = (dir.path().join("b.shmkit"), dir.path().join("backup"));
    fs::hard_link(&path, &other).unwrap();
    let why = format!("its file has 2 names (hard links): remove {}", other.display());
    dir.fails(&["get", "b"], 5, &why);
    let (report, code) = dir.doctor(&["--fix"]);
    assert!(report.contains(&why) && code == Some(1), "{report}");
    let (_, find) = report.split_once(": find ").unwrap();
    let found = std::process::Command::new("sh").args(["-c", &format!("find {find}")]).output();
    let found = String::from_utf8(found.unwrap().stdout).unwrap();
    let mut names: Vec<_> = found.lines().collect();
    names.sort_unstable();
    assert_eq!(names, [path.to_str().unwrap(), other.to_str().unwrap()]);
    let why = "cannot remove \"b\": a process used it: --force removes it anyway";
    dir.fails(&["rm", "b"], 8, why);
    assert!(path.exists());
    drop(used);
    dir.shm(&["rm", "b"]);
    assert!(!path.exists() && other.exists(), "only the name is removed");
    fs::rename(&other, &path).unwrap();
    assert_eq!(dir.shm(&["get", "b"]), "1\n");
}

#[test]
fn a_directory_is_never_removed() {
    let dir = TestDir::new();
    let path = dir.path().join("cellar.shmkit");
    fs::create_dir(&path).unwrap();
    let message = "cannot remove \"cellar\": it is a directory\n";
    dir.fails(&["rm", "cellar"], 7, message);
    dir.fails(&["rm", "--force", "cellar"], 7, message);
    let (report, _) = dir.doctor(&[]);
    assert!(report.contains(&format!(": rm -r {}\n", as_argument(&path))), "{report}");
    assert!(path.exists());
}

#[test]
fn a_file_that_a_dead_process_left_is_removed_and_the_doctor_does_not_guess_what_it_was() {
    let dir = TestDir::new();
    let name = ".0123456789abcdef.shmkit-new";
    fs::write(dir.path().join(name), "anything").unwrap();
    let why = match cfg!(windows) {
        true => "a process died before this file had its name, or after it had been removed",
        false => "its creator died before it had a name",
    };
    let (report, code) = dir.doctor(&["--fix"]);
    assert_eq!(report, format!("{name}: {why}\n  remove the file: done\n"));
    assert_eq!(code, Some(0), "{report}");
    assert!(!dir.path().join(name).exists());
}
