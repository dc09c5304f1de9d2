//! A `FileLock` with forked children, other users and closed descriptors.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use shmkit::sync::FileLock;

use super::lock_file;
use crate::children::{Child, Link};
use crate::closed_descriptors::close_all_descriptors;
use crate::fork::{fork, outcome};
use crate::other_users::{assert_permission_denied, become_other_user, with_other_user};

/// Locks, and forks. The child reports the answers of an inherited handle, drops the inherited
/// guard, and then uses its own handle.
pub(crate) fn forking_locker(link: &mut Link) {
    let task = link.task();
    let (how, path) = task.split_once(' ').unwrap();
    let [mut held, mut idle] = [(); 2].map(|()| FileLock::open(path).unwrap());
    let mut guard = Some(held.lock().unwrap());
    let in_child = || {
        let answers = [
            idle.try_lock().map(|_| ()),
            idle.lock().map(drop),
            idle.read_timeout(super::SHORT).map(drop),
        ];
        link.send(answers.map(outcome).join(" "));
        assert_eq!(link.receive(), "drop");
        drop(guard.take());
        link.send("dropped");
        let mut own = FileLock::open(path).unwrap();
        loop {
            assert_eq!(link.receive(), "try lock");
            let acquired = own.try_lock().unwrap().is_some();
            link.send(if acquired { "locked" } else { "refused" });
        }
    };
    match how {
        "fork" => fork(in_child),
        #[cfg(target_os = "linux")]
        "raw" => crate::fork::raw_fork(in_child),
        other => unreachable!("{other}"),
    };
    loop {
        std::thread::park();
    }
}

#[test]
fn a_forked_child_neither_keeps_nor_releases_its_parent_s_lock() {
    let (dir, path) = lock_file();
    let mut lock = FileLock::open(&path).unwrap();
    let task = format!("fork {}", path.display());
    let mut family = Child::start(&dir, "forking file locker", task);
    assert_eq!(family.receive(), "Forked Forked Forked");
    assert_eq!(family.ask("drop"), "dropped");
    assert!(lock.try_read().unwrap().is_none(), "the parent holds the lock");
    assert_eq!(family.ask("try lock"), "refused");

    family.kill();
    drop(lock.try_lock().unwrap().expect("the parent is dead"));
    assert_eq!(family.ask("try lock"), "locked");
}

/// If no fork handler runs, the child keeps the lock until it ends or executes a program:
/// PLATFORM.md.
#[cfg(target_os = "linux")]
#[test]
fn a_child_forked_without_fork_handlers_does_not_release_its_parent_s_lock() {
    let (dir, path) = lock_file();
    let mut lock = FileLock::open(&path).unwrap();
    let task = format!("raw {}", path.display());
    let mut family = Child::start(&dir, "forking file locker", task);
    assert_eq!(family.receive(), "Forked Forked Forked");
    assert_eq!(family.ask("drop"), "dropped");
    assert!(lock.try_read().unwrap().is_none());
    assert_eq!(family.ask("try lock"), "refused");
}

/// Locks, closes its descriptors, and opens other locks under the same numbers.
pub(crate) fn locker_without_descriptors(link: &mut Link) {
    let path = PathBuf::from(link.task());
    let mut lock = FileLock::open(&path).unwrap();
    let guard = lock.lock().unwrap();
    close_all_descriptors();
    let open = |number: &u32| {
        FileLock::open_or_create(path.with_file_name(format!("other {number}"))).unwrap()
    };
    let numbers: Vec<u32> = (0..8).collect();
    let mut others: Vec<_> = numbers.iter().map(open).collect();
    let held: Vec<_> = others.iter_mut().map(|other| other.lock().unwrap()).collect();
    drop(guard);
    link.send(lock.try_lock().expect_err("its descriptor is closed"));
    drop(lock);
    let is_free = |number: &&u32| open(number).try_read().unwrap().is_some();
    link.send(format!("{:?}", numbers.iter().filter(is_free).collect::<Vec<_>>()));
    drop(held);
}

