//! `shm raw create`.

use std::sync::mpsc::{Receiver, sync_channel};

use serde_json::json;
use shmkit::memory::{FileMapping, SharedMemory};

use super::target::{Opened, Target};
use crate::create_args::Who;
use crate::{output, sys, units};

/// Make memory, or with --file a file, of a given size
///
/// On Windows its size is rounded up to whole pages, and it is gone with the last who has it open:
/// use --hold.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    target: Target,
    /// How large: 100, 4K, 1MiB
    #[arg(long, value_name = "BYTES", value_parser = units::bytes)]
    size: u64,
    /// Fill it with this byte: 0 to 255
    #[arg(long, value_name = "BYTE", value_parser = byte)]
    fill: Option<u8>,
    /// Who may use it
    #[arg(long, value_enum, default_value = "owner")]
    access: Who,
    /// Keep it open until ended, by ctrl-c; on Windows memory goes with the last who has it
    #[arg(long)]
    hold: bool,
    /// Print what was made, as JSON
    #[arg(long)]
    json: bool,
}

fn byte(text: &str) -> Result<u8, String> {
    let number = units::bytes(text).ok().and_then(|number| u8::try_from(number).ok());
    number.ok_or_else(|| format!("{text:?} is no byte: such are 0 to 255 and 0x00 to 0xff"))
}

pub(super) fn run(args: &Args) -> anyhow::Result<()> {
    let interrupted = if args.hold { Some(interruption()?) } else { None };
    let access = args.access.into();
    let made = match (&args.target.file, &args.target.name) {
        (Some(path), _) => {
            Opened::File(FileMapping::options().access(access).create(path, args.size)?)
        }
        (None, name) => {
            let name = name.as_deref().unwrap_or_default();
            Opened::Memory(SharedMemory::options().access(access).create(name, args.size)?)
        }
    };
    if let Some(byte) = args.fill.filter(|_| args.size > 0) {
        made.region().map()?.fill(.., byte)?;
    }
    if args.json {
        let mut report = args.target.json();
        report["size"] = json!(made.size()?);
        output::line(report)?;
    }
    if let Some(interrupted) = interrupted {
        if output::is_terminal() {
            output::note("holding it; ctrl-c ends that");
        }
        return Ok(interrupted.recv()?);
    }
    if let (Opened::Memory(memory), false) = (&made, sys::raw::STAYS) {
        let name = memory.name().unwrap_or_default();
        output::note(format_args!("\"{name}\" is gone with this command: --hold keeps it"));
    }
    Ok(())
}

/// Hears ctrl-c from now on.
fn interruption() -> std::io::Result<Receiver<()>> {
    let (interrupt, interrupted) = sync_channel(1);
    sys::on_interrupt(move || _ = interrupt.send(()))?;
    Ok(interrupted)
}
