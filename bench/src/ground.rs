//! What two processes share apart from what is measured: a directory, and words to command by.

use std::hint::spin_loop;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use rustix::thread::{CpuSet, sched_setaffinity};
use shmkit::{FileMapping, Latest, LatestOptions, Region};
use tempfile::TempDir;

use crate::sizes::{SIZES, WithWords, with_words};
use crate::{crew, floors, latest, naive, sight};

/// Where on the ground words are, in words; 16 of them are two lines.
pub(crate) const LINE_THERE: usize = 512;
pub(crate) const LINE_BACK: usize = LINE_THERE + 16;
pub(crate) const BYTES_THERE: usize = 1_024;
pub(crate) const BYTES_BACK: usize = BYTES_THERE + LARGEST + 16;
const COMMAND: usize = 0;
const DONE: usize = 16;
const ROUNDS: usize = 32;
/// Set by the one who commands, to end what has no rounds.
pub(crate) const STOP: usize = 48;
/// Of the largest value, in words.
const LARGEST: usize = SIZES[SIZES.len() - 1] / 8;
/// Where those of crews are.
pub(crate) const CREWS: usize = BYTES_BACK + LARGEST + 16;
const WORDS: usize = CREWS + crew::CREW_WORDS;

/// What the other side is told to do; each role has a meaning for them.
pub(crate) const LEAVE: u64 = 0;
pub(crate) const FLOOR: u64 = 1;
pub(crate) const SUBJECT: u64 = 2;

/// A directory with a mapping in it.
pub(crate) struct Ground {
    directory: PathBuf,
    region: Region,
    /// Removed by the one who made it.
    _made: Option<TempDir>,
}

impl Ground {
    pub(crate) fn new() -> Self {
        let made = tempfile::Builder::new().prefix("shmkit-bench-").tempdir_in("/dev/shm");
        let made = made.expect("/dev/shm can be written to");
        let bytes = (WORDS * 8) as u64;
        let file = FileMapping::create(made.path().join("ground"), bytes).expect("there is room");
        let region = file.map().expect("it can be mapped");
        region.prefault().expect("its space was committed");
        pin(0);
        Self { directory: made.path().to_owned(), region, _made: Some(made) }
    }

    pub(crate) fn open(directory: &Path) -> Self {
        let file = FileMapping::open(directory.join("ground")).expect("the other side made it");
        let region = file.map().expect("it can be mapped");
        region.prefault().expect("its space was committed");
        Self { directory: directory.to_owned(), region, _made: None }
    }

    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    pub(crate) fn word(&self, at: usize) -> &AtomicU64 {
        &self.words(at, 1)[0]
    }

    pub(crate) fn words(&self, at: usize, count: usize) -> &[AtomicU64] {
        self.region.words(at * 8, count).expect("the place is within the ground")
    }

    pub(crate) fn options<const N: usize>(&self) -> LatestOptions<[u64; N]> {
        Latest::options().directory(&self.directory)
    }

    /// A `Latest` for values of `N` words, made by whoever comes first.
    pub(crate) fn latest<const N: usize>(&self, name: &str) -> Latest<[u64; N]> {
        let name = format!("{name}-{}", N * 8);
        self.options().open_or_create(&name).expect("the directory is ours")
    }

    /// Starts the other side.
    pub(crate) fn start(&self, play: Play, bytes: usize, cpu: usize) -> OtherSide<'_> {
        self.word(COMMAND).store(0, Ordering::Relaxed);
        self.word(DONE).store(0, Ordering::Relaxed);
        let child = self.spawn(play, bytes, cpu, 0);
        OtherSide { ground: self, child, commands: 0 }
    }

    /// Starts a process that plays, commanded by the word `commands` lines further on.
    pub(crate) fn spawn(&self, play: Play, bytes: usize, cpu: usize, number: usize) -> Child {
        let program = std::env::current_exe().expect("this program has a path");
        let mut command = Command::new(program);
        command.arg("role").arg("--ground").arg(&self.directory);
        command.args(["--play".to_owned(), name_of(&play)]);
        for (option, value) in [("--bytes", bytes), ("--cpu", cpu), ("--number", number)] {
            command.args([option.to_owned(), value.to_string()]);
        }
        command.spawn().expect("this program can be started again")
    }
}

/// Lets this thread run on one processor only.
pub(crate) fn pin(cpu: usize) {
    let mut cpus = CpuSet::new();
    cpus.set(cpu);
    sched_setaffinity(None, &cpus).expect("there are two processors to run on");
}

/// The process on the other side.
pub(crate) struct OtherSide<'a> {
    ground: &'a Ground,
    child: Child,
    commands: u64,
}

