//! Reading one value, from text or from the file, by the kind of its key.

use std::net::SocketAddr;

use toml::Value;

use super::keys::Kind;
use crate::units::{Period, Size};

/// Reads a value written as text (environment, flags).
pub(super) fn from_text(kind: Kind, text: &str) -> Result<Value, String> {
    match kind {
        Kind::Text | Kind::Secret | Kind::Path => Ok(Value::String(text.to_owned())),
        Kind::Integer => integer(text.trim().parse::<u64>().ok(), text),
        Kind::Flag => match text.trim() {
            "true" | "1" | "yes" | "on" => Ok(Value::Boolean(true)),
            "false" | "0" | "no" | "off" => Ok(Value::Boolean(false)),
            _ => Err(format!("{text:?} is neither true nor false")),
        },
        Kind::List => Ok(Value::Array(
            text.split(',')
                .map(str::trim)
                .filter(|part| !part.is_empty())
                .map(|part| Value::String(part.to_owned()))
                .collect(),
        )),
        Kind::Sizes => {
            let mut table = toml::Table::new();
            for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
                let (name, size) = part
                    .split_once('=')
                    .ok_or_else(|| format!("{part:?} is not NAME=SIZE"))?;
                table.insert(name.trim().to_owned(), self::size(size)?);
            }
            Ok(Value::Table(table))
        }
        Kind::Size => size(text),
        Kind::Period => period(text),
        Kind::Address => text
            .trim()
            .parse::<SocketAddr>()
            .map(|_| Value::String(text.trim().to_owned()))
            .map_err(|_| format!("{text:?} is not an address: write IP:PORT, such as 127.0.0.1:8080 or [::1]:8080")),
        Kind::Url => {
            let trimmed = text.trim();
            if trimmed.starts_with("http://") || trimmed.starts_with("https://") {
                Ok(Value::String(trimmed.to_owned()))
            } else {
                Err(format!("{text:?} is not a URL: it must begin with http:// or https://"))
            }
        }
        Kind::Choice(words) => {
            if words.contains(&text.trim()) {
                Ok(Value::String(text.trim().to_owned()))
            } else {
                Err(format!("{text:?} is none of: {}", words.join(", ")))
            }
        }
        Kind::Table => Err("this key can be given in the configuration file only".to_owned()),
    }
}

/// Reads a value of the file.
pub(super) fn from_file(kind: Kind, value: &Value) -> Result<Value, String> {
    match (kind, value) {
        (Kind::Table, Value::Table(_)) => Ok(value.clone()),
        (Kind::Integer, Value::Integer(n)) => integer(u64::try_from(*n).ok(), &n.to_string()),
        (Kind::Size, Value::Integer(n)) => integer(u64::try_from(*n).ok(), &n.to_string()),
        (Kind::Period, Value::Integer(n)) => period(&n.to_string()),
        (Kind::Flag, Value::Boolean(_)) => Ok(value.clone()),
        (Kind::List, Value::Array(items)) => {
            if items.iter().all(Value::is_str) {
                Ok(value.clone())
            } else {
                Err("every entry of the list must be a text in quotes".to_owned())
            }
        }
        (Kind::Sizes, Value::Table(table)) => {
            let mut out = toml::Table::new();
            for (name, value) in table {
                let value = from_file(Kind::Size, value).map_err(|e| format!("{name}: {e}"))?;
                out.insert(name.clone(), value);
            }
            Ok(Value::Table(out))
        }
        (Kind::Integer | Kind::Flag | Kind::List | Kind::Sizes | Kind::Table, other) => Err(
            format!("{} was expected, not {}", kind.describe(), type_of(other)),
        ),
        (_, Value::String(text)) => from_text(kind, text),
        (_, other) => Err(format!(
            "{} in quotes was expected, not {}",
            kind.describe(),
            type_of(other)
        )),
    }
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::String(_) => "a text",
        Value::Integer(_) | Value::Float(_) => "a number",
        Value::Boolean(_) => "true or false",
        Value::Datetime(_) => "a date",
        Value::Array(_) => "a list",
        Value::Table(_) => "a table",
    }
}

fn integer(number: Option<u64>, text: &str) -> Result<Value, String> {
    number
        .and_then(|n| i64::try_from(n).ok())
        .map(Value::Integer)
        .ok_or_else(|| format!("{text:?} is not a whole number from 0 to {}", i64::MAX))
}

/// Kept as a number of bytes.
fn size(text: &str) -> Result<Value, String> {
    let size: Size = text
        .parse()
        .map_err(|e: crate::units::UnitError| e.to_string())?;
    integer(Some(size.0), text)
}

/// Kept as milliseconds, which every reader understands; finer than that is refused.
fn period(text: &str) -> Result<Value, String> {
    let period: Period = text
        .parse()
        .map_err(|e: crate::units::UnitError| e.to_string())?;
    if !period.0.subsec_nanos().is_multiple_of(1_000_000) {
        return Err(format!("{text:?}: the smallest step is 1ms"));
    }
    Ok(Value::String(format!("{}ms", period.0.as_millis())))
}

/// A value as it would be written, for `hardshell config`.
pub(super) fn shown(kind: Kind, value: &Value) -> String {
    match (kind, value) {
        (Kind::Secret, _) => "\"***\"".to_owned(),
        (Kind::Size, Value::Integer(n)) => format!("\"{}\"", Size(n.unsigned_abs())),
        (Kind::Period, Value::String(text)) => match text.parse::<Period>() {
            Ok(period) => format!("\"{period}\""),
            Err(_) => value.to_string(),
        },
        (Kind::Sizes, Value::Table(table)) => {
            let parts: Vec<String> = table
                .iter()
                .map(|(name, value)| format!("{name} = {}", shown(Kind::Size, value)))
                .collect();
            format!("{{ {} }}", parts.join(", "))
        }
        _ => value.to_string(),
    }
}
