//! Searching one input: a large buffer of whole lines, scanned for matches
//! rather than line by line.

use std::io::{self, Read};

use hardshell_cli::{Input, complain, complain_file};
use memchr::{memchr, memchr_iter, memrchr};

use crate::matcher::Matcher;
use crate::options::{Binary, List, Options};
use crate::print::Printer;

/// Bytes read at a time.
const CHUNK: usize = 256 * 1024;

pub struct Searcher<'a> {
    options: &'a Options,
    matcher: Matcher,
    by_line: bool,
    pub printer: Printer,
    buffer: Vec<u8>,
    /// Some line was selected.
    pub matched: bool,
    /// Some input could not be read.
    pub failed: bool,
}

/// The state of one input.
struct State<'n> {
    name: &'n [u8],
    /// Offset of the buffer's first byte in the input.
    base: u64,
    /// Lines before `counted`, for line numbers.
    lines: u64,
    /// Position in the buffer up to which lines are counted.
    counted: usize,
    selected: u64,
    /// Offset in the input up to which lines are printed.
    printed: u64,
    any_printed: bool,
    /// Context lines still due.
    after: usize,
    binary: bool,
    /// A selected line was not valid text.
    invalid: bool,
    /// Nothing more is wanted from this input.
    stop: bool,
}

impl<'a> Searcher<'a> {
    pub fn new(options: &'a Options, matcher: Matcher) -> Self {
        let by_line = matcher.by_line();
        Self {
            options,
            matcher,
            by_line,
            printer: Printer::new(options),
            buffer: Vec::new(),
            matched: false,
            failed: false,
        }
    }

    /// Whether the answer is known (`-q`).
    pub fn done(&self) -> bool {
        (self.options.quiet && self.matched) || self.printer.out.failed()
    }

    pub fn stdin(&mut self) {
        let label = self
            .options
            .label
            .clone()
            .unwrap_or_else(|| b"(standard input)".to_vec());
        let mut input = Input::stdin();
        self.input(&mut input, &label);
    }

    pub fn file(&mut self, file: &[u8], shown: &[u8]) {
        match std::fs::File::open(hardshell_cli::path(file)) {
            Ok(file) => self.input(&mut Input::File(file), shown),
            Err(error) => self.error(shown, &error),
        }
    }

    fn error(&mut self, name: &[u8], error: &io::Error) {
        self.failed = true;
        if !self.options.silent {
            self.printer.out.flush();
            complain_file("grep", name, error);
        }
    }

    fn input(&mut self, input: &mut Input, name: &[u8]) {
        let mut state = State {
            name,
            base: 0,
            lines: 0,
            counted: 0,
            selected: 0,
            printed: 0,
            any_printed: false,
            after: 0,
            binary: false,
            invalid: false,
            stop: self.options.max_count == 0,
        };
        let mut buffer = std::mem::take(&mut self.buffer);
        if let Err(error) = self.read(input, &mut buffer, &mut state) {
            self.error(name, &error);
        }
        self.buffer = buffer;
        self.finish(&state);
    }

    fn finish(&mut self, state: &State<'_>) {
        let options = self.options;
        self.matched |= state.selected > 0;
        if options.quiet {
            return;
        }
        if options.count && options.list == List::None {
            if self.printer.with_filename {
                self.printer.name(state.name, Some(b':'));
            }
            self.printer
                .out
                .put(format!("{}\n", state.selected).as_bytes());
        }
        let listed = match options.list {
            List::None => false,
            List::Matching => state.selected > 0,
            List::Other => state.selected == 0,
        };
        if listed {
            self.printer.name(state.name, None);
        } else if (state.binary || state.invalid)
            && state.selected > 0
            && !options.count
            && options.list == List::None
        {
            let mut message = state.name.to_vec();
            message.extend_from_slice(b": binary file matches");
            self.printer.out.flush();
            complain("grep", message);
        }
    }

