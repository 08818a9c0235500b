//! Modules that are compiled and linked, once each per engine setting.

use std::collections::HashMap;
use std::os::fd::AsRawFd;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use wasmtime::component::Component;
use wasmtime::{InstancePre, Module};
use wasmtime_wasi::p2::bindings::CommandPre;

use super::cache::{Cache, Entry};
use super::{Bound, Engine, Flavor};
use crate::component::ComponentState;
use crate::process::state::State;
use crate::program::{Program, ProgramError};

/// A program ready to be instantiated.
pub(crate) struct Loaded {
    pub(crate) bound: Bound,
    pub(crate) engine: wasmtime::Engine,
    pub(crate) code: Linked,
}

/// What it is.
pub(crate) enum Linked {
    /// A preview 1 command.
    Module {
        pre: InstancePre<State>,
        /// Imports something of the `hardshell` module.
        aware: bool,
    },
    /// A WASI 0.2 command.
    Component(CommandPre<ComponentState>),
}

/// Code that is compiled but not linked.
enum Compiled {
    Module(Module),
    Component(Component),
}

type Slot = Arc<Mutex<Weak<Loaded>>>;

/// What is loaded now, by digest and bound.
pub(crate) struct ModuleTable {
    cache: Option<Cache>,
    slots: Mutex<HashMap<([u8; 32], Bound), Slot>>,
}

impl ModuleTable {
    pub(super) fn new(cache: Option<Cache>) -> Self {
        ModuleTable {
            cache,
            slots: Mutex::new(HashMap::new()),
        }
    }

    /// Loads a program's module: from memory, from the cache, or by compiling it. Blocks;
    /// of several that ask for the same module at once one compiles and the others wait.
    pub(crate) fn load(
        &self,
        engine: &Engine,
        program: &Program,
        bound: Bound,
    ) -> Result<Arc<Loaded>, ProgramError> {
        let slot = {
            let mut slots = self.slots.lock();
            if slots.len() > 4096 {
                slots.retain(|_, slot| {
                    Arc::strong_count(slot) > 1 || slot.lock().strong_count() > 0
                });
            }
            Arc::clone(slots.entry((program.digest(), bound)).or_default())
        };
        let mut held = slot.lock();
        if let Some(loaded) = held.upgrade() {
            return Ok(loaded);
        }
        let loaded = engine.with_flavor(bound, |flavor| {
            let code = self.compiled(flavor, program)?;
            link(flavor, &code)
        })?;
        let loaded = Arc::new(loaded);
        *held = Arc::downgrade(&loaded);
        Ok(loaded)
    }

    fn compiled(&self, flavor: &Flavor, program: &Program) -> Result<Compiled, ProgramError> {
        let digest = program.digest();
        if let Some(entry) = self.cached(flavor, &digest) {
            return Ok(entry);
        }
        let bytes = program.bytes()?;
        tracing::info!(
            target: "hardshell_host::compile",
            names = ?program.names(),
            bytes = bytes.len(),
            "compiling"
        );
        let started = std::time::Instant::now();
        // The layer field of the preamble tells components from modules.
        let component = bytes.get(6..8) == Some(&[1, 0]);
        let code = if component {
            flavor.engine.precompile_component(&bytes)
        } else {
            flavor.engine.precompile_module(&bytes)
        };
        let code = code.map_err(|e| ProgramError::Compile(format!("{e:#}")))?;
        tracing::info!(
            target: "hardshell_host::compile",
            names = ?program.names(),
            millis = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
            "compiled"
        );
        if let Some(cache) = &self.cache {
            match cache.put(&digest, &flavor.settings, component, &code) {
                // Map what was stored rather than keep a copy in memory.
                Ok(()) => {
                    if let Some(entry) = self.cached(flavor, &digest) {
                        return Ok(entry);
                    }
                }
                Err(e) => tracing::warn!("a compiled module cannot be stored: {e}"),
            }
        }
        let loaded = if component {
            // SAFETY: the bytes come from `precompile_component` above and were in nobody
            // else's hands.
            unsafe { Component::deserialize(&flavor.engine, &code) }.map(Compiled::Component)
        } else {
            // SAFETY: likewise, from `precompile_module`.
            unsafe { Module::deserialize(&flavor.engine, &code) }.map(Compiled::Module)
        };
        loaded.map_err(|e| ProgramError::Compile(format!("{e:#}")))
    }

    /// A sound entry of the cache, mapped.
    fn cached(&self, flavor: &Flavor, digest: &[u8; 32]) -> Option<Compiled> {
        let Entry { file, component } = self.cache.as_ref()?.get(digest, &flavor.settings)?;
        let loaded = if component {
            let path = format!("/proc/self/fd/{}", file.as_raw_fd());
            // SAFETY: the file was written by `Cache::put` of a process of this user: the
            // cache has checked its owner, its mode and the digest of its content on the
            // very descriptor that the path stands for, and nobody else can write to it.
            unsafe { Component::deserialize_file(&flavor.engine, path) }.map(Compiled::Component)
        } else {
            // SAFETY: as above.
            unsafe { Module::deserialize_open_file(&flavor.engine, file) }.map(Compiled::Module)
        };
        match loaded {
            Ok(loaded) => Some(loaded),
            Err(e) => {
                tracing::warn!("a cached module is of no use, compiling anew: {e:#}");
                None
            }
        }
    }
}

fn link(flavor: &Flavor, code: &Compiled) -> Result<Loaded, ProgramError> {
    let error = |e: wasmtime::Error| ProgramError::Link(format!("{e:#}"));
    let code = match code {
        Compiled::Module(module) => link_module(flavor, module)?,
        Compiled::Component(component) => {
            let linker = crate::component::linker(&flavor.engine).map_err(error)?;
            let pre = linker.instantiate_pre(component).map_err(error)?;
            Linked::Component(CommandPre::new(pre).map_err(error)?)
        }
    };
    Ok(Loaded {
        bound: flavor.bound,
        engine: flavor.engine.clone(),
        code,
    })
}

fn link_module(flavor: &Flavor, module: &Module) -> Result<Linked, ProgramError> {
    let aware = module
        .imports()
        .any(|import| import.module() == crate::abi::MODULE);
    match module.get_export("_start") {
        Some(wasmtime::ExternType::Func(f)) if f.params().len() == 0 && f.results().len() == 0 => {}
        _ => {
            return Err(ProgramError::Link(
                "it is not a command: it exports no function _start without parameters".to_owned(),
            ));
        }
    }
    if !matches!(
        module.get_export("memory"),
        Some(wasmtime::ExternType::Memory(_))
    ) {
        return Err(ProgramError::Link("it exports no memory".to_owned()));
    }
    let pre = flavor
        .linker
        .instantiate_pre(module)
        .map_err(|e| ProgramError::Link(format!("{e:#}")))?;
    Ok(Linked::Module { pre, aware })
}
