//! From the local folder to the store: what changed, then the manifest.
//!
//! Order: folders' and files' conflicts out of the way, files up, manifest (with a
//! condition), deletions. A death in between leaves the old manifest, and the local
//! home from which all of it is done again.

use std::collections::BTreeMap;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use tokio::sync::Semaphore;

use super::dir::{self, Found, LocalStat, Scanned};
use super::home::{Home, Index};
use super::hydrate::blocking;
use super::manifest::{self, Entry, Kind, Manifest, Stored, file_key};
use super::{Sync, path};
use crate::error::{ErrorKind, Result, ServiceError};
use crate::lease::{Held, lease_lost};
use crate::objects::{ByteStream, Condition, Put};
use crate::store::FileChange;

/// What a publish did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Published {
    /// Changes for the register of files.
    pub(crate) changes: Vec<FileChange>,
    /// What could not be kept, and why.
    pub(crate) unpublished: Vec<Unpublished>,
    /// Objects written, the manifest included.
    pub(crate) puts: u64,
    /// Bytes of files sent.
    pub(crate) bytes: u64,
}

/// A file that is not kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unpublished {
    pub(crate) path: String,
    pub(crate) reason: String,
}

struct Plan {
    next: Manifest,
    stats: BTreeMap<String, LocalStat>,
    /// Files whose content may have changed.
    suspects: Vec<(String, LocalStat)>,
    unpublished: Vec<Unpublished>,
}

enum Sent {
    Same(String),
    New { digest: String, stat: LocalStat },
    Refused(String),
    Gone,
}

