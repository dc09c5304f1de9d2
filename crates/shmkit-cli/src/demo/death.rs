//! A writer that dies half-way through a write, for certain: it is stopped, looked at, and let go
//! again, until it stands still in the midst of one. Then it is killed.

use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use serde_json::Value as Json;
use shmkit::AnyLatest;

use super::processes::{Place, Process};
use super::report::AfterKill;
use super::roles::{PATIENCE, Role};
use super::values::Block;
use crate::sys;

/// Tries again, each time with another part's object, while the reader is told too late, as a busy
/// machine may have it: the try in which it was told first.
pub(super) fn kill_until_told_soon(place: &Place, parts: &[&str]) -> anyhow::Result<AfterKill> {
    let mut best: Option<AfterKill> = None;
    for (part, tries) in parts.iter().zip(1..) {
        let this = kill_half_way(place, part)?;
        let shown = match best {
            Some(best) if !this.is_better_than(&best) => best,
            _ => this,
        };
        let is_settled = shown.is_settled();
        best = Some(AfterKill { tries, ..shown });
        if is_settled {
            break;
        }
    }
    best.context("there is no part")
}

fn kill_half_way(place: &Place, part: &str) -> anyhow::Result<AfterKill> {
    let blocks = place.make::<Block>(part)?;
    let name = blocks.name();
    let start = |role, options: &[&str]| Process::start(role, &place.directory, name, options);
    let mut reader = start(Role::BlockReader, &[])?;
    reader.report()?;
    let mut writer = start(Role::BlockWriter, &[])?;
    let object = AnyLatest::open(Some(&place.directory), name, Default::default())?;
    let half_written = stop_half_way(&writer, &object)?;
    let killed_ns = sys::monotonic_ns();
    writer.child.kill()?;
    writer.child.wait()?;
    let told = reader.report()?;
    // One, which a reader that fell behind cannot miss.
    let new_writer = start(Role::BlockWriter, &["--count", "1"])?;
    let next = reader.report()?;
    Ok(AfterKill {
        tries: 1,
        killed_pid: writer.child.id(),
        new_pid: new_writer.child.id(),
        half_written,
        told_ms: milliseconds(killed_ns, number(&told, "told_ns")?),
        message: told["message"].as_str().unwrap_or_default().to_owned(),
        last: number(&told, "last")?,
        last_value_whole: told["last_value_whole"] == true,
        next: number(&next, "next")?,
    })
}

/// Stops the writer in the midst of a write: the number of the value that it leaves half-written.
fn stop_half_way(writer: &Process, object: &AnyLatest) -> anyhow::Result<u64> {
    const BEFORE: u64 = 20;
    /// Another each time, so that no rhythm of the writer is met again and again.
    const PAUSES_US: [u64; 7] = [150, 310, 470, 590, 830, 1_010, 1_270];
    let start = Instant::now();
    for pause in PAUSES_US.iter().cycle() {
        if start.elapsed() > PATIENCE {
            break;
        }
        std::thread::sleep(Duration::from_micros(*pause));
        if object.sequence() < BEFORE {
            continue;
        }
        sys::stop(&writer.child)?;
        if let Some(number) = object.half_written() {
            return Ok(number);
        }
        sys::go_on(&writer.child)?;
    }
    bail!("in {PATIENCE:?} the writer was never stopped half-way through a write")
}

fn number(report: &Json, what: &str) -> anyhow::Result<u64> {
    report[what].as_u64().with_context(|| format!("the reader reported no {what}"))
}

/// Negative if it comes before.
fn milliseconds(from_ns: u64, to_ns: u64) -> f64 {
    (to_ns as f64 - from_ns as f64) / 1e6
}
