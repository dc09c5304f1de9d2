//! The naive way: a string copied into a mapping, and a reader that spins; beside `Latest`.

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use shmkit::LatestWriter;

use crate::ground::{BYTES_THERE, Ground, Play, Player, STOP};
use crate::report::{Case, Report, Samples};

/// A string of 64 characters: the same time stamp, four times.
const LENGTH: usize = 64;
const N: usize = LENGTH / 8;
const PART: usize = LENGTH / 4;
/// How long each way is watched.
const WATCHED: Duration = Duration::from_secs(2);
const PACE: Duration = Duration::from_millis(10);

const COPY_PACED: u64 = 1;
const COPY_FLAT_OUT: u64 = 2;
const SET_PACED: u64 = 3;
const SET_FLAT_OUT: u64 = 4;

fn stamp(number: u64) -> [u8; LENGTH] {
    let text = format!("{number:0>PART$}").repeat(LENGTH / PART);
    text.into_bytes().try_into().expect("four parts")
}

fn is_torn(text: &[u8]) -> bool {
    text.chunks(PART).any(|part| part != &text[..PART])
}

fn as_bytes(words: [u64; N]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

fn as_words(text: [u8; LENGTH]) -> [u64; N] {
    let (words, _) = text.as_chunks::<8>();
    std::array::from_fn(|at| u64::from_le_bytes(words[at]))
}

/// Writes a new string every 10 ms or as fast as it can.
pub(crate) struct Writer<'a> {
    ground: &'a Ground,
    latest: LatestWriter<[u64; N]>,
    number: u64,
}

impl<'a> Writer<'a> {
    pub(crate) fn new(ground: &'a Ground) -> Self {
        let latest = ground.latest::<N>("naive").writer().expect("there is no other");
        Self { ground, latest, number: 0 }
    }

    fn write(&mut self, what: u64) {
        self.number += 1;
        let text = stamp(self.number);
        if matches!(what, COPY_PACED | COPY_FLAT_OUT) {
            naive_place(self.ground).copy_in(&text);
        } else {
            self.latest.set(&as_words(text)).expect("this is the writer");
        }
    }
}

impl Player for Writer<'_> {
    fn play(&mut self, what: u64, _rounds: u64) {
        while self.ground.word(STOP).load(Ordering::Relaxed) == 0 {
            self.write(what);
            if matches!(what, COPY_PACED | SET_PACED) {
                thread::sleep(PACE);
            }
        }
    }
}

/// Bytes that are copied without any protocol.
struct Place<'a>(&'a [AtomicU64]);

fn naive_place(ground: &Ground) -> Place<'_> {
    Place(ground.words(BYTES_THERE, N))
}

impl Place<'_> {
    fn copy_in(&self, text: &[u8; LENGTH]) {
        let to = self.0.as_ptr().cast_mut().cast::<u8>();
        for (at, byte) in text.iter().enumerate() {
            let to = to.wrapping_add(at);
            // SAFETY: within the place. That another reads it meanwhile is what is shown here.
            unsafe { to.write_volatile(*byte) };
        }
    }

    fn copy_out(&self) -> [u8; LENGTH] {
        let from = self.0.as_ptr().cast::<u8>();
        std::array::from_fn(|at| {
            let from = from.wrapping_add(at);
            // SAFETY: as above.
            unsafe { from.read_volatile() }
        })
    }
}

/// What a reader saw.
#[derive(Default)]
struct Seen {
    reads: u64,
    torn: u64,
    cpu: f64,
}

/// The processor time that this process used so far.
fn cpu_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

fn watch(mut read: impl FnMut() -> Option<bool>) -> Seen {
    let (started, used) = (Instant::now(), cpu_time());
    let mut seen = Seen::default();
    while started.elapsed() < WATCHED {
        if let Some(torn) = read() {
            seen.reads += 1;
            seen.torn += u64::from(torn);
        }
    }
    seen.cpu = (cpu_time() - used).as_secs_f64() / started.elapsed().as_secs_f64() * 100.0;
    seen
}

pub(crate) fn run(ground: &Ground, report: &mut Report) {
    let latest = ground.latest::<N>("naive");
    let mut other = ground.start(Play::Naive, LENGTH, 1);
    let place = naive_place(ground);
    let cases = [
        ("copied, every 10 ms", COPY_PACED),
        ("copied, flat out", COPY_FLAT_OUT),
        ("Latest, every 10 ms", SET_PACED),
        ("Latest, flat out", SET_FLAT_OUT),
    ];
    for (name, what) in cases {
        other.begin(what, 1);
        let seen = if matches!(what, COPY_PACED | COPY_FLAT_OUT) {
            let mut last = [0; LENGTH];
            watch(|| {
                let text = place.copy_out();
                let new = text != last;
                last = text;
                new.then(|| is_torn(&text))
            })
        } else {
            let mut changes = latest.changes();
            watch(|| changes.next_timeout(2 * PACE).ok().map(|it| is_torn(&as_bytes(it))))
        };
        other.end();
        let figures = [
            ("seen", seen.reads as f64, "values"),
            ("torn", seen.torn as f64, "values"),
            ("reader's processor", seen.cpu, "%"),
        ];
        for (figure, value, unit) in figures {
            let case = format!("{name}: {figure}");
            let case = Case { suite: "naive", case: &case, bytes: LENGTH, unit };
            report.tell(&case, &Samples::counted(value));
        }
    }
}
