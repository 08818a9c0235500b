//! Words: where they end, and what they are made of.

use super::{PResult, Parser, is_meta};
use crate::ast::{Part, Word};

/// Where a word stands, and so where it ends.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Place<'s> {
    /// An argument: up to a metacharacter.
    Arg,
    /// The value of an assignment: the same, but `~` also counts after `:`.
    Value,
    /// The right side of `=~`: parentheses and bars belong to it.
    Regex,
    /// The right side of `==` in `[[`: extended patterns are always on.
    Pattern,
    /// Inside `${…}`: up to one of these characters.
    Operand(&'s [u8]),
    /// Inside `[…]`: up to the `]` that closes it.
    Subscript,
}

/// Collects pieces, joining neighbouring literals.
#[derive(Default)]
pub(super) struct Pieces {
    pub(super) parts: Vec<Part>,
    lit: Vec<u8>,
    pub(super) brace: bool,
}

impl Pieces {
    pub(super) fn lit(&mut self, b: u8) {
        self.lit.push(b);
    }
    pub(super) fn flush(&mut self) {
        if !self.lit.is_empty() {
            let text = std::mem::take(&mut self.lit);
            self.parts.push(Part::Lit(text.into()));
        }
    }
    pub(super) fn part(&mut self, part: Part) {
        self.flush();
        self.parts.push(part);
    }
    fn quoted(&mut self, b: u8) {
        self.flush();
        if let Some(Part::Quoted(t)) = self.parts.last_mut() {
            let mut v = std::mem::take(t).into_vec();
            v.push(b);
            *t = v.into();
        } else {
            self.parts.push(Part::Quoted([b].into()));
        }
    }
    fn empty(&self) -> bool {
        self.parts.is_empty() && self.lit.is_empty()
    }
}

