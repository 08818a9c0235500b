//! File status and the status of descriptors.

use wasmtime::{Caller, Linker};

use super::mem::{Mem, parts};
use super::{MODULE, code};
use crate::errno::Errno;
use crate::fd::{Description, Kind};
use crate::process::state::State;
use crate::vfs::{FileType, Stat, Times, When};

pub(crate) const FT_UNKNOWN: u8 = 0;
pub(crate) const FT_CHAR: u8 = 2;
pub(crate) const FT_DIR: u8 = 3;
pub(crate) const FT_FILE: u8 = 4;
pub(crate) const FT_SYMLINK: u8 = 7;

const R_DATASYNC: u64 = 1;
pub(crate) const R_READ: u64 = 1 << 1;
const R_SEEK: u64 = 1 << 2;
const R_SET_FLAGS: u64 = 1 << 3;
const R_TELL: u64 = 1 << 5;
pub(crate) const R_WRITE: u64 = 1 << 6;
pub(crate) const R_ALLOCATE: u64 = 1 << 8;
pub(crate) const R_READDIR: u64 = 1 << 14;
const R_FILESTAT: u64 = 1 << 21;
pub(crate) const R_SET_SIZE: u64 = 1 << 22;
const R_POLL: u64 = 1 << 27;
const R_ALL: u64 = (1 << 30) - 1;
/// What makes no sense on a directory, and what only makes sense there.
const R_FILE_ONLY: u64 = R_READ | R_SEEK | R_TELL | R_WRITE | R_ALLOCATE | R_SET_SIZE | (1 << 7);
const R_DIR_ONLY: u64 = 0x0703_fe00 & !R_SET_SIZE & !(1 << 23);

pub(crate) fn filetype(t: FileType) -> u8 {
    match t {
        FileType::File => FT_FILE,
        FileType::Dir => FT_DIR,
        FileType::Symlink => FT_SYMLINK,
        FileType::CharDevice => FT_CHAR,
        FileType::Other => FT_UNKNOWN,
    }
}

const S_IFMT: u32 = 0o170_000;
const S_IFIFO: u32 = 0o010_000;
const S_IFCHR: u32 = 0o020_000;
const S_IFREG: u32 = 0o100_000;

fn stream_stat(mode: u32) -> Stat {
    Stat {
        dev: 0,
        ino: 1,
        mode,
        nlink: 1,
        size: 0,
        blocks: 0,
        atime: 0,
        mtime: 0,
        ctime: 0,
        rdev: 0,
        file_type: match mode & S_IFMT {
            S_IFCHR => FileType::CharDevice,
            S_IFREG => FileType::File,
            _ => FileType::Other,
        },
    }
}

/// Status of whatever a descriptor is of.
pub(crate) fn kind_stat(desc: &Description) -> Result<Stat, Errno> {
    match &desc.kind {
        Kind::File(file) => file.stat(),
        Kind::Dir(dir) => dir.stat(),
        Kind::PipeRead(_) | Kind::PipeWrite(_) => Ok(stream_stat(S_IFIFO | 0o600)),
        Kind::Null | Kind::Zero | Kind::Full | Kind::Random => Ok(stream_stat(S_IFCHR | 0o666)),
        Kind::Source(_) | Kind::Sink(_) => {
            let host = match &desc.kind {
                Kind::Source(source) => source.host(),
                Kind::Sink(sink) => sink.host(),
                _ => None,
            };
            let Some(host) = host else {
                return Ok(stream_stat(S_IFIFO | 0o600));
            };
            let stat = host.stat()?;
            let mut seen = stream_stat(stat.st_mode & (S_IFMT | 0o777));
            if seen.file_type == FileType::File {
                seen.size = u64::try_from(stat.st_size).unwrap_or(0);
            }
            Ok(seen)
        }
    }
}

pub(crate) fn is_terminal(desc: &Description) -> bool {
    match &desc.kind {
        Kind::Source(source) => source.host().is_some_and(crate::stdio::HostFd::is_terminal),
        Kind::Sink(sink) => sink.host().is_some_and(crate::stdio::HostFd::is_terminal),
        _ => false,
    }
}

/// Type and rights. libc takes a character device that cannot seek for a terminal.
fn fdstat(desc: &Description) -> (u8, u64) {
    let stream = R_READ | R_WRITE | R_SET_FLAGS | R_FILESTAT | R_POLL;
    let (kind, mut rights) = match &desc.kind {
        Kind::File(_) => (FT_FILE, R_ALL & !R_DIR_ONLY),
        Kind::Dir(_) => return (FT_DIR, R_ALL & !R_FILE_ONLY),
        Kind::Null | Kind::Zero | Kind::Full | Kind::Random => {
            (FT_CHAR, stream | R_SEEK | R_TELL | R_DATASYNC)
        }
        Kind::PipeRead(_) | Kind::PipeWrite(_) => (FT_UNKNOWN, stream),
        Kind::Source(_) | Kind::Sink(_) => {
            let terminal = is_terminal(desc);
            (if terminal { FT_CHAR } else { FT_UNKNOWN }, stream)
        }
    };
    if !desc.read {
        rights &= !R_READ;
    }
    if !desc.write {
        rights &= !(R_WRITE | R_ALLOCATE | R_SET_SIZE);
    }
    (kind, rights)
}

