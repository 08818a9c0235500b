//! From text to tokens.

use std::rc::Rc;

use crate::ast::{BUILTINS, Builtin, Text};

#[derive(Clone, Debug, PartialEq)]
pub enum Token {
    Newline,
    Number(f64),
    Str(Text),
    Regex(Text),
    Name(String),
    /// A name directly before `(`.
    FuncName(String),
    Builtin(Builtin),
    Key(Key),
    Punct(&'static str),
    End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Key {
    Begin,
    EndBlock,
    BeginFile,
    EndFile,
    Function,
    If,
    Else,
    While,
    For,
    Do,
    Break,
    Continue,
    Next,
    NextFile,
    Exit,
    Return,
    Delete,
    In,
    Getline,
    Print,
    Printf,
    Switch,
    Case,
    Default,
}

const KEYS: &[(&str, Key)] = &[
    ("BEGIN", Key::Begin),
    ("END", Key::EndBlock),
    ("BEGINFILE", Key::BeginFile),
    ("ENDFILE", Key::EndFile),
    ("function", Key::Function),
    ("func", Key::Function),
    ("if", Key::If),
    ("else", Key::Else),
    ("while", Key::While),
    ("for", Key::For),
    ("do", Key::Do),
    ("break", Key::Break),
    ("continue", Key::Continue),
    ("next", Key::Next),
    ("nextfile", Key::NextFile),
    ("exit", Key::Exit),
    ("return", Key::Return),
    ("delete", Key::Delete),
    ("in", Key::In),
    ("getline", Key::Getline),
    ("print", Key::Print),
    ("printf", Key::Printf),
    ("switch", Key::Switch),
    ("case", Key::Case),
    ("default", Key::Default),
];

/// Longest first.
const PUNCTUATION: &[&str] = &[
    "**=", "|&", "&&", "||", "++", "--", "+=", "-=", "*=", "/=", "%=", "^=", "**", "==", "<=",
    ">=", "!=", ">>", "!~", "{", "}", "(", ")", "[", "]", ";", ",", "+", "-", "*", "/", "%", "^",
    "!", ">", "<", "|", "?", ":", "~", "$", "=", "@",
];

/// A token and the line it stands on.
#[derive(Clone, Debug)]
pub struct Spot {
    pub token: Token,
    pub line: u32,
    /// Where it begins in the text.
    pub at: u32,
}

/// Splits a program into tokens.
pub fn lex(text: &[u8]) -> Result<Vec<Spot>, (u32, String)> {
    let mut lexer = Lexer {
        text,
        at: 0,
        line: 1,
        begin: 0,
        out: Vec::new(),
    };
    while lexer.token()? {}
    Ok(lexer.out)
}

struct Lexer<'a> {
    text: &'a [u8],
    at: usize,
    line: u32,
    begin: usize,
    out: Vec<Spot>,
}

impl Lexer<'_> {
    fn peek(&self, ahead: usize) -> u8 {
        self.text.get(self.at + ahead).copied().unwrap_or(0)
    }

    fn push(&mut self, token: Token) {
        let at = u32::try_from(self.begin).unwrap_or(u32::MAX);
        self.out.push(Spot {
            token,
            line: self.line,
            at,
        });
    }

