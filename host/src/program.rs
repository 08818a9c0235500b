//! A program: one module, under one or more command names.

use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use crate::engine::{Bound, Engine, Loaded};

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
pub struct Program {
    names: Vec<String>,
    description: String,
    digest: [u8; 32],
    source: ModuleSource,
    by_time: OnceLock<Arc<Loaded>>,
    by_fuel: OnceLock<Arc<Loaded>>,
}

impl std::fmt::Debug for Program {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Program")
            .field("names", &self.names)
            .finish_non_exhaustive()
    }
}

impl Program {
    pub(crate) fn new(
        names: Vec<String>,
        description: String,
        digest: [u8; 32],
        source: ModuleSource,
    ) -> Arc<Program> {
        Arc::new(Program {
            names,
            description,
            digest,
            source,
            by_time: OnceLock::new(),
            by_fuel: OnceLock::new(),
        })
    }

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
        let bytes = self.bytes()?;
        section::custom(&bytes, name.as_bytes())
            .map(|found| found.map(<[u8]>::to_vec))
            .ok_or_else(|| ProgramError::Compile("it is damaged".to_owned()))
    }

    /// The module's bytes.
    ///
    /// # Errors
    /// When they cannot be had any more, or do not match the digest.
    pub fn bytes(&self) -> Result<Cow<'_, [u8]>, ProgramError> {
        let bytes: Cow<'_, [u8]> = match &self.source {
            ModuleSource::Static(bytes) => return Ok((*bytes).into()),
            ModuleSource::Bytes(bytes) => return Ok(bytes.into()),
            #[allow(clippy::disallowed_methods)] // The operator's file, named in configuration.
            ModuleSource::Path(path) => std::fs::read(path)
                .map_err(|e| ProgramError::Source(format!("{}: {e}", path.display())))?
                .into(),
            ModuleSource::Compressed { zstd, .. } => zstd::decode_all(*zstd)
                .map_err(|e| ProgramError::Source(format!("cannot expand the module: {e}")))?
                .into(),
        };
        if *blake3::hash(&bytes).as_bytes() != self.digest {
            return Err(ProgramError::Source(
                "the module's file changed since it was registered".to_owned(),
            ));
        }
        Ok(bytes)
    }

    fn slot(&self, bound: Bound) -> &OnceLock<Arc<Loaded>> {
        match bound {
            Bound::Epoch => &self.by_time,
            Bound::Fuel => &self.by_fuel,
        }
    }

    /// The module if it is ready to run.
    pub(crate) fn ready(&self, bound: Bound) -> Option<&Arc<Loaded>> {
        self.slot(bound).get()
    }

    /// Makes it ready. Blocks while it compiles.
    pub(crate) fn load(&self, engine: &Engine, bound: Bound) -> Result<Arc<Loaded>, ProgramError> {
        if let Some(loaded) = self.ready(bound) {
            return Ok(Arc::clone(loaded));
        }
        let loaded = engine.modules().load(engine, self, bound)?;
        Ok(Arc::clone(self.slot(bound).get_or_init(|| loaded)))
    }

    /// Compiles and links the module now instead of when it is first run. Blocks.
    ///
    /// # Errors
    /// When it is not a module that the engine accepts, or cannot be linked.
    pub fn prepare(&self, engine: &Engine) -> Result<(), ProgramError> {
        self.load(engine, Bound::Epoch).map(drop)
    }
}

/// The outer shape of a module, as far as custom sections need it.
mod section {
    fn leb(bytes: &[u8], at: &mut usize) -> Option<usize> {
        let (mut value, mut shift) = (0usize, 0u32);
        loop {
            let byte = *bytes.get(*at)?;
            *at += 1;
            value |= usize::from(byte & 0x7f).checked_shl(shift)?;
            if byte & 0x80 == 0 {
                return Some(value);
            }
            shift += 7;
            if shift > 28 {
                return None;
            }
        }
    }

    /// Some(None): no such section; None: no module.
    pub(super) fn custom<'a>(bytes: &'a [u8], name: &[u8]) -> Option<Option<&'a [u8]>> {
        if bytes.get(..4)? != b"\0asm" {
            return None;
        }
        let mut at = 8;
        while at < bytes.len() {
            let id = *bytes.get(at)?;
            at += 1;
            let len = leb(bytes, &mut at)?;
            let body = bytes.get(at..at.checked_add(len)?)?;
            at += len;
            if id == 0 {
                let mut inner = 0;
                let n = leb(body, &mut inner)?;
                let end = inner.checked_add(n)?;
                if body.get(inner..end)? == name {
                    return Some(body.get(end..));
                }
            }
        }
        Some(None)
    }

    #[cfg(test)]
    mod tests {
        use super::custom;

        #[test]
        fn finds_sections() {
            let module = b"\0asm\x01\0\0\0\x00\x04\x01xhi\x00\x03\x01yz";
            for (name, found) in [
                (&b"x"[..], Some(Some(&b"hi"[..]))),
                (b"y", Some(Some(b"z"))),
                (b"z", Some(None)),
            ] {
                assert_eq!(custom(module, name), found);
            }
            assert_eq!(custom(b"ELF", b"x"), None);
            assert_eq!(custom(&module[..12], b"x"), None);
        }
    }
}
