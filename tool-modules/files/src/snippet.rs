//! Lines of a file with their numbers, as `cat -n` prints them.

use std::ops::Range;

/// Characters of a line that are shown; the rest is named.
pub const LINE_CHARS: usize = 2000;
/// Lines shown before and after a change.
const CONTEXT: usize = 4;
/// Lines that a snippet shows at most.
const LINES_MAX: usize = 80;

/// Appends one numbered line. `chars` is how long the whole line is when `line`
/// holds only its beginning.
pub fn push_line(out: &mut String, number: usize, line: &[u8], chars: Option<usize>) {
    use std::fmt::Write;
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let text = String::from_utf8_lossy(line);
    // Writing to a string cannot fail.
    let _ = write!(out, "{number:>6}\t");
    let cut = text.char_indices().nth(LINE_CHARS).map(|(at, _)| at);
    match (cut, chars) {
        (None, None) => out.push_str(&text),
        (cut, chars) => {
            let all = chars.unwrap_or_else(|| text.chars().count());
            out.push_str(text.get(..cut.unwrap_or(text.len())).unwrap_or(&text));
            let _ = write!(out, "... [truncated: the line has {all} characters]");
        }
    }
    out.push('\n');
}

/// The changed byte ranges of `text` with some lines around each, numbered.
pub fn changes(text: &[u8], ranges: &[Range<usize>]) -> String {
    let starts = line_starts(text);
    let line_at = |position: usize| starts.partition_point(|&start| start <= position).max(1) - 1;
    let last = starts.len().saturating_sub(1);
    let mut shown: Vec<Range<usize>> = Vec::new();
    for range in ranges {
        let end = if range.end > range.start {
            range.end - 1
        } else {
            range.start
        };
        let from = line_at(range.start).saturating_sub(CONTEXT);
        let to = (line_at(end) + CONTEXT).min(last) + 1;
        match shown.last_mut() {
            Some(previous) if from <= previous.end => previous.end = previous.end.max(to),
            _ => shown.push(from..to),
        }
    }
    let mut out = String::new();
    let mut count = 0;
    let all: usize = shown.iter().map(ExactSizeIterator::len).sum();
    for (index, range) in shown.iter().enumerate() {
        if index > 0 {
            out.push_str("   ...\n");
        }
        for line in range.clone() {
            if count == LINES_MAX {
                out.push_str(&format!("   ... [{} more lines not shown]\n", all - count));
                return out;
            }
            count += 1;
            push_line(&mut out, line + 1, line_of_text(text, &starts, line), None);
        }
    }
    out
}

/// Where each line of `text` begins. A text that ends with a line feed has no
/// empty line after it.
fn line_starts(text: &[u8]) -> Vec<usize> {
    let mut starts = vec![0];
    starts.extend(memchr::memchr_iter(b'\n', text).map(|at| at + 1));
    if starts.len() > 1 && starts.last() == Some(&text.len()) {
        starts.pop();
    }
    starts
}

fn line_of_text<'a>(text: &'a [u8], starts: &[usize], line: usize) -> &'a [u8] {
    let from = starts.get(line).copied().unwrap_or(text.len());
    let to = starts.get(line + 1).copied().unwrap_or(text.len());
    let whole = text.get(from..to).unwrap_or_default();
    whole.strip_suffix(b"\n").unwrap_or(whole)
}

/// The part of `new` that differs from `old`, as a byte range of whole lines.
pub fn changed_range(old: &[u8], new: &[u8]) -> Range<usize> {
    let prefix = old.iter().zip(new).take_while(|(a, b)| a == b).count();
    let room = old.len().min(new.len()) - prefix;
    let suffix = old
        .iter()
        .rev()
        .zip(new.iter().rev())
        .take(room)
        .take_while(|(a, b)| a == b)
        .count();
    prefix..new.len() - suffix
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_context() {
        let text: String = (1..=30).map(|n| format!("line {n}\n")).collect();
        let at = |needle: &str| {
            text.find(needle)
                .map_or(0..0, |from| from..from + needle.len())
        };
        let got = changes(text.as_bytes(), &[at("line 10"), at("line 30")]);
        let numbers: Vec<&str> = got
            .lines()
            .map(|line| line.split('\t').next().unwrap_or("").trim())
            .collect();
        assert_eq!(
            numbers,
            [
                "6", "7", "8", "9", "10", "11", "12", "13", "14", "...", "26", "27", "28", "29",
                "30"
            ]
        );
        assert!(got.starts_with("     6\tline 6\n"), "{got}");
    }

    #[test]
    fn long_lines_are_cut_with_a_mark() {
        let mut out = String::new();
        push_line(&mut out, 1, "é".repeat(2001).as_bytes(), None);
        assert!(
            out.ends_with("é... [truncated: the line has 2001 characters]\n"),
            "{out}"
        );
        let mut out = String::new();
        push_line(&mut out, 1, "é".repeat(2000).as_bytes(), None);
        assert_eq!(out, format!("     1\t{}\n", "é".repeat(2000)));
    }

    #[test]
    fn the_changed_part_is_found() {
        assert_eq!(changed_range(b"a\nb\nc\n", b"a\nX\nc\n"), 2..3);
        assert_eq!(changed_range(b"aaa", b"aaaa"), 3..4);
        assert_eq!(changed_range(b"aaaa", b"aaa"), 3..3);
        assert_eq!(changed_range(b"", b"x"), 0..1);
    }
}
