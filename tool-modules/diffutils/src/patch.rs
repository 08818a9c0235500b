//! `patch`.

use std::fs;
use std::io::Read;

use hardshell_cli::{Arg, Input, Item, Opt, Out, Parser, complain, errno_text, open_input, path};

use crate::compare::lines;
use crate::patchfile::{FilePatch, Hunk, Line, parse};

const OPTIONS: &[Opt] = &[
    Opt::new('p', "strip", Arg::Yes),
    Opt::new('i', "input", Arg::Yes),
    Opt::new('o', "output", Arg::Yes),
    Opt::new('d', "directory", Arg::Yes),
    Opt::new('R', "reverse", Arg::No),
    Opt::new('N', "forward", Arg::No),
    Opt::new('f', "force", Arg::No),
    Opt::new('t', "batch", Arg::No),
    Opt::new('s', "quiet", Arg::No),
    Opt::long('s', "silent", Arg::No),
    Opt::new('b', "backup", Arg::No),
    Opt::new('z', "suffix", Arg::Yes),
    Opt::new('E', "remove-empty-files", Arg::No),
    Opt::new('F', "fuzz", Arg::Yes),
    Opt::new('r', "reject-file", Arg::Yes),
    Opt::new('l', "ignore-whitespace", Arg::No),
    Opt::new('u', "unified", Arg::No),
    Opt::new('c', "context", Arg::No),
    Opt::new('n', "normal", Arg::No),
    Opt::long('\u{1}', "dry-run", Arg::No),
    Opt::long('\u{2}', "verbose", Arg::No),
    Opt::long('\u{3}', "binary", Arg::No),
    Opt::long('\u{4}', "no-backup-if-mismatch", Arg::No),
    Opt::long('\u{5}', "help", Arg::No),
    Opt::new('v', "version", Arg::No),
];

const HELP: &str = "\
Usage: patch [OPTION]... [ORIGFILE [PATCHFILE]]

  -p NUM  --strip=NUM  Strip NUM leading components from file names.
  -F LINES  --fuzz LINES  Set the fuzz factor to LINES for inexact matching.
  -l  --ignore-whitespace  Ignore white space changes between patch and input.
  -N  --forward  Ignore patches that appear to be reversed or already applied.
  -R  --reverse  Assume patches were created with old and new files swapped.
  -i PATCHFILE  --input=PATCHFILE  Read patch from PATCHFILE instead of stdin.
  -o FILE  --output=FILE  Output patched files to FILE.
  -r FILE  --reject-file=FILE  Output rejects to FILE.
  -E  --remove-empty-files  Remove output files that are empty after patching.
  -b  --backup  Back up the original contents of each file.
  -d DIR  --directory=DIR  Change the working directory to DIR first.
  -f  --force, -t --batch  Ask no questions.
  -s  --quiet  --silent  Work silently unless an error occurs.
      --dry-run  Do not actually change any files; just print what would happen.
";

struct Settings {
    strip: Option<usize>,
    reverse: bool,
    forward: bool,
    quiet: bool,
    backup: bool,
    suffix: Vec<u8>,
    remove_empty: bool,
    fuzz: usize,
    blanks: bool,
    dry: bool,
    output: Option<Vec<u8>>,
    reject: Option<Vec<u8>>,
    target: Option<Vec<u8>>,
}

