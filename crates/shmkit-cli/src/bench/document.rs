//! The results as JSON.

use std::time::Duration;

use serde_json::{Value as Json, json};

use super::machine::Machine;
use super::results::{Cell, Row, gaps};

/// Returns all of it.
pub(super) fn document(machine: &Machine, rows: &[Row], rounds: u32, during: Duration) -> Json {
    let results = rows.iter().flat_map(|row| row.cells.iter().map(|cell| result(row, cell)));
    let skipped = gaps(rows).into_iter().map(|gap| {
        json!({
            "mechanism": gap.rows[0].mechanism.name,
            "waits": gap.rows.iter().map(|it| it.wait.as_str()).collect::<Vec<_>>(),
            "sizes": gap.sizes,
            "why": gap.why,
        })
    });
    json!({
        "shmkit": env!("CARGO_PKG_VERSION"),
        "machine": machine.json(),
        "rounds": rounds,
        "seconds_per_round": during.as_secs_f64(),
        "results": results.collect::<Vec<_>>(),
        "skipped": skipped.collect::<Vec<_>>(),
    })
}

fn result(row: &Row, cell: &Cell) -> Json {
    json!({
        "mechanism": row.mechanism.name,
        "title": row.mechanism.title,
        "family": row.mechanism.family.as_str(),
        "waits": row.wait.as_str(),
        "size": cell.size,
        "round_trip_ns": {
            "count": cell.round_trips(),
            "median": cell.round_trip_ns(0.5),
            "p99": cell.round_trip_ns(0.99),
            "p999": cell.round_trip_ns(0.999),
        },
        "one_way": {
            "keeps_all": row.mechanism.keeps_all,
            "messages_per_second": cell.messages_per_second().map(f64::round),
            "bytes_per_second": cell.bytes_per_second().map(f64::round),
        },
        "busy_processors": cell.busy().map(|it| (it * 1e3).round() / 1e3),
    })
}
