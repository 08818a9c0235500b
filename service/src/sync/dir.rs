//! Folders by handle. A tenant's file is only ever named relative to the handle of
//! its workspace, and no link is followed on the way.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, ResolveFlags, Stat};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

/// What tells whether a local file is still the one that was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LocalStat {
    pub(crate) size: u64,
    /// Nanoseconds since 1970.
    pub(crate) mtime: i64,
    /// Nanoseconds since 1970; a guest cannot set it.
    pub(crate) ctime: i64,
    pub(crate) ino: u64,
    pub(crate) mode: u32,
}

impl LocalStat {
    fn of(stat: &Stat) -> Self {
        let nanos = |secs: i64, nanos: u64| {
            secs.saturating_mul(1_000_000_000)
                .saturating_add(i64::try_from(nanos).unwrap_or(0))
        };
        Self {
            size: u64::try_from(stat.st_size).unwrap_or(0),
            mtime: nanos(stat.st_mtime, stat.st_mtime_nsec),
            ctime: nanos(stat.st_ctime, stat.st_ctime_nsec),
            ino: stat.st_ino,
            mode: stat.st_mode & 0o7777,
        }
    }
}

/// What a scan found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Scanned {
    pub(crate) path: Vec<u8>,
    pub(crate) kind: Found,
    pub(crate) stat: LocalStat,
}

/// Its type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Found {
    File,
    Dir,
    Link(Vec<u8>),
    /// A pipe, a socket, a device: not kept.
    Other,
}

/// Makes a folder of the operator's, closed to others.
#[allow(
    clippy::disallowed_methods,
    reason = "an operator's path, not a tenant's"
)]
pub(crate) fn make_private(path: &Path) -> io::Result<()> {
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
}

/// Opens a folder of the operator's by its path.
pub(crate) fn open_ambient(path: &Path) -> io::Result<OwnedFd> {
    Ok(rustix::fs::open(
        path,
        OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC,
        Mode::empty(),
    )?)
}

fn beneath() -> ResolveFlags {
    ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS
}

fn open_flags(
    at: BorrowedFd<'_>,
    path: &[u8],
    flags: OFlags,
    mode: Mode,
) -> rustix::io::Result<OwnedFd> {
    rustix::fs::openat2(
        at,
        path,
        flags | OFlags::CLOEXEC | OFlags::NOFOLLOW,
        mode,
        beneath(),
    )
}

fn open_subdir(at: BorrowedFd<'_>, name: &[u8]) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY;
    match open_flags(at, name, flags, Mode::empty()) {
        Err(Errno::ACCESS) => {
            // Ours, but its mode shuts us out: only until it is open.
            let stat = rustix::fs::statat(at, name, AtFlags::SYMLINK_NOFOLLOW)?;
            let mode = stat.st_mode & 0o7777;
            rustix::fs::chmodat(
                at,
                name,
                Mode::from_raw_mode(mode | 0o700),
                AtFlags::empty(),
            )?;
            let opened = open_flags(at, name, flags, Mode::empty())?;
            rustix::fs::fchmod(&opened, Mode::from_raw_mode(mode))?;
            Ok(opened)
        }
        other => other,
    }
}

/// Opens a folder below the handle, to be listed or written in.
pub(crate) fn open_dir(root: impl AsFd, path: &[u8]) -> io::Result<OwnedFd> {
    Ok(open_subdir(root.as_fd(), path)?)
}

/// Opens a plain file below the handle for reading; with its stat.
pub(crate) fn open_file(root: impl AsFd, path: &[u8]) -> io::Result<(File, LocalStat)> {
    let root = root.as_fd();
    let flags = OFlags::RDONLY | OFlags::NONBLOCK;
    let fd = match open_flags(root, path, flags, Mode::empty()) {
        Err(Errno::ACCESS) => {
            let (parent, name) = split(path);
            let dir = open_parent(root, parent)?;
            let mode = rustix::fs::statat(&dir, name, AtFlags::SYMLINK_NOFOLLOW)?.st_mode & 0o7777;
            rustix::fs::chmodat(
                &dir,
                name,
                Mode::from_raw_mode(mode | 0o400),
                AtFlags::empty(),
            )?;
            let fd = open_flags(dir.as_fd(), name, flags, Mode::empty())?;
            rustix::fs::fchmod(&fd, Mode::from_raw_mode(mode))?;
            fd
        }
        other => other?,
    };
    let stat = rustix::fs::fstat(&fd)?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "not a plain file",
        ));
    }
    Ok((File::from(fd), LocalStat::of(&stat)))
}