/// Writes a `filestat`.
pub(crate) fn put_filestat(mem: &mut Mem<'_>, out: u32, stat: &Stat) -> Result<(), Errno> {
    let mut b = [0u8; 64];
    let words: [(usize, u64); 8] = [
        (0, stat.dev),
        (8, stat.ino),
        (16, u64::from(filetype(stat.file_type))),
        (24, stat.nlink),
        (32, stat.size),
        (40, stat.atime),
        (48, stat.mtime),
        (56, stat.ctime),
    ];
    for (at, word) in words {
        if let Some(to) = b.get_mut(at..at + 8) {
            to.copy_from_slice(&word.to_le_bytes());
        }
    }
    mem.put(out, &b)
}

/// Times as preview 1 gives them: nanoseconds, and flags that say which count.
pub(crate) fn times(atim: u64, mtim: u64, flags: u32) -> Result<Times, Errno> {
    let one = |at: u64, set: bool, now: bool| match (set, now) {
        (true, true) => Err(Errno::INVAL),
        (true, false) => Ok(When::At(at)),
        (false, true) => Ok(When::Now),
        (false, false) => Ok(When::Omit),
    };
    if flags & !15 != 0 {
        return Err(Errno::INVAL);
    }
    Ok(Times {
        atime: one(atim, flags & 1 != 0, flags & 2 != 0)?,
        mtime: one(mtim, flags & 4 != 0, flags & 8 != 0)?,
    })
}

pub(super) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.func_wrap(
        MODULE,
        "fd_fdstat_get",
        |mut caller: Caller<'_, State>, fd: u32, out: u32| -> wasmtime::Result<u32> {
            let (mut mem, state) = parts(&mut caller)?;
            let result = state.fds.get(fd).and_then(|desc| {
                let (kind, rights) = fdstat(desc);
                let inheriting = if kind == FT_DIR { R_ALL } else { 0 };
                let mut b = [0u8; 24];
                b[0] = kind;
                b[2..4].copy_from_slice(&desc.flags().to_le_bytes());
                b[8..16].copy_from_slice(&rights.to_le_bytes());
                b[16..24].copy_from_slice(&u64::to_le_bytes(inheriting));
                mem.put(out, &b)
            });
            Ok(code(result))
        },
    )?;
    linker.func_wrap(
        MODULE,
        "fd_filestat_get",
        |mut caller: Caller<'_, State>, fd: u32, out: u32| -> wasmtime::Result<u32> {
            let (mut mem, state) = parts(&mut caller)?;
            let stat = state.fds.get(fd).and_then(|desc| kind_stat(desc));
            Ok(code(
                stat.and_then(|stat| put_filestat(&mut mem, out, &stat)),
            ))
        },
    )?;
    linker.func_wrap(
        MODULE,
        "fd_filestat_set_times",
        |caller: Caller<'_, State>,
         fd: u32,
         atim: u64,
         mtim: u64,
         flags: u32|
         -> wasmtime::Result<u32> {
            let state = caller.data();
            let result = state.fds.get(fd).and_then(|desc| {
                let times = times(atim, mtim, flags)?;
                match &desc.kind {
                    Kind::File(file) => file.set_times(&state.actor, times),
                    Kind::Dir(dir) => dir.set_times(&state.actor, times),
                    _ => Err(Errno::INVAL),
                }
            });
            Ok(code(state.outcome(result)?))
        },
    )?;
    linker.func_wrap(
        MODULE,
        "fd_filestat_set_size",
        |caller: Caller<'_, State>, fd: u32, size: u64| -> wasmtime::Result<u32> {
            let state = caller.data();
            let result = state.fds.get(fd).and_then(|desc| match &desc.kind {
                Kind::File(_) if !desc.write => Err(Errno::BADF),
                Kind::File(_) if i64::try_from(size).is_err() => Err(Errno::INVAL),
                Kind::File(file) => file.set_len(&state.actor, size),
                Kind::Dir(_) => Err(Errno::ISDIR),
                _ => Err(Errno::INVAL),
            });
            Ok(code(state.outcome(result)?))
        },
    )?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_flags() {
        assert!(matches!(
            times(1, 2, 5),
            Ok(Times {
                atime: When::At(1),
                mtime: When::At(2)
            })
        ));
        assert!(matches!(
            times(1, 2, 8),
            Ok(Times {
                atime: When::Omit,
                mtime: When::Now
            })
        ));
        assert!(times(1, 2, 3).is_err());
        assert!(times(1, 2, 16).is_err());
    }

    #[test]
    fn rights_of_files_and_folders_are_apart() {
        assert_eq!(R_FILE_ONLY & R_DIR_ONLY, 0);
        const CREATE_FILE: u64 = 1 << 10;
        assert_ne!(R_DIR_ONLY & CREATE_FILE, 0);
        assert_ne!(R_DIR_ONLY & R_READDIR, 0);
        assert_eq!(R_DIR_ONLY & R_FILESTAT, 0);
    }
}
