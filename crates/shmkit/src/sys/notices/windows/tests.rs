//! The ends of other processes, which are this program again, and are never run.

use std::cell::RefCell;
use std::os::windows::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::AtomicU64;
use std::thread;

use windows_sys::Win32::Foundation::{ERROR_ACCESS_DENIED, ERROR_INVALID_PARAMETER};
use windows_sys::Win32::System::Threading::CREATE_SUSPENDED;

use super::*;
use crate::sys::wait::{Kind, WaitOutcome};

/// One test at a time: the limit is for this process.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A process that does nothing until it is killed.
struct Stopped(Child);

impl Stopped {
    fn start() -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.creation_flags(CREATE_SUSPENDED).stdin(Stdio::null()).stdout(Stdio::null());
        /// Wine sometimes fails to create a process, always with this error.
        const INTERNAL_ERROR: i32 = 1359;
        loop {
            match command.spawn() {
                Err(error) if error.raw_os_error() == Some(INTERNAL_ERROR) => {}
                child => return Self(child.unwrap()),
            }
        }
    }

    fn start_many<const N: usize>() -> [Self; N] {
        [(); N].map(|()| Self::start())
    }

    fn id(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The participants of an object: this process, and those that joined.
#[derive(Default)]
struct Participants(RefCell<Vec<u32>>);

impl Participants {
    fn join<'a>(&self, processes: impl IntoIterator<Item = &'a Stopped>) {
        self.0.borrow_mut().extend(processes.into_iter().map(Stopped::id));
    }

    fn leave(&self, process: &Stopped) {
        // It joined and left.
        let mut ids = self.0.borrow_mut();
        ids.iter_mut().filter(|id| **id == process.id()).for_each(|id| *id = std::process::id());
        ids.push(std::process::id());
    }
}

impl Processes for Participants {
    fn changes(&self) -> u64 {
        self.0.borrow().len() as u64
    }

    fn ids(&self) -> Vec<u32> {
        let me = std::process::id();
        self.0.borrow().iter().copied().chain([me]).collect()
    }
}

/// The notices of an object. Its watches end with it.
struct Watcher {
    arming: Arming,
    bell: Arc<Bell>,
}

impl Watcher {
    fn new() -> Self {
        let watching = Watching { state: State::Idle, changes: None, budget: Budget::new() };
        Self { arming: Arming(Mutex::new(watching)), bell: Arc::default() }
    }

    /// Returns whether there was a process to watch.
    fn arm(&self, participants: &Participants) -> bool {
        assert!(self.arming.is_possible(&self.bell));
        self.arming.arm(&self.bell, participants)
    }

    fn watched(&self) -> usize {
        self.arming.lock().watched().len()
    }

    /// Sleeps on a word that nobody changes, until the first piece of news.
    fn sleep(&self, word: &AtomicU64) -> WaitOutcome {
        self.bell.sleep(word, 0, None, 0, Kind::Only)
    }

    fn wait_for_news(&self) {
        while self.bell.news() == 0 {
            thread::yield_now();
        }
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.arming.end(&self.bell);
    }
}

#[test]
fn the_end_of_a_participant_wakes_all_that_sleep_on_words_of_the_object() {
    let _alone = alone();
    let (watcher, participants) = (&Watcher::new(), Participants::default());
    let mut process = Stopped::start();
    participants.join([&process]);
    assert!(watcher.arm(&participants));
    assert!(!watcher.arm(&participants), "nothing has changed");
    let words = &[0, 0].map(AtomicU64::new);
    thread::scope(|scope| {
        let sleep = |at: usize| scope.spawn(move || watcher.sleep(&words[at]));
        let sleepers = [0, 0, 0, 1].map(sleep);
        while watcher.bell.sleepers() < sleepers.len() {
            thread::yield_now();
        }
        process.0.kill().unwrap();
        for sleeper in sleepers {
            assert_eq!(sleeper.join().unwrap(), WaitOutcome::Woken);
        }
    });
}

#[test]
fn a_participant_that_joined_later_is_watched_when_a_waiter_looks_again() {
    let _alone = alone();
    let (watcher, participants) = (Watcher::new(), Participants::default());
    assert!(!watcher.arm(&participants), "this process alone");
    assert_eq!(watcher.watched(), 0);
    let [first, mut second] = Stopped::start_many();
    participants.join([&first]);
    assert!(watcher.arm(&participants));
    participants.join([&second]);
    assert!(watcher.arm(&participants));
    assert_eq!(watcher.watched(), 2);
    second.0.kill().unwrap();
    watcher.wait_for_news();
}

