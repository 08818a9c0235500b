//! Where expansion puts its results: fields that grow, split and remember what was quoted.

/// What the result is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Arguments: split into fields, patterns expand.
    Args,
    /// One string: an assignment, a here-document, the word of a `case`.
    Single,
    /// A pattern: what was quoted is escaped.
    Pattern,
    /// A regular expression: what was quoted is escaped.
    Regex,
}

/// A field.
#[derive(Debug, Default)]
pub struct Field {
    /// Its text.
    pub text: Vec<u8>,
    /// Where quoted characters stand that a pattern would take for its own.
    escapes: Vec<u32>,
    /// An unquoted pattern character was added.
    pub magic: bool,
}

impl Field {
    /// The text as a pattern.
    pub fn pattern(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.text.len() + self.escapes.len());
        let mut next = self.escapes.iter().peekable();
        for (i, b) in self.text.iter().enumerate() {
            if next.peek().is_some_and(|e| **e as usize == i) {
                next.next();
                out.push(b'\\');
            }
            out.push(*b);
        }
        out
    }
}

/// The fields of one or more words.
#[derive(Debug)]
pub struct Fields {
    /// What for.
    pub mode: Mode,
    /// Finished fields.
    pub done: Vec<Field>,
    cur: Field,
    /// The current field exists, even if it is empty.
    active: bool,
    /// A blank ended the last field: a separator right behind it belongs to the same gap.
    after_blank: bool,
    /// An array with no elements was expanded in double quotes.
    pub nothing: bool,
    ifs: Ifs,
}

/// `$IFS`, prepared.
#[derive(Debug, Clone)]
pub struct Ifs {
    /// Its bytes.
    pub chars: Vec<u8>,
    kinds: [u8; 256],
}

impl Ifs {
    /// From the value; `None` when unset.
    pub fn new(value: Option<&[u8]>) -> Ifs {
        let chars = value.unwrap_or(b" \t\n").to_vec();
        let mut kinds = [0u8; 256];
        for c in &chars {
            if let Some(k) = kinds.get_mut(usize::from(*c)) {
                *k = if matches!(c, b' ' | b'\t' | b'\n') {
                    1
                } else {
                    2
                };
            }
        }
        Ifs { chars, kinds }
    }
    /// 0 plain, 1 blank, 2 other separator.
    pub fn kind(&self, b: u8) -> u8 {
        self.kinds.get(usize::from(b)).copied().unwrap_or(0)
    }
    /// What `"$*"` joins with.
    pub fn joiner(&self) -> &[u8] {
        let len = crate::strs::char_len(&self.chars, 0);
        self.chars.get(..len).unwrap_or_default()
    }
}

fn pattern_char(b: u8) -> bool {
    matches!(
        b,
        b'*' | b'?' | b'[' | b']' | b'\\' | b'!' | b'@' | b'+' | b'(' | b')' | b'|' | b'-' | b'^'
    )
}

fn regex_char(b: u8) -> bool {
    matches!(
        b,
        b'*' | b'?'
            | b'['
            | b']'
            | b'\\'
            | b'+'
            | b'('
            | b')'
            | b'|'
            | b'^'
            | b'$'
            | b'.'
            | b'{'
            | b'}'
    )
}

impl Fields {
    /// Nothing yet.
    pub fn new(mode: Mode, ifs: Ifs) -> Fields {
        Fields {
            mode,
            done: Vec::new(),
            cur: Field::default(),
            active: false,
            after_blank: false,
            nothing: false,
            ifs,
        }
    }

    /// `$IFS`.
    pub fn ifs(&self) -> &Ifs {
        &self.ifs
    }

    /// There is a current field.
    pub fn active(&self) -> bool {
        self.active
    }

    /// Quotes were seen: the field exists even if it stays empty.
    pub fn mark(&mut self) {
        self.active = true;
        self.after_blank = false;
    }

    /// Quoted text.
    pub fn quoted(&mut self, text: &[u8]) {
        self.mark();
        match self.mode {
            Mode::Single => self.cur.text.extend_from_slice(text),
            Mode::Args => {
                for b in text {
                    if pattern_char(*b) {
                        self.cur.escapes.push(self.cur.text.len() as u32);
                    }
                    self.cur.text.push(*b);
                }
            }
            Mode::Pattern | Mode::Regex => {
                let regex = self.mode == Mode::Regex;
                for b in text {
                    if if regex {
                        regex_char(*b)
                    } else {
                        pattern_char(*b)
                    } {
                        self.cur.text.push(b'\\');
                    }
                    self.cur.text.push(*b);
                }
            }
        }
    }

    /// Unquoted text that is not split.
    pub fn plain(&mut self, text: &[u8]) {
        if text.is_empty() {
            return;
        }
        self.mark();
        if self.mode == Mode::Args && !self.cur.magic {
            self.cur.magic = text.iter().any(|b| matches!(b, b'*' | b'?' | b'[' | b'('));
        }
        self.cur.text.extend_from_slice(text);
    }

    /// The result of an unquoted expansion: split at `$IFS`.
    pub fn split(&mut self, text: &[u8]) {
        if self.mode != Mode::Args {
            if !text.is_empty() {
                self.plain(text);
            }
            return;
        }
        if !text.iter().any(|b| self.ifs.kind(*b) != 0) {
            self.plain(text);
            return;
        }
        for b in text {
            match self.ifs.kind(*b) {
                0 => {
                    self.mark();
                    if matches!(b, b'*' | b'?' | b'[' | b'(') {
                        self.cur.magic = true;
                    }
                    self.cur.text.push(*b);
                }
                1 => {
                    if self.active {
                        self.finish();
                        self.after_blank = true;
                    }
                }
                _ => {
                    if self.active {
                        self.finish();
                    } else if self.after_blank {
                        self.after_blank = false;
                    } else {
                        self.active = true;
                        self.finish();
                    }
                }
            }
        }
    }

    /// Ends the current field, if there is one.
    pub fn finish(&mut self) {
        if self.active {
            self.done.push(std::mem::take(&mut self.cur));
        }
        self.active = false;
        self.after_blank = false;
    }

    /// All fields.
    pub fn into_fields(mut self) -> Vec<Field> {
        self.finish();
        self.done
    }

    /// The one string (fields, should there be several, joined by blanks).
    pub fn into_text(mut self) -> Vec<u8> {
        if self.done.is_empty() {
            return self.cur.text;
        }
        self.finish();
        let mut out = Vec::new();
        for (i, f) in self.done.into_iter().enumerate() {
            if i > 0 {
                out.push(b' ');
            }
            out.extend_from_slice(&f.text);
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splitting() {
        for (ifs, text, want) in [
            (" \t\n", "  a b  ", vec!["a", "b"]),
            (":", "a::b", vec!["a", "", "b"]),
            (":", "a:", vec!["a"]),
            (":", ":a", vec!["", "a"]),
            (" :", "a : b", vec!["a", "b"]),
            (" :", " a : : b ", vec!["a", "", "b"]),
            ("", "a b", vec!["a b"]),
        ] {
            let mut f = Fields::new(Mode::Args, Ifs::new(Some(ifs.as_bytes())));
            f.split(text.as_bytes());
            let got: Vec<String> = f
                .into_fields()
                .into_iter()
                .map(|f| String::from_utf8_lossy(&f.text).into_owned())
                .collect();
            assert_eq!(got, want, "{ifs:?} {text:?}");
        }
    }
}
