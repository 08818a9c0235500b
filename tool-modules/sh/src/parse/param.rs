//! Everything that begins with `$`.

use super::{PResult, Parser, ansi_c};
use crate::ast::{ArithText, Bs, CmdSub, List, Op, Param, Part, Pname, Sub, Word};

fn special(c: u8) -> bool {
    matches!(c, b'@' | b'*' | b'#' | b'?' | b'-' | b'$' | b'!')
}

impl Parser<'_> {
    /// At a `$`. `None`: it is only a dollar sign (and has been taken).
    pub(super) fn dollar(&mut self, quoted: bool) -> PResult<Option<Part>> {
        self.deeper()?;
        let out = self.dollar_inner(quoted);
        self.depth -= 1;
        out
    }

    fn dollar_inner(&mut self, quoted: bool) -> PResult<Option<Part>> {
        let from = self.pos;
        self.pos += 1;
        let Some(c) = self.peek_near(0) else {
            return Ok(None);
        };
        match c {
            b'\'' if !quoted => {
                self.pos += 1;
                let start = self.pos;
                loop {
                    match self.next() {
                        None => return Err(self.unclosed(from, '\'')),
                        Some(b'\'') => break,
                        Some(b'\\') => {
                            self.next();
                        }
                        Some(_) => {}
                    }
                }
                let text = ansi_c(self.slice(start, self.pos - 1));
                Ok(Some(Part::Quoted(text.into())))
            }
            b'"' if !quoted => Ok(Some(Part::DQuote(self.double_quoted()?))),
            b'(' => {
                if self.peek_near(1) == Some(b'(') {
                    let pending = self.pending.len();
                    self.pos += 2;
                    match self.arith_text(b"))") {
                        Ok(Some(text)) => {
                            self.pos += 2;
                            return Ok(Some(Part::Arith(Box::new(text))));
                        }
                        Ok(None) => {}
                        Err(e) if e.at_end => {}
                        Err(e) => return Err(e),
                    }
                    self.pending.truncate(pending);
                    self.pos = from + 1;
                }
                self.pos += 1;
                let list = self.substitution()?;
                let text = self.slice(from, self.pos).into();
                Ok(Some(Part::CmdSub(
                    CmdSub {
                        list,
                        backquote: false,
                        text,
                        error: None,
                    }
                    .into(),
                )))
            }
            b'[' => {
                self.pos += 1;
                match self.arith_text(b"]")? {
                    Some(text) => {
                        self.pos += 1;
                        Ok(Some(Part::Arith(Box::new(text))))
                    }
                    None => Err(self.unclosed(from, ']')),
                }
            }
            b'{' => self.braced(from, quoted).map(Some),
            b'0'..=b'9' => {
                self.pos += 1;
                Ok(Some(plain(Pname::Pos(u32::from(c - b'0')))))
            }
            _ if special(c) => {
                self.pos += 1;
                Ok(Some(plain(Pname::Special(c))))
            }
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => {
                let start = self.pos;
                while self
                    .peek_near(0)
                    .is_some_and(|b| b.is_ascii_alphanumeric() || b == b'_')
                {
                    self.pos += 1;
                }
                Ok(Some(plain(Pname::Var(self.slice(start, self.pos).into()))))
            }
            _ => Ok(None),
        }
    }

    /// After `$(`, `<(`: commands up to the `)`.
    pub(super) fn substitution(&mut self) -> PResult<List> {
        let open = self.pos;
        let list = self.compound_list(true)?;
        match self.peek() {
            Some(b')') => {
                self.pos += 1;
                Ok(list)
            }
            None => Err(self.unclosed(open, ')')),
            _ => Err(self.unexpected()),
        }
    }

    /// At the `{` of `${`.
    fn braced(&mut self, from: usize, quoted: bool) -> PResult<Part> {
        self.pos += 1;
        let start = self.pos;
        let part = self.braced_inner(from, quoted)?;
        if let Some(mut p) = part {
            if self.peek() == Some(b'}') {
                p.text = self.slice(start, self.pos).into();
                self.pos += 1;
                return Ok(Part::Param(Box::new(p)));
            }
            if self.peek().is_none() {
                return Err(self.unclosed(from, '}'));
            }
        }
        // Not a form that means anything; bash says so when it gets there.
        self.pos = start;
        let p = self.operand(b"}")?;
        drop(p);
        if self.peek() != Some(b'}') {
            return Err(self.unclosed(from, '}'));
        }
        self.pos += 1;
        Ok(Part::Bad(self.slice(from, self.pos).into()))
    }

    fn braced_inner(&mut self, from: usize, quoted: bool) -> PResult<Option<Param>> {
        let Some(c) = self.peek() else {
            return Err(self.unclosed(from, '}'));
        };
        let make = |name, sub, indirect, op| {
            Some(Param {
                name,
                sub,
                indirect,
                op,
                text: Bs::default(),
            })
        };
        if c == b'#' {
            let after = self.peek_at(1);
            let length = match after {
                Some(b'}') | None => false,
                Some(a) if a.is_ascii_alphanumeric() || a == b'_' => true,
                Some(a) if special(a) => self.peek_at(2) == Some(b'}'),
                _ => false,
            };
            if length {
                self.pos += 1;
                let Some(name) = self.parameter_name() else {
                    return Ok(None);
                };
                let sub = self.param_subscript()?;
                return Ok(make(name, sub, false, Op::Length));
            }
        }
        let mut indirect = false;
        if c == b'!' {
            let after = self.peek_at(1);
            indirect = after.is_some_and(|a| a.is_ascii_alphanumeric() || a == b'_')
                || (after.is_some_and(|a| matches!(a, b'@' | b'*' | b'#' | b'?' | b'$' | b'!'))
                    && self
                        .peek_at(2)
                        .is_some_and(|a| a == b'}' || after == Some(b'#') || a == b':'));
            if indirect {
                self.pos += 1;
            }
        }
        let Some(name) = self.parameter_name() else {
            return Ok(None);
        };
        let sub = self.param_subscript()?;
        if indirect && matches!(name, Pname::Var(_)) {
            match (&sub, self.peek(), self.peek_at(1)) {
                (None, Some(k @ (b'*' | b'@')), Some(b'}')) => {
                    self.pos += 1;
                    return Ok(make(name, None, false, Op::Names(k)));
                }
                (Some(Sub::At), Some(b'}'), _) => {
                    return Ok(make(name, None, false, Op::Keys(b'@')));
                }
                (Some(Sub::Star), Some(b'}'), _) => {
                    return Ok(make(name, None, false, Op::Keys(b'*')));
                }
                _ => {}
            }
        }
        let Some(op) = self.operator(quoted)? else {
            return Ok(None);
        };
        Ok(make(name, sub, indirect, op))
    }

    fn parameter_name(&mut self) -> Option<Pname> {
        let c = self.peek()?;
        let start = self.pos;
        if c.is_ascii_digit() {
            while self.peek_near(0).is_some_and(|b| b.is_ascii_digit()) {
                self.pos += 1;
            }
            let text = std::str::from_utf8(self.slice(start, self.pos)).ok()?;
            return Some(Pname::Pos(text.parse().unwrap_or(u32::MAX)));
        }
        if c.is_ascii_alphabetic() || c == b'_' {
            while self
                .peek_near(0)
                .is_some_and(|b| b.is_ascii_alphanumeric() || b == b'_')
            {
                self.pos += 1;
            }
            return Some(Pname::Var(self.slice(start, self.pos).into()));
        }
        if special(c) {
            self.pos += 1;
            return Some(Pname::Special(c));
        }
        None
    }

    fn param_subscript(&mut self) -> PResult<Option<Sub>> {
        if self.peek() != Some(b'[') {
            return Ok(None);
        }
        self.pos += 1;
        if self.peek_at(1) == Some(b']') {
            match self.peek() {
                Some(b'@') => {
                    self.pos += 2;
                    return Ok(Some(Sub::At));
                }
                Some(b'*') => {
                    self.pos += 2;
                    return Ok(Some(Sub::Star));
                }
                _ => {}
            }
        }
        match self.subscript_word()? {
            Some(w) => Ok(Some(Sub::Idx(w))),
            None => Ok(None),
        }
    }

    /// What follows the name. `None`: nothing that means anything.
    fn operator(&mut self, quoted: bool) -> PResult<Option<Op>> {
        let Some(c) = self.peek() else {
            return Ok(None);
        };
        self.pos += 1;
        let op = match c {
            b'}' => {
                self.pos -= 1;
                Op::None
            }
            b'-' | b'=' | b'?' | b'+' => Op::Default(c, false, self.default_word(quoted)?),
            b':' => match self.peek() {
                Some(k @ (b'-' | b'=' | b'?' | b'+')) => {
                    self.pos += 1;
                    Op::Default(k, true, self.default_word(quoted)?)
                }
                _ => {
                    let Some(off) = self.arith_text(b":}")? else {
                        return Ok(None);
                    };
                    let mut len = None;
                    if self.peek() == Some(b':') {
                        self.pos += 1;
                        let Some(l) = self.arith_text(b"}")? else {
                            return Ok(None);
                        };
                        len = Some(l);
                    }
                    Op::Slice(off, len)
                }
            },
            b'#' | b'%' => {
                let long = self.peek() == Some(c);
                if long {
                    self.pos += 1;
                }
                Op::Strip(c == b'%', long, self.operand(b"}")?)
            }
            b'/' => {
                let mut mode = 0;
                if let Some(m @ (b'/' | b'#' | b'%')) = self.peek() {
                    self.pos += 1;
                    mode = m;
                }
                let mut pat = self.operand(b"/}")?;
                // `${x//}` and `${x///y}`: a slash right at the start is the pattern.
                if pat.parts.is_empty() && self.peek() == Some(b'/') && mode == b'/' {
                    self.pos += 1;
                    let mut more = self.operand(b"/}")?;
                    more.parts.insert(0, Part::Lit((*b"/").into()));
                    pat = more;
                }
                let rep = if self.peek() == Some(b'/') {
                    self.pos += 1;
                    Some(self.operand(b"}")?)
                } else {
                    None
                };
                Op::Replace(mode, pat, rep)
            }
            b'^' | b',' | b'~' => {
                let all = self.peek() == Some(c);
                if all {
                    self.pos += 1;
                }
                let pat = if self.peek() == Some(b'}') {
                    None
                } else {
                    Some(self.operand(b"}")?)
                };
                Op::Case(c, all, pat)
            }
            b'@' => match self.peek() {
                Some(k) if k.is_ascii_alphabetic() => {
                    self.pos += 1;
                    if !matches!(
                        k,
                        b'Q' | b'E' | b'P' | b'A' | b'a' | b'U' | b'u' | b'L' | b'K' | b'k'
                    ) {
                        return Ok(None);
                    }
                    Op::Transform(k)
                }
                _ => return Ok(None),
            },
            _ => return Ok(None),
        };
        Ok(Some(op))
    }

    fn default_word(&mut self, quoted: bool) -> PResult<Word> {
        if quoted {
            let parts = self.quoted_operand(b"}")?;
            return Ok(Word {
                parts: vec![Part::DQuote(parts)],
                ..Word::default()
            });
        }
        self.operand(b"}")
    }

    /// Arithmetic up to `end`: `))`, `]`, `;`, or one of `:` and `}` in a slice. Stays before
    /// the end. `None`: this cannot be arithmetic.
    pub(super) fn arith_text(&mut self, end: &[u8]) -> PResult<Option<ArithText>> {
        let open = self.pos;
        let double = end == b"))";
        let mut out = super::word::Pieces::default();
        let mut depth = 0u32;
        let mut brackets = 0u32;
        let mut questions = 0u32;
        loop {
            let Some(c) = self.peek() else {
                return Err(self.unclosed(open, if double { ')' } else { '}' }));
            };
            if depth == 0 && brackets == 0 {
                if double {
                    if c == b')' {
                        if self.peek_at(1) == Some(b')') {
                            break;
                        }
                        return Ok(None);
                    }
                } else if end.contains(&c) && !(c == b':' && questions > 0) {
                    break;
                }
            }
            match c {
                b'(' => depth += 1,
                b')' => {
                    if depth == 0 {
                        return Ok(None);
                    }
                    depth -= 1;
                }
                b'[' => brackets += 1,
                b']' => brackets = brackets.saturating_sub(1),
                b'?' => questions += 1,
                b':' => questions = questions.saturating_sub(1),
                b'\\' => {
                    self.pos += 1;
                    match self.peek() {
                        Some(b'\n') => {
                            self.pos += 1;
                        }
                        Some(b @ (b'$' | b'`' | b'"' | b'\\')) => {
                            self.pos += 1;
                            out.lit(b);
                        }
                        _ => out.lit(b'\\'),
                    }
                    continue;
                }
                b'"' => {
                    if brackets > 0 {
                        let parts = self.double_quoted()?;
                        out.part(Part::DQuote(parts));
                    } else {
                        self.pos += 1;
                    }
                    continue;
                }
                b'\'' if brackets > 0 => {
                    let text = self.single_quoted()?;
                    out.part(Part::Quoted(text.into()));
                    continue;
                }
                b'$' => {
                    if self.peek_at(1) == Some(b'\'') {
                        self.pos += 1;
                        continue;
                    }
                    match self.dollar(true)? {
                        Some(part) => out.part(part),
                        None => out.lit(b'$'),
                    }
                    continue;
                }
                b'`' => {
                    let part = self.backquoted(true)?;
                    out.part(part);
                    continue;
                }
                _ => {}
            }
            self.pos += 1;
            out.lit(c);
        }
        out.flush();
        let word = Word {
            parts: out.parts,
            brace: false,
            assign: None,
        };
        let expr = super::arith::static_expr(&word);
        Ok(Some(ArithText { word, expr }))
    }
}

fn plain(name: Pname) -> Part {
    Part::Param(Box::new(Param {
        name,
        sub: None,
        indirect: false,
        op: Op::None,
        text: Bs::default(),
    }))
}
