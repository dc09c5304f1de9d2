//! A mutex between processes.

use shmkit::sync::{LockError, Mutex};

use crate::children::{Child, Link};
use crate::test_dir::{TestDir, open};

const NAME: &str = "lock";

/// Changes the value, and holds the lock until the next message.
pub(crate) fn holder(link: &mut Link) {
    let mutex = open::<Mutex<u64>>(NAME);
    let mut value = mutex.lock().unwrap();
    *value += 1;
    link.send("ready");
    link.receive();
    drop(value);
}

#[test]
fn owner_death_is_reported_to_each_locker_until_marked_consistent() {
    let dir = TestDir::new();
    let mutex = dir.primitive::<Mutex<u64>>().create(NAME, 7).unwrap();
    let mut child = Child::start_ready(&dir, "mutex holder", "");
    assert!(mutex.try_lock().unwrap().is_none());
    child.kill();
    for _ in 0..2 {
        match mutex.lock() {
            Err(LockError::OwnerDied(value)) => assert_eq!(*value, 8),
            other => panic!("{other:?}"),
        }
    }
    let mut value = mutex.lock().unwrap_err().into_guard().unwrap();
    value.mark_consistent();
    drop(value);
    assert_eq!(*mutex.lock().unwrap(), 8);
}
