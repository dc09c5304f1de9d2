//! Names: what can be created and opened, and what is refused with which message.

use std::sync::Barrier as Start;
use std::time::Duration;

use shmkit::memory::Trust;
use shmkit::sync::{
    Barrier, Condvar, Event, Latch, Mutex, NoData, Once, ReentrantMutex, Reset, RwLock, Semaphore,
};
use shmkit::{Access, ErrorKind, Kind, Latest, Lifetime, Object, Primitive, Shareable, inspect};

use crate::test_dir::{SHORT, TestDir, assert_error, kind};

const NAME: &str = "folder/object";

/// A check of a primitive of any kind.
trait Check {
    fn run<P: Primitive<Initial: Send>>(&self, kind: Kind, initial: &dyn Fn() -> P::Initial);
}

fn for_each_kind(check: &impl Check) {
    check.run::<Mutex<u64>>(Kind::Mutex, &|| 7);
    check.run::<ReentrantMutex<u64>>(Kind::ReentrantMutex, &|| 7);
    check.run::<RwLock<u64>>(Kind::RwLock, &|| 7);
    check.run::<Condvar>(Kind::Condvar, &|| ());
    check.run::<Semaphore>(Kind::Semaphore, &|| 7);
    check.run::<Event>(Kind::Event, &|| Reset::Manual);
    check.run::<Barrier>(Kind::Barrier, &|| 7);
    check.run::<Latch>(Kind::Latch, &|| 7);
    check.run::<Once>(Kind::Once, &|| ());
    check.run::<(Mutex<u64>, Condvar)>(Kind::Group, &|| (7, ()));
    check.run::<[Event; 2]>(Kind::Group, &|| [Reset::Manual; 2]);
}

struct CreateAndOpen;

impl Check for CreateAndOpen {
    fn run<P: Primitive<Initial: Send>>(&self, _: Kind, initial: &dyn Fn() -> P::Initial) {
        let dir = TestDir::new();
        let options = dir.options::<P>();
        assert_error(options.open(NAME), ErrorKind::NotFound, r#"cannot open "folder/object": "#);
        assert_eq!(kind(options.remove(NAME)), ErrorKind::NotFound);
        let first = options.create(NAME, initial()).unwrap();
        assert_eq!((first.name(), first.was_created()), (NAME, true));
        assert_error(
            options.create(NAME, initial()),
            ErrorKind::AlreadyExists,
            r#"cannot create "folder/object": an object has this name"#,
        );
        let others = [options.open(NAME), options.open_or_create(NAME, initial())];
        for other in others.map(Result::unwrap) {
            assert_eq!((other.name(), other.was_created()), (NAME, false));
        }
        drop(first);
        options.open(NAME).expect("the object stays until it is removed");
        options.remove(NAME).unwrap();
        assert_eq!(kind(options.open(NAME)), ErrorKind::NotFound);
        assert!(options.open_or_create(NAME, initial()).unwrap().was_created());
        options.open(NAME).expect("the object was created");
        options.clone().remove(NAME).unwrap();
        assert_error(options.create("a//b", initial()), ErrorKind::InvalidName, "an empty part");
        assert_eq!(kind(options.open("")), ErrorKind::InvalidName);
        assert_eq!(kind(options.open_or_create("/a", initial())), ErrorKind::InvalidName);
    }
}

#[test]
fn each_kind_can_be_created_and_opened() {
    for_each_kind(&CreateAndOpen);
}

struct OpenOther<'a> {
    dir: &'a TestDir,
    found: Kind,
}

impl Check for OpenOther<'_> {
    fn run<P: Primitive<Initial: Send>>(&self, asked: Kind, initial: &dyn Fn() -> P::Initial) {
        if asked == self.found {
            return;
        }
        let options = self.dir.options::<P>();
        let (found, wanted) = (self.found.as_str(), asked.as_str());
        let words = format!("it is of kind {found}, and {wanted} was asked for");
        assert_error(options.open(NAME), ErrorKind::WrongKind, &words);
        assert_error(options.open_or_create(NAME, initial()), ErrorKind::WrongKind, &words);
        assert_eq!(kind(options.create(NAME, initial())), ErrorKind::AlreadyExists);
    }
}

struct OpenAsOther;

impl Check for OpenAsOther {
    fn run<P: Primitive<Initial: Send>>(&self, found: Kind, initial: &dyn Fn() -> P::Initial) {
        let dir = TestDir::new();
        let _object = dir.options::<P>().create(NAME, initial()).unwrap();
        for_each_kind(&OpenOther { dir: &dir, found });
        let latest = Latest::<u64>::options().directory(dir.path());
        let words = format!("it is of kind {}, and latest was asked for", found.as_str());
        assert_error(latest.open(NAME), ErrorKind::WrongKind, &words);
        assert_error(latest.open_or_create(NAME), ErrorKind::WrongKind, &words);
        assert_eq!(kind(latest.create(NAME)), ErrorKind::AlreadyExists);
    }
}

