//! The kernel of hardshell: a small capability system on wasmtime.
//!
//! Three steps of life: an [`Engine`] and a [`Registry`] once per host process, a
//! [`Sandbox`] once per conversation, a call ([`CallSpec`], [`CallHandle`], [`Report`])
//! once per command line. A call is a tree of processes; a process is one WebAssembly
//! instance in a store of its own.

mod abi;
mod budget;
mod bundle_impl;
mod call;
mod component;
mod engine;
mod errno;
mod fd;
mod limits;
mod pipe;
mod process;
mod program;
mod registry;
mod report;
mod sandbox;
mod sched;
mod sentence;
mod stdio;
pub mod vfs;
mod wasi;

/// Registries from a folder of modules, for tests, benches and development.
pub mod bundle {
    pub use crate::bundle_impl::{BundleError, ManifestEntry, from_dir, read_manifest};
}

pub use call::{CallController, CallHandle, CallSpec, Grant, Input, Output, OutputSink};
pub use engine::{Engine, EngineConfig, EngineError};
pub use errno::Errno;
pub use limits::Limits;
pub use program::{ModuleSource, Program, ProgramError};
pub use registry::{Registry, RegistryBuilder, RegistryError, RegistrySnapshot};
pub use report::{Progress, QuotaKind, Report, Termination, Usage};
pub use sandbox::{CommandSet, Sandbox, SandboxBuilder, SandboxError};
pub use vfs::{Access, Change, ChangeKind, DirSource, FileType, QuotaExceeded, Scratch};
