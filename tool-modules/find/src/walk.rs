//! Walking the trees.

use std::cell::OnceCell;
use std::fs;

use hardshell_cli::{complain, errno_text, join, path, quote};

use crate::actions::{evaluate, finish};
use crate::expr::{Entry, State};
use crate::parse::{Command, parse};

/// Deeper than this is a cycle or an attack.
const MAX_DEPTH: usize = 2000;

/// Runs `find`; its exit status.
pub fn run(args: Vec<Vec<u8>>) -> i32 {
    let mut command = match parse(args) {
        Ok(Some(command)) => command,
        Ok(None) => return 0,
        Err(message) => {
            complain("find", message);
            return 1;
        }
    };
    let mut state = State {
        outputs: std::mem::take(&mut command.outputs),
        status: 0,
        quit: false,
        prune: false,
    };
    for start in &command.starts {
        if state.quit {
            break;
        }
        from_start(&command, &mut state, start);
    }
    finish(&command.expr, &mut state);
    for out in &mut state.outputs {
        if let Err(error) = out.finish() {
            complain("find", format!("write error: {}", errno_text(&error)));
            state.status = 1;
        }
    }
    state.status
}

pub fn report(state: &mut State, file: &[u8], error: &std::io::Error) {
    state.status = 1;
    state.outputs[0].flush();
    let mut message = quote(file);
    message.extend_from_slice(b": ");
    message.extend_from_slice(errno_text(error).as_bytes());
    complain("find", message);
}

fn from_start(command: &Command, state: &mut State, start: &[u8]) {
    let found = if command.follow_starts {
        hardshell_cli::stat::stat(start).or_else(|_| hardshell_cli::stat::lstat(start))
    } else {
        hardshell_cli::stat::lstat(start)
    };
    let meta = match found {
        Ok(meta) => meta,
        Err(error) => return report(state, start, &error),
    };
    let entry = Entry {
        path: start.to_vec(),
        start_length: start.len(),
        depth: 0,
        kind: meta.kind(),
        follow: command.follow_starts,
        meta: OnceCell::from(Some(meta)),
    };
    visit(command, state, &entry, meta.dev, &mut Vec::new());
}

fn visit(
    command: &Command,
    state: &mut State,
    entry: &Entry,
    device: u64,
    above: &mut Vec<(u64, u64)>,
) {
    let wanted = entry.depth >= command.min_depth;
    state.prune = false;
    if wanted && !command.depth_first {
        evaluate(&command.expr, entry, state);
    }
    let pruned = std::mem::take(&mut state.prune);
    if !pruned && !state.quit && entry.depth < command.max_depth && entry.kind() == b'd' {
        children(command, state, entry, device, above);
    }
    if wanted && command.depth_first && !state.quit {
        evaluate(&command.expr, entry, state);
    }
}

fn children(
    command: &Command,
    state: &mut State,
    entry: &Entry,
    device: u64,
    above: &mut Vec<(u64, u64)>,
) {
    if above.len() > MAX_DEPTH {
        state.status = 1;
        let mut message = quote(&entry.path);
        message.extend_from_slice(b": folders are nested too deeply");
        return complain("find", message);
    }
    let mut id = (0, 0);
    if (command.follow || command.one_device)
        && let Some(meta) = entry.stat()
    {
        if command.one_device && meta.dev != device {
            return;
        }
        id = (meta.dev, meta.ino);
        if command.follow && above.contains(&id) {
            state.status = 1;
            let mut message = b"File system loop detected; ".to_vec();
            message.extend_from_slice(&quote(&entry.path));
            message
                .extend_from_slice(b" is part of the same file system loop as a folder above it.");
            return complain("find", message);
        }
    }
    let listing = match fs::read_dir(path(&entry.path)) {
        Ok(listing) => listing,
        Err(error) => return report(state, &entry.path, &error),
    };
    above.push(id);
    for item in listing {
        if state.quit {
            break;
        }
        let item = match item {
            Ok(item) => item,
            Err(error) => {
                report(state, &entry.path, &error);
                break;
            }
        };
        let kind = match item.file_type() {
            Ok(kind) if kind.is_dir() => b'd',
            Ok(kind) if kind.is_symlink() => b'l',
            Ok(kind) if kind.is_file() => b'f',
            _ => b'?',
        };
        let name = item.file_name();
        let child = Entry {
            path: join(&entry.path, hardshell_cli::bytes(&name)),
            start_length: entry.start_length,
            depth: entry.depth + 1,
            kind,
            follow: command.follow,
            meta: OnceCell::new(),
        };
        visit(command, state, &child, device, above);
    }
    above.pop();
}
