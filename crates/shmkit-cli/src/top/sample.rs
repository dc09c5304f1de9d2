//! What `shm top` knows of all objects at one moment, and since the moment before.

use std::cmp::Ordering;
use std::collections::{HashMap, VecDeque};
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use clap::ValueEnum;
use serde_json::{Value as Json, json};
use shmkit::inspect::{self, Description, Entry};
use shmkit::memory::Trust;

use crate::figures::{Figures, Rates};
use crate::{advice, description, format, json as describing, output};

/// How many rates of an object are kept.
const HISTORY: usize = 240;

/// All objects at one moment.
#[derive(Default)]
pub(super) struct Sample {
    pub(super) rows: Vec<Row>,
    /// When it was taken, by the wall clock.
    pub(super) time: Option<SystemTime>,
}

/// An object at one moment.
pub(super) struct Row {
    pub(super) name: String,
    pub(super) figures: Figures,
    pub(super) rates: Rates,
    /// The object, or why it cannot be opened.
    pub(super) object: Result<Box<Description>, String>,
    /// The latest rates, the newest last.
    pub(super) history: Vec<f64>,
}

/// What is remembered of an object between two samples.
struct Before {
    figures: Figures,
    history: VecDeque<f64>,
}

/// Takes samples.
pub(super) struct Sampler<'a> {
    directory: &'a Path,
    prefix: &'a str,
    trust: Trust,
    before: HashMap<u128, Before>,
    taken: Option<Instant>,
}

impl<'a> Sampler<'a> {
    pub(super) fn new(directory: &'a Path, prefix: &'a str, trust: Trust) -> Self {
        Self { directory, prefix, trust, before: HashMap::new(), taken: None }
    }

    /// Takes a sample. Rates are those since the sample before.
    pub(super) fn take(&mut self) -> shmkit::Result<Sample> {
        let entries = inspect::list_with_prefix(self.directory, self.prefix, self.trust)?;
        let now = Instant::now();
        let passed = self.taken.map_or(Duration::ZERO, |before| now - before);
        self.taken = Some(now);
        let mut before = std::mem::take(&mut self.before);
        let rows = entries.into_iter().map(|entry| self.row(entry, &mut before, passed)).collect();
        Ok(Sample { rows, time: Some(SystemTime::now()) })
    }

    fn row(&mut self, entry: Entry, before: &mut HashMap<u128, Before>, passed: Duration) -> Row {
        let name = entry.name;
        let object = match entry.description {
            Ok(object) => Box::new(object),
            Err(error) => {
                let (figures, rates, history) = Default::default();
                return Row { name, figures, rates, object: Err(advice::reason(&error)), history };
            }
        };
        let figures = Figures::of(&object);
        let known = before.remove(&object.object_id);
        let rates = known.as_ref().map(|it| figures.since(&it.figures, passed));
        let rates = rates.unwrap_or_default();
        let mut history = known.map(|it| it.history).unwrap_or_default();
        history.extend(rates.number());
        if history.len() > HISTORY {
            history.pop_front();
        }
        let shown = history.iter().copied().collect();
        self.before.insert(object.object_id, Before { figures, history });
        Row { name, figures, rates, object: Ok(object), history: shown }
    }
}

impl Sample {
    /// Returns what all objects take and who uses them, in one line.
    pub(super) fn summary(&self) -> String {
        let objects = || self.rows.iter().filter_map(|row| row.object.as_ref().ok());
        let memory = objects().fold(0, |sum: u64, it| sum.saturating_add(it.size));
        let users = objects().map(|it| it.count_participants());
        let (alive, dead) = users.fold((0, 0), |sum, it| (sum.0 + it.0, sum.1 + it.1));
        let count = |count: usize, what: &str| {
            format!("{} {what}{}", format::count(count as u64), if count == 1 { "" } else { "s" })
        };
        let (objects, users) = (count(self.rows.len(), "object"), count(alive, "participant"));
        let memory = format::bytes(memory);
        match dead {
            0 => format!("{objects}, {memory}, {users}"),
            dead => format!("{objects}, {memory}, {users}, {} dead", format::count(dead as u64)),
        }
    }
}

