//! Directories: nodes that paths start from, and handles that are read.

use std::collections::VecDeque;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use rustix::fs::{AtFlags, FileType as HostType, SeekFrom};

use super::path::Text;
use super::tree::{Child, Leaf};
use super::{Actor, DirEntry, FileType, Slot, Stat, Times, Vfs, meta};
use crate::errno::Errno;

/// A directory of the sandbox.
#[derive(Clone)]
pub(super) enum Dir {
    Synthetic(usize),
    /// The root of a mount.
    Mount(usize),
    Below(Arc<BelowDir>),
}

/// A directory below a mount's root, or a second handle of the root.
pub(super) struct BelowDir {
    pub(super) mount: usize,
    pub(super) fd: OwnedFd,
    pub(super) path: Mutex<Tracked>,
}

/// A path below a mount that follows the renames of the directories above it.
#[derive(Clone, Debug)]
pub(super) struct Tracked {
    seen: u64,
    /// None if it is not known any more.
    path: Option<Text>,
}

/// Renames of directories, so that open handles know their present path.
#[derive(Default)]
pub(super) struct MoveLog {
    count: AtomicU64,
    log: Mutex<VecDeque<(u64, usize, Text, Text)>>,
}

/// Renames that an open handle may sleep through.
const MOVES_KEPT: usize = 4096;

impl MoveLog {
    /// To be taken before a path is resolved.
    pub(super) fn now(&self) -> u64 {
        self.count.load(Ordering::Acquire)
    }

    pub(super) fn push(&self, mount: usize, from: Text, to: Text) {
        let mut log = self.log.lock();
        let number = self.count.fetch_add(1, Ordering::AcqRel).saturating_add(1);
        log.push_back((number, mount, from, to));
        if log.len() > MOVES_KEPT {
            log.pop_front();
        }
    }

    /// Brings a path up to date.
    fn follow(&self, mount: usize, tracked: &mut Tracked) {
        if tracked.seen == self.now() || tracked.path.is_none() {
            return;
        }
        let log = self.log.lock();
        if log
            .front()
            .is_some_and(|(first, ..)| tracked.seen.saturating_add(1) < *first)
        {
            tracked.path = None;
            return;
        }
        for (number, at, from, to) in log.iter() {
            if *number <= tracked.seen {
                continue;
            }
            tracked.seen = *number;
            if *at != mount {
                continue;
            }
            if let Some(old) = &tracked.path
                && let Some(rest) = old.strip_prefix(&from[..])
                && (rest.is_empty() || rest.first() == Some(&b'/'))
            {
                let mut path = to.clone();
                path.extend_from_slice(rest);
                tracked.path = Some(path);
            }
        }
    }
}

impl Tracked {
    pub(super) fn new(seen: u64, path: Option<Text>) -> Tracked {
        Tracked { seen, path }
    }

    /// The present path; None if it was lost.
    pub(super) fn now(&mut self, mount: usize, moves: &MoveLog) -> Option<&Text> {
        moves.follow(mount, self);
        self.path.as_ref()
    }
}

impl Tracked {
    /// The last component of the path as it was seen last.
    pub(super) fn last_name(&self) -> Option<&[u8]> {
        self.path
            .as_ref()
            .and_then(|p| super::path::split(p))
            .map(|s| s.name)
    }
}

impl Dir {
    pub(super) fn below(mount: usize, fd: OwnedFd, path: Tracked) -> Dir {
        Dir::Below(Arc::new(BelowDir {
            mount,
            fd,
            path: Mutex::new(path),
        }))
    }
}

impl BelowDir {
    /// Present path below the mount; None if it was lost.
    pub(super) fn path(&self, moves: &MoveLog) -> Option<Text> {
        self.path.lock().now(self.mount, moves).cloned()
    }
}

/// An open directory.
pub(crate) struct DirHandle {
    vfs: Arc<Vfs>,
    _slot: Option<Slot>,
    pub(super) dir: Dir,
    stream: Mutex<Stream>,
}

#[derive(Default)]
struct Stream {
    /// A position of its own, where the directory's handle is shared.
    own: Option<OwnedFd>,
    started: bool,
    /// Cookie of the first entry held.
    first: u64,
    /// The next entry to give, and its cookie.
    at: usize,
    cookie: u64,
    entries: Vec<Held>,
    names: Vec<u8>,
    listed: Option<Vec<(Vec<u8>, u64, FileType)>>,
}

struct Held {
    next: u64,
    ino: u64,
    file_type: FileType,
    start: usize,
    len: usize,
}

impl DirHandle {
    /// The root, which needs no handle of the host.
    pub(super) fn root(vfs: Arc<Vfs>) -> Arc<DirHandle> {
        Arc::new(DirHandle {
            vfs,
            _slot: None,
            dir: Dir::Synthetic(super::tree::ROOT),
            stream: Mutex::default(),
        })
    }

