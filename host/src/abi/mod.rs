//! The `hardshell` import module: what preview 1 lacks.

mod file;
mod proc;
mod system;

use wasmtime::Linker;

use crate::process::state::State;

pub(crate) const MODULE: &str = "hardshell";

/// Adds every function of the module.
pub(crate) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    proc::link(linker)?;
    file::link(linker)?;
    system::link(linker)
}