#[test]
fn a_process_that_closed_its_descriptors_unlocks_no_other_lock() {
    let (dir, path) = lock_file();
    let mut child = Child::start(&dir, "file locker without descriptors", path.display());
    let answer = child.receive();
    assert!(answer.contains("the process closed the descriptor of its file"), "{answer}");
    assert!(answer.contains(path.to_str().unwrap()), "{answer}");
    assert_eq!(child.receive(), "[]", "the locks that were released");
}

/// Locks, closes its descriptors, opens as many other files as its task says, opens and locks the
/// same file again, and drops the old guard and the old lock.
pub(crate) fn locker_that_opens_again(link: &mut Link) {
    let task = link.task();
    let (others, path) = task.split_once(' ').unwrap();
    let mut old = FileLock::open(path).unwrap();
    let old_guard = old.lock().unwrap();
    close_all_descriptors();
    let others: usize = others.parse().unwrap();
    let _others: Vec<_> = (0..others).map(|_| fs::File::open("/dev/null").unwrap()).collect();
    let mut again = FileLock::open(path).unwrap();
    let guard = again.lock().unwrap();
    drop(old_guard);
    link.send("released");
    link.receive();
    link.send(outcome(old.try_lock().map(drop)));
    drop(old);
    link.send("dropped");
    link.receive();
    drop(guard);
    link.send("unlocked");
    link.receive();
}

#[test]
fn a_file_that_is_opened_again_keeps_its_locks_when_the_old_handle_is_dropped() {
    let (dir, path) = lock_file();
    let mut lock = FileLock::open(&path).unwrap();
    for others in 0..4 {
        let task = format!("{others} {}", path.display());
        let mut child = Child::start(&dir, "file locker that opens again", task);
        assert_eq!(child.receive(), "released");
        assert!(lock.try_lock().unwrap().is_none(), "{others}: the child holds the lock");
        assert_eq!(child.ask("drop"), "RoleLost");
        assert_eq!(child.receive(), "dropped");
        assert!(lock.try_lock().unwrap().is_none(), "{others}: the child holds the lock");
        assert_eq!(child.ask("unlock"), "unlocked");
        drop(lock.try_lock().unwrap().expect("the child unlocked it"));
    }
}

/// Becomes a user without rights, and locks each file that it receives.
pub(crate) fn other_user(link: &mut Link) {
    become_other_user(link);
    loop {
        let path = link.receive();
        let answer = FileLock::open_or_create(&path).and_then(|mut lock| {
            drop(lock.read()?);
            link.send("read");
            drop(lock.lock()?);
            Ok(())
        });
        link.send(answer.map_or_else(|it| format!("{:?}: {it}", it.kind()), |()| "locked".into()));
    }
}

#[test]
fn a_user_who_may_only_read_the_file_can_share_the_lock_and_no_more() {
    let Some((dir, mut child)) = with_other_user("other user with file locks") else { return };
    let path = dir.path().join("lock");
    let set_mode =
        |path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    let mut lock = FileLock::open_or_create(&path).unwrap();
    let ask = |child: &mut Child| child.ask(path.display());
    let cannot = |what: &str| format!(r#"cannot {what} "{}": "#, path.display());

    assert_permission_denied(&ask(&mut child), &cannot("open"));
    set_mode(path.as_path(), 0o644);
    assert_eq!(ask(&mut child), "read");
    let words = format!("{}the file is open for reading only", cannot("lock"));
    assert_permission_denied(&child.receive(), &words);
    set_mode(path.as_path(), 0o666);
    assert_eq!(ask(&mut child), "read");
    assert_eq!(child.receive(), "locked");

    // The user's shared lock was released, and does not keep the owner out.
    set_mode(path.as_path(), 0o644);
    drop(lock.lock().unwrap());
    set_mode(dir.path(), 0o755);
    fs::remove_file(&path).unwrap();
    assert_permission_denied(&ask(&mut child), &cannot("open"));
}