pub fn run(args: Vec<Vec<u8>>) -> i32 {
    let mut s = Settings {
        strip: None,
        reverse: false,
        forward: false,
        quiet: false,
        backup: false,
        suffix: b".orig".to_vec(),
        remove_empty: false,
        fuzz: 2,
        blanks: false,
        dry: false,
        output: None,
        reject: None,
        target: None,
    };
    let (mut input, mut folder) = (None, None);
    let mut operands = Vec::new();
    let mut parser = Parser::new("patch", OPTIONS, args);
    loop {
        match parser.next() {
            Ok(Some(Item::Operand(word))) => operands.push(word),
            Ok(Some(Item::Opt(id, value))) => {
                let number = || {
                    value
                        .as_ref()
                        .and_then(|v| String::from_utf8_lossy(v).parse::<usize>().ok())
                };
                match id {
                    'p' => match number() {
                        Some(n) => s.strip = Some(n),
                        None => {
                            complain("patch", "**** strip count is not a number");
                            return 2;
                        }
                    },
                    'i' => input = value,
                    'o' => s.output = value,
                    'd' => folder = value,
                    'R' => s.reverse = true,
                    'N' => s.forward = true,
                    's' => s.quiet = true,
                    'b' => s.backup = true,
                    'z' => s.suffix = value.unwrap_or_default(),
                    'E' => s.remove_empty = true,
                    'F' => s.fuzz = number().unwrap_or(2),
                    'r' => s.reject = value,
                    'l' => s.blanks = true,
                    '\u{1}' => s.dry = true,
                    '\u{5}' => {
                        print!("{HELP}");
                        return 0;
                    }
                    'v' => {
                        println!("patch (hardshell) compatible with GNU patch 2.7.6");
                        return 0;
                    }
                    _ => {}
                }
            }
            Ok(None) => break,
            Err(()) => return 2,
        }
    }
    let mut operands = operands.into_iter();
    s.target = operands.next();
    if let Some(file) = operands.next() {
        input = Some(file);
    }
    let mut text = Vec::new();
    let read = match &input {
        Some(name) if name != b"-" => open_input(name).and_then(|mut i| i.read_to_end(&mut text)),
        _ => Input::stdin().read_to_end(&mut text),
    };
    if let Err(error) = read {
        let name = input.unwrap_or_else(|| b"-".to_vec());
        complain(
            "patch",
            format!(
                "**** Can't open patch file {} : {}",
                String::from_utf8_lossy(&name),
                errno_text(&error)
            ),
        );
        return 2;
    }
    if let Some(folder) = folder
        && let Err(error) = std::env::set_current_dir(path(&folder))
    {
        complain(
            "patch",
            format!(
                "**** Can't change to directory {} : {}",
                String::from_utf8_lossy(&folder),
                errno_text(&error)
            ),
        );
        return 2;
    }
    let files = match parse(&text) {
        Ok(files) => files,
        Err(message) => {
            complain("patch", format!("**** {message}"));
            return 2;
        }
    };
    if files.is_empty() {
        if !text.is_empty() {
            complain("patch", "**** Only garbage was found in the patch input.");
            return 2;
        }
        return 0;
    }
    let mut out = Out::stdout();
    let mut status = 0;
    for file in files {
        let result = one(&s, file, &mut out);
        status = status.max(result);
        if status == 2 {
            break;
        }
    }
    if out.finish().is_err() { 2 } else { status }
}

fn strip(name: &[u8], count: Option<usize>) -> Vec<u8> {
    let Some(count) = count else {
        return hardshell_cli::base_name(name).to_vec();
    };
    let mut rest = name;
    for _ in 0..count {
        match rest.iter().position(|b| *b == b'/') {
            Some(at) => {
                rest = &rest[at..];
                while rest.first() == Some(&b'/') {
                    rest = &rest[1..];
                }
            }
            None => break,
        }
    }
    rest.to_vec()
}

/// A name that leads out of the folder is refused, whoever wrote the patch.
fn is_safe(name: &[u8]) -> bool {
    !name.is_empty()
        && name.first() != Some(&b'/')
        && !name.split(|b| *b == b'/').any(|part| part == b"..")
}

fn invert(file: FilePatch) -> FilePatch {
    let hunks = file
        .hunks
        .into_iter()
        .map(|h| {
            let mut lines: Vec<Line> = Vec::with_capacity(h.lines.len());
            let mut adds: Vec<Line> = Vec::new();
            // Removals come before additions in a hunk.
            for line in h.lines {
                match line {
                    Line::Keep(l) => {
                        lines.append(&mut adds);
                        lines.push(Line::Keep(l));
                    }
                    Line::Remove(l) => adds.push(Line::Add(l)),
                    Line::Add(l) => lines.push(Line::Remove(l)),
                }
            }
            lines.append(&mut adds);
            Hunk {
                old_start: h.new_start,
                new_start: h.old_start,
                lines,
            }
        })
        .collect();
    FilePatch {
        old: file.new,
        new: file.old,
        hunks,
        deleted: file.created,
        created: file.deleted,
        ..FilePatch {
            index: file.index,
            ..FilePatch::default()
        }
    }
}

