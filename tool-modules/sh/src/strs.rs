//! Bytes as text: names, characters, quoting. Values are bytes; a character is a UTF-8
//! sequence where the bytes are valid, else one byte.

/// May be a variable's name?
pub fn is_name(s: &[u8]) -> bool {
    s.first()
        .is_some_and(|b| b.is_ascii_alphabetic() || *b == b'_')
        && s.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'_')
}

/// Length of the character that begins at `at`: of a valid UTF-8 sequence, else 1.
pub fn char_len(s: &[u8], at: usize) -> usize {
    let Some(&b) = s.get(at) else { return 0 };
    if b < 0x80 {
        return 1;
    }
    let len = match b {
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => return 1,
    };
    match s.get(at..at + len) {
        Some(seq) if std::str::from_utf8(seq).is_ok() => len,
        _ => 1,
    }
}

/// How many characters.
pub fn count_chars(s: &[u8]) -> usize {
    if s.is_ascii() {
        return s.len();
    }
    let mut n = 0;
    let mut at = 0;
    while at < s.len() {
        at += char_len(s, at);
        n += 1;
    }
    n
}

/// The byte where character number `n` begins (the end, if there are fewer).
pub fn char_offset(s: &[u8], n: usize) -> usize {
    if s.is_ascii() {
        return n.min(s.len());
    }
    let mut at = 0;
    for _ in 0..n {
        if at >= s.len() {
            break;
        }
        at += char_len(s, at);
    }
    at
}

/// The characters.
pub fn chars(s: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let len = char_len(s, at);
        if len == 0 {
            return None;
        }
        let c = s.get(at..at + len);
        at += len;
        c
    })
}

/// The code point of a character, if it is one.
pub fn decode(c: &[u8]) -> Option<char> {
    std::str::from_utf8(c).ok()?.chars().next()
}

/// Appends a code point as UTF-8; values past Unicode as the old six-byte scheme has them.
pub fn push_char(out: &mut Vec<u8>, value: u32) {
    if let Some(c) = char::from_u32(value) {
        let mut buf = [0u8; 4];
        out.extend_from_slice(c.encode_utf8(&mut buf).as_bytes());
        return;
    }
    let tail = |shift: u32| 0x80 | (value >> shift & 0x3f) as u8;
    match value {
        0..0x1_0000 => out.extend_from_slice(&[0xe0 | (value >> 12) as u8, tail(6), tail(0)]),
        0x1_0000..0x20_0000 => {
            out.extend_from_slice(&[0xf0 | (value >> 18) as u8, tail(12), tail(6), tail(0)])
        }
        0x20_0000..0x400_0000 => {
            out.extend_from_slice(&[
                0xf8 | (value >> 24) as u8,
                tail(18),
                tail(12),
                tail(6),
                tail(0),
            ]);
        }
        _ => out.extend_from_slice(&[
            0xfc | (value >> 30) as u8 & 1,
            tail(24),
            tail(18),
            tail(12),
            tail(6),
            tail(0),
        ]),
    }
}

/// `f` on the first or on every character.
pub fn map_case(s: &[u8], upper: bool, first_only: bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(s.len());
    for (i, c) in chars(s).enumerate() {
        if first_only && i > 0 {
            out.extend_from_slice(c);
        } else {
            push_case(&mut out, c, upper);
        }
    }
    out
}

/// Appends a character in upper or lower case, as C's `towupper` does: one to one.
pub fn push_case(out: &mut Vec<u8>, c: &[u8], upper: bool) {
    if let [b] = c {
        out.push(if upper {
            b.to_ascii_uppercase()
        } else {
            b.to_ascii_lowercase()
        });
        return;
    }
    let Some(ch) = decode(c) else {
        out.extend_from_slice(c);
        return;
    };
    let mut buf = [0u8; 4];
    let mapped = if upper {
        let mut it = ch.to_uppercase();
        match (it.next(), it.next()) {
            (Some(u), None) => u,
            _ => ch,
        }
    } else {
        let mut it = ch.to_lowercase();
        match (it.next(), it.next()) {
            (Some(u), None) => u,
            _ => ch,
        }
    };
    out.extend_from_slice(mapped.encode_utf8(&mut buf).as_bytes());
}

/// Reads a decimal number, sign and surrounding blanks allowed, all of it.
pub fn parse_int(s: &[u8]) -> Option<i64> {
    let t = trim(s);
    let t = t
        .strip_prefix(b"+")
        .filter(|r| r.first().is_some_and(u8::is_ascii_digit))
        .unwrap_or(t);
    std::str::from_utf8(t).ok()?.parse().ok()
}

/// Without blanks at both ends.
pub fn trim(s: &[u8]) -> &[u8] {
    s.trim_ascii()
}

/// In single quotes, as `set` and `alias` print.
pub fn single_quote(s: &[u8]) -> Vec<u8> {
    if s == b"'" {
        return b"\\'".to_vec();
    }
    let mut out = vec![b'\''];
    for b in s {
        if *b == b'\'' {
            out.extend_from_slice(b"'\\''");
        } else {
            out.push(*b);
        }
    }
    out.push(b'\'');
    out
}

