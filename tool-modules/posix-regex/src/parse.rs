//! POSIX basic and extended syntax with the GNU extensions.

use crate::ast::{Class, Look, Node, Set};
use crate::{Error, Options, Syntax};

/// The largest count in an interval, as in glibc.
const MAX_COUNT: u32 = 32767;
/// Nesting beyond this is refused rather than risking the stack.
const MAX_DEPTH: usize = 200;

/// A parsed pattern.
pub struct Parsed {
    /// The tree.
    pub node: Node,
    /// Number of capturing groups.
    pub groups: usize,
}

/// Parses a pattern.
pub fn parse(pattern: &[u8], options: &Options) -> Result<Parsed, Error> {
    let mut parser = Parser {
        text: pattern,
        at: 0,
        options,
        groups: 0,
        open: Vec::new(),
        depth: 0,
    };
    let node = parser.alternatives()?;
    if parser.at < pattern.len() {
        return Err(Error::UnmatchedClose);
    }
    Ok(Parsed {
        node,
        groups: parser.groups,
    })
}

/// The tree of a plain text.
pub fn literal(text: &[u8], options: &Options) -> Node {
    let mut parser = Parser {
        text,
        at: 0,
        options,
        groups: 0,
        open: Vec::new(),
        depth: 0,
    };
    let mut all = Vec::with_capacity(text.len());
    while parser.at < text.len() {
        all.push(Node::Char(parser.character()));
    }
    Node::Concat(all)
}

struct Parser<'a> {
    text: &'a [u8],
    at: usize,
    options: &'a Options,
    groups: usize,
    /// Groups whose `)` has not been seen.
    open: Vec<usize>,
    depth: usize,
}

