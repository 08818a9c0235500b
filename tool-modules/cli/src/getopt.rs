//! A GNU `getopt_long` over bytes: bundled short options, abbreviated long
//! ones, operands and options in any order unless told otherwise.

use crate::{complain, try_help};

/// Whether an option takes an argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arg {
    /// None.
    No,
    /// One, attached or in the next word.
    Yes,
    /// One, attached only.
    Maybe,
}

/// One option of a command.
#[derive(Clone, Copy, Debug)]
pub struct Opt {
    /// What the parser returns. For options with a short form, that letter.
    pub id: char,
    /// Whether `id` is also the short form.
    pub short: bool,
    /// Long name without dashes, empty for none.
    pub long: &'static str,
    /// Whether it takes an argument.
    pub arg: Arg,
}

impl Opt {
    /// An option with a short form and, unless empty, a long one.
    pub const fn new(id: char, long: &'static str, arg: Arg) -> Self {
        Self {
            id,
            short: true,
            long,
            arg,
        }
    }

    /// An option with a long form only; `id` is any character that no other
    /// option of the command has.
    pub const fn long(id: char, long: &'static str, arg: Arg) -> Self {
        Self {
            id,
            short: false,
            long,
            arg,
        }
    }
}

/// What the command line holds, one at a time.
#[derive(Debug, PartialEq, Eq)]
pub enum Item {
    /// An option by its id, and its argument.
    Opt(char, Option<Vec<u8>>),
    /// An operand.
    Operand(Vec<u8>),
}

/// Walks a command line.
pub struct Parser<'a> {
    command: &'a str,
    options: &'a [Opt],
    args: std::vec::IntoIter<Vec<u8>>,
    bundle: Vec<u8>,
    at: usize,
    stop_at_operand: bool,
    only_operands: bool,
    usage: &'a str,
}

impl<'a> Parser<'a> {
    /// Starts after `argv[0]`.
    pub fn new(command: &'a str, options: &'a [Opt], args: Vec<Vec<u8>>) -> Self {
        let mut args = args.into_iter();
        args.next();
        Self {
            command,
            options,
            args,
            bundle: Vec::new(),
            at: 0,
            stop_at_operand: false,
            only_operands: false,
            usage: "",
        }
    }

    /// What is printed after a usage error instead of the pointer to the help.
    #[must_use]
    pub fn usage(mut self, usage: &'a str) -> Self {
        self.usage = usage;
        self
    }

    /// The first operand ends the options (`env`, `xargs`, `timeout`).
    #[must_use]
    pub fn stop_at_operand(mut self) -> Self {
        self.stop_at_operand = true;
        self
    }

    /// All that is left, as it stands.
    pub fn rest(self) -> Vec<Vec<u8>> {
        self.args.collect()
    }

    /// The words that are left, for a caller that takes some by itself.
    pub fn take_word(&mut self) -> Option<Vec<u8>> {
        self.args.next()
    }

    /// The next item; `Err` after a usage error, which has been reported.
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> Result<Option<Item>, ()> {
        if self.at < self.bundle.len() {
            return self.short().map(Some);
        }
        let Some(word) = self.args.next() else {
            return Ok(None);
        };
        if self.only_operands || word.len() < 2 || word.first() != Some(&b'-') {
            if self.stop_at_operand {
                self.only_operands = true;
            }
            return Ok(Some(Item::Operand(word)));
        }
        if word == b"--" {
            self.only_operands = true;
            return match self.args.next() {
                Some(word) => Ok(Some(Item::Operand(word))),
                None => Ok(None),
            };
        }
        if word.starts_with(b"--") {
            return self.long(&word).map(Some);
        }
        self.bundle = word;
        self.at = 1;
        self.short().map(Some)
    }