/// The stat of an open file.
pub(crate) fn stat_of(file: &File) -> io::Result<LocalStat> {
    Ok(LocalStat::of(&rustix::fs::fstat(file)?))
}

/// The parent's path (empty at the root) and the name.
pub(crate) fn split(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().rposition(|b| *b == b'/') {
        Some(at) => {
            let (parent, name) = path.split_at(at);
            (parent, name.get(1..).unwrap_or_default())
        }
        None => (b"", path),
    }
}

fn open_parent(root: BorrowedFd<'_>, parent: &[u8]) -> rustix::io::Result<OwnedFd> {
    if parent.is_empty() {
        rustix::io::fcntl_dupfd_cloexec(root, 0)
    } else {
        open_subdir(root, parent)
    }
}

/// Makes a plain file that must not exist.
pub(crate) fn create_file(root: impl AsFd, path: &[u8]) -> io::Result<File> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL;
    Ok(File::from(open_flags(
        root.as_fd(),
        path,
        flags,
        Mode::from_raw_mode(0o600),
    )?))
}

/// Sets what a finished file must have, and returns its stat.
pub(crate) fn finish_file(file: &File, mode: u32, mtime: i64) -> io::Result<LocalStat> {
    rustix::fs::fchmod(file, Mode::from_raw_mode(mode & 0o7777))?;
    rustix::fs::futimens(file, &times(mtime))?;
    stat_of(file)
}

fn times(mtime: i64) -> rustix::fs::Timestamps {
    let time = rustix::fs::Timespec {
        tv_sec: mtime.div_euclid(1_000_000_000),
        tv_nsec: mtime.rem_euclid(1_000_000_000),
    };
    rustix::fs::Timestamps {
        last_access: time,
        last_modification: time,
    }
}

