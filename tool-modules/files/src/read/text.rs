//! Text, numbered, a window of it at a time, in bounded memory.

use super::Source;
use crate::answer::{Answer, ToolError};
use crate::snippet::{LINE_CHARS, push_line};
use crate::state::{DIGEST_MAX, FileState, mtime_ns};
use crate::text::Encoding;
use std::io::{Cursor, Read};

/// Lines that are shown when no limit is given.
const LINES: u64 = 2000;
/// Characters of text, about, that one call gives back.
const TEXT_MAX: usize = 200_000;
/// Bytes kept of a line; enough for [`LINE_CHARS`] characters of any length.
const LINE_BYTES: usize = LINE_CHARS * 4 + 8;
const CHUNK: usize = 64 << 10;

/// The lines that are asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Window {
    /// The first line, from 1.
    pub(super) first: u64,
    /// How many.
    pub(super) limit: u64,
    given: bool,
}

impl Window {
    /// Offset 0 and 1 both mean the first line.
    pub(super) fn new(offset: Option<u64>, limit: Option<u64>) -> Self {
        Window {
            first: offset.unwrap_or(1).max(1),
            limit: limit.unwrap_or(LINES),
            given: limit.is_some(),
        }
    }

    fn contains(&self, line: u64) -> bool {
        line >= self.first && line - self.first < self.limit
    }

    fn is_past(&self, line: u64) -> bool {
        line >= self.first && line - self.first >= self.limit
    }
}

pub(super) fn read(source: Source<'_>, window: &Window) -> Result<Answer, ToolError> {
    let (path, metadata) = (source.path, source.metadata);
    let encoding = Encoding::sniff(&source.head);
    let scan = match encoding {
        Encoding::Bytes | Encoding::Utf8Bom => {
            let hash = metadata.len() <= DIGEST_MAX;
            let skip = if encoding == Encoding::Utf8Bom { 3 } else { 0 };
            let Source { file, head, .. } = source;
            Scan::run(&mut Cursor::new(head).chain(file), window, skip, hash)
                .map_err(|error| ToolError::io("read", path, &error))?
        }
        Encoding::Utf16Le | Encoding::Utf16Be => {
            let bytes = source.whole("The UTF-16 file")?;
            let text = encoding.decode(&bytes).ok_or_else(|| {
                ToolError::new("The file has a UTF-16 byte order mark but is not valid UTF-16.")
            })?;
            let mut scan = Scan::run(&mut Cursor::new(text), window, 0, false)
                .map_err(|error| ToolError::io("read", path, &error))?;
            scan.digest = crate::state::digest(&bytes);
            scan
        }
    };
    let state = FileState {
        size: metadata.len(),
        mtime_ns: mtime_ns(metadata),
        digest: scan.digest.clone(),
    };
    Ok(Answer::text(scan.text(window)).with_state(path, state))
}

/// What one pass over a file found.
#[derive(Debug, Default)]
struct Scan {
    shown: String,
    /// Lines in the file, or those before the pass stopped.
    lines: u64,
    /// The last line shown; 0 if none.
    last: u64,
    /// Whether the text grew too long before the window was full.
    full: bool,
    /// Whether the file goes on behind the place where the pass stopped.
    stopped: bool,
    digest: String,
    empty: bool,
}

/// The line that the pass is in.
#[derive(Default)]
struct Line {
    kept: Vec<u8>,
    /// Characters of the whole line, counted only once it outgrows `kept`.
    chars: usize,
    bytes: usize,
}

impl Line {
    fn add(&mut self, part: &[u8], keep: bool) {
        self.bytes += part.len();
        if !keep {
            return;
        }
        let room = LINE_BYTES.saturating_sub(self.kept.len());
        self.kept
            .extend_from_slice(part.get(..room.min(part.len())).unwrap_or_default());
        // Every byte that does not continue a character begins one.
        self.chars += part.iter().filter(|&&byte| byte & 0xc0 != 0x80).count();
    }
}

