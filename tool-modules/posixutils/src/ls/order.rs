//! The order of a listing.

use super::options::{Order, Settings, Time};
use super::{Entry, quote};
use std::cmp::Ordering;

pub(super) fn sort(entries: &mut [Entry], settings: &Settings) {
    if settings.order != Order::None {
        entries.sort_by(|a, b| {
            let order = compare(a, b, settings);
            if settings.reverse {
                order.reverse()
            } else {
                order
            }
        });
    }
    if settings.folders_first {
        entries.sort_by_cached_key(|entry| !entry.leads_to_dir());
    }
}

fn compare(a: &Entry, b: &Entry, settings: &Settings) -> Ordering {
    let by_name = || a.name.cmp(&b.name);
    match settings.order {
        Order::Name | Order::None => by_name(),
        Order::Size => size(b).cmp(&size(a)).then_with(by_name),
        Order::Time => time(b, settings).cmp(&time(a, settings)).then_with(by_name),
        Order::Extension => extension(&a.name)
            .cmp(extension(&b.name))
            .then_with(by_name),
        Order::Version => versions(&a.name, &b.name).then_with(by_name),
        Order::Width => {
            let width = |entry: &Entry| quote::width(&quote::name(&entry.name, settings.quoting));
            width(a).cmp(&width(b)).then_with(by_name)
        }
    }
}

fn size(entry: &Entry) -> u64 {
    entry.meta.map_or(0, |meta| meta.size)
}

/// The time that is sorted by and shown, nanoseconds since 1970.
pub(super) fn time(entry: &Entry, settings: &Settings) -> i128 {
    entry.meta.map_or(0, |meta| match settings.time {
        Time::Modified => meta.mtime,
        Time::Accessed => meta.atime,
        Time::Changed => meta.ctime,
    })
}

fn extension(name: &[u8]) -> &[u8] {
    match name.iter().rposition(|b| *b == b'.') {
        Some(at) => name.get(at..).unwrap_or_default(),
        None => b"",
    }
}

/// Numbers within names by their value: `a2` before `a10`.
fn versions(a: &[u8], b: &[u8]) -> Ordering {
    let (mut a, mut b) = (a, b);
    loop {
        let (text_a, rest_a) = split(a, |byte| !byte.is_ascii_digit());
        let (text_b, rest_b) = split(b, |byte| !byte.is_ascii_digit());
        let text = text_a.cmp(text_b);
        if text != Ordering::Equal {
            return text;
        }
        let (digits_a, next_a) = split(rest_a, u8::is_ascii_digit);
        let (digits_b, next_b) = split(rest_b, u8::is_ascii_digit);
        let (value_a, value_b) = (significant(digits_a), significant(digits_b));
        let number = value_a.len().cmp(&value_b.len()).then(value_a.cmp(value_b));
        if number != Ordering::Equal {
            return number;
        }
        if next_a.is_empty() || next_b.is_empty() {
            return next_a.len().cmp(&next_b.len());
        }
        (a, b) = (next_a, next_b);
    }
}

fn split(text: &[u8], within: impl Fn(&u8) -> bool) -> (&[u8], &[u8]) {
    let end = text
        .iter()
        .position(|byte| !within(byte))
        .unwrap_or(text.len());
    text.split_at(end)
}

fn significant(digits: &[u8]) -> &[u8] {
    let zeros = digits.iter().take_while(|byte| **byte == b'0').count();
    digits.get(zeros..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_names_count_by_value() {
        let mut names = ["a10", "a2", "a1", "b", "a2.5", "a02"];
        names.sort_by(|a, b| versions(a.as_bytes(), b.as_bytes()).then(a.cmp(b)));
        assert_eq!(names, ["a1", "a02", "a2", "a2.5", "a10", "b"]);
    }
}
