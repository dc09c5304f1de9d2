//! Drawing the view of `shm top`.

use ratatui::Frame;
use ratatui::layout::{Alignment, Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style, Stylize};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Cell, Paragraph, Row as TableRow, Sparkline, Table, TableState};
use shmkit::inspect::Description;

use super::sample::{Column, Row};
use super::view::View;
use crate::{description, format, info, output};

const LIST_KEYS: &str = "q quit  arrows choose, sort  r reverse  / filter  enter look in  p pause";
const INSIDE_KEYS: &str = "q quit  esc back  arrows scroll  p pause";
/// How much of the room a lag fills that is a warning, or an alarm.
const WARNS_AT: f64 = 0.5;
const ALARMS_AT: f64 = 0.9;
/// The narrowest that the column of names gets, before other columns are left out.
const NARROWEST_NAME: u16 = 16;
const SPACE: u16 = 2;

/// Draws the view. `place` says where the objects are.
pub(super) fn draw(frame: &mut Frame<'_>, view: &mut View, place: &str) {
    let rows = [Constraint::Length(1), Constraint::Fill(1), Constraint::Length(1)];
    let [head, body, foot] = Layout::vertical(rows).areas(frame.area());
    draw_head(frame, head, view, place);
    match view.is_inside {
        true => draw_inside(frame, body, view),
        false => draw_list(frame, body, view),
    }
    draw_foot(frame, foot, view);
}

fn draw_head(frame: &mut Frame<'_>, area: Rect, view: &View, place: &str) {
    let sample = view.sample();
    let time = sample.time.map(format::timestamp).unwrap_or_default();
    // Without fractions of a second.
    let time = time.get(11..19).unwrap_or_default().to_owned();
    let right = if view.is_paused { format!("paused at {time}") } else { time };
    let left = format!("shm top  {place}  {}", sample.summary());
    let width = Constraint::Length(right.len() as u16);
    let [start, _, end] =
        Layout::horizontal([Constraint::Fill(1), Constraint::Length(1), width]).areas(area);
    frame.render_widget(Line::from(left).bold(), start);
    frame.render_widget(Line::from(right), end);
}

fn draw_foot(frame: &mut Frame<'_>, area: Rect, view: &View) {
    let keys = if view.is_inside { INSIDE_KEYS } else { LIST_KEYS };
    let line = match (view.is_typing, view.filter.is_empty()) {
        (true, _) => Line::from(format!("/{}_  (enter: done, esc: all objects)", view.filter)),
        (false, false) if !view.is_inside => {
            Line::from(format!("only /{}/  (esc: all objects)  {keys}", view.filter))
        }
        _ => Line::from(keys).dim(),
    };
    frame.render_widget(line, area);
}

fn draw_list(frame: &mut Frame<'_>, area: Rect, view: &mut View) {
    view.room = area.height.saturating_sub(1).max(1).into();
    let rows = view.rows();
    let columns = columns_that_fit(&rows, area.width);
    let heading = |(column, _): &(Column, u16)| {
        let text = Line::from(heading(view, *column)).alignment(alignment(*column));
        let style = if *column == view.column { Modifier::BOLD } else { Modifier::DIM };
        Cell::from(text).style(style)
    };
    let head = TableRow::new(columns.iter().map(heading));
    let lines = rows.iter().map(|row| {
        let cell = |(column, _): &(Column, u16)| {
            let text = Line::from(row.text(*column)).alignment(alignment(*column));
            Cell::from(text).style(style(row, *column))
        };
        TableRow::new(columns.iter().map(cell))
    });
    let widths = columns.iter().map(|(_, width)| Constraint::Length(*width));
    let table = Table::new(lines, widths).header(head).column_spacing(SPACE);
    let table = table.row_highlight_style(Modifier::REVERSED);
    let mut state = TableState::new().with_selected(view.chosen());
    frame.render_stateful_widget(table, area, &mut state);
    if rows.is_empty() {
        let below = Rect { y: area.y + 1, height: area.height.saturating_sub(1), ..area };
        let none = if view.filter.is_empty() { "no objects" } else { "no object fits the filter" };
        frame.render_widget(Paragraph::new(none), below);
    }
}

/// Returns the heading of a column. That of the order has an arrow.
fn heading(view: &View, column: Column) -> String {
    let arrow = match (column == view.column, view.is_reversed) {
        (true, false) => "\u{2193}",
        (true, true) => "\u{2191}",
        (false, _) => "",
    };
    format!("{}{arrow}", column.heading())
}

