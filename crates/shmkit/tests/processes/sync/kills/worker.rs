//! One of many who use one of everything at random, and check what they find.

use std::hint::spin_loop;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::thread;
use std::time::Duration;

use shmkit::sync::{
    Barrier, Condvar, Event, Latch, Mutex, MutexGuard, Once, ReentrantMutex, Reset, RwLock,
    Semaphore, named::Named,
};
use shmkit::{ErrorKind, Result, Shareable};

use super::board::{self, Board};
use crate::sync::ledger::{Ledger, PATIENCE, told};
use crate::values::Random;

/// One of everything that can be used again, in one object.
pub(super) type Stage = (
    Mutex<Ledger>,
    ReentrantMutex<Ledger>,
    RwLock<Ledger>,
    (Mutex<Basket>, [Condvar; 2]),
    [Semaphore; 2],
    [Event; 2],
    Barrier,
);

/// Room for one thing.
#[derive(Shareable, Clone, Copy, Debug, Default)]
#[repr(C)]
pub(super) struct Basket {
    full: u64,
    put: u64,
    taken: u64,
}

pub(super) const STAGE: &str = "stage";
/// How many permits the two semaphores have.
pub(super) const PERMITS: [u32; 2] = [1, 3];
const PARTIES: u32 = 3;
const MOMENT: Duration = Duration::from_micros(50);

type Act = fn(&mut Worker, &Stage);

/// What a worker does, by name.
pub(super) const ACTS: [(&str, Act); 14] = [
    ("lock", Worker::lock),
    ("lock twice", Worker::lock_twice),
    ("read", Worker::read),
    ("upgrade", Worker::upgrade),
    ("write", Worker::write),
    ("put", Worker::put),
    ("take", Worker::take),
    ("only permit", Worker::only_permit),
    ("one of the permits", Worker::one_of_the_permits),
    ("manual event", Worker::manual_event),
    ("automatic event", Worker::automatic_event),
    ("barrier", Worker::barrier),
    ("once", Worker::once),
    ("latch", Worker::latch),
];

/// One who uses everything.
pub(super) struct Worker {
    who: u64,
    directory: PathBuf,
    board: Board,
    random: Random,
    once: (u64, Rc<Named<Once>>),
    latch: (u64, Rc<Named<Latch>>),
    /// Leaves to the next, now and then, what a dead one left half-changed.
    pub(super) careless: bool,
    /// Of how many deaths it was told.
    pub(super) news: u64,
}

pub(super) fn open_stage(directory: &Path) -> Named<Stage> {
    let empty = Ledger::default();
    let basket = (Basket::default(), [(); 2]);
    let resets = [Reset::Manual, Reset::Automatic];
    let initial = (empty, empty, empty, basket, PERMITS, resets, PARTIES);
    Named::options().directory(directory).open_or_create(STAGE, initial).unwrap()
}

fn open_once(directory: &Path, number: u64) -> Rc<Named<Once>> {
    let options = Named::options().directory(directory);
    Rc::new(options.open_or_create(&format!("once {number}"), ()).unwrap())
}

fn open_latch(directory: &Path, number: u64) -> Rc<Named<Latch>> {
    let options = Named::options().directory(directory);
    Rc::new(options.open_or_create(&format!("latch {number}"), 2).unwrap())
}

impl Worker {
    pub(super) fn new(directory: &Path, who: u64, random: Random) -> Self {
        Self {
            who,
            directory: directory.into(),
            board: Board::open(directory),
            random,
            once: (0, open_once(directory, 0)),
            latch: (0, open_latch(directory, 0)),
            careless: true,
            news: 0,
        }
    }

    /// Does one thing. Its number in [`ACTS`].
    pub(super) fn act(&mut self, stage: &Stage) -> usize {
        let number = self.random.below(ACTS.len() as u64) as usize;
        ACTS[number].1(self, stage);
        number
    }

    /// Is told of a death.
    fn hear(&mut self) {
        self.news += 1;
        self.board.count(board::NEWS);
    }