impl Parser<'_> {
    fn extended(&self) -> bool {
        self.options.syntax != Syntax::Basic
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn peek_at(&self, ahead: usize) -> Option<u8> {
        self.text.get(self.at + ahead).copied()
    }

    fn looking_at(&self, text: &[u8]) -> bool {
        self.text
            .get(self.at..)
            .is_some_and(|rest| rest.starts_with(text))
    }

    fn at_bar(&self) -> bool {
        if self.extended() {
            self.peek() == Some(b'|')
        } else {
            self.looking_at(b"\\|")
        }
    }

    fn at_close(&self) -> bool {
        if self.extended() {
            // An unmatched `)` is an ordinary character in awk and grep -E,
            // but sed -E reports it; the option says which.
            self.peek() == Some(b')')
                && (!self.open.is_empty() || !self.options.lone_close_is_literal)
        } else {
            self.looking_at(b"\\)")
        }
    }

    fn alternatives(&mut self) -> Result<Node, Error> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(Error::TooBig);
        }
        let mut all = vec![self.sequence()?];
        loop {
            if self.at_bar() {
                self.at += if self.extended() { 1 } else { 2 };
            } else if self.options.newline_alternates && self.peek() == Some(b'\n') {
                self.at += 1;
            } else {
                break;
            }
            all.push(self.sequence()?);
        }
        self.depth -= 1;
        Ok(if all.len() == 1 {
            all.swap_remove(0)
        } else {
            Node::Alt(all)
        })
    }

    fn sequence(&mut self) -> Result<Node, Error> {
        let mut all: Vec<Node> = Vec::new();
        // Whether the next `*` of a basic pattern has nothing to repeat.
        let mut fresh = true;
        while let Some(byte) = self.peek() {
            if self.at_bar()
                || self.at_close()
                || (self.options.newline_alternates && byte == b'\n')
            {
                break;
            }
            let anchor_was = fresh;
            let node = if self.extended() {
                self.atom_extended(&all)?
            } else {
                self.atom_basic(fresh)?
            };
            fresh = anchor_was && node == Node::Look(Look::LineStart) && !self.extended();
            let node = if fresh { node } else { self.repeats(node)? };
            if node != Node::Empty {
                all.push(node);
            }
        }
        Ok(match all.len() {
            0 => Node::Empty,
            1 => all.swap_remove(0),
            _ => Node::Concat(all),
        })
    }

    fn repeats(&mut self, mut node: Node) -> Result<Node, Error> {
        loop {
            let (min, max) = match self.peek() {
                Some(b'*') => {
                    self.at += 1;
                    (0, None)
                }
                Some(b'+') if self.extended() => {
                    self.at += 1;
                    (1, None)
                }
                Some(b'?') if self.extended() => {
                    self.at += 1;
                    (0, Some(1))
                }
                Some(b'\\') if !self.extended() && self.peek_at(1) == Some(b'+') => {
                    self.at += 2;
                    (1, None)
                }
                Some(b'\\') if !self.extended() && self.peek_at(1) == Some(b'?') => {
                    self.at += 2;
                    (0, Some(1))
                }
                Some(b'{') if self.extended() => match self.interval(1)? {
                    Some(range) => range,
                    None => return Ok(node),
                },
                Some(b'\\') if !self.extended() && self.peek_at(1) == Some(b'{') => {
                    match self.interval(2)? {
                        Some(range) => range,
                        None => return Ok(node),
                    }
                }
                _ => return Ok(node),
            };
            node = match node {
                // An anchor that is repeated may match nothing at all.
                Node::Look(_) if min == 0 => Node::Empty,
                Node::Look(look) => Node::Look(look),
                Node::Empty => Node::Empty,
                // x** is x*: nested unbounded loops cost time and add nothing.
                Node::Repeat(inner, 0, None) if max.is_none() => Node::Repeat(inner, 0, None),
                other => Node::Repeat(Box::new(other), min, max),
            };
        }
    }

    /// `{m}`, `{m,}`, `{,n}`, `{m,n}`; None where `{` is an ordinary
    /// character.
    fn interval(&mut self, open: usize) -> Result<Option<(u32, Option<u32>)>, Error> {
        let start = self.at;
        self.at += open;
        let low = self.number()?;
        let mut high = low;
        let comma = self.peek() == Some(b',');
        if comma {
            self.at += 1;
            high = self.number()?;
        }
        let closed = if self.extended() {
            self.peek() == Some(b'}')
        } else {
            self.looking_at(b"\\}")
        };
        let empty = low.is_none() && !comma;
        if !closed || empty {
            if self.extended() {
                // Not an interval after all: the brace stands for itself.
                self.at = start;
                return Ok(None);
            }
            return Err(if self.at >= self.text.len() {
                Error::UnmatchedBrace
            } else {
                Error::BadInterval
            });
        }
        self.at += if self.extended() { 1 } else { 2 };
        let min = low.unwrap_or(0);
        if high.is_some_and(|h| h < min) {
            return Err(Error::BadInterval);
        }
        if min > MAX_COUNT || high.is_some_and(|h| h > MAX_COUNT) {
            return Err(Error::TooBig);
        }
        Ok(Some((min, high)))
    }

    fn number(&mut self) -> Result<Option<u32>, Error> {
        let mut value: Option<u32> = None;
        while let Some(byte @ b'0'..=b'9') = self.peek() {
            self.at += 1;
            let digit = u32::from(byte - b'0');
            value = Some(value.unwrap_or(0).saturating_mul(10).saturating_add(digit));
        }
        Ok(value)
    }

    fn atom_basic(&mut self, fresh: bool) -> Result<Node, Error> {
        match self.peek() {
            Some(b'*') if fresh => {
                self.at += 1;
                Ok(Node::Char(u32::from(b'*')))
            }
            Some(b'^') if fresh => {
                self.at += 1;
                Ok(Node::Look(Look::LineStart))
            }
            Some(b'$') if self.dollar_is_anchor() => {
                self.at += 1;
                Ok(Node::Look(Look::LineEnd))
            }
            Some(b'\\') => match self.peek_at(1) {
                Some(b'(') => {
                    self.at += 2;
                    self.group()
                }
                Some(b'{') if fresh => Err(Error::BadRepeat),
                _ => self.escape(),
            },
            _ => self.plain(),
        }
    }

    fn dollar_is_anchor(&self) -> bool {
        let rest = self.text.get(self.at + 1..).unwrap_or_default();
        rest.is_empty()
            || rest.starts_with(b"\\)")
            || rest.starts_with(b"\\|")
            || (self.options.newline_alternates && rest.first() == Some(&b'\n'))
    }

    fn atom_extended(&mut self, before: &[Node]) -> Result<Node, Error> {
        match self.peek() {
            Some(b'(') => {
                self.at += 1;
                self.group()
            }
            Some(b'^') => {
                self.at += 1;
                Ok(Node::Look(Look::LineStart))
            }
            Some(b'$') => {
                self.at += 1;
                Ok(Node::Look(Look::LineEnd))
            }
            Some(b'*' | b'+' | b'?') if before.is_empty() => {
                if self.options.strict_repeat {
                    return Err(Error::BadRepeat);
                }
                self.at += 1;
                if self.options.syntax == Syntax::Awk {
                    return Ok(Node::Char(u32::from(
                        self.text.get(self.at - 1).copied().unwrap_or(b'*'),
                    )));
                }
                Ok(Node::Empty)
            }
            Some(b'{')
                if before.is_empty()
                    && self.options.strict_repeat
                    && self.peek_at(1).is_some_and(|b| b.is_ascii_digit()) =>
            {
                Err(Error::BadRepeat)
            }
            Some(b'\\') => self.escape(),
            _ => self.plain(),
        }
    }

    fn group(&mut self) -> Result<Node, Error> {
        self.groups += 1;
        let index = self.groups;
        self.open.push(index);
        let inner = self.alternatives()?;
        if !self.at_close() {
            return Err(Error::UnmatchedOpen);
        }
        self.at += if self.extended() { 1 } else { 2 };
        self.open.pop();
        Ok(Node::Group(Some(index), Box::new(inner)))
    }

    fn plain(&mut self) -> Result<Node, Error> {
        match self.peek() {
            Some(b'.') => {
                self.at += 1;
                Ok(Node::Any)
            }
            Some(b'[') => {
                self.at += 1;
                self.bracket()
            }
            _ => Ok(Node::Char(self.character())),
        }
    }

    /// The next character: a code point in UTF-8 mode where the bytes are
    /// valid; otherwise a byte, marked so that it is matched as one.
    fn character(&mut self) -> u32 {
        let rest = self.text.get(self.at..).unwrap_or_default();
        if self.options.utf8
            && let Some((c, length)) = decode(rest)
        {
            self.at += length;
            return u32::from(c);
        }
        self.at += 1;
        let byte = rest.first().copied().unwrap_or(0);
        if self.options.utf8 && byte >= 0x80 {
            RAW_BYTE | u32::from(byte)
        } else {
            u32::from(byte)
        }
    }

    fn escape(&mut self) -> Result<Node, Error> {
        let Some(letter) = self.peek_at(1) else {
            return Err(Error::TrailingBackslash);
        };
        if self.options.c_escapes
            && let Some(byte) = self.c_escape(letter)
        {
            return Ok(Node::Char(byte));
        }
        let look = |look| Ok(Node::Look(look));
        let set = |class, negated| {
            Ok(Node::Set(Set {
                negated,
                ranges: Vec::new(),
                classes: vec![class],
            }))
        };
        self.at += 2;
        match letter {
            b'w' => set(Class::Word, false),
            b'W' => set(Class::Word, true),
            b's' => set(Class::Space, false),
            b'S' => set(Class::Space, true),
            b'b' if self.options.syntax != Syntax::Awk => look(Look::Word),
            b'y' if self.options.syntax == Syntax::Awk => look(Look::Word),
            b'B' => look(Look::NotWord),
            b'<' => look(Look::WordStart),
            b'>' => look(Look::WordEnd),
            b'`' => look(Look::TextStart),
            b'\'' => look(Look::TextEnd),
            b'1'..=b'9' if self.options.syntax != Syntax::Awk => {
                let number = usize::from(letter - b'0');
                if number > self.groups || self.open.contains(&number) {
                    return Err(Error::BadBackReference);
                }
                Ok(Node::Back(number))
            }
            _ => {
                self.at -= 1;
                Ok(Node::Char(self.character()))
            }
        }
    }

    /// `\n`, `\t`, `\x41`, `\d065`, `\o101`, `\cA`: what sed and awk read as one
    /// character before matching.
    fn c_escape(&mut self, letter: u8) -> Option<u32> {
        let simple = match letter {
            b'n' => 10,
            b't' => 9,
            b'f' => 12,
            b'v' => 11,
            b'a' => 7,
            b'r' => 13,
            b'b' if self.options.syntax == Syntax::Awk => 8,
            b'x' => return self.digits(16, 2, 2),
            b'0'..=b'7' if self.options.syntax == Syntax::Awk => return self.digits(8, 3, 1),
            b'd' if self.options.syntax != Syntax::Awk => return self.digits(10, 3, 2),
            b'o' if self.options.syntax != Syntax::Awk => return self.digits(8, 3, 2),
            b'c' if self.options.syntax != Syntax::Awk => {
                let control = self.peek_at(2)?;
                self.at += 3;
                return Some(u32::from(control.to_ascii_uppercase() ^ 0x40));
            }
            _ => return None,
        };
        self.at += 2;
        Some(simple)
    }

    fn digits(&mut self, base: u32, most: usize, skip: usize) -> Option<u32> {
        let mut value = 0u32;
        let mut count = 0;
        while count < most {
            let Some(digit) = self
                .peek_at(skip + count)
                .and_then(|b| char::from(b).to_digit(base))
            else {
                break;
            };
            value = value * base + digit;
            count += 1;
        }
        if count == 0 {
            return None;
        }
        self.at += skip + count;
        let byte = value & 0xff;
        Some(if self.options.utf8 && byte >= 0x80 {
            RAW_BYTE | byte
        } else {
            byte
        })
    }

    fn bracket(&mut self) -> Result<Node, Error> {
        let mut set = Set::default();
        if self.peek() == Some(b'^') {
            set.negated = true;
            self.at += 1;
        }
        let first = self.at;
        loop {
            let Some(byte) = self.peek() else {
                return Err(Error::UnmatchedBracket);
            };
            if byte == b']' && self.at > first {
                self.at += 1;
                break;
            }
            if self.looking_at(b"[:") {
                let name = self.named(b":]")?;
                set.classes
                    .push(Class::by_name(name).ok_or(Error::BadClass)?);
                continue;
            }
            let low = self.bracket_character()?;
            let is_range = self.peek() == Some(b'-') && self.peek_at(1).is_some_and(|b| b != b']');
            if !is_range {
                set.ranges.push((low, low));
                continue;
            }
            self.at += 1;
            let high = self.bracket_character()?;
            if high < low {
                return Err(Error::BadRange);
            }
            set.ranges.push((low, high));
        }
        // A set of one character is that character.
        if let ([(low, high)], [], false) =
            (set.ranges.as_slice(), set.classes.as_slice(), set.negated)
            && low == high
        {
            return Ok(Node::Char(*low));
        }
        Ok(Node::Set(set))
    }

    fn bracket_character(&mut self) -> Result<u32, Error> {
        if self.looking_at(b"[.") || self.looking_at(b"[=") {
            let end: &[u8] = if self.looking_at(b"[.") { b".]" } else { b"=]" };
            let name = self.named(end)?.to_vec();
            let mut inner = Parser {
                text: &name,
                at: 0,
                options: self.options,
                groups: 0,
                open: Vec::new(),
                depth: 0,
            };
            let value = inner.character();
            if inner.at != name.len() || name.is_empty() {
                return Err(Error::BadCollation);
            }
            return Ok(value);
        }
        if self.options.c_escapes && self.peek() == Some(b'\\') {
            let letter = self.peek_at(1);
            if let Some(letter) = letter {
                if let Some(byte) = self.c_escape(letter) {
                    return Ok(byte);
                }
                // In awk a backslash quotes inside brackets too; in sed it is
                // an ordinary character there.
                if self.options.syntax == Syntax::Awk {
                    self.at += 1;
                }
            }
        }
        Ok(self.character())
    }

    /// The name in `[:name:]` and its kin; stands after the closing pair.
    fn named(&mut self, end: &[u8]) -> Result<&[u8], Error> {
        let start = self.at + 2;
        let rest = self.text.get(start..).unwrap_or_default();
        let Some(length) = rest.windows(2).position(|pair| pair == end) else {
            return Err(Error::UnmatchedBracket);
        };
        self.at = start + length + 2;
        Ok(self.text.get(start..start + length).unwrap_or_default())
    }
}

/// Marks a character that is a single byte of 0x80 and above in a UTF-8
/// pattern.
pub const RAW_BYTE: u32 = 0x8000_0000;

/// Decodes the first character of UTF-8 text.
pub fn decode(bytes: &[u8]) -> Option<(char, usize)> {
    let first = *bytes.first()?;
    if first < 0x80 {
        return Some((char::from(first), 1));
    }
    let length = match first {
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => return None,
    };
    let text = std::str::from_utf8(bytes.get(..length)?).ok()?;
    text.chars().next().map(|c| (c, length))
}