#[test]
fn kinds_share_one_namespace_and_the_error_names_the_kind_found() {
    for_each_kind(&OpenAsOther);
    let dir = TestDir::new();
    let _latest = Latest::<u64>::options().directory(dir.path()).create(NAME).unwrap();
    for_each_kind(&OpenOther { dir: &dir, found: Kind::Latest });
}

struct Race;

impl Check for Race {
    fn run<P: Primitive<Initial: Send>>(&self, _: Kind, initial: &dyn Fn() -> P::Initial) {
        for _ in 0..20 {
            let dir = TestDir::new();
            let start = Start::new(3);
            std::thread::scope(|scope| {
                let created = [(); 3].map(|()| {
                    let (options, initial) = (dir.options::<P>(), [initial(), initial()]);
                    let start = &start;
                    scope.spawn(move || {
                        let [first, second] = initial;
                        start.wait();
                        let created = options.create(NAME, first).is_ok();
                        options.open_or_create(NAME, second).expect("one thread has created it");
                        created
                    })
                });
                let created = created.map(|it| it.join().unwrap());
                assert_eq!(created.into_iter().filter(|it| *it).count(), 1);
            });
        }
    }
}

#[test]
fn one_of_several_racing_creators_succeeds() {
    for_each_kind(&Race);
}

struct FillUp;

impl Check for FillUp {
    fn run<P: Primitive<Initial: Send>>(&self, _: Kind, initial: &dyn Fn() -> P::Initial) {
        let dir = TestDir::new();
        let options = dir.options::<P>().max_participants(3);
        let mut handles = vec![options.create(NAME, initial()).unwrap()];
        handles.extend([options.open(NAME), dir.options::<P>().open(NAME)].map(Result::unwrap));
        assert_error(options.open(NAME), ErrorKind::Full, "all 3 slots are taken");
        assert_eq!(kind(options.open_or_create(NAME, initial())), ErrorKind::Full);
        drop(handles.swap_remove(1));
        handles.push(options.open(NAME).expect("a slot is free"));
        let words = "max participants is 4 here and 3 in the object";
        let four = dir.options::<P>().max_participants(4);
        assert_error(four.open(NAME), ErrorKind::WrongOptions, words);
        assert_error(four.open_or_create(NAME, initial()), ErrorKind::WrongOptions, words);
    }
}

#[test]
fn the_creator_chooses_the_maximum_of_participants() {
    for_each_kind(&FillUp);
    let dir = TestDir::new();
    for participants in [0, 1025] {
        let options = dir.options::<Mutex>().max_participants(participants);
        let answer = options.create(NAME, NoData::default());
        assert_eq!(kind(answer), ErrorKind::InvalidArgument);
    }
    let options = dir.options::<RwLock<u64>>().max_participants(1024);
    let locks = [options.create(NAME, 1).unwrap(), options.open(NAME).unwrap()];
    assert_eq!(*locks[1].read().unwrap(), 1);
}

#[test]
fn different_initial_numbers_are_refused_with_both_numbers() {
    let dir = TestDir::new();
    let _all = (
        dir.options::<Semaphore>().create("semaphore", 3).unwrap(),
        dir.options::<Barrier>().create("barrier", 3).unwrap(),
        dir.options::<Latch>().create("latch", 3).unwrap(),
        dir.options::<(Mutex<u64>, [Semaphore; 2])>().create("group", (1, [2, 3])).unwrap(),
    );
    let words = "the initial number of permits is 4 here and 3 in the object";
    let answer = dir.options::<Semaphore>().open_or_create("semaphore", 4);
    assert_error(answer, ErrorKind::WrongOptions, words);
    let answer = dir.options::<(Mutex<u64>, [Semaphore; 2])>().open_or_create("group", (1, [2, 4]));
    assert_error(answer, ErrorKind::WrongOptions, words);
    let words = "the number of parties is 4 here and 3 in the object";
    let answer = dir.options::<Barrier>().open_or_create("barrier", 4);
    assert_error(answer, ErrorKind::WrongOptions, words);
    assert_error(dir.options::<Latch>().open_or_create("latch", 4), ErrorKind::WrongOptions, words);
    // Neither the current number of permits nor a value is compared.
    let semaphore = dir.options::<Semaphore>().open("semaphore").unwrap();
    semaphore.consume().unwrap();
    dir.options::<Semaphore>().open_or_create("semaphore", 3).unwrap();
    dir.options::<(Mutex<u64>, [Semaphore; 2])>().open_or_create("group", (9, [2, 3])).unwrap();
}

#[derive(Shareable, Clone, Copy, Debug, Default)]
#[repr(C)]
struct Pose {
    stamp_ns: u64,
    heading: f32,
    parked: bool,
}

#[derive(Shareable, Clone, Copy, Debug, Default)]
#[repr(C)]
struct Turned {
    stamp_ns: u64,
    heading: f64,
    parked: bool,
}