fn one(s: &Settings, file: FilePatch, out: &mut Out) -> i32 {
    let file = if s.reverse { invert(file) } else { file };
    let null = |n: &Option<Vec<u8>>| n.as_ref().is_some_and(|n| n == b"/dev/null");
    let (creates, deletes) = (
        null(&file.old) || file.created,
        null(&file.new) || file.deleted,
    );
    let name = match &s.target {
        Some(name) => name.clone(),
        None => {
            let mut candidates: Vec<Vec<u8>> = [&file.old, &file.new, &file.index]
                .into_iter()
                .flatten()
                .filter(|n| *n != b"/dev/null")
                .map(|n| strip(n, s.strip))
                .collect();
            candidates.retain(|n| !n.is_empty());
            if let Some(unsafe_name) = candidates.iter().find(|n| !is_safe(n)) {
                complain(
                    "patch",
                    format!(
                        "**** Ignoring potentially dangerous file name {}",
                        String::from_utf8_lossy(unsafe_name)
                    ),
                );
            }
            candidates.retain(|n| is_safe(n));
            let existing = candidates.iter().find(|n| path(n).exists()).cloned();
            match existing.or_else(|| if creates { candidates.pop() } else { None }) {
                Some(name) => name,
                None => {
                    let shown = candidates
                        .first()
                        .map(|n| String::from_utf8_lossy(n).into_owned())
                        .unwrap_or_default();
                    out.put(format!("can't find file to patch: {shown}\nNo file to patch.  Skipping patch.\n").as_bytes());
                    let n = file.hunks.len();
                    out.put(
                        format!(
                            "{n} out of {n} hunk{} ignored\n",
                            if n == 1 { "" } else { "s" }
                        )
                        .as_bytes(),
                    );
                    return 1;
                }
            }
        }
    };
    let shown = String::from_utf8_lossy(&name).into_owned();
    let old = match fs::read(path(&name)) {
        Ok(data) => data,
        Err(error)
            if error.kind() == std::io::ErrorKind::NotFound
                && (creates
                    || s.target.is_some()
                    || file.hunks.iter().all(|h| h.old_start == 0)) =>
        {
            Vec::new()
        }
        Err(error) => {
            complain(
                "patch",
                format!("**** Can't open file {shown} : {}", errno_text(&error)),
            );
            return 2;
        }
    };
    let destination = s.output.clone().unwrap_or_else(|| {
        file.rename_to
            .as_ref()
            .filter(|_| s.target.is_none())
            .filter(|n| is_safe(n))
            .cloned()
            .unwrap_or_else(|| name.clone())
    });
    if !s.quiet {
        let what = if s.dry { "checking" } else { "patching" };
        let renamed = if destination != name && s.output.is_none() {
            format!(" (renamed from {shown})")
        } else {
            String::new()
        };
        out.put(
            format!(
                "{what} file {}{renamed}\n",
                String::from_utf8_lossy(if s.output.is_some() {
                    &destination
                } else if renamed.is_empty() {
                    &name
                } else {
                    &destination
                })
            )
            .as_bytes(),
        );
    }
    let mut text: Vec<Vec<u8>> = lines(&old).into_iter().map(<[u8]>::to_vec).collect();
    let (mut failed, mut offset) = (Vec::new(), 0isize);
    let mut floor = 0usize;
    let mut mismatch = false;
    for (i, hunk) in file.hunks.iter().enumerate() {
        let found = locate(s, &text, hunk, offset, floor);
        let Some((at, fuzz, skip_head, skip_tail)) = found else {
            if i == 0 && is_applied(s, &text, hunk) {
                let n = file.hunks.len();
                out.put(
                    format!(
                        "{} patch detected!  Skipping patch.\n{n} out of {n} hunk{} ignored",
                        if s.reverse {
                            "Unreversed (or previously applied)"
                        } else {
                            "Reversed (or previously applied)"
                        },
                        if n == 1 { "" } else { "s" }
                    )
                    .as_bytes(),
                );
                if s.dry {
                    out.byte(b'\n');
                } else {
                    out.put(format!(" -- saving rejects to file {shown}.rej\n").as_bytes());
                    write_rejects(s, &name, &file, &file.hunks);
                }
                return 1;
            }
            let line =
                usize::try_from(isize::try_from(hunk.old_start).unwrap_or(0) + offset).unwrap_or(0);
            out.put(format!("Hunk #{} FAILED at {}.\n", i + 1, line.max(1)).as_bytes());
            failed.push(hunk.clone());
            continue;
        };
        let expected = isize::try_from(hunk.old_start.max(1) - 1).unwrap_or(0) + offset;
        let at_line = isize::try_from(at).unwrap_or(0) - isize::try_from(skip_head).unwrap_or(0);
        let moved = at_line - (expected - offset) - (offset);
        if (moved != 0 || fuzz > 0 || offset != 0) && !s.quiet {
            let shift = at_line - isize::try_from(hunk.old_start.max(1) - 1).unwrap_or(0);
            let base = shift - (isize::try_from(floor_shift(&file.hunks[..i])).unwrap_or(0));
            let mut note = format!("Hunk #{} succeeded at {}", i + 1, at_line + 1);
            if fuzz > 0 {
                mismatch = true;
                note.push_str(&format!(" with fuzz {fuzz}"));
            }
            if base != 0 {
                mismatch = true;
                note.push_str(&format!(
                    " (offset {base} line{})",
                    if base.abs() == 1 { "" } else { "s" }
                ));
            }
            if fuzz > 0 || base != 0 {
                out.put(format!("{note}.\n").as_bytes());
            }
        }
        let used = &hunk.lines[skip_head..hunk.lines.len() - skip_tail];
        let removed = used.iter().filter(|l| !matches!(l, Line::Add(_))).count();
        // Kept lines stay as the file has them.
        let mut position = at;
        let mut replacement: Vec<Vec<u8>> = Vec::new();
        for line in used {
            match line {
                Line::Keep(_) => {
                    replacement.push(text[position].clone());
                    position += 1;
                }
                Line::Remove(_) => position += 1,
                Line::Add(l) => replacement.push(l.clone()),
            }
        }
        let added = replacement.len();
        text.splice(at..at + removed, replacement);
        offset = at_line - isize::try_from(hunk.old_start.max(1) - 1).unwrap_or(0)
            + isize::try_from(added).unwrap_or(0)
            - isize::try_from(removed).unwrap_or(0);
        floor = at + added;
    }
    let total = file.hunks.len();
    let status = i32::from(!failed.is_empty());
    if !failed.is_empty() {
        out.put(
            format!(
                "{} out of {total} hunk{} FAILED",
                failed.len(),
                if total == 1 { "" } else { "s" }
            )
            .as_bytes(),
        );
        if s.dry {
            out.byte(b'\n');
        } else {
            out.put(format!(" -- saving rejects to file {shown}.rej\n").as_bytes());
            write_rejects(s, &name, &file, &failed);
        }
    }
    if s.dry || failed.len() == total && total > 0 {
        return status;
    }
    let new: Vec<u8> = text.concat();
    if s.backup || (mismatch && !old.is_empty() || !failed.is_empty()) && s.output.is_none() {
        let mut backup = name.clone();
        backup.extend_from_slice(&s.suffix);
        let _ = fs::write(path(&backup), &old);
    }
    if new.is_empty() && (deletes || s.remove_empty) && s.output.is_none() {
        if let Err(error) = fs::remove_file(path(&name)) {
            complain(
                "patch",
                format!("**** Can't remove file {shown} : {}", errno_text(&error)),
            );
            return 2;
        }
        return status;
    }
    if creates && let Some(at) = destination.iter().rposition(|b| *b == b'/') {
        let _ = fs::create_dir_all(path(&destination[..at]));
    }
    if destination == b"-" {
        out.put(&new);
        return status;
    }
    if let Err(error) = fs::write(path(&destination), &new) {
        complain(
            "patch",
            format!(
                "**** Can't create file {} : {}",
                String::from_utf8_lossy(&destination),
                errno_text(&error)
            ),
        );
        return 2;
    }
    if destination != name && s.output.is_none() {
        hardshell_cli::copy_mode(&name, &destination);
        let _ = fs::remove_file(path(&name));
    }
    if let Some(mode) = file.new_mode {
        let _ = hardshell_cli::stat::chmod(&destination, mode);
    }
    status
}

