//! The tool author's path from an empty folder to a tool in a running server: what
//! `hardshell tool …` does.
//!
//! [`new`](fn@new) writes a project, [`build`](fn@build) makes the module,
//! [`test`](fn@test) runs its cases in a sandbox, [`inspect`](fn@inspect) says what a
//! module is and asks for, and [`add`], [`list`] and [`remove`] keep a server's folder of
//! tools, which the server watches.
//!
//! Everything here works on the files of whoever runs the command line, never on a
//! tenant's.
#![allow(
    clippy::disallowed_methods,
    reason = "the author's and the operator's own files"
)]

mod build;
mod folder;
mod inspect;
mod new;
mod test;
pub mod wasm;

use std::path::{Path, PathBuf};

pub use build::{Built, build, embed};
pub use folder::{Added, Listed, add, list, remove};
pub use inspect::{Inspection, inspect};
pub use new::{Language, new};
pub use test::{CaseResult, test};

/// Why a command of the toolkit failed, in words for the author.
#[derive(Debug, thiserror::Error)]
pub enum ToolkitError {
    /// A file could not be read or written.
    #[error("{path}: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A program that is needed could not be run, or failed.
    #[error("{0}")]
    Program(String),
    /// What was given cannot be used.
    #[error("{0}")]
    Input(String),
}

fn at(path: &Path) -> impl FnOnce(std::io::Error) -> ToolkitError {
    let path = path.to_owned();
    move |source| ToolkitError::File { path, source }
}

fn read(path: &Path) -> Result<Vec<u8>, ToolkitError> {
    std::fs::read(path).map_err(at(path))
}

fn write(path: &Path, content: impl AsRef<[u8]>) -> Result<(), ToolkitError> {
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).map_err(at(parent))?;
    }
    std::fs::write(path, content).map_err(at(path))
}

/// Whether a text may be the name of a tool.
fn check_name(name: &str) -> Result<(), ToolkitError> {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    let good = name.bytes().all(fits)
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.len() <= 64;
    if good {
        Ok(())
    } else {
        Err(ToolkitError::Input(format!(
            "{name:?} is no good name: 1 to 64 lower-case letters, digits and _, beginning with a letter"
        )))
    }
}
