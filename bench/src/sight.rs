//! From one process's set to the other's sight, and back.

use shmkit::{Changes, LatestWriter};

use crate::floors;
use crate::ground::{Ground, OtherSide, Play, Player, SUBJECT};
use crate::report::{Case, Report, Samples};
use crate::sizes::{BY_VALUE, SIZES, WithWords, boxed, rounds, with_words};
use std::cell::RefCell;
use std::hint::black_box;
use std::time::Duration;

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(10);

/// Waits for the next change: by value, or into `place`.
#[inline(always)]
fn next<const N: usize>(changes: &mut Changes<[u64; N]>, place: &mut [u64; N]) {
    if N * 8 <= BY_VALUE {
        *place = changes.next().expect("the other side sets it");
    } else {
        changes.next_into(place, PATIENCE).expect("the other side sets it");
    }
    black_box(place);
}

/// One end of two values: this side's to set, and that of the other to see.
struct End<const N: usize> {
    writer: LatestWriter<[u64; N]>,
    changes: Changes<[u64; N]>,
    value: Box<[u64; N]>,
}

impl<const N: usize> End<N> {
    fn new(ground: &Ground, mine: &str, theirs: &str, awake: bool) -> Self {
        let writer = ground.latest::<N>(mine).writer().expect("there is no other");
        let changes = ground.latest::<N>(theirs).changes();
        let changes = if awake { changes } else { changes.without_spinning() };
        Self { writer, changes, value: boxed() }
    }

    #[inline(always)]
    fn set(&mut self) {
        self.writer.set(&self.value).expect("this is the writer");
    }

    #[inline(always)]
    fn next(&mut self) {
        next(&mut self.changes, &mut self.value);
    }
}

/// Echoes values, and the bare floors.
pub(crate) struct Echo<'a, const N: usize> {
    end: End<N>,
    echo: floors::Echo<'a, N>,
}

impl<'a, const N: usize> Echo<'a, N> {
    pub(crate) fn new(ground: &'a Ground, awake: bool) -> Self {
        let name = if awake { "awake" } else { "asleep" };
        let end = End::new(ground, &format!("{name}-back"), &format!("{name}-there"), awake);
        Self { end, echo: floors::Echo::new(ground) }
    }
}

impl<const N: usize> Player for Echo<'_, N> {
    fn play(&mut self, what: u64, rounds: u64) {
        if what != SUBJECT {
            return self.echo.play(what, rounds);
        }
        for _ in 0..rounds {
            self.end.next();
            self.end.set();
        }
    }
}

fn round_trips<const N: usize>(other: &mut OtherSide<'_>, end: &mut End<N>, rounds: u64) -> f64 {
    other.time(SUBJECT, rounds, || {
        for _ in 0..rounds {
            end.set();
            end.next();
        }
    })
}

pub(crate) fn run_awake(ground: &Ground, report: &mut Report) {
    for size in SIZES {
        with_words(size, Awake { ground, report });
    }
}

struct Awake<'a> {
    ground: &'a Ground,
    report: &'a mut Report,
}

impl WithWords for Awake<'_> {
    type Output = ();

    fn run<const N: usize>(self) {
        let Self { ground, report } = self;
        let mut end = End::<N>::new(ground, "awake-there", "awake-back", true);
        let other = RefCell::new(ground.start(Play::Awake, N * 8, 1));
        let rounds = rounds(N * 8, 200.0, 0.3);
        let mut value = boxed::<N>();
        let samples = Samples::beside(
            || floors::bytes::<N>(&mut other.borrow_mut(), ground, &mut value),
            || round_trips(&mut other.borrow_mut(), &mut end, rounds),
        );
        let case = "round trip / same bytes copied";
        report.tell(&Case { suite: "sight", case, bytes: N * 8, unit: "ns" }, &samples);
    }
}

pub(crate) fn run_asleep(ground: &Ground, report: &mut Report) {
    const ROUNDS: u64 = 500;
    let cases =
        [("round trip / futex, two processors", 1), ("round trip / futex, one processor", 0)];
    for (case, cpu) in cases {
        let mut end = End::<1>::new(ground, "asleep-there", "asleep-back", false);
        let other = RefCell::new(ground.start(Play::Asleep, 8, cpu));
        let samples = Samples::beside(
            || floors::futex(&mut other.borrow_mut(), ground) / 1_000.0,
            || round_trips(&mut other.borrow_mut(), &mut end, ROUNDS) / 1_000.0,
        );
        report.tell(&Case { suite: "asleep", case, bytes: 8, unit: "us" }, &samples);
    }
}
