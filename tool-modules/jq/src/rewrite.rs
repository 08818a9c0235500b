//! Assignments that make what is missing.
//!
//! The library's own update operators refuse `{} | .a.b = 1` and
//! `[] | .[3] = 1`, which jq answers by making objects and filling with null.
//! So each assignment of a program becomes a call of a function in our
//! prelude, which tries the library's operator first, for it is fast, and goes
//! by paths where that fails.

/// The program with its assignments as calls.
pub fn rewrite(code: &str) -> String {
    if !code.contains('=') {
        return code.to_owned();
    }
    let mut reader = Reader {
        text: code.as_bytes(),
        at: 0,
        depth: 0,
    };
    match reader.level(0) {
        Some(pieces) if reader.at >= code.len() => assemble(&pieces),
        // Whatever is wrong with it, the library's parser has the message.
        _ => code.to_owned(),
    }
}

#[derive(Debug)]
enum Piece {
    /// Text that is copied.
    Text(String),
    /// Ends an operand of an assignment.
    Break(String),
    Assign(String),
}

struct Reader<'a> {
    text: &'a [u8],
    at: usize,
    depth: usize,
}

impl Reader<'_> {
    fn slice(&self, from: usize) -> String {
        String::from_utf8_lossy(&self.text[from..self.at]).into_owned()
    }

    /// Reads up to the closing byte, which is left; 0 for the end of the text.
    fn level(&mut self, close: u8) -> Option<Vec<Piece>> {
        self.depth += 1;
        if self.depth > 200 {
            return None;
        }
        let mut out = Vec::new();
        while let Some(byte) = self.text.get(self.at).copied() {
            let from = self.at;
            match byte {
                b')' | b']' | b'}' => {
                    self.depth -= 1;
                    return (byte == close).then_some(out);
                }
                b'(' | b'[' | b'{' => {
                    let end = match byte {
                        b'(' => b')',
                        b'[' => b']',
                        _ => b'}',
                    };
                    self.at += 1;
                    let inner = self.level(end)?;
                    if self.text.get(self.at) != Some(&end) {
                        return None;
                    }
                    self.at += 1;
                    out.push(Piece::Text(format!(
                        "{}{}{}",
                        char::from(byte),
                        assemble(&inner),
                        char::from(end)
                    )));
                }
                b'"' => {
                    let text = self.string()?;
                    out.push(Piece::Text(text));
                }
                b'#' => {
                    while self.text.get(self.at).is_some_and(|b| *b != b'\n') {
                        self.at += 1;
                    }
                }
                b'a'..=b'z' | b'A'..=b'Z' | b'_' | b'$' | b'@' | b'.' | b'0'..=b'9' => {
                    self.at += 1;
                    while self.text.get(self.at).is_some_and(|b| {
                        b.is_ascii_alphanumeric()
                            || *b == b'_'
                            || (*b == b':' && self.text.get(self.at + 1) == Some(&b':'))
                    }) {
                        self.at += 1;
                    }
                    let word = self.slice(from);
                    let breaks = matches!(word.as_str(), "if" | "then" | "elif" | "else" | "end");
                    out.push(if breaks {
                        Piece::Break(word)
                    } else {
                        Piece::Text(word)
                    });
                }
                _ => {
                    let rest = &self.text[self.at..];
                    const OPERATORS: &[&str] = &[
                        "?//", "//=", "|=", "+=", "-=", "*=", "/=", "%=", "==", "!=", "<=", ">=",
                        "//", "=", "|", ",", ";", ":",
                    ];
                    let operator = OPERATORS.iter().find(|op| rest.starts_with(op.as_bytes()));
                    match operator {
                        Some(op) => {
                            self.at += op.len();
                            let text = (*op).to_owned();
                            out.push(match *op {
                                "=" | "|=" | "+=" | "-=" | "*=" | "/=" | "%=" | "//=" => {
                                    Piece::Assign(text)
                                }
                                "|" | "," | ";" | ":" | "//" | "?//" => Piece::Break(text),
                                _ => Piece::Text(text),
                            });
                        }
                        None => {
                            self.at += 1;
                            while self.text.get(self.at).is_some_and(|b| b & 0xc0 == 0x80) {
                                self.at += 1;
                            }
                            out.push(Piece::Text(self.slice(from)));
                        }
                    }
                }
            }
        }
        self.depth -= 1;
        (close == 0).then_some(out)
    }

    fn string(&mut self) -> Option<String> {
        let mut out = "\"".to_owned();
        self.at += 1;
        let mut from = self.at;
        loop {
            match self.text.get(self.at)? {
                b'"' => {
                    out.push_str(&self.slice(from));
                    self.at += 1;
                    out.push('"');
                    return Some(out);
                }
                b'\\' if self.text.get(self.at + 1) == Some(&b'(') => {
                    out.push_str(&self.slice(from));
                    self.at += 2;
                    let inner = self.level(b')')?;
                    out.push_str("\\(");
                    out.push_str(&assemble(&inner));
                    out.push(')');
                    self.at += 1;
                    from = self.at;
                }
                b'\\' => self.at += 2,
                _ => self.at += 1,
            }
        }
    }
}

fn assemble(pieces: &[Piece]) -> String {
    let mut out = String::new();
    let mut left = String::new();
    let mut at = 0;
    while let Some(piece) = pieces.get(at) {
        at += 1;
        match piece {
            Piece::Text(text) => left.push_str(text),
            Piece::Break(text) => {
                out.push_str(&left);
                left.clear();
                out.push_str(text);
            }
            Piece::Assign(op) => {
                let mut right = String::new();
                while let Some(Piece::Text(text)) = pieces.get(at) {
                    right.push_str(text);
                    at += 1;
                }
                let call = match op.as_str() {
                    "=" => format!(" _assign({left}; {right}) "),
                    "|=" => format!(" _modify({left}; {right}) "),
                    "+=" => format!(" _update({left}; {right}; .[0] + .[1]) "),
                    "-=" => format!(" _update({left}; {right}; .[0] - .[1]) "),
                    "*=" => format!(" _update({left}; {right}; .[0] * .[1]) "),
                    "/=" => format!(" _update({left}; {right}; .[0] / .[1]) "),
                    "%=" => format!(" _update({left}; {right}; .[0] % .[1]) "),
                    _ => format!(" _update({left}; {right}; .[0] // .[1]) "),
                };
                left = call;
            }
        }
    }
    out.push_str(&left);
    out
}

#[cfg(test)]
mod tests {
    #[test]
    fn assignments_become_calls() {
        for (from, to) in [
            (".a", ".a"),
            (".a == 1", ".a == 1"),
            (".a = 1", " _assign(.a ;  1) "),
            (".a|.b += 2 | .c", ".a| _update(.b ;  2 ; .[0] + .[1]) | .c"),
            (
                "if .a then .b = 1 else . end",
                "if .a then _assign( .b ;  1 ) else . end",
            ),
            (
                "\"a=b\" | .x |= \"\\(.y = 1)\"",
                "\"a=b\" | _modify( .x ;  \"\\( _assign(.y ;  1) )\") ",
            ),
        ] {
            assert_eq!(super::rewrite(from), to);
        }
    }
}
