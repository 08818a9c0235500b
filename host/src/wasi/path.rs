//! Paths. All resolution is the file system's; here is only what the guest's words mean.

use std::sync::Arc;

use wasmtime::{Caller, Linker};

use super::mem::{Mem, parts};
use super::stat::{
    R_ALLOCATE, R_READ, R_READDIR, R_SET_SIZE, R_WRITE, is_terminal, kind_stat, put_filestat, times,
};
use super::{MODULE, code};
use crate::errno::Errno;
use crate::fd::{Description, Kind};
use crate::process::state::State;
use crate::vfs::{Device, OpenOptions, Opened, Stat, Stated};

const FOLLOW: u32 = 1;
const O_CREAT: u32 = 1;
const O_DIRECTORY: u32 = 2;
const O_EXCL: u32 = 4;
const O_TRUNC: u32 = 8;

struct OpenArgs {
    fd: u32,
    lookup: u32,
    path: (u32, u32),
    oflags: u32,
    rights: u64,
    flags: u32,
}

/// The description of something that was opened.
pub(crate) fn describe(
    state: &State,
    opened: Opened,
    (read, write): (bool, bool),
    flags: u16,
) -> Result<Arc<Description>, Errno> {
    let kind = match opened {
        Opened::File(file) => Kind::File(file),
        Opened::Dir(dir) => return Ok(Description::new(Kind::Dir(dir), true, false, flags)),
        Opened::Device(Device::Null) => Kind::Null,
        Opened::Device(Device::Zero) => Kind::Zero,
        Opened::Device(Device::Full) => Kind::Full,
        Opened::Device(Device::Random) => Kind::Random,
        Opened::Device(Device::Fd(n)) => {
            let number = state.fds.user_number(n);
            return state
                .fds
                .get(number)
                .map(Arc::clone)
                .map_err(|_| Errno::NOENT);
        }
        Opened::Device(Device::Tty) => {
            return (0..3)
                .filter_map(|fd| state.fds.get(fd).ok())
                .find(|desc| is_terminal(desc) && (desc.read || !read) && (desc.write || !write))
                .map(Arc::clone)
                .ok_or(Errno::NXIO);
        }
        // A command reads as an empty file: its module is none of the guest's business.
        Opened::Command(_) => {
            return Ok(Description::new(Kind::Null, true, false, flags));
        }
    };
    Ok(Description::new(kind, read, write, flags))
}

fn open(mem: &Mem<'_>, state: &mut State, args: &OpenArgs) -> Result<u32, Errno> {
    let path = mem.path(args.path.0, args.path.1)?;
    let flags = u16::try_from(args.flags).map_err(|_| Errno::INVAL)?;
    let directory = args.oflags & O_DIRECTORY != 0;
    let write = !directory && args.rights & (R_WRITE | R_ALLOCATE | R_SET_SIZE) != 0;
    let read = args.rights & (R_READ | R_READDIR) != 0 || !write;
    let options = OpenOptions {
        read,
        write,
        create: args.oflags & O_CREAT != 0,
        exclusive: args.oflags & O_EXCL != 0,
        truncate: args.oflags & O_TRUNC != 0,
        directory,
        nofollow: args.lookup & FOLLOW == 0,
        mode: 0o666,
    };
    let base = state.base(args.fd, path)?;
    let opened = state.vfs.open(&state.actor, base, path, options)?;
    let desc = describe(state, opened, (read, write), flags)?;
    state.add(desc)
}

/// Status of a path; `/dev/fd/N` is the process's own descriptor.
pub(crate) fn resolved(state: &State, stated: Stated) -> Result<Stat, Errno> {
    match stated {
        Stated::Here(stat) => Ok(stat),
        Stated::Fd(n) => {
            let number = state.fds.user_number(n);
            kind_stat(state.fds.get(number).map_err(|_| Errno::NOENT)?)
        }
    }
}

fn link_open(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.func_wrap(
        MODULE,
        "path_open",
        |mut caller: Caller<'_, State>,
         fd: u32,
         lookup: u32,
         path: u32,
         len: u32,
         oflags: u32,
         rights: u64,
         _inheriting: u64,
         flags: u32,
         out: u32|
         -> wasmtime::Result<u32> {
            let (mut mem, state) = parts(&mut caller)?;
            let args = OpenArgs {
                fd,
                lookup,
                path: (path, len),
                oflags,
                rights,
                flags,
            };
            let result = open(&mem, state, &args);
            let result = state.outcome(result)?;
            Ok(code(result.and_then(|fd| mem.put_u32(out, fd))))
        },
    )?;
    Ok(())
}

