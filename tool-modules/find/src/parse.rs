//! The command line of `find`.

use std::cell::{Cell, RefCell};

use hardshell_cli::time::{Zone, now, parse_date};
use hardshell_cli::{Out, path};
use hardshell_posix_regex::{Options as RegexOptions, Regex, Syntax};

use crate::expr::{Compare, Exec, Expr, Number, Perm, Time};
use crate::printf::Format;

/// What the command line asks for.
pub struct Command {
    pub starts: Vec<Vec<u8>>,
    pub expr: Expr,
    pub follow: bool,
    pub follow_starts: bool,
    pub min_depth: usize,
    pub max_depth: usize,
    pub depth_first: bool,
    pub one_device: bool,
    pub outputs: Vec<Out>,
}

struct Parser {
    words: std::iter::Peekable<std::vec::IntoIter<Vec<u8>>>,
    outputs: Vec<Out>,
    names: Vec<Vec<u8>>,
    follow: bool,
    min_depth: usize,
    max_depth: usize,
    depth_first: bool,
    one_device: bool,
    day_start: bool,
    has_action: bool,
    syntax: Syntax,
    depth: usize,
    has_delete: bool,
    has_prune: bool,
    last_operator: Vec<u8>,
}

pub const HELP: &str = "\
Usage: find [-H] [-L] [-P] [path...] [expression]

Default path is the current directory; default expression is -print.
Expression may consist of: operators, options, tests, and actions.

Operators (decreasing precedence; -and is implicit where no others are given):
      ( EXPR )   ! EXPR   -not EXPR   EXPR1 -a EXPR2   EXPR1 -and EXPR2
      EXPR1 -o EXPR2   EXPR1 -or EXPR2   EXPR1 , EXPR2

Options: -daystart -depth -follow -maxdepth LEVELS -mindepth LEVELS -mount
      -noleaf -regextype TYPE -xdev

Tests (N can be +N or -N or N):
      -amin N -anewer FILE -atime N -cmin N -cnewer FILE -ctime N -empty
      -false -gid N -group NAME -ilname PATTERN -iname PATTERN -inum N
      -ipath PATTERN -iregex PATTERN -links N -lname PATTERN -mmin N -mtime N
      -name PATTERN -newer FILE -newerXY REFERENCE -nogroup -nouser
      -path PATTERN -perm [-/]MODE -readable -regex PATTERN -samefile FILE
      -size N[bcwkMG] -true -type [bcdpfls] -uid N -used N -user NAME
      -writable -executable -xtype [bcdpfls]

Actions: -delete -exec COMMAND ; -exec COMMAND {} + -execdir COMMAND ;
      -execdir COMMAND {} + -fls FILE -fprint FILE -fprint0 FILE
      -fprintf FILE FORMAT -ls -ok COMMAND ; -okdir COMMAND ; -print -print0
      -printf FORMAT -prune -quit
";

/// Reads the command line; the error is the message.
pub fn parse(args: Vec<Vec<u8>>) -> Result<Option<Command>, String> {
    let mut words = args
        .into_iter()
        .skip(1)
        .collect::<Vec<_>>()
        .into_iter()
        .peekable();
    let (mut follow, mut follow_starts) = (false, false);
    while let Some(word) = words.peek() {
        match word.as_slice() {
            b"-H" => (follow, follow_starts) = (false, true),
            b"-L" => (follow, follow_starts) = (true, true),
            b"-P" => (follow, follow_starts) = (false, false),
            b"--" => {
                words.next();
                break;
            }
            word if word.starts_with(b"-O") => {}
            b"-D" => {
                words.next();
            }
            b"--help" | b"-help" => {
                print!("{HELP}");
                return Ok(None);
            }
            b"--version" | b"-version" => {
                println!("find (hardshell) compatible with GNU findutils 4.9");
                return Ok(None);
            }
            _ => break,
        }
        words.next();
    }
    let mut starts = Vec::new();
    while let Some(word) = words.peek() {
        if is_expression(word) {
            break;
        }
        starts.extend(words.next());
    }
    if starts.is_empty() {
        starts.push(b".".to_vec());
    }
    let mut parser = Parser {
        words,
        outputs: vec![Out::stdout()],
        names: vec![b"/dev/stdout".to_vec()],
        follow,
        min_depth: 0,
        max_depth: usize::MAX,
        depth_first: false,
        one_device: false,
        day_start: false,
        has_action: false,
        syntax: Syntax::Basic,
        depth: 0,
        has_delete: false,
        has_prune: false,
        last_operator: Vec::new(),
    };
    let mut expr = if parser.words.peek().is_some() {
        parser.list()?
    } else {
        Expr::True
    };
    if let Some(word) = parser.words.next() {
        if word == b")" {
            return Err("you have too many ')'".to_owned());
        }
        return Err(format!(
            "paths must precede expression: `{}'",
            String::from_utf8_lossy(&word)
        ));
    }
    if !parser.has_action {
        expr = Expr::And(vec![expr, Expr::Print { to: 0, end: b'\n' }]);
    }
    if parser.has_delete && parser.has_prune && !parser.depth_first {
        return Err("The -delete action automatically turns on -depth, but -prune does nothing when -depth is in effect.  If you want to carry on anyway, just explicitly use the -depth option.".to_owned());
    }
    Ok(Some(Command {
        starts,
        expr,
        follow: parser.follow,
        follow_starts: follow_starts || parser.follow,
        min_depth: parser.min_depth,
        max_depth: parser.max_depth,
        depth_first: parser.depth_first || parser.has_delete,
        one_device: parser.one_device,
        outputs: parser.outputs,
    }))
}