    fn short(&mut self) -> Result<Item, ()> {
        let letter = char::from(self.bundle.get(self.at).copied().unwrap_or(b'?'));
        self.at += 1;
        let Some(option) = self.options.iter().find(|o| o.short && o.id == letter) else {
            return self.fail(&format!("invalid option -- '{letter}'"));
        };
        let attached = self
            .bundle
            .get(self.at..)
            .filter(|rest| !rest.is_empty())
            .map(<[u8]>::to_vec);
        match option.arg {
            Arg::No => Ok(Item::Opt(option.id, None)),
            Arg::Maybe => {
                self.at = self.bundle.len();
                Ok(Item::Opt(option.id, attached))
            }
            Arg::Yes => {
                self.at = self.bundle.len();
                match attached.or_else(|| self.args.next()) {
                    Some(value) => Ok(Item::Opt(option.id, Some(value))),
                    None => self.fail(&format!("option requires an argument -- '{letter}'")),
                }
            }
        }
    }

    fn long(&mut self, word: &[u8]) -> Result<Item, ()> {
        let body = word.get(2..).unwrap_or_default();
        let (name, value) = match body.iter().position(|b| *b == b'=') {
            Some(at) => (&body[..at], Some(body[at + 1..].to_vec())),
            None => (body, None),
        };
        let shown = String::from_utf8_lossy(name).into_owned();
        let exact = self
            .options
            .iter()
            .find(|o| !o.long.is_empty() && o.long.as_bytes() == name);
        let option = match exact {
            Some(option) => *option,
            None => {
                let near: Vec<&Opt> = self
                    .options
                    .iter()
                    .filter(|o| !o.long.is_empty() && o.long.as_bytes().starts_with(name))
                    .collect();
                match near.as_slice() {
                    [] => return self.fail(&format!("unrecognized option '--{shown}'")),
                    [one] => **one,
                    [first, rest @ ..] if rest.iter().all(|o| o.id == first.id) => **first,
                    many => {
                        let list: Vec<String> =
                            many.iter().map(|o| format!("'--{}'", o.long)).collect();
                        let list = list.join(" ");
                        return self.fail(&format!(
                            "option '--{shown}' is ambiguous; possibilities: {list}"
                        ));
                    }
                }
            }
        };
        match (option.arg, value) {
            (Arg::No, Some(_)) => self.fail(&format!(
                "option '--{}' doesn't allow an argument",
                option.long
            )),
            (Arg::No, None) => Ok(Item::Opt(option.id, None)),
            (Arg::Maybe, value) => Ok(Item::Opt(option.id, value)),
            (Arg::Yes, Some(value)) => Ok(Item::Opt(option.id, Some(value))),
            (Arg::Yes, None) => match self.args.next() {
                Some(value) => Ok(Item::Opt(option.id, Some(value))),
                None => self.fail(&format!("option '--{}' requires an argument", option.long)),
            },
        }
    }

    fn fail<T>(&self, message: &str) -> Result<T, ()> {
        complain(self.command, message);
        if self.usage.is_empty() {
            try_help(self.command);
        } else {
            let _ = std::io::Write::write_all(&mut std::io::stderr(), self.usage.as_bytes());
        }
        Err(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPTIONS: &[Opt] = &[
        Opt::new('n', "number", Arg::No),
        Opt::new('e', "expression", Arg::Yes),
        Opt::new('i', "in-place", Arg::Maybe),
        Opt::long('1', "colour", Arg::Maybe),
    ];

    fn walk(words: &[&str]) -> Vec<Item> {
        let mut all = vec![b"x".to_vec()];
        all.extend(words.iter().map(|w| w.as_bytes().to_vec()));
        let mut parser = Parser::new("x", OPTIONS, all);
        let mut out = Vec::new();
        while let Ok(Some(item)) = parser.next() {
            out.push(item);
        }
        out
    }

    #[test]
    fn bundles_abbreviations_and_permutation() {
        let got = walk(&["a", "-ne", "s", "-i.bak", "--num", "--colour=x", "--", "-n"]);
        let want = vec![
            Item::Operand(b"a".to_vec()),
            Item::Opt('n', None),
            Item::Opt('e', Some(b"s".to_vec())),
            Item::Opt('i', Some(b".bak".to_vec())),
            Item::Opt('n', None),
            Item::Opt('1', Some(b"x".to_vec())),
            Item::Operand(b"-n".to_vec()),
        ];
        assert_eq!(got, want);
    }
}