    pub(super) fn open(vfs: Arc<Vfs>, dir: Dir) -> Result<Arc<DirHandle>, Errno> {
        let slot = Slot::take(&vfs)?;
        Ok(Arc::new(DirHandle {
            vfs,
            _slot: Some(slot),
            dir,
            stream: Mutex::default(),
        }))
    }

    fn host(&self) -> Option<(usize, BorrowedFd<'_>)> {
        self.vfs.host_dir(&self.dir)
    }

    /// Whether it is `/dev/fd`, whose entries only the caller knows.
    pub(crate) fn lists_fds(&self) -> bool {
        matches!(&self.dir, Dir::Synthetic(node) if self.vfs.tree.lists_fds(*node))
    }

    /// Absolute sandbox path, as far as it is known.
    #[cfg(test)]
    pub(crate) fn path(&self) -> Vec<u8> {
        self.vfs.path_of(&self.dir)
    }

    /// Status.
    pub(crate) fn stat(&self) -> Result<Stat, Errno> {
        self.vfs.stat_dir(&self.dir)
    }

    /// Sets times.
    pub(crate) fn set_times(&self, actor: &Actor, times: Times) -> Result<(), Errno> {
        let (mount, fd) = self.host().ok_or(Errno::ROFS)?;
        self.vfs.writable(mount)?;
        match meta::set_times(fd, times) {
            // The handle is one that only stands for the directory.
            Err(Errno::BADF) => {
                meta::set_times(super::mount::reopen_dir(fd)?.as_fd(), times)?;
            }
            other => other?,
        }
        self.vfs.note_dir(actor, &self.dir);
        Ok(())
    }

    /// Sets permission bits.
    pub(crate) fn chmod(&self, actor: &Actor, mode: u32) -> Result<(), Errno> {
        let (mount, fd) = self.host().ok_or(Errno::ROFS)?;
        self.vfs.writable(mount)?;
        let mode = meta::mode_bits(mode);
        match rustix::fs::fchmod(fd, mode) {
            Err(rustix::io::Errno::BADF) => super::mount::chmod_path_fd(fd, mode)?,
            other => other?,
        }
        self.vfs.note_dir(actor, &self.dir);
        Ok(())
    }

    /// Makes its entries durable.
    pub(crate) fn sync(&self) -> Result<(), Errno> {
        if let Some((_, fd)) = self.host() {
            match rustix::fs::fsync(fd) {
                Err(rustix::io::Errno::BADF) => {
                    rustix::fs::fsync(super::mount::reopen_dir(fd)?)?;
                }
                other => other?,
            }
        }
        Ok(())
    }

