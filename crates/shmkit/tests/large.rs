//! Values of any size: no call that takes or returns them by reference or in a `Box` puts one on
//! the stack, and a value that is passed by value fits the smallest usual stack.

use std::time::Duration;

use shmkit::memory::SharedMemory;
use shmkit::shareable::{MAX_BY_VALUE, zeroed_box};
use shmkit::sync::{
    Barrier, BoundedSemaphore, Condvar, Event, Latch, Mutex, Once, ReentrantMutex, Reset, RwLock,
    Semaphore, named,
};
use shmkit::{Contents, ErrorKind, Latest, Object, Shareable};

/// No wait in a passing test takes this long.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Any bytes are a value.
#[derive(Shareable)]
#[repr(C)]
struct Frame {
    number: u64,
    pixels: [[u32; 1_024]; 1_024],
}

/// Some bytes are no value, and there is padding in each item.
#[derive(Shareable)]
#[repr(C)]
struct Scene {
    number: u64,
    doors: [Door; 1 << 18],
}

#[derive(Shareable, Clone, Copy)]
#[repr(C)]
struct Door {
    stamp: u64,
    open: bool,
}

trait Large: Shareable {
    fn fill(&mut self, number: u64);
    fn is_filled(&self, number: u64) -> bool;
}

impl Large for Frame {
    fn fill(&mut self, number: u64) {
        self.number = number;
        self.pixels.iter_mut().for_each(|row| row.fill(number as u32));
    }

    fn is_filled(&self, number: u64) -> bool {
        let row = |row: &[u32; 1_024]| row.iter().all(|pixel| *pixel == number as u32);
        self.number == number && self.pixels.iter().all(row)
    }
}

impl Large for Scene {
    fn fill(&mut self, number: u64) {
        self.number = number;
        self.doors.fill(Door { stamp: number, open: !number.is_multiple_of(2) });
    }

    fn is_filled(&self, number: u64) -> bool {
        let door = |it: &Door| it.stamp == number && it.open != number.is_multiple_of(2);
        self.number == number && self.doors.iter().all(door)
    }
}

fn filled<T: Large>(number: u64) -> Box<T> {
    let mut value = zeroed_box::<T>();
    value.fill(number);
    value
}

/// Runs this with a stack of so many bytes: more would end the process.
fn with_stack(bytes: usize, run: fn()) {
    std::thread::Builder::new().stack_size(bytes).spawn(run).unwrap().join().unwrap();
}

/// Far smaller than a value.
const SMALL: usize = 256 << 10;

fn options<P>(dir: &tempfile::TempDir) -> shmkit::Options<P>
where
    P: Contents,
{
    Object::<P>::options().directory(dir.path())
}

fn every_call_of_latest<T: Large>() {
    assert!(size_of::<T>() > 4 << 20);
    let dir = tempfile::tempdir().unwrap();
    let options = Latest::<T>::options().directory(dir.path());
    let latest = options.create_with("latest", filled::<T>(1)).unwrap();
    let latest_too = options.open_or_create_with("latest", &*filled::<T>(9)).unwrap();
    let mut into = zeroed_box::<T>();
    latest_too.get_into(&mut into).unwrap();
    assert!(into.is_filled(1) && latest.get_boxed().unwrap().is_filled(1));
    let (mut changes, mut writer) = (latest.changes(), latest.writer().unwrap());
    assert_eq!(writer.set(&filled::<T>(2)).unwrap(), 2);
    changes.next_into(&mut into, TIMEOUT).unwrap();
    assert!(into.is_filled(2));
    assert_eq!(writer.update(|value| value.fill(3)).unwrap(), 3);
    assert!(changes.next_boxed(TIMEOUT).unwrap().is_filled(3));
    let error = changes.next_boxed(Duration::ZERO).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    assert_eq!(writer.update_or(filled::<T>(9), |value| value.fill(4)).unwrap(), 4);
    let mut loan = writer.loan().unwrap();
    loan.fill(5);
    assert_eq!(loan.publish().unwrap(), 5);
    assert!(latest.get_boxed().unwrap().is_filled(5));

    let empty = options.create("empty").unwrap();
    let update = empty.writer().unwrap().update_or(filled::<T>(6), |_| ());
    assert_eq!(update.unwrap(), 1);
    assert!(empty.get_boxed().unwrap().is_filled(6));
}

#[test]
fn no_call_of_a_latest_puts_a_large_value_on_the_stack() {
    with_stack(SMALL, every_call_of_latest::<Frame>);
    with_stack(SMALL, every_call_of_latest::<Scene>);
}

