//! On whose behalf an operation is done.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use parking_lot::Mutex;

use super::{CallJournal, QuotaExceeded, path};
use crate::errno::Errno;
use crate::limits::Limits;
use crate::report::QuotaKind;

/// The limits that matter here.
#[derive(Debug)]
pub(super) struct FsLimits {
    pub(super) file_bytes: u64,
    pub(super) sizes: BTreeMap<String, u64>,
    pub(super) workspace_bytes: u64,
    pub(super) workspace_files: u64,
    pub(super) scratch_bytes: u64,
    pub(super) path_depth: usize,
}

/// A process, as far as files go: its limits, its umask, its call's journal.
pub(crate) struct Actor {
    pub(super) limits: Arc<FsLimits>,
    pub(super) call: Arc<CallJournal>,
    umask: AtomicU32,
    hit: Mutex<Option<QuotaExceeded>>,
}

impl Actor {
    /// The first process of a call. `limits` are those of the call and the sandbox
    /// together, the smallest of each.
    pub(crate) fn new(limits: &Limits, umask: u32, call: Arc<CallJournal>) -> Actor {
        let limits = FsLimits {
            file_bytes: limits.file_bytes,
            sizes: limits.sizes.clone(),
            workspace_bytes: limits.workspace_bytes,
            workspace_files: limits.workspace_files,
            scratch_bytes: limits.scratch_bytes,
            path_depth: usize::try_from(limits.path_depth).unwrap_or(usize::MAX),
        };
        Actor {
            limits: Arc::new(limits),
            call,
            umask: AtomicU32::new(umask & 0o777),
            hit: Mutex::new(None),
        }
    }

    /// A child process: same limits, call and umask.
    pub(crate) fn fork(&self) -> Actor {
        Actor {
            limits: self.limits.clone(),
            call: self.call.clone(),
            umask: AtomicU32::new(self.umask()),
            hit: Mutex::new(None),
        }
    }

    /// Permission bits that are taken from what it creates.
    pub(crate) fn umask(&self) -> u32 {
        self.umask.load(Ordering::Relaxed)
    }

    /// Sets them and returns those before.
    pub(crate) fn set_umask(&self, umask: u32) -> u32 {
        self.umask.swap(umask & 0o777, Ordering::Relaxed)
    }

    /// The limit behind the last DQUOT.
    pub(crate) fn take_quota_hit(&self) -> Option<QuotaExceeded> {
        self.hit.lock().take()
    }

    /// Remembers a limit and returns the error for it.
    pub(super) fn exceeded(
        &self,
        which: QuotaKind,
        extension: Option<String>,
        limit: u64,
        used: u64,
        asked: u64,
    ) -> Errno {
        *self.hit.lock() = Some(QuotaExceeded {
            which,
            extension,
            limit,
            used,
            asked,
        });
        Errno::DQUOT
    }

    /// Largest size of a file of this name, and the extension if it is what decides.
    pub(super) fn size_limit(&self, name: &[u8]) -> (u64, Option<String>) {
        let all = self.limits.file_bytes;
        if self.limits.sizes.is_empty() {
            return (all, None);
        }
        match path::extension(name) {
            Some(ext) => match self.limits.sizes.get(&ext) {
                Some(limit) if *limit < all => (*limit, Some(ext)),
                _ => (all, None),
            },
            None => (all, None),
        }
    }
}
