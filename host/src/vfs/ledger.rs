//! What the sandbox's files use, accounted as it happens.
//!
//! Two pools: the writable mounts and `/tmp`. Bytes are apparent sizes of regular files and
//! lengths of symbolic links, each inode counted
//! once; entries are names, so that a million hard links are a million entries. Files open
//! for writing share one [`Inode`] per inode, which knows the size, so that a write needs
//! no extra system call. Files that were removed while open stay counted until closed: for
//! writers the inode knows, for readers a counter per bucket of inodes says whether any
//! may be left.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use parking_lot::Mutex;
use rustix::fs::Stat as HostStat;

use super::dir::Tracked;
use super::{Actor, StatFs, Vfs};
use crate::errno::Errno;
use crate::limits::Limits;
use crate::report::QuotaKind;

/// Which pool a mount counts against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PoolId {
    Workspace,
    Scratch,
}

/// Identity of a file on the host: device and inode number.
pub(super) type Key = (u64, u64);

const BUCKETS: usize = 512;

/// Usage of one pool.
pub(super) struct Pool {
    bytes: AtomicU64,
    files: AtomicU64,
    max_bytes: u64,
    max_files: u64,
    /// False until what was there before is counted.
    ready: AtomicBool,
    scan: Mutex<()>,
    /// Readers per bucket of inodes.
    readers: Box<[AtomicU32]>,
    has_limbo: AtomicBool,
    /// Removed, still open for reading: inode and size.
    limbo: Mutex<HashMap<Key, u64>>,
}

pub(super) struct Ledger {
    workspace: Pool,
    scratch: Pool,
    inodes: Mutex<HashMap<Key, Arc<Inode>>>,
}

/// A regular file that is open for writing.
pub(super) struct Inode {
    pub(super) key: Key,
    pub(super) state: Mutex<InodeState>,
}

pub(super) struct InodeState {
    /// Handles that are open for writing.
    writers: u32,
    pub(super) size: u64,
    /// Largest size that its names allow.
    pub(super) max_size: u64,
    /// The extension, if the limit comes from it.
    pub(super) limit_from: Option<String>,
    /// It has more names than the one below.
    pub(super) shared: bool,
    /// None once it has no name any more.
    pub(super) path: Option<Tracked>,
    /// How many of its bytes are in the pool.
    pub(super) counted: u64,
}

fn bucket(key: Key) -> usize {
    let mixed = (key.1 ^ key.0.rotate_left(32)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    usize::try_from(mixed >> 55).unwrap_or(0) % BUCKETS
}

impl Pool {
    fn new(max_bytes: u64, max_files: u64) -> Pool {
        Pool {
            bytes: AtomicU64::new(0),
            files: AtomicU64::new(0),
            max_bytes,
            max_files,
            ready: AtomicBool::new(false),
            scan: Mutex::new(()),
            readers: (0..BUCKETS).map(|_| AtomicU32::new(0)).collect(),
            has_limbo: AtomicBool::new(false),
            limbo: Mutex::new(HashMap::new()),
        }
    }

    fn preset(&self, bytes: u64, files: u64) {
        self.bytes.store(bytes, Ordering::Relaxed);
        self.files.store(files, Ordering::Relaxed);
        self.ready.store(true, Ordering::Release);
    }

    fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Acquire)
    }

    fn give_bytes(&self, n: u64) {
        if self.is_ready() {
            sub(&self.bytes, n);
        }
    }

    pub(super) fn give_file(&self) {
        if self.is_ready() {
            sub(&self.files, 1);
        }
    }

    fn reader(&self, key: Key) -> &AtomicU32 {
        static SPARE: AtomicU32 = AtomicU32::new(1);
        self.readers.get(bucket(key)).unwrap_or(&SPARE)
    }

    /// A file was opened for reading only.
    pub(super) fn add_reader(&self, key: Key) {
        self.reader(key).fetch_add(1, Ordering::SeqCst);
    }

    /// And closed.
    pub(super) fn drop_reader(&self, key: Key) {
        let left = self
            .reader(key)
            .fetch_sub(1, Ordering::SeqCst)
            .saturating_sub(1);
        if left == 0 && self.has_limbo.load(Ordering::SeqCst) {
            let mut limbo = self.limbo.lock();
            let this = bucket(key);
            if self.reader(key).load(Ordering::SeqCst) == 0 {
                limbo.retain(|k, size| {
                    let goes = bucket(*k) == this;
                    if goes {
                        self.give_bytes(*size);
                    }
                    !goes
                });
            }
            if limbo.is_empty() {
                self.has_limbo.store(false, Ordering::SeqCst);
            }
        }
    }

    /// The last name of a file that nobody writes to is gone.
    fn gone(&self, key: Key, size: u64) {
        if size == 0 || !self.is_ready() {
            return;
        }
        let mut limbo = self.limbo.lock();
        self.has_limbo.store(true, Ordering::SeqCst);
        if self.reader(key).load(Ordering::SeqCst) > 0 {
            limbo.insert(key, size);
        } else {
            self.give_bytes(size);
            if limbo.is_empty() {
                self.has_limbo.store(false, Ordering::SeqCst);
            }
        }
    }
}

