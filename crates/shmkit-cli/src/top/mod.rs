//! `shm top`.
//!
//! | file | contents |
//! |---|---|
//! | `sample` | what is known of all objects at one moment |
//! | `view` | what is chosen: the order, the filter, the object |
//! | `screen` | drawing the view |
//! | `terminal` | taking the terminal, and leaving it as it was |

mod sample;
mod screen;
mod terminal;
mod view;

use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;
use ratatui::crossterm::event::{self, Event};
use serde_json::{Value as Json, json};

use self::sample::{Column, Sample, Sampler, order};
use self::terminal::Screen;
use self::view::{Answer, View};
use crate::exit::Failure;
use crate::global::Global;
use crate::pace::Pace;
use crate::table::table;
use crate::{format, output, sys, units};

/// Show what all objects do, again and again
///
/// On a terminal the list fills the screen, and keys sort and filter it, and look into one object.
/// Elsewhere a table is printed at each interval, or a line of JSON.
///
/// RATE is the number of messages, values or bytes per second, LAG how much waits for the receiver
/// that is the furthest behind, DEPTH for how much there is room, and LOST how many messages never
/// reached a receiver. USERS counts the participants and the handles that only read, WAITING the
/// threads that wait, and DEATHS the participants that died since the object was created.
#[derive(Debug, clap::Args)]
#[command(after_help = "Keys:
  up, down      choose an object       left, right   sort by another column
  enter, esc    look into it, back     r             reverse the order
  /             type a filter          p, space      pause
  q, ctrl-c     quit

Examples:
  shm top
  shm top robot/ --interval 200ms --sort rate
  shm top --plain --times 3
  shm top --json --times 1 | jq '.[] | {name, lag: .figures.lag}'")]
pub(crate) struct Args {
    /// Show only names that begin with PREFIX
    #[arg(value_name = "PREFIX", default_value = "", hide_default_value = true)]
    prefix: String,
    /// Look at the objects every TIME
    #[arg(long, short, value_name = "TIME", default_value = "1s", value_parser = units::period)]
    interval: Duration,
    /// End after N tables, each after an interval [default: no limit]
    #[arg(long, short = 'n', value_name = "N")]
    times: Option<u64>,
    /// Sort by this column: numbers from the largest on
    #[arg(long, short, value_enum, default_value = "name")]
    sort: Column,
    /// Reverse the order
    #[arg(long, short)]
    reverse: bool,
    /// Print tables, also on a terminal
    #[arg(long)]
    plain: bool,
    /// Print a JSON array in a line at each interval: for each object the fields of `shm info
    /// --json` and `figures`, or `name` and `error` if it cannot be opened
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args, global: &Global) -> anyhow::Result<()> {
    let directory = global.directory();
    let mut sampler = Sampler::new(&directory, &args.prefix, global.trust);
    let fills_screen = !args.plain && !args.json && output::has_cursor();
    if fills_screen && io::stdin().is_terminal() {
        return fill_screen(args, &mut sampler, &directory);
    }
    let mut pace = Pace::new(args.interval);
    sampler.take()?;
    // The first moment is now.
    pace.next_moment();
    let mut printed = 0;
    while args.times.is_none_or(|times| printed < times) {
        thread::sleep(pace.next_moment().saturating_duration_since(Instant::now()));
        let mut sample = sampler.take()?;
        sample.rows.sort_by(|one, other| order(one, other, args.sort, args.reverse));
        print(args, &sample, printed == 0)?;
        printed += 1;
    }
    Ok(())
}

/// Prints a sample as a table, or as a line of JSON.
fn print(args: &Args, sample: &Sample, is_first: bool) -> anyhow::Result<()> {
    if args.json {
        let rows: Vec<Json> = sample.rows.iter().map(sample::Row::json).collect();
        return Ok(output::line(json!(rows))?);
    }
    let headings = Column::ALL.map(Column::heading).to_vec();
    let rows = sample.rows.iter().map(|row| Column::ALL.map(|it| row.text(it)).to_vec());
    let time = sample.time.map(format::timestamp).unwrap_or_default();
    let mut stdout = output::stdout();
    if !is_first {
        writeln!(stdout)?;
    }
    writeln!(stdout, "{time}  {}\n{}", sample.summary(), table(headings, rows))?;
    Ok(stdout.flush()?)
}

/// How long a key or a signal waits to be seen at most.
const SLICE: Duration = Duration::from_millis(50);
/// After so long there are rates for the first time, if the interval is longer.
const FIRST: Duration = Duration::from_millis(250);

/// Shows the samples on the terminal until the user has seen enough.
fn fill_screen(args: &Args, sampler: &mut Sampler<'_>, directory: &Path) -> anyhow::Result<()> {
    let place = output::escaped(&directory.to_string_lossy(), |_| false);
    let (sender, ends) = sync_channel(1);
    sys::on_interrupt(move |code| _ = sender.send(code))?;
    let mut view = View::new(args.sort, args.reverse);
    view.update(sampler.take()?);
    let mut screen = Screen::open().context("cannot use the terminal")?;
    let (mut taken, mut next) = (0, Instant::now() + args.interval.min(FIRST));
    loop {
        screen.draw(|frame| screen::draw(frame, &mut view, &place)).context(CANNOT_DRAW)?;
        match wait(next, &ends)? {
            Wake::Ended(code) => return Err(Failure::Reported(code).into()),
            Wake::Event(Event::Key(key)) => match view.press(key) {
                Answer::Quit => return Ok(()),
                Answer::Interrupt => return Err(Failure::Reported(sys::INTERRUPTED).into()),
                Answer::Redraw => screen.clear().context(CANNOT_DRAW)?,
                Answer::Continue => {}
            },
            // It is drawn in another size now.
            Wake::Event(_) => {}
            Wake::Time => {
                next = Instant::now() + args.interval;
                if view.is_paused {
                    continue;
                }
                view.update(sampler.take()?);
                taken += 1;
                if args.times.is_some_and(|times| taken >= times) {
                    return Ok(());
                }
            }
        }
    }
}

const CANNOT_DRAW: &str = "cannot draw on the terminal";

/// What ended a wait.
enum Wake {
    Time,
    Event(Event),
    /// A signal asked this process to end with this code.
    Ended(u8),
}

fn wait(until: Instant, ends: &Receiver<u8>) -> anyhow::Result<Wake> {
    loop {
        if let Ok(code) = ends.try_recv() {
            return Ok(Wake::Ended(code));
        }
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(Wake::Time);
        }
        if event::poll(left.min(SLICE)).context(CANNOT_READ)? {
            return Ok(Wake::Event(event::read().context(CANNOT_READ)?));
        }
    }
}

const CANNOT_READ: &str = "cannot read keys from the terminal";
