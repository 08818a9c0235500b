//! Command names and the programs behind them.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::sync::watch;

use crate::engine::Engine;
use crate::program::{ModuleSource, Program};

/// Why a registry could not be built.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// A module file could not be read.
    #[error("cannot read the module {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// Not a command name: empty, or holding `/` or a NUL.
    #[error("{0:?} is not a command name")]
    Name(String),
    /// Two programs claim one name.
    #[error("the command {0:?} is served by two modules")]
    Duplicate(String),
}

/// One state of the registry.
#[derive(Default)]
pub struct RegistrySnapshot {
    pub(crate) programs: BTreeMap<String, Arc<Program>>,
}

impl RegistrySnapshot {
    /// All command names, sorted.
    pub fn commands(&self) -> Vec<String> {
        self.programs.keys().cloned().collect()
    }

    /// The program behind a name.
    pub fn program(&self, name: &str) -> Option<&Arc<Program>> {
        self.programs.get(name)
    }

    /// Every program once, in the order of its first name.
    pub fn programs(&self) -> Vec<Arc<Program>> {
        let mut all: Vec<Arc<Program>> = Vec::new();
        for program in self.programs.values() {
            if !all.iter().any(|known| Arc::ptr_eq(known, program)) {
                all.push(Arc::clone(program));
            }
        }
        all
    }
}

struct Inner {
    engine: Engine,
    current: ArcSwap<RegistrySnapshot>,
    version: watch::Sender<u64>,
}

/// The commands that sandboxes can be given. Cheap to clone; all clones see the same
/// state, which [`Registry::replace`] swaps as a whole.
#[derive(Clone)]
pub struct Registry {
    inner: Arc<Inner>,
}

impl Registry {
    /// An empty builder.
    pub fn builder(engine: &Engine) -> RegistryBuilder {
        RegistryBuilder {
            engine: engine.clone(),
            programs: Vec::new(),
        }
    }

    /// The engine that runs the programs.
    pub fn engine(&self) -> &Engine {
        &self.inner.engine
    }

    /// All command names, sorted.
    pub fn commands(&self) -> Vec<String> {
        self.inner.current.load().commands()
    }

    /// The program behind a command name.
    pub fn program(&self, name: &str) -> Option<Arc<Program>> {
        self.inner.current.load().programs.get(name).cloned()
    }

    /// The present state; it does not change under its holder.
    pub fn snapshot(&self) -> Arc<RegistrySnapshot> {
        self.inner.current.load_full()
    }

    /// Counts up whenever the commands change.
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.inner.version.subscribe()
    }

    /// Puts another set of commands in place. Running processes keep theirs.
    pub fn replace(&self, snapshot: Arc<RegistrySnapshot>) {
        self.inner.current.store(snapshot);
        self.inner.version.send_modify(|v| *v = v.wrapping_add(1));
    }
}

/// Collects modules for a [`Registry`].
pub struct RegistryBuilder {
    engine: Engine,
    programs: Vec<Entry>,
}

enum Entry {
    Module(ModuleSource, Vec<String>, String),
    Program(Arc<Program>),
}

impl RegistryBuilder {
    /// Adds a module under these command names. A later module may not claim a name of
    /// an earlier one.
    #[must_use]
    pub fn module(self, source: ModuleSource, names: &[&str]) -> Self {
        self.described_module(source, names, "")
    }

    /// The same, with a line that says what the module is.
    #[must_use]
    pub fn described_module(
        mut self,
        source: ModuleSource,
        names: &[&str],
        description: &str,
    ) -> Self {
        let names = names.iter().map(|n| (*n).to_owned()).collect();
        self.programs
            .push(Entry::Module(source, names, description.to_owned()));
        self
    }

    /// Adds a program of another registry or snapshot under its names; what was compiled
    /// of it stays compiled.
    #[must_use]
    pub fn program(mut self, program: Arc<Program>) -> Self {
        self.programs.push(Entry::Program(program));
        self
    }

    /// The state alone, for [`Registry::replace`]. Files are read and digested here;
    /// nothing is compiled.
    ///
    /// # Errors
    /// When a file cannot be read or a name is not fit or not unique.
    pub fn snapshot(self) -> Result<Arc<RegistrySnapshot>, RegistryError> {
        let mut programs = BTreeMap::new();
        for entry in self.programs {
            let (program, names) = match entry {
                Entry::Program(program) => {
                    let names = program.names().to_vec();
                    (program, names)
                }
                Entry::Module(source, names, description) => {
                    let (source, digest) = digest(source)?;
                    (
                        Program::new(names.clone(), description, digest, source),
                        names,
                    )
                }
            };
            for name in &names {
                if name.is_empty() || name.contains(['/', '\0']) || name == "." || name == ".." {
                    return Err(RegistryError::Name(name.clone()));
                }
            }
            for name in names {
                if programs
                    .insert(name.clone(), Arc::clone(&program))
                    .is_some()
                {
                    return Err(RegistryError::Duplicate(name));
                }
            }
        }
        Ok(Arc::new(RegistrySnapshot { programs }))
    }

    /// The registry.
    ///
    /// # Errors
    /// As [`RegistryBuilder::snapshot`].
    pub fn build(self) -> Result<Registry, RegistryError> {
        let engine = self.engine.clone();
        let snapshot = self.snapshot()?;
        Ok(Registry {
            inner: Arc::new(Inner {
                engine,
                current: ArcSwap::new(snapshot),
                version: watch::Sender::new(0),
            }),
        })
    }
}

fn digest(source: ModuleSource) -> Result<(ModuleSource, [u8; 32]), RegistryError> {
    Ok(match source {
        ModuleSource::Compressed { digest, .. } => (source, digest),
        ModuleSource::Static(bytes) => (source, *blake3::hash(bytes).as_bytes()),
        ModuleSource::Path(path) => {
            #[allow(clippy::disallowed_methods)] // The operator's file, named in configuration.
            let bytes = std::fs::read(&path).map_err(|source| RegistryError::Read {
                path: path.clone(),
                source,
            })?;
            let digest = *blake3::hash(&bytes).as_bytes();
            (ModuleSource::Path(path), digest)
        }
        ModuleSource::Bytes(bytes) => {
            let digest = *blake3::hash(&bytes).as_bytes();
            (ModuleSource::Bytes(bytes), digest)
        }
    })
}
