//! Here-documents: found at `<<`, read after the end of that line.

use super::{PResult, Parser};
use crate::ast::{Bs, Here, Part, Word};
use std::cell::RefCell;
use std::rc::Rc;

impl Parser<'_> {
    /// After `<<` or `<<-`.
    pub(super) fn heredoc_start(&mut self, strip: bool) -> PResult<Rc<RefCell<Here>>> {
        self.blanks();
        let from = self.pos;
        let Some(word) = self.word()? else {
            return Err(self.unexpected());
        };
        let raw = self.slice(from, self.pos).to_vec();
        let quoted = raw.iter().any(|b| matches!(b, b'\'' | b'"' | b'\\'));
        let delim: Bs = if quoted { quote_removed(&word) } else { raw }.into();
        let here = Rc::new(RefCell::new(Here {
            delim,
            quoted,
            strip,
            body: Word::default(),
            text: Bs::default(),
        }));
        let line = self.line();
        self.pending.push((here.clone(), line));
        Ok(here)
    }

    /// The position is at the start of a line: reads the bodies that are due.
    pub(super) fn read_heredocs(&mut self) -> PResult<()> {
        for (here, line) in std::mem::take(&mut self.pending) {
            self.read_heredoc(&here, line)?;
        }
        Ok(())
    }

    /// Input ended while documents were due.
    pub(super) fn finish_heredocs(&mut self) -> PResult<()> {
        if self.pending.is_empty() {
            Ok(())
        } else {
            self.read_heredocs()
        }
    }

    fn read_heredoc(&mut self, here: &Rc<RefCell<Here>>, at_line: u32) -> PResult<()> {
        let (delim, quoted, strip) = {
            let h = here.borrow();
            (h.delim.clone(), h.quoted, h.strip)
        };
        let first_line = self.line();
        let mut body = Vec::new();
        let mut continued = false;
        loop {
            if self.peek().is_none() {
                let now = self.line();
                let text = format!(
                    "warning: here-document at line {at_line} delimited by end-of-file (wanted `{}')",
                    String::from_utf8_lossy(&delim)
                );
                self.warnings.push((now, text));
                break;
            }
            let from = self.pos;
            while self.peek_near(0).is_some_and(|b| b != b'\n') {
                self.pos += 1;
            }
            let mut line = self.slice(from, self.pos).to_vec();
            let ended = self.peek_near(0) == Some(b'\n');
            if ended {
                self.pos += 1;
            }
            if strip && !continued {
                let tabs = line.iter().take_while(|b| **b == b'\t').count();
                line.drain(..tabs);
            }
            if line == *delim && !continued {
                break;
            }
            // Inside $(…) a here-document may be closed by its delimiter and the parenthesis.
            if !continued
                && self.depth > 0
                && line.starts_with(&delim)
                && line.get(delim.len()) == Some(&b')')
            {
                self.pos = from + (self.pos - from - usize::from(ended) - line.len()) + delim.len();
                break;
            }
            continued = !quoted && line.iter().rev().take_while(|b| **b == b'\\').count() % 2 == 1;
            body.extend_from_slice(&line);
            if ended {
                body.push(b'\n');
            }
        }
        let word = if quoted {
            Word {
                parts: vec![Part::Quoted(body.clone().into())],
                ..Word::default()
            }
        } else {
            let mut p = Parser::new(&body, first_line);
            p.extglob = self.extglob;
            p.aliases = self.aliases.clone();
            p.depth = self.depth;
            Word {
                parts: p.here_parts()?,
                ..Word::default()
            }
        };
        let mut h = here.borrow_mut();
        h.body = word;
        h.text = body.into();
        Ok(())
    }
}

/// The text of a word after quote removal only.
pub(super) fn quote_removed(word: &Word) -> Vec<u8> {
    fn walk(parts: &[Part], out: &mut Vec<u8>) {
        for p in parts {
            match p {
                Part::Lit(t) | Part::Quoted(t) | Part::Bad(t) => out.extend_from_slice(t),
                Part::DQuote(inner) => walk(inner, out),
                Part::Tilde(t) => {
                    out.push(b'~');
                    out.extend_from_slice(t);
                }
                Part::Param(p) => {
                    out.push(b'$');
                    if p.text.is_empty() {
                        out.extend_from_slice(&crate::print::param_name(&p.name));
                    } else {
                        out.push(b'{');
                        out.extend_from_slice(&p.text);
                        out.push(b'}');
                    }
                }
                Part::CmdSub(c) => out.extend_from_slice(&c.text),
                Part::Arith(_) | Part::ProcSub(..) => {}
            }
        }
    }
    let mut out = Vec::new();
    walk(&word.parts, &mut out);
    out
}
