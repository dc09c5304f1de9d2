//! `sem`.

use serde_json::json;
use shmkit::sync::named;

use crate::{PROGRAM, Place, shm_itself};

#[test]
fn a_permit_is_held_while_a_command_runs_and_comes_back() {
    let place = Place::new();
    place.shm(&["sem", "create", "pool", "2"]);
    let shm = shm_itself();
    let inside = place.shm(&["sem", "acquire", "pool", "--", &shm, "sem", "show", "pool"]);
    let mut lines = inside.lines();
    assert_eq!(lines.next(), Some("semaphore: 1 to be had"));
    let holder = lines.next().unwrap();
    assert!(holder.contains(&format!(" ({PROGRAM}) in slot 0 has 1 permit")), "{holder}");
    assert_eq!(place.shm(&["sem", "show", "pool"]), "semaphore: 2 to be had\n");
    let output = place.run(&["sem", "acquire", "pool", &shm, "get", "nothing"]);
    assert_eq!(output.status.code(), Some(3), "the command's own");
    let program = named::Semaphore::options().directory(place.path()).open("pool").unwrap();
    let _both = [program.acquire().unwrap(), program.acquire().unwrap()];
    let late = "cannot take a permit of \"pool\": not within the time given";
    place.fails(&["sem", "acquire", "pool", "--no-wait", "--", &shm], 124, late);
    place.fails(&["sem", "acquire", "pool", "-w", "1ms", "-E", "9", "--", &shm], 9, late);
    place.fails(&["sem", "consume", "pool", "--no-wait"], 8, late);
}

#[test]
fn a_permit_comes_back_from_one_that_was_killed() {
    let place = Place::new();
    place.shm(&["sem", "create", "pool", "1"]);
    place.shm(&["event", "create", "go"]);
    let shm = shm_itself();
    let mut holder = place.start(&["sem", "acquire", "pool", "--", &shm, "event", "wait", "go"]);
    place.await_waiting("go", 1);
    let mut next = place.start(&["sem", "acquire", "pool", "--", &shm, "sem", "show", "pool"]);
    place.await_waiting("pool", 1);
    holder.kill();
    assert_eq!(next.line(), "semaphore: 0 to be had");
    assert!(next.child.wait().unwrap().success());
    place.shm(&["event", "set", "go"]);
}

#[test]
fn the_doctor_says_where_the_permits_of_the_dead_go() {
    let place = Place::new();
    place.shm(&["sem", "create", "pool", "3"]);
    place.shm(&["event", "create", "go"]);
    let shm = shm_itself();
    let mut holder = place.start(&["sem", "acquire", "pool", "--", &shm, "event", "wait", "go"]);
    place.await_waiting("go", 1);
    holder.kill();
    let told = String::from_utf8(place.run(&["doctor"]).stdout).unwrap();
    let pid = holder.child.id();
    let died = format!("process {pid} ({PROGRAM}) died with a permit of the semaphore");
    assert!(told.contains(&died), "{told}");
    place.shm(&["event", "set", "go"]);
}

#[test]
fn permits_are_posted_and_consumed_as_signals() {
    let place = Place::new();
    place.shm(&["sem", "create", "jobs", "0"]);
    let mut worker = place.start(&["sem", "consume", "jobs"]);
    place.await_waiting("jobs", 1);
    place.shm(&["sem", "post", "jobs"]);
    assert!(worker.child.wait().unwrap().success());
    place.shm(&["sem", "post", "jobs", "3"]);
    place.shm(&["sem", "consume", "jobs", "--timeout", "10m"]);
    let report = place.json(&["sem", "show", "jobs"]);
    assert_eq!((&report["available"], &report["holders"]), (&json!(2), &json!([])));
}

#[test]
fn what_makes_no_sense_is_refused_in_words() {
    let place = Place::new();
    place.shm(&["sem", "create", "pool", "2"]);
    place.fails(&["sem", "create", "pool", "2"], 4, "cannot create \"pool\"");
    place.shm(&["sem", "create", "pool", "2", "--if-missing"]);
    let other = "the number of permits at first is 3 here and 2 in the object";
    place.fails(&["sem", "create", "pool", "3", "--if-missing"], 4, other);
    let advice = "give a command to be run with it, shm sem acquire NAME -- COMMAND, or take one \
                  for good by shm sem consume NAME";
    place.fails(&["sem", "acquire", "pool"], 2, advice);
    place.fails(&["sem", "acquire", "none", "--", "x"], 125, "cannot open \"none\"");
    place.fails(&["sem", "post", "none"], 3, "cannot open \"none\"");
    place.fails(&["event", "set", "pool"], 7, "it is of kind semaphore, and event was asked for");
    place.fails(&["event", "show", "pool"], 7, "it is no event, but of kind semaphore");
    place.fails_with_usage(&["sem", "create", "other"]);
}
