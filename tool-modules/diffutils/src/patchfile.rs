//! Reading patches: unified, context and normal ones.

/// One line of a hunk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    Keep(Vec<u8>),
    Remove(Vec<u8>),
    Add(Vec<u8>),
}

#[derive(Clone, Debug, Default)]
pub struct Hunk {
    /// First line in the old text, from one; 0 for an empty one.
    pub old_start: usize,
    pub new_start: usize,
    pub lines: Vec<Line>,
}

#[derive(Clone, Debug, Default)]
pub struct FilePatch {
    pub old: Option<Vec<u8>>,
    pub new: Option<Vec<u8>>,
    pub index: Option<Vec<u8>>,
    pub hunks: Vec<Hunk>,
    /// From git's extended headers.
    pub rename_to: Option<Vec<u8>>,
    pub new_mode: Option<u32>,
    pub deleted: bool,
    pub created: bool,
}

/// Parses all files of a patch; the error names the line.
pub fn parse(text: &[u8]) -> Result<Vec<FilePatch>, String> {
    let lines = crate::compare::lines(text);
    let mut out: Vec<FilePatch> = Vec::new();
    let mut current = FilePatch::default();
    let mut at = 0;
    let finish = |current: &mut FilePatch, out: &mut Vec<FilePatch>| {
        if !current.hunks.is_empty()
            || current.rename_to.is_some()
            || current.new_mode.is_some()
            || current.deleted
            || current.created
        {
            out.push(std::mem::take(current));
        } else {
            *current = FilePatch::default();
        }
    };
    while at < lines.len() {
        let line = trim(lines[at]);
        if let Some(rest) = line.strip_prefix(b"diff --git ") {
            finish(&mut current, &mut out);
            let text = String::from_utf8_lossy(rest).into_owned();
            if let Some((a, b)) = text.split_once(" b/") {
                current.old = Some(a.as_bytes().to_vec());
                current.new = Some(format!("b/{b}").into_bytes());
            }
            at += 1;
        } else if let Some(rest) = line.strip_prefix(b"rename to ") {
            current.rename_to = Some(rest.to_vec());
            at += 1;
        } else if let Some(rest) = line.strip_prefix(b"new file mode ") {
            current.created = true;
            current.new_mode = u32::from_str_radix(String::from_utf8_lossy(rest).trim(), 8)
                .ok()
                .map(|m| m & 0o777);
            at += 1;
        } else if let Some(rest) = line.strip_prefix(b"new mode ") {
            current.new_mode = u32::from_str_radix(String::from_utf8_lossy(rest).trim(), 8)
                .ok()
                .map(|m| m & 0o777);
            at += 1;
        } else if line.starts_with(b"deleted file mode ") {
            current.deleted = true;
            at += 1;
        } else if let Some(rest) = line.strip_prefix(b"Index: ") {
            if !current.hunks.is_empty() {
                finish(&mut current, &mut out);
            }
            current.index = Some(rest.to_vec());
            at += 1;
        } else if heads_file(line, lines.get(at + 1).copied()) {
            if !current.hunks.is_empty() {
                finish(&mut current, &mut out);
            }
            let other = trim(lines[at + 1]);
            current.old = Some(name(&line[4..]));
            current.new = Some(name(&other[4..]));
            // A file of the epoch is one that is not there.
            current.created |= is_epoch(line);
            current.deleted |= is_epoch(other);
            at += 2;
        } else if line.starts_with(b"@@ -") {
            let (hunk, next) = unified(&lines, at)?;
            current.hunks.push(hunk);
            at = next;
        } else if line == b"***************" || line.starts_with(b"*************** ") {
            let (hunk, next) = context(&lines, at)?;
            current.hunks.push(hunk);
            at = next;
        } else if let Some(hunk) = normal_header(line) {
            let (hunk, next) = normal(&lines, at, hunk)?;
            current.hunks.push(hunk);
            at = next;
        } else {
            at += 1;
        }
    }
    finish(&mut current, &mut out);
    Ok(out)
}

