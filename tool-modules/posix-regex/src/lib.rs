//! POSIX regular expressions over bytes, with the GNU extensions.
//!
//! Patterns without back-references run on the automata of `regex-automata`
//! in linear time; those with them run on a backtracking matcher. Where the
//! order of alternatives would decide, the longest of the leftmost matches is
//! taken, as POSIX asks.

mod ast;
mod backtrack;
mod hir;
mod parse;
mod perl;

pub use perl::Perl;

use regex_automata::hybrid::dfa;
use regex_automata::meta;
use regex_automata::nfa::thompson;
use regex_automata::util::captures::Captures;
use regex_automata::{Anchored, Input, MatchKind};

use regex_syntax::hir::{Hir, Look};

use backtrack::Backtracker;

/// Which syntax a pattern is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Syntax {
    /// Basic: `\(`, `\{`, with GNU's `\+`, `\?`, `\|`.
    Basic,
    /// Extended.
    Extended,
    /// Extended as awk reads it: escapes inside brackets, no back-references.
    Awk,
}

/// How a pattern is read and matched.
#[derive(Clone, Debug)]
pub struct Options {
    /// The syntax.
    pub syntax: Syntax,
    /// Letters match in either case.
    pub ignore_case: bool,
    /// Text is UTF-8; otherwise each byte is a character.
    pub utf8: bool,
    /// `^` and `$` match at each line.
    pub multi_line: bool,
    /// `.` and negated sets match the line terminator.
    pub dot_newline: bool,
    /// The line terminator.
    pub terminator: u8,
    /// A newline in the pattern separates alternatives (grep).
    pub newline_alternates: bool,
    /// `\n`, `\t`, `\xHH` and the like stand for characters (sed, awk).
    pub c_escapes: bool,
    /// A repetition with nothing before it is an error in extended syntax.
    pub strict_repeat: bool,
    /// A `)` without `(` stands for itself in extended syntax.
    pub lone_close_is_literal: bool,
    /// A match must begin and end where a word does (`grep -w`).
    pub whole_word: bool,
    /// A match must be a whole line (`grep -x`).
    pub whole_line: bool,
}

impl Options {
    /// The defaults for a syntax: UTF-8, case matters, one text (no lines).
    pub fn new(syntax: Syntax) -> Self {
        Self {
            syntax,
            ignore_case: false,
            utf8: true,
            multi_line: false,
            dot_newline: true,
            terminator: b'\n',
            newline_alternates: false,
            c_escapes: syntax == Syntax::Awk,
            strict_repeat: false,
            lone_close_is_literal: false,
            whole_word: false,
            whole_line: false,
        }
    }
}

/// Why a pattern is refused; the texts are those of glibc.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Error {
    UnmatchedOpen,
    UnmatchedClose,
    UnmatchedBracket,
    UnmatchedBrace,
    BadInterval,
    BadRange,
    BadClass,
    BadCollation,
    BadBackReference,
    BadRepeat,
    TrailingBackslash,
    TooBig,
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::UnmatchedOpen => "Unmatched ( or \\(",
            Self::UnmatchedClose => "Unmatched ) or \\)",
            Self::UnmatchedBracket => "Unmatched [, [^, [:, [., or [=",
            Self::UnmatchedBrace => "Unmatched \\{",
            Self::BadInterval => "Invalid content of \\{\\}",
            Self::BadRange => "Invalid range end",
            Self::BadClass => "Invalid character class name",
            Self::BadCollation => "Invalid collation character",
            Self::BadBackReference => "Invalid back reference",
            Self::BadRepeat => "Invalid preceding regular expression",
            Self::TrailingBackslash => "Trailing backslash",
            Self::TooBig => "Regular expression too big",
        })
    }
}

impl std::error::Error for Error {}

/// Start and end of the whole match and of each group, as pairs.
pub type Slots = Vec<Option<usize>>;

/// A compiled pattern.
pub struct Regex {
    engine: Engine,
    groups: usize,
    literal: Option<Vec<u8>>,
}

enum Engine {
    Automata(Box<Automata>),
    Backtrack(Box<Backtracker>),
}

struct Automata {
    meta: meta::Regex,
    /// Finds how far the longest match reaches, where that can differ from
    /// the preferred one.
    longest: Option<(dfa::DFA, dfa::Cache)>,
    /// The pattern followed by the end of the text, for the groups of a
    /// longest match.
    whole: Option<(meta::Regex, Captures)>,
    captures: Captures,
}

