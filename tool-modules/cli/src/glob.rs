//! Shell patterns on names (`fnmatch`).

/// How a pattern is matched.
#[derive(Clone, Copy, Debug, Default)]
pub struct Flags {
    /// `*` and `?` do not match a slash.
    pub path: bool,
    /// Letters match in either case.
    pub ignore_case: bool,
}

/// Whether the whole text matches.
pub fn matches(pattern: &[u8], text: &[u8], flags: Flags) -> bool {
    let (mut p, mut t) = (0usize, 0usize);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        let step = match pattern.get(p) {
            Some(b'*') => {
                star = Some((p + 1, t));
                p += 1;
                continue;
            }
            Some(b'?') => {
                let length = char_length(&text[t..]);
                (!(flags.path && text[t] == b'/')).then_some((p + 1, length))
            }
            Some(b'[') => match set(pattern, p, &text[t..], flags) {
                Some(found) => found,
                // An unfinished set is a plain bracket.
                None => (text[t] == b'[').then_some((p + 1, 1)),
            },
            Some(b'\\') if p + 1 < pattern.len() => {
                same(pattern[p + 1], text[t], flags).then_some((p + 2, 1))
            }
            Some(byte) => same(*byte, text[t], flags).then_some((p + 1, 1)),
            None => None,
        };
        match (step, star) {
            (Some((next, length)), _) => {
                p = next;
                t += length;
            }
            (None, Some((after, at))) => {
                if flags.path && text[at] == b'/' {
                    return false;
                }
                p = after;
                t = at + 1;
                star = Some((after, at + 1));
            }
            (None, None) => return false,
        }
    }
    pattern[p.min(pattern.len())..].iter().all(|b| *b == b'*')
}

fn same(a: u8, b: u8, flags: Flags) -> bool {
    a == b || (flags.ignore_case && a.eq_ignore_ascii_case(&b))
}

fn char_length(text: &[u8]) -> usize {
    let first = text.first().copied().unwrap_or(0);
    if first < 0xc0 {
        return 1;
    }
    1 + text
        .iter()
        .skip(1)
        .take(3)
        .take_while(|b| **b & 0xc0 == 0x80)
        .count()
}

fn decode(text: &[u8]) -> (u32, usize) {
    let length = char_length(text);
    match std::str::from_utf8(&text[..length.min(text.len())])
        .ok()
        .and_then(|t| t.chars().next())
    {
        Some(c) => (u32::from(c), length),
        None => (u32::from(text.first().copied().unwrap_or(0)), 1),
    }
}

/// Matches a set at `at`. None if it has no end; else, if the first character
/// of the text is in it, the position after it and the character's length.
#[allow(clippy::type_complexity)]
fn set(pattern: &[u8], at: usize, text: &[u8], flags: Flags) -> Option<Option<(usize, usize)>> {
    let (c, length) = decode(text);
    let mut i = at + 1;
    let negated = matches!(pattern.get(i), Some(b'!' | b'^'));
    if negated {
        i += 1;
    }
    let first = i;
    let mut found = false;
    loop {
        let byte = *pattern.get(i)?;
        if byte == b']' && i > first {
            break;
        }
        if byte == b'[' && pattern.get(i + 1) == Some(&b':') {
            let rest = &pattern[i + 2..];
            let end = rest.windows(2).position(|w| w == b":]")?;
            found |= class(&rest[..end], c);
            i += end + 4;
            continue;
        }
        if byte == b'\\' && i + 1 < pattern.len() {
            i += 1;
        }
        let (low, low_length) = decode(&pattern[i..]);
        i += low_length;
        let mut high = low;
        if pattern.get(i) == Some(&b'-') && pattern.get(i + 1).is_some_and(|b| *b != b']') {
            let (value, high_length) = decode(&pattern[i + 1..]);
            high = value;
            i += 1 + high_length;
        }
        let hit = |c: u32| low <= c && c <= high;
        found |= hit(c);
        if flags.ignore_case
            && let Some(ch) = char::from_u32(c)
        {
            found |=
                hit(u32::from(ch.to_ascii_lowercase())) || hit(u32::from(ch.to_ascii_uppercase()));
        }
    }
    if flags.path && c == u32::from(b'/') {
        return Some(None);
    }
    Some((found != negated).then_some((i + 1, length)))
}

fn class(name: &[u8], c: u32) -> bool {
    let Some(c) = char::from_u32(c) else {
        return false;
    };
    match name {
        b"alpha" => c.is_alphabetic(),
        b"digit" => c.is_ascii_digit(),
        b"alnum" => c.is_alphanumeric(),
        b"upper" => c.is_uppercase(),
        b"lower" => c.is_lowercase(),
        b"space" => c.is_whitespace(),
        b"blank" => c == ' ' || c == '\t',
        b"punct" => c.is_ascii_punctuation(),
        b"xdigit" => c.is_ascii_hexdigit(),
        b"cntrl" => c.is_control(),
        b"print" => !c.is_control(),
        b"graph" => !c.is_control() && !c.is_whitespace(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fnmatch() {
        for (pattern, text, want) in [
            ("*.txt", "a.txt", true),
            ("*.txt", "a.txt.bak", false),
            ("[a-c]?", "bz", true),
            ("[!a]*", "abc", false),
            ("a\\*", "a*", true),
            ("[[:digit:]]*", "1a", true),
            ("?", "\u{e9}", true),
            ("[", "[", true),
            ("**a*", "xxay", true),
        ] {
            assert_eq!(
                matches(pattern.as_bytes(), text.as_bytes(), Flags::default()),
                want,
                "{pattern} {text}"
            );
        }
    }
}
