//! The engine: one per host process.

mod cache;
mod modules;
mod settings;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::process::group::Group;
use crate::process::state::State;
use crate::program::ProgramError;
use crate::sched::Scheduler;
use crate::wasi::Clocks;
use cache::Cache;
pub(crate) use modules::{Linked, Loaded, ModuleTable};

/// How an [`Engine`] is set up.
#[derive(Clone, Debug)]
pub struct EngineConfig {
    /// Folder of the compiled modules; made when missing. Only this host may write to
    /// it. None (the default): compiled modules live in memory only.
    pub cache_dir: Option<PathBuf>,
    /// Processes alive at once over all sandboxes. Default 4096.
    pub max_processes: u32,
    /// Threads that run guests. Default: one per core.
    pub worker_threads: usize,
    /// Time slice of a process. Default 1 ms.
    pub tick: Duration,
    /// Largest linear memory that any process may be given, bytes. Default 4 GiB.
    pub max_memory_per_process: u64,
    /// Elements of one table. Default 65,536.
    pub max_table_elements: usize,
    /// Native stack that a guest may use, bytes. Default 2 MiB.
    pub max_stack: usize,
    /// Operators between two yields of a process that runs with fuel. Default 1,000,000.
    pub fuel_slice: u64,
    /// Memory slots kept warm after use. Default 64.
    pub warm_slots: u32,
}

impl Default for EngineConfig {
    fn default() -> Self {
        EngineConfig {
            cache_dir: None,
            max_processes: 4096,
            worker_threads: std::thread::available_parallelism().map_or(2, usize::from),
            tick: Duration::from_millis(1),
            max_memory_per_process: 4 << 30,
            max_table_elements: 1 << 16,
            max_stack: 2 << 20,
            fuel_slice: 1_000_000,
            warm_slots: 64,
        }
    }
}

impl EngineConfig {
    /// For a command line that runs one call and ends: small pools, quick to set up.
    pub fn small() -> Self {
        EngineConfig {
            max_processes: 256,
            warm_slots: 16,
            ..EngineConfig::default()
        }
    }
}

/// Why an engine could not be made.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// wasmtime refused the settings.
    #[error("the WebAssembly engine could not be set up: {0}")]
    Setup(String),
    /// The cache folder could not be made or opened.
    #[error("the module cache {path} cannot be used: {source}")]
    Cache {
        /// The folder.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The threads of the kernel could not be started.
    #[error("the kernel's threads could not be started: {0}")]
    Threads(std::io::Error),
}

/// How CPU is bounded: compiled into the code, so one engine each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Bound {
    /// By time: yields when the epoch moves on.
    Epoch,
    /// By counted operators.
    Fuel,
}

/// A wasmtime engine with the kernel's imports.
pub(crate) struct Flavor {
    pub(crate) bound: Bound,
    pub(crate) engine: wasmtime::Engine,
    pub(crate) linker: wasmtime::Linker<State>,
    /// Stands for every setting that compiled code depends on.
    pub(crate) settings: [u8; 32],
}

struct Inner {
    config: EngineConfig,
    epoch: Flavor,
    fuel: Mutex<Option<Arc<Flavor>>>,
    pub(crate) modules: ModuleTable,
    clocks: Clocks,
    scheduler: Scheduler,
    deadlines: Arc<Deadlines>,
    io: Option<tokio::runtime::Runtime>,
    processes: AtomicU32,
    calls: AtomicU64,
}

/// The WebAssembly engine, its pools and its threads. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    inner: Arc<Inner>,
}

/// Calls and when their time is up.
#[derive(Default)]
pub(crate) struct Deadlines {
    due: Mutex<BTreeMap<(Instant, u64), Weak<Group>>>,
}

impl Deadlines {
    fn next(&self) -> Option<Instant> {
        self.due.lock().first_key_value().map(|((at, _), _)| *at)
    }

    /// Takes the calls whose time is up.
    fn expired(&self, now: Instant) -> Vec<Arc<Group>> {
        let mut due = self.due.lock();
        let mut expired = Vec::new();
        while let Some(entry) = due.first_entry() {
            if entry.key().0 > now {
                break;
            }
            expired.extend(entry.remove().upgrade());
        }
        expired
    }

    pub(crate) fn removed(&self, id: u64, at: Instant) {
        self.due.lock().remove(&(at, id));
    }
}