/// A column, by which rows can be sorted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Column {
    Name,
    Kind,
    Rate,
    Lag,
    Depth,
    Lost,
    Users,
    Waiting,
    Deaths,
    Memory,
    State,
}

impl Column {
    pub(super) const ALL: [Self; 11] = [
        Self::Name,
        Self::Kind,
        Self::Rate,
        Self::Lag,
        Self::Depth,
        Self::Lost,
        Self::Users,
        Self::Waiting,
        Self::Deaths,
        Self::Memory,
        Self::State,
    ];

    pub(super) fn heading(self) -> &'static str {
        match self {
            Self::Name => "NAME",
            Self::Kind => "KIND",
            Self::Rate => "RATE",
            Self::Lag => "LAG",
            Self::Depth => "DEPTH",
            Self::Lost => "LOST",
            Self::Users => "USERS",
            Self::Waiting => "WAITING",
            Self::Deaths => "DEATHS",
            Self::Memory => "MEMORY",
            Self::State => "STATE",
        }
    }

    /// Whether larger numbers come first, unless the order is reversed.
    fn is_number(self) -> bool {
        !matches!(self, Self::Name | Self::Kind | Self::State)
    }
}

impl Row {
    pub(super) fn kind(&self) -> &'static str {
        self.object.as_ref().map_or("-", |it| it.kind.as_str())
    }

    /// Whether it cannot be used.
    pub(super) fn is_hindered(&self) -> bool {
        self.object.as_ref().map_or(true, |it| description::hindrance(it).is_some())
    }

    /// Returns how much of the room is taken, if both are known: 1.0 if there is none left.
    pub(super) fn filled(&self) -> Option<f64> {
        let (lag, depth) = (self.figures.lag?, self.figures.depth?);
        (depth > 0).then(|| lag as f64 / depth as f64)
    }

    /// Returns what is in a column.
    pub(super) fn text(&self, column: Column) -> String {
        let Ok(object) = &self.object else {
            return match (column, &self.object) {
                (Column::Name, _) => one_line(&self.name),
                (Column::State, Err(why)) => one_line(why),
                _ => "-".into(),
            };
        };
        let figures = &self.figures;
        let amount = |amount: Option<u64>| match (amount, figures.bytes) {
            (None, _) => "-".into(),
            (Some(amount), None) => format::count(amount),
            (Some(bytes), Some(_)) => format::bytes(bytes),
        };
        match column {
            Column::Name => one_line(&self.name),
            Column::Kind => self.kind().into(),
            Column::Rate => self.rates.text().unwrap_or_else(|| "-".into()),
            Column::Lag => amount(figures.lag),
            Column::Depth => amount(figures.depth),
            Column::Lost => figures.lost.map_or("-".into(), format::count),
            Column::Users => users(object),
            Column::Waiting => waiting(object).to_string(),
            Column::Deaths => format::count(figures.deaths),
            Column::Memory => format::bytes(object.size),
            Column::State => one_line(&state(object)),
        }
    }

    /// Returns what the column is sorted by, if it is a number.
    fn number(&self, column: Column) -> Option<f64> {
        let object = self.object.as_ref().ok()?;
        let figures = &self.figures;
        let number = match column {
            Column::Rate => return self.rates.number(),
            Column::Lag => figures.lag?,
            Column::Depth => figures.depth?,
            Column::Lost => figures.lost?,
            Column::Users => object.participants.len() as u64 + u64::from(object.readers),
            Column::Waiting => waiting(object),
            Column::Deaths => figures.deaths,
            Column::Memory => object.size,
            Column::Name | Column::Kind | Column::State => return None,
        };
        Some(number as f64)
    }

    pub(super) fn json(&self) -> Json {
        match &self.object {
            Ok(object) => {
                let mut report = describing::object(object);
                report["figures"] = self.figures.json(&self.rates);
                report
            }
            Err(error) => json!({ "name": self.name, "error": error }),
        }
    }
}

