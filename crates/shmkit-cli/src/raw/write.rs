//! `shm raw write`.

use std::io::Read;

use anyhow::Context;
use shmkit::Trust;

use super::hex;
use super::target::Target;
use crate::units;

/// Write bytes: those of a text, of hexadecimal digits, or of standard input
///
/// What does not fit is refused as a whole. Others may see a part of the bytes before the rest.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    target: Target,
    /// Where the first byte goes
    #[arg(long, value_name = "BYTES", default_value = "0", value_parser = units::bytes)]
    offset: u64,
    #[command(flatten)]
    source: Source,
    /// Write a zero byte behind, where C and `shm raw read --text` end a text
    #[arg(long)]
    zero: bool,
}

#[derive(Debug, clap::Args)]
#[group(multiple = false)]
struct Source {
    /// The bytes of this text, as UTF-8
    #[arg(long)]
    text: Option<String>,
    /// These bytes: 01ff, "01 ff", 0x01ff
    #[arg(long, value_name = "BYTES", value_parser = Spelled::new)]
    hex: Option<Spelled>,
}

#[derive(Clone, Debug)]
struct Spelled(Vec<u8>);

impl Spelled {
    fn new(text: &str) -> Result<Self, String> {
        hex::bytes(text).map(Self)
    }
}

pub(super) fn run(args: &Args, trust: Trust) -> anyhow::Result<()> {
    let region = args.target.open(true, trust)?.region().map()?;
    let mut bytes = match &args.source {
        Source { text: Some(text), .. } => text.clone().into_bytes(),
        Source { hex: Some(Spelled(bytes)), .. } => bytes.clone(),
        _ => {
            // One byte more than fits is enough to be refused.
            let mut bytes = Vec::new();
            let mut stdin = std::io::stdin().lock().take(region.len() as u64 + 1);
            stdin.read_to_end(&mut bytes).context("cannot read standard input")?;
            bytes
        }
    };
    if args.zero {
        bytes.push(0);
    }
    let offset = usize::try_from(args.offset).unwrap_or(usize::MAX);
    region.write_at(offset, &bytes)?;
    // Of a file, the device should have it when the command says that it is done.
    Ok(region.flush(offset..offset + bytes.len())?)
}
