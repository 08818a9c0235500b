//! Values and the conversions between numbers and strings.

use std::cell::RefCell;
use std::hash::{BuildHasherDefault, Hasher};
use std::rc::Rc;

use indexmap::IndexMap;

use crate::ast::Text;

/// An array: by insertion order, which is as good as any and easy to follow.
pub type Map = IndexMap<Text, Value, BuildHasherDefault<Fast>>;
/// An array that several names may share.
pub type MapRef = Rc<RefCell<Map>>;

#[derive(Clone, Debug, Default)]
pub enum Value {
    #[default]
    Uninit,
    Num(f64),
    Str(Text),
    /// Input that counts as a number if it looks like one.
    Input(Text),
    Array(MapRef),
}

/// A fast hash for short keys. Keys come from the tenant's own data, whose
/// collisions cost nobody else anything.
#[derive(Default)]
pub struct Fast(u64);

impl Hasher for Fast {
    fn finish(&self) -> u64 {
        // The table uses the upper bits too.
        let h = self.0;
        h ^ (h >> 32)
    }

    fn write(&mut self, bytes: &[u8]) {
        const K: u64 = 0x9e37_79b9_7f4a_7c15;
        let mut h = self.0;
        let mut chunks = bytes.chunks_exact(8);
        for chunk in &mut chunks {
            let mut word = [0u8; 8];
            word.copy_from_slice(chunk);
            h = (h.rotate_left(5) ^ u64::from_le_bytes(word)).wrapping_mul(K);
        }
        let rest = chunks.remainder();
        if !rest.is_empty() {
            let mut word = [0u8; 8];
            word[..rest.len()].copy_from_slice(rest);
            h = (h.rotate_left(5) ^ u64::from_le_bytes(word)).wrapping_mul(K);
        }
        self.0 = h;
    }

