//! `diff` and `sdiff`.

use std::collections::BTreeSet;

use hardshell_cli::glob::{Flags, matches};
use hardshell_cli::stat::{Stat, stat};
use hardshell_cli::time::{Zone, strftime};
use hardshell_cli::{Arg, Item, Opt, Out, Parser, complain, errno_text, join, open_input, path};
use hardshell_posix_regex::{Options as RegexOptions, Regex, Syntax};

use crate::compare::{Ignore, changes, lines};
use crate::formats::{self, Pair};

const OPTIONS: &[Opt] = &[
    Opt::long('\u{1}', "normal", Arg::No),
    Opt::new('q', "brief", Arg::No),
    Opt::new('s', "report-identical-files", Arg::No),
    Opt::new('c', "", Arg::No),
    Opt::new('C', "context", Arg::Yes),
    Opt::new('u', "", Arg::No),
    Opt::new('U', "unified", Arg::Yes),
    Opt::new('e', "ed", Arg::No),
    Opt::new('n', "rcs", Arg::No),
    Opt::new('y', "side-by-side", Arg::No),
    Opt::new('W', "width", Arg::Yes),
    Opt::long('\u{2}', "left-column", Arg::No),
    Opt::long('\u{3}', "suppress-common-lines", Arg::No),
    Opt::new('p', "show-c-function", Arg::No),
    Opt::new('F', "show-function-line", Arg::Yes),
    Opt::long('\u{4}', "label", Arg::Yes),
    Opt::new('L', "", Arg::Yes),
    Opt::new('t', "expand-tabs", Arg::No),
    Opt::new('T', "initial-tab", Arg::No),
    Opt::new('r', "recursive", Arg::No),
    Opt::new('N', "new-file", Arg::No),
    Opt::new('P', "unidirectional-new-file", Arg::No),
    Opt::long('\u{5}', "ignore-file-name-case", Arg::No),
    Opt::new('x', "exclude", Arg::Yes),
    Opt::new('X', "exclude-from", Arg::Yes),
    Opt::new('S', "starting-file", Arg::Yes),
    Opt::new('i', "ignore-case", Arg::No),
    Opt::new('E', "ignore-tab-expansion", Arg::No),
    Opt::new('Z', "ignore-trailing-space", Arg::No),
    Opt::new('b', "ignore-space-change", Arg::No),
    Opt::new('w', "ignore-all-space", Arg::No),
    Opt::new('B', "ignore-blank-lines", Arg::No),
    Opt::new('I', "ignore-matching-lines", Arg::Yes),
    Opt::new('a', "text", Arg::No),
    Opt::long('\u{6}', "strip-trailing-cr", Arg::No),
    Opt::new('d', "minimal", Arg::No),
    Opt::new('H', "speed-large-files", Arg::No),
    Opt::long('\u{7}', "color", Arg::Maybe),
    Opt::long('\u{8}', "no-dereference", Arg::No),
    Opt::long('\u{e}', "help", Arg::No),
    Opt::new('v', "version", Arg::No),
    Opt::new('l', "paginate", Arg::No),
];

const HELP: &str = "\
Usage: diff [OPTION]... FILES
Compare FILES line by line.

      --normal                  output a normal diff (the default)
  -q, --brief                   report only when files differ
  -s, --report-identical-files  report when two files are the same
  -c, -C NUM, --context[=NUM]   output NUM (default 3) lines of copied context
  -u, -U NUM, --unified[=NUM]   output NUM (default 3) lines of unified context
  -e, --ed                      output an ed script
  -n, --rcs                     output an RCS format diff
  -y, --side-by-side            output in two columns
  -W, --width=NUM               output at most NUM (default 130) print columns
      --left-column             output only the left column of common lines
      --suppress-common-lines   do not output common lines
  -p, --show-c-function         show which C function each change is in
      --label LABEL             use LABEL instead of file name and timestamp
  -r, --recursive               recursively compare any subdirectories found
  -N, --new-file                treat absent files as empty
  -x, --exclude=PAT             exclude files that match PAT
  -X, --exclude-from=FILE       exclude files that match any pattern in FILE
  -i, --ignore-case             ignore case differences in file contents
  -E, --ignore-tab-expansion    ignore changes due to tab expansion
  -Z, --ignore-trailing-space   ignore white space at line end
  -b, --ignore-space-change     ignore changes in the amount of white space
  -w, --ignore-all-space        ignore all white space
  -B, --ignore-blank-lines      ignore changes where lines are all blank
  -I, --ignore-matching-lines=RE  ignore changes where all lines match RE
  -a, --text                    treat all files as text
      --strip-trailing-cr       strip trailing carriage return on input

