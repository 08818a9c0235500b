//! A sandbox: the world of one conversation.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

use crate::budget::MemoryBudget;
use crate::call::{CallHandle, CallSpec};
use crate::limits::Limits;
use crate::program::Program;
use crate::registry::Registry;
use crate::report::{Report, Usage};
use crate::sched;
use crate::vfs::{Access, Base, Change, Cwd, DirSource, Scratch, Vfs, VfsError};

/// Which commands of the registry exist in a sandbox.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum CommandSet {
    /// Every command.
    All,
    /// None.
    #[default]
    None,
    /// These.
    Only(BTreeSet<String>),
}

impl CommandSet {
    /// Whether a command exists.
    pub fn allows(&self, name: &str) -> bool {
        match self {
            CommandSet::All => true,
            CommandSet::None => false,
            CommandSet::Only(names) => names.contains(name),
        }
    }
}

/// Why a sandbox could not be made, or a call not be started.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// A folder could not be mounted.
    #[error(transparent)]
    Mount(#[from] VfsError),
    /// The command does not exist in this sandbox.
    #[error("{0}: command not found")]
    NotFound(String),
    /// The program cannot be started.
    #[error("{name}: {errno}")]
    Start {
        /// The command.
        name: String,
        /// Why.
        errno: crate::Errno,
    },
    /// A command line with no words.
    #[error("the command line is empty")]
    EmptyCommand,
    /// The working directory cannot be entered.
    #[error("{path}: {errno}")]
    Cwd {
        /// The folder.
        path: String,
        /// Why.
        errno: crate::Errno,
    },
    /// An argument or a variable holds a NUL byte.
    #[error("an argument or a variable holds a NUL byte")]
    Nul,
}

/// What all handles of a sandbox and its calls share.
pub(crate) struct SandboxInner {
    pub(crate) registry: Registry,
    pub(crate) limits: Limits,
    pub(crate) vfs: Arc<Vfs>,
    pub(crate) env: BTreeMap<String, String>,
    pub(crate) memory: Arc<MemoryBudget>,
    /// Its share of the worker threads.
    pub(crate) unit: Arc<sched::Group>,
    pub(crate) modules_in_files: bool,
    pub(crate) processes: AtomicU64,
    commands: Arc<CommandSet>,
    calls: AtomicU64,
    cpu_nanos: AtomicU64,
    cwd: Mutex<Cwd>,
}

impl SandboxInner {
    /// The program behind a command name, if the sandbox has that command.
    pub(crate) fn command(&self, name: &[u8]) -> Option<Arc<Program>> {
        let name = std::str::from_utf8(name).ok()?;
        if self.commands.allows(name) {
            self.registry.program(name)
        } else {
            None
        }
    }

    pub(crate) fn cwd(&self) -> Cwd {
        self.cwd.lock().clone()
    }

    pub(crate) fn keep_cwd(&self, path: &[u8]) {
        if let Ok(cwd) = self.vfs.chdir(Base::Root, path) {
            *self.cwd.lock() = cwd;
        }
    }

    pub(crate) fn call_started(&self) {
        self.calls.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn call_over(&self, cpu_nanos: u64) {
        self.cpu_nanos.fetch_add(cpu_nanos, Ordering::Relaxed);
        self.vfs.rest();
    }
}

/// A sandbox. Cheap to clone; all clones are the same sandbox.
#[derive(Clone)]
pub struct Sandbox {
    inner: Arc<SandboxInner>,
}

/// Sets up a [`Sandbox`]. Starts closed: no folder, no command, no environment, and
/// [`Limits::default`].
pub struct SandboxBuilder {
    registry: Registry,
    mounts: Vec<(String, DirSource, Access)>,
    scratch: Option<Scratch>,
    env: BTreeMap<String, String>,
    commands: CommandSet,
    limits: Limits,
    modules_in_files: bool,
    terminal: bool,
    usage: Option<(u64, u64)>,
}

impl Sandbox {
    /// A builder that grants nothing.
    pub fn builder(registry: &Registry) -> SandboxBuilder {
        SandboxBuilder {
            registry: registry.clone(),
            mounts: Vec::new(),
            scratch: None,
            env: BTreeMap::new(),
            commands: CommandSet::None,
            limits: Limits::default(),
            modules_in_files: false,
            terminal: false,
            usage: None,
        }
    }

    /// The commands it draws from.
    pub fn registry(&self) -> &Registry {
        &self.inner.registry
    }

    /// The working directory that calls start in.
    pub fn cwd(&self) -> String {
        String::from_utf8_lossy(self.inner.cwd.lock().path()).into_owned()
    }

    /// Changes the working directory that calls start in.
    ///
    /// # Errors
    /// When it is not a folder of the sandbox.
    pub fn set_cwd(&self, path: &str) -> Result<(), SandboxError> {
        let cwd = self.inner.cwd();
        let cwd = self
            .inner
            .vfs
            .chdir(Base::Cwd(&cwd), path.as_bytes())
            .map_err(|errno| SandboxError::Cwd {
                path: path.to_owned(),
                errno,
            })?;
        *self.inner.cwd.lock() = cwd;
        Ok(())
    }

    /// Its limits.
    pub fn limits(&self) -> &Limits {
        &self.inner.limits
    }

