//! Reading and writing. Only these can wait, and only on pipes and the call's own ends.

use std::future::Future;
use std::io::{IoSlice, IoSliceMut};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use smallvec::SmallVec;
use wasmtime::{Caller, Linker};

use super::mem::parts;
use super::{MODULE, code};
use crate::errno::Errno;
use crate::fd::{APPEND, DSYNC, Description, Kind, SYNC};
use crate::process::group::Group;
use crate::process::state::State;
use crate::process::{Proc, SIGPIPE, Stop};
use crate::report::Termination;
use crate::vfs::Actor;

/// Most bytes that an endless device gives at once.
const DEVICE_CHUNK: usize = 64 << 10;

/// Fills from /dev/urandom's source.
pub(crate) fn random(buf: &mut [u8]) -> Result<(), Errno> {
    let mut done = 0;
    while let Some(rest) = buf.get_mut(done..).filter(|rest| !rest.is_empty()) {
        match rustix::rand::getrandom(&mut *rest, rustix::rand::GetRandomFlags::empty()) {
            Ok(n) => done += n,
            Err(rustix::io::Errno::INTR) => {}
            Err(e) => return Err(e.into()),
        }
    }
    Ok(())
}

fn from_device(
    bufs: &mut [&mut [u8]],
    fill: impl Fn(&mut [u8]) -> Result<(), Errno>,
) -> Result<usize, Errno> {
    let mut done = 0;
    for buf in bufs {
        let n = buf.len().min(DEVICE_CHUNK - done);
        fill(buf.get_mut(..n).unwrap_or_default())?;
        done += n;
    }
    Ok(done)
}

fn file_slices<'a>(bufs: &'a mut [&mut [u8]]) -> SmallVec<[IoSliceMut<'a>; 8]> {
    bufs.iter_mut().map(|buf| IoSliceMut::new(buf)).collect()
}

/// Reads without waiting: AGAIN when there is nothing yet.
pub(crate) fn try_read(desc: &Description, bufs: &mut [&mut [u8]]) -> Result<usize, Errno> {
    if !desc.read {
        return Err(Errno::BADF);
    }
    match &desc.kind {
        Kind::File(file) => {
            let mut offset = desc.offset.lock();
            let n = file.read_at(&mut file_slices(bufs), *offset)?;
            *offset = offset.saturating_add(n as u64);
            Ok(n)
        }
        Kind::Dir(_) => Err(Errno::ISDIR),
        Kind::PipeRead(pipe) => pipe.try_read(bufs),
        Kind::Null => Ok(0),
        Kind::Zero | Kind::Full => from_device(bufs, |buf| {
            buf.fill(0);
            Ok(())
        }),
        Kind::Random => from_device(bufs, random),
        Kind::Source(source) => source.try_read(bufs),
        Kind::Sink(_) | Kind::PipeWrite(_) => Err(Errno::BADF),
    }
}