    fn token(&mut self) -> Result<bool, (u32, String)> {
        loop {
            match self.peek(0) {
                b' ' | b'\t' | b'\r' => self.at += 1,
                b'\\' if self.peek(1) == b'\n' => {
                    self.at += 2;
                    self.line += 1;
                }
                b'\\' if self.peek(1) == b'\r' && self.peek(2) == b'\n' => {
                    self.at += 3;
                    self.line += 1;
                }
                b'#' => {
                    while self.at < self.text.len() && self.peek(0) != b'\n' {
                        self.at += 1;
                    }
                }
                _ => break,
            }
        }
        self.begin = self.at;
        if self.at >= self.text.len() {
            self.push(Token::Newline);
            self.push(Token::End);
            return Ok(false);
        }
        let byte = self.peek(0);
        match byte {
            b'\n' => {
                self.at += 1;
                self.push(Token::Newline);
                self.line += 1;
            }
            b'"' => {
                let text = self.string()?;
                self.push(Token::Str(text));
            }
            b'0'..=b'9' => self.number(),
            b'.' if self.peek(1).is_ascii_digit() => self.number(),
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => self.word(),
            b'/' if self.regex_allowed() => {
                let text = self.regex()?;
                self.push(Token::Regex(text));
            }
            _ => {
                let rest = self.text.get(self.at..).unwrap_or_default();
                let Some(found) = PUNCTUATION.iter().find(|p| rest.starts_with(p.as_bytes()))
                else {
                    return Err((
                        u32::try_from(self.at).unwrap_or(0),
                        format!("invalid char '{}' in expression", char::from(byte)),
                    ));
                };
                self.at += found.len();
                let token = match *found {
                    "**" => "^",
                    "**=" => "^=",
                    other => other,
                };
                self.push(Token::Punct(token));
            }
        }
        Ok(true)
    }

    /// Whether a slash begins a regular expression rather than a division.
    fn regex_allowed(&self) -> bool {
        !matches!(
            self.out.last().map(|spot| &spot.token),
            Some(
                Token::Number(_)
                    | Token::Str(_)
                    | Token::Name(_)
                    | Token::Builtin(_)
                    | Token::Punct(")" | "]" | "$" | "++" | "--")
            )
        )
    }

    fn number(&mut self) {
        let rest = self.text.get(self.at..).unwrap_or_default();
        if rest.len() > 2
            && rest[0] == b'0'
            && (rest[1] | 0x20) == b'x'
            && rest[2].is_ascii_hexdigit()
        {
            let digits = rest[2..]
                .iter()
                .take_while(|b| b.is_ascii_hexdigit())
                .count();
            let value = rest[2..2 + digits].iter().fold(0.0, |v, b| {
                v * 16.0 + f64::from(char::from(*b).to_digit(16).unwrap_or(0))
            });
            self.at += 2 + digits;
            return self.push(Token::Number(value));
        }
        let (value, length) = crate::value::parse_number(rest);
        self.at += length.max(1);
        self.push(Token::Number(value));
    }

    fn word(&mut self) {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let length = rest
            .iter()
            .take_while(|b| b.is_ascii_alphanumeric() || **b == b'_')
            .count();
        let name = String::from_utf8_lossy(&rest[..length]).into_owned();
        self.at += length;
        if let Some((_, key)) = KEYS.iter().find(|(n, _)| *n == name) {
            return self.push(Token::Key(*key));
        }
        if let Some((_, builtin, _, _)) = BUILTINS.iter().find(|(n, ..)| *n == name) {
            return self.push(Token::Builtin(*builtin));
        }
        if self.peek(0) == b'(' {
            self.push(Token::FuncName(name));
        } else {
            self.push(Token::Name(name));
        }
    }

    fn string(&mut self) -> Result<Text, (u32, String)> {
        self.at += 1;
        let start = self.at;
        loop {
            match self.text.get(self.at) {
                None | Some(b'\n') => {
                    return Err((
                        u32::try_from(self.begin).unwrap_or(0),
                        "unterminated string".to_owned(),
                    ));
                }
                Some(b'"') => break,
                Some(b'\\') => {
                    if self.peek(1) == b'\n' {
                        self.line += 1;
                    }
                    self.at += 2;
                }
                Some(_) => self.at += 1,
            }
        }
        let raw = self
            .text
            .get(start..self.at.min(self.text.len()))
            .unwrap_or_default();
        self.at += 1;
        Ok(Rc::from(unescape(raw).as_slice()))
    }

