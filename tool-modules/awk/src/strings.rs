//! Built-in functions on strings.

use std::rc::Rc;

use hardshell_posix_regex::Slots;

use crate::ast::*;
use crate::format::count_chars;
use crate::interp::{Interp, Res, Stop};
use crate::record::{FieldSep, split_with};
use crate::value::{Value, append_integer};

impl Interp<'_> {
    pub fn length(&mut self, args: &[Expr]) -> Res<Value> {
        let count = match args.first() {
            None => {
                self.record.ensure_text(&self.ofs, &self.convfmt);
                count_chars(&self.record.text, self.utf8)
            }
            Some(Expr::Var(var @ (Var::Global(_) | Var::Local(_)))) => {
                let value = match var {
                    Var::Global(slot) => &self.globals[*slot],
                    Var::Local(slot) => &self.stack[self.base + slot],
                    Var::Special(_) => &Value::Uninit,
                };
                match value {
                    Value::Array(map) => map.borrow().len(),
                    Value::Str(text) | Value::Input(text) => count_chars(text, self.utf8),
                    other => count_chars(&self.text_of(other), self.utf8),
                }
            }
            Some(Expr::Index(index)) => {
                let map = self.array(&index.array)?;
                let key = self.take_key(&index.subs)?;
                let found = match map.borrow().get(key.as_slice()) {
                    Some(Value::Array(inner)) => Some(inner.borrow().len()),
                    Some(value) => Some(count_chars(&self.text_of(value), self.utf8)),
                    None => None,
                };
                self.key = key;
                found.unwrap_or(0)
            }
            Some(e) => {
                let mut text = std::mem::take(&mut self.incoming);
                text.clear();
                self.append(e, &mut text)?;
                let count = count_chars(&text, self.utf8);
                self.incoming = text;
                count
            }
        };
        Ok(Value::Num(count as f64))
    }

    pub fn substr(&mut self, args: &[Expr]) -> Res<Value> {
        let text = self.argument_text(&args[0])?;
        let start = self.num(&args[1])?.trunc().max(1.0);
        let end = match args.get(2) {
            Some(e) => {
                let length = self.num(e)?.trunc();
                if length.is_nan() || length <= 0.0 {
                    return Ok(Value::text(b""));
                }
                start + length
            }
            None => f64::INFINITY,
        };
        if start.is_nan() {
            return Ok(Value::text(b""));
        }
        let from = if start < 1.0 { 1.0 } else { start };
        let to = if end < from { from } else { end };
        let bytes = self.utf8 && !text.is_ascii();
        let skip = if from > text.len() as f64 + 1.0 {
            return Ok(Value::text(b""));
        } else {
            from as usize - 1
        };
        let count = if to - from > text.len() as f64 {
            text.len()
        } else {
            (to - from) as usize
        };
        if !bytes {
            let end = (skip + count).min(text.len());
            return Ok(Value::text(text.get(skip..end).unwrap_or_default()));
        }
        let begin = char_offset(&text, 0, skip);
        let end = char_offset(&text, begin, count);
        Ok(Value::text(&text[begin..end]))
    }

    pub fn index_of(&mut self, args: &[Expr]) -> Res<Value> {
        let text = self.argument_text(&args[0])?;
        let wanted = self.argument_text(&args[1])?;
        let at = match memchr::memmem::find(&text, &wanted) {
            Some(at) => count_chars(&text[..at], self.utf8) + 1,
            None => 0,
        };
        Ok(Value::Num(at as f64))
    }

    pub fn change_case(&mut self, args: &[Expr], upper: bool) -> Res<Value> {
        let mut text = self.argument_text(&args[0])?;
        if text.is_ascii() || !self.utf8 {
            if upper {
                text.make_ascii_uppercase();
            } else {
                text.make_ascii_lowercase();
            }
            return Ok(Value::text(&text));
        }
        let text = String::from_utf8_lossy(&text);
        let changed = if upper {
            text.to_uppercase()
        } else {
            text.to_lowercase()
        };
        Ok(Value::text(changed.as_bytes()))
    }

    pub fn formatted(&mut self, args: &[Expr]) -> Res<Vec<u8>> {
        // One bracketed list is the arguments themselves.
        let format = self.argument_text(&args[0])?;
        let mut values = Vec::with_capacity(args.len());
        for arg in &args[1..] {
            values.push(self.eval(arg)?);
        }
        let mut out = Vec::with_capacity(format.len() + 32);
        let convfmt = &self.convfmt;
        let done = crate::format::format(&mut out, &format, &values, self.utf8, &|value, out| {
            crate::record::append_value(out, value, convfmt);
        });
        match done {
            Ok(()) => Ok(out),
            Err(at) => {
                let shown = String::from_utf8_lossy(&format);
                let last = format[..at]
                    .iter()
                    .rposition(|b| *b == b'\n')
                    .map_or(0, |p| p + 1);
                let indent = " ".repeat(at - last);
                Err(Stop::Fatal(format!(
                    "not enough arguments to satisfy format string\n\t`{shown}'\n\t{indent}^ ran out for this one"
                )))
            }
        }
    }

    pub fn split(&mut self, builtin: Builtin, args: &[Expr]) -> Res<Value> {
        let text = self.argument_text(&args[0])?;
        let sep = match args.get(2) {
            Some(Expr::Regex(_)) => {
                let pattern = self.pattern_of(&args[2])?;
                if builtin == Builtin::Patsplit {
                    FieldSep::Pattern(pattern)
                } else {
                    FieldSep::Regex(pattern)
                }
            }
            Some(e) => {
                let source = self.argument_text(e)?;
                if builtin == Builtin::Patsplit {
                    FieldSep::Pattern(self.pattern(&source)?)
                } else {
                    self.field_separator(&source)?
                }
            }
            None => self.fs.clone(),
        };
        let mut spans: Vec<(usize, usize)> = Vec::new();
        split_with(&text, &sep, self.utf8, false, |from, to| {
            spans.push((from, to));
            true
        });
        let map = self.array_argument(&args[1])?;
        let seps = match args.get(3) {
            Some(e) => Some(self.array_argument(e)?),
            None => None,
        };
        let mut map = map.borrow_mut();
        map.clear();
        let mut key = Vec::new();
        for (i, (from, to)) in spans.iter().enumerate() {
            key.clear();
            append_integer(&mut key, i as i64 + 1);
            map.insert(Rc::from(key.as_slice()), Value::input(&text[*from..*to]));
        }
        drop(map);
        if let Some(seps) = seps {
            let mut seps = seps.borrow_mut();
            seps.clear();
            for (i, pair) in spans.windows(2).enumerate() {
                key.clear();
                append_integer(&mut key, i as i64 + 1);
                seps.insert(
                    Rc::from(key.as_slice()),
                    Value::text(&text[pair[0].1..pair[1].0]),
                );
            }
        }
        Ok(Value::Num(spans.len() as f64))
    }

    pub fn match_function(&mut self, args: &[Expr]) -> Res<Value> {
        let text = self.argument_text(&args[0])?;
        let pattern = self.pattern_of(&args[1])?;
        let mut slots = Slots::new();
        let found = if args.len() > 2 {
            pattern.borrow_mut().captures_at(&text, 0, &mut slots)
        } else {
            match pattern.borrow_mut().find_at(&text, 0) {
                Some((from, to)) => {
                    slots.extend([Some(from), Some(to)]);
                    true
                }
                None => false,
            }
        };
        let utf8 = self.utf8;
        let position = |at: usize| count_chars(&text[..at], utf8) + 1;
        let (start, length) = match (
            found,
            slots.first().copied().flatten(),
            slots.get(1).copied().flatten(),
        ) {
            (true, Some(from), Some(to)) => (
                position(from) as f64,
                count_chars(&text[from..to], utf8) as f64,
            ),
            _ => (0.0, -1.0),
        };
        if let Some(e) = args.get(2) {
            let map = self.array_argument(e)?;
            let mut map = map.borrow_mut();
            map.clear();
            if found {
                for (i, pair) in slots.chunks(2).enumerate() {
                    let (Some(from), Some(to)) = (pair[0], pair[1]) else {
                        continue;
                    };
                    let key = i.to_string();
                    map.insert(Rc::from(key.as_bytes()), Value::input(&text[from..to]));
                    let sub = String::from_utf8_lossy(&self.subsep).into_owned();
                    map.insert(
                        Rc::from(format!("{key}{sub}start").as_bytes()),
                        Value::Num(position(from) as f64),
                    );
                    map.insert(
                        Rc::from(format!("{key}{sub}length").as_bytes()),
                        Value::Num(count_chars(&text[from..to], utf8) as f64),
                    );
                }
            }
        }
        self.globals[RSTART] = Value::Num(start);
        self.globals[RLENGTH] = Value::Num(length);
        Ok(Value::Num(start))
    }

    pub fn substitute(&mut self, global: bool, args: &[Expr], line: u32) -> Res<Value> {
        let _ = line;
        let pattern = self.pattern_of(&args[0])?;
        let replacement = self.argument_text(&args[1])?;
        let target = args.get(2).unwrap_or(&Expr::FieldConst(0));
        let text = self.argument_text(target)?;
        let plain = !replacement.iter().any(|b| matches!(b, b'\\' | b'&'));
        let mut out = Vec::with_capacity(text.len() + 16);
        let mut count = 0usize;
        let mut at = 0;
        let mut copied = 0;
        let mut last_end = None;
        let mut regex = pattern.borrow_mut();
        while at <= text.len() {
            let Some((from, to)) = regex.find_at(&text, at) else {
                break;
            };
            if !(from == to && last_end == Some(from)) {
                out.extend_from_slice(&text[copied..from]);
                if plain {
                    out.extend_from_slice(&replacement);
                } else {
                    expand(&replacement, &text[from..to], &mut out);
                }
                copied = to;
                count += 1;
                if !global {
                    break;
                }
            }
            last_end = Some(to);
            at = if to > from {
                to
            } else {
                next_char(&text, to, self.utf8)
            };
        }
        drop(regex);
        if count == 0 {
            return Ok(Value::Num(0.0));
        }
        out.extend_from_slice(&text[copied..]);
        match crate::parser::as_lvalue(target) {
            Some(LValue::Field(Expr::Num(0.0))) => self.record.set_text(&out),
            Some(place) => self.assign(&place, Value::text(&out))?,
            None => {}
        }
        Ok(Value::Num(count as f64))
    }

    pub fn gensub(&mut self, args: &[Expr]) -> Res<Value> {
        let pattern = self.pattern_of(&args[0])?;
        let replacement = self.argument_text(&args[1])?;
        let how = self.eval(&args[2])?;
        let how_text = self.text_of(&how);
        let global = matches!(how_text.first(), Some(b'g' | b'G'));
        let wanted = if global {
            0
        } else {
            how.num().max(1.0) as usize
        };
        let text = match args.get(3) {
            Some(e) => self.argument_text(e)?,
            None => {
                self.record.ensure_text(&self.ofs, &self.convfmt);
                self.record.text.clone()
            }
        };
        let mut out = Vec::with_capacity(text.len() + 16);
        let mut slots = Slots::new();
        let mut seen = 0;
        let mut at = 0;
        let mut copied = 0;
        let mut last_end = None;
        let mut regex = pattern.borrow_mut();
        while at <= text.len() && regex.captures_at(&text, at, &mut slots) {
            let (Some(from), Some(to)) = (slots[0], slots[1]) else {
                break;
            };
            if !(from == to && last_end == Some(from)) {
                seen += 1;
                if global || seen == wanted {
                    out.extend_from_slice(&text[copied..from]);
                    expand_groups(&replacement, &text, &slots, &mut out);
                    copied = to;
                    if !global {
                        break;
                    }
                }
            }
            last_end = Some(to);
            at = if to > from {
                to
            } else {
                next_char(&text, to, self.utf8)
            };
        }
        out.extend_from_slice(&text[copied..]);
        Ok(Value::text(&out))
    }
}

