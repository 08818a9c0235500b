//! `du`.

use std::collections::HashSet;

use hardshell_cli::stat::{lstat, stat};
use hardshell_cli::{Arg, Item, Opt, Out, Parser, complain, errno_text, human, join, path};

const OPTIONS: &[Opt] = &[
    Opt::new('a', "all", Arg::No),
    Opt::new('s', "summarize", Arg::No),
    Opt::new('h', "human-readable", Arg::No),
    Opt::long('\u{1}', "si", Arg::No),
    Opt::new('k', "", Arg::No),
    Opt::new('m', "", Arg::No),
    Opt::new('b', "bytes", Arg::No),
    Opt::new('B', "block-size", Arg::Yes),
    Opt::new('c', "total", Arg::No),
    Opt::new('d', "max-depth", Arg::Yes),
    Opt::new('S', "separate-dirs", Arg::No),
    Opt::new('L', "dereference", Arg::No),
    Opt::new('D', "dereference-args", Arg::No),
    Opt::new('H', "", Arg::No),
    Opt::new('P', "no-dereference", Arg::No),
    Opt::new('l', "count-links", Arg::No),
    Opt::new('x', "one-file-system", Arg::No),
    Opt::new('0', "null", Arg::No),
    Opt::new('t', "threshold", Arg::Yes),
    Opt::long('\u{2}', "apparent-size", Arg::No),
    Opt::long('\u{3}', "exclude", Arg::Yes),
    Opt::long('\u{4}', "inodes", Arg::No),
    Opt::long('\u{5}', "help", Arg::No),
    Opt::long('\u{6}', "version", Arg::No),
];

const HELP: &str = "\
Usage: du [OPTION]... [FILE]...
Summarize device usage of the set of FILEs, recursively for directories.

  -0, --null            end each output line with NUL, not newline
  -a, --all             write counts for all files, not just directories
      --apparent-size   print apparent sizes rather than device usage
  -B, --block-size=SIZE  scale sizes by SIZE before printing them
  -b, --bytes           equivalent to '--apparent-size --block-size=1'
  -c, --total           produce a grand total
  -d, --max-depth=N     print the total for a directory only if it is N or fewer levels below
  -h, --human-readable  print sizes in human readable format (e.g., 1K 234M 2G)
      --inodes          list inode usage information instead of block usage
  -k                    like --block-size=1K
  -L, --dereference     dereference all symbolic links
  -l, --count-links     count sizes many times if hard linked
  -m                    like --block-size=1M
  -S, --separate-dirs   for directories do not include size of subdirectories
      --si              like -h, but use powers of 1000 not 1024
  -s, --summarize       display only a total for each argument
  -t, --threshold=SIZE  exclude entries smaller than SIZE
      --exclude=PATTERN  exclude files that match PATTERN
";

struct Settings {
    all: bool,
    max_depth: usize,
    human: u64,
    block: u64,
    apparent: bool,
    inodes: bool,
    separate: bool,
    follow: bool,
    count_links: bool,
    end: u8,
    threshold: i64,
    exclude: Vec<Vec<u8>>,
}

struct Run {
    s: Settings,
    out: Out,
    seen: HashSet<(u64, u64)>,
    status: i32,
}

pub fn run(_: &str, args: Vec<Vec<u8>>) -> i32 {
    let mut s = Settings {
        all: false,
        max_depth: usize::MAX,
        human: 0,
        block: 1024,
        apparent: false,
        inodes: false,
        separate: false,
        follow: false,
        count_links: false,
        end: b'\n',
        threshold: 0,
        exclude: Vec::new(),
    };
    let (mut total, mut summarize, mut files) = (false, false, Vec::new());
    let mut parser = Parser::new("du", OPTIONS, args);
    loop {
        match parser.next() {
            Ok(Some(Item::Operand(word))) => files.push(word),
            Ok(Some(Item::Opt(id, value))) => {
                let value = value.unwrap_or_default();
                let size = || hardshell_cli::parse_size(&value);
                match id {
                    'a' => s.all = true,
                    's' => summarize = true,
                    'h' => s.human = 1024,
                    '\u{1}' => s.human = 1000,
                    'k' => (s.block, s.human) = (1024, 0),
                    'm' => (s.block, s.human) = (1 << 20, 0),
                    'b' => (s.block, s.apparent, s.human) = (1, true, 0),
                    'B' => match size() {
                        Some(n) if n > 0 => s.block = n,
                        _ => {
                            complain(
                                "du",
                                format!(
                                    "invalid --block-size argument '{}'",
                                    String::from_utf8_lossy(&value)
                                ),
                            );
                            return 1;
                        }
                    },
                    'c' => total = true,
                    'd' => match String::from_utf8_lossy(&value).parse() {
                        Ok(n) => s.max_depth = n,
                        Err(_) => {
                            complain(
                                "du",
                                format!(
                                    "invalid maximum depth '{}'",
                                    String::from_utf8_lossy(&value)
                                ),
                            );
                            hardshell_cli::try_help("du");
                            return 1;
                        }
                    },
                    'S' => s.separate = true,
                    'L' => s.follow = true,
                    'l' => s.count_links = true,
                    '0' => s.end = 0,
                    't' => {
                        let (sign, digits) = match value.strip_prefix(b"-") {
                            Some(rest) => (-1, rest),
                            None => (1, value.as_slice()),
                        };
                        s.threshold = sign
                            * i64::try_from(hardshell_cli::parse_size(digits).unwrap_or(0))
                                .unwrap_or(i64::MAX);
                    }
                    '\u{2}' => s.apparent = true,
                    '\u{3}' => s.exclude.push(value),
                    '\u{4}' => s.inodes = true,
                    '\u{5}' => {
                        print!("{HELP}");
                        return 0;
                    }
                    '\u{6}' => {
                        println!("du (hardshell) 0.1");
                        return 0;
                    }
                    _ => {}
                }
            }
            Ok(None) => break,
            Err(()) => return 1,
        }
    }
    if summarize {
        if s.all {
            complain("du", "cannot both summarize and show all entries");
            hardshell_cli::try_help("du");
            return 1;
        }
        s.max_depth = 0;
    }
    if files.is_empty() {
        files.push(b".".to_vec());
    }
    let mut run = Run {
        s,
        out: Out::stdout(),
        seen: HashSet::new(),
        status: 0,
    };
    let mut sum = 0u64;
    for file in &files {
        sum = sum.saturating_add(run.walk(file, 0).unwrap_or(0));
    }
    if total {
        run.print(sum, b"total");
    }
    i32::from(run.out.finish().is_err()).max(run.status)
}

