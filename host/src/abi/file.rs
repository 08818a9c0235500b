//! Descriptors and paths beyond preview 1: pipe, dup, stat, chmod, working directory.

use std::sync::Arc;

use wasmtime::{Caller, Linker};

use super::MODULE;
use crate::errno::Errno;
use crate::fd::{Description, FdTable, Kind};
use crate::process::state::State;
use crate::vfs::{Base, Lock, Stat};
use crate::wasi::mem::{Mem, parts};
use crate::wasi::{code, io, kind_stat, path_stat};

const LOCK_SH: u32 = 1;
const LOCK_EX: u32 = 2;
const LOCK_NB: u32 = 4;
const LOCK_UN: u32 = 8;

fn pipe(mem: &mut Mem<'_>, state: &mut State, out: u32) -> Result<(), Errno> {
    mem.bytes(out, 8)?;
    let (reader, writer) = crate::pipe::pipe(state.group.limits.pipe_bytes, &state.group.memory);
    let read = state.add(Description::new(Kind::PipeRead(reader), true, false, 0))?;
    let writer = Description::new(Kind::PipeWrite(writer), false, true, 0);
    let write = match state.add(writer) {
        Ok(write) => write,
        Err(e) => {
            drop(state.fds.remove(read));
            return Err(e);
        }
    };
    mem.put_u32(out, read)?;
    mem.put_u32(out.saturating_add(4), write)
}

fn dup2(fds: &mut FdTable, from: u32, to: u32) -> Result<(), Errno> {
    let desc = Arc::clone(fds.get(from)?);
    if from == to {
        Ok(())
    } else {
        fds.set(to, desc)
    }
}

fn put_stat(mem: &mut Mem<'_>, out: u32, stat: &Stat) -> Result<(), Errno> {
    let mut b = Vec::with_capacity(96);
    b.extend_from_slice(&stat.dev.to_le_bytes());
    b.extend_from_slice(&stat.ino.to_le_bytes());
    b.extend_from_slice(&stat.mode.to_le_bytes());
    let links = u32::try_from(stat.nlink).unwrap_or(u32::MAX);
    for word in [links, Stat::OWNER, Stat::OWNER] {
        b.extend_from_slice(&word.to_le_bytes());
    }
    for word in [
        stat.size,
        stat.blocks,
        stat.atime,
        stat.mtime,
        stat.ctime,
        stat.rdev,
    ] {
        b.extend_from_slice(&word.to_le_bytes());
    }
    b.resize(96, 0);
    mem.put(out, &b)
}

fn chdir(state: &mut State, path: &[u8]) -> Result<(), Errno> {
    let cwd = state.vfs.chdir(Base::Cwd(&state.cwd), path)?;
    if state.proc.ppid == 0 {
        state.group.set_final_cwd(cwd.path());
    }
    state.cwd = cwd;
    Ok(())
}

fn chmod(state: &State, path: &[u8], mode: u32) -> Result<(), Errno> {
    state
        .vfs
        .chmod(&state.actor, Base::Cwd(&state.cwd), path, mode)
}

async fn flock(mut caller: Caller<'_, State>, (fd, op): (u32, u32)) -> wasmtime::Result<u32> {
    let (_, state) = parts(&mut caller)?;
    let lock = match op & !LOCK_NB {
        LOCK_SH => Lock::Shared,
        LOCK_EX => Lock::Exclusive,
        LOCK_UN => Lock::Unlock,
        _ => return Ok(code(Err(Errno::INVAL))),
    };
    let desc = match state.fds.get(fd) {
        Ok(desc) => Arc::clone(desc),
        Err(e) => return Ok(code(Err(e))),
    };
    let Kind::File(file) = &desc.kind else {
        return Ok(code(Err(Errno::INVAL)));
    };
    match file.lock(lock) {
        Err(Errno::AGAIN) if op & LOCK_NB == 0 => {}
        other => return Ok(code(other)),
    }
    let proc = Arc::clone(&state.proc);
    let taken = io::wait(
        &proc,
        std::future::poll_fn(|cx| {
            // Register first, so that an unlock in between is not missed.
            file.wait_for_lock(cx.waker());
            match file.lock(lock) {
                Err(Errno::AGAIN) => std::task::Poll::Pending,
                other => std::task::Poll::Ready(other),
            }
        }),
    )
    .await;
    Ok(code(taken.and_then(|taken| taken)))
}

