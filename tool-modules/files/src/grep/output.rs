//! A search's findings as text and as data.

use super::sink::Printer;
use crate::answer::Answer;
use serde_json::json;

/// Characters of output, about; what is beyond is named.
const TEXT_MAX: usize = 30_000;

/// The part of the output that is asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Window {
    offset: usize,
    limit: Option<usize>,
}

impl Window {
    /// A limit of 0 is none.
    pub(super) fn new(offset: Option<u64>, limit: Option<u64>) -> Self {
        let narrow = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        Window {
            offset: offset.map_or(0, narrow),
            limit: limit.filter(|&limit| limit > 0).map(narrow),
        }
    }

    pub(super) fn offset(&self) -> usize {
        self.offset
    }

    pub(super) fn limit(&self) -> Option<usize> {
        self.limit
    }
}

/// Lines as far as they fit, and how many do.
struct Page {
    text: String,
    shown: usize,
}

impl Page {
    fn of(lines: &[String], limit: Option<usize>) -> Page {
        let mut page = Page {
            text: String::new(),
            shown: 0,
        };
        for line in lines.iter().take(limit.unwrap_or(usize::MAX)) {
            if page.shown > 0 && page.text.len() + line.len() > TEXT_MAX {
                break;
            }
            if page.shown > 0 {
                page.text.push('\n');
            }
            page.text.push_str(line);
            page.shown += 1;
        }
        page
    }

    /// Says what was left out, and how to get it.
    fn note(&mut self, window: &Window, available: usize, more: bool, what: &str) {
        if self.shown < available || more {
            let total = if more {
                "at least ".to_owned()
            } else {
                String::new()
            };
            self.text.push_str(&format!(
                "\n\n[Showing {what} {}-{} of {total}{}. Use offset {} to see more.]",
                window.offset + 1,
                window.offset + self.shown,
                window.offset + available,
                window.offset + self.shown,
            ));
        }
    }
}

fn unreadable_note(text: &mut String, unreadable: usize) {
    if unreadable > 0 {
        let noun = if unreadable == 1 { "file" } else { "files" };
        text.push_str(&format!("\n\n[{unreadable} {noun} could not be read.]"));
    }
}

pub(super) fn content(printer: &Printer<'_>, window: &Window, unreadable: usize) -> Answer {
    let mut page = Page::of(&printer.lines, window.limit);
    if printer.lines.is_empty() {
        page.text = none(window, printer.seen, "No matches found", "lines");
    } else {
        page.note(window, printer.lines.len(), printer.stopped, "lines");
    }
    unreadable_note(&mut page.text, unreadable);
    let lines = printer.lines.get(..page.shown).unwrap_or_default();
    let structured = json!({
        "mode": "content",
        "numFiles": printer.files.len(),
        "filenames": printer.files,
        "content": lines.join("\n"),
        "numLines": page.shown,
        "truncated": page.shown < printer.lines.len(),
    });
    Answer::text(page.text).with_structured(structured)
}

pub(super) fn files(names: Vec<String>, window: &Window, unreadable: usize) -> Answer {
    let total = names.len();
    let rest = names.get(window.offset.min(total)..).unwrap_or_default();
    let mut page = Page::of(rest, window.limit);
    let shown = rest.get(..page.shown).unwrap_or_default();
    if rest.is_empty() {
        page.text = none(window, total, "No files found", "files");
    } else {
        let noun = if total == 1 { "file" } else { "files" };
        page.text = format!("Found {total} {noun}\n{}", page.text);
        page.note(window, rest.len(), false, "files");
    }
    unreadable_note(&mut page.text, unreadable);
    let structured = json!({
        "mode": "files_with_matches",
        "numFiles": total,
        "filenames": shown,
        "truncated": page.shown < rest.len(),
    });
    Answer::text(page.text).with_structured(structured)
}

pub(super) fn counts(counts: &[(String, u64)], window: &Window, unreadable: usize) -> Answer {
    let total = counts.len();
    let rest = counts.get(window.offset.min(total)..).unwrap_or_default();
    let lines: Vec<String> = rest
        .iter()
        .map(|(path, count)| format!("{path}:{count}"))
        .collect();
    let mut page = Page::of(&lines, window.limit);
    let matches: u64 = counts.iter().map(|(_, count)| count).sum();
    if rest.is_empty() {
        page.text = none(window, total, "No matches found", "files");
    } else {
        let occurrences = if matches == 1 {
            "occurrence"
        } else {
            "occurrences"
        };
        let files = if total == 1 { "file" } else { "files" };
        page.text.push_str(&format!(
            "\n\nFound {matches} total {occurrences} across {total} {files}."
        ));
        page.note(window, rest.len(), false, "files");
    }
    unreadable_note(&mut page.text, unreadable);
    let shown = rest.get(..page.shown).unwrap_or_default();
    let structured = json!({
        "mode": "count",
        "numFiles": total,
        "filenames": shown.iter().map(|(path, _)| path).collect::<Vec<_>>(),
        "counts": shown.iter().map(|(_, count)| count).collect::<Vec<_>>(),
        "numMatches": matches,
        "truncated": page.shown < rest.len(),
    });
    Answer::text(page.text).with_structured(structured)
}

/// Nothing at all, or nothing behind the offset.
fn none(window: &Window, total: usize, nothing: &str, what: &str) -> String {
    if total > 0 && window.offset > 0 {
        format!(
            "Nothing at offset {}: there are only {total} {what}.",
            window.offset
        )
    } else {
        nothing.to_owned()
    }
}
