//! Reading archives: listing, extracting, comparing.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::time::{Duration, UNIX_EPOCH};

use hardshell_cli::stat::{Stat, group_name, user_name};
use hardshell_cli::time::{Zone, strftime};
use hardshell_cli::{Input, Out, complain, errno_text, join, open_input, path};

use crate::formats::Format;
use crate::tar::{Mode, Operand, Settings, excluded, transformed};

pub fn run(mut s: Settings, operands: Vec<Operand>, folder: Vec<u8>, mode: Mode) -> i32 {
    let shown = String::from_utf8_lossy(&s.archive).into_owned();
    let mut source: Input = match open_input(&s.archive) {
        Ok(source) => source,
        Err(error) => {
            complain(
                "tar",
                format!("{shown}: Cannot open: {}", errno_text(&error)),
            );
            complain("tar", "Error is not recoverable: exiting now");
            return 2;
        }
    };
    // What is inside decides on the compression, whatever was said.
    let mut start = [0u8; 6];
    let mut filled = 0;
    while filled < start.len() {
        match source.read(&mut start[filled..]) {
            Ok(0) => break,
            Ok(got) => filled += got,
            Err(error) => {
                complain(
                    "tar",
                    format!("{shown}: Cannot read: {}", errno_text(&error)),
                );
                return 2;
            }
        }
    }
    let start = start[..filled].to_vec();
    let format = Format::detect(&start);
    if let (Some(wanted), None) = (s.format, format)
        && !start.is_empty()
    {
        let name = format!("{wanted:?}").to_lowercase();
        complain(
            &name,
            "stdin: not in the expected format".replace("the expected", &name),
        );
        complain("tar", "Child returned status 1");
        complain("tar", "Error is not recoverable: exiting now");
        return 2;
    }
    let whole = io::Cursor::new(start).chain(source);
    let reader: Box<dyn Read> = match format {
        None => Box::new(whole),
        Some(format) => match format.reader(whole) {
            Ok(reader) => reader,
            Err(error) => {
                complain("tar", errno_text(&error));
                return 2;
            }
        },
    };
    let mut archive = tar::Archive::new(io::BufReader::with_capacity(64 * 1024, reader));
    let mut found = vec![false; operands.len()];
    let mut out = Out::stdout();
    let mut folders: Vec<(Vec<u8>, u32, u64)> = Vec::new();
    let entries = match archive.entries() {
        Ok(entries) => entries,
        Err(error) => return broken(&error),
    };
    let mut any = false;
    for entry in entries {
        let mut entry = match entry {
            Ok(entry) => entry,
            Err(error) => {
                let _ = out.finish();
                return broken_archive(&error, any);
            }
        };
        any = true;
        let name = entry.path_bytes().into_owned();
        if excluded(&s, &name) || !wanted(&s, &operands, &mut found, &name) {
            continue;
        }
        let result = match mode {
            Mode::List => {
                list(&s, &mut entry, &name, &mut out);
                Ok(())
            }
            Mode::Diff => compare(&mut s, &mut entry, &join(&folder, &name), &name, &mut out),
            _ => extract(&mut s, &mut entry, &folder, &name, &mut out, &mut folders),
        };
        if let Err(error) = result {
            s.status = 2;
            out.flush();
            complain(
                "tar",
                format!("{}: {}", String::from_utf8_lossy(&name), errno_text(&error)),
            );
        }
        if out.failed() {
            break;
        }
    }
    // Folders get their mode and time last, when nothing is written to them.
    for (file, mode, mtime) in folders.into_iter().rev() {
        let _ = hardshell_cli::stat::chmod(&file, mode);
        if !s.touch {
            set_time(&file, mtime);
        }
    }
    if out.finish().is_err() {
        return 2;
    }
    for (operand, found) in operands.iter().zip(found) {
        if !found {
            s.status = 2;
            complain(
                "tar",
                format!(
                    "{}: Not found in archive",
                    String::from_utf8_lossy(&operand.name)
                ),
            );
        }
    }
    if s.status == 2 {
        complain("tar", "Exiting with failure status due to previous errors");
    }
    s.status
}

fn broken(error: &io::Error) -> i32 {
    complain("tar", errno_text(error));
    complain("tar", "Error is not recoverable: exiting now");
    2
}

fn broken_archive(error: &io::Error, any: bool) -> i32 {
    if !any {
        complain("tar", "This does not look like a tar archive");
        complain("tar", "Exiting with failure status due to previous errors");
        return 2;
    }
    if error.kind() == io::ErrorKind::UnexpectedEof
        || error.to_string().contains("failed to read entire block")
    {
        complain("tar", "Unexpected EOF in archive");
    } else {
        complain("tar", "Skipping to next header");
    }
    complain("tar", "Error is not recoverable: exiting now");
    2
}

