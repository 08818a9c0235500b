//! Parameter expansion: which value, and what becomes of it.

use super::fields::Fields;
use crate::access::{Kind, join, split_subscript};
use crate::ast::{Op, Param, Pname, Sub};
use crate::opts;
use crate::shell::{Shell, Unwind};
use crate::strs::{count_chars, parse_int};
use crate::vars::Text;
use std::rc::Rc;

/// A parameter's value.
#[derive(Debug, Clone)]
pub(crate) enum Value {
    /// One string, or unset.
    One(Option<Text>),
    /// `$@`, `${a[@]}` (false), `$*`, `${a[*]}` (true).
    Many(Vec<Text>, bool),
}

impl Shell {
    /// Reports an unset variable under `set -u`.
    pub(crate) fn unbound(&mut self, name: &[u8]) -> Unwind {
        self.error([name, b": unbound variable"].concat());
        self.arith_unwind = Some(Unwind::Exit);
        self.fatal(127)
    }

    /// An error that ends a shell that is not interactive.
    pub(crate) fn fatal(&mut self, status: i32) -> Unwind {
        if self.opt(opts::INTERACTIVE) {
            return self.abort(1);
        }
        let status = if self.mode == crate::shell::Mode::Command && self.st.level == 0 {
            status
        } else {
            1
        };
        self.st.status = status;
        Unwind::Exit
    }

    /// `$x` and its like, without any operation; `None` if that is not what it is, or unset.
    pub(crate) fn param_plain(&mut self, p: &Param) -> Option<Text> {
        match (&p.name, &p.sub) {
            (Pname::Var(n), None) => self.get(n),
            (Pname::Pos(_), None) => self.positional(&p.name),
            (Pname::Special(c), None) if !matches!(c, b'@' | b'*') => self.special(*c),
            _ => None,
        }
    }

    fn positional(&self, name: &Pname) -> Option<Text> {
        match name {
            Pname::Pos(0) => Some(self.st.arg0.clone()),
            Pname::Pos(n) => self
                .st
                .args
                .get(*n as usize - 1)
                .map(|a| Rc::new(a.clone())),
            _ => None,
        }
    }

    fn special(&mut self, c: u8) -> Option<Text> {
        let text = match c {
            b'#' => self.st.args.len().to_string().into_bytes(),
            b'?' => self.st.status.to_string().into_bytes(),
            b'-' => opts::flags(self.st.opts),
            b'$' => self.pid.to_string().into_bytes(),
            b'!' => self.st.last_bg?.to_string().into_bytes(),
            _ => return None,
        };
        Some(Rc::new(text))
    }

    /// The value of a parameter.
    fn value(&mut self, name: &Pname, sub: Option<&Sub>) -> Result<Value, Unwind> {
        Ok(match (name, sub) {
            (Pname::Special(c @ (b'@' | b'*')), _) => Value::Many(
                self.st.args.iter().map(|a| Rc::new(a.clone())).collect(),
                *c == b'*',
            ),
            (Pname::Special(c), _) => Value::One(self.special(*c)),
            (Pname::Pos(_), _) => Value::One(self.positional(name)),
            (Pname::Var(n), None) => {
                // A nameref may name a whole array.
                if self.raw_var(n).is_some_and(|v| v.has(crate::vars::NAMEREF))
                    && let Some(t) = self.resolve(n)
                    && let Some((base, s @ (b"@" | b"*"))) = split_subscript(&t)
                {
                    let (base, star) = (base.to_vec(), s == b"*");
                    return Ok(Value::Many(self.elements(&base), star));
                }
                Value::One(self.get(n))
            }
            (Pname::Var(n), Some(Sub::At)) => Value::Many(self.elements(n), false),
            (Pname::Var(n), Some(Sub::Star)) => Value::Many(self.elements(n), true),
            (Pname::Var(n), Some(Sub::Idx(w))) => {
                let text = self.expand_subscript(w)?;
                Value::One(self.element(n, &text)?)
            }
        })
    }

