//! Shell patterns: `* ? […]` and the extended ones, on bytes, character by character.

use crate::strs::{char_len, decode, push_case};
use std::collections::HashSet;

/// A piece of a pattern.
#[derive(Debug, Clone)]
enum Pat {
    /// `*`
    Any,
    /// `?`
    One,
    /// A character.
    Char(Box<[u8]>),
    /// `[…]`
    Set(bool, Vec<Item>),
    /// `?( ) *( ) +( ) @( ) !( )`
    Ext(u8, Vec<Vec<Pat>>),
}

#[derive(Debug, Clone)]
enum Item {
    Range(u32, u32),
    Class(u8),
}

const CLASSES: [&[u8]; 14] = [
    b"alpha", b"digit", b"alnum", b"upper", b"lower", b"space", b"blank", b"punct", b"print",
    b"graph", b"cntrl", b"xdigit", b"word", b"ascii",
];

/// A compiled pattern.
#[derive(Debug, Clone)]
pub struct Pattern {
    pats: Vec<Pat>,
    nocase: bool,
    /// No `*` and no extended pattern: always matches the same number of characters.
    fixed: bool,
    ext: bool,
}

/// How deep extended patterns may nest.
const MAX_NEST: u32 = 40;

impl Pattern {
    /// Compiles a pattern in which a backslash makes the next character plain.
    pub fn new(text: &[u8], extglob: bool, nocase: bool) -> Pattern {
        let mut at = 0;
        let pats = parse(text, &mut at, extglob, 0, false);
        let fixed = pats.iter().all(|p| !matches!(p, Pat::Any | Pat::Ext(..)));
        let ext = pats.iter().any(|p| matches!(p, Pat::Ext(..)));
        Pattern {
            pats,
            nocase,
            fixed,
            ext,
        }
    }

    /// Does all of `text` match?
    pub fn matches(&self, text: &[u8]) -> bool {
        if self.ext {
            self.run(&self.pats, text, 0, &mut |end| end == text.len())
        } else {
            self.simple(text)
        }
    }

    /// Without extended patterns: only the last star needs to be reconsidered.
    fn simple(&self, text: &[u8]) -> bool {
        let (mut p, mut t) = (0, 0);
        let mut back: Option<(usize, usize)> = None;
        loop {
            match self.pats.get(p) {
                Some(Pat::Any) => {
                    p += 1;
                    back = Some((p, t));
                    if p == self.pats.len() {
                        return true;
                    }
                    continue;
                }
                Some(pat) => {
                    if let Some(len) = self.one(pat, text, t) {
                        p += 1;
                        t += len;
                        continue;
                    }
                }
                None if t == text.len() => return true,
                None => {}
            }
            match back {
                Some((bp, bt)) if bt < text.len() => {
                    let next = bt + char_len(text, bt);
                    back = Some((bp, next));
                    p = bp;
                    t = next;
                }
                _ => return false,
            }
        }
    }

    /// Length of the character at `t` if the piece matches it.
    fn one(&self, pat: &Pat, text: &[u8], t: usize) -> Option<usize> {
        let len = char_len(text, t);
        if len == 0 {
            return None;
        }
        let c = text.get(t..t + len)?;
        let yes = match pat {
            Pat::One => true,
            Pat::Char(want) => **want == *c || (self.nocase && fold(want) == fold(c)),
            Pat::Set(negated, items) => {
                let code = code(c);
                let mut hit = items.iter().any(|i| i.holds(code));
                if !hit && self.nocase {
                    let other = |upper| {
                        let mut buf = Vec::new();
                        push_case(&mut buf, c, upper);
                        self::code(&buf)
                    };
                    hit = items
                        .iter()
                        .any(|i| i.holds(other(true)) || i.holds(other(false)));
                }
                hit != *negated
            }
            Pat::Any | Pat::Ext(..) => false,
        };
        yes.then_some(len)
    }

    /// Calls `done` with each place where a match from `at` may end, until it says true.
    fn run(
        &self,
        pats: &[Pat],
        text: &[u8],
        at: usize,
        done: &mut dyn FnMut(usize) -> bool,
    ) -> bool {
        let Some((first, rest)) = pats.split_first() else {
            return done(at);
        };
        match first {
            Pat::Any => {
                let mut t = at;
                loop {
                    if self.run(rest, text, t, done) {
                        return true;
                    }
                    let len = char_len(text, t);
                    if len == 0 {
                        return false;
                    }
                    t += len;
                }
            }
            Pat::Ext(kind, alts) => match kind {
                b'@' => alts
                    .iter()
                    .any(|a| self.run(a, text, at, &mut |e| self.run(rest, text, e, done))),
                b'?' => {
                    self.run(rest, text, at, done)
                        || alts.iter().any(|a| {
                            self.run(a, text, at, &mut |e| {
                                e != at && self.run(rest, text, e, done)
                            })
                        })
                }
                b'*' | b'+' => {
                    (*kind == b'*' && self.run(rest, text, at, done))
                        || self.repeat(alts, rest, text, at, done)
                }
                _ => {
                    // !( ): any stretch that none of the alternatives matches as a whole.
                    let mut t = at;
                    loop {
                        let stretch = text.get(at..t).unwrap_or_default();
                        let hit = alts
                            .iter()
                            .any(|a| self.run(a, stretch, 0, &mut |e| e == stretch.len()));
                        if !hit && self.run(rest, text, t, done) {
                            return true;
                        }
                        let len = char_len(text, t);
                        if len == 0 {
                            return false;
                        }
                        t += len;
                    }
                }
            },
            _ => match self.one(first, text, at) {
                Some(len) => self.run(rest, text, at + len, done),
                None => false,
            },
        }
    }

