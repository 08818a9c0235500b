//! How names are written.

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Quoting {
    Literal,
    QuestionMarks,
    Escape,
    C,
    Shell,
    ShellAlways,
    ShellEscape,
    ShellEscapeAlways,
}

impl Quoting {
    pub(super) fn parse(word: &[u8]) -> Option<Quoting> {
        Some(match word {
            b"literal" => Quoting::Literal,
            b"escape" => Quoting::Escape,
            b"c" | b"c-maybe" | b"locale" | b"clocale" => Quoting::C,
            b"shell" => Quoting::Shell,
            b"shell-always" => Quoting::ShellAlways,
            b"shell-escape" => Quoting::ShellEscape,
            b"shell-escape-always" => Quoting::ShellEscapeAlways,
            _ => return None,
        })
    }
}

/// A name as the listing shows it.
pub(super) fn name(name: &[u8], quoting: Quoting) -> Vec<u8> {
    match quoting {
        Quoting::Literal => name.to_vec(),
        Quoting::QuestionMarks => name
            .iter()
            .map(|byte| if byte.is_ascii_control() { b'?' } else { *byte })
            .collect(),
        Quoting::Escape => escaped(name, b' '),
        Quoting::C => [b"\"", escaped(name, b'"').as_slice(), b"\""].concat(),
        Quoting::Shell | Quoting::ShellEscape if !needs_quotes(name) => name.to_vec(),
        Quoting::Shell | Quoting::ShellAlways => shell(name, false),
        Quoting::ShellEscape | Quoting::ShellEscapeAlways => shell(name, true),
    }
}

/// Columns that a shown name takes: one per character, none for a control character.
pub(super) fn width(shown: &[u8]) -> usize {
    let takes_room = |byte: &&u8| (**byte & 0xc0) != 0x80 && !byte.is_ascii_control();
    shown.iter().filter(takes_room).count()
}

fn escape_of(byte: u8) -> Option<u8> {
    Some(match byte {
        0x07 => b'a',
        0x08 => b'b',
        0x0c => b'f',
        b'\n' => b'n',
        b'\r' => b'r',
        b'\t' => b't',
        0x0b => b'v',
        _ => return None,
    })
}

fn escaped(name: &[u8], also: u8) -> Vec<u8> {
    let mut out = Vec::with_capacity(name.len() + 2);
    for &byte in name {
        if let Some(letter) = escape_of(byte) {
            out.extend_from_slice(&[b'\\', letter]);
        } else if byte == b'\\' || byte == also {
            out.extend_from_slice(&[b'\\', byte]);
        } else if byte.is_ascii_control() {
            out.extend_from_slice(format!("\\{byte:03o}").as_bytes());
        } else {
            out.push(byte);
        }
    }
    out
}

fn needs_quotes(name: &[u8]) -> bool {
    name.is_empty()
        || matches!(name.first(), Some(b'#' | b'~'))
        || name
            .iter()
            .any(|byte| byte.is_ascii_control() || b" !\"$&'()*;<=>?[\\^`|".contains(byte))
}

fn shell(name: &[u8], escape: bool) -> Vec<u8> {
    let control = escape && name.iter().any(u8::is_ascii_control);
    if name.contains(&b'\'') && !control && !name.iter().any(|byte| b"\"$`\\!".contains(byte)) {
        return [b"\"", name, b"\""].concat();
    }
    let mut out = vec![b'\''];
    // Within `$'…'`, where control characters are written as escapes.
    let mut in_escapes = false;
    for &byte in name {
        if byte == b'\'' {
            // Ends either kind of quotes, and opens plain ones again.
            out.extend_from_slice(b"'\\''");
            in_escapes = false;
        } else if escape && byte.is_ascii_control() {
            if !in_escapes {
                out.extend_from_slice(b"'$'");
                in_escapes = true;
            }
            out.extend_from_slice(&escaped(&[byte], b'\''));
        } else {
            if std::mem::take(&mut in_escapes) {
                out.extend_from_slice(b"''");
            }
            out.push(byte);
        }
    }
    out.push(b'\'');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn styles() {
        let nasty = b"a b\n'c";
        for (quoting, wanted) in [
            (Quoting::Literal, "a b\n'c"),
            (Quoting::QuestionMarks, "a b?'c"),
            (Quoting::Escape, "a\\ b\\n'c"),
            (Quoting::C, "\"a b\\n'c\""),
            (Quoting::ShellEscape, "'a b'$'\\n'\\''c'"),
        ] {
            assert_eq!(String::from_utf8_lossy(&name(nasty, quoting)), wanted);
        }
        assert_eq!(name(b"it's", Quoting::Shell), b"\"it's\"");
        assert_eq!(name(b"a\n", Quoting::ShellEscape), b"'a'$'\\n'");
        assert_eq!(name(b"plain", Quoting::Shell), b"plain");
    }
}
