//! 1 to 16 readers: what they cost the writer, and each other.

use std::cell::RefCell;
use std::hint::black_box;
use std::process::Child;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use shmkit::{Latest, LatestWriter};

use crate::ground::{Ground, LINE_THERE, Play, STOP};
use crate::latest::{get, time};
use crate::report::{Case, Report, Samples};
use crate::sizes::boxed;

const READERS: [usize; 5] = [1, 2, 4, 8, 16];
/// Words of the value.
const N: usize = 8;
const ROUNDS: u64 = 100_000;
/// Held up while this is 1, gone when it is 2.
const GO: u64 = 0;
const PAUSE: u64 = 1;
const LEAVE: u64 = 2;

/// Gets flat out, except while it is told to pause; ends when it is told to.
pub(crate) fn get_until_stopped<const N: usize>(ground: &Ground, number: usize) {
    let latest = ground.latest::<N>("readers");
    let mut place = boxed::<N>();
    let here = ground.word(LINE_THERE + 16 * (number + 1));
    loop {
        match ground.word(STOP).load(Ordering::Acquire) {
            GO => get(&latest, &mut place),
            PAUSE => {
                here.store(1, Ordering::Release);
                thread::sleep(Duration::from_micros(100));
            }
            _ => return,
        }
    }
}

/// Readers on the other processor.
struct Crowd<'a> {
    ground: &'a Ground,
    readers: Vec<Child>,
}

impl<'a> Crowd<'a> {
    fn start(ground: &'a Ground, readers: usize) -> Self {
        for number in 0..readers {
            ground.word(LINE_THERE + 16 * (number + 1)).store(0, Ordering::Relaxed);
        }
        ground.word(STOP).store(PAUSE, Ordering::Release);
        let start = |number| ground.spawn(Play::Getter, N * 8, 1, number);
        let crowd = Self { ground, readers: (0..readers).map(start).collect() };
        for number in 0..readers {
            while ground.word(LINE_THERE + 16 * (number + 1)).load(Ordering::Acquire) == 0 {
                thread::sleep(Duration::from_micros(100));
            }
        }
        crowd
    }

    fn tell(&self, what: u64) {
        self.ground.word(STOP).store(what, Ordering::Release);
        thread::sleep(Duration::from_millis(2));
    }
}

impl Drop for Crowd<'_> {
    fn drop(&mut self) {
        self.tell(LEAVE);
        for reader in &mut self.readers {
            let _ = reader.wait();
        }
    }
}

pub(crate) fn run(ground: &Ground, report: &mut Report) {
    let latest = ground.latest::<N>("readers");
    let mut writer = latest.writer().expect("there is no other");
    writer.set(&[0; N]).expect("this is the writer");
    for readers in READERS {
        let crowd = Crowd::start(ground, readers);
        beside(&crowd, report, &format!("set, {readers} getting / none"), || set(&mut writer));
        beside(&crowd, report, &format!("get, {readers} others / none"), || read(&latest));
    }
}

/// Measures `subject` while the crowd gets, beside the same while it pauses.
fn beside(crowd: &Crowd<'_>, report: &mut Report, case: &str, subject: impl FnMut() -> f64) {
    let subject = RefCell::new(subject);
    let samples = Samples::beside(
        || {
            crowd.tell(PAUSE);
            subject.borrow_mut()()
        },
        || {
            crowd.tell(GO);
            subject.borrow_mut()()
        },
    );
    report.tell(&Case { suite: "readers", case, bytes: N * 8, unit: "ns" }, &samples);
}

fn set(writer: &mut LatestWriter<[u64; N]>) -> f64 {
    let mut value = [0; N];
    time(ROUNDS, || {
        value[0] += 1;
        writer.set(black_box(&value)).expect("this is the writer");
    })
}

fn read(latest: &Latest<[u64; N]>) -> f64 {
    let mut place = [0; N];
    time(ROUNDS, || get(latest, &mut place))
}