impl OtherSide<'_> {
    /// Has the other side do `what` for `rounds`, does `mine` meanwhile, and returns how long a
    /// round took, in nanoseconds.
    pub(crate) fn time(&mut self, what: u64, rounds: u64, mine: impl FnOnce()) -> f64 {
        self.begin(what, rounds);
        let started = Instant::now();
        mine();
        let took = started.elapsed();
        self.end();
        took.as_nanos() as f64 / rounds as f64
    }

    /// Has the other side begin with `what`, and waits until it did.
    pub(crate) fn begin(&mut self, what: u64, rounds: u64) {
        self.commands += 1;
        self.ground.word(STOP).store(0, Ordering::Relaxed);
        self.ground.word(ROUNDS).store(rounds, Ordering::Relaxed);
        self.ground.word(COMMAND).store(self.commands << 8 | what, Ordering::Release);
        while self.ground.word(DONE).load(Ordering::Acquire) != self.commands << 8 | what {
            thread::sleep(LOOK);
        }
    }

    /// Waits until the other side has ended what it does, telling it to.
    pub(crate) fn end(&mut self) {
        self.ground.word(STOP).store(1, Ordering::Release);
        while self.ground.word(DONE).load(Ordering::Acquire) != self.commands << 8 | ENDED {
            thread::sleep(LOOK);
        }
    }
}

/// What the other side adds to the number of the command when it has done it.
const ENDED: u64 = 0xff;
/// How often one side looks whether the other has done something that is not measured.
pub(crate) const LOOK: Duration = Duration::from_micros(20);

impl Drop for OtherSide<'_> {
    fn drop(&mut self) {
        self.commands += 1;
        self.ground.word(COMMAND).store(self.commands << 8 | LEAVE, Ordering::Release);
        let _ = self.child.wait();
    }
}

/// What a process on the other side does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Play {
    /// Echoes by bare means.
    Floor,
    /// Sets a `Latest` flat out.
    Writer,
    /// Echoes a `Latest` in another, awake.
    Awake,
    /// Echoes a `Latest` in another, asleep.
    Asleep,
    /// Gets a `Latest` flat out.
    Getter,
    /// Copies strings into a mapping, and sets them in a `Latest`.
    Naive,
}

/// What a choice is called on the command line.
pub(crate) fn name_of(choice: &impl ValueEnum) -> String {
    choice.to_possible_value().expect("every choice has a name").get_name().to_owned()
}

/// What the other side is told when it starts.
#[derive(Args)]
pub(crate) struct Role {
    #[arg(long)]
    ground: PathBuf,
    #[arg(long)]
    play: Play,
    #[arg(long)]
    bytes: usize,
    #[arg(long)]
    cpu: usize,
    #[arg(long)]
    number: usize,
}

/// One who does what it is told.
pub(crate) trait Player {
    /// Does `what` for `rounds`, or until `STOP`.
    fn play(&mut self, what: u64, rounds: u64);
}

impl Role {
    pub(crate) fn play(self) {
        pin(self.cpu);
        let ground = Ground::open(&self.ground);
        let bytes = self.bytes;
        with_words(bytes, Playing { role: self, ground: &ground });
    }
}

struct Playing<'a> {
    role: Role,
    ground: &'a Ground,
}

impl WithWords for Playing<'_> {
    type Output = ();

    fn run<const N: usize>(self) {
        let ground = self.ground;
        match self.role.play {
            Play::Floor => obey(ground, &mut floors::Echo::<N>::new(ground)),
            Play::Writer => obey(ground, &mut latest::Writer::<N>::new(ground)),
            Play::Awake => obey(ground, &mut sight::Echo::<N>::new(ground, true)),
            Play::Asleep => obey(ground, &mut sight::Echo::<N>::new(ground, false)),
            Play::Getter => crate::readers::get_until_stopped::<N>(ground, self.role.number),
            Play::Naive => obey(ground, &mut naive::Writer::new(ground)),
        }
    }
}

fn obey(ground: &Ground, player: &mut impl Player) {
    let mut last = 0;
    loop {
        let command = ground.word(COMMAND).load(Ordering::Acquire);
        if command == last {
            thread::sleep(LOOK);
            continue;
        }
        last = command;
        if command & 0xff == LEAVE {
            return;
        }
        let rounds = ground.word(ROUNDS).load(Ordering::Relaxed);
        ground.word(DONE).store(command, Ordering::Release);
        player.play(command & 0xff, rounds);
        ground.word(DONE).store(command | ENDED, Ordering::Release);
    }
}

/// Spins until `word` is `value`.
pub(crate) fn spin_until(word: &AtomicU64, value: u64) {
    while word.load(Ordering::Acquire) != value {
        spin_loop();
    }
}
