//! Reads `manifest.json` and the modules beside it, as `cargo xtask modules` writes them.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::engine::Engine;
use crate::program::ModuleSource;
use crate::registry::{Registry, RegistryBuilder};

/// Why a folder of modules cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// No manifest there.
    #[error("cannot read {path}: {source} (run `cargo xtask modules`)")]
    Read {
        /// The manifest.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The manifest is not what it should be.
    #[error("{path} is damaged: {source} (run `cargo xtask modules`)")]
    Parse {
        /// The manifest.
        path: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
}

/// One module in the manifest.
#[derive(Clone, Debug, Deserialize)]
pub struct ManifestEntry {
    /// File name beside the manifest.
    pub file: String,
    /// BLAKE3 of the file, hexadecimal.
    pub blake3: String,
    /// Command names.
    pub names: Vec<String>,
    /// One line for people.
    #[serde(default)]
    pub description: String,
}

/// The entries of `DIR/manifest.json`.
///
/// # Errors
/// When it is missing or damaged; the text names the command that makes it.
pub fn read_manifest(dir: &Path) -> Result<Vec<ManifestEntry>, BundleError> {
    let path = dir.join("manifest.json");
    #[allow(clippy::disallowed_methods)] // The operator's folder, named in configuration.
    let text = std::fs::read(&path).map_err(|source| BundleError::Read {
        path: path.clone(),
        source,
    })?;
    serde_json::from_slice(&text).map_err(|source| BundleError::Parse { path, source })
}

/// A builder that holds every module of the folder.
///
/// # Errors
/// As [`read_manifest`].
pub fn from_dir(engine: &Engine, dir: &Path) -> Result<RegistryBuilder, BundleError> {
    let mut builder = Registry::builder(engine);
    for entry in read_manifest(dir)? {
        let names: Vec<&str> = entry.names.iter().map(String::as_str).collect();
        let source = ModuleSource::Path(dir.join(&entry.file));
        builder = builder.described_module(source, &names, &entry.description);
    }
    Ok(builder)
}
