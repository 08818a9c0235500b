//! The file system of a sandbox: a mount table over directory handles, a few synthetic
//! nodes, a ledger of what is used and a journal of what changed.
//!
//! It knows no wasmtime: plain synchronous Rust over system calls. Nothing here ever builds
//! a host path from a guest's bytes. A path is resolved either by the kernel beneath a
//! mount's directory handle (`resolve`), or component by component over handles that were
//! all reached from that mount's root (`walk`).
//!
//! What exists: the mounts, `/` and the directories above mounts, `/dev` with a few
//! devices, `/bin` and `/usr/bin` with the commands. Nothing else.

mod actor;
mod dir;
mod file;
mod journal;
mod ledger;
mod locks;
mod meta;
mod mount;
mod names;
mod open;
mod path;
mod resolve;
mod scan;
mod scratch;
#[cfg(test)]
mod tests;
mod tree;
mod types;
mod walk;

use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use parking_lot::Mutex;
use smallvec::SmallVec;

use crate::errno::Errno;
use crate::limits::Limits;

pub(crate) use actor::Actor;
pub(crate) use dir::DirHandle;
use dir::{Dir, MoveLog};
pub(crate) use file::FileHandle;
pub(crate) use journal::CallJournal;
use journal::{Event, Session};
use ledger::{Ledger, PoolId};
pub(crate) use locks::Lock;
use locks::LockTable;
use mount::Mount;
pub(crate) use mount::VfsBuilder;
pub use mount::VfsError;
use resolve::ParentCache;
use tree::Tree;
pub use types::{Access, Change, ChangeKind, DirSource, FileType, QuotaExceeded, Scratch};
pub(crate) use types::{
    Base, Cwd, Device, DirEntry, OpenOptions, Opened, Stat, StatFs, Stated, Times, When,
};

/// Names of the commands, asked anew when `/bin` is looked into.
pub(crate) type Commands = Arc<dyn Fn() -> Vec<String> + Send + Sync>;

/// The file system of one sandbox, or a view of it that allows less ([`Vfs::view`]).
pub(crate) struct Vfs {
    shared: Arc<Shared>,
    tree: Arc<Tree>,
    /// What may be done in each mount; None where it does not exist in this view.
    access: SmallVec<[Option<Access>; 4]>,
}

/// What all views of a sandbox's file system have in common.
pub(crate) struct Shared {
    mounts: Vec<Mount>,
    ledger: Ledger,
    session: Session,
    moves: MoveLog,
    parents: ParentCache,
    locks: LockTable,
    /// Held while names are changed, so that what is counted is what was changed.
    names: Mutex<()>,
    /// Files and directories open.
    handles: AtomicU64,
    /// Counts changes of content; see `file::FileHandle::stat`.
    writes: AtomicU64,
    openat2: bool,
    /// The host's superuser passes every permission bit; then they are checked here.
    check_modes: bool,
    max_depth: usize,
    /// Time of the synthetic nodes, nanoseconds since 1970.
    born: u64,
}

/// Handles of the host that a sandbox may hold, all its processes together: else one could
/// take them all from its neighbours, descriptor by descriptor.
const MAX_HANDLES: u64 = 4096;

/// The place of one open file or directory among [`MAX_HANDLES`].
struct Slot(Arc<Vfs>);

impl Slot {
    fn take(vfs: &Arc<Vfs>) -> Result<Slot, Errno> {
        let slot = Slot(vfs.clone());
        if vfs.handles.fetch_add(1, Ordering::Relaxed) >= MAX_HANDLES {
            return Err(Errno::NFILE);
        }
        Ok(slot)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.handles.fetch_sub(1, Ordering::Relaxed);
    }
}

impl std::ops::Deref for Vfs {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.shared
    }
}

impl Vfs {
    /// A builder without mounts.
    pub(crate) fn builder(limits: &Limits, commands: Commands) -> VfsBuilder {
        VfsBuilder::new(limits, commands)
    }

    fn assemble(
        limits: &Limits,
        tree: Tree,
        mounts: Vec<Mount>,
        ledger: Ledger,
        openat2: bool,
    ) -> Vfs {
        let born = SystemTime::UNIX_EPOCH
            .elapsed()
            .unwrap_or_default()
            .as_nanos();
        let access = mounts.iter().map(|m| Some(m.access)).collect();
        let shared = Shared {
            mounts,
            ledger,
            session: Session::default(),
            moves: MoveLog::default(),
            parents: ParentCache::default(),
            locks: LockTable::default(),
            names: Mutex::new(()),
            handles: AtomicU64::new(0),
            writes: AtomicU64::new(0),
            openat2,
            check_modes: rustix::process::geteuid().is_root(),
            max_depth: usize::try_from(limits.path_depth).unwrap_or(usize::MAX),
            born: u64::try_from(born).unwrap_or(0),
        };
        Vfs {
            shared: Arc::new(shared),
            tree: Arc::new(tree),
            access,
        }
    }

    /// The same files, ledger, journal and locks, with no more than `mounts` allowed in any
    /// mount but `/tmp` (None: they do not exist), and with `/tmp` only if `tmp`.
    pub(crate) fn view(self: &Arc<Self>, mounts: Option<Access>, tmp: bool) -> Arc<Vfs> {
        let access = self.mounts.iter().zip(&self.access).map(|(mount, now)| {
            let most = match mount.pool {
                Some(PoolId::Scratch) => tmp.then_some(Access::ReadWrite),
                _ => mounts,
            };
            match (now, most) {
                (Some(Access::ReadWrite), Some(Access::ReadWrite)) => Some(Access::ReadWrite),
                (Some(_), Some(_)) => Some(Access::ReadOnly),
                _ => None,
            }
        });
        let access: SmallVec<[Option<Access>; 4]> = access.collect();
        if access == self.access {
            return self.clone();
        }
        let hidden = |m: usize| access.get(m).is_none_or(Option::is_none);
        let tree = match (0..access.len()).any(hidden) {
            true => Arc::new(self.tree.without(hidden)),
            false => self.tree.clone(),
        };
        Arc::new(Vfs {
            shared: self.shared.clone(),
            tree,
            access,
        })
    }

