//! A forked child does not own what its parent has open in memory.

use shmkit::{Error, ErrorKind, Object};

use super::{Guarded, OFFSET, Shared};
use crate::children::Link;
use crate::fork::{fork, outcome};
use crate::system::inherited_memory;
use crate::test_dir::kind;
use crate::times::TIMEOUT;

/// Holds the lock, and forks; then the child answers until the test ends.
pub(super) fn forking_user(link: &mut Link) {
    let memory = inherited_memory();
    let object = Object::<Guarded>::open_in(&memory, OFFSET).unwrap();
    let mut guard = Some(object.0.lock().unwrap());
    fork(|| {
        link.send("ready");
        assert_eq!(link.receive(), "use inherited");
        let (mutex, condvar) = &*object;
        link.send(format!(
            "lock {} try_lock {} wait {} notify {} close {}",
            outcome(mutex.lock().map(drop).map_err(Error::from)),
            outcome(mutex.try_lock().map(drop).map_err(Error::from)),
            outcome(condvar.wait(guard.take().unwrap()).map(drop).map_err(Error::from)),
            outcome(condvar.notify_all()),
            outcome(object.close()),
        ));
        let own = Object::<Guarded>::open_in(&memory, OFFSET).unwrap();
        loop {
            assert_eq!(link.receive(), "try_lock");
            link.send(outcome(own.0.try_lock().map(|it| it.is_some()).map_err(Error::from)));
        }
    });
    loop {
        std::thread::park();
    }
}

#[test]
fn an_inherited_object_in_memory_answers_forked_and_keeps_no_lock_of_its_parent() {
    let (shared, object) = Shared::with_guarded();
    let mut family = shared.start_ready("forking user of memory", "");
    let inherited = family.ask("use inherited");
    assert_eq!(inherited, "lock Forked try_lock Forked wait Forked notify Forked close Forked");
    assert!(object.0.try_lock().unwrap().is_none(), "the parent holds it");
    assert_eq!(family.ask("try_lock"), "false");
    family.kill();
    let locked = object.0.lock_timeout(TIMEOUT).map_err(Error::from);
    assert_eq!(kind(locked), ErrorKind::OwnerDied);
    assert_eq!(family.ask("try_lock"), "OwnerDied", "the child lives");
    object.0.lock().unwrap_err().into_guard().unwrap().mark_consistent();
    assert_eq!(family.ask("try_lock"), "true");
}
