//! Which files are searched.

use std::fs;

use hardshell_cli::{complain, complain_file, path};

use crate::options::{Directories, Options};
use crate::search::Searcher;

/// Searches all that the command line names.
pub fn run(options: &Options, searcher: &mut Searcher<'_>) {
    let recurse = options.directories == Directories::Recurse;
    let default: Vec<Vec<u8>> = if recurse {
        vec![b".".to_vec()]
    } else {
        vec![b"-".to_vec()]
    };
    let bare = options.files.is_empty() && recurse;
    let files = if options.files.is_empty() {
        &default
    } else {
        &options.files
    };
    let many = files.len() > 1;
    searcher.printer.with_filename = options.with_filename.unwrap_or(many || recurse);
    for file in files {
        if searcher.done() {
            return;
        }
        if file == b"-" {
            if files.len() == 1 && recurse && options.with_filename.is_none() {
                searcher.printer.with_filename = false;
            }
            searcher.stdin();
            continue;
        }
        let meta = match fs::metadata(path(file)) {
            Ok(meta) => meta,
            Err(error) => {
                report(options, searcher, file, &error);
                continue;
            }
        };
        if meta.is_dir() {
            match options.directories {
                Directories::Skip => {}
                Directories::Read => {
                    if !options.silent {
                        let mut message = file.clone();
                        message.extend_from_slice(b": Is a directory");
                        complain("grep", message);
                    }
                    searcher.failed = true;
                }
                Directories::Recurse => {
                    let trimmed = trim(file);
                    if !bare && excluded_dir(options, trimmed, true) {
                        continue;
                    }
                    let prefix = if bare { Vec::new() } else { file.clone() };
                    directory(options, searcher, file, &prefix, &mut Vec::new());
                }
            }
            continue;
        }
        if recurse && files.len() == 1 && options.with_filename.is_none() {
            searcher.printer.with_filename = false;
        }
        if options.skip_devices && !meta.is_file() {
            continue;
        }
        if selected(options, file, true) {
            searcher.file(file, file);
        }
    }
}

fn trim(name: &[u8]) -> &[u8] {
    let mut name = name;
    while name.len() > 1 && name.last() == Some(&b'/') {
        name = name.split_last().map(|(_, rest)| rest).unwrap_or_default();
    }
    name
}

fn report(options: &Options, searcher: &mut Searcher<'_>, file: &[u8], error: &std::io::Error) {
    searcher.failed = true;
    if !options.silent {
        searcher.printer.out.flush();
        complain_file("grep", file, error);
    }
}

/// Deeper than this is a cycle or an attack.
const MAX_DEPTH: usize = 512;

fn directory(
    options: &Options,
    searcher: &mut Searcher<'_>,
    real: &[u8],
    shown: &[u8],
    above: &mut Vec<(u64, u64)>,
) {
    // Only links can lead back up.
    let id = if options.follow {
        hardshell_cli::file_id(real)
    } else {
        None
    };
    if let Some(id) = id
        && above.contains(&id)
    {
        let mut message = shown.to_vec();
        message.extend_from_slice(b": warning: recursive directory loop");
        return complain("grep", message);
    }
    above.push(id.unwrap_or((0, 0)));
    entries(options, searcher, real, shown, above);
    above.pop();
}

