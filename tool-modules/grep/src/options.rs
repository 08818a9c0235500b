//! The command line.

use hardshell_cli::{Arg, Item, Opt, Parser, command_name, complain, utf8_locale};

/// How patterns are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Basic,
    Extended,
    Fixed,
    Perl,
}

/// What is done with files that are not text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Binary {
    Say,
    Text,
    Skip,
}

/// What is done with directories.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Directories {
    Read,
    Skip,
    Recurse,
}

/// Which files' names are listed instead of lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum List {
    None,
    Matching,
    Other,
}

#[derive(Clone, Debug)]
pub struct Options {
    pub kind: Kind,
    pub patterns: Vec<Vec<u8>>,
    pub files: Vec<Vec<u8>>,
    pub ignore_case: bool,
    pub invert: bool,
    pub word: bool,
    pub line: bool,
    pub count: bool,
    pub list: List,
    pub quiet: bool,
    pub silent: bool,
    pub max_count: u64,
    pub only_matching: bool,
    pub byte_offset: bool,
    pub line_number: bool,
    pub with_filename: Option<bool>,
    pub label: Option<Vec<u8>>,
    pub null_after_name: bool,
    pub initial_tab: bool,
    pub before: usize,
    pub after: usize,
    pub separator: Option<Vec<u8>>,
    pub color: bool,
    pub binary: Binary,
    pub directories: Directories,
    pub follow: bool,
    pub skip_devices: bool,
    pub include: Vec<Glob>,
    pub exclude_dir: Vec<Vec<u8>>,
    pub null_data: bool,
    pub line_buffered: bool,
    pub utf8: bool,
}

/// One `--include` or `--exclude`; the last that matches decides.
#[derive(Clone, Debug)]
pub struct Glob {
    pub pattern: Vec<u8>,
    pub include: bool,
}

const OPTIONS: &[Opt] = &[
    Opt::new('E', "extended-regexp", Arg::No),
    Opt::new('F', "fixed-strings", Arg::No),
    Opt::new('G', "basic-regexp", Arg::No),
    Opt::new('P', "perl-regexp", Arg::No),
    Opt::new('e', "regexp", Arg::Yes),
    Opt::new('f', "file", Arg::Yes),
    Opt::new('i', "ignore-case", Arg::No),
    Opt::new('y', "", Arg::No),
    Opt::long('\u{1}', "no-ignore-case", Arg::No),
    Opt::new('v', "invert-match", Arg::No),
    Opt::new('w', "word-regexp", Arg::No),
    Opt::new('x', "line-regexp", Arg::No),
    Opt::new('c', "count", Arg::No),
    Opt::new('l', "files-with-matches", Arg::No),
    Opt::new('L', "files-without-match", Arg::No),
    Opt::new('q', "quiet", Arg::No),
    Opt::long('q', "silent", Arg::No),
    Opt::new('s', "no-messages", Arg::No),
    Opt::new('m', "max-count", Arg::Yes),
    Opt::new('o', "only-matching", Arg::No),
    Opt::new('b', "byte-offset", Arg::No),
    Opt::new('n', "line-number", Arg::No),
    Opt::new('H', "with-filename", Arg::No),
    Opt::new('h', "no-filename", Arg::No),
    Opt::long('\u{2}', "label", Arg::Yes),
    Opt::new('Z', "null", Arg::No),
    Opt::new('T', "initial-tab", Arg::No),
    Opt::new('A', "after-context", Arg::Yes),
    Opt::new('B', "before-context", Arg::Yes),
    Opt::new('C', "context", Arg::Yes),
    Opt::long('\u{3}', "group-separator", Arg::Yes),
    Opt::long('\u{4}', "no-group-separator", Arg::No),
    Opt::long('\u{5}', "color", Arg::Maybe),
    Opt::long('\u{5}', "colour", Arg::Maybe),
    Opt::new('a', "text", Arg::No),
    Opt::long('\u{6}', "binary-files", Arg::Yes),
    Opt::new('I', "", Arg::No),
    Opt::new('D', "devices", Arg::Yes),
    Opt::new('d', "directories", Arg::Yes),
    Opt::new('r', "recursive", Arg::No),
    Opt::new('R', "dereference-recursive", Arg::No),
    Opt::long('\u{7}', "include", Arg::Yes),
    Opt::long('\u{8}', "exclude", Arg::Yes),
    Opt::long('\u{e}', "exclude-from", Arg::Yes),
    Opt::long('\u{f}', "exclude-dir", Arg::Yes),
    Opt::new('z', "null-data", Arg::No),
    Opt::new('U', "binary", Arg::No),
    Opt::new('u', "unix-byte-offsets", Arg::No),
    Opt::long('\u{10}', "line-buffered", Arg::No),
    Opt::long('\u{11}', "help", Arg::No),
    Opt::new('V', "version", Arg::No),
];

