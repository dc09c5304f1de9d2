//! The naive way: one process copies a string into a mapping, another spins and reads it. Beside
//! it, the same with `Latest`.

use std::io;
use std::sync::atomic::AtomicU64;
use std::thread;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

use crate::harness::arena::{Arena, BYTES_THERE};
use crate::harness::mailbox::RUN;
use crate::harness::report::Report;
use crate::harness::worker::{Worker, Workload};
use crate::harness::workers::Harness;
use crate::objects::latest;

pub(crate) const WORKLOADS: &[Workload] = &[Workload::process("write/naive", serve)];

/// The length of the string: the same time stamp, four times.
const LENGTH: usize = 64;
const N: usize = LENGTH / 8;
const PART: usize = LENGTH / 4;
/// How long each case is watched.
const WATCHED: Duration = Duration::from_secs(2);
const PERIOD: Duration = Duration::from_millis(10);
const NAME: &str = "naive";

/// What the worker is commanded to do.
const COPY_PERIODICALLY: u64 = RUN + 1;
const COPY_CONTINUOUSLY: u64 = RUN + 2;
const SET_PERIODICALLY: u64 = RUN + 3;
const SET_CONTINUOUSLY: u64 = RUN + 4;

fn stamp(number: u64) -> [u8; LENGTH] {
    let text = format!("{number:0>PART$}").repeat(LENGTH / PART);
    text.into_bytes().try_into().expect("the string has four parts")
}

fn is_torn(text: &[u8]) -> bool {
    text.chunks(PART).any(|part| part != &text[..PART])
}

fn to_bytes(words: [u64; N]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

fn to_words(text: [u8; LENGTH]) -> [u64; N] {
    let (words, _) = text.as_chunks::<8>();
    std::array::from_fn(|at| u64::from_le_bytes(words[at]))
}

/// Writes a new string every 10 ms, or without a pause.
fn serve(worker: &Worker) {
    let arena = worker.arena();
    let mut writer = latest::<N>(arena.directory(), NAME).writer().expect("a sole writer");
    let mut number = 0;
    worker.serve(|command| {
        command.repeat(|| {
            number += 1;
            let text = stamp(number);
            if matches!(command.what, COPY_PERIODICALLY | COPY_CONTINUOUSLY) {
                copy_in(place(arena), &text);
            } else {
                writer.set(&to_words(text)).expect("a sole writer");
            }
            if matches!(command.what, COPY_PERIODICALLY | SET_PERIODICALLY) {
                thread::sleep(PERIOD);
            }
        });
    });
}

/// Returns the bytes that are copied without a protocol.
fn place(arena: &Arena) -> &[AtomicU64] {
    arena.words(BYTES_THERE, N)
}

fn copy_in(place: &[AtomicU64], text: &[u8; LENGTH]) {
    let to = place.as_ptr().cast_mut().cast::<u8>();
    for (at, byte) in text.iter().enumerate() {
        let to = to.wrapping_add(at);
        // SAFETY: within the place. This suite shows what a concurrent reader gets.
        unsafe { to.write_volatile(*byte) };
    }
}

fn copy_out(place: &[AtomicU64]) -> [u8; LENGTH] {
    let from = place.as_ptr().cast::<u8>();
    std::array::from_fn(|at| {
        let from = from.wrapping_add(at);
        // SAFETY: as above.
        unsafe { from.read_volatile() }
    })
}

/// What a reader saw.
#[derive(Default)]
struct Seen {
    reads: u64,
    torn: u64,
    processor_share: f64,
}

/// Returns the processor time that this process has used.
fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// Reads for a while. `read` returns whether a new value is torn.
fn watch(mut read: impl FnMut() -> Option<bool>) -> Seen {
    let (started, used) = (Instant::now(), processor_time());
    let mut seen = Seen::default();
    while started.elapsed() < WATCHED {
        if let Some(torn) = read() {
            seen.reads += 1;
            seen.torn += u64::from(torn);
        }
    }
    let used = (processor_time() - used).as_secs_f64();
    seen.processor_share = used / started.elapsed().as_secs_f64() * 100.0;
    seen
}

pub(crate) fn run(harness: &Harness, report: &mut Report) -> io::Result<()> {
    let latest = latest::<N>(harness.arena.directory(), NAME);
    let worker = harness.start_one("write/naive", LENGTH, 1);
    let place = place(&harness.arena);
    let copied = || {
        let mut last = [0; LENGTH];
        watch(|| {
            let text = copy_out(place);
            let is_new = text != last;
            last = text;
            is_new.then(|| is_torn(&text))
        })
    };
    let got = || {
        let mut changes = latest.changes();
        watch(|| changes.next_timeout(2 * PERIOD).ok().map(|it| is_torn(&to_bytes(it))))
    };
    let cases: [(_, _, &dyn Fn() -> Seen); 4] = [
        ("copied, every 10 ms", COPY_PERIODICALLY, &copied),
        ("copied, continuously", COPY_CONTINUOUSLY, &copied),
        ("Latest, every 10 ms", SET_PERIODICALLY, &got),
        ("Latest, continuously", SET_CONTINUOUSLY, &got),
    ];
    for (name, what, watch) in cases {
        let seen = worker.during(what, watch);
        for (figure, value, unit) in [
            ("seen", seen.reads as f64, "values"),
            ("torn", seen.torn as f64, "values"),
            ("reader's processor", seen.processor_share, "%"),
        ] {
            report.tell_count(&format!("{name}: {figure}"), LENGTH, unit, value)?;
        }
    }
    Ok(())
}
