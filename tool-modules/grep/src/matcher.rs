//! The pattern that lines are tried against.

use hardshell_posix_regex::{Options as RegexOptions, Perl, Regex, Syntax};

use crate::options::{Kind, Options};

/// A compiled pattern of any kind.
pub enum Matcher {
    Posix(Box<Regex>),
    Perl(Perl),
    /// No pattern at all (`-f /dev/null`): nothing matches.
    Never,
}

impl Matcher {
    pub fn new(options: &Options) -> Result<Self, String> {
        if options.patterns.is_empty() {
            return Ok(Self::Never);
        }
        let syntax = if options.kind == Kind::Extended {
            Syntax::Extended
        } else {
            Syntax::Basic
        };
        let mut regex = RegexOptions::new(syntax);
        regex.ignore_case = options.ignore_case;
        regex.utf8 = options.utf8;
        regex.multi_line = true;
        regex.dot_newline = false;
        regex.terminator = if options.null_data { 0 } else { b'\n' };
        regex.lone_close_is_literal = true;
        regex.whole_word = options.word && !options.line;
        regex.whole_line = options.line;
        let patterns: Vec<&[u8]> = options.patterns.iter().map(Vec::as_slice).collect();
        match options.kind {
            Kind::Fixed => Regex::literals(&patterns, &regex)
                .map(|r| Self::Posix(Box::new(r)))
                .map_err(|e| e.to_string()),
            Kind::Perl => {
                let [pattern] = patterns.as_slice() else {
                    return Err("the -P option only supports a single pattern".to_owned());
                };
                Perl::new(pattern, &regex).map(Self::Perl)
            }
            _ => Regex::new_any(&patterns, &regex)
                .map(|r| Self::Posix(Box::new(r)))
                .map_err(|e| e.to_string()),
        }
    }

    /// Whether it must be given one line at a time.
    pub fn by_line(&self) -> bool {
        match self {
            Self::Posix(regex) => regex.backtracks(),
            Self::Perl(perl) => perl.by_line(),
            Self::Never => false,
        }
    }

    /// The end of a match at or after `start`.
    #[inline]
    pub fn earliest(&self, hay: &[u8], start: usize) -> Option<usize> {
        match self {
            Self::Posix(regex) => regex.earliest(hay, start),
            Self::Perl(perl) => perl.earliest(hay, start),
            Self::Never => None,
        }
    }

    /// The first match at or after `start`.
    pub fn find_at(&mut self, hay: &[u8], start: usize) -> Option<(usize, usize)> {
        match self {
            Self::Posix(regex) => regex.find_at(hay, start),
            Self::Perl(perl) => perl.find_at(hay, start),
            Self::Never => None,
        }
    }
}
