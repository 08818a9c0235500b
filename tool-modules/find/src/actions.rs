//! Evaluation of the expression.

use std::fs;

use hardshell_cli::glob::{Flags, matches};
use hardshell_cli::process::{Spawn, failure_status};
use hardshell_cli::stat::{Stat, group_name, stat, user_name};
use hardshell_cli::{complain, errno_text, path, quote};

use crate::expr::{Entry, Exec, Expr, Perm, State, Time};

/// Bytes of file names in one `-exec … +` command.
const MAX_ARGUMENTS: usize = 128 * 1024;

/// Evaluates for one file.
pub fn evaluate(expr: &Expr, entry: &Entry, state: &mut State) -> bool {
    match expr {
        Expr::And(all) => all.iter().all(|e| !state.quit && evaluate(e, entry, state)),
        Expr::Or(all) => all.iter().any(|e| !state.quit && evaluate(e, entry, state)),
        Expr::List(all) => all.iter().fold(true, |_, e| evaluate(e, entry, state)),
        Expr::Not(inner) => !evaluate(inner, entry, state),
        Expr::True => true,
        Expr::False => false,
        Expr::Name {
            pattern,
            ignore_case,
        } => matches(
            pattern,
            entry.name(),
            Flags {
                path: false,
                ignore_case: *ignore_case,
            },
        ),
        Expr::Path {
            pattern,
            ignore_case,
        } => matches(
            pattern,
            &entry.path,
            Flags {
                path: false,
                ignore_case: *ignore_case,
            },
        ),
        Expr::LinkName {
            pattern,
            ignore_case,
        } => match fs::read_link(path(&entry.path)) {
            Ok(target) => {
                let target = hardshell_cli::into_bytes(target.into_os_string());
                matches(
                    pattern,
                    &target,
                    Flags {
                        path: false,
                        ignore_case: *ignore_case,
                    },
                )
            }
            Err(_) => false,
        },
        Expr::Regex(regex) => regex.borrow().is_match(&entry.path),
        Expr::Type(kinds) => kinds.contains(&entry.kind()),
        Expr::XType(kinds) => {
            let kind = match stat(&entry.path) {
                Ok(meta) => meta.kind(),
                Err(_) => entry.kind(),
            };
            kinds.contains(&kind)
        }
        Expr::Empty => match entry.kind() {
            b'f' => entry.stat().is_some_and(|m| m.size == 0),
            b'd' => fs::read_dir(path(&entry.path)).is_ok_and(|mut list| list.next().is_none()),
            _ => false,
        },
        Expr::Prune => {
            state.prune = true;
            true
        }
        Expr::Quit => {
            state.quit = true;
            true
        }
        Expr::Print { to, end } => {
            let out = &mut state.outputs[*to];
            out.put(&entry.path);
            out.byte(*end);
            true
        }
        Expr::Printf { to, format } => {
            format.print(entry, &mut state.outputs[*to]);
            true
        }
        Expr::Ls { to } => {
            if let Some(meta) = entry.stat() {
                let line = listing(entry, meta);
                state.outputs[*to].put(&line);
            }
            true
        }
        Expr::Delete => delete(entry, state),
        Expr::Exec(exec) => run(exec, entry, state),
        _ => entry.stat().is_some_and(|meta| by_metadata(expr, meta)),
    }
}

fn by_metadata(expr: &Expr, meta: &Stat) -> bool {
    let at = |time: Time| match time {
        Time::Access => meta.atime,
        Time::Change => meta.ctime,
        Time::Modify => meta.mtime,
    };
    match expr {
        Expr::Size { number, unit } => number.test(i128::from(meta.size.div_ceil(*unit))),
        Expr::Age {
            time,
            number,
            unit,
            reference,
        } => {
            let age = reference - at(*time);
            // Minutes compare exactly, days by whole days.
            number.test(age.div_euclid(*unit))
        }
        Expr::Newer { time, than } => at(*time) > *than,
        Expr::Perm { mode, how } => {
            let bits = meta.mode & 0o7777;
            match how {
                Perm::Exact => bits == *mode,
                Perm::All => bits & mode == *mode,
                Perm::Any => *mode == 0 || bits & mode != 0,
            }
        }
        Expr::Uid(number) => number.test(i128::from(meta.uid)),
        Expr::Gid(number) => number.test(i128::from(meta.gid)),
        Expr::Links(number) => number.test(i128::from(meta.nlink)),
        Expr::Inode(number) => number.test(i128::from(meta.ino)),
        Expr::SameFile(dev, ino) => meta.dev == *dev && meta.ino == *ino,
        Expr::Access(bit) => meta.mode & (bit * 0o111) != 0 || (meta.uid == 0 && *bit != 1),
        Expr::Used(number) => number.test((meta.atime - meta.ctime).div_euclid(86_400_000_000_000)),
        _ => false,
    }
}

fn delete(entry: &Entry, state: &mut State) -> bool {
    if entry.path == b"." {
        return true;
    }
    let result = if entry.kind() == b'd' && !entry.follow {
        fs::remove_dir(path(&entry.path))
    } else if entry.kind() == b'd' {
        fs::remove_dir(path(&entry.path)).or_else(|_| fs::remove_file(path(&entry.path)))
    } else {
        fs::remove_file(path(&entry.path))
    };
    match result {
        Ok(()) => true,
        Err(error) => {
            state.status = 1;
            state.outputs[0].flush();
            let mut message = b"cannot delete ".to_vec();
            message.extend_from_slice(&quote(&entry.path));
            message.extend_from_slice(b": ");
            message.extend_from_slice(errno_text(&error).as_bytes());
            complain("find", message);
            false
        }
    }
}