fn is_expression(word: &[u8]) -> bool {
    (word.len() > 1 && word.first() == Some(&b'-')) || matches!(word, b"(" | b")" | b"!" | b",")
}

type Outcome<T> = Result<T, String>;

impl Parser {
    fn next_is(&mut self, words: &[&[u8]]) -> bool {
        let found = self
            .words
            .peek()
            .is_some_and(|w| words.contains(&w.as_slice()));
        if found {
            self.last_operator = self.words.next().unwrap_or_default();
        }
        found
    }

    fn list(&mut self) -> Outcome<Expr> {
        self.depth += 1;
        if self.depth > 200 {
            return Err("the expression is nested too deeply".to_owned());
        }
        let mut all = vec![self.or()?];
        while self.next_is(&[b","]) {
            all.push(self.or()?);
        }
        self.depth -= 1;
        Ok(if all.len() == 1 {
            all.swap_remove(0)
        } else {
            Expr::List(all)
        })
    }

    fn or(&mut self) -> Outcome<Expr> {
        let mut all = vec![self.and()?];
        while self.next_is(&[b"-o", b"-or"]) {
            all.push(self.and()?);
        }
        Ok(if all.len() == 1 {
            all.swap_remove(0)
        } else {
            Expr::Or(all)
        })
    }

    fn and(&mut self) -> Outcome<Expr> {
        let mut all = vec![self.unary()?];
        loop {
            match self.words.peek().map(Vec::as_slice) {
                None | Some(b")" | b"," | b"-o" | b"-or") => break,
                Some(b"-a" | b"-and") => {
                    self.words.next();
                }
                Some(_) => {}
            }
            all.push(self.unary()?);
        }
        Ok(if all.len() == 1 {
            all.swap_remove(0)
        } else {
            Expr::And(all)
        })
    }

    fn unary(&mut self) -> Outcome<Expr> {
        let Some(word) = self.words.next() else {
            let last = String::from_utf8_lossy(&self.last_operator).into_owned();
            return Err(format!("expected an expression after '{last}'"));
        };
        match word.as_slice() {
            b"!" | b"-not" => {
                self.last_operator.clone_from(&word);
                self.depth += 1;
                if self.depth > 200 {
                    return Err("the expression is nested too deeply".to_owned());
                }
                let inner = self.unary()?;
                self.depth -= 1;
                Ok(Expr::Not(Box::new(inner)))
            }
            b"(" => {
                if self.next_is(&[b")"]) {
                    return Err("invalid expression; empty parentheses are not allowed.".to_owned());
                }
                let inner = self.list()?;
                if !self.next_is(&[b")"]) {
                    return Err("invalid expression; I was expecting to find a ')' somewhere but did not see one.".to_owned());
                }
                Ok(inner)
            }
            b")" => Err("invalid expression; you have too many ')'".to_owned()),
            b"-o" | b"-or" | b"-a" | b"-and" | b"," => Err(format!(
                "invalid expression; you have used a binary operator '{}' with nothing before it.",
                String::from_utf8_lossy(&word)
            )),
            _ => self.primary(&word),
        }
    }

