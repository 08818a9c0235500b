//! Modules that are compiled and linked, once each per engine setting.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use wasmtime::{InstancePre, Module};

use super::cache::{Cache, Entry};
use super::{Bound, Engine, Flavor};
use crate::process::state::State;
use crate::program::{Program, ProgramError};

/// A module ready to be instantiated.
pub(crate) struct Loaded {
    pub(crate) bound: Bound,
    pub(crate) pre: InstancePre<State>,
    /// Imports something of the `hardshell` module.
    pub(crate) aware: bool,
}

type Slot = Arc<Mutex<Weak<Loaded>>>;

/// What is loaded now, by digest and bound.
pub(crate) struct ModuleTable {
    cache: Option<Cache>,
    slots: Mutex<HashMap<([u8; 32], Bound), Slot>>,
}

impl ModuleTable {
    pub(super) fn new(cache: Option<Cache>) -> Self {
        ModuleTable { cache, slots: Mutex::new(HashMap::new()) }
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
                slots.retain(|_, slot| Arc::strong_count(slot) > 1 || slot.lock().strong_count() > 0);
            }
            Arc::clone(slots.entry((program.digest(), bound)).or_default())
        };
        let mut held = slot.lock();
        if let Some(loaded) = held.upgrade() {
            return Ok(loaded);
        }
        let loaded = engine.with_flavor(bound, |flavor| {
            let module = self.module(flavor, program)?;
            link(flavor, &module)
        })?;
        let loaded = Arc::new(loaded);
        *held = Arc::downgrade(&loaded);
        Ok(loaded)
    }

    fn module(&self, flavor: &Flavor, program: &Program) -> Result<Module, ProgramError> {
        let digest = program.digest();
        let cached = self.cache.as_ref().and_then(|cache| cache.get(&digest, &flavor.settings));
        if let Some(Entry(file)) = cached {
            // SAFETY: the file was written by `Cache::put` of a process of this user: the
            // cache has checked its owner, its mode and the digest of its content on this
            // very descriptor, and nobody else can write to it.
            let module = unsafe { Module::deserialize_open_file(&flavor.engine, file) };
            match module {
                Ok(module) => return Ok(module),
                Err(e) => tracing::warn!("a cached module is of no use, compiling anew: {e:#}"),
            }
        }
        let bytes = program.bytes()?;
        tracing::info!(
            target: "hardshell_host::compile",
            names = ?program.names(),
            bytes = bytes.len(),
            "compiling"
        );
        let started = std::time::Instant::now();
        let code = flavor
            .engine
            .precompile_module(&bytes)
            .map_err(|e| ProgramError::Compile(format!("{e:#}")))?;
        tracing::info!(
            target: "hardshell_host::compile",
            names = ?program.names(),
            millis = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
            "compiled"
        );
        if let Some(cache) = &self.cache {
            match cache.put(&digest, &flavor.settings, &code) {
                // Map what was stored rather than keep a copy in memory.
                Ok(()) => {
                    if let Some(Entry(file)) = cache.get(&digest, &flavor.settings) {
                        // SAFETY: as above.
                        let module = unsafe { Module::deserialize_open_file(&flavor.engine, file) };
                        if let Ok(module) = module {
                            return Ok(module);
                        }
                    }
                }
                Err(e) => tracing::warn!("a compiled module cannot be stored: {e}"),
            }
        }
        // SAFETY: the bytes come from `precompile_module` above and were in nobody else's
        // hands.
        unsafe { Module::deserialize(&flavor.engine, &code) }
            .map_err(|e| ProgramError::Compile(format!("{e:#}")))
    }
}

fn link(flavor: &Flavor, module: &Module) -> Result<Loaded, ProgramError> {
    let aware = module.imports().any(|import| import.module() == crate::abi::MODULE);
    match module.get_export("_start") {
        Some(wasmtime::ExternType::Func(f))
            if f.params().len() == 0 && f.results().len() == 0 => {}
        _ => {
            return Err(ProgramError::Link(
                "it is not a command: it exports no function _start without parameters".to_owned(),
            ));
        }
    }
    if !matches!(module.get_export("memory"), Some(wasmtime::ExternType::Memory(_))) {
        return Err(ProgramError::Link("it exports no memory".to_owned()));
    }
    let pre = flavor
        .linker
        .instantiate_pre(module)
        .map_err(|e| ProgramError::Link(format!("{e:#}")))?;
    Ok(Loaded { bound: flavor.bound, pre, aware })
}