    fn write_usize(&mut self, value: usize) {
        self.0 = (self.0.rotate_left(5) ^ value as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}

impl Value {
    pub fn text(bytes: &[u8]) -> Self {
        Self::Str(Rc::from(bytes))
    }

    pub fn input(bytes: &[u8]) -> Self {
        Self::Input(Rc::from(bytes))
    }

    #[inline]
    pub fn num(&self) -> f64 {
        match self {
            Self::Num(n) => *n,
            Self::Str(text) | Self::Input(text) => to_number(text),
            Self::Uninit | Self::Array(_) => 0.0,
        }
    }

    pub fn truth(&self) -> bool {
        match self {
            Self::Num(n) => *n != 0.0,
            Self::Str(text) => !text.is_empty(),
            Self::Input(text) => match looks_numeric(text) {
                Some(n) => n != 0.0,
                None => !text.is_empty(),
            },
            Self::Uninit | Self::Array(_) => false,
        }
    }

    /// The number if this counts as one in a comparison.
    pub fn numeric(&self) -> Option<f64> {
        match self {
            Self::Num(n) => Some(*n),
            Self::Uninit => Some(0.0),
            Self::Input(text) => looks_numeric(text),
            Self::Str(_) | Self::Array(_) => None,
        }
    }
}

const POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
    1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
];

/// Reads a decimal number at the start of a text: its value and length, 0 if
/// there is none. Leading blanks are not skipped.
pub fn parse_number(text: &[u8]) -> (f64, usize) {
    let mut at = 0;
    let negative = match text.first() {
        Some(b'-') => {
            at = 1;
            true
        }
        Some(b'+') => {
            at = 1;
            false
        }
        _ => false,
    };
    let mut mantissa = 0u64;
    let mut digits = 0usize;
    let mut exact = true;
    let mut scale = 0i32;
    while let Some(byte @ b'0'..=b'9') = text.get(at) {
        if mantissa < 900_719_925_474_099 {
            mantissa = mantissa * 10 + u64::from(byte - b'0');
        } else {
            exact = false;
        }
        digits += 1;
        at += 1;
    }
    if text.get(at) == Some(&b'.') {
        let mut p = at + 1;
        let mut fraction = 0usize;
        while let Some(byte @ b'0'..=b'9') = text.get(p) {
            if mantissa < 900_719_925_474_099 {
                mantissa = mantissa * 10 + u64::from(byte - b'0');
                scale += 1;
            } else {
                exact = false;
            }
            fraction += 1;
            p += 1;
        }
        if digits + fraction > 0 {
            at = p;
        }
        digits += fraction;
    }
    if digits == 0 {
        return special_number(
            text,
            negative,
            usize::from(matches!(text.first(), Some(b'+' | b'-'))),
        );
    }
    if matches!(text.get(at), Some(b'e' | b'E')) {
        let mut p = at + 1;
        if matches!(text.get(p), Some(b'+' | b'-')) {
            p += 1;
        }
        let start = p;
        while text.get(p).is_some_and(u8::is_ascii_digit) {
            p += 1;
        }
        if p > start {
            at = p;
            exact = false;
        }
    }
    let value = if exact && scale <= 22 {
        let value = mantissa as f64;
        let value = if scale == 0 {
            value
        } else {
            value / POWERS[scale as usize]
        };
        if negative { -value } else { value }
    } else {
        std::str::from_utf8(&text[..at])
            .ok()
            .and_then(|t| t.parse::<f64>().ok())
            .unwrap_or(0.0)
    };
    (value, at)
}

/// `+inf`, `-nan` and so on: with a sign only, as in gawk.
fn special_number(text: &[u8], negative: bool, signs: usize) -> (f64, usize) {
    if signs == 0 || text.len() < 4 {
        return (0.0, 0);
    }
    let word = text[1..4].to_ascii_lowercase();
    let ends = text.get(4).is_none_or(|b| !b.is_ascii_alphanumeric());
    match word.as_slice() {
        b"inf" if ends => (
            if negative {
                f64::NEG_INFINITY
            } else {
                f64::INFINITY
            },
            4,
        ),
        b"nan" if ends => (if negative { -f64::NAN } else { f64::NAN }, 4),
        _ => (0.0, 0),
    }
}

#[inline]
fn skip_blank(text: &[u8]) -> usize {
    let mut at = 0;
    while text
        .get(at)
        .is_some_and(|b| matches!(b, b' ' | b'\t' | b'\n' | b'\r' | 11 | 12))
    {
        at += 1;
    }
    at
}

/// The number that a text begins with, 0 if none.
#[inline]
pub fn to_number(text: &[u8]) -> f64 {
    // Short plain integers are most of what is read.
    if text.len() <= 9 && !text.is_empty() {
        let mut value = 0u32;
        let mut plain = true;
        for byte in text {
            let digit = byte.wrapping_sub(b'0');
            if digit > 9 {
                plain = false;
                break;
            }
            value = value.wrapping_mul(10).wrapping_add(u32::from(digit));
        }
        if plain {
            return f64::from(value);
        }
    }
    let start = skip_blank(text);
    parse_number(&text[start..]).0
}

/// The number if the whole text is one, blanks around it allowed.
#[inline]
pub fn looks_numeric(text: &[u8]) -> Option<f64> {
    let start = skip_blank(text);
    let rest = &text[start..];
    match rest.first() {
        Some(b'0'..=b'9' | b'+' | b'-' | b'.') => {}
        _ => return None,
    }
    let (value, length) = parse_number(rest);
    if length == 0 {
        return None;
    }
    let tail = &rest[length..];
    (skip_blank(tail) == tail.len()).then_some(value)
}

/// Appends a number as `print` and concatenation show it.
#[inline]
pub fn append_number(out: &mut Vec<u8>, n: f64, format: &[u8]) {
    if n.fract() == 0.0 && n.abs() < 1e16 {
        append_integer(out, n as i64);
    } else {
        append_unusual(out, n, format);
    }
}

#[cold]
fn append_unusual(out: &mut Vec<u8>, n: f64, format: &[u8]) {
    if n.is_nan() {
        out.extend_from_slice(if n.is_sign_negative() {
            b"-nan"
        } else {
            b"+nan"
        });
    } else if n.is_infinite() {
        out.extend_from_slice(if n < 0.0 { b"-inf" } else { b"+inf" });
    } else if n.fract() == 0.0 {
        out.extend_from_slice(format!("{n:.0}").as_bytes());
    } else if format == b"%.6g" {
        crate::format::append_g(out, n, 6, false, false);
    } else {
        crate::format::append_float(out, format, n);
    }
}

/// Appends an integer.
#[inline]
pub fn append_integer(out: &mut Vec<u8>, n: i64) {
    let mut buffer = [0u8; 20];
    let mut at = buffer.len();
    let mut rest = n.unsigned_abs();
    loop {
        at -= 1;
        buffer[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if n < 0 {
        at -= 1;
        buffer[at] = b'-';
    }
    out.extend_from_slice(&buffer[at..]);
}
