//! Two processes that measure one mechanism with messages of one size.

use std::io::{BufRead, BufReader};
use std::process::Command;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use hdrhistogram::Histogram;
use serde_json::Value as Json;

use super::children::Children;
use super::mechanism::{Cannot, Mechanism, Prepared};
use super::side::histogram;
use super::wait::Wait;
use super::worker::{PART_OF_BENCH, Part};
use crate::exit::Failure;

/// What is measured at once.
#[derive(Clone, Copy)]
pub(super) struct Case {
    pub(super) mechanism: Mechanism,
    pub(super) wait: Wait,
    pub(super) size: usize,
}

/// What two processes measured.
pub(super) struct Measured {
    pub(super) round_trips_ns: Histogram<u64>,
    /// The processor time of both processes during the round trips: 2 if both were always busy.
    pub(super) busy: f64,
    /// Messages that the receiver got in a second, one way.
    pub(super) messages_per_second: f64,
}

/// How long the two processes may take longer than they were told.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long to wait for news of the other process when one failed: it may have failed because the
/// other one died.
const OTHER_NEWS: Duration = Duration::from_secs(1);

/// Measures a case. `Ok(Err(_))`: the system cannot do it, and says why.
pub(super) fn measure(
    children: &Children,
    case: &Case,
    during: Duration,
    processors: Option<[usize; 2]>,
) -> anyhow::Result<Result<Measured, Cannot>> {
    let prepared = children.prepare(|directory| (case.mechanism.prepare)(directory, case.size))?;
    let measured = match prepared {
        Ok(prepared) => run(children, case, during, processors, prepared),
        Err(cannot) => Ok(Err(cannot)),
    };
    children.clear();
    measured
}

fn run(
    children: &Children,
    case: &Case,
    during: Duration,
    processors: Option<[usize; 2]>,
    prepared: Prepared,
) -> anyhow::Result<Result<Measured, Cannot>> {
    let (sender, news) = channel();
    for (number, part) in Part::BOTH.into_iter().enumerate() {
        let processor = processors.map(|it| it[number]);
        let mut command = command(children, case, part, during, processor, &prepared)?;
        let output = children.start(&mut command)?;
        let sender = sender.clone();
        follow(number, BufReader::new(output), sender)?;
    }
    drop(prepared.keep);
    let reports = Conversation { children, case, news }.hold(during)?;
    reports.map_or_else(|cannot| Ok(Err(cannot)), |reports| Ok(Ok(measured(&reports)?)))
}

fn command(
    children: &Children,
    case: &Case,
    part: Part,
    during: Duration,
    processor: Option<usize>,
    prepared: &Prepared,
) -> anyhow::Result<Command> {
    let program = std::env::current_exe().context("cannot find this program's own file")?;
    let mut command = Command::new(program);
    command.args([PART_OF_BENCH, case.mechanism.name, part.as_str(), &case.size.to_string()]);
    command.arg(children.current());
    command.args(["--during", &format!("{}ns", during.as_nanos())]);
    if case.wait == Wait::Asleep {
        command.arg("--asleep");
    }
    if let Some(processor) = processor {
        command.args(["--processor", &processor.to_string()]);
    }
    for end in &prepared.ends {
        command.args(["--end", end]);
    }
    Ok(command)
}

/// A line of a process, by its number; `None` at the end.
type News = (usize, Option<String>);

/// Passes the lines of a process on.
fn follow(
    number: usize,
    output: impl BufRead + Send + 'static,
    to: Sender<News>,
) -> anyhow::Result<()> {
    let follow = thread::Builder::new().spawn(move || {
        for line in output.lines().map_while(Result::ok) {
            let _ = to.send((number, Some(line)));
        }
        let _ = to.send((number, None));
    });
    follow.map(drop).context("cannot start a thread")
}

/// The exchange with the two processes.
struct Conversation<'a> {
    children: &'a Children,
    case: &'a Case,
    news: Receiver<News>,
}

impl Conversation<'_> {
    /// Tells both processes to begin when both are ready, and returns their reports.
    fn hold(&self, during: Duration) -> anyhow::Result<Result<[Json; 2], Cannot>> {
        if let Err(cannot) = self.both(PATIENCE)? {
            return Ok(Err(cannot));
        }
        self.children.go();
        self.both(2 * during + PATIENCE)
    }

    /// Waits for a line of each process.
    fn both(&self, time: Duration) -> anyhow::Result<Result<[Json; 2], Cannot>> {
        let deadline = Instant::now() + time;
        let mut lines = [Json::Null, Json::Null];
        while lines.iter().any(Json::is_null) {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.news.recv_timeout(left) {
                Ok((number, Some(line))) => {
                    let line: Json = serde_json::from_str(&line)?;
                    if let Some(why) = line["cannot"].as_str() {
                        return self.cannot(number, why);
                    }
                    if let Some(why) = line["failed"].as_str() {
                        bail!("{}: {why}", self.words());
                    }
                    lines[number] = line;
                }
                // A process ends after its report.
                Ok((number, None)) if lines[number]["busy"].is_number() => {}
                Ok((number, None)) => return Err(self.died(number)),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                    let silent = Part::BOTH[usize::from(!lines[0].is_null())].as_str();
                    let seconds = time.as_secs();
                    let words = self.words();
                    return Err(Failure::NotNow(format!(
                        "{words}: the {silent} process said nothing for {seconds} s; is it stopped?"
                    ))
                    .into());
                }
            }
        }
        Ok(Ok(lines))
    }

    /// One process reports an error of the system: perhaps because the other one died.
    fn cannot(&self, number: usize, why: &str) -> anyhow::Result<Result<[Json; 2], Cannot>> {
        let deadline = Instant::now() + OTHER_NEWS;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.news.recv_timeout(left) {
                Ok((other, None)) if other != number => return Err(self.died(other)),
                Ok((other, Some(_))) if other != number => break,
                Ok(_) => {}
                Err(_) => break,
            }
        }
        Ok(Err(Cannot(why.to_owned())))
    }

    fn died(&self, number: usize) -> anyhow::Error {
        let part = Part::BOTH[number].as_str();
        match self.children.wait(number) {
            Ok(status) => {
                let words = self.words();
                Failure::Died(format!("{words}: the {part} process ended too early: {status}"))
                    .into()
            }
            Err(error) => anyhow::Error::from(error).context("cannot wait for a process"),
        }
    }

    fn words(&self) -> String {
        let Case { mechanism, wait, size } = self.case;
        format!("{}, {}, {size} bytes", mechanism.title, wait.as_str())
    }
}

fn measured(reports: &[Json; 2]) -> anyhow::Result<Measured> {
    const INCOMPLETE: &str = "a report of a process is incomplete";
    let [first, second] = reports;
    let mut round_trips_ns = histogram();
    for pair in first["round_trips"].as_array().context(INCOMPLETE)? {
        let ns = pair[0].as_u64().context(INCOMPLETE)?;
        round_trips_ns.saturating_record_n(ns, pair[1].as_u64().context(INCOMPLETE)?);
    }
    let number = |report: &Json, what: &str| report[what].as_f64().context(INCOMPLETE);
    let seconds = number(second, "seconds")?.max(1e-9);
    Ok(Measured {
        round_trips_ns,
        busy: number(first, "busy")? + number(second, "busy")?,
        messages_per_second: number(second, "messages")? / seconds,
    })
}