/// Writes without waiting: AGAIN when nothing fits, PIPE when nobody reads.
pub(crate) fn try_write(
    desc: &Description,
    actor: &Actor,
    group: &Group,
    bufs: &[&[u8]],
) -> Result<usize, Errno> {
    if !desc.write {
        return Err(Errno::BADF);
    }
    let total = || bufs.iter().map(|b| b.len()).sum();
    match &desc.kind {
        Kind::File(file) => {
            let slices: SmallVec<[IoSlice<'_>; 8]> = bufs.iter().map(|b| IoSlice::new(b)).collect();
            let flags = desc.flags();
            let mut offset = desc.offset.lock();
            let n = if flags & APPEND != 0 {
                let (n, end) = file.append(actor, &slices)?;
                *offset = end;
                n
            } else {
                let n = file.write_at(actor, &slices, *offset)?;
                *offset = offset.saturating_add(n as u64);
                n
            };
            drop(offset);
            if flags & SYNC != 0 {
                file.sync()?;
            } else if flags & DSYNC != 0 {
                file.datasync()?;
            }
            Ok(n)
        }
        Kind::Dir(_) => Err(Errno::ISDIR),
        Kind::PipeWrite(pipe) => pipe.try_write(bufs),
        Kind::Null | Kind::Zero | Kind::Random => Ok(total()),
        Kind::Full => Err(Errno::NOSPC),
        Kind::Sink(sink) => sink.try_write(group, bufs),
        Kind::Source(_) | Kind::PipeRead(_) => Err(Errno::BADF),
    }
}

/// Returns when a read would not wait.
pub(crate) async fn readable(desc: &Description) {
    match &desc.kind {
        Kind::PipeRead(pipe) => std::future::poll_fn(|cx| pipe.poll_ready(cx)).await,
        Kind::Source(source) => source.readable().await,
        _ => {}
    }
}

/// Returns when a write of `len` bytes would not wait.
pub(crate) async fn writable(desc: &Description, len: usize) {
    match &desc.kind {
        Kind::PipeWrite(pipe) => std::future::poll_fn(|cx| pipe.poll_ready(cx, len)).await,
        Kind::Sink(sink) => sink.writable().await,
        _ => {}
    }
}

/// Waits; a caught signal ends the wait with INTR.
pub(crate) async fn wait<F: Future>(proc: &Proc, future: F) -> Result<F::Output, Errno> {
    let mut future = pin!(future);
    proc.set_sleeping(true);
    let result = std::future::poll_fn(|cx| {
        if proc.interrupted() {
            return Poll::Ready(Err(Errno::INTR));
        }
        future.as_mut().poll(cx).map(Ok)
    })
    .await;
    proc.set_sleeping(false);
    result
}

/// Lets others run.
pub(crate) async fn yield_now(proc: &Proc) {
    proc.set_sleeping(true);
    let mut yielded = false;
    std::future::poll_fn(|cx| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
    proc.set_sleeping(false);
}

async fn fd_read(
    mut caller: Caller<'_, State>,
    (fd, iovs, count, out): (u32, u32, u32, u32),
) -> wasmtime::Result<u32> {
    loop {
        let (mut mem, state) = parts(&mut caller)?;
        let step = (|| {
            let desc = state.fds.get(fd)?;
            let ranges = mem.ranges(iovs, count)?;
            let result = try_read(desc, &mut mem.slices_mut(&ranges));
            match result {
                Ok(n) => mem.put_size(out, n).map(|()| None),
                Err(Errno::AGAIN) if !desc.nonblocking() => Ok(Some(Arc::clone(desc))),
                Err(e) => Err(e),
            }
        })();
        match step {
            Ok(None) => return Ok(0),
            Ok(Some(desc)) => {
                let proc = Arc::clone(&state.proc);
                if let Err(e) = wait(&proc, readable(&desc)).await {
                    return Ok(code(Err(e)));
                }
            }
            Err(e) => return Ok(code(Err(e))),
        }
    }
}

/// What a failed write means for the process: a broken pipe and a sandbox without memory
/// end it, unless it handles the signal.
pub(crate) fn write_failed(state: &State, e: Errno) -> wasmtime::Result<Errno> {
    match e {
        Errno::PIPE if state.proc.has_default(SIGPIPE) => {
            Err(state.stop(Stop::plain(Termination::BrokenPipe)))
        }
        Errno::PIPE => {
            state.proc.signal(SIGPIPE);
            Ok(e)
        }
        Errno::NOBUFS => Err(state.stop(state.out_of_memory())),
        Errno::DQUOT => match state.outcome::<()>(Err(e))? {
            Ok(()) => Ok(e),
            Err(e) => Ok(e),
        },
        e => Ok(e),
    }
}

async fn fd_write(
    mut caller: Caller<'_, State>,
    (fd, iovs, count, out): (u32, u32, u32, u32),
) -> wasmtime::Result<u32> {
    // A blocking write to a pipe goes on until all is written, as everywhere.
    let mut written = 0usize;
    loop {
        let (mut mem, state) = parts(&mut caller)?;
        let step = (|| {
            let desc = state.fds.get(fd)?;
            let ranges = mem.ranges(iovs, count)?;
            let mut slices = mem.slices(&ranges)?;
            let mut skip = written;
            for slice in &mut slices {
                let n = skip.min(slice.len());
                *slice = slice.get(n..).unwrap_or_default();
                skip -= n;
            }
            let left: usize = slices.iter().map(|s| s.len()).sum();
            let wait = !desc.nonblocking();
            match try_write(desc, &state.actor, &state.group, &slices) {
                Ok(n) => {
                    written = written.saturating_add(n);
                    if n < left && n > 0 && wait && !matches!(desc.kind, Kind::File(_)) {
                        return Ok(Some((Arc::clone(desc), left - n)));
                    }
                    Ok(None)
                }
                Err(Errno::AGAIN) if wait => Ok(Some((Arc::clone(desc), left))),
                Err(Errno::AGAIN) if written > 0 => Ok(None),
                Err(e) => Err(e),
            }
        })();
        match step {
            Ok(None) => {
                // The write may have been one too many for the call.
                if let Some(stop) = state.proc.doomed() {
                    return Err(state.stop(stop));
                }
                return Ok(code(mem.put_size(out, written)));
            }
            Ok(Some((desc, left))) => {
                let proc = Arc::clone(&state.proc);
                if let Err(e) = wait(&proc, writable(&desc, left)).await {
                    if written > 0 {
                        let (mut mem, _) = parts(&mut caller)?;
                        return Ok(code(mem.put_size(out, written)));
                    }
                    return Ok(code(Err(e)));
                }
            }
            Err(e) => return Ok(code(Err(write_failed(state, e)?))),
        }
    }
}

fn fd_pread(
    mut caller: Caller<'_, State>,
    fd: u32,
    iovs: u32,
    count: u32,
    offset: u64,
    out: u32,
) -> wasmtime::Result<u32> {
    let (mut mem, state) = parts(&mut caller)?;
    let result = (|| {
        let desc = state.fds.get(fd)?;
        let file = match &desc.kind {
            Kind::File(_) if !desc.read => return Err(Errno::BADF),
            Kind::File(file) => file,
            Kind::Dir(_) => return Err(Errno::ISDIR),
            Kind::Null | Kind::Zero | Kind::Full | Kind::Random => {
                let ranges = mem.ranges(iovs, count)?;
                let n = try_read(desc, &mut mem.slices_mut(&ranges))?;
                return mem.put_size(out, n);
            }
            _ => return Err(Errno::SPIPE),
        };
        i64::try_from(offset).map_err(|_| Errno::INVAL)?;
        let ranges = mem.ranges(iovs, count)?;
        let n = file.read_at(&mut file_slices(&mut mem.slices_mut(&ranges)), offset)?;
        mem.put_size(out, n)
    })();
    Ok(code(result))
}

fn fd_pwrite(
    mut caller: Caller<'_, State>,
    fd: u32,
    iovs: u32,
    count: u32,
    offset: u64,
    out: u32,
) -> wasmtime::Result<u32> {
    let (mut mem, state) = parts(&mut caller)?;
    let result = (|| {
        let desc = state.fds.get(fd)?;
        let file = match &desc.kind {
            Kind::File(_) if !desc.write => return Err(Errno::BADF),
            Kind::File(file) => file,
            Kind::Dir(_) => return Err(Errno::ISDIR),
            Kind::Null | Kind::Zero | Kind::Full | Kind::Random => {
                let ranges = mem.ranges(iovs, count)?;
                return try_write(desc, &state.actor, &state.group, &mem.slices(&ranges)?);
            }
            _ => return Err(Errno::SPIPE),
        };
        i64::try_from(offset).map_err(|_| Errno::INVAL)?;
        let ranges = mem.ranges(iovs, count)?;
        let slices = mem.slices(&ranges)?;
        let slices: SmallVec<[IoSlice<'_>; 8]> = slices.iter().map(|b| IoSlice::new(b)).collect();
        if desc.flags() & APPEND != 0 {
            // Linux appends here too, whatever the offset.
            return Ok(file.append(&state.actor, &slices)?.0);
        }
        file.write_at(&state.actor, &slices, offset)
    })();
    match result {
        Ok(n) => Ok(code(mem.put_size(out, n))),
        Err(e) => Ok(code(Err(write_failed(state, e)?))),
    }
}

pub(super) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.func_wrap_async(MODULE, "fd_read", |caller, args| {
        Box::new(fd_read(caller, args))
    })?;
    linker.func_wrap_async(MODULE, "fd_write", |caller, args| {
        Box::new(fd_write(caller, args))
    })?;
    linker.func_wrap(MODULE, "fd_pread", fd_pread)?;
    linker.func_wrap(MODULE, "fd_pwrite", fd_pwrite)?;
    Ok(())
}
