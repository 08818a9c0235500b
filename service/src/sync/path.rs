//! Paths of a workspace as keys: text, lossless, one form for each.
//!
//! A path that is valid UTF-8 without control characters stands as it is. Any other
//! byte is written `%XX`; a `%` that two hex digits follow is written `%25`, so that
//! the way back is certain.

use crate::error::{ErrorKind, Result, ServiceError};

/// S3 ends keys at 1024 bytes; tenant, conversation and prefix need some of them.
pub(crate) const LONGEST_KEY: usize = 800;

/// The key form of a path.
pub(crate) fn escape(path: &[u8]) -> String {
    let mut out = String::with_capacity(path.len());
    let mut rest = path;
    while !rest.is_empty() {
        let (valid, bad) = match std::str::from_utf8(rest) {
            Ok(text) => (text, 0),
            Err(error) => {
                let (good, after) = rest.split_at(error.valid_up_to());
                let bad = error.error_len().unwrap_or(after.len()).max(1);
                (std::str::from_utf8(good).unwrap_or_default(), bad)
            }
        };
        for (at, c) in valid.char_indices() {
            let next = valid.as_bytes().get(at + 1..at + 3);
            let escapes = c == '%' && next.is_some_and(|n| n.iter().all(u8::is_ascii_hexdigit));
            if escapes || c.is_ascii_control() {
                out.push_str(&format!("%{:02X}", u32::from(c)));
            } else {
                out.push(c);
            }
        }
        let tail = rest.get(valid.len()..).unwrap_or_default();
        let (ugly, next) = tail.split_at(bad.min(tail.len()));
        for byte in ugly {
            out.push_str(&format!("%{byte:02X}"));
        }
        rest = next;
    }
    out
}

/// The path of a key form.
pub(crate) fn unescape(key: &str) -> Vec<u8> {
    let bytes = key.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let pair = key
            .get(at + 1..at + 3)
            .filter(|p| p.bytes().all(|b| b.is_ascii_hexdigit()));
        match pair.and_then(|pair| u8::from_str_radix(pair, 16).ok()) {
            Some(value) if byte == b'%' => {
                out.push(value);
                at += 3;
            }
            _ => {
                out.push(byte);
                at += 1;
            }
        }
    }
    out
}

/// Checks a path that a client names and returns its key form.
///
/// # Errors
/// Absolute paths, `.`, `..`, empty parts, NUL, parts above 255 bytes, and what
/// would be too long as a key.
pub(crate) fn client_path(text: &str) -> Result<String> {
    let bad = |why: &str| ServiceError::new(ErrorKind::InvalidRequest, format!("The path {why}."));
    let path = unescape(text);
    if path.contains(&0) {
        return Err(bad("contains a NUL"));
    }
    for part in path.split(|b| *b == b'/') {
        match part {
            b"" => return Err(bad("is empty, absolute or has an empty part")),
            b"." | b".." => return Err(bad("has a part that is . or ..")),
            part if part.len() > 255 => return Err(bad("has a part of more than 255 bytes")),
            _ => {}
        }
    }
    let key = escape(&path);
    if key.len() > LONGEST_KEY {
        return Err(bad("is longer than 800 bytes"));
    }
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        let cases: &[(&[u8], &str)] = &[
            (b"a/b.txt", "a/b.txt"),
            ("ü ☃/日本".as_bytes(), "ü ☃/日本"),
            (b"100%", "100%"),
            (b"100%2", "100%2"),
            (b"100%25", "100%2525"),
            (b"%zz", "%zz"),
            (b"a\nb\x7f", "a%0Ab%7F"),
            (b"\xff\xfe", "%FF%FE"),
            (b"ok\xc3", "ok%C3"),
            (b"%\xff", "%%FF"),
            (b"\\x41", "\\x41"),
        ];
        for (path, key) in cases {
            assert_eq!(escape(path), *key);
            assert_eq!(unescape(key), *path, "{key}");
        }
        for seed in 0..2000_u32 {
            let path: Vec<u8> = (0..8)
                .map(|i| blake3::hash(&(seed * 8 + i).to_le_bytes()).as_bytes()[0])
                .collect();
            let path: Vec<u8> = path
                .iter()
                .map(|b| if b % 3 == 0 { b'%' } else { *b })
                .collect();
            assert_eq!(unescape(&escape(&path)), path);
        }
    }

    #[test]
    fn clients_paths_are_checked() {
        let long = "x".repeat(256);
        for (text, ok) in [
            ("a", true),
            ("a/b c", true),
            ("", false),
            ("/a", false),
            ("a/", false),
            ("a//b", false),
            ("../a", false),
            ("a/%2E%2E/b", false),
            ("a%00", false),
            ("a/./b", false),
            (long.as_str(), false),
        ] {
            assert_eq!(client_path(text).is_ok(), ok, "{text}");
        }
    }
}
