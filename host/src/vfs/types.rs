//! The plain data that goes in and out of the file system.

use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;

use serde::Serialize;

use super::dir::{Dir, DirHandle};
use super::file::FileHandle;
use crate::report::QuotaKind;

/// What a sandbox may do in a mounted folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Access {
    /// Read and list.
    ReadOnly,
    /// Read, list and change.
    ReadWrite,
}

/// The host's folder behind a mount.
#[derive(Debug)]
pub enum DirSource {
    /// A folder by its host path; opened once, when the sandbox is built.
    Path(PathBuf),
    /// A folder that the caller has opened.
    Fd(OwnedFd),
}

impl From<PathBuf> for DirSource {
    fn from(path: PathBuf) -> Self {
        DirSource::Path(path)
    }
}

impl From<OwnedFd> for DirSource {
    fn from(fd: OwnedFd) -> Self {
        DirSource::Fd(fd)
    }
}

/// Where `/tmp` is kept.
#[derive(Debug)]
pub enum Scratch {
    /// A private folder made in the host's temporary folder and removed with the sandbox.
    Temp,
    /// The same, made in this folder.
    TempIn(PathBuf),
    /// A folder of the caller, who also cleans it.
    Dir(DirSource),
}

impl From<DirSource> for Scratch {
    fn from(source: DirSource) -> Self {
        Scratch::Dir(source)
    }
}

/// Type of a file system entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FileType {
    /// A regular file.
    File,
    /// A directory.
    Dir,
    /// A symbolic link.
    Symlink,
    /// A character device.
    CharDevice,
    /// A FIFO, a socket, a block device: listed, never opened.
    Other,
}

/// One change below a writable mount other than `/tmp`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    /// What happened.
    pub kind: ChangeKind,
    /// Path below the mount `/workspace`, or the absolute sandbox path for another mount.
    /// Valid UTF-8 stands as it is, except that a backslash is written `\\`; any other
    /// byte is written `\xHH`.
    pub path: String,
    /// Type of the entry; for a removal, the type that it had.
    pub file_type: FileType,
}

/// What happened to a path between the start and the end of a call (or of a session).
///
/// Removals and the origins of renames are given by the names as of the start, everything
/// else by the names as of the end; so a list of changes is a set, in no order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ChangeKind {
    /// It did not exist at the start.
    Created,
    /// Its content changed, or it was replaced by another of the same type.
    Modified,
    /// It existed at the start and does not any more.
    Removed,
    /// It is what was at `from`, its content untouched. For a directory, all that was
    /// below `from` came along unless another change says otherwise.
    Renamed {
        /// Path as of the start, escaped as [`Change::path`].
        from: String,
    },
    /// Its permission bits or its times were set, and nothing else.
    Mode,
}

/// A limit that an operation would have exceeded. Nothing of it was done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct QuotaExceeded {
    /// Which limit.
    pub which: QuotaKind,
    /// The extension, where the limit is one for a file type.
    pub extension: Option<String>,
    /// The limit, in bytes or entries.
    pub limit: u64,
    /// Used before the operation: of the file for `FileBytes`, else of the sandbox.
    pub used: u64,
    /// What the operation would have added.
    pub asked: u64,
}

/// Where a relative path starts.
#[derive(Clone, Copy)]
pub(crate) enum Base<'a> {
    /// The root of the sandbox.
    Root,
    /// An open directory.
    Dir(&'a DirHandle),
    /// A process's working directory.
    Cwd(&'a Cwd),
}

/// A working directory: the directory itself, and the path that it had.
#[derive(Clone)]
pub(crate) struct Cwd {
    pub(super) dir: Dir,
    pub(super) path: Arc<[u8]>,
}

impl Cwd {
    /// Absolute sandbox path without symbolic links, as of the `chdir`.
    pub(crate) fn path(&self) -> &[u8] {
        &self.path
    }
}

/// What to open and how.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct OpenOptions {
    pub(crate) read: bool,
    pub(crate) write: bool,
    pub(crate) create: bool,
    pub(crate) exclusive: bool,
    pub(crate) truncate: bool,
    /// Fail unless it is a directory.
    pub(crate) directory: bool,
    /// Fail with LOOP if the last component is a symbolic link.
    pub(crate) nofollow: bool,
    /// Permission bits of a created file, before the umask.
    pub(crate) mode: u32,
}

/// What was opened.
pub(crate) enum Opened {
    /// A regular file.
    File(Arc<FileHandle>),
    /// A directory.
    Dir(Arc<DirHandle>),
    /// A device that the process's own tables serve.
    Device(Device),
    /// An entry of `/bin`: the command of this name.
    Command(String),
}

/// A node of `/dev`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Device {
    /// Reads nothing, takes everything.
    Null,
    /// Reads zeroes, takes everything.
    Zero,
    /// Reads zeroes, is always full.
    Full,
    /// Reads random bytes, takes everything.
    Random,
    /// The process's own descriptor of this number, as written in `/dev/fd/N`.
    Fd(u32),
    /// The terminal, if the call has one.
    Tty,
}

/// Result of a stat.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Stated {
    /// The status.
    Here(Stat),
    /// The path names the process's own descriptor of this number: stat that.
    Fd(u32),
}

/// Status of a node. The owner is always user and group [`Stat::OWNER`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stat {
    /// Number of the mount, not of the host's device.
    pub(crate) dev: u64,
    pub(crate) ino: u64,
    /// Type and permission bits as in Linux's `st_mode`.
    pub(crate) mode: u32,
    pub(crate) nlink: u64,
    /// Bytes.
    pub(crate) size: u64,
    /// Blocks of 512 bytes.
    pub(crate) blocks: u64,
    /// Nanoseconds since 1970; earlier times are given as 0.
    pub(crate) atime: u64,
    pub(crate) mtime: u64,
    pub(crate) ctime: u64,
    pub(crate) rdev: u64,
    pub(crate) file_type: FileType,
}

impl Stat {
    /// The user and group that own everything in a sandbox.
    pub(crate) const OWNER: u32 = 1000;
}

/// A time to set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum When {
    /// Leave it.
    Omit,
    /// The present.
    Now,
    /// Nanoseconds since 1970.
    At(u64),
}

/// Times to set.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Times {
    pub(crate) atime: When,
    pub(crate) mtime: When,
}

/// An entry of a directory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DirEntry<'a> {
    /// Give this to continue behind the entry.
    pub(crate) next_cookie: u64,
    pub(crate) ino: u64,
    pub(crate) file_type: FileType,
    pub(crate) name: &'a [u8],
}

/// The quota that holds for a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StatFs {
    pub(crate) total_bytes: u64,
    pub(crate) free_bytes: u64,
    pub(crate) total_files: u64,
    pub(crate) free_files: u64,
}
