//! One engine for all tests, and short ways to run something.

use std::path::PathBuf;
use std::sync::OnceLock;

use hardshell_host::{
    Access, CallSpec, CommandSet, DirSource, Engine, EngineConfig, Limits, ModuleSource, Registry,
    Report, Sandbox, Scratch,
};

/// The engine that the tests share.
pub(crate) fn engine() -> &'static Engine {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    ENGINE.get_or_init(|| {
        let cache_dir = Some(target().join("test-aot"));
        Engine::new(EngineConfig {
            cache_dir,
            ..EngineConfig::small()
        })
        .unwrap()
    })
}

fn target() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../target")
}

/// A guest of `tool-modules/test-guests`.
pub(crate) fn guest(name: &str) -> ModuleSource {
    let path = target().join("modules/test").join(format!("{name}.wasm"));
    assert!(
        path.exists(),
        "{} is missing: run `cargo xtask modules`",
        path.display()
    );
    ModuleSource::Path(path)
}

/// A module in text form.
pub(crate) fn wat(text: &str) -> ModuleSource {
    ModuleSource::Bytes(wat::parse_str(text).unwrap())
}

/// A sandbox with a folder of its own.
pub(crate) struct World {
    pub(crate) sandbox: Sandbox,
    pub(crate) dir: tempfile::TempDir,
    runtime: tokio::runtime::Runtime,
}

impl World {
    pub(crate) fn new(modules: Vec<(&str, ModuleSource)>) -> World {
        World::with_limits(modules, Limits::default())
    }

    pub(crate) fn with_limits(modules: Vec<(&str, ModuleSource)>, limits: Limits) -> World {
        let mut builder = Registry::builder(engine());
        for (name, source) in modules {
            builder = builder.module(source, &[name]);
        }
        let registry = builder.build().unwrap();
        let dir = tempfile::tempdir().unwrap();
        let sandbox = Sandbox::builder(&registry)
            .workspace(DirSource::Path(dir.path().to_owned()), Access::ReadWrite)
            .scratch(Scratch::Temp)
            .allow_commands(CommandSet::All)
            .limits(limits)
            .build()
            .unwrap();
        World::of(sandbox, dir)
    }

    /// A sandbox that was made elsewhere, and a folder to keep with it.
    pub(crate) fn of(sandbox: Sandbox, dir: tempfile::TempDir) -> World {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        World {
            sandbox,
            dir,
            runtime,
        }
    }

    /// Runs a call to its end.
    pub(crate) fn run(&self, spec: CallSpec) -> Report {
        self.runtime.block_on(self.sandbox.run(spec)).unwrap()
    }

    /// Runs a command.
    pub(crate) fn call(&self, argv: &[&str]) -> Report {
        self.run(CallSpec::new(argv.iter().copied()))
    }

    pub(crate) fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.runtime.block_on(future)
    }
}

/// stdout as text.
pub(crate) fn out(report: &Report) -> String {
    String::from_utf8_lossy(&report.stdout).into_owned()
}

/// stderr as text.
pub(crate) fn err(report: &Report) -> String {
    String::from_utf8_lossy(&report.stderr).into_owned()
}
