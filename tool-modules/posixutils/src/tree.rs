//! `tree`.

use hardshell_cli::glob::{Flags, matches};
use hardshell_cli::stat::{Stat, lstat, stat};
use hardshell_cli::{Out, complain, human, join, path};

const HELP: &str = "\
Usage: tree [-adfsphDLPIr] [--noreport] [--dirsfirst] [directory ...]
  -a            All files are listed.
  -d            List directories only.
  -f            Print the full path prefix for each file.
  -L level      Descend only level directories deep.
  -P pattern    List only those files that match the pattern given.
  -I pattern    Do not list files that match the given pattern.
  -s            Print the size in bytes of each file.
  -h            Print the size in a more human readable way.
  -p            Print the protections for each file.
  -r            Reverse the order of the sort.
  -t            Sort files by last modification time.
  -i            Don't print indentation lines.
  -F            Appends '/', '=', '*', or '@' as per ls -F.
  --noreport    Turn off file/directory count at end of tree listing.
  --dirsfirst   List directories before files.
  --charset X   Use charset X for indentation lines.
";

#[derive(Default)]
struct Settings {
    all: bool,
    dirs_only: bool,
    full: bool,
    level: usize,
    patterns: Vec<Vec<u8>>,
    ignore: Vec<Vec<u8>>,
    size: bool,
    human: bool,
    rights: bool,
    reverse: bool,
    by_time: bool,
    plain: bool,
    classify: bool,
    no_report: bool,
    dirs_first: bool,
    ascii: bool,
    dirs: usize,
    files: usize,
}

pub fn run(_: &str, args: Vec<Vec<u8>>) -> i32 {
    let mut s = Settings {
        level: usize::MAX,
        ascii: !hardshell_cli::utf8_locale(),
        ..Settings::default()
    };
    let mut roots = Vec::new();
    let mut words = args.into_iter().skip(1);
    while let Some(word) = words.next() {
        match word.as_slice() {
            b"--help" => {
                print!("{HELP}");
                return 0;
            }
            b"--version" => {
                println!("tree (hardshell) 0.1");
                return 0;
            }
            b"--noreport" => s.no_report = true,
            b"--dirsfirst" => s.dirs_first = true,
            b"--charset" => {
                s.ascii = !words
                    .next()
                    .unwrap_or_default()
                    .to_ascii_lowercase()
                    .starts_with(b"utf")
            }
            w if w.starts_with(b"--charset=") => {
                s.ascii = !w[10..].to_ascii_lowercase().starts_with(b"utf")
            }
            w if w.starts_with(b"--") => {}
            w if w.len() > 1 && w[0] == b'-' => {
                for &letter in &w[1..] {
                    match letter {
                        b'a' => s.all = true,
                        b'd' => s.dirs_only = true,
                        b'f' => s.full = true,
                        b's' => s.size = true,
                        b'h' => (s.size, s.human) = (true, true),
                        b'p' => s.rights = true,
                        b'r' => s.reverse = true,
                        b't' => s.by_time = true,
                        b'i' => s.plain = true,
                        b'F' => s.classify = true,
                        b'L' => {
                            let level = words.next().unwrap_or_default();
                            s.level = match String::from_utf8_lossy(&level).parse() {
                                Ok(n) if n > 0 => n,
                                _ => {
                                    complain("tree", "Invalid level, must be greater than 0.");
                                    return 1;
                                }
                            };
                        }
                        b'P' => s.patterns.extend(
                            words
                                .next()
                                .unwrap_or_default()
                                .split(|b| *b == b'|')
                                .map(<[u8]>::to_vec),
                        ),
                        b'I' => s.ignore.extend(
                            words
                                .next()
                                .unwrap_or_default()
                                .split(|b| *b == b'|')
                                .map(<[u8]>::to_vec),
                        ),
                        b'n' | b'C' | b'N' | b'q' | b'v' | b'l' | b'x' => {}
                        other => {
                            complain(
                                "tree",
                                format!("Invalid argument -`{}'.", char::from(other)),
                            );
                            return 1;
                        }
                    }
                }
            }
            _ => roots.push(word),
        }
    }
    if roots.is_empty() {
        roots.push(b".".to_vec());
    }
    let mut out = Out::stdout();
    let mut status = 0;
    for root in &roots {
        out.put(root);
        if stat(root).is_ok_and(|m| m.is_dir()) {
            out.byte(b'\n');
            walk(&mut s, &mut out, root, &mut Vec::new(), 1);
            s.dirs += 1;
        } else {
            out.put(b"  [error opening dir]\n");
            status = 2;
        }
    }
    if !s.no_report {
        // The starting points do not count.
        let dirs = s.dirs - usize::from(s.dirs > 0) * roots.len().min(s.dirs);
        let dirs_text = format!("{dirs} director{}", if dirs == 1 { "y" } else { "ies" });
        if s.dirs_only {
            out.put(format!("\n{dirs_text}\n").as_bytes());
        } else {
            out.put(
                format!(
                    "\n{dirs_text}, {} file{}\n",
                    s.files,
                    if s.files == 1 { "" } else { "s" }
                )
                .as_bytes(),
            );
        }
    }
    i32::from(out.finish().is_err()).max(status)
}

