//! The command line of `tar`.

use hardshell_cli::{complain, open_input};

use crate::formats::Format;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Create,
    Extract,
    List,
    Append,
    Diff,
}

pub struct Settings {
    pub archive: Vec<u8>,
    pub format: Option<Format>,
    pub by_name: bool,
    pub verbose: u32,
    pub keep_old: bool,
    pub skip_old: bool,
    pub to_stdout: bool,
    pub preserve: bool,
    pub touch: bool,
    pub strip: usize,
    pub excludes: Vec<Vec<u8>>,
    pub follow: bool,
    pub no_recursion: bool,
    pub wildcards: bool,
    pub absolute: bool,
    pub remove: bool,
    pub sort: bool,
    pub mtime: Option<i64>,
    pub owner: Option<String>,
    pub group: Option<String>,
    pub numeric: bool,
    pub status: i32,
    pub transform: Option<(Vec<u8>, Vec<u8>)>,
    pub exclude_vcs: bool,
}

/// An operand with the folder it is relative to.
pub struct Operand {
    pub folder: Vec<u8>,
    pub name: Vec<u8>,
}

const HELP: &str = "\
Usage: tar [OPTION...] [FILE]...
  tar -cf archive.tar foo bar  # Create archive.tar from files foo and bar.
  tar -tvf archive.tar         # List all files in archive.tar verbosely.
  tar -xf archive.tar          # Extract all files from archive.tar.

 Main operation mode:
  -c, --create   -x, --extract, --get   -t, --list   -r, --append   -d, --diff

  -f, --file=ARCHIVE         use archive file ('-' for standard input or output)
  -C, --directory=DIR        change to directory DIR
  -a, --auto-compress        use archive suffix to determine the compression program
  -z, --gzip   -j, --bzip2   -J, --xz   --zstd
  -v, --verbose              verbosely list files processed
  -p, --preserve-permissions extract information about file permissions
  -k, --keep-old-files       don't replace existing files when extracting
      --skip-old-files       don't replace existing files, silently skip them
  -O, --to-stdout            extract files to standard output
  -m, --touch                don't extract file modified time
  -h, --dereference          follow symlinks
  -T, --files-from=FILE      get names to extract or create from FILE
  -X, --exclude-from=FILE    exclude patterns listed in FILE
      --exclude=PATTERN      exclude files, given as a PATTERN
      --exclude-vcs          exclude version control system directories
      --strip-components=N   strip N leading components from names on extraction
      --no-recursion         avoid descending automatically in directories
      --wildcards            use wildcards in names to extract
      --sort=name            sort directory entries
      --mtime=DATE           set mtime for added files
      --owner=NAME --group=NAME --numeric-owner
      --remove-files         remove files after adding them to the archive
";

