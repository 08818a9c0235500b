//! The collections, through cargo: a package that depends on both crates, whose sources cargo
//! then has on disk.

use crate::cmd::Cmd;
use crate::root::Root;
use anyhow::{Context as _, bail};
use std::path::{Path, PathBuf};

/// Pinned: a new version is a new set of cases, taken on purpose.
const MANIFEST: &str = r#"[package]
name = "conformance-data"
version = "0.0.0"
edition = "2024"
publish = false

[workspace]

[dependencies]
brush-shell = { version = "=0.4.0", default-features = false }
bashkit = { version = "=0.20.2", default-features = false }
"#;

/// Where the cases are.
pub(super) struct Sources {
    pub(super) brush: PathBuf,
    pub(super) bashkit: PathBuf,
}

/// Fetches the crates, unless they are there, and finds their folders.
pub(super) fn sources(root: &Root) -> anyhow::Result<Sources> {
    let dir = root.dir().join("target/conformance");
    std::fs::create_dir_all(dir.join("src"))
        .with_context(|| format!("cannot make {}", dir.display()))?;
    write_if_new(&dir.join("Cargo.toml"), MANIFEST)?;
    write_if_new(&dir.join("src/lib.rs"), "")?;
    let text = Cmd::cargo()
        .args(["metadata", "--format-version", "1", "--manifest-path"])
        .arg(dir.join("Cargo.toml"))
        .dir(&dir)
        .quiet()
        .read()?;
    let metadata: serde_json::Value =
        serde_json::from_str(&text).context("cargo metadata is not JSON")?;
    let find = |name: &str| -> anyhow::Result<PathBuf> {
        metadata
            .get("packages")
            .and_then(|p| p.as_array())
            .into_iter()
            .flatten()
            .find(|p| p.get("name").and_then(|n| n.as_str()) == Some(name))
            .and_then(|p| p.get("manifest_path"))
            .and_then(|p| p.as_str())
            .and_then(|p| Path::new(p).parent().map(Path::to_owned))
            .with_context(|| format!("cargo does not know where {name} is"))
    };
    let out = Sources {
        brush: find("brush-shell")?.join("tests/cases/compat"),
        bashkit: find("bashkit")?.join("tests/spec_cases"),
    };
    for dir in [&out.brush, &out.bashkit] {
        if !dir.is_dir() {
            bail!("there are no cases at {}", dir.display());
        }
    }
    Ok(out)
}

fn write_if_new(path: &Path, text: &str) -> anyhow::Result<()> {
    if std::fs::read_to_string(path).is_ok_and(|old| old == text) {
        return Ok(());
    }
    std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

/// All files below a folder that have this extension, sorted.
pub(super) fn files(dir: &Path, extension: &str) -> anyhow::Result<Vec<PathBuf>> {
    let mut out = Vec::new();
    let mut todo = vec![dir.to_owned()];
    while let Some(dir) = todo.pop() {
        let list =
            std::fs::read_dir(&dir).with_context(|| format!("cannot list {}", dir.display()))?;
        for entry in list {
            let path = entry?.path();
            if path.is_dir() {
                todo.push(path);
            } else if path.extension().is_some_and(|e| e == extension) {
                out.push(path);
            }
        }
    }
    out.sort();
    Ok(out)
}
