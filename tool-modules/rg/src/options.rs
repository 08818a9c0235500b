//! The command line.

use hardshell_cli::{Arg, Item, Opt, Parser, complain};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Lines,
    Files,
    FilesWithMatches,
    FilesWithoutMatch,
    Count,
    CountMatches,
    Quiet,
    TypeList,
    Json,
}

#[derive(Clone, Debug)]
pub struct Options {
    pub mode: Mode,
    pub patterns: Vec<String>,
    pub paths: Vec<Vec<u8>>,
    pub ignore_case: bool,
    pub smart_case: bool,
    pub fixed: bool,
    pub word: bool,
    pub line: bool,
    pub invert: bool,
    pub line_number: Option<bool>,
    pub column: bool,
    pub byte_offset: bool,
    pub filename: Option<bool>,
    pub heading: bool,
    pub only_matching: bool,
    pub replace: Option<Vec<u8>>,
    pub before: usize,
    pub after: usize,
    pub passthru: bool,
    pub max_count: Option<u64>,
    pub max_depth: Option<usize>,
    pub max_filesize: Option<u64>,
    pub multiline: bool,
    pub dot_all: bool,
    pub crlf: bool,
    pub null: bool,
    pub trim: bool,
    pub text: bool,
    pub hidden: bool,
    pub no_ignore: bool,
    pub no_ignore_vcs: bool,
    pub follow: bool,
    pub globs: Vec<String>,
    pub iglobs: Vec<String>,
    pub types: Vec<String>,
    pub types_not: Vec<String>,
    pub type_add: Vec<String>,
    pub ignore_files: Vec<Vec<u8>>,
    pub sort: Option<String>,
    pub reverse: bool,
    pub color: bool,
    pub vimgrep: bool,
    pub stats: bool,
    pub no_messages: bool,
    pub max_columns: Option<u64>,
    pub max_columns_preview: bool,
    pub separator: Option<Vec<u8>>,
    pub unicode: bool,
    pub unrestricted: u32,
    pub include_zero: bool,
}