impl Sync<'_> {
    /// Brings the store to what the home holds. `held` must be a lease on the
    /// conversation; it is looked at before every step that writes.
    pub(crate) async fn publish(&self, home: &Home, held: &Held) -> Result<Published> {
        let Some(index) = home.index()? else {
            return Err(ServiceError::internal(
                "a home that was never fetched is to be published",
            ));
        };
        let stored = manifest::load(self.objects.as_ref(), self.tenant, self.conversation).await?;
        if stored.etag != index.etag {
            // Ours, if the publish before this one was cut off after its manifest.
            if stored.manifest.fence > held.fence() {
                return Err(lease_lost());
            }
            if home
                .info()?
                .is_none_or(|info| info.fence != stored.manifest.fence)
            {
                return Err(ServiceError::new(
                    ErrorKind::SyncFailed,
                    "The workspace was changed elsewhere while this run held it.",
                ));
            }
        }
        let root = Arc::new(home.workspace()?);
        let most = self.limits.workspace_files.saturating_mul(2);
        let scan_root = Arc::clone(&root);
        let found = blocking(move || dir::scan(&scan_root, most)).await?;
        let plan = self.plan(found, &index, &stored);
        self.carry_out(home, held, &root, stored, plan).await
    }

    fn plan(&self, found: Vec<Scanned>, index: &Index, stored: &Stored) -> Plan {
        let mut plan = Plan {
            next: Manifest {
                version: 1,
                fence: 0,
                entries: BTreeMap::new(),
            },
            stats: BTreeMap::new(),
            suspects: Vec::new(),
            unpublished: Vec::new(),
        };
        for Scanned {
            path: raw,
            kind,
            stat,
        } in found
        {
            let key = path::escape(&raw);
            let old = stored.manifest.entries.get(&key);
            let refusal = if key.len() > path::LONGEST_KEY {
                Some("its path is longer than 800 bytes".to_owned())
            } else if kind == Found::Other {
                Some("it is neither a file, a folder nor a link".to_owned())
            } else if kind == Found::File && stat.size > self.limits.file_limit(&key) {
                let limit = self.limits.file_limit(&key);
                Some(format!(
                    "it has {} bytes, and files of its type may have {limit}",
                    stat.size
                ))
            } else {
                None
            };
            if let Some(reason) = refusal {
                // What was kept before stays kept.
                if let Some(old) = old {
                    plan.next.entries.insert(key.clone(), old.clone());
                }
                plan.unpublished.push(Unpublished { path: key, reason });
                continue;
            }
            let mut entry = Entry {
                kind: Kind::File,
                mode: stat.mode,
                mtime: stat.mtime,
                size: 0,
                digest: String::new(),
                target: String::new(),
            };
            match kind {
                Found::Dir => entry.kind = Kind::Dir,
                Found::Link(target) => {
                    entry.kind = Kind::Link;
                    entry.target = path::escape(&target);
                }
                Found::File | Found::Other => {
                    entry.size = stat.size;
                    let known = old.filter(|old| old.kind == Kind::File && !old.digest.is_empty());
                    match known {
                        Some(old) if index.stats.get(&key) == Some(&stat) => {
                            entry.digest.clone_from(&old.digest);
                        }
                        _ => plan.suspects.push((key.clone(), stat)),
                    }
                }
            }
            plan.stats.insert(key.clone(), stat);
            plan.next.entries.insert(key, entry);
        }
        plan
    }

    async fn carry_out(
        &self,
        home: &Home,
        held: &Held,
        root: &Arc<OwnedFd>,
        stored: Stored,
        mut plan: Plan,
    ) -> Result<Published> {
        let mut done = Published {
            unpublished: std::mem::take(&mut plan.unpublished),
            ..Published::default()
        };
        held.check()?;
        self.clear_the_way(&stored, &plan).await?;
        let memory = self.memory();
        let sent: Vec<(String, Sent)> = futures::stream::iter(std::mem::take(&mut plan.suspects))
            .map(|(key, stat)| {
                let old = stored.manifest.entries.get(&key).cloned();
                let memory = Arc::clone(&memory);
                async move {
                    held.check()?;
                    let sent = self.send(root, &key, stat, old.as_ref(), &memory).await?;
                    Ok::<_, ServiceError>((key, sent))
                }
            })
            .buffer_unordered(self.config.parallel.max(1))
            .try_collect()
            .await?;
        for (key, sent) in sent {
            let Some(entry) = plan.next.entries.get_mut(&key) else {
                continue;
            };
            match sent {
                Sent::Same(digest) => entry.digest = digest,
                Sent::New { digest, stat } => {
                    (entry.digest, entry.size, entry.mode, entry.mtime) =
                        (digest, stat.size, stat.mode, stat.mtime);
                    plan.stats.insert(key, stat);
                    done.puts = done.puts.saturating_add(1);
                    done.bytes = done.bytes.saturating_add(entry.size);
                }
                Sent::Gone => {
                    plan.next.entries.remove(&key);
                }
                Sent::Refused(reason) => {
                    match stored.manifest.entries.get(&key) {
                        Some(old) => *entry = old.clone(),
                        None => {
                            plan.next.entries.remove(&key);
                        }
                    }
                    done.unpublished.push(Unpublished { path: key, reason });
                }
            }
        }
        let total: u64 = plan
            .next
            .entries
            .values()
            .map(|entry| entry.size)
            .fold(0, u64::saturating_add);
        if total > self.limits.workspace {
            done.unpublished.push(Unpublished {
                path: String::new(),
                reason: format!(
                    "the workspace has {total} bytes, and {} are allowed; it is kept as it is",
                    self.limits.workspace
                ),
            });
        }
        done.changes = changes(&stored.manifest, &plan.next);
        let etag = self.save(held, &stored, &mut plan.next, &mut done).await?;
        // From here on the new state is the true one: what is not in it may go.
        let gone: Vec<String> = stored
            .manifest
            .entries
            .iter()
            .filter(|(key, old)| {
                old.kind == Kind::File
                    && plan
                        .next
                        .entries
                        .get(*key)
                        .is_none_or(|new| new.kind != Kind::File)
            })
            .map(|(key, _)| file_key(self.tenant, self.conversation, key))
            .collect();
        home.set_index(&Index {
            etag,
            stats: plan.stats,
        })?;
        if !gone.is_empty()
            && let Err(error) = self.objects.delete(&gone).await
        {
            // Left-over objects are named by no manifest: no reader of ours sees them.
            tracing::warn!(conversation = %self.conversation, objects = gone.len(), %error,
                "removed files are still in the store");
        }
        Ok(done)
    }

    async fn save(
        &self,
        held: &Held,
        stored: &Stored,
        next: &mut Manifest,
        done: &mut Published,
    ) -> Result<Option<String>> {
        if next.entries == stored.manifest.entries {
            return Ok(stored.etag.clone());
        }
        next.fence = held.fence();
        held.check()?;
        let base = stored.etag.as_deref();
        let saved = manifest::save(
            self.objects.as_ref(),
            self.tenant,
            self.conversation,
            next,
            base,
        )
        .await?;
        let etag = saved.ok_or_else(lease_lost)?;
        done.puts = done.puts.saturating_add(1);
        Ok(Some(etag))
    }

    /// A folder store cannot keep `a` beside `a/b`: what became a folder must not be
    /// a file any more, and the other way round.
    async fn clear_the_way(&self, stored: &Stored, plan: &Plan) -> Result<()> {
        let old = &stored.manifest.entries;
        let became_folder = |key: &str| {
            plan.next
                .entries
                .get(key)
                .is_some_and(|new| new.kind == Kind::Dir)
        };
        let parent_is_file = |key: &str| {
            key.match_indices('/').any(|(at, _)| {
                key.get(..at)
                    .and_then(|parent| plan.next.entries.get(parent))
                    .is_some_and(|p| p.kind == Kind::File)
            })
        };
        let blocked: Vec<String> = old
            .iter()
            .filter(|(key, entry)| {
                entry.kind == Kind::File && (became_folder(key) || parent_is_file(key))
            })
            .map(|(key, _)| file_key(self.tenant, self.conversation, key))
            .collect();
        if blocked.is_empty() {
            Ok(())
        } else {
            self.objects.delete(&blocked).await
        }
    }

    async fn send(
        &self,
        root: &Arc<OwnedFd>,
        key: &str,
        seen: LocalStat,
        old: Option<&Entry>,
        memory: &Arc<Semaphore>,
    ) -> Result<Sent> {
        for attempt in 0..self.config.attempts.max(1) {
            match self.send_once(root, key, seen, old, memory).await {
                Ok(Some(sent)) => return Ok(sent),
                Ok(None) => {}
                Err(error) if attempt + 1 >= self.config.attempts.max(1) => return Err(error),
                Err(error) => {
                    tracing::warn!(conversation = %self.conversation, path = %key, %error, "an upload is tried again");
                    tokio::time::sleep(std::time::Duration::from_millis(100 << attempt.min(5)))
                        .await;
                }
            }
        }
        Ok(Sent::Refused(
            "it changed each time while it was being read".into(),
        ))
    }

    /// `None`: the file changed while it was read.
    async fn send_once(
        &self,
        root: &Arc<OwnedFd>,
        key: &str,
        seen: LocalStat,
        old: Option<&Entry>,
        memory: &Arc<Semaphore>,
    ) -> Result<Option<Sent>> {
        let name = path::unescape(key);
        let part = self.config.part_size.clamp(1 << 20, 64 << 20);
        // A long file takes two parts: one on its way, one being filled.
        let weight = if seen.size <= part {
            seen.size
        } else {
            part.saturating_mul(2)
        };
        let _permit = memory
            .acquire_many(self.permits(weight))
            .await
            .map_err(ServiceError::internal)?;
        let (opened, old_digest) = (Arc::clone(root), old.map(|old| old.digest.clone()));
        let limit = self.limits.file_limit(key);
        let read = blocking(move || {
            let (mut file, stat) = match dir::open_file(&opened, &name) {
                Ok(opened) => opened,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                    return Ok(Step::Gone);
                }
                Err(error) => return Err(error),
            };
            if stat.size > limit {
                return Ok(Step::TooLong);
            }
            if stat.size <= part {
                let mut all = Vec::with_capacity(usize::try_from(stat.size).unwrap_or(0));
                (&mut file)
                    .take(limit.saturating_add(1))
                    .read_to_end(&mut all)?;
                if !same(&dir::stat_of(&file)?, &stat) || all.len() as u64 != stat.size {
                    return Ok(Step::Changed);
                }
                let digest = blake3::hash(&all).to_hex().to_string();
                if old_digest.as_ref() == Some(&digest) {
                    return Ok(Step::Same(digest));
                }
                return Ok(Step::Small {
                    bytes: all.into(),
                    digest,
                    stat,
                });
            }
            let mut hasher = blake3::Hasher::new();
            std::io::copy(&mut file, &mut hasher)?;
            if !same(&dir::stat_of(&file)?, &stat) {
                return Ok(Step::Changed);
            }
            let digest = hasher.finalize().to_hex().to_string();
            if old_digest.as_ref() == Some(&digest) {
                return Ok(Step::Same(digest));
            }
            std::io::Seek::rewind(&mut file)?;
            Ok(Step::Long { file, digest, stat })
        })
        .await?;
        let object_key = file_key(self.tenant, self.conversation, key);
        Ok(match read {
            Step::Gone => Some(Sent::Gone),
            Step::TooLong => Some(Sent::Refused(format!(
                "it grew beyond the {limit} bytes of its type"
            ))),
            Step::Changed => None,
            Step::Same(digest) => Some(Sent::Same(digest)),
            Step::Small {
                bytes,
                digest,
                stat,
            } => match self.objects.put(&object_key, bytes, Condition::Any).await? {
                Put::Done(_) => Some(Sent::New { digest, stat }),
                Put::Conflict => None,
            },
            Step::Long { file, digest, stat } => {
                let check = file.try_clone().map_err(ServiceError::internal)?;
                let stream = tokio_util::io::ReaderStream::with_capacity(
                    tokio::fs::File::from_std(file),
                    1 << 20,
                );
                let stream: ByteStream = Box::pin(stream);
                let part = usize::try_from(part).unwrap_or(8 << 20);
                let (_, size) = self.objects.put_stream(&object_key, stream, part).await?;
                let now = blocking(move || dir::stat_of(&check)).await?;
                (size == stat.size && same(&now, &stat)).then_some(Sent::New { digest, stat })
            }
        })
    }
}

