//! What was measured in all rounds, case by case.

use hdrhistogram::Histogram;

use super::mechanism::{Cannot, Mechanism};
use super::pair::Measured;
use super::side::histogram;
use super::wait::Wait;

/// A mechanism and a way to wait: a row of a table, a line of the picture.
pub(super) struct Row {
    pub(super) mechanism: Mechanism,
    pub(super) wait: Wait,
    /// For each size.
    pub(super) cells: Vec<Cell>,
}

/// A mechanism with messages of one size.
pub(super) struct Cell {
    pub(super) size: usize,
    pub(super) cannot: Option<Cannot>,
    round_trips_ns: Histogram<u64>,
    /// Of each round.
    busy: Vec<f64>,
    messages_per_second: Vec<f64>,
}

/// Returns how many round trips there must be, so that a share of them is shown: one is slower.
fn needed(share: f64) -> u64 {
    if share <= 0.5 { 1 } else { (1.0 / (1.0 - share)).round() as u64 }
}

impl Cell {
    pub(super) fn new(size: usize) -> Self {
        let (busy, messages_per_second) = (Vec::new(), Vec::new());
        Self { size, cannot: None, round_trips_ns: histogram(), busy, messages_per_second }
    }

    pub(super) fn add(&mut self, measured: Result<Measured, Cannot>) -> anyhow::Result<()> {
        match measured {
            Ok(it) => {
                self.round_trips_ns.add(it.round_trips_ns)?;
                self.busy.push(it.busy);
                self.messages_per_second.push(it.messages_per_second);
            }
            Err(cannot) => self.cannot = Some(cannot),
        }
        Ok(())
    }

    /// Returns how many round trips were measured.
    pub(super) fn round_trips(&self) -> u64 {
        self.round_trips_ns.len()
    }

    /// Returns the nanoseconds within which this share of the round trips was complete, if there
    /// are enough of them.
    pub(super) fn round_trip_ns(&self, share: f64) -> Option<u64> {
        let enough = self.cannot.is_none() && self.round_trips() >= needed(share);
        enough.then(|| self.round_trips_ns.value_at_quantile(share))
    }

    /// Returns the messages in a second, one way: the median of the rounds.
    pub(super) fn messages_per_second(&self) -> Option<f64> {
        median(&self.messages_per_second).filter(|_| self.cannot.is_none())
    }

    pub(super) fn bytes_per_second(&self) -> Option<f64> {
        Some(self.messages_per_second()? * self.size as f64)
    }

    /// Returns the processors that both processes together kept busy: the median of the rounds.
    pub(super) fn busy(&self) -> Option<f64> {
        median(&self.busy).filter(|_| self.cannot.is_none())
    }
}

/// Why something is missing, for one or several sizes of a mechanism.
pub(super) struct Gap<'a> {
    pub(super) rows: Vec<&'a Row>,
    pub(super) sizes: Vec<usize>,
    pub(super) why: &'a str,
}

/// Returns why cells are empty. Rows of a mechanism with the same reason are together.
pub(super) fn gaps(rows: &[Row]) -> Vec<Gap<'_>> {
    let mut gaps: Vec<Gap<'_>> = Vec::new();
    for row in rows {
        for cell in &row.cells {
            let Some(Cannot(why)) = &cell.cannot else { continue };
            let same = gaps
                .iter_mut()
                .find(|it| it.why == why && it.rows[0].mechanism.name == row.mechanism.name);
            match same {
                Some(gap) => {
                    if !gap.sizes.contains(&cell.size) {
                        gap.sizes.push(cell.size);
                    }
                    if gap.rows.iter().all(|it| it.wait != row.wait) {
                        gap.rows.push(row);
                    }
                }
                None => gaps.push(Gap { rows: vec![row], sizes: vec![cell.size], why }),
            }
        }
    }
    gaps
}

fn median(values: &[f64]) -> Option<f64> {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(ns: &[u64], messages_per_second: f64) -> Measured {
        let mut round_trips_ns = histogram();
        ns.iter().for_each(|ns| round_trips_ns.record(*ns).unwrap());
        Measured { round_trips_ns, busy: 2.0, messages_per_second }
    }

    #[test]
    fn a_share_is_shown_only_if_there_are_enough_round_trips() {
        let mut cell = Cell::new(64);
        assert_eq!((cell.round_trip_ns(0.5), cell.messages_per_second()), (None, None));
        cell.add(Ok(measured(&[100; 1], 1.5))).unwrap();
        assert_eq!((cell.round_trip_ns(0.5), cell.round_trip_ns(0.99)), (Some(100), None));
        cell.add(Ok(measured(&[100; 59], 3.0))).unwrap();
        cell.add(Ok(measured(&[200; 40], 1.0))).unwrap();
        cell.add(Ok(measured(&[200; 0], 2.0))).unwrap();
        assert_eq!(cell.round_trip_ns(0.5), Some(100));
        assert_eq!(cell.round_trip_ns(0.99), Some(200));
        assert_eq!(cell.round_trip_ns(0.999), None);
        assert_eq!((cell.messages_per_second(), cell.bytes_per_second()), (Some(2.0), Some(128.0)));
        cell.add(Err(Cannot("why".into()))).unwrap();
        assert_eq!((cell.round_trip_ns(0.5), cell.messages_per_second()), (None, None));
    }
}