    fn mount(&self, index: usize) -> Result<&Mount, Errno> {
        match self.access.get(index) {
            Some(Some(_)) => self.mounts.get(index).ok_or(Errno::NOENT),
            _ => Err(Errno::NOENT),
        }
    }

    /// ROFS unless the mount may be changed.
    fn writable(&self, index: usize) -> Result<(), Errno> {
        match self.access.get(index) {
            Some(Some(Access::ReadWrite)) => Ok(()),
            Some(Some(Access::ReadOnly)) => Err(Errno::ROFS),
            _ => Err(Errno::NOENT),
        }
    }

    /// Mount and handle of a directory that is not synthetic.
    fn host_dir<'a>(&'a self, dir: &'a Dir) -> Option<(usize, BorrowedFd<'a>)> {
        match dir {
            Dir::Synthetic(_) => None,
            Dir::Mount(mount) => Some((*mount, self.mount(*mount).ok()?.fd().ok()?)),
            Dir::Below(below) => Some((below.mount, below.fd.as_fd())),
        }
    }

    fn stat_dir(&self, dir: &Dir) -> Result<Stat, Errno> {
        match (self.host_dir(dir), dir) {
            (Some((mount, fd)), _) => self.stat_fd(mount, fd),
            (None, Dir::Synthetic(node)) => Ok(self.stat_synthetic(*node)),
            (None, _) => Err(Errno::NOENT),
        }
    }

    /// Absolute sandbox path of a directory, as far as it is known.
    fn path_of(&self, dir: &Dir) -> Vec<u8> {
        match dir {
            Dir::Synthetic(node) => self.tree.path(*node),
            Dir::Mount(mount) => self
                .mounts
                .get(*mount)
                .map(|m| m.at.clone())
                .unwrap_or_default(),
            Dir::Below(below) => {
                let rest = below.path(&self.moves).unwrap_or_default();
                self.absolute(below.mount, &rest)
            }
        }
    }

    fn absolute(&self, mount: usize, rest: &[u8]) -> Vec<u8> {
        let mut path = self
            .mounts
            .get(mount)
            .map(|m| m.at.clone())
            .unwrap_or_default();
        if !rest.is_empty() {
            path.push(b'/');
            path.extend_from_slice(rest);
        }
        path
    }

    /// Records an event below a mount; its paths are below the mount's root.
    fn note(&self, actor: &Actor, mount: usize, event: Event<'_>) {
        self.writes.fetch_add(1, Ordering::Relaxed);
        let Some(prefix) = self.mounts.get(mount).and_then(|m| m.journal.as_deref()) else {
            return;
        };
        if prefix.is_empty() {
            return self.session.record(&actor.call, event);
        }
        let at = |path: &[u8]| [prefix, path].concat();
        let record = |event: Event<'_>| self.session.record(&actor.call, event);
        match event {
            Event::Created(path, t) => record(Event::Created(&at(path), t)),
            Event::Modified(path) => record(Event::Modified(&at(path))),
            Event::Mode(path, t) => record(Event::Mode(&at(path), t)),
            Event::Removed(path, t) => record(Event::Removed(&at(path), t)),
            Event::Renamed {
                from,
                to,
                file_type,
                replaced,
            } => {
                record(Event::Renamed {
                    from: &at(from),
                    to: &at(to),
                    file_type,
                    replaced,
                });
            }
            Event::Unknown => record(Event::Unknown),
        }
    }

    /// What changed since the sandbox was made or last drained, and whether that is not all
    /// and only a scan can tell.
    pub(crate) fn changes(&self) -> (Vec<Change>, bool) {
        self.session.changes()
    }

    /// The same, and starts anew.
    pub(crate) fn drain_changes(&self) -> (Vec<Change>, bool) {
        self.session.drain()
    }

    /// The root directory.
    pub(crate) fn root_dir(self: &Arc<Self>) -> Arc<DirHandle> {
        DirHandle::root(self.clone())
    }

    /// The root as a working directory.
    pub(crate) fn root_cwd(&self) -> Cwd {
        Cwd {
            dir: Dir::Synthetic(tree::ROOT),
            path: Arc::from(&b"/"[..]),
        }
    }

    /// Lets go of handles that only serve speed, for a sandbox at rest.
    pub(crate) fn rest(&self) {
        self.parents.clear();
    }

    /// Space left to the sandbox where `path` lies; nothing is left in what is read-only.
    pub(crate) fn statfs(&self, base: Base<'_>, path: &[u8]) -> Result<StatFs, Errno> {
        use resolve::Located;
        let mount = match self.locate(base, path)? {
            Located::Below(below) => {
                self.stat(base, path, true)?;
                Some(below.mount)
            }
            Located::Dir(dir) => self.host_dir(&dir).map(|(mount, _)| mount),
            Located::Leaf(_) => None,
            Located::Missing => return Err(Errno::NOENT),
        };
        let pool = mount.and_then(|m| self.mounts.get(m)).and_then(|m| m.pool);
        Ok(match pool {
            Some(pool) => self.space(pool),
            None => StatFs {
                total_bytes: 0,
                free_bytes: 0,
                total_files: 0,
                free_files: 0,
            },
        })
    }
}