const OPTIONS: &[Opt] = &[
    Opt::new('e', "regexp", Arg::Yes),
    Opt::new('f', "file", Arg::Yes),
    Opt::new('i', "ignore-case", Arg::No),
    Opt::new('S', "smart-case", Arg::No),
    Opt::new('s', "case-sensitive", Arg::No),
    Opt::new('F', "fixed-strings", Arg::No),
    Opt::new('w', "word-regexp", Arg::No),
    Opt::new('x', "line-regexp", Arg::No),
    Opt::new('v', "invert-match", Arg::No),
    Opt::new('n', "line-number", Arg::No),
    Opt::new('N', "no-line-number", Arg::No),
    Opt::new('b', "byte-offset", Arg::No),
    Opt::new('H', "with-filename", Arg::No),
    Opt::new('I', "no-filename", Arg::No),
    Opt::new('o', "only-matching", Arg::No),
    Opt::new('r', "replace", Arg::Yes),
    Opt::new('A', "after-context", Arg::Yes),
    Opt::new('B', "before-context", Arg::Yes),
    Opt::new('C', "context", Arg::Yes),
    Opt::new('m', "max-count", Arg::Yes),
    Opt::new('d', "max-depth", Arg::Yes),
    Opt::new('U', "multiline", Arg::No),
    Opt::new('0', "null", Arg::No),
    Opt::new('a', "text", Arg::No),
    Opt::new('.', "hidden", Arg::No),
    Opt::new('L', "follow", Arg::No),
    Opt::new('g', "glob", Arg::Yes),
    Opt::new('t', "type", Arg::Yes),
    Opt::new('T', "type-not", Arg::Yes),
    Opt::new('l', "files-with-matches", Arg::No),
    Opt::new('c', "count", Arg::No),
    Opt::new('q', "quiet", Arg::No),
    Opt::new('u', "unrestricted", Arg::No),
    Opt::new('j', "threads", Arg::Yes),
    Opt::new('E', "encoding", Arg::Yes),
    Opt::new('M', "max-columns", Arg::Yes),
    Opt::new('P', "pcre2", Arg::No),
    Opt::new('z', "search-zip", Arg::No),
    Opt::new('p', "pretty", Arg::No),
    Opt::new('h', "help", Arg::No),
    Opt::new('V', "version", Arg::No),
    Opt::long('\u{100}', "files", Arg::No),
    Opt::long('\u{101}', "files-without-match", Arg::No),
    Opt::long('\u{102}', "count-matches", Arg::No),
    Opt::long('\u{103}', "column", Arg::No),
    Opt::long('\u{104}', "heading", Arg::No),
    Opt::long('\u{105}', "no-heading", Arg::No),
    Opt::long('\u{106}', "passthru", Arg::No),
    Opt::long('\u{107}', "max-filesize", Arg::Yes),
    Opt::long('\u{108}', "multiline-dotall", Arg::No),
    Opt::long('\u{109}', "crlf", Arg::No),
    Opt::long('\u{10a}', "trim", Arg::No),
    Opt::long('\u{10b}', "no-ignore", Arg::No),
    Opt::long('\u{10c}', "no-ignore-vcs", Arg::No),
    Opt::long('\u{10d}', "iglob", Arg::Yes),
    Opt::long('\u{10e}', "type-add", Arg::Yes),
    Opt::long('\u{10f}', "type-list", Arg::No),
    Opt::long('\u{110}', "ignore-file", Arg::Yes),
    Opt::long('\u{111}', "sort", Arg::Yes),
    Opt::long('\u{112}', "sortr", Arg::Yes),
    Opt::long('\u{113}', "color", Arg::Yes),
    Opt::long('\u{114}', "colors", Arg::Yes),
    Opt::long('\u{115}', "vimgrep", Arg::No),
    Opt::long('\u{116}', "stats", Arg::No),
    Opt::long('\u{117}', "no-messages", Arg::No),
    Opt::long('\u{118}', "max-columns-preview", Arg::No),
    Opt::long('\u{119}', "context-separator", Arg::Yes),
    Opt::long('\u{11a}', "no-context-separator", Arg::No),
    Opt::long('\u{11b}', "json", Arg::No),
    Opt::long('\u{11c}', "no-unicode", Arg::No),
    Opt::long('\u{11d}', "no-config", Arg::No),
    Opt::long('\u{11d}', "line-buffered", Arg::No),
    Opt::long('\u{11d}', "block-buffered", Arg::No),
    Opt::long('\u{11d}', "mmap", Arg::No),
    Opt::long('\u{11d}', "no-mmap", Arg::No),
    Opt::long('\u{11d}', "no-require-git", Arg::No),
    Opt::long('\u{11d}', "no-ignore-parent", Arg::No),
    Opt::long('\u{11d}', "no-ignore-global", Arg::No),
    Opt::long('\u{11d}', "no-ignore-dot", Arg::No),
    Opt::long('\u{11d}', "one-file-system", Arg::No),
    Opt::long('\u{11d}', "no-hidden", Arg::No),
    Opt::long('\u{11d}', "binary", Arg::No),
    Opt::long('\u{11d}', "no-pcre2", Arg::No),
    Opt::long('\u{11d}', "auto-hybrid-regex", Arg::No),
    Opt::long('\u{11e}', "engine", Arg::Yes),
    Opt::long('\u{11e}', "path-separator", Arg::Yes),
    Opt::long('\u{11e}', "regex-size-limit", Arg::Yes),
    Opt::long('\u{11e}', "dfa-size-limit", Arg::Yes),
    Opt::long('\u{11f}', "include-zero", Arg::No),
];

const HELP: &str = "\
Usage: rg [OPTIONS] PATTERN [PATH ...]
       rg [OPTIONS] -e PATTERN ... [PATH ...]
       rg [OPTIONS] --files [PATH ...]
       rg [OPTIONS] --type-list