/// Returns the columns for which there is room, with their widths. Those at the end are left out
/// first; names and states are cut.
fn columns_that_fit(rows: &[&Row], width: u16) -> Vec<(Column, u16)> {
    let needed = |column: Column| {
        let texts = rows.iter().map(|row| Span::raw(row.text(column)).width());
        // Room for the arrow, which can be at any heading.
        let widest = texts.max().unwrap_or(0).max(column.heading().len() + 1);
        u16::try_from(widest).unwrap_or(u16::MAX)
    };
    let mut columns: Vec<_> = Column::ALL.map(|column| (column, needed(column))).into();
    let name = columns[0].1;
    let total = |columns: &[(Column, u16)]| {
        let widths = columns.iter().map(|(_, width)| width.saturating_add(SPACE));
        widths.fold(0, u16::saturating_add).saturating_sub(SPACE)
    };
    columns[0].1 = name.min(NARROWEST_NAME);
    if let Some(last) = columns.last_mut() {
        last.1 = Column::State.heading().len() as u16 + 1;
    }
    while columns.len() > 1 && total(&columns) > width {
        columns.pop();
    }
    let free = width.saturating_sub(total(&columns));
    let more = free.min(name - columns[0].1);
    columns[0].1 += more;
    if let Some((Column::State, room)) = columns.last_mut() {
        *room += free - more;
    }
    columns
}

fn alignment(column: Column) -> Alignment {
    match column {
        Column::Name | Column::Kind | Column::State => Alignment::Left,
        _ => Alignment::Right,
    }
}

fn style(row: &Row, column: Column) -> Style {
    let has_dead = row.object.as_ref().is_ok_and(|it| it.count_participants().1 > 0);
    let filled = row.filled().unwrap_or(0.0);
    match column {
        Column::State if row.is_hindered() => Color::Red.into(),
        Column::Lost if row.rates.lost > 0 => Color::Red.into(),
        Column::Deaths if row.rates.died > 0 => Color::Red.into(),
        Column::Lag if filled >= ALARMS_AT => Color::Red.into(),
        Column::Lag if filled >= WARNS_AT => Color::Yellow.into(),
        Column::Users if has_dead => Color::Yellow.into(),
        _ => Style::new(),
    }
}

fn draw_inside(frame: &mut Frame<'_>, area: Rect, view: &mut View) {
    const GRAPH: u16 = 4;
    let Some((name, row)) = view.inside() else { return };
    let title = Line::from(output::escaped(name, |_| false)).bold();
    let Some(row) = row else {
        let gone = Line::from("it was removed; esc leads back").red();
        return frame.render_widget(Paragraph::new(vec![title, gone]), area);
    };
    let mut lines = vec![title];
    lines.extend(details(row));
    let graph = if row.history.is_empty() || area.height < 3 * GRAPH { 0 } else { GRAPH };
    let [above, below] =
        Layout::vertical([Constraint::Length(graph), Constraint::Fill(1)]).areas(area);
    if graph > 0 {
        draw_graph(frame, above, row);
    }
    let room = usize::from(below.height);
    let scrolled = view.scrolled.min(lines.len().saturating_sub(room));
    frame.render_widget(Paragraph::new(lines.split_off(scrolled)), below);
    (view.scrolled, view.room) = (scrolled, room.max(1));
}

/// Draws the latest rates, the newest at the right, and says the largest of them.
fn draw_graph(frame: &mut Frame<'_>, area: Rect, row: &Row) {
    let [above, below] = Layout::vertical([Constraint::Length(1), Constraint::Fill(1)]).areas(area);
    let shown = &row.history[row.history.len().saturating_sub(area.width.into())..];
    let largest = shown.iter().copied().fold(0.0, f64::max);
    let unit = |rate: f64| match row.figures.changes {
        Some(_) => format::rate(rate),
        None => format!("{}/s", format::bytes(rate as u64)),
    };
    let now = row.rates.text().unwrap_or_else(|| "-".into());
    frame.render_widget(Line::from(format!("rate {now}, at most {}", unit(largest))), above);
    let graph = Sparkline::default().data(shown.iter().map(|rate| *rate as u64));
    frame.render_widget(graph.style(Color::Cyan), below);
}

