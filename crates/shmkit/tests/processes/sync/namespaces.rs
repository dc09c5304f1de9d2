//! Processes of different PID namespaces are in step, and learn of each other's deaths.

use rustix::process::Signal;

use super::stage::{NAME, Stage, told};
use crate::namespaces::start;

#[test]
fn what_a_process_of_another_pid_namespace_holds_is_waited_for_and_its_death_is_told() {
    let stage = Stage::new(2, 2);
    let Some((mut first, its_number)) = start(&stage.place, "actor") else { return };
    let (mut second, _) = start(&stage.place, "actor").unwrap();
    let members = stage.place.describe(NAME).participants;
    assert_eq!(members.iter().filter(|it| it.pid == 1).count(), 2, "{members:?}");

    told(&mut first, "lock, acquire, acquire");
    assert_eq!(second.ask("try lock"), "refused");
    let answer = second.ask("lock 120");
    assert!(answer.starts_with("TimedOut: ") && answer.contains("process 1 ("), "{answer}");
    assert_eq!(second.ask("try acquire"), "refused");
    second.say("acquire");
    stage.until_threads_wait(1);
    told(&mut first, "drop");
    assert_eq!(second.hear(), "done");
    told(&mut first, "drop, drop");
    told(&mut second, "drop, lock");
    second.say("wait");
    stage.until_threads_wait(1);
    told(&mut first, "notify");
    assert_eq!(second.hear(), "done");
    told(&mut second, "drop, join");

    told(&mut first, "lock, write, acquire, acquire, join");
    second.say("meet");
    stage.until_threads_wait(1);
    rustix::process::kill_process(its_number, Signal::KILL).unwrap();
    let answer = second.hear();
    assert!(answer.starts_with("PeerDied: "), "{answer}");
    assert_eq!(second.ask("lock"), "OwnerDied");
    assert_eq!(second.ask("read"), "OwnerDied");
    told(&mut second, "acquire, acquire");
}
