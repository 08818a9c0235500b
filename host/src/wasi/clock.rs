//! Clocks.

use std::time::{Duration, Instant};

use wasmtime::{Caller, Linker};

use super::mem::parts;
use super::{MODULE, code};
use crate::errno::Errno;
use crate::process::state::State;

/// The clocks of a guest. The monotonic one starts with the engine, so that it tells
/// nothing about the host.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clocks {
    zero: Instant,
}

pub(crate) const REALTIME: u32 = 0;
pub(crate) const MONOTONIC: u32 = 1;
const PROCESS_CPU: u32 = 2;
const THREAD_CPU: u32 = 3;

fn nanos(d: Duration) -> u64 {
    u64::try_from(d.as_nanos()).unwrap_or(u64::MAX)
}

impl Clocks {
    pub(crate) fn start() -> Self {
        Clocks {
            zero: Instant::now(),
        }
    }

    pub(crate) fn monotonic(&self) -> u64 {
        nanos(self.zero.elapsed())
    }

    /// Nanoseconds since 1970.
    pub(crate) fn realtime() -> u64 {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Realtime);
        let s = u64::try_from(now.tv_sec).unwrap_or(0);
        s.saturating_mul(1_000_000_000)
            .saturating_add(u64::try_from(now.tv_nsec).unwrap_or(0))
    }

    fn read(&self, id: u32, state: &State) -> Result<u64, Errno> {
        match id {
            REALTIME => Ok(Clocks::realtime()),
            MONOTONIC => Ok(self.monotonic()),
            PROCESS_CPU | THREAD_CPU => Ok(state
                .proc
                .cpu_nanos()
                .saturating_add(crate::sched::unbooked_cpu())),
            _ => Err(Errno::INVAL),
        }
    }
}

pub(super) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.func_wrap(
        MODULE,
        "clock_res_get",
        |mut caller: Caller<'_, State>, id: u32, out: u32| -> wasmtime::Result<u32> {
            let (mut mem, _) = parts(&mut caller)?;
            let result = if id <= THREAD_CPU {
                mem.put_u64(out, 1)
            } else {
                Err(Errno::INVAL)
            };
            Ok(code(result))
        },
    )?;
    linker.func_wrap(
        MODULE,
        "clock_time_get",
        |mut caller: Caller<'_, State>,
         id: u32,
         _precision: u64,
         out: u32|
         -> wasmtime::Result<u32> {
            let (mut mem, state) = parts(&mut caller)?;
            let now = state.group.engine.clocks().read(id, state);
            Ok(code(now.and_then(|now| mem.put_u64(out, now))))
        },
    )?;
    Ok(())
}
