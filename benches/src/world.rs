//! What every group needs: an engine with the modules, sandboxes, and native programs.

use anyhow::{Context as _, bail};
use hardshell_host::{
    Access, CallSpec, DirSource, Engine, EngineConfig, Limits, ModuleSource, Registry, Report,
    Sandbox, Scratch, bundle,
};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// Where things are measured.
pub(crate) struct World {
    /// Fewer rounds.
    pub(crate) quick: bool,
    /// All commands, and the benches' guest.
    pub(crate) registry: Registry,
    /// Waits for calls.
    pub(crate) runtime: Runtime,
    /// The benches' guest as a native program.
    pub(crate) native: PathBuf,
    _cache: TempDir,
}

impl World {
    pub(crate) fn new(quick: bool) -> anyhow::Result<Self> {
        let modules = match std::env::var_os("HARDSHELL_MODULES") {
            Some(dir) => PathBuf::from(dir),
            None => hardshell_tests::binary::root().join("target/modules"),
        };
        let guest = modules.join("test/bench-guest.wasm");
        if !guest.is_file() {
            bail!(
                "{} is not there: run `cargo xtask modules`",
                guest.display()
            );
        }
        let cache = tempfile::tempdir()?;
        let engine = Engine::new(EngineConfig {
            cache_dir: Some(cache.path().to_owned()),
            max_processes: 4096,
            ..EngineConfig::default()
        })?;
        let registry = bundle::from_dir(&engine, &modules)?
            .module(ModuleSource::Path(guest), &["bench-guest"])
            .build()?;
        let native = std::env::current_exe()?.with_file_name("bench-native");
        if !native.is_file() {
            bail!(
                "{} is not there: build the package hardshell-benches whole",
                native.display()
            );
        }
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()?;
        Ok(Self {
            quick,
            registry,
            runtime,
            native,
            _cache: cache,
        })
    }

    /// So many rounds, or a few with --quick.
    pub(crate) fn rounds(&self, full: usize) -> usize {
        if self.quick {
            full.div_ceil(20).max(3)
        } else {
            full
        }
    }

    /// A sandbox on a folder, with limits that no bench meets.
    pub(crate) fn sandbox(&self, workspace: &Path) -> anyhow::Result<Sandbox> {
        let limits = Limits {
            wall: Duration::from_secs(600),
            cpu: Duration::from_secs(600),
            processes: 2048,
            processes_started: 10_000_000,
            output_bytes: 1 << 32,
            file_bytes: 1 << 32,
            workspace_bytes: 1 << 34,
            memory: 1 << 34,
            ..Limits::default()
        };
        Ok(Sandbox::builder(&self.registry)
            .workspace(DirSource::Path(workspace.to_owned()), Access::ReadWrite)
            .scratch(Scratch::Temp)
            .limits(limits)
            .build()?)
    }

    /// Runs a command line in a sandbox; a status other than 0 is an error.
    pub(crate) fn call(&self, sandbox: &Sandbox, argv: &[&str]) -> anyhow::Result<Report> {
        let report = self
            .runtime
            .block_on(sandbox.run(CallSpec::new(argv.iter().copied())))?;
        if report.status != 0 {
            bail!(
                "{}: status {}: {}{}",
                argv.join(" "),
                report.status,
                report.sentence.as_deref().unwrap_or(""),
                String::from_utf8_lossy(&report.stderr)
            );
        }
        Ok(report)
    }

    /// Runs the benches' guest natively in a folder.
    pub(crate) fn run_native(&self, folder: &Path, words: &[&str]) -> anyhow::Result<()> {
        run(Command::new(&self.native).args(words).current_dir(folder))
    }
}

/// Runs a native program to its end with its output thrown away.
pub(crate) fn run(command: &mut Command) -> anyhow::Result<()> {
    let status = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status()
        .with_context(|| format!("cannot start {command:?}"))?;
    if !status.success() {
        bail!("{command:?} ended with {status}");
    }
    Ok(())
}