impl Run {
    fn print(&mut self, size: u64, name: &[u8]) {
        let signed = i64::try_from(size).unwrap_or(i64::MAX);
        if (self.s.threshold > 0 && signed < self.s.threshold)
            || (self.s.threshold < 0 && signed > -self.s.threshold)
        {
            return;
        }
        let text = if self.s.inodes {
            size.to_string()
        } else if self.s.human > 0 {
            human(size, self.s.human)
        } else {
            size.div_ceil(self.s.block).to_string()
        };
        self.out.put(text.as_bytes());
        self.out.byte(b'\t');
        self.out.put(name);
        self.out.byte(self.s.end);
    }

    fn walk(&mut self, file: &[u8], depth: usize) -> Option<u64> {
        if depth > 0 && !self.s.exclude.is_empty() {
            let name = hardshell_cli::base_name(file);
            let flags = hardshell_cli::glob::Flags::default();
            if self.s.exclude.iter().any(|p| {
                hardshell_cli::glob::matches(p, name, flags)
                    || hardshell_cli::glob::matches(p, file, flags)
            }) {
                return None;
            }
        }
        let meta = match if self.s.follow {
            stat(file)
        } else {
            lstat(file)
        } {
            Ok(meta) => meta,
            Err(error) => {
                self.status = 1;
                self.out.flush();
                complain(
                    "du",
                    format!(
                        "cannot access '{}': {}",
                        String::from_utf8_lossy(file),
                        errno_text(&error)
                    ),
                );
                return None;
            }
        };
        if !self.s.count_links
            && (meta.nlink > 1 || meta.is_dir())
            && !self.seen.insert((meta.dev, meta.ino))
        {
            return None;
        }
        let own = if self.s.inodes {
            1
        } else if self.s.apparent {
            if meta.is_dir() || meta.kind() == b'f' || meta.kind() == b'l' {
                meta.size
            } else {
                0
            }
        } else {
            meta.blocks * 512
        };
        if !meta.is_dir() {
            if self.s.all && depth <= self.s.max_depth || depth == 0 {
                self.print(own, file);
            }
            return Some(own);
        }
        if depth > 2000 {
            self.status = 1;
            complain(
                "du",
                format!(
                    "'{}': folders are nested too deeply",
                    String::from_utf8_lossy(file)
                ),
            );
            return None;
        }
        let mut sum = own;
        let mut shown = own;
        match std::fs::read_dir(path(file)) {
            Ok(entries) => {
                for entry in entries.flatten() {
                    let name = entry.file_name();
                    let child = join(file, hardshell_cli::bytes(&name));
                    let is_dir = entry.file_type().is_ok_and(|t| t.is_dir());
                    if let Some(size) = self.walk(&child, depth + 1) {
                        sum = sum.saturating_add(size);
                        if !is_dir {
                            shown = shown.saturating_add(size);
                        }
                    }
                }
            }
            Err(error) => {
                self.status = 1;
                self.out.flush();
                complain(
                    "du",
                    format!(
                        "cannot read directory '{}': {}",
                        String::from_utf8_lossy(file),
                        errno_text(&error)
                    ),
                );
            }
        }
        if depth <= self.s.max_depth {
            self.print(if self.s.separate { shown } else { sum }, file);
        }
        Some(sum)
    }
}
