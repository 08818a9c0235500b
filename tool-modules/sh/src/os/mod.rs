//! What the shell asks of the kernel. Everything outside this folder is plain computation.
//!
//! On WASI this is preview 1 plus the `hardshell` imports. The other back end exists for
//! the tests only: it lets the shell run natively beside the reference it is compared to.

use std::fmt;

#[cfg(target_os = "wasi")]
mod wasi;
#[cfg(target_os = "wasi")]
pub use self::wasi::*;

#[cfg(not(target_os = "wasi"))]
mod native;
#[cfg(not(target_os = "wasi"))]
pub use self::native::*;

/// A kernel descriptor number.
pub type Fd = u32;

/// The error number of a failed call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Errno(pub i32);

/// Result of a kernel call.
pub type Res<T> = Result<T, Errno>;

impl Errno {
    /// The C library's sentence for it, as bash prints it.
    pub fn text(self) -> &'static str {
        for (code, text) in [
            (Self::NOENT, "No such file or directory"),
            (Self::ACCES, "Permission denied"),
            (Self::ISDIR, "Is a directory"),
            (Self::NOTDIR, "Not a directory"),
            (Self::BADF, "Bad file descriptor"),
            (Self::EXIST, "File exists"),
            (Self::INVAL, "Invalid argument"),
            (Self::MFILE, "Too many open files"),
            (Self::PIPE, "Broken pipe"),
            (Self::NOEXEC, "Exec format error"),
            (Self::SRCH, "No such process"),
            (Self::PERM, "Operation not permitted"),
            (Self::ROFS, "Read-only file system"),
            (Self::NOSPC, "No space left on device"),
            (Self::DQUOT, "Disk quota exceeded"),
            (Self::FBIG, "File too large"),
            (Self::LOOP, "Too many levels of symbolic links"),
            (Self::NAMETOOLONG, "File name too long"),
            (Self::INTR, "Interrupted system call"),
            (Self::CHILD, "No child processes"),
            (Self::AGAIN, "Resource temporarily unavailable"),
            (Self::NOSYS, "Function not implemented"),
            (Self::NOTSUP, "Operation not supported"),
            (Self::IO, "Input/output error"),
            (Self::TOOBIG, "Argument list too long"),
            (Self::NOTTY, "Inappropriate ioctl for device"),
            (Self::NOMEM, "Cannot allocate memory"),
            (Self::SPIPE, "Illegal seek"),
            (Self::BUSY, "Device or resource busy"),
            (Self::NXIO, "No such device or address"),
        ] {
            if code == self {
                return text;
            }
        }
        "Unknown error"
    }
}

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

/// How to open a file.
#[derive(Clone, Copy, Default, Debug)]
pub struct OpenHow {
    /// For reading.
    pub read: bool,
    /// For writing.
    pub write: bool,
    /// Make it if it is not there.
    pub create: bool,
    /// Empty it.
    pub truncate: bool,
    /// Every write goes to the end.
    pub append: bool,
    /// Fail if it is there.
    pub exclusive: bool,
}

/// What stat tells.
#[derive(Clone, Copy, Default, Debug)]
pub struct Stat {
    /// Device.
    pub dev: u64,
    /// Inode.
    pub ino: u64,
    /// Type and permission bits.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Bytes.
    pub size: u64,
    /// Last access, nanoseconds.
    pub atime: u64,
    /// Last modification, nanoseconds.
    pub mtime: u64,
}

impl Stat {
    /// The type bits.
    pub fn kind(&self) -> u32 {
        self.mode & 0o170_000
    }
    /// A directory?
    pub fn is_dir(&self) -> bool {
        self.kind() == 0o040_000
    }
    /// A regular file?
    pub fn is_file(&self) -> bool {
        self.kind() == 0o100_000
    }
    /// A symbolic link?
    pub fn is_link(&self) -> bool {
        self.kind() == 0o120_000
    }
}

/// An entry of a directory.
#[derive(Debug)]
pub struct Entry {
    /// Its name.
    pub name: Vec<u8>,
    /// Known to be a directory (`None`: must be asked).
    pub dir: Option<bool>,
}

/// A program to start.
#[derive(Default)]
pub struct Spawn<'a> {
    /// Name of a command, or a path if it has a slash.
    pub program: &'a [u8],
    /// Arguments, the zeroth included.
    pub argv: &'a [Vec<u8>],
    /// `NAME=value` each.
    pub env: &'a [Vec<u8>],
    /// (number in the child as the user counts, our kernel number).
    pub fds: &'a [(u32, Fd)],
    /// State for a shell of our own kind.
    pub blob: &'a [u8],
}

/// How a child ended.
#[derive(Clone, Copy, Debug)]
pub struct Ended {
    /// Which.
    pub pid: u32,
    /// Shell-like status.
    pub status: i32,
    /// By a signal of its own or a limit: no further work by us makes sense.
    pub by_signal: bool,
}

/// CPU time of a process, microseconds: (user, system).
pub type Cpu = (u64, u64);
