//! Objects in memory, without a name: where they can be, what is refused, and that several of them
//! do not disturb each other.

mod slices;

use std::mem::forget;
use std::sync::Barrier as Start;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Instant;

use shmkit::memory::{Region, SharedMemory};
use shmkit::sync::{
    Barrier, Condvar, Event, Latch, LockError, Mutex, NoData, ReentrantMutex, Reset, RwLock,
    Semaphore,
};
use shmkit::{ErrorKind, Object, Primitive, Shareable};

use crate::test_dir::{TIMEOUT, TestDir, assert_error, kind};

type Guarded = (Mutex<u64>, Condvar);

/// How the place of an object is aligned.
const ALIGN: u64 = 128;
/// Where the header says where the payload is: see FORMAT.md.
const PAYLOAD: usize = 128;
/// Where the header says how many bytes the payload has.
const PAYLOAD_SIZE: usize = 136;
/// Where the first record of a condition is in the payload.
const FIRST_RECORD: usize = 128;

/// Memory under a name of its own, which is removed with this value.
struct NamedMemory(SharedMemory);

impl NamedMemory {
    fn new(size: u64) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        // ORDERING: Relaxed; the count only needs to differ each time.
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("shmkit-objects-{}-{count}", std::process::id());
        Self(SharedMemory::create(&name, size).unwrap())
    }

    fn name(&self) -> &str {
        self.0.name().unwrap()
    }
}

impl Drop for NamedMemory {
    fn drop(&mut self) {
        // On Windows the name goes with the memory.
        let _ = SharedMemory::remove(self.name());
    }
}

/// Memory without a name, of at least `size` bytes: where memory is whole pages it has more.
fn anonymous(size: u64) -> SharedMemory {
    SharedMemory::anonymous(size).unwrap()
}

fn guarded_size() -> u64 {
    Object::<Guarded>::options().size_in_memory(&(0, ())).unwrap()
}

/// The number at a place in the object with which the region begins.
fn number_at(region: &Region, place: usize) -> u64 {
    let mut bytes = [0; 8];
    region.read_at(place, &mut bytes).unwrap();
    u64::from_le_bytes(bytes)
}

/// Two threads take turns by the condition, each with a handle of its own.
fn take_turns(memory: &SharedMemory, offset: u64) {
    const ROUNDS: u64 = 200;
    let first = Object::<Guarded>::create_in(memory, offset, (0, ())).unwrap();
    let second = Object::<Guarded>::open_in(memory, offset).unwrap();
    assert_eq!([first.was_created(), second.was_created()], [true, false]);
    thread::scope(|scope| {
        for (parity, (mutex, turn)) in [(0, &*first), (1, &*second)] {
            scope.spawn(move || {
                for _ in 0..ROUNDS {
                    let rounds = mutex.lock().unwrap();
                    let not_mine = |rounds: &mut u64| *rounds % 2 != parity;
                    let waited = turn.wait_timeout_while(rounds, TIMEOUT, not_mine);
                    let (mut rounds, result) = waited.unwrap();
                    assert!(!result.timed_out());
                    *rounds += 1;
                    turn.notify_one().unwrap();
                }
            });
        }
    });
    assert_eq!(*first.0.lock().unwrap(), 2 * ROUNDS);
}

#[test]
fn a_mutex_and_a_condition_work_in_memory_with_and_without_a_name() {
    let named = NamedMemory::new(ALIGN + guarded_size());
    take_turns(&named.0, ALIGN);
    let again = SharedMemory::open(named.name()).unwrap();
    let object = Object::<Guarded>::open_in(&again, ALIGN).unwrap();
    assert_eq!(object.name(), format!("{} at byte 128", named.name()));
    assert_eq!(*object.0.lock().unwrap(), 400, "it is in the memory, not in the handle");
    drop((again, named));
    *object.0.lock().expect("the object needs neither the name nor a handle") = 1;

    let anonymous = anonymous(guarded_size());
    take_turns(&anonymous, 0);
    let object = Object::<Guarded>::open_in(&anonymous, 0).unwrap();
    assert_eq!(object.name(), "<anonymous> at byte 0");
}