impl Regex {
    /// Compiles a pattern.
    pub fn new(pattern: &[u8], options: &Options) -> Result<Self, Error> {
        Self::new_any(&[pattern], options)
    }

    /// Compiles several patterns into one that matches where any of them does.
    /// Groups are numbered through.
    pub fn new_any(patterns: &[&[u8]], options: &Options) -> Result<Self, Error> {
        let mut nodes = Vec::new();
        let mut groups = 0;
        for pattern in patterns {
            let parsed = parse::parse(pattern, options)?;
            nodes.push(shift(parsed.node, groups));
            groups += parsed.groups;
        }
        let node = if nodes.len() == 1 {
            nodes.swap_remove(0)
        } else {
            ast::Node::Alt(nodes)
        };
        Self::from_node(&node, groups, options)
    }

    /// Compiles plain texts into one pattern that matches any of them.
    pub fn literals(texts: &[&[u8]], options: &Options) -> Result<Self, Error> {
        let mut nodes: Vec<ast::Node> = texts
            .iter()
            .map(|text| parse::literal(text, options))
            .collect();
        let node = if nodes.len() == 1 {
            nodes.swap_remove(0)
        } else {
            ast::Node::Alt(nodes)
        };
        Self::from_node(&node, 0, options)
    }

    fn from_node(node: &ast::Node, groups: usize, options: &Options) -> Result<Self, Error> {
        let wrapped;
        let node = if options.whole_line || options.whole_word {
            let (before, after) = if options.whole_line {
                (ast::Look::LineStart, ast::Look::LineEnd)
            } else {
                (ast::Look::WordStartHalf, ast::Look::WordEndHalf)
            };
            let inner = ast::Node::Group(None, Box::new(node.clone()));
            wrapped =
                ast::Node::Concat(vec![ast::Node::Look(before), inner, ast::Node::Look(after)]);
            &wrapped
        } else {
            node
        };
        let literal = if options.ignore_case {
            None
        } else {
            node.literal().and_then(|text| encode(&text, options.utf8))
        };
        if node.has_back_reference() {
            let engine = Backtracker::new(node, groups, options)?;
            return Ok(Self {
                engine: Engine::Backtrack(Box::new(engine)),
                groups,
                literal: None,
            });
        }
        let hir = hir::translate(node, options)?;
        let thompson = thompson::Config::new()
            .utf8(false)
            .nfa_size_limit(Some(64 << 20));
        let config = meta::Config::new()
            .utf8_empty(false)
            .line_terminator(options.terminator)
            .nfa_size_limit(Some(64 << 20))
            .onepass_size_limit(Some(1 << 20))
            .hybrid_cache_capacity(8 << 20);
        let meta = meta::Builder::new()
            .configure(config.clone())
            .build_from_hir(&hir)
            .map_err(|_| Error::TooBig)?;
        let whole = if groups > 0 && node.order_matters() {
            let ended = Hir::concat(vec![hir.clone(), Hir::look(Look::End)]);
            meta::Builder::new()
                .configure(config)
                .build_from_hir(&ended)
                .ok()
                .map(|whole| {
                    let captures = whole.create_captures();
                    (whole, captures)
                })
        } else {
            None
        };
        let longest = if node.order_matters() {
            let nfa = thompson::Compiler::new()
                .configure(thompson.which_captures(thompson::WhichCaptures::None))
                .build_from_hir(&hir)
                .map_err(|_| Error::TooBig)?;
            let config = dfa::Config::new()
                .match_kind(MatchKind::All)
                .unicode_word_boundary(true)
                .cache_capacity(4 << 20)
                .skip_cache_capacity_check(true);
            dfa::Builder::new()
                .configure(config)
                .build_from_nfa(nfa)
                .ok()
                .map(|dfa| {
                    let cache = dfa.create_cache();
                    (dfa, cache)
                })
        } else {
            None
        };
        let captures = meta.create_captures();
        Ok(Self {
            engine: Engine::Automata(Box::new(Automata {
                meta,
                longest,
                whole,
                captures,
            })),
            groups,
            literal,
        })
    }

    /// Number of groups.
    pub fn groups(&self) -> usize {
        self.groups
    }

    /// The bytes that the pattern stands for, if it is plain text.
    pub fn literal(&self) -> Option<&[u8]> {
        self.literal.as_deref()
    }

    /// Whether it needs the backtracking matcher, which looks at one line at a
    /// time.
    pub fn backtracks(&self) -> bool {
        matches!(self.engine, Engine::Backtrack(_))
    }

