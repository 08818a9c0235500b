//! The syntax tree that both engines are made from.

/// One node of a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Node {
    /// Matches the empty string.
    Empty,
    /// One character: a code point in UTF-8 mode, a byte otherwise.
    Char(u32),
    /// `.`
    Any,
    /// A bracket expression or a class escape.
    Set(Set),
    /// A position.
    Look(Look),
    /// A group; `None` does not capture.
    Group(Option<usize>, Box<Node>),
    /// One after the other.
    Concat(Vec<Node>),
    /// One of several.
    Alt(Vec<Node>),
    /// Repetition: at least, at most.
    Repeat(Box<Node>, u32, Option<u32>),
    /// What a group matched.
    Back(usize),
}

/// A set of characters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Set {
    /// Everything but the listed.
    pub negated: bool,
    /// Ranges, both ends included, unsorted.
    pub ranges: Vec<(u32, u32)>,
    /// Named classes.
    pub classes: Vec<Class>,
}

/// A named class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Class {
    Alpha,
    Digit,
    Alnum,
    Upper,
    Lower,
    Space,
    Blank,
    Punct,
    Print,
    Graph,
    Cntrl,
    XDigit,
    Word,
}

impl Class {
    /// By its POSIX name.
    pub fn by_name(name: &[u8]) -> Option<Self> {
        Some(match name {
            b"alpha" => Self::Alpha,
            b"digit" => Self::Digit,
            b"alnum" => Self::Alnum,
            b"upper" => Self::Upper,
            b"lower" => Self::Lower,
            b"space" => Self::Space,
            b"blank" => Self::Blank,
            b"punct" => Self::Punct,
            b"print" => Self::Print,
            b"graph" => Self::Graph,
            b"cntrl" => Self::Cntrl,
            b"xdigit" => Self::XDigit,
            _ => return None,
        })
    }

    /// The ASCII part.
    pub fn ascii(self) -> &'static [(u32, u32)] {
        match self {
            Self::Alpha => &[(0x41, 0x5a), (0x61, 0x7a)],
            Self::Digit => &[(0x30, 0x39)],
            Self::Alnum => &[(0x30, 0x39), (0x41, 0x5a), (0x61, 0x7a)],
            Self::Upper => &[(0x41, 0x5a)],
            Self::Lower => &[(0x61, 0x7a)],
            Self::Space => &[(9, 13), (32, 32)],
            Self::Blank => &[(9, 9), (32, 32)],
            Self::Punct => &[(0x21, 0x2f), (0x3a, 0x40), (0x5b, 0x60), (0x7b, 0x7e)],
            Self::Print => &[(0x20, 0x7e)],
            Self::Graph => &[(0x21, 0x7e)],
            Self::Cntrl => &[(0, 31), (127, 127)],
            Self::XDigit => &[(0x30, 0x39), (0x41, 0x46), (0x61, 0x66)],
            Self::Word => &[(0x30, 0x39), (0x41, 0x5a), (0x5f, 0x5f), (0x61, 0x7a)],
        }
    }

    /// The rest of the class in UTF-8 mode, as a pattern of `regex-syntax`.
    pub fn beyond_ascii(self) -> Option<&'static str> {
        Some(match self {
            Self::Alpha => r"[\p{Alphabetic}--\p{ASCII}]",
            Self::Alnum | Self::Word => r"[\p{Alphabetic}\p{M}\p{Nd}--\p{ASCII}]",
            Self::Upper => r"[\p{Uppercase}--\p{ASCII}]",
            Self::Lower => r"[\p{Lowercase}--\p{ASCII}]",
            Self::Space => {
                r"[\x{1680}\x{2000}-\x{2006}\x{2008}-\x{200a}\x{2028}\x{2029}\x{205f}\x{3000}]"
            }
            Self::Blank => r"[\x{1680}\x{2000}-\x{2006}\x{2008}-\x{200a}\x{205f}\x{3000}]",
            Self::Punct => r"[\p{P}\p{S}--\p{ASCII}]",
            Self::Print => r"[^\p{ASCII}\p{Cc}\p{Cn}\p{Cs}]",
            Self::Graph => r"[^\p{ASCII}\p{Cc}\p{Cn}\p{Cs}\p{Z}]",
            Self::Cntrl => r"[\x{80}-\x{9f}\x{2028}\x{2029}]",
            Self::Digit | Self::XDigit => return None,
        })
    }
}

/// A position assertion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// `^`
    LineStart,
    /// `$`
    LineEnd,
    /// `` \` ``
    TextStart,
    /// `\'`
    TextEnd,
    /// `\b`
    Word,
    /// `\B`
    NotWord,
    /// `\<`
    WordStart,
    /// `\>`
    WordEnd,
    /// No word character before.
    WordStartHalf,
    /// No word character after.
    WordEndHalf,
}

impl Node {
    /// Whether a back-reference occurs anywhere.
    pub fn has_back_reference(&self) -> bool {
        match self {
            Self::Back(_) => true,
            Self::Group(_, inner) | Self::Repeat(inner, _, _) => inner.has_back_reference(),
            Self::Concat(all) | Self::Alt(all) => all.iter().any(Self::has_back_reference),
            _ => false,
        }
    }

    /// Whether preference order and length may disagree, so that the longest
    /// match needs a search of its own.
    pub fn order_matters(&self) -> bool {
        match self {
            Self::Alt(_) => true,
            Self::Repeat(inner, min, _) => {
                (*min == 0 && matches!(**inner, Self::Group(..))) || inner.order_matters()
            }
            Self::Group(_, inner) => inner.order_matters(),
            Self::Concat(all) => all.iter().any(Self::order_matters),
            _ => false,
        }
    }

    /// The literal text that the whole pattern is, if it is one.
    pub fn literal(&self) -> Option<Vec<u32>> {
        match self {
            Self::Char(c) => Some(vec![*c]),
            Self::Empty => Some(Vec::new()),
            Self::Concat(all) => {
                let mut text = Vec::new();
                for node in all {
                    text.extend(node.literal()?);
                }
                Some(text)
            }
            _ => None,
        }
    }
}