/// Orders rows by a column. Numbers begin with the largest; rows without one come last in any case.
pub(super) fn order(one: &Row, other: &Row, column: Column, is_reversed: bool) -> Ordering {
    let turned = |order: Ordering| if is_reversed { order.reverse() } else { order };
    let order = match (column.is_number(), one.number(column), other.number(column)) {
        (true, Some(one), Some(other)) => turned(other.total_cmp(&one)),
        (true, Some(_), None) => Ordering::Less,
        (true, None, Some(_)) => Ordering::Greater,
        (true, None, None) => Ordering::Equal,
        (false, ..) => turned(one.text(column).cmp(&other.text(column))),
    };
    order.then_with(|| one.name.cmp(&other.name))
}

/// Returns the participants and the handles that only read, and how many are dead.
fn users(it: &Description) -> String {
    let (alive, dead) = it.count_participants();
    let alive = alive as u64 + u64::from(it.readers);
    if dead == 0 { alive.to_string() } else { format!("{alive} ({dead} dead)") }
}

fn waiting(it: &Description) -> u64 {
    it.parts.iter().map(|part| u64::from(part.waiting)).sum()
}

fn state(it: &Description) -> String {
    let parts = || format!("{} parts", it.parts.len());
    let state = || it.only_part().map_or_else(parts, |part| part.state.text.clone());
    description::hindrance(it).unwrap_or_else(state)
}

/// Returns the text with its control characters escaped: another user may have chosen it.
fn one_line(text: &str) -> String {
    output::escaped(text, |_| false)
}

#[cfg(test)]
pub(super) mod tests {
    use shmkit::{Latest, Topic};

    use super::*;

    /// Returns a sample of a latest that was set, a topic with messages, and a file that is none.
    pub(in crate::top) fn sample() -> Sample {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        let latest = Latest::<u64>::options().directory(path).create("robot/pose").unwrap();
        let mut writer = latest.writer().unwrap();
        let topic = Topic::<u64>::options().directory(path).depth(8).create("ticks").unwrap();
        let (mut publisher, _subscriber) =
            (topic.publisher().unwrap(), topic.subscriber().unwrap());
        std::fs::write(path.join("other.shmkit"), "no object").unwrap();
        let mut sampler = Sampler::new(path, "", Trust::Own);
        let first = sampler.take().unwrap();
        assert!(first.rows.iter().all(|row| row.rates == Rates::default()));
        sampler.taken = Instant::now().checked_sub(Duration::from_secs(1));
        writer.set(&1).unwrap();
        (0..7).for_each(|number| _ = publisher.publish(&number).unwrap());
        sampler.take().unwrap()
    }

    fn row<'s>(sample: &'s Sample, name: &str) -> &'s Row {
        sample.rows.iter().find(|row| row.name == name).unwrap()
    }

    #[test]
    fn a_row_has_the_figures_of_its_object() {
        let sample = sample();
        let ticks = row(&sample, "ticks");
        assert_eq!((ticks.figures.lag, ticks.figures.depth), (Some(7), Some(8)));
        assert_eq!((ticks.figures.lost, ticks.filled()), (Some(0), Some(0.875)));
        assert!(ticks.rates.changes.is_some_and(|rate| rate > 0.0), "{:?}", ticks.rates);
        assert_eq!(ticks.text(Column::Users), "2");
        let pose = row(&sample, "robot/pose");
        assert_eq!((pose.text(Column::Lag), pose.text(Column::Lost)), ("-".into(), "-".into()));
        assert!(sample.summary().ends_with("3 participants"), "{}", sample.summary());
    }

    #[test]
    fn rows_are_in_the_order_of_a_column_and_those_without_a_number_last() {
        let mut sample = sample();
        let mut names = |column, is_reversed| {
            sample.rows.sort_by(|one, other| order(one, other, column, is_reversed));
            sample.rows.iter().map(|row| row.name.clone()).collect::<Vec<_>>()
        };
        assert_eq!(names(Column::Lag, false)[0], "ticks");
        assert_eq!(names(Column::Rate, false)[..2], ["ticks", "robot/pose"]);
        assert_eq!(names(Column::Rate, true)[..2], ["robot/pose", "ticks"]);
        assert_eq!(names(Column::Name, true).last().unwrap(), "other");
    }
}
