//! Writing values as jq does.

use jaq_json::{Num, Val};

/// How values are written.
#[derive(Clone, Debug, Default)]
pub struct Format {
    /// One level of indentation; none for one line.
    pub indent: Option<Vec<u8>>,
    pub sort_keys: bool,
    pub ascii: bool,
    pub color: Option<Box<Colors>>,
    /// Decimal literals are written as they came.
    pub keep_literals: bool,
}

/// Escape sequences by kind of value.
#[derive(Clone, Debug)]
pub struct Colors {
    null: String,
    no: String,
    yes: String,
    number: String,
    string: String,
    array: String,
    object: String,
    key: String,
}

impl Colors {
    /// jq's own, changed by JQ_COLORS.
    pub fn new() -> Self {
        let mut all: Vec<String> = [
            "1;30", "0;39", "0;39", "0;39", "0;32", "1;39", "1;39", "34;1",
        ]
        .map(str::to_owned)
        .to_vec();
        if let Ok(wanted) = std::env::var("JQ_COLORS") {
            for (slot, color) in all.iter_mut().zip(wanted.split(':')) {
                if color.bytes().all(|b| b.is_ascii_digit() || b == b';') {
                    *slot = color.to_owned();
                }
            }
        }
        let mut all = all.into_iter().map(|c| format!("\x1b[{c}m"));
        let mut next = || all.next().unwrap_or_default();
        Self {
            null: next(),
            no: next(),
            yes: next(),
            number: next(),
            string: next(),
            array: next(),
            object: next(),
            key: next(),
        }
    }
}

const RESET: &[u8] = b"\x1b[0m";

impl Format {
    /// Appends a value.
    pub fn append(&self, value: &Val, out: &mut Vec<u8>) {
        match &self.color {
            Some(colors) => self.colored(value, 0, colors, out),
            None => self.plain(value, 0, out),
        }
    }

    fn line(&self, level: usize, out: &mut Vec<u8>) {
        if let Some(indent) = &self.indent {
            out.push(b'\n');
            for _ in 0..level {
                out.extend_from_slice(indent);
            }
        }
    }

    fn plain(&self, value: &Val, level: usize, out: &mut Vec<u8>) {
        match value {
            Val::Arr(items) => {
                if items.is_empty() {
                    return out.extend_from_slice(b"[]");
                }
                out.push(b'[');
                for (i, item) in items.iter().enumerate() {
                    if i > 0 {
                        out.push(b',');
                    }
                    self.line(level + 1, out);
                    self.plain(item, level + 1, out);
                }
                self.line(level, out);
                out.push(b']');
            }
            Val::Obj(map) => {
                if map.is_empty() {
                    return out.extend_from_slice(b"{}");
                }
                out.push(b'{');
                let mut first = true;
                let mut pair = |key: &Val, value: &Val, out: &mut Vec<u8>| {
                    if !std::mem::take(&mut first) {
                        out.push(b',');
                    }
                    self.line(level + 1, out);
                    self.key(key, out);
                    out.push(b':');
                    if self.indent.is_some() {
                        out.push(b' ');
                    }
                    self.plain(value, level + 1, out);
                };
                if self.sort_keys {
                    let mut pairs: Vec<_> = map.iter().collect();
                    pairs.sort_by(|a, b| a.0.cmp(b.0));
                    for (key, value) in pairs {
                        pair(key, value, out);
                    }
                } else {
                    for (key, value) in map.iter() {
                        pair(key, value, out);
                    }
                }
                self.line(level, out);
                out.push(b'}');
            }
            scalar => self.scalar(scalar, out),
        }
    }

    /// Keys that are not strings, which YAML knows, become strings.
    fn key(&self, key: &Val, out: &mut Vec<u8>) {
        match key {
            Val::TStr(text) | Val::BStr(text) => quote(text, self.ascii, out),
            other => {
                let mut text = Vec::new();
                Format::default().append(other, &mut text);
                quote(&text, self.ascii, out);
            }
        }
    }

    fn scalar(&self, value: &Val, out: &mut Vec<u8>) {
        match value {
            Val::Null => out.extend_from_slice(b"null"),
            Val::Bool(true) => out.extend_from_slice(b"true"),
            Val::Bool(false) => out.extend_from_slice(b"false"),
            Val::Num(n) => number(n, self.keep_literals, out),
            Val::TStr(text) | Val::BStr(text) => quote(text, self.ascii, out),
            Val::Arr(_) | Val::Obj(_) => {}
        }
    }

