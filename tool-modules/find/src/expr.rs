//! The expression that `find` evaluates for each file.

use std::cell::{Cell, OnceCell, RefCell};

use hardshell_cli::Out;
use hardshell_cli::stat::{Stat, lstat, stat};
use hardshell_posix_regex::Regex;

/// `+n`, `-n` or `n`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compare {
    More,
    Less,
    Same,
}

/// A number to compare with.
#[derive(Clone, Copy, Debug)]
pub struct Number {
    pub how: Compare,
    pub value: i128,
}

impl Number {
    pub fn test(self, n: i128) -> bool {
        match self.how {
            Compare::More => n > self.value,
            Compare::Less => n < self.value,
            Compare::Same => n == self.value,
        }
    }
}

/// One of a file's times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Time {
    Access,
    Change,
    Modify,
}

pub enum Expr {
    And(Vec<Expr>),
    Or(Vec<Expr>),
    /// All are evaluated, the last one's value counts.
    List(Vec<Expr>),
    Not(Box<Expr>),
    True,
    False,
    Name {
        pattern: Vec<u8>,
        ignore_case: bool,
    },
    Path {
        pattern: Vec<u8>,
        ignore_case: bool,
    },
    LinkName {
        pattern: Vec<u8>,
        ignore_case: bool,
    },
    Regex(RefCell<Regex>),
    Type(Vec<u8>),
    XType(Vec<u8>),
    Size {
        number: Number,
        unit: u64,
    },
    Empty,
    /// Age in days or minutes, in units of nanoseconds.
    Age {
        time: Time,
        number: Number,
        unit: i128,
        reference: i128,
    },
    Newer {
        time: Time,
        than: i128,
    },
    Perm {
        mode: u32,
        how: Perm,
    },
    Uid(Number),
    Gid(Number),
    NoUser,
    Links(Number),
    Inode(Number),
    SameFile(u64, u64),
    Access(u32),
    Used(Number),
    Prune,
    Quit,
    Delete,
    Print {
        to: usize,
        end: u8,
    },
    Printf {
        to: usize,
        format: crate::printf::Format,
    },
    Ls {
        to: usize,
    },
    Exec(Exec),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Perm {
    Exact,
    All,
    Any,
}

pub struct Exec {
    pub argv: Vec<Vec<u8>>,
    /// Many files in one command.
    pub many: bool,
    /// In the file's own folder.
    pub in_dir: bool,
    /// Ask first; without a terminal the answer is no.
    pub ask: bool,
    /// Files that wait for a command, by folder.
    pub pending: RefCell<Vec<(Vec<u8>, Vec<Vec<u8>>)>>,
    pub pending_bytes: Cell<usize>,
}

/// A file that is being looked at.
pub struct Entry {
    pub path: Vec<u8>,
    /// The starting point below which it lies.
    pub start_length: usize,
    pub depth: usize,
    /// The type as the folder told it, `?` if it did not.
    pub kind: u8,
    /// Whether links are followed for this one.
    pub follow: bool,
    pub meta: OnceCell<Option<Stat>>,
}

impl Entry {
    pub fn name(&self) -> &[u8] {
        hardshell_cli::base_name(&self.path)
    }

    /// Metadata; of the link itself unless links are followed. A link that
    /// leads nowhere is itself.
    pub fn stat(&self) -> Option<&Stat> {
        self.meta
            .get_or_init(|| {
                if self.follow
                    && let Ok(found) = stat(&self.path)
                {
                    return Some(found);
                }
                match lstat(&self.path) {
                    Ok(found) => Some(found),
                    Err(error) => {
                        let mut message = hardshell_cli::quote(&self.path);
                        message.extend_from_slice(b": ");
                        message.extend_from_slice(hardshell_cli::errno_text(&error).as_bytes());
                        hardshell_cli::complain("find", message);
                        None
                    }
                }
            })
            .as_ref()
    }

    /// The type letter.
    pub fn kind(&self) -> u8 {
        if self.kind != b'?' && !(self.follow && self.kind == b'l') {
            return self.kind;
        }
        self.stat().map_or(b'?', Stat::kind)
    }
}

/// Everything that evaluation changes.
pub struct State {
    pub outputs: Vec<Out>,
    pub status: i32,
    pub quit: bool,
    pub prune: bool,
}
