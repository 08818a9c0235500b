//! Syntax errors in bash's words.

use super::{Parser, is_meta};

/// A syntax error.
#[derive(Debug, Clone)]
pub struct ParseError {
    /// Its line.
    pub line: u32,
    /// What bash says after `line N: `; without the line if empty.
    pub message: Vec<u8>,
    /// The line it happened on, which bash prints as well.
    pub context: Option<Vec<u8>>,
    /// Input ended before the command did.
    pub at_end: bool,
}

impl Parser<'_> {
    pub(super) fn error_at(&mut self, pos: usize, message: &str) -> ParseError {
        ParseError {
            line: self.line_at(pos),
            message: message.as_bytes().to_vec(),
            context: None,
            at_end: false,
        }
    }

    /// The token at the current position is not allowed there.
    pub(super) fn unexpected(&mut self) -> ParseError {
        self.blanks();
        let at = self.pos;
        let token = self.token_text();
        if token.is_empty() {
            return self.unexpected_end();
        }
        let mut message = b"syntax error near unexpected token `".to_vec();
        message.extend_from_slice(&token);
        message.push(b'\'');
        ParseError {
            line: self.line_at(at),
            message,
            context: Some(self.line_text(at).to_vec()),
            at_end: false,
        }
    }

    pub(super) fn unexpected_end(&mut self) -> ParseError {
        let mut line = self.line_at(self.buf.len());
        if self.buf.last().is_some_and(|b| *b != b'\n') {
            line += 1;
        }
        ParseError {
            line,
            message: b"syntax error: unexpected end of file".to_vec(),
            context: None,
            at_end: true,
        }
    }

    /// A quote or bracket that was opened at `from` is never closed.
    pub(super) fn unclosed(&mut self, from: usize, what: char) -> ParseError {
        ParseError {
            line: self.line_at(from),
            message: format!("unexpected EOF while looking for matching `{what}'").into_bytes(),
            context: None,
            at_end: true,
        }
    }

    fn token_text(&mut self) -> Vec<u8> {
        match self.peek() {
            None => Vec::new(),
            Some(b'\n') => b"newline".to_vec(),
            Some(c) if is_meta(c) => {
                for op in [
                    &b";;&"[..],
                    b"<<<",
                    b"<<-",
                    b"&>>",
                    b";;",
                    b";&",
                    b"&&",
                    b"||",
                    b"|&",
                    b"<<",
                    b">>",
                    b"<&",
                    b">&",
                    b"<>",
                    b">|",
                    b"&>",
                ] {
                    if self.starts(op) {
                        return op.to_vec();
                    }
                }
                vec![c]
            }
            Some(_) => {
                let from = self.pos;
                let mut to = from;
                while self.buf.get(to).is_some_and(|b| !is_meta(*b)) {
                    to += 1;
                }
                self.slice(from, to).to_vec()
            }
        }
    }
}
