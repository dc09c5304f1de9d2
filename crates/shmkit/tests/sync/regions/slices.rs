//! Boxed slices of primitives, whose number is known at run time only: in memory and under a name.

use shmkit::inspect;
use shmkit::memory::Trust;
use shmkit::sync::{Barrier, Event, Latch, Mutex, Reset, Semaphore};
use shmkit::{ErrorKind, Kind, Object, Options};

use super::{Guarded, anonymous};
use crate::test_dir::{SHORT, TIMEOUT, TestDir, assert_error, kind};

type Semaphores = Box<[Semaphore]>;

const NAME: &str = "places";
/// How many items the slices have.
const ITEMS: usize = 1_000;
/// The most items that a slice can have.
const MAX_ITEMS: usize = 1 << 20;

/// How a slice is created and opened under a name.
fn options(dir: &TestDir) -> Options<Semaphores> {
    Object::options().directory(dir.path())
}

/// Semaphore `n` has `n + 1` permits. Each handle sees what the other one holds.
fn check_each(handles: [&[Semaphore]; 2]) {
    assert_eq!(handles.map(<[_]>::len), [ITEMS; 2]);
    for (index, (one, other)) in handles[0].iter().zip(handles[1]).enumerate() {
        assert_eq!(other.available(), index as u64 + 1);
        one.acquire().unwrap().forget();
    }
    let permits: Vec<_> = handles[1][1..].iter().map(|it| it.acquire().unwrap()).collect();
    for (index, semaphore) in handles[0].iter().enumerate() {
        assert_eq!(semaphore.available(), (index as u64).saturating_sub(1));
    }
    drop(permits);
    assert_eq!(kind(handles[1][0].acquire_timeout(SHORT)), ErrorKind::TimedOut);
    assert!(handles[0].iter().enumerate().all(|(index, it)| it.available() == index as u64));
}

#[test]
fn a_slice_is_opened_without_knowing_the_number_of_its_items() {
    let permits: Vec<u32> = (1..=ITEMS as u32).collect();
    let memory = anonymous(Object::<Semaphores>::options().size_in_memory(&permits).unwrap());
    let created = Object::<Semaphores>::create_in(&memory, 0, permits.clone()).unwrap();
    let opened = Object::<Semaphores>::open_in(&memory, 0).unwrap();
    check_each([&created, &opened]);

    let dir = TestDir::new();
    let created = options(&dir).create(NAME, permits.clone()).unwrap();
    let opened = options(&dir).open(NAME).unwrap();
    check_each([&created, &opened]);
    let again = options(&dir).open_or_create(NAME, permits).unwrap();
    assert_eq!((again.len(), again[ITEMS - 1].available()), (ITEMS, ITEMS as u64 - 1));
    drop((created, opened, again));
    Object::<Semaphores>::options().directory(dir.path()).remove(NAME).unwrap();
    let other = options(&dir).open_or_create(NAME, vec![5]).unwrap();
    assert_eq!((other.len(), other[0].available()), (1, 5));
}

#[test]
fn another_number_of_items_is_refused_with_both_numbers() {
    let dir = TestDir::new();
    let _slice = options(&dir).create(NAME, vec![1; 3]).unwrap();
    for number in [1, 2, 4] {
        let message = format!(
            r#"cannot open or create "{NAME}": the number of items is {number} here and 3 in the object"#
        );
        let answer = options(&dir).open_or_create(NAME, vec![1; number]);
        assert_error(answer, ErrorKind::WrongOptions, &message);
    }
    let message = "the initial number of permits is 2 here and 1 in the object";
    let answer = options(&dir).open_or_create(NAME, vec![1, 1, 2]);
    assert_error(answer, ErrorKind::WrongOptions, message);
    options(&dir).open_or_create(NAME, vec![1; 3]).unwrap();
}

#[test]
fn an_invalid_number_of_items_is_refused() {
    let dir = TestDir::new();
    let memory = anonymous(1 << 20);
    for number in [0, MAX_ITEMS + 1] {
        let message = format!("{number} items were asked for; 1 to {MAX_ITEMS} are allowed");
        let permits = vec![1; number];
        let answers = [
            options(&dir).create(NAME, permits.clone()).map(drop),
            options(&dir).open_or_create(NAME, permits.clone()).map(drop),
            options(&dir).create_in(&memory, 0, permits.clone()).map(drop),
            options(&dir).size_in_memory(&permits).map(drop),
        ];
        for answer in answers {
            assert_error(answer, ErrorKind::InvalidArgument, &message);
        }
    }
    let answer = Object::<Box<[Barrier]>>::create_in(&memory, 0, vec![1, 0, 1]);
    assert_eq!(kind(answer), ErrorKind::InvalidArgument, "a barrier without parties");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    options(&dir).create_in(&memory, 0, vec![1]).expect("nothing was written");
}

