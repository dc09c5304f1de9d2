//! Deaths that are not announced.

use crate::children::Child;
use crate::sync::fixture::{Fixture, NAME, run};
use crate::system::notices_threads_of;

#[test]
fn a_waiter_without_notices_finds_a_death_at_intervals() {
    let fixture = Fixture::new(1, 1);
    let mut holder = fixture.start_actor();
    run(&mut holder, "lock");
    let mut waiter = Child::start_with(&fixture.dir, "actor", "", |command| {
        command.env("SHMKIT_NOTICES", "off")
    });
    assert_eq!(waiter.receive(), "ready");
    waiter.send("lock");
    fixture.dir.wait_for_waiters(NAME, 1);
    holder.kill();
    assert_eq!(waiter.receive(), "OwnerDied");
    assert_eq!(waiter.ask("announcements"), "0");
    assert_eq!(notices_threads_of(waiter.id()), 0);
}
