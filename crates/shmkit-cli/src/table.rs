//! Rows and columns, without lines around them.

use comfy_table::{Row, Table};

use crate::output;

/// A table under these headings. Colours are for terminals.
pub(crate) fn table<const N: usize>(
    headings: [&str; N],
    rows: impl IntoIterator<Item = [String; N]>,
) -> String {
    let mut table = Table::new();
    table.load_preset(comfy_table::presets::NOTHING);
    table.set_header(headings);
    table.add_rows(rows.into_iter().map(Row::from));
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    let shown = table.trim_fmt();
    let (bold, plain) = output::bold();
    match shown.split_once('\n') {
        Some((headings, rows)) => format!("{bold}{headings}{plain}\n{rows}"),
        None => format!("{bold}{shown}{plain}"),
    }
}