fn needs_ansi(s: &[u8]) -> bool {
    s.iter().any(|b| *b < 0x20 || *b == 0x7f) || (!s.is_ascii() && std::str::from_utf8(s).is_err())
}

/// As `$'…'`.
pub fn ansi_quote(s: &[u8]) -> Vec<u8> {
    let mut out = b"$'".to_vec();
    for c in chars(s) {
        match c {
            [7] => out.extend_from_slice(b"\\a"),
            [8] => out.extend_from_slice(b"\\b"),
            [b'\t'] => out.extend_from_slice(b"\\t"),
            [b'\n'] => out.extend_from_slice(b"\\n"),
            [11] => out.extend_from_slice(b"\\v"),
            [12] => out.extend_from_slice(b"\\f"),
            [b'\r'] => out.extend_from_slice(b"\\r"),
            [27] => out.extend_from_slice(b"\\E"),
            [b'\\'] => out.extend_from_slice(b"\\\\"),
            [b'\''] => out.extend_from_slice(b"\\'"),
            [b] if *b < 0x20 || *b >= 0x7f => {
                out.extend_from_slice(format!("\\{b:03o}").as_bytes())
            }
            _ => out.extend_from_slice(c),
        }
    }
    out.push(b'\'');
    out
}

/// `${x@Q}`: always quoted.
pub fn quote_always(s: &[u8]) -> Vec<u8> {
    if needs_ansi(s) {
        ansi_quote(s)
    } else {
        single_quote(s)
    }
}

fn is_plain(s: &[u8]) -> bool {
    s.iter().all(|b| {
        b.is_ascii_alphanumeric()
            || *b >= 0x80
            || matches!(
                b,
                b'_' | b'-' | b'.' | b'/' | b':' | b'+' | b'@' | b'%' | b',' | b'='
            )
    })
}

/// As `set` lists a value and `set -x` shows a word: quoted only if it must be.
pub fn quote_if_needed(s: &[u8]) -> Vec<u8> {
    if s.is_empty() {
        return b"''".to_vec();
    }
    if needs_ansi(s) {
        return ansi_quote(s);
    }
    let special = s.iter().enumerate().any(|(i, b)| match b {
        b' ' | b'\'' | b'"' | b'\\' | b'|' | b'&' | b';' | b'(' | b')' | b'<' | b'>' | b'!'
        | b'{' | b'}' | b'*' | b'[' | b'?' | b']' | b'^' | b'$' | b'`' => true,
        b'#' => i == 0,
        b'~' => i == 0 || s.get(i - 1).is_some_and(|p| matches!(p, b'=' | b':')),
        _ => false,
    });
    if special { single_quote(s) } else { s.to_vec() }
}

/// `printf %q`: backslashes, or `$'…'`.
pub fn backslash_quote(s: &[u8]) -> Vec<u8> {
    if s.is_empty() {
        return b"''".to_vec();
    }
    if needs_ansi(s) {
        return ansi_quote(s);
    }
    if is_plain(s) {
        return s.to_vec();
    }
    let mut out = Vec::with_capacity(s.len() + 8);
    for (i, b) in s.iter().enumerate() {
        match b {
            b' ' | b'\'' | b'"' | b'\\' | b'|' | b'&' | b';' | b'(' | b')' | b'<' | b'>' | b'!'
            | b'{' | b'}' | b'*' | b'[' | b'?' | b']' | b'^' | b'$' | b'`' | b',' => {
                out.push(b'\\')
            }
            b'#' if i == 0 => out.push(b'\\'),
            b'~' if i == 0 || matches!(s.get(i - 1), Some(b'=' | b':')) => out.push(b'\\'),
            _ => {}
        }
        out.push(*b);
    }
    out
}

/// In double quotes, as `declare -p` prints.
pub fn double_quote(s: &[u8]) -> Vec<u8> {
    if needs_ansi(s) {
        return ansi_quote(s);
    }
    let mut out = vec![b'"'];
    for b in s {
        if matches!(b, b'"' | b'\\' | b'$' | b'`') {
            out.push(b'\\');
        }
        out.push(*b);
    }
    out.push(b'"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoting() {
        for (text, set, printf) in [
            (&b"a b"[..], &b"'a b'"[..], &b"a\\ b"[..]),
            (b"it's", b"'it'\\''s'", b"it\\'s"),
            (b"", b"''", b"''"),
            (b"a\nb", b"$'a\\nb'", b"$'a\\nb'"),
            (b"x=~", b"'x=~'", b"x=\\~"),
            ("é".as_bytes(), "é".as_bytes(), "é".as_bytes()),
            (b"\xff", b"$'\\377'", b"$'\\377'"),
        ] {
            assert_eq!(quote_if_needed(text), set);
            assert_eq!(backslash_quote(text), printf);
        }
    }

    #[test]
    fn characters() {
        let s = "aé€😀\u{e9}".as_bytes();
        assert_eq!(count_chars(s), 5);
        assert_eq!(char_offset(s, 2), 3);
        assert_eq!(count_chars(b"\xff\xfe"), 2);
        assert_eq!(
            map_case("straße é".as_bytes(), true, false),
            "STRAßE É".as_bytes()
        );
    }
}