enum Step {
    Gone,
    TooLong,
    Changed,
    Same(String),
    Small {
        bytes: Bytes,
        digest: String,
        stat: LocalStat,
    },
    Long {
        file: std::fs::File,
        digest: String,
        stat: LocalStat,
    },
}

/// Reading does not change these; writing does. (The mode may: it was opened up for
/// a moment if it shut us out.)
fn same(a: &LocalStat, b: &LocalStat) -> bool {
    (a.size, a.mtime, a.ino) == (b.size, b.mtime, b.ino)
}

fn changes(old: &Manifest, new: &Manifest) -> Vec<FileChange> {
    let mut changes: Vec<FileChange> = old
        .entries
        .iter()
        .filter(|(key, entry)| {
            entry.kind != Kind::Dir
                && new
                    .entries
                    .get(*key)
                    .is_none_or(|now| now.kind == Kind::Dir)
        })
        .map(|(key, _)| FileChange::Removed { path: key.clone() })
        .collect();
    for (key, entry) in new
        .entries
        .iter()
        .filter(|(_, entry)| entry.kind != Kind::Dir)
    {
        let changed = old.entries.get(key).is_none_or(|was| {
            (was.kind, &was.digest, &was.target, was.mode)
                != (entry.kind, &entry.digest, &entry.target, entry.mode)
        });
        if changed {
            changes.push(FileChange::Put {
                path: key.clone(),
                size: entry.size,
                digest: entry.digest.clone(),
                mode: entry.mode,
            });
        }
    }
    changes
}