    /// Stays for a moment where a kill is to fall, and lets others run.
    fn pause(&mut self) {
        for _ in 0..self.random.below(4) {
            thread::yield_now();
        }
        for _ in 0..self.random.below(2_000) {
            spin_loop();
        }
    }

    fn is_one_in(&mut self, many: u64) -> bool {
        self.random.below(many) == 0
    }

    /// Looks at what it got. False: what a dead one left in it is left to the next.
    #[track_caller]
    fn mend(&mut self, ledger: &mut Ledger, died: bool) -> bool {
        if !died {
            ledger.check();
            return true;
        }
        self.hear();
        self.board.excuse(ledger.holder);
        if self.careless && self.is_one_in(4) {
            return false;
        }
        ledger.mend();
        true
    }

    #[track_caller]
    fn change(&mut self, ledger: &mut Ledger) {
        ledger.begin(self.who);
        self.pause();
        ledger.finish(self.who);
    }

    fn lock(&mut self, stage: &Stage) {
        let (mut ledger, died) = told(stage.0.lock_timeout(PATIENCE));
        if self.mend(&mut ledger, died) {
            ledger.mark_consistent();
            self.change(&mut ledger);
        }
    }

    fn lock_twice(&mut self, stage: &Stage) {
        let (mut outer, died) = told(stage.1.lock_timeout(PATIENCE));
        let mut inner = stage.1.lock().expect("it is this one's");
        let mut ledger = inner.get();
        if !self.mend(&mut ledger, died) {
            return;
        }
        ledger.begin(self.who);
        inner.set(ledger);
        outer.mark_consistent();
        drop(inner);
        self.pause();
        ledger = outer.get();
        ledger.finish(self.who);
        outer.set(ledger);
    }

    fn read(&mut self, stage: &Stage) {
        let lock = &stage.2;
        let (seen, died) = told(lock.read_timeout(PATIENCE));
        if died {
            return;
        }
        let before = *seen;
        before.check();
        self.pause();
        assert_eq!(*seen, before, "somebody wrote");
        if let Some(Ok(mut ledger)) = self.is_one_in(4).then(|| seen.try_upgrade()) {
            self.change(&mut ledger);
        }
    }

    fn upgrade(&mut self, stage: &Stage) {
        let (seen, died) = told(stage.2.upgradable_read_timeout(PATIENCE));
        let before = *seen;
        self.pause();
        assert_eq!(*seen, before, "somebody wrote");
        if self.is_one_in(2) {
            return;
        }
        let mut ledger = seen.upgrade_timeout(PATIENCE).unwrap();
        assert_eq!(*ledger, before, "somebody wrote in between");
        if self.mend(&mut ledger, died) {
            ledger.mark_consistent();
            self.change(&mut ledger);
            ledger.downgrade().check();
        }
    }

    fn write(&mut self, stage: &Stage) {
        let (mut ledger, died) = told(stage.2.write_timeout(PATIENCE));
        if self.mend(&mut ledger, died) {
            ledger.mark_consistent();
            self.change(&mut ledger);
            let seen = ledger.downgrade_to_upgradable();
            self.pause();
            seen.check();
        }
    }