impl Engine {
    /// Sets up the pools and starts the threads.
    ///
    /// # Errors
    /// When wasmtime refuses the settings, the cache folder cannot be used, or threads
    /// cannot be started.
    pub fn new(config: EngineConfig) -> Result<Engine, EngineError> {
        let cache = config.cache_dir.as_deref().map(Cache::open).transpose()?;
        let epoch = flavor(&config, Bound::Epoch)?;
        let io = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .max_blocking_threads(config.worker_threads.max(2))
            .thread_name("hs-io")
            .enable_all()
            .build()
            .map_err(EngineError::Threads)?;
        let scheduler =
            Scheduler::start(config.worker_threads, io.handle()).map_err(EngineError::Threads)?;
        let inner = Arc::new(Inner {
            epoch,
            fuel: Mutex::new(None),
            modules: ModuleTable::new(cache),
            clocks: Clocks::start(),
            scheduler,
            deadlines: Arc::default(),
            io: Some(io),
            processes: AtomicU32::new(0),
            calls: AtomicU64::new(1),
            config,
        });
        let weak = Arc::downgrade(&inner);
        inner
            .scheduler
            .start_ticker(inner.config.tick, move |running| {
                let inner = weak.upgrade()?;
                if running {
                    inner.epoch.engine.increment_epoch();
                }
                let now = Instant::now();
                for group in inner.deadlines.expired(now) {
                    group.deadline_reached();
                }
                Some(
                    inner
                        .deadlines
                        .next()
                        .map(|at| at.saturating_duration_since(now)),
                )
            })
            .map_err(EngineError::Threads)?;
        Ok(Engine { inner })
    }

    pub(crate) fn config(&self) -> &EngineConfig {
        &self.inner.config
    }

    pub(crate) fn clocks(&self) -> &Clocks {
        &self.inner.clocks
    }

    pub(crate) fn scheduler(&self) -> &Scheduler {
        &self.inner.scheduler
    }

    pub(crate) fn modules(&self) -> &ModuleTable {
        &self.inner.modules
    }

    /// Timers, descriptors and blocking work.
    pub(crate) fn io(&self) -> Option<&tokio::runtime::Handle> {
        self.inner.io.as_ref().map(tokio::runtime::Runtime::handle)
    }

    pub(crate) fn next_call(&self) -> u64 {
        self.inner.calls.fetch_add(1, Ordering::Relaxed)
    }

    /// Has a call end at a time; `old` is the time set before.
    pub(crate) fn set_deadline(
        &self,
        group: Weak<Group>,
        id: u64,
        old: Option<Instant>,
        at: Instant,
    ) {
        let mut due = self.inner.deadlines.due.lock();
        if let Some(old) = old {
            due.remove(&(old, id));
        }
        let first = due
            .first_key_value()
            .is_none_or(|((first, _), _)| at < *first);
        due.insert((at, id), group);
        drop(due);
        if first {
            self.inner.scheduler.poke_ticker();
        }
    }

    pub(crate) fn deadlines(&self) -> &Deadlines {
        &self.inner.deadlines
    }

    /// Takes a place among the processes of the host; false when all are taken.
    pub(crate) fn take_place(&self) -> bool {
        let max = self.inner.config.max_processes;
        let taken = self
            .inner
            .processes
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |n| {
                (n < max).then_some(n.saturating_add(1))
            });
        taken.is_ok()
    }

    pub(crate) fn return_place(&self) {
        self.inner.processes.fetch_sub(1, Ordering::AcqRel);
    }

    /// Runs something with the engine of a bound; the fuel engine is made at first use.
    pub(crate) fn with_flavor<T>(
        &self,
        bound: Bound,
        f: impl FnOnce(&Flavor) -> Result<T, ProgramError>,
    ) -> Result<T, ProgramError> {
        match bound {
            Bound::Epoch => f(&self.inner.epoch),
            Bound::Fuel => {
                let flavor = {
                    let mut fuel = self.inner.fuel.lock();
                    match &*fuel {
                        Some(flavor) => Arc::clone(flavor),
                        None => {
                            let made = flavor(&self.inner.config, Bound::Fuel)
                                .map_err(|e| ProgramError::Compile(e.to_string()))?;
                            Arc::clone(fuel.insert(Arc::new(made)))
                        }
                    }
                };
                f(&flavor)
            }
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.scheduler.wake_ticker();
        if let Some(io) = self.io.take() {
            // The last handle may be dropped where blocking is not allowed.
            io.shutdown_background();
        }
    }
}

fn flavor(config: &EngineConfig, bound: Bound) -> Result<Flavor, EngineError> {
    let setup = |e: wasmtime::Error| EngineError::Setup(format!("{e:#}"));
    let engine = wasmtime::Engine::new(&settings::wasmtime_config(config, bound)).map_err(setup)?;
    let mut linker = wasmtime::Linker::new(&engine);
    crate::wasi::link(&mut linker).map_err(setup)?;
    crate::abi::link(&mut linker).map_err(setup)?;
    let settings = settings::digest(&engine);
    Ok(Flavor {
        bound,
        engine,
        linker,
        settings,
    })
}