    fn regex(&mut self) -> Result<Text, (u32, String)> {
        self.at += 1;
        let mut out = Vec::new();
        let mut in_set = false;
        loop {
            match self.text.get(self.at).copied() {
                None | Some(b'\n') => {
                    return Err((
                        u32::try_from(self.begin).unwrap_or(0),
                        "unterminated regexp".to_owned(),
                    ));
                }
                Some(b'/') if !in_set => break,
                Some(b'\\') => {
                    let next = self.peek(1);
                    if next == b'/' {
                        out.push(b'/');
                    } else if next != b'\n' {
                        out.push(b'\\');
                        out.push(next);
                    }
                    self.at += 2;
                    continue;
                }
                Some(b'[') => {
                    out.push(b'[');
                    self.at += 1;
                    if !in_set {
                        in_set = true;
                        // A closing bracket right at the start is a member.
                        if self.peek(0) == b'^' {
                            out.push(b'^');
                            self.at += 1;
                        }
                        if self.peek(0) == b']' {
                            out.push(b']');
                            self.at += 1;
                        }
                    } else if self.peek(0) == b':' {
                        while self.at < self.text.len()
                            && self.peek(0) != b']'
                            && self.peek(0) != b'\n'
                        {
                            out.push(self.peek(0));
                            self.at += 1;
                        }
                        if self.peek(0) == b']' {
                            out.push(b']');
                            self.at += 1;
                        }
                    }
                    continue;
                }
                Some(b']') => {
                    in_set = false;
                    out.push(b']');
                }
                Some(other) => out.push(other),
            }
            self.at += 1;
        }
        self.at += 1;
        Ok(Rc::from(out.as_slice()))
    }
}

/// Resolves the escapes of a string; those that awk does not know keep their
/// backslash when they may matter to a regular expression.
pub fn unescape(raw: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(raw.len());
    let mut at = 0;
    while let Some(byte) = raw.get(at).copied() {
        at += 1;
        if byte != b'\\' {
            out.push(byte);
            continue;
        }
        let Some(letter) = raw.get(at).copied() else {
            out.push(b'\\');
            break;
        };
        at += 1;
        match letter {
            b'n' => out.push(b'\n'),
            b't' => out.push(b'\t'),
            b'r' => out.push(b'\r'),
            b'\\' => out.push(b'\\'),
            b'"' => out.push(b'"'),
            b'/' => out.push(b'/'),
            b'a' => out.push(7),
            b'b' => out.push(8),
            b'f' => out.push(12),
            b'v' => out.push(11),
            b'\n' => {}
            b'0'..=b'7' => {
                let mut value = u32::from(letter - b'0');
                for _ in 0..2 {
                    match raw.get(at) {
                        Some(digit @ b'0'..=b'7') => {
                            value = value * 8 + u32::from(digit - b'0');
                            at += 1;
                        }
                        _ => break,
                    }
                }
                out.push(u8::try_from(value & 0xff).unwrap_or(0));
            }
            b'x' => {
                let digits = raw
                    .get(at..)
                    .unwrap_or_default()
                    .iter()
                    .take(2)
                    .take_while(|b| b.is_ascii_hexdigit())
                    .count();
                if digits == 0 {
                    out.push(b'x');
                } else {
                    let text = raw.get(at..at + digits).unwrap_or_default();
                    let value = text.iter().fold(0u32, |v, b| {
                        v * 16 + char::from(*b).to_digit(16).unwrap_or(0)
                    });
                    out.push(u8::try_from(value & 0xff).unwrap_or(0));
                    at += digits;
                }
            }
            b'u' => {
                let digits = raw
                    .get(at..)
                    .unwrap_or_default()
                    .iter()
                    .take(8)
                    .take_while(|b| b.is_ascii_hexdigit())
                    .count();
                let text = raw.get(at..at + digits).unwrap_or_default();
                let value = text.iter().fold(0u32, |v, b| {
                    v.wrapping_mul(16) + char::from(*b).to_digit(16).unwrap_or(0)
                });
                match char::from_u32(value) {
                    Some(c) if digits > 0 => {
                        out.extend_from_slice(c.to_string().as_bytes());
                        at += digits;
                    }
                    _ => out.push(b'u'),
                }
            }
            other => {
                // gawk drops the backslash; keeping it lets "\." work in a
                // dynamic regular expression as people expect.
                out.push(b'\\');
                out.push(other);
            }
        }
    }
    out
}