    /// `name[sub]`, the subscript expanded.
    fn element(&mut self, name: &[u8], sub: &[u8]) -> Result<Option<Text>, Unwind> {
        let target = self.resolve(name).unwrap_or_else(|| name.to_vec());
        if self.array_kind(&target) == Kind::Assoc {
            if sub.is_empty() {
                self.error([name, b": bad array subscript"].concat());
                return Ok(None);
            }
            if self.var(&target).is_some() {
                return Ok(self.get_elem_key(&target, sub));
            }
            return Ok(self
                .items(&target)
                .into_iter()
                .find(|(k, _)| k == sub)
                .map(|(_, v)| v));
        }
        let i = match self.arith_value(sub) {
            Ok(i) => i,
            Err(()) => return Err(self.arith_failure()),
        };
        match self.get_index(&target, i) {
            Ok(v) => Ok(v),
            Err(()) => {
                self.error([name, b": bad array subscript"].concat());
                Ok(None)
            }
        }
    }

    /// What an arithmetic failure does to the command.
    pub(crate) fn arith_failure(&mut self) -> Unwind {
        match self.arith_unwind.take() {
            Some(u) => u,
            None => self.abort(1),
        }
    }

    /// How the parameter is named in messages.
    fn shown(&self, p: &Param) -> Vec<u8> {
        let mut out = crate::print::param_name(&p.name);
        match &p.sub {
            Some(Sub::At) => out.extend_from_slice(b"[@]"),
            Some(Sub::Star) => out.extend_from_slice(b"[*]"),
            Some(Sub::Idx(w)) => {
                out.push(b'[');
                out.extend_from_slice(&crate::print::word(w));
                out.push(b']');
            }
            None => {}
        }
        out
    }

    pub(crate) fn expand_param(
        &mut self,
        p: &Param,
        quoted: bool,
        out: &mut Fields,
    ) -> Result<(), Unwind> {
        // The common case.
        if matches!(p.op, Op::None)
            && !p.indirect
            && p.sub.is_none()
            && !matches!(p.name, Pname::Special(b'@' | b'*'))
            && let Pname::Var(n) = &p.name
            && let Some(v) = self.st.vars.get(&**n)
            && v.attrs & crate::vars::NAMEREF == 0
            && let crate::vars::Val::Str(s) = &v.val
        {
            if quoted {
                out.quoted(s)
            } else {
                out.split(s)
            }
            return Ok(());
        }
        let (name, sub) = if p.indirect {
            match self.indirect(p)? {
                Some(target) => target,
                None => return Ok(()),
            }
        } else {
            (p.name.clone(), p.sub.clone())
        };
        let indirect_param;
        let p = if p.indirect {
            indirect_param = Param {
                name,
                sub,
                indirect: false,
                op: p.op.clone(),
                text: p.text.clone(),
            };
            &indirect_param
        } else {
            p
        };
        let value = match &p.op {
            Op::Names(k) => {
                let Pname::Var(prefix) = &p.name else {
                    return Ok(());
                };
                let names = self.names_with(prefix).into_iter().map(Rc::new).collect();
                Value::Many(names, *k == b'*')
            }
            Op::Keys(k) => {
                let Pname::Var(n) = &p.name else {
                    return Ok(());
                };
                let keys = self.items(n).into_iter().map(|(k, _)| Rc::new(k)).collect();
                Value::Many(keys, *k == b'*')
            }
            op => {
                let value = self.value(&p.name, p.sub.as_ref())?;
                if !matches!(op, Op::Default(..)) {
                    self.check_set(p, &value)?;
                }
                match op {
                    Op::None => value,
                    Op::Length => {
                        let n = match value {
                            Value::One(v) => {
                                let text = v.unwrap_or_default();
                                if self.is_c_locale() {
                                    text.len()
                                } else {
                                    count_chars(&text)
                                }
                            }
                            Value::Many(items, _) => items.len(),
                        };
                        Value::One(Some(Rc::new(n.to_string().into_bytes())))
                    }
                    Op::Default(kind, colon, word) => {
                        let missing = match &value {
                            Value::One(None) => true,
                            Value::One(Some(t)) => *colon && t.is_empty(),
                            Value::Many(items, _) => {
                                items.is_empty()
                                    || (*colon
                                        && items.len() == 1
                                        && items.iter().all(|t| t.is_empty()))
                            }
                        };
                        match (kind, missing) {
                            (b'+', true) => {
                                if quoted {
                                    out.nothing |= matches!(value, Value::Many(..));
                                }
                                return Ok(());
                            }
                            (b'+', false) | (b'-', true) => {
                                // The word's own quotes count, so it goes in piece by piece.
                                for part in &word.parts {
                                    match part {
                                        crate::ast::Part::DQuote(inner) if quoted => {
                                            for part in inner {
                                                self.expand_part(part, true, out)?;
                                            }
                                        }
                                        _ => self.expand_default_part(part, quoted, out)?,
                                    }
                                }
                                return Ok(());
                            }
                            (b'=', true) => {
                                let text = if quoted {
                                    self.expand_quoted(word)?
                                } else {
                                    self.expand_single(word)?
                                };
                                self.assign_param(p, text.clone())?;
                                Value::One(Some(Rc::new(text)))
                            }
                            (b'?', true) => {
                                let text = if quoted {
                                    self.expand_quoted(word)?
                                } else {
                                    self.expand_single(word)?
                                };
                                let mut message = self.shown(p);
                                message.extend_from_slice(b": ");
                                if text.is_empty() && word.parts.iter().all(|p| matches!(p, crate::ast::Part::DQuote(i) if i.is_empty())) {
                                    message.extend_from_slice(if *colon {
                                        b"parameter null or not set"
                                    } else {
                                        b"parameter not set"
                                    });
                                } else {
                                    message.extend_from_slice(&text);
                                }
                                self.error(message);
                                return Err(self.fatal(127));
                            }
                            _ => value,
                        }
                    }
                    op => self.apply(op, p, value)?,
                }
            }
        };
        self.emit(value, quoted, out);
        Ok(())
    }

