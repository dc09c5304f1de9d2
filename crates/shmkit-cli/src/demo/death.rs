//! The death of a writer half-way through a write: the writer is stopped and resumed until it is
//! stopped in the middle of a write. Then it is killed.

use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use serde_json::Value as Json;
use shmkit::AnyLatest;

use super::processes::{Objects, Process};
use super::report::AfterKill;
use super::roles::{Role, TIMEOUT};
use super::values::Block;
use crate::sys;

/// Kills a writer, and tries again with the object of the next part while the reader gets the death
/// notice too late, as it can on a busy machine. Returns the best try.
pub(super) fn kill_until_told_in_time(
    objects: &Objects,
    parts: &[&str],
) -> anyhow::Result<AfterKill> {
    let mut best: Option<AfterKill> = None;
    for (part, tries) in parts.iter().zip(1..) {
        let this = kill_half_way(objects, part)?;
        let better = match best {
            Some(best) if !this.is_better_than(&best) => best,
            _ => this,
        };
        let is_settled = better.is_settled();
        best = Some(AfterKill { tries, ..better });
        if is_settled {
            break;
        }
    }
    best.context("there is no part")
}

fn kill_half_way(objects: &Objects, part: &str) -> anyhow::Result<AfterKill> {
    let blocks = objects.create::<Block>(part)?;
    let name = blocks.name();
    let start = |role, options: &[&str]| Process::start(role, &objects.directory, name, options);
    let mut reader = start(Role::BlockReader, &[])?;
    reader.report()?;
    let mut writer = start(Role::BlockWriter, &[])?;
    let object = AnyLatest::open(Some(&objects.directory), name, Default::default())?;
    let half_written = stop_half_way(&writer, &object)?;
    let killed_ns = sys::monotonic_ns();
    writer.child.kill()?;
    writer.child.wait()?;
    let told = reader.report()?;
    // It writes one value, so that a slow reader does not miss it.
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

/// Stops the writer in the middle of a write. Returns the number of the half-written value.
fn stop_half_way(writer: &Process, object: &AnyLatest) -> anyhow::Result<u64> {
    /// How many values come first.
    const MIN_SEQUENCE: u64 = 20;
    /// Different pauses, so that they do not follow a rhythm of the writer.
    const PAUSES_US: [u64; 7] = [150, 310, 470, 590, 830, 1_010, 1_270];
    let start = Instant::now();
    for pause in PAUSES_US.iter().cycle() {
        if start.elapsed() > TIMEOUT {
            break;
        }
        std::thread::sleep(Duration::from_micros(*pause));
        if object.sequence() < MIN_SEQUENCE {
            continue;
        }
        sys::stop(&writer.child)?;
        if let Some(number) = object.half_written() {
            return Ok(number);
        }
        sys::resume(&writer.child)?;
    }
    bail!("the writer was not stopped half-way through a write within {TIMEOUT:?}")
}

fn number(report: &Json, what: &str) -> anyhow::Result<u64> {
    report[what].as_u64().with_context(|| format!("the reader reported no {what}"))
}

/// Returns the time from one to the other, which is negative if `to_ns` is earlier.
fn milliseconds(from_ns: u64, to_ns: u64) -> f64 {
    (to_ns as f64 - from_ns as f64) / 1e6
}
