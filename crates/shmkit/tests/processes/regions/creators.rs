//! Creators of objects in memory that die or stop half-way.

use std::time::Duration;

use shmkit::memory::SharedMemory;
use shmkit::sync::Semaphore;
use shmkit::{ErrorKind, Object, Options};

use super::{Guarded, OFFSET, Semaphores, Shared, options};
use crate::children::{Child, Link};
use crate::system::{EXCLUDES_OVERLAPPING_CREATORS, inherited_memory, pass_memory};
use crate::test_dir::kind;

const MARKED: &str = "region: marked, not written";
/// A timeout that is to expire.
const SHORT: Duration = Duration::from_millis(1);
/// What the creator's object begins with.
const BY_CHILD: u64 = 5;

/// Creates the object, and holds it until the next message. Its task is empty, or how many semaphores
/// to create instead.
pub(super) fn creator(link: &mut Link) {
    if let Ok(items) = link.task().parse() {
        let _ = semaphores().create_in(&inherited_memory(), OFFSET, vec![3; items]).unwrap();
        return;
    }
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

fn semaphores() -> Options<Semaphores> {
    Object::options().max_participants(1)
}

/// How many bytes as many semaphores take, as a multiple of 128.
fn size_of_semaphores(items: usize) -> u64 {
    semaphores().size_in_memory(&vec![3; items]).unwrap().next_multiple_of(128)
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

/// Has a creator of as many semaphores die at a crash point.
fn kill_creator_of(items: usize, shared: &Shared, point: &str) {
    let child = Child::start_with(&shared.dir, "creator in memory", items, |command| {
        pass_memory(&shared.memory, command).env(shmkit::crash::VARIABLE, point)
    });
    assert!(child.was_killed(), "{point}");
}

/// Checks that semaphores can be created there, and begin as any do.
#[track_caller]
fn create_semaphores(items: usize, memory: &SharedMemory, offset: u64) {
    drop(semaphores().create_in(memory, offset, vec![2; items]).unwrap());
    let object = Object::<Semaphores>::open_in(memory, offset).unwrap();
    assert!(object.len() == items && object.iter().all(|it| it.available() == 2));
}

const WRITTEN: &str = "region: payload written";
const LARGE: usize = 500;
const SMALL: usize = 20;

/// Checks that all that a dead creator of [`LARGE`] claimed is free again after `next` are created
/// there, and that the bytes around it are as they were.
fn check_reuse(shared: &Shared, next: usize) {
    let (memory, end) = (&shared.memory, OFFSET + size_of_semaphores(LARGE));
    create_semaphores(next, memory, OFFSET);
    if next < LARGE {
        let behind = OFFSET + size_of_semaphores(next);
        let zeros = vec![0; (end - behind) as usize];
        let mut found = vec![1; zeros.len()];
        memory.map().unwrap().read_at(behind as usize, &mut found).unwrap();
        assert!(found == zeros, "not all that was claimed is zero");
        create_semaphores(LARGE / 2, memory, behind);
    }
    let mut around = [[0]; 2];
    for (byte, place) in around.iter_mut().zip([OFFSET - 1, end]) {
        memory.map().unwrap().read_at(place as usize, byte).unwrap();
    }
    assert_eq!(around, [[7]; 2], "no process claimed them");
}

#[test]
fn all_that_dead_creators_claimed_is_free_again() {
    let end = OFFSET + size_of_semaphores(LARGE);
    for point in shmkit::crash::REGION_POINTS {
        // The second one to die makes none forget what the first one claimed.
        for (points, next) in [
            (&[(LARGE, *point)][..], 1),
            (&[(LARGE, WRITTEN), (SMALL, *point)], 1),
            (&[(LARGE, WRITTEN), (SMALL, *point)], LARGE),
            (&[(SMALL, WRITTEN), (LARGE, *point)], SMALL),
        ] {
            let shared = Shared::new(size_of_semaphores(LARGE) + 128);
            for place in [OFFSET - 1, end] {
                shared.memory.map().unwrap().write_at(place as usize, &[7]).unwrap();
            }
            for (items, point) in points {
                kill_creator_of(*items, &shared, point);
            }
            check_reuse(&shared, next);
        }
    }
}

#[test]
fn what_a_dead_creator_claimed_ends_at_the_next_object_or_mark() {
    for is_object in [true, false] {
        let shared = Shared::new(size_of_semaphores(LARGE));
        let memory = &shared.memory;
        // It dies before it writes, so another object has room in its claim.
        kill_creator_of(LARGE, &shared, MARKED);
        let other = OFFSET + size_of_semaphores(SMALL);
        create_semaphores(SMALL, memory, other);
        let region = memory.map().unwrap();
        if !is_object {
            region.write_at(other as usize, &0x6b6d_0000_0000_0001_u64.to_le_bytes()).unwrap();
        }
        let last = (OFFSET + size_of_semaphores(LARGE)) as usize - 1;
        region.write_at(last, &[7]).unwrap();
        let bytes = || {
            let mut bytes = vec![0; last + 1 - other as usize];
            region.read_at(other as usize, &mut bytes).unwrap();
            bytes
        };
        let before = bytes();
        let answer = semaphores().create_in(memory, OFFSET, vec![2; SMALL + 1]);
        assert_eq!(kind(answer), ErrorKind::AlreadyExists);
        create_semaphores(SMALL, memory, OFFSET);
        assert!(bytes() == before, "another object was changed");
    }
}

#[test]
fn any_number_can_be_claimed() {
    let end = size_of_semaphores(SMALL) + 384;
    for claim in [0, 1, 7, 8, 13, 129, 255, end - 8, end - 3, end, end + 1, 1 << 63, u64::MAX - 255]
    {
        let shared = Shared::new(end);
        kill_creator_of(1, &shared, MARKED);
        let region = shared.memory.map().unwrap();
        region.write_at(OFFSET as usize + 24, &claim.to_le_bytes()).unwrap();
        let byte = size_of_semaphores(1) as usize + 100;
        region.write_at(OFFSET as usize + byte, &[7]).unwrap();
        let created = semaphores().create_in(&shared.memory, OFFSET, vec![2; SMALL]);
        if claim > byte as u64 {
            drop(created.unwrap());
            let object = Object::<Semaphores>::open_in(&shared.memory, OFFSET).unwrap();
            assert!(object.iter().all(|it| it.available() == 2), "{claim}");
        } else {
            assert_eq!(kind(created), ErrorKind::AlreadyExists, "{claim}");
            // No creator claims less than the word of its claim.
            if !(1..32).contains(&claim) {
                create_semaphores(1, &shared.memory, OFFSET);
            }
        }
    }
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
