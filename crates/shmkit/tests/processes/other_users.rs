//! Other users, who may only read an object, or have no access to it.

use std::os::unix::fs::PermissionsExt;

use shmkit::inspect::{self, Condition};
use shmkit::memory::Trust;
use shmkit::{Access, AnyLatest, ErrorKind, Latest, Lifetime};

use crate::children::{Child, Link};
use crate::test_dir::{LatestOptions, TestDir, kind, skip};
use crate::times::TIMEOUT;

const NAME: &str = "level";
const NOBODY: u32 = 65534;

/// Becomes a user without rights, and reports whether that succeeded.
pub(crate) fn become_other_user(link: &mut Link) {
    // SAFETY: the list of groups is empty, and so its pointer is not used.
    let done = unsafe { libc::setgroups(0, std::ptr::null()) } == 0
        // SAFETY: the call takes no pointers.
        && unsafe { libc::setgid(NOBODY) } == 0
        // SAFETY: the call takes no pointers.
        && unsafe { libc::setuid(NOBODY) } == 0;
    link.send(if done { "other user" } else { "cannot become another user" });
}

/// Becomes a user without rights, and runs commands.
pub(crate) fn other_user(link: &mut Link) {
    become_other_user(link);
    let mut opened = None;
    loop {
        let command = link.receive();
        let (verb, name) = command.split_once(' ').unwrap_or((&command, ""));
        let done = "done".to_string();
        let latest = || opened.as_ref().expect("open an object first");
        let answer = match verb {
            "open" => Latest::<u64>::open(name).map(|it| {
                opened = Some(it);
                done
            }),
            "create" => Latest::<u64>::create(name).map(|_| done),
            "open_or_create" => for_everyone(Latest::options()).open_or_create(name).map(|_| done),
            "remove" => Latest::<u64>::remove(name).map(|()| done),
            "get" => latest().get().map(|value| value.to_string()),
            "next" => latest().changes().next_timeout(TIMEOUT).map(|value| value.to_string()),
            "write" => latest().writer().map(|_| done),
            "examine" => inspect::examine(&shmkit::default_directory(), Trust::Own).map(|all| {
                let found = all.iter().find(|it| it.object() == name);
                found.map_or("nothing".into(), ToString::to_string)
            }),
            other => unreachable!("{other}"),
        };
        link.send(answer.unwrap_or_else(|error| format!("{:?}: {error}", error.kind())));
    }
}

fn for_everyone(options: LatestOptions<u64>) -> LatestOptions<u64> {
    options.access(Access::Everyone).lifetime(Lifetime::WhileUsed)
}

/// Creates an object for everyone whose lifetime is `WhileUsed`, and uses it until it is killed.
pub(crate) fn last_user(link: &mut Link) {
    let _object = for_everyone(Latest::options()).create(NAME).unwrap();
    link.send("ready");
    link.receive();
}

/// A directory that everyone may write to, as `/dev/shm` is, and another user who uses it, in a
/// role that begins with [`become_other_user`].
pub(crate) fn with_other_user(role: &str) -> Option<(TestDir, Child)> {
    let dir = TestDir::new();
    let mode = std::fs::Permissions::from_mode(0o1777);
    std::fs::set_permissions(dir.path(), mode).unwrap();
    let mut child = Child::start(&dir, role, "");
    if child.receive() != "other user" {
        skip("another user: only root can become one");
        return None;
    }
    Some((dir, child))
}

#[track_caller]
pub(crate) fn assert_permission_denied(answer: &str, words: &str) {
    assert!(answer.starts_with("PermissionDenied: ") && answer.contains(words), "{answer}");
}

#[test]
fn a_peer_that_may_only_read_gets_and_waits_and_changes_nothing() {
    let Some((dir, mut child)) = with_other_user("other user") else { return };
    let options = dir.latest::<u64>().access(Access::Everyone).read_only_peers(true);
    let latest = options.create(NAME).unwrap();
    let mut writer = latest.writer().unwrap();
    writer.set(&1).unwrap();
    assert_eq!(child.ask(format!("open {NAME}")), "done");
    assert_eq!(child.ask("get"), "1");
    assert_eq!(dir.describe(NAME).readers, 1);
    let why = "its owner, user 0, allows other users only to read";
    assert_permission_denied(&child.ask("write"), why);
    let read_only = dir.latest::<u64>().open_read_only(NAME).unwrap();
    let error = read_only.writer().err().unwrap().to_string();
    assert!(error.ends_with("the object is open for reading only"), "{error}");
    drop(read_only);
    assert_permission_denied(&child.ask(format!("remove {NAME}")), "its file belongs to user 0");
    child.send("next");
    let mut number = 2;
    // Repeated, because a value that is set before the child waits is no change to it.
    let seen = std::thread::scope(|scope| {
        let seen = scope.spawn(|| child.receive());
        while !seen.is_finished() {
            writer.set(&number).unwrap();
            number += 1;
            std::thread::yield_now();
        }
        seen.join().unwrap()
    });
    assert!((2..number).contains(&seen.parse().unwrap()), "{seen}");
    child.kill();
    assert_eq!(dir.describe(NAME).readers, 0);
    assert_eq!(dir.repair(), [""; 0], "a reader holds nothing");
}

