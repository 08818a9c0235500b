//! Reading records from any input.

use std::io::{self, Read};

use hardshell_posix_regex::Regex;
use memchr::{memchr, memmem};

const CHUNK: usize = 64 * 1024;

/// What separates records.
pub enum Separator {
    Byte(u8),
    /// Blank lines (`RS = ""`).
    Paragraph,
    Regex(Box<Regex>),
}

/// A buffered input.
pub struct Reader {
    source: Box<dyn Read>,
    buffer: Vec<u8>,
    start: usize,
    filled: usize,
    eof: bool,
}

impl Reader {
    pub fn new(source: Box<dyn Read>) -> Self {
        Self {
            source,
            buffer: Vec::new(),
            start: 0,
            filled: 0,
            eof: false,
        }
    }

    fn fill(&mut self) -> io::Result<()> {
        if self.start > 0 {
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
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Reads a record; `terminator` receives the text that ended it. False at
    /// the end of input.
    pub fn read(
        &mut self,
        separator: &mut Separator,
        record: &mut Vec<u8>,
        terminator: &mut Vec<u8>,
    ) -> io::Result<bool> {
        record.clear();
        terminator.clear();
        match separator {
            Separator::Byte(byte) => self.until_byte(*byte, record, terminator),
            Separator::Paragraph => self.paragraph(record, terminator),
            Separator::Regex(regex) => self.until_regex(regex, record, terminator),
        }
    }

    #[inline]
    fn until_byte(
        &mut self,
        byte: u8,
        record: &mut Vec<u8>,
        terminator: &mut Vec<u8>,
    ) -> io::Result<bool> {
        let mut searched = 0;
        loop {
            let rest = &self.buffer[self.start..self.filled];
            if let Some(found) = memchr(byte, &rest[searched..]) {
                let length = searched + found;
                record.extend_from_slice(&rest[..length]);
                terminator.push(byte);
                self.start += length + 1;
                return Ok(true);
            }
            searched = rest.len();
            if self.eof {
                record.extend_from_slice(rest);
                self.start = self.filled;
                return Ok(searched > 0);
            }
            self.fill()?;
        }
    }

    fn paragraph(&mut self, record: &mut Vec<u8>, terminator: &mut Vec<u8>) -> io::Result<bool> {
        // Newlines before the first record do not count.
        loop {
            while self.start < self.filled && self.buffer[self.start] == b'\n' {
                self.start += 1;
            }
            if self.start < self.filled || self.eof {
                break;
            }
            self.fill()?;
        }
        loop {
            let rest = &self.buffer[self.start..self.filled];
            if let Some(length) = memmem::find(rest, b"\n\n") {
                let run = rest[length..].iter().take_while(|b| **b == b'\n').count();
                // The run may go on beyond the buffer.
                if length + run < rest.len() || self.eof {
                    record.extend_from_slice(&rest[..length]);
                    terminator.extend_from_slice(&rest[length..length + run]);
                    self.start += length + run;
                    return Ok(true);
                }
            }
            if self.eof {
                let mut length = rest.len();
                if rest.last() == Some(&b'\n') {
                    length -= 1;
                    terminator.push(b'\n');
                }
                record.extend_from_slice(&rest[..length]);
                let any = !rest.is_empty();
                self.start = self.filled;
                return Ok(any);
            }
            self.fill()?;
        }
    }

    fn until_regex(
        &mut self,
        regex: &mut Regex,
        record: &mut Vec<u8>,
        terminator: &mut Vec<u8>,
    ) -> io::Result<bool> {
        loop {
            let rest = &self.buffer[self.start..self.filled];
            let mut at = 0;
            let found = loop {
                match regex.find_at(rest, at) {
                    Some((from, to)) if to > from => break Some((from, to)),
                    Some((_, to)) if to < rest.len() => at = to + 1,
                    _ => break None,
                }
            };
            // A match at the end of the buffer might be longer with more text.
            if let Some((from, to)) = found
                && (to < rest.len() || self.eof)
            {
                record.extend_from_slice(&rest[..from]);
                terminator.extend_from_slice(&rest[from..to]);
                self.start += to;
                return Ok(true);
            }
            if self.eof {
                let length = rest.len();
                let any = !rest.is_empty();
                record.extend_from_slice(&rest[..length]);
                self.start = self.filled;
                return Ok(any);
            }
            self.fill()?;
        }
    }
}
