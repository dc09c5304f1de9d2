//! Rows and columns, without lines around them.

use comfy_table::Table;

use crate::output;

/// Returns a table, with bold headings on a terminal.
pub(crate) fn table(headings: Vec<&str>, rows: impl IntoIterator<Item = Vec<String>>) -> String {
    with_bold_headings(&without_styles(headings, rows))
}

/// Returns the same without bold headings.
pub(crate) fn without_styles(
    headings: Vec<&str>,
    rows: impl IntoIterator<Item = Vec<String>>,
) -> String {
    let mut table = Table::new();
    table.load_preset(comfy_table::presets::NOTHING);
    table.set_header(headings);
    table.add_rows(rows);
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table.trim_fmt()
}

/// Returns the table, with bold headings on a terminal.
pub(crate) fn with_bold_headings(text: &str) -> String {
    let (bold, plain) = output::bold();
    match text.split_once('\n') {
        Some((headings, rows)) => format!("{bold}{headings}{plain}\n{rows}"),
        None => format!("{bold}{text}{plain}"),
    }
}