    /// A piece of `word` in an unquoted `${x:-word}`: its literal text is split like a value.
    fn expand_default_part(
        &mut self,
        part: &crate::ast::Part,
        quoted: bool,
        out: &mut Fields,
    ) -> Result<(), Unwind> {
        if let crate::ast::Part::Lit(t) = part
            && !quoted
        {
            out.split(t);
            return Ok(());
        }
        self.expand_part(part, quoted, out)
    }

    fn check_set(&mut self, p: &Param, value: &Value) -> Result<(), Unwind> {
        if self.opt(opts::NOUNSET) && matches!(value, Value::One(None)) {
            let name = self.shown(p);
            return Err(self.unbound(&name));
        }
        if self.opt(opts::NOUNSET)
            && matches!(p.op, Op::Length)
            && let (Value::Many(items, _), Pname::Var(_)) = (value, &p.name)
            && items.is_empty()
            && let Pname::Var(n) = &p.name
            && self.var(n).is_none()
        {
            let n = n.to_vec();
            return Err(self.unbound(&n));
        }
        Ok(())
    }

    fn emit(&mut self, value: Value, quoted: bool, out: &mut Fields) {
        use super::fields::Mode;
        match value {
            Value::One(None) => {
                if quoted {
                    out.quoted(b"");
                }
            }
            Value::One(Some(t)) => {
                if quoted {
                    out.quoted(&t)
                } else {
                    out.split(&t)
                }
            }
            Value::Many(items, star) => {
                if items.is_empty() {
                    if quoted {
                        if star && out.mode == Mode::Args {
                            out.mark();
                        } else {
                            out.nothing = true;
                        }
                    }
                    return;
                }
                if out.mode != Mode::Args {
                    let sep = if star {
                        out.ifs().joiner().to_vec()
                    } else {
                        b" ".to_vec()
                    };
                    let text = join(&items, &sep);
                    if quoted {
                        out.quoted(&text)
                    } else {
                        out.plain(&text)
                    }
                    return;
                }
                if quoted && star {
                    let sep = out.ifs().joiner().to_vec();
                    out.quoted(&join(&items, &sep));
                    return;
                }
                for (i, t) in items.iter().enumerate() {
                    if i > 0 {
                        out.finish();
                    }
                    if quoted { out.quoted(t) } else { out.split(t) }
                }
            }
        }
    }