#[test]
fn objects_in_one_memory_do_not_change_each_other() {
    let options = Object::<Guarded>::options().max_participants(2);
    let size = options.size_in_memory(&(0, ())).unwrap();
    let memory = anonymous(size * 5);
    // The object in the middle comes last.
    let offsets = [0, 1, 3, 4, 2].map(|index| index * size);
    let objects = offsets.map(|it| options.create_in(&memory, it, (it, ())).unwrap());
    for (object, offset) in objects.iter().zip(offsets) {
        let mut value = object.0.lock().unwrap();
        assert_eq!(*value, offset);
        *value += 1;
        object.1.notify_all().unwrap();
    }
    for (index, object) in objects.iter().enumerate() {
        let _guard = object.0.lock().unwrap();
        let free = objects.iter().filter(|it| it.0.try_lock().unwrap().is_some()).count();
        assert_eq!(free, 4, "while number {index} is locked");
    }
    objects[0].close().unwrap();
    assert_eq!(kind(objects[0].0.lock()), ErrorKind::Closed);
    for (object, offset) in objects.iter().zip(offsets).skip(1) {
        assert_eq!(*object.0.lock().unwrap(), offset + 1);
    }
}

#[test]
fn leaving_one_object_frees_no_slot_of_another() {
    let options = Object::<Mutex<u64>>::options().max_participants(2);
    let size = options.size_in_memory(&0).unwrap();
    let memory = anonymous(2 * size);
    let open = |offset| Object::<Mutex<u64>>::open_in(&memory, offset);
    let first = options.create_in(&memory, 0, 0).unwrap();
    let second = [options.create_in(&memory, size, 0), open(size)].map(Result::unwrap);
    let full = || assert_error(open(size), ErrorKind::Full, "all 2 slots are taken");
    full();
    let guard = second[0].lock().unwrap();
    let other = open(0).unwrap();
    assert_eq!(kind(open(0)), ErrorKind::Full);
    drop((first, other));
    full();
    assert!(second[1].try_lock().unwrap().is_none(), "the holder lives");
    drop(guard);
    assert_eq!([0, 0].map(|offset| open(offset).is_ok()), [true; 2]);
    let [kept, dropped] = second;
    drop(dropped);
    let _again = open(size).expect("one slot is free");
    full();
    drop(kept.lock().expect("no process died"));
}