    fn read(
        &mut self,
        input: &mut Input,
        buffer: &mut Vec<u8>,
        state: &mut State<'_>,
    ) -> io::Result<()> {
        let end_byte = self.printer.terminator;
        if buffer.len() < CHUNK {
            buffer.resize(CHUNK, 0);
        }
        let mut filled = 0usize;
        // Bytes before `from` were searched and are kept for context only.
        let mut from = 0usize;
        loop {
            if state.stop {
                return Ok(());
            }
            if filled == buffer.len() {
                buffer.resize(buffer.len() * 2, 0);
            }
            let space = buffer.get_mut(filled..).unwrap_or_default();
            let got = match input.read(space) {
                Ok(got) => got,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            let fresh = buffer.get(filled..filled + got).unwrap_or_default();
            if !state.binary
                && self.options.binary != Binary::Text
                && end_byte != 0
                && memchr(0, fresh).is_some()
            {
                state.binary = true;
                if self.options.binary == Binary::Skip {
                    state.selected = 0;
                    state.stop = true;
                    return Ok(());
                }
            }
            let old = filled;
            filled += got;
            let last = got == 0;
            let whole = if last {
                if filled > from && buffer.get(filled - 1) != Some(&end_byte) {
                    if filled == buffer.len() {
                        buffer.push(0);
                    }
                    if let Some(slot) = buffer.get_mut(filled) {
                        *slot = end_byte;
                    }
                    filled += 1;
                }
                filled
            } else {
                match memrchr(end_byte, buffer.get(old..filled).unwrap_or_default()) {
                    Some(at) => old + at + 1,
                    None => continue,
                }
            };
            let text = buffer.get(..whole).unwrap_or_default();
            self.lines(text, from, state);
            if last || state.stop {
                return Ok(());
            }
            // Keep what may still be printed as leading context.
            let mut keep = whole;
            if self.options.before > 0 && self.prints_lines(state) {
                let printed = usize::try_from(state.printed.saturating_sub(state.base))
                    .unwrap_or(0)
                    .min(whole);
                for _ in 0..self.options.before {
                    if keep <= printed {
                        break;
                    }
                    keep = line_start(text, keep - 1, end_byte);
                }
            }
            self.count_to(text, keep, state);
            buffer.copy_within(keep..filled, 0);
            state.base += keep as u64;
            state.counted = 0;
            from = whole - keep;
            filled -= keep;
        }
    }

    fn prints_lines(&self, state: &State<'_>) -> bool {
        !(self.options.quiet
            || self.options.count
            || self.options.list != List::None
            || (state.binary && self.options.binary == Binary::Say))
    }

    /// Counts the lines up to a position.
    fn count_to(&self, text: &[u8], to: usize, state: &mut State<'_>) {
        if !self.options.line_number {
            return;
        }
        if to > state.counted {
            let part = text.get(state.counted..to).unwrap_or_default();
            state.lines += memchr_iter(self.printer.terminator, part).count() as u64;
            state.counted = to;
        }
    }

    /// Searches whole lines from `from` to the end of `text`.
    fn lines(&mut self, text: &[u8], from: usize, state: &mut State<'_>) {
        let mut at = from;
        while at < text.len() && !state.stop {
            let found = self.next_match(text, at);
            let (start, end) = found.unwrap_or((text.len(), text.len()));
            if self.options.invert {
                // Everything before the matching line is selected.
                self.select_range(text, at, start, state);
                if found.is_some() && !state.stop {
                    self.pass(text, start, end, state);
                }
            } else {
                self.pass(text, at, start, state);
                if found.is_some() {
                    self.select_range(text, start, end, state);
                }
            }
            at = end;
        }
    }

    /// The next line that matches: start and end with its terminator.
    fn next_match(&self, text: &[u8], from: usize) -> Option<(usize, usize)> {
        let terminator = self.printer.terminator;
        if !self.by_line {
            let hit = self.matcher.earliest(text, from)?;
            if hit >= text.len() && hit > from {
                // An empty match after the last terminator is no line; a match
                // that ends there belongs to the line before.
                let last = text.len() - 1;
                if text.get(last) == Some(&terminator) {
                    return None;
                }
            }
            let start = line_start(text, hit, terminator).max(from);
            let end = memchr(terminator, text.get(hit..).unwrap_or_default())
                .map_or(text.len(), |i| hit + i + 1);
            return Some((start, end));
        }
        let mut start = from;
        while start < text.len() {
            let rest = text.get(start..).unwrap_or_default();
            let length = memchr(terminator, rest).unwrap_or(rest.len());
            let line = rest.get(..length).unwrap_or_default();
            let end = (start + length + 1).min(text.len());
            if self.matcher.earliest(line, 0).is_some() {
                return Some((start, end));
            }
            start = end;
        }
        None
    }

    /// Lines that are not selected: trailing context may be due.
    fn pass(&mut self, text: &[u8], from: usize, to: usize, state: &mut State<'_>) {
        if state.after == 0 {
            return;
        }
        let mut at = from;
        while at < to && state.after > 0 {
            let end = line_end(text, at, self.printer.terminator);
            self.line(text, at, end, false, state);
            state.after -= 1;
            at = end;
        }
    }

    /// Lines that are selected, one after the other.
    fn select_range(&mut self, text: &[u8], from: usize, to: usize, state: &mut State<'_>) {
        if from >= to {
            return;
        }
        let prints = self.prints_lines(state);
        let stop_at_first = self.options.quiet
            || self.options.list != List::None
            || (state.binary && self.options.binary == Binary::Say && !self.options.count);
        if stop_at_first {
            state.selected += 1;
            state.stop = true;
            return;
        }
        let limited = self.options.max_count != u64::MAX;
        if !prints && !limited {
            let part = text.get(from..to).unwrap_or_default();
            state.selected += memchr_iter(self.printer.terminator, part).count() as u64;
            return;
        }
        // Long runs of selected lines are copied as one.
        let simple = prints
            && !limited
            && !self.options.only_matching
            && self.options.before == 0
            && self.options.after == 0
            && self.printer.plain()
            && (self.options.binary == Binary::Text || !self.options.utf8);
        if simple {
            let part = text.get(from..to).unwrap_or_default();
            state.selected += memchr_iter(self.printer.terminator, part).count() as u64;
            self.printer.out.put(part);
            return;
        }
        let mut at = from;
        while at < to && !state.stop {
            let end = line_end(text, at, self.printer.terminator);
            state.selected += 1;
            if prints {
                self.selected_line(text, at, end, state);
            }
            if state.selected >= self.options.max_count {
                self.last_context(text, end, state);
                state.stop = true;
            }
            at = end;
        }
    }

    /// After `-m` lines the trailing context of the last is still printed.
    fn last_context(&mut self, text: &[u8], from: usize, state: &mut State<'_>) {
        let mut at = from;
        while state.after > 0 && at < text.len() && self.prints_lines(state) {
            let end = line_end(text, at, self.printer.terminator);
            self.line(text, at, end, false, state);
            state.after -= 1;
            at = end;
        }
    }

    fn selected_line(&mut self, text: &[u8], start: usize, end: usize, state: &mut State<'_>) {
        let terminator = self.printer.terminator;
        if self.options.utf8 && self.options.binary != Binary::Text {
            let line = text.get(start..end).unwrap_or_default();
            if std::str::from_utf8(line).is_err() {
                // A line that is not valid text is left out, and said so at
                // the end.
                state.invalid = true;
                if self.options.binary == Binary::Skip {
                    state.selected = 0;
                    state.stop = true;
                }
                return;
            }
        }
        let with_context = self.options.before > 0 || self.options.after > 0;
        if with_context {
            let printed = usize::try_from(state.printed.saturating_sub(state.base)).unwrap_or(0);
            let mut first = start;
            for _ in 0..self.options.before {
                if first <= printed || first == 0 {
                    break;
                }
                first = line_start(text, first - 1, terminator);
            }
            if state.any_printed
                && (state.printed < state.base || first > printed)
                && let Some(separator) = &self.options.separator
            {
                self.printer.group_separator(separator);
            }
            let mut at = first;
            while at < start {
                let next = line_end(text, at, terminator);
                self.line(text, at, next, false, state);
                at = next;
            }
        }
        self.line(text, start, end, true, state);
        state.after = self.options.after;
    }

    /// Prints one line, selected or context.
    fn line(
        &mut self,
        text: &[u8],
        start: usize,
        end: usize,
        selected: bool,
        state: &mut State<'_>,
    ) {
        let terminator = self.printer.terminator;
        self.count_to(text, start, state);
        let number = state.lines + 1;
        let offset = state.base + start as u64;
        let mark = if selected { b':' } else { b'-' };
        state.printed = state.base + end as u64;
        state.any_printed = true;
        let body = text.get(start..end.saturating_sub(1)).unwrap_or_default();
        if self.options.only_matching {
            if !selected || self.options.invert {
                return;
            }
            let mut at = 0;
            while let Some((from, to)) = self.matcher.find_at(body, at) {
                if to == from {
                    at = next_position(body, to);
                    if at > body.len() {
                        break;
                    }
                    continue;
                }
                self.printer
                    .prefix(state.name, number, offset + from as u64, mark);
                self.printer.matched(body.get(from..to).unwrap_or_default());
                self.printer.out.byte(terminator);
                at = to;
            }
            return;
        }
        self.printer.prefix(state.name, number, offset, mark);
        if self.printer.colors() && (selected != self.options.invert) {
            let mut at = 0;
            let mut copied = 0;
            while let Some((from, to)) = self.matcher.find_at(body, at) {
                if to == from {
                    at = next_position(body, to);
                    if at > body.len() {
                        break;
                    }
                    continue;
                }
                self.printer
                    .out
                    .put(body.get(copied..from).unwrap_or_default());
                self.printer.matched(body.get(from..to).unwrap_or_default());
                copied = to;
                at = to;
            }
            self.printer.out.put(body.get(copied..).unwrap_or_default());
            self.printer.out.byte(terminator);
            return;
        }
        self.printer
            .out
            .put(text.get(start..end).unwrap_or_default());
    }
}

/// The position of the next character.
fn next_position(body: &[u8], at: usize) -> usize {
    let mut next = at + 1;
    while body.get(next).is_some_and(|b| b & 0xc0 == 0x80) {
        next += 1;
    }
    next
}

/// Start of the line that holds position `at`.
fn line_start(text: &[u8], at: usize, terminator: u8) -> usize {
    memrchr(terminator, text.get(..at).unwrap_or_default()).map_or(0, |i| i + 1)
}

/// End of the line that starts at `at`, its terminator included.
fn line_end(text: &[u8], at: usize, terminator: u8) -> usize {
    memchr(terminator, text.get(at..).unwrap_or_default()).map_or(text.len(), |i| at + i + 1)
}
