//! Writing archives.

use std::fs::{self, File};
use std::io::{self, Read, Seek, Write};

use hardshell_cli::stat::{Stat, group_name, lstat, stat, user_name};
use hardshell_cli::{complain, errno_text, join, path};

use crate::formats::{Finish, Format};
use crate::tar::{Operand, Settings, excluded, transformed};

enum Sink<'w> {
    Plain(Box<dyn Write + 'w>),
    Packed(Box<dyn Finish + 'w>),
}

impl Write for Sink<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(sink) => sink.write(bytes),
            Self::Packed(sink) => sink.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(sink) => sink.flush(),
            Self::Packed(sink) => sink.flush(),
        }
    }
}

struct Writer<'w> {
    s: Settings,
    builder: tar::Builder<Sink<'w>>,
    links: std::collections::HashMap<(u64, u64), Vec<u8>>,
    archive_id: Option<(u64, u64)>,
    said_slash: bool,
    removals: Vec<Vec<u8>>,
    /// Verbose output goes to stderr when the archive goes to stdout.
    to_stdout: bool,
}

pub fn run(s: Settings, operands: Vec<Operand>, append: bool) -> i32 {
    if operands.is_empty() {
        complain("tar", "Cowardly refusing to create an empty archive");
        eprintln!("Try 'tar --help' or 'tar --usage' for more information.");
        return 2;
    }
    let to_stdout = s.archive == b"-";
    let format = s.format.or_else(|| {
        if s.by_name {
            Format::by_name(&s.archive)
        } else {
            None
        }
    });
    let shown = String::from_utf8_lossy(&s.archive).into_owned();
    let raw: Box<dyn Write> = if to_stdout {
        Box::new(hardshell_cli::Out::stdout())
    } else {
        let opened = if append {
            open_for_append(&s.archive)
        } else {
            File::create(path(&s.archive))
        };
        match opened {
            Ok(file) => Box::new(io::BufWriter::with_capacity(64 * 1024, file)),
            Err(error) => {
                complain(
                    "tar",
                    format!("{shown}: Cannot open: {}", errno_text(&error)),
                );
                complain("tar", "Error is not recoverable: exiting now");
                return 2;
            }
        }
    };
    let sink = match format {
        None => Sink::Plain(raw),
        Some(format) => match format.writer(raw, 6) {
            Ok(writer) => Sink::Packed(writer),
            Err(error) => {
                complain("tar", errno_text(&error));
                return 2;
            }
        },
    };
    let archive_id = if to_stdout {
        None
    } else {
        hardshell_cli::file_id(&s.archive)
    };
    let mut writer = Writer {
        s,
        builder: tar::Builder::new(sink),
        links: std::collections::HashMap::new(),
        archive_id,
        said_slash: false,
        removals: Vec::new(),
        to_stdout,
    };
    for operand in &operands {
        writer.add(&operand.folder, &operand.name, 0);
    }
    let status = writer.s.status;
    let removals = std::mem::take(&mut writer.removals);
    let done = writer.builder.into_inner().and_then(|sink| match sink {
        Sink::Plain(mut sink) => sink.flush(),
        Sink::Packed(sink) => sink.finish(),
    });
    if let Err(error) = done {
        complain(
            "tar",
            format!("{shown}: Cannot write: {}", errno_text(&error)),
        );
        return 2;
    }
    for file in removals.iter().rev() {
        let _ = fs::remove_file(path(file)).or_else(|_| fs::remove_dir(path(file)));
    }
    if status != 0 {
        complain("tar", "Exiting with failure status due to previous errors");
    }
    status
}

/// An archive positioned where its end mark begins.
fn open_for_append(name: &[u8]) -> io::Result<File> {
    let mut file = fs::OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path(name))?;
    let mut end = 0u64;
    {
        let mut archive = tar::Archive::new(&mut file);
        for entry in archive.entries()? {
            let entry = entry?;
            end = entry.raw_file_position() + entry.size().div_ceil(512) * 512;
        }
    }
    file.seek(io::SeekFrom::Start(end))?;
    file.set_len(end)?;
    Ok(file)
}

