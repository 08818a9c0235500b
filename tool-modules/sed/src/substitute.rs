//! The `s` command.

use hardshell_posix_regex::{Regex, Slots};

use crate::script::{Case, Part, Substitute};

/// Scratch space that is kept from line to line.
#[derive(Default)]
pub struct Scratch {
    slots: Slots,
    out: Vec<u8>,
}

/// Replaces in `line`; whether anything was replaced.
pub fn substitute(
    s: &Substitute,
    regex: &mut Regex,
    line: &mut Vec<u8>,
    scratch: &mut Scratch,
    utf8: bool,
) -> bool {
    let mut at = 0;
    let mut count = 0;
    let mut copied = 0;
    let mut done = false;
    // Where the last match ended: an empty match right there does not count.
    let mut last_end = None;
    scratch.out.clear();
    while at <= line.len() {
        let needs_groups = regex.groups() > 0;
        let (from, to) = if needs_groups {
            if !regex.captures_at(line, at, &mut scratch.slots) {
                break;
            }
            match (
                scratch.slots.first().copied().flatten(),
                scratch.slots.get(1).copied().flatten(),
            ) {
                (Some(from), Some(to)) => (from, to),
                _ => break,
            }
        } else {
            let Some((from, to)) = regex.find_at(line, at) else {
                break;
            };
            scratch.slots.clear();
            scratch.slots.extend([Some(from), Some(to)]);
            (from, to)
        };
        let empty_after_match = from == to && last_end == Some(from);
        if !empty_after_match {
            count += 1;
            if count >= s.nth.max(1) {
                scratch
                    .out
                    .extend_from_slice(line.get(copied..from).unwrap_or_default());
                expand(s, line, &scratch.slots, &mut scratch.out);
                copied = to;
                done = true;
                if !s.global {
                    break;
                }
            }
            last_end = Some(to);
        }
        at = if to > from {
            to
        } else {
            next_char(line, to, utf8)
        };
    }
    if !done {
        return false;
    }
    scratch
        .out
        .extend_from_slice(line.get(copied..).unwrap_or_default());
    std::mem::swap(line, &mut scratch.out);
    true
}

fn next_char(line: &[u8], at: usize, utf8: bool) -> usize {
    let mut next = at + 1;
    while utf8 && line.get(next).is_some_and(|b| b & 0xc0 == 0x80) {
        next += 1;
    }
    next
}

fn expand(s: &Substitute, line: &[u8], slots: &Slots, out: &mut Vec<u8>) {
    if s.converts {
        return expand_converting(s, line, slots, out);
    }
    for part in &s.parts {
        match part {
            Part::Text(text) => out.extend_from_slice(text),
            Part::Group(group) => out.extend_from_slice(self::group(line, slots, *group)),
            Part::Case(_) => {}
        }
    }
}

fn group<'l>(line: &'l [u8], slots: &Slots, group: usize) -> &'l [u8] {
    match (
        slots.get(group * 2).copied().flatten(),
        slots.get(group * 2 + 1).copied().flatten(),
    ) {
        (Some(from), Some(to)) => line.get(from..to).unwrap_or_default(),
        _ => &[],
    }
}

fn expand_converting(s: &Substitute, line: &[u8], slots: &Slots, out: &mut Vec<u8>) {
    let mut lasting: Option<Case> = None;
    let mut once: Option<Case> = None;
    for part in &s.parts {
        let text: &[u8] = match part {
            Part::Text(text) => text,
            Part::Group(number) => group(line, slots, *number),
            Part::Case(Case::End) => {
                lasting = None;
                once = None;
                continue;
            }
            Part::Case(case @ (Case::Upper | Case::Lower)) => {
                lasting = Some(*case);
                continue;
            }
            Part::Case(case) => {
                once = Some(*case);
                continue;
            }
        };
        if text.is_empty() {
            continue;
        }
        let text = String::from_utf8_lossy(text);
        let mut chars = text.chars();
        if let Some(case) = once.take()
            && let Some(first) = chars.next()
        {
            let first = match case {
                Case::UpperNext => first.to_uppercase().collect::<String>(),
                _ => first.to_lowercase().collect::<String>(),
            };
            out.extend_from_slice(first.as_bytes());
        }
        let rest = chars.as_str();
        match lasting {
            Some(Case::Upper) => out.extend_from_slice(rest.to_uppercase().as_bytes()),
            Some(Case::Lower) => out.extend_from_slice(rest.to_lowercase().as_bytes()),
            _ => out.extend_from_slice(rest.as_bytes()),
        }
    }
}