    /// Whether there is a match anywhere.
    #[inline]
    pub fn is_match(&self, hay: &[u8]) -> bool {
        match &self.engine {
            Engine::Automata(automata) => automata
                .meta
                .search_half(&Input::new(hay).earliest(true))
                .is_some(),
            Engine::Backtrack(engine) => engine.search(hay, 0, &mut Vec::new()),
        }
    }

    /// The end of some match at or after `start`, the earliest that is known:
    /// enough to tell which line matches.
    #[inline]
    pub fn earliest(&self, hay: &[u8], start: usize) -> Option<usize> {
        match &self.engine {
            Engine::Automata(automata) => {
                let input = Input::new(hay).range(start..).earliest(true);
                automata.meta.search_half(&input).map(|half| half.offset())
            }
            Engine::Backtrack(engine) => {
                let mut slots = Vec::new();
                if engine.search(hay, start, &mut slots) {
                    slots.get(1).copied().flatten()
                } else {
                    None
                }
            }
        }
    }

    /// The leftmost-longest match at or after `start`. What lies before
    /// `start` still counts for `^` and word boundaries.
    pub fn find_at(&mut self, hay: &[u8], start: usize) -> Option<(usize, usize)> {
        match &mut self.engine {
            Engine::Automata(automata) => {
                let found = automata.meta.search(&Input::new(hay).range(start..))?;
                let (from, to) = (found.start(), found.end());
                Some((from, automata.reach(hay, from, to)))
            }
            Engine::Backtrack(engine) => {
                let mut slots = Vec::new();
                if !engine.search(hay, start, &mut slots) {
                    return None;
                }
                Some((
                    slots.first().copied().flatten()?,
                    slots.get(1).copied().flatten()?,
                ))
            }
        }
    }

    /// As `find_at`, with the groups: slots 2n and 2n+1 hold group n.
    pub fn captures_at(&mut self, hay: &[u8], start: usize, slots: &mut Slots) -> bool {
        if self.groups == 0 {
            slots.clear();
            return match self.find_at(hay, start) {
                Some((from, to)) => {
                    slots.extend([Some(from), Some(to)]);
                    true
                }
                None => false,
            };
        }
        let groups = self.groups;
        match &mut self.engine {
            Engine::Automata(automata) => {
                let input = Input::new(hay).range(start..);
                let input = if automata.longest.is_some() {
                    let Some(found) = automata.meta.search(&input) else {
                        return false;
                    };
                    let (from, to) = (found.start(), found.end());
                    let end = automata.reach(hay, from, to);
                    // The groups of the match that is exactly this long: with
                    // the text cut there, only a full-length match is left in
                    // the second attempt.
                    automata.exact(hay, from, to, end)
                } else {
                    automata
                        .meta
                        .search_captures(&input, &mut automata.captures);
                    automata.captures.is_match()
                };
                if !input {
                    return false;
                }
                slots.clear();
                for group in 0..=groups {
                    let span = automata.captures.get_group(group);
                    slots.push(span.map(|s| s.start));
                    slots.push(span.map(|s| s.end));
                }
                true
            }
            Engine::Backtrack(engine) => engine.search(hay, start, slots),
        }
    }
}

impl Automata {
    /// How far the longest match from `from` reaches; `to` if that cannot be
    /// told.
    fn reach(&mut self, hay: &[u8], from: usize, to: usize) -> usize {
        let Some((dfa, cache)) = &mut self.longest else {
            return to;
        };
        let input = Input::new(hay).range(from..).anchored(Anchored::Yes);
        match dfa.try_search_fwd(cache, &input) {
            Ok(Some(half)) => half.offset().max(to),
            _ => to,
        }
    }

    /// Fills the captures with a match over exactly `from..end`.
    fn exact(&mut self, hay: &[u8], from: usize, preferred: usize, end: usize) -> bool {
        if end != preferred
            && let Some((whole, captures)) = &mut self.whole
        {
            // The text is cut at the known end, which the pattern must reach.
            let cut = hay.get(..end).unwrap_or(hay);
            let input = Input::new(cut).range(from..).anchored(Anchored::Yes);
            whole.search_captures(&input, captures);
            if captures.is_match() {
                self.captures = captures.clone();
                return true;
            }
        }
        let input = Input::new(hay).range(from..).anchored(Anchored::Yes);
        self.meta.search_captures(&input, &mut self.captures);
        self.captures.is_match()
    }
}

