//! The results as tables, with what they mean.

use std::time::Duration;

use super::machine::Machine;
use super::results::{Cell, Gap, Row, gaps};
use crate::format::{bytes, duration, rate};
use crate::output;
use crate::table::table;

/// The size for which the column says how busy the processors were, or the one nearest to it.
const BUSY_AT: usize = 64;

/// Returns all of it.
pub(super) fn text(machine: &Machine, rows: &[Row]) -> String {
    let mut text = format!("{}\n{}\n", machine.text(), machine.place());
    for (heading, share) in [("median", 0.5), ("99 % within", 0.99), ("99.9 % within", 0.999)] {
        let cell = |cell: &Cell| match cell.round_trip_ns(share) {
            Some(ns) => duration(Duration::from_nanos(ns)),
            None => "-".into(),
        };
        text += &section(&format!("Round trip, {heading}"), rows, share == 0.5, cell);
    }
    text += &section("One way, messages received in a second", rows, false, |cell| {
        cell.messages_per_second().map_or_else(|| "-".into(), rate)
    });
    text.push('\n');
    for gap in gaps(rows) {
        text += &format!("- {}\n", gap_text(&gap, rows));
    }
    text + &legend(machine, rows)
}

fn section(heading: &str, rows: &[Row], with_busy: bool, show: impl Fn(&Cell) -> String) -> String {
    let (bold, plain) = output::bold();
    let sizes: Vec<_> = rows.first().into_iter().flat_map(|it| &it.cells).collect();
    let sizes: Vec<_> = sizes.into_iter().map(|it| bytes(it.size as u64)).collect();
    let mut headings = vec!["MECHANISM", "WAITS"];
    headings.extend(sizes.iter().map(String::as_str));
    if with_busy {
        headings.push("BUSY");
    }
    let rows = rows.iter().map(|row| {
        let mut columns = vec![row.mechanism.name.to_owned(), row.wait.as_str().to_owned()];
        columns.extend(row.cells.iter().map(&show));
        if with_busy {
            columns.push(busy(row).map_or_else(|| "-".into(), |it| format!("{:.0} %", it * 100.0)));
        }
        columns
    });
    format!("\n{bold}{heading}{plain}\n{}\n", table(headings, rows))
}

/// Returns how busy the processors were.
fn busy(row: &Row) -> Option<f64> {
    let measured = row.cells.iter().filter(|it| it.busy().is_some());
    measured.min_by_key(|it| it.size.abs_diff(BUSY_AT)).and_then(Cell::busy)
}

fn gap_text(gap: &Gap<'_>, rows: &[Row]) -> String {
    let name = gap.rows[0].mechanism.name;
    let all_waits = rows.iter().filter(|it| it.mechanism.name == name).count();
    let wait = match gap.rows.len() == all_waits {
        true => String::new(),
        false => format!(" {}", gap.rows[0].wait.as_str()),
    };
    let sizes: Vec<_> = gap.sizes.iter().map(|it| bytes(*it as u64)).collect();
    let at = match gap.sizes.len() == gap.rows[0].cells.len() {
        true => "skipped".to_owned(),
        false => sizes.join(", "),
    };
    format!("{name}{wait}, {at}: {}", gap.why)
}

fn legend(machine: &Machine, rows: &[Row]) -> String {
    let mut text = format!(
        "The sender writes each byte of a message, and the receiver reads and checks each byte. A \
         round trip\nincludes one look at the clock, {} ns. BUSY: processor time of both processes \
         together, at {BUSY_AT} B.\n",
        machine.clock_ns
    );
    if rows.iter().flat_map(|it| &it.cells).any(has_too_few) {
        text += "`-` beside a median: there were too few round trips to say it.\n";
    }
    if rows.iter().any(|it| !it.mechanism.keeps_all) {
        text += "shmkit-latest keeps the newest value only: one way, it counts the values that the \
                 receiver saw.\n";
    }
    if rows.iter().any(|it| it.mechanism.ways_to_wait().len() > 1) {
        text += "spinning: a side that waits keeps its processor busy for up to 100 us (the \
                 default), which pays if the\nanswer comes soon and a processor is free for it. \
                 asleep: it sleeps in the kernel, as with the other mechanisms.\n";
    }
    text.trim_end().to_owned()
}

/// Whether there are too few round trips for the last table of them.
fn has_too_few(cell: &Cell) -> bool {
    cell.round_trip_ns(0.5).is_some() && cell.round_trip_ns(0.999).is_none()
}