    /// `*( )` and `+( )`: every place that repetition can reach, each visited once, so that
    /// neither the stack nor the time depends on how often it repeats.
    fn repeat(
        &self,
        alts: &[Vec<Pat>],
        rest: &[Pat],
        text: &[u8],
        at: usize,
        done: &mut dyn FnMut(usize) -> bool,
    ) -> bool {
        let mut seen = HashSet::new();
        let mut todo = vec![at];
        while let Some(from) = todo.pop() {
            for alt in alts {
                self.run(alt, text, from, &mut |end| {
                    if seen.insert(end) && end != from {
                        todo.push(end);
                    }
                    false
                });
            }
        }
        let mut ends: Vec<usize> = seen.into_iter().collect();
        ends.sort_unstable();
        ends.into_iter().any(|end| self.run(rest, text, end, done))
    }

    /// Where a match that begins at `at` ends at the latest (`longest`) or earliest.
    pub fn match_at(&self, text: &[u8], at: usize, longest: bool) -> Option<usize> {
        if self.fixed {
            let mut t = at;
            for p in &self.pats {
                t += self.one(p, text, t)?;
            }
            return Some(t);
        }
        if let [Pat::Any] = self.pats.as_slice() {
            return Some(if longest { text.len() } else { at });
        }
        let mut best: Option<usize> = None;
        self.run(&self.pats, text, at, &mut |e| {
            best = Some(match best {
                None => e,
                Some(b) if longest => b.max(e),
                Some(b) => b.min(e),
            });
            if longest { e == text.len() } else { e == at }
        });
        best
    }

    /// Where a match that ends at the end of `text` begins.
    pub fn match_suffix(&self, text: &[u8], longest: bool) -> Option<usize> {
        let mut starts: Vec<usize> = Vec::new();
        let mut at = 0;
        while at < text.len() {
            starts.push(at);
            at += char_len(text, at);
        }
        starts.push(text.len());
        let hit = |s: &usize| self.matches(text.get(*s..).unwrap_or_default());
        if longest {
            starts.iter().copied().find(|s| hit(s))
        } else {
            starts.iter().rev().copied().find(|s| hit(s))
        }
    }

    /// Matches only the empty string.
    pub fn is_empty(&self) -> bool {
        self.pats.is_empty()
    }

    /// The text it matches, if it is only characters.
    pub fn literal(&self) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        for p in &self.pats {
            match p {
                Pat::Char(c) => out.extend_from_slice(c),
                _ => return None,
            }
        }
        Some(out)
    }

    /// Begins with a plain dot.
    pub fn starts_with_dot(&self) -> bool {
        match self.pats.first() {
            Some(Pat::Char(c)) => **c == *b".",
            Some(Pat::Ext(kind, alts)) if *kind != b'!' => alts
                .iter()
                .any(|a| matches!(a.first(), Some(Pat::Char(c)) if **c == *b".")),
            _ => false,
        }
    }
}

fn fold(c: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    push_case(&mut out, c, false);
    out
}

fn code(c: &[u8]) -> u32 {
    match decode(c) {
        Some(ch) => ch as u32,
        // A stray byte is itself, out of the way of real characters.
        None => {
            0x1_0000_0000u64.wrapping_sub(256) as u32 + u32::from(c.first().copied().unwrap_or(0))
        }
    }
}

impl Item {
    fn holds(&self, c: u32) -> bool {
        match self {
            Item::Range(a, b) => (*a..=*b).contains(&c),
            Item::Class(i) => {
                let Some(ch) = char::from_u32(c) else {
                    return false;
                };
                match i {
                    0 => ch.is_alphabetic(),
                    1 => ch.is_ascii_digit(),
                    2 => ch.is_alphanumeric(),
                    3 => ch.is_uppercase(),
                    4 => ch.is_lowercase(),
                    5 => ch.is_ascii_whitespace() || ch == '\u{b}',
                    6 => ch == ' ' || ch == '\t',
                    7 => ch.is_ascii_punctuation(),
                    8 => !ch.is_control(),
                    9 => !ch.is_control() && !ch.is_whitespace(),
                    10 => ch.is_control(),
                    11 => ch.is_ascii_hexdigit(),
                    12 => ch.is_alphanumeric() || ch == '_',
                    _ => ch.is_ascii(),
                }
            }
        }
    }
}

