//! A program whose type has changed replaces the object of the old type, unless a process uses it.

use shmkit::sync::Semaphore;
use shmkit::{Access, ErrorKind, Latest, Object, Result};

use crate::children::{Child, Link};
use crate::test_dir::{LatestOptions, TestDir, kind};

const NAME: &str = "robot/pose";
const FILE: &str = "robot%2fpose.shmkit";
/// The types of the old and of the new version.
type Old = u32;
type New = [f64; 3];
const OLD: Old = 7;
const NEW: New = [1.0, 2.0, 3.0];

/// Options that replace.
fn replacing(options: LatestOptions<New>) -> LatestOptions<New> {
    options.replace_unused(true)
}

/// Creates an object of the old type, and leaves it.
fn create_old(dir: &TestDir) {
    dir.latest::<Old>().create(NAME).unwrap().writer().unwrap().set(&OLD).unwrap();
}

/// Has an object of the old type open, until told to leave.
pub(crate) fn user(link: &mut Link) {
    let latest = Latest::<Old>::open(NAME).unwrap();
    link.send("ready");
    link.receive();
    drop(latest);
    link.send("left");
    link.receive();
}

/// Replaces the object, and says whether it created the new one. Later reads its value.
pub(crate) fn replacer(link: &mut Link) {
    let latest = match replacing(Latest::options()).open_or_create(NAME) {
        Ok(latest) => latest,
        Err(error) => {
            link.send(format!("{:?}", error.kind()));
            return drop(link.receive());
        }
    };
    link.send(latest.was_created());
    link.receive();
    link.send(latest.get().unwrap() == NEW);
    link.receive();
}

/// Removes the object.
pub(crate) fn remover(link: &mut Link) {
    Latest::<Old>::remove(NAME).unwrap();
    link.send("removed");
}

#[track_caller]
fn assert_in_use(answer: Result<Latest<New>>) {
    let error = answer.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WrongType, "{error}");
    let why = "it is not replaced: a process uses it";
    assert!(error.reason().contains(why), "{error}");
}

#[test]
fn an_object_of_another_type_is_replaced_once_no_process_uses_it() {
    let dir = TestDir::new();
    create_old(&dir);
    let options = replacing(dir.latest());
    let refused = kind(dir.latest::<New>().open_or_create(NAME));
    assert_eq!(refused, ErrorKind::WrongType, "without the option");

    let mut user = Child::start_ready(&dir, "user of the old type", "");
    assert_in_use(options.open_or_create(NAME));
    assert_eq!(dir.latest::<Old>().open(NAME).unwrap().get().unwrap(), OLD, "nothing changed");
    assert_eq!(user.ask("leave"), "left");
    let new = options.open_or_create(NAME).unwrap();
    assert!(new.was_created());
    assert_eq!(kind(new.get()), ErrorKind::Empty);

    new.writer().unwrap().set(&NEW).unwrap();
    let again = options.open_or_create(NAME).unwrap();
    assert!(!again.was_created(), "an object of this type stays");
    drop((new, again));
    assert_eq!(options.open_or_create(NAME).unwrap().get().unwrap(), NEW, "also without users");
    assert_eq!(dir.files(), [FILE]);
}

#[test]
fn a_killed_process_uses_nothing_and_a_stopped_one_does() {
    let dir = TestDir::new();
    create_old(&dir);
    let mut user = Child::start_ready(&dir, "user of the old type", "");
    user.stop();
    assert_in_use(replacing(dir.latest()).open_or_create(NAME));
    user.resume();
    user.kill();
    assert!(replacing(dir.latest()).open_or_create(NAME).unwrap().was_created());
}

#[test]
fn an_object_whose_remover_was_killed_is_replaced_though_a_process_has_it() {
    let dir = TestDir::new();
    create_old(&dir);
    let user = dir.latest::<Old>().open(NAME).unwrap();
    let mut remover = Child::start_to_die_at(&dir, "retire: marked", "remover", "");
    assert_eq!(remover.receive_if_alive(), None);
    let new = replacing(dir.latest()).open_or_create(NAME).unwrap();
    assert!(new.was_created());
    assert_eq!(kind(user.get()), ErrorKind::Closed);
}

