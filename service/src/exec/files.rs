//! Files of a conversation in the hands of its user.

use std::sync::Arc;

use bytes::Bytes;
use futures::StreamExt;

use super::admit::take;
use crate::error::{ErrorKind, Result, ServiceError};
use crate::ids::{ConversationId, TenantId};
use crate::lease::{Held, lease_lost};
use crate::objects::{Condition, Put};
use crate::service::{FileContent, FileUpload, Service};
use crate::store::{Fenced, FileChange};
use crate::sync::manifest::{self, Entry, Kind, Manifest, file_key};
use crate::sync::path::client_path;
use crate::types::{FileView, Origin};

/// Above this an upload goes up in parts.
const SMALL: usize = 8 << 20;

pub(crate) async fn open(
    service: &Service,
    tenant: &TenantId,
    id: &ConversationId,
    path: &str,
) -> Result<FileContent> {
    let key = client_path(path)?;
    let mut files = service.store.file_views(id, Some(&key)).await?;
    let file = files.pop().ok_or_else(|| ServiceError::not_found("file"))?;
    if file.digest.is_empty() {
        return Err(ServiceError::new(
            ErrorKind::InvalidRequest,
            "That is a link, which has no content of its own.",
        ));
    }
    let object = service.objects.get(&file_key(tenant, id, &key)).await?;
    let object = object.ok_or_else(|| ServiceError::not_found("file"))?;
    // What is in the store counts: it may be newer than the register by a moment.
    Ok(FileContent {
        file: FileView {
            size: object.size,
            ..file
        },
        bytes: object.bytes,
    })
}

/// Takes the conversation for a change of its files.
async fn hold(service: &Service, tenant: &TenantId, id: &ConversationId) -> Result<Held> {
    let row = service.store.conversation_row(tenant, id).await?;
    let row = row.ok_or_else(|| ServiceError::not_found("conversation"))?;
    let held = take(service, tenant, id, row.fence).await?;
    if let Err(error) = super::sweeper::publish_left_over(service, tenant, id, &held).await {
        held.release().await;
        return Err(error);
    }
    Ok(held)
}

pub(crate) async fn put(
    service: &Arc<Service>,
    tenant: &TenantId,
    id: &ConversationId,
    path: &str,
    upload: FileUpload,
) -> Result<FileView> {
    let key = client_path(path)?;
    let limit = service.config.limits.file_limit(&key);
    let too_large = move || {
        ServiceError::new(
            ErrorKind::FileTooLarge,
            format!("Files of this type may have {limit} bytes."),
        )
    };
    if upload.size.is_some_and(|size| size > limit) {
        return Err(too_large());
    }
    let held = hold(service, tenant, id).await?;
    let result = put_held(service, tenant, id, &key, upload, limit, &held).await;
    held.release().await;
    match result? {
        Some(file) => Ok(file),
        None => Err(too_large()),
    }
}

/// `None`: too large.
async fn put_held(
    service: &Service,
    tenant: &TenantId,
    id: &ConversationId,
    key: &str,
    mut upload: FileUpload,
    limit: u64,
    held: &Held,
) -> Result<Option<FileView>> {
    let stored = manifest::load(service.objects.as_ref(), tenant, id).await?;
    fits(&stored.manifest, key)?;
    let object = file_key(tenant, id, key);
    let mut head = Vec::new();
    let mut ended = false;
    while head.len() <= SMALL {
        match upload.bytes.next().await {
            Some(part) => head.extend_from_slice(&part.map_err(cut)?),
            None => {
                ended = true;
                break;
            }
        }
        if head.len() as u64 > limit {
            return Ok(None);
        }
    }
    held.check()?;
    let total: u64 = stored
        .manifest
        .entries
        .iter()
        .filter(|(k, _)| *k != key)
        .map(|(_, e)| e.size)
        .sum();
    let room = service.config.limits.workspace.saturating_sub(total);
    let quota = || {
        ServiceError::new(
            ErrorKind::QuotaExceeded,
            format!(
                "The workspace may have {} bytes.",
                service.config.limits.workspace
            ),
        )
    };
    let (digest, size) = if ended {
        if head.len() as u64 > room {
            return Err(quota());
        }
        let digest = blake3::hash(&head).to_hex().to_string();
        let size = head.len() as u64;
        match service
            .objects
            .put(&object, head.into(), Condition::Any)
            .await?
        {
            Put::Done(_) => (digest, size),
            Put::Conflict => {
                return Err(ServiceError::internal(
                    "an unconditional put met a condition",
                ));
            }
        }
    } else {
        let most = limit.min(room);
        let state = Arc::new(parking_lot::Mutex::new((blake3::Hasher::new(), 0_u64)));
        let seen = Arc::clone(&state);
        let all = futures::stream::iter([Ok(Bytes::from(head))])
            .chain(upload.bytes)
            .map(move |part| {
                let part = part?;
                let mut seen = seen.lock();
                seen.0.update(&part);
                seen.1 = seen.1.saturating_add(part.len() as u64);
                if seen.1 > most {
                    Err(std::io::Error::other("over the limit"))
                } else {
                    Ok(part)
                }
            });
        let part = usize::try_from(service.config.sync.part_size).unwrap_or(SMALL);
        let sent = service
            .objects
            .put_stream(&object, Box::pin(all), part)
            .await;
        let (digest, size) = {
            let state = state.lock();
            (state.0.finalize().to_hex().to_string(), state.1)
        };
        if size > limit {
            return Ok(None);
        }
        if size > room {
            return Err(quota());
        }
        sent?;
        (digest, size)
    };
    let entry = Entry {
        kind: Kind::File,
        mode: stored
            .manifest
            .entries
            .get(key)
            .map_or(0o644, |old| old.mode),
        mtime: crate::time::now().saturating_mul(1000),
        size,
        digest: digest.clone(),
        target: String::new(),
    };
    let mode = entry.mode;
    let mut next = stored.manifest;
    add_parents(&mut next, key, entry.mtime);
    next.entries.insert(key.to_owned(), entry);
    save(service, tenant, id, next, stored.etag.as_deref(), held).await?;
    let change = FileChange::Put {
        path: key.to_owned(),
        size,
        digest,
        mode,
    };
    register(service, id, held, change).await?;
    let file = service.store.file_views(id, Some(key)).await?.pop();
    file.map(Some)
        .ok_or_else(|| ServiceError::internal("a file vanished from the register"))
}