    /// The names of the commands that exist in it, sorted.
    pub fn commands(&self) -> Vec<String> {
        let commands = &self.inner.commands;
        self.inner
            .registry
            .commands()
            .into_iter()
            .filter(|name| commands.allows(name))
            .collect()
    }

    /// What it has used so far. The CPU time is that of finished calls.
    pub fn usage(&self) -> Usage {
        let inner = &self.inner;
        let (workspace_bytes, workspace_files, scratch_bytes) = inner.vfs.usage();
        Usage {
            calls: inner.calls.load(Ordering::Relaxed),
            processes: inner.processes.load(Ordering::Relaxed),
            cpu_time: Duration::from_nanos(inner.cpu_nanos.load(Ordering::Relaxed)),
            memory: inner.memory.used(),
            peak_memory: inner.memory.peak(),
            workspace_bytes,
            workspace_files,
            scratch_bytes,
        }
    }

    /// What its calls changed since it was made or last drained.
    pub fn changes(&self) -> Vec<Change> {
        self.inner.vfs.changes().0
    }

    /// False when there were more changes than are kept: only a scan can tell them all.
    pub fn changes_complete(&self) -> bool {
        !self.inner.vfs.changes().1
    }

    /// The changes, which are then forgotten.
    pub fn drain_changes(&self) -> Vec<Change> {
        self.inner.vfs.drain_changes().0
    }

    /// Starts a call.
    ///
    /// # Errors
    /// When the command does not exist or its folder cannot be entered. What happens later
    /// is in the report.
    pub fn start(&self, spec: CallSpec) -> Result<CallHandle, SandboxError> {
        crate::call::start(&self.inner, spec)
    }

    /// Starts a call and waits for its end. Dropping the future cancels the call.
    ///
    /// # Errors
    /// As [`Sandbox::start`].
    pub async fn run(&self, spec: CallSpec) -> Result<Report, SandboxError> {
        Ok(self.start(spec)?.wait().await)
    }
}

impl SandboxBuilder {
    /// The folder at `/workspace`.
    #[must_use]
    pub fn workspace(self, source: DirSource, access: Access) -> Self {
        self.mount("/workspace", source, access)
    }

    /// A folder at a name below the root, for example `/skills`.
    #[must_use]
    pub fn mount(mut self, at: &str, source: DirSource, access: Access) -> Self {
        self.mounts.push((at.to_owned(), source, access));
        self
    }

    /// What is at `/tmp`. Without it there is no `/tmp`.
    #[must_use]
    pub fn scratch(mut self, scratch: Scratch) -> Self {
        self.scratch = Some(scratch);
        self
    }

    /// A variable in the environment of every call.
    #[must_use]
    pub fn env(mut self, key: &str, value: &str) -> Self {
        self.env.insert(key.to_owned(), value.to_owned());
        self
    }

    /// The commands that exist.
    #[must_use]
    pub fn allow_commands(mut self, commands: CommandSet) -> Self {
        self.commands = commands;
        self
    }

    /// Whether a WebAssembly file in a mounted folder may be run as a program. Default no.
    #[must_use]
    pub fn allow_modules_in_files(mut self, allow: bool) -> Self {
        self.modules_in_files = allow;
        self
    }

    /// Its limits.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Bytes and entries that the writable folders (`/tmp` apart) are known to hold. Without
    /// it they are counted by a scan before the first operation that adds to them.
    #[must_use]
    pub fn known_usage(mut self, bytes: u64, files: u64) -> Self {
        self.usage = Some((bytes, files));
        self
    }

    /// Whether the calls may see a terminal at `/dev/tty`. Default no.
    #[must_use]
    pub fn terminal(mut self, terminal: bool) -> Self {
        self.terminal = terminal;
        self
    }

    /// Opens the folders and makes the sandbox. Calls start in `/workspace` if there is
    /// one, else in `/`.
    ///
    /// # Errors
    /// When a folder cannot be opened or a mount point is not fit.
    pub fn build(self) -> Result<Sandbox, SandboxError> {
        let commands = Arc::new(self.commands);
        let listed = {
            let (registry, commands) = (self.registry.clone(), Arc::clone(&commands));
            move || {
                registry
                    .commands()
                    .into_iter()
                    .filter(|name| commands.allows(name))
                    .collect()
            }
        };
        let mut vfs = Vfs::builder(&self.limits, Arc::new(listed)).tty(self.terminal);
        if let Some((bytes, files)) = self.usage {
            vfs = vfs.usage(bytes, files);
        }
        for (at, source, access) in self.mounts {
            vfs = vfs.mount(&at, source, access);
        }
        if let Some(scratch) = self.scratch {
            vfs = vfs.scratch(scratch);
        }
        let vfs = vfs.build()?;
        let cwd = vfs
            .chdir(Base::Root, b"/workspace")
            .unwrap_or_else(|_| vfs.root_cwd());
        Ok(Sandbox {
            inner: Arc::new(SandboxInner {
                memory: Arc::new(MemoryBudget::new(self.limits.memory)),
                unit: self.registry.engine().scheduler().group(),
                registry: self.registry,
                limits: self.limits,
                vfs,
                env: self.env,
                modules_in_files: self.modules_in_files,
                processes: AtomicU64::new(0),
                commands,
                calls: AtomicU64::new(0),
                cpu_nanos: AtomicU64::new(0),
                cwd: Mutex::new(cwd),
            }),
        })
    }
}