fn link_status(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.func_wrap(
        MODULE,
        "path_filestat_get",
        |mut caller: Caller<'_, State>,
         fd: u32,
         lookup: u32,
         path: u32,
         len: u32,
         out: u32|
         -> wasmtime::Result<u32> {
            let (mut mem, state) = parts(&mut caller)?;
            let stat = (|| {
                let path = mem.path(path, len)?;
                let base = state.base(fd, path)?;
                resolved(state, state.vfs.stat(base, path, lookup & FOLLOW != 0)?)
            })();
            Ok(code(
                stat.and_then(|stat| put_filestat(&mut mem, out, &stat)),
            ))
        },
    )?;
    linker.func_wrap(
        MODULE,
        "path_filestat_set_times",
        |mut caller: Caller<'_, State>,
         fd: u32,
         lookup: u32,
         path: u32,
         len: u32,
         atim: u64,
         mtim: u64,
         flags: u32|
         -> wasmtime::Result<u32> {
            let (mem, state) = parts(&mut caller)?;
            let result = (|| {
                let path = mem.path(path, len)?;
                let base = state.base(fd, path)?;
                let times = times(atim, mtim, flags)?;
                state
                    .vfs
                    .set_times(&state.actor, base, path, lookup & FOLLOW != 0, times)
            })();
            Ok(code(state.outcome(result)?))
        },
    )?;
    linker.func_wrap(
        MODULE,
        "path_readlink",
        |mut caller: Caller<'_, State>,
         fd: u32,
         path: u32,
         len: u32,
         buf: u32,
         buf_len: u32,
         out: u32|
         -> wasmtime::Result<u32> {
            let (mut mem, state) = parts(&mut caller)?;
            let target = (|| {
                let path = mem.path(path, len)?;
                state.vfs.readlink(state.base(fd, path)?, path)
            })();
            let result = target.and_then(|mut target| {
                // Cut without a word, as readlink(2) does.
                target.truncate(usize::try_from(buf_len).unwrap_or(usize::MAX));
                mem.put(buf, &target)?;
                mem.put_size(out, target.len())
            });
            Ok(code(result))
        },
    )?;
    Ok(())
}

fn link_changes(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.func_wrap(
        MODULE,
        "path_create_directory",
        |mut caller: Caller<'_, State>, fd: u32, path: u32, len: u32| -> wasmtime::Result<u32> {
            let (mem, state) = parts(&mut caller)?;
            let result = (|| {
                let path = mem.path(path, len)?;
                state
                    .vfs
                    .mkdir(&state.actor, state.base(fd, path)?, path, 0o777)
            })();
            Ok(code(state.outcome(result)?))
        },
    )?;
    linker.func_wrap(
        MODULE,
        "path_remove_directory",
        |mut caller: Caller<'_, State>, fd: u32, path: u32, len: u32| -> wasmtime::Result<u32> {
            let (mem, state) = parts(&mut caller)?;
            let result = (|| {
                let path = mem.path(path, len)?;
                state.vfs.rmdir(&state.actor, state.base(fd, path)?, path)
            })();
            Ok(code(state.outcome(result)?))
        },
    )?;
    linker.func_wrap(
        MODULE,
        "path_unlink_file",
        |mut caller: Caller<'_, State>, fd: u32, path: u32, len: u32| -> wasmtime::Result<u32> {
            let (mem, state) = parts(&mut caller)?;
            let result = (|| {
                let path = mem.path(path, len)?;
                state.vfs.unlink(&state.actor, state.base(fd, path)?, path)
            })();
            Ok(code(state.outcome(result)?))
        },
    )?;
    linker.func_wrap(
        MODULE,
        "path_rename",
        |mut caller: Caller<'_, State>,
         fd: u32,
         old: u32,
         old_len: u32,
         to: u32,
         new: u32,
         new_len: u32|
         -> wasmtime::Result<u32> {
            let (mem, state) = parts(&mut caller)?;
            let result = (|| {
                let (old, new) = (mem.path(old, old_len)?, mem.path(new, new_len)?);
                let (from, to) = (state.base(fd, old)?, state.base(to, new)?);
                state.vfs.rename(&state.actor, from, old, to, new)
            })();
            Ok(code(state.outcome(result)?))
        },
    )?;
    linker.func_wrap(
        MODULE,
        "path_link",
        |mut caller: Caller<'_, State>,
         fd: u32,
         lookup: u32,
         old: u32,
         old_len: u32,
         to: u32,
         new: u32,
         new_len: u32|
         -> wasmtime::Result<u32> {
            let (mem, state) = parts(&mut caller)?;
            let result = (|| {
                let (old, new) = (mem.path(old, old_len)?, mem.path(new, new_len)?);
                let (from, to) = (state.base(fd, old)?, state.base(to, new)?);
                state
                    .vfs
                    .link(&state.actor, from, old, lookup & FOLLOW != 0, to, new)
            })();
            Ok(code(state.outcome(result)?))
        },
    )?;
    linker.func_wrap(
        MODULE,
        "path_symlink",
        |mut caller: Caller<'_, State>,
         target: u32,
         target_len: u32,
         fd: u32,
         path: u32,
         len: u32|
         -> wasmtime::Result<u32> {
            let (mem, state) = parts(&mut caller)?;
            let result = (|| {
                let (target, path) = (mem.path(target, target_len)?, mem.path(path, len)?);
                state
                    .vfs
                    .symlink(&state.actor, target, state.base(fd, path)?, path)
            })();
            Ok(code(state.outcome(result)?))
        },
    )?;
    Ok(())
}

pub(super) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    link_open(linker)?;
    link_status(linker)?;
    link_changes(linker)
}
