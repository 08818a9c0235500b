//! YAML to values and back. Comments are lost; the order of keys is kept.

use std::collections::HashMap;
use std::rc::Rc;

use jaq_json::{Map, Num, Val};
use saphyr_parser::{Event, Parser, ScalarStyle};

/// Values that aliases may make in all; more is an attack by expansion.
const MAX_VALUES: usize = 2_000_000;
/// Nesting beyond this is refused rather than risking the stack.
const MAX_DEPTH: usize = 500;

/// The documents of a text.
pub fn parse(text: &str) -> Result<Vec<Val>, String> {
    let mut reader = Reader {
        anchors: HashMap::new(),
        values: 0,
    };
    let mut parser = Parser::new_from_str(text);
    let mut out = Vec::new();
    while let Some(event) = parser.next() {
        let (event, _) = event.map_err(|e| e.to_string())?;
        match event {
            Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd
            | Event::Nothing => {}
            other => out.push(reader.value(other, &mut parser, 0)?),
        }
    }
    Ok(out)
}

struct Reader {
    anchors: HashMap<usize, Val>,
    values: usize,
}

impl Reader {
    fn value<'i>(
        &mut self,
        event: Event<'i>,
        parser: &mut Parser<'i, saphyr_parser::StrInput<'i>>,
        depth: usize,
    ) -> Result<Val, String> {
        self.values += 1;
        if depth > MAX_DEPTH || self.values > MAX_VALUES {
            return Err("the document is nested too deeply or too large".to_owned());
        }
        match event {
            Event::Alias(id) => {
                let value = self
                    .anchors
                    .get(&id)
                    .cloned()
                    .ok_or_else(|| "unknown alias".to_owned())?;
                self.values += size(&value);
                Ok(value)
            }
            Event::Scalar(text, style, anchor, tag) => {
                let tag = tag.map(|t| t.suffix.clone());
                let value = scalar(&text, style, tag.as_deref());
                self.keep(anchor, &value);
                Ok(value)
            }
            Event::SequenceStart(anchor, _) => {
                let mut items = Vec::new();
                loop {
                    match next(parser)? {
                        Event::SequenceEnd => break,
                        other => items.push(self.value(other, parser, depth + 1)?),
                    }
                }
                let value = Val::Arr(Rc::new(items));
                self.keep(anchor, &value);
                Ok(value)
            }
            Event::MappingStart(anchor, _) => {
                let mut map = Map::default();
                let mut merged: Vec<Val> = Vec::new();
                loop {
                    let key = match next(parser)? {
                        Event::MappingEnd => break,
                        other => self.value(other, parser, depth + 1)?,
                    };
                    let following = next(parser)?;
                    let value = self.value(following, parser, depth + 1)?;
                    if matches!(&key, Val::TStr(k) if k.as_ref().as_ref() == b"<<".as_slice()) {
                        merged.push(value);
                        continue;
                    }
                    let key = match key {
                        Val::TStr(_) => key,
                        other => {
                            let mut text = Vec::new();
                            crate::output::Format::default().append(&other, &mut text);
                            Val::utf8_str(text)
                        }
                    };
                    map.insert(key, value);
                }
                for source in merged {
                    let sources = match source {
                        Val::Arr(items) => items.to_vec(),
                        other => vec![other],
                    };
                    for source in sources {
                        if let Val::Obj(from) = source {
                            for (k, v) in from.iter() {
                                if !map.contains_key(k) {
                                    map.insert(k.clone(), v.clone());
                                }
                            }
                        }
                    }
                }
                let value = Val::Obj(Rc::new(map));
                self.keep(anchor, &value);
                Ok(value)
            }
            _ => Ok(Val::Null),
        }
    }

    fn keep(&mut self, anchor: usize, value: &Val) {
        if anchor > 0 {
            self.anchors.insert(anchor, value.clone());
        }
    }
}

fn size(value: &Val) -> usize {
    match value {
        Val::Arr(items) => 1 + items.iter().map(size).sum::<usize>(),
        Val::Obj(map) => 1 + map.values().map(size).sum::<usize>(),
        _ => 1,
    }
}

fn next<'i>(parser: &mut Parser<'i, saphyr_parser::StrInput<'i>>) -> Result<Event<'i>, String> {
    match parser.next() {
        Some(Ok((event, _))) => Ok(event),
        Some(Err(error)) => Err(error.to_string()),
        None => Err("unexpected end of the document".to_owned()),
    }
}

fn scalar(text: &str, style: ScalarStyle, tag: Option<&str>) -> Val {
    if style != ScalarStyle::Plain || tag == Some("str") {
        return Val::from(text.to_owned());
    }
    plain(text).unwrap_or_else(|| Val::from(text.to_owned()))
}

