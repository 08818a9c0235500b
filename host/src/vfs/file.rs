//! Open regular files.

use std::io::{IoSlice, IoSliceMut};
use std::num::NonZeroU64;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::Waker;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rustix::fs::{Advice, FallocateFlags, Stat as HostStat};
use rustix::io::{Errno as Host, ReadWriteFlags};

use super::dir::Tracked;
use super::journal::Event;
use super::ledger::{Inode, InodeState, Key, PoolId};
use super::path::Text;
use super::walk::{Ended, Last, Walk};
use super::{Actor, Base, FileType, Lock, OpenOptions, Slot, Stat, Times, Vfs, meta};
use crate::errno::Errno;
use crate::report::QuotaKind;

/// A host handle on its way to become an open file or directory.
pub(super) struct Opening {
    pub(super) mount: usize,
    pub(super) fd: OwnedFd,
    pub(super) path: Tracked,
    /// The path is right by its letters.
    pub(super) plain: bool,
    pub(super) created: bool,
}

/// An open regular file. Has no position: the open description keeps that.
pub(crate) struct FileHandle {
    vfs: Arc<Vfs>,
    _slot: Slot,
    fd: OwnedFd,
    mount: usize,
    pool: Option<PoolId>,
    readable: bool,
    writable: bool,
    key: Key,
    /// Shared by all who have it open for writing.
    inode: Option<Arc<Inode>>,
    /// Where it was opened.
    path: Mutex<Tracked>,
    /// The status from the open, for the one who asks right after.
    fresh: Mutex<Option<(Instant, u64, Stat)>>,
    /// For whom the present modification is already in the journal.
    marked: AtomicU64,
    locked: AtomicBool,
}

/// Within this time after the open, and if nothing was written in the sandbox since, its
/// status is given again without asking the kernel: programs open and then ask for the size.
const FRESH: Duration = Duration::from_micros(20);

/// The kernel's limit of buffers in one call.
const MAX_BUFFERS: usize = 1024;

fn total<'a>(lengths: impl Iterator<Item = &'a usize>) -> u64 {
    lengths.fold(0u64, |sum, n| {
        sum.saturating_add(u64::try_from(*n).unwrap_or(u64::MAX))
    })
}

fn retry<T>(mut op: impl FnMut() -> Result<T, Host>) -> Result<T, Host> {
    loop {
        match op() {
            Err(Host::INTR) => {}
            other => return other,
        }
    }
}

impl FileHandle {
    pub(super) fn new(
        vfs: Arc<Vfs>,
        actor: &Actor,
        opening: Opening,
        stat: &HostStat,
        o: &OpenOptions,
    ) -> Result<FileHandle, Errno> {
        let slot = Slot::take(&vfs)?;
        let Opening {
            mount, fd, path, ..
        } = opening;
        let pool = vfs.mounts.get(mount).and_then(|m| m.pool);
        let key = (stat.st_dev, stat.st_ino);
        let inode = (o.write || o.truncate).then(|| {
            let limit = match actor.limits.sizes.is_empty() {
                true => (actor.limits.file_bytes, None),
                false => actor.size_limit(path.last_name().unwrap_or_default()),
            };
            vfs.ledger.open(stat, limit, path.clone())
        });
        if let (None, Some(pool)) = (&inode, pool) {
            vfs.ledger.pool(pool).add_reader(key);
        }
        let writes = vfs.writes.load(Ordering::Acquire);
        Ok(FileHandle {
            _slot: slot,
            fd,
            mount,
            pool,
            readable: o.read,
            writable: o.write,
            key,
            inode,
            path: Mutex::new(path),
            fresh: Mutex::new(Some((Instant::now(), writes, vfs.stat_of(mount, stat)))),
            marked: AtomicU64::new(0),
            locked: AtomicBool::new(false),
            vfs,
        })
    }

    /// Status.
    pub(crate) fn stat(&self) -> Result<Stat, Errno> {
        let fresh = self.fresh.lock().take();
        if let Some((at, writes, stat)) = fresh
            && writes == self.vfs.writes.load(Ordering::Acquire)
            && at.elapsed() < FRESH
        {
            return Ok(stat);
        }
        self.vfs.stat_fd(self.mount, self.fd.as_fd())
    }

