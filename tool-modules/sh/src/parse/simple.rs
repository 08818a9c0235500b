//! Simple commands: assignments, words, redirections; and function definitions, which begin alike.

use super::{PResult, Parser, is_meta};
use crate::ast::{
    Assign, AssignValue, Bs, Command, Elem, Kind, Part, RedirFd, RedirOp, Redirect, Simple, Word,
};
use crate::strs::is_name;

/// Commands whose arguments may be assignments, `name=( … )` included.
fn is_declaration(word: &[u8]) -> bool {
    matches!(
        word,
        b"declare" | b"typeset" | b"local" | b"export" | b"readonly" | b"alias" | b"eval" | b"let"
    )
}

impl Parser<'_> {
    pub(super) fn simple(&mut self, line: u32) -> PResult<Command> {
        let mut out = Simple::default();
        let mut redirs = Vec::new();
        let mut declaration = false;
        let mut prev_end = self.pos;
        loop {
            self.blanks();
            if let Some(r) = self.redirect()? {
                redirs.push(r);
                prev_end = self.pos;
                continue;
            }
            if let Some(end) = self.alias_next
                && self.pos >= end
                && !out.words.is_empty()
            {
                self.alias_next = None;
                if prev_end <= end && self.alias_here(true) {
                    continue;
                }
            }
            if out.words.is_empty() {
                if let Some(assign) = self.assignment(true)? {
                    out.assigns.push(assign);
                    prev_end = self.pos;
                    // An alias may follow assignments too.
                    while self.peek_near(0).is_some_and(|b| matches!(b, b' ' | b'\t')) {
                        self.pos += 1;
                    }
                    self.alias_here(false);
                    continue;
                }
            } else if declaration {
                let from = self.pos;
                if let Some(assign) = self.assignment(true)? {
                    let array = matches!(assign.value, AssignValue::Array(_));
                    let end = self.pos;
                    let mut word = if array {
                        Word {
                            parts: vec![Part::Quoted(self.slice(from, end).into())],
                            ..Word::default()
                        }
                    } else {
                        self.pos = from;
                        self.word()?.unwrap_or_default()
                    };
                    self.pos = end;
                    word.assign = Some(Box::new(assign));
                    out.words.push(word);
                    prev_end = self.pos;
                    continue;
                }
            }
            let from = self.pos;
            let Some(word) = self.word()? else { break };
            prev_end = self.pos;
            if out.words.is_empty()
                && out.assigns.is_empty()
                && redirs.is_empty()
                && self.function_follows(&word)
            {
                let name: Bs = self.slice(from, self.pos).into();
                self.blanks();
                self.pos += 1;
                self.blanks();
                self.pos += 1;
                return self.function_body(name, line);
            }
            if !declaration {
                declaration = match word.as_lit() {
                    Some(w) => {
                        is_declaration(w)
                            && out
                                .words
                                .iter()
                                .all(|w| matches!(w.as_lit(), Some(b"command" | b"builtin")))
                    }
                    None => false,
                };
            }
            out.words.push(word);
        }
        if out.words.is_empty() && out.assigns.is_empty() && redirs.is_empty() {
            return Err(self.unexpected());
        }
        if self.peek() == Some(b'(') {
            return Err(self.unexpected());
        }
        Ok(Command {
            kind: Kind::Simple(out),
            redirs,
            line,
        })
    }

    /// `name ()` ?
    fn function_follows(&mut self, word: &Word) -> bool {
        if word.parts.iter().any(|p| !matches!(p, Part::Lit(_))) {
            return false;
        }
        let mut at = 0;
        while matches!(self.peek_near(at), Some(b' ' | b'\t')) {
            at += 1;
        }
        if self.peek_near(at) != Some(b'(') {
            return false;
        }
        at += 1;
        while matches!(self.peek_near(at), Some(b' ' | b'\t')) {
            at += 1;
        }
        self.peek_near(at) == Some(b')')
    }

    /// An assignment at the current position; the position stays if there is none.
    pub(super) fn assignment(&mut self, arrays: bool) -> PResult<Option<Assign>> {
        let from = self.pos;
        let mut len = 0;
        while self
            .peek_near(len)
            .is_some_and(|b| b.is_ascii_alphanumeric() || b == b'_')
        {
            len += 1;
        }
        let name: Bs = self.slice(from, from + len).into();
        if !is_name(&name) {
            return Ok(None);
        }
        self.pos += len;
        let mut sub = None;
        if self.peek_near(0) == Some(b'[') {
            self.pos += 1;
            match self.subscript_word() {
                Ok(Some(w)) => sub = Some(w),
                Ok(None) => {
                    self.pos = from;
                    return Ok(None);
                }
                Err(e) => {
                    // `a[` that is never closed is only a word.
                    if e.at_end {
                        self.pos = from;
                        return Ok(None);
                    }
                    return Err(e);
                }
            }
        }
        let append = self.starts(b"+=");
        if append {
            self.pos += 2;
        } else if self.peek_near(0) == Some(b'=') {
            self.pos += 1;
        } else {
            self.pos = from;
            return Ok(None);
        }
        if arrays && self.peek_near(0) == Some(b'(') {
            self.pos += 1;
            let elems = self.array_elems()?;
            return Ok(Some(Assign {
                name,
                sub,
                append,
                value: AssignValue::Array(elems),
            }));
        }
        let value = self.value_word()?;
        Ok(Some(Assign {
            name,
            sub,
            append,
            value: AssignValue::Word(value),
        }))
    }

    /// The whole text as one assignment.
    pub fn lone_assignment(&mut self) -> Option<Assign> {
        let a = self.assignment(true).ok()??;
        if self.peek().is_some() { None } else { Some(a) }
    }

    /// After `name[`: the subscript, with the `]`. `None` if this is no subscript.
    pub(super) fn subscript_word(&mut self) -> PResult<Option<Word>> {
        let parts = self.bracket_parts()?;
        if self.peek() != Some(b']') {
            return Ok(None);
        }
        self.pos += 1;
        Ok(Some(Word {
            parts,
            brace: false,
            assign: None,
        }))
    }

    fn array_elems(&mut self) -> PResult<Vec<Elem>> {
        let open = self.pos;
        let mut out = Vec::new();
        loop {
            self.newlines()?;
            match self.peek() {
                None => return Err(self.unclosed(open, ')')),
                Some(b')') => {
                    self.pos += 1;
                    return Ok(out);
                }
                Some(b'[') => {
                    let from = self.pos;
                    self.pos += 1;
                    if let Some(sub) = self.subscript_word()? {
                        let append = self.starts(b"+=");
                        if append || self.peek_near(0) == Some(b'=') {
                            self.pos += if append { 2 } else { 1 };
                            let value = self.value_word()?;
                            out.push(Elem {
                                sub: Some(sub),
                                append,
                                value,
                            });
                            continue;
                        }
                    }
                    self.pos = from;
                }
                _ => {}
            }
            match self.word()? {
                Some(value) => out.push(Elem {
                    sub: None,
                    append: false,
                    value,
                }),
                None => return Err(self.unexpected()),
            }
        }
    }

    /// A redirection, if there is one.
    pub(super) fn redirect(&mut self) -> PResult<Option<Redirect>> {
        self.blanks();
        let from = self.pos;
        let mut fd = None;
        match self.peek_near(0) {
            Some(b'0'..=b'9') => {
                let mut len = 0;
                while self.peek_near(len).is_some_and(|b| b.is_ascii_digit()) {
                    len += 1;
                }
                if !matches!(self.peek_near(len), Some(b'<' | b'>')) {
                    return Ok(None);
                }
                let text = std::str::from_utf8(self.slice(from, from + len)).unwrap_or_default();
                let Ok(n) = text.parse() else { return Ok(None) };
                fd = Some(RedirFd::Num(n));
                self.pos += len;
            }
            Some(b'{') => {
                let Some(var) = self.fd_variable()? else {
                    return Ok(None);
                };
                fd = Some(var);
            }
            Some(b'<' | b'>') => {}
            Some(b'&') if self.peek_near(1) == Some(b'>') => {}
            _ => return Ok(None),
        }
        // <( and >( are process substitutions, that is words.
        if matches!(self.peek_near(0), Some(b'<' | b'>')) && self.peek_near(1) == Some(b'(') {
            self.pos = from;
            return Ok(None);
        }
        let ops: [(&[u8], u8); 12] = [
            (b"&>>", 0),
            (b"&>", 1),
            (b"<<<", 2),
            (b"<<-", 3),
            (b"<<", 4),
            (b"<&", 5),
            (b"<>", 6),
            (b">>", 7),
            (b">&", 8),
            (b">|", 9),
            (b"<", 10),
            (b">", 11),
        ];
        let Some((text, which)) = ops.iter().find(|(t, _)| self.starts(t)).copied() else {
            self.pos = from;
            return Ok(None);
        };
        self.pos += text.len();
        if which == 3 || which == 4 {
            let here = self.heredoc_start(which == 3)?;
            return Ok(Some(Redirect {
                fd,
                op: RedirOp::Here(here),
            }));
        }
        self.blanks();
        let Some(word) = self.word()? else {
            return Err(self.unexpected());
        };
        let op = match which {
            0 => RedirOp::Both(true, word),
            1 => RedirOp::Both(false, word),
            2 => RedirOp::HereStr(word),
            5 => RedirOp::DupIn(word),
            6 => RedirOp::ReadWrite(word),
            7 => RedirOp::Append(word),
            8 => RedirOp::DupOut(word),
            9 => RedirOp::Clobber(word),
            10 => RedirOp::Read(word),
            _ => RedirOp::Write(word),
        };
        Ok(Some(Redirect { fd, op }))
    }

    /// `{name}` or `{name[sub]}` directly before a redirection.
    fn fd_variable(&mut self) -> PResult<Option<RedirFd>> {
        let from = self.pos;
        let mut len = 1;
        while self
            .peek_near(len)
            .is_some_and(|b| b.is_ascii_alphanumeric() || b == b'_')
        {
            len += 1;
        }
        let name: Bs = self.slice(from + 1, from + len).into();
        if !is_name(&name) {
            return Ok(None);
        }
        let mut sub = None;
        self.pos += len;
        if self.peek_near(0) == Some(b'[') {
            // Only a subscript that is closed on this line makes this a redirection.
            let mut at = 0;
            while self.peek_near(at).is_some_and(|b| !is_meta(b) && b != b']') {
                at += 1;
            }
            if self.peek_near(at) == Some(b']') && self.peek_near(at + 1) == Some(b'}') {
                self.pos += 1;
                sub = self.subscript_word()?;
            }
        }
        if self.peek_near(0) == Some(b'}') && matches!(self.peek_near(1), Some(b'<' | b'>')) {
            self.pos += 1;
            return Ok(Some(RedirFd::Var(name, sub)));
        }
        self.pos = from;
        Ok(None)
    }
}
