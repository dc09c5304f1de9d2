//! `shm clock`.

use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant, SystemTime};

use jiff::Timestamp;
use shmkit::memory::{Region, SharedMemory, Trust};
use shmkit::{ErrorKind, FixedString, Latest, LatestWriter, Shareable};

use crate::create_args::AccessArg;
use crate::exit::Failure;
use crate::global::Global;
use crate::pace::Pace;
use crate::{advice, output, sys, units};

/// Set an object to the current time repeatedly
///
/// If no object has the name, the command creates one of the type
/// `Clock { unix_ns: u64, text: FixedString<32> }`. The object stays when the command ends, by
/// ctrl-c, SIGTERM or SIGHUP, or after --count. Delays do not add up: a missed moment is skipped.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  shm clock time --every 10ms
  shm watch time                                in another terminal
  shm clock --raw MySharedMemory --every 10ms   for programs without shmkit
  shm raw read MySharedMemory --text --watch    in another terminal")]
pub(crate) struct Args {
    /// The name of the object, or of the raw memory with --raw
    name: String,
    /// Set a value every TIME
    #[arg(long, value_name = "TIME", default_value = "10ms", value_parser = units::period)]
    every: Duration,
    /// End after N values [default: no limit]
    #[arg(long, value_name = "N")]
    count: Option<u64>,
    /// Write the time to raw memory, as text with a zero byte at its end
    ///
    /// If there is no memory of this name, 64 bytes are created. A reader can see a mixture of two
    /// times. On Windows the memory disappears when the last process closes it.
    #[arg(long)]
    raw: bool,
    /// Allow these users to use an object or memory that is created [default: owner]
    #[arg(long, value_enum)]
    access: Option<AccessArg>,
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
        return Err(Failure::Usage(why).into());
    }
    let mut target = if args.raw { raw(args, global.trust)? } else { typed(args, global)? };
    let interruption = sys::interruption()?;
    if output::is_terminal() {
        let (name, every) = (&args.name, args.every);
        output::note(format_args!("setting \"{name}\" every {every:?}; ctrl-c ends it"));
    }
    let mut pace = Pace::new(args.every);
    let mut count = 0;
    while args.count.is_none_or(|end| count < end) {
        if is_interrupted_before(pace.next_moment(), &interruption) {
            break;
        }
        target.set(SystemTime::now())?;
        count += 1;
    }
    Ok(())
}

/// Waits until `moment` or ctrl-c. Returns whether ctrl-c came first.
fn is_interrupted_before(moment: Instant, interruption: &Receiver<()>) -> bool {
    let left = moment.saturating_duration_since(Instant::now());
    interruption.recv_timeout(left).is_ok()
}

/// Where the time is written.
enum Target {
    Typed(LatestWriter<Clock>),
    Raw {
        region: Region,
        /// Keeps the name on a system where it disappears with the last handle.
        _memory: SharedMemory,
    },
}

fn typed(args: &Args, global: &Global) -> anyhow::Result<Target> {
    let mut options = global.apply(Latest::<Clock>::options());
    if let Some(access) = args.access {
        options = options.access(access.into());
    }
    let object = options.open_or_create(&args.name).map_err(advice::explain)?;
    Ok(Target::Typed(object.writer()?))
}

fn raw(args: &Args, trust: Trust) -> anyhow::Result<Target> {
    const BYTES: u64 = 64;
    let (name, access) = (&args.name, args.access.unwrap_or(AccessArg::Owner));
    let options = SharedMemory::options().trust(trust).access(access.into());
    let memory = match options.open(name) {
        Err(error) if error.kind() == ErrorKind::NotFound => options.open_or_create(name, BYTES),
        answer => answer,
    };
    let memory = memory.map_err(advice::explain)?;
    Ok(Target::Raw { region: memory.map()?, _memory: memory })
}

impl Target {
    fn set(&mut self, time: SystemTime) -> anyhow::Result<()> {
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