FILES are 'FILE1 FILE2' or 'DIR1 DIR2' or 'DIR FILE' or 'FILE DIR'.
Exit status is 0 if inputs are the same, 1 if different, 2 if trouble.
";

#[derive(Clone, Copy, PartialEq)]
enum Style {
    Normal,
    Context(usize),
    Unified(usize),
    Ed,
    Rcs,
    Side,
}

struct Run {
    style: Style,
    brief: bool,
    identical: bool,
    width: usize,
    left_only: bool,
    no_common: bool,
    functions: bool,
    labels: Vec<Vec<u8>>,
    recursive: bool,
    new_file: bool,
    exclude: Vec<Vec<u8>>,
    ignore: Ignore,
    ignore_lines: Vec<Regex>,
    text: bool,
    /// The options as given, for the headers of a recursive run.
    shown: Vec<u8>,
    out: Out,
    status: i32,
}

pub fn run(args: Vec<Vec<u8>>, side: bool) -> i32 {
    let mut r = Run {
        style: if side { Style::Side } else { Style::Normal },
        brief: false,
        identical: false,
        width: 130,
        left_only: false,
        no_common: false,
        functions: false,
        labels: Vec::new(),
        recursive: false,
        new_file: false,
        exclude: Vec::new(),
        ignore: Ignore::default(),
        ignore_lines: Vec::new(),
        text: false,
        shown: Vec::new(),
        out: Out::stdout(),
        status: 0,
    };
    let name = if side { "sdiff" } else { "diff" };
    let mut files: Vec<Vec<u8>> = Vec::new();
    for word in args
        .iter()
        .skip(1)
        .filter(|w| w.len() > 1 && w.starts_with(b"-"))
    {
        r.shown.push(b' ');
        r.shown.extend_from_slice(word);
    }
    // `-u`, `--unified`, `--context` without a number, and `-5u`.
    let args: Vec<Vec<u8>> = args
        .into_iter()
        .map(|w| match w.as_slice() {
            b"--unified" => b"-u".to_vec(),
            b"--context" => b"-c".to_vec(),
            _ => w,
        })
        .collect();
    let mut parser = Parser::new(name, OPTIONS, args);
    loop {
        let (id, value) = match parser.next() {
            Ok(Some(Item::Operand(word))) => {
                files.push(word);
                continue;
            }
            Ok(Some(Item::Opt(id, value))) => (id, value.unwrap_or_default()),
            Ok(None) => break,
            Err(()) => return 2,
        };
        let number = || String::from_utf8_lossy(&value).parse::<usize>().ok();
        match id {
            '\u{1}' => r.style = Style::Normal,
            'q' => r.brief = true,
            's' => r.identical = true,
            'c' => r.style = Style::Context(3),
            'u' => r.style = Style::Unified(3),
            'C' | 'U' => {
                let Some(n) = number() else {
                    complain(
                        name,
                        format!(
                            "invalid context length '{}'",
                            String::from_utf8_lossy(&value)
                        ),
                    );
                    complain(name, format!("Try '{name} --help' for more information."));
                    return 2;
                };
                r.style = if id == 'C' {
                    Style::Context(n)
                } else {
                    Style::Unified(n)
                };
            }
            'e' => r.style = Style::Ed,
            'n' => r.style = Style::Rcs,
            'y' => r.style = Style::Side,
            'W' => r.width = number().unwrap_or(130),
            '\u{2}' => r.left_only = true,
            '\u{3}' => r.no_common = true,
            'p' => r.functions = true,
            '\u{4}' | 'L' => r.labels.push(value),
            'r' => r.recursive = true,
            'N' | 'P' => r.new_file = true,
            'x' => r.exclude.push(value),
            'X' => match open_input(&value).and_then(|mut i| i.read_all()) {
                Ok(text) => r.exclude.extend(
                    text.split(|b| *b == b'\n')
                        .filter(|l| !l.is_empty())
                        .map(<[u8]>::to_vec),
                ),
                Err(error) => {
                    complain(
                        name,
                        format!(
                            "{}: {}",
                            String::from_utf8_lossy(&value),
                            errno_text(&error)
                        ),
                    );
                    return 2;
                }
            },
            'i' => r.ignore.case = true,
            'E' => r.ignore.tab_expansion = true,
            'Z' => r.ignore.trailing_space = true,
            'b' => r.ignore.space_change = true,
            'w' => r.ignore.all_space = true,
            'B' => r.ignore.blank_lines = true,
            'I' => match Regex::new(&value, &RegexOptions::new(Syntax::Basic)) {
                Ok(regex) => r.ignore_lines.push(regex),
                Err(error) => {
                    complain(
                        name,
                        format!("{}: {error}", String::from_utf8_lossy(&value)),
                    );
                    return 2;
                }
            },
            'a' => r.text = true,
            '\u{6}' => r.ignore.trailing_cr = true,
            '\u{e}' => {
                print!("{HELP}");
                return 0;
            }
            'v' => {
                println!("{name} (hardshell) compatible with GNU diffutils 3.8");
                return 0;
            }
            _ => {}
        }
    }
    match files.as_slice() {
        [a, b] => {
            let (a, b) = (a.clone(), b.clone());
            r.top(&a, &b);
        }
        [] => {
            complain(name, format!("missing operand after '{name}'"));
            complain(name, format!("Try '{name} --help' for more information."));
            return 2;
        }
        [one] => {
            complain(
                name,
                format!("missing operand after '{}'", String::from_utf8_lossy(one)),
            );
            complain(name, format!("Try '{name} --help' for more information."));
            return 2;
        }
        [_, _, third, ..] => {
            complain(
                name,
                format!("extra operand '{}'", String::from_utf8_lossy(third)),
            );
            complain(name, format!("Try '{name} --help' for more information."));
            return 2;
        }
    }
    if let Err(error) = r.out.finish() {
        complain(name, format!("standard output: {}", errno_text(&error)));
        return 2;
    }
    r.status
}

