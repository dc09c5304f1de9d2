//! `rm` and `doctor`.

use std::fs;

use serde_json::json;

use crate::{PROGRAM, Place, as_argument, started};

#[test]
fn removed_objects_are_gone_and_the_others_are_told() {
    let place = Place::new();
    let count = place.of::<u64>().create("a/count").unwrap();
    place.leave("b", &1_u8);
    place.leave("c", &1_u8);
    place.shm(&["rm", "a/count", "b"]);
    assert_eq!(count.get().unwrap_err().kind(), shmkit::ErrorKind::Closed);
    if cfg!(windows) {
        // A file that is mapped has lost its name, and its last user takes it away.
        drop(count);
    }
    let names: Vec<_> =
        fs::read_dir(place.path()).unwrap().map(|it| it.unwrap().file_name()).collect();
    assert_eq!(names, ["c.shmkit"]);
}

#[test]
fn one_that_cannot_be_removed_keeps_no_other() {
    let place = Place::new();
    place.leave("b", &1_u8);
    fs::write(place.path().join("foreign.shmkit"), "something else").unwrap();
    place.fails(&["rm", "missing", "foreign", "b"], 3, "cannot remove \"missing\"");
    place.fails(&["get", "b"], 3, "");
    place.fails(&["rm", "foreign"], 7, "with --force its file is removed all the same");
    place.shm(&["rm", "--force", "foreign", "missing"]);
    assert_eq!(fs::read_dir(place.path()).unwrap().count(), 0);
}

#[test]
fn the_doctor_finds_the_dead_and_frees_their_places() {
    let place = Place::new();
    let well = format!("all is well in {}\n", place.path().display());
    assert_eq!(place.shm(&["doctor"]), well);
    assert_eq!(place.json(&["doctor"]), json!([]));
    let mut clock = place.start_clock("time");
    assert_eq!(place.shm(&["doctor"]), well, "the living are well");
    clock.kill();

    let output = place.run(&["doctor"]);
    let told = String::from_utf8(output.stdout).unwrap();
    let who = format!("time: died without leaving: writer {} ({PROGRAM})", clock.child.id());
    assert!(told.starts_with(&who) && told.contains("shm doctor --fix"), "{told}");
    assert_eq!(output.status.code(), Some(1));
    let output = place.run(&["doctor", "--json"]);
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&report[0]["fixable"], &report[0]["fixed"]), (&json!(true), &json!(false)));
    assert_eq!(output.status.code(), Some(1));

    let fixed = place.shm(&["doctor", "--fix"]);
    assert!(fixed.contains("free the places of the dead: done"), "{fixed}");
    assert_eq!(place.shm(&["doctor"]), well);
    assert_eq!(place.json(&["info", "time"])["participants"], json!([]));
}

#[test]
fn what_only_a_person_can_decide_is_left_and_told() {
    let place = Place::new();
    fs::write(place.path().join("foreign.shmkit"), "something else").unwrap();
    let output = place.run(&["doctor", "--fix"]);
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(told.starts_with("foreign: ") && told.contains(": shm rm --force foreign\n"), "{told}");
    assert_eq!(output.status.code(), Some(1));
    assert!(place.path().join("foreign.shmkit").exists());
    let dir = place.path().to_str().unwrap();
    let mut command = place.command(&["doctor", "--dir", dir]);
    let output = started(|| command.env("SHMKIT_DIR", "/tmp").output());
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(
        told.contains(&format!(": shm --dir {} rm --force foreign\n", as_argument(place.path()))),
        "{told}"
    );
}

#[test]
fn a_directory_is_left_alone_and_called_one() {
    let place = Place::new();
    let path = place.path().join("cellar.shmkit");
    fs::create_dir(&path).unwrap();
    let message = "cannot remove \"cellar\": it is a directory\n";
    place.fails(&["rm", "cellar"], 7, message);
    place.fails(&["rm", "--force", "cellar"], 7, message);
    let output = place.run(&["doctor"]);
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(told.contains(&format!(": rm -r {}\n", as_argument(&path))), "{told}");
    assert!(path.exists());
}
