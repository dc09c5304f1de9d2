//! One of every primitive in one object, as a test and its children share it.

use std::time::{Duration, Instant};

use shmkit::inspect;
use shmkit::memory::Trust;
use shmkit::sync::named::{Named, NamedOptions};
use shmkit::sync::{
    Barrier, Condvar, Event, Latch, Mutex, Once, ReentrantMutex, Reset, RwLock, Semaphore,
};

use crate::children::Child;
use crate::place::Place;

pub(crate) const NAME: &str = "plant";
/// Long enough for whatever is certain to come.
pub(crate) const SOON: Duration = Duration::from_secs(60);

/// One of every primitive.
pub(crate) type Plant = (
    Mutex<u64>,
    RwLock<u64>,
    Semaphore,
    (Barrier, Latch, Once),
    (Condvar, Event, ReentrantMutex<u64>),
);

/// All of it, as this test has it open.
pub(crate) struct Stage {
    pub(crate) place: Place,
    pub(crate) plant: Named<Plant>,
}

impl Stage {
    /// With so many permits at first, and so many parties to the barrier and the latch.
    pub(crate) fn new(permits: u32, parties: u32) -> Self {
        let place = Place::new();
        let initial = (0, 0, permits, (parties, parties, ()), ((), Reset::Automatic, 0));
        let plant = options(&place).create(NAME, initial).unwrap();
        Self { place, plant }
    }

    pub(crate) fn mutex(&self) -> &Mutex<u64> {
        &self.plant.0
    }

    pub(crate) fn rwlock(&self) -> &RwLock<u64> {
        &self.plant.1
    }

    pub(crate) fn semaphore(&self) -> &Semaphore {
        &self.plant.2
    }

    pub(crate) fn barrier(&self) -> &Barrier {
        &self.plant.3.0
    }

    pub(crate) fn latch(&self) -> &Latch {
        &self.plant.3.1
    }

    pub(crate) fn once(&self) -> &Once {
        &self.plant.3.2
    }

    pub(crate) fn condvar(&self) -> &Condvar {
        &self.plant.4.0
    }

    pub(crate) fn event(&self) -> &Event {
        &self.plant.4.1
    }

    pub(crate) fn reentrant(&self) -> &ReentrantMutex<u64> {
        &self.plant.4.2
    }

    /// A child that has it open, too.
    pub(crate) fn actor(&self) -> Child {
        let mut child = Child::start(&self.place, "actor", "");
        assert_eq!(child.hear(), "ready");
        child
    }

    /// Waits until so many threads of all processes wait.
    pub(crate) fn until_threads_wait(&self, threads: u32) {
        let waiting = || {
            let members = self.place.describe(NAME).participants;
            members.iter().filter(|it| it.alive).map(|it| it.waiting).sum::<u32>()
        };
        let begun = Instant::now();
        while waiting() != threads {
            assert!(begun.elapsed() < SOON, "{} wait, and not {threads}", waiting());
            std::thread::yield_now();
        }
    }

    /// Nobody is taken for dead, and nothing is to be mended.
    #[track_caller]
    pub(crate) fn all_are_alive(&self) {
        let found = inspect::examine(self.place.path(), Trust::Own).unwrap();
        assert!(found.is_empty(), "{}", found[0]);
        assert!(self.place.describe(NAME).participants.iter().all(|member| member.alive));
    }
}

fn options(place: &Place) -> NamedOptions<Plant> {
    Named::options().directory(place.path())
}

/// Says `lock` to a child, which has it when this returns.
#[track_caller]
pub(crate) fn told(child: &mut Child, words: &str) {
    for word in words.split(", ") {
        assert_eq!(child.ask(word), "done", "{word}");
    }
}
