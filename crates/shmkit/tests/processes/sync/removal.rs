//! What one process told the others before it removed the object is received; what they would hold
//! from then on is refused.

use shmkit::sync::{Barrier, Condvar, Event, Latch, Mutex, Once, Reset, Semaphore};
use shmkit::{Latest, Object, Primitive, Result};

use crate::children::{Child, Link};
use crate::test_dir::{TestDir, open};

const NAME: &str = "object";
pub(super) const ROLE: &str = "waiter of a removed object";
/// The waiter stops here after it has looked, and before it checks whether the object was removed.
const LOOKED: &str = "wait: not ready, not checked";

type Condition = (Mutex<u64>, Condvar);

/// Waits once, and reports how the wait ended.
pub(super) fn waiter(link: &mut Link) {
    let answer = match &*link.task() {
        "event" => open::<Event>(NAME).wait(),
        "barrier" => open::<Barrier>(NAME).join().and_then(|mut party| party.wait().map(drop)),
        "latch" => open::<Latch>(NAME).wait(),
        "permit to consume" => open::<Semaphore>(NAME).consume(),
        "permit to hold" => open::<Semaphore>(NAME).acquire().map(drop),
        "once" => open::<Once>(NAME).call_once(|| unreachable!("it is done")),
        "mutex" => open::<Mutex<u64>>(NAME).lock().map(drop).map_err(Into::into),
        "condition" => wait_for_condition(),
        "value" => Latest::<u64>::open(NAME).unwrap().changes().next().map(drop),
        other => unreachable!("{other}"),
    };
    link.send(answer.map_or_else(|error| format!("{:?}", error.kind()), |()| "done".into()));
    link.receive();
}

fn wait_for_condition() -> Result<()> {
    let condition = open::<Condition>(NAME);
    let guard = condition.0.lock().unwrap();
    Ok(condition.1.wait(guard).map(drop)?)
}

/// Creates an object, stops a waiter after its look, does what the waiter waits for, and removes
/// the object. Returns what the waiter reports.
fn told<P: Primitive>(
    initial: P::Initial,
    task: &str,
    act: impl FnOnce(&Object<P>, &mut dyn FnMut()),
) -> String {
    let dir = TestDir::new();
    let object = dir.primitive::<P>().create(NAME, initial).unwrap();
    let mut child = None;
    act(&object, &mut || child = Some(Child::start_and_stop_at(&dir, LOOKED, ROLE, task)));
    dir.primitive::<P>().remove(NAME).unwrap();
    let mut child = child.expect("it was started");
    child.resume();
    child.receive()
}

#[test]
fn what_was_told_before_the_removal_is_received() {
    for reset in [Reset::Manual, Reset::Automatic] {
        let told = told::<Event>(reset, "event", |event, wait| {
            wait();
            event.set().unwrap();
        });
        assert_eq!(told, "done", "an event with {} reset", reset.as_str());
    }
    let round = told::<Barrier>(2, "barrier", |barrier, wait| {
        let mut party = barrier.join().unwrap();
        wait();
        party.wait().unwrap();
    });
    let latch = told::<Latch>(1, "latch", |latch, wait| {
        let party = latch.join().unwrap();
        wait();
        party.count_down().unwrap();
    });
    let permit = told::<Semaphore>(0, "permit to consume", |semaphore, wait| {
        wait();
        semaphore.post(1).unwrap();
    });
    let once = told::<Once>((), "once", |once, wait| once.call_once(wait).unwrap());
    assert_eq!([round, latch, permit, once], ["done"; 4]);
}

#[test]
fn a_value_set_before_the_removal_is_received() {
    let dir = TestDir::new();
    let latest = dir.latest::<u64>().create(NAME).unwrap();
    let mut child = Child::start_and_stop_at(&dir, LOOKED, ROLE, "value");
    latest.writer().unwrap().set(&1).unwrap();
    dir.latest::<u64>().remove(NAME).unwrap();
    child.resume();
    assert_eq!(child.receive(), "done");
}

#[test]
fn a_lock_or_permit_of_a_removed_object_is_refused_although_it_is_free() {
    let permit = told::<Semaphore>(0, "permit to hold", |semaphore, wait| {
        wait();
        semaphore.post(1).unwrap();
    });
    let mutex = told::<Mutex<u64>>(0, "mutex", |mutex, wait| {
        let guard = mutex.lock().unwrap();
        wait();
        drop(guard);
    });
    let condition = told::<Condition>((0, ()), "condition", |condition, wait| {
        wait();
        condition.1.notify_one().unwrap();
    });
    assert_eq!([permit, mutex, condition], ["Closed"; 3]);
}