/// Parses up to the end, or inside an extended pattern up to `|` or `)`.
fn parse(text: &[u8], at: &mut usize, extglob: bool, nest: u32, inner: bool) -> Vec<Pat> {
    let mut out = Vec::new();
    while let Some(&b) = text.get(*at) {
        if inner && matches!(b, b'|' | b')') {
            break;
        }
        if extglob
            && nest < MAX_NEST
            && matches!(b, b'?' | b'*' | b'+' | b'@' | b'!')
            && text.get(*at + 1) == Some(&b'(')
            && let Some(ext) = parse_ext(text, at, nest)
        {
            out.push(ext);
            continue;
        }
        match b {
            b'*' => {
                *at += 1;
                if !matches!(out.last(), Some(Pat::Any)) {
                    out.push(Pat::Any);
                }
            }
            b'?' => {
                *at += 1;
                out.push(Pat::One);
            }
            b'[' => match parse_set(text, at) {
                Some(set) => out.push(set),
                None => {
                    *at += 1;
                    out.push(Pat::Char((*b"[").into()));
                }
            },
            _ => {
                if b == b'\\' && *at + 1 < text.len() {
                    *at += 1;
                }
                let len = char_len(text, *at).max(1);
                out.push(Pat::Char(
                    text.get(*at..*at + len).unwrap_or_default().into(),
                ));
                *at += len;
            }
        }
    }
    out
}

fn parse_ext(text: &[u8], at: &mut usize, nest: u32) -> Option<Pat> {
    let kind = *text.get(*at)?;
    let mut pos = *at + 2;
    let mut alts = Vec::new();
    loop {
        alts.push(parse(text, &mut pos, true, nest + 1, true));
        match text.get(pos) {
            Some(b'|') => pos += 1,
            Some(b')') => {
                *at = pos + 1;
                return Some(Pat::Ext(kind, alts));
            }
            _ => return None,
        }
    }
}

fn parse_set(text: &[u8], at: &mut usize) -> Option<Pat> {
    let mut pos = *at + 1;
    let mut negated = false;
    if matches!(text.get(pos), Some(b'!' | b'^')) {
        negated = true;
        pos += 1;
    }
    let mut items = Vec::new();
    let mut first = true;
    loop {
        let &b = text.get(pos)?;
        if b == b']' && !first {
            *at = pos + 1;
            return Some(Pat::Set(negated, items));
        }
        first = false;
        if b == b'/' {
            return None;
        }
        if b == b'[' && matches!(text.get(pos + 1), Some(b':' | b'=' | b'.')) {
            let kind = *text.get(pos + 1)?;
            let rest = text.get(pos + 2..)?;
            if let Some(end) = rest.windows(2).position(|w| w == [kind, b']']) {
                let name = rest.get(..end)?;
                pos += 2 + end + 2;
                if kind == b':' {
                    if let Some(i) = CLASSES.iter().position(|c| *c == name) {
                        items.push(Item::Class(i as u8))
                    }
                } else {
                    let c = code(name);
                    items.push(Item::Range(c, c));
                }
                continue;
            }
        }
        let one = |pos: &mut usize| -> Option<u32> {
            if text.get(*pos) == Some(&b'\\') && *pos + 1 < text.len() {
                *pos += 1;
            }
            let len = char_len(text, *pos);
            let c = code(text.get(*pos..*pos + len)?);
            *pos += len.max(1);
            Some(c)
        };
        let low = one(&mut pos)?;
        if text.get(pos) == Some(&b'-') && text.get(pos + 1).is_some_and(|b| *b != b']') {
            pos += 1;
            let high = one(&mut pos)?;
            items.push(Item::Range(low, high));
        } else {
            items.push(Item::Range(low, low));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_matches() {
        for (pat, text, yes) in [
            ("*", "", true),
            ("a*c", "abbbc", true),
            ("a*c", "abbbd", false),
            ("?", "é", true),
            ("[a-c]x", "bx", true),
            ("[!a-c]x", "bx", false),
            ("[]a]", "]", true),
            ("[[:digit:]]*", "5a", true),
            ("\\*", "*", true),
            ("\\*", "a", false),
            ("@(a|b)c", "bc", true),
            ("+(ab)", "abab", true),
            ("+(ab)", "", false),
            ("*(ab)", "", true),
            ("!(a)", "b", true),
            ("!(a)", "a", false),
            ("?(x)y", "y", true),
            ("*.@(c|h)", "foo.h", true),
            ("[", "[", true),
        ] {
            assert_eq!(
                Pattern::new(pat.as_bytes(), true, false).matches(text.as_bytes()),
                yes,
                "{pat} {text}"
            );
        }
    }

    #[test]
    fn partial_matches() {
        let p = |s: &str| Pattern::new(s.as_bytes(), true, false);
        assert_eq!(p("*/").match_at(b"a/b/c", 0, false), Some(2));
        assert_eq!(p("*/").match_at(b"a/b/c", 0, true), Some(4));
        assert_eq!(p(".*").match_suffix(b"a.b.c", false), Some(3));
        assert_eq!(p(".*").match_suffix(b"a.b.c", true), Some(1));
    }
}