    fn argument(&mut self, word: &[u8]) -> Outcome<Vec<u8>> {
        self.words
            .next()
            .ok_or_else(|| format!("missing argument to `{}'", String::from_utf8_lossy(word)))
    }

    fn level(&mut self, word: &[u8]) -> Outcome<usize> {
        let text = self.argument(word)?;
        let shown = String::from_utf8_lossy(&text).into_owned();
        shown.parse().map_err(|_| {
            format!(
                "Expected a positive decimal integer argument to {}, but got ‘{shown}’",
                String::from_utf8_lossy(word)
            )
        })
    }

    fn number(&mut self, word: &[u8]) -> Outcome<Number> {
        let text = self.argument(word)?;
        number(&text).ok_or_else(|| invalid(&text, word))
    }

    fn reference(&mut self, word: &[u8], time: Time) -> Outcome<i128> {
        let name = self.argument(word)?;
        let meta = if self.follow {
            hardshell_cli::stat::stat(&name)
        } else {
            hardshell_cli::stat::lstat(&name)
        };
        match meta {
            Ok(meta) => Ok(match time {
                Time::Access => meta.atime,
                Time::Change => meta.ctime,
                Time::Modify => meta.mtime,
            }),
            Err(error) => Err(format!(
                "{}: {}",
                String::from_utf8_lossy(&hardshell_cli::quote(&name)),
                hardshell_cli::errno_text(&error)
            )),
        }
    }

    fn output(&mut self, word: &[u8]) -> Outcome<usize> {
        let name = self.argument(word)?;
        if let Some(known) = self.names.iter().position(|n| *n == name) {
            return Ok(known);
        }
        let out = if name == b"/dev/stderr" {
            Out::stderr()
        } else {
            let file = std::fs::File::create(path(&name)).map_err(|error| {
                format!(
                    "{}: {}",
                    String::from_utf8_lossy(&hardshell_cli::quote(&name)),
                    hardshell_cli::errno_text(&error)
                )
            })?;
            Out::file(file)
        };
        self.names.push(name);
        self.outputs.push(out);
        Ok(self.outputs.len() - 1)
    }

    fn regex(&mut self, word: &[u8], ignore_case: bool) -> Outcome<Expr> {
        let pattern = self.argument(word)?;
        let mut options = RegexOptions::new(self.syntax);
        options.ignore_case = ignore_case;
        options.whole_line = true;
        // Emacs syntax, the default, has `+` and `?` as operators in what is
        // otherwise the basic one.
        let pattern = if self.syntax == Syntax::Basic {
            emacs(&pattern)
        } else {
            pattern
        };
        Regex::new(&pattern, &options)
            .map(|regex| Expr::Regex(RefCell::new(regex)))
            .map_err(|error| {
                format!(
                    "failed to compile regular expression '{}': {error}",
                    String::from_utf8_lossy(&pattern)
                )
            })
    }

    fn age(&mut self, word: &[u8], time: Time, unit: i128) -> Outcome<Expr> {
        let number = self.number(word)?;
        let day = 86_400 * 1_000_000_000i128;
        let clock = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .map_or(0, |d| d.as_nanos() as i128);
        let reference = if self.day_start {
            let zone = Zone::local();
            let today = (now() + zone.offset).div_euclid(86_400) * 86_400 - zone.offset;
            i128::from(today) * 1_000_000_000 + day
        } else {
            clock
        };
        Ok(Expr::Age {
            time,
            number,
            unit,
            reference,
        })
    }

    fn kinds(&mut self, word: &[u8]) -> Outcome<Vec<u8>> {
        let text = self.argument(word)?;
        let mut kinds = Vec::new();
        for part in text.split(|b| *b == b',') {
            match part {
                [kind @ (b'b' | b'c' | b'd' | b'f' | b'l' | b'p' | b's' | b'D')] => {
                    kinds.push(*kind)
                }
                _ => {
                    let shown = String::from_utf8_lossy(&text).into_owned();
                    return Err(format!(
                        "Unknown argument to {}: {shown}",
                        String::from_utf8_lossy(word)
                    ));
                }
            }
        }
        Ok(kinds)
    }

