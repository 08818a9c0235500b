//! `wasi_snapshot_preview1`, whole, over the kernel's own descriptors and file system.

mod args;
mod clock;
mod fds;
pub(crate) mod io;
pub(crate) mod mem;
mod path;
mod poll;
mod stat;
mod system;

pub(crate) use clock::Clocks;
pub(crate) use path::{describe, resolved as path_stat};
pub(crate) use stat::{is_terminal, kind_stat};

use wasmtime::Linker;

use crate::errno::Errno;
use crate::process::state::State;

const MODULE: &str = "wasi_snapshot_preview1";

/// The number that a host function returns.
pub(crate) fn code(result: Result<(), Errno>) -> u32 {
    match result {
        Ok(()) => 0,
        Err(e) => u32::from(e.0),
    }
}

/// Adds every function of preview 1.
pub(crate) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    args::link(linker)?;
    clock::link(linker)?;
    fds::link(linker)?;
    io::link(linker)?;
    path::link(linker)?;
    poll::link(linker)?;
    stat::link(linker)?;
    system::link(linker)
}
