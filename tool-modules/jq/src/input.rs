//! Reading JSON values from a stream, one at a time.

use std::io::Read;

use jaq_json::Val;

const CHUNK: usize = 256 * 1024;

/// Cuts a stream of bytes into top-level values.
pub struct Values<R> {
    source: R,
    buffer: Vec<u8>,
    start: usize,
    filled: usize,
    eof: bool,
    failed: bool,
    /// Lines before the buffer.
    pub lines: usize,
    counted: usize,
}

impl<R: Read> Values<R> {
    pub fn new(source: R) -> Self {
        Self {
            source,
            buffer: Vec::new(),
            start: 0,
            filled: 0,
            eof: false,
            failed: false,
            lines: 0,
            counted: 0,
        }
    }

    fn fill(&mut self) -> Result<(), String> {
        if self.start > 0 {
            self.count(self.start);
            self.counted = self.counted.saturating_sub(self.start);
            self.buffer.copy_within(self.start..self.filled, 0);
            self.filled -= self.start;
            self.start = 0;
        }
        if self.buffer.len() < CHUNK {
            self.buffer.resize(CHUNK, 0);
        }
        if self.filled == self.buffer.len() {
            self.buffer.resize(self.buffer.len() * 2, 0);
        }
        loop {
            match self.source.read(&mut self.buffer[self.filled..]) {
                Ok(0) => {
                    self.eof = true;
                    return Ok(());
                }
                Ok(got) => {
                    self.filled += got;
                    return Ok(());
                }
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(hardshell_cli::errno_text(&error)),
            }
        }
    }

    fn count(&mut self, to: usize) {
        if to > self.counted {
            self.lines += memchr::memchr_iter(b'\n', &self.buffer[self.counted..to]).count();
            self.counted = to;
        }
    }

    /// The next value.
    pub fn next_value(&mut self) -> Option<Result<Val, String>> {
        if self.failed {
            return None;
        }
        let mut scan = Scan::default();
        let mut at = self.start;
        loop {
            // A byte order mark at the very beginning is no data.
            if self.buffer[at..self.filled].starts_with(b"\xef\xbb\xbf")
                && self.lines == 0
                && at == 0
            {
                self.start = 3;
                at = 3;
            }
            if let Some(end) = scan.end(&self.buffer[..self.filled], at, self.eof) {
                let begin = scan.begin;
                if begin == end {
                    // Only blanks are left.
                    self.start = end;
                    return None;
                }
                let parsed = jaq_json::read::parse_single(&self.buffer[begin..end]);
                let value = match parsed {
                    Ok(value) => Ok(value),
                    Err(_) => {
                        self.failed = true;
                        Err(self.complaint(begin, end))
                    }
                };
                self.start = end;
                // jq counts by the lines it has read, so to the end of this one.
                let rest = &self.buffer[end..self.filled];
                let line_end = memchr::memchr(b'\n', rest).map_or(end, |at| end + at + 1);
                self.count(line_end);
                return Some(value);
            }
            at = self.filled;
            let kept = at - self.start;
            scan.begin -= if scan.started { self.start } else { 0 };
            if let Err(message) = self.fill() {
                self.failed = true;
                return Some(Err(message));
            }
            at = self.start + kept;
            if self.eof && at == self.filled && !scan.started {
                return None;
            }
        }
    }

    fn complaint(&mut self, begin: usize, end: usize) -> String {
        let text = &self.buffer[begin..end];
        let line = self.lines
            + 1
            + self.buffer[self.counted..begin]
                .iter()
                .filter(|b| **b == b'\n')
                .count();
        let column = text.len();
        let open = text
            .first()
            .is_some_and(|b| matches!(b, b'{' | b'[' | b'"'));
        let mut lines = line + text.iter().filter(|b| **b == b'\n').count();
        if !self.eof || end < self.filled {
            lines = lines.max(line);
        }
        let unfinished = self.eof && end == self.filled && open && !balanced(text);
        if unfinished {
            format!(
                "Unfinished JSON term at EOF at line {lines}, column {}",
                if text.ends_with(b"\n") { 0 } else { column }
            )
        } else {
            format!("Invalid literal at line {line}, column {column}")
        }
    }
}

fn balanced(text: &[u8]) -> bool {
    let mut scan = Scan::default();
    scan.end(text, 0, false).is_some()
}

/// Where a value ends, found without parsing it.
#[derive(Default)]
struct Scan {
    depth: usize,
    in_string: bool,
    escaped: bool,
    started: bool,
    begin: usize,
    scalar: bool,
}

impl Scan {
    /// Looks on from `at`; the end of the value, if it is there.
    fn end(&mut self, text: &[u8], at: usize, eof: bool) -> Option<usize> {
        let mut at = at;
        while at < text.len() {
            if self.in_string {
                if self.escaped {
                    self.escaped = false;
                    at += 1;
                    continue;
                }
                match memchr::memchr2(b'"', b'\\', &text[at..]) {
                    None => break,
                    Some(found) => {
                        at += found + 1;
                        if text[at - 1] == b'\\' {
                            self.escaped = true;
                        } else {
                            self.in_string = false;
                            if self.depth == 0 {
                                return Some(at);
                            }
                        }
                    }
                }
                continue;
            }
            let byte = text[at];
            match byte {
                b' ' | b'\n' | b'\t' | b'\r' if self.scalar => {
                    return Some(at);
                }
                b'"' => {
                    if self.scalar {
                        return Some(at);
                    }
                    self.start(at);
                    self.in_string = true;
                }
                b'{' | b'[' => {
                    if self.scalar {
                        return Some(at);
                    }
                    self.start(at);
                    self.depth += 1;
                }
                b'}' | b']' => {
                    if self.scalar {
                        return Some(at);
                    }
                    self.start(at);
                    if self.depth <= 1 {
                        return Some(at + 1);
                    }
                    self.depth -= 1;
                }
                _ if self.depth == 0 => {
                    if !self.scalar {
                        self.start(at);
                        self.scalar = true;
                    }
                    if matches!(byte, b',' | b':') {
                        return Some(at + 1);
                    }
                }
                _ => {}
            }
            at += 1;
        }
        if eof {
            if !self.started {
                self.begin = text.len();
            }
            return Some(text.len());
        }
        None
    }

    fn start(&mut self, at: usize) {
        if !self.started {
            self.started = true;
            self.begin = at;
        }
    }
}