fn sub(counter: &AtomicU64, n: u64) {
    let _ = counter.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |v| {
        Some(v.saturating_sub(n))
    });
}

/// Adds `n` unless that goes over `limit`; then says what is used.
fn add(counter: &AtomicU64, n: u64, limit: u64) -> Result<(), u64> {
    counter
        .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |v| {
            v.checked_add(n).filter(|sum| *sum <= limit)
        })
        .map(|_| ())
}

impl Ledger {
    pub(super) fn new(limits: &Limits, usage: Option<(u64, u64)>, scratch_is_empty: bool) -> Self {
        let ledger = Ledger {
            workspace: Pool::new(limits.workspace_bytes, limits.workspace_files),
            scratch: Pool::new(limits.scratch_bytes, limits.workspace_files),
            inodes: Mutex::new(HashMap::new()),
        };
        if let Some((bytes, files)) = usage {
            ledger.workspace.preset(bytes, files);
        }
        if scratch_is_empty {
            ledger.scratch.preset(0, 0);
        }
        ledger
    }

    pub(super) fn pool(&self, id: PoolId) -> &Pool {
        match id {
            PoolId::Workspace => &self.workspace,
            PoolId::Scratch => &self.scratch,
        }
    }

    /// The shared state of a file that is being opened for writing.
    pub(super) fn open(
        &self,
        stat: &HostStat,
        limit: (u64, Option<String>),
        path: Tracked,
    ) -> Arc<Inode> {
        let key = (stat.st_dev, stat.st_ino);
        let size = u64::try_from(stat.st_size).unwrap_or(0);
        let named = stat.st_nlink > 0;
        let mut inodes = self.inodes.lock();
        let inode = inodes.entry(key).or_insert_with(|| {
            Arc::new(Inode {
                key,
                state: Mutex::new(InodeState {
                    writers: 0,
                    size,
                    max_size: u64::MAX,
                    limit_from: None,
                    shared: false,
                    // It may have been removed between the open and here.
                    path: named.then_some(path),
                    counted: if named { size } else { 0 },
                }),
            })
        });
        let mut state = inode.state.lock();
        state.writers = state.writers.saturating_add(1);
        state.shared |= stat.st_nlink > 1;
        if limit.0 < state.max_size {
            (state.max_size, state.limit_from) = limit;
        }
        drop(state);
        inode.clone()
    }

    /// A handle for writing was closed.
    pub(super) fn close(&self, pool: Option<PoolId>, inode: &Arc<Inode>) {
        let mut inodes = self.inodes.lock();
        let mut state = inode.state.lock();
        state.writers = state.writers.saturating_sub(1);
        if state.writers > 0 {
            return;
        }
        inodes.remove(&inode.key);
        if state.path.is_none()
            && let Some(pool) = pool
        {
            self.pool(pool).gone(inode.key, state.counted);
        }
    }

    /// The state of a file, if it is open for writing.
    pub(super) fn find(&self, key: Key) -> Option<Arc<Inode>> {
        self.inodes.lock().get(&key).cloned()
    }

