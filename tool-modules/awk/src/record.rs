//! The current record and its fields.

use std::cell::RefCell;
use std::rc::Rc;

use hardshell_posix_regex::Regex;
use memchr::memchr_iter;

use crate::ast::Text;
use crate::value::Value;

/// How a record is split.
#[derive(Clone)]
pub enum FieldSep {
    Blank,
    Byte(u8),
    Regex(Rc<RefCell<Regex>>),
    /// Every character is a field.
    Chars,
    /// What matches is a field.
    Pattern(Rc<RefCell<Regex>>),
    Widths(Vec<usize>),
}

enum Field {
    /// A part of the record as it was read.
    Part(u32, u32),
    Set(Value),
}

#[derive(Default)]
pub struct Record {
    /// `$0`; stale while `rebuild` is set.
    pub text: Vec<u8>,
    fields: Vec<Field>,
    split: bool,
    rebuild: bool,
    /// `$0` as text, once somebody asked for it.
    whole: Option<Text>,
    /// Paragraph mode: newlines separate fields too.
    pub paragraph: bool,
    /// Only fields up to this one are ever asked for.
    pub limit: Option<usize>,
    /// `$0` was assigned and is input-like.
    old: Vec<u8>,
}

impl Record {
    /// A new record is in `text`.
    #[inline]
    pub fn renewed(&mut self) {
        self.split = false;
        self.rebuild = false;
        self.whole = None;
    }

    pub fn set_text(&mut self, text: &[u8]) {
        self.text.clear();
        self.text.extend_from_slice(text);
        self.renewed();
    }

    #[inline]
    fn ensure_split(&mut self, sep: &FieldSep, utf8: bool) {
        if !self.split {
            self.split_now(sep, utf8);
        }
    }

    fn split_now(&mut self, sep: &FieldSep, utf8: bool) {
        self.split = true;
        self.fields.clear();
        let limit = self.limit.unwrap_or(usize::MAX);
        let fields = &mut self.fields;
        let paragraph = self.paragraph;
        split_with(&self.text, sep, utf8, paragraph, |from, to| {
            fields.push(Field::Part(from as u32, to as u32));
            fields.len() < limit
        });
    }

    pub fn count(&mut self, sep: &FieldSep, utf8: bool) -> usize {
        self.ensure_split(sep, utf8);
        self.fields.len()
    }

    /// Makes `$0` current.
    #[inline]
    pub fn ensure_text(&mut self, ofs: &[u8], convfmt: &[u8]) {
        if self.rebuild {
            self.rebuild_now(ofs, convfmt);
        }
    }

    fn rebuild_now(&mut self, ofs: &[u8], convfmt: &[u8]) {
        let mut out = Vec::with_capacity(self.text.len() + 16);
        for i in 0..self.fields.len() {
            if i > 0 {
                out.extend_from_slice(ofs);
            }
            let start = out.len();
            match &self.fields[i] {
                Field::Part(from, to) => {
                    out.extend_from_slice(&self.text[*from as usize..*to as usize])
                }
                Field::Set(value) => append_value(&mut out, value, convfmt),
            }
            // Values that were set stay as they are: a number keeps its type.
            if matches!(self.fields[i], Field::Part(..)) {
                self.fields[i] = Field::Part(start as u32, out.len() as u32);
            }
        }
        self.text = out;
        self.rebuild = false;
        self.whole = None;
    }

    /// `$0` as a value.
    pub fn whole(&mut self) -> Value {
        let text = self
            .whole
            .get_or_insert_with(|| Rc::from(self.text.as_slice()));
        Value::Input(Rc::clone(text))
    }

    /// The bytes of a field that has not been set; None if it has been.
    #[inline]
    pub fn part(&mut self, index: usize, sep: &FieldSep, utf8: bool) -> Option<&[u8]> {
        self.ensure_split(sep, utf8);
        match self.fields.get(index - 1) {
            Some(Field::Part(from, to)) => Some(&self.text[*from as usize..*to as usize]),
            Some(Field::Set(_)) => None,
            None => Some(&[]),
        }
    }

    pub fn get(&mut self, index: usize, sep: &FieldSep, utf8: bool) -> Value {
        self.ensure_split(sep, utf8);
        match self.fields.get(index - 1) {
            Some(Field::Part(from, to)) => Value::input(&self.text[*from as usize..*to as usize]),
            Some(Field::Set(value)) => value.clone(),
            None => Value::Uninit,
        }
    }

    pub fn set(&mut self, index: usize, value: Value, sep: &FieldSep, utf8: bool) {
        self.ensure_split(sep, utf8);
        while self.fields.len() < index {
            self.fields.push(Field::Set(Value::text(b"")));
        }
        self.fields[index - 1] = Field::Set(value);
        self.rebuild = true;
    }