fn link_descriptors(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.func_wrap(
        MODULE,
        "pipe",
        |mut caller: Caller<'_, State>, out: u32| -> wasmtime::Result<u32> {
            let (mut mem, state) = parts(&mut caller)?;
            Ok(code(pipe(&mut mem, state, out)))
        },
    )?;
    linker.func_wrap(
        MODULE,
        "dup",
        |mut caller: Caller<'_, State>, fd: u32, min: u32, out: u32| -> wasmtime::Result<u32> {
            let (mut mem, state) = parts(&mut caller)?;
            let result = mem.bytes(out, 4).map(drop).and_then(|()| {
                let desc = Arc::clone(state.fds.get(fd)?);
                if min >= state.group.limits.descriptors.saturating_add(64) {
                    return Err(Errno::INVAL);
                }
                state.fds.insert(desc, min)
            });
            Ok(code(result.and_then(|fd| mem.put_u32(out, fd))))
        },
    )?;
    linker.func_wrap(
        MODULE,
        "dup2",
        |mut caller: Caller<'_, State>, from: u32, to: u32| -> u32 {
            code(dup2(&mut caller.data_mut().fds, from, to))
        },
    )?;
    linker.func_wrap(
        MODULE,
        "fstat",
        |mut caller: Caller<'_, State>, fd: u32, out: u32| -> wasmtime::Result<u32> {
            let (mut mem, state) = parts(&mut caller)?;
            let stat = state.fds.get(fd).and_then(|desc| kind_stat(desc));
            Ok(code(stat.and_then(|stat| put_stat(&mut mem, out, &stat))))
        },
    )?;
    linker.func_wrap(
        MODULE,
        "fchmod",
        |caller: Caller<'_, State>, fd: u32, mode: u32| -> u32 {
            let state = caller.data();
            code(state.fds.get(fd).and_then(|desc| match &desc.kind {
                Kind::File(file) => file.chmod(&state.actor, mode),
                Kind::Dir(dir) => dir.chmod(&state.actor, mode),
                _ => Err(Errno::INVAL),
            }))
        },
    )?;
    linker.func_wrap_async(MODULE, "flock", |caller, args| {
        Box::new(flock(caller, args))
    })?;
    Ok(())
}

fn link_paths(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.func_wrap(
        MODULE,
        "stat",
        |mut caller: Caller<'_, State>,
         path: u32,
         len: u32,
         flags: u32,
         out: u32|
         -> wasmtime::Result<u32> {
            let (mut mem, state) = parts(&mut caller)?;
            let stat = mem.path(path, len).and_then(|path| {
                let stated = state
                    .vfs
                    .stat(Base::Cwd(&state.cwd), path, flags & 1 == 0)?;
                path_stat(state, stated)
            });
            Ok(code(stat.and_then(|stat| put_stat(&mut mem, out, &stat))))
        },
    )?;
    linker.func_wrap(
        MODULE,
        "chmod",
        |mut caller: Caller<'_, State>, path: u32, len: u32, mode: u32| -> wasmtime::Result<u32> {
            let (mem, state) = parts(&mut caller)?;
            Ok(code(
                mem.path(path, len)
                    .and_then(|path| chmod(state, path, mode)),
            ))
        },
    )?;
    linker.func_wrap(
        MODULE,
        "chdir",
        |mut caller: Caller<'_, State>, path: u32, len: u32| -> wasmtime::Result<u32> {
            let (mem, state) = parts(&mut caller)?;
            Ok(code(
                mem.path(path, len).and_then(|path| chdir(state, path)),
            ))
        },
    )?;
    linker.func_wrap(
        MODULE,
        "getcwd",
        |mut caller: Caller<'_, State>, buf: u32, len: u32, out: u32| -> wasmtime::Result<u32> {
            let (mut mem, state) = parts(&mut caller)?;
            let path = state.cwd.path();
            let result = mem.put_size(out, path.len()).and_then(|()| {
                if path.len() > usize::try_from(len).unwrap_or(0) {
                    return Err(Errno::RANGE);
                }
                mem.put(buf, path)
            });
            Ok(code(result))
        },
    )?;
    linker.func_wrap(
        MODULE,
        "umask",
        |caller: Caller<'_, State>, new: u32| -> u32 {
            let actor = &caller.data().actor;
            if new == u32::MAX {
                actor.umask()
            } else {
                actor.set_umask(new & 0o777)
            }
        },
    )?;
    linker.func_wrap(
        MODULE,
        "statfs",
        |mut caller: Caller<'_, State>, path: u32, len: u32, out: u32| -> wasmtime::Result<u32> {
            let (mut mem, state) = parts(&mut caller)?;
            let space = mem
                .path(path, len)
                .and_then(|path| state.vfs.statfs(Base::Cwd(&state.cwd), path));
            let result = space.and_then(|s| {
                let words = [s.total_bytes, s.free_bytes, s.total_files, s.free_files];
                let bytes: Vec<u8> = words.iter().flat_map(|w| w.to_le_bytes()).collect();
                mem.put(out, &bytes)
            });
            Ok(code(result))
        },
    )?;
    Ok(())
}

pub(super) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    link_descriptors(linker)?;
    link_paths(linker)
}
