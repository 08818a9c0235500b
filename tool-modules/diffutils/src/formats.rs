//! The ways to write differences down.

use hardshell_cli::Out;

use crate::compare::Change;

/// Two texts and what differs.
pub struct Pair<'a> {
    pub a: &'a [&'a [u8]],
    pub b: &'a [&'a [u8]],
    pub changes: &'a [Change],
}

const NO_NEWLINE: &[u8] = b"\n\\ No newline at end of file\n";

fn put_line(out: &mut Out, mark: &[u8], line: &[u8]) {
    out.put(mark);
    match line.strip_suffix(b"\n") {
        Some(_) => out.put(line),
        None => {
            out.put(line);
            out.put(NO_NEWLINE);
        }
    }
}

/// `3` or `3,5`, counted from one.
fn range(from: usize, to: usize) -> String {
    if to <= from {
        return from.to_string();
    }
    if to - from == 1 {
        to.to_string()
    } else {
        format!("{},{to}", from + 1)
    }
}

pub fn normal(p: &Pair<'_>, out: &mut Out) {
    for c in p.changes {
        let letter = match (c.before.0 == c.before.1, c.after.0 == c.after.1) {
            (true, _) => 'a',
            (_, true) => 'd',
            _ => 'c',
        };
        out.put(
            format!(
                "{}{letter}{}\n",
                range(c.before.0, c.before.1),
                range(c.after.0, c.after.1)
            )
            .as_bytes(),
        );
        for line in &p.a[c.before.0..c.before.1] {
            put_line(out, b"< ", line);
        }
        if letter == 'c' {
            out.put(b"---\n");
        }
        for line in &p.b[c.after.0..c.after.1] {
            put_line(out, b"> ", line);
        }
    }
}

/// Groups of changes that share context.
fn groups(p: &Pair<'_>, context: usize) -> Vec<std::ops::Range<usize>> {
    let mut out = Vec::new();
    let mut start = 0;
    for i in 1..=p.changes.len() {
        let apart = i == p.changes.len()
            || p.changes[i].before.0 - p.changes[i - 1].before.1 > context.saturating_mul(2);
        if apart {
            out.push(start..i);
            start = i;
        }
    }
    out
}

fn function_before<'a>(lines: &[&'a [u8]], at: usize) -> Option<&'a [u8]> {
    lines[..at]
        .iter()
        .rev()
        .find(|l| {
            l.first()
                .is_some_and(|b| b.is_ascii_alphabetic() || *b == b'_' || *b == b'$')
        })
        .map(|l| {
            let l = l.strip_suffix(b"\n").unwrap_or(l);
            &l[..l.len().min(40)]
        })
}

pub fn unified(p: &Pair<'_>, context: usize, functions: bool, out: &mut Out) {
    let side = |from: usize, to: usize| match to - from {
        0 => format!("{from},0"),
        1 => (from + 1).to_string(),
        n => format!("{},{n}", from + 1),
    };
    for group in groups(p, context) {
        let changes = &p.changes[group];
        let (Some(first), Some(last)) = (changes.first(), changes.last()) else {
            continue;
        };
        let lead = context.min(first.before.0);
        let tail = context.min(p.a.len() - last.before.1);
        let (a0, a1) = (first.before.0 - lead, last.before.1 + tail);
        let (b0, b1) = (
            first.after.0 - lead.min(first.after.0),
            (last.after.1 + tail).min(p.b.len()),
        );
        out.put(format!("@@ -{} +{} @@", side(a0, a1), side(b0, b1)).as_bytes());
        if functions && let Some(name) = function_before(p.a, a0) {
            out.byte(b' ');
            out.put(name);
        }
        out.byte(b'\n');
        let mut at = a0;
        for c in changes {
            for line in &p.a[at..c.before.0] {
                put_line(out, b" ", line);
            }
            for line in &p.a[c.before.0..c.before.1] {
                put_line(out, b"-", line);
            }
            for line in &p.b[c.after.0..c.after.1] {
                put_line(out, b"+", line);
            }
            at = c.before.1;
        }
        for line in &p.a[at..a1] {
            put_line(out, b" ", line);
        }
    }
}