/// What a plain scalar means besides text.
fn plain(text: &str) -> Option<Val> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Some(Val::Null),
        "true" | "True" | "TRUE" => return Some(Val::Bool(true)),
        "false" | "False" | "FALSE" => return Some(Val::Bool(false)),
        ".inf" | ".Inf" | "+.inf" => return Some(Val::Num(Num::Float(f64::INFINITY))),
        "-.inf" | "-.Inf" => return Some(Val::Num(Num::Float(f64::NEG_INFINITY))),
        ".nan" | ".NaN" => return Some(Val::Num(Num::Float(f64::NAN))),
        _ => {}
    }
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if let Some(hex) = digits.strip_prefix("0x") {
        return Num::from_str_radix(hex, 16).map(Val::Num);
    }
    if let Some(octal) = digits.strip_prefix("0o") {
        return Num::from_str_radix(octal, 8).map(Val::Num);
    }
    if !digits.bytes().next()?.is_ascii_digit() && !digits.starts_with('.') {
        return None;
    }
    if digits.bytes().all(|b| b.is_ascii_digit()) && (digits.len() == 1 || !digits.starts_with('0'))
    {
        return jaq_json::read::parse_single_num(text.trim_start_matches('+').as_bytes())
            .map(Val::Num);
    }
    if digits
        .bytes()
        .all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'+' | b'-'))
        && digits.bytes().filter(|b| *b == b'.').count() <= 1
    {
        if let Some(n) = jaq_json::read::parse_single_num(text.as_bytes()) {
            return Some(Val::Num(n));
        }
        return text.parse::<f64>().ok().map(|f| Val::Num(Num::Float(f)));
    }
    None
}

/// Writes a value as a YAML document.
pub fn write(value: &Val, indent: usize, out: &mut Vec<u8>) {
    node(value, 0, indent, false, out);
    if out.last() != Some(&b'\n') {
        out.push(b'\n');
    }
}

fn pad(out: &mut Vec<u8>, count: usize) {
    out.resize(out.len() + count, b' ');
}

/// Writes a node; `inline` when something stands before it on the line.
fn node(value: &Val, level: usize, indent: usize, inline: bool, out: &mut Vec<u8>) {
    match value {
        Val::Arr(items) if !items.is_empty() => {
            for (i, item) in items.iter().enumerate() {
                if i > 0 || !inline {
                    pad(out, level);
                }
                out.extend_from_slice(b"- ");
                node(item, level + 2, indent, true, out);
                end(out);
            }
        }
        Val::Obj(map) if !map.is_empty() => {
            for (i, (key, item)) in map.iter().enumerate() {
                if i > 0 || !inline {
                    pad(out, level);
                }
                text(key, level, out);
                out.push(b':');
                match item {
                    Val::Arr(items) if !items.is_empty() => {
                        out.push(b'\n');
                        node(item, level + indent, indent, false, out);
                    }
                    Val::Obj(map) if !map.is_empty() => {
                        out.push(b'\n');
                        node(item, level + indent, indent, false, out);
                    }
                    _ => {
                        out.push(b' ');
                        node(item, level + indent, indent, true, out);
                    }
                }
                end(out);
            }
        }
        other => text(other, level, out),
    }
}

fn end(out: &mut Vec<u8>) {
    if out.last() != Some(&b'\n') {
        out.push(b'\n');
    }
}

fn text(value: &Val, level: usize, out: &mut Vec<u8>) {
    match value {
        Val::TStr(bytes) | Val::BStr(bytes) => {
            let string = String::from_utf8_lossy(bytes).into_owned();
            if string.contains('\n') && !string.starts_with([' ', '\n']) && !string.contains('\t') {
                out.extend_from_slice(if string.ends_with('\n') { b"|" } else { b"|-" });
                for line in string.trim_end_matches('\n').split('\n') {
                    out.push(b'\n');
                    if !line.is_empty() {
                        pad(out, level.max(2));
                        out.extend_from_slice(line.as_bytes());
                    }
                }
                out.push(b'\n');
            } else if is_plain(&string) {
                out.extend_from_slice(string.as_bytes());
            } else {
                crate::output::quote(string.as_bytes(), false, out);
            }
        }
        Val::Arr(_) => out.extend_from_slice(b"[]"),
        Val::Obj(_) => out.extend_from_slice(b"{}"),
        other => {
            let format = crate::output::Format {
                keep_literals: true,
                ..Default::default()
            };
            format.append(other, out);
        }
    }
}

/// Whether a text can stand without quotes and still be a text.
fn is_plain(text: &str) -> bool {
    if text.is_empty() || plain(text).is_some() || text.trim() != text {
        return false;
    }
    let first = text.chars().next().unwrap_or(' ');
    if "!&*-?{}[],#|>@`\"'%:".contains(first)
        && !(matches!(first, '-' | '?' | ':') && text.chars().nth(1).is_some_and(|c| c != ' '))
    {
        return false;
    }
    !text.contains(": ")
        && !text.contains(" #")
        && !text.ends_with(':')
        && !text.chars().any(char::is_control)
}
