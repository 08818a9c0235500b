//! What a server keeps on its own disk: its name, its lock, scratch folders, and the
//! users that its children run as.

use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;
use rustix::fs::{FlockOperation, Mode, OFlags};

use crate::config::ServiceConfig;
use crate::error::{ErrorKind, Result, ServiceError};
use crate::sync::dir;

fn disk(cause: io::Error) -> ServiceError {
    ServiceError::new(ErrorKind::Config, "The data folder cannot be used.").because(cause)
}

/// Makes the data folder and locks it: two servers on one would undo each other.
pub(crate) fn lock(data_dir: &Path) -> Result<File> {
    dir::make_private(data_dir).map_err(disk)?;
    let folder = dir::open_ambient(data_dir).map_err(disk)?;
    let file = rustix::fs::openat(
        &folder,
        "lock",
        OFlags::RDWR | OFlags::CREATE | OFlags::CLOEXEC | OFlags::NOFOLLOW,
        Mode::from_raw_mode(0o600),
    )
    .map_err(|error| disk(error.into()))?;
    rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive).map_err(|error| {
        ServiceError::new(
            ErrorKind::Config,
            "The data folder is in use by another server.",
        )
        .because(io::Error::from(error))
    })?;
    Ok(File::from(file))
}

/// This server's name: configured, or made at its first start and kept.
pub(crate) fn replica(config: &ServiceConfig) -> Result<String> {
    if let Some(name) = &config.replica {
        return Ok(name.clone());
    }
    let folder = dir::open_ambient(&config.data_dir).map_err(disk)?;
    if let Some(name) = dir::read_small(&folder, "replica").map_err(disk)?
        && let Ok(name) = String::from_utf8(name)
        && !name.trim().is_empty()
    {
        return Ok(name.trim().to_owned());
    }
    let name = format!("r{}", uuid::Uuid::new_v4().simple());
    dir::write_atomic(&folder, "replica", name.as_bytes()).map_err(disk)?;
    Ok(name)
}

/// Folders that are gone after a run.
pub(crate) struct ScratchFolders {
    path: PathBuf,
    folder: Arc<OwnedFd>,
}

/// One of them.
pub(crate) struct ScratchFolder {
    folder: Arc<OwnedFd>,
    name: String,
}

impl ScratchFolders {
    /// Opens `{data_dir}/scratch` and removes what is left of earlier.
    pub(crate) fn open(data_dir: &Path) -> Result<Self> {
        let path = data_dir.join("scratch");
        let open = || -> io::Result<OwnedFd> {
            dir::make_private(&path)?;
            let folder = dir::open_ambient(&path)?;
            for name in dir::names(&folder)? {
                dir::remove_tree(&folder, &name)?;
            }
            Ok(folder)
        };
        let folder = Arc::new(open().map_err(disk)?);
        Ok(Self { path, folder })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn make(&self, name: &str) -> Result<ScratchFolder> {
        dir::make_dir(&self.folder, name.as_bytes()).map_err(disk)?;
        Ok(ScratchFolder {
            folder: Arc::clone(&self.folder),
            name: name.to_owned(),
        })
    }
}

impl ScratchFolder {
    pub(crate) fn folder(&self) -> Result<OwnedFd> {
        dir::open_dir(&self.folder, self.name.as_bytes()).map_err(disk)
    }
}

impl Drop for ScratchFolder {
    fn drop(&mut self) {
        if let Err(error) = dir::remove_tree(&self.folder, self.name.as_bytes()) {
            tracing::warn!(%error, "a scratch folder was not removed");
        }
    }
}

/// Users for children, when we may give them away: one each, so that no child can
/// look into or signal another.
pub(crate) struct Users {
    base: Option<u32>,
    most: u32,
    taken: Arc<Mutex<BTreeSet<u32>>>,
}

/// One of them, for the time of a run.
pub(crate) struct UserSlot {
    id: Option<u32>,
    taken: Arc<Mutex<BTreeSet<u32>>>,
}

impl Users {
    pub(crate) fn new(base: u32, most: u32) -> Self {
        let root = rustix::process::geteuid().is_root();
        Self {
            base: root.then_some(base),
            most,
            taken: Arc::default(),
        }
    }

    /// Whether children have users of their own.
    pub(crate) fn separate(&self) -> bool {
        self.base.is_some()
    }

    pub(crate) fn take(&self) -> Result<UserSlot> {
        let mut taken = self.taken.lock();
        let Some(base) = self.base else {
            return Ok(UserSlot {
                id: None,
                taken: Arc::clone(&self.taken),
            });
        };
        let free = (0..self.most)
            .map(|at| base.saturating_add(at))
            .find(|id| !taken.contains(id));
        let id = free.ok_or_else(|| ServiceError::internal("no user is free for another agent"))?;
        taken.insert(id);
        Ok(UserSlot {
            id: Some(id),
            taken: Arc::clone(&self.taken),
        })
    }
}

impl UserSlot {
    pub(crate) fn user(&self) -> Option<u32> {
        self.id
    }
}

impl Drop for UserSlot {
    fn drop(&mut self) {
        if let Some(id) = self.id {
            self.taken.lock().remove(&id);
        }
    }
}

/// The folder of the children's own folders. Children with users of their own
/// cannot pass through the data folder, which is closed: theirs is below `/tmp`
/// unless one is configured.
pub(crate) fn agent_dir(
    config: &ServiceConfig,
    replica: &str,
    separate: bool,
) -> Result<(Arc<OwnedFd>, PathBuf)> {
    let path = match (&config.agent.run_dir, separate) {
        (Some(path), _) => path.clone(),
        (None, false) => config.data_dir.join("agent"),
        (None, true) => PathBuf::from("/tmp").join(format!("hardshell-agent-{replica}")),
    };
    let open = || -> io::Result<(OwnedFd, PathBuf)> {
        dir::make_private(&path)?;
        let folder = dir::open_ambient(&path)?;
        let stat = rustix::fs::fstat(&folder)?;
        if stat.st_uid != rustix::process::geteuid().as_raw() {
            return Err(io::Error::other(
                "the folder for agents belongs to another user",
            ));
        }
        rustix::fs::fchmod(
            &folder,
            Mode::from_raw_mode(if separate { 0o711 } else { 0o700 }),
        )?;
        for name in dir::names(&folder)? {
            dir::remove_tree(&folder, &name)?;
        }
        #[allow(
            clippy::disallowed_methods,
            reason = "an operator's path, not a tenant's"
        )]
        let path = std::fs::canonicalize(&path)?;
        Ok((folder, path))
    };
    let (folder, path) = open().map_err(disk)?;
    Ok((Arc::new(folder), path))
}
