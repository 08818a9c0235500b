//! Mounts, and setting up the file system of a sandbox.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;

use rustix::fs::{CWD, Mode, OFlags};
use rustix::io::Errno as Host;

use super::ledger::{Ledger, PoolId};
use super::scratch::TempDir;
use super::tree::Tree;
use super::{Access, Commands, DirSource, Scratch, Vfs};
use crate::errno::Errno;
use crate::limits::Limits;

/// One mounted folder.
pub(super) struct Mount {
    /// Absolute sandbox path.
    pub(super) at: Vec<u8>,
    folder: Folder,
    pub(super) access: Access,
    /// What its content counts against; none for read-only mounts.
    pub(super) pool: Option<PoolId>,
    /// Put before paths in the journal; None where nothing is recorded.
    pub(super) journal: Option<Vec<u8>>,
    /// The synthetic directory above.
    pub(super) above: usize,
}

enum Folder {
    There(Root),
    /// A private folder that is made when it is first looked at: most sandboxes never do,
    /// and making and removing it costs more than all else.
    Temp {
        base: OwnedFd,
        made: OnceLock<Root>,
        making: Mutex<()>,
    },
}

/// The root of a mount.
pub(super) struct Root {
    pub(super) fd: OwnedFd,
    /// The host's device and inode number.
    pub(super) host_dev: u64,
    pub(super) ino: u64,
    /// Declared last: the handle is closed before the folder goes.
    _temp: Option<TempDir>,
}

impl Root {
    fn new(fd: OwnedFd, temp: Option<TempDir>) -> Result<Root, Host> {
        let stat = rustix::fs::fstat(&fd)?;
        Ok(Root {
            fd,
            host_dev: stat.st_dev,
            ino: stat.st_ino,
            _temp: temp,
        })
    }
}

impl Mount {
    /// Its root.
    pub(super) fn root(&self) -> Result<&Root, Errno> {
        let (base, made, making) = match &self.folder {
            Folder::There(root) => return Ok(root),
            Folder::Temp { base, made, making } => (base, made, making),
        };
        if let Some(root) = made.get() {
            return Ok(root);
        }
        let _making = making.lock();
        if made.get().is_none() {
            let temp = TempDir::new(base.as_fd())?;
            let root = Root::new(reopen_dir(temp.fd())?, Some(temp))?;
            // Nobody else sets it while we hold the lock.
            let _ = made.set(root);
        }
        made.get().ok_or(Errno::IO)
    }

    /// Handle of its root.
    pub(super) fn fd(&self) -> Result<BorrowedFd<'_>, Errno> {
        Ok(self.root()?.fd.as_fd())
    }
}

/// Why a sandbox's file system could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum VfsError {
    /// A folder could not be opened.
    #[error("cannot mount {at}: {source}")]
    Open {
        /// Where it should have appeared.
        at: String,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The mount point is taken, inside another mount, or not a plain absolute path.
    #[error("{0:?} is not a free mount point")]
    MountPoint(String),
}

/// Collects the mounts of a sandbox.
pub(crate) struct VfsBuilder {
    limits: Limits,
    commands: Commands,
    mounts: Vec<(String, DirSource, Access)>,
    scratch: Option<Scratch>,
    tty: bool,
    usage: Option<(u64, u64)>,
    openat2: bool,
}

impl VfsBuilder {
    pub(super) fn new(limits: &Limits, commands: Commands) -> Self {
        VfsBuilder {
            limits: limits.clone(),
            commands,
            mounts: Vec::new(),
            scratch: None,
            tty: false,
            usage: None,
            openat2: true,
        }
    }

    /// A folder at `/workspace`.
    #[cfg(test)]
    pub(crate) fn workspace(self, source: DirSource, access: Access) -> Self {
        self.mount("/workspace", source, access)
    }

    /// A folder at an absolute path that is neither taken nor inside another mount.
    pub(crate) fn mount(mut self, at: &str, source: DirSource, access: Access) -> Self {
        self.mounts.push((at.to_owned(), source, access));
        self
    }

    /// What is at `/tmp`; without it there is none.
    pub(crate) fn scratch(mut self, scratch: Scratch) -> Self {
        self.scratch = Some(scratch);
        self
    }

    /// Whether `/dev/tty` exists.
    pub(crate) fn tty(mut self, tty: bool) -> Self {
        self.tty = tty;
        self
    }

    /// Bytes and entries already in the writable mounts, `/tmp` excepted. Without it they
    /// are counted by a scan before the first operation that adds to them.
    pub(crate) fn usage(mut self, bytes: u64, files: u64) -> Self {
        self.usage = Some((bytes, files));
        self
    }

    /// Resolves every path component by component, as on a kernel without `openat2`.
    #[cfg(test)]
    pub(crate) fn without_openat2(mut self) -> Self {
        self.openat2 = false;
        self
    }

