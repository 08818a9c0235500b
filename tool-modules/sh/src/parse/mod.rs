//! The parser: bytes to syntax tree, one complete command at a time, because what a command
//! does (aliases, `shopt extglob`) changes how the next one is read.
//!
//! It works on characters, not on tokens: where a word ends depends on where it stands.

mod arith;
mod command;
mod cond;
mod error;
mod heredoc;
mod param;
mod quote;
mod simple;
mod word;

pub use arith::{ArithError, number, parse_expr};
pub use error::ParseError;
pub use quote::ansi_c;
pub(crate) use quote::digits;

use crate::ast::{Here, List};
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

/// Result of parsing.
pub type PResult<T> = Result<T, ParseError>;

/// Aliases, as the parser looks them up.
pub type Aliases = HashMap<Vec<u8>, Vec<u8>>;

/// Gives the next line of input, with its newline; `None` at the end.
pub type More<'a> = dyn FnMut() -> Option<Vec<u8>> + 'a;

/// How deep constructs may nest. Past it the script is refused: the parser and the executor
/// both recurse, and the host's stack is finite.
const MAX_DEPTH: u32 = 150;

/// The state of parsing.
pub struct Parser<'a> {
    buf: Vec<u8>,
    pos: usize,
    more: Option<&'a mut More<'a>>,
    pending: Vec<(Rc<RefCell<Here>>, u32)>,
    line_cache: (usize, u32),
    /// Where the last complete command began.
    start: usize,
    depth: u32,
    /// `shopt extglob`.
    pub extglob: bool,
    /// `shopt expand_aliases`, and the aliases.
    pub aliases: Option<Rc<Aliases>>,
    /// Aliases being expanded: (name, where their text ends).
    alias_ends: Vec<(Vec<u8>, usize)>,
    /// The word at this position may be an alias, because the last one ended in a blank.
    alias_next: Option<usize>,
    /// What should be said on standard error: (line, text).
    pub warnings: Vec<(u32, String)>,
    /// Inside backquotes: nesting of escapes was already taken off.
    in_backquote: bool,
    /// Ends that the enclosing constructs wait for: `)` closes a substitution.
    pub(crate) posix: bool,
}

