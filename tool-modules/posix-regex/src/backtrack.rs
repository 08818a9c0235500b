//! A backtracking matcher for patterns with back-references, which no
//! automaton can match. Its memory is bounded by the haystack, and its time by
//! the limits of the process that runs it.

use regex_syntax::hir::ClassUnicode;

use crate::ast::{Look, Node};
use crate::hir::unicode_class;
use crate::parse::{RAW_BYTE, decode};
use crate::{Error, Options};

/// Instructions are capped so that nested counts cannot fill memory.
const MAX_PROGRAM: usize = 200_000;

enum Step {
    Char(u32),
    Any,
    Set(usize),
    Look(Look),
    /// Try the first, then the second.
    Split(usize, usize),
    Jump(usize),
    Save(usize),
    Back(usize),
    /// Remembers the position at which a loop's body began.
    Enter(usize),
    /// Leaves the loop when its body matched nothing.
    Check(usize, usize),
    Match,
}

/// A compiled pattern.
pub struct Backtracker {
    steps: Vec<Step>,
    sets: Vec<(ClassUnicode, bool)>,
    slots: usize,
    loops: usize,
    options: Options,
}

enum Undo {
    Branch { step: usize, at: usize },
    Slot(usize, Option<usize>),
    Loop(usize, usize),
}

impl Backtracker {
    /// Compiles a tree with this many groups.
    pub fn new(node: &Node, groups: usize, options: &Options) -> Result<Self, Error> {
        let mut this = Self {
            steps: Vec::new(),
            sets: Vec::new(),
            slots: (groups + 1) * 2,
            loops: 0,
            options: options.clone(),
        };
        this.emit(Step::Save(0))?;
        this.compile(node)?;
        this.emit(Step::Save(1))?;
        this.emit(Step::Match)?;
        Ok(this)
    }

    fn emit(&mut self, step: Step) -> Result<usize, Error> {
        if self.steps.len() >= MAX_PROGRAM {
            return Err(Error::TooBig);
        }
        self.steps.push(step);
        Ok(self.steps.len() - 1)
    }

    fn set_step(&mut self, at: usize, step: Step) {
        if let Some(slot) = self.steps.get_mut(at) {
            *slot = step;
        }
    }

    fn compile(&mut self, node: &Node) -> Result<(), Error> {
        match node {
            Node::Empty => {}
            Node::Char(c) => {
                self.emit(Step::Char(*c))?;
            }
            Node::Any => {
                self.emit(Step::Any)?;
            }
            Node::Set(set) => {
                let mut clean = set.clone();
                clean.negated = false;
                clean
                    .ranges
                    .retain(|(low, high)| (low | high) & RAW_BYTE == 0);
                let class = unicode_class(&clean, &self.options)?;
                self.sets.push((class, set.negated));
                let index = self.sets.len() - 1;
                self.emit(Step::Set(index))?;
            }
            Node::Look(look) => {
                self.emit(Step::Look(*look))?;
            }
            Node::Group(None, inner) => self.compile(inner)?,
            Node::Group(Some(index), inner) => {
                self.emit(Step::Save(index * 2))?;
                self.compile(inner)?;
                self.emit(Step::Save(index * 2 + 1))?;
            }
            Node::Concat(all) => {
                for node in all {
                    self.compile(node)?;
                }
            }
            Node::Alt(all) => {
                let mut exits = Vec::new();
                for (i, node) in all.iter().enumerate() {
                    if i + 1 == all.len() {
                        self.compile(node)?;
                    } else {
                        let split = self.emit(Step::Match)?;
                        self.compile(node)?;
                        exits.push(self.emit(Step::Match)?);
                        let next = self.steps.len();
                        self.set_step(split, Step::Split(split + 1, next));
                    }
                }
                let end = self.steps.len();
                for exit in exits {
                    self.set_step(exit, Step::Jump(end));
                }
            }
            Node::Repeat(inner, min, max) => {
                for _ in 0..*min {
                    self.compile(inner)?;
                }
                match max {
                    None => {
                        let id = self.loops;
                        self.loops += 1;
                        let split = self.emit(Step::Match)?;
                        self.emit(Step::Enter(id))?;
                        self.compile(inner)?;
                        self.emit(Step::Check(id, split))?;
                        let end = self.steps.len();
                        self.set_step(split, Step::Split(split + 1, end));
                    }
                    Some(max) => {
                        let mut splits = Vec::new();
                        for _ in *min..*max {
                            splits.push(self.emit(Step::Match)?);
                            self.compile(inner)?;
                        }
                        let end = self.steps.len();
                        for split in splits {
                            self.set_step(split, Step::Split(split + 1, end));
                        }
                    }
                }
            }
            Node::Back(number) => {
                self.emit(Step::Back(*number))?;
            }
        }
        Ok(())
    }

    /// Finds the first match at or after `start`; slots are pairs of start
    /// and end by group.
    pub fn search(&self, hay: &[u8], start: usize, slots: &mut Vec<Option<usize>>) -> bool {
        let mut at = start;
        loop {
            slots.clear();
            slots.resize(self.slots, None);
            if self.run(hay, at, slots) {
                return true;
            }
            if at >= hay.len() {
                return false;
            }
            at += match hay.get(at..).and_then(decode) {
                Some((_, length)) if self.options.utf8 => length,
                _ => 1,
            };
        }
    }

