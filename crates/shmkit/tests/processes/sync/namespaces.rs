//! Locks work between processes in different PID namespaces, which learn of each other's deaths.

use rustix::process::Signal;

use super::fixture::{Fixture, NAME, run};
use crate::namespaces::start_in_namespace;

#[test]
fn locks_and_death_reports_work_across_pid_namespaces() {
    let fixture = Fixture::new(2, 2);
    let Some((mut first, outer_pid)) = start_in_namespace(&fixture.dir, "actor") else { return };
    let (mut second, _) = start_in_namespace(&fixture.dir, "actor").unwrap();
    let participants = fixture.dir.describe(NAME).participants;
    assert_eq!(participants.iter().filter(|it| it.pid == 1).count(), 2, "{participants:?}");

    run(&mut first, "lock, acquire, acquire");
    assert_eq!(second.ask("try_lock"), "refused");
    let answer = second.ask("lock 120");
    assert!(answer.starts_with("TimedOut: ") && answer.contains("process 1 ("), "{answer}");
    assert_eq!(second.ask("try_acquire"), "refused");
    second.send("acquire");
    fixture.wait_for_waiters(1);
    run(&mut first, "drop");
    assert_eq!(second.receive(), "done");
    run(&mut first, "drop, drop");
    run(&mut second, "drop, lock");
    second.send("wait_condvar");
    fixture.wait_for_waiters(1);
    run(&mut first, "notify_one");
    assert_eq!(second.receive(), "done");
    run(&mut second, "drop, join_barrier");

    run(&mut first, "lock, write, acquire, acquire, join_barrier");
    second.send("wait_barrier");
    fixture.wait_for_waiters(1);
    rustix::process::kill_process(outer_pid, Signal::KILL).unwrap();
    let answer = second.receive();
    assert!(answer.starts_with("PeerDied: "), "{answer}");
    assert_eq!(second.ask("lock"), "OwnerDied");
    assert_eq!(second.ask("read"), "OwnerDied");
    run(&mut second, "acquire, acquire");
}