impl Run {
    fn raise(&mut self, status: i32) {
        self.status = self.status.max(status);
    }

    fn trouble(&mut self, file: &[u8], error: &std::io::Error) {
        self.out.flush();
        complain(
            "diff",
            format!("{}: {}", String::from_utf8_lossy(file), errno_text(error)),
        );
        self.raise(2);
    }

    fn meta(&mut self, file: &[u8]) -> Option<Option<Stat>> {
        if file == b"-" {
            return Some(Some(Stat {
                mode: 0o100_644,
                ..Stat::default()
            }));
        }
        match stat(file) {
            Ok(meta) => Some(Some(meta)),
            Err(error) if self.new_file && error.kind() == std::io::ErrorKind::NotFound => {
                Some(None)
            }
            Err(error) => {
                self.trouble(file, &error);
                None
            }
        }
    }

    fn top(&mut self, a: &[u8], b: &[u8]) {
        let (ma, mb) = (self.meta(a), self.meta(b));
        let (Some(ma), Some(mb)) = (ma, mb) else {
            return;
        };
        let dir = |m: &Option<Stat>| m.as_ref().is_some_and(Stat::is_dir);
        match (dir(&ma), dir(&mb)) {
            (true, true) => self.folders(a, b, 0),
            (true, false) if mb.is_some() => {
                self.files(&join(a, hardshell_cli::base_name(b)), b, false)
            }
            (false, true) if ma.is_some() => {
                self.files(a, &join(b, hardshell_cli::base_name(a)), false)
            }
            _ => self.files(a, b, false),
        }
    }

