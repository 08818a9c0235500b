//! Descriptors: closing, moving, seeking, flags, directories.

use wasmtime::{Caller, Linker};

use super::mem::{Mem, parts};
use super::{MODULE, code, stat};
use crate::errno::Errno;
use crate::fd::{APPEND, DSYNC, Description, Kind, NONBLOCK, RSYNC, SYNC};
use crate::process::state::State;

const DIRENT: usize = 24;

fn seek(desc: &Description, offset: i64, whence: u32) -> Result<u64, Errno> {
    let Kind::File(file) = &desc.kind else {
        return match desc.kind {
            Kind::Dir(_) => Err(Errno::BADF),
            // Devices without a position say 0, as on Linux.
            Kind::Null | Kind::Zero | Kind::Full | Kind::Random => Ok(0),
            _ => Err(Errno::SPIPE),
        };
    };
    let mut at = desc.offset.lock();
    let from = match whence {
        0 => 0,
        1 => *at,
        2 => file.len()?,
        _ => return Err(Errno::INVAL),
    };
    let to = from.checked_add_signed(offset).ok_or(Errno::INVAL)?;
    i64::try_from(to).map_err(|_| Errno::OVERFLOW)?;
    *at = to;
    Ok(to)
}

/// Fills the guest's buffer with entries; a last one that does not fit is cut, which
/// tells the guest to come again.
fn readdir(
    mem: &mut Mem<'_>,
    state: &State,
    fd: u32,
    (buf, len): (u32, u32),
    cookie: u64,
) -> Result<usize, Errno> {
    let desc = state.fds.get(fd)?;
    let Kind::Dir(dir) = &desc.kind else {
        return Err(Errno::NOTDIR);
    };
    let out = mem.bytes_mut(buf, len)?;
    let numbers = if dir.lists_fds() {
        state.fds.numbers()
    } else {
        Vec::new()
    };
    let mut used = 0usize;
    dir.read_dir(cookie, &numbers, &mut |entry| {
        let mut head = [0u8; DIRENT];
        head[0..8].copy_from_slice(&entry.next_cookie.to_le_bytes());
        head[8..16].copy_from_slice(&entry.ino.to_le_bytes());
        let name_len = u32::try_from(entry.name.len()).unwrap_or(u32::MAX);
        head[16..20].copy_from_slice(&name_len.to_le_bytes());
        head[20] = stat::filetype(entry.file_type);
        for part in [&head[..], entry.name] {
            let room = out.get_mut(used..).unwrap_or_default();
            let n = part.len().min(room.len());
            let (to, from) = (room.get_mut(..n), part.get(..n));
            if let (Some(to), Some(from)) = (to, from) {
                to.copy_from_slice(from);
            }
            used += n;
        }
        used < out.len()
    })?;
    Ok(used)
}

fn link_moves(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.func_wrap(
        MODULE,
        "fd_close",
        |mut caller: Caller<'_, State>, fd: u32| -> wasmtime::Result<u32> {
            Ok(code(caller.data_mut().fds.remove(fd).map(drop)))
        },
    )?;
    linker.func_wrap(
        MODULE,
        "fd_renumber",
        |mut caller: Caller<'_, State>, from: u32, to: u32| -> wasmtime::Result<u32> {
            let fds = &mut caller.data_mut().fds;
            let result = (|| {
                fds.get(from)?;
                fds.get(to)?;
                if from == to {
                    return Ok(());
                }
                let desc = fds.remove(from)?;
                fds.set(to, desc)
            })();
            Ok(code(result))
        },
    )?;
    linker.func_wrap(
        MODULE,
        "fd_seek",
        |mut caller: Caller<'_, State>,
         fd: u32,
         offset: i64,
         whence: u32,
         out: u32|
         -> wasmtime::Result<u32> {
            let (mut mem, state) = parts(&mut caller)?;
            let result = state
                .fds
                .get(fd)
                .and_then(|desc| seek(desc, offset, whence));
            Ok(code(result.and_then(|at| mem.put_u64(out, at))))
        },
    )?;
    linker.func_wrap(
        MODULE,
        "fd_tell",
        |mut caller: Caller<'_, State>, fd: u32, out: u32| -> wasmtime::Result<u32> {
            let (mut mem, state) = parts(&mut caller)?;
            let result = state.fds.get(fd).and_then(|desc| seek(desc, 0, 1));
            Ok(code(result.and_then(|at| mem.put_u64(out, at))))
        },
    )?;
    linker.func_wrap(
        MODULE,
        "fd_fdstat_set_flags",
        |caller: Caller<'_, State>, fd: u32, flags: u32| -> wasmtime::Result<u32> {
            let result = caller.data().fds.get(fd).and_then(|desc| {
                let flags = u16::try_from(flags).map_err(|_| Errno::INVAL)?;
                if flags & !(APPEND | DSYNC | NONBLOCK | RSYNC | SYNC) != 0 {
                    return Err(Errno::INVAL);
                }
                desc.set_flags(flags);
                Ok(())
            });
            Ok(code(result))
        },
    )?;
    linker.func_wrap(
        MODULE,
        "fd_fdstat_set_rights",
        |caller: Caller<'_, State>,
         fd: u32,
         _base: u64,
         _inheriting: u64|
         -> wasmtime::Result<u32> {
            // Rights went out of use; what a descriptor may do was settled when it was opened.
            Ok(code(caller.data().fds.get(fd).and(Err(Errno::NOTSUP))))
        },
    )?;
    Ok(())
}

