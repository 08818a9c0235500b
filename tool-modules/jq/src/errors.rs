//! Messages in jq's words.

use jaq_core::load::{self, lex};
use jaq_json::Val;
use std::path::PathBuf;

/// Errors of reading the program.
pub fn load(code: &str, errors: load::Errors<&str, PathBuf>) -> Vec<String> {
    let mut lines = Vec::new();
    let mut count = 0;
    for (_, error) in errors {
        match error {
            load::Error::Io(all) => {
                for (path, message) in all {
                    count += 1;
                    lines.push(format!("error: module not found: {path}: {message}"));
                }
            }
            load::Error::Lex(all) => {
                for (expected, found) in all {
                    count += 1;
                    let what = match expected {
                        lex::Expect::Delim(delimiter) => format!("unterminated {delimiter}"),
                        _ => "unexpected INVALID_CHARACTER".to_owned(),
                    };
                    lines.push(syntax(code, found, &what));
                }
            }
            load::Error::Parse(all) => {
                for (_, found) in all {
                    count += 1;
                    let what = if found.is_empty() {
                        "unexpected $end".to_owned()
                    } else {
                        format!("unexpected '{}'", first_word(found))
                    };
                    lines.push(syntax(code, found, &what));
                }
            }
        }
    }
    lines.push(plural(count));
    lines
}

fn first_word(text: &str) -> String {
    text.chars().take(1).collect()
}

fn plural(count: usize) -> String {
    format!("{count} compile error{}", if count == 1 { "" } else { "s" })
}

fn line_of(code: &str, part: &str) -> usize {
    let offset = (part.as_ptr() as usize).wrapping_sub(code.as_ptr() as usize);
    let before = code.get(..offset.min(code.len())).unwrap_or(code);
    1 + before.matches('\n').count()
}

fn syntax(code: &str, part: &str, what: &str) -> String {
    format!(
        "error: syntax error, {what} (Unix shell quoting issues?) at <top-level>, line {}:\n{code}",
        line_of(code, part)
    )
}

/// Errors of resolving names.
pub fn compile(code: &str, errors: jaq_core::compile::Errors<&str, PathBuf>) -> Vec<String> {
    let mut lines = Vec::new();
    let mut count = 0;
    for (_, all) in errors {
        for (name, kind) in all {
            count += 1;
            let line = line_of(code, name);
            let what = match kind {
                jaq_core::compile::Undefined::Filter(arity) => format!("{name}/{arity}"),
                jaq_core::compile::Undefined::Label => {
                    format!("$*label-{}", name.trim_start_matches('$'))
                }
                _ => name.to_owned(),
            };
            lines.push(format!(
                "error: {what} is not defined at <top-level>, line {line}:\n{code}"
            ));
        }
    }
    lines.push(plural(count));
    lines
}

/// A runtime error in jq's words where the library has its own.
pub fn runtime(text: &str) -> String {
    if let Some(rest) = text.strip_prefix("cannot index ")
        && let Some((left, right)) = two(rest, " with ")
    {
        return match right.strip_prefix('"') {
            Some(_) => format!("Cannot index {} with {right}", kind(left)),
            None => format!("Cannot index {} with {}", kind(left), kind(right)),
        };
    }
    if let Some(rest) = text.strip_prefix("cannot use ")
        && let Some((value, what)) = two(rest, " as ")
    {
        return match what {
            "iterable (array or object)" => format!("Cannot iterate over {}", shown(value)),
            "string" => format!("{} cannot be used as a string", shown(value)),
            "number" => format!("{} number required", shown(value)),
            "array" => format!("{} cannot be sorted, as it is not an array", shown(value)),
            _ => format!("{} cannot be used as {what}", shown(value)),
        };
    }
    if let Some(rest) = text.strip_prefix("cannot calculate ") {
        for (op, words) in [
            (" + ", "cannot be added"),
            (" - ", "cannot be subtracted"),
            (" * ", "cannot be multiplied"),
            (" / ", "cannot be divided"),
            (" % ", "cannot be divided"),
        ] {
            if let Some((left, right)) = two(rest, op) {
                let zero = matches!(op, " / " | " % ") && right.parse::<f64>() == Ok(0.0);
                let because = if zero {
                    " because the divisor is zero"
                } else {
                    ""
                };
                return format!("{} and {} {words}{because}", shown(left), shown(right));
            }
        }
    }
    text.to_owned()
}

/// Splits where the left part is a whole JSON value.
fn two<'t>(text: &'t str, by: &str) -> Option<(&'t str, &'t str)> {
    text.match_indices(by).find_map(|(at, _)| {
        let left = text.get(..at)?;
        jaq_json::read::parse_single(left.as_bytes()).ok()?;
        Some((left, text.get(at + by.len()..)?))
    })
}

fn kind(json: &str) -> &'static str {
    match json.bytes().next() {
        Some(b'"') => "string",
        Some(b'[') => "array",
        Some(b'{') => "object",
        Some(b't' | b'f') => "boolean",
        Some(b'n') => "null",
        _ => "number",
    }
}

/// A value in a message: its type and the beginning of its text.
pub fn shown(json: &str) -> String {
    let mut text: String = json.chars().take(11).collect();
    if json.chars().count() > 11 {
        text = json.chars().take(10).collect();
        text.push_str("...");
    }
    format!("{} ({text})", kind(json))
}

/// The message of an error value that reached the top.
pub fn top(value: &Val, rendered: &str) -> String {
    match value {
        Val::TStr(text) | Val::BStr(text) => {
            let _ = rendered;
            format!(": {}", runtime(&String::from_utf8_lossy(text)))
        }
        _ => {
            let mut out = Vec::new();
            crate::output::Format::default().append(value, &mut out);
            format!(" (not a string): {}", String::from_utf8_lossy(&out))
        }
    }
}
