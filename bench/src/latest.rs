//! Getting and setting: with nobody else, and against a writer that never pauses.

use std::cell::RefCell;
use std::hint::black_box;
use std::sync::atomic::Ordering;
use std::time::Instant;

use shmkit::{Latest, LatestWriter};

use crate::floors;
use crate::ground::{BYTES_THERE, Ground, OtherSide, Play, Player, STOP, SUBJECT};
use crate::report::{Case, Report, SAMPLES, Samples};
use crate::sizes::{BY_VALUE, SIZES, WithWords, boxed, rounds, with_words};

/// How many lines one `get` under a writer that never pauses may cost, beside its copy.
const LINES: f64 = 2.0;
/// How many reads a sample of them has at least: with them all, one retry in 20,000 shows.
const LEAST_GETS: u64 = 20_000 / SAMPLES as u64;

/// The nanoseconds of each of `rounds`.
pub(crate) fn time(rounds: u64, mut each: impl FnMut()) -> f64 {
    let started = Instant::now();
    for _ in 0..rounds {
        each();
    }
    started.elapsed().as_nanos() as f64 / rounds as f64
}

/// Gets once: by value, or where that is too large for the stack, into `place`.
#[inline(always)]
pub(crate) fn get<const N: usize>(latest: &Latest<[u64; N]>, place: &mut [u64; N]) {
    if N * 8 <= BY_VALUE {
        black_box(latest.get().expect("a value was set"));
    } else {
        latest.get_into(place).expect("a value was set");
        black_box(place);
    }
}

/// Copies as many bytes out of the ground, in the same way.
#[inline(always)]
fn plain_copy<const N: usize>(from: *const [u64; N], place: &mut [u64; N]) {
    let from = black_box(from);
    if N * 8 <= BY_VALUE {
        // SAFETY: `N` words of the ground, which nobody writes now.
        black_box(unsafe { from.read() });
    } else {
        // SAFETY: as above.
        unsafe { from.copy_to_nonoverlapping(place, 1) };
        black_box(place);
    }
}

/// Sets flat out until it is stopped, and echoes the bare floors.
pub(crate) struct Writer<'a, const N: usize> {
    ground: &'a Ground,
    writer: LatestWriter<[u64; N]>,
    value: Box<[u64; N]>,
    echo: floors::Echo<'a, N>,
}

impl<'a, const N: usize> Writer<'a, N> {
    pub(crate) fn new(ground: &'a Ground) -> Self {
        let writer = ground.latest::<N>("flat-out").writer().expect("there is no other");
        Self { ground, writer, value: boxed(), echo: floors::Echo::new(ground) }
    }
}

impl<const N: usize> Player for Writer<'_, N> {
    fn play(&mut self, what: u64, rounds: u64) {
        if what != SUBJECT {
            return self.echo.play(what, rounds);
        }
        let Self { ground, writer, value, .. } = self;
        let stop = ground.word(STOP);
        while stop.load(Ordering::Relaxed) == 0 {
            value[0] += 1;
            writer.set(value).expect("this is the writer");
        }
    }
}

pub(crate) fn run_get(ground: &Ground, report: &mut Report) {
    for size in SIZES {
        with_words(size, GetQuiet { ground, report });
    }
    for size in SIZES {
        with_words(size, GetFlatOut { ground, report });
    }
}

struct GetQuiet<'a> {
    ground: &'a Ground,
    report: &'a mut Report,
}

impl WithWords for GetQuiet<'_> {
    type Output = ();

    fn run<const N: usize>(self) {
        let latest = self.ground.latest::<N>("quiet");
        let mut writer = latest.writer().expect("there is no other");
        let mut place = boxed::<N>();
        writer.set(&place).expect("this is the writer");
        let from = self.ground.words(BYTES_THERE, N).as_ptr().cast::<[u64; N]>();
        let rounds = rounds(N * 8, 2.0, 0.03);
        let mut copied = boxed::<N>();
        let samples = Samples::beside(
            || time(rounds, || plain_copy(from, &mut copied)),
            || time(rounds, || get(&latest, &mut place)),
        );
        let case = Case { suite: "get", case: "quiet / plain copy", bytes: N * 8, unit: "ns" };
        self.report.tell(&case, &samples);
    }
}

struct GetFlatOut<'a> {
    ground: &'a Ground,
    report: &'a mut Report,
}

impl WithWords for GetFlatOut<'_> {
    type Output = ();

    fn run<const N: usize>(self) {
        let Self { ground, report } = self;
        let latest = ground.latest::<N>("flat-out");
        let other = RefCell::new(ground.start(Play::Writer, N * 8, 1));
        let (mut place, mut value) = (boxed::<N>(), boxed::<N>());
        flat_out(&other, || while latest.sequence() == 0 {});
        let rounds = (4 * rounds(N * 8, 50.0, 0.3)).max(LEAST_GETS);
        let (mut gets, retries) = (0, shmkit::read_retries());
        let samples = Samples::beside(
            || {
                let mut other = other.borrow_mut();
                let copied = floors::bytes::<N>(&mut other, ground, &mut value) / 2.0;
                LINES * floors::line(&mut other, ground) + copied
            },
            || {
                gets += rounds;
                flat_out(&other, || time(rounds, || get(&latest, &mut place)))
            },
        );
        let case = "flat out / 2 lines and the copy";
        report.tell(&Case { suite: "get", case, bytes: N * 8, unit: "ns" }, &samples);
        let retries = (shmkit::read_retries() - retries) as f64 / gets as f64 * 1_000.0;
        let case = Case { suite: "get", case: "retries flat out", bytes: N * 8, unit: "per 1,000" };
        report.tell(&case, &Samples::counted(retries));
    }
}

/// Does `mine` while the other side sets flat out.
fn flat_out<T>(other: &RefCell<OtherSide<'_>>, mine: impl FnOnce() -> T) -> T {
    let mut other = other.borrow_mut();
    other.begin(SUBJECT, 1);
    let result = mine();
    other.end();
    result
}

pub(crate) fn run_set(ground: &Ground, report: &mut Report) {
    for size in SIZES {
        with_words(size, Set { ground, report });
    }
}

struct Set<'a> {
    ground: &'a Ground,
    report: &'a mut Report,
}

impl WithWords for Set<'_> {
    type Output = ();

    fn run<const N: usize>(self) {
        let latest = self.ground.latest::<N>("set");
        let mut writer = latest.writer().expect("there is no other");
        let (mut value, mut other_value) = (boxed::<N>(), boxed::<N>());
        let to = self.ground.words(BYTES_THERE, N).as_ptr().cast_mut().cast::<[u64; N]>();
        let rounds = rounds(N * 8, 5.0, 0.03);
        let samples = Samples::beside(
            || {
                time(rounds, || {
                    other_value[0] += 1;
                    // SAFETY: `N` words of the ground, which nobody else touches now.
                    unsafe { black_box(to).copy_from_nonoverlapping(&*other_value, 1) };
                })
            },
            || {
                time(rounds, || {
                    value[0] += 1;
                    writer.set(&value).expect("this is the writer");
                })
            },
        );
        let case =
            Case { suite: "set", case: "nobody reads / plain copy", bytes: N * 8, unit: "ns" };
        self.report.tell(&case, &samples);
    }
}