    /// Opens the folders.
    pub(crate) fn build(self) -> Result<Arc<Vfs>, VfsError> {
        let mut tree = Tree::new(self.commands, self.tty);
        let mut mounts = Vec::new();
        let mut all: Vec<(String, Folder, Access, Option<PoolId>)> = Vec::new();
        for (at, source, access) in self.mounts {
            let folder = there(source).map_err(|e| opening(&at, e))?;
            let pool = (access == Access::ReadWrite).then_some(PoolId::Workspace);
            all.push((at, folder, access, pool));
        }
        let mut scratch_is_empty = false;
        if let Some(scratch) = self.scratch {
            let at = "/tmp".to_owned();
            scratch_is_empty = !matches!(scratch, Scratch::Dir(_));
            let folder = match scratch {
                Scratch::Dir(source) => there(source),
                Scratch::Temp => later(host_temp()),
                Scratch::TempIn(base) => later(base),
            };
            let folder = folder.map_err(|e| opening(&at, e))?;
            all.push((at, folder, Access::ReadWrite, Some(PoolId::Scratch)));
        }
        for (at, folder, access, pool) in all {
            let above = at
                .starts_with('/')
                .then(|| tree.add_mount(at.as_bytes(), mounts.len()))
                .flatten()
                .ok_or_else(|| VfsError::MountPoint(at.clone()))?;
            let mut at: Vec<u8> = at.into_bytes();
            while at.last() == Some(&b'/') {
                at.pop();
            }
            let journal = (pool == Some(PoolId::Workspace)).then(|| {
                if at == b"/workspace" {
                    Vec::new()
                } else {
                    [at.as_slice(), b"/"].concat()
                }
            });
            mounts.push(Mount {
                at,
                folder,
                access,
                pool,
                journal,
                above,
            });
        }
        let ledger = Ledger::new(&self.limits, self.usage, scratch_is_empty);
        Ok(Arc::new(Vfs::assemble(
            &self.limits,
            tree,
            mounts,
            ledger,
            self.openat2 && has_openat2(),
        )))
    }
}

fn opening(at: &str, e: Host) -> VfsError {
    VfsError::Open {
        at: at.to_owned(),
        source: e.into(),
    }
}

fn there(source: DirSource) -> Result<Folder, Host> {
    Ok(Folder::There(Root::new(open_source(source)?, None)?))
}

fn later(base: PathBuf) -> Result<Folder, Host> {
    let base = open_source(DirSource::Path(base))?;
    Ok(Folder::Temp {
        base,
        made: OnceLock::new(),
        making: Mutex::new(()),
    })
}

/// The host's folder for temporary files.
#[allow(
    clippy::disallowed_methods,
    reason = "the operator's own folder, not a tenant's"
)]
fn host_temp() -> PathBuf {
    std::env::temp_dir()
}

fn open_source(source: DirSource) -> Result<OwnedFd, Host> {
    match source {
        DirSource::Path(path) => rustix::fs::openat(
            CWD,
            path,
            OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC,
            Mode::empty(),
        ),
        DirSource::Fd(fd) => reopen_dir(fd.as_fd()),
    }
}

/// A readable handle of its own for an open directory.
pub(super) fn reopen_dir(fd: BorrowedFd<'_>) -> Result<OwnedFd, Host> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(fd, ".", flags, Mode::empty())
}

/// Sets the permission bits of what an `O_PATH` handle stands for, which `fchmod` refuses.
pub(super) fn chmod_path_fd(fd: BorrowedFd<'_>, mode: Mode) -> Result<(), Host> {
    let path = format!("/proc/self/fd/{}", fd.as_raw_fd());
    rustix::fs::chmodat(CWD, path, mode, rustix::fs::AtFlags::empty())
}

/// Whether the kernel has `openat2` and lets us use it; some containers do not.
fn has_openat2() -> bool {
    static HAS: OnceLock<bool> = OnceLock::new();
    *HAS.get_or_init(|| {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let resolve = rustix::fs::ResolveFlags::NO_MAGICLINKS;
        let probe = |fd: BorrowedFd<'_>| {
            rustix::fs::openat2(fd, ".", flags, Mode::empty(), resolve).is_ok()
        };
        match rustix::fs::openat(CWD, "/", flags, Mode::empty()) {
            Ok(root) => probe(root.as_fd()),
            Err(_) => false,
        }
    })
}

/// Permission bits that the host process's umask takes from what it creates. Read once:
/// hardshell never changes it. Where it cannot be read, every created file's bits are set
/// explicitly.
pub(super) fn host_umask() -> u32 {
    static MASK: OnceLock<u32> = OnceLock::new();
    *MASK.get_or_init(|| {
        let read = || -> Option<u32> {
            let fd = rustix::fs::openat(
                CWD,
                "/proc/self/status",
                OFlags::RDONLY | OFlags::CLOEXEC,
                Mode::empty(),
            )
            .ok()?;
            let mut buf = [0u8; 512];
            let n = rustix::io::read(&fd, &mut buf[..]).ok()?;
            let text = std::str::from_utf8(buf.get(..n)?).ok()?;
            let line = text.lines().find_map(|l| l.strip_prefix("Umask:"))?;
            u32::from_str_radix(line.trim(), 8).ok()
        };
        read().unwrap_or(0o777)
    })
}
