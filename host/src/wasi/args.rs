//! Arguments and environment.

use wasmtime::{Caller, Linker};

use super::mem::{Mem, parts};
use super::{MODULE, code};
use crate::errno::Errno;
use crate::process::args::Strings;
use crate::process::state::State;

fn sizes(mem: &mut Mem<'_>, strings: &Strings, count: u32, size: u32) -> Result<(), Errno> {
    mem.put_u32(count, strings.count())?;
    mem.put_size(size, strings.bytes().len())
}

fn get(mem: &mut Mem<'_>, strings: &Strings, pointers: u32, buffer: u32) -> Result<(), Errno> {
    mem.put(buffer, strings.bytes())?;
    let (mut pointer, mut at) = (pointers, buffer);
    for s in strings.iter() {
        mem.put_u32(pointer, at)?;
        pointer = pointer.checked_add(4).ok_or(Errno::FAULT)?;
        let len = u32::try_from(s.len()).map_err(|_| Errno::OVERFLOW)?;
        at = at
            .checked_add(len)
            .and_then(|at| at.checked_add(1))
            .ok_or(Errno::FAULT)?;
    }
    Ok(())
}

pub(super) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.func_wrap(
        MODULE,
        "args_sizes_get",
        |mut caller: Caller<'_, State>, count: u32, size: u32| -> wasmtime::Result<u32> {
            let (mut mem, state) = parts(&mut caller)?;
            Ok(code(sizes(&mut mem, &state.proc.argv, count, size)))
        },
    )?;
    linker.func_wrap(
        MODULE,
        "args_get",
        |mut caller: Caller<'_, State>, pointers: u32, buffer: u32| -> wasmtime::Result<u32> {
            let (mut mem, state) = parts(&mut caller)?;
            Ok(code(get(&mut mem, &state.proc.argv, pointers, buffer)))
        },
    )?;
    linker.func_wrap(
        MODULE,
        "environ_sizes_get",
        |mut caller: Caller<'_, State>, count: u32, size: u32| -> wasmtime::Result<u32> {
            let (mut mem, state) = parts(&mut caller)?;
            Ok(code(sizes(&mut mem, &state.env, count, size)))
        },
    )?;
    linker.func_wrap(
        MODULE,
        "environ_get",
        |mut caller: Caller<'_, State>, pointers: u32, buffer: u32| -> wasmtime::Result<u32> {
            let (mut mem, state) = parts(&mut caller)?;
            Ok(code(get(&mut mem, &state.env, pointers, buffer)))
        },
    )?;
    Ok(())
}
