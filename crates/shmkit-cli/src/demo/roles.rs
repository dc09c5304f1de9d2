//! What the demonstration's other processes do. Each is this program again, with a role.
//!
//! ```text
//!  demonstration ── standard input: its end is theirs ──> writer, reader
//!                <─ standard output: a JSON on a line ───
//! ```

use std::io::{self, Read};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::bail;
use clap::ValueEnum;
use hdrhistogram::Histogram;
use serde_json::{Value as Json, json};
use shmkit::{Changes, ErrorKind, Latest, Shareable, inspect};

use super::values::{Beat, Block, new_block, number_of};
use crate::pace::Pace;
use crate::{exit, output, sys, units};

/// How long a process waits for another of the demonstration before it gives up.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);
/// How long it may take to leave when the demonstration is gone.
const TO_LEAVE: Duration = Duration::from_secs(2);

/// A process of the demonstration
#[derive(Debug, clap::Parser)]
pub(super) struct Args {
    role: Role,
    directory: PathBuf,
    name: String,
    /// Without: as fast as it can
    #[arg(long, value_parser = units::period)]
    every: Option<Duration>,
    #[arg(long, value_parser = units::duration, default_value = "2s")]
    during: Duration,
    /// How many blocks are written [default: without end]
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
    // Ctrl-c is for the demonstration to hear, which then ends this process too.
    sys::on_interrupt(|| ())?;
    end_with_the_demonstration(args.directory.clone(), args.name.clone())?;
    match play(args) {
        // The demonstration ends before its time, and says why itself.
        Err(error) if is_gone(&error) => Err(exit::Told(1).into()),
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

fn is_gone(error: &anyhow::Error) -> bool {
    let error: Option<&shmkit::Error> = error.downcast_ref();
    error.is_some_and(|it| matches!(it.kind(), ErrorKind::Closed | ErrorKind::NotFound))
}

fn open<T: Shareable>(args: &Args) -> shmkit::Result<Latest<T>> {
    Latest::options().directory(&args.directory).open(&args.name)
}

/// Nothing is left behind, however the demonstration ends: its death closes this input.
///
/// Whoever uses the object is told that it was removed, and leaves in good order: on Windows, the
/// last one takes the file away. Ended is only who does not.
fn end_with_the_demonstration(directory: PathBuf, name: String) -> io::Result<()> {
    let watching = std::thread::Builder::new().spawn(move || {
        let _ = std::io::stdin().read(&mut [0]);
        let _ = inspect::remove(&directory, &name, Default::default());
        std::thread::sleep(TO_LEAVE);
        std::process::exit(1);
    });
    watching.map(|_| ())
}

fn say(report: Json) -> anyhow::Result<()> {
    Ok(output::line(report)?)
}

fn write(args: &Args, beats: &Latest<Beat>) -> anyhow::Result<()> {
    let mut writer = beats.writer()?;
    let mut written = 0;
    let mut set = |is_last| -> shmkit::Result<()> {
        written = writer.set(&Beat::now(written + 1, is_last))?;
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
        const BETWEEN_LOOKS: u32 = 256;
        while start.elapsed() < args.during {
            for _ in 0..BETWEEN_LOOKS {
                set(false)?;
            }
        }
        set(true)?;
    }
    let seconds = start.elapsed().as_secs_f64();
    say(json!({ "written": written, "seconds": seconds }))
}

fn read(beats: &Latest<Beat>) -> anyhow::Result<()> {
    let mut changes = beats.changes();
    say(json!({ "ready": true }))?;
    let (mut seen, mut torn) = (0_u64, 0_u64);
    let mut delays = Histogram::<u64>::new_with_bounds(1, PATIENCE.as_nanos() as u64, 3)?;
    // Up to the first value it waits for the writer to start.
    let mut since = (Instant::now(), sys::processor_time());
    loop {
        let beat = changes.next_timeout(PATIENCE)?;
        let now_ns = sys::monotonic_ns();
        if seen == 0 {
            since = (Instant::now(), sys::processor_time());
        }
        seen += 1;
        torn += u64::from(!beat.is_whole() || beat.number != changes.sequence());
        delays.saturating_record(now_ns.saturating_sub(beat.written_ns).max(1));
        if beat.is_last == 1 {
            break;
        }
    }
    let busy = sys::processor_time().saturating_sub(since.1);
    let percent = busy.as_secs_f64() / since.0.elapsed().as_secs_f64().max(1e-9) * 100.0;
    say(json!({
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

/// Reads whole blocks until their writer dies, tells of that, and of the next writer's first.
fn read_blocks(blocks: &Latest<Block>) -> anyhow::Result<()> {
    let mut changes = blocks.changes();
    let mut block = new_block();
    let mut torn = 0;
    say(json!({ "ready": true }))?;
    let death = loop {
        match changes.next_into(&mut block, PATIENCE) {
            Ok(()) => torn += u64::from(number_of(&block) != Some(changes.sequence())),
            Err(error) if error.kind() == ErrorKind::PeerDied => break error,
            Err(error) => return Err(error.into()),
        }
    };
    let told_ns = sys::monotonic_ns();
    blocks.get_into(&mut block)?;
    let last = blocks.sequence();
    let last_value_whole = torn == 0 && number_of(&block) == Some(last);
    say(json!({
        "told_ns": told_ns,
        "message": death.to_string(),
        "last": last,
        "last_value_whole": last_value_whole,
    }))?;
    let next = next_block(&mut changes, &mut block, last)?;
    say(json!({ "next": next }))
}

/// The first after `last`. A reader that had fallen behind is served those before it, too.
fn next_block(changes: &mut Changes<Block>, block: &mut Block, last: u64) -> anyhow::Result<u64> {
    loop {
        changes.next_into(block, PATIENCE)?;
        match number_of(block) {
            Some(number) if number != changes.sequence() => {
                bail!("a value came under another's number")
            }
            Some(number) if number > last => return Ok(number),
            Some(_) => {}
            None => bail!("the new writer's first value is torn"),
        }
    }
}
