//! Objects in memory that a child gets by its descriptor: what others learn of the child's death,
//! and what a creator leaves that dies half-way.

mod creators;
#[cfg(unix)]
mod fork;

use std::sync::mpsc::{self, Sender};
use std::thread;

use shmkit::memory::SharedMemory;
use shmkit::sync::{Condvar, LockError, Mutex, Semaphore};
use shmkit::{Error, ErrorKind, Object, Options};

use crate::children::{Child, Link, Role};
use crate::system::{inherited_memory, memory_for_children, pass_memory};
use crate::test_dir::{TestDir, kind};
use crate::times::{SLOW_CHECKS, TIMEOUT};
use crate::values::Random;

pub(crate) const ROLES: &[(&str, Role)] = &[
    ("holder in memory", holder),
    ("waiter in memory", waiter),
    ("permit holder in memory", permit_holder),
    ("creator in memory", creators::creator),
    ("opener in memory", creators::opener),
    #[cfg(unix)]
    ("forking user of memory", fork::forking_user),
];

type Guarded = (Mutex<u64>, Condvar);
type Semaphores = Box<[Semaphore]>;

/// Where the object is in the memory.
const OFFSET: u64 = 256;

/// Memory with an object at [`OFFSET`], which a test shares with its children.
struct Shared {
    dir: TestDir,
    memory: SharedMemory,
}

impl Shared {
    /// Memory of `size` bytes, all zero, and some before.
    fn new(size: u64) -> Self {
        Self { dir: TestDir::new(), memory: memory_for_children(OFFSET + size) }
    }

    /// Memory with an object in it.
    fn with_guarded() -> (Self, Object<Guarded>) {
        let options = options();
        let shared = Self::new(options.size_in_memory(&(0, ())).unwrap());
        let object = options.create_in(&shared.memory, OFFSET, (0, ())).unwrap();
        (shared, object)
    }

    fn start(&self, role: &str, task: impl std::fmt::Display) -> Child {
        Child::start_with(&self.dir, role, task, |it| pass_memory(&self.memory, it))
    }

    #[track_caller]
    fn start_ready(&self, role: &str, task: impl std::fmt::Display) -> Child {
        let mut child = self.start(role, task);
        assert_eq!(child.receive(), "ready");
        child
    }

    fn open(&self) -> shmkit::Result<Object<Guarded>> {
        Object::open_in(&self.memory, OFFSET)
    }
}

fn options() -> Options<Guarded> {
    Object::options().max_participants(4)
}

/// Opens the object in the memory that the parent passed on.
fn open_inherited() -> Object<Guarded> {
    Object::open_in(&inherited_memory(), OFFSET).unwrap()
}

/// Changes the value, and holds the lock until the next message.
fn holder(link: &mut Link) {
    let object = open_inherited();
    let mut value = object.0.lock().unwrap();
    *value += 1;
    link.send("ready");
    link.receive();
    drop(value);
    link.send("released");
    link.receive();
}

/// Waits for the condition, and reports how that ended.
fn waiter(link: &mut Link) {
    let object = open_inherited();
    let value = object.0.lock().unwrap();
    // The process that has the lock next knows that this one waits.
    link.send("ready");
    let waited = object.1.wait(value).map(|value| *value).map_err(Error::from);
    link.send(waited.map_or_else(|error| format!("{:?}", error.kind()), |it| it.to_string()));
    link.receive();
}

/// Acquires a permit of each item of its task.
fn permit_holder(link: &mut Link) {
    let semaphores = Object::<Semaphores>::open_in(&inherited_memory(), OFFSET).unwrap();
    let items = link.task();
    let items = items.split(',').map(|item| item.parse::<usize>().unwrap());
    let permits: Vec<_> = items.map(|item| semaphores[item].acquire().unwrap()).collect();
    link.send("ready");
    link.receive();
    drop(permits);
    link.send("released");
    link.receive();
}

#[test]
fn death_of_the_holder_of_a_mutex_in_memory_is_reported() {
    let (shared, object) = Shared::with_guarded();
    let mutex = &object.0;
    let mut living = shared.start_ready("holder in memory", "");
    assert!(mutex.try_lock().unwrap().is_none());
    assert_eq!(living.ask("release"), "released");
    drop(mutex.lock().expect("no owner death"));

    let mut child = shared.start_ready("holder in memory", "");
    assert!(mutex.try_lock().unwrap().is_none());
    thread::scope(|scope| {
        let waiting = scope.spawn(|| match mutex.lock_timeout(TIMEOUT) {
            Err(LockError::OwnerDied(value)) => *value,
            other => panic!("{other:?}"),
        });
        child.kill();
        assert_eq!(waiting.join().unwrap(), 2);
    });
    let mut value = mutex.lock().unwrap_err().into_guard().unwrap();
    value.mark_consistent();
    drop(value);
    assert_eq!(*mutex.lock().unwrap(), 2);
    drop(living);
}

