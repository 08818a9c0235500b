//! Processes, random numbers, and the sockets that there are none of.

use wasmtime::{Caller, Linker};

use super::mem::parts;
use super::{MODULE, code, io};
use crate::errno::Errno;
use crate::process::Stop;
use crate::process::state::State;
use crate::report::Termination;

/// Random bytes between two yields.
const RANDOM_CHUNK: u32 = 256 << 10;

async fn random_get(
    mut caller: Caller<'_, State>,
    (ptr, len): (u32, u32),
) -> wasmtime::Result<u32> {
    let (mut at, mut left) = (ptr, len);
    {
        let (mem, _) = parts(&mut caller)?;
        if let Err(e) = mem.bytes(ptr, len) {
            return Ok(code(Err(e)));
        }
    }
    while left > 0 {
        let n = left.min(RANDOM_CHUNK);
        {
            let (mut mem, _) = parts(&mut caller)?;
            if let Err(e) = mem.bytes_mut(at, n).and_then(io::random) {
                return Ok(code(Err(e)));
            }
        }
        at = at.saturating_add(n);
        left -= n;
        if left > 0 {
            let proc = std::sync::Arc::clone(&caller.data().proc);
            io::yield_now(&proc).await;
        }
    }
    Ok(0)
}

/// Preview 1 counts signals as Linux does, save that it has no number 16.
fn linux_signal(signal: u32) -> Option<u32> {
    match signal {
        1..=15 => Some(signal),
        16..=30 => Some(signal + 1),
        _ => None,
    }
}

fn no_socket(mut caller: Caller<'_, State>, fd: u32) -> wasmtime::Result<u32> {
    let (_, state) = parts(&mut caller)?;
    Ok(code(Err(match state.fds.get(fd) {
        Ok(_) => Errno::NOTSOCK,
        Err(e) => e,
    })))
}

pub(super) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.func_wrap(
        MODULE,
        "proc_exit",
        |caller: Caller<'_, State>, status: u32| -> wasmtime::Result<()> {
            let status = u8::try_from(status & 0xff).unwrap_or(u8::MAX);
            Err(caller.data().stop(Stop::plain(Termination::Exited(status))))
        },
    )?;
    linker.func_wrap(
        MODULE,
        "proc_raise",
        |caller: Caller<'_, State>, signal: u32| -> wasmtime::Result<u32> {
            let state = caller.data();
            let Some(signal) = linux_signal(signal) else {
                return Ok(code(Err(Errno::INVAL)));
            };
            state.proc.signal(signal);
            match state.proc.doomed() {
                Some(stop) => Err(state.stop(stop)),
                None => Ok(0),
            }
        },
    )?;
    linker.func_wrap_async(
        MODULE,
        "sched_yield",
        |caller: Caller<'_, State>, (): ()| {
            let proc = std::sync::Arc::clone(&caller.data().proc);
            Box::new(async move {
                io::yield_now(&proc).await;
                0u32
            })
        },
    )?;
    linker.func_wrap_async(MODULE, "random_get", |caller, args| {
        Box::new(random_get(caller, args))
    })?;
    linker.func_wrap(
        MODULE,
        "sock_accept",
        |caller: Caller<'_, State>, fd: u32, _flags: u32, _out: u32| no_socket(caller, fd),
    )?;
    linker.func_wrap(
        MODULE,
        "sock_recv",
        |caller: Caller<'_, State>, fd: u32, _: u32, _: u32, _: u32, _: u32, _: u32| {
            no_socket(caller, fd)
        },
    )?;
    linker.func_wrap(
        MODULE,
        "sock_send",
        |caller: Caller<'_, State>, fd: u32, _: u32, _: u32, _: u32, _: u32| no_socket(caller, fd),
    )?;
    linker.func_wrap(
        MODULE,
        "sock_shutdown",
        |caller: Caller<'_, State>, fd: u32, _how: u32| no_socket(caller, fd),
    )?;
    Ok(())
}
