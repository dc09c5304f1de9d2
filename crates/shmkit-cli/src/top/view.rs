//! What is chosen on the screen of `shm top`: the order, the filter, the object. Knows no terminal.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::sample::{Column, Row, Sample, order};

/// What the screen shows.
pub(super) struct View {
    pub(super) column: Column,
    pub(super) is_reversed: bool,
    /// Only rows with this in their name or kind, in any case of letters.
    pub(super) filter: String,
    /// Whether keys go to the filter.
    pub(super) is_typing: bool,
    pub(super) is_paused: bool,
    /// Whether the chosen object fills the screen.
    pub(super) is_inside: bool,
    /// The name of the chosen object.
    chosen: Option<String>,
    /// The first line that is shown of the chosen object.
    pub(super) scrolled: usize,
    /// How many lines of the list or of the object there was room for, when it was drawn last.
    pub(super) room: usize,
    sample: Sample,
}

/// What a key asks for, besides another view.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Continue,
    /// To end as wished.
    Quit,
    /// To end as ctrl-c ends a command.
    Interrupt,
    /// To draw everything again.
    Redraw,
}

impl View {
    pub(super) fn new(column: Column, is_reversed: bool) -> Self {
        Self {
            column,
            is_reversed,
            filter: String::new(),
            is_typing: false,
            is_paused: false,
            is_inside: false,
            chosen: None,
            scrolled: 0,
            room: 1,
            sample: Sample::default(),
        }
    }

    /// Shows another sample.
    pub(super) fn update(&mut self, sample: Sample) {
        self.sample = sample;
        self.sort();
    }

    pub(super) fn sample(&self) -> &Sample {
        &self.sample
    }

    /// Returns the rows that the filter leaves, in order.
    pub(super) fn rows(&self) -> Vec<&Row> {
        let filter = self.filter.to_lowercase();
        let fits = |text: &str| text.to_lowercase().contains(&filter);
        self.sample.rows.iter().filter(|row| fits(&row.name) || fits(row.kind())).collect()
    }

    /// Returns the number of the chosen row: the first one, if the chosen object is not there.
    pub(super) fn chosen(&self) -> Option<usize> {
        let rows = self.rows();
        let chosen = rows.iter().position(|row| Some(&row.name) == self.chosen.as_ref());
        chosen.or((!rows.is_empty()).then_some(0))
    }

    /// Returns the object that fills the screen: its name, and its row unless it was removed.
    pub(super) fn inside(&self) -> Option<(&str, Option<&Row>)> {
        let name = self.chosen.as_deref().filter(|_| self.is_inside)?;
        Some((name, self.sample.rows.iter().find(|row| row.name == name)))
    }

    /// Acts on a key.
    pub(super) fn press(&mut self, key: KeyEvent) -> Answer {
        if key.kind == KeyEventKind::Release {
            return Answer::Continue;
        }
        if key.modifiers.contains(KeyModifiers::CONTROL) {
            return match key.code {
                KeyCode::Char('c') => Answer::Interrupt,
                KeyCode::Char('l') => Answer::Redraw,
                _ => Answer::Continue,
            };
        }
        if self.is_typing {
            self.type_key(key.code);
            return Answer::Continue;
        }
        match key.code {
            KeyCode::Char('q') => return Answer::Quit,
            KeyCode::Char(' ' | 'p') => self.is_paused ^= true,
            KeyCode::Up | KeyCode::Char('k') => self.go(-1),
            KeyCode::Down | KeyCode::Char('j') => self.go(1),
            KeyCode::PageUp => self.go(-(self.room as isize)),
            KeyCode::PageDown => self.go(self.room as isize),
            KeyCode::Home | KeyCode::Char('g') => self.go(isize::MIN),
            KeyCode::End | KeyCode::Char('G') => self.go(isize::MAX),
            code if self.is_inside => self.press_inside(code),
            code => self.press_in_list(code),
        }
        Answer::Continue
    }

    fn press_inside(&mut self, code: KeyCode) {
        if let KeyCode::Esc | KeyCode::Enter | KeyCode::Backspace | KeyCode::Left = code {
            self.is_inside = false;
        }
    }

    fn press_in_list(&mut self, code: KeyCode) {
        match code {
            KeyCode::Enter => self.enter(),
            KeyCode::Char('/') => self.is_typing = true,
            KeyCode::Esc => self.filter.clear(),
            KeyCode::Right | KeyCode::Char('>' | 's') => self.sort_by_neighbour(1),
            KeyCode::Left | KeyCode::Char('<' | 'S') => self.sort_by_neighbour(-1),
            KeyCode::Char('r') => {
                self.is_reversed ^= true;
                self.sort();
            }
            _ => {}
        }
    }

