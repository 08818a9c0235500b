//! Perl syntax (`grep -P`): on the automata where they can express it, else on
//! a backtracking matcher with look-around, `\K` and the like.

use regex_automata::meta;
use regex_automata::{Anchored, Input};
use regex_syntax::hir::{
    Capture, Class, ClassBytes, ClassBytesRange, ClassUnicode, ClassUnicodeRange, Hir, HirKind,
    Look, Repetition,
};

use crate::Options;

/// A compiled Perl pattern.
pub enum Perl {
    /// On the automata.
    Automata(Box<meta::Regex>),
    /// On the backtracking matcher, one line at a time.
    Fancy(Box<fancy_regex::Regex>),
}

impl Perl {
    /// Compiles a pattern, or says what is wrong with it.
    pub fn new(pattern: &[u8], options: &Options) -> Result<Self, String> {
        let text =
            std::str::from_utf8(pattern).map_err(|_| "invalid UTF-8 in the pattern".to_owned())?;
        let text = if options.whole_line {
            format!("^(?:{text})$")
        } else if options.whole_word {
            format!(r"(?<!\w)(?:{text})(?!\w)")
        } else {
            text.to_owned()
        };
        let parsed = regex_syntax::ParserBuilder::new()
            .utf8(false)
            .unicode(options.utf8)
            .case_insensitive(options.ignore_case)
            .multi_line(true)
            .line_terminator(options.terminator)
            .build()
            .parse(&text);
        // `\<` is a word start to the parser, but a plain character to Perl.
        let differs = text.contains("\\<") || text.contains("\\>");
        if let (Ok(hir), false) = (parsed, differs) {
            let hir = without(hir, options.terminator);
            let config = meta::Config::new()
                .utf8_empty(false)
                .line_terminator(options.terminator);
            if let Ok(regex) = meta::Builder::new().configure(config).build_from_hir(&hir) {
                return Ok(Self::Automata(Box::new(regex)));
            }
        }
        fancy_regex::RegexBuilder::new(&text)
            .case_insensitive(options.ignore_case)
            .multi_line(true)
            .backtrack_limit(100_000_000)
            .build()
            .map(|regex| Self::Fancy(Box::new(regex)))
            .map_err(|error| error.to_string())
    }

    /// Whether it must be given one line at a time.
    pub fn by_line(&self) -> bool {
        matches!(self, Self::Fancy(_))
    }

    /// The end of some match.
    pub fn earliest(&self, hay: &[u8], start: usize) -> Option<usize> {
        match self {
            Self::Automata(regex) => regex
                .search_half(&Input::new(hay).range(start..).earliest(true))
                .map(|half| half.offset()),
            Self::Fancy(_) => self.find_at(hay, start).map(|(_, end)| end),
        }
    }

    /// The first match at or after `start`.
    pub fn find_at(&self, hay: &[u8], start: usize) -> Option<(usize, usize)> {
        match self {
            Self::Automata(regex) => {
                let input = Input::new(hay).range(start..).anchored(Anchored::No);
                regex
                    .search(&input)
                    .map(|found| (found.start(), found.end()))
            }
            Self::Fancy(regex) => {
                // Text that is not UTF-8 has no match beyond its valid part.
                let text = match std::str::from_utf8(hay) {
                    Ok(text) => text,
                    Err(error) => std::str::from_utf8(hay.get(..error.valid_up_to())?).ok()?,
                };
                if !text.is_char_boundary(start) {
                    return None;
                }
                let found = regex.find_from_pos(text, start).ok()??;
                Some((found.start(), found.end()))
            }
        }
    }
}

/// Takes the line terminator out of every set, so that no match crosses a
/// line.
fn without(hir: Hir, terminator: u8) -> Hir {
    match hir.into_kind() {
        HirKind::Empty => Hir::empty(),
        HirKind::Literal(literal) => Hir::literal(literal.0),
        HirKind::Class(Class::Unicode(mut class)) => {
            let stop = char::from(terminator);
            class.difference(&ClassUnicode::new([ClassUnicodeRange::new(stop, stop)]));
            Hir::class(Class::Unicode(class))
        }
        HirKind::Class(Class::Bytes(mut class)) => {
            class.difference(&ClassBytes::new([ClassBytesRange::new(
                terminator, terminator,
            )]));
            Hir::class(Class::Bytes(class))
        }
        // The end of the text is the end of the line here.
        HirKind::Look(Look::Start) => Hir::look(Look::StartLF),
        HirKind::Look(Look::End) => Hir::look(Look::EndLF),
        HirKind::Look(look) => Hir::look(look),
        HirKind::Repetition(repetition) => Hir::repetition(Repetition {
            min: repetition.min,
            max: repetition.max,
            greedy: repetition.greedy,
            sub: Box::new(without(*repetition.sub, terminator)),
        }),
        HirKind::Capture(capture) => Hir::capture(Capture {
            index: capture.index,
            name: capture.name,
            sub: Box::new(without(*capture.sub, terminator)),
        }),
        HirKind::Concat(all) => {
            Hir::concat(all.into_iter().map(|h| without(h, terminator)).collect())
        }
        HirKind::Alternation(all) => {
            Hir::alternation(all.into_iter().map(|h| without(h, terminator)).collect())
        }
    }
}