impl Parser<'_> {
    /// The word at the current position, if one begins there.
    pub(super) fn word(&mut self) -> PResult<Option<Word>> {
        self.word_at(Place::Arg)
    }

    pub(super) fn word_at(&mut self, place: Place<'_>) -> PResult<Option<Word>> {
        let from = self.pos;
        let p = self.pieces(place)?;
        if self.pos == from {
            return Ok(None);
        }
        Ok(Some(Word {
            parts: p.parts,
            brace: p.brace,
            assign: None,
        }))
    }

    /// The whole text as one word, blanks included.
    pub fn whole_word(&mut self) -> PResult<Word> {
        let p = self.pieces(Place::Operand(b""))?;
        Ok(Word {
            parts: p.parts,
            brace: false,
            assign: None,
        })
    }

    /// The whole text as if it stood in double quotes.
    pub fn quoted_word(&mut self) -> PResult<Word> {
        Ok(Word {
            parts: self.here_parts()?,
            brace: false,
            assign: None,
        })
    }

    /// The value after `=`; may be empty.
    pub(super) fn value_word(&mut self) -> PResult<Word> {
        let p = self.pieces(Place::Value)?;
        Ok(Word {
            parts: p.parts,
            brace: false,
            assign: None,
        })
    }

    /// The pieces of a word in `${…}` outside double quotes.
    pub(super) fn operand(&mut self, stop: &[u8]) -> PResult<Word> {
        let p = self.pieces(Place::Operand(stop))?;
        Ok(Word {
            parts: p.parts,
            brace: false,
            assign: None,
        })
    }

    pub(super) fn bracket_parts(&mut self) -> PResult<Vec<Part>> {
        Ok(self.pieces(Place::Subscript)?.parts)
    }

    fn pieces(&mut self, place: Place<'_>) -> PResult<Pieces> {
        let mut out = Pieces::default();
        let inner = matches!(place, Place::Operand(_) | Place::Subscript);
        let mut depth = 0u32;
        // `~` counts at the start, in values also after `:`, in `name=value` arguments after `=`.
        let mut tilde = !matches!(place, Place::Subscript);
        let mut value = place == Place::Value;
        let mut name_so_far = place == Place::Arg;
        while let Some(c) = self.peek() {
            match place {
                Place::Operand(stop) if depth == 0 && stop.contains(&c) => {
                    break;
                }
                Place::Subscript => {
                    if c == b']' && depth == 0 {
                        break;
                    }
                    if c == b'[' {
                        depth += 1;
                    } else if c == b']' {
                        depth -= 1;
                    }
                }
                Place::Regex => {
                    if depth == 0
                        && (matches!(c, b' ' | b'\t' | b'\n' | b';' | b'<' | b'>' | b')')
                            || c == b'&')
                    {
                        break;
                    }
                    if depth == 0 && c == b'|' && self.peek_near(1) == Some(b'|') {
                        break;
                    }
                    if c == b'(' {
                        depth += 1;
                    } else if c == b')' {
                        depth = depth.saturating_sub(1);
                    }
                    if c == b'[' {
                        // A bracket expression may hold any character.
                        self.regex_bracket(&mut out)?;
                        continue;
                    }
                }
                _ => {}
            }
            if c == b'~' && tilde && self.tilde(&mut out, value, inner) {
                tilde = false;
                name_so_far = false;
                continue;
            }
            tilde = false;
            match c {
                b'\\' => {
                    self.pos += 1;
                    match self.peek() {
                        Some(b'\n') => self.pos += 1,
                        Some(b) => {
                            self.pos += 1;
                            out.quoted(b);
                        }
                        None => out.lit(b'\\'),
                    }
                    name_so_far = false;
                    continue;
                }
                b'\'' => {
                    let text = self.single_quoted()?;
                    out.part(Part::Quoted(text.into()));
                    name_so_far = false;
                    continue;
                }
                b'"' => {
                    let parts = self.double_quoted()?;
                    out.part(Part::DQuote(parts));
                    name_so_far = false;
                    continue;
                }
                b'`' => {
                    let part = self.backquoted(false)?;
                    out.part(part);
                    name_so_far = false;
                    continue;
                }
                b'$' => {
                    match self.dollar(false)? {
                        Some(part) => out.part(part),
                        None => out.lit(b'$'),
                    }
                    name_so_far = false;
                    continue;
                }
                b'<' | b'>'
                    if !matches!(place, Place::Subscript | Place::Regex)
                        && self.peek_near(1) == Some(b'(') =>
                {
                    self.pos += 2;
                    let list = self.substitution()?;
                    out.part(Part::ProcSub(c == b'>', list.into()));
                    continue;
                }
                b'?' | b'*' | b'+' | b'@' | b'!'
                    if (self.extglob || place == Place::Pattern)
                        && !matches!(place, Place::Regex | Place::Subscript)
                        && self.peek_near(1) == Some(b'(') =>
                {
                    self.extglob_pieces(&mut out)?;
                    continue;
                }
                _ => {}
            }
            if !inner
                && depth == 0
                && is_meta(c)
                && !(place == Place::Regex && matches!(c, b'(' | b')' | b'|'))
            {
                break;
            }
            if c == b'{' {
                out.brace = true;
            }
            if name_so_far {
                if c == b'=' && !out.empty() {
                    value = true;
                    tilde = true;
                    name_so_far = false;
                } else if !(c.is_ascii_alphanumeric() || c == b'_') {
                    name_so_far = false;
                }
            } else if value && c == b':' {
                tilde = true;
            }
            self.pos += 1;
            out.lit(c);
        }
        out.flush();
        Ok(out)
    }

    /// `~`, `~+`, `~name` up to a slash. False if a quote makes it plain text.
    fn tilde(&mut self, out: &mut Pieces, value: bool, inner: bool) -> bool {
        let mut len = 1;
        loop {
            match self.peek_near(len) {
                None => break,
                Some(b'/') => break,
                Some(b':') if value => break,
                Some(b'}') if inner => break,
                Some(b) if is_meta(b) => break,
                Some(b) if b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'+' | b'-') => {
                    len += 1
                }
                Some(_) => return false,
            }
        }
        let name = self.slice(self.pos + 1, self.pos + len).into();
        self.pos += len;
        out.part(Part::Tilde(name));
        true
    }

    /// `@( … | … )` with whatever is inside.
    fn extglob_pieces(&mut self, out: &mut Pieces) -> PResult<()> {
        self.deeper()?;
        let open = self.pos;
        for _ in 0..2 {
            if let Some(b) = self.next() {
                out.lit(b);
            }
        }
        let mut depth = 1u32;
        loop {
            let Some(c) = self.peek() else {
                return Err(self.unclosed(open, ')'));
            };
            match c {
                b')' => {
                    depth -= 1;
                    self.pos += 1;
                    out.lit(c);
                    if depth == 0 {
                        self.depth -= 1;
                        return Ok(());
                    }
                }
                b'(' => {
                    depth += 1;
                    self.pos += 1;
                    out.lit(c);
                }
                b'\\' => {
                    self.pos += 1;
                    if let Some(b) = self.next() {
                        out.quoted(b);
                    }
                }
                b'\'' => {
                    let text = self.single_quoted()?;
                    out.part(Part::Quoted(text.into()));
                }
                b'"' => {
                    let parts = self.double_quoted()?;
                    out.part(Part::DQuote(parts));
                }
                b'`' => {
                    let part = self.backquoted(false)?;
                    out.part(part);
                }
                b'$' => match self.dollar(false)? {
                    Some(part) => out.part(part),
                    None => out.lit(b'$'),
                },
                _ => {
                    self.pos += 1;
                    out.lit(c);
                }
            }
        }
    }

    /// A bracket expression in a regular expression: blanks and quotes inside are its own.
    fn regex_bracket(&mut self, out: &mut Pieces) -> PResult<()> {
        self.pos += 1;
        out.lit(b'[');
        let mut first = true;
        loop {
            let Some(c) = self.peek() else { return Ok(()) };
            match c {
                b'^' if first => {
                    self.pos += 1;
                    out.lit(c);
                    continue;
                }
                b']' if !first => {
                    self.pos += 1;
                    out.lit(c);
                    return Ok(());
                }
                b'[' if matches!(self.peek_near(1), Some(b':' | b'.' | b'=')) => {
                    let kind = self.peek_near(1).unwrap_or(b':');
                    let mut len = 2;
                    while self.peek_near(len).is_some_and(|b| b != b'\n')
                        && !(self.peek_near(len) == Some(kind)
                            && self.peek_near(len + 1) == Some(b']'))
                    {
                        len += 1;
                    }
                    for _ in 0..len + 2 {
                        if let Some(b) = self.next() {
                            out.lit(b);
                        }
                    }
                }
                b' ' | b'\t' | b'\n' => return Ok(()),
                b'$' => match self.dollar(false)? {
                    Some(part) => out.part(part),
                    None => out.lit(b'$'),
                },
                b'"' => {
                    let parts = self.double_quoted()?;
                    out.part(Part::DQuote(parts));
                }
                b'\'' => {
                    let text = self.single_quoted()?;
                    out.part(Part::Quoted(text.into()));
                }
                b'\\' => {
                    self.pos += 1;
                    if let Some(b) = self.next() {
                        out.quoted(b);
                    }
                }
                _ => {
                    self.pos += 1;
                    out.lit(c);
                }
            }
            first = false;
        }
    }
}