fn next_char(text: &[u8], at: usize, utf8: bool) -> usize {
    let mut next = at + 1;
    while utf8 && text.get(next).is_some_and(|b| b & 0xc0 == 0x80) {
        next += 1;
    }
    next
}

/// The offset `count` characters after `start`.
fn char_offset(text: &[u8], start: usize, count: usize) -> usize {
    let mut at = start;
    for _ in 0..count {
        if at >= text.len() {
            break;
        }
        at = next_char(text, at, true);
    }
    at.min(text.len())
}

/// `&` is the match; `\&` an ampersand; `\\` a backslash before either.
fn expand(replacement: &[u8], matched: &[u8], out: &mut Vec<u8>) {
    let mut at = 0;
    while let Some(byte) = replacement.get(at).copied() {
        at += 1;
        match byte {
            b'&' => out.extend_from_slice(matched),
            b'\\' => match replacement.get(at) {
                Some(b'&') => {
                    out.push(b'&');
                    at += 1;
                }
                Some(b'\\') if replacement.get(at + 1) == Some(&b'&') => {
                    // `\\&`: a backslash and the match.
                    out.push(b'\\');
                    at += 1;
                }
                _ => out.push(b'\\'),
            },
            other => out.push(other),
        }
    }
}

fn expand_groups(replacement: &[u8], text: &[u8], slots: &Slots, out: &mut Vec<u8>) {
    let group = |n: usize| match (
        slots.get(n * 2).copied().flatten(),
        slots.get(n * 2 + 1).copied().flatten(),
    ) {
        (Some(from), Some(to)) => &text[from..to],
        _ => &[],
    };
    let mut at = 0;
    while let Some(byte) = replacement.get(at).copied() {
        at += 1;
        match byte {
            b'&' => out.extend_from_slice(group(0)),
            b'\\' => match replacement.get(at).copied() {
                Some(digit @ b'0'..=b'9') => {
                    out.extend_from_slice(group(usize::from(digit - b'0')));
                    at += 1;
                }
                Some(b'&') => {
                    out.push(b'&');
                    at += 1;
                }
                Some(b'\\') => {
                    out.push(b'\\');
                    at += 1;
                }
                _ => out.push(b'\\'),
            },
            other => out.push(other),
        }
    }
}