    fn exec(&mut self, word: &[u8], in_dir: bool, ask: bool) -> Outcome<Expr> {
        let mut argv: Vec<Vec<u8>> = Vec::new();
        loop {
            let Some(next) = self.words.next() else {
                return Err(format!(
                    "missing argument to `{}'",
                    String::from_utf8_lossy(word)
                ));
            };
            if next == b";" {
                break;
            }
            if next == b"+" && argv.last().is_some_and(|last| last == b"{}") {
                argv.pop();
                if argv.is_empty() {
                    return Err(format!(
                        "missing argument to `{}'",
                        String::from_utf8_lossy(word)
                    ));
                }
                return Ok(Expr::Exec(Exec {
                    argv,
                    many: true,
                    in_dir,
                    ask,
                    pending: RefCell::default(),
                    pending_bytes: Cell::new(0),
                }));
            }
            argv.push(next);
        }
        if argv.is_empty() {
            return Err(format!(
                "invalid argument `;' to `{}'",
                String::from_utf8_lossy(word)
            ));
        }
        Ok(Expr::Exec(Exec {
            argv,
            many: false,
            in_dir,
            ask,
            pending: RefCell::default(),
            pending_bytes: Cell::new(0),
        }))
    }

    #[allow(clippy::too_many_lines)]
    fn primary(&mut self, word: &[u8]) -> Outcome<Expr> {
        let day = 86_400 * 1_000_000_000i128;
        let minute = 60 * 1_000_000_000i128;
        Ok(match word {
            b"-true" => Expr::True,
            b"-false" => Expr::False,
            b"-name" => Expr::Name {
                pattern: self.argument(word)?,
                ignore_case: false,
            },
            b"-iname" => Expr::Name {
                pattern: self.argument(word)?,
                ignore_case: true,
            },
            b"-path" | b"-wholename" => Expr::Path {
                pattern: self.argument(word)?,
                ignore_case: false,
            },
            b"-ipath" | b"-iwholename" => Expr::Path {
                pattern: self.argument(word)?,
                ignore_case: true,
            },
            b"-lname" => Expr::LinkName {
                pattern: self.argument(word)?,
                ignore_case: false,
            },
            b"-ilname" => Expr::LinkName {
                pattern: self.argument(word)?,
                ignore_case: true,
            },
            b"-regex" => self.regex(word, false)?,
            b"-iregex" => self.regex(word, true)?,
            b"-regextype" => {
                let kind = self.argument(word)?;
                self.syntax = match kind.as_slice() {
                    b"emacs" | b"findutils-default" | b"posix-basic" | b"grep" | b"sed" | b"ed" => {
                        Syntax::Basic
                    }
                    b"posix-extended"
                    | b"egrep"
                    | b"posix-egrep"
                    | b"gnu-awk"
                    | b"awk"
                    | b"posix-awk"
                    | b"posix-minimal-basic" => Syntax::Extended,
                    _ => {
                        return Err(format!(
                            "Unknown regular expression type {}",
                            String::from_utf8_lossy(&hardshell_cli::quote(&kind))
                        ));
                    }
                };
                Expr::True
            }
            b"-type" => Expr::Type(self.kinds(word)?),
            b"-xtype" => Expr::XType(self.kinds(word)?),
            b"-size" => {
                let text = self.argument(word)?;
                let (digits, unit) = match text.split_last() {
                    Some((b'c', rest)) => (rest, 1),
                    Some((b'w', rest)) => (rest, 2),
                    Some((b'b', rest)) => (rest, 512),
                    Some((b'k', rest)) => (rest, 1 << 10),
                    Some((b'M', rest)) => (rest, 1 << 20),
                    Some((b'G', rest)) => (rest, 1 << 30),
                    _ => (text.as_slice(), 512),
                };
                let number = number(digits).ok_or_else(|| match text.last() {
                    Some(last)
                        if last.is_ascii_alphabetic()
                            && number(&text[..text.len() - 1]).is_some() =>
                    {
                        format!("invalid -size type `{}'", char::from(*last))
                    }
                    _ => format!(
                        "Invalid argument `{}' to -size",
                        String::from_utf8_lossy(&text)
                    ),
                })?;
                Expr::Size { number, unit }
            }
            b"-empty" => Expr::Empty,
            b"-mtime" => self.age(word, Time::Modify, day)?,
            b"-atime" => self.age(word, Time::Access, day)?,
            b"-ctime" => self.age(word, Time::Change, day)?,
            b"-mmin" => self.age(word, Time::Modify, minute)?,
            b"-amin" => self.age(word, Time::Access, minute)?,
            b"-cmin" => self.age(word, Time::Change, minute)?,
            b"-newer" => Expr::Newer {
                time: Time::Modify,
                than: self.reference(word, Time::Modify)?,
            },
            b"-anewer" => Expr::Newer {
                time: Time::Access,
                than: self.reference(word, Time::Modify)?,
            },
            b"-cnewer" => Expr::Newer {
                time: Time::Change,
                than: self.reference(word, Time::Modify)?,
            },
            [b'-', b'n', b'e', b'w', b'e', b'r', x, y] => {
                let time = |letter: &u8| match letter {
                    b'a' => Some(Time::Access),
                    b'c' => Some(Time::Change),
                    b'm' => Some(Time::Modify),
                    _ => None,
                };
                let unknown = || format!("unknown predicate `{}'", String::from_utf8_lossy(word));
                let mine = time(x).ok_or_else(unknown)?;
                let than = if *y == b't' {
                    let text = self.argument(word)?;
                    let shown = String::from_utf8_lossy(&text).into_owned();
                    let seconds = parse_date(&shown, &Zone::local()).ok_or_else(|| {
                        format!("I cannot figure out how to interpret ‘{shown}’ as a date or time")
                    })?;
                    i128::from(seconds) * 1_000_000_000
                } else {
                    let theirs = time(y).ok_or_else(unknown)?;
                    self.reference(word, theirs)?
                };
                Expr::Newer { time: mine, than }
            }
            b"-perm" => {
                let text = self.argument(word)?;
                let (how, rest) = match text.split_first() {
                    Some((b'-', rest)) => (Perm::All, rest),
                    Some((b'/', rest)) => (Perm::Any, rest),
                    _ => (Perm::Exact, text.as_slice()),
                };
                let mode = hardshell_cli::mode::apply(&String::from_utf8_lossy(rest), 0, false, 0)
                    .ok_or_else(|| {
                        format!(
                            "invalid mode {}",
                            String::from_utf8_lossy(&hardshell_cli::quote(&text))
                        )
                    })?;
                Expr::Perm { mode, how }
            }
            b"-uid" => Expr::Uid(self.number(word)?),
            b"-gid" => Expr::Gid(self.number(word)?),
            b"-user" | b"-group" => {
                let name = self.argument(word)?;
                let shown = String::from_utf8_lossy(&name).into_owned();
                let known = match shown.parse::<u32>() {
                    Ok(id) => Some(id),
                    Err(_) if shown == "root" => Some(0),
                    Err(_) => {
                        let own = hardshell_cli::stat::stat(b".")
                            .map(|s| if word == b"-user" { s.uid } else { s.gid })
                            .ok();
                        own.filter(|id| hardshell_cli::stat::user_name(*id) == shown)
                    }
                };
                let what = if word == b"-user" { "user" } else { "group" };
                let Some(id) = known else {
                    return Err(format!(
                        "{} is not the name of a known {what}",
                        String::from_utf8_lossy(&hardshell_cli::quote(&name))
                    ));
                };
                let number = Number {
                    how: Compare::Same,
                    value: i128::from(id),
                };
                if word == b"-user" {
                    Expr::Uid(number)
                } else {
                    Expr::Gid(number)
                }
            }
            b"-nouser" | b"-nogroup" => Expr::NoUser,
            b"-links" => Expr::Links(self.number(word)?),
            b"-inum" => Expr::Inode(self.number(word)?),
            b"-used" => Expr::Used(self.number(word)?),
            b"-samefile" => {
                let name = self.argument(word)?;
                let meta = hardshell_cli::stat::stat(&name).map_err(|error| {
                    format!(
                        "{}: {}",
                        String::from_utf8_lossy(&hardshell_cli::quote(&name)),
                        hardshell_cli::errno_text(&error)
                    )
                })?;
                Expr::SameFile(meta.dev, meta.ino)
            }
            b"-readable" => Expr::Access(4),
            b"-writable" => Expr::Access(2),
            b"-executable" => Expr::Access(1),
            b"-fstype" => {
                self.argument(word)?;
                Expr::True
            }
            b"-maxdepth" => {
                self.max_depth = self.level(word)?;
                Expr::True
            }
            b"-mindepth" => {
                self.min_depth = self.level(word)?;
                Expr::True
            }
            b"-depth" | b"-d" => {
                self.depth_first = true;
                Expr::True
            }
            b"-mount" | b"-xdev" => {
                self.one_device = true;
                Expr::True
            }
            b"-daystart" => {
                self.day_start = true;
                Expr::True
            }
            b"-follow" => {
                self.follow = true;
                Expr::True
            }
            b"-noleaf"
            | b"-ignore_readdir_race"
            | b"-noignore_readdir_race"
            | b"-warn"
            | b"-nowarn" => Expr::True,
            b"-prune" => {
                self.has_prune = true;
                Expr::Prune
            }
            b"-quit" => {
                self.has_action = true;
                Expr::Quit
            }
            b"-delete" => {
                self.has_action = true;
                self.has_delete = true;
                Expr::Delete
            }
            b"-print" => {
                self.has_action = true;
                Expr::Print { to: 0, end: b'\n' }
            }
            b"-print0" => {
                self.has_action = true;
                Expr::Print { to: 0, end: 0 }
            }
            b"-printf" => {
                self.has_action = true;
                Expr::Printf {
                    to: 0,
                    format: Format::parse(&self.argument(word)?),
                }
            }
            b"-ls" => {
                self.has_action = true;
                Expr::Ls { to: 0 }
            }
            b"-fprint" | b"-fprint0" => {
                self.has_action = true;
                let end = if word == b"-fprint" { b'\n' } else { 0 };
                Expr::Print {
                    to: self.output(word)?,
                    end,
                }
            }
            b"-fprintf" => {
                self.has_action = true;
                let to = self.output(word)?;
                Expr::Printf {
                    to,
                    format: Format::parse(&self.argument(word)?),
                }
            }
            b"-fls" => {
                self.has_action = true;
                Expr::Ls {
                    to: self.output(word)?,
                }
            }
            b"-exec" | b"-execdir" | b"-ok" | b"-okdir" => {
                self.has_action = true;
                self.exec(word, word.ends_with(b"dir"), word.starts_with(b"-ok"))?
            }
            _ if word.first() == Some(&b'-') => {
                return Err(format!(
                    "unknown predicate `{}'",
                    String::from_utf8_lossy(word)
                ));
            }
            _ => {
                return Err(format!(
                    "paths must precede expression: `{}'",
                    String::from_utf8_lossy(word)
                ));
            }
        })
    }
}