#[test]
fn a_user_without_access_is_refused() {
    let Some((dir, mut child)) = with_other_user("other user") else { return };
    let latest = dir.latest::<u64>().create(NAME).unwrap();
    latest.writer().unwrap().set(&1).unwrap();
    let why = r#"cannot open "level": it belongs to user 0, who gave user 65534 no access"#;
    assert_permission_denied(&child.ask(format!("open {NAME}")), why);
    let not_removable = r#"cannot remove "level": its file belongs to user 0, and user 65534"#;
    assert_permission_denied(&child.ask(format!("remove {NAME}")), not_removable);
    // To trust the owner gives no access, and no right to remove the object.
    let path = dir.path().join("level.shmkit");
    std::os::unix::fs::chown(&path, Some(4321), None).unwrap();
    let found = child.ask(format!("examine {NAME}"));
    let expected = "level: it belongs to user 4321, who gave user 65534 no access: create it with \
                    access for the group or for everyone; examine it as the owner of its file";
    assert_eq!(found, expected);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o666)).unwrap();
    let found = child.ask(format!("examine {NAME}"));
    assert!(found.ends_with("; examine it as user 4321, or trust user 4321"), "{found}");
    let not_removable = not_removable.replace("user 0", "user 4321");
    assert_permission_denied(&child.ask(format!("remove {NAME}")), &not_removable);
    assert!(child.ask(format!("create {NAME}")).starts_with("AlreadyExists: "));
    assert_eq!(child.ask("create theirs"), "done");
    // An object of another user is opened only with trust.
    let error = dir.latest::<u64>().open("theirs").err().unwrap();
    assert_eq!(error.kind(), ErrorKind::PermissionDenied);
    assert!(error.to_string().contains("belongs to user 65534"), "{error}");
    let trusting = AnyLatest::open(Some(dir.path()), "theirs", Trust::User(NOBODY));
    assert_eq!(kind(trusting.unwrap().get()), ErrorKind::Empty);
}

#[test]
fn only_the_owner_can_remove_an_abandoned_object_in_a_sticky_directory() {
    let Some((dir, mut child)) = with_other_user("other user") else { return };
    let mut last_user = Child::start_ready(&dir, "last user", "");
    assert_eq!(child.ask(format!("open_or_create {NAME}")), "done", "it is for everyone");
    assert_permission_denied(&child.ask(format!("remove {NAME}")), "its file belongs to user 0");
    assert_eq!(dir.describe(NAME).condition, Condition::Ready, "no removal was begun");
    last_user.kill();
    for _ in 0..2 {
        let answer = child.ask(format!("open_or_create {NAME}"));
        assert_permission_denied(&answer, "its file belongs to user 0");
        assert_eq!(dir.files(), ["level.shmkit"]);
    }
    for_everyone(dir.latest()).open_or_create(NAME).expect("the owner");
    assert_eq!(dir.files(), [""; 0]);
}

/// Creates objects under the umask of its task.
pub(crate) fn umask(link: &mut Link) {
    let mask = rustix::fs::RawMode::from_str_radix(&link.task(), 8).unwrap();
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(mask));
    let latest = Latest::<u64>::create(NAME).unwrap();
    latest.writer().unwrap().set(&1).unwrap();
    Latest::<u64>::options().access(Access::Everyone).create("for all").unwrap();
    link.send(Latest::<u64>::open(NAME).unwrap().get().unwrap());
}

#[test]
fn access_is_for_the_owner_or_as_asked_for_under_any_umask() {
    for mask in ["0", "22", "77", "777"] {
        let dir = TestDir::new();
        assert_eq!(Child::start(&dir, "umask", mask).receive(), "1");
        for (file, expected) in [("level.shmkit", 0o600), ("for all.shmkit", 0o666)] {
            let mode = std::fs::metadata(dir.path().join(file)).unwrap().permissions().mode();
            assert_eq!(mode & 0o7777, expected, "{file} under the umask {mask}");
        }
    }
}