impl<'a> Parser<'a> {
    /// Parses a whole text whose first line has this number.
    pub fn new(text: &[u8], first_line: u32) -> Parser<'static> {
        Parser {
            buf: text.to_vec(),
            pos: 0,
            more: None,
            pending: Vec::new(),
            line_cache: (0, first_line),
            start: 0,
            depth: 0,
            extglob: false,
            aliases: None,
            alias_ends: Vec::new(),
            alias_next: None,
            warnings: Vec::new(),
            in_backquote: false,
            posix: false,
        }
    }

    /// Parses input that arrives line by line.
    pub fn from_lines(more: &'a mut More<'a>, first_line: u32) -> Parser<'a> {
        let mut p = Parser::new(b"", first_line);
        Parser {
            more: Some(more),
            buf: std::mem::take(&mut p.buf),
            ..p
        }
    }

    /// The next complete command; `None` at the end of input.
    pub fn next_command(&mut self) -> PResult<Option<List>> {
        self.alias_ends.clear();
        self.alias_next = None;
        // What has been run is not needed again.
        if self.more.is_some() && self.pos == self.buf.len() && self.pending.is_empty() {
            let line = self.line();
            self.buf.clear();
            self.pos = 0;
            self.line_cache = (0, line);
        }
        loop {
            self.blanks();
            match self.peek() {
                None => {
                    self.finish_heredocs()?;
                    return Ok(None);
                }
                Some(b'\n') => self.newline()?,
                _ => break,
            }
        }
        self.start = self.pos;
        let list = self.line_list()?;
        self.blanks();
        match self.peek() {
            Some(b'\n') => self.newline()?,
            None => self.finish_heredocs()?,
            _ => return Err(self.unexpected()),
        }
        Ok(Some(list))
    }

    /// All commands of the text.
    pub fn all(&mut self) -> PResult<List> {
        let mut out = List::default();
        while let Some(list) = self.next_command()? {
            out.0.extend(list.0);
        }
        Ok(out)
    }

    /// After an error: forgets the rest of the line.
    pub fn skip_line(&mut self) {
        while let Some(c) = self.peek() {
            self.pos += 1;
            if c == b'\n' {
                break;
            }
        }
        self.pending.clear();
        self.depth = 0;
    }

    /// The text of the command that was read last.
    pub fn taken_text(&self) -> Vec<u8> {
        self.slice(self.start, self.pos).to_vec()
    }

    /// How far the text has been read.
    pub fn offset(&self) -> usize {
        self.pos
    }

    /// Line of the current position.
    pub fn line(&mut self) -> u32 {
        self.line_at(self.pos)
    }

    fn line_at(&mut self, pos: usize) -> u32 {
        let (from, line) = self.line_cache;
        let count =
            |s: Option<&[u8]>| s.map_or(0, |s| s.iter().filter(|b| **b == b'\n').count() as u32);
        let line = if pos >= from {
            line + count(self.buf.get(from..pos))
        } else {
            line.saturating_sub(count(self.buf.get(pos..from)))
        };
        self.line_cache = (pos, line);
        line
    }

    /// The text of the line that `pos` is on.
    fn line_text(&self, pos: usize) -> &[u8] {
        let pos = pos.min(self.buf.len());
        let start = self
            .buf
            .get(..pos)
            .and_then(|s| s.iter().rposition(|b| *b == b'\n'))
            .map_or(0, |i| i + 1);
        let rest = self.buf.get(start..).unwrap_or_default();
        let end = rest.iter().position(|b| *b == b'\n').unwrap_or(rest.len());
        rest.get(..end).unwrap_or_default()
    }

    fn fill(&mut self) -> bool {
        let Some(more) = self.more.as_mut() else {
            return false;
        };
        match more() {
            Some(line) if !line.is_empty() => {
                self.buf.extend_from_slice(&line);
                true
            }
            _ => {
                self.more = None;
                false
            }
        }
    }

    fn peek(&mut self) -> Option<u8> {
        self.peek_at(0)
    }

    fn peek_at(&mut self, ahead: usize) -> Option<u8> {
        loop {
            if let Some(b) = self.buf.get(self.pos + ahead) {
                return Some(*b);
            }
            // Only a line that is not over can go on.
            if !self.fill() {
                return None;
            }
        }
    }

    /// Looks ahead within what has been read: never asks for another line.
    fn peek_near(&self, ahead: usize) -> Option<u8> {
        self.buf.get(self.pos + ahead).copied()
    }

    fn next(&mut self) -> Option<u8> {
        let b = self.peek()?;
        self.pos += 1;
        Some(b)
    }

    fn starts(&self, text: &[u8]) -> bool {
        self.buf
            .get(self.pos..)
            .is_some_and(|s| s.starts_with(text))
    }

    fn slice(&self, from: usize, to: usize) -> &[u8] {
        self.buf.get(from..to).unwrap_or_default()
    }

    /// Skips blanks, continued lines and comments.
    fn blanks(&mut self) {
        loop {
            match self.peek_near(0) {
                Some(b' ' | b'\t') => self.pos += 1,
                Some(b'\\') if self.peek_near(1) == Some(b'\n') => {
                    self.pos += 2;
                    if self.pos == self.buf.len() {
                        self.fill();
                    }
                }
                Some(b'#') if self.comment_may_start() => {
                    while self.peek_near(0).is_some_and(|c| c != b'\n') {
                        self.pos += 1;
                    }
                    return;
                }
                Some(_) => return,
                None => {
                    if !self.fill() {
                        return;
                    }
                }
            }
        }
    }

    fn comment_may_start(&self) -> bool {
        self.pos == 0
            || self.buf.get(self.pos - 1).is_none_or(|b| {
                matches!(
                    b,
                    b' ' | b'\t' | b'\n' | b';' | b'&' | b'|' | b'(' | b')' | b'`' | b'<' | b'>'
                )
            })
    }

    /// Takes a newline, and the here-documents that begin after it.
    fn newline(&mut self) -> PResult<()> {
        self.pos += 1;
        if !self.pending.is_empty() {
            self.read_heredocs()?;
        }
        Ok(())
    }

    fn newlines(&mut self) -> PResult<()> {
        loop {
            self.blanks();
            if self.peek() == Some(b'\n') {
                self.newline()?;
            } else {
                return Ok(());
            }
        }
    }

    fn deeper(&mut self) -> PResult<()> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.error_at(self.pos, "constructs nest too deeply"));
        }
        Ok(())
    }
}

/// Separates words.
pub(crate) fn is_meta(b: u8) -> bool {
    matches!(
        b,
        b' ' | b'\t' | b'\n' | b';' | b'&' | b'|' | b'<' | b'>' | b'(' | b')'
    )
}