#[test]
fn types_that_are_nested_too_deep_to_be_described_are_refused() {
    type Nested<P> = [[[[P; 1]; 1]; 1]; 1];
    type Deep = Nested<Nested<Nested<[[Semaphore; 1]; 1]>>>;
    type TooDeep = [Deep; 1];
    let dir = TestDir::new();
    let initial = [[[[[[[[[[[[[[7]]]]]]]]]]]]]];
    let object = dir.options::<Deep>().create("deep", initial).unwrap();
    assert_eq!(object[0][0][0][0][0][0][0][0][0][0][0][0][0][0].available(), 7);
    let seen = inspect::describe(dir.path(), "deep", Trust::Own).unwrap();
    assert_eq!(seen.parts[0].number, ["0"; 14].join("."));
    let answer = dir.options::<TooDeep>().create("too deep", [initial]);
    let message = "its types cannot be described: ";
    assert_error(answer, ErrorKind::InvalidArgument, message);
    assert_eq!(kind(dir.options::<TooDeep>().open("deep")), ErrorKind::WrongType);
}

#[test]
fn items_far_from_each_other_begin_as_they_should() {
    let dir = TestDir::new();
    let permits: Vec<u32> = (1..=20).collect();
    for participants in [1, 64, 1024] {
        let options = options(&dir).max_participants(participants);
        let named = options.create(&participants.to_string(), permits.clone()).unwrap();
        let memory = anonymous(options.size_in_memory(&permits).unwrap());
        let unnamed = options.create_in(&memory, 0, permits.clone()).unwrap();
        for slice in [named, unnamed] {
            assert!(slice.iter().zip(&permits).all(|(it, has)| it.available() == u64::from(*has)));
        }
    }
}

#[test]
fn a_slice_differs_from_other_objects() {
    let dir = TestDir::new();
    let _slice = options(&dir).create("slice", vec![1; 3]).unwrap();
    let events = Object::<Box<[Event]>>::options().directory(dir.path());
    let answers = [
        events.open("slice").map(drop),
        events.open_or_create("slice", vec![Reset::Manual; 3]).map(drop),
        events.open_or_create("slice", vec![Reset::Manual; 4]).map(drop),
        dir.options::<[Semaphore; 4]>().open("slice").map(drop),
        dir.options::<(Semaphore, Semaphore, Semaphore)>().open("slice").map(drop),
    ];
    for answer in answers {
        assert_eq!(kind(answer), ErrorKind::WrongType);
    }
    let semaphore = dir.options::<Semaphore>();
    assert_eq!(kind(semaphore.open("slice")), ErrorKind::WrongKind);
    assert_eq!(kind(semaphore.open_or_create("slice", 1)), ErrorKind::WrongKind);

    let _semaphore = semaphore.create("semaphore", 1).unwrap();
    let _array = dir.options::<[Semaphore; 3]>().create("array", [1; 3]).unwrap();
    let _tuple = dir.options::<(Semaphore, Event)>().create("tuple", (1, Reset::Manual)).unwrap();
    for (name, expected) in [
        ("semaphore", ErrorKind::WrongKind),
        ("array", ErrorKind::WrongType),
        ("tuple", ErrorKind::WrongType),
    ] {
        assert_eq!(kind(options(&dir).open(name)), expected, "{name}");
        for items in [1, 3] {
            let answer = options(&dir).open_or_create(name, vec![1; items]);
            assert_eq!(kind(answer), expected, "{name}");
        }
    }
}