fn invalid(text: &[u8], word: &[u8]) -> String {
    let name = String::from_utf8_lossy(word);
    format!(
        "invalid argument `{}' to `{name}'",
        String::from_utf8_lossy(text)
    )
}

fn number(text: &[u8]) -> Option<Number> {
    let (how, digits) = match text.split_first() {
        Some((b'+', rest)) => (Compare::More, rest),
        Some((b'-', rest)) => (Compare::Less, rest),
        _ => (Compare::Same, text),
    };
    if digits.is_empty() {
        return None;
    }
    let value = std::str::from_utf8(digits).ok()?.parse::<i64>().ok()?;
    Some(Number {
        how,
        value: i128::from(value),
    })
}

/// Turns the plain `+` and `?` of Emacs syntax into GNU's basic `\+`, `\?`.
fn emacs(pattern: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(pattern.len() + 4);
    let mut at = 0;
    let mut in_set = false;
    while let Some(byte) = pattern.get(at).copied() {
        at += 1;
        match byte {
            b'\\' if !in_set => {
                out.push(byte);
                out.extend(pattern.get(at));
                at += 1;
            }
            b'+' | b'?' if !in_set => out.extend_from_slice(&[b'\\', byte]),
            b'[' if !in_set => {
                in_set = true;
                out.push(byte);
                for _ in 0..2 {
                    if matches!(pattern.get(at), Some(b'^' | b']')) {
                        out.extend(pattern.get(at));
                        at += 1;
                    }
                }
            }
            b']' => {
                in_set = false;
                out.push(byte);
            }
            _ => out.push(byte),
        }
    }
    out
}
