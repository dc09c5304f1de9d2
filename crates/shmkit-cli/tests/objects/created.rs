//! `create`, and values as JSON.

use std::io::Write;
use std::process::Stdio;

use serde_json::json;
use shmkit::{FixedVec, Maybe, Shareable};

use crate::{Goal, Mode, TestDir, goal, started};

#[derive(Shareable, Clone, Debug, PartialEq)]
#[repr(C)]
struct Pose {
    id: u8,
    at: [f64; 2],
    mode: Mode,
    limit: Maybe<f32>,
    loads: FixedVec<u16, 3>,
}

const POSE: &str = "id: u8, at: [f64; 2], mode: Mode(u8) { Parked, Driving }, limit: Maybe<f32>, \
                    loads: FixedVec<u16, 3>";

#[test]
fn a_program_opens_what_a_script_created() {
    let dir = TestDir::new();
    dir.shm(&["create", "pose", POSE]);
    dir.fails(&["get", "pose"], 8, "no value has been set yet");
    dir.shm(&["set", "pose", "at=[1, 2]", "mode=Driving", "limit=Some(0.5)", "loads=[7]"]);
    let pose = dir.latest::<Pose>().open("pose").unwrap();
    let mut expected = Pose {
        id: 0,
        at: [1.0, 2.0],
        mode: Mode::Driving,
        limit: Some(0.5).into(),
        loads: FixedVec::new(),
    };
    expected.loads.push(7).unwrap();
    assert_eq!(pose.get().unwrap(), expected);
    pose.writer().unwrap().set(&expected).unwrap();

    dir.shm(&["create", "pose", POSE, "--if-missing"]);
    dir.fails(&["create", "pose", POSE], 4, "\"pose\": an object has this name\n");
    let other = POSE.replace("u16", "i16");
    dir.fails(&["create", "pose", &other, "--if-missing"], 7, "loads");
    let shared = ["create", "pose", POSE, "--if-missing", "--shared-writers"];
    dir.fails(&shared, 4, "shared writers");
    assert_eq!(pose.get().unwrap(), expected, "it is the same object");
    dir.fails(&["create", "other", "x: usize"], 2, "\"x: usize\" does not declare a type");
    dir.fails(&["get", "other"], 3, "no object of this name");
}

#[test]
fn an_object_that_others_may_only_read_can_be_created() {
    let dir = TestDir::new();
    dir.shm(&["create", "level", "f64", "--access", "everyone", "--read-only-peers"]);
    let access = |name| dir.json(&["info", name])["access"].clone();
    assert!(dir.shm(&["info", "level"]).contains("everyone, other users read only"));
    let clock = ["clock", "time", "--count", "1", "--every", "1ms"];
    dir.shm(&[&clock[..], &["--access", "everyone"]].concat());
    assert_eq!(access("time"), "everyone");
    dir.shm(&clock);
    dir.fails(&[&clock[..], &["--access", "group"]].concat(), 4, "access is group here");
}

#[test]
fn shared_writers_can_be_created() {
    let dir = TestDir::new();
    dir.shm(&["create", "count", "u64", "--shared-writers", "--writers", "3"]);
    let count = dir.latest::<u64>().shared_writers(true).max_writers(3).open("count").unwrap();
    let mut writer = count.writer().unwrap();
    writer.set(&1).unwrap();
    dir.shm(&["set", "count", "2"]);
    assert_eq!(count.get().unwrap(), 2);
}

#[test]
fn json_that_get_prints_is_set() {
    let dir = TestDir::new();
    dir.leave("from", &goal());
    let to = dir.latest::<Goal>().create("to").unwrap();
    let (compact, pretty) = (["get", "from", "--json"], ["get", "from", "--json", "--pretty"]);
    for get in [&compact[..], &pretty[..]] {
        for change in [&["at.x=NaN", "at.y=-inf"][..], &["label=a\"b\\", "loads=[1, -2]"]] {
            dir.shm(&[&["set", "from"], change].concat());
            let printed = dir.shm(get);
            dir.shm(&["set", "to", printed.trim_end()]);
            assert_eq!(dir.shm(&["get", "to"]), dir.shm(&["get", "from"]));
            to.writer().unwrap().set(&goal()).unwrap();
            let mut set = dir.command(&["set", "to", "-"]);
            let mut set = started(|| set.stdin(Stdio::piped()).spawn());
            set.stdin.take().unwrap().write_all(printed.as_bytes()).unwrap();
            assert!(set.wait().unwrap().success());
            assert_eq!(dir.shm(&["get", "to"]), dir.shm(&["get", "from"]));
        }
    }
    let fields = dir.json(&["get", "from", "at.x", "mode"]);
    assert_eq!(fields, json!({ "at.x": "NaN", "mode": "Driving" }));
    dir.shm(&["set", "to", r#"at={"x": 1, "y": 2}"#, "mode=\"Parked\""]);
    assert_eq!(dir.shm(&["get", "to", "at.y", "mode"]), "at.y=2.0 mode=Parked\n");
    let missing = "at: field y is missing";
    dir.fails(&["set", "to", r#"at={"x": 1}"#], 2, missing);
}