#[test]
fn the_items_of_a_slice_can_be_groups() {
    const PAIRS: u64 = 40;
    let initial: Vec<_> = (0..PAIRS).map(|index| (index, ())).collect();
    let options = Object::<Box<[Guarded]>>::options();
    let memory = anonymous(128 + options.size_in_memory(&initial).unwrap());
    let pairs = options.create_in(&memory, 128, initial).unwrap();
    let others = Object::<Box<[Guarded]>>::open_in(&memory, 128).unwrap();
    assert_eq!(others.len() as u64, PAIRS);
    std::thread::scope(|scope| {
        for ((mutex, changed), index) in others.iter().zip(0..) {
            scope.spawn(move || {
                let value = mutex.lock().unwrap();
                let is_old = |value: &mut u64| *value < PAIRS + index;
                let (value, result) = changed.wait_timeout_while(value, TIMEOUT, is_old).unwrap();
                assert!(!result.timed_out() && *value == PAIRS + index);
            });
        }
        for (mutex, changed) in pairs.iter().rev() {
            *mutex.lock().unwrap() += PAIRS;
            changed.notify_all().unwrap();
        }
    });

    type Nested = Box<[([Semaphore; 2], (Latch, Mutex<[u64; 40]>))]>;
    let initial: Vec<_> = (0..9).map(|it| ([it, it + 1], (2, [it.into(); 40]))).collect();
    let options = Object::<Nested>::options().max_participants(3);
    let memory = anonymous(options.size_in_memory(&initial).unwrap());
    let nested = options.create_in(&memory, 0, initial).unwrap();
    let other = Object::<Nested>::open_in(&memory, 0).unwrap();
    for (index, (semaphores, (latch, mutex))) in (0..).zip(&other[..]) {
        assert_eq!(semaphores.each_ref().map(Semaphore::available), [index, index + 1]);
        assert_eq!(kind(latch.wait_timeout(SHORT)), ErrorKind::TimedOut);
        assert_eq!(*mutex.lock().unwrap(), [index; 40]);
        *mutex.lock().unwrap() = [u64::MAX; 40];
        assert_eq!(*nested[index as usize].1.1.lock().unwrap(), [u64::MAX; 40]);
    }
}

#[test]
fn a_description_numbers_the_items_of_a_slice() {
    let dir = TestDir::new();
    let slice = options(&dir).create(NAME, vec![2; ITEMS]).unwrap();
    let _permits = [0, 7, 7, 999].map(|index| slice[index].acquire().unwrap());
    let seen = inspect::describe(dir.path(), NAME, Trust::Own).unwrap();
    assert!(seen.kind == Kind::Group && seen.is_sound());
    assert!(seen.parts.iter().all(|it| it.kind == Kind::Semaphore));
    let expected: Vec<_> = (0..ITEMS).map(|index| index.to_string()).collect();
    let numbers: Vec<_> = seen.parts.iter().map(|it| it.number.as_str()).collect();
    assert_eq!(numbers, expected);
    for (index, part) in seen.parts.iter().enumerate() {
        let held = match index {
            0 | 999 => 1,
            7 => 2,
            _ => 0,
        };
        assert_eq!(part.state.number("available"), Some(2 - held), "part {index}");
        let counts: Vec<_> = part.state.holders.iter().map(|it| it.count).collect();
        assert_eq!(counts, if held > 0 { vec![held] } else { Vec::new() }, "part {index}");
    }
    assert_eq!(seen.holders().count(), 3);
    assert!(seen.holders().all(|it| it.pid == Some(std::process::id()) && it.is_alive));
    assert!(seen.participants.len() == 1 && seen.participants[0].is_holder);
}

#[test]
fn a_description_of_many_items_shows_the_first_ones() {
    const MANY: usize = 70_000;
    /// The most parts that are described.
    const SHOWN: usize = 65_536;
    let dir = TestDir::new();
    let options = Object::<Box<[Mutex<u8>]>>::options().directory(dir.path());
    let locks = options.max_participants(1).create(NAME, vec![0; MANY]).unwrap();
    let _guards = [0, SHOWN - 1, MANY - 1].map(|index| locks[index].lock().unwrap());
    let seen = inspect::describe(dir.path(), NAME, Trust::Own).unwrap();
    assert!(seen.is_sound());
    assert_eq!(seen.parts.len(), SHOWN);
    assert_eq!(seen.holders().count(), 2);
}

#[test]
fn waiters_of_all_items_learn_of_the_end() {
    let dir = TestDir::new();
    let slice = options(&dir).create(NAME, vec![0; ITEMS]).unwrap();
    let waits = [0, 1, ITEMS / 2, ITEMS - 1].map(|index| {
        let semaphore = &slice[index];
        move || kind(semaphore.acquire())
    });
    dir.remove_while_waiting::<Semaphore, _>(NAME, waits);
    assert!(slice.iter().all(|it| kind(it.post(1)) == ErrorKind::Closed));
}
