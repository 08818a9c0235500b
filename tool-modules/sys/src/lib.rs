//! The kernel calls that WASI preview 1 lacks, for programs that run inside the sandbox:
//! processes, pipes, duplicated descriptors, signals, the process's own working directory
//! and file modes. `docs/abi.md` is the reference; this crate is its safe Rust face.
//!
//! A program calls [`init`] first thing in `main`.
//!
//! Errors are [`std::io::Error`]s that hold a WASI errno. On any target but WASI every
//! call fails with `ENOSYS`, so that the pure parts of a program can be tested natively.

mod file;
mod process;
mod raw;
mod signal;
mod system;

pub use file::{
    DirEntryKind, LOCK_EX, LOCK_NB, LOCK_SH, LOCK_UN, Stat, StatFs, chmod, dup, dup_at_least, dup2,
    fchmod, flock, fstat, lstat, pipe, raw_dup, raw_dup2, raw_pipe, stat, statfs, window_size,
};
pub use process::{
    Command, Exit, INHERITED_BASE, Termination, blob, exit_status, getpid, getppid,
    inherited_descriptor, kill, ps, spawn_encoded, try_wait, try_wait_any, wait, wait_any,
};
pub use signal::{Disposition, Signal, set_disposition, take_signal};
pub use system::{Limits, RUsage, chdir, getcwd, init, limits, rusage, umask};

use std::io;

/// Turns a WASI errno into a result.
fn check(errno: i32) -> io::Result<()> {
    if errno == 0 {
        Ok(())
    } else {
        Err(io::Error::from_raw_os_error(errno))
    }
}

/// WASI errno numbers that callers compare against.
pub mod errno {
    /// Permission denied.
    pub const ACCES: i32 = 2;
    /// Resource temporarily unavailable.
    pub const AGAIN: i32 = 6;
    /// Bad file descriptor.
    pub const BADF: i32 = 8;
    /// No child processes.
    pub const CHILD: i32 = 12;
    /// File exists.
    pub const EXIST: i32 = 20;
    /// Interrupted system call.
    pub const INTR: i32 = 27;
    /// Invalid argument.
    pub const INVAL: i32 = 28;
    /// Is a directory.
    pub const ISDIR: i32 = 31;
    /// No such file or directory.
    pub const NOENT: i32 = 44;
    /// Exec format error.
    pub const NOEXEC: i32 = 45;
    /// Function not implemented.
    pub const NOSYS: i32 = 52;
    /// Not a directory.
    pub const NOTDIR: i32 = 54;
    /// Not a terminal.
    pub const NOTTY: i32 = 59;
    /// Broken pipe.
    pub const PIPE: i32 = 64;
    /// Result too large.
    pub const RANGE: i32 = 68;
    /// Read-only file system.
    pub const ROFS: i32 = 69;
    /// No such process.
    pub const SRCH: i32 = 71;
}