#[test]
fn the_holder_that_left_with_the_lock_is_reported_to_the_next_locker() {
    let memory = anonymous(guarded_size());
    let object = Object::<Guarded>::create_in(&memory, 0, (3, ())).unwrap();
    let leaving = Object::<Guarded>::open_in(&memory, 0).unwrap();
    std::mem::forget(leaving.0.lock().unwrap());
    assert!(object.0.try_lock().unwrap().is_none());
    drop(leaving);
    match object.0.lock() {
        Err(LockError::OwnerDied(value)) => assert_eq!(*value, 3),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_size_in_memory_is_exact() {
    let options = Object::<Guarded>::options().max_participants(7);
    let size = options.size_in_memory(&(0, ())).unwrap();
    let memory = anonymous(3 * ALIGN + size);
    let offset = memory.size().unwrap() - size;
    assert_eq!(offset % ALIGN, 0, "objects can follow each other");
    let before = memory.region().length(offset as usize).map().unwrap();
    before.fill(.., 0xff).unwrap();
    let too_far = options.create_in(&memory, offset + ALIGN, (0, ()));
    let (at, all) = (offset + ALIGN, offset + size);
    let message =
        format!("{size} bytes at {at} are outside its {all} bytes: `size_in_memory` returns");
    assert_error(too_far, ErrorKind::OutOfRange, &message);
    let object = options.create_in(&memory, offset, (7, ())).unwrap();
    let other = Object::<Guarded>::open_in(&memory, offset).unwrap();
    assert_eq!(*other.0.lock().unwrap(), 7);
    drop((object, other));
    let mut bytes = vec![0; offset as usize];
    before.read_at(0, &mut bytes).unwrap();
    assert!(bytes.iter().all(|it| *it == 0xff), "what is before the object stays");

    let region = memory.region().offset(offset).map().unwrap();
    let [payload, payload_size] = [PAYLOAD, PAYLOAD_SIZE].map(|it| number_at(&region, it));
    assert_eq!(payload + payload_size, size, "its payload ends where the object does");

    let memory = anonymous(2 * size);
    let behind = memory.region().offset(size).map().unwrap();
    behind.fill(.., 0xff).unwrap();
    options.create_in(&memory, 0, (7, ())).unwrap();
    let mut bytes = vec![0; behind.len()];
    behind.read_at(0, &mut bytes).unwrap();
    assert!(bytes.iter().all(|it| *it == 0xff), "what is behind the object stays");
    assert_eq!(
        kind(options.clone().max_participants(8).create_in(&memory, 0, (7, ()))),
        ErrorKind::AlreadyExists
    );
}

#[test]
fn an_object_is_created_where_the_memory_is_zero() {
    let options = Object::<Guarded>::options();
    let size = guarded_size();
    let memory = anonymous(2 * size);
    let object = options.create_in(&memory, 0, (7, ())).unwrap();
    let mut before = vec![0; size as usize];
    let region = memory.map().unwrap();
    region.read_at(0, &mut before).unwrap();
    // Some of these places begin with zeros. Behind the last one the memory is zero.
    let used = before.iter().rposition(|byte| *byte != 0).unwrap();
    for offset in (0..=used as u64).step_by(ALIGN as usize) {
        let answer = options.create_in(&memory, offset, (8, ()));
        let message = format!(r#"cannot create "<anonymous> at byte {offset}": "#);
        assert_error(answer, ErrorKind::AlreadyExists, &message);
    }
    let mut after = vec![0; size as usize];
    region.read_at(0, &mut after).unwrap();
    assert!(before == after, "the object is as it was");
    assert_eq!(*object.0.lock().unwrap(), 7);

    for byte in [8, size as usize - 1] {
        region.fill(size as usize.., 0).unwrap();
        region.write_at(size as usize + byte, &[1]).unwrap();
        assert_eq!(kind(options.create_in(&memory, size, (8, ()))), ErrorKind::AlreadyExists);
    }
    region.fill(size as usize.., 0).unwrap();
    options.create_in(&memory, size, (8, ())).expect("the memory is zero");
}

#[test]
fn one_of_several_racing_creators_succeeds() {
    let options = Object::<Guarded>::options();
    for _ in 0..50 {
        let memory = anonymous(guarded_size());
        let start = Start::new(3);
        let created = thread::scope(|scope| {
            let creators = [1, 2, 3].map(|number| {
                let (options, memory, start) = (&options, &memory, &start);
                scope.spawn(move || {
                    start.wait();
                    match options.create_in(memory, 0, (number, ())) {
                        Ok(object) => Some((number, object)),
                        Err(error) => {
                            assert_eq!(error.kind(), ErrorKind::AlreadyExists, "{error}");
                            None
                        }
                    }
                })
            });
            creators.map(|it| it.join().unwrap())
        });
        let mut created = created.into_iter().flatten();
        let (number, object) = created.next().expect("one of them creates it");
        assert!(created.next().is_none(), "two of them created it");
        assert_eq!(*object.0.lock().unwrap(), number);
    }
}

#[derive(Shareable, Clone, Copy, Debug, Default)]
#[repr(C)]
struct Pose {
    stamp_ns: u64,
    heading: f32,
}

#[derive(Shareable, Clone, Copy, Debug, Default)]
#[repr(C)]
struct Turned {
    stamp_ns: u64,
    heading: f64,
}

#[test]
fn what_is_no_such_object_is_refused() {
    let size = Object::<Mutex<Pose>>::options().size_in_memory(&Pose::default()).unwrap();
    let memory = anonymous(3 * size);
    let zeros = Object::<Mutex<Pose>>::open_in(&memory, 0);
    let message = r#"cannot open "<anonymous> at byte 0": no object is at byte 0 of the memory"#;
    assert_error(zeros, ErrorKind::NotFound, message);
    memory.region().offset(size).map().unwrap().fill(.., 7).unwrap();
    let garbage = Object::<Mutex<Pose>>::open_in(&memory, size);
    assert_error(garbage, ErrorKind::WrongKind, "it is not a shmkit object");
    let over_garbage = Object::<Mutex<Pose>>::create_in(&memory, size, Pose::default());
    assert_error(
        over_garbage,
        ErrorKind::AlreadyExists,
        &format!(r#" at byte {size}": the memory is not zero"#),
    );

    let _object = Object::<Mutex<Pose>>::create_in(&memory, 0, Pose::default()).unwrap();
    let again = Object::<Mutex<Pose>>::create_in(&memory, 0, Pose::default());
    assert_error(again, ErrorKind::AlreadyExists, r#"cannot create "<anonymous> at byte 0": "#);
    let other = Object::<Mutex<Turned>>::open_in(&memory, 0);
    let message = r#"cannot open "<anonymous> at byte 0": field Turned.heading is f64"#;
    assert_error(other, ErrorKind::WrongType, message);
    let other = Object::<RwLock<Pose>>::open_in(&memory, 0);
    assert_error(other, ErrorKind::WrongKind, "it is of kind mutex, and rwlock was asked for");
    assert_eq!(kind(Object::<(Mutex<Pose>,)>::open_in(&memory, 0)), ErrorKind::WrongKind);
    Object::<Mutex<Pose>>::open_in(&memory, 0).expect("the object is as it was");
}

#[test]
fn an_object_whose_memory_ends_early_is_refused() {
    let size = guarded_size();
    let memory = anonymous(2 * size);
    drop(Object::<Guarded>::create_in(&memory, 0, (0, ())).unwrap());
    let mut bytes = vec![0; size as usize];
    memory.map().unwrap().read_at(0, &mut bytes).unwrap();
    let end = memory.size().unwrap();
    for length in (ALIGN..size).step_by(ALIGN as usize) {
        let region = memory.region().offset(end - length).map().unwrap();
        region.write_at(0, &bytes[..length as usize]).unwrap();
        let answer = Object::<Guarded>::open_in(&memory, end - length);
        assert_eq!(kind(answer), ErrorKind::Corrupt, "{length} of {size} bytes");
    }
    assert_eq!(kind(Object::<Guarded>::open_in(&memory, end)), ErrorKind::OutOfRange);
    // A copy of a whole object is one.
    memory.region().offset(end - size).map().unwrap().write_at(0, &bytes).unwrap();
    Object::<Guarded>::open_in(&memory, end - size).unwrap();
    if cfg!(target_os = "linux") {
        memory.set_size(4).unwrap();
        assert_eq!(kind(Object::<Guarded>::open_in(&memory, 0)), ErrorKind::OutOfRange);
        memory.set_size(0).unwrap();
        assert_eq!(kind(Object::<Guarded>::open_in(&memory, 0)), ErrorKind::InvalidArgument);
    }
}

#[test]
fn an_offset_is_a_multiple_of_128_within_the_memory() {
    let memory = anonymous(4 * guarded_size());
    let create = |offset| Object::<Guarded>::create_in(&memory, offset, (0, ()));
    let open = |offset| Object::<Guarded>::open_in(&memory, offset);
    for offset in [1, 8, 64, 127, 129, u64::MAX] {
        let why = format!("an object begins at a multiple of 128 bytes, and not at {offset}");
        assert_error(create(offset), ErrorKind::InvalidArgument, &why);
        assert_error(open(offset), ErrorKind::InvalidArgument, &why);
    }
    for offset in [memory.size().unwrap().next_multiple_of(ALIGN), 1 << 62, u64::MAX - 127] {
        assert_eq!(kind(create(offset)), ErrorKind::OutOfRange);
        assert_eq!(kind(open(offset)), ErrorKind::OutOfRange);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn an_object_ends_where_there_are_locks_for_it() {
    const MAX_END: u64 = 1 << 60;
    let file = tempfile::tempfile_in("/dev/shm").unwrap();
    file.set_len(1 << 62).unwrap();
    let memory = SharedMemory::from_file(file).unwrap();
    let last = (MAX_END - guarded_size()) / ALIGN * ALIGN;
    let why = "the last with locks";
    for offset in [last + ALIGN, MAX_END, 1 << 61, (1 << 61) + MAX_END] {
        let created = Object::<Guarded>::create_in(&memory, offset, (0, ()));
        assert_error(created, ErrorKind::OutOfRange, why);
    }
    assert_error(Object::<Guarded>::open_in(&memory, MAX_END), ErrorKind::OutOfRange, why);
    let object = Object::<Guarded>::create_in(&memory, last, (7, ())).unwrap();
    assert_eq!(*object.0.lock().unwrap(), 7);
}

#[test]
fn memory_that_can_only_be_read_holds_no_object() {
    let named = NamedMemory::new(2 * guarded_size());
    let object = Object::<Guarded>::create_in(&named.0, 0, (7, ())).unwrap();
    let memory = SharedMemory::options().read_only().open(named.name()).unwrap();
    let why = "open for reading";
    assert_error(Object::<Guarded>::open_in(&memory, 0), ErrorKind::PermissionDenied, why);
    let answer = Object::<Guarded>::create_in(&memory, guarded_size(), (7, ()));
    assert_error(answer, ErrorKind::PermissionDenied, why);
    assert_eq!(*object.0.lock().unwrap(), 7);
    Object::<Guarded>::create_in(&named.0, guarded_size(), (8, ())).expect("nothing was written");
}

#[test]
fn the_number_of_participants_is_limited() {
    let options = Object::<Event>::options().max_participants(3);
    let memory = anonymous(options.size_in_memory(&Reset::Manual).unwrap());
    let mut objects = vec![options.create_in(&memory, 0, Reset::Manual).unwrap()];
    let open = || Object::<Event>::open_in(&memory, 0);
    objects.extend([open(), open()].map(Result::unwrap));
    let message = r#"cannot open "<anonymous> at byte 0": all 3 slots are taken"#;
    assert_error(open(), ErrorKind::Full, message);
    objects.swap_remove(1);
    objects.push(open().expect("a slot is free"));
    assert_eq!(kind(open()), ErrorKind::Full);
    for participants in [0, 1025] {
        let options = Object::<Event>::options().max_participants(participants);
        assert_eq!(kind(options.size_in_memory(&Reset::Manual)), ErrorKind::InvalidArgument);
        let answer = options.create_in(&anonymous(1 << 20), 0, Reset::Manual);
        assert_eq!(kind(answer), ErrorKind::InvalidArgument);
    }
    for participants in [0, 1025, u32::MAX] {
        let options = Object::<Box<[Semaphore]>>::options().max_participants(participants);
        let message = format!("{participants} participants were asked for; 1 to 1024 are allowed");
        let size = options.size_in_memory(&vec![1; 2]);
        assert_error(size, ErrorKind::InvalidArgument, &message);
        let answer = Object::<Semaphore>::options().max_participants(participants).create("no", 1);
        assert_error(answer, ErrorKind::InvalidArgument, &message);
    }
    assert_eq!(kind(Object::<Barrier>::create_in(&memory, 0, 0)), ErrorKind::InvalidArgument);
    assert_eq!(kind(Object::<Barrier>::options().size_in_memory(&0)), ErrorKind::InvalidArgument);
}

/// Ends objects while a thread sleeps in each, which must learn of it. Returns how many times it
/// learned by itself, at the end of a slice, and not by a wake.
///
/// `hold` acquires what `wait` waits for. `sleeps_at` is the place in the payload of the word that
/// the thread sleeps on.
fn end_while_waiting<P: Primitive<Initial: Copy> + Sync>(
    initial: P::Initial,
    hold: fn(&P),
    wait: fn(&P) -> ErrorKind,
    sleeps_at: usize,
) -> u64 {
    const CLOSED: u64 = 1;
    const ASLEEP: u64 = 2;
    let memory = anonymous(Object::<P>::options().size_in_memory(&initial).unwrap());
    let object = Object::<P>::create_in(&memory, 0, initial).unwrap();
    let other = Object::<P>::open_in(&memory, 0).unwrap();
    let region = memory.map().unwrap();
    let payload = number_at(&region, PAYLOAD) as usize;
    // ORDERING: Relaxed; nothing is read by it.
    let word = |place| region.words(payload + place, 1).unwrap()[0].load(Ordering::Relaxed);
    hold(&other);
    let late = thread::scope(|scope| {
        let waiting = scope.spawn(|| (wait(&object), shmkit::crash::late_finds_of_thread()));
        let start = Instant::now();
        while word(sleeps_at) & ASLEEP == 0 {
            assert!(start.elapsed() < TIMEOUT, "the thread does not sleep");
            thread::yield_now();
        }
        other.close().unwrap();
        assert_eq!(word(0) & CLOSED, CLOSED);
        let (kind, late) = waiting.join().unwrap();
        assert_eq!(kind, ErrorKind::Closed);
        late
    });
    assert_eq!(wait(&object), ErrorKind::Closed);
    late
}

#[test]
fn the_end_of_an_object_is_reported_to_its_waiters_at_once() {
    const ROUNDS: u64 = 5;
    const KINDS: u64 = 8;
    let mut late = 0;
    for _ in 0..ROUNDS {
        let keep = |lock: &Mutex<u64>| forget(lock.lock().unwrap());
        late += end_while_waiting::<Mutex<u64>>(0, keep, |it| kind(it.lock()), 0);
        let keep = |lock: &ReentrantMutex<u64>| forget(lock.lock().unwrap());
        late += end_while_waiting::<ReentrantMutex<u64>>(0, keep, |it| kind(it.lock()), 0);
        let keep = |lock: &RwLock<u64>| forget(lock.write().unwrap());
        late += end_while_waiting::<RwLock<u64>>(0, keep, |it| kind(it.write()), 0);
        late += end_while_waiting::<Semaphore>(0, |_| {}, |it| kind(it.acquire()), 0);
        late += end_while_waiting::<Event>(Reset::Manual, |_| {}, |it| kind(it.wait()), 0);
        let wait = |it: &Barrier| it.join().map_or_else(|it| it.kind(), |mut it| kind(it.wait()));
        late += end_while_waiting::<Barrier>(2, |_| {}, wait, 0);
        late += end_while_waiting::<Latch>(2, |_| {}, |it| kind(it.wait()), 0);
        let wait = |it: &Condvar| {
            let memory =
                anonymous(Object::<Mutex>::options().size_in_memory(&NoData::default()).unwrap());
            let mutex = Object::<Mutex>::create_in(&memory, 0, NoData::default()).unwrap();
            kind(it.wait(mutex.lock().unwrap()))
        };
        late += end_while_waiting::<Condvar>((), |_| {}, wait, FIRST_RECORD);
    }
    assert!(late < ROUNDS * KINDS / 4, "{late} were not woken");
}

#[test]
fn a_named_object_is_closed_and_then_removed_by_the_next_opener() {
    let dir = TestDir::new();
    let [object, other] = dir.two_handles::<Semaphore>("closed", 0);
    thread::scope(|scope| {
        let waiting = scope.spawn(|| kind(object.acquire()));
        dir.wait_for_waiters("closed", 1);
        other.close().unwrap();
        assert_eq!(waiting.join().unwrap(), ErrorKind::Closed);
    });
    assert_eq!(kind(dir.options::<Semaphore>().open("closed")), ErrorKind::NotFound);
    dir.options::<Semaphore>().create("closed", 1).expect("the name is free");
}