fn link_files(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.func_wrap(
        MODULE,
        "fd_advise",
        |caller: Caller<'_, State>,
         fd: u32,
         offset: u64,
         len: u64,
         advice: u32|
         -> wasmtime::Result<u32> {
            let result = caller.data().fds.get(fd).and_then(|desc| match &desc.kind {
                Kind::File(_) if advice > 5 => Err(Errno::INVAL),
                Kind::File(file) => file.advise(offset, len, u8::try_from(advice).unwrap_or(0)),
                Kind::Dir(_) => Err(Errno::BADF),
                _ => Err(Errno::SPIPE),
            });
            Ok(code(result))
        },
    )?;
    linker.func_wrap(
        MODULE,
        "fd_allocate",
        |caller: Caller<'_, State>, fd: u32, offset: u64, len: u64| -> wasmtime::Result<u32> {
            let state = caller.data();
            let result = state.fds.get(fd).and_then(|desc| match &desc.kind {
                Kind::File(_) if !desc.write => Err(Errno::BADF),
                Kind::File(file) => {
                    let end = offset.checked_add(len).ok_or(Errno::FBIG)?;
                    if len == 0 {
                        return Err(Errno::INVAL);
                    }
                    i64::try_from(end).map_err(|_| Errno::FBIG)?;
                    file.allocate(&state.actor, offset, len)
                }
                Kind::Dir(_) => Err(Errno::BADF),
                _ => Err(Errno::SPIPE),
            });
            Ok(code(state.outcome(result)?))
        },
    )?;
    for (name, data) in [("fd_sync", false), ("fd_datasync", true)] {
        linker.func_wrap(
            MODULE,
            name,
            move |caller: Caller<'_, State>, fd: u32| -> wasmtime::Result<u32> {
                let result = caller.data().fds.get(fd).and_then(|desc| match &desc.kind {
                    Kind::File(file) if data => file.datasync(),
                    Kind::File(file) => file.sync(),
                    Kind::Dir(dir) => dir.sync(),
                    _ => Err(Errno::INVAL),
                });
                Ok(code(result))
            },
        )?;
    }
    linker.func_wrap(
        MODULE,
        "fd_readdir",
        |mut caller: Caller<'_, State>,
         fd: u32,
         buf: u32,
         len: u32,
         cookie: u64,
         out: u32|
         -> wasmtime::Result<u32> {
            let (mut mem, state) = parts(&mut caller)?;
            let used = readdir(&mut mem, state, fd, (buf, len), cookie);
            Ok(code(used.and_then(|used| mem.put_size(out, used))))
        },
    )?;
    Ok(())
}

fn link_preopens(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.func_wrap(
        MODULE,
        "fd_prestat_get",
        |mut caller: Caller<'_, State>, fd: u32, out: u32| -> wasmtime::Result<u32> {
            let (mut mem, state) = parts(&mut caller)?;
            let result = match state.fds.get(fd) {
                // Kind "directory", and the length of "/".
                Ok(desc) if desc.preopen => mem.put(out, &[0, 0, 0, 0, 1, 0, 0, 0]),
                _ => Err(Errno::BADF),
            };
            Ok(code(result))
        },
    )?;
    linker.func_wrap(
        MODULE,
        "fd_prestat_dir_name",
        |mut caller: Caller<'_, State>, fd: u32, buf: u32, len: u32| -> wasmtime::Result<u32> {
            let (mut mem, state) = parts(&mut caller)?;
            let result = match state.fds.get(fd) {
                Ok(desc) if !desc.preopen => Err(Errno::NOTDIR),
                Ok(_) if len < 1 => Err(Errno::NAMETOOLONG),
                Ok(_) => mem.put(buf, b"/"),
                Err(e) => Err(e),
            };
            Ok(code(result))
        },
    )?;
    Ok(())
}

pub(super) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    link_moves(linker)?;
    link_files(linker)?;
    link_preopens(linker)
}
