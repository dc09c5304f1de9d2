//! The results as a picture: round trips and throughput over the size of a message, both axes
//! logarithmic, each line labelled where it ends.
//!
//! It is SVG without scripts, fonts or links. Its colours are told apart by colour-blind people
//! (after Okabe and Ito), and there is a set for light and one for dark surroundings.

mod panel;
mod scale;
mod style;

use std::fmt::Write;

use self::panel::{Line, Panel};
use self::scale::{bytes_per_second, nanoseconds};
use self::style::{HEIGHT, STYLE, WIDTH, escaped};
use super::results::{Cell, Row};
use super::wait::Wait;

/// Where the panels begin.
const LEFT: [f64; 2] = [76.0, 716.0];

/// Returns the picture.
pub(super) fn svg(machine: &str, rows: &[Row]) -> String {
    let title = "Messages between two processes";
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" \
         aria-label=\"{title}\">\n<style>{STYLE}</style>\n\
         <rect class=\"back\" width=\"{WIDTH}\" height=\"{HEIGHT}\"/>\n"
    );
    text(&mut svg, [24.0, 38.0], "title", title);
    text(&mut svg, [24.0, 60.0], "note", machine);
    let panels = [
        Panel {
            left: LEFT[0],
            id: "round-trip",
            heading: "Round trip, median (lower is better)",
            tick: nanoseconds,
            lines: lines(rows, |cell| Some(cell.round_trip_ns(0.5)? as f64)),
        },
        Panel {
            left: LEFT[1],
            id: "one-way",
            heading: "One way, bytes in a second (higher is better)",
            tick: bytes_per_second,
            lines: lines(rows, |cell| cell.bytes_per_second().filter(|it| *it > 0.0)),
        },
    ];
    for panel in &panels {
        panel.draw(&mut svg);
    }
    let foot = HEIGHT - 18.0;
    let words = "Both sides touch each byte. Dashed: a side that waits sleeps. Solid lines of \
                 shmkit: it spins, which keeps its processor busy.";
    text(&mut svg, [24.0, foot], "note", words);
    svg + "</svg>\n"
}

fn lines(rows: &[Row], value: impl Fn(&Cell) -> Option<f64>) -> Vec<Line> {
    let line = |row: &Row| {
        let points = row.cells.iter();
        let points = points.filter_map(|cell| Some((cell.size as f64, value(cell)?))).collect();
        let (name, wait) = (row.mechanism.name, row.wait.as_str());
        let label = match row.mechanism.ways_to_wait().len() > 1 && row.wait == Wait::Asleep {
            true => format!("{}, {wait}", row.mechanism.title),
            false => row.mechanism.title.to_owned(),
        };
        let is_dashed = row.wait == Wait::Asleep && row.mechanism.ways_to_wait().len() > 1;
        let family = row.mechanism.family.as_str();
        Line { name: format!("{name} {wait}"), label, family, is_dashed, points }
    };
    rows.iter().map(line).filter(|line| !line.points.is_empty()).collect()
}

fn text(svg: &mut String, [x, y]: [f64; 2], class: &str, words: &str) {
    let words = escaped(words);
    let _ = writeln!(svg, "<text class=\"{class}\" x=\"{x}\" y=\"{y}\">{words}</text>");
}