Recursively searches the current directory for lines that match a regular
expression. Files that .gitignore names, hidden files and binary files are
left out.

  -e, --regexp=PATTERN     a pattern to search for
  -f, --file=FILE          patterns from a file
  -i, --ignore-case   -S, --smart-case   -s, --case-sensitive
  -F, --fixed-strings      patterns are plain text
  -w, --word-regexp   -x, --line-regexp   -v, --invert-match
  -U, --multiline          matches may span lines
  -o, --only-matching      print only the matching parts
  -r, --replace=TEXT       replace matches in the output
  -A, -B, -C NUM           context lines after, before, around
  -m, --max-count=NUM      matches per file
  -n, -N                   with or without line numbers
  -H, -I                   with or without file names
  --column, -b             column, byte offset
  -c, --count   --count-matches   -l, --files-with-matches
  --files-without-match   --files   -q, --quiet   --json   --vimgrep
  -g, --glob=GLOB   --iglob=GLOB   -t, --type=TYPE   -T, --type-not=TYPE
  -d, --max-depth=NUM   --max-filesize=SIZE   -L, --follow
  -., --hidden   --no-ignore   --no-ignore-vcs   -u, -uu, -uuu
  -a, --text   -0, --null   --trim   --heading   --no-heading
  --sort=path|modified   --sortr=...   --color=WHEN   --passthru
  -M, --max-columns=NUM   --stats   --no-messages   --type-list
";