pub fn run(args: Vec<Vec<u8>>) -> i32 {
    let mut s = Settings {
        archive: b"-".to_vec(),
        format: None,
        by_name: false,
        verbose: 0,
        keep_old: false,
        skip_old: false,
        to_stdout: false,
        preserve: false,
        touch: false,
        strip: 0,
        excludes: Vec::new(),
        follow: false,
        no_recursion: false,
        wildcards: false,
        absolute: false,
        remove: false,
        sort: false,
        mtime: None,
        owner: None,
        group: None,
        numeric: false,
        status: 0,
        transform: None,
        exclude_vcs: false,
    };
    let mut mode = None;
    let mut folder: Vec<u8> = Vec::new();
    let mut operands: Vec<Operand> = Vec::new();
    let mut words: std::collections::VecDeque<Vec<u8>> = args.into_iter().skip(1).collect();
    // The old style: `tar czf x.tgz dir`.
    if let Some(first) = words.front()
        && !first.starts_with(b"-")
        && !first.is_empty()
    {
        let letters = words.pop_front().unwrap_or_default();
        let mut rest: Vec<Vec<u8>> = Vec::new();
        for letter in letters {
            rest.push(vec![b'-', letter]);
            if matches!(letter, b'f' | b'C' | b'T' | b'X' | b'b') {
                rest.extend(words.pop_front());
            }
        }
        for word in rest.into_iter().rev() {
            words.push_front(word);
        }
    }
    let fail = |text: &str| {
        complain("tar", text);
        eprintln!("Try 'tar --help' or 'tar --usage' for more information.");
        2
    };
    let mut only_operands = false;
    let mut file_given = false;
    while let Some(word) = words.pop_front() {
        if only_operands || word.len() < 2 || word[0] != b'-' {
            operands.push(Operand {
                folder: folder.clone(),
                name: word,
            });
            continue;
        }
        if word == b"--" {
            only_operands = true;
            continue;
        }
        // Long options are turned into pairs of name and value.
        let mut long_value: Option<Vec<u8>> = None;
        let letters: Vec<u8> = if word.starts_with(b"--") {
            let (name, value) = match word.iter().position(|b| *b == b'=') {
                Some(at) => (&word[2..at], Some(word[at + 1..].to_vec())),
                None => (&word[2..], None),
            };
            let needs = matches!(
                name,
                b"file"
                    | b"directory"
                    | b"files-from"
                    | b"exclude-from"
                    | b"exclude"
                    | b"strip-components"
                    | b"strip"
                    | b"sort"
                    | b"mtime"
                    | b"owner"
                    | b"group"
                    | b"transform"
                    | b"xform"
                    | b"format"
                    | b"mode"
                    | b"blocking-factor"
                    | b"use-compress-program"
            );
            long_value = if needs {
                value.or_else(|| words.pop_front())
            } else {
                value
            };
            let text = |v: &Option<Vec<u8>>| {
                String::from_utf8_lossy(v.as_deref().unwrap_or_default()).into_owned()
            };
            match name {
                b"create" => vec![b'c'],
                b"extract" | b"get" => vec![b'x'],
                b"list" => vec![b't'],
                b"append" | b"update" => vec![b'r'],
                b"diff" | b"compare" => vec![b'd'],
                b"file" => vec![b'f'],
                b"directory" => vec![b'C'],
                b"files-from" => vec![b'T'],
                b"exclude-from" => vec![b'X'],
                b"auto-compress" => vec![b'a'],
                b"gzip" | b"gunzip" | b"ungzip" => vec![b'z'],
                b"bzip2" => vec![b'j'],
                b"xz" => vec![b'J'],
                b"verbose" => vec![b'v'],
                b"preserve-permissions" | b"same-permissions" => vec![b'p'],
                b"keep-old-files" => vec![b'k'],
                b"to-stdout" => vec![b'O'],
                b"touch" => vec![b'm'],
                b"dereference" => vec![b'h'],
                b"absolute-names" => vec![b'P'],
                other => {
                    match other {
                        b"zstd" => s.format = Some(Format::Zstd),
                        b"skip-old-files" => s.skip_old = true,
                        b"exclude" => s.excludes.extend(long_value),
                        b"exclude-vcs" => s.exclude_vcs = true,
                        b"strip-components" | b"strip" => match text(&long_value).parse() {
                            Ok(n) => s.strip = n,
                            Err(_) => {
                                return fail(&format!(
                                    "{}: Invalid number of elements",
                                    text(&long_value)
                                ));
                            }
                        },
                        b"no-recursion" => s.no_recursion = true,
                        b"wildcards" => s.wildcards = true,
                        b"sort" => s.sort = text(&long_value) != "none",
                        b"mtime" => {
                            s.mtime = hardshell_cli::time::parse_date(
                                &text(&long_value),
                                &hardshell_cli::time::Zone::local(),
                            )
                        }
                        b"owner" => s.owner = Some(text(&long_value)),
                        b"group" => s.group = Some(text(&long_value)),
                        b"numeric-owner" => s.numeric = true,
                        b"remove-files" => s.remove = true,
                        b"transform" | b"xform" => {
                            match substitution(&long_value.unwrap_or_default()) {
                                Some(pair) => s.transform = Some(pair),
                                None => {
                                    return fail("--transform supports plain s/PREFIX/TEXT/ only");
                                }
                            }
                        }
                        b"format"
                        | b"mode"
                        | b"blocking-factor"
                        | b"no-same-owner"
                        | b"same-owner"
                        | b"overwrite"
                        | b"no-wildcards"
                        | b"recursion"
                        | b"totals"
                        | b"no-same-permissions"
                        | b"warning"
                        | b"ignore-failed-read"
                        | b"posix"
                        | b"unlink-first"
                        | b"anchored"
                        | b"no-anchored"
                        | b"force-local" => {}
                        b"help" | b"usage" => {
                            print!("{HELP}");
                            return 0;
                        }
                        b"version" => {
                            println!("tar (hardshell) compatible with GNU tar 1.34");
                            return 0;
                        }
                        other => {
                            return fail(&format!(
                                "unrecognized option '--{}'",
                                String::from_utf8_lossy(other)
                            ));
                        }
                    }
                    continue;
                }
            }
        } else {
            word[1..].to_vec()
        };
        let mut at = 0;
        while at < letters.len() {
            let letter = letters[at];
            at += 1;
            let takes = matches!(
                letter,
                b'f' | b'C' | b'T' | b'X' | b'b' | b'H' | b'I' | b'K'
            );
            let value = if !takes {
                Vec::new()
            } else if let Some(value) = long_value.take() {
                value
            } else if at < letters.len() {
                let value = letters[at..].to_vec();
                at = letters.len();
                value
            } else {
                match words.pop_front() {
                    Some(value) => value,
                    None => {
                        return fail(&format!(
                            "option requires an argument -- '{}'",
                            char::from(letter)
                        ));
                    }
                }
            };
            match letter {
                b'c' | b'x' | b't' | b'r' | b'u' | b'd' => {
                    let wanted = match letter {
                        b'c' => Mode::Create,
                        b'x' => Mode::Extract,
                        b't' => Mode::List,
                        b'd' => Mode::Diff,
                        _ => Mode::Append,
                    };
                    if mode.is_some_and(|m| m != wanted) {
                        return fail(
                            "You may not specify more than one '-Acdtrux', '--delete' or  '--test-label' option",
                        );
                    }
                    mode = Some(wanted);
                }
                b'f' => {
                    s.archive = value;
                    file_given = true;
                }
                b'C' => folder = hardshell_cli::join(&folder, &value),
                b'T' | b'X' => match open_input(&value).and_then(|mut i| i.read_all()) {
                    Ok(text) => {
                        for line in text
                            .split(|b| *b == b'\n' || *b == 0)
                            .filter(|l| !l.is_empty())
                        {
                            if letter == b'T' {
                                operands.push(Operand {
                                    folder: folder.clone(),
                                    name: line.to_vec(),
                                });
                            } else {
                                s.excludes.push(line.to_vec());
                            }
                        }
                    }
                    Err(error) => {
                        complain(
                            "tar",
                            format!(
                                "{}: Cannot stat: {}",
                                String::from_utf8_lossy(&value),
                                hardshell_cli::errno_text(&error)
                            ),
                        );
                        complain("tar", "Error is not recoverable: exiting now");
                        return 2;
                    }
                },
                b'a' => s.by_name = true,
                b'z' => s.format = Some(Format::Gzip),
                b'j' => s.format = Some(Format::Bzip2),
                b'J' => s.format = Some(Format::Xz),
                b'v' => s.verbose += 1,
                b'p' => s.preserve = true,
                b'k' => s.keep_old = true,
                b'O' => s.to_stdout = true,
                b'm' => s.touch = true,
                b'h' => s.follow = true,
                b'P' => s.absolute = true,
                b'b' | b'H' | b'K' | b'o' | b'S' | b'w' | b'W' | b'B' | b'i' | b's' | b'n'
                | b'l' | b'U' => {}
                b'I' => {
                    let program = String::from_utf8_lossy(&value).into_owned();
                    s.format = match program.split_whitespace().next().unwrap_or("") {
                        "gzip" | "pigz" => Some(Format::Gzip),
                        "bzip2" => Some(Format::Bzip2),
                        "xz" => Some(Format::Xz),
                        "zstd" => Some(Format::Zstd),
                        _ => {
                            return fail(&format!(
                                "compression program {program} is not supported"
                            ));
                        }
                    };
                }
                other => return fail(&format!("invalid option -- '{}'", char::from(other))),
            }
        }
    }
    let Some(mode) = mode else {
        return fail(
            "You must specify one of the '-Acdtrux', '--delete' or '--test-label' options",
        );
    };
    if !file_given && mode == Mode::Create && std::env::var_os("TAPE").is_none() {
        s.archive = b"-".to_vec();
    }
    match mode {
        Mode::Create | Mode::Append => crate::tar_create::run(s, operands, mode == Mode::Append),
        Mode::Extract | Mode::List | Mode::Diff => {
            crate::tar_extract::run(s, operands, folder, mode)
        }
    }
}