    fn listing(&mut self, folder: &[u8]) -> BTreeSet<Vec<u8>> {
        let mut names = BTreeSet::new();
        match std::fs::read_dir(path(folder)) {
            Ok(entries) => {
                for entry in entries.flatten() {
                    let name = entry.file_name();
                    let name = hardshell_cli::bytes(&name);
                    if !self
                        .exclude
                        .iter()
                        .any(|p| matches(p, name, Flags::default()))
                    {
                        names.insert(name.to_vec());
                    }
                }
            }
            Err(error) if self.new_file && error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => self.trouble(folder, &error),
        }
        names
    }

    fn folders(&mut self, a: &[u8], b: &[u8], depth: usize) {
        if depth > 1000 {
            complain("diff", "folders are nested too deeply");
            return self.raise(2);
        }
        let left = self.listing(a);
        let right = self.listing(b);
        for name in left.union(&right) {
            let (fa, fb) = (join(a, name), join(b, name));
            let (in_a, in_b) = (left.contains(name), right.contains(name));
            if !(in_a && in_b) && !self.new_file {
                let folder = if in_a { a } else { b };
                self.out.put(b"Only in ");
                self.out.put(folder);
                self.out.put(b": ");
                self.out.put(name);
                self.out.byte(b'\n');
                self.raise(1);
                continue;
            }
            let kind = |present: bool, file: &[u8]| {
                if present {
                    stat(file).ok().map(|m| m.is_dir())
                } else {
                    None
                }
            };
            match (kind(in_a, &fa), kind(in_b, &fb)) {
                (Some(true), Some(true)) | (Some(true), None) | (None, Some(true)) => {
                    if self.recursive {
                        self.folders(&fa, &fb, depth + 1);
                    } else {
                        self.out.put(b"Common subdirectories: ");
                        self.out.put(&fa);
                        self.out.put(b" and ");
                        self.out.put(&fb);
                        self.out.byte(b'\n');
                    }
                }
                (Some(true), Some(false)) | (Some(false), Some(true)) => {
                    let what = |is_dir: bool| if is_dir { "directory" } else { "regular file" };
                    let a_dir = kind(in_a, &fa) == Some(true);
                    let text = format!(
                        "File {} is a {} while file {} is a {}\n",
                        String::from_utf8_lossy(&fa),
                        what(a_dir),
                        String::from_utf8_lossy(&fb),
                        what(!a_dir)
                    );
                    self.out.put(text.as_bytes());
                    self.raise(1);
                }
                _ => self.files(&fa, &fb, true),
            }
        }
    }

    fn load(&mut self, file: &[u8]) -> Option<Vec<u8>> {
        match open_input(file).and_then(|mut i| i.read_all()) {
            Ok(data) => Some(data),
            Err(error) if self.new_file && error.kind() == std::io::ErrorKind::NotFound => {
                Some(Vec::new())
            }
            Err(error) => {
                self.trouble(file, &error);
                None
            }
        }
    }

