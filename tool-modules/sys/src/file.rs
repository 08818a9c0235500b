//! What preview 1 lacks for files: modes, full metadata, pipes, duplicated descriptors, locks.

use crate::system::path_bytes;
use crate::{check, raw};
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::path::Path;

/// Shared lock.
pub const LOCK_SH: u32 = 1;
/// Exclusive lock.
pub const LOCK_EX: u32 = 2;
/// Fail rather than wait.
pub const LOCK_NB: u32 = 4;
/// Unlock.
pub const LOCK_UN: u32 = 8;

/// A file's metadata, as Linux's `struct stat` has it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stat {
    /// Device.
    pub dev: u64,
    /// Inode.
    pub ino: u64,
    /// Type and permission bits.
    pub mode: u32,
    /// Hard links.
    pub nlink: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Bytes.
    pub size: u64,
    /// Blocks of 512 bytes.
    pub blocks: u64,
    /// Last access, nanoseconds since 1970.
    pub atime_ns: u64,
    /// Last change of content, nanoseconds since 1970.
    pub mtime_ns: u64,
    /// Last change of metadata, nanoseconds since 1970.
    pub ctime_ns: u64,
    /// Device number of a device node.
    pub rdev: u64,
}

/// The type bits of a mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DirEntryKind {
    /// Regular file.
    File,
    /// Directory.
    Directory,
    /// Symbolic link.
    Symlink,
    /// Character device.
    CharDevice,
    /// Block device.
    BlockDevice,
    /// Pipe.
    Fifo,
    /// Socket.
    Socket,
    /// None of these.
    Unknown,
}

impl Stat {
    /// The type.
    pub fn kind(&self) -> DirEntryKind {
        match self.mode & 0o170_000 {
            0o100_000 => DirEntryKind::File,
            0o040_000 => DirEntryKind::Directory,
            0o120_000 => DirEntryKind::Symlink,
            0o020_000 => DirEntryKind::CharDevice,
            0o060_000 => DirEntryKind::BlockDevice,
            0o010_000 => DirEntryKind::Fifo,
            0o140_000 => DirEntryKind::Socket,
            _ => DirEntryKind::Unknown,
        }
    }

    /// The permission bits.
    pub fn permissions(&self) -> u32 {
        self.mode & 0o7777
    }

    fn decode(raw: &[u64; 12]) -> Stat {
        let [
            dev,
            ino,
            mode_nlink,
            uid_gid,
            size,
            blocks,
            atime_ns,
            mtime_ns,
            ctime_ns,
            rdev,
            ..,
        ] = *raw;
        Stat {
            dev,
            ino,
            mode: mode_nlink as u32,
            nlink: (mode_nlink >> 32) as u32,
            uid: uid_gid as u32,
            gid: (uid_gid >> 32) as u32,
            size,
            blocks,
            atime_ns,
            mtime_ns,
            ctime_ns,
            rdev,
        }
    }
}

fn stat_with(path: &Path, flags: u32) -> io::Result<Stat> {
    let bytes = path_bytes(path);
    let mut out = [0u64; 12];
    // SAFETY: pointer and length come from one slice; 96 bytes out.
    check(unsafe {
        raw::stat(
            bytes.as_ptr(),
            bytes.len() as u32,
            flags,
            out.as_mut_ptr().cast(),
        )
    })?;
    Ok(Stat::decode(&out))
}

/// Metadata of what `path` leads to.
pub fn stat(path: impl AsRef<Path>) -> io::Result<Stat> {
    stat_with(path.as_ref(), 0)
}

/// Metadata of `path` itself, even if it is a symbolic link.
pub fn lstat(path: impl AsRef<Path>) -> io::Result<Stat> {
    stat_with(path.as_ref(), 1)
}

/// Metadata of an open descriptor.
pub fn fstat(fd: u32) -> io::Result<Stat> {
    let mut out = [0u64; 12];
    // SAFETY: 96 bytes out.
    check(unsafe { raw::fstat(fd, out.as_mut_ptr().cast()) })?;
    Ok(Stat::decode(&out))
}