fn wanted(s: &Settings, operands: &[Operand], found: &mut [bool], name: &[u8]) -> bool {
    if operands.is_empty() {
        return true;
    }
    let trimmed = name.strip_suffix(b"/").unwrap_or(name);
    let mut hit = false;
    for (i, operand) in operands.iter().enumerate() {
        let want = operand.name.strip_suffix(b"/").unwrap_or(&operand.name);
        let same = if s.wildcards {
            hardshell_cli::glob::matches(want, trimmed, hardshell_cli::glob::Flags::default())
        } else {
            trimmed == want || (trimmed.starts_with(want) && trimmed.get(want.len()) == Some(&b'/'))
        };
        if same {
            found[i] = true;
            hit = true;
        }
    }
    hit
}

type Entry<'e, R> = tar::Entry<'e, R>;

fn header_stat<R: Read>(entry: &Entry<'_, R>) -> Stat {
    let header = entry.header();
    let kind = match header.entry_type() {
        tar::EntryType::Directory => 0o040_000,
        tar::EntryType::Symlink => 0o120_000,
        tar::EntryType::Char => 0o020_000,
        tar::EntryType::Block => 0o060_000,
        tar::EntryType::Fifo => 0o010_000,
        _ => 0o100_000,
    };
    Stat {
        mode: kind | (header.mode().unwrap_or(0o644) & 0o7777),
        uid: u32::try_from(header.uid().unwrap_or(0)).unwrap_or(0),
        gid: u32::try_from(header.gid().unwrap_or(0)).unwrap_or(0),
        size: entry.size(),
        mtime: i128::from(header.mtime().unwrap_or(0)) * 1_000_000_000,
        nlink: 1,
        ..Stat::default()
    }
}

fn list<R: Read>(s: &Settings, entry: &mut Entry<'_, R>, name: &[u8], out: &mut Out) {
    let name = transformed(s, name);
    if s.verbose > 0 {
        let meta = header_stat(entry);
        let header = entry.header();
        let field = |bytes: Option<&[u8]>, id: u32| {
            bytes
                .map(|b| String::from_utf8_lossy(b).into_owned())
                .filter(|n| !n.is_empty() && !s.numeric)
                .unwrap_or_else(|| id.to_string())
        };
        let owner = format!(
            "{}/{}",
            field(header.username_bytes(), meta.uid),
            field(header.groupname_bytes(), meta.gid)
        );
        let hard = header.entry_type() == tar::EntryType::Link;
        out.put(&line(&meta, &owner, &name, hard));
        if let Some(target) = entry.link_name_bytes() {
            out.put(if hard { b" link to " } else { b" -> " });
            out.put(&target);
        }
    } else {
        out.put(&name);
    }
    out.byte(b'\n');
}

fn line(meta: &Stat, owner: &str, name: &[u8], hard: bool) -> Vec<u8> {
    let seconds = i64::try_from(meta.mtime.div_euclid(1_000_000_000)).unwrap_or(0);
    let time = strftime(b"%Y-%m-%d %H:%M", seconds, &Zone::local(), false);
    let mut mode = meta.mode_text();
    if hard {
        mode.replace_range(0..1, "h");
    }
    let width = 19usize
        .saturating_sub(owner.len() + 1)
        .max(meta.size.to_string().len());
    let mut out = format!(
        "{mode} {owner} {:>width$} {} ",
        meta.size,
        String::from_utf8_lossy(&time)
    )
    .into_bytes();
    out.extend_from_slice(name);
    out
}

/// A line of `tar -cvv`.
pub fn long_line(name: &[u8], meta: &Stat, real: &[u8]) -> Vec<u8> {
    let size = if meta.kind() == b'f' { meta.size } else { 0 };
    let meta = Stat { size, ..*meta };
    let mut out = line(
        &meta,
        &format!("{}/{}", user_name(meta.uid), group_name(meta.gid)),
        name,
        false,
    );
    if meta.kind() == b'l'
        && let Ok(target) = fs::read_link(path(real))
    {
        out.extend_from_slice(b" -> ");
        out.extend_from_slice(&hardshell_cli::into_bytes(target.into_os_string()));
    }
    out
}

/// The name to extract to, or why there is none. Nothing leads out of the
/// folder: not a leading slash, not `..`.
fn safe_name(s: &Settings, name: &[u8]) -> Result<Option<Vec<u8>>, &'static str> {
    let name = transformed(s, name);
    if name.split(|b| *b == b'/').any(|part| part == b"..") {
        return Err("Member name contains '..'");
    }
    let parts: Vec<&[u8]> = name
        .split(|b| *b == b'/')
        .filter(|p| !p.is_empty() && *p != b".")
        .collect();
    if parts.len() <= s.strip {
        return if s.strip > 0 || parts.is_empty() {
            Ok(None)
        } else {
            Ok(Some(parts.join(&b'/')))
        };
    }
    Ok(Some(parts[s.strip..].join(&b'/')))
}

fn set_time(file: &[u8], mtime: u64) {
    if let Ok(handle) = File::open(path(file)) {
        let _ = handle.set_modified(UNIX_EPOCH + Duration::from_secs(mtime));
    }
}