impl Writer<'_> {
    fn fail(&mut self, name: &[u8], what: &str, error: &io::Error) {
        self.s.status = 2;
        complain(
            "tar",
            format!(
                "{}: {what}: {}",
                String::from_utf8_lossy(name),
                errno_text(error)
            ),
        );
    }

    fn add(&mut self, folder: &[u8], name: &[u8], depth: usize) {
        let real = if name.first() == Some(&b'/') {
            name.to_vec()
        } else {
            join(folder, name)
        };
        if excluded(&self.s, name) {
            return;
        }
        let meta = match if self.s.follow {
            stat(&real)
        } else {
            lstat(&real)
        } {
            Ok(meta) => meta,
            Err(error) => return self.fail(name, "Cannot stat", &error),
        };
        if self.archive_id == Some((meta.dev, meta.ino)) {
            return complain(
                "tar",
                format!(
                    "{}: file is the archive; not dumped",
                    String::from_utf8_lossy(name)
                ),
            );
        }
        let mut stored = transformed(&self.s, name);
        if !self.s.absolute {
            let trimmed: Vec<u8> = stored.iter().copied().skip_while(|b| *b == b'/').collect();
            if trimmed.len() != stored.len() && !self.said_slash {
                self.said_slash = true;
                complain("tar", "Removing leading `/' from member names");
            }
            stored = if trimmed.is_empty() {
                b"./".to_vec()
            } else {
                trimmed
            };
        }
        let is_dir = meta.is_dir();
        if is_dir && stored.last() != Some(&b'/') {
            stored.push(b'/');
        }
        if let Err(error) = self.write(&real, &stored, &meta) {
            return self.fail(name, "Cannot write", &error);
        }
        if self.s.verbose > 0 {
            let line = if self.s.verbose > 1 {
                crate::tar_extract::long_line(&stored, &meta, &real)
            } else {
                let mut given = name.to_vec();
                if is_dir && given.last() != Some(&b'/') {
                    given.push(b'/');
                }
                given
            };
            let line = [line.as_slice(), b"\n"].concat();
            let _ = if self.to_stdout {
                io::stderr().write_all(&line)
            } else {
                io::stdout().write_all(&line)
            };
        }
        if self.s.remove {
            self.removals.push(real.clone());
        }
        if is_dir && !self.s.no_recursion && depth < 2000 {
            let mut names: Vec<Vec<u8>> = match fs::read_dir(path(&real)) {
                Ok(entries) => entries
                    .flatten()
                    .map(|e| hardshell_cli::into_bytes(e.file_name()))
                    .collect(),
                Err(error) => return self.fail(name, "Cannot open", &error),
            };
            if self.s.sort {
                names.sort();
            }
            for child in names {
                self.add(folder, &join(name, &child), depth + 1);
            }
        }
    }

    /// Appends an entry with its names as they are: a leading `./` stays, and a
    /// leading slash where it was asked for.
    fn entry(
        &mut self,
        mut header: tar::Header,
        name: &[u8],
        link: Option<&[u8]>,
        data: impl Read,
    ) -> io::Result<()> {
        for (text, kind) in [(link, b'K'), (Some(name), b'L')] {
            let Some(text) = text.filter(|t| t.len() > 100) else {
                continue;
            };
            let mut long = tar::Header::new_gnu();
            put(&mut long, b"././@LongLink", None);
            long.set_mode(0o644);
            long.set_uid(0);
            long.set_gid(0);
            long.set_mtime(0);
            long.set_size(text.len() as u64 + 1);
            long.set_entry_type(tar::EntryType::new(kind));
            long.set_cksum();
            self.builder.append(&long, text.chain(&b"\0"[..]))?;
        }
        put(&mut header, name, link);
        header.set_cksum();
        self.builder.append(&header, data)
    }

    fn write(&mut self, real: &[u8], stored: &[u8], meta: &Stat) -> io::Result<()> {
        let mut header = tar::Header::new_gnu();
        header.set_mode(meta.mode & 0o7777);
        header.set_uid(u64::from(meta.uid));
        header.set_gid(u64::from(meta.gid));
        let mtime = self
            .s
            .mtime
            .unwrap_or_else(|| i64::try_from(meta.mtime.div_euclid(1_000_000_000)).unwrap_or(0));
        header.set_mtime(u64::try_from(mtime).unwrap_or(0));
        header.set_size(0);
        if !self.s.numeric {
            let user = self.s.owner.clone().unwrap_or_else(|| user_name(meta.uid));
            let group = self.s.group.clone().unwrap_or_else(|| group_name(meta.gid));
            let _ = header.set_username(user.split(':').next().unwrap_or(""));
            let _ = header.set_groupname(group.split(':').next().unwrap_or(""));
        }
        let id = |text: &Option<String>| {
            text.as_ref()
                .and_then(|t| t.rsplit(':').next().and_then(|n| n.parse::<u64>().ok()))
        };
        if let Some(uid) = id(&self.s.owner) {
            header.set_uid(uid);
        }
        if let Some(gid) = id(&self.s.group) {
            header.set_gid(gid);
        }
        match meta.kind() {
            b'd' => {
                header.set_entry_type(tar::EntryType::Directory);
                self.entry(header, stored, None, io::empty())
            }
            b'l' => {
                header.set_entry_type(tar::EntryType::Symlink);
                let target = fs::read_link(path(real))?;
                self.entry(
                    header,
                    stored,
                    Some(&hardshell_cli::into_bytes(target.into_os_string())),
                    io::empty(),
                )
            }
            b'f' => {
                if meta.nlink > 1 {
                    if let Some(first) = self.links.get(&(meta.dev, meta.ino)) {
                        header.set_entry_type(tar::EntryType::Link);
                        let first = first.clone();
                        return self.entry(header, stored, Some(&first), io::empty());
                    }
                    self.links.insert((meta.dev, meta.ino), stored.to_vec());
                }
                header.set_size(meta.size);
                let file = File::open(path(real))?;
                // A file that shrinks meanwhile is filled up with zeros.
                let reader = file.take(meta.size).chain(io::repeat(0)).take(meta.size);
                self.entry(header, stored, None, reader)
            }
            _ => {
                complain(
                    "tar",
                    format!(
                        "{}: file of this kind ignored",
                        String::from_utf8_lossy(stored)
                    ),
                );
                Ok(())
            }
        }
    }
}

/// Puts names into a header, cut to what fits.
fn put(header: &mut tar::Header, name: &[u8], link: Option<&[u8]>) {
    let Some(gnu) = header.as_gnu_mut() else {
        return;
    };
    let fill = |slot: &mut [u8; 100], text: &[u8]| {
        let length = text.len().min(slot.len());
        slot.fill(0);
        slot[..length].copy_from_slice(&text[..length]);
    };
    fill(&mut gnu.name, name);
    if let Some(link) = link {
        fill(&mut gnu.linkname, link);
    }
}
