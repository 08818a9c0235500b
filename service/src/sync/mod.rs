//! Workspaces between the object store and a local folder.
//!
//! A workspace's local home is `{data_dir}/work/{conversation}` with the folder
//! `ws` (what the sandbox mounts), `run.json` (whose it is) and `index.json` (what
//! was fetched; its presence says that fetching was completed). The home outlives
//! a failed upload; whoever has the lease next publishes it first.

pub(crate) mod dir;
mod home;
mod hydrate;
pub(crate) mod manifest;
pub(crate) mod path;
mod publish;

use std::sync::Arc;

use tokio::sync::Semaphore;

pub(crate) use self::home::{Home, HomeInfo, Homes};
pub(crate) use self::publish::Published;
use crate::config::{ServiceLimits, SyncConfig};
use crate::error::Result;
use crate::ids::{ConversationId, TenantId};
use crate::objects::Objects;

/// Carries one conversation's workspace.
pub(crate) struct Sync<'a> {
    pub(crate) objects: &'a Arc<dyn Objects>,
    pub(crate) config: &'a SyncConfig,
    pub(crate) limits: &'a ServiceLimits,
    pub(crate) tenant: &'a TenantId,
    pub(crate) conversation: &'a ConversationId,
}

impl Sync<'_> {
    /// Whether the store has been written by a later run than the home's.
    pub(crate) async fn moved_on(&self, info: &HomeInfo) -> Result<bool> {
        let stored = manifest::load(self.objects.as_ref(), self.tenant, self.conversation).await?;
        Ok(stored.manifest.fence > info.fence)
    }

    /// Permits for the memory of transfers, in KiB.
    fn memory(&self) -> Arc<Semaphore> {
        let kib = usize::try_from(self.config.memory >> 10).unwrap_or(usize::MAX);
        Arc::new(Semaphore::new(kib.clamp(1024, Semaphore::MAX_PERMITS)))
    }

    /// What a transfer of this many bytes asks of [`Self::memory`].
    fn permits(&self, bytes: u64) -> u32 {
        let whole = u32::try_from(self.config.memory >> 10)
            .unwrap_or(u32::MAX)
            .max(1024);
        u32::try_from((bytes >> 10).saturating_add(1))
            .unwrap_or(u32::MAX)
            .min(whole)
    }
}

#[cfg(test)]
mod figures;
#[cfg(test)]
mod tests;
