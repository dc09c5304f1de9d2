//! What flows through an object, by the names that the library gives its numbers. Kinds with the
//! same names have the same figures.

use std::time::Duration;

use serde_json::{Value as Json, json};
use shmkit::inspect::Description;

use crate::format;

/// What an object counts and holds at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Figures {
    /// Changes, messages or values so far.
    pub(crate) changes: Option<u64>,
    /// Bytes so far, of a kind that passes on bytes.
    pub(crate) bytes: Option<u64>,
    /// How much waits: for the receiver that is the furthest behind.
    pub(crate) lag: Option<u64>,
    /// For how much there is room.
    pub(crate) depth: Option<u64>,
    /// How many messages never reached a receiver.
    pub(crate) lost: Option<u64>,
    /// How many participants died.
    pub(crate) deaths: u64,
}

/// The numbers of a state that say how much waits.
const LAGS: [&str; 4] = ["lag", "ready", "unread", "waiting"];
/// The numbers that say for how much there is room.
const DEPTHS: [&str; 3] = ["depth", "capacity", "in_flight"];
/// The numbers of messages that never reached a receiver.
const LOSSES: [&str; 2] = ["lost", "dropped"];

impl Figures {
    /// The figures of an object. A group has only deaths: see its parts.
    pub(crate) fn of(it: &Description) -> Self {
        let Some(part) = it.only_part() else {
            return Self { deaths: it.deaths, ..Self::default() };
        };
        let state = &part.state;
        let first = |names: &[&str]| names.iter().find_map(|name| state.number(name));
        let losses: Vec<_> = LOSSES.iter().filter_map(|name| state.number(name)).collect();
        Self {
            changes: state.changes,
            bytes: state.number("written"),
            lag: first(&LAGS),
            depth: first(&DEPTHS),
            lost: (!losses.is_empty()).then(|| losses.into_iter().fold(0, u64::saturating_add)),
            deaths: it.deaths,
        }
    }

    /// Returns what happened since the figures `before`, which is so long ago.
    pub(crate) fn since(&self, before: &Self, passed: Duration) -> Rates {
        let more = |now: Option<u64>, before: Option<u64>| Some(now?.saturating_sub(before?));
        let seconds = passed.as_secs_f64();
        let per_second = |now, before| {
            more(now, before).filter(|_| seconds > 0.0).map(|count| count as f64 / seconds)
        };
        Rates {
            changes: per_second(self.changes, before.changes),
            bytes: per_second(self.bytes, before.bytes),
            lost: more(self.lost, before.lost).unwrap_or(0),
            died: self.deaths.saturating_sub(before.deaths),
        }
    }

    pub(crate) fn json(&self, rates: &Rates) -> Json {
        json!({
            "rate_per_second": rates.changes,
            "bytes_per_second": rates.bytes,
            "lag": self.lag,
            "depth": self.depth,
            "lost": self.lost,
            "lost_since": rates.lost,
            "deaths": self.deaths,
            "deaths_since": rates.died,
        })
    }
}

/// What happened to an object between two moments.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Rates {
    /// Changes per second.
    pub(crate) changes: Option<f64>,
    /// Bytes per second.
    pub(crate) bytes: Option<f64>,
    /// How many messages were lost.
    pub(crate) lost: u64,
    /// How many participants died.
    pub(crate) died: u64,
}

impl Rates {
    /// Returns the rate as people read it: `12k/s`, or `3 MiB/s`.
    pub(crate) fn text(&self) -> Option<String> {
        let bytes = || self.bytes.map(|bytes| format!("{}/s", format::bytes(bytes as u64)));
        self.changes.map(format::rate).or_else(bytes)
    }

    /// Returns the number to compare rates by.
    pub(crate) fn number(&self) -> Option<f64> {
        self.changes.or(self.bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_per_second_and_losses_are_counted() {
        let before = Figures { changes: Some(10), lost: Some(3), deaths: 1, ..Figures::default() };
        let now = Figures { changes: Some(40), lost: Some(8), deaths: 2, ..before };
        let rates = now.since(&before, Duration::from_secs(2));
        let expected = Rates { changes: Some(15.0), bytes: None, lost: 5, died: 1 };
        assert_eq!((rates, rates.text().as_deref()), (expected, Some("15/s")));
        // An object that was created again under its name counts from 0.
        assert_eq!(before.since(&now, Duration::from_secs(2)).changes, Some(0.0));
        assert_eq!(now.since(&before, Duration::ZERO).changes, None);
        let pipe = Figures { bytes: Some(3 << 20), ..Figures::default() };
        let begun = Figures { bytes: Some(0), ..Figures::default() };
        let rates = pipe.since(&begun, Duration::from_secs(1));
        assert_eq!(rates.text().as_deref(), Some("3 MiB/s"));
    }
}
