//! Comparing two texts line by line.

use imara_diff::{Algorithm, Diff, InternedInput, TokenSource};

/// What does not count as a difference.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ignore {
    pub case: bool,
    pub all_space: bool,
    pub space_change: bool,
    pub trailing_space: bool,
    pub tab_expansion: bool,
    pub blank_lines: bool,
    pub trailing_cr: bool,
}

impl Ignore {
    fn any(self) -> bool {
        self.case
            || self.all_space
            || self.space_change
            || self.trailing_space
            || self.tab_expansion
            || self.trailing_cr
    }

    /// A line with everything that does not count taken out.
    pub fn key(self, line: &[u8]) -> Vec<u8> {
        let mut body = line;
        let ended = body.last() == Some(&b'\n');
        if ended {
            body = &body[..body.len() - 1];
        }
        if self.trailing_cr && body.last() == Some(&b'\r') {
            body = &body[..body.len() - 1];
        }
        let mut out = Vec::with_capacity(body.len() + 1);
        if self.all_space {
            out.extend(body.iter().filter(|b| !b.is_ascii_whitespace()));
        } else if self.space_change {
            let mut blank = false;
            for byte in body {
                if byte.is_ascii_whitespace() {
                    blank = true;
                } else {
                    if std::mem::take(&mut blank) {
                        out.push(b' ');
                    }
                    out.push(*byte);
                }
            }
        } else {
            out.extend_from_slice(body);
            if self.trailing_space {
                while out.last().is_some_and(u8::is_ascii_whitespace) {
                    out.pop();
                }
            }
        }
        if self.case {
            out = String::from_utf8_lossy(&out).to_lowercase().into_bytes();
        }
        // White space at the end, the line's end included, may not count.
        if ended || self.all_space || self.space_change || self.trailing_space {
            out.push(b'\n');
        }
        out
    }
}

/// Splits into lines with their ends.
pub fn lines(text: &[u8]) -> Vec<&[u8]> {
    let mut out = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let length = memchr::memchr(b'\n', rest).map_or(rest.len(), |at| at + 1);
        let (line, after) = rest.split_at(length);
        out.push(line);
        rest = after;
    }
    out
}

/// Lines `before.0..before.1` of the first text became `after.0..after.1` of
/// the second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    pub before: (usize, usize),
    pub after: (usize, usize),
}

struct Lines<'a>(&'a [&'a [u8]]);

impl<'a> TokenSource for Lines<'a> {
    type Token = &'a [u8];
    type Tokenizer = std::iter::Copied<std::slice::Iter<'a, &'a [u8]>>;

    fn tokenize(&self) -> Self::Tokenizer {
        self.0.iter().copied()
    }

    fn estimate_tokens(&self) -> u32 {
        u32::try_from(self.0.len()).unwrap_or(u32::MAX)
    }
}

/// The changes that lead from one text to the other.
pub fn changes(a: &[&[u8]], b: &[&[u8]], ignore: Ignore) -> Vec<Change> {
    let (keys_a, keys_b): (Vec<Vec<u8>>, Vec<Vec<u8>>);
    let (refs_a, refs_b): (Vec<&[u8]>, Vec<&[u8]>);
    let input = if ignore.any() {
        keys_a = a.iter().map(|l| ignore.key(l)).collect();
        keys_b = b.iter().map(|l| ignore.key(l)).collect();
        refs_a = keys_a.iter().map(Vec::as_slice).collect();
        refs_b = keys_b.iter().map(Vec::as_slice).collect();
        InternedInput::new(Lines(&refs_a), Lines(&refs_b))
    } else {
        InternedInput::new(Lines(a), Lines(b))
    };
    let mut diff = Diff::compute(Algorithm::Myers, &input);
    diff.postprocess_no_heuristic(&input);
    diff.hunks()
        .map(|h| Change {
            before: (h.before.start as usize, h.before.end as usize),
            after: (h.after.start as usize, h.after.end as usize),
        })
        .filter(|c| {
            let blank = |l: &&[u8]| l.iter().all(u8::is_ascii_whitespace);
            !(ignore.blank_lines
                && a[c.before.0..c.before.1].iter().all(blank)
                && b[c.after.0..c.after.1].iter().all(blank))
        })
        .collect()
}