    /// `${!x}`: the parameter that the value of `x` names.
    fn indirect(&mut self, p: &Param) -> Result<Option<(Pname, Option<Sub>)>, Unwind> {
        // Of a nameref, the name it holds.
        if let (Pname::Var(n), None) = (&p.name, &p.sub)
            && self.raw_var(n).is_some_and(|v| v.has(crate::vars::NAMEREF))
            && matches!(p.op, Op::None)
        {
            let target = self.resolve(n).unwrap_or_default();
            let hold = Rc::new(target);
            self.st_scratch(hold);
            return Ok(Some((Pname::Var((*b"\x01scratch").into()), None)));
        }
        let value = self.value(&p.name, p.sub.as_ref())?;
        let text = match value {
            Value::One(Some(t)) => t.to_vec(),
            Value::Many(items, _) => join(&items, b" "),
            Value::One(None) => {
                if matches!(p.op, Op::Default(..)) {
                    return Ok(Some((Pname::Var((*b"\x01unset").into()), None)));
                }
                let name = self.shown(p);
                if self.opt(opts::NOUNSET) {
                    return Err(self.unbound(&[b"!", name.as_slice()].concat()));
                }
                self.error([name.as_slice(), b": invalid indirect expansion"].concat());
                return Err(self.abort(1));
            }
        };
        match parse_name(&text) {
            Some((name, sub)) => {
                let sub = match sub {
                    None => None,
                    Some(b"@") => Some(Sub::At),
                    Some(b"*") => Some(Sub::Star),
                    Some(s) => {
                        let word = crate::parse::Parser::new(s, self.line).whole_word();
                        Some(Sub::Idx(word.unwrap_or_else(|_| crate::ast::Word::lit(s))))
                    }
                };
                Ok(Some((name, sub)))
            }
            None => {
                self.error([text.as_slice(), b": invalid variable name"].concat());
                Err(self.abort(1))
            }
        }
    }

    /// Keeps a value under a name that no script can write.
    fn st_scratch(&mut self, value: Text) {
        let var = crate::vars::Var {
            val: crate::vars::Val::Str(value),
            attrs: 0,
            bare: false,
        };
        self.put(b"\x01scratch", var);
    }

    fn assign_param(&mut self, p: &Param, text: Vec<u8>) -> Result<(), Unwind> {
        match (&p.name, &p.sub) {
            (Pname::Var(n), None) => self.set(n, text),
            (Pname::Var(n), Some(Sub::Idx(w))) => {
                let sub = self.expand_subscript(w)?;
                self.assign_elem(n, &sub, text, false)
            }
            _ => {
                let name = [
                    b"$",
                    self.shown(p).as_slice(),
                    b": cannot assign in this way",
                ]
                .concat();
                self.error(name);
                Err(self.abort(1))
            }
        }
    }

    /// Characters are bytes?
    pub(crate) fn is_c_locale(&mut self) -> bool {
        for name in [&b"LC_ALL"[..], b"LC_CTYPE", b"LANG"] {
            if let Some(v) = self.st.vars.get(name)
                && let Some(t) = v.scalar()
                && !t.is_empty()
            {
                return *t == b"C" || *t == b"POSIX";
            }
        }
        false
    }
}

/// A text as a parameter: name and subscript.
fn parse_name(text: &[u8]) -> Option<(Pname, Option<&[u8]>)> {
    if let [c @ (b'@' | b'*' | b'#' | b'?' | b'-' | b'$' | b'!')] = text {
        return Some((Pname::Special(*c), None));
    }
    if !text.is_empty() && text.iter().all(u8::is_ascii_digit) {
        return parse_int(text).map(|n| (Pname::Pos(n as u32), None));
    }
    let (name, sub) = match split_subscript(text) {
        Some((n, s)) => (n, Some(s)),
        None => (text, None),
    };
    crate::strs::is_name(name).then(|| (Pname::Var(name.into()), sub))
}