/// By how much earlier hunks shift the lines after them.
fn floor_shift(hunks: &[Hunk]) -> i64 {
    hunks
        .iter()
        .flat_map(|h| &h.lines)
        .map(|l| match l {
            Line::Add(_) => 1,
            Line::Remove(_) => -1,
            Line::Keep(_) => 0,
        })
        .sum()
}

fn same(s: &Settings, a: &[u8], b: &[u8]) -> bool {
    if a == b {
        return true;
    }
    if s.blanks {
        let ignore = crate::compare::Ignore {
            space_change: true,
            ..Default::default()
        };
        return ignore.key(a) == ignore.key(b);
    }
    false
}

/// Where a hunk fits: position, fuzz, and how many lines of context were
/// given up at its head and tail.
fn locate(
    s: &Settings,
    text: &[Vec<u8>],
    hunk: &Hunk,
    offset: isize,
    floor: usize,
) -> Option<(usize, usize, usize, usize)> {
    let head = hunk
        .lines
        .iter()
        .take_while(|l| matches!(l, Line::Keep(_)))
        .count();
    let tail = hunk
        .lines
        .iter()
        .rev()
        .take_while(|l| matches!(l, Line::Keep(_)))
        .count();
    let context = head.max(tail);
    for fuzz in 0..=s.fuzz.min(context) {
        let skip_head = (fuzz + head).saturating_sub(context).min(head);
        let skip_tail = (fuzz + tail).saturating_sub(context).min(tail);
        let wanted: Vec<&[u8]> = hunk.lines
            [skip_head..hunk.lines.len() - skip_tail.min(hunk.lines.len() - skip_head)]
            .iter()
            .filter_map(|l| match l {
                Line::Keep(l) | Line::Remove(l) => Some(l.as_slice()),
                Line::Add(_) => None,
            })
            .collect();
        let first = isize::try_from(hunk.old_start.max(1) - 1).ok()?
            + offset
            + isize::try_from(skip_head).ok()?;
        let fits = |at: isize| -> bool {
            let Ok(at) = usize::try_from(at) else {
                return false;
            };
            at >= floor
                && at + wanted.len() <= text.len()
                && wanted.iter().zip(&text[at..]).all(|(w, t)| same(s, w, t))
        };
        if wanted.is_empty() {
            // A pure addition goes where it says.
            let at = usize::try_from(first.max(0)).ok()?.min(text.len());
            let at = if hunk.old_start == 0 { 0 } else { at };
            if hunk.old_start == 0 && !text.is_empty() {
                return None;
            }
            return Some((at, fuzz, skip_head, skip_tail));
        }
        // Context that is short at one end pins the hunk to that end.
        let furthest = isize::try_from(text.len()).ok()?;
        for distance in 0..=furthest {
            for at in [first + distance, first - distance] {
                if fits(at) {
                    return Some((usize::try_from(at).ok()?, fuzz, skip_head, skip_tail));
                }
                if distance == 0 {
                    break;
                }
            }
        }
    }
    None
}

