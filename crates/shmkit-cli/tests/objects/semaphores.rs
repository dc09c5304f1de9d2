//! `sem`.

use serde_json::json;
use shmkit::sync::named;

use crate::{PROGRAM, TestDir, shm_path};

#[test]
fn a_permit_is_held_while_a_command_runs_and_is_released() {
    let dir = TestDir::new();
    dir.shm(&["sem", "create", "pool", "2"]);
    let shm = shm_path();
    let inside = dir.shm(&["sem", "acquire", "pool", "--", &shm, "sem", "show", "pool"]);
    let mut lines = inside.lines();
    assert_eq!(lines.next(), Some("semaphore: 1 available"));
    let holder = lines.next().unwrap();
    assert!(holder.contains(&format!(" ({PROGRAM}) in slot 0 has 1 permit")), "{holder}");
    assert_eq!(dir.shm(&["sem", "show", "pool"]), "semaphore: 2 available\n");
    let output = dir.run(&["sem", "acquire", "pool", &shm, "get", "nothing"]);
    assert_eq!(output.status.code(), Some(3), "the exit code of the command");
    let program = named::Semaphore::options().directory(dir.path()).open("pool").unwrap();
    let _both = [program.acquire().unwrap(), program.acquire().unwrap()];
    let late = "cannot acquire a permit of \"pool\": the timeout expired";
    dir.fails(&["sem", "acquire", "pool", "--no-wait", "--", &shm], 124, late);
    dir.fails(&["sem", "acquire", "pool", "-w", "1ms", "-E", "9", "--", &shm], 9, late);
    dir.fails(&["sem", "consume", "pool", "--no-wait"], 8, late);
}

#[test]
fn the_permit_of_a_killed_holder_is_released() {
    let dir = TestDir::new();
    dir.shm(&["sem", "create", "pool", "1"]);
    let mut holder = dir.start_holder(&["sem", "acquire", "pool"]);
    let shm = shm_path();
    let mut next = dir.start(&["sem", "acquire", "pool", "--", &shm, "sem", "show", "pool"]);
    dir.await_waiting("pool", 1);
    holder.kill();
    assert_eq!(next.line(), "semaphore: 0 available");
    assert!(next.child.wait().unwrap().success());
    dir.shm(&["event", "set", "go"]);
}

#[test]
fn the_doctor_reports_permits_of_dead_holders() {
    let dir = TestDir::new();
    dir.shm(&["sem", "create", "pool", "3"]);
    let mut holder = dir.start_holder(&["sem", "acquire", "pool"]);
    holder.kill();
    let (report, _) = dir.doctor(&[]);
    let pid = holder.child.id();
    let died = format!("process {pid} ({PROGRAM}) died with 1 of the permits of the semaphore");
    assert!(report.contains(&died), "{report}");
    dir.shm(&["event", "set", "go"]);
    dir.shm(&["doctor", "--fix"]);
    let report = dir.json(&["sem", "show", "pool"]);
    assert_eq!((&report["available"], &report["holders"]), (&json!(3), &json!([])));
}

#[test]
fn permits_are_posted_and_consumed_as_signals() {
    let dir = TestDir::new();
    dir.shm(&["sem", "create", "jobs", "0"]);
    let mut worker = dir.start(&["sem", "consume", "jobs"]);
    dir.await_waiting("jobs", 1);
    dir.shm(&["sem", "post", "jobs"]);
    assert!(worker.child.wait().unwrap().success());
    dir.shm(&["sem", "post", "jobs", "3"]);
    dir.shm(&["sem", "consume", "jobs", "--timeout", "10m"]);
    let report = dir.json(&["sem", "show", "jobs"]);
    assert_eq!((&report["available"], &report["holders"]), (&json!(2), &json!([])));
}

#[test]
fn a_semaphore_with_a_maximum_refuses_to_exceed_it() {
    let dir = TestDir::new();
    dir.fails(&["sem", "create", "changed", "2", "--max", "1"], 2, "a maximum of 1");
    dir.shm(&["sem", "create", "changed", "0", "--max", "1"]);
    dir.shm(&["sem", "create", "changed", "0", "--max", "1", "--if-missing"]);
    let other = "the maximum of permits is 2 here and 1 in the object";
    dir.fails(&["sem", "create", "changed", "0", "--max", "2", "--if-missing"], 4, other);
    dir.shm(&["sem", "post", "changed"]);
    let full = "cannot post to \"changed\": 1 more were asked for, but 1 permits are available";
    dir.fails(&["sem", "post", "changed"], 8, full);
    assert_eq!(dir.shm(&["sem", "show", "changed"]), "semaphore: 1 available, 1 at most\n");
    assert!(dir.shm(&["ls"]).contains("1 available, 1 at most"));
    let report = dir.json(&["sem", "show", "changed"]);
    assert_eq!((&report["available"], &report["max"]), (&json!(1), &json!(1)));
    dir.shm(&["sem", "create", "pool", "2"]);
    assert_eq!(dir.json(&["sem", "show", "pool"])["max"], json!(null));
}

#[test]
fn invalid_use_is_refused_with_a_reason() {
    let dir = TestDir::new();
    dir.shm(&["sem", "create", "pool", "2"]);
    dir.fails(&["sem", "create", "pool", "2"], 4, "cannot create \"pool\"");
    dir.shm(&["sem", "create", "pool", "2", "--if-missing"]);
    let other = "the initial number of permits is 3 here and 2 in the object";
    dir.fails(&["sem", "create", "pool", "3", "--if-missing"], 4, other);
    let usage = "write shm sem acquire NAME -- COMMAND, or shm sem consume NAME";
    dir.fails(&["sem", "acquire", "pool"], 2, usage);
    dir.fails(&["sem", "acquire", "none", "--", "x"], 125, "cannot open \"none\"");
    dir.fails(&["sem", "post", "none"], 3, "cannot open \"none\"");
    dir.fails(&["event", "set", "pool"], 7, "it is of kind semaphore, and event was asked for");
    dir.fails(&["event", "show", "pool"], 7, "it is of kind semaphore, and event was asked for");
    dir.fails(&["sem", "create", "other"], 2, "Usage: shm sem create ");
}
