//! A script in the form that runs.

use std::cell::RefCell;
use std::rc::Rc;

use hardshell_posix_regex::Regex;

/// A regular expression that commands share; empty means the last one used.
pub type Pattern = Option<Rc<RefCell<Regex>>>;

/// Where an address points.
#[derive(Clone)]
pub enum Address {
    Line(u64),
    Last,
    Pattern(Pattern),
    /// `first~step`
    Step(u64, u64),
    /// `0` in `0,/re/`
    Zero,
}

/// The end of a range.
#[derive(Clone)]
pub enum End {
    Line(u64),
    Last,
    Pattern(Pattern),
    /// `addr1,+N`
    Plus(u64),
    /// `addr1,~N`
    Multiple(u64),
}

/// Whether a range is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Range {
    Closed,
    Open,
    /// Open, to be closed at this line.
    Until(u64),
    /// A range that began at line 0 is over for good.
    Done,
}

pub struct Command {
    pub start: Option<Address>,
    pub end: Option<End>,
    pub negated: bool,
    pub range: Range,
    pub kind: Kind,
}

pub enum Kind {
    /// `{`: where to go when the address does not match.
    Block(usize),
    LineNumber,
    Append(Vec<u8>),
    Insert(Vec<u8>),
    Change(Vec<u8>),
    /// Jumps go to a command index.
    Branch(usize),
    BranchIf(usize),
    BranchUnless(usize),
    Delete,
    DeleteFirst,
    Execute(Vec<u8>),
    FileName,
    Get,
    GetAppend,
    Hold,
    HoldAppend,
    List(Option<usize>),
    Next,
    NextAppend,
    Print,
    PrintFirst,
    Quit(u8),
    QuitSilently(u8),
    Read(Vec<u8>),
    ReadLine(Vec<u8>),
    Write(usize),
    WriteFirst(usize),
    Substitute(Box<Substitute>),
    Exchange,
    Translate(Box<Translate>),
    Zap,
}

pub struct Substitute {
    pub pattern: Pattern,
    pub parts: Vec<Part>,
    /// Case conversion occurs in the replacement.
    pub converts: bool,
    pub global: bool,
    pub nth: usize,
    /// Printed once for each `p` flag.
    pub print: u32,
    pub evaluate: bool,
    pub write: Option<usize>,
}

/// A piece of a replacement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    Text(Vec<u8>),
    Group(usize),
    Case(Case),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Case {
    Upper,
    Lower,
    UpperNext,
    LowerNext,
    End,
}

/// `y`: by byte where all are single bytes, else by character.
// A table by value: it is made once a script and read for every byte.
#[allow(clippy::large_enum_variant)]
pub enum Translate {
    Bytes([u8; 256]),
    Chars(Vec<(Vec<u8>, Vec<u8>)>),
}

pub struct Script {
    pub commands: Vec<Command>,
    /// Names of the files that `w` writes.
    pub files: Vec<Vec<u8>>,
}
