//! `shm pipe`.

use std::io::{self, Read, Write};
use std::time::Duration;

use anyhow::Context;
use shmkit::{Options, Pipe};

use crate::advice;
use crate::create_args::CreateArgs;
use crate::global::Global;
use crate::output;
use crate::timeout_args::TimeLimit;
use crate::units;

/// Stream bytes from one process to another, as through a FIFO
///
/// The pipe is created if it does not exist. It stays when all have left, with what is unread.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  shm pipe read numbers | sort
  seq 1000 | shm pipe write numbers
  shm pipe create camera/frames --capacity 16MiB
  shm pipe read camera/frames >frames || echo \"the writer died, or the frames are incomplete\"")]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Create a pipe
    Create {
        /// The name of the pipe
        name: String,
        #[command(flatten)]
        capacity: CapacityArg,
        #[command(flatten)]
        create_args: CreateArgs,
    },
    /// Write standard input to a pipe
    ///
    /// It waits while the pipe is full. Several commands can write to one pipe: lines are not torn
    /// apart if the program that prints them writes whole lines, of up to 4 KiB. If the last
    /// reader has left or was killed, it ends with exit code 9.
    Write {
        #[command(flatten)]
        end: End,
    },
    /// Print what is written to a pipe, until the last writer has left
    ///
    /// It waits for the first writer. If a writer is killed, it prints what that one had written,
    /// and ends with exit code 9. Of several readers, each gets a part of the bytes.
    Read {
        #[command(flatten)]
        end: End,
    },
}

/// An end of a pipe.
#[derive(Debug, clap::Args)]
struct End {
    /// The name of the pipe
    name: String,
    #[command(flatten)]
    capacity: CapacityArg,
    /// End with exit code 8 after this long without a byte [default: no limit]
    #[arg(long, short = 'w', value_name = "TIME", value_parser = units::duration)]
    timeout: Option<Duration>,
}

#[derive(Debug, clap::Args)]
struct CapacityArg {
    /// Hold this many bytes, rounded up to a power of two [default: 64KiB if it is created]
    #[arg(long, value_name = "BYTES", value_parser = units::bytes)]
    capacity: Option<u64>,
}

/// The bytes that are copied at a time.
const BUFFER: usize = 64 << 10;

pub(crate) fn run(args: &Args, global: &Global) -> anyhow::Result<()> {
    match &args.command {
        Command::Create { name, capacity, create_args } => {
            create_args.create_pipe(capacity.options(), name, global)
        }
        Command::Write { end } => write(end, global),
        Command::Read { end } => read(end, global),
    }
}

impl CapacityArg {
    fn options(&self) -> Options<Pipe> {
        self.capacity.map_or(Pipe::options(), |bytes| Pipe::options().capacity(bytes))
    }
}

impl End {
    fn open(&self, global: &Global) -> anyhow::Result<Pipe> {
        let options = global.apply(self.capacity.options());
        let options = options.slot_timeout(TimeLimit::brief().left_for_slot());
        options.open_or_create(&self.name).map_err(advice::explain)
    }
}

fn write(end: &End, global: &Global) -> anyhow::Result<()> {
    let mut writer = end.open(global)?.writer()?;
    let (mut stdin, mut buffer) = (io::stdin().lock(), vec![0; BUFFER]);
    loop {
        let count = match stdin.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => {
                // Readers must not take what was written for all.
                std::mem::forget(writer);
                return Err(error).context("cannot read standard input");
            }
        };
        let mut rest = &buffer[..count];
        while !rest.is_empty() {
            let written = writer.write_timeout(rest, end.timeout.unwrap_or(Duration::MAX))?;
            rest = &rest[written..];
        }
    }
}

fn read(end: &End, global: &Global) -> anyhow::Result<()> {
    let mut reader = end.open(global)?.reader()?;
    let (mut stdout, mut buffer) = (output::stdout(), vec![0; BUFFER]);
    loop {
        let count = reader.read_timeout(&mut buffer, end.timeout.unwrap_or(Duration::MAX))?;
        if count == 0 {
            return Ok(());
        }
        stdout.write_all(&buffer[..count])?;
        stdout.flush()?;
    }
}