    /// Gives entries to `sink` from a cookie on, 0 for the first, until it returns false;
    /// the entry that it refused is given again when asked with the same cookie. Every
    /// entry that is there throughout is given once, whatever is added or removed
    /// meanwhile. `fds` are the caller's open descriptors, needed only if
    /// [`DirHandle::lists_fds`].
    pub(crate) fn read_dir(
        &self,
        cookie: u64,
        fds: &[u32],
        sink: &mut dyn FnMut(DirEntry<'_>) -> bool,
    ) -> Result<(), Errno> {
        let mut stream = self.stream.lock();
        match &self.dir {
            Dir::Synthetic(node) => {
                self.read_synthetic(&mut stream, *node, cookie, fds, sink);
                Ok(())
            }
            Dir::Mount(mount) => {
                let own = match stream.own.take() {
                    Some(fd) => fd,
                    None => super::mount::reopen_dir(self.vfs.mount(*mount)?.fd()?)?,
                };
                let result = self.read_host(&mut stream, *mount, own.as_fd(), true, cookie, sink);
                stream.own = Some(own);
                result
            }
            Dir::Below(below) => {
                let top = below
                    .path
                    .lock()
                    .path
                    .as_ref()
                    .is_some_and(|p| p.is_empty());
                self.read_host(
                    &mut stream,
                    below.mount,
                    below.fd.as_fd(),
                    top,
                    cookie,
                    sink,
                )
            }
        }
    }

    fn read_synthetic(
        &self,
        stream: &mut Stream,
        node: usize,
        cookie: u64,
        fds: &[u32],
        sink: &mut dyn FnMut(DirEntry<'_>) -> bool,
    ) {
        if cookie == 0 || stream.listed.is_none() {
            stream.listed = Some(self.list_synthetic(node, fds));
        }
        let listed = stream.listed.as_deref().unwrap_or_default();
        let skip = usize::try_from(cookie).unwrap_or(usize::MAX);
        for (i, (name, ino, file_type)) in listed.iter().enumerate().skip(skip) {
            let next_cookie = u64::try_from(i).unwrap_or(0).saturating_add(1);
            if !sink(DirEntry {
                next_cookie,
                ino: *ino,
                file_type: *file_type,
                name,
            }) {
                return;
            }
        }
    }

    fn list_synthetic(&self, node: usize, fds: &[u32]) -> Vec<(Vec<u8>, u64, FileType)> {
        let tree = &self.vfs.tree;
        let up = meta::synthetic_ino(tree.parent(node));
        let mut out = vec![
            (b".".to_vec(), meta::synthetic_ino(node), FileType::Dir),
            (b"..".to_vec(), up, FileType::Dir),
        ];
        for (name, child) in tree.list(node, fds) {
            let (ino, file_type) = match &child {
                Child::Dir(n) => (meta::synthetic_ino(*n), FileType::Dir),
                Child::Mount(m) => (
                    self.vfs
                        .mounts
                        .get(*m)
                        .and_then(|m| m.root().ok())
                        .map_or(0, |r| r.ino),
                    FileType::Dir,
                ),
                Child::Leaf(leaf @ Leaf::Device(_)) => (meta::leaf_ino(leaf), FileType::CharDevice),
                Child::Leaf(leaf @ Leaf::Command(_)) => (meta::leaf_ino(leaf), FileType::File),
            };
            out.push((name, ino, file_type));
        }
        out
    }

    fn read_host(
        &self,
        stream: &mut Stream,
        mount: usize,
        fd: BorrowedFd<'_>,
        top: bool,
        cookie: u64,
        sink: &mut dyn FnMut(DirEntry<'_>) -> bool,
    ) -> Result<(), Errno> {
        stream.position(fd, cookie)?;
        loop {
            while let Some(held) = stream.entries.get(stream.at) {
                let end = held.start.saturating_add(held.len);
                let name = stream.names.get(held.start..end).unwrap_or_default();
                let mut ino = held.ino;
                if top && name == b".." {
                    let above = self.vfs.mount(mount)?.above;
                    ino = meta::synthetic_ino(above);
                }
                let entry = DirEntry {
                    next_cookie: held.next,
                    ino,
                    file_type: held.file_type,
                    name,
                };
                if !sink(entry) {
                    return Ok(());
                }
                stream.cookie = held.next;
                stream.at = stream.at.saturating_add(1);
            }
            if !stream.fill(fd)? {
                return Ok(());
            }
        }
    }
}

impl Stream {
    /// Makes the entry behind `cookie` the next one.
    fn position(&mut self, fd: BorrowedFd<'_>, cookie: u64) -> Result<(), Errno> {
        if self.started && cookie != 0 {
            if cookie == self.cookie {
                return Ok(());
            }
            if cookie == self.first {
                self.at = 0;
                self.cookie = cookie;
                return Ok(());
            }
            if let Some(i) = self.entries.iter().position(|e| e.next == cookie) {
                self.at = i.saturating_add(1);
                self.cookie = cookie;
                return Ok(());
            }
        }
        if self.started || cookie != 0 {
            if i64::try_from(cookie).is_err() {
                return Err(Errno::INVAL);
            }
            rustix::fs::seek(fd, SeekFrom::Start(cookie))?;
        }
        self.started = true;
        self.entries.clear();
        self.names.clear();
        self.at = 0;
        self.first = cookie;
        self.cookie = cookie;
        Ok(())
    }

    /// Reads the next lot; false at the end.
    fn fill(&mut self, fd: BorrowedFd<'_>) -> Result<bool, Errno> {
        self.entries.clear();
        self.names.clear();
        self.at = 0;
        self.first = self.cookie;
        let mut space = [const { std::mem::MaybeUninit::<u8>::uninit() }; 16 << 10];
        let mut raw = rustix::fs::RawDir::new(fd, &mut space);
        while let Some(entry) = raw.next() {
            let entry = match entry {
                Ok(entry) => entry,
                // The directory itself is gone.
                Err(rustix::io::Errno::NOENT) => return Ok(false),
                Err(e) => return Err(e.into()),
            };
            let name = entry.file_name().to_bytes();
            let mut host_type = entry.file_type();
            if host_type == HostType::Unknown
                && let Ok(s) = rustix::fs::statat(fd, name, AtFlags::SYMLINK_NOFOLLOW)
            {
                host_type = HostType::from_raw_mode(s.st_mode);
            }
            self.entries.push(Held {
                next: entry.next_entry_cookie(),
                ino: entry.ino(),
                file_type: host_type.into(),
                start: self.names.len(),
                len: name.len(),
            });
            self.names.extend_from_slice(name);
            if raw.is_buffer_empty() {
                break;
            }
        }
        Ok(!self.entries.is_empty())
    }
}