    pub fn set_count(&mut self, count: usize, sep: &FieldSep, utf8: bool) {
        self.ensure_split(sep, utf8);
        if count < self.fields.len() {
            self.fields.truncate(count);
        }
        while self.fields.len() < count {
            self.fields.push(Field::Set(Value::text(b"")));
        }
        self.rebuild = true;
    }

    /// FS changes only apply to the next record, so this one is split first.
    pub fn freeze(&mut self, sep: &FieldSep, utf8: bool) {
        self.ensure_split(sep, utf8);
    }

    /// Swaps in a record that was read elsewhere.
    pub fn replace(&mut self, text: &mut Vec<u8>) {
        std::mem::swap(&mut self.text, text);
        std::mem::swap(&mut self.old, text);
        self.renewed();
    }
}

pub fn append_value(out: &mut Vec<u8>, value: &Value, convfmt: &[u8]) {
    match value {
        Value::Num(n) => crate::value::append_number(out, *n, convfmt),
        Value::Str(text) | Value::Input(text) => out.extend_from_slice(text),
        Value::Uninit | Value::Array(_) => {}
    }
}

const BLANK: [bool; 256] = {
    let mut table = [false; 256];
    table[b' ' as usize] = true;
    table[b'\t' as usize] = true;
    table[b'\n' as usize] = true;
    table
};

/// Calls `each` with the bounds of each field until it returns false.
#[inline]
pub fn split_with(
    text: &[u8],
    sep: &FieldSep,
    utf8: bool,
    paragraph: bool,
    mut each: impl FnMut(usize, usize) -> bool,
) {
    match sep {
        FieldSep::Blank => {
            let mut at = 0;
            loop {
                while at < text.len() && BLANK[usize::from(text[at])] {
                    at += 1;
                }
                if at >= text.len() {
                    return;
                }
                let start = at;
                while at < text.len() && !BLANK[usize::from(text[at])] {
                    at += 1;
                }
                if !each(start, at) {
                    return;
                }
            }
        }
        FieldSep::Byte(byte) => {
            if text.is_empty() {
                return;
            }
            let mut start = 0;
            if paragraph {
                for (i, b) in text.iter().enumerate() {
                    if b == byte || *b == b'\n' {
                        if !each(start, i) {
                            return;
                        }
                        start = i + 1;
                    }
                }
            } else {
                for i in memchr_iter(*byte, text) {
                    if !each(start, i) {
                        return;
                    }
                    start = i + 1;
                }
            }
            each(start, text.len());
        }
        FieldSep::Regex(regex) => {
            if text.is_empty() {
                return;
            }
            let mut regex = regex.borrow_mut();
            let mut start = 0;
            let mut at = 0;
            while at < text.len() {
                let found = regex.find_at(text, at);
                let newline = if paragraph {
                    memchr::memchr(b'\n', &text[at..]).map(|i| at + i)
                } else {
                    None
                };
                let (from, to) = match (found, newline) {
                    (Some((from, to)), Some(n)) if n < from => {
                        let _ = (from, to);
                        (n, n + 1)
                    }
                    (Some(span), _) => span,
                    (None, Some(n)) => (n, n + 1),
                    (None, None) => break,
                };
                if to == from {
                    at = to + 1;
                    continue;
                }
                if !each(start, from) {
                    return;
                }
                start = to;
                at = to;
            }
            each(start, text.len());
        }
        FieldSep::Chars => {
            let mut at = 0;
            while at < text.len() {
                let mut end = at + 1;
                while utf8 && end < text.len() && text[end] & 0xc0 == 0x80 {
                    end += 1;
                }
                if !each(at, end) {
                    return;
                }
                at = end;
            }
        }
        FieldSep::Pattern(regex) => {
            let mut regex = regex.borrow_mut();
            let mut at = 0;
            let mut last_end = None;
            while at <= text.len() {
                let Some((from, to)) = regex.find_at(text, at) else {
                    return;
                };
                // An empty match right after a field is no field.
                if from == to && last_end == Some(from) {
                    at = to + 1;
                    continue;
                }
                if !each(from, to) {
                    return;
                }
                last_end = Some(to);
                at = if to == from { to + 1 } else { to };
            }
        }
        FieldSep::Widths(widths) => {
            let mut at = 0;
            for width in widths {
                if at >= text.len() {
                    return;
                }
                let end = (at + width).min(text.len());
                if !each(at, end) {
                    return;
                }
                at = end;
            }
        }
    }
}