pub fn context(p: &Pair<'_>, context: usize, out: &mut Out) {
    let side = |from: usize, to: usize| match to - from {
        0 => from.to_string(),
        1 => to.to_string(),
        _ => format!("{},{to}", from + 1),
    };
    for group in groups(p, context) {
        let changes = &p.changes[group];
        let (Some(first), Some(last)) = (changes.first(), changes.last()) else {
            continue;
        };
        let lead = context.min(first.before.0);
        let tail = context.min(p.a.len() - last.before.1);
        let (a0, a1) = (first.before.0 - lead, last.before.1 + tail);
        let (b0, b1) = (
            first.after.0 - lead.min(first.after.0),
            (last.after.1 + tail).min(p.b.len()),
        );
        out.put(b"***************\n");
        out.put(format!("*** {} ****\n", side(a0, a1)).as_bytes());
        let mark = |c: &Change, gone: u8| {
            if c.before.0 < c.before.1 && c.after.0 < c.after.1 {
                b'!'
            } else {
                gone
            }
        };
        if changes.iter().any(|c| c.before.0 < c.before.1) {
            let mut at = a0;
            for c in changes {
                for line in &p.a[at..c.before.0] {
                    put_line(out, b"  ", line);
                }
                for line in &p.a[c.before.0..c.before.1] {
                    put_line(out, &[mark(c, b'-'), b' '], line);
                }
                at = c.before.1;
            }
            for line in &p.a[at..a1] {
                put_line(out, b"  ", line);
            }
        }
        out.put(format!("--- {} ----\n", side(b0, b1)).as_bytes());
        if changes.iter().any(|c| c.after.0 < c.after.1) {
            let mut at = b0;
            for c in changes {
                for line in &p.b[at..c.after.0] {
                    put_line(out, b"  ", line);
                }
                for line in &p.b[c.after.0..c.after.1] {
                    put_line(out, &[mark(c, b'+'), b' '], line);
                }
                at = c.after.1;
            }
            for line in &p.b[at..b1] {
                put_line(out, b"  ", line);
            }
        }
    }
}

/// A script for `ed`, last change first.
pub fn ed(p: &Pair<'_>, out: &mut Out) {
    for c in p.changes.iter().rev() {
        let letter = match (c.before.0 == c.before.1, c.after.0 == c.after.1) {
            (true, _) => 'a',
            (_, true) => 'd',
            _ => 'c',
        };
        out.put(format!("{}{letter}\n", range(c.before.0, c.before.1)).as_bytes());
        if letter != 'd' {
            for line in &p.b[c.after.0..c.after.1] {
                out.put(line);
                if line.last() != Some(&b'\n') {
                    out.byte(b'\n');
                }
            }
            out.put(b".\n");
        }
    }
}

pub fn rcs(p: &Pair<'_>, out: &mut Out) {
    for c in p.changes {
        if c.before.0 < c.before.1 {
            out.put(format!("d{} {}\n", c.before.0 + 1, c.before.1 - c.before.0).as_bytes());
        }
        if c.after.0 < c.after.1 {
            out.put(format!("a{} {}\n", c.before.1, c.after.1 - c.after.0).as_bytes());
            for line in &p.b[c.after.0..c.after.1] {
                out.put(line);
            }
        }
    }
}

/// Both texts beside each other in `width` columns.
pub fn side_by_side(p: &Pair<'_>, width: usize, left_only: bool, no_common: bool, out: &mut Out) {
    // The layout of GNU diff: a gutter of at least three columns, and the right
    // half at a multiple of eight.
    let unaligned = width / 2 + 11 / 2 + (width & 1);
    let column2 = unaligned - unaligned % 8;
    let half = column2.saturating_sub(3).min(width.saturating_sub(column2));
    let gutter = (half + column2).saturating_sub(1) / 2;
    let cut = |line: &[u8]| -> (String, usize) {
        let text = String::from_utf8_lossy(line.strip_suffix(b"\n").unwrap_or(line))
            .replace('\t', "        ");
        let text: String = text.chars().take(half).collect();
        let count = text.chars().count();
        (text, count)
    };
    let mut row = |left: Option<&[u8]>, mark: char, right: Option<&[u8]>| {
        let (text, count) = left.map(cut).unwrap_or_default();
        let mut line = text;
        let mut at = count;
        let pad = |line: &mut String, at: &mut usize, to: usize| {
            while *at < to {
                let stop = (*at / 8 + 1) * 8;
                if stop <= to {
                    line.push('\t');
                    *at = stop;
                } else {
                    line.push(' ');
                    *at += 1;
                }
            }
        };
        if mark != ' ' {
            pad(&mut line, &mut at, gutter);
            line.push(mark);
            at += 1;
        }
        if let Some(right) = right {
            let (text, count) = cut(right);
            if count > 0 {
                pad(&mut line, &mut at, column2);
            }
            line.push_str(&text);
        }
        line.push('\n');
        out.put(line.as_bytes());
    };
    let (mut i, mut j) = (0, 0);
    let common = |row: &mut dyn FnMut(Option<&[u8]>, char, Option<&[u8]>),
                  from: usize,
                  to: usize,
                  other: usize| {
        if no_common {
            return;
        }
        for k in from..to {
            if left_only {
                row(Some(p.a[k]), '(', None);
            } else {
                row(Some(p.a[k]), ' ', Some(p.b[other + k - from]));
            }
        }
    };
    for c in p.changes {
        common(&mut row, i, c.before.0, j);
        let (left, right) = (c.before.1 - c.before.0, c.after.1 - c.after.0);
        for k in 0..left.max(right) {
            let a = (k < left).then(|| p.a[c.before.0 + k]);
            let b = (k < right).then(|| p.b[c.after.0 + k]);
            let mark = match (a.is_some(), b.is_some()) {
                (true, true) => '|',
                (true, false) => '<',
                _ => '>',
            };
            row(a, mark, b);
        }
        (i, j) = (c.before.1, c.after.1);
    }
    common(&mut row, i, p.a.len(), j);
}
