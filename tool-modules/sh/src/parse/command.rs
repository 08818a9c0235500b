//! Lists, pipelines and compound commands.

use super::{PResult, Parser, is_meta};
use crate::ast::{
    ArithFor, Arm, ArmEnd, Bs, Case, Command, For, FuncDef, Item, Kind, List, Pipeline, RedirFd,
    RedirOp, Redirect, Word,
};
use std::cell::RefCell;
use std::rc::Rc;

const RESERVED: [&[u8]; 22] = [
    b"!",
    b"{",
    b"}",
    b"[[",
    b"]]",
    b"case",
    b"coproc",
    b"do",
    b"done",
    b"elif",
    b"else",
    b"esac",
    b"fi",
    b"for",
    b"function",
    b"if",
    b"in",
    b"select",
    b"then",
    b"time",
    b"until",
    b"while",
];

/// Words that end a list rather than begin a command.
fn ends_list(word: &[u8]) -> bool {
    matches!(
        word,
        b"}" | b"do" | b"done" | b"elif" | b"else" | b"esac" | b"fi" | b"then"
    )
}

impl Parser<'_> {
    /// The reserved word at the current position, if there is one.
    pub(super) fn reserved(&mut self) -> Option<&'static [u8]> {
        self.blanks();
        let first = self.peek()?;
        if !(first.is_ascii_lowercase() || matches!(first, b'!' | b'{' | b'}' | b'[' | b']')) {
            return None;
        }
        let mut len = 0;
        while let Some(b) = self.peek_near(len) {
            if is_meta(b) {
                break;
            }
            if len > 8 || matches!(b, b'\'' | b'"' | b'\\' | b'$' | b'`') {
                return None;
            }
            len += 1;
        }
        let text = self.slice(self.pos, self.pos + len);
        RESERVED.iter().find(|w| **w == text).copied()
    }

    fn take_word(&mut self, word: &[u8]) -> bool {
        if self.reserved() == Some(word) {
            self.pos += word.len();
            true
        } else {
            false
        }
    }

    fn expect_word(&mut self, word: &[u8]) -> PResult<()> {
        if self.take_word(word) {
            Ok(())
        } else {
            Err(self.unexpected())
        }
    }

    /// Commands up to the end of the line.
    pub(super) fn line_list(&mut self) -> PResult<List> {
        let mut out = Vec::new();
        loop {
            let mut item = self.and_or()?;
            self.blanks();
            let more = self.separator(&mut item);
            out.push(item);
            if !more {
                break;
            }
            self.blanks();
            if matches!(self.peek(), None | Some(b'\n' | b')')) {
                break;
            }
        }
        Ok(List(out))
    }

    /// Takes `;` or `&`.
    fn separator(&mut self, item: &mut Item) -> bool {
        match self.peek_near(0) {
            Some(b';') if !matches!(self.peek_near(1), Some(b';' | b'&')) => {
                self.pos += 1;
                true
            }
            Some(b'&') if self.peek_near(1) != Some(b'&') => {
                self.pos += 1;
                item.background = true;
                true
            }
            _ => false,
        }
    }

    /// Commands up to a word or sign that ends a list. With `empty` there may be none.
    pub(super) fn compound_list(&mut self, empty: bool) -> PResult<List> {
        let mut out = Vec::new();
        self.newlines()?;
        loop {
            match self.peek() {
                None => {
                    return if empty {
                        Ok(List(out))
                    } else {
                        Err(self.unexpected_end())
                    };
                }
                Some(b')') => break,
                Some(b';') if matches!(self.peek_near(1), Some(b';' | b'&')) => break,
                _ => {}
            }
            if self.reserved().is_some_and(ends_list) {
                break;
            }
            let mut item = self.and_or()?;
            self.blanks();
            let more = self.separator(&mut item);
            out.push(item);
            self.blanks();
            match self.peek() {
                Some(b'\n') => self.newlines()?,
                _ if more => {}
                _ => break,
            }
        }
        if out.is_empty() && !empty {
            return Err(self.unexpected());
        }
        Ok(List(out))
    }

    fn and_or(&mut self) -> PResult<Item> {
        let first = self.pipeline()?;
        let mut rest = Vec::new();
        loop {
            self.blanks();
            let and = self.starts(b"&&");
            if !and && !self.starts(b"||") {
                break;
            }
            self.pos += 2;
            self.newlines()?;
            if self.peek().is_none() {
                return Err(self.unexpected_end());
            }
            rest.push((and, self.pipeline()?));
        }
        Ok(Item {
            first,
            rest,
            background: false,
        })
    }

    fn pipeline(&mut self) -> PResult<Pipeline> {
        let mut out = Pipeline {
            negate: false,
            timed: None,
            cmds: Vec::new(),
        };
        let mut prefixed = false;
        loop {
            if self.alias_here(false) {
                continue;
            }
            match self.reserved() {
                Some(b"!") => {
                    self.pos += 1;
                    out.negate = !out.negate;
                }
                Some(b"time") => {
                    self.pos += 4;
                    self.blanks();
                    let word_ends = |b: Option<u8>| b.is_none_or(is_meta);
                    out.timed = Some(out.timed.unwrap_or(false));
                    if self.starts(b"-p") && word_ends(self.peek_near(2)) {
                        self.pos += 2;
                        out.timed = Some(true);
                        self.blanks();
                    }
                    if self.starts(b"--") && word_ends(self.peek_near(2)) {
                        self.pos += 2;
                    }
                }
                _ => break,
            }
            prefixed = true;
        }
        if prefixed {
            self.blanks();
            if matches!(self.peek(), None | Some(b'\n' | b';' | b')')) {
                return Ok(out);
            }
        }
        loop {
            let mut cmd = self.command()?;
            self.blanks();
            if self.peek() == Some(b'|') && self.peek_near(1) != Some(b'|') {
                self.pos += 1;
                if self.peek_near(0) == Some(b'&') {
                    self.pos += 1;
                    cmd.redirs.push(Redirect {
                        fd: Some(RedirFd::Num(2)),
                        op: RedirOp::DupOut(Word::lit(b"1")),
                    });
                }
                out.cmds.push(cmd);
                self.newlines()?;
                if self.peek().is_none() {
                    return Err(self.unexpected_end());
                }
                if self.reserved() == Some(b"!") {
                    return Err(self.unexpected());
                }
            } else {
                out.cmds.push(cmd);
                return Ok(out);
            }
        }
    }

    pub(super) fn command(&mut self) -> PResult<Command> {
        self.deeper()?;
        let out = self.command_inner();
        self.depth -= 1;
        out
    }

    fn command_inner(&mut self) -> PResult<Command> {
        while self.alias_here(false) {}
        self.blanks();
        let line = self.line();
        let kind = match self.peek() {
            Some(b'(') => self.paren()?,
            _ => match self.reserved() {
                Some(b"{") => {
                    self.pos += 1;
                    let list = self.compound_list(false)?;
                    self.expect_word(b"}")?;
                    Kind::Group(list)
                }
                Some(b"if") => self.if_clause()?,
                Some(b"while") => self.while_clause(false)?,
                Some(b"until") => self.while_clause(true)?,
                Some(b"for") => self.for_clause()?,
                Some(b"select") => {
                    self.pos += 6;
                    Kind::Select(Box::new(self.for_rest()?))
                }
                Some(b"case") => self.case_clause()?,
                Some(b"[[") => {
                    self.pos += 2;
                    Kind::Cond(self.cond_expr()?)
                }
                Some(b"function") => return self.function_clause(line),
                Some(b"coproc") => return self.coproc_clause(line),
                Some(b"time" | b"!") => return Err(self.unexpected()),
                Some(w) if ends_list(w) => return Err(self.unexpected()),
                _ => return self.simple(line),
            },
        };
        self.with_redirects(kind, line)
    }

    fn with_redirects(&mut self, kind: Kind, line: u32) -> PResult<Command> {
        let mut redirs = Vec::new();
        while let Some(r) = self.redirect()? {
            redirs.push(r);
        }
        self.blanks();
        // After a compound command only an operator can come.
        if self.peek().is_some_and(|b| !is_meta(b) || b == b'(')
            && !self.reserved().is_some_and(ends_list)
        {
            return Err(self.unexpected());
        }
        Ok(Command { kind, redirs, line })
    }

    /// `(( … ))` or `( … )`.
    fn paren(&mut self) -> PResult<Kind> {
        if self.peek_near(1) == Some(b'(') {
            let from = self.pos;
            let pending = self.pending.len();
            self.pos += 2;
            match self.arith_text(b"))") {
                Ok(Some(text)) => {
                    self.pos += 2;
                    return Ok(Kind::Arith(text));
                }
                Ok(None) => {}
                Err(e) if e.at_end => {}
                Err(e) => return Err(e),
            }
            self.pending.truncate(pending);
            self.pos = from;
        }
        self.pos += 1;
        let list = self.compound_list(false)?;
        if self.peek() != Some(b')') {
            return Err(self.unexpected());
        }
        self.pos += 1;
        Ok(Kind::Subshell(list))
    }

    fn if_clause(&mut self) -> PResult<Kind> {
        self.pos += 2;
        let mut arms = Vec::new();
        loop {
            let cond = self.compound_list(false)?;
            self.expect_word(b"then")?;
            let body = self.compound_list(false)?;
            arms.push((cond, body));
            if self.take_word(b"elif") {
                continue;
            }
            let other = if self.take_word(b"else") {
                Some(self.compound_list(false)?)
            } else {
                None
            };
            self.expect_word(b"fi")?;
            return Ok(Kind::If(arms, other));
        }
    }

    fn while_clause(&mut self, until: bool) -> PResult<Kind> {
        self.pos += 5;
        let cond = self.compound_list(false)?;
        let body = self.do_group()?;
        Ok(Kind::While(until, Box::new((cond, body))))
    }

    fn do_group(&mut self) -> PResult<List> {
        self.newlines()?;
        if self.take_word(b"{") {
            let body = self.compound_list(false)?;
            self.expect_word(b"}")?;
            return Ok(body);
        }
        self.expect_word(b"do")?;
        let body = self.compound_list(false)?;
        self.expect_word(b"done")?;
        Ok(body)
    }

    fn for_clause(&mut self) -> PResult<Kind> {
        self.pos += 3;
        self.blanks();
        if !self.starts(b"((") {
            return Ok(Kind::For(Box::new(self.for_rest()?)));
        }
        self.pos += 2;
        let mut texts = Vec::new();
        for end in [&b";"[..], b";", b"))"] {
            let Some(text) = self.arith_text(end)? else {
                return Err(self.unexpected());
            };
            self.pos += end.len();
            let blank = t_blank(&text);
            texts.push(Some(text).filter(|_| !blank));
        }
        self.blanks();
        if self.peek() == Some(b';') {
            self.pos += 1;
        }
        let body = self.do_group()?;
        let step = texts.pop().flatten();
        let cond = texts.pop().flatten();
        let init = texts.pop().flatten();
        Ok(Kind::ArithFor(Box::new(ArithFor {
            init,
            cond,
            step,
            body,
        })))
    }

    /// `for` and `select` after the word.
    fn for_rest(&mut self) -> PResult<For> {
        self.blanks();
        let from = self.pos;
        if self.word()?.is_none() {
            return Err(self.unexpected());
        }
        let var: Bs = self.slice(from, self.pos).into();
        self.newlines()?;
        let mut words = None;
        if self.take_word(b"in") {
            let mut list = Vec::new();
            loop {
                self.blanks();
                match self.word()? {
                    Some(w) => list.push(w),
                    None => break,
                }
            }
            words = Some(list);
            match self.peek() {
                Some(b';') if self.peek_near(1) != Some(b';') => self.pos += 1,
                Some(b'\n') => {}
                None => return Err(self.unexpected_end()),
                _ => return Err(self.unexpected()),
            }
        } else {
            self.blanks();
            if self.peek() == Some(b';') && self.peek_near(1) != Some(b';') {
                self.pos += 1;
            }
        }
        let body = self.do_group()?;
        Ok(For { var, words, body })
    }

    fn case_clause(&mut self) -> PResult<Kind> {
        self.pos += 4;
        self.blanks();
        let Some(word) = self.word()? else {
            return Err(self.unexpected());
        };
        self.newlines()?;
        self.expect_word(b"in")?;
        let mut arms = Vec::new();
        loop {
            self.newlines()?;
            if self.peek().is_none() {
                return Err(self.unexpected_end());
            }
            if self.take_word(b"esac") {
                break;
            }
            if self.peek() == Some(b'(') {
                self.pos += 1;
                self.blanks();
            }
            let mut pats = Vec::new();
            loop {
                self.blanks();
                match self.word()? {
                    Some(w) => pats.push(w),
                    None => return Err(self.unexpected()),
                }
                self.blanks();
                match self.peek() {
                    Some(b'|') => self.pos += 1,
                    Some(b')') => {
                        self.pos += 1;
                        break;
                    }
                    _ => return Err(self.unexpected()),
                }
            }
            let body = self.compound_list(true)?;
            self.newlines()?;
            let mut end = ArmEnd::Break;
            let mut closed = true;
            if self.starts(b";;&") {
                self.pos += 3;
                end = ArmEnd::Test;
            } else if self.starts(b";;") {
                self.pos += 2;
            } else if self.starts(b";&") {
                self.pos += 2;
                end = ArmEnd::Fall;
            } else {
                closed = false;
            }
            arms.push(Arm { pats, body, end });
            if !closed {
                if self.peek().is_none() {
                    return Err(self.unexpected_end());
                }
                self.expect_word(b"esac")?;
                break;
            }
        }
        Ok(Kind::Case(Box::new(Case { word, arms })))
    }

    fn function_clause(&mut self, line: u32) -> PResult<Command> {
        self.pos += 8;
        self.blanks();
        let from = self.pos;
        if self.word()?.is_none() {
            return Err(self.unexpected());
        }
        let name: Bs = self.slice(from, self.pos).into();
        self.blanks();
        if self.peek() == Some(b'(') {
            let at = self.pos;
            self.pos += 1;
            self.blanks();
            if self.peek() == Some(b')') {
                self.pos += 1;
            } else {
                self.pos = at;
            }
        }
        self.function_body(name, line)
    }

    /// The body after the name and its parentheses.
    pub(super) fn function_body(&mut self, name: Bs, line: u32) -> PResult<Command> {
        self.newlines()?;
        let starts = self.peek() == Some(b'(')
            || matches!(
                self.reserved(),
                Some(b"{" | b"if" | b"while" | b"until" | b"for" | b"case" | b"select" | b"[[")
            );
        if !starts {
            return Err(self.unexpected());
        }
        let body = self.command()?;
        let def = FuncDef {
            name,
            body,
            line,
            file: RefCell::default(),
        };
        Ok(Command {
            kind: Kind::Func(Rc::new(def)),
            redirs: Vec::new(),
            line,
        })
    }

    fn coproc_clause(&mut self, line: u32) -> PResult<Command> {
        self.pos += 6;
        self.blanks();
        let compound = |p: &mut Self| {
            p.blanks();
            p.peek() == Some(b'(')
                || matches!(
                    p.reserved(),
                    Some(b"{" | b"if" | b"while" | b"until" | b"for" | b"case" | b"select" | b"[[")
                )
        };
        let mut name = None;
        if !compound(self) {
            let from = self.pos;
            if self.word()?.is_some() {
                let text: Bs = self.slice(from, self.pos).into();
                if compound(self) {
                    name = Some(text);
                }
            }
            if name.is_none() {
                self.pos = from;
            }
        }
        let body = self.command()?;
        Ok(Command {
            kind: Kind::Coproc(name, Box::new(body)),
            redirs: Vec::new(),
            line,
        })
    }

    /// Replaces the alias at the current position by its text. True if there was one.
    /// `argument`: the word follows an alias that ended in a blank.
    pub(super) fn alias_here(&mut self, argument: bool) -> bool {
        let Some(aliases) = self.aliases.clone() else {
            return false;
        };
        if aliases.is_empty() {
            return false;
        }
        self.blanks();
        let _ = argument;
        let mut len = 0;
        loop {
            match self.peek_near(len) {
                Some(b'\'' | b'"' | b'\\' | b'$' | b'`') => return false,
                Some(b) if !is_meta(b) => len += 1,
                _ => break,
            }
        }
        let name = self.slice(self.pos, self.pos + len).to_vec();
        let Some(value) = aliases.get(&name) else {
            return false;
        };
        let pos = self.pos;
        self.alias_ends.retain(|(_, end)| *end > pos);
        if self.alias_ends.iter().any(|(n, _)| *n == name) {
            return false;
        }
        self.buf.splice(pos..pos + len, value.iter().copied());
        for (_, end) in &mut self.alias_ends {
            *end = (*end + value.len()).saturating_sub(len);
        }
        let end = pos + value.len();
        if value.last().is_some_and(|b| matches!(b, b' ' | b'\t')) {
            self.alias_next = Some(end);
        }
        // The end counts as inside for one character: a name directly behind is the same word.
        self.alias_ends.push((name, end + 1));
        true
    }
}

/// Nothing but blanks.
fn t_blank(t: &crate::ast::ArithText) -> bool {
    match t.word.parts.as_slice() {
        [] => true,
        [crate::ast::Part::Lit(l)] => l.iter().all(u8::is_ascii_whitespace),
        _ => false,
    }
}