impl Scan {
    fn run(
        reader: &mut dyn Read,
        window: &Window,
        skip: usize,
        hash: bool,
    ) -> std::io::Result<Scan> {
        let mut scan = Scan {
            empty: true,
            ..Scan::default()
        };
        let mut hasher = blake3::Hasher::new();
        let mut buffer = vec![0; CHUNK];
        let mut line = Line::default();
        let mut number = 1u64;
        let mut skip = skip;
        loop {
            let length = match reader.read(&mut buffer) {
                Ok(0) => break,
                Ok(length) => length,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            let mut chunk = buffer.get(..length).unwrap_or_default();
            if hash {
                hasher.update(chunk);
            }
            let skipped = skip.min(chunk.len());
            skip -= skipped;
            chunk = chunk.get(skipped..).unwrap_or_default();
            scan.empty &= chunk.is_empty();
            while let Some(at) = memchr::memchr(b'\n', chunk) {
                let (part, rest) = chunk.split_at(at);
                scan.end_line(&mut line, number, part, window);
                number += 1;
                chunk = rest.get(1..).unwrap_or_default();
            }
            line.add(chunk, window.contains(number) && !scan.full);
            if !hash && (scan.full || window.is_past(number)) {
                scan.stopped = true;
                break;
            }
        }
        if line.bytes > 0 && !scan.stopped {
            scan.end_line(&mut line, number, b"", window);
            number += 1;
        }
        scan.lines = number - 1;
        if hash {
            scan.digest = hasher.finalize().to_hex().to_string();
        }
        Ok(scan)
    }

    fn end_line(&mut self, line: &mut Line, number: u64, part: &[u8], window: &Window) {
        let keep = window.contains(number) && !self.full;
        line.add(part, keep);
        if keep {
            let chars = (line.bytes > line.kept.len()).then_some(line.chars);
            push_line(
                &mut self.shown,
                usize::try_from(number).unwrap_or(usize::MAX),
                &line.kept,
                chars,
            );
            self.last = number;
            self.full = self.shown.len() >= TEXT_MAX;
        }
        line.kept.clear();
        line.chars = 0;
        line.bytes = 0;
    }

    fn text(&self, window: &Window) -> String {
        if self.empty {
            return "<system-reminder>Warning: the file exists but the contents are empty.</system-reminder>".into();
        }
        if self.last == 0 {
            return format!(
                "<system-reminder>Warning: the file exists but is shorter than the provided offset ({}). \
                 The file has {} lines.</system-reminder>",
                window.first, self.lines
            );
        }
        let mut text = self.shown.clone();
        let of = if self.stopped {
            "more".to_owned()
        } else {
            self.lines.to_string()
        };
        let next = self.last + 1;
        if self.full && (self.stopped || self.last < self.lines) && !window.is_past(next) {
            text.push_str(&format!(
                "\n(Stopped after line {} of {of}: the text is longer than {TEXT_MAX} characters. \
                 Read on with offset {next}.)\n",
                self.last
            ));
        } else if !window.given && (self.stopped || self.last < self.lines) {
            text.push_str(&format!(
                "\n(Showing lines {}-{} of {of}. Read on with offset {next}.)\n",
                window.first, self.last
            ));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scan(text: &str, offset: Option<u64>, limit: Option<u64>) -> String {
        let window = Window::new(offset, limit);
        match Scan::run(&mut text.as_bytes(), &window, 0, true) {
            Ok(scan) => scan.text(&window),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn windows() {
        let five = "a\nb\nc\nd\ne";
        for (text, offset, limit, expected) in [
            ("one\n", None, None, "     1\tone\n"),
            ("one", None, None, "     1\tone\n"),
            ("\n", None, None, "     1\t\n"),
            ("a\r\nb\r\n", None, None, "     1\ta\n     2\tb\n"),
            (five, Some(2), Some(2), "     2\tb\n     3\tc\n"),
            (five, Some(0), Some(1), "     1\ta\n"),
            (five, Some(5), None, "     5\te\n"),
            (
                "",
                None,
                None,
                "<system-reminder>Warning: the file exists but the contents are empty.</system-reminder>",
            ),
            (
                five,
                Some(9),
                None,
                "<system-reminder>Warning: the file exists but is shorter than the provided offset (9). \
                 The file has 5 lines.</system-reminder>",
            ),
        ] {
            assert_eq!(
                scan(text, offset, limit),
                expected,
                "{text:?} {offset:?} {limit:?}"
            );
        }
    }

    #[test]
    fn the_default_limit_says_that_it_bound() {
        let text: String = (1..=2001).map(|n| format!("{n}\n")).collect();
        let got = scan(&text, None, None);
        assert!(
            got.ends_with(
                "  2000\t2000\n\n(Showing lines 1-2000 of 2001. Read on with offset 2001.)\n"
            ),
            "{got}"
        );
        assert!(scan(&text, Some(2), None).ends_with("  2001\t2001\n"));
    }

    #[test]
    fn a_huge_text_stops_with_a_note_and_a_huge_line_is_cut() {
        let text = format!("{}\n", "x".repeat(1999)).repeat(200);
        let got = scan(&text, None, None);
        assert!(got.len() < TEXT_MAX + 4000);
        assert!(got.contains("(Stopped after line "), "{}", got.len());
        let line = format!("{}\nend\n", "y".repeat(300_000));
        let got = scan(&line, None, None);
        assert!(got.contains("y... [truncated: the line has 300000 characters]\n     2\tend\n"));
    }
}
