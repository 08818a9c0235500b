//! Permission bits as people write them: octal or symbolic.

/// Applies a mode such as `755`, `u+x`, `go-w,a=r` to the bits that a file
/// has. None if the text is not a mode.
pub fn apply(text: &str, current: u32, is_dir: bool, umask: u32) -> Option<u32> {
    if text.is_empty() {
        return None;
    }
    if text.bytes().all(|b| b.is_ascii_digit()) {
        let mode = u32::from_str_radix(text, 8).ok()?;
        return (mode <= 0o7777).then_some(mode);
    }
    let mut mode = current & 0o7777;
    for clause in text.split(',') {
        mode = clause_of(clause, mode, is_dir, umask)?;
    }
    Some(mode)
}

fn clause_of(clause: &str, mode: u32, is_dir: bool, umask: u32) -> Option<u32> {
    let mut mode = mode;
    let bytes = clause.as_bytes();
    let mut at = 0;
    let mut who = 0u32;
    while let Some(letter) = bytes.get(at) {
        who |= match letter {
            b'u' => 0o4700,
            b'g' => 0o2070,
            b'o' => 0o1007,
            b'a' => 0o7777,
            _ => break,
        };
        at += 1;
    }
    let everyone = who == 0;
    if everyone {
        who = 0o7777;
    }
    if at >= bytes.len() {
        return None;
    }
    while let Some(op) = bytes.get(at).copied() {
        if !matches!(op, b'+' | b'-' | b'=') {
            return None;
        }
        at += 1;
        let mut bits = 0u32;
        if bytes.get(at).is_some_and(u8::is_ascii_digit) {
            while let Some(digit @ b'0'..=b'7') = bytes.get(at) {
                bits = (bits << 3 | u32::from(digit - b'0')) & 0o7777;
                at += 1;
            }
        } else {
            while let Some(letter) = bytes.get(at) {
                bits |= match letter {
                    b'r' => 0o444,
                    b'w' => 0o222,
                    b'x' => 0o111,
                    b'X' if is_dir || mode & 0o111 != 0 => 0o111,
                    b'X' => 0,
                    b's' => 0o6000,
                    b't' => 0o1000,
                    b'u' => (mode >> 6 & 7) * 0o111,
                    b'g' => (mode >> 3 & 7) * 0o111,
                    b'o' => (mode & 7) * 0o111,
                    _ => break,
                };
                at += 1;
            }
        }
        let mut bits = bits & who;
        if everyone {
            bits &= !(umask & 0o777);
        }
        match op {
            b'+' => mode |= bits,
            b'-' => mode &= !bits,
            _ => mode = mode & !(who & if is_dir { 0o777 } else { 0o7777 }) | bits,
        }
    }
    Some(mode)
}

#[cfg(test)]
mod tests {
    #[test]
    fn symbolic() {
        for (text, from, to) in [
            ("755", 0, 0o755),
            ("u+x", 0o644, 0o744),
            ("go-w", 0o666, 0o644),
            ("a=r", 0o777, 0o444),
            ("u=rwx,g=rx,o=", 0, 0o750),
            ("g=u", 0o700, 0o770),
            ("+x", 0o644, 0o755),
        ] {
            assert_eq!(super::apply(text, from, false, 0o022), Some(to), "{text}");
        }
        assert_eq!(super::apply("u+q", 0, false, 0), None);
    }
}
