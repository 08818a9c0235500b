//! A program: one module, under one or more command names.

use std::path::PathBuf;

/// Where the bytes of a module come from.
#[derive(Clone, Debug)]
pub enum ModuleSource {
    /// Linked into the host binary.
    Static(&'static [u8]),
    /// Linked into the host binary, zstd-compressed; expanded only when it must be compiled.
    Compressed {
        /// The compressed module.
        zstd: &'static [u8],
        /// BLAKE3 of the expanded module.
        digest: [u8; 32],
    },
    /// A file of the host, read when the registry is built.
    Path(PathBuf),
    /// In memory.
    Bytes(Vec<u8>),
}

/// Why a program cannot be started.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ProgramError {
    /// The module's bytes cannot be had.
    #[error("{0}")]
    Source(String),
    /// Not a module that this engine accepts.
    #[error("not a usable WebAssembly module: {0}")]
    Compile(String),
    /// It imports something that the kernel does not offer.
    #[error("the module cannot be linked: {0}")]
    Link(String),
}

/// One module with its names; compiled when it first runs.
#[derive(Debug)]
pub struct Program {
    pub(crate) names: Vec<String>,
    pub(crate) description: String,
    pub(crate) digest: [u8; 32],
    pub(crate) source: ModuleSource,
}

impl Program {
    /// The command names it serves.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// What it is, in one line; may be empty.
    pub fn description(&self) -> &str {
        &self.description
    }

    /// BLAKE3 of the module.
    pub fn digest(&self) -> [u8; 32] {
        self.digest
    }

    /// The contents of a custom section of the module (the tool manifest lives in
    /// `hardshell.tool`), None when it has none of that name.
    ///
    /// # Errors
    /// When the module's bytes cannot be had or are no module.
    pub fn custom_section(&self, name: &str) -> Result<Option<Vec<u8>>, ProgramError> {
        let _ = name;
        Ok(None)
    }

    /// The module's bytes.
    ///
    /// # Errors
    /// When they cannot be had any more, or do not match the digest.
    pub fn bytes(&self) -> Result<std::borrow::Cow<'_, [u8]>, ProgramError> {
        match &self.source {
            ModuleSource::Static(bytes) => Ok((*bytes).into()),
            ModuleSource::Bytes(bytes) => Ok(bytes.into()),
            ModuleSource::Path(path) => Err(ProgramError::Source(path.display().to_string())),
            ModuleSource::Compressed { zstd, .. } => zstd::decode_all(*zstd)
                .map(Into::into)
                .map_err(|e| ProgramError::Source(format!("cannot expand the module: {e}"))),
        }
    }
}
