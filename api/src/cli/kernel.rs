//! Engine, registry and sandbox for the subcommands that run without the service.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use hardshell_host::{
    Access, CommandSet, DirSource, Engine, EngineConfig, Limits, Registry, Sandbox, Scratch,
};

use crate::bundle;
use crate::config::{Flags, KernelConfig, Settings};
use crate::exit::Failed;

/// What every sandbox has in its environment, beside what the user adds.
pub(crate) const BASE_ENV: &[(&str, &str)] = &[
    ("HOME", "/workspace"),
    ("PATH", "/usr/local/bin:/usr/bin:/bin"),
    ("LANG", "C.UTF-8"),
];

/// The kernel's part of the configuration, from environment and `--config` only: a
/// `hardshell.toml` in the folder that a script is let loose on must not have a say.
pub(crate) fn local_config() -> Result<KernelConfig, Failed> {
    let file = std::env::var_os("HARDSHELL_CONFIG").map(PathBuf::from);
    let flags = Flags {
        file,
        set: Vec::new(),
    };
    let settings = Settings::load_without_default_file(&flags).map_err(Failed::usage)?;
    Ok(settings.config().map_err(Failed::usage)?.kernel)
}

/// An engine for one process of hardshell. `small`: one call and the end.
pub(crate) fn engine(config: &KernelConfig, small: bool) -> anyhow::Result<Engine> {
    let defaults = if small {
        EngineConfig::small()
    } else {
        EngineConfig::default()
    };
    let max_processes = if small {
        defaults.max_processes.min(config.max_processes)
    } else {
        config.max_processes
    };
    let engine = EngineConfig {
        cache_dir: config.cache_dir.clone().or_else(default_cache),
        max_processes,
        worker_threads: match config.worker_threads {
            0 => defaults.worker_threads,
            n => n,
        },
        max_memory_per_process: config.max_memory_per_process,
        ..defaults
    };
    Engine::new(engine).context("cannot start the WebAssembly engine")
}

/// Where compiled modules are kept: `$XDG_CACHE_HOME/hardshell` or `~/.cache/hardshell`.
/// None, and so no cache, when the user has no home.
fn default_cache() -> Option<PathBuf> {
    let absolute = |name: &str| {
        std::env::var_os(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    absolute("XDG_CACHE_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".cache")))
        .map(|cache| cache.join("hardshell"))
}

/// The commands of the binary, or of `HARDSHELL_BUNDLE_DIR`.
pub(crate) fn registry(engine: &Engine) -> anyhow::Result<Registry> {
    let builder = match std::env::var_os("HARDSHELL_BUNDLE_DIR") {
        Some(folder) => hardshell_host::bundle::from_dir(engine, Path::new(&folder))?,
        None => bundle::builder(engine),
    };
    let registry = builder
        .build()
        .context("the packed tool modules are unusable")?;
    if registry.commands().is_empty() {
        anyhow::bail!(
            "this hardshell was built without tool modules: run `cargo xtask modules` and build it again"
        );
    }
    Ok(registry)
}

/// The sandbox of `sh` and `mcp`: one folder of the host at `/workspace`, a private `/tmp`.
pub(crate) struct Workspace<'a> {
    /// The folder; the current one by default.
    pub(crate) folder: Option<&'a Path>,
    /// May it be changed?
    pub(crate) read_only: bool,
    /// Which commands exist.
    pub(crate) commands: CommandSet,
    /// `K=V` beside [`BASE_ENV`].
    pub(crate) env: &'a [(String, String)],
    /// What the sandbox may use.
    pub(crate) limits: Limits,
}

impl Workspace<'_> {
    /// Makes the sandbox.
    pub(crate) fn sandbox(self, registry: &Registry) -> anyhow::Result<Sandbox> {
        let folder = match self.folder {
            Some(folder) => folder.to_owned(),
            None => std::env::current_dir().context("the current folder cannot be found")?,
        };
        if !folder.is_dir() {
            anyhow::bail!("the workspace {} is not a folder", folder.display());
        }
        let access = if self.read_only {
            Access::ReadOnly
        } else {
            Access::ReadWrite
        };
        let mut builder = Sandbox::builder(registry)
            .workspace(DirSource::Path(folder), access)
            .scratch(Scratch::Temp)
            .allow_commands(self.commands)
            .limits(self.limits);
        for (key, value) in BASE_ENV {
            builder = builder.env(key, value);
        }
        for (key, value) in self.env {
            builder = builder.env(key, value);
        }
        builder.build().context("cannot make the sandbox")
    }
}

/// A runtime for a command that mostly waits; guests run on the engine's own threads.
pub(crate) fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the asynchronous runtime")
}

/// A span of time that stands for "no limit": a prompt is ended by the person before it.
pub(crate) const UNBOUNDED: Duration = Duration::from_secs(30 * 86_400);
