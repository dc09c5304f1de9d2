//! What the processes of the demonstration do. Each of them is this program with a role.
//!
//! ```text
//!  demonstration ── standard input: its end ends them ──> writer, reader
//!                <─ standard output: JSON in lines ──────
//! ```

use std::io::Read;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use clap::ValueEnum;
use hdrhistogram::Histogram;
use serde_json::{Value as Json, json};
use shmkit::{Changes, ErrorKind, Latest, Shareable, inspect};

use super::values::{Block, Stamp, new_block, number_of};
use crate::exit::Failure;
use crate::pace::Pace;
use crate::{output, sys, units};

/// The first argument of this program as a part of the demonstration. It is not a subcommand, so no
/// help, manual or completion shows it.
pub(super) const PART_OF_DEMO: &str = "part-of-demo";

/// How long a process of the demonstration waits for another.
pub(super) const TIMEOUT: Duration = Duration::from_secs(20);
/// How long a process may take to leave its object after the demonstration has ended.
const LEAVE_TIME: Duration = Duration::from_secs(2);

/// A process of the demonstration
#[derive(Debug, clap::Parser)]
pub(super) struct Args {
    role: Role,
    directory: PathBuf,
    name: String,
    /// The time between two values [default: as fast as possible]
    #[arg(long, value_parser = units::period)]
    every: Option<Duration>,
    #[arg(long, value_parser = units::duration, default_value = "2s")]
    during: Duration,
    /// The number of blocks [default: no limit]
    #[arg(long)]
    count: Option<u64>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Role {
    Writer,
    Reader,
    BlockWriter,
    BlockReader,
}

impl Role {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Writer => "writer",
            Self::Reader => "reader",
            Self::BlockWriter => "block-writer",
            Self::BlockReader => "block-reader",
        }
    }
}

pub(super) fn run(args: &Args) -> anyhow::Result<()> {
    // The demonstration handles ctrl-c, and ends this process.
    sys::on_interrupt(|_| ())?;
    end_with_the_demonstration(args.directory.clone(), args.name.clone())?;
    match play(args) {
        // The demonstration has ended early, and reports why.
        Err(error) if is_removed(&error) => Err(Failure::Reported(1).into()),
        answer => answer,
    }
}

fn play(args: &Args) -> anyhow::Result<()> {
    match args.role {
        Role::Writer => write(args, &open(args)?),
        Role::Reader => read(&open(args)?),
        Role::BlockWriter => write_blocks(args, &open(args)?),
        Role::BlockReader => read_blocks(&open(args)?),
    }
}

fn is_removed(error: &anyhow::Error) -> bool {
    let error: Option<&shmkit::Error> = error.downcast_ref();
    error.is_some_and(|it| matches!(it.kind(), ErrorKind::Closed | ErrorKind::NotFound))
}

fn open<T: Shareable>(args: &Args) -> shmkit::Result<Latest<T>> {
    Latest::options().directory(&args.directory).open(&args.name)
}

/// Ends this process when the demonstration ends, also when it is killed: that closes this input.
///
/// The removal of the object lets its users leave it, which on Windows removes the file. A process
/// that does not leave in time exits.
fn end_with_the_demonstration(directory: PathBuf, name: String) -> anyhow::Result<()> {
    let watch = std::thread::Builder::new().spawn(move || {
        let _ = std::io::stdin().read(&mut [0]);
        let _ = inspect::remove(&directory, &name, Default::default());
        std::thread::sleep(LEAVE_TIME);
        std::process::exit(1);
    });
    watch.map(drop).context("cannot start a thread")
}

fn report(report: Json) -> anyhow::Result<()> {
    Ok(output::line(report)?)
}