#[test]
fn another_type_is_refused_with_the_first_field_that_differs() {
    let dir = TestDir::new();
    let _mutex = dir.options::<Mutex<Pose>>().create("mutex", Pose::default()).unwrap();
    let _lock = dir.options::<RwLock<Pose>>().create("rwlock", Pose::default()).unwrap();
    let assert_wrong =
        |answer: shmkit::Result<()>| assert_error(answer, ErrorKind::WrongType, "heading");
    let turned = dir.options::<Mutex<Turned>>();
    assert_wrong(turned.open("mutex").map(drop));
    assert_wrong(dir.options::<RwLock<Turned>>().open("rwlock").map(drop));
    assert_wrong(turned.open_or_create("mutex", Turned::default()).map(drop));
    let error = turned.open("mutex").unwrap_err().to_string();
    assert!(error.starts_with(r#"cannot open "mutex": "#), "{error}");
    assert!(error.contains("f32") && error.contains("f64"), "{error}");
    assert_eq!(kind(dir.options::<Mutex<u64>>().open("mutex")), ErrorKind::WrongType);
    assert_eq!(kind(dir.options::<Mutex>().open("mutex")), ErrorKind::WrongType);

    let _group = dir.options::<(Mutex<u64>, Condvar)>().create("group", (1, ())).unwrap();
    assert_eq!(kind(dir.options::<(Mutex<u64>,)>().open("group")), ErrorKind::WrongType);
    assert_eq!(kind(dir.options::<(Condvar, Mutex<u64>)>().open("group")), ErrorKind::WrongType);
    assert_eq!(kind(dir.options::<(Mutex<u32>, Condvar)>().open("group")), ErrorKind::WrongType);
    let wider = dir.options::<(Mutex<u64>, Condvar, Once)>().open_or_create("group", (1, (), ()));
    assert_eq!(kind(wider), ErrorKind::WrongType);
    dir.options::<(Mutex<u64>, Condvar)>().open("group").unwrap();
}

#[test]
fn chosen_options_must_match_and_others_are_not_compared() {
    let dir = TestDir::new();
    let options = dir.options::<Semaphore>().lifetime(Lifetime::WhileUsed).access(Access::Everyone);
    let semaphore = options.create(NAME, 1).unwrap();
    dir.options::<Semaphore>().open(NAME).unwrap();
    let other = dir.options::<Semaphore>().lifetime(Lifetime::Persistent);
    let words = "lifetime is persistent here and while used in the object";
    assert_error(other.open(NAME), ErrorKind::WrongOptions, words);
    let other = dir.options::<Semaphore>().access(Access::Owner);
    assert_eq!(kind(other.open_or_create(NAME, 1)), ErrorKind::WrongOptions);
    drop(semaphore);
    assert_eq!(kind(options.open(NAME)), ErrorKind::NotFound, "the last handle removed it");
}

#[test]
fn a_removed_name_can_be_reused_and_the_old_object_is_closed() {
    let dir = TestDir::new();
    let options = dir.options::<Mutex<u64>>();
    let [old, other] = dir.two_handles::<Mutex<u64>>(NAME, 1);
    let guard = old.lock().unwrap();
    options.remove(NAME).unwrap();
    let new = dir.options::<Semaphore>().create(NAME, 1).expect("the name is free for any kind");
    drop(guard);
    assert_eq!(kind(other.lock()), ErrorKind::Closed);
    drop((old, other));
    drop(new.acquire().unwrap());
    assert_eq!(dir.options::<Semaphore>().open(NAME).unwrap().available(), 1);
}

#[test]
fn the_aliases_name_the_same_types() {
    let dir = TestDir::new();
    let mutex: shmkit::sync::named::Mutex<u64> =
        dir.options::<Mutex<u64>>().create(NAME, 1).unwrap();
    let same: Object<Mutex<u64>> = mutex;
    assert!(format!("{same:?}").contains(NAME));
}

#[test]
fn opening_waits_for_a_slot_and_follows_the_name() {
    let dir = TestDir::new();
    let options = dir.options::<Event>().max_participants(1);
    let first = options.create(NAME, Reset::Manual).unwrap();
    assert_error(options.clone().slot_timeout(SHORT).open(NAME), ErrorKind::Full, "all 1 slots");
    let waiting = options.clone().slot_timeout(Duration::MAX);
    let await_reader = || {
        while inspect::describe(dir.path(), NAME, Trust::Own).unwrap().readers == 0 {
            std::thread::yield_now();
        }
    };
    std::thread::scope(|scope| {
        let second = scope.spawn(|| drop(waiting.open(NAME).unwrap()));
        await_reader();
        drop(first);
        second.join().unwrap();
    });
    let old = options.open(NAME).unwrap();
    std::thread::scope(|scope| {
        let new = scope.spawn(|| waiting.open_or_create(NAME, Reset::Manual).unwrap());
        await_reader();
        options.remove(NAME).unwrap();
        new.join().unwrap().set().unwrap();
    });
    assert_eq!(old.set().unwrap_err().kind(), ErrorKind::Closed, "it is another object");
}
