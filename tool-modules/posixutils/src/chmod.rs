//! `chmod`, and `chown` as far as that means anything here.

use hardshell_cli::stat::{Stat, lstat, stat};
use hardshell_cli::{complain, errno_text, join, mode, path, quote};

const HELP: &str = "\
Usage: chmod [OPTION]... MODE[,MODE]... FILE...
  or:  chmod [OPTION]... OCTAL-MODE FILE...
  or:  chmod [OPTION]... --reference=RFILE FILE...
Change the mode of each FILE to MODE.

  -c, --changes          like verbose but report only when a change is made
  -f, --silent, --quiet  suppress most error messages
  -v, --verbose          output a diagnostic for every file processed
      --reference=RFILE  use RFILE's mode instead of MODE values
  -R, --recursive        change files and directories recursively

Each MODE is of the form '[ugoa]*([-+=]([rwxXst]*|[ugo]))+|[-+=][0-7]+'.
";

#[derive(Default)]
struct Settings {
    changes: bool,
    quiet: bool,
    verbose: bool,
    recursive: bool,
    status: i32,
}

enum Wanted {
    Text(String),
    Bits(u32),
}

pub fn run(_: &str, args: Vec<Vec<u8>>) -> i32 {
    let mut s = Settings::default();
    let mut reference = None;
    let mut operands: Vec<Vec<u8>> = Vec::new();
    let mut only_operands = false;
    for word in args.into_iter().skip(1) {
        // A mode such as `-x` looks like an option.
        let is_mode = word.len() > 1
            && word[0] == b'-'
            && word[1..]
                .iter()
                .all(|b| b"rwxXstugo,=+-0123456789".contains(b));
        if only_operands
            || word.len() < 2
            || word[0] != b'-'
            || (is_mode && operands.is_empty() && reference.is_none())
        {
            operands.push(word);
            continue;
        }
        match word.as_slice() {
            b"--" => only_operands = true,
            b"--help" => {
                print!("{HELP}");
                return 0;
            }
            b"--changes" => s.changes = true,
            b"--silent" | b"--quiet" => s.quiet = true,
            b"--verbose" => s.verbose = true,
            b"--recursive" => s.recursive = true,
            b"--preserve-root" | b"--no-preserve-root" => {}
            w if w.starts_with(b"--reference=") => reference = Some(w[12..].to_vec()),
            w if w.starts_with(b"--") => {
                complain(
                    "chmod",
                    format!("unrecognized option '{}'", String::from_utf8_lossy(w)),
                );
                hardshell_cli::try_help("chmod");
                return 1;
            }
            w => {
                for letter in &w[1..] {
                    match letter {
                        b'c' => s.changes = true,
                        b'f' => s.quiet = true,
                        b'v' => s.verbose = true,
                        b'R' => s.recursive = true,
                        other => {
                            complain(
                                "chmod",
                                format!("invalid option -- '{}'", char::from(*other)),
                            );
                            hardshell_cli::try_help("chmod");
                            return 1;
                        }
                    }
                }
            }
        }
    }
    let wanted = match reference {
        Some(file) => match stat(&file) {
            Ok(meta) => Wanted::Bits(meta.mode & 0o7777),
            Err(error) => {
                complain(
                    "chmod",
                    format!(
                        "failed to get attributes of '{}': {}",
                        String::from_utf8_lossy(&file),
                        errno_text(&error)
                    ),
                );
                return 1;
            }
        },
        None => {
            if operands.is_empty() {
                complain("chmod", "missing operand");
                hardshell_cli::try_help("chmod");
                return 1;
            }
            let text = String::from_utf8_lossy(&operands.remove(0)).into_owned();
            if mode::apply(&text, 0, false, 0).is_none() {
                complain("chmod", format!("invalid mode: '{text}'"));
                hardshell_cli::try_help("chmod");
                return 1;
            }
            if operands.is_empty() {
                complain("chmod", format!("missing operand after '{text}'"));
                hardshell_cli::try_help("chmod");
                return 1;
            }
            Wanted::Text(text)
        }
    };
    for file in &operands {
        change(&mut s, &wanted, file, 0);
    }
    s.status
}

