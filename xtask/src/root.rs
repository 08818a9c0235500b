//! Where things are in the clone.

use anyhow::{Context as _, bail};
use std::path::{Path, PathBuf};

/// The root folder of the clone, and the places below it that several commands share.
pub(crate) struct Root {
    dir: PathBuf,
}

impl Root {
    /// Finds the clone: the folder above xtask when cargo runs us, else upwards from here.
    pub(crate) fn find() -> anyhow::Result<Self> {
        let start = match std::env::var_os("CARGO_MANIFEST_DIR") {
            Some(dir) => PathBuf::from(dir),
            None => std::env::current_dir().context("the current folder is not readable")?,
        };
        for dir in start.ancestors() {
            if dir.join("xtask/Cargo.toml").is_file() && dir.join("tool-modules").is_dir() {
                return Ok(Self {
                    dir: dir.to_owned(),
                });
            }
        }
        bail!("{} is not inside a clone of hardshell", start.display())
    }

    /// The clone itself.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// The workspace that builds for WebAssembly.
    pub(crate) fn tool_modules(&self) -> PathBuf {
        self.dir.join("tool-modules")
    }

    /// Where the built modules are collected. Always below the clone, whatever
    /// `CARGO_TARGET_DIR` says, so that `api/build.rs` finds them at one place.
    pub(crate) fn modules_out(&self) -> PathBuf {
        self.dir.join("target/modules")
    }

    /// What setup installs for this clone alone.
    pub(crate) fn local(&self) -> PathBuf {
        self.dir.join(".local")
    }

    /// Cargo's target folder of the root workspace.
    pub(crate) fn target(&self) -> PathBuf {
        match std::env::var_os("CARGO_TARGET_DIR") {
            Some(dir) => self.dir.join(dir),
            None => self.dir.join("target"),
        }
    }

    /// The binary that tests drive.
    pub(crate) fn binary(&self, profile: &str) -> PathBuf {
        let folder = if profile == "dev" { "debug" } else { profile };
        self.target().join(folder).join("hardshell")
    }

    /// A path shown relative to the clone where it lies in it.
    pub(crate) fn show(&self, path: &Path) -> String {
        path.strip_prefix(&self.dir)
            .unwrap_or(path)
            .display()
            .to_string()
    }
}
