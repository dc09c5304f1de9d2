//! One of every primitive in one object, which a test shares with its children.

use shmkit::Object;
use shmkit::sync::{
    Barrier, Condvar, Event, Latch, Mutex, Once, ReentrantMutex, Reset, RwLock, Semaphore,
};

use crate::children::Child;
use crate::test_dir::TestDir;

pub(crate) const NAME: &str = "primitives";

/// One of every primitive.
pub(crate) type Primitives = (
    Mutex<u64>,
    RwLock<u64>,
    Semaphore,
    (Barrier, Latch, Once),
    (Condvar, Event, ReentrantMutex<u64>),
);

/// The object, as the test has it open.
pub(crate) struct Fixture {
    pub(crate) dir: TestDir,
    pub(crate) primitives: Object<Primitives>,
}

impl Fixture {
    /// Creates the object with the semaphore's permits, and the parties of barrier and latch.
    pub(crate) fn new(permits: u32, parties: u32) -> Self {
        let dir = TestDir::new();
        let initial = (0, 0, permits, (parties, parties, ()), ((), Reset::Automatic, 0));
        let primitives = dir.primitive::<Primitives>().create(NAME, initial).unwrap();
        Self { dir, primitives }
    }

    pub(crate) fn mutex(&self) -> &Mutex<u64> {
        &self.primitives.0
    }

    pub(crate) fn rwlock(&self) -> &RwLock<u64> {
        &self.primitives.1
    }

    pub(crate) fn semaphore(&self) -> &Semaphore {
        &self.primitives.2
    }

    pub(crate) fn barrier(&self) -> &Barrier {
        &self.primitives.3.0
    }

    pub(crate) fn latch(&self) -> &Latch {
        &self.primitives.3.1
    }

    pub(crate) fn once(&self) -> &Once {
        &self.primitives.3.2
    }

    pub(crate) fn condvar(&self) -> &Condvar {
        &self.primitives.4.0
    }

    pub(crate) fn event(&self) -> &Event {
        &self.primitives.4.1
    }

    pub(crate) fn reentrant(&self) -> &ReentrantMutex<u64> {
        &self.primitives.4.2
    }

    /// A child that has the object open and runs commands: see `actor`.
    pub(crate) fn start_actor(&self) -> Child {
        self.start_actor_as("actor", "")
    }

    /// The same in another role.
    pub(crate) fn start_actor_as(&self, role: &str, task: &str) -> Child {
        Child::start_ready(&self.dir, role, task)
    }

    /// A child that stops at a crash point when a command first reaches it.
    pub(crate) fn start_actor_to_stop_at(&self, point: &str) -> Child {
        let mut child = Child::start_to_stop_at(&self.dir, point, "actor", "");
        assert_eq!(child.receive(), "ready");
        child
    }

    /// Waits until exactly `count` threads of living participants wait.
    #[track_caller]
    pub(crate) fn wait_for_waiters(&self, count: u32) {
        self.dir.wait_for_waiters(NAME, count);
    }

    #[track_caller]
    pub(crate) fn assert_all_alive(&self) {
        self.dir.assert_all_alive(NAME);
    }
}

/// Has an actor run commands, all of which must succeed.
#[track_caller]
pub(crate) fn run(child: &mut Child, commands: &str) {
    for command in commands.split(", ") {
        assert_eq!(child.ask(command), "done", "{command}");
    }
}