pub fn parse(args: Vec<Vec<u8>>) -> Result<Options, i32> {
    let mut o = Options {
        mode: Mode::Lines,
        patterns: Vec::new(),
        paths: Vec::new(),
        ignore_case: false,
        smart_case: false,
        fixed: false,
        word: false,
        line: false,
        invert: false,
        line_number: None,
        column: false,
        byte_offset: false,
        filename: None,
        heading: false,
        only_matching: false,
        replace: None,
        before: 0,
        after: 0,
        passthru: false,
        max_count: None,
        max_depth: None,
        max_filesize: None,
        multiline: false,
        dot_all: false,
        crlf: false,
        null: false,
        trim: false,
        text: false,
        hidden: false,
        no_ignore: false,
        no_ignore_vcs: false,
        follow: false,
        globs: Vec::new(),
        iglobs: Vec::new(),
        types: Vec::new(),
        types_not: Vec::new(),
        type_add: Vec::new(),
        ignore_files: Vec::new(),
        sort: None,
        reverse: false,
        color: false,
        vimgrep: false,
        stats: false,
        no_messages: false,
        max_columns: None,
        max_columns_preview: false,
        separator: Some(b"--".to_vec()),
        unicode: true,
        unrestricted: 0,
        include_zero: false,
    };
    let mut have = false;
    let mut parser = Parser::new("rg", OPTIONS, args);
    loop {
        let (id, value) = match parser.next() {
            Ok(Some(Item::Operand(word))) => {
                o.paths.push(word);
                continue;
            }
            Ok(Some(Item::Opt(id, value))) => (id, value.unwrap_or_default()),
            Ok(None) => break,
            Err(()) => return Err(2),
        };
        let text = || String::from_utf8_lossy(&value).into_owned();
        let number = || -> Result<u64, i32> {
            text().parse().map_err(|_| {
                complain("rg", format!("error parsing number '{}'", text()));
                2
            })
        };
        match id {
            'e' => {
                have = true;
                o.patterns.push(text());
            }
            'f' => {
                have = true;
                let data = hardshell_cli::open_input(&value)
                    .and_then(|mut i| i.read_all())
                    .map_err(|error| {
                        hardshell_cli::complain_file("rg", &value, &error);
                        2
                    })?;
                o.patterns
                    .extend(String::from_utf8_lossy(&data).lines().map(str::to_owned));
            }
            'i' => (o.ignore_case, o.smart_case) = (true, false),
            'S' => (o.ignore_case, o.smart_case) = (false, true),
            's' => (o.ignore_case, o.smart_case) = (false, false),
            'F' => o.fixed = true,
            'w' => o.word = true,
            'x' => o.line = true,
            'v' => o.invert = true,
            'n' => o.line_number = Some(true),
            'N' => o.line_number = Some(false),
            'b' => o.byte_offset = true,
            'H' => o.filename = Some(true),
            'I' => o.filename = Some(false),
            'o' => o.only_matching = true,
            'r' => o.replace = Some(value),
            'A' => o.after = usize::try_from(number()?).unwrap_or(usize::MAX),
            'B' => o.before = usize::try_from(number()?).unwrap_or(usize::MAX),
            'C' => {
                let n = usize::try_from(number()?).unwrap_or(usize::MAX);
                (o.before, o.after) = (n, n);
            }
            'm' => o.max_count = Some(number()?),
            'd' => o.max_depth = Some(usize::try_from(number()?).unwrap_or(usize::MAX)),
            'U' => o.multiline = true,
            '0' => o.null = true,
            'a' => o.text = true,
            '.' => o.hidden = true,
            'L' => o.follow = true,
            'g' => o.globs.push(text()),
            't' => o.types.push(text()),
            'T' => o.types_not.push(text()),
            'l' => o.mode = Mode::FilesWithMatches,
            'c' => o.mode = Mode::Count,
            'q' => o.mode = Mode::Quiet,
            'u' => o.unrestricted += 1,
            'M' => o.max_columns = Some(number()?),
            'P' => {
                complain(
                    "rg",
                    "PCRE2 is not available in this build; use grep -P for look-around and back-references",
                );
                return Err(2);
            }
            'z' => {
                complain(
                    "rg",
                    "searching compressed files is not supported; use zcat FILE | rg PATTERN",
                );
                return Err(2);
            }
            'p' => (o.color, o.heading, o.line_number) = (true, true, Some(true)),
            'h' => {
                print!("{HELP}");
                return Err(0);
            }
            'V' => {
                println!("ripgrep 15.0.0 (hardshell)");
                return Err(0);
            }
            '\u{100}' => o.mode = Mode::Files,
            '\u{101}' => o.mode = Mode::FilesWithoutMatch,
            '\u{102}' => o.mode = Mode::CountMatches,
            '\u{103}' => (o.column, o.line_number) = (true, o.line_number.or(Some(true))),
            '\u{104}' => o.heading = true,
            '\u{105}' => o.heading = false,
            '\u{106}' => o.passthru = true,
            '\u{107}' => o.max_filesize = hardshell_cli::parse_size(&value),
            '\u{108}' => o.dot_all = true,
            '\u{109}' => o.crlf = true,
            '\u{10a}' => o.trim = true,
            '\u{10b}' => o.no_ignore = true,
            '\u{10c}' => o.no_ignore_vcs = true,
            '\u{10d}' => o.iglobs.push(text()),
            '\u{10e}' => o.type_add.push(text()),
            '\u{10f}' => o.mode = Mode::TypeList,
            '\u{110}' => o.ignore_files.push(value),
            '\u{111}' => o.sort = Some(text()),
            '\u{112}' => (o.sort, o.reverse) = (Some(text()), true),
            '\u{113}' => o.color = matches!(text().as_str(), "always" | "ansi"),
            '\u{115}' => {
                (o.vimgrep, o.column, o.line_number, o.filename) =
                    (true, true, Some(true), Some(true))
            }
            '\u{116}' => o.stats = true,
            '\u{117}' => o.no_messages = true,
            '\u{118}' => o.max_columns_preview = true,
            '\u{119}' => o.separator = Some(value),
            '\u{11a}' => o.separator = None,
            '\u{11b}' => o.mode = Mode::Json,
            '\u{11c}' => o.unicode = false,
            '\u{11f}' => o.include_zero = true,
            _ => {}
        }
    }
    if !have && !matches!(o.mode, Mode::Files | Mode::TypeList) {
        if o.paths.is_empty() {
            eprintln!("rg: ripgrep requires at least one pattern to execute a search");
            return Err(2);
        }
        o.patterns
            .push(String::from_utf8_lossy(&o.paths.remove(0)).into_owned());
    }
    if o.unrestricted > 0 {
        o.no_ignore = true;
        o.hidden |= o.unrestricted > 1;
        o.text |= o.unrestricted > 2;
    }
    Ok(o)
}