/// Makes the folders above a file. A link on the way is not followed.
fn make_parents(base: &[u8], name: &[u8]) -> io::Result<()> {
    let mut at = base.to_vec();
    let parts: Vec<&[u8]> = name.split(|b| *b == b'/').collect();
    for part in &parts[..parts.len().saturating_sub(1)] {
        at = join(&at, part);
        match fs::symlink_metadata(path(&at)) {
            Ok(meta) if meta.is_dir() => {}
            Ok(meta) if meta.file_type().is_symlink() => {
                return Err(io::Error::other(
                    "a folder on the way is a symbolic link; refusing to write through it",
                ));
            }
            Ok(_) => return Err(io::Error::other("Not a directory")),
            Err(_) => fs::create_dir(path(&at))?,
        }
    }
    Ok(())
}

fn extract<R: Read>(
    s: &mut Settings,
    entry: &mut Entry<'_, R>,
    folder: &[u8],
    name: &[u8],
    out: &mut Out,
    folders: &mut Vec<(Vec<u8>, u32, u64)>,
) -> io::Result<()> {
    let stored = match safe_name(s, name) {
        Ok(Some(stored)) => stored,
        Ok(None) => return Ok(()),
        Err(why) => return Err(io::Error::other(why)),
    };
    let kind = entry.header().entry_type();
    if s.verbose > 0 {
        let text = if s.verbose > 1 {
            let meta = header_stat(entry);
            line(&meta, &format!("{}/{}", meta.uid, meta.gid), name, false)
        } else {
            name.to_vec()
        };
        if s.to_stdout {
            eprintln!("{}", String::from_utf8_lossy(&text));
        } else {
            out.put(&text);
            out.byte(b'\n');
        }
    }
    let mode = entry.header().mode().unwrap_or(0o644);
    let mtime = entry.header().mtime().unwrap_or(0);
    if s.to_stdout {
        if kind.is_file() {
            io::copy(entry, out)?;
        }
        return Ok(());
    }
    let file = join(folder, &stored);
    let bits = if s.preserve {
        mode & 0o7777
    } else {
        mode & 0o777 & !hardshell_sys::umask(None)
    };
    make_parents(folder, &stored)?;
    if kind.is_dir() {
        match fs::create_dir(path(&file)) {
            Ok(()) => {}
            Err(_) if fs::symlink_metadata(path(&file)).is_ok_and(|m| m.is_dir()) => {}
            Err(error) => return Err(error),
        }
        folders.push((file, bits, mtime));
        return Ok(());
    }
    if fs::symlink_metadata(path(&file)).is_ok() {
        if s.skip_old {
            return Ok(());
        }
        if s.keep_old {
            return Err(io::Error::other("Cannot open: File exists"));
        }
        // The old file goes first, so that nothing is written through a link.
        fs::remove_file(path(&file))?;
    }
    match kind {
        tar::EntryType::Symlink => {
            let target = entry
                .link_name_bytes()
                .map(|t| t.into_owned())
                .unwrap_or_default();
            symlink(&target, &file)?;
        }
        tar::EntryType::Link => {
            let target = entry
                .link_name_bytes()
                .map(|t| t.into_owned())
                .unwrap_or_default();
            let Ok(Some(target)) = safe_name(s, &target) else {
                return Err(io::Error::other("hard link leads out of the folder"));
            };
            fs::hard_link(path(&join(folder, &target)), path(&file))?;
        }
        k if k.is_file() || k == tar::EntryType::Continuous || k == tar::EntryType::GNUSparse => {
            let mut sink = fs::OpenOptions::new()
                .write(true)
                .create_new(true)
                .open(path(&file))?;
            let mut buffer = vec![0u8; 64 * 1024];
            loop {
                let got = entry.read(&mut buffer)?;
                if got == 0 {
                    break;
                }
                sink.write_all(&buffer[..got])?;
            }
            if !s.touch {
                let _ = sink.set_modified(UNIX_EPOCH + Duration::from_secs(mtime));
            }
            drop(sink);
            let _ = hardshell_cli::stat::chmod(&file, bits);
        }
        _ => complain(
            "tar",
            format!(
                "{}: files of this kind cannot be made here",
                String::from_utf8_lossy(name)
            ),
        ),
    }
    Ok(())
}

/// Makes a symbolic link.
pub fn symlink(target: &[u8], file: &[u8]) -> io::Result<()> {
    hardshell_cli::symlink(target, file)
}

fn compare<R: Read>(
    s: &mut Settings,
    entry: &mut Entry<'_, R>,
    file: &[u8],
    name: &[u8],
    out: &mut Out,
) -> io::Result<()> {
    let shown = String::from_utf8_lossy(name).into_owned();
    if !entry.header().entry_type().is_file() {
        return Ok(());
    }
    let mut say = |text: String| {
        out.put(text.as_bytes());
        s.status = s.status.max(1);
    };
    let data = match fs::read(path(file)) {
        Ok(data) => data,
        Err(error) => {
            say(String::new());
            complain(
                "tar",
                format!("{shown}: Warning: Cannot stat: {}", errno_text(&error)),
            );
            return Ok(());
        }
    };
    let mut stored = Vec::new();
    entry.read_to_end(&mut stored)?;
    if data.len() != stored.len() {
        say(format!("{shown}: Size differs\n"));
    } else if data != stored {
        say(format!("{shown}: Contents differ\n"));
    }
    Ok(())
}