/// Sets permission bits.
pub fn chmod(path: impl AsRef<Path>, mode: u32) -> io::Result<()> {
    let bytes = path_bytes(path.as_ref());
    // SAFETY: pointer and length come from one slice.
    check(unsafe { raw::chmod(bytes.as_ptr(), bytes.len() as u32, mode) })
}

/// Sets permission bits of an open descriptor.
pub fn fchmod(fd: u32, mode: u32) -> io::Result<()> {
    // SAFETY: no pointers.
    check(unsafe { raw::fchmod(fd, mode) })
}

/// The quota of the mount that `path` is on.
#[derive(Debug, Clone, Copy, Default)]
pub struct StatFs {
    /// Bytes in all.
    pub total: u64,
    /// Bytes free.
    pub free: u64,
    /// Files in all.
    pub files: u64,
    /// Files free.
    pub files_free: u64,
}

/// The quota of the mount that `path` is on.
pub fn statfs(path: impl AsRef<Path>) -> io::Result<StatFs> {
    let bytes = path_bytes(path.as_ref());
    let mut out = [0u64; 4];
    // SAFETY: pointer and length come from one slice; 32 bytes out.
    check(unsafe { raw::statfs(bytes.as_ptr(), bytes.len() as u32, out.as_mut_ptr().cast()) })?;
    let [total, free, files, files_free] = out;
    Ok(StatFs {
        total,
        free,
        files,
        files_free,
    })
}

/// A pipe as bare numbers: (read end, write end).
pub fn raw_pipe() -> io::Result<(u32, u32)> {
    let mut out = [0u32; 2];
    // SAFETY: two u32 out.
    check(unsafe { raw::pipe(out.as_mut_ptr()) })?;
    let [read, write] = out;
    Ok((read, write))
}

/// A pipe: (read end, write end).
pub fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let (read, write) = raw_pipe()?;
    Ok((own(read), own(write)))
}

fn own(fd: u32) -> OwnedFd {
    // SAFETY: the kernel just gave us this number and nobody else holds it.
    unsafe { OwnedFd::from_raw_fd(fd as i32) }
}

/// Duplicates a bare number on the lowest free one that is at least `min`.
pub fn raw_dup(fd: u32, min: u32) -> io::Result<u32> {
    let mut out = 0u32;
    // SAFETY: one u32 out.
    check(unsafe { raw::dup(fd, min, &mut out) })?;
    Ok(out)
}

/// Makes `to` another name of `from`, closing what `to` was.
pub fn raw_dup2(from: u32, to: u32) -> io::Result<()> {
    // SAFETY: no pointers.
    check(unsafe { raw::dup2(from, to) })
}

/// Duplicates a descriptor.
pub fn dup(fd: &impl AsRawFd) -> io::Result<OwnedFd> {
    dup_at_least(fd, 4)
}

/// Duplicates a descriptor on a number that is at least `min`.
pub fn dup_at_least(fd: &impl AsRawFd, min: u32) -> io::Result<OwnedFd> {
    raw_dup(fd.as_raw_fd() as u32, min).map(own)
}

/// Makes the number `to` another name of `from`.
pub fn dup2(from: &impl AsRawFd, to: u32) -> io::Result<()> {
    raw_dup2(from.as_raw_fd() as u32, to)
}

/// Takes or gives back an advisory lock (`LOCK_…`).
pub fn flock(fd: u32, op: u32) -> io::Result<()> {
    // SAFETY: no pointers.
    check(unsafe { raw::flock(fd, op) })
}

/// Rows and columns of a terminal; `ENOTTY` for anything else.
pub fn window_size(fd: u32) -> io::Result<(u16, u16)> {
    let mut out = [0u16; 2];
    // SAFETY: two u16 out.
    check(unsafe { raw::isatty_size(fd, out.as_mut_ptr()) })?;
    let [rows, cols] = out;
    Ok((rows, cols))
}
