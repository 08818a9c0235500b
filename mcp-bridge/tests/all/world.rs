//! A workspace, a sandbox on it, and a session: what each test starts from.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use hardshell_host::{
    Access, CommandSet, DirSource, Engine, EngineConfig, Limits, Registry, Sandbox, Scratch, bundle,
};
use hardshell_mcp::{Session, SessionOptions};

/// The modules that the sandbox needs, where `cargo xtask modules` puts them.
pub(crate) fn modules() -> PathBuf {
    let folder = match std::env::var_os("HARDSHELL_MODULES") {
        Some(folder) => PathBuf::from(folder),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/modules"),
    };
    let manifest = std::fs::read_to_string(folder.join("manifest.json")).unwrap_or_default();
    for file in ["sh.wasm", "files.wasm", "coreutils.wasm"] {
        assert!(
            manifest.contains(file),
            "{} has no {file}: run `cargo xtask modules` first",
            folder.display()
        );
    }
    folder
}

/// One engine and one registry for all tests of this binary.
pub(crate) fn registry() -> Registry {
    static REGISTRY: OnceLock<Registry> = OnceLock::new();
    REGISTRY
        .get_or_init(|| {
            let cache = std::env::temp_dir().join("hardshell-mcp-tests-cache");
            let config = EngineConfig {
                cache_dir: Some(cache),
                ..EngineConfig::default()
            };
            let engine = Engine::new(config).expect("an engine");
            bundle::from_dir(&engine, &modules())
                .expect("the modules")
                .build()
                .expect("a registry")
        })
        .clone()
}

pub(crate) fn limits() -> Limits {
    Limits {
        wall: Duration::from_secs(600),
        ..Limits::default()
    }
}

/// A folder that is /workspace, and a session on it.
pub(crate) struct World {
    pub dir: tempfile::TempDir,
    pub session: Arc<Session>,
}

impl World {
    pub(crate) fn new() -> World {
        World::with(SessionOptions::default(), limits())
    }

    pub(crate) fn with(options: SessionOptions, limits: Limits) -> World {
        World::on(&registry(), options, limits)
    }

    pub(crate) fn on(registry: &Registry, options: SessionOptions, limits: Limits) -> World {
        let dir = tempfile::tempdir().unwrap();
        let sandbox = Sandbox::builder(registry)
            .workspace(DirSource::Path(dir.path().to_owned()), Access::ReadWrite)
            .scratch(Scratch::Temp)
            .env("HOME", "/workspace")
            .env("PATH", "/usr/bin:/bin")
            .allow_commands(CommandSet::All)
            .limits(limits)
            .build()
            .unwrap();
        World {
            dir,
            session: Arc::new(Session::new(sandbox, options)),
        }
    }

    pub(crate) fn put(&self, name: &str, content: &str) {
        let path = self.dir.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    pub(crate) fn get(&self, name: &str) -> String {
        std::fs::read_to_string(self.dir.path().join(name)).unwrap()
    }
}
