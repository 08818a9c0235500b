//! From the store to the local folder: only what differs.

use std::collections::BTreeMap;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use futures::{StreamExt, TryStreamExt};

use super::home::{Home, HomeInfo, Homes, Index};
use super::manifest::{self, Entry, Kind, Stored, file_key};
use super::{Sync, dir, path};
use crate::error::{Result, ServiceError};
use crate::objects::unreachable_store;

/// Above this a file is written as it arrives.
const SMALL: u64 = 1 << 20;

enum Fetched {
    Same(dir::LocalStat),
    /// Not what the manifest says: who wrote it had not finished, or is not us.
    Other,
    Gone,
}

impl Sync<'_> {
    /// Fetches the workspace into a new home, and says whether it is exactly what the
    /// manifest names.
    pub(crate) async fn hydrate(&self, homes: &Homes, info: &HomeInfo) -> Result<(Home, bool)> {
        let stored = manifest::load(self.objects.as_ref(), self.tenant, self.conversation).await?;
        let home = homes.create(info)?;
        let root = Arc::new(home.workspace()?);
        let mut stats = self.make_folders(&root, &stored.manifest.entries).await?;
        stats.extend(self.fetch_files(&root, &stored).await?);
        stats.extend(self.finish_folders(&root, &stored.manifest.entries).await?);
        let exact = stats.len() == stored.manifest.entries.len();
        home.set_index(&Index {
            etag: stored.etag,
            stats,
        })?;
        Ok((home, exact))
    }

    async fn make_folders(
        &self,
        root: &Arc<OwnedFd>,
        entries: &BTreeMap<String, Entry>,
    ) -> Result<BTreeMap<String, dir::LocalStat>> {
        let root = Arc::clone(root);
        let wanted: Vec<(String, Entry)> = entries
            .iter()
            .filter(|(_, entry)| entry.kind != Kind::File)
            .map(|(key, entry)| (key.clone(), entry.clone()))
            .collect();
        blocking(move || {
            let mut links = BTreeMap::new();
            // Sorted by name, a folder comes before what is in it; links come last, so
            // that nothing is made through one.
            for (key, _) in wanted.iter().filter(|(_, entry)| entry.kind == Kind::Dir) {
                dir::make_dir(&root, &path::unescape(key))?;
            }
            for (key, entry) in wanted.iter().filter(|(_, entry)| entry.kind == Kind::Link) {
                let target = path::unescape(&entry.target);
                links.insert(
                    key.clone(),
                    dir::make_link(&root, &path::unescape(key), &target)?,
                );
            }
            Ok(links)
        })
        .await
    }

    async fn finish_folders(
        &self,
        root: &Arc<OwnedFd>,
        entries: &BTreeMap<String, Entry>,
    ) -> Result<BTreeMap<String, dir::LocalStat>> {
        let root = Arc::clone(root);
        let folders: Vec<(String, u32, i64)> = entries
            .iter()
            .filter(|(_, entry)| entry.kind == Kind::Dir)
            .map(|(key, entry)| (key.clone(), entry.mode, entry.mtime))
            .collect();
        blocking(move || {
            let mut stats = BTreeMap::new();
            // Innermost first: a folder without permission shuts us out of what is in it.
            for (key, mode, mtime) in folders.iter().rev() {
                let stat = dir::finish_dir(&root, &path::unescape(key), *mode, *mtime)?;
                stats.insert(key.clone(), stat);
            }
            Ok(stats)
        })
        .await
    }

    async fn fetch_files(
        &self,
        root: &Arc<OwnedFd>,
        stored: &Stored,
    ) -> Result<BTreeMap<String, dir::LocalStat>> {
        let memory = self.memory();
        let files: Vec<(String, Entry)> = stored
            .manifest
            .entries
            .iter()
            .filter(|(_, entry)| entry.kind == Kind::File)
            .map(|(key, entry)| (key.clone(), entry.clone()))
            .collect();
        let fetched: Vec<(String, Fetched)> = futures::stream::iter(files)
            .map(|(key, entry)| {
                let memory = Arc::clone(&memory);
                async move {
                    let permits = self.permits(entry.size.min(SMALL));
                    let _permit = memory
                        .acquire_many(permits)
                        .await
                        .map_err(ServiceError::internal)?;
                    let fetched = self.fetch(root, &key, &entry).await?;
                    Ok::<_, ServiceError>((key, fetched))
                }
            })
            .buffer_unordered(self.config.parallel.max(1))
            .try_collect()
            .await?;
        let mut stats = BTreeMap::new();
        for (key, fetched) in fetched {
            match fetched {
                Fetched::Same(stat) => {
                    stats.insert(key, stat);
                }
                Fetched::Other => {
                    // Not in the index, so that the next publish looks at it again.
                    tracing::warn!(conversation = %self.conversation, path = %key,
                        "a file in the store is not the one that the manifest names; the file is taken");
                }
                Fetched::Gone => {
                    tracing::warn!(conversation = %self.conversation, path = %key,
                        "a file that the manifest names is not in the store");
                }
            }
        }
        Ok(stats)
    }

    async fn fetch(&self, root: &Arc<OwnedFd>, key: &str, entry: &Entry) -> Result<Fetched> {
        let name = path::unescape(key);
        let object_key = file_key(self.tenant, self.conversation, key);
        let Some(mut object) = self.objects.get(&object_key).await? else {
            return Ok(Fetched::Gone);
        };
        let (root, mode, mtime) = (Arc::clone(root), entry.mode, entry.mtime);
        let (stat, digest) = if object.size <= SMALL {
            let bytes = object.collect(SMALL).await?;
            blocking(move || {
                let mut file = dir::create_file(&root, &name)?;
                file.write_all(&bytes)?;
                let digest = blake3::hash(&bytes).to_hex().to_string();
                Ok((dir::finish_file(&file, mode, mtime)?, digest))
            })
            .await?
        } else {
            let mut hasher = blake3::Hasher::new();
            let mut file = blocking(move || dir::create_file(&root, &name)).await?;
            while let Some(part) = object.bytes.next().await {
                let part = part.map_err(unreachable_store)?;
                (file, hasher) = blocking(move || {
                    file.write_all(&part)?;
                    hasher.update(&part);
                    Ok((file, hasher))
                })
                .await?;
            }
            let stat = blocking(move || dir::finish_file(&file, mode, mtime)).await?;
            (stat, hasher.finalize().to_hex().to_string())
        };
        Ok(if digest == entry.digest {
            Fetched::Same(stat)
        } else {
            Fetched::Other
        })
    }
}

pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> Result<T> {
    let done = tokio::task::spawn_blocking(work)
        .await
        .map_err(ServiceError::internal)?;
    done.map_err(|cause| {
        ServiceError::new(
            crate::error::ErrorKind::SyncFailed,
            "The server's own disk failed.",
        )
        .because(cause)
    })
}
