//! `event` and `barrier`.

use serde_json::json;

use crate::Place;

#[test]
fn an_event_lets_all_go_on_until_it_is_reset() {
    let place = Place::new();
    place.shm(&["event", "create", "ready"]);
    place.shm(&["event", "create", "ready", "--if-missing"]);
    let late = "cannot wait for \"ready\": not within the time given";
    place.fails(&["event", "wait", "ready", "--timeout", "0s"], 8, late);
    let mut waiting = [(); 2].map(|()| place.start(&["event", "wait", "ready"]));
    place.await_waiting("ready", 2);
    place.shm(&["event", "set", "ready"]);
    assert!(waiting.iter_mut().all(|it| it.child.wait().unwrap().success()));
    place.shm(&["event", "wait", "ready"]);
    assert_eq!(place.shm(&["event", "show", "ready"]), "event: set, manual reset\n");
    place.shm(&["event", "reset", "ready"]);
    let output = place.run(&["event", "show", "ready", "--json"]);
    assert_eq!((output.status.code(), output.stderr), (Some(8), vec![]), "it is no error");
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&report["set"], &report["reset"]), (&json!(false), &json!("manual")));
}

#[test]
fn an_automatic_event_lets_one_go_on() {
    let place = Place::new();
    place.shm(&["event", "create", "next", "--auto"]);
    place.shm(&["event", "set", "next"]);
    place.shm(&["event", "wait", "next"]);
    place.fails(&["event", "wait", "next", "-w", "1ms"], 8, "not within the time given");
    let other = "the event's reset is manual here and automatic in the object";
    place.fails(&["event", "create", "next", "--if-missing"], 4, other);
}

#[test]
fn all_who_meet_at_a_barrier_go_on_together() {
    let place = Place::new();
    place.shm(&["barrier", "create", "step", "3"]);
    for round in 1..=2 {
        let mut parties = [(); 2].map(|()| place.start(&["barrier", "wait", "step"]));
        place.await_waiting("step", 2);
        let report = place.json(&["barrier", "show", "step"]);
        assert_eq!((&report["arrived"], &report["parties"]), (&json!(2), &json!(3)));
        assert_eq!(report["holders"].as_array().unwrap().len(), 2);
        let mut leaders = place.shm(&["barrier", "wait", "step"]);
        for party in &mut parties {
            assert!(party.child.wait().unwrap().success());
            leaders.extend(party.lines.next().map(Result::unwrap));
        }
        assert_eq!(leaders.trim_end(), "leader");
        assert_eq!(place.json(&["barrier", "show", "step"])["round"], json!(round));
    }
}

#[test]
fn who_does_not_wait_any_longer_leaves_its_place_to_another() {
    let place = Place::new();
    place.shm(&["barrier", "create", "step", "2"]);
    for _ in 0..3 {
        let late = "cannot meet at \"step\": not within the time given";
        place.fails(&["barrier", "wait", "step", "--timeout", "1ms"], 8, late);
    }
    let shown = place.shm(&["barrier", "show", "step"]);
    assert_eq!(shown, "barrier: round 0: 0 of 2 have come\n");
    place.fails(&["barrier", "create", "none", "0"], 2, "0 parties: 1 to 1024 can meet");
}

#[test]
fn removing_what_others_wait_for_tells_them() {
    let place = Place::new();
    place.shm(&["event", "create", "never"]);
    let mut waiting = place.start(&["event", "wait", "never"]);
    place.await_waiting("never", 1);
    place.shm(&["rm", "never"]);
    assert_eq!(waiting.note().unwrap(), "shm: cannot use \"never\": the object was removed");
    assert_eq!(waiting.child.wait().unwrap().code(), Some(9));
}