/// Whether a hunk's result is there already.
fn is_applied(s: &Settings, text: &[Vec<u8>], hunk: &Hunk) -> bool {
    let reversed = invert(FilePatch {
        hunks: vec![hunk.clone()],
        ..FilePatch::default()
    });
    reversed.hunks.first().is_some_and(|h| {
        h.lines.iter().any(|l| matches!(l, Line::Remove(_)))
            && locate(s, text, h, 0, 0).is_some_and(|(_, fuzz, ..)| fuzz == 0)
    })
}

fn write_rejects(s: &Settings, name: &[u8], file: &FilePatch, hunks: &[Hunk]) {
    let target = s.reject.clone().unwrap_or_else(|| [name, b".rej"].concat());
    if target == b"-" {
        return;
    }
    let mut text = Vec::new();
    let side = |n: &Option<Vec<u8>>| n.clone().unwrap_or_else(|| name.to_vec());
    text.extend_from_slice(b"--- ");
    text.extend_from_slice(&side(&file.old));
    text.extend_from_slice(b"\n+++ ");
    text.extend_from_slice(&side(&file.new));
    text.push(b'\n');
    for hunk in hunks {
        let old = hunk
            .lines
            .iter()
            .filter(|l| !matches!(l, Line::Add(_)))
            .count();
        let new = hunk
            .lines
            .iter()
            .filter(|l| !matches!(l, Line::Remove(_)))
            .count();
        let range = |start: usize, count: usize| {
            if count == 1 {
                start.to_string()
            } else {
                format!("{start},{count}")
            }
        };
        text.extend_from_slice(
            format!(
                "@@ -{} +{} @@\n",
                range(hunk.old_start, old),
                range(hunk.new_start, new)
            )
            .as_bytes(),
        );
        for line in &hunk.lines {
            let (mark, body) = match line {
                Line::Keep(l) => (b' ', l),
                Line::Remove(l) => (b'-', l),
                Line::Add(l) => (b'+', l),
            };
            text.push(mark);
            text.extend_from_slice(body);
            if body.last() != Some(&b'\n') {
                text.extend_from_slice(b"\n\\ No newline at end of file\n");
            }
        }
    }
    let _ = fs::write(path(&target), text);
}
