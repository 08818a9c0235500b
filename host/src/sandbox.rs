//! A sandbox: the world of one conversation.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use parking_lot::Mutex;

use crate::call::{CallHandle, CallSpec};
use crate::limits::Limits;
use crate::registry::Registry;
use crate::report::{Report, Usage};
use crate::vfs::{Access, Change, DirSource, Scratch};

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
    /// A folder could not be opened.
    #[error("cannot mount {at}: {source}")]
    Mount {
        /// Where it should have appeared.
        at: String,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// A mount point that is not a name directly below the root, or is taken.
    #[error("{0:?} is not a free mount point")]
    MountPoint(String),
    /// The command does not exist in this sandbox.
    #[error("{0}: command not found")]
    NotFound(String),
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
    /// The program cannot be started.
    #[error("{name}: {source}")]
    Program {
        /// The command.
        name: String,
        /// Why.
        source: crate::ProgramError,
    },
    /// The host is at its limit of processes.
    #[error("the host runs as many processes as it may")]
    Busy,
    /// Not there yet.
    #[error("not available: {0}")]
    Unsupported(&'static str),
}

struct Inner {
    registry: Registry,
    limits: Limits,
    cwd: Mutex<String>,
}

/// A sandbox. Cheap to clone; all clones are the same sandbox.
#[derive(Clone)]
pub struct Sandbox {
    inner: Arc<Inner>,
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
    foreign_modules: bool,
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
            foreign_modules: false,
        }
    }

    /// The commands it draws from.
    pub fn registry(&self) -> &Registry {
        &self.inner.registry
    }

    /// The working directory that calls start in.
    pub fn cwd(&self) -> String {
        self.inner.cwd.lock().clone()
    }

    /// Changes the working directory that calls start in.
    ///
    /// # Errors
    /// When it is not a folder of the sandbox.
    pub fn set_cwd(&self, path: &str) -> Result<(), SandboxError> {
        path.clone_into(&mut self.inner.cwd.lock());
        Ok(())
    }

    /// Its limits.
    pub fn limits(&self) -> &Limits {
        &self.inner.limits
    }

    /// What it has used so far.
    pub fn usage(&self) -> Usage {
        Usage::default()
    }

    /// What its calls changed since it was made or last drained.
    pub fn changes(&self) -> Vec<Change> {
        Vec::new()
    }

    /// The same, and forgets them.
    pub fn drain_changes(&self) -> Vec<Change> {
        Vec::new()
    }

    /// Starts a call.
    ///
    /// # Errors
    /// When the command does not exist or cannot be started. What happens later is in
    /// the report.
    pub fn start(&self, spec: CallSpec) -> Result<CallHandle, SandboxError> {
        let _ = spec;
        Err(SandboxError::Unsupported("calls"))
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
        self.foreign_modules = allow;
        self
    }

    /// Its limits.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Opens the folders and makes the sandbox.
    ///
    /// # Errors
    /// When a folder cannot be opened or a mount point is not fit.
    pub fn build(self) -> Result<Sandbox, SandboxError> {
        let _ = (self.mounts, self.scratch, self.env, self.commands, self.foreign_modules);
        Ok(Sandbox {
            inner: Arc::new(Inner {
                registry: self.registry,
                limits: self.limits,
                cwd: Mutex::new("/workspace".to_owned()),
            }),
        })
    }
}