    fn run(&self, hay: &[u8], start: usize, slots: &mut [Option<usize>]) -> bool {
        let mut undo: Vec<Undo> = Vec::new();
        let mut entered = vec![0usize; self.loops];
        let (mut step, mut at) = (0usize, start);
        loop {
            let alive = match self.steps.get(step) {
                None => false,
                Some(Step::Match) => return true,
                Some(Step::Char(c)) => match self.eat_char(hay, at, *c) {
                    Some(next) => {
                        at = next;
                        step += 1;
                        true
                    }
                    None => false,
                },
                Some(Step::Any) => match self.one(hay, at) {
                    Some((c, next))
                        if self.options.dot_newline || c != u32::from(self.options.terminator) =>
                    {
                        at = next;
                        step += 1;
                        true
                    }
                    _ => false,
                },
                Some(Step::Set(index)) => match self.one(hay, at) {
                    Some((c, next)) if self.in_set(*index, c) => {
                        at = next;
                        step += 1;
                        true
                    }
                    _ => false,
                },
                Some(Step::Look(look)) => {
                    step += 1;
                    self.look(hay, at, *look)
                }
                Some(Step::Split(first, second)) => {
                    undo.push(Undo::Branch { step: *second, at });
                    step = *first;
                    true
                }
                Some(Step::Jump(to)) => {
                    step = *to;
                    true
                }
                Some(Step::Save(slot)) => {
                    if let Some(place) = slots.get_mut(*slot) {
                        undo.push(Undo::Slot(*slot, *place));
                        *place = Some(at);
                    }
                    step += 1;
                    true
                }
                Some(Step::Enter(id)) => {
                    if let Some(place) = entered.get_mut(*id) {
                        undo.push(Undo::Loop(*id, *place));
                        *place = at;
                    }
                    step += 1;
                    true
                }
                Some(Step::Check(id, split)) => {
                    if entered.get(*id) == Some(&at) {
                        step += 1;
                    } else {
                        step = *split;
                    }
                    true
                }
                Some(Step::Back(number)) => {
                    let from = slots.get(number * 2).copied().flatten();
                    let to = slots.get(number * 2 + 1).copied().flatten();
                    step += 1;
                    match (from, to) {
                        (Some(from), Some(to)) if to >= from => {
                            let want = hay.get(from..to).unwrap_or_default();
                            let have = hay.get(at..at + want.len());
                            let same = have.is_some_and(|have| {
                                have == want
                                    || (self.options.ignore_case && have.eq_ignore_ascii_case(want))
                            });
                            at += want.len();
                            same
                        }
                        _ => false,
                    }
                }
            };
            if alive {
                continue;
            }
            loop {
                match undo.pop() {
                    None => return false,
                    Some(Undo::Branch { step: s, at: a }) => {
                        step = s;
                        at = a;
                        break;
                    }
                    Some(Undo::Slot(slot, old)) => {
                        if let Some(place) = slots.get_mut(slot) {
                            *place = old;
                        }
                    }
                    Some(Undo::Loop(id, old)) => {
                        if let Some(place) = entered.get_mut(id) {
                            *place = old;
                        }
                    }
                }
            }
        }
    }

    fn one(&self, hay: &[u8], at: usize) -> Option<(u32, usize)> {
        let rest = hay.get(at..)?;
        if self.options.utf8
            && let Some((c, length)) = decode(rest)
        {
            return Some((u32::from(c), at + length));
        }
        let byte = *rest.first()?;
        if self.options.utf8 {
            None
        } else {
            Some((u32::from(byte), at + 1))
        }
    }

    fn eat_char(&self, hay: &[u8], at: usize, want: u32) -> Option<usize> {
        if want & RAW_BYTE != 0 || !self.options.utf8 {
            let byte = *hay.get(at)?;
            let want = u8::try_from(want & 0xff).unwrap_or(0);
            let same =
                byte == want || (self.options.ignore_case && byte.eq_ignore_ascii_case(&want));
            return same.then_some(at + 1);
        }
        let (c, next) = self.one(hay, at)?;
        if c == want {
            return Some(next);
        }
        if self.options.ignore_case {
            let (a, b) = (char::from_u32(c)?, char::from_u32(want)?);
            if a.to_lowercase().eq(b.to_lowercase()) {
                return Some(next);
            }
        }
        None
    }

    fn in_set(&self, index: usize, c: u32) -> bool {
        let Some((class, negated)) = self.sets.get(index) else {
            return false;
        };
        let Some(c) = char::from_u32(c) else {
            return false;
        };
        if *negated
            && !self.options.dot_newline
            && u32::from(c) == u32::from(self.options.terminator)
        {
            return false;
        }
        let found = class
            .ranges()
            .binary_search_by(|range| {
                if range.end() < c {
                    std::cmp::Ordering::Less
                } else if range.start() > c {
                    std::cmp::Ordering::Greater
                } else {
                    std::cmp::Ordering::Equal
                }
            })
            .is_ok();
        found != *negated
    }

    fn look(&self, hay: &[u8], at: usize, look: Look) -> bool {
        let terminator = self.options.terminator;
        let before = at.checked_sub(1).and_then(|i| hay.get(i)).copied();
        let after = hay.get(at).copied();
        let word = |byte: Option<u8>| {
            byte.is_some_and(|b| b.is_ascii_alphanumeric() || b == b'_' || b >= 0x80)
        };
        match look {
            Look::LineStart => at == 0 || (self.options.multi_line && before == Some(terminator)),
            Look::LineEnd => {
                after.is_none() || (self.options.multi_line && after == Some(terminator))
            }
            Look::TextStart => at == 0,
            Look::TextEnd => after.is_none(),
            Look::Word => word(before) != word(after),
            Look::NotWord => word(before) == word(after),
            Look::WordStart => !word(before) && word(after),
            Look::WordEnd => word(before) && !word(after),
            Look::WordStartHalf => !word(before),
            Look::WordEndHalf => !word(after),
        }
    }
}
