//! The process's surroundings: working directory, mask, limits, usage.

use crate::{check, errno, raw};
use std::io;
use std::path::{Path, PathBuf};

/// Makes libc's idea of the working directory the kernel's. Call it first in `main`.
///
/// wasi-libc starts every program at `/` and cannot be told otherwise from outside;
/// after this call relative paths mean what the spawner meant.
pub fn init() {
    if let Ok(cwd) = getcwd() {
        // A working directory that was removed under us stays unusable, as on Unix:
        // each relative path then fails on its own.
        let _ = std::env::set_current_dir(cwd);
    }
}

#[cfg(target_os = "wasi")]
fn path_from(bytes: Vec<u8>) -> PathBuf {
    use std::os::wasi::ffi::OsStringExt;
    std::ffi::OsString::from_vec(bytes).into()
}

#[cfg(not(target_os = "wasi"))]
fn path_from(bytes: Vec<u8>) -> PathBuf {
    String::from_utf8_lossy(&bytes).into_owned().into()
}

pub(crate) fn path_bytes(path: &Path) -> &[u8] {
    path.as_os_str().as_encoded_bytes()
}

/// The kernel's working directory of this process: an absolute sandbox path.
pub fn getcwd() -> io::Result<PathBuf> {
    read_growing(256, |buf, out| {
        // SAFETY: the buffer is valid for its length and `out` for one u32.
        unsafe { raw::getcwd(buf.as_mut_ptr(), buf.len() as u32, out) }
    })
    .map(path_from)
}

/// Calls `read` with a larger buffer until it no longer answers `ERANGE`.
pub(crate) fn read_growing(
    start: usize,
    mut read: impl FnMut(&mut [u8], &mut u32) -> i32,
) -> io::Result<Vec<u8>> {
    let mut buf = vec![0u8; start];
    loop {
        let mut len = 0u32;
        match read(&mut buf, &mut len) {
            0 => {
                buf.truncate(len as usize);
                return Ok(buf);
            }
            errno::RANGE => {
                let larger = (len as usize).max(buf.len() * 2);
                buf.resize(larger, 0);
            }
            other => return Err(io::Error::from_raw_os_error(other)),
        }
    }
}

/// Changes the working directory, the kernel's and libc's.
pub fn chdir(path: impl AsRef<Path>) -> io::Result<()> {
    let bytes = path_bytes(path.as_ref());
    // SAFETY: pointer and length come from one slice.
    check(unsafe { raw::chdir(bytes.as_ptr(), bytes.len() as u32) })?;
    init();
    Ok(())
}

/// Sets the mode mask of new files (`None`: only asks); returns the old one.
pub fn umask(new: Option<u32>) -> u32 {
    // SAFETY: no pointers.
    unsafe { raw::umask(new.map_or(u32::MAX, |mask| mask & 0o777)) }
}

/// What the process and those it waited for have used.
#[derive(Debug, Clone, Copy, Default)]
pub struct RUsage {
    /// CPU time in guest code, microseconds.
    pub user_us: u64,
    /// CPU time in the kernel on its behalf, microseconds.
    pub sys_us: u64,
    /// Largest linear memory, bytes.
    pub max_rss: u64,
}

/// Usage of this process, or of the children it waited for.
pub fn rusage(children: bool) -> io::Result<RUsage> {
    let mut out = [0u64; 4];
    // SAFETY: 32 bytes, as the import writes.
    check(unsafe { raw::rusage(u32::from(children), out.as_mut_ptr().cast()) })?;
    let [user_us, sys_us, max_rss, _] = out;
    Ok(RUsage {
        user_us,
        sys_us,
        max_rss,
    })
}

/// The limits in force for this process; `u64::MAX` where one does not bind.
#[derive(Debug, Clone, Copy, Default)]
pub struct Limits {
    /// Fuel left.
    pub fuel: u64,
    /// CPU time, nanoseconds.
    pub cpu_ns: u64,
    /// Wall time left, nanoseconds.
    pub wall_ns: u64,
    /// Memory of one process, bytes.
    pub process_memory: u64,
    /// Processes alive at once.
    pub processes: u64,
    /// Descriptors of one process.
    pub descriptors: u64,
    /// Output bytes left.
    pub output: u64,
    /// Size of one file, bytes.
    pub file_size: u64,
    /// Workspace bytes left.
    pub workspace_bytes: u64,
    /// Workspace files left.
    pub workspace_files: u64,
    /// Capacity of a pipe, bytes.
    pub pipe: u64,
    /// Memory of all processes of the sandbox, bytes.
    pub memory: u64,
}

/// The limits in force.
pub fn limits() -> io::Result<Limits> {
    let mut out = [0u64; 16];
    // SAFETY: sixteen u64, as the import writes.
    check(unsafe { raw::limits(out.as_mut_ptr()) })?;
    let [
        fuel,
        cpu_ns,
        wall_ns,
        process_memory,
        processes,
        descriptors,
        output,
        file_size,
        workspace_bytes,
        workspace_files,
        pipe,
        memory,
        ..,
    ] = out;
    Ok(Limits {
        fuel,
        cpu_ns,
        wall_ns,
        process_memory,
        processes,
        descriptors,
        output,
        file_size,
        workspace_bytes,
        workspace_files,
        pipe,
        memory,
    })
}