fn entries(
    options: &Options,
    searcher: &mut Searcher<'_>,
    real: &[u8],
    shown: &[u8],
    above: &mut Vec<(u64, u64)>,
) {
    if above.len() > MAX_DEPTH {
        searcher.failed = true;
        let mut message = real.to_vec();
        message.extend_from_slice(b": directories nested too deeply");
        complain("grep", message);
        return;
    }
    let entries = match fs::read_dir(path(real)) {
        Ok(entries) => entries,
        Err(error) => return report(options, searcher, real, &error),
    };
    for entry in entries {
        if searcher.done() {
            return;
        }
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => return report(options, searcher, real, &error),
        };
        let name = entry.file_name();
        let name = hardshell_cli::bytes(&name);
        let file = join(real, name);
        let label = if shown.is_empty() {
            name.to_vec()
        } else {
            join(shown, name)
        };
        let Ok(kind) = entry.file_type() else {
            continue;
        };
        let (is_dir, is_file) = if kind.is_symlink() {
            if !options.follow {
                continue;
            }
            match fs::metadata(path(&file)) {
                Ok(meta) => (meta.is_dir(), meta.is_file()),
                Err(error) => {
                    report(options, searcher, &label, &error);
                    continue;
                }
            }
        } else {
            (kind.is_dir(), kind.is_file())
        };
        if is_dir {
            if !excluded_dir(options, name, false) {
                directory(options, searcher, &file, &label, above);
            }
        } else if is_file && selected(options, name, false) {
            searcher.file(&file, &label);
        }
    }
}

fn join(folder: &[u8], name: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(folder.len() + name.len() + 1);
    out.extend_from_slice(folder);
    if folder.last() != Some(&b'/') {
        out.push(b'/');
    }
    out.extend_from_slice(name);
    out
}

fn excluded_dir(options: &Options, name: &[u8], whole: bool) -> bool {
    options
        .exclude_dir
        .iter()
        .any(|pattern| matches_name(pattern, name, whole))
}

/// Whether `--include` and `--exclude` leave a file in.
fn selected(options: &Options, name: &[u8], whole: bool) -> bool {
    let mut verdict = None;
    for glob in &options.include {
        if matches_name(&glob.pattern, name, whole) {
            verdict = Some(glob.include);
        }
    }
    match verdict {
        Some(verdict) => verdict,
        // Files that no glob names are left out only when the first glob is
        // one that includes.
        None => !options.include.first().is_some_and(|glob| glob.include),
    }
}

/// A glob matches the whole name or, for names given on the command line, any
/// tail of it that begins after a slash.
fn matches_name(pattern: &[u8], name: &[u8], whole: bool) -> bool {
    if glob(pattern, name) {
        return true;
    }
    whole
        && name
            .iter()
            .enumerate()
            .any(|(i, b)| *b == b'/' && glob(pattern, name.get(i + 1..).unwrap_or_default()))
}

/// Matches a shell pattern; `*` crosses slashes, as in GNU grep.
pub fn glob(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0usize, 0usize);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        let step = match pattern.get(p) {
            Some(b'*') => {
                star = Some((p + 1, t));
                p += 1;
                continue;
            }
            Some(b'?') => Some(p + 1),
            Some(b'[') => class(pattern, p, text.get(t).copied().unwrap_or(0)),
            Some(b'\\') if p + 1 < pattern.len() => {
                (pattern.get(p + 1) == text.get(t)).then_some(p + 2)
            }
            Some(byte) => (Some(byte) == text.get(t)).then_some(p + 1),
            None => None,
        };
        match (step, star) {
            (Some(next), _) => {
                p = next;
                t += 1;
            }
            (None, Some((after, at))) => {
                p = after;
                t = at + 1;
                star = Some((after, at + 1));
            }
            (None, None) => return false,
        }
    }
    pattern
        .get(p..)
        .unwrap_or_default()
        .iter()
        .all(|b| *b == b'*')
}

/// Matches a bracket expression at `at`; the position after it if it does.
fn class(pattern: &[u8], at: usize, byte: u8) -> Option<usize> {
    let mut i = at + 1;
    let negated = matches!(pattern.get(i), Some(b'!' | b'^'));
    if negated {
        i += 1;
    }
    let first = i;
    let mut found = false;
    loop {
        let low = *pattern.get(i)?;
        if low == b']' && i > first {
            break;
        }
        if pattern.get(i + 1) == Some(&b'-') && pattern.get(i + 2).is_some_and(|b| *b != b']') {
            let high = *pattern.get(i + 2)?;
            found |= low <= byte && byte <= high;
            i += 3;
        } else {
            found |= low == byte;
            i += 1;
        }
    }
    (found != negated).then_some(i + 1)
}
