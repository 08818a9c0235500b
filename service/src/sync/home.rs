//! The local homes of workspaces.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::dir::{self, LocalStat};
use crate::error::{ErrorKind, Result, ServiceError};
use crate::ids::{ConversationId, ExecutionId, TenantId};

/// Whose a home is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct HomeInfo {
    pub(crate) tenant: TenantId,
    pub(crate) conversation: ConversationId,
    pub(crate) execution: ExecutionId,
    /// Token of the run that fetched it.
    pub(crate) fence: u64,
}

/// What was fetched: the manifest's version and each file's local stat.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Index {
    pub(super) etag: Option<String>,
    pub(super) stats: BTreeMap<String, LocalStat>,
}

/// All homes of this server.
#[derive(Clone)]
pub(crate) struct Homes {
    work: Arc<OwnedFd>,
    stranded: Arc<OwnedFd>,
}

/// One home.
#[derive(Clone)]
pub(crate) struct Home {
    homes: Homes,
    name: String,
    dir: Arc<OwnedFd>,
}

const INFO: &str = "run.json";
const INDEX: &str = "index.json";
const WORKSPACE: &[u8] = b"ws";

fn local(cause: io::Error) -> ServiceError {
    ServiceError::new(ErrorKind::SyncFailed, "The server's own disk failed.").because(cause)
}

impl Homes {
    /// Opens `{data_dir}/work` and `{data_dir}/stranded`.
    pub(crate) fn open(data_dir: &Path) -> Result<Self> {
        let open = |name: &str| -> io::Result<Arc<OwnedFd>> {
            let path = data_dir.join(name);
            dir::make_private(&path)?;
            Ok(Arc::new(dir::open_ambient(&path)?))
        };
        Ok(Self {
            work: open("work").map_err(local)?,
            stranded: open("stranded").map_err(local)?,
        })
    }

    /// The home of a conversation, if there is one.
    pub(crate) fn find(&self, conversation: &ConversationId) -> Result<Option<Home>> {
        self.open_home(conversation.as_str())
    }

    fn open_home(&self, name: &str) -> Result<Option<Home>> {
        match dir::open_dir(&self.work, name.as_bytes()) {
            Ok(dir) => Ok(Some(Home {
                homes: self.clone(),
                name: name.to_owned(),
                dir: Arc::new(dir),
            })),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(local(error)),
        }
    }

    /// Makes an empty home.
    pub(crate) fn create(&self, info: &HomeInfo) -> Result<Home> {
        let name = info.conversation.as_str();
        let make = || -> io::Result<Home> {
            dir::make_dir(&self.work, name.as_bytes())?;
            let handle = dir::open_dir(&self.work, name.as_bytes())?;
            dir::write_atomic(&handle, INFO, &serde_json::to_vec(info)?)?;
            dir::make_dir(&handle, WORKSPACE)?;
            Ok(Home {
                homes: self.clone(),
                name: name.to_owned(),
                dir: Arc::new(handle),
            })
        };
        make().map_err(local)
    }

    /// Every home there is.
    pub(crate) fn all(&self) -> Result<Vec<Home>> {
        let mut homes = Vec::new();
        // A handle of its own: the position in a folder belongs to the handle.
        let work = dir::open_dir(&self.work, b".").map_err(local)?;
        for name in dir::names(&work).map_err(local)? {
            if let Some(home) = std::str::from_utf8(&name)
                .ok()
                .map(|n| self.open_home(n))
                .transpose()?
                .flatten()
            {
                homes.push(home);
            }
        }
        Ok(homes)
    }
}

impl Home {
    /// The workspace's folder.
    pub(crate) fn workspace(&self) -> Result<OwnedFd> {
        dir::open_dir(&self.dir, WORKSPACE).map_err(local)
    }

    /// Whose it is; `None` if it was not even begun.
    pub(crate) fn info(&self) -> Result<Option<HomeInfo>> {
        let bytes = dir::read_small(&self.dir, INFO).map_err(local)?;
        Ok(bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
    }

    /// What was fetched; `None` if fetching was not completed, and what is here
    /// must not be published.
    pub(super) fn index(&self) -> Result<Option<Index>> {
        let bytes = dir::read_small(&self.dir, INDEX).map_err(local)?;
        Ok(bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
    }

    /// Says that a later holder of the lease is at it, before that one publishes.
    pub(crate) fn adopt(&self, mut info: HomeInfo, fence: u64) -> Result<()> {
        info.fence = fence;
        dir::write_atomic(&self.dir, INFO, &serde_json::to_vec(&info)?).map_err(local)
    }

    /// Whether fetching was completed.
    pub(crate) fn is_complete(&self) -> bool {
        self.index().is_ok_and(|index| index.is_some())
    }

    pub(super) fn set_index(&self, index: &Index) -> Result<()> {
        dir::write_atomic(&self.dir, INDEX, &serde_json::to_vec(index)?).map_err(local)
    }

    /// Removes it.
    pub(crate) fn remove(&self) -> Result<()> {
        // The index goes first: half a workspace must never look like a whole one.
        dir::remove(&self.dir, INDEX.as_bytes()).map_err(local)?;
        dir::remove_tree(&self.homes.work, self.name.as_bytes()).map_err(local)
    }

    /// Puts it aside for an operator: it cannot be published, and is not ours to
    /// throw away.
    pub(crate) fn strand(&self) -> Result<String> {
        let name = format!("{}.{}", self.name, crate::time::now());
        rustix::fs::renameat(
            &self.homes.work,
            self.name.as_str(),
            &self.homes.stranded,
            name.as_str(),
        )
        .map_err(|error| local(error.into()))?;
        Ok(name)
    }
}
