//! What a search finds, collected as ripgrep would print it.

use super::Plan;
use crate::grep::output::Window;
use grep_matcher::Matcher;
use grep_regex::RegexMatcher;
use grep_searcher::{Searcher, Sink, SinkContext, SinkContextKind, SinkFinish, SinkMatch};
use std::io;
use std::path::Path;

/// Characters of a line that are shown.
const LINE_CHARS: usize = 500;
/// Lines kept when no head_limit ends the search; with context they are counted too.
const LINES_MAX: usize = 20_000;

/// Counts matching lines, all or only until the first.
pub(super) struct Counter {
    pub(super) count: u64,
    stop_at_first: bool,
}

impl Counter {
    pub(super) fn first() -> Self {
        Counter {
            count: 0,
            stop_at_first: true,
        }
    }

    pub(super) fn all() -> Self {
        Counter {
            count: 0,
            stop_at_first: false,
        }
    }
}

impl Sink for Counter {
    type Error = io::Error;

    fn matched(&mut self, _: &Searcher, found: &SinkMatch<'_>) -> Result<bool, io::Error> {
        self.count += found.lines().count() as u64;
        Ok(!self.stop_at_first)
    }
}

/// Collects the lines of output.
pub(super) struct Printer<'a> {
    matcher: &'a RegexMatcher,
    window: &'a Window,
    only_matching: bool,
    numbers: bool,
    single: bool,
    context: bool,
    path: String,
    /// The lines of output, those before the window's first left out.
    pub(super) lines: Vec<String>,
    /// How many lines of output there were, those left out included.
    pub(super) seen: usize,
    /// Files that had a match.
    pub(super) files: Vec<String>,
    /// Whether the search ended before all was searched.
    pub(super) stopped: bool,
    matched_here: bool,
}

impl<'a> Printer<'a> {
    pub(super) fn new(matcher: &'a RegexMatcher, plan: &'a Plan) -> Self {
        Printer {
            matcher,
            window: &plan.window,
            only_matching: plan.only_matching,
            numbers: plan.numbers,
            single: plan.single,
            context: (plan.before > 0 || plan.after > 0) && !plan.only_matching,
            path: String::new(),
            lines: Vec::new(),
            seen: 0,
            files: Vec::new(),
            stopped: false,
            matched_here: false,
        }
    }

    pub(super) fn start(&mut self, path: &Path) {
        self.path = path.to_string_lossy().into_owned();
        self.matched_here = false;
    }

    /// Whether what was asked for is there, and one line more to know that there is more.
    pub(super) fn is_full(&mut self) -> bool {
        let full = self.lines.len() > self.window.limit().unwrap_or(LINES_MAX).min(LINES_MAX);
        self.stopped |= full;
        full
    }

    fn push(&mut self, line: String) {
        if self.seen >= self.window.offset() {
            self.lines.push(line);
        }
        self.seen += 1;
    }

    fn first_of_file(&mut self) {
        if self.matched_here {
            return;
        }
        self.matched_here = true;
        if self.context && !self.files.is_empty() {
            self.push("--".into());
        }
        self.files.push(self.path.clone());
    }

    fn line(&self, number: Option<u64>, separator: char, text: &[u8]) -> String {
        let mut out = String::new();
        if !self.single {
            out.push_str(&self.path);
            out.push(separator);
        }
        if let (true, Some(number)) = (self.numbers, number) {
            out.push_str(&number.to_string());
            out.push(separator);
        }
        let text = text.strip_suffix(b"\n").unwrap_or(text);
        let text = String::from_utf8_lossy(text.strip_suffix(b"\r").unwrap_or(text));
        match text.char_indices().nth(LINE_CHARS) {
            None => out.push_str(&text),
            Some((cut, _)) => {
                out.push_str(text.get(..cut).unwrap_or_default());
                out.push_str(&format!(
                    "... [truncated: the line has {} characters]",
                    text.chars().count()
                ));
            }
        }
        out
    }

    fn push_matches(&mut self, first: Option<u64>, block: &[u8]) {
        let mut found = Vec::new();
        // The matcher cannot fail: its error type is empty.
        let _ = self.matcher.find_iter(block, |part| {
            let line = memchr::memchr_iter(b'\n', block.get(..part.start()).unwrap_or_default())
                .count() as u64;
            found.push((line, part));
            found.len() <= LINES_MAX
        });
        for (line, part) in found {
            let text = block.get(part.start()..part.end()).unwrap_or_default();
            for (index, piece) in text.split(|&byte| byte == b'\n').enumerate() {
                if piece.is_empty() && index > 0 {
                    continue;
                }
                let line = self.line(first.map(|first| first + line + index as u64), ':', piece);
                self.push(line);
            }
        }
    }
}

impl Sink for Printer<'_> {
    type Error = io::Error;

    fn matched(&mut self, _: &Searcher, found: &SinkMatch<'_>) -> Result<bool, io::Error> {
        self.first_of_file();
        if self.only_matching {
            self.push_matches(found.line_number(), found.bytes());
        } else {
            for (index, text) in found.lines().enumerate() {
                let line = self.line(
                    found.line_number().map(|first| first + index as u64),
                    ':',
                    text,
                );
                self.push(line);
            }
        }
        Ok(!self.is_full())
    }

    fn context(&mut self, _: &Searcher, context: &SinkContext<'_>) -> Result<bool, io::Error> {
        // Lines before the first match come before the match itself.
        if *context.kind() == SinkContextKind::Before {
            self.first_of_file();
        }
        let line = self.line(context.line_number(), '-', context.bytes());
        self.push(line);
        Ok(!self.is_full())
    }

    fn context_break(&mut self, _: &Searcher) -> Result<bool, io::Error> {
        if self.matched_here {
            self.push("--".into());
        }
        Ok(true)
    }

    fn finish(&mut self, _: &Searcher, end: &SinkFinish) -> Result<(), io::Error> {
        if self.single && self.matched_here && end.binary_byte_offset().is_some() {
            self.push("(The file is binary; matches are shown as far as they are text.)".into());
        }
        Ok(())
    }
}
