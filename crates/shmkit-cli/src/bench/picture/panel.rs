//! One diagram of the picture.

use std::fmt::Write;

use super::scale::{Scale, size, spread};
use super::style::escaped;

const TOP: f64 = 118.0;
const BOTTOM: f64 = 640.0;
/// The width of the diagram without the labels at its right.
const WIDTH: f64 = 340.0;
/// The distance from the diagram to the labels.
const GAP: f64 = 22.0;
/// The distance of two labels.
const LABEL_HEIGHT: f64 = 16.0;

/// A line of a diagram.
pub(super) struct Line {
    /// Names the mechanism, and how it waits.
    pub(super) name: String,
    pub(super) label: String,
    pub(super) family: &'static str,
    pub(super) is_dashed: bool,
    /// Sizes and values. At least one.
    pub(super) points: Vec<(f64, f64)>,
}

/// A diagram.
pub(super) struct Panel {
    pub(super) left: f64,
    pub(super) id: &'static str,
    pub(super) heading: &'static str,
    /// Returns the words for a power of ten at the vertical axis.
    pub(super) tick: fn(f64) -> String,
    pub(super) lines: Vec<Line>,
}

impl Panel {
    pub(super) fn draw(&self, svg: &mut String) {
        let right = self.left + WIDTH;
        let points = || self.lines.iter().flat_map(|line| &line.points);
        let y = Scale::of_decades(points().map(|it| it.1), BOTTOM, TOP);
        let mut sizes: Vec<_> = points().map(|it| it.0).collect();
        sizes.sort_by(f64::total_cmp);
        sizes.dedup();
        let (low, high) = match sizes[..] {
            [low, .., high] => (low, high),
            [only] => (only / 2.0, only * 2.0),
            [] => (1.0, 2.0),
        };
        let x = Scale { low, high, from: self.left, to: right };
        let _ = writeln!(svg, "<g id=\"{}\">", self.id);
        let heading_x = self.left - 52.0;
        text(svg, [heading_x, TOP - 24.0], "class=\"heading\"", self.heading);
        self.draw_axes(svg, &x, &y, &sizes);
        let ends: Vec<_> = self.lines.iter().map(|line| y.at(end(line).1)).collect();
        let places = spread(&ends, LABEL_HEIGHT, TOP, BOTTOM);
        for (line, place) in self.lines.iter().zip(places) {
            draw_line(svg, line, &x, &y, right + GAP, place);
        }
        svg.push_str("</g>\n");
    }

    fn draw_axes(&self, svg: &mut String, x: &Scale, y: &Scale, sizes: &[f64]) {
        let (left, right) = (x.from, x.to);
        for decade in y.decades() {
            let at = y.at(decade);
            segment(svg, "grid", [left, at], [right, at]);
            let place = [left - 8.0, at + 4.0];
            text(svg, place, "class=\"tick\" text-anchor=\"end\"", &(self.tick)(decade));
        }
        for bytes in sizes {
            let at = x.at(*bytes);
            segment(svg, "grid", [at, TOP], [at, BOTTOM]);
            let place = [at, BOTTOM + 20.0];
            text(svg, place, "class=\"tick\" text-anchor=\"middle\"", &size(*bytes));
        }
        let middle = [(left + right) / 2.0, BOTTOM + 42.0];
        text(svg, middle, "class=\"tick\" text-anchor=\"middle\"", "size of a message, in bytes");
    }
}

/// Returns the last point of a line.
fn end(line: &Line) -> (f64, f64) {
    line.points[line.points.len() - 1]
}

fn draw_line(svg: &mut String, line: &Line, x: &Scale, y: &Scale, label_x: f64, label_y: f64) {
    let Line { name, label, family, is_dashed, points } = line;
    let asleep = if *is_dashed { " asleep" } else { "" };
    let name = escaped(name);
    let _ = writeln!(svg, "<g class=\"series {family}{asleep}\" data-name=\"{name}\">");
    let _ = writeln!(svg, "<title>{}</title>", escaped(label));
    let mut path = String::new();
    for (at, (bytes, value)) in points.iter().enumerate() {
        let command = if at == 0 { 'M' } else { 'L' };
        let _ = write!(path, "{command}{:.1} {:.1}", x.at(*bytes), y.at(*value));
    }
    let _ = writeln!(svg, "<path class=\"line\" d=\"{path}\"/>");
    for (bytes, value) in points {
        let (x, y) = (x.at(*bytes), y.at(*value));
        let _ = writeln!(svg, "<circle class=\"point\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\"/>");
    }
    let (bytes, value) = end(line);
    let from = [x.at(bytes) + 5.0, y.at(value)];
    segment(svg, "leader", from, [label_x - 4.0, label_y]);
    text(svg, [label_x, label_y + 4.0], "class=\"label\"", label);
    svg.push_str("</g>\n");
}

fn segment(svg: &mut String, class: &str, [x1, y1]: [f64; 2], [x2, y2]: [f64; 2]) {
    let (from, to) = (format!("{x1:.1} {y1:.1}"), format!("{x2:.1} {y2:.1}"));
    let _ = writeln!(svg, "<path class=\"{class}\" d=\"M{from}L{to}\"/>");
}

fn text(svg: &mut String, [x, y]: [f64; 2], attributes: &str, words: &str) {
    let words = escaped(words);
    let _ = writeln!(svg, "<text {attributes} x=\"{x:.1}\" y=\"{y:.1}\">{words}</text>");
}
