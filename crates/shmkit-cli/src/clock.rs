//! `shm clock`.

use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{Duration, Instant, SystemTime};

use jiff::Timestamp;
use shmkit::memory::{Region, SharedMemory, Trust};
use shmkit::{ErrorKind, FixedString, Latest, LatestWriter, Shareable};

use crate::exit::Usage;
use crate::pace::Pace;
use crate::{Global, advice, output, sys, units};

/// Set an object to the time, again and again, at a steady pace
///
/// The object is made where there is none: a `Clock { unix_ns: u64, text: FixedString<32> }`. It
/// stays when the clock ends, by ctrl-c or after --count. A moment that was slept through is left
/// out; delays do not add up.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  shm clock time --every 10ms
  shm watch time                                in another terminal
  shm clock --raw MySharedMemory --every 10ms   raw memory, for programs without shmkit
  shm raw read MySharedMemory --text --watch    in another terminal")]
pub(crate) struct Args {
    /// The name of the object, or with --raw of the memory
    name: String,
    /// The time from one value to the next
    #[arg(long, value_name = "TIME", default_value = "10ms", value_parser = units::period)]
    every: Duration,
    /// End after that many values
    #[arg(long, value_name = "N")]
    count: Option<u64>,
    /// Write the time as text, ended by a zero byte, into raw memory; 64 bytes where there is none
    ///
    /// Raw memory is not protected from half-way states: a reader can see a mixture of two times.
    /// On Windows it goes with the last who has it: with the clock, if nobody else does.
    #[arg(long)]
    raw: bool,
}

#[derive(Shareable)]
#[repr(C)]
struct Clock {
    unix_ns: u64,
    text: FixedString<32>,
}

pub(crate) fn run(args: &Args, global: &Global) -> anyhow::Result<()> {
    if args.raw && global.dir.is_some() {
        let why = format!("--dir is for objects: raw memory is {}", sys::raw::PLACE);
        return Err(Usage(why).into());
    }
    let mut face =
        if args.raw { raw(&args.name, global.trust)? } else { typed(&args.name, global)? };
    let (interrupt, interrupted) = sync_channel(1);
    sys::on_interrupt(move || _ = interrupt.send(()))?;
    if output::is_terminal() {
        let (name, every) = (&args.name, args.every);
        output::note(format_args!("setting \"{name}\" every {every:?}; ctrl-c ends it"));
    }
    let mut pace = Pace::new(args.every);
    let mut count = 0;
    while args.count.is_none_or(|most| count < most) {
        if comes_before(&interrupted, pace.next_moment()) {
            break;
        }
        face.show(SystemTime::now())?;
        count += 1;
    }
    Ok(())
}

/// Waits; true if somebody wants the end first.
fn comes_before(interrupted: &Receiver<()>, moment: Instant) -> bool {
    let left = moment.saturating_duration_since(Instant::now());
    interrupted.recv_timeout(left).is_ok()
}

/// Where the time is shown.
enum Face {
    Typed(LatestWriter<Clock>),
    Raw {
        region: Region,
        /// Where memory goes with its last handle, this keeps the name.
        _memory: SharedMemory,
    },
}

fn typed(name: &str, global: &Global) -> anyhow::Result<Face> {
    let options = Latest::<Clock>::options().directory(global.directory()).trust(global.trust);
    let object = options.open_or_create(name);
    let object = object.map_err(|error| advice::explained(error, &global.directory()))?;
    Ok(Face::Typed(object.writer()?))
}

fn raw(name: &str, trust: Trust) -> anyhow::Result<Face> {
    const BYTES: u64 = 64;
    let options = SharedMemory::options().trust(trust);
    let memory = match options.open(name) {
        Err(error) if error.kind() == ErrorKind::NotFound => options.open_or_create(name, BYTES),
        answer => answer,
    };
    let memory = memory.map_err(advice::explained_raw)?;
    Ok(Face::Raw { region: memory.map()?, _memory: memory })
}

impl Face {
    fn show(&mut self, time: SystemTime) -> anyhow::Result<()> {
        let stamp = Timestamp::try_from(time)?;
        let text = format!("{stamp:.6}");
        match self {
            Self::Typed(writer) => {
                let unix_ns = u64::try_from(stamp.as_nanosecond()).unwrap_or(0);
                writer.set(&Clock { unix_ns, text: text.parse()? })?;
            }
            Self::Raw { region, .. } => region.write_at(0, format!("{text}\0").as_bytes())?,
        }
        Ok(())
    }
}