const USAGE: &str =
    "Usage: grep [OPTION]... PATTERNS [FILE]...\nTry 'grep --help' for more information.\n";

const HELP: &str = "\
Usage: grep [OPTION]... PATTERNS [FILE]...
Search for PATTERNS in each FILE.
Example: grep -i 'hello world' menu.h main.c
PATTERNS can contain multiple patterns separated by newlines.

Pattern selection and interpretation:
  -E, --extended-regexp     PATTERNS are extended regular expressions
  -F, --fixed-strings       PATTERNS are strings
  -G, --basic-regexp        PATTERNS are basic regular expressions
  -P, --perl-regexp         PATTERNS are Perl regular expressions
  -e, --regexp=PATTERNS     use PATTERNS for matching
  -f, --file=FILE           take PATTERNS from FILE
  -i, --ignore-case         ignore case distinctions
      --no-ignore-case      do not ignore case distinctions (default)
  -w, --word-regexp         match only whole words
  -x, --line-regexp         match only whole lines
  -z, --null-data           lines end with a NUL byte, not newline

Miscellaneous:
  -s, --no-messages         suppress error messages
  -v, --invert-match        select non-matching lines

Output control:
  -m, --max-count=NUM       stop after NUM selected lines
  -b, --byte-offset         print the byte offset with output lines
  -n, --line-number         print line number with output lines
      --line-buffered       flush output on every line
  -H, --with-filename       print file name with output lines
  -h, --no-filename         suppress the file name prefix on output
      --label=LABEL         use LABEL as the standard input file name
  -o, --only-matching       show only nonempty parts of lines that match
  -q, --quiet, --silent     suppress all normal output
      --binary-files=TYPE   TYPE is 'binary', 'text', or 'without-match'
  -a, --text                equivalent to --binary-files=text
  -I                        equivalent to --binary-files=without-match
  -d, --directories=ACTION  ACTION is 'read', 'recurse', or 'skip'
  -D, --devices=ACTION      ACTION is 'read' or 'skip'
  -r, --recursive           like --directories=recurse
  -R, --dereference-recursive  likewise, but follow all symlinks
      --include=GLOB        search only files that match GLOB
      --exclude=GLOB        skip files that match GLOB
      --exclude-from=FILE   skip files that match any pattern from FILE
      --exclude-dir=GLOB    skip directories that match GLOB
  -L, --files-without-match  print only names of FILEs with no selected lines
  -l, --files-with-matches  print only names of FILEs with selected lines
  -c, --count               print only a count of selected lines per FILE
  -T, --initial-tab         make tabs line up (if needed)
  -Z, --null                print 0 byte after FILE name

Context control:
  -B, --before-context=NUM  print NUM lines of leading context
  -A, --after-context=NUM   print NUM lines of trailing context
  -C, --context=NUM         print NUM lines of output context
  -NUM                      same as --context=NUM
      --group-separator=SEP  print SEP on line between matches with context
      --no-group-separator  do not print separator for matches with context
      --color[=WHEN]        highlight the matching strings; WHEN is
                            'always', 'never', or 'auto'

When FILE is '-', read standard input.  With no FILE, read '.' if
recursive, '-' otherwise.  With fewer than two FILEs, assume -h.
Exit status is 0 if any line is selected, 1 otherwise;
if any error occurs and -q is not given, the exit status is 2.
";

