//! The short listing: names alone, in one column or several.

use super::options::{Layout, Settings};
use super::row::{Prefixes, shown_name};
use super::{Entry, quote};
use hardshell_cli::Out;

/// Spaces between two columns.
const GAP: usize = 2;
/// Columns from one tab stop to the next.
const TAB: usize = 8;

pub(super) fn print(entries: &[Entry], settings: &Settings, out: &mut Out) {
    let prefixes = Prefixes::of(entries, settings);
    let cells: Vec<(Vec<u8>, usize)> = entries
        .iter()
        .map(|entry| {
            let mut cell = prefixes.text(entry, settings);
            let (name, colour) = shown_name(entry, settings);
            cell.extend_from_slice(&name);
            // What colours a name takes no room.
            let width = quote::width(&cell).saturating_sub(colour);
            (cell, width)
        })
        .collect();
    match settings.layout {
        Layout::Single => {
            for (cell, _) in &cells {
                out.put(cell);
                out.byte(settings.end);
            }
        }
        Layout::Commas => commas(&cells, settings.width, out),
        Layout::Down | Layout::Across => table(&cells, settings, out),
    }
}

fn commas(cells: &[(Vec<u8>, usize)], width: usize, out: &mut Out) {
    let mut column = 0usize;
    for (at, (cell, cell_width)) in cells.iter().enumerate() {
        if at > 0 {
            if column + cell_width + 2 >= width {
                out.put(b",\n");
                column = 0;
            } else {
                out.put(b", ");
                column += 2;
            }
        }
        out.put(cell);
        column += cell_width;
    }
    if !cells.is_empty() {
        out.byte(b'\n');
    }
}

fn table(cells: &[(Vec<u8>, usize)], settings: &Settings, out: &mut Out) {
    if cells.is_empty() {
        return;
    }
    let across = settings.layout == Layout::Across;
    let (rows, widths) = fit(cells, settings.width, across);
    let columns = widths.len();
    for row in 0..rows {
        // Where the line ends so far, and where the next cell begins.
        let (mut end, mut start) = (0usize, 0usize);
        for (column, width) in widths.iter().enumerate() {
            let at = if across {
                row * columns + column
            } else {
                column * rows + row
            };
            let Some((cell, cell_width)) = cells.get(at) else {
                break;
            };
            indent(end, start, out);
            out.put(cell);
            end = start + cell_width;
            start += width + GAP;
        }
        out.byte(b'\n');
    }
}

/// Moves on with tabs where one fits, as GNU's does.
fn indent(mut from: usize, to: usize, out: &mut Out) {
    while from < to {
        if to / TAB > (from + 1) / TAB {
            out.byte(b'\t');
            from += TAB - from % TAB;
        } else {
            out.byte(b' ');
            from += 1;
        }
    }
}

/// As many columns as fit: rows, and the width of each column.
fn fit(cells: &[(Vec<u8>, usize)], width: usize, across: bool) -> (usize, Vec<usize>) {
    let most = cells.len().min(width / 3 + 1).max(1);
    for columns in (1..=most).rev() {
        let rows = cells.len().div_ceil(columns);
        let used = if across {
            columns
        } else {
            cells.len().div_ceil(rows)
        };
        let mut widths = vec![0usize; used];
        for (at, (_, cell)) in cells.iter().enumerate() {
            let column = if across { at % columns } else { at / rows };
            if let Some(slot) = widths.get_mut(column) {
                *slot = (*slot).max(*cell);
            }
        }
        let total: usize = widths.iter().sum::<usize>() + GAP * (used - 1);
        if total < width || columns == 1 {
            return (rows, widths);
        }
    }
    (cells.len(), vec![0])
}
