//! `shm raw read`.

use std::io::Write;
use std::time::Duration;

use anyhow::Context;
use serde_json::json;
use shmkit::Trust;
use shmkit::memory::Region;

use super::hex;
use super::target::{RangeArgs, Target, buffer};
use crate::{output, units};

/// Print bytes, as text, as hexadecimal digits or unchanged
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    range: RangeArgs,
    #[command(flatten)]
    form: Form,
    /// Print a line for each change until ctrl-c; the default form is --hex
    ///
    /// Raw memory gives no notice of a change, so the command reads it again and again. It misses a
    /// change that is undone between two reads, and it can print a value that is half-written.
    /// The command ends when the memory is removed (on macOS it does not learn that) or truncated.
    #[arg(long)]
    watch: bool,
    /// Wait this long between two reads, at least 100us
    #[arg(long, value_name = "TIME", default_value = "5ms", value_parser = units::duration)]
    every: Duration,
}

/// A longer region is printed in pieces of this size, and each byte is read only once.
const MAX_SETTLED: usize = 1 << 20;
/// Without a pause the command would keep a core busy.
const MIN_PAUSE: Duration = Duration::from_micros(100);

#[derive(Debug, clap::Args)]
#[group(multiple = false)]
struct Form {
    /// Print a line of text, up to the first zero byte
    #[arg(long)]
    text: bool,
    /// Print a line of hexadecimal digits
    #[arg(long)]
    hex: bool,
    /// Print a JSON object in a line: `offset`, `length`, and the bytes as `hex` and as `text`
    #[arg(long)]
    json: bool,
}

impl Form {
    fn is_plain(&self) -> bool {
        !(self.text || self.hex || self.json)
    }
}

pub(super) fn run(args: &Args, trust: Trust) -> anyhow::Result<()> {
    let opened = match args.watch {
        true => args.target.open_to_follow(trust)?,
        false => args.target.open(false, trust)?,
    };
    let region = args.range.map(&opened)?;
    if region.len() > MAX_SETTLED && !args.watch && args.form.is_plain() {
        return copy(&region);
    }
    let (mut shown, mut bytes) = (buffer(region.len())?, buffer(region.len())?);
    region.read_at(0, &mut shown)?;
    settle(&region, &mut shown, &mut bytes)?;
    show(args, &shown)?;
    if !args.watch {
        return Ok(());
    }
    loop {
        std::thread::sleep(args.every.max(MIN_PAUSE));
        opened
            .check_contains(args.range.offset, region.len())
            .with_context(|| format!("cannot read \"{}\"", args.target.label()))?;
        region.read_at(0, &mut bytes)?;
        if bytes != shown {
            settle(&region, &mut bytes, &mut shown)?;
            std::mem::swap(&mut bytes, &mut shown);
            show(args, &shown)?;
        }
    }
}

/// Prints bytes unchanged, piece by piece.
fn copy(region: &Region) -> anyhow::Result<()> {
    let mut stdout = output::stdout();
    let mut piece = vec![0; MAX_SETTLED];
    for at in (0..region.len()).step_by(MAX_SETTLED) {
        let piece = &mut piece[..MAX_SETTLED.min(region.len() - at)];
        region.read_at(at, piece)?;
        stdout.write_all(piece)?;
    }
    Ok(stdout.flush()?)
}

/// Reads again, through `scratch`, until two reads in a row are equal, but at most 8 times.
fn settle(region: &Region, bytes: &mut Vec<u8>, scratch: &mut Vec<u8>) -> shmkit::Result<()> {
    const MAX_READS: usize = 8;
    for _ in 0..MAX_READS {
        region.read_at(0, scratch)?;
        std::mem::swap(bytes, scratch);
        if bytes == scratch {
            break;
        }
    }
    Ok(())
}

fn show(args: &Args, bytes: &[u8]) -> anyhow::Result<()> {
    if args.form.json {
        let mut report = args.target.json();
        report["offset"] = json!(args.range.offset);
        report["length"] = json!(bytes.len());
        report["hex"] = json!(hex::digits(bytes));
        report["text"] = json!(String::from_utf8_lossy(until_zero(bytes)));
        return Ok(output::line(report)?);
    }
    let mut stdout = output::stdout();
    if args.form.text {
        stdout.write_all(&text(bytes))?;
        stdout.write_all(b"\n")?;
    } else if args.form.hex || args.watch {
        writeln!(stdout, "{}", hex::digits(bytes))?;
    } else {
        stdout.write_all(bytes)?;
    }
    Ok(stdout.flush()?)
}

/// Returns the text in `bytes` unchanged, but on a terminal with control characters escaped.
fn text(bytes: &[u8]) -> Vec<u8> {
    let text = until_zero(bytes);
    match output::is_terminal() {
        true => output::printable(String::from_utf8_lossy(text).into_owned()).into_bytes(),
        false => text.to_vec(),
    }
}

fn until_zero(bytes: &[u8]) -> &[u8] {
    bytes.split(|byte| *byte == 0).next().unwrap_or_default()
}