/// Reads the command line; `Err` is an exit status.
pub fn parse(args: Vec<Vec<u8>>) -> Result<Options, i32> {
    let name = command_name(&args, "grep");
    let mut o = Options {
        kind: match name.as_str() {
            "egrep" => Kind::Extended,
            "fgrep" => Kind::Fixed,
            _ => Kind::Basic,
        },
        patterns: Vec::new(),
        files: Vec::new(),
        ignore_case: false,
        invert: false,
        word: false,
        line: false,
        count: false,
        list: List::None,
        quiet: false,
        silent: false,
        max_count: u64::MAX,
        only_matching: false,
        byte_offset: false,
        line_number: false,
        with_filename: None,
        label: None,
        null_after_name: false,
        initial_tab: false,
        before: 0,
        after: 0,
        separator: Some(b"--".to_vec()),
        color: false,
        binary: Binary::Say,
        directories: Directories::Read,
        follow: false,
        skip_devices: false,
        include: Vec::new(),
        exclude_dir: Vec::new(),
        null_data: false,
        line_buffered: false,
        utf8: utf8_locale(),
    };
    let (numbers, args) = digits(args);
    let mut have_pattern = false;
    let mut operands: Vec<Vec<u8>> = Vec::new();
    let (mut before, mut after, mut context) = (None, None, numbers);
    let mut parser = Parser::new("grep", OPTIONS, args).usage(USAGE);
    loop {
        let item = match parser.next() {
            Ok(Some(item)) => item,
            Ok(None) => break,
            Err(()) => return Err(2),
        };
        let (id, value) = match item {
            Item::Operand(word) => {
                operands.push(word);
                continue;
            }
            Item::Opt(id, value) => (id, value.unwrap_or_default()),
        };
        match id {
            'E' => o.kind = Kind::Extended,
            'F' => o.kind = Kind::Fixed,
            'G' => o.kind = Kind::Basic,
            'P' => o.kind = Kind::Perl,
            'e' => {
                have_pattern = true;
                add_patterns(&mut o.patterns, &value);
            }
            'f' => {
                have_pattern = true;
                let mut input = hardshell_cli::open_input(&value).map_err(|e| fail(&value, &e))?;
                let mut text = input.read_all().map_err(|e| fail(&value, &e))?;
                if !text.is_empty() {
                    if text.last() == Some(&b'\n') {
                        text.pop();
                    }
                    add_patterns(&mut o.patterns, &text);
                }
            }
            'i' | 'y' => o.ignore_case = true,
            '\u{1}' => o.ignore_case = false,
            'v' => o.invert = true,
            'w' => o.word = true,
            'x' => o.line = true,
            'c' => o.count = true,
            'l' => o.list = List::Matching,
            'L' => o.list = List::Other,
            'q' => o.quiet = true,
            's' => o.silent = true,
            'm' => o.max_count = max_count(&value)?,
            'o' => o.only_matching = true,
            'b' => o.byte_offset = true,
            'n' => o.line_number = true,
            'H' => o.with_filename = Some(true),
            'h' => o.with_filename = Some(false),
            '\u{2}' => o.label = Some(value),
            'Z' => o.null_after_name = true,
            'T' => o.initial_tab = true,
            'A' => after = Some(number(&value)?),
            'B' => before = Some(number(&value)?),
            'C' => context = Some(number(&value)?),
            '\u{3}' => o.separator = Some(value),
            '\u{4}' => o.separator = None,
            '\u{5}' => o.color = matches!(value.as_slice(), b"always" | b"yes" | b"force"),
            'a' => o.binary = Binary::Text,
            'I' => o.binary = Binary::Skip,
            '\u{6}' => {
                o.binary = match value.as_slice() {
                    b"binary" => Binary::Say,
                    b"text" => Binary::Text,
                    b"without-match" => Binary::Skip,
                    _ => {
                        complain(
                            "grep",
                            "invalid argument for --binary-files: use binary, text or without-match",
                        );
                        return Err(2);
                    }
                }
            }
            'D' => o.skip_devices = value == b"skip",
            'd' => {
                o.directories = match value.as_slice() {
                    b"read" => Directories::Read,
                    b"skip" => Directories::Skip,
                    b"recurse" => Directories::Recurse,
                    _ => {
                        complain(
                            "grep",
                            "invalid argument for --directories: use read, recurse or skip",
                        );
                        return Err(2);
                    }
                }
            }
            'r' => {
                o.directories = Directories::Recurse;
                o.follow = false;
            }
            'R' => {
                o.directories = Directories::Recurse;
                o.follow = true;
            }
            '\u{7}' => o.include.push(Glob {
                pattern: value,
                include: true,
            }),
            '\u{8}' => o.include.push(Glob {
                pattern: value,
                include: false,
            }),
            '\u{e}' => {
                let text = hardshell_cli::open_input(&value)
                    .and_then(|mut input| input.read_all())
                    .map_err(|e| fail(&value, &e))?;
                for line in text.split(|b| *b == b'\n').filter(|line| !line.is_empty()) {
                    o.include.push(Glob {
                        pattern: line.to_vec(),
                        include: false,
                    });
                }
            }
            '\u{f}' => {
                let mut value = value;
                while value.len() > 1 && value.last() == Some(&b'/') {
                    value.pop();
                }
                o.exclude_dir.push(value);
            }
            'z' => o.null_data = true,
            '\u{10}' => o.line_buffered = true,
            '\u{11}' => {
                print!("{HELP}");
                return Err(0);
            }
            'V' => {
                println!("grep (hardshell) 3.11 compatible");
                return Err(0);
            }
            _ => {}
        }
    }
    let mut operands = operands.into_iter();
    if !have_pattern {
        match operands.next() {
            Some(pattern) => add_patterns(&mut o.patterns, &pattern),
            None => {
                let _ = std::io::Write::write_all(&mut std::io::stderr(), USAGE.as_bytes());
                return Err(2);
            }
        }
    }
    o.files = operands.collect();
    o.before = before.or(context).unwrap_or(0);
    o.after = after.or(context).unwrap_or(0);
    Ok(o)
}