#[test]
fn another_kind_is_replaced_and_other_options_are_not() {
    let dir = TestDir::new();
    create_old(&dir);
    let options = Object::<Semaphore>::options().directory(dir.path()).replace_unused(true);
    let semaphore = options.open_or_create(NAME, 3).unwrap();
    assert!(semaphore.was_created());
    let handle_of_this_process = replacing(dir.latest()).open_or_create(NAME);
    assert_eq!(kind(handle_of_this_process), ErrorKind::WrongKind);
    drop(semaphore);

    let others = [
        options.open_or_create(NAME, 4),
        options.clone().access(Access::Everyone).open_or_create(NAME, 3),
        options.clone().max_participants(7).open_or_create(NAME, 3),
    ];
    for refused in others {
        assert_eq!(kind(refused), ErrorKind::WrongOptions);
    }
    assert!(!options.open_or_create(NAME, 3).unwrap().was_created());
    assert_eq!(kind(options.create(NAME, 3)), ErrorKind::AlreadyExists);
}

#[test]
fn an_object_that_cannot_be_read_is_not_replaced() {
    let dir = TestDir::new();
    create_old(&dir);
    let path = dir.path().join(FILE);
    let whole = std::fs::read(&path).unwrap();
    // In the checksum of the header, in its version, in its magic.
    for (place, expected) in
        [(64, ErrorKind::Corrupt), (8, ErrorKind::WrongVersion), (0, ErrorKind::WrongKind)]
    {
        let mut spoilt = whole.clone();
        spoilt[place] ^= 0xff;
        std::fs::write(&path, &spoilt).unwrap();
        let error = replacing(dir.latest()).open_or_create(NAME).unwrap_err();
        assert_eq!(error.kind(), expected, "byte {place}: {error}");
        assert_eq!(std::fs::read(&path).unwrap(), spoilt, "byte {place}");
    }
}

#[test]
fn of_two_processes_that_replace_an_object_one_creates_the_new_one_and_both_have_it() {
    for point in ["retire: gate not yet held", "retire: marked", "retire: unlinked"] {
        let dir = TestDir::new();
        create_old(&dir);
        let mut first = Child::start_and_stop_at(&dir, point, "replacer", "");
        let mut second = Child::start(&dir, "replacer", "");
        // While the gate is held, the second one waits.
        let holds_gate = point == "retire: marked";
        if !holds_gate {
            assert_eq!(second.receive(), "true", "{point}");
        }
        first.resume();
        let mut created = vec![first.receive()];
        created.extend(holds_gate.then(|| second.receive()));
        let creators = created.iter().filter(|it| *it == "true").count();
        assert_eq!(creators, usize::from(holds_gate), "{point}: {created:?}");
        let latest = dir.latest::<New>().open(NAME).unwrap();
        latest.writer().unwrap().set(&NEW).unwrap();
        for child in [&mut first, &mut second] {
            assert_eq!(child.ask("read"), "true", "{point}");
        }
    }
}

#[test]
fn a_process_that_opens_the_object_before_its_removal_keeps_it() {
    let dir = TestDir::new();
    create_old(&dir);
    let point = "retire: gate not yet held";
    let mut late = Child::start_and_stop_at(&dir, point, "replacer", "");
    let user = dir.latest::<Old>().open(NAME).unwrap();
    late.resume();
    assert_eq!(late.receive(), "WrongType");
    assert_eq!(user.get().unwrap(), OLD);
    user.writer().unwrap().set(&OLD).unwrap();
}

#[test]
fn a_process_killed_while_it_replaces_leaves_the_old_object_the_new_one_or_none() {
    let mut deaths = 0;
    for point in shmkit::crash::POINTS {
        let dir = TestDir::new();
        create_old(&dir);
        let mut child = Child::start_to_die_at(&dir, point, "replacer", "");
        if child.receive_if_alive().is_some() {
            // It does not reach this point.
            continue;
        }
        assert!(child.was_killed(), "{point}");
        deaths += 1;
        match dir.latest::<Old>().open(NAME) {
            Ok(old) => assert_eq!(old.get().unwrap(), OLD, "{point}"),
            Err(error) => {
                let kinds = [ErrorKind::NotFound, ErrorKind::WrongType];
                assert!(kinds.contains(&error.kind()), "{point}: {error}");
            }
        }
        dir.repair();
        let new = replacing(dir.latest()).open_or_create(NAME).unwrap();
        new.writer().unwrap().set(&NEW).unwrap();
        assert_eq!(dir.latest::<New>().open(NAME).unwrap().get().unwrap(), NEW, "{point}");
        dir.repair();
        assert_eq!(dir.files(), [FILE], "{point}");
    }
    assert!(deaths >= 10, "{deaths}");
}