fn every_call_of_locks<T: Large>() {
    let dir = tempfile::tempdir().unwrap();
    let mutex = options::<Mutex<T>>(&dir).create("mutex", filled::<T>(1)).unwrap();
    let same = options::<Mutex<T>>(&dir).open_or_create("mutex", &*filled::<T>(9)).unwrap();
    same.lock().unwrap().fill(2);
    assert!(mutex.lock().unwrap().is_filled(2));
    assert!(mutex.lock_replacing(filled::<T>(3)).unwrap().is_filled(3));
    assert!(mutex.lock_replacing(&*filled::<T>(4)).unwrap().is_filled(4));

    let lock = named::RwLock::<T>::options().directory(dir.path());
    let lock = lock.create("rwlock", filled::<T>(1)).unwrap();
    lock.write().unwrap().fill(2);
    assert!(lock.read().unwrap().is_filled(2));
    assert!(lock.write_replacing(filled::<T>(3)).unwrap().is_filled(3));

    let reentrant = options::<ReentrantMutex<T>>(&dir).create("reentrant", filled::<T>(1)).unwrap();
    let mut guard = reentrant.lock().unwrap();
    guard.set(filled::<T>(2));
    assert!(guard.get_boxed().is_filled(2));
    drop(guard);
    assert!(reentrant.lock_replacing(filled::<T>(3)).unwrap().get_boxed().is_filled(3));
}

#[test]
fn no_call_of_a_lock_puts_a_large_value_on_the_stack() {
    with_stack(SMALL, every_call_of_locks::<Frame>);
    with_stack(SMALL, every_call_of_locks::<Scene>);
}

fn a_group_in_memory() {
    type Group = (Mutex<Scene>, [RwLock<Frame>; 2], Condvar);
    let mut initial = Object::<Group>::zeroed_initial();
    assert!(initial.0.is_filled(0));
    initial.0.fill(1);
    initial.1[1].fill(2);
    let size = Object::<Group>::options().size_in_memory(&initial).unwrap();
    let memory = SharedMemory::anonymous(size).unwrap();
    let group = Object::<Group>::create_in(&memory, 0, initial).unwrap();
    assert!(group.0.lock().unwrap().is_filled(1));
    assert!(group.1[0].read().unwrap().is_filled(0));
    assert!(group.1[1].read().unwrap().is_filled(2));
}

fn a_group_of_every_kind() {
    type Counts = (Semaphore, BoundedSemaphore, Barrier, Latch, Event, Once);
    type Group = (RwLock<Scene>, [Counts; 2]);
    let dir = tempfile::tempdir().unwrap();
    let options = Object::<Group>::options().directory(dir.path());
    let mut initial = Object::<Group>::zeroed_initial();
    let refused = options.create("unset", &*initial).err().expect("a barrier without parties");
    assert_eq!(refused.kind(), ErrorKind::InvalidArgument);
    for (permits, bounded, parties, count, reset, ()) in &mut initial.1 {
        assert_eq!((*permits, bounded.initial, *reset), (0, 0, Reset::Manual));
        (bounded.max, *parties, *count) = (3, 2, 1);
    }
    initial.1[1].4 = Reset::Automatic;
    initial.0.fill(1);
    let group = options.create("group", initial).unwrap();
    assert!(group.0.read().unwrap().is_filled(1));
    assert_eq!(group.1[0].0.post(1).unwrap(), 0);
    assert_eq!(group.1[1].1.max_permits(), Some(3));
    for (event, is_set_after) in [(&group.1[0].4, true), (&group.1[1].4, false)] {
        event.set().unwrap();
        event.wait().unwrap();
        assert_eq!(event.is_set(), is_set_after);
    }
}

#[test]
fn a_group_of_large_values_is_created_from_the_heap() {
    with_stack(SMALL, a_group_of_every_kind);
    with_stack(SMALL, a_group_in_memory);
}

/// The largest value that can be passed by value.
type Largest = [u64; MAX_BY_VALUE / 8];

fn get(latest: &Latest<Largest>) -> u64 {
    latest.get().unwrap()[7]
}

fn get_fresh(latest: &Latest<Largest>) -> u64 {
    latest.get_fresh(TIMEOUT).unwrap()[7]
}

fn next(latest: &Latest<Largest>) -> u64 {
    latest.changes_since(0).next_timeout(TIMEOUT).unwrap()[7]
}

fn try_next(latest: &Latest<Largest>) -> u64 {
    latest.changes_since(0).try_next().unwrap().unwrap()[7]
}

fn update_or(latest: &Latest<Largest>) -> u64 {
    latest.writer().unwrap().update_or([1; _], |value| value[7] += 1).unwrap()
}

fn create(dir: &tempfile::TempDir) -> named::Mutex<Largest> {
    options::<Mutex<Largest>>(dir).create("mutex", [3; _]).unwrap()
}

fn replace(mutex: &named::Mutex<Largest>) -> u64 {
    match mutex.lock_replacing([4; _]) {
        Ok(value) => value[7],
        Err(error) => panic!("{error}"),
    }
}

fn by_value() {
    let dir = tempfile::tempdir().unwrap();
    let options = Latest::<Largest>::options().directory(dir.path()).timestamps(true);
    let latest = options.create_with("latest", zeroed_box::<Largest>()).unwrap();
    assert_eq!((get(&latest), get_fresh(&latest)), (0, 0));
    assert_eq!((next(&latest), try_next(&latest), update_or(&latest)), (0, 0, 2));
    assert_eq!(get(&latest), 1);
    let mutex = create(&dir);
    assert_eq!((replace(&mutex), mutex.lock().unwrap()[0]), (4, 4));
}

#[test]
fn the_largest_value_that_is_passed_by_value_fits_the_smallest_usual_stack() {
    with_stack(1 << 20, by_value);
}
