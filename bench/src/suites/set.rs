//! Setting a value that no process reads.

use std::hint::black_box;
use std::io;

use crate::harness::arena::BYTES_THERE;
use crate::harness::report::Report;
use crate::harness::samples::{Samples, time};
use crate::harness::sizes::{Value, by_size, rounds};
use crate::harness::workers::Harness;
use crate::objects::latest;

pub(crate) fn run(harness: &Harness, report: &mut Report) -> io::Result<()> {
    by_size!(run_size).iter().try_for_each(|run| run(harness, report))
}

fn run_size<const N: usize>(harness: &Harness, report: &mut Report) -> io::Result<()> {
    let latest = latest::<N>(harness.arena.directory(), "set");
    let mut writer = latest.writer().expect("a sole writer");
    let (mut value, mut copied) = (Value::<N>::boxed(), Value::<N>::boxed());
    let to = harness.arena.words(BYTES_THERE, N).as_ptr().cast_mut().cast::<[u64; N]>();
    let rounds = rounds(N * 8, 5.0, 0.03);
    let mut plain_copy = || {
        copied[0] += 1;
        // SAFETY: `N` words of the arena, which no other process uses now.
        unsafe { black_box(to).copy_from_nonoverlapping(&**copied, 1) };
    };
    let mut set = || {
        value[0] += 1;
        writer.set(&value).expect("a sole writer");
    };
    let samples = Samples::beside(|| time(rounds, &mut plain_copy), || time(rounds, &mut set));
    report.tell("no reader / plain copy", N * 8, "ns", &samples)
}
