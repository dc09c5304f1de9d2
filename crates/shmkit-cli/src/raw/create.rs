//! `shm raw create`.

use serde_json::json;
use shmkit::memory::{FileMapping, SharedMemory};

use super::target::{Opened, Target};
use crate::create_args::AccessArg;
use crate::{output, sys, units};

/// Create named memory, or a file with --file
///
/// On Windows the size is rounded up to whole pages, and the memory disappears when the last
/// process closes it: use --hold.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    target: Target,
    /// The size in bytes: 100, 4K, 1MiB
    #[arg(long, value_name = "BYTES", value_parser = units::bytes)]
    size: u64,
    /// Fill it with this byte, 0 to 255 or 0x00 to 0xff [default: 0]
    #[arg(long, value_name = "BYTE", value_parser = byte)]
    fill: Option<u8>,
    /// Allow these users to use it
    #[arg(long, value_enum, default_value = "owner")]
    access: AccessArg,
    /// Keep the memory or the file open until ctrl-c
    #[arg(long)]
    hold: bool,
    /// Print a JSON object: `name` or `file`, and `size`
    #[arg(long)]
    json: bool,
}

fn byte(text: &str) -> Result<u8, String> {
    let number = units::bytes(text).ok().and_then(|number| u8::try_from(number).ok());
    number.ok_or_else(|| format!("{text:?} is not a byte from 0 to 255 or 0x00 to 0xff"))
}

pub(super) fn run(args: &Args) -> anyhow::Result<()> {
    let interruption = args.hold.then(sys::interruption).transpose()?;
    let access = args.access.into();
    let created = match (&args.target.file, &args.target.name) {
        (Some(path), _) => {
            Opened::File(FileMapping::options().access(access).create(path, args.size)?)
        }
        (None, name) => {
            let name = name.as_deref().unwrap_or_default();
            Opened::Memory(SharedMemory::options().access(access).create(name, args.size)?)
        }
    };
    if let Some(byte) = args.fill.filter(|_| args.size > 0) {
        created.region().map()?.fill(.., byte)?;
    }
    if args.json {
        let mut report = args.target.json();
        report["size"] = json!(created.size()?);
        output::line(report)?;
    }
    if let Some(interruption) = interruption {
        if output::is_terminal() {
            output::note("keeping it open until ctrl-c");
        }
        return Ok(interruption.recv()?);
    }
    if let (Opened::Memory(memory), false) = (&created, sys::raw::IS_PERSISTENT) {
        let name = memory.name().unwrap_or_default();
        output::note(format_args!("\"{name}\" disappears with this command: --hold keeps it"));
    }
    Ok(())
}