    /// Size in bytes.
    pub(crate) fn len(&self) -> Result<u64, Errno> {
        Ok(self.stat()?.size)
    }

    /// Reads at an offset; 0 at the end.
    pub(crate) fn read_at(&self, bufs: &mut [IoSliceMut<'_>], offset: u64) -> Result<usize, Errno> {
        if !self.readable {
            return Err(Errno::BADF);
        }
        let count = bufs.len().min(MAX_BUFFERS);
        Ok(match bufs.get_mut(..count) {
            Some([]) | None => 0,
            Some([one]) => retry(|| rustix::io::pread(&self.fd, &mut one[..], offset))?,
            Some(many) => retry(|| rustix::io::preadv(&self.fd, many, offset))?,
        })
    }

    fn writer(&self) -> Result<&Arc<Inode>, Errno> {
        self.inode
            .as_ref()
            .filter(|_| self.writable)
            .ok_or(Errno::BADF)
    }

    /// Writes at an offset. Nothing is written if the whole would exceed a limit.
    pub(crate) fn write_at(
        &self,
        actor: &Actor,
        bufs: &[IoSlice<'_>],
        offset: u64,
    ) -> Result<usize, Errno> {
        let (n, _) = self.write(actor, bufs, Some(offset))?;
        Ok(n)
    }

    /// Writes at the end; also returns the new end.
    pub(crate) fn append(
        &self,
        actor: &Actor,
        bufs: &[IoSlice<'_>],
    ) -> Result<(usize, u64), Errno> {
        self.write(actor, bufs, None)
    }

    fn write(
        &self,
        actor: &Actor,
        bufs: &[IoSlice<'_>],
        at: Option<u64>,
    ) -> Result<(usize, u64), Errno> {
        let inode = self.writer()?;
        let bufs = bufs.get(..bufs.len().min(MAX_BUFFERS)).unwrap_or_default();
        let mut lengths = smallvec::SmallVec::<[usize; 8]>::new();
        lengths.extend(bufs.iter().map(|b| b.len()));
        let len = total(lengths.iter());
        self.vfs.prepare_growth(self.pool);
        let mut state = inode.state.lock();
        let offset = at.unwrap_or(state.size);
        if len == 0 {
            return Ok((0, offset));
        }
        let end = offset
            .checked_add(len)
            .filter(|end| i64::try_from(*end).is_ok())
            .ok_or(Errno::FBIG)?;
        let growth = self.reserve(actor, &state, end)?;
        let written = match (at, bufs) {
            (Some(offset), [one]) => retry(|| rustix::io::pwrite(&self.fd, one, offset)),
            (Some(offset), many) => retry(|| rustix::io::pwritev(&self.fd, many, offset)),
            (None, many) => self.append_host(many, offset),
        };
        let end = match &written {
            Ok(n) => offset.saturating_add(u64::try_from(*n).unwrap_or(0)),
            Err(_) => state.size,
        };
        self.settle(&mut state, growth, end);
        let n = written?;
        self.modified(actor, &mut state);
        Ok((n, end))
    }

    fn append_host(&self, bufs: &[IoSlice<'_>], end: u64) -> Result<usize, Host> {
        match retry(|| rustix::io::pwritev2(&self.fd, bufs, 0, ReadWriteFlags::APPEND)) {
            Err(Host::OPNOTSUPP | Host::NOSYS) => {
                retry(|| rustix::io::pwritev(&self.fd, bufs, end))
            }
            other => other,
        }
    }

    /// Counts the growth to `end`, or refuses it.
    fn reserve(&self, actor: &Actor, state: &InodeState, end: u64) -> Result<u64, Errno> {
        let growth = end.saturating_sub(state.size);
        if growth == 0 {
            return Ok(0);
        }
        let limit = state.max_size.min(actor.limits.file_bytes);
        if end > limit {
            let extension = state.limit_from.clone().filter(|_| limit == state.max_size);
            let which = QuotaKind::FileBytes;
            return Err(actor.exceeded(which, extension, limit, state.size, growth));
        }
        if let Some(pool) = self.pool {
            self.vfs.reserve_bytes(actor, pool, growth)?;
        }
        Ok(growth)
    }

    /// Gives back what was reserved and not used.
    fn settle(&self, state: &mut InodeState, growth: u64, end: u64) {
        let grown = end.saturating_sub(state.size);
        state.size = state.size.max(end);
        state.counted = state.counted.saturating_add(grown);
        let unused = growth.saturating_sub(grown);
        if let Some(pool) = self.pool
            && unused > 0
        {
            self.vfs.return_bytes(pool, unused);
        }
    }

    /// Puts the modification into the journal, once per call.
    fn modified(&self, actor: &Actor, state: &mut InodeState) {
        self.vfs.writes.fetch_add(1, Ordering::AcqRel);
        let mark = self.vfs.session.mark(&actor.call);
        if self.marked.swap(mark, Ordering::AcqRel) == mark {
            return;
        }
        if state.shared {
            // It has other names, which we do not know.
            return self.vfs.note(actor, self.mount, Event::Unknown);
        }
        let Some(tracked) = &mut state.path else {
            return;
        };
        match tracked.now(self.mount, &self.vfs.moves) {
            Some(path) => self.vfs.note(actor, self.mount, Event::Modified(path)),
            None => self.vfs.note(actor, self.mount, Event::Unknown),
        }
    }

    /// Sets the size.
    pub(crate) fn set_len(&self, actor: &Actor, len: u64) -> Result<(), Errno> {
        self.writer()?;
        self.resize(actor, len)
    }

    /// Empties the file right after it was opened so.
    pub(super) fn truncate_on_open(&self, actor: &Actor) -> Result<(), Errno> {
        self.resize(actor, 0)
    }

    fn resize(&self, actor: &Actor, len: u64) -> Result<(), Errno> {
        let inode = self.inode.as_ref().ok_or(Errno::BADF)?;
        if i64::try_from(len).is_err() {
            return Err(Errno::INVAL);
        }
        self.vfs.prepare_growth(self.pool);
        let mut state = inode.state.lock();
        let growth = self.reserve(actor, &state, len)?;
        if let Err(e) = retry(|| rustix::fs::ftruncate(&self.fd, len)) {
            let size = state.size;
            self.settle(&mut state, growth, size);
            return Err(e.into());
        }
        self.settle(&mut state, growth, len);
        let shrunk = state.size.saturating_sub(len).min(state.counted);
        state.counted = state.counted.saturating_sub(shrunk);
        if let Some(pool) = self.pool {
            self.vfs.return_bytes(pool, shrunk);
        }
        state.size = len;
        self.modified(actor, &mut state);
        Ok(())
    }

    /// Makes sure that the range exists, and grows the file to its end if need be.
    pub(crate) fn allocate(&self, actor: &Actor, offset: u64, len: u64) -> Result<(), Errno> {
        let inode = self.writer()?;
        let end = offset
            .checked_add(len)
            .filter(|end| i64::try_from(*end).is_ok())
            .ok_or(Errno::FBIG)?;
        if len == 0 {
            return Err(Errno::INVAL);
        }
        self.vfs.prepare_growth(self.pool);
        let mut state = inode.state.lock();
        let growth = self.reserve(actor, &state, end)?;
        let flags = FallocateFlags::empty();
        let done = match retry(|| rustix::fs::fallocate(&self.fd, flags, offset, len)) {
            Err(Host::OPNOTSUPP | Host::NOSYS) if end > state.size => {
                retry(|| rustix::fs::ftruncate(&self.fd, end))
            }
            Err(Host::OPNOTSUPP | Host::NOSYS) => Ok(()),
            other => other,
        };
        let reached = if done.is_ok() { end } else { state.size };
        self.settle(&mut state, growth, reached);
        done?;
        self.modified(actor, &mut state);
        Ok(())
    }

    /// Tells the kernel how the range will be used: preview 1's advice, 0 to 5.
    pub(crate) fn advise(&self, offset: u64, len: u64, advice: u8) -> Result<(), Errno> {
        let advice = match advice {
            0 => Advice::Normal,
            1 => Advice::Sequential,
            2 => Advice::Random,
            3 => Advice::WillNeed,
            4 => Advice::DontNeed,
            5 => Advice::NoReuse,
            _ => return Err(Errno::INVAL),
        };
        if offset
            .checked_add(len)
            .is_none_or(|end| i64::try_from(end).is_err())
        {
            return Err(Errno::INVAL);
        }
        Ok(rustix::fs::fadvise(
            &self.fd,
            offset,
            NonZeroU64::new(len),
            advice,
        )?)
    }

    /// Makes content and status durable.
    pub(crate) fn sync(&self) -> Result<(), Errno> {
        Ok(retry(|| rustix::fs::fsync(&self.fd))?)
    }

    /// Makes the content durable.
    pub(crate) fn datasync(&self) -> Result<(), Errno> {
        Ok(retry(|| rustix::fs::fdatasync(&self.fd))?)
    }

    /// Sets times.
    pub(crate) fn set_times(&self, actor: &Actor, times: Times) -> Result<(), Errno> {
        self.vfs.writable(self.mount)?;
        meta::set_times(&self.fd, times)?;
        self.note_mode(actor);
        Ok(())
    }

    /// Sets permission bits.
    pub(crate) fn chmod(&self, actor: &Actor, mode: u32) -> Result<(), Errno> {
        self.vfs.writable(self.mount)?;
        rustix::fs::fchmod(&self.fd, meta::mode_bits(mode))?;
        self.note_mode(actor);
        Ok(())
    }

    fn note_mode(&self, actor: &Actor) {
        self.fresh.lock().take();
        let event = |path: Option<&Text>| match path {
            Some(path) => {
                self.vfs
                    .note(actor, self.mount, Event::Mode(path, FileType::File));
            }
            None => self.vfs.note(actor, self.mount, Event::Unknown),
        };
        match &self.inode {
            Some(inode) => {
                let mut state = inode.state.lock();
                if state.shared {
                    return event(None);
                }
                if let Some(tracked) = &mut state.path {
                    event(tracked.now(self.mount, &self.vfs.moves));
                }
            }
            None => match rustix::fs::fstat(&self.fd) {
                Ok(stat) if stat.st_nlink == 0 => {}
                Ok(stat) if stat.st_nlink == 1 => event(self.find_path().as_ref()),
                _ => event(None),
            },
        }
    }

    /// Present path below the mount of a file open for reading, if it is still where it
    /// was opened.
    fn find_path(&self) -> Option<Text> {
        let path = self.path.lock().now(self.mount, &self.vfs.moves).cloned()?;
        let path = self.vfs.absolute(self.mount, &path);
        let mut walk = Walk::new(&self.vfs, Base::Root, &path).ok()?;
        let Ended::Entry(found) = walk.run(&path, Last::Follow).ok()? else {
            return None;
        };
        let (_, stat) = found.node?;
        let same = (stat.st_dev, stat.st_ino) == self.key;
        let entry = walk.entry(found.name, false).ok()?;
        entry.path().filter(|_| same && entry.mount == self.mount)
    }

    /// Absolute sandbox path, as far as it is known.
    #[cfg(test)]
    pub(crate) fn path(&self) -> Vec<u8> {
        let path = match &self.inode {
            Some(inode) => {
                let mut state = inode.state.lock();
                state
                    .path
                    .as_mut()
                    .and_then(|t| t.now(self.mount, &self.vfs.moves).cloned())
            }
            None => self.path.lock().now(self.mount, &self.vfs.moves).cloned(),
        };
        self.vfs.absolute(self.mount, &path.unwrap_or_default())
    }

    /// Takes or lets go of the lock on the file; AGAIN while others hold it.
    pub(crate) fn lock(&self, lock: Lock) -> Result<(), Errno> {
        self.locked.store(true, Ordering::Relaxed);
        self.vfs.locks.set(self.key, self.owner(), lock)
    }

    /// Has `waker` woken when a lock is let go of. Register first, then try again.
    pub(crate) fn wait_for_lock(&self, waker: &Waker) {
        self.vfs.locks.wait(waker);
    }

    fn owner(&self) -> u64 {
        // The handle does not move while it holds a lock: it lives behind an `Arc`.
        u64::try_from(std::ptr::from_ref(self).addr()).unwrap_or(0)
    }
}

impl Drop for FileHandle {
    fn drop(&mut self) {
        if self.locked.load(Ordering::Relaxed) {
            // Letting go never fails.
            let _ = self.vfs.locks.set(self.key, self.owner(), Lock::Unlock);
        }
        match (&self.inode, self.pool) {
            (Some(inode), pool) => self.vfs.ledger.close(pool, inode),
            (None, Some(pool)) => self.vfs.ledger.pool(pool).drop_reader(self.key),
            (None, None) => {}
        }
    }
}
