//! spawn, wait, kill, signals, start-up blob.

use std::sync::Arc;
use std::task::Poll;

use wasmtime::{Caller, Linker};

use super::MODULE;
use crate::errno::Errno;
use crate::process::spawn::{self, Child, Failed, MAX_REQUEST, Request};
use crate::process::state::State;
use crate::process::{Reap, SIGKILL, SIGSTOP};
use crate::program::ProgramError;
use crate::vfs::Base;
use crate::wasi::mem::parts;
use crate::wasi::{code, io};

fn program_errno(e: &ProgramError) -> Errno {
    match e {
        ProgramError::Source(_) => Errno::NOENT,
        ProgramError::Compile(_) | ProgramError::Link(_) => Errno::NOEXEC,
    }
}

/// What of a spawn is done without waiting.
fn prepare(bytes: &[u8], state: &State) -> Result<(spawn::Resolved, Child), Errno> {
    let request = Request::decode(bytes)?;
    let cwd = if request.cwd.is_empty() {
        state.cwd.clone()
    } else {
        state.vfs.chdir(Base::Cwd(&state.cwd), request.cwd)?
    };
    let mut fds = Vec::with_capacity(request.fds.len());
    for (child, parent) in &request.fds {
        fds.push((
            spawn::kernel_number(*child)?,
            Arc::clone(state.fds.get(*parent)?),
        ));
    }
    let resolved = spawn::resolve(
        &state.group,
        &state.actor,
        &cwd,
        request.program,
        request.by_name_only,
        &request.argv,
    )?;
    let child = Child {
        argv: request.argv,
        env: request.env,
        cwd,
        actor: state.actor.fork(),
        fds,
        blob: request.blob.to_vec(),
    };
    Ok((resolved, child))
}

async fn spawn(
    mut caller: Caller<'_, State>,
    (request, len, out): (u32, u32, u32),
) -> wasmtime::Result<u32> {
    let (mem, state) = parts(&mut caller)?;
    if len > MAX_REQUEST {
        return Ok(code(Err(Errno::TOOBIG)));
    }
    let prepared = mem
        .bytes(request, len)
        .and_then(|bytes| prepare(bytes, state));
    let (resolved, mut child) = match prepared {
        Ok(prepared) => prepared,
        Err(e) => return Ok(code(Err(e))),
    };
    if let Some(argv) = resolved.argv {
        child.argv = argv;
    }
    let (group, parent) = (Arc::clone(&state.group), Arc::clone(&state.proc));
    let bound = spawn::bound(&group);
    let loaded = match resolved.program.ready(bound) {
        Some(loaded) => Arc::clone(loaded),
        None => {
            let _paused = group.pause_for(&resolved.program);
            let loading = spawn::loaded(&group.engine, &resolved.program, bound);
            match io::wait(&parent, loading).await {
                Ok(Ok(loaded)) => loaded,
                Ok(Err(e)) => {
                    tracing::warn!("a program cannot be started: {e}");
                    caller.data().say(&format!("hardshell: {e}"));
                    return Ok(code(Err(program_errno(&e))));
                }
                Err(e) => return Ok(code(Err(e))),
            }
        }
    };
    match spawn::start(&group, Some(&parent), loaded, child) {
        Ok(pid) => {
            let (mut mem, _) = parts(&mut caller)?;
            Ok(code(mem.put_u32(out, pid)))
        }
        Err(Failed::Errno(e)) => Ok(code(Err(e))),
        Err(Failed::Stop(stop)) => Err(wasmtime::Error::new(stop)),
    }
}

async fn wait(
    mut caller: Caller<'_, State>,
    (pid, flags, out): (u32, u32, u32),
) -> wasmtime::Result<u32> {
    let proc = Arc::clone(&caller.data().proc);
    if flags & !1 != 0 {
        return Ok(code(Err(Errno::INVAL)));
    }
    let reaped = if flags & 1 != 0 {
        Ok(proc.reap(pid))
    } else {
        // A child's end wakes this task, whatever it waits for.
        let find = std::future::poll_fn(|_| match proc.reap(pid) {
            Reap::NotYet => Poll::Pending,
            found => Poll::Ready(found),
        });
        io::wait(&proc, find).await
    };
    let record = match reaped {
        Ok(Reap::Ended(ended)) => [ended.pid, u32::from(ended.status), ended.code, 0],
        Ok(Reap::NotYet) => [0; 4],
        Ok(Reap::NoChild) => return Ok(code(Err(Errno::CHILD))),
        Err(e) => return Ok(code(Err(e))),
    };
    let (mut mem, _) = parts(&mut caller)?;
    let bytes: Vec<u8> = record.iter().flat_map(|word| word.to_le_bytes()).collect();
    Ok(code(mem.put(out, &bytes)))
}

fn kill(state: &State, pid: u32, signal: u32) -> Result<(), Errno> {
    if signal > 63 {
        return Err(Errno::INVAL);
    }
    if pid == 0 {
        for proc in state.group.processes() {
            if signal != 0 && proc.pid != state.proc.pid {
                proc.signal(signal);
            }
        }
        return Ok(());
    }
    let proc = state.group.process(pid).ok_or(Errno::SRCH)?;
    if signal != 0 {
        proc.signal(signal);
    }
    Ok(())
}

pub(super) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.func_wrap_async(MODULE, "spawn", |caller, args| {
        Box::new(spawn(caller, args))
    })?;
    linker.func_wrap_async(MODULE, "wait", |caller, args| Box::new(wait(caller, args)))?;
    linker.func_wrap(
        MODULE,
        "kill",
        |caller: Caller<'_, State>, pid: u32, signal: u32| -> wasmtime::Result<u32> {
            let state = caller.data();
            let result = kill(state, pid, signal);
            // A process that has killed itself does not come back from the call.
            match state.proc.doomed() {
                Some(stop) => Err(state.stop(stop)),
                None => Ok(code(result)),
            }
        },
    )?;
    linker.func_wrap(
        MODULE,
        "sigaction",
        |caller: Caller<'_, State>, signal: u32, disposition: u32| -> u32 {
            if signal == 0 || signal > 63 || disposition > 2 || matches!(signal, SIGKILL | SIGSTOP)
            {
                return code(Err(Errno::INVAL));
            }
            caller.data().proc.set_action(signal, disposition);
            0
        },
    )?;
    linker.func_wrap(MODULE, "sigtake", |caller: Caller<'_, State>| -> u32 {
        caller.data().proc.take_signal()
    })?;
    linker.func_wrap(MODULE, "getpid", |caller: Caller<'_, State>| {
        caller.data().proc.pid
    })?;
    linker.func_wrap(MODULE, "getppid", |caller: Caller<'_, State>| {
        caller.data().proc.ppid
    })?;
    linker.func_wrap(MODULE, "blob_len", |caller: Caller<'_, State>| -> u32 {
        u32::try_from(caller.data().blob.len()).unwrap_or(u32::MAX)
    })?;
    linker.func_wrap(
        MODULE,
        "blob_read",
        |mut caller: Caller<'_, State>, buf: u32, len: u32| -> wasmtime::Result<u32> {
            let (mut mem, state) = parts(&mut caller)?;
            let n = state.blob.len().min(usize::try_from(len).unwrap_or(0));
            let part = state.blob.get(..n).unwrap_or_default();
            Ok(code(mem.put(buf, part)))
        },
    )?;
    Ok(())
}