    fn files(&mut self, a: &[u8], b: &[u8], in_folders: bool) {
        let same_name = a == b && a == b"-";
        let (Some(text_a), Some(text_b)) = (
            self.load(a),
            if same_name {
                Some(Vec::new())
            } else {
                self.load(b)
            },
        ) else {
            return;
        };
        let text_b = if same_name { text_a.clone() } else { text_b };
        let name = |f: &[u8]| String::from_utf8_lossy(f).into_owned();
        if text_a == text_b {
            if self.identical {
                self.out
                    .put(format!("Files {} and {} are identical\n", name(a), name(b)).as_bytes());
            }
            if self.style == Style::Side && !self.brief {
                let la = lines(&text_a);
                formats::side_by_side(
                    &Pair {
                        a: &la,
                        b: &la,
                        changes: &[],
                    },
                    self.width,
                    self.left_only,
                    self.no_common,
                    &mut self.out,
                );
            }
            return;
        }
        let binary = |t: &[u8]| memchr::memchr(0, &t[..t.len().min(32 * 1024)]).is_some();
        if !self.text && (binary(&text_a) || binary(&text_b)) {
            let word = if self.brief { "Files" } else { "Binary files" };
            self.out
                .put(format!("{word} {} and {} differ\n", name(a), name(b)).as_bytes());
            return self.raise(1);
        }
        let (la, lb) = (lines(&text_a), lines(&text_b));
        let mut found = changes(&la, &lb, self.ignore);
        if !self.ignore_lines.is_empty() {
            let ignored = |l: &&[u8]| {
                let body = l.strip_suffix(b"\n").unwrap_or(l);
                self.ignore_lines.iter().any(|r| r.is_match(body))
            };
            found.retain(|c| {
                !(la[c.before.0..c.before.1].iter().all(ignored)
                    && lb[c.after.0..c.after.1].iter().all(ignored))
            });
        }
        if found.is_empty() {
            if self.identical {
                self.out
                    .put(format!("Files {} and {} are identical\n", name(a), name(b)).as_bytes());
            }
            return;
        }
        self.raise(1);
        if self.brief {
            self.out
                .put(format!("Files {} and {} differ\n", name(a), name(b)).as_bytes());
            return;
        }
        if in_folders {
            self.out.put(b"diff");
            let shown = self.shown.clone();
            self.out.put(&shown);
            self.out
                .put(format!(" {} {}\n", name(a), name(b)).as_bytes());
        }
        let pair = Pair {
            a: &la,
            b: &lb,
            changes: &found,
        };
        match self.style {
            Style::Normal => formats::normal(&pair, &mut self.out),
            Style::Ed => formats::ed(&pair, &mut self.out),
            Style::Rcs => formats::rcs(&pair, &mut self.out),
            Style::Side => formats::side_by_side(
                &pair,
                self.width,
                self.left_only,
                self.no_common,
                &mut self.out,
            ),
            Style::Unified(n) => {
                self.header("---", a, 0);
                self.header("+++", b, 1);
                formats::unified(&pair, n, self.functions, &mut self.out);
            }
            Style::Context(n) => {
                self.header("***", a, 0);
                self.header("---", b, 1);
                formats::context(&pair, n, &mut self.out);
            }
        }
    }

    fn header(&mut self, mark: &str, file: &[u8], index: usize) {
        self.out.put(mark.as_bytes());
        self.out.byte(b' ');
        if let Some(label) = self.labels.get(index) {
            self.out.put(label);
            self.out.byte(b'\n');
            return;
        }
        self.out.put(file);
        self.out.byte(b'\t');
        let time = if file == b"-" {
            None
        } else {
            stat(file).ok().map(|m| m.mtime)
        };
        let time = time.unwrap_or(if file == b"-" {
            i128::from(hardshell_cli::time::now()) * 1_000_000_000
        } else {
            0
        });
        let seconds = i64::try_from(time.div_euclid(1_000_000_000)).unwrap_or(0);
        let format = if matches!(self.style, Style::Context(_)) {
            "%a %b %e %H:%M:%S %Y".to_owned()
        } else {
            format!("%Y-%m-%d %H:%M:%S.{:09} %z", time.rem_euclid(1_000_000_000))
        };
        self.out
            .put(&strftime(format.as_bytes(), seconds, &Zone::local(), false));
        self.out.byte(b'\n');
    }
}
