//! The manifest: what a workspace consists of, and which run said so.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::error::{Result, ServiceError};
use crate::ids::{ConversationId, TenantId};
use crate::objects::{Condition, Objects, Put};

/// Largest manifest that is read: about a million entries.
const MOST: u64 = 256 << 20;

/// A workspace's content.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Manifest {
    /// Version of this form.
    pub(crate) version: u32,
    /// Token of the run that wrote it; an older one must not write over it.
    pub(crate) fence: u64,
    /// By the path's key form.
    pub(crate) entries: BTreeMap<String, Entry>,
}

/// One entry of a workspace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    pub(crate) kind: Kind,
    /// Permission bits.
    pub(crate) mode: u32,
    /// Nanoseconds since 1970.
    pub(crate) mtime: i64,
    /// Bytes of a file.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) size: u64,
    /// BLAKE3 of a file, in hex.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) digest: String,
    /// Target of a link, in the key form of paths.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) target: String,
}

#[allow(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde asks for a reference"
)]
fn is_zero(size: &u64) -> bool {
    *size == 0
}

/// Type of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    File,
    Dir,
    Link,
}

/// A manifest and the version of its object; no version, no object.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stored {
    pub(crate) manifest: Manifest,
    pub(crate) etag: Option<String>,
}

/// Key of the file with this path in key form.
pub(crate) fn file_key(tenant: &TenantId, conversation: &ConversationId, path: &str) -> String {
    format!("workspaces/{tenant}/{conversation}/{path}")
}

/// Key of the manifest. Beside the workspaces, not in them: who reads those by
/// their prefix finds files of the tenant only.
pub(crate) fn manifest_key(tenant: &TenantId, conversation: &ConversationId) -> String {
    format!("manifests/{tenant}/{conversation}.json")
}

/// Reads the manifest; an empty one if there is none yet.
pub(crate) async fn load(
    objects: &dyn Objects,
    tenant: &TenantId,
    conversation: &ConversationId,
) -> Result<Stored> {
    let Some(object) = objects.get(&manifest_key(tenant, conversation)).await? else {
        return Ok(Stored::default());
    };
    let etag = object.etag.clone();
    let bytes = object.collect(MOST).await?;
    let manifest: Manifest = serde_json::from_slice(&bytes)?;
    if manifest.version > 1 {
        return Err(ServiceError::internal(format!(
            "the manifest of {conversation} has version {}, which is newer than this server",
            manifest.version
        )));
    }
    Ok(Stored {
        manifest,
        etag: Some(etag),
    })
}

/// Writes the manifest over the version that was read. `Ok(None)`: somebody else
/// has written since.
pub(crate) async fn save(
    objects: &dyn Objects,
    tenant: &TenantId,
    conversation: &ConversationId,
    manifest: &Manifest,
    base: Option<&str>,
) -> Result<Option<String>> {
    let bytes = Bytes::from(serde_json::to_vec(manifest)?);
    let condition = match base {
        Some(etag) => Condition::Matches(etag.to_owned()),
        None => Condition::Absent,
    };
    match objects
        .put(&manifest_key(tenant, conversation), bytes, condition)
        .await?
    {
        Put::Done(etag) => Ok(Some(etag)),
        Put::Conflict => {
            // A put of ours whose answer was lost looks like this as well.
            let now = load(objects, tenant, conversation).await?;
            Ok(now.etag.filter(|_| now.manifest == *manifest))
        }
    }
}