fn change(s: &mut Settings, wanted: &Wanted, file: &[u8], depth: usize) {
    let meta = match if depth > 0 { lstat(file) } else { stat(file) } {
        Ok(meta) => meta,
        Err(error) => {
            s.status = 1;
            if !s.quiet {
                complain(
                    "chmod",
                    format!(
                        "cannot access '{}': {}",
                        String::from_utf8_lossy(file),
                        errno_text(&error)
                    ),
                );
            }
            return;
        }
    };
    if meta.kind() == b'l' {
        return;
    }
    let old = meta.mode & 0o7777;
    let new = match wanted {
        Wanted::Bits(bits) => *bits,
        Wanted::Text(text) => {
            mode::apply(text, old, meta.is_dir(), hardshell_sys::umask(None)).unwrap_or(old)
        }
    };
    if new != old
        && let Err(error) = hardshell_cli::stat::chmod(file, new)
    {
        s.status = 1;
        if !s.quiet {
            let mut message = b"changing permissions of ".to_vec();
            message.extend_from_slice(&quote(file));
            message.extend_from_slice(b": ");
            message.extend_from_slice(errno_text(&error).as_bytes());
            complain("chmod", message);
        }
        return;
    }
    if s.verbose || (s.changes && new != old) {
        let shown = String::from_utf8_lossy(file);
        let text = |bits: u32| {
            Stat {
                mode: bits,
                ..Stat::default()
            }
            .mode_text()[1..]
                .to_owned()
        };
        if new == old {
            println!("mode of '{shown}' retained as {new:04o} ({})", text(new));
        } else {
            println!(
                "mode of '{shown}' changed from {old:04o} ({}) to {new:04o} ({})",
                text(old),
                text(new)
            );
        }
    }
    if s.recursive && meta.is_dir() && depth < 1000 {
        match std::fs::read_dir(path(file)) {
            Ok(entries) => {
                for entry in entries.flatten() {
                    let name = entry.file_name();
                    change(
                        s,
                        wanted,
                        &join(file, hardshell_cli::bytes(&name)),
                        depth + 1,
                    );
                }
            }
            Err(error) => {
                s.status = 1;
                complain(
                    "chmod",
                    format!(
                        "cannot read directory '{}': {}",
                        String::from_utf8_lossy(file),
                        errno_text(&error)
                    ),
                );
            }
        }
    }
}

/// There is one user here: giving files to it is allowed and changes nothing.
pub fn chown(name: &str, args: Vec<Vec<u8>>) -> i32 {
    let mut words = args
        .into_iter()
        .skip(1)
        .filter(|w| !w.starts_with(b"-") || w == b"--help");
    let Some(owner) = words.next() else {
        complain(name, "missing operand");
        return 1;
    };
    if owner == b"--help" {
        println!(
            "Usage: {name} [OPTION]... OWNER FILE...\nThere is one user in this sandbox: files can be given to it, which changes nothing, and to nobody else."
        );
        return 0;
    }
    let mut status = 0;
    for file in words {
        let meta = match stat(&file) {
            Ok(meta) => meta,
            Err(error) => {
                complain(
                    name,
                    format!(
                        "cannot access '{}': {}",
                        String::from_utf8_lossy(&file),
                        errno_text(&error)
                    ),
                );
                status = 1;
                continue;
            }
        };
        let own = [
            hardshell_cli::stat::user_name(meta.uid),
            meta.uid.to_string(),
            hardshell_cli::stat::group_name(meta.gid),
            meta.gid.to_string(),
        ];
        let text = String::from_utf8_lossy(&owner).into_owned();
        let known = text
            .split([':', '.'])
            .all(|part| part.is_empty() || own.iter().any(|n| n == part));
        if !known {
            complain(
                name,
                format!(
                    "changing ownership of '{}': Operation not permitted (this sandbox has one user)",
                    String::from_utf8_lossy(&file)
                ),
            );
            status = 1;
        }
    }
    status
}