#[test]
fn a_process_that_left_is_watched_until_there_is_another_and_none_after_the_object_was_closed() {
    let _alone = alone();
    let (watcher, participants) = (Watcher::new(), Participants::default());
    let [first, second] = Stopped::start_many();
    participants.join([&first]);
    assert!(watcher.arm(&participants));
    participants.leave(&first);
    assert!(!watcher.arm(&participants), "no other process joined");
    assert_eq!(watcher.watched(), 1);
    participants.join([&second]);
    assert!(watcher.arm(&participants));
    assert_eq!(*watcher.arming.lock().watched(), BTreeSet::from([second.id()]));
    let bell = watcher.bell.clone();
    drop(watcher);
    assert_eq!(Arc::strong_count(&bell), 1, "the ringer has it no more");
}

#[test]
fn two_objects_are_told_of_the_end_of_one_process() {
    let _alone = alone();
    let participants = Participants::default();
    let mut process = Stopped::start();
    participants.join([&process]);
    let watchers = [(); 3].map(|()| Watcher::new());
    for watcher in &watchers {
        assert!(watcher.arm(&participants));
    }
    let [closed, left @ ..] = watchers;
    drop(closed);
    process.0.kill().unwrap();
    left.iter().for_each(Watcher::wait_for_news);
    let late = Watcher::new();
    assert!(late.arm(&participants), "the process has ended, and its slot was not freed yet");
    late.wait_for_news();
}

#[test]
fn beyond_the_limit_the_first_processes_are_watched_and_the_doctor_says_so() {
    let _alone = alone();
    let (watcher, participants) = (Watcher::new(), Participants::default());
    let mut processes: [_; MAX_PROCESSES + 1] = Stopped::start_many();
    participants.join(&processes[..MAX_PROCESSES]);
    assert!(find_obstacle_of(&participants).is_none());
    participants.join(&processes[MAX_PROCESSES..]);
    assert!(watcher.arm(&participants));
    assert_eq!(watcher.watched(), MAX_PROCESSES);
    assert!(!watcher.arm(&participants), "nothing has changed");
    let obstacle = find_obstacle_of(&participants).unwrap();
    assert!(obstacle.what.contains("64 processes use it, and a process can watch 63"));
    let (second, few) = (Watcher::new(), Participants::default());
    few.join(&processes[..1]);
    assert!(second.arm(&few), "a process that is watched already needs no more room");
    assert_eq!(second.watched(), 1);
    // Most of them at once.
    processes.iter_mut().for_each(|process| process.0.kill().unwrap());
    watcher.wait_for_news();
    second.wait_for_news();
}

#[test]
fn peers_that_keep_changing_do_not_keep_a_waiter_awake() {
    let _alone = alone();
    let (watcher, participants) = (Watcher::new(), Participants::default());
    let process = Stopped::start();
    // An id that no process has.
    let strangers = std::iter::repeat_n(u32::MAX, 10_000);
    participants.join([&process]);
    let arms = strangers.map(|id| {
        participants.0.borrow_mut().push(id);
        watcher.arm(&participants)
    });
    assert!(arms.filter(|it| *it).count() < 10_000);
}

#[test]
fn processes_are_watched_again_some_time_after_the_ringer_has_ended() {
    let _alone = alone();
    let (watcher, participants) = (Watcher::new(), Participants::default());
    let process = Stopped::start();
    participants.join([&process]);
    assert!(watcher.arm(&participants));
    watcher.bell.disarm();
    assert!(!watcher.arming.is_possible(&watcher.bell), "not at once");
    assert!(watcher.arming.arm(&watcher.bell, &participants));
    assert!(watcher.bell.armed_since_ms().is_some());
    assert_eq!(watcher.watched(), 1);
}

#[test]
fn the_doctor_names_a_process_that_the_system_refuses_to_open() {
    let _alone = alone();
    let refusal = |id| match id {
        1 => None,
        2 => Some(io::Error::from_raw_os_error(ERROR_INVALID_PARAMETER as i32)),
        _ => Some(io::Error::from_raw_os_error(ERROR_ACCESS_DENIED as i32)),
    };
    assert!(obstacle_among(BTreeSet::from([1, 2]), refusal).is_none());
    let obstacle = obstacle_among(BTreeSet::from([1, 2, 3]), refusal).unwrap();
    assert!(obstacle.what.ends_with("wait for the end of process 3"), "{}", obstacle.what);
}