fn cut(cause: std::io::Error) -> ServiceError {
    ServiceError::new(ErrorKind::InvalidRequest, "The upload was cut off.").because(cause)
}

/// A file cannot be where a folder is, nor below a file or a link.
fn fits(manifest: &Manifest, key: &str) -> Result<()> {
    let kind = |key: &str| manifest.entries.get(key).map(|entry| entry.kind);
    let below = key
        .match_indices('/')
        .filter_map(|(at, _)| key.get(..at))
        .any(|parent| matches!(kind(parent), Some(Kind::File | Kind::Link)));
    if below || matches!(kind(key), Some(Kind::Dir | Kind::Link)) {
        return Err(ServiceError::new(
            ErrorKind::InvalidRequest,
            "The path is taken by something else.",
        ));
    }
    Ok(())
}

fn add_parents(manifest: &mut Manifest, key: &str, mtime: i64) {
    for (at, _) in key.match_indices('/') {
        let Some(parent) = key.get(..at) else {
            continue;
        };
        manifest.entries.entry(parent.to_owned()).or_insert(Entry {
            kind: Kind::Dir,
            mode: 0o755,
            mtime,
            size: 0,
            digest: String::new(),
            target: String::new(),
        });
    }
}

async fn save(
    service: &Service,
    tenant: &TenantId,
    id: &ConversationId,
    mut next: Manifest,
    base: Option<&str>,
    held: &Held,
) -> Result<()> {
    next.version = 1;
    next.fence = held.fence();
    held.check()?;
    let saved = manifest::save(service.objects.as_ref(), tenant, id, &next, base).await?;
    saved.map(|_| ()).ok_or_else(lease_lost)
}

async fn register(
    service: &Service,
    id: &ConversationId,
    held: &Held,
    change: FileChange,
) -> Result<()> {
    match service
        .store
        .register_files(id, held.fence(), Origin::User, None, &[change])
        .await?
    {
        Fenced::Done => Ok(()),
        Fenced::Refused => Err(lease_lost()),
    }
}

pub(crate) async fn delete(
    service: &Service,
    tenant: &TenantId,
    id: &ConversationId,
    path: &str,
) -> Result<()> {
    let key = client_path(path)?;
    let held = hold(service, tenant, id).await?;
    let result = delete_held(service, tenant, id, &key, &held).await;
    held.release().await;
    result
}

async fn delete_held(
    service: &Service,
    tenant: &TenantId,
    id: &ConversationId,
    key: &str,
    held: &Held,
) -> Result<()> {
    let stored = manifest::load(service.objects.as_ref(), tenant, id).await?;
    let mut next = stored.manifest;
    match next.entries.get(key).map(|entry| entry.kind) {
        None => return Err(ServiceError::not_found("file")),
        Some(Kind::Dir) => {
            return Err(ServiceError::new(
                ErrorKind::InvalidRequest,
                "That is a folder; delete its files.",
            ));
        }
        Some(Kind::File | Kind::Link) => next.entries.remove(key),
    };
    save(service, tenant, id, next, stored.etag.as_deref(), held).await?;
    register(
        service,
        id,
        held,
        FileChange::Removed {
            path: key.to_owned(),
        },
    )
    .await?;
    service.objects.delete(&[file_key(tenant, id, key)]).await
}

/// Deletes a conversation with everything in it.
pub(crate) async fn delete_conversation(
    service: &Service,
    tenant: &TenantId,
    id: &ConversationId,
) -> Result<()> {
    let row = service.store.conversation_row(tenant, id).await?;
    let row = row.ok_or_else(|| ServiceError::not_found("conversation"))?;
    let held = take(service, tenant, id, row.fence).await?;
    let result = async {
        if !service
            .store
            .delete_conversation(tenant, id, held.fence())
            .await?
        {
            return Err(lease_lost());
        }
        if let Some(home) = service.homes.find(id)? {
            home.remove()?;
        }
        service
            .objects
            .delete(&[manifest::manifest_key(tenant, id)])
            .await?;
        service
            .objects
            .delete_prefix(&file_key(tenant, id, ""))
            .await
    };
    let result = result.await;
    held.release().await;
    result
}
