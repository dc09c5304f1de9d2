//! `shm raw read`.

use std::io::Write;
use std::time::Duration;

use serde_json::json;
use shmkit::Trust;
use shmkit::memory::Region;

use super::hex;
use super::target::{Bytes, Target, room};
use crate::{output, units};

/// Write bytes to standard output: as they are, as text, or as hexadecimal digits
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    bytes: Bytes,
    #[command(flatten)]
    form: Form,
    /// Go on, with a line for each change that is seen; --hex unless another form is given
    ///
    /// Raw memory cannot say that it changed, so it is looked at again and again: what comes and
    /// goes between two looks is missed, and what is being written just then can be seen
    /// half-written. Where the system lets others cut what is being looked at, one that is cut in
    /// just that moment ends the command (SIGBUS).
    #[arg(long)]
    watch: bool,
    /// How long to wait between two looks
    #[arg(long, value_name = "TIME", default_value = "5ms", value_parser = units::duration)]
    every: Duration,
}

/// More is not looked at twice before it is written out.
const AT_ONCE: usize = 1 << 20;
/// Looking again without a pause would keep a core busy.
const SHORTEST: Duration = Duration::from_micros(100);

#[derive(Debug, clap::Args)]
#[group(multiple = false)]
struct Form {
    /// A line of text, which ends at the first zero byte
    #[arg(long)]
    text: bool,
    /// A line of hexadecimal digits
    #[arg(long)]
    hex: bool,
    /// A JSON object on a line: `offset`, `length`, and the bytes as `hex` and as `text`
    #[arg(long)]
    json: bool,
}

impl Form {
    fn is_plain(&self) -> bool {
        !(self.text || self.hex || self.json)
    }
}

pub(super) fn run(args: &Args, trust: Trust) -> anyhow::Result<()> {
    let opened = args.target.open(false, trust)?;
    let region = args.bytes.map(&opened)?;
    if region.len() > AT_ONCE && !args.watch && args.form.is_plain() {
        return copy(&region);
    }
    let (mut shown, mut bytes) = (room(region.len())?, room(region.len())?);
    region.read_at(0, &mut shown)?;
    settle(&region, &mut shown, &mut bytes)?;
    show(args, &shown)?;
    if !args.watch {
        return Ok(());
    }
    loop {
        std::thread::sleep(args.every.max(SHORTEST));
        opened.check_holds(args.bytes.offset, region.len())?;
        region.read_at(0, &mut bytes)?;
        if bytes != shown {
            settle(&region, &mut bytes, &mut shown)?;
            std::mem::swap(&mut bytes, &mut shown);
            show(args, &shown)?;
        }
    }
}

/// Writes bytes out, a part after the other.
fn copy(region: &Region) -> anyhow::Result<()> {
    let mut stdout = output::stdout();
    let mut part = vec![0; AT_ONCE];
    for at in (0..region.len()).step_by(AT_ONCE) {
        let part = &mut part[..AT_ONCE.min(region.len() - at)];
        region.read_at(at, part)?;
        stdout.write_all(part)?;
    }
    Ok(stdout.flush()?)
}

/// Looks again, by way of `scratch`, until two looks in a row saw the same; if the bytes never hold
/// still, the last look counts.
fn settle(region: &Region, bytes: &mut Vec<u8>, scratch: &mut Vec<u8>) -> shmkit::Result<()> {
    const LOOKS: usize = 8;
    for _ in 0..LOOKS {
        region.read_at(0, scratch)?;
        std::mem::swap(bytes, scratch);
        if bytes == scratch {
            break;
        }
    }
    Ok(())
}

fn show(args: &Args, bytes: &[u8]) -> anyhow::Result<()> {
    if args.form.text {
        return line(&text(bytes));
    }
    if args.form.hex {
        return Ok(output::line(hex::digits(bytes))?);
    }
    if args.form.json {
        let mut report = args.target.json();
        report["offset"] = json!(args.bytes.offset);
        report["length"] = json!(bytes.len());
        report["hex"] = json!(hex::digits(bytes));
        report["text"] = json!(String::from_utf8_lossy(until_zero(bytes)));
        return Ok(output::line(report)?);
    }
    if args.watch {
        return Ok(output::line(hex::digits(bytes))?);
    }
    let mut stdout = output::stdout();
    stdout.write_all(bytes)?;
    Ok(stdout.flush()?)
}

fn line(text: &[u8]) -> anyhow::Result<()> {
    let mut stdout = output::stdout();
    stdout.write_all(text)?;
    stdout.write_all(b"\n")?;
    Ok(stdout.flush()?)
}

/// The text in `bytes`: as it is, but on a terminal without what would control it.
fn text(bytes: &[u8]) -> Vec<u8> {
    let text = until_zero(bytes);
    if !output::is_terminal() {
        return text.to_vec();
    }
    let mut plain = String::new();
    for letter in String::from_utf8_lossy(text).chars() {
        match letter {
            '\n' | '\t' => plain.push(letter),
            _ if letter.is_control() => plain.extend(letter.escape_default()),
            _ => plain.push(letter),
        }
    }
    plain.into_bytes()
}

fn until_zero(bytes: &[u8]) -> &[u8] {
    bytes.split(|byte| *byte == 0).next().unwrap_or_default()
}
