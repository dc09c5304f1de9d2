//! Creators of objects in memory that die or stop half-way.

use std::time::Duration;

use shmkit::memory::SharedMemory;
use shmkit::sync::Semaphore;
use shmkit::{ErrorKind, Object};

use super::{Guarded, OFFSET, Shared, options};
use crate::children::{Child, Link};
use crate::system::{EXCLUDES_OVERLAPPING_CREATORS, inherited_memory, pass_memory};
use crate::test_dir::kind;

const MARKED: &str = "region: marked, not written";
/// A timeout that is to expire.
const SHORT: Duration = Duration::from_millis(1);
/// What the creator's object begins with.
const BY_CHILD: u64 = 5;

/// Creates the object, and holds it until the next message.
pub(super) fn creator(link: &mut Link) {
    let object = options().create_in(&inherited_memory(), OFFSET, (BY_CHILD, ())).unwrap();
    link.send("ready");
    link.receive();
    drop(object);
}

/// Reports what opening answers.
pub(super) fn opener(link: &mut Link) {
    let opened = Object::<Guarded>::open_in(&inherited_memory(), OFFSET);
    let answer = opened.map_or_else(|error| format!("{:?}", error.kind()), |_| "open".into());
    link.send(answer);
    link.receive();
}

fn size() -> u64 {
    options().size_in_memory(&(0, ())).unwrap()
}

/// Starts a creator with a crash point in the environment variable.
fn start_creator(shared: &Shared, variable: &str, point: &str) -> Child {
    Child::start_with(&shared.dir, "creator in memory", "", |command| {
        pass_memory(&shared.memory, command).env(variable, point)
    })
}

/// Has a creator die at a crash point, in memory with room for two objects.
fn killed_at(point: &str) -> Shared {
    let shared = Shared::new(2 * size());
    assert!(start_creator(&shared, shmkit::crash::VARIABLE, point).was_killed(), "{point}");
    shared
}

#[test]
fn a_creator_that_is_killed_leaves_a_whole_object_or_none() {
    for point in shmkit::crash::REGION_POINTS {
        let shared = killed_at(point);
        assert_eq!(kind(shared.open()), ErrorKind::NotFound);
        let created = options().create_in(&shared.memory, OFFSET, (7, ())).unwrap();
        let again = options().create_in(&shared.memory, OFFSET, (8, ()));
        assert_eq!(kind(again), ErrorKind::AlreadyExists);
        assert_eq!(*shared.open().unwrap().0.lock().unwrap(), 7);
        drop(created);
    }
    for point in ["slot: locked", "slot: entered"] {
        let shared = killed_at(point);
        let created = options().create_in(&shared.memory, OFFSET, (7, ()));
        assert_eq!(kind(created), ErrorKind::AlreadyExists);
        let handles = [(); 4].map(|()| shared.open().expect("the dead creator has no slot"));
        assert_eq!(*handles[3].0.lock().unwrap(), BY_CHILD);
    }
}

/// Memory as a creator left it that died after it wrote `written` bytes of its object, at least 32,
/// and another byte.
fn left_by_dead(written: u64, byte: Option<u64>) -> SharedMemory {
    let shared = killed_at(MARKED);
    let region = shared.memory.map().unwrap();
    let start = OFFSET as usize;
    // Between them is the size that the creator noted.
    for range in [8..24, 32..written as usize] {
        region.fill(start + range.start..start + range.end, 0xff).unwrap();
    }
    if let Some(byte) = byte {
        region.write_at(byte as usize, &[1]).unwrap();
    }
    shared.memory
}

#[test]
fn the_next_creator_replaces_what_a_dead_one_left_and_nothing_else() {
    type Large = [Guarded; 2];
    let small = Object::<Semaphore>::options().max_participants(1);
    let large = Object::<Large>::options().max_participants(1);
    let large_size = large.size_in_memory(&[(0, ()); 2]).unwrap();
    assert!(small.size_in_memory(&3).unwrap() < size() && size() < large_size);

    let memory = left_by_dead(size(), None);
    small.create_in(&memory, OFFSET, 3).unwrap();
    let object = Object::<Semaphore>::open_in(&memory, OFFSET).unwrap();
    assert_eq!(object.available(), 3, "it begins as any object");
    drop(object);

    let memory = left_by_dead(size(), None);
    let object = large.create_in(&memory, OFFSET, [(1, ()), (2, ())]).unwrap();
    for ((mutex, condvar), value) in object.iter().zip(1..) {
        let (value_there, result) = condvar.wait_timeout(mutex.lock().unwrap(), SHORT).unwrap();
        assert!(result.timed_out() && *value_there == value);
    }
    drop(object);
    Object::<Large>::open_in(&memory, OFFSET).unwrap();

    // Behind the dead creator's object there is something.
    for byte in [size(), large_size - 1] {
        let memory = left_by_dead(size(), Some(OFFSET + byte));
        let answer = large.create_in(&memory, OFFSET, [(1, ()), (2, ())]);
        assert_eq!(kind(answer), ErrorKind::AlreadyExists);
        options().create_in(&memory, OFFSET, (1, ())).expect("room for the smaller one");
    }
    // In the dead creator's place another object was created.
    let memory = left_by_dead(100, None);
    let inside = OFFSET + size() / 2 / 128 * 128;
    let object = small.create_in(&memory, inside, 3).unwrap();
    let answer = options().create_in(&memory, OFFSET, (7, ()));
    assert_eq!(kind(answer), ErrorKind::AlreadyExists);
    assert_eq!(object.available(), 3);
    drop(object);
    assert_eq!(Object::<Semaphore>::open_in(&memory, inside).unwrap().available(), 3);
}

#[test]
fn no_process_opens_an_object_whose_creator_stopped_half_way() {
    let shared = Shared::new(2 * size());
    let mut creator = start_creator(&shared, shmkit::crash::STOP_VARIABLE, MARKED);
    creator.wait_for_stop();
    assert_eq!(kind(shared.open()), ErrorKind::NotFound);
    assert_eq!(shared.start("opener in memory", "").receive(), "NotFound");
    let overlapping = [OFFSET + 128, OFFSET + size() - 128, 0];
    let offsets = if EXCLUDES_OVERLAPPING_CREATORS { &overlapping[..] } else { &overlapping[2..] };
    for offset in [OFFSET].iter().chain(offsets) {
        let answer = options().create_in(&shared.memory, *offset, (7, ()));
        assert_eq!(kind(answer), ErrorKind::AlreadyExists, "at byte {offset}");
    }
    options().create_in(&shared.memory, OFFSET + size(), (7, ())).expect("the next place");
    creator.resume();
    assert_eq!(creator.receive(), "ready");
    assert_eq!(*shared.open().unwrap().0.lock().unwrap(), BY_CHILD);
    assert_eq!(shared.start("opener in memory", "").receive(), "open");
}