fn write(args: &Args, stamps: &Latest<Stamp>) -> anyhow::Result<()> {
    let mut writer = stamps.writer()?;
    let mut written = 0;
    let mut set = |is_last| -> shmkit::Result<()> {
        written = writer.set(&Stamp::now(written + 1, is_last))?;
        Ok(())
    };
    let start = Instant::now();
    if let Some(every) = args.every {
        let mut pace = Pace::new(every);
        let mut moment = pace.next_moment();
        while moment < start + args.during {
            std::thread::sleep(moment.saturating_duration_since(Instant::now()));
            moment = pace.next_moment();
            set(moment >= start + args.during)?;
        }
    } else {
        const VALUES_PER_CHECK: u32 = 256;
        while start.elapsed() < args.during {
            for _ in 0..VALUES_PER_CHECK {
                set(false)?;
            }
        }
        set(true)?;
    }
    let seconds = start.elapsed().as_secs_f64();
    report(json!({ "written": written, "seconds": seconds }))
}

fn read(stamps: &Latest<Stamp>) -> anyhow::Result<()> {
    let mut changes = stamps.changes();
    report(json!({ "ready": true }))?;
    let (mut seen, mut torn) = (0_u64, 0_u64);
    let mut delays = Histogram::<u64>::new_with_bounds(1, TIMEOUT.as_nanos() as u64, 3)?;
    // The time until the writer starts does not count.
    let mut since = (Instant::now(), sys::processor_time());
    loop {
        let stamp = changes.next_timeout(TIMEOUT)?;
        let now_ns = sys::monotonic_ns();
        if seen == 0 {
            since = (Instant::now(), sys::processor_time());
        }
        seen += 1;
        torn += u64::from(!stamp.is_whole() || stamp.number != changes.sequence());
        delays.saturating_record(now_ns.saturating_sub(stamp.written_ns).max(1));
        if stamp.is_last == 1 {
            break;
        }
    }
    let busy = sys::processor_time().saturating_sub(since.1);
    let percent = busy.as_secs_f64() / since.0.elapsed().as_secs_f64().max(1e-9) * 100.0;
    report(json!({
        "seen": seen,
        "missed": changes.missed(),
        "torn": torn,
        "delay_us": {
            "p50": microseconds(delays.value_at_quantile(0.5)),
            "p99": microseconds(delays.value_at_quantile(0.99)),
            "max": microseconds(delays.max()),
        },
        "reader_cpu_percent": (percent * 1e3).round() / 1e3,
    }))
}

fn microseconds(ns: u64) -> f64 {
    ns as f64 / 1e3
}

fn write_blocks(args: &Args, blocks: &Latest<Block>) -> anyhow::Result<()> {
    let mut writer = blocks.writer()?;
    let mut block = new_block();
    let mut number = blocks.sequence();
    let end = args.count.map(|count| number + count);
    while end.is_none_or(|end| number < end) {
        block.fill(number + 1);
        number = writer.set(&block)?;
    }
    Ok(())
}

/// Reads blocks until their writer dies. Reports the death, and the first block of a new writer.
fn read_blocks(blocks: &Latest<Block>) -> anyhow::Result<()> {
    let mut changes = blocks.changes();
    let mut block = new_block();
    let mut torn = 0;
    report(json!({ "ready": true }))?;
    let death = loop {
        match changes.next_into(&mut block, TIMEOUT) {
            Ok(()) => torn += u64::from(number_of(&block) != Some(changes.sequence())),
            Err(error) if error.kind() == ErrorKind::PeerDied => break error,
            Err(error) => return Err(error.into()),
        }
    };
    let told_ns = sys::monotonic_ns();
    blocks.get_into(&mut block)?;
    let last = blocks.sequence();
    let last_value_whole = torn == 0 && number_of(&block) == Some(last);
    report(json!({
        "told_ns": told_ns,
        "message": death.to_string(),
        "last": last,
        "last_value_whole": last_value_whole,
    }))?;
    let next = next_block(&mut changes, &mut block, last)?;
    report(json!({ "next": next }))
}

/// Returns the number of the first block after `last`. A slow reader gets those before it, too.
fn next_block(changes: &mut Changes<Block>, block: &mut Block, last: u64) -> anyhow::Result<u64> {
    loop {
        changes.next_into(block, TIMEOUT)?;
        match number_of(block) {
            Some(number) if number != changes.sequence() => {
                bail!("a value has the number of another")
            }
            Some(number) if number > last => return Ok(number),
            Some(_) => {}
            None => bail!("the first value of the new writer is torn"),
        }
    }
}