    /// The basket once it is full, or is not; nothing, if that is not soon.
    fn basket<'a>(&mut self, stage: &'a Stage, full: bool) -> Option<MutexGuard<'a, Basket>> {
        let (lock, conditions) = &stage.3;
        let (mut basket, mut died) = told(lock.lock_timeout(PATIENCE));
        for _ in 0..3 {
            if died {
                self.hear();
                basket.full = basket.put.saturating_sub(basket.taken).min(1);
                basket.taken = basket.put - basket.full;
                basket.mark_consistent();
                conditions.iter().for_each(|condition| condition.notify_all().unwrap());
            }
            assert_eq!(basket.put, basket.taken + basket.full, "{:?}", *basket);
            if (basket.full == 1) == full {
                return Some(basket);
            }
            let waited = conditions[usize::from(full)].wait_timeout(basket, MOMENT);
            (basket, died) = match waited {
                Ok((guard, _)) => (guard, false),
                Err(error) => (error.into_guard().unwrap().0, true),
            };
        }
        died.then(|| conditions.iter().for_each(|condition| condition.notify_all().unwrap()));
        None
    }

    fn put(&mut self, stage: &Stage) {
        let Some(mut basket) = self.basket(stage, false) else { return };
        basket.full = 1;
        self.pause();
        basket.put += 1;
        let _ =
            if self.is_one_in(2) { stage.3.1[1].notify_one() } else { stage.3.1[1].notify_all() };
    }

    fn take(&mut self, stage: &Stage) {
        let Some(mut basket) = self.basket(stage, true) else { return };
        basket.taken += 1;
        self.pause();
        basket.full = 0;
        stage.3.1[0].notify_one().unwrap();
    }

    fn only_permit(&mut self, stage: &Stage) {
        let _permit = stage.4[0].acquire_timeout(PATIENCE).expect("a permit was lost");
        if self.board.number(board::ONLY) != 0 {
            self.board.count(board::NEWS);
        }
        self.board.enter(board::ONLY, self.who);
        self.pause();
        self.board.leave(board::ONLY, self.who);
    }

    fn one_of_the_permits(&mut self, stage: &Stage) {
        let _permit = stage.4[1].acquire_timeout(PATIENCE).expect("a permit was lost");
        let seat = self.board.sit_down(self.who);
        self.pause();
        self.board.stand_up(seat, self.who);
    }

    fn manual_event(&mut self, stage: &Stage) {
        let event = &stage.5[0];
        match self.random.below(3) {
            0 => event.set().unwrap(),
            1 => event.reset().unwrap(),
            _ => _ = in_time(event.wait_timeout(MOMENT)),
        }
    }

    fn automatic_event(&mut self, stage: &Stage) {
        let event = &stage.5[1];
        match self.random.below(3) {
            0 => event.set().unwrap(),
            1 => _ = event.try_wait().unwrap(),
            _ => _ = in_time(event.wait_timeout(MOMENT)),
        }
    }

    fn barrier(&mut self, stage: &Stage) {
        let mut party = match stage.6.join() {
            Ok(party) => party,
            Err(error) => return assert_eq!(error.kind(), ErrorKind::Full, "{error}"),
        };
        for _ in 0..self.random.below(5) {
            in_time(party.wait_timeout(MOMENT));
        }
    }

    fn once(&mut self, _: &Stage) {
        let number = self.board.number(board::ONCE);
        if self.once.0 != number {
            self.once = (number, open_once(&self.directory, number));
        }
        let once = self.once.1.clone();
        let act = |again: bool| {
            let before = self.board.number(board::DOING);
            if before != 0 {
                self.board.count(board::NEWS);
            }
            assert!(again || before == 0, "{before} tried, and this one is not told");
            self.board.enter(board::DOING, self.who);
            self.pause();
            self.board.leave(board::DOING, self.who);
        };
        once.call_once_force(act).unwrap();
        assert!(once.is_completed());
        if self.is_one_in(64) {
            self.board.exchange(board::ONCE, number, number + 1);
        }
    }

    fn latch(&mut self, _: &Stage) {
        let number = self.board.number(board::LATCH);
        if self.latch.0 != number {
            self.latch = (number, open_latch(&self.directory, number));
        }
        let latch = self.latch.1.clone();
        match latch.join() {
            Ok(party) if self.is_one_in(2) => party.count_down().unwrap(),
            Ok(_) => {}
            Err(error) => assert_eq!(error.kind(), ErrorKind::Full, "{error}"),
        }
        if in_time(latch.wait_timeout(MOMENT)) && self.is_one_in(64) {
            self.board.exchange(board::LATCH, number, number + 1);
        }
    }
}

/// Whether something was met with; nobody dead was, and there was time enough.
#[track_caller]
fn in_time<T>(answer: Result<T>) -> bool {
    match answer {
        Ok(_) => true,
        Err(error) => {
            let kind = error.kind();
            assert!([ErrorKind::TimedOut, ErrorKind::PeerDied].contains(&kind), "{error}");
            false
        }
    }
}
