//! After a repair, no state of an object names a dead participant.

use shmkit::inspect::{self, Description, Finding, Remedy};
use shmkit::memory::Trust;

use super::fixture::{Fixture, NAME, Primitives, run};
use crate::children::Child;
use crate::test_dir::TestDir;

fn findings(dir: &TestDir) -> Vec<Finding> {
    let mut found = inspect::examine(dir.path(), Trust::Own).unwrap();
    found.retain(|it| it.object() == NAME);
    found
}

fn text_of<'a>(description: &'a Description, number: &str) -> &'a str {
    &description.parts.iter().find(|it| it.number == number).unwrap().state.text
}

#[test]
fn after_a_repair_no_part_names_a_dead_participant() {
    let fixture = Fixture::new(3, 2);
    let mut waiter = fixture.start_actor();
    run(&mut waiter, "read, acquire, lock");
    waiter.send("wait_condvar");
    fixture.wait_for_waiters(1);
    let mut holder = fixture.start_actor();
    run(&mut holder, "acquire, join_barrier, join_latch, lock_reentrant, lock");
    let mut runner = fixture.start_actor();
    assert_eq!(runner.ask("call_once"), "running");
    [&mut waiter, &mut holder, &mut runner].into_iter().for_each(Child::kill);
    let before = fixture.dir.describe(NAME);
    let named: Vec<_> = before.parts.iter().filter(|it| !it.state.holders.is_empty()).collect();
    assert_eq!(named.len(), 8, "all but the event: {named:?}");

    let told = fixture.dir.repair();
    let told = told.iter().find(|it| it.starts_with(NAME)).unwrap();
    for part in ["mutex in part 0", "rwlock in part 1", "barrier in part 3.0", "once in part 3.2"] {
        assert!(told.contains(&format!("the {part}")), "{told}");
    }
    let after = fixture.dir.describe(NAME);
    let named: Vec<_> = after.parts.iter().filter(|it| !it.state.holders.is_empty()).collect();
    assert!(named.is_empty() && after.participants.len() == 1, "{named:?}");
    assert_eq!(text_of(&after, "0"), "free, inconsistent: a holder died");
    assert_eq!(text_of(&after, "1"), "free");
    assert_eq!(text_of(&after, "2"), "3 available");
    assert_eq!(text_of(&after, "3.0"), "round 1: 0 of 2 have arrived");
    assert_eq!(text_of(&after, "3.2"), "not done: an earlier run failed");
    assert_eq!(text_of(&after, "4.0"), "0 waiting, 0 notified");

    // What is left is for a person, until the lock is marked consistent.
    let left = findings(&fixture.dir);
    let remedies: Vec<_> = left.iter().map(Finding::remedy).collect();
    let locks = ["0", "4.2"].map(|part| Remedy::MarkConsistent(part.into()));
    assert_eq!(remedies, locks.each_ref());
    let what = "a holder of the mutex in part 0 died, and every locker gets OwnerDied";
    assert_eq!(left[0].what(), what);
    let mut guard = fixture.mutex().lock().unwrap_err().into_guard().unwrap();
    guard.mark_consistent();
    drop(guard);
    assert_eq!(findings(&fixture.dir).len(), 1);
}

#[test]
fn a_dead_holder_whose_slot_another_participant_took_is_found() {
    let dir = TestDir::new();
    let options = dir.primitive::<Primitives>().max_participants(2);
    let initial = || (0, 0, 1, (2, 2, ()), ((), shmkit::sync::Reset::Automatic, 0));
    let _first = options.create(NAME, initial()).unwrap();
    let mut holder = Child::start_ready(&dir, "actor", "");
    run(&mut holder, "lock");
    holder.kill();
    let _second = options.open(NAME).unwrap();
    let told = findings(&dir)[0].to_string();
    let what = "a process that was in slot 1 died while it held the mutex in part 0: ";
    assert!(told.contains(what), "{told}");
    dir.repair();
    assert_eq!(text_of(&dir.describe(NAME), "0"), "free, inconsistent: a holder died");
}

#[test]
fn the_notification_of_a_dead_waiter_goes_to_another_when_the_doctor_frees_it() {
    let fixture = Fixture::new(1, 2);
    let mut notified = fixture.start_actor();
    run(&mut notified, "lock");
    notified.send("wait_condvar");
    fixture.wait_for_waiters(1);
    // It is notified while it does not run.
    notified.stop();
    fixture.condvar().notify_one().unwrap();
    let mut other = fixture.start_actor();
    run(&mut other, "lock");
    other.send("wait_condvar");
    fixture.wait_for_waiters(2);
    other.stop();
    notified.kill();
    fixture.dir.repair();
    let text = text_of(&fixture.dir.describe(NAME), "4.0").to_owned();
    assert_eq!(text, "0 waiting, 1 notified", "the other is notified in its place");
    other.resume();
    assert_eq!(other.receive(), "done");
}

#[test]
fn a_party_that_arrived_at_a_latch_holds_nothing_and_its_death_is_no_finding_about_it() {
    let fixture = Fixture::new(1, 2);
    let mut party = fixture.start_actor();
    run(&mut party, "join_latch, count_down");
    party.kill();
    let latch = |it: Description| it.parts.into_iter().find(|it| it.number == "3.1").unwrap();
    let found = latch(fixture.dir.describe(NAME));
    assert!(found.state.holders.is_empty() && found.state.text == "1 of 2 have arrived");
    assert!(!findings(&fixture.dir)[0].what().contains("latch"));
    fixture.dir.repair();
    assert_eq!(latch(fixture.dir.describe(NAME)).state.text, "1 of 2 have arrived");
}
