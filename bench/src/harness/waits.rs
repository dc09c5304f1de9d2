//! How long each acquisition took: a worker writes its histogram into a file of the arena's
//! directory, one line for each value, `<nanoseconds> <count>`.

use std::fs;
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use hdrhistogram::Histogram;

/// The longest wait that is told apart.
const MAX_NS: u64 = 100_000_000_000;
/// The significant digits of a value.
const DIGITS: u8 = 2;

/// Returns a histogram without values.
pub(crate) fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, MAX_NS, DIGITS).expect("the bounds are valid")
}

/// Adds a value.
#[inline]
pub(crate) fn record(histogram: &mut Histogram<u64>, ns: u64) {
    histogram.saturating_record(ns.max(1));
}

fn file(directory: &Path, mailbox: usize) -> PathBuf {
    directory.join(format!("waits-{mailbox}"))
}

/// Writes the histogram of the worker with this mailbox.
pub(crate) fn write(directory: &Path, mailbox: usize, waits: &Histogram<u64>) -> io::Result<()> {
    let mut file = BufWriter::new(fs::File::create(file(directory, mailbox))?);
    for value in waits.iter_recorded() {
        writeln!(file, "{} {}", value.value_iterated_to(), value.count_at_value())?;
    }
    file.flush()
}

/// Returns the sum of the histograms of the workers with these mailboxes.
pub(crate) fn read_all(
    directory: &Path,
    mailboxes: impl Iterator<Item = usize>,
) -> io::Result<Histogram<u64>> {
    let mut sum = histogram();
    for mailbox in mailboxes {
        for line in BufReader::new(fs::File::open(file(directory, mailbox))?).lines() {
            let line = line?;
            let numbers = line.split_once(' ');
            let numbers =
                numbers.and_then(|(ns, count)| Some((ns.parse().ok()?, count.parse().ok()?)));
            let (ns, count): (u64, u64) = numbers.ok_or(io::ErrorKind::InvalidData)?;
            sum.saturating_record_n(ns.max(1), count);
        }
    }
    Ok(sum)
}