/// Adds an offset to all group numbers.
fn shift(node: ast::Node, by: usize) -> ast::Node {
    use ast::Node;
    if by == 0 {
        return node;
    }
    match node {
        Node::Group(index, inner) => {
            Node::Group(index.map(|i| i + by), Box::new(shift(*inner, by)))
        }
        Node::Repeat(inner, min, max) => Node::Repeat(Box::new(shift(*inner, by)), min, max),
        Node::Concat(all) => Node::Concat(all.into_iter().map(|n| shift(n, by)).collect()),
        Node::Alt(all) => Node::Alt(all.into_iter().map(|n| shift(n, by)).collect()),
        Node::Back(number) => Node::Back(number + by),
        other => other,
    }
}

fn encode(text: &[u32], utf8: bool) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    for c in text {
        if c & parse::RAW_BYTE != 0 || !utf8 {
            out.push(u8::try_from(c & 0xff).ok()?);
        } else {
            let mut buffer = [0u8; 4];
            out.extend_from_slice(char::from_u32(*c)?.encode_utf8(&mut buffer).as_bytes());
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::indexing_slicing)]
    use super::*;

    fn find(syntax: Syntax, pattern: &str, text: &str) -> Option<Vec<Option<(usize, usize)>>> {
        let mut regex = Regex::new(pattern.as_bytes(), &Options::new(syntax)).ok()?;
        let mut slots = Slots::new();
        if !regex.captures_at(text.as_bytes(), 0, &mut slots) {
            return None;
        }
        Some(
            slots
                .chunks(2)
                .map(|pair| Some((pair[0]?, pair[1]?)))
                .collect(),
        )
    }

    #[test]
    fn matches_what_posix_says() {
        use Syntax::{Basic as B, Extended as E};
        let cases: &[(Syntax, &str, &str, &str)] = &[
            (B, "a*b", "xaab", "[Some((1, 4))]"),
            (B, "*a", "*a", "[Some((0, 2))]"),
            (B, "^*a", "*a", "[Some((0, 2))]"),
            (B, r"\(a*\)b\1", "aabaa", "[Some((0, 5)), Some((0, 2))]"),
            (B, r"a\{2\}", "aaa", "[Some((0, 2))]"),
            (B, r"a\|b", "b", "[Some((0, 1))]"),
            (B, "a$b", "a$b", "[Some((0, 3))]"),
            (E, "a|ab", "ab", "[Some((0, 2))]"),
            (
                E,
                "(a|ab)(c|bcd)(d*)",
                "abcd",
                "[Some((0, 4)), Some((0, 1)), Some((1, 4)), Some((4, 4))]",
            ),
            (E, "(a)?(ab)?", "ab", "[Some((0, 2)), None, Some((0, 2))]"),
            (E, "x{2,3}", "xxxx", "[Some((0, 3))]"),
            (E, "a{x", "a{x", "[Some((0, 3))]"),
            (E, "[]a]+", "]a", "[Some((0, 2))]"),
            (E, "[[:digit:]-]+", "1-2", "[Some((0, 3))]"),
            (E, r"\bfoo\b", "a foo b", "[Some((2, 5))]"),
            (E, "h.llo", "h\u{e9}llo", "[Some((0, 6))]"),
            (E, r"(.)\1", "abccd", "[Some((2, 4)), Some((2, 3))]"),
            (E, "()", "a", "[Some((0, 0)), Some((0, 0))]"),
        ];
        for (syntax, pattern, text, want) in cases {
            let got = find(*syntax, pattern, text).unwrap_or_default();
            assert_eq!(&format!("{got:?}"), want, "{pattern} on {text}");
        }
    }

    #[test]
    fn refuses_what_glibc_refuses() {
        for (syntax, pattern, error) in [
            (Syntax::Basic, r"\(a", Error::UnmatchedOpen),
            (Syntax::Basic, r"a\)", Error::UnmatchedClose),
            (Syntax::Extended, "[a", Error::UnmatchedBracket),
            (Syntax::Extended, "[b-a]", Error::BadRange),
            (Syntax::Basic, r"\1", Error::BadBackReference),
            (Syntax::Basic, r"a\", Error::TrailingBackslash),
            (Syntax::Extended, "[[:x:]]", Error::BadClass),
        ] {
            let result = Regex::new(pattern.as_bytes(), &Options::new(syntax));
            assert_eq!(result.err(), Some(error), "{pattern}");
        }
    }
}
