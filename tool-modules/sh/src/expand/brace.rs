//! Brace expansion: on pieces of a word, before anything else is expanded.

use crate::ast::{Part, Word};
use crate::strs::parse_int;

/// Words past this number are refused rather than made.
pub const MAX_WORDS: usize = 10_000_000;

/// A character of the word: unquoted text byte by byte, anything else whole.
#[derive(Clone)]
enum Tok<'w> {
    Byte(u8),
    Part(&'w Part),
}

/// More words than [`MAX_WORDS`].
pub struct TooMany;

/// The words that the braces make; `None` if there are none to expand.
pub fn expand(word: &Word) -> Result<Option<Vec<Word>>, TooMany> {
    let mut toks = Vec::new();
    for p in &word.parts {
        match p {
            Part::Lit(t) => toks.extend(t.iter().map(|b| Tok::Byte(*b))),
            other => toks.push(Tok::Part(other)),
        }
    }
    let mut out = Vec::new();
    let any = run(&toks, &mut out, 0)?;
    if !any {
        return Ok(None);
    }
    Ok(Some(out.into_iter().map(|t| join(&t)).collect()))
}

fn join(toks: &[Tok<'_>]) -> Word {
    let mut parts = Vec::new();
    let mut lit = Vec::new();
    for t in toks {
        match t {
            Tok::Byte(b) => lit.push(*b),
            Tok::Part(p) => {
                if !lit.is_empty() {
                    parts.push(Part::Lit(std::mem::take(&mut lit).into()));
                }
                parts.push((*p).clone());
            }
        }
    }
    if !lit.is_empty() {
        parts.push(Part::Lit(lit.into()));
    }
    // A `~` that came to the front counts.
    if let Some(Part::Lit(t)) = parts.first()
        && let Some(rest) = t.strip_prefix(b"~")
    {
        let end = rest.iter().position(|b| *b == b'/').unwrap_or(rest.len());
        let name = rest.get(..end).unwrap_or_default();
        if name
            .iter()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'+' | b'-'))
            && (end < rest.len() || parts.len() == 1)
        {
            let tail: Box<[u8]> = rest.get(end..).unwrap_or_default().into();
            let tilde = Part::Tilde(name.into());
            parts.splice(0..1, [tilde, Part::Lit(tail)]);
        }
    }
    Word {
        parts,
        brace: false,
        assign: None,
    }
}

/// Appends all expansions of `toks`. True if there was a brace to expand.
fn run<'w>(toks: &[Tok<'w>], out: &mut Vec<Vec<Tok<'w>>>, depth: u32) -> Result<bool, TooMany> {
    let mut from = 0;
    while depth < 60
        && let Some(open) = toks
            .iter()
            .skip(from)
            .position(|t| matches!(t, Tok::Byte(b'{')))
            .map(|i| i + from)
    {
        from = open + 1;
        // `${` was taken by the parser, but a quoted dollar may stand before a brace.
        let Some((close, commas)) = matching(toks, open) else {
            continue;
        };
        let inner = toks.get(open + 1..close).unwrap_or_default();
        let pre = toks.get(..open).unwrap_or_default();
        let post = toks.get(close + 1..).unwrap_or_default();
        let middles: Vec<Vec<Tok<'w>>> = if commas.is_empty() {
            match sequence(inner)? {
                Some(items) => items
                    .into_iter()
                    .map(|s| s.into_iter().map(Tok::Byte).collect())
                    .collect(),
                None => continue,
            }
        } else {
            let mut pieces = Vec::new();
            let mut start = open + 1;
            for c in commas.iter().chain([&close]) {
                let piece = toks.get(start..*c).unwrap_or_default();
                let mut sub = Vec::new();
                run(piece, &mut sub, depth + 1)?;
                pieces.extend(sub);
                start = c + 1;
            }
            pieces
        };
        let mut posts = Vec::new();
        run(post, &mut posts, depth + 1)?;
        for m in &middles {
            for p in &posts {
                if out.len() >= MAX_WORDS {
                    return Err(TooMany);
                }
                let mut w = Vec::with_capacity(pre.len() + m.len() + p.len());
                w.extend_from_slice(pre);
                w.extend_from_slice(m);
                w.extend_from_slice(p);
                out.push(w);
            }
        }
        return Ok(true);
    }
    out.push(toks.to_vec());
    Ok(false)
}