    fn colored(&self, value: &Val, level: usize, c: &Colors, out: &mut Vec<u8>) {
        let color = match value {
            Val::Null => &c.null,
            Val::Bool(false) => &c.no,
            Val::Bool(true) => &c.yes,
            Val::Num(_) => &c.number,
            Val::TStr(_) | Val::BStr(_) => &c.string,
            Val::Arr(_) => &c.array,
            Val::Obj(_) => &c.object,
        };
        out.extend_from_slice(color.as_bytes());
        match value {
            Val::Arr(items) => {
                out.push(b'[');
                for (i, item) in items.iter().enumerate() {
                    if i > 0 {
                        out.extend_from_slice(color.as_bytes());
                        out.push(b',');
                    }
                    self.line(level + 1, out);
                    out.extend_from_slice(RESET);
                    self.colored(item, level + 1, c, out);
                }
                if !items.is_empty() {
                    out.extend_from_slice(color.as_bytes());
                    self.line(level, out);
                }
                out.extend_from_slice(color.as_bytes());
                out.push(b']');
            }
            Val::Obj(map) => {
                out.push(b'{');
                let mut pairs: Vec<_> = map.iter().collect();
                if self.sort_keys {
                    pairs.sort_by(|a, b| a.0.cmp(b.0));
                }
                for (i, (key, value)) in pairs.iter().enumerate() {
                    if i > 0 {
                        out.extend_from_slice(color.as_bytes());
                        out.push(b',');
                    }
                    self.line(level + 1, out);
                    out.extend_from_slice(RESET);
                    out.extend_from_slice(c.key.as_bytes());
                    self.key(key, out);
                    out.extend_from_slice(RESET);
                    out.extend_from_slice(color.as_bytes());
                    out.push(b':');
                    if self.indent.is_some() {
                        out.push(b' ');
                    }
                    out.extend_from_slice(RESET);
                    self.colored(value, level + 1, c, out);
                }
                if !pairs.is_empty() {
                    out.extend_from_slice(color.as_bytes());
                    self.line(level, out);
                }
                out.extend_from_slice(color.as_bytes());
                out.push(b'}');
            }
            scalar => self.scalar(scalar, out),
        }
        out.extend_from_slice(RESET);
    }
}

/// Writes a number with the digits that jq shows.
pub fn number(n: &Num, keep_literals: bool, out: &mut Vec<u8>) {
    match n {
        Num::Int(i) => out.extend_from_slice(i.to_string().as_bytes()),
        Num::BigInt(i) => {
            let text = i.to_string();
            if text.len() <= 17 || keep_literals {
                out.extend_from_slice(text.as_bytes());
            } else {
                // Beyond what a double holds exactly, jq shows the double.
                float(text.parse().unwrap_or(f64::NAN), out);
            }
        }
        Num::Float(f) => float(*f, out),
        Num::Dec(text) => {
            if keep_literals {
                out.extend_from_slice(text.as_bytes());
            } else {
                float(text.parse().unwrap_or(f64::NAN), out);
            }
        }
    }
}

/// A double with at most 17 digits, in the form that C's `%.17g` would choose.
pub fn float(f: f64, out: &mut Vec<u8>) {
    if f.is_nan() {
        return out.extend_from_slice(b"null");
    }
    let f = f.clamp(-f64::MAX, f64::MAX);
    if f == 0.0 {
        return out.extend_from_slice(if f.is_sign_negative() { b"-0" } else { b"0" });
    }
    let text = format!("{f:e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let digits = mantissa.bytes().filter(u8::is_ascii_digit).count() as i32;
    let point = exponent + 1;
    if point > -4 && point <= digits + 15 {
        return out.extend_from_slice(format!("{f}").as_bytes());
    }
    out.extend_from_slice(mantissa.as_bytes());
    let sign = if exponent < 0 { '-' } else { '+' };
    out.extend_from_slice(format!("e{sign}{:02}", exponent.abs()).as_bytes());
}

/// Writes a string in quotes.
pub fn quote(text: &[u8], ascii: bool, out: &mut Vec<u8>) {
    out.push(b'"');
    let mut rest = text;
    while !rest.is_empty() {
        let plain = rest
            .iter()
            .position(|b| *b < 0x20 || *b == b'"' || *b == b'\\' || *b >= 0x7f)
            .unwrap_or(rest.len());
        out.extend_from_slice(&rest[..plain]);
        rest = &rest[plain..];
        let Some(byte) = rest.first().copied() else {
            break;
        };
        let mut taken = 1;
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\t' => out.extend_from_slice(b"\\t"),
            b'\r' => out.extend_from_slice(b"\\r"),
            8 => out.extend_from_slice(b"\\b"),
            12 => out.extend_from_slice(b"\\f"),
            0..0x20 | 0x7f => out.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
            _ => {
                let length = 1 + rest
                    .iter()
                    .skip(1)
                    .take(3)
                    .take_while(|b| **b & 0xc0 == 0x80)
                    .count();
                taken = length;
                match std::str::from_utf8(&rest[..length]) {
                    Ok(valid) if !ascii => out.extend_from_slice(valid.as_bytes()),
                    Ok(valid) => {
                        let mut units = [0u16; 2];
                        for c in valid.chars() {
                            for unit in c.encode_utf16(&mut units) {
                                out.extend_from_slice(format!("\\u{unit:04x}").as_bytes());
                            }
                        }
                    }
                    Err(_) => {
                        taken = 1;
                        out.extend_from_slice(if ascii {
                            b"\\ufffd"
                        } else {
                            "\u{fffd}".as_bytes()
                        });
                    }
                }
            }
        }
        rest = &rest[taken..];
    }
    out.push(b'"');
}
