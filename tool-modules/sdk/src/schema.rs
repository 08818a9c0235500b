//! JSON Schemas that exist at compile time, so that they can stand in a custom section.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;

/// A part of a JSON text.
#[derive(Clone, Copy)]
pub enum Piece {
    /// As it stands.
    Text(&'static str),
    /// Other parts.
    Sub(&'static [Piece]),
    /// The names (quoted already) whose flag is set, with commas between.
    Names(&'static [(&'static str, bool)]),
}

/// A type whose JSON Schema is known at compile time. Derive it for your own.
pub trait Schema {
    /// The members of the schema's object, without its braces.
    const SCHEMA: &'static [Piece];
    /// Whether a field of this type may be left out.
    const OPTIONAL: bool = false;
}

macro_rules! plain {
    ($($text:literal: $($type:ty),+;)+) => {
        $($(impl Schema for $type {
            const SCHEMA: &'static [Piece] = &[Piece::Text($text)];
        })+)+
    };
}

plain! {
    "\"type\":\"string\"": String, PathBuf, char;
    "\"type\":\"boolean\"": bool;
    "\"type\":\"number\"": f32, f64;
    "\"type\":\"integer\"": i8, i16, i32, i64, isize;
    "\"type\":\"integer\",\"minimum\":0": u8, u16, u32, u64, usize;
    "\"description\":\"any JSON\"": serde_json::Value;
}

impl<T: Schema> Schema for Option<T> {
    const SCHEMA: &'static [Piece] = &[
        Piece::Text("\"anyOf\":[{"),
        Piece::Sub(T::SCHEMA),
        Piece::Text("},{\"type\":\"null\"}]"),
    ];
    const OPTIONAL: bool = true;
}

impl<T: Schema> Schema for Box<T> {
    const SCHEMA: &'static [Piece] = T::SCHEMA;
    const OPTIONAL: bool = T::OPTIONAL;
}

impl<T: Schema> Schema for Vec<T> {
    const SCHEMA: &'static [Piece] = &[
        Piece::Text("\"type\":\"array\",\"items\":{"),
        Piece::Sub(T::SCHEMA),
        Piece::Text("}"),
    ];
}

impl<T: Schema> Schema for BTreeMap<String, T> {
    const SCHEMA: &'static [Piece] = &[
        Piece::Text("\"type\":\"object\",\"additionalProperties\":{"),
        Piece::Sub(T::SCHEMA),
        Piece::Text("}"),
    ];
}

impl<T: Schema> Schema for HashMap<String, T> {
    const SCHEMA: &'static [Piece] = <BTreeMap<String, T>>::SCHEMA;
}

/// The length of the text that the pieces make.
pub const fn length(pieces: &[Piece]) -> usize {
    let mut total = 0;
    let mut index = 0;
    while index < pieces.len() {
        total += match pieces[index] {
            Piece::Text(text) => text.len(),
            Piece::Sub(pieces) => length(pieces),
            Piece::Names(names) => {
                let mut sum = 0;
                let mut at = 0;
                while at < names.len() {
                    if names[at].1 {
                        sum += names[at].0.len() + if sum > 0 { 1 } else { 0 };
                    }
                    at += 1;
                }
                sum
            }
        };
        index += 1;
    }
    total
}

/// The text that the pieces make; `N` is its [`length`].
pub const fn render<const N: usize>(pieces: &[Piece]) -> [u8; N] {
    let mut out = [0; N];
    write(pieces, &mut out, 0);
    out
}

const fn write(pieces: &[Piece], out: &mut [u8], mut at: usize) -> usize {
    let mut index = 0;
    while index < pieces.len() {
        match pieces[index] {
            Piece::Text(text) => at = copy(text, out, at),
            Piece::Sub(pieces) => at = write(pieces, out, at),
            Piece::Names(names) => {
                let start = at;
                let mut name = 0;
                while name < names.len() {
                    if names[name].1 {
                        if at > start {
                            at = copy(",", out, at);
                        }
                        at = copy(names[name].0, out, at);
                    }
                    name += 1;
                }
            }
        }
        index += 1;
    }
    at
}

const fn copy(text: &str, out: &mut [u8], mut at: usize) -> usize {
    let bytes = text.as_bytes();
    let mut index = 0;
    while index < bytes.len() {
        out[at] = bytes[index];
        at += 1;
        index += 1;
    }
    at
}