fn walk(s: &mut Settings, out: &mut Out, folder: &[u8], prefix: &mut Vec<bool>, level: usize) {
    if level > s.level || level > 1000 {
        return;
    }
    let Ok(entries) = std::fs::read_dir(path(folder)) else {
        return;
    };
    let mut items: Vec<(Vec<u8>, Stat)> = Vec::new();
    for entry in entries.flatten() {
        let name = entry.file_name();
        let name = hardshell_cli::bytes(&name).to_vec();
        if !s.all && name.first() == Some(&b'.') {
            continue;
        }
        let Ok(meta) = lstat(&join(folder, &name)) else {
            continue;
        };
        let hit = |list: &[Vec<u8>]| {
            list.iter()
                .any(|p| matches(p.strip_suffix(b"/").unwrap_or(p), &name, Flags::default()))
        };
        if hit(&s.ignore)
            || (s.dirs_only && !meta.is_dir())
            || (!s.patterns.is_empty() && !meta.is_dir() && !hit(&s.patterns))
        {
            continue;
        }
        items.push((name, meta));
    }
    items.sort_by(|a, b| {
        let by_kind = if s.dirs_first {
            b.1.is_dir().cmp(&a.1.is_dir())
        } else {
            std::cmp::Ordering::Equal
        };
        let by_time = if s.by_time {
            b.1.mtime.cmp(&a.1.mtime)
        } else {
            std::cmp::Ordering::Equal
        };
        let order = by_time.then_with(|| a.0.cmp(&b.0));
        by_kind.then(if s.reverse { order.reverse() } else { order })
    });
    let (bar, tee, corner) = if s.ascii {
        ("|   ", "|-- ", "`-- ")
    } else {
        (
            "\u{2502}\u{a0}\u{a0} ",
            "\u{251c}\u{2500}\u{2500} ",
            "\u{2514}\u{2500}\u{2500} ",
        )
    };
    let count = items.len();
    for (i, (name, meta)) in items.into_iter().enumerate() {
        let last = i + 1 == count;
        if !s.plain {
            for more in prefix.iter() {
                out.put(if *more { bar.as_bytes() } else { b"    " });
            }
            out.put(if last {
                corner.as_bytes()
            } else {
                tee.as_bytes()
            });
        }
        let full = join(folder, &name);
        let mut notes = Vec::new();
        if s.rights {
            notes.push(meta.mode_text());
        }
        if s.size {
            notes.push(if s.human {
                format!("{:>4}", human(meta.size, 1024))
            } else {
                format!("{:>11}", meta.size)
            });
        }
        if !notes.is_empty() {
            out.put(format!("[{}]  ", notes.join(" ")).as_bytes());
        }
        out.put(if s.full { &full } else { &name });
        if meta.kind() == b'l'
            && let Ok(target) = std::fs::read_link(path(&full))
        {
            out.put(b" -> ");
            out.put(&hardshell_cli::into_bytes(target.into_os_string()));
        }
        if s.classify {
            match meta.kind() {
                b'd' => out.byte(b'/'),
                b'f' if meta.mode & 0o111 != 0 => out.byte(b'*'),
                _ => {}
            }
        }
        out.byte(b'\n');
        if meta.is_dir() {
            s.dirs += 1;
            prefix.push(!last);
            walk(s, out, &full, prefix, level + 1);
            prefix.pop();
        } else {
            s.files += 1;
        }
    }
}