fn trim(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

fn is_epoch(header: &[u8]) -> bool {
    let at = header
        .iter()
        .position(|b| *b == b'\t')
        .unwrap_or(header.len());
    let time = String::from_utf8_lossy(&header[at..]).into_owned();
    time.contains("1970-01-01 00:00:00") || time.contains("Thu Jan  1 00:00:00 1970")
}

/// The name in a header, without its time.
fn name(text: &[u8]) -> Vec<u8> {
    let end = text.iter().position(|b| *b == b'\t').unwrap_or(text.len());
    let mut out = text[..end].to_vec();
    while out.last() == Some(&b' ') {
        out.pop();
    }
    if out.first() == Some(&b'"') && out.last() == Some(&b'"') && out.len() > 1 {
        out = out[1..out.len() - 1].to_vec();
    }
    out
}

fn numbers(text: &str) -> Option<(usize, usize)> {
    match text.split_once(',') {
        Some((a, b)) => Some((a.parse().ok()?, b.parse().ok()?)),
        None => Some((text.parse().ok()?, 1)),
    }
}

/// A line's end that `\ No newline` takes away again.
fn cut_newline(lines: &mut [Line]) {
    if let Some(Line::Keep(l) | Line::Remove(l) | Line::Add(l)) = lines.last_mut()
        && l.last() == Some(&b'\n')
    {
        l.pop();
    }
}

fn malformed(at: usize, line: &[u8]) -> String {
    format!(
        "malformed patch at line {}: {}",
        at + 1,
        String::from_utf8_lossy(trim(line))
    )
}

fn unified(lines: &[&[u8]], start: usize) -> Result<(Hunk, usize), String> {
    let bad = || malformed(start, lines[start]);
    let head = String::from_utf8_lossy(trim(lines[start])).into_owned();
    let body = head
        .strip_prefix("@@ -")
        .and_then(|h| h.split_once(" @@"))
        .map(|(b, _)| b.to_owned())
        .ok_or_else(bad)?;
    let (old, new) = body.split_once(" +").ok_or_else(bad)?;
    let (old_start, mut old_left) = numbers(old).ok_or_else(bad)?;
    let (new_start, mut new_left) = numbers(new).ok_or_else(bad)?;
    let mut hunk = Hunk {
        old_start,
        new_start,
        lines: Vec::new(),
    };
    let mut at = start + 1;
    while old_left > 0 || new_left > 0 {
        let Some(line) = lines.get(at) else {
            return Err(format!(
                "unexpected end of file in patch at line {}",
                at + 1
            ));
        };
        let rest = line.get(1..).unwrap_or_default().to_vec();
        match line.first() {
            Some(b' ') if old_left > 0 && new_left > 0 => {
                hunk.lines.push(Line::Keep(rest));
                old_left -= 1;
                new_left -= 1;
            }
            // Some mailers take the blank of an empty line away.
            Some(b'\n') if old_left > 0 && new_left > 0 => {
                hunk.lines.push(Line::Keep(b"\n".to_vec()));
                old_left -= 1;
                new_left -= 1;
            }
            Some(b'-') if old_left > 0 => {
                hunk.lines.push(Line::Remove(rest));
                old_left -= 1;
            }
            Some(b'+') if new_left > 0 => {
                hunk.lines.push(Line::Add(rest));
                new_left -= 1;
            }
            Some(b'\\') => cut_newline(&mut hunk.lines),
            _ => return Err(malformed(at, line)),
        }
        at += 1;
    }
    if lines.get(at).is_some_and(|l| l.starts_with(b"\\")) {
        cut_newline(&mut hunk.lines);
        at += 1;
    }
    Ok((hunk, at))
}

fn context(lines: &[&[u8]], start: usize) -> Result<(Hunk, usize), String> {
    let mut at = start + 1;
    let range = |line: &[u8], mark: &str| -> Option<(usize, usize)> {
        let text = String::from_utf8_lossy(trim(line)).into_owned();
        let body = text
            .strip_prefix(mark)?
            .trim_start()
            .trim_end_matches(['*', '-', ' '])
            .to_owned();
        match body.split_once(',') {
            Some((a, b)) => Some((a.parse().ok()?, b.parse().ok()?)),
            None => body.parse().ok().map(|n| (n, n)),
        }
    };
    let bad = |at: usize| malformed(at, lines.get(at).copied().unwrap_or_default());
    let (old_start, old_end) = lines
        .get(at)
        .and_then(|l| range(l, "***"))
        .ok_or_else(|| bad(at))?;
    at += 1;
    // (mark, text): old side, then new side.
    let side = |at: &mut usize, count: usize| -> Vec<(u8, Vec<u8>)> {
        let mut out: Vec<(u8, Vec<u8>)> = Vec::new();
        while let Some(line) = lines.get(*at) {
            if line.starts_with(b"\\") {
                if let Some((_, l)) = out.last_mut()
                    && l.last() == Some(&b'\n')
                {
                    l.pop();
                }
                *at += 1;
                continue;
            }
            let fits = matches!(line.first(), Some(b' ' | b'-' | b'+' | b'!'))
                && matches!(line.get(1), Some(b' ' | b'\n'));
            if !fits
                || out.len() >= count
                || line.starts_with(b"--- ") && trim(line).ends_with(b" ----")
            {
                break;
            }
            out.push((line[0], line.get(2..).unwrap_or(b"\n").to_vec()));
            *at += 1;
        }
        out
    };
    let old = side(
        &mut at,
        if old_start == 0 {
            0
        } else {
            old_end + 1 - old_start
        },
    );
    let (new_start, new_end) = lines
        .get(at)
        .and_then(|l| range(l, "---"))
        .ok_or_else(|| bad(at))?;
    at += 1;
    let new = side(
        &mut at,
        if new_start == 0 {
            0
        } else {
            new_end + 1 - new_start
        },
    );
    let mut hunk = Hunk {
        old_start,
        new_start,
        lines: Vec::new(),
    };
    // A side without changes is left out and is the other one's context.
    let old = if old.is_empty() {
        new.iter().filter(|(m, _)| *m == b' ').cloned().collect()
    } else {
        old
    };
    let new = if new.is_empty() {
        old.iter().filter(|(m, _)| *m == b' ').cloned().collect()
    } else {
        new
    };
    let (mut i, mut j) = (0, 0);
    while i < old.len() || j < new.len() {
        match (old.get(i), new.get(j)) {
            (Some((b'-' | b'!', l)), _) => {
                hunk.lines.push(Line::Remove(l.clone()));
                i += 1;
            }
            (_, Some((b'+' | b'!', l))) => {
                hunk.lines.push(Line::Add(l.clone()));
                j += 1;
            }
            (Some((_, l)), _) => {
                hunk.lines.push(Line::Keep(l.clone()));
                i += 1;
                j += 1;
            }
            (None, _) => j += 1,
        }
    }
    Ok((hunk, at))
}

/// `5,7c8,9` and the like: old range, letter, new range.
fn normal_header(line: &[u8]) -> Option<((usize, usize), u8, (usize, usize))> {
    if !line.first()?.is_ascii_digit() {
        return None;
    }
    let at = line.iter().position(|b| matches!(b, b'a' | b'c' | b'd'))?;
    let range = |text: &[u8]| -> Option<(usize, usize)> {
        let text = std::str::from_utf8(text).ok()?;
        match text.split_once(',') {
            Some((a, b)) => Some((a.parse().ok()?, b.parse().ok()?)),
            None => text.parse().ok().map(|n| (n, n)),
        }
    };
    Some((range(&line[..at])?, line[at], range(&line[at + 1..])?))
}

#[allow(clippy::type_complexity)]
fn normal(
    lines: &[&[u8]],
    start: usize,
    head: ((usize, usize), u8, (usize, usize)),
) -> Result<(Hunk, usize), String> {
    let (old, letter, new) = head;
    let mut hunk = Hunk {
        old_start: if letter == b'a' { old.0 + 1 } else { old.0 },
        new_start: new.0,
        lines: Vec::new(),
    };
    let mut at = start + 1;
    while let Some(line) = lines.get(at) {
        if let Some(rest) = line.strip_prefix(b"< ") {
            hunk.lines.push(Line::Remove(rest.to_vec()));
        } else if let Some(rest) = line.strip_prefix(b"> ") {
            hunk.lines.push(Line::Add(rest.to_vec()));
        } else if line.starts_with(b"\\") {
            cut_newline(&mut hunk.lines);
        } else if !line.starts_with(b"---\n") {
            break;
        }
        at += 1;
    }
    Ok((hunk, at))
}

/// Whether two lines name the old and the new file, in a unified or a context diff.
fn heads_file(line: &[u8], next: Option<&[u8]>) -> bool {
    let next_starts = |with: &[u8]| next.is_some_and(|next| next.starts_with(with));
    (line.starts_with(b"--- ") && next_starts(b"+++ "))
        || (line.starts_with(b"*** ") && next_starts(b"--- ") && !line.ends_with(b" ****"))
}
