//! What a conversation has read: the basis of read-before-write.

use crate::answer::ToolError;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::Metadata;
use std::path::Path;
use std::time::UNIX_EPOCH;

/// The longest file whose content is fingerprinted; beyond it size and time stand alone.
pub const DIGEST_MAX: u64 = 64 << 20;

/// The fingerprint of a file as it was when it was read or written.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileState {
    /// Length in bytes.
    pub size: u64,
    /// Modification time in nanoseconds since 1970.
    pub mtime_ns: u64,
    /// BLAKE3 of the content in hexadecimal; empty when the file is longer than 64 MiB.
    #[serde(default)]
    pub digest: String,
}

impl FileState {
    /// The fingerprint of `bytes`, which `metadata` belongs to.
    pub fn of(metadata: &Metadata, bytes: &[u8]) -> Self {
        let digest = if bytes.len() as u64 <= DIGEST_MAX {
            digest(bytes)
        } else {
            String::new()
        };
        FileState {
            size: metadata.len(),
            mtime_ns: mtime_ns(metadata),
            digest,
        }
    }

    /// Whether `now` is the file that this fingerprint was taken of. The content
    /// decides where it is known: a `touch` is no change, and a change within one
    /// tick of the clock is one.
    fn same_as(&self, now: &FileState) -> bool {
        if self.size != now.size {
            return false;
        }
        if !self.digest.is_empty() && !now.digest.is_empty() {
            return self.digest == now.digest;
        }
        self.mtime_ns == now.mtime_ns
    }
}

/// Fingerprints by absolute path.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct State(BTreeMap<String, FileState>);

impl State {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The fingerprint of `path`, if it was read.
    pub fn get(&self, path: &Path) -> Option<&FileState> {
        self.0.get(path.to_string_lossy().as_ref())
    }

    /// Notes that `path` was read or written.
    pub fn insert(&mut self, path: &Path, state: FileState) {
        self.0.insert(path.to_string_lossy().into_owned(), state);
    }

    /// Takes over the entries of `newer`.
    pub fn merge(&mut self, newer: State) {
        self.0.extend(newer.0);
    }

    /// Refuses a file that was not read, or that changed since.
    pub fn check(&self, path: &Path, now: &FileState) -> Result<(), ToolError> {
        match self.get(path) {
            None => Err(ToolError::new(
                "File has not been read yet. Read it first before writing to it.",
            )),
            Some(then) if !then.same_as(now) => Err(ToolError::new(
                "File has been modified since read, either by the user or by a linter. \
                 Read it again before attempting to write it.",
            )),
            Some(_) => Ok(()),
        }
    }
}

/// BLAKE3 of `bytes` in hexadecimal.
pub fn digest(bytes: &[u8]) -> String {
    blake3::hash(bytes).to_hex().to_string()
}

/// The modification time in nanoseconds since 1970; 0 if the file has none.
pub fn mtime_ns(metadata: &Metadata) -> u64 {
    metadata
        .modified()
        .ok()
        .and_then(|time| time.duration_since(UNIX_EPOCH).ok())
        .and_then(|since| u64::try_from(since.as_nanos()).ok())
        .unwrap_or(0)
}
