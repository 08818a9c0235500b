//! Quotes: `'…'`, `"…"`, `$'…'`, backquotes, and the text of here-documents.

use super::word::Pieces;
use super::{PResult, Parser};
use crate::ast::{CmdSub, Part};
use crate::strs::push_char;

impl Parser<'_> {
    /// At a `'`.
    pub(super) fn single_quoted(&mut self) -> PResult<Vec<u8>> {
        let open = self.pos;
        self.pos += 1;
        loop {
            let rest = self.buf.get(self.pos..).unwrap_or_default();
            if let Some(i) = rest.iter().position(|b| *b == b'\'') {
                self.pos += i;
                let text = self.slice(open + 1, self.pos).to_vec();
                self.pos += 1;
                return Ok(text);
            }
            self.pos = self.buf.len();
            if !self.fill() {
                return Err(self.unclosed(open, '\''));
            }
        }
    }

    /// At a `"`.
    pub(super) fn double_quoted(&mut self) -> PResult<Vec<Part>> {
        self.deeper()?;
        let open = self.pos;
        self.pos += 1;
        let mut out = Pieces::default();
        loop {
            let Some(c) = self.peek() else {
                return Err(self.unclosed(open, '"'));
            };
            if c == b'"' {
                self.pos += 1;
                break;
            }
            self.quoted_piece(c, &mut out, b"$`\"\\")?;
        }
        self.depth -= 1;
        out.flush();
        Ok(out.parts)
    }

    /// The body of a here-document: as in double quotes, but those are plain characters.
    pub(super) fn here_parts(&mut self) -> PResult<Vec<Part>> {
        let mut out = Pieces::default();
        while let Some(c) = self.peek() {
            self.quoted_piece(c, &mut out, b"$`\\")?;
        }
        out.flush();
        Ok(out.parts)
    }

    /// The operand of `${x:-…}` inside double quotes.
    pub(super) fn quoted_operand(&mut self, stop: &[u8]) -> PResult<Vec<Part>> {
        let mut out = Pieces::default();
        let open = self.pos;
        let mut quote = false;
        loop {
            let Some(c) = self.peek() else {
                if quote {
                    return Err(self.unclosed(open, '\''));
                }
                break;
            };
            if stop.contains(&c) && !quote {
                break;
            }
            match c {
                b'"' => {
                    let parts = self.double_quoted()?;
                    out.part(Part::DQuote(parts));
                }
                // Single quotes stay, but a brace between them does not end the word.
                b'\'' if stop == b"}" => {
                    quote = !quote;
                    self.pos += 1;
                    out.lit(c);
                }
                b'\\' if self.peek_at(1) == Some(b'}') => {
                    self.pos += 2;
                    out.lit(b'}');
                }
                _ => self.quoted_piece(c, &mut out, b"$`\"\\")?,
            }
        }
        out.flush();
        Ok(out.parts)
    }

    /// One piece of double-quoted text; a backslash only escapes what is in `escapes`.
    fn quoted_piece(&mut self, c: u8, out: &mut Pieces, escapes: &[u8]) -> PResult<()> {
        match c {
            b'\\' => match self.peek_at(1) {
                Some(b'\n') => self.pos += 2,
                Some(b) if escapes.contains(&b) => {
                    self.pos += 2;
                    out.lit(b);
                }
                _ => {
                    self.pos += 1;
                    out.lit(c);
                }
            },
            b'$' => match self.dollar(true)? {
                Some(part) => out.part(part),
                None => out.lit(b'$'),
            },
            b'`' => {
                let part = self.backquoted(true)?;
                out.part(part);
            }
            _ => {
                self.pos += 1;
                out.lit(c);
            }
        }
        Ok(())
    }

    /// At a backquote.
    pub(super) fn backquoted(&mut self, quoted: bool) -> PResult<Part> {
        let open = self.pos;
        self.pos += 1;
        let mut text = Vec::new();
        loop {
            let Some(c) = self.next() else {
                return Err(self.unclosed(open, '`'));
            };
            match c {
                b'`' => break,
                b'\\' => match self.peek() {
                    Some(b @ (b'$' | b'`' | b'\\')) => {
                        self.pos += 1;
                        text.push(b);
                    }
                    Some(b'"') if quoted => {
                        self.pos += 1;
                        text.push(b'"');
                    }
                    _ => text.push(c),
                },
                _ => text.push(c),
            }
        }
        let line = self.line_at(open);
        let mut p = Parser::new(&text, line);
        p.extglob = self.extglob;
        p.aliases = self.aliases.clone();
        p.depth = self.depth;
        p.in_backquote = true;
        p.deeper()?;
        let (list, error) = match p.all() {
            Ok(list) => (list, None),
            Err(e) => (Default::default(), Some(e.message.into())),
        };
        let text = self.slice(open, self.pos).into();
        Ok(Part::CmdSub(
            CmdSub {
                list,
                backquote: true,
                text,
                error,
            }
            .into(),
        ))
    }
}

/// The text of `$'…'` between the quotes.
pub fn ansi_c(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut i = 0;
    while let Some(&c) = text.get(i) {
        i += 1;
        if c != b'\\' {
            out.push(c);
            continue;
        }
        let Some(&e) = text.get(i) else {
            out.push(b'\\');
            break;
        };
        i += 1;
        match e {
            b'a' => out.push(7),
            b'b' => out.push(8),
            b'e' | b'E' => out.push(27),
            b'f' => out.push(12),
            b'n' => out.push(b'\n'),
            b'r' => out.push(b'\r'),
            b't' => out.push(b'\t'),
            b'v' => out.push(11),
            b'\\' | b'\'' | b'"' | b'?' => out.push(e),
            b'0'..=b'7' => {
                i -= 1;
                let (value, len) = digits(text, i, 8, 3);
                i += len;
                let byte = (value & 0xff) as u8;
                if byte == 0 {
                    return out;
                }
                out.push(byte);
            }
            b'x' => {
                let braced = text.get(i) == Some(&b'{');
                let (value, len) = digits(
                    text,
                    i + usize::from(braced),
                    16,
                    if braced { 8 } else { 2 },
                );
                if len == 0 {
                    out.extend_from_slice(b"\\x");
                    continue;
                }
                i += len + usize::from(braced);
                if braced && text.get(i) == Some(&b'}') {
                    i += 1;
                }
                let byte = (value & 0xff) as u8;
                if byte == 0 {
                    return out;
                }
                out.push(byte);
            }
            b'u' | b'U' => {
                let (value, len) = digits(text, i, 16, if e == b'u' { 4 } else { 8 });
                if len == 0 {
                    out.push(b'\\');
                    out.push(e);
                    continue;
                }
                i += len;
                if value == 0 {
                    return out;
                }
                push_char(&mut out, value);
            }
            b'c' => {
                if let Some(&x) = text.get(i) {
                    i += 1;
                    if x == b'\\' && text.get(i) == Some(&b'\\') {
                        i += 1;
                    }
                    out.push(x & 0x1f);
                } else {
                    out.extend_from_slice(b"\\c");
                }
            }
            _ => {
                out.push(b'\\');
                out.push(e);
            }
        }
    }
    out
}

/// Digits of a base from `at`: (value, how many).
pub(crate) fn digits(text: &[u8], at: usize, base: u32, max: usize) -> (u32, usize) {
    let mut value = 0u32;
    let mut len = 0;
    while len < max {
        let Some(d) = text.get(at + len).and_then(|b| (*b as char).to_digit(base)) else {
            break;
        };
        value = value.wrapping_mul(base).wrapping_add(d);
        len += 1;
    }
    (value, len)
}
