//! `shm raw write`.

use std::io::Read;

use anyhow::Context;
use shmkit::Trust;

use super::hex;
use super::target::Target;
use crate::units;

/// Write bytes from a text, from hexadecimal digits or from standard input
///
/// If the bytes do not fit, nothing is written. A reader can see some of the bytes before the rest.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    target: Target,
    /// Begin at this byte
    #[arg(long, value_name = "BYTES", default_value = "0", value_parser = units::bytes)]
    offset: u64,
    #[command(flatten)]
    source: Source,
    /// Add a zero byte: it ends the text in C and for `shm raw read --text`
    #[arg(long)]
    zero: bool,
}

#[derive(Debug, clap::Args)]
#[group(multiple = false)]
struct Source {
    /// Write this text as UTF-8
    #[arg(long)]
    text: Option<String>,
    /// Write these bytes: 01ff, "01 ff", 0x01ff
    #[arg(long, value_name = "BYTES", value_parser = HexBytes::parse)]
    hex: Option<HexBytes>,
}

#[derive(Clone, Debug)]
struct HexBytes(Vec<u8>);

impl HexBytes {
    fn parse(text: &str) -> Result<Self, String> {
        hex::bytes(text).map(Self)
    }
}

pub(super) fn run(args: &Args, trust: Trust) -> anyhow::Result<()> {
    let region = args.target.open(true, trust)?.region().map()?;
    let mut bytes = match &args.source {
        Source { text: Some(text), .. } => text.clone().into_bytes(),
        Source { hex: Some(HexBytes(bytes)), .. } => bytes.clone(),
        _ => {
            // One byte too many is enough for the error.
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
    // When the command has ended, the bytes of a file are on its device.
    Ok(region.flush(offset..offset + bytes.len())?)
}