/// The brace that closes `open`, and the commas between them.
fn matching(toks: &[Tok<'_>], open: usize) -> Option<(usize, Vec<usize>)> {
    let mut depth = 0;
    let mut commas = Vec::new();
    for (i, t) in toks.iter().enumerate().skip(open) {
        match t {
            Tok::Byte(b'{') => depth += 1,
            Tok::Byte(b'}') => {
                depth -= 1;
                if depth == 0 {
                    let inner: Vec<u8> = toks
                        .get(open + 1..i)
                        .unwrap_or_default()
                        .iter()
                        .map(|t| match t {
                            Tok::Byte(b) => *b,
                            Tok::Part(_) => 0,
                        })
                        .collect();
                    if commas.is_empty() && !inner.windows(2).any(|w| w == b"..") {
                        // `{x}` is text; an outer brace may still be one.
                        return None;
                    }
                    return Some((i, commas));
                }
            }
            Tok::Byte(b',') if depth == 1 => commas.push(i),
            _ => {}
        }
    }
    None
}

/// `1..5`, `a..e`, `1..10..2`.
fn sequence(inner: &[Tok<'_>]) -> Result<Option<Vec<Vec<u8>>>, TooMany> {
    let Some((x, y, step, width)) = bounds(inner) else {
        return Ok(None);
    };
    if x.abs_diff(y) / step.unsigned_abs() >= MAX_WORDS as u64 {
        return Err(TooMany);
    }
    let mut out = Vec::new();
    let mut n = x;
    while (x <= y && n <= y) || (x > y && n >= y) {
        out.push(match width {
            Some(width) => format!("{n:0width$}").into_bytes(),
            None => vec![n as u8],
        });
        let Some(next) = (if x <= y {
            n.checked_add(step)
        } else {
            n.checked_sub(step)
        }) else {
            break;
        };
        n = next;
    }
    Ok(Some(out))
}

/// First, last, step, and the width of numbers (`None`: letters).
fn bounds(inner: &[Tok<'_>]) -> Option<(i64, i64, i64, Option<usize>)> {
    let mut text = Vec::new();
    for t in inner {
        match t {
            Tok::Byte(b) => text.push(*b),
            Tok::Part(_) => return None,
        }
    }
    let mut fields = Vec::new();
    let mut rest = text.as_slice();
    while let Some(i) = rest.windows(2).position(|w| w == b"..") {
        fields.push(rest.get(..i)?);
        rest = rest.get(i + 2..)?;
    }
    fields.push(rest);
    let (a, b) = (*fields.first()?, *fields.get(1)?);
    if fields.len() > 3 {
        return None;
    }
    let int = |s: &[u8]| {
        if s.first().is_some_and(u8::is_ascii_whitespace) {
            None
        } else {
            parse_int(s)
        }
    };
    let step = match fields.get(2) {
        Some(s) => int(s)?,
        None => 1,
    };
    let step = if step == 0 {
        1
    } else {
        step.unsigned_abs().min(i64::MAX as u64) as i64
    };
    if let (Some(x), Some(y)) = (int(a), int(b)) {
        let padded = |s: &[u8]| {
            let d = s
                .strip_prefix(b"-")
                .or_else(|| s.strip_prefix(b"+"))
                .unwrap_or(s);
            d.len() > 1 && d.first() == Some(&b'0')
        };
        let width = if padded(a) || padded(b) {
            a.len().max(b.len())
        } else {
            0
        };
        return Some((x, y, step, Some(width)));
    }
    let ([x], [y]) = (a, b) else { return None };
    if !x.is_ascii_alphabetic() || !y.is_ascii_alphabetic() {
        return None;
    }
    Some((i64::from(*x), i64::from(*y), step, None))
}
