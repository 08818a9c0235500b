//! The command line of `ls`.

use super::quote::Quoting;
use hardshell_cli::glob::{Flags, matches};
use hardshell_cli::{Arg, Item, Opt, Parser, complain};

/// When links are followed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Dereference {
    Never,
    /// Those named on the command line that lead to folders.
    OperandFolders,
    Operands,
    Always,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    Name,
    Size,
    Time,
    Extension,
    Version,
    Width,
    None,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Time {
    Modified,
    Accessed,
    Changed,
}

/// What stands behind a name.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Indicator {
    None,
    Slash,
    /// All but the `*` of programs.
    FileType,
    Classify,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Layout {
    Single,
    Down,
    Across,
    Commas,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Hidden {
    No,
    Almost,
    All,
}

pub(super) struct Settings {
    hidden: Hidden,
    ignore: Vec<Vec<u8>>,
    no_backups: bool,
    pub long: bool,
    pub owner: bool,
    pub group: bool,
    pub numeric: bool,
    pub inode: bool,
    pub blocks: bool,
    block_size: u64,
    /// Base of `-h` (1024) or `--si` (1000).
    pub human: Option<u64>,
    pub directory: bool,
    pub recursive: bool,
    pub reverse: bool,
    pub order: Order,
    pub folders_first: bool,
    pub time: Time,
    pub time_format: Option<Vec<u8>>,
    pub indicator: Indicator,
    pub layout: Layout,
    pub width: usize,
    pub quoting: Quoting,
    pub dereference: Dereference,
    pub color: bool,
    pub end: u8,
}

impl Settings {
    /// Whether a name in a folder is shown at all.
    pub fn shows(&self, name: &[u8]) -> bool {
        let hidden = match self.hidden {
            Hidden::All => false,
            Hidden::Almost => name == b"." || name == b"..",
            Hidden::No => name.first() == Some(&b'.'),
        };
        let flags = Flags::default();
        !hidden
            && !(self.no_backups && name.ends_with(b"~"))
            && !self
                .ignore
                .iter()
                .any(|pattern| matches(pattern, name, flags))
    }

    pub fn wants_meta(&self) -> bool {
        self.long
            || self.inode
            || self.blocks
            || self.recursive
            || self.color
            || self.folders_first
            || self.indicator != Indicator::None
            || matches!(self.order, Order::Size | Order::Time)
    }

    pub fn shows_total(&self) -> bool {
        self.long || self.blocks
    }

    /// A number of 512-byte blocks, in the unit that was asked for.
    pub fn blocks_text(&self, blocks: u64) -> String {
        let bytes = blocks.saturating_mul(512);
        match self.human {
            Some(base) => hardshell_cli::human(bytes, base),
            None => bytes.div_ceil(self.block_size).to_string(),
        }
    }
}

const HELP: &str = "\
Usage: ls [OPTION]... [FILE]...
List information about the FILEs (the current directory by default).

  -a, --all                  do not ignore entries starting with .
  -A, --almost-all           do not list implied . and ..
  -b, --escape               print C-style escapes for nongraphic characters
  -B, --ignore-backups       do not list implied entries ending with ~
  -c                         with -lt: sort by, and show, ctime
  -C                         list entries by columns
      --color[=WHEN]         color the output WHEN; 'always', 'auto', 'never'
  -d, --directory            list directories themselves, not their contents
  -f                         list all entries in directory order
  -F, --classify             append indicator (one of */=>@|) to entries
      --file-type            likewise, except do not append '*'
      --full-time            like -l --time-style=full-iso
  -g                         like -l, but do not list owner
      --group-directories-first
  -G, --no-group             in a long listing, don't print group names
  -h, --human-readable       with -l and -s, print sizes like 1K 234M 2G
      --si                   likewise, but use powers of 1000 not 1024
  -H, --dereference-command-line
  -i, --inode                print the index number of each file
  -I, --ignore=PATTERN       do not list implied entries matching PATTERN
  -k, --kibibytes            default to 1024-byte blocks
  -l                         use a long listing format
  -L, --dereference          show information for what links lead to
  -m                         fill width with a comma separated list
  -n, --numeric-uid-gid      like -l, but list numeric user and group IDs
  -N, --literal              print entry names without quoting
  -o                         like -l, but do not list group information
  -p                         append / indicator to directories
  -q, --hide-control-chars   print ? instead of nongraphic characters
  -Q, --quote-name           enclose entry names in double quotes
      --quoting-style=WORD   literal, shell, shell-always, shell-escape,
                             shell-escape-always, c, escape
  -r, --reverse              reverse order while sorting
  -R, --recursive            list subdirectories recursively
  -s, --size                 print the allocated size of each file, in blocks
  -S                         sort by file size, largest first
      --sort=WORD            none, size, time, version, extension, width, name
  -t                         sort by time, newest first
      --time=WORD            atime, ctime, mtime
      --time-style=STYLE     full-iso, long-iso, iso, locale, +FORMAT
  -u                         with -lt: sort by, and show, access time
  -U                         do not sort; list entries in directory order
  -v                         natural sort of (version) numbers within text
  -w, --width=COLS           set output width to COLS
  -x                         list entries by lines instead of by columns
  -X                         sort alphabetically by entry extension
      --zero                 end each output line with NUL, not newline
  -1                         list one file per line
      --help                 display this help and exit
      --version              output version information and exit

Exit status: 0 if OK, 1 if minor problems, 2 if serious trouble.
";

const OPTIONS: &[Opt] = &[
    Opt::new('a', "all", Arg::No),
    Opt::new('A', "almost-all", Arg::No),
    Opt::new('b', "escape", Arg::No),
    Opt::new('B', "ignore-backups", Arg::No),
    Opt::new('c', "", Arg::No),
    Opt::new('C', "", Arg::No),
    Opt::new('d', "directory", Arg::No),
    Opt::new('f', "", Arg::No),
    Opt::new('F', "classify", Arg::Maybe),
    Opt::new('g', "", Arg::No),
    Opt::new('G', "no-group", Arg::No),
    Opt::new('h', "human-readable", Arg::No),
    Opt::new('H', "dereference-command-line", Arg::No),
    Opt::new('i', "inode", Arg::No),
    Opt::new('I', "ignore", Arg::Yes),
    Opt::new('k', "kibibytes", Arg::No),
    Opt::new('l', "", Arg::No),
    Opt::new('L', "dereference", Arg::No),
    Opt::new('m', "", Arg::No),
    Opt::new('n', "numeric-uid-gid", Arg::No),
    Opt::new('N', "literal", Arg::No),
    Opt::new('o', "", Arg::No),
    Opt::new('p', "", Arg::No),
    Opt::new('q', "hide-control-chars", Arg::No),
    Opt::new('Q', "quote-name", Arg::No),
    Opt::new('r', "reverse", Arg::No),
    Opt::new('R', "recursive", Arg::No),
    Opt::new('s', "size", Arg::No),
    Opt::new('S', "", Arg::No),
    Opt::new('t', "", Arg::No),
    Opt::new('u', "", Arg::No),
    Opt::new('U', "", Arg::No),
    Opt::new('v', "", Arg::No),
    Opt::new('w', "width", Arg::Yes),
    Opt::new('x', "", Arg::No),
    Opt::new('X', "", Arg::No),
    Opt::new('1', "", Arg::No),
    Opt::long('\u{1}', "color", Arg::Maybe),
    Opt::long('\u{2}', "file-type", Arg::No),
    Opt::long('\u{3}', "full-time", Arg::No),
    Opt::long('\u{4}', "group-directories-first", Arg::No),
    Opt::long('\u{5}', "si", Arg::No),
    Opt::long('\u{6}', "quoting-style", Arg::Yes),
    Opt::long('\u{7}', "sort", Arg::Yes),
    Opt::long('\u{8}', "time", Arg::Yes),
    Opt::long('\u{e}', "time-style", Arg::Yes),
    Opt::long('\u{f}', "zero", Arg::No),
    Opt::long('\u{10}', "indicator-style", Arg::Yes),
    Opt::long('\u{11}', "dereference-command-line-symlink-to-dir", Arg::No),
    Opt::long('\u{12}', "help", Arg::No),
    Opt::long('\u{13}', "version", Arg::No),
    Opt::long('\u{14}', "show-control-chars", Arg::No),
];

/// Settings and operands, or the status to end with.
pub(super) fn parse(name: &str, args: Vec<Vec<u8>>) -> Result<(Settings, Vec<Vec<u8>>), i32> {
    let terminal = hardshell_sys::window_size(1).ok();
    let mut s = Settings {
        hidden: Hidden::No,
        ignore: Vec::new(),
        no_backups: false,
        long: name == "vdir",
        owner: true,
        group: true,
        numeric: false,
        inode: false,
        blocks: false,
        block_size: 1024,
        human: None,
        directory: false,
        recursive: false,
        reverse: false,
        order: Order::Name,
        folders_first: false,
        time: Time::Modified,
        time_format: None,
        indicator: Indicator::None,
        layout: if terminal.is_some() || name == "dir" {
            Layout::Down
        } else {
            Layout::Single
        },
        width: terminal.map_or(80, |(_, columns)| usize::from(columns.max(1))),
        quoting: match (name, terminal.is_some()) {
            ("dir" | "vdir", _) => Quoting::Escape,
            (_, true) => Quoting::ShellEscape,
            (_, false) => Quoting::Literal,
        },
        dereference: Dereference::Never,
        color: false,
        end: b'\n',
    };
    let (mut dereference, mut order) = (None, None);
    let (mut all_orders, mut files) = (false, Vec::new());
    let mut parser = Parser::new(name, OPTIONS, args);
    loop {
        let (id, value) = match parser.next() {
            Ok(Some(Item::Operand(file))) => {
                files.push(file);
                continue;
            }
            Ok(Some(Item::Opt(id, value))) => (id, value),
            Ok(None) => break,
            Err(()) => return Err(2),
        };
        let word = value.unwrap_or_default();
        match id {
            'a' => s.hidden = Hidden::All,
            'A' => s.hidden = Hidden::Almost,
            'b' => s.quoting = Quoting::Escape,
            'B' => s.no_backups = true,
            'c' => s.time = Time::Changed,
            'C' => s.layout = Layout::Down,
            'd' => s.directory = true,
            'f' => {
                (s.hidden, s.long, all_orders) = (Hidden::All, false, true);
                order = Some(Order::None);
            }
            'F' => s.indicator = classify(name, &word, terminal.is_some())?,
            'g' => (s.long, s.owner) = (true, false),
            'G' => s.group = false,
            'h' => s.human = Some(1024),
            'H' => dereference = Some(Dereference::Operands),
            'i' => s.inode = true,
            'I' => s.ignore.push(word),
            'k' => s.block_size = 1024,
            'l' => s.long = true,
            'L' => dereference = Some(Dereference::Always),
            'm' => s.layout = Layout::Commas,
            'n' => (s.long, s.numeric) = (true, true),
            'N' | '\u{14}' => s.quoting = Quoting::Literal,
            'o' => (s.long, s.group) = (true, false),
            'p' => s.indicator = Indicator::Slash,
            'q' => s.quoting = Quoting::QuestionMarks,
            'Q' => s.quoting = Quoting::C,
            'r' => s.reverse = true,
            'R' => s.recursive = true,
            's' => s.blocks = true,
            'S' => order = Some(Order::Size),
            't' => order = Some(Order::Time),
            'u' => s.time = Time::Accessed,
            'U' => order = Some(Order::None),
            'v' => order = Some(Order::Version),
            'w' => s.width = width(name, &word)?,
            'x' => s.layout = Layout::Across,
            'X' => order = Some(Order::Extension),
            '1' if !s.long => s.layout = Layout::Single,
            '\u{1}' => s.color = when(name, "color", &word, terminal.is_some())?,
            '\u{2}' => s.indicator = Indicator::FileType,
            '\u{3}' => (s.long, s.time_format) = (true, time_format(name, b"full-iso")?),
            '\u{4}' => s.folders_first = true,
            '\u{5}' => s.human = Some(1000),
            '\u{6}' => {
                s.quoting =
                    Quoting::parse(&word).ok_or_else(|| bad(name, "quoting-style", &word))?
            }
            '\u{7}' => order = Some(order_named(&word).ok_or_else(|| bad(name, "sort", &word))?),
            '\u{8}' => s.time = time_named(&word).ok_or_else(|| bad(name, "time", &word))?,
            '\u{e}' => s.time_format = time_format(name, &word)?,
            '\u{f}' => (s.end, s.layout, s.quoting) = (0, Layout::Single, Quoting::Literal),
            '\u{10}' => {
                s.indicator = match word.as_slice() {
                    b"none" => Indicator::None,
                    b"slash" => Indicator::Slash,
                    b"file-type" => Indicator::FileType,
                    b"classify" => Indicator::Classify,
                    _ => return Err(bad(name, "indicator-style", &word)),
                }
            }
            '\u{11}' => dereference = Some(Dereference::OperandFolders),
            '\u{12}' => {
                print!("{HELP}");
                return Err(0);
            }
            '\u{13}' => {
                println!("{name} (hardshell) 0.1");
                return Err(0);
            }
            _ => {}
        }
    }
    s.order = order.unwrap_or(if s.time != Time::Modified && !s.long {
        // The time asked for is of no use but to sort by it.
        Order::Time
    } else {
        Order::Name
    });
    if all_orders {
        s.reverse = false;
    }
    s.dereference = dereference.unwrap_or(
        if s.long || s.directory || s.indicator == Indicator::Classify {
            Dereference::Never
        } else {
            Dereference::OperandFolders
        },
    );
    Ok((s, files))
}

fn bad(name: &str, option: &str, word: &[u8]) -> i32 {
    let word = String::from_utf8_lossy(word);
    complain(name, format!("invalid argument '{word}' for '--{option}'"));
    hardshell_cli::try_help(name);
    2
}

fn when(name: &str, option: &str, word: &[u8], terminal: bool) -> Result<bool, i32> {
    match word {
        b"" | b"always" | b"yes" | b"force" => Ok(true),
        b"auto" | b"tty" | b"if-tty" => Ok(terminal),
        b"never" | b"no" | b"none" => Ok(false),
        _ => Err(bad(name, option, word)),
    }
}

fn classify(name: &str, word: &[u8], terminal: bool) -> Result<Indicator, i32> {
    Ok(if when(name, "classify", word, terminal)? {
        Indicator::Classify
    } else {
        Indicator::None
    })
}

fn width(name: &str, word: &[u8]) -> Result<usize, i32> {
    let parsed = std::str::from_utf8(word)
        .ok()
        .and_then(|text| text.parse().ok());
    match parsed {
        Some(0) => Ok(usize::MAX),
        Some(columns) => Ok(columns),
        None => {
            let word = String::from_utf8_lossy(word);
            complain(name, format!("invalid line width: '{word}'"));
            Err(2)
        }
    }
}

fn order_named(word: &[u8]) -> Option<Order> {
    Some(match word {
        b"none" => Order::None,
        b"size" => Order::Size,
        b"time" => Order::Time,
        b"version" => Order::Version,
        b"extension" => Order::Extension,
        b"width" => Order::Width,
        b"name" => Order::Name,
        _ => return None,
    })
}

fn time_named(word: &[u8]) -> Option<Time> {
    Some(match word {
        b"atime" | b"access" | b"use" => Time::Accessed,
        b"ctime" | b"status" => Time::Changed,
        b"mtime" | b"modification" => Time::Modified,
        _ => return None,
    })
}

fn time_format(name: &str, word: &[u8]) -> Result<Option<Vec<u8>>, i32> {
    let style = word.strip_prefix(b"posix-").unwrap_or(word);
    Ok(Some(match style {
        b"full-iso" => b"%Y-%m-%d %H:%M:%S.%N %z".to_vec(),
        b"long-iso" => b"%Y-%m-%d %H:%M".to_vec(),
        // Two forms, for old and for recent files, as with a format of two lines.
        b"iso" => b"%Y-%m-%d \n%m-%d %H:%M".to_vec(),
        b"locale" => return Ok(None),
        _ => match style.strip_prefix(b"+") {
            Some(format) => format.to_vec(),
            None => return Err(bad(name, "time-style", word)),
        },
    }))
}