#[test]
fn slots_of_killed_children_are_taken_again() {
    let (shared, object) = Shared::with_guarded();
    for _ in 0..3 {
        let children = [(); 3].map(|()| {
            let mut child = shared.start_ready("holder in memory", "");
            assert_eq!(child.ask("release"), "released");
            child
        });
        assert_eq!(kind(shared.open()), ErrorKind::Full);
        children.into_iter().for_each(|mut it| it.kill());
    }
    assert_eq!(*object.0.lock().expect("none of them held it"), 9);
    let handles = [(); 3].map(|()| shared.open().expect("the slots are free"));
    assert_eq!(kind(shared.open()), ErrorKind::Full);
    drop(handles);
}

/// Waits for a notification. The thread that has the lock after the message knows that this one
/// waits.
fn wait_here(object: &Object<Guarded>, announce: &Sender<()>) {
    let value = object.0.lock().unwrap();
    announce.send(()).unwrap();
    let (_value, result) = object.1.wait_timeout(value, TIMEOUT).unwrap();
    assert!(!result.timed_out(), "the notification was lost");
}

#[test]
fn a_killed_waiter_loses_no_notification_of_others() {
    for is_notified_before in [false, true] {
        let (shared, object) = Shared::with_guarded();
        let here = shared.open().unwrap();
        let mut child = shared.start_ready("waiter in memory", "");
        drop(object.0.lock().unwrap());
        thread::scope(|scope| {
            let (announce, announced) = mpsc::channel();
            let waiting = scope.spawn(move || wait_here(&here, &announce));
            announced.recv().unwrap();
            drop(object.0.lock().unwrap());
            // Both wait, the child first. One is notified.
            if is_notified_before {
                child.stop();
                object.1.notify_one().unwrap();
                child.kill();
            } else {
                child.kill();
                object.1.notify_one().unwrap();
            }
            waiting.join().unwrap();
        });
    }
}

#[test]
fn a_child_learns_of_a_notification_and_of_the_end_of_an_object_in_memory() {
    let (shared, object) = Shared::with_guarded();
    let mut children = [(); 2].map(|()| shared.start_ready("waiter in memory", ""));
    *object.0.lock().unwrap() = 7;
    object.1.notify_one().unwrap();
    assert_eq!(children[0].receive(), "7");
    object.close().unwrap();
    assert_eq!(children[1].receive(), "Closed");
    let late = shared.open().expect("its bytes stay");
    assert_eq!(kind(late.0.lock().map_err(Error::from)), ErrorKind::Closed);
}

#[test]
fn permits_of_a_killed_child_return_to_their_items() {
    const ITEMS: usize = 1_000;
    const HELD: usize = 6;
    let options = Object::<Semaphores>::options().max_participants(4);
    let permits = vec![1; ITEMS];
    let shared = Shared::new(options.size_in_memory(&permits).unwrap());
    let semaphores = options.create_in(&shared.memory, OFFSET, permits).unwrap();
    let mut random = Random::new();
    let mut items = Vec::new();
    while items.len() < 2 * HELD {
        let item = random.below(ITEMS as u64) as usize;
        if !items.contains(&item) {
            items.push(item);
        }
    }
    let (of_dead, of_living) = items.split_at(HELD);
    let task = |items: &[usize]| items.iter().map(usize::to_string).collect::<Vec<_>>().join(",");
    let mut dying = shared.start_ready("permit holder in memory", task(of_dead));
    let mut living = shared.start_ready("permit holder in memory", task(of_living));
    for (item, semaphore) in semaphores.iter().enumerate() {
        assert_eq!(semaphore.available(), u64::from(!items.contains(&item)), "item {item}");
    }
    dying.kill();
    for &item in of_dead {
        semaphores[item].acquire_timeout(TIMEOUT).expect("its holder died").forget();
        semaphores[item].post(1).unwrap();
    }
    for &item in of_living {
        assert_eq!(kind(semaphores[item].acquire_timeout(SLOW_CHECKS)), ErrorKind::TimedOut);
    }
    for (item, semaphore) in semaphores.iter().enumerate() {
        assert_eq!(semaphore.available(), u64::from(!of_living.contains(&item)), "item {item}");
    }
    assert_eq!(living.ask("release"), "released");
    assert!(semaphores.iter().all(|it| it.available() == 1));
}
