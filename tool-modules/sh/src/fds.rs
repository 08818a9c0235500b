//! The shell's own descriptor table. A redirection never moves kernel descriptors: it opens a
//! new one and changes an entry here, so undoing it is putting the old entry back.

use crate::os::{self, Fd};
use std::cell::RefCell;
use std::rc::Rc;

/// A kernel descriptor that is closed when the last entry that names it goes.
#[derive(Debug)]
pub struct Kernel(pub Fd, pub bool);

impl Drop for Kernel {
    fn drop(&mut self) {
        if self.1 {
            os::close(self.0);
        }
    }
}

/// Where a command substitution that runs in place collects its output.
#[derive(Debug, Default)]
pub struct Capture {
    /// Collected.
    pub data: RefCell<Vec<u8>>,
    /// Read ends of pipes that background jobs write to.
    pub pumps: RefCell<Vec<Rc<Kernel>>>,
}

/// What a shell descriptor stands for.
#[derive(Debug, Clone)]
pub enum Target {
    /// A kernel descriptor.
    Kernel(Rc<Kernel>),
    /// Memory.
    Capture(Rc<Capture>),
}

/// An entry.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The shell's number.
    pub n: u32,
    /// What it is.
    pub to: Target,
}

/// The table.
#[derive(Debug, Clone, Default)]
pub struct Table(Vec<Entry>);

impl Table {
    /// What `n` stands for.
    pub fn get(&self, n: u32) -> Option<&Target> {
        self.0.iter().find(|e| e.n == n).map(|e| &e.to)
    }
    /// Sets or closes `n`; returns what was there.
    pub fn set(&mut self, n: u32, to: Option<Target>) -> Option<Target> {
        let at = self.0.iter().position(|e| e.n == n);
        match (at, to) {
            (Some(i), Some(to)) => self.0.get_mut(i).map(|e| std::mem::replace(&mut e.to, to)),
            (Some(i), None) => Some(self.0.swap_remove(i).to),
            (None, Some(to)) => {
                self.0.push(Entry { n, to });
                None
            }
            (None, None) => None,
        }
    }
    /// The lowest free number that is at least `min`.
    pub fn free_from(&self, min: u32) -> u32 {
        (min..).find(|n| self.get(*n).is_none()).unwrap_or(min)
    }
    /// The highest free number that is at most `max`.
    pub fn free_below(&self, max: u32) -> u32 {
        (10..=max)
            .rev()
            .find(|n| self.get(*n).is_none())
            .unwrap_or(max)
    }
    /// All.
    pub fn entries(&self) -> &[Entry] {
        &self.0
    }
}

/// The table of a shell that has just started: 0, 1, 2 and what it inherited above.
pub fn inherited() -> Table {
    let mut t = Table::default();
    for n in 0..3 {
        t.set(n, Some(Target::Kernel(Rc::new(Kernel(n, false)))));
    }
    for n in 3..10 {
        let fd = os::inherited(n);
        if cfg!(target_os = "wasi") && os::is_open(fd) {
            t.set(n, Some(Target::Kernel(Rc::new(Kernel(fd, true)))));
        }
    }
    t
}