fn listing(entry: &Entry, meta: &Stat) -> Vec<u8> {
    let zone = hardshell_cli::time::Zone::local();
    let seconds = i64::try_from(meta.mtime.div_euclid(1_000_000_000)).unwrap_or(0);
    let age = hardshell_cli::time::now() - seconds;
    let format: &[u8] = if (-3600..15_778_476).contains(&age) {
        b"%b %e %H:%M"
    } else {
        b"%b %e  %Y"
    };
    let time = hardshell_cli::time::strftime(format, seconds, &zone, false);
    let mut out = format!(
        "{:>9} {:>6} {} {:>3} {:<8} {:<8} {:>8} {} ",
        meta.ino,
        meta.blocks.div_ceil(2),
        meta.mode_text(),
        meta.nlink,
        user_name(meta.uid),
        group_name(meta.gid),
        meta.size,
        String::from_utf8_lossy(&time),
    )
    .into_bytes();
    out.extend_from_slice(&entry.path);
    if meta.kind() == b'l'
        && let Ok(target) = fs::read_link(path(&entry.path))
    {
        out.extend_from_slice(b" -> ");
        out.extend_from_slice(&hardshell_cli::into_bytes(target.into_os_string()));
    }
    out.push(b'\n');
    out
}

/// Folder of a file and its name there, for `-execdir`.
fn place(entry: &Entry) -> (Vec<u8>, Vec<u8>) {
    let name = entry.name();
    if name == b"/" {
        return (b"/".to_vec(), b"/".to_vec());
    }
    let mut file = b"./".to_vec();
    file.extend_from_slice(name);
    match entry.path.iter().rposition(|b| *b == b'/') {
        Some(0) => (b"/".to_vec(), file),
        Some(at) if entry.depth > 0 || at + 1 < entry.path.len() => {
            (entry.path[..at].to_vec(), file)
        }
        _ => (b".".to_vec(), file),
    }
}

fn run(exec: &Exec, entry: &Entry, state: &mut State) -> bool {
    let (folder, file) = if exec.in_dir {
        place(entry)
    } else {
        (Vec::new(), entry.path.clone())
    };
    if exec.many {
        {
            let mut pending = exec.pending.borrow_mut();
            exec.pending_bytes
                .set(exec.pending_bytes.get() + file.len() + 1);
            match pending.iter_mut().find(|(known, _)| *known == folder) {
                Some((_, files)) => files.push(file),
                None => pending.push((folder, vec![file])),
            }
        }
        if exec.pending_bytes.get() > MAX_ARGUMENTS {
            flush(exec, state);
        }
        return true;
    }
    if exec.ask {
        state.outputs[0].flush();
        let mut question = b"< ".to_vec();
        question.extend_from_slice(&exec.argv[0]);
        question.extend_from_slice(b" ... ");
        question.extend_from_slice(&entry.path);
        question.extend_from_slice(b" > ? ");
        let _ = std::io::Write::write_all(&mut std::io::stderr(), &question);
        let mut answer = String::new();
        let _ = std::io::stdin().read_line(&mut answer);
        if !answer.trim_start().starts_with(['y', 'Y']) {
            return false;
        }
    }
    let argv = exec.argv.iter().map(|word| replace(word, &file)).collect();
    start(argv, folder, state) == Some(0)
}

fn replace(word: &[u8], file: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(word.len() + file.len());
    let mut at = 0;
    while at < word.len() {
        if word[at..].starts_with(b"{}") {
            out.extend_from_slice(file);
            at += 2;
        } else {
            out.push(word[at]);
            at += 1;
        }
    }
    out
}

fn start(argv: Vec<Vec<u8>>, folder: Vec<u8>, state: &mut State) -> Option<u8> {
    for out in &mut state.outputs {
        out.flush();
    }
    let name = argv.first().cloned().unwrap_or_default();
    let mut spawn = Spawn::new(argv);
    spawn.cwd = folder;
    match spawn.run() {
        Ok(status) => Some(status),
        Err(error) => {
            let mut message = quote(&name);
            message.extend_from_slice(b": ");
            message.extend_from_slice(errno_text(&error).as_bytes());
            complain("find", message);
            let _ = failure_status(&error);
            None
        }
    }
}

fn flush(exec: &Exec, state: &mut State) {
    exec.pending_bytes.set(0);
    let batches = std::mem::take(&mut *exec.pending.borrow_mut());
    for (folder, files) in batches {
        let mut argv = exec.argv.clone();
        argv.extend(files);
        if start(argv, folder, state) != Some(0) {
            state.status = 1;
        }
    }
}

/// Runs the commands that still wait for files.
pub fn finish(expr: &Expr, state: &mut State) {
    match expr {
        Expr::And(all) | Expr::Or(all) | Expr::List(all) => {
            for e in all {
                finish(e, state);
            }
        }
        Expr::Not(inner) => finish(inner, state),
        Expr::Exec(exec) if exec.many && exec.pending_bytes.get() > 0 => flush(exec, state),
        _ => {}
    }
}
