//! The object store behind one trait: a folder, or S3.

mod folder;
mod s3;

use std::pin::Pin;

use async_trait::async_trait;
use bytes::Bytes;
use futures::Stream;

pub(crate) use self::folder::FolderObjects;
pub(crate) use self::s3::S3Objects;
use crate::error::{ErrorKind, Result, ServiceError};

/// Bytes as they arrive.
pub(crate) type ByteStream = Pin<Box<dyn Stream<Item = std::io::Result<Bytes>> + Send>>;

/// When a put may take place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Condition {
    /// Always.
    Any,
    /// Only if there is no such object.
    Absent,
    /// Only over this version.
    Matches(String),
}

/// What became of a put.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Put {
    /// Stored, as this version.
    Done(String),
    /// The condition did not hold.
    Conflict,
}

/// An object being read.
pub(crate) struct Object {
    pub(crate) etag: String,
    pub(crate) size: u64,
    pub(crate) bytes: ByteStream,
}

impl Object {
    /// Collects it, at most `max` bytes.
    pub(crate) async fn collect(mut self, max: u64) -> Result<Bytes> {
        use futures::StreamExt;
        let mut all = Vec::with_capacity(usize::try_from(self.size.min(max)).unwrap_or(0));
        while let Some(part) = self.bytes.next().await {
            let part = part.map_err(unreachable_store)?;
            if (all.len() as u64).saturating_add(part.len() as u64) > max {
                return Err(ServiceError::internal(
                    "an object is larger than what it may be",
                ));
            }
            all.extend_from_slice(&part);
        }
        Ok(all.into())
    }
}

/// Where objects are kept. Keys have `/` between parts, and no part is empty, `.`
/// or `..` or has control characters.
#[async_trait]
pub(crate) trait Objects: Send + Sync {
    async fn get(&self, key: &str) -> Result<Option<Object>>;
    async fn put(&self, key: &str, bytes: Bytes, condition: Condition) -> Result<Put>;
    /// Stores a long object in parts of `part` bytes; nothing of it is visible
    /// before its end. Returns its version and its size.
    async fn put_stream(&self, key: &str, bytes: ByteStream, part: usize) -> Result<(String, u64)>;
    /// Removes objects; those that do not exist are no error.
    async fn delete(&self, keys: &[String]) -> Result<()>;
    /// Removes everything whose key begins with `prefix` (which ends in `/`).
    async fn delete_prefix(&self, prefix: &str) -> Result<()>;
    /// Whether the store answers.
    async fn ping(&self) -> Result<()>;
}

pub(crate) fn unreachable_store(
    cause: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> ServiceError {
    ServiceError::new(
        ErrorKind::SyncFailed,
        "The object store failed or cannot be reached.",
    )
    .because(cause)
}
