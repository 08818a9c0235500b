//! Expansion: words to arguments, strings, patterns.

pub mod arith;
pub mod brace;
pub mod fields;
pub mod glob;
pub mod ops;
pub mod param;
pub mod pattern;
pub mod regex;
pub mod tilde;

use crate::ast::{Part, Word};
use crate::opts;
use crate::shell::{Shell, Unwind};
use fields::{Fields, Ifs, Mode};

impl Shell {
    /// `$IFS`, prepared.
    pub fn ifs(&mut self) -> Ifs {
        let value = self.get(b"IFS");
        Ifs::new(value.as_ref().map(|t| t.as_slice()))
    }

    /// Words to arguments: braces, everything with `$`, splitting, path names.
    pub fn expand_args(&mut self, words: &[Word]) -> Result<Vec<Vec<u8>>, Unwind> {
        let mut out = Vec::with_capacity(words.len());
        let mut ifs = None;
        for w in words {
            self.expand_arg(w, &mut ifs, &mut out)?;
        }
        Ok(out)
    }

    fn expand_arg(
        &mut self,
        w: &Word,
        ifs: &mut Option<Ifs>,
        out: &mut Vec<Vec<u8>>,
    ) -> Result<(), Unwind> {
        if w.brace && self.opt(opts::BRACEEXPAND) {
            match brace::expand(w) {
                Ok(None) => {}
                Ok(Some(words)) => {
                    for w in &words {
                        self.expand_plain_arg(w, ifs, out)?;
                    }
                    return Ok(());
                }
                Err(brace::TooMany) => {
                    self.error(format!(
                        "brace expansion: more than {} words",
                        brace::MAX_WORDS
                    ));
                    return Err(self.abort(1));
                }
            }
        }
        self.expand_plain_arg(w, ifs, out)
    }

    fn expand_plain_arg(
        &mut self,
        w: &Word,
        ifs: &mut Option<Ifs>,
        out: &mut Vec<Vec<u8>>,
    ) -> Result<(), Unwind> {
        match w.parts.as_slice() {
            [Part::Quoted(t)] => {
                out.push(t.to_vec());
                return Ok(());
            }
            [Part::Lit(t)] if !t.iter().any(|b| matches!(b, b'*' | b'?' | b'[' | b'(')) => {
                out.push(t.to_vec());
                return Ok(());
            }
            _ => {}
        }
        let ifs = match ifs {
            Some(i) => i.clone(),
            None => {
                let i = self.ifs();
                *ifs = Some(i.clone());
                i
            }
        };
        let mut f = Fields::new(Mode::Args, ifs);
        for p in &w.parts {
            self.expand_part(p, false, &mut f)?;
        }
        for field in f.into_fields() {
            let extglob = self.shopt(opts::EXTGLOB);
            if !field.magic || self.opt(opts::NOGLOB) {
                out.push(field.text);
                continue;
            }
            let pat = field.pattern();
            if !glob::has_magic(&pat, extglob) {
                out.push(field.text);
                continue;
            }
            let found = self.glob(&pat);
            if !found.is_empty() {
                out.extend(found);
            } else if self.shopt(opts::FAILGLOB) {
                self.error([b"no match: ", field.text.as_slice()].concat());
                return Err(self.abort(1));
            } else if !self.shopt(opts::NULLGLOB) {
                out.push(field.text);
            }
        }
        Ok(())
    }

    /// A word to one string, without splitting or path names.
    pub fn expand_single(&mut self, w: &Word) -> Result<Vec<u8>, Unwind> {
        match w.parts.as_slice() {
            [] => return Ok(Vec::new()),
            [Part::Lit(t) | Part::Quoted(t)] => return Ok(t.to_vec()),
            _ => {}
        }
        self.expand_parts(&w.parts, false, Mode::Single)
    }

    /// The same, as if in double quotes.
    pub fn expand_quoted(&mut self, w: &Word) -> Result<Vec<u8>, Unwind> {
        self.expand_parts(&w.parts, true, Mode::Single)
    }

    /// A word to a pattern in which what was quoted is escaped.
    pub fn expand_pattern(&mut self, w: &Word) -> Result<Vec<u8>, Unwind> {
        self.expand_parts(&w.parts, false, Mode::Pattern)
    }

    /// A word to a regular expression in which what was quoted is escaped.
    pub fn expand_regex(&mut self, w: &Word) -> Result<Vec<u8>, Unwind> {
        self.expand_parts(&w.parts, false, Mode::Regex)
    }

    fn expand_parts(
        &mut self,
        parts: &[Part],
        quoted: bool,
        mode: Mode,
    ) -> Result<Vec<u8>, Unwind> {
        let ifs = self.ifs();
        let mut f = Fields::new(mode, ifs);
        for p in parts {
            self.expand_part(p, quoted, &mut f)?;
        }
        Ok(f.into_text())
    }

    /// Appends what a piece expands to.
    pub(crate) fn expand_part(
        &mut self,
        p: &Part,
        quoted: bool,
        out: &mut Fields,
    ) -> Result<(), Unwind> {
        match p {
            Part::Lit(t) if quoted => out.quoted(t),
            Part::Lit(t) => out.plain(t),
            Part::Quoted(t) => out.quoted(t),
            Part::DQuote(parts) => {
                let nothing = std::mem::replace(&mut out.nothing, false);
                for p in parts {
                    self.expand_part(p, true, out)?;
                }
                // `"$@"` without parameters is no argument at all.
                if !out.nothing
                    || parts.len() > 1 && !parts.iter().all(|p| matches!(p, Part::Param(_)))
                {
                    out.mark();
                }
                out.nothing = nothing;
            }
            Part::Param(p) => self.expand_param(p, quoted, out)?,
            Part::CmdSub(c) => {
                let text = self.command_substitution(c)?;
                if quoted {
                    out.quoted(&text)
                } else {
                    out.split(&text)
                }
            }
            Part::Arith(a) => match self.arith(a) {
                Ok(n) => {
                    let text = n.to_string();
                    if quoted {
                        out.quoted(text.as_bytes())
                    } else {
                        out.split(text.as_bytes())
                    }
                }
                Err(()) => return Err(self.arith_failure()),
            },
            Part::ProcSub(write, list) => {
                let path = self.process_substitution(*write, list)?;
                out.quoted(&path);
            }
            Part::Tilde(name) => match self.tilde(name) {
                Some(path) => out.quoted(&path),
                None => {
                    out.plain(b"~");
                    out.plain(name);
                }
            },
            Part::Bad(text) => {
                self.error([text, &b": bad substitution"[..]].concat());
                return Err(self.abort(1));
            }
        }
        Ok(())
    }

    /// The text of a subscript: a key or an expression.
    pub fn expand_subscript(&mut self, w: &Word) -> Result<Vec<u8>, Unwind> {
        self.expand_single(w)
    }
}