    fn type_key(&mut self, code: KeyCode) {
        match code {
            KeyCode::Char(letter) => self.filter.push(letter),
            KeyCode::Backspace => _ = self.filter.pop(),
            KeyCode::Enter => self.is_typing = false,
            KeyCode::Esc => {
                self.filter.clear();
                self.is_typing = false;
            }
            _ => {}
        }
    }

    /// Looks into the chosen object.
    fn enter(&mut self) {
        let name = self.chosen().map(|at| self.rows()[at].name.clone());
        if name.is_some() {
            self.chosen = name;
            self.is_inside = true;
            self.scrolled = 0;
        }
    }

    /// Moves by so many rows or lines.
    fn go(&mut self, by: isize) {
        if self.is_inside {
            // What is beyond the last line is cut when it is drawn.
            self.scrolled = self.scrolled.saturating_add_signed(by);
            return;
        }
        let Some(now) = self.chosen() else { return };
        let rows = self.rows();
        let to = now.saturating_add_signed(by).min(rows.len() - 1);
        self.chosen = Some(rows[to].name.clone());
    }

    fn sort_by_neighbour(&mut self, by: isize) {
        let all = Column::ALL;
        let now = all.iter().position(|it| *it == self.column).unwrap_or(0);
        let to = (now as isize + by).rem_euclid(all.len() as isize);
        self.column = all[to as usize];
        self.sort();
    }

    fn sort(&mut self) {
        let (column, is_reversed) = (self.column, self.is_reversed);
        self.sample.rows.sort_by(|one, other| order(one, other, column, is_reversed));
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::sample::tests::sample;
    use super::*;

    pub(in crate::top) fn view() -> View {
        let mut view = View::new(Column::Name, false);
        view.update(sample());
        view
    }

    pub(in crate::top) fn press(view: &mut View, keys: &[KeyCode]) {
        for key in keys {
            assert_eq!(view.press((*key).into()), Answer::Continue, "{key:?}");
        }
    }

    fn names(view: &View) -> Vec<&str> {
        view.rows().iter().map(|row| row.name.as_str()).collect()
    }

    #[test]
    fn keys_sort_filter_and_look_into_an_object() {
        let mut view = view();
        assert_eq!(names(&view), ["other", "robot/pose", "ticks"]);
        // To LAG, the fourth column.
        press(&mut view, &[KeyCode::Right; 3]);
        assert_eq!((view.column, names(&view)[0]), (Column::Lag, "ticks"));
        press(&mut view, &[KeyCode::Left, KeyCode::Char('r')]);
        assert_eq!((view.column, names(&view)[0]), (Column::Rate, "robot/pose"));
        press(&mut view, &"/TOPIC".chars().map(KeyCode::Char).collect::<Vec<_>>());
        assert!(view.is_typing);
        assert_eq!(names(&view), ["ticks"], "a topic");
        press(&mut view, &[KeyCode::Enter, KeyCode::Enter]);
        assert!(view.inside().is_some_and(|(name, row)| name == "ticks" && row.is_some()));
        press(&mut view, &[KeyCode::Esc, KeyCode::Esc]);
        assert!(view.inside().is_none() && names(&view).len() == 3);
        assert_eq!(view.press(KeyCode::Char('q').into()), Answer::Quit);
    }

    #[test]
    fn the_chosen_object_stays_chosen_when_the_order_changes() {
        let mut view = view();
        press(&mut view, &[KeyCode::End]);
        assert_eq!(view.chosen(), Some(2));
        press(&mut view, &[KeyCode::Right, KeyCode::Right, KeyCode::Right]);
        assert_eq!(view.chosen(), Some(0), "ticks is the first by lag");
        press(&mut view, &[KeyCode::Down; 5]);
        assert_eq!(view.chosen(), Some(2));
        press(&mut view, &[KeyCode::PageUp, KeyCode::Home]);
        assert_eq!(view.chosen(), Some(0));
    }

    #[test]
    fn an_object_that_is_removed_is_told_and_not_taken_for_another() {
        let mut view = view();
        press(&mut view, &[KeyCode::End, KeyCode::Enter]);
        view.update(Sample::default());
        assert!(view.inside().is_some_and(|(name, row)| name == "ticks" && row.is_none()));
        press(&mut view, &[KeyCode::Esc, KeyCode::Down, KeyCode::Enter]);
        assert!(view.inside().is_none() && view.chosen().is_none());
    }

    #[test]
    fn ctrl_c_interrupts_also_while_a_filter_is_typed() {
        let mut view = view();
        press(&mut view, &[KeyCode::Char('/'), KeyCode::Char('q')]);
        assert_eq!(view.filter, "q");
        let ctrl_c = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
        assert_eq!(view.press(ctrl_c), Answer::Interrupt);
        press(&mut view, &[KeyCode::Backspace, KeyCode::Enter]);
        assert_eq!((view.filter.as_str(), view.is_typing), ("", false));
    }
}