    /// A name of something that is not a directory was removed; `stat` is from before.
    pub(super) fn unlinked(&self, pool: PoolId, stat: &HostStat) {
        let pool = self.pool(pool);
        pool.give_file();
        let size = u64::try_from(stat.st_size).unwrap_or(0);
        match rustix::fs::FileType::from_raw_mode(stat.st_mode) {
            rustix::fs::FileType::RegularFile => {}
            // The length of its target.
            rustix::fs::FileType::Symlink if stat.st_nlink <= 1 => return pool.give_bytes(size),
            _ => return,
        }
        let key = (stat.st_dev, stat.st_ino);
        let last = stat.st_nlink <= 1;
        if let Some(inode) = self.find(key) {
            let mut state = inode.state.lock();
            if state.writers > 0 {
                if last {
                    state.path = None;
                    if !pool.is_ready() {
                        state.counted = 0;
                    }
                } else {
                    state.shared = true;
                }
                return;
            }
        }
        if last {
            pool.gone(key, size);
        }
    }
}

impl Vfs {
    /// Counts what a pool held before, once.
    fn ready(&self, id: PoolId) {
        let pool = self.ledger.pool(id);
        if pool.is_ready() {
            return;
        }
        let _scan = pool.scan.lock();
        let _names = self.names.lock();
        if pool.is_ready() {
            return;
        }
        let bound = pool.max_files.saturating_mul(2).saturating_add(10_000);
        let mut total = super::scan::Usage::default();
        for mount in self.mounts.iter().filter(|m| m.pool == Some(id)) {
            if let Ok(fd) = mount.fd() {
                super::scan::count(fd, bound, &mut total);
            }
        }
        pool.preset(total.bytes, total.files);
    }

    /// Counts `n` more bytes, or says which limit they exceed.
    pub(super) fn reserve_bytes(&self, actor: &Actor, id: PoolId, n: u64) -> Result<(), Errno> {
        let (limit, which) = match id {
            PoolId::Workspace => (actor.limits.workspace_bytes, QuotaKind::WorkspaceBytes),
            PoolId::Scratch => (actor.limits.scratch_bytes, QuotaKind::ScratchBytes),
        };
        add(&self.ledger.pool(id).bytes, n, limit)
            .map_err(|used| actor.exceeded(which, None, limit, used, n))
    }

    /// Makes sure that the pool of a growing operation is counted. Takes the lock of the
    /// names, so not to be called under it or under an inode's.
    pub(super) fn prepare_growth(&self, pool: Option<PoolId>) {
        if let Some(id) = pool {
            self.ready(id);
        }
    }

    pub(super) fn return_bytes(&self, id: PoolId, n: u64) {
        self.ledger.pool(id).give_bytes(n);
    }

    /// Counts one more entry. The pool must have been prepared.
    pub(super) fn reserve_file(&self, actor: &Actor, id: PoolId) -> Result<(), Errno> {
        let limit = actor.limits.workspace_files;
        add(&self.ledger.pool(id).files, 1, limit)
            .map_err(|used| actor.exceeded(QuotaKind::WorkspaceFiles, None, limit, used, 1))
    }

    /// Bytes and entries of the writable mounts, bytes of `/tmp`.
    pub(crate) fn usage(&self) -> (u64, u64, u64) {
        self.ready(PoolId::Workspace);
        self.ready(PoolId::Scratch);
        let get = |v: &AtomicU64| v.load(Ordering::Relaxed);
        let (w, s) = (&self.ledger.workspace, &self.ledger.scratch);
        (get(&w.bytes), get(&w.files), get(&s.bytes))
    }

    /// Space left in a pool.
    pub(super) fn space(&self, id: PoolId) -> StatFs {
        self.ready(id);
        let pool = self.ledger.pool(id);
        let left = |max: u64, used: &AtomicU64| max.saturating_sub(used.load(Ordering::Relaxed));
        StatFs {
            total_bytes: pool.max_bytes,
            free_bytes: left(pool.max_bytes, &pool.bytes),
            total_files: pool.max_files,
            free_files: left(pool.max_files, &pool.files),
        }
    }
}