/// Returns everything about an object, as `shm info` shows it.
fn details(row: &Row) -> Vec<Line<'static>> {
    let text = |text: String| Line::from(output::escaped(&text, |_| false));
    let it: &Description = match &row.object {
        Ok(it) => it,
        Err(why) => return vec![text(why.clone()).red()],
    };
    let labelled = |label: &str, of: String| text(format!("  {label:<10} {of}"));
    let mut lines: Vec<_> =
        info::lines(it).into_iter().map(|(label, of)| labelled(label, of)).collect();
    lines.push(labelled("deaths", format::count(row.figures.deaths)));
    for part in &it.parts {
        lines.extend([Line::default(), text(description::heading(part)).bold()]);
        let holders = part.state.holders.iter();
        lines.extend(holders.map(|holder| text(format!("  {}", description::sentence(holder)))));
    }
    if let Some(table) = info::participants(it) {
        lines.push(Line::default());
        lines.extend(table.lines().map(|line| text(line.to_owned())));
    }
    lines
}

#[cfg(test)]
mod tests {
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;
    use ratatui::crossterm::event::KeyCode;

    use super::super::view::tests::{press, view};
    use super::*;

    /// Draws the view on a screen of this size, and returns its lines without spaces at their ends.
    fn drawn(view: &mut View, width: u16, height: u16) -> Vec<String> {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal.draw(|frame| draw(frame, view, "/dev/shm")).unwrap();
        let buffer = terminal.backend().buffer();
        let line = |y| (0..width).map(|x| buffer[(x, y)].symbol()).collect::<String>();
        (0..height).map(|y| line(y).trim_end().to_owned()).collect()
    }

    fn words(line: &str) -> Vec<&str> {
        line.split_whitespace().collect()
    }

    #[test]
    fn the_list_has_a_line_for_each_object_and_its_figures() {
        let lines = drawn(&mut view(), 120, 10);
        assert!(lines[0].starts_with("shm top  /dev/shm  3 objects, "), "{lines:#?}");
        let headings = "NAME\u{2193} KIND RATE LAG DEPTH LOST USERS WAITING DEATHS MEMORY STATE";
        assert_eq!(words(&lines[1]).join(" "), headings);
        let other = words(&lines[2]);
        assert_eq!((other[0], other[9]), ("other", "-"), "{lines:#?}");
        let ticks = words(&lines[4]);
        assert_eq!((ticks[0], ticks[1]), ("ticks", "topic"));
        assert_eq!(ticks[3..9], ["7", "8", "0", "2", "0", "0"], "{lines:#?}");
        assert!(lines[4].ends_with("7 behind"), "{lines:#?}");
        assert!(lines[9].starts_with("q quit"), "{lines:#?}");
    }

    #[test]
    fn a_narrow_screen_leaves_columns_out_and_a_tiny_one_is_drawn() {
        let lines = drawn(&mut view(), 60, 10);
        let headings = words(&lines[1]);
        assert!(headings.contains(&"RATE") && !headings.contains(&"STATE"), "{lines:#?}");
        assert!(lines[4].starts_with("ticks"), "{lines:#?}");
        for (width, height) in [(1, 1), (5, 2), (20, 3), (300, 4)] {
            let mut view = view();
            drawn(&mut view, width, height);
            press(&mut view, &[KeyCode::Enter]);
            drawn(&mut view, width, height);
        }
    }

    #[test]
    fn an_object_fills_the_screen_and_is_scrolled_to_its_last_line() {
        let mut view = view();
        press(&mut view, &[KeyCode::End, KeyCode::Enter]);
        let lines = drawn(&mut view, 100, 40);
        let has = |text: &str| lines.iter().any(|line| line.contains(text));
        for text in ["ticks", "at most", "publisher", "subscriber", "7 messages behind", "deaths"] {
            assert!(has(text), "{text}: {lines:#?}");
        }
        press(&mut view, &[KeyCode::End]);
        let lines = drawn(&mut view, 100, 12);
        assert!(lines[10].contains("alive"), "the last participant: {lines:#?}");
        press(&mut view, &[KeyCode::Up, KeyCode::Home]);
        assert!(drawn(&mut view, 100, 16)[1].contains("rate"));
        view.update(Default::default());
        assert!(drawn(&mut view, 100, 16)[2].contains("it was removed"));
    }

    #[test]
    fn a_filter_and_a_pause_are_shown() {
        let mut view = view();
        press(&mut view, &[KeyCode::Char('p'), KeyCode::Char('/'), KeyCode::Char('x')]);
        let lines = drawn(&mut view, 100, 6);
        assert!(lines[0].contains("paused at"), "{lines:#?}");
        assert!(lines[2].contains("no object fits the filter"), "{lines:#?}");
        assert!(lines[5].starts_with("/x_"), "{lines:#?}");
        press(&mut view, &[KeyCode::Enter]);
        assert!(drawn(&mut view, 100, 6)[5].starts_with("only /x/"));
    }
}