fn fail(file: &[u8], error: &std::io::Error) -> i32 {
    hardshell_cli::complain_file("grep", file, error);
    2
}

fn add_patterns(patterns: &mut Vec<Vec<u8>>, text: &[u8]) {
    patterns.extend(text.split(|b| *b == b'\n').map(<[u8]>::to_vec));
}

fn max_count(value: &[u8]) -> Result<u64, i32> {
    let text = String::from_utf8_lossy(value);
    match text.trim().parse::<i64>() {
        Ok(n) => Ok(u64::try_from(n).unwrap_or(u64::MAX)),
        Err(_) => {
            complain("grep", "invalid max count");
            Err(2)
        }
    }
}

fn number(value: &[u8]) -> Result<usize, i32> {
    let text = String::from_utf8_lossy(value);
    match text.parse::<u64>() {
        Ok(n) => Ok(usize::try_from(n).unwrap_or(usize::MAX)),
        Err(_) => {
            complain("grep", format!("{text}: invalid context length argument"));
            Err(2)
        }
    }
}

/// Takes `-NUM` out of the words: digits among the short options that come
/// before any letter with an argument.
fn digits(args: Vec<Vec<u8>>) -> (Option<usize>, Vec<Vec<u8>>) {
    let mut context: Option<usize> = None;
    let mut out: Vec<Vec<u8>> = Vec::with_capacity(args.len());
    let mut rest = false;
    let mut takes_next = false;
    for (i, word) in args.into_iter().enumerate() {
        if i == 0
            || rest
            || takes_next
            || word.len() < 2
            || word.first() != Some(&b'-')
            || word.starts_with(b"--")
        {
            rest |= word == b"--";
            let long = word.get(2..).unwrap_or_default();
            takes_next = !takes_next
                && word.starts_with(b"--")
                && OPTIONS
                    .iter()
                    .any(|o| o.arg == Arg::Yes && o.long.as_bytes() == long && !long.is_empty());
            out.push(word);
            continue;
        }
        let mut kept = vec![b'-'];
        let mut number: Option<usize> = None;
        let mut at = 1;
        while let Some(byte) = word.get(at) {
            if byte.is_ascii_digit() {
                let digit = usize::from(byte - b'0');
                number = Some(number.unwrap_or(0).saturating_mul(10).saturating_add(digit));
            } else {
                kept.push(*byte);
                let takes = OPTIONS
                    .iter()
                    .any(|o| o.short && o.id == char::from(*byte) && o.arg == Arg::Yes);
                if takes {
                    kept.extend_from_slice(word.get(at + 1..).unwrap_or_default());
                    takes_next = at + 1 == word.len();
                    break;
                }
            }
            at += 1;
        }
        context = number.or(context);
        if kept.len() > 1 {
            out.push(kept);
        }
    }
    (context, out)
}
