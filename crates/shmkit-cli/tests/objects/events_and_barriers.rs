//! `event` and `barrier`.

use serde_json::json;

use crate::TestDir;

#[test]
fn a_set_event_releases_all_waiters_until_it_is_reset() {
    let dir = TestDir::new();
    dir.shm(&["event", "create", "ready"]);
    dir.shm(&["event", "create", "ready", "--if-missing"]);
    let late = "cannot wait for \"ready\": the timeout expired";
    dir.fails(&["event", "wait", "ready", "--timeout", "0s"], 8, late);
    let mut waiting = [(); 2].map(|()| dir.start(&["event", "wait", "ready"]));
    dir.await_waiting("ready", 2);
    dir.shm(&["event", "set", "ready"]);
    assert!(waiting.iter_mut().all(|it| it.child.wait().unwrap().success()));
    dir.shm(&["event", "wait", "ready"]);
    assert_eq!(dir.shm(&["event", "show", "ready"]), "event: set, manual reset\n");
    dir.shm(&["event", "reset", "ready"]);
    let output = dir.run(&["event", "show", "ready", "--json"]);
    assert_eq!((output.status.code(), output.stderr), (Some(8), vec![]), "no error");
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&report["set"], &report["reset"]), (&json!(false), &json!("manual")));
}

#[test]
fn an_automatic_event_releases_one_waiter() {
    let dir = TestDir::new();
    dir.shm(&["event", "create", "next", "--auto"]);
    dir.shm(&["event", "set", "next"]);
    dir.shm(&["event", "wait", "next"]);
    dir.fails(&["event", "wait", "next", "-w", "1ms"], 8, "the timeout expired");
    let other = "the event's reset is manual here and automatic in the object";
    dir.fails(&["event", "create", "next", "--if-missing"], 4, other);
}

#[test]
fn all_parties_of_a_barrier_continue_together() {
    let dir = TestDir::new();
    dir.shm(&["barrier", "create", "step", "3"]);
    for round in 1..=2 {
        let mut parties = [(); 2].map(|()| dir.start(&["barrier", "wait", "step"]));
        dir.await_waiting("step", 2);
        let report = dir.json(&["barrier", "show", "step"]);
        assert_eq!((&report["arrived"], &report["parties"]), (&json!(2), &json!(3)));
        assert_eq!(report["holders"].as_array().unwrap().len(), 2);
        let mut leaders = dir.shm(&["barrier", "wait", "step"]);
        for party in &mut parties {
            assert!(party.child.wait().unwrap().success());
            leaders.extend(party.lines.next().map(Result::unwrap));
        }
        assert_eq!(leaders.trim_end(), "leader");
        assert_eq!(dir.json(&["barrier", "show", "step"])["round"], json!(round));
    }
}

#[test]
fn a_party_that_times_out_frees_its_place() {
    let dir = TestDir::new();
    dir.shm(&["barrier", "create", "step", "2"]);
    for _ in 0..3 {
        let late = "cannot wait at \"step\": the timeout expired";
        dir.fails(&["barrier", "wait", "step", "--timeout", "1ms"], 8, late);
    }
    let shown = dir.shm(&["barrier", "show", "step"]);
    assert_eq!(shown, "barrier: round 0: 0 of 2 have arrived\n");
    let limits = "0 parties were asked for; 1 to 1024 are allowed";
    dir.fails(&["barrier", "create", "none", "0"], 2, limits);
}

#[test]
fn nobody_passes_a_barrier_with_a_party_that_was_killed_while_it_waited() {
    let dir = TestDir::new();
    dir.shm(&["barrier", "create", "step", "2"]);
    let mut killed = dir.start(&["barrier", "wait", "step"]);
    dir.await_waiting("step", 1);
    killed.kill();
    let (report, _) = dir.doctor(&[]);
    assert!(report.contains(" died as a party of the barrier: "), "{report}");
    dir.shm(&["doctor", "--fix"]);
    let shown = dir.json(&["barrier", "show", "step"]);
    assert_eq!((&shown["holders"], &shown["round"]), (&json!([]), &json!(1)));
    let mut killed = dir.start(&["barrier", "wait", "step"]);
    dir.await_waiting("step", 1);
    killed.kill();
    // It takes the dead party's place, and waits for another.
    dir.fails(&["barrier", "wait", "step", "--timeout", "1ms"], 8, "the timeout expired");
}

#[test]
fn the_death_of_a_party_that_waits_is_told_to_the_others() {
    let dir = TestDir::new();
    dir.shm(&["barrier", "create", "step", "3"]);
    let [mut killed, mut waiting] = [(); 2].map(|()| dir.start(&["barrier", "wait", "step"]));
    dir.await_waiting("step", 2);
    killed.kill();
    let _last = dir.start(&["barrier", "wait", "step"]);
    let told = "shm: cannot wait at \"step\": a party died before the round was complete";
    assert_eq!(waiting.note().unwrap(), told);
    assert_eq!(waiting.child.wait().unwrap().code(), Some(9));
}

#[test]
fn an_aborted_barrier_ends_every_wait_until_it_is_reset() {
    let dir = TestDir::new();
    dir.shm(&["barrier", "create", "step", "2"]);
    let mut waiting = dir.start(&["barrier", "wait", "step"]);
    dir.await_waiting("step", 1);
    dir.shm(&["barrier", "abort", "step"]);
    let told = "cannot wait at \"step\": a process aborted the barrier: it can be used again after a \
                reset";
    assert_eq!(waiting.note().unwrap(), format!("shm: {told}"));
    assert_eq!(waiting.child.wait().unwrap().code(), Some(9));
    dir.fails(&["barrier", "wait", "step"], 9, told);
    let shown = "barrier: round 0: aborted, 0 of 2 have joined\n";
    assert_eq!(dir.shm(&["barrier", "show", "step"]), shown);
    assert!(dir.shm(&["ls"]).contains("round 0: aborted"));
    assert_eq!(dir.json(&["barrier", "show", "step"])["aborted"], json!(true));
    dir.shm(&["barrier", "reset", "step"]);
    assert_eq!(dir.json(&["barrier", "show", "step"])["aborted"], json!(false));
    let mut waiting = dir.start(&["barrier", "wait", "step"]);
    dir.await_waiting("step", 1);
    dir.shm(&["barrier", "wait", "step"]);
    assert!(waiting.child.wait().unwrap().success());
}

#[test]
fn an_event_is_created_set() {
    let dir = TestDir::new();
    dir.shm(&["event", "create", "ready", "--set"]);
    assert_eq!(dir.shm(&["event", "show", "ready"]), "event: set, manual reset\n");
    dir.shm(&["event", "create", "ready", "--set", "--if-missing"]);
    dir.shm(&["event", "create", "next", "--auto", "--set"]);
    dir.shm(&["event", "wait", "next"]);
    dir.fails(&["event", "wait", "next", "-w", "1ms"], 8, "the timeout expired");
}

#[test]
fn removal_is_reported_to_a_waiter() {
    let dir = TestDir::new();
    dir.shm(&["event", "create", "never"]);
    let mut waiting = dir.start(&["event", "wait", "never"]);
    dir.await_waiting("never", 1);
    dir.shm(&["rm", "never", "--force"]);
    assert_eq!(waiting.note().unwrap(), "shm: cannot use \"never\": the object was removed");
    assert_eq!(waiting.child.wait().unwrap().code(), Some(9));
}