/// Makes a folder; one that exists is fine.
pub(crate) fn make_dir(root: impl AsFd, path: &[u8]) -> io::Result<()> {
    let (parent, name) = split(path);
    let dir = open_parent(root.as_fd(), parent)?;
    match rustix::fs::mkdirat(&dir, name, Mode::from_raw_mode(0o700)) {
        Ok(()) | Err(Errno::EXIST) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Sets a folder's mode and time once its content is there.
pub(crate) fn finish_dir(
    root: impl AsFd,
    path: &[u8],
    mode: u32,
    mtime: i64,
) -> io::Result<LocalStat> {
    let dir = open_subdir(root.as_fd(), path)?;
    rustix::fs::futimens(&dir, &times(mtime))?;
    rustix::fs::fchmod(&dir, Mode::from_raw_mode(mode & 0o7777))?;
    Ok(LocalStat::of(&rustix::fs::fstat(&dir)?))
}

/// Makes a symbolic link. Its target is text: nothing follows it here.
pub(crate) fn make_link(root: impl AsFd, path: &[u8], target: &[u8]) -> io::Result<LocalStat> {
    let (parent, name) = split(path);
    let dir = open_parent(root.as_fd(), parent)?;
    rustix::fs::symlinkat(target, &dir, name)?;
    Ok(LocalStat::of(&rustix::fs::statat(
        &dir,
        name,
        AtFlags::SYMLINK_NOFOLLOW,
    )?))
}

/// The names in a folder.
pub(crate) fn names(dir: impl AsFd) -> io::Result<Vec<Vec<u8>>> {
    let mut names = Vec::new();
    for entry in Dir::read_from(dir)? {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if name != b"." && name != b".." {
            names.push(name.to_vec());
        }
    }
    Ok(names)
}

/// Everything below a folder, parents before their content. More than `most`
/// entries or a depth above 256 is an error.
pub(crate) fn scan(root: impl AsFd, most: u64) -> io::Result<Vec<Scanned>> {
    let mut found = Vec::new();
    scan_into(root.as_fd(), &mut Vec::new(), 0, most, &mut found)?;
    Ok(found)
}

fn scan_into(
    dir: BorrowedFd<'_>,
    prefix: &mut Vec<u8>,
    depth: u32,
    most: u64,
    found: &mut Vec<Scanned>,
) -> io::Result<()> {
    if depth > 256 {
        return Err(io::Error::other("the folders are nested deeper than 256"));
    }
    for name in names(dir)? {
        let stat = match rustix::fs::statat(dir, name.as_slice(), AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => stat,
            Err(Errno::NOENT) => continue,
            Err(error) => return Err(error.into()),
        };
        let before = prefix.len();
        if !prefix.is_empty() {
            prefix.push(b'/');
        }
        prefix.extend_from_slice(&name);
        let kind = match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => Found::File,
            FileType::Directory => Found::Dir,
            FileType::Symlink => {
                Found::Link(rustix::fs::readlinkat(dir, name.as_slice(), Vec::new())?.into_bytes())
            }
            _ => Found::Other,
        };
        let folder = kind == Found::Dir;
        if found.len() as u64 >= most {
            return Err(io::Error::other(
                "the workspace has more entries than it may",
            ));
        }
        found.push(Scanned {
            path: prefix.clone(),
            kind,
            stat: LocalStat::of(&stat),
        });
        if folder {
            let inner = open_subdir(dir, &name)?;
            scan_into(inner.as_fd(), prefix, depth + 1, most, found)?;
        }
        prefix.truncate(before);
    }
    Ok(())
}

/// Removes whatever has this name in the folder, with its content. Nothing there
/// is no error.
pub(crate) fn remove_tree(parent: impl AsFd, name: &[u8]) -> io::Result<()> {
    let parent = parent.as_fd();
    match rustix::fs::unlinkat(parent, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => return Ok(()),
        Err(Errno::ISDIR | Errno::PERM) => {}
        Err(error) => return Err(error.into()),
    }
    let dir = match open_subdir(parent, name) {
        Ok(dir) => dir,
        Err(Errno::NOENT) => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    // A folder that may not be written in would keep its content.
    let _ = rustix::fs::fchmod(&dir, Mode::from_raw_mode(0o700));
    for inner in names(&dir)? {
        remove_tree(&dir, &inner)?;
    }
    match rustix::fs::unlinkat(parent, name, AtFlags::REMOVEDIR) {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Removes what a path below the handle names.
pub(crate) fn remove(root: impl AsFd, path: &[u8]) -> io::Result<()> {
    let (parent, name) = split(path);
    match open_parent(root.as_fd(), parent) {
        Ok(dir) => remove_tree(&dir, name),
        Err(Errno::NOENT | Errno::NOTDIR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Writes a small file of ours whole or not at all.
pub(crate) fn write_atomic(dir: impl AsFd, name: &str, bytes: &[u8]) -> io::Result<()> {
    let dir = dir.as_fd();
    let temp = format!(".{name}.new");
    let fd = rustix::fs::openat(
        dir,
        temp.as_str(),
        OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | OFlags::CLOEXEC | OFlags::NOFOLLOW,
        Mode::from_raw_mode(0o600),
    )?;
    io::Write::write_all(&mut File::from(fd), bytes)?;
    Ok(rustix::fs::renameat(dir, temp.as_str(), dir, name)?)
}

/// Reads a small file of ours; `None` if there is none.
pub(crate) fn read_small(dir: impl AsFd, name: &str) -> io::Result<Option<Vec<u8>>> {
    match open_flags(dir.as_fd(), name.as_bytes(), OFlags::RDONLY, Mode::empty()) {
        Ok(fd) => {
            let mut bytes = Vec::new();
            io::Read::read_to_end(&mut File::from(fd), &mut bytes)?;
            Ok(Some(bytes))
        }
        Err(Errno::NOENT) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
