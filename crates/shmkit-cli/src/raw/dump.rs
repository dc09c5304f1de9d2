//! `shm raw dump`.

use std::io::Write;

use serde_json::json;
use shmkit::Trust;

use super::hex;
use super::target::{RangeArgs, Target, buffer};
use crate::output;

/// Show bytes in a table: offset, hexadecimal digits, text
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    range: RangeArgs,
    /// Print a JSON object: `name` or `file`, `offset`, `length`, and the bytes as `hex`
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args, trust: Trust) -> anyhow::Result<()> {
    let region = args.range.map(&args.target.open(false, trust)?)?;
    if args.json {
        let mut bytes = buffer(region.len())?;
        region.read_at(0, &mut bytes)?;
        let mut report = args.target.json();
        report["offset"] = json!(args.range.offset);
        report["length"] = json!(bytes.len());
        report["hex"] = json!(hex::digits(&bytes));
        return Ok(output::line(report)?);
    }
    let faint = output::faint();
    let mut stdout = output::stdout();
    let mut row = [0; hex::ROW];
    for at in (0..region.len()).step_by(hex::ROW) {
        let row = &mut row[..hex::ROW.min(region.len() - at)];
        region.read_at(at, row)?;
        writeln!(stdout, "{}", hex::row(args.range.offset + at as u64, row, faint))?;
    }
    Ok(stdout.flush()?)
}
