//! The cache of compiled modules: used when sound, rebuilt when not.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use hardshell_host::{CallSpec, CommandSet, Engine, EngineConfig, EngineError, Registry, Sandbox};

use crate::support::wat;

const OK: &str = r#"(module
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 1)
  (func (export "_start") (call $exit (i32.const 7))))"#;

/// Status of the module in a fresh engine over the cache folder.
fn run(cache: &Path) -> u8 {
    let config = EngineConfig {
        cache_dir: Some(cache.to_owned()),
        max_processes: 4,
        worker_threads: 1,
        ..EngineConfig::small()
    };
    let engine = Engine::new(config).unwrap();
    let registry = Registry::builder(&engine)
        .module(wat(OK), &["t"])
        .build()
        .unwrap();
    let sandbox = Sandbox::builder(&registry)
        .allow_commands(CommandSet::All)
        .build()
        .unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime
        .block_on(sandbox.run(CallSpec::new(["t"])))
        .unwrap()
        .status
}

fn entry(cache: &Path) -> std::path::PathBuf {
    let entries: Vec<_> = std::fs::read_dir(cache)
        .unwrap()
        .map(|e| e.unwrap().path())
        .collect();
    assert_eq!(entries.len(), 1, "{entries:?}");
    entries[0].clone()
}

#[test]
fn damaged_and_foreign_entries_are_rebuilt() {
    let dir = tempfile::tempdir().unwrap();
    let cache = dir.path().join("a/b");
    assert_eq!(run(&cache), 7);
    let path = entry(&cache);
    let good = std::fs::read(&path).unwrap();
    assert_eq!(
        std::fs::metadata(&cache).unwrap().permissions().mode() & 0o777,
        0o700
    );

    let mut flipped = good.clone();
    flipped[good.len() / 2] ^= 1;
    let mut other_magic = good.clone();
    let at = good.len() - 48;
    other_magic[at] ^= 1;
    for bad in [
        &flipped[..],
        &other_magic,
        &good[..good.len() - 1],
        &good[..100],
        b"",
        b"junk",
    ] {
        std::fs::write(&path, bad).unwrap();
        assert_eq!(run(&cache), 7);
        assert_eq!(std::fs::read(&path).unwrap(), good, "rebuilt");
    }
    // Sound by its digest, but others could have written it.
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o666)).unwrap();
    assert_eq!(run(&cache), 7);
    assert_eq!(
        std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o600
    );
    // A link is not followed.
    let elsewhere = dir.path().join("elsewhere");
    std::fs::rename(&path, &elsewhere).unwrap();
    std::os::unix::fs::symlink(&elsewhere, &path).unwrap();
    assert_eq!(run(&cache), 7);
    assert!(std::fs::symlink_metadata(&path).unwrap().is_file());
}

#[test]
fn a_sound_entry_is_used() {
    let dir = tempfile::tempdir().unwrap();
    let cache = dir.path().join("cache");
    assert_eq!(run(&cache), 7);
    let before = std::fs::metadata(entry(&cache))
        .unwrap()
        .modified()
        .unwrap();
    assert_eq!(run(&cache), 7);
    assert_eq!(
        std::fs::metadata(entry(&cache))
            .unwrap()
            .modified()
            .unwrap(),
        before
    );
}

#[test]
fn a_folder_that_others_may_write_to_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
    let config = EngineConfig {
        cache_dir: Some(dir.path().to_owned()),
        ..EngineConfig::small()
    };
    assert!(matches!(
        Engine::new(config).err(),
        Some(EngineError::Cache { .. })
    ));
}