/// `s/^prefix/text/` or `s,text,other,`.
fn substitution(text: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let rest = text.strip_prefix(b"s")?;
    let (delimiter, rest) = rest.split_first()?;
    let mut parts = rest.split(|b| b == delimiter);
    let from = parts.next()?;
    let to = parts.next()?;
    let plain = from.strip_prefix(b"^").unwrap_or(from);
    if plain.iter().any(|b| b"*+?[]\\()|$".contains(b)) {
        return None;
    }
    Some((from.to_vec(), to.to_vec()))
}

/// A name after `--transform`.
pub fn transformed(s: &Settings, name: &[u8]) -> Vec<u8> {
    let Some((from, to)) = &s.transform else {
        return name.to_vec();
    };
    if let Some(prefix) = from.strip_prefix(b"^") {
        return match name.strip_prefix(prefix) {
            Some(rest) => [to.as_slice(), rest].concat(),
            None => name.to_vec(),
        };
    }
    match name
        .windows(from.len().max(1))
        .position(|w| w == from.as_slice())
    {
        Some(at) => [&name[..at], to, &name[at + from.len()..]].concat(),
        None => name.to_vec(),
    }
}

/// Whether `--exclude` leaves a name out: the whole of it, or any tail that
/// begins after a slash.
pub fn excluded(s: &Settings, name: &[u8]) -> bool {
    let flags = hardshell_cli::glob::Flags::default();
    let name = name.strip_suffix(b"/").unwrap_or(name);
    let base = hardshell_cli::base_name(name);
    if s.exclude_vcs
        && matches!(
            base,
            b".git"
                | b".svn"
                | b".hg"
                | b"CVS"
                | b".gitignore"
                | b".gitmodules"
                | b".gitattributes"
        )
    {
        return true;
    }
    s.excludes.iter().any(|pattern| {
        let pattern = pattern.strip_suffix(b"/").unwrap_or(pattern);
        let hit = |text: &[u8]| {
            hardshell_cli::glob::matches(pattern, text, flags)
                || (text.len() > pattern.len()
                    && text.starts_with(pattern)
                    && text[pattern.len()] == b'/')
        };
        hit(name)
            || name
                .iter()
                .enumerate()
                .any(|(i, b)| *b == b'/' && hit(&name[i + 1..]))
    })
}
