//! From a path to what it names: the careful way, component by component.
//!
//! Every directory on the way is held by a handle that was opened by a single name, without
//! following links, from the handle before it; `..` goes back to the handle before. So no
//! moment exists at which a rename could turn the way out of the mount.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use rustix::fs::{FileType as HostType, Mode, OFlags, Stat as HostStat};
use smallvec::SmallVec;

use super::dir::{BelowDir, Dir, Tracked};
use super::path::{self, Text};
use super::resolve::{Entry, Handle};
use super::tree::{Child, Leaf, ROOT};
use super::{Base, Vfs};
use crate::errno::Errno;

/// Linux's limit of symbolic links in one resolution.
const MAX_LINKS: u32 = 40;

enum Frame {
    Synthetic(usize),
    Mount(usize),
    /// The directory that the path starts from; what is above it is looked up if needed.
    Start(Arc<BelowDir>),
    Below {
        mount: usize,
        fd: OwnedFd,
    },
}

/// What to do with the last component.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Last {
    /// Follow it if it is a link.
    Follow,
    /// Look at it, but do not follow it.
    NoFollow,
    /// Do not look at it.
    Parent,
}

/// A last component in a directory of a mount.
pub(super) struct Found {
    pub(super) name: Text,
    pub(super) slash: bool,
    /// An `O_PATH` handle and the status, if it exists and was to be looked at.
    pub(super) node: Option<(OwnedFd, HostStat)>,
}

/// Where a walk ended. Lives on the stack for one operation.
#[allow(clippy::large_enum_variant)]
pub(super) enum Ended {
    /// At a directory: the walk's top.
    Dir,
    Leaf(Leaf),
    /// At a name that a synthetic directory does not have.
    Missing,
    /// At a name in the walk's top directory.
    Entry(Found),
}

/// A resolution under way.
pub(super) struct Walk<'v> {
    vfs: &'v Vfs,
    frames: SmallVec<[Frame; 8]>,
    /// Path of the top below its mount; None where it is not known.
    text: Option<Text>,
    links: u32,
    /// State of the renames when the walk began.
    seen: u64,
}

impl<'v> Walk<'v> {
    /// A walk from `base`, or from the root if `path` is absolute.
    pub(super) fn new(vfs: &'v Vfs, base: Base<'_>, path: &[u8]) -> Result<Walk<'v>, Errno> {
        let mut walk = Walk {
            vfs,
            frames: SmallVec::new(),
            text: Some(Text::new()),
            links: 0,
            seen: vfs.moves.now(),
        };
        let dir = match base {
            _ if path.first() == Some(&b'/') => None,
            Base::Root => None,
            Base::Dir(handle) => Some(&handle.dir),
            Base::Cwd(cwd) => Some(&cwd.dir),
        };
        match dir {
            None => walk.go_to_root(),
            Some(Dir::Synthetic(node)) => walk.go_to_synthetic(*node),
            Some(Dir::Mount(mount)) => walk.go_to_mount(*mount)?,
            Some(Dir::Below(dir)) => {
                vfs.mount(dir.mount)?;
                walk.text = dir.path(&vfs.moves);
                walk.frames.push(Frame::Start(dir.clone()));
            }
        }
        Ok(walk)
    }

    fn go_to_root(&mut self) {
        self.frames.clear();
        self.frames.push(Frame::Synthetic(ROOT));
        self.text = Some(Text::new());
    }

    fn go_to_synthetic(&mut self, node: usize) {
        let mut chain = SmallVec::<[usize; 8]>::new();
        let mut at = node;
        while at != ROOT {
            chain.push(at);
            at = self.vfs.tree.parent(at);
        }
        self.go_to_root();
        for node in chain.into_iter().rev() {
            self.frames.push(Frame::Synthetic(node));
        }
    }

    fn go_to_mount(&mut self, mount: usize) -> Result<(), Errno> {
        self.go_to_synthetic(self.vfs.mount(mount)?.above);
        self.frames.push(Frame::Mount(mount));
        Ok(())
    }

    /// Number and handle of the top, if it is in a mount.
    fn host(&self) -> Result<Option<(usize, BorrowedFd<'_>)>, Errno> {
        Ok(match self.frames.last() {
            Some(Frame::Mount(mount)) => Some((*mount, self.vfs.mount(*mount)?.fd()?)),
            Some(Frame::Start(dir)) => Some((dir.mount, dir.fd.as_fd())),
            Some(Frame::Below { mount, fd }) => Some((*mount, fd.as_fd())),
            Some(Frame::Synthetic(_)) | None => None,
        })
    }

    /// Enters a directory whose handle was opened by one name from the top.
    fn enter(&mut self, mount: usize, fd: OwnedFd, name: &[u8]) -> Result<(), Errno> {
        // Bounds the handles that a walk holds.
        if self.frames.len() > self.vfs.max_depth.saturating_add(8) {
            return Err(Errno::NAMETOOLONG);
        }
        self.frames.push(Frame::Below { mount, fd });
        if let Some(text) = &mut self.text {
            path::push(text, name);
        }
        Ok(())
    }

    fn up(&mut self) -> Result<(), Errno> {
        match self.frames.last() {
            Some(Frame::Start(dir)) => {
                let dir = dir.clone();
                self.rebuild(&dir)?;
                return self.up();
            }
            Some(Frame::Below { .. }) => {
                self.frames.pop();
                if let Some(text) = &mut self.text {
                    path::pop(text);
                }
            }
            Some(_) if self.frames.len() > 1 => {
                self.frames.pop();
                self.text = Some(Text::new());
            }
            _ => {}
        }
        Ok(())
    }

    /// Replaces a start in the midst of a mount by the chain of handles that leads there.
    fn rebuild(&mut self, dir: &BelowDir) -> Result<(), Errno> {
        let path = dir.path(&self.vfs.moves).ok_or(Errno::NOENT)?;
        self.go_to_mount(dir.mount)?;
        for name in path::components(&path) {
            let Some((mount, fd)) = self.host()? else {
                return Err(Errno::NOENT);
            };
            let flags = super::resolve::PATH_DIR | OFlags::NOFOLLOW;
            let next =
                rustix::fs::openat(fd, name, flags, Mode::empty()).map_err(|_| Errno::NOENT)?;
            self.enter(mount, next, name)?;
        }
        let Some((_, fd)) = self.host()? else {
            return Err(Errno::NOENT);
        };
        let (here, there) = (rustix::fs::fstat(fd)?, rustix::fs::fstat(&dir.fd)?);
        if (here.st_dev, here.st_ino) != (there.st_dev, there.st_ino) {
            // Someone outside moved or removed it; there is no way to its parent.
            return Err(Errno::NOENT);
        }
        Ok(())
    }

    /// Follows `path` from the top.
    pub(super) fn run(&mut self, path: &[u8], last: Last) -> Result<Ended, Errno> {
        let mut pending: SmallVec<[u8; 256]> = SmallVec::from_slice(path);
        let mut at = 0;
        loop {
            let ahead = pending.get(at..).unwrap_or_default();
            let Some((name, after)) = path::next(ahead) else {
                return Ok(Ended::Dir);
            };
            let name = Text::from_slice(name);
            let is_last = path::next(after).is_none();
            let slash = is_last && !after.is_empty();
            at = pending.len().saturating_sub(after.len());
            match &name[..] {
                b"." => continue,
                b".." => {
                    self.up()?;
                    continue;
                }
                _ => {}
            }
            let Some((mount, fd)) = self.host()? else {
                if let Some(ended) = self.synthetic(&name, is_last, slash)? {
                    return Ok(ended);
                }
                continue;
            };
            if is_last && last == Last::Parent {
                return Ok(Ended::Entry(Found {
                    name,
                    slash,
                    node: None,
                }));
            }
            let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let node = match rustix::fs::openat(fd, &name[..], flags, Mode::empty()) {
                Ok(node) => node,
                Err(rustix::io::Errno::NOENT) if is_last => {
                    return Ok(Ended::Entry(Found {
                        name,
                        slash,
                        node: None,
                    }));
                }
                Err(e) => return Err(e.into()),
            };
            let stat = rustix::fs::fstat(&node)?;
            match HostType::from_raw_mode(stat.st_mode) {
                HostType::Symlink if !is_last || slash || last == Last::Follow => {
                    self.links = self.links.saturating_add(1);
                    if self.links > MAX_LINKS {
                        return Err(Errno::LOOP);
                    }
                    let target = rustix::fs::readlinkat(&node, "", Vec::new())?;
                    let target = target.as_bytes();
                    if target.is_empty() {
                        return Err(Errno::NOENT);
                    }
                    if target.first() == Some(&b'/') {
                        self.go_to_root();
                    }
                    let after = SmallVec::<[u8; 256]>::from_slice(after);
                    pending = SmallVec::from_slice(target);
                    pending.extend_from_slice(&after);
                    at = 0;
                }
                HostType::Directory if !is_last => self.enter(mount, node, &name)?,
                _ if !is_last => return Err(Errno::NOTDIR),
                _ => {
                    return Ok(Ended::Entry(Found {
                        name,
                        slash,
                        node: Some((node, stat)),
                    }));
                }
            }
        }
    }

    /// One step in a synthetic directory; None if the walk goes on.
    fn synthetic(
        &mut self,
        name: &[u8],
        is_last: bool,
        slash: bool,
    ) -> Result<Option<Ended>, Errno> {
        let Some(Frame::Synthetic(node)) = self.frames.last() else {
            return Err(Errno::NOENT);
        };
        match self.vfs.tree.child(*node, name)? {
            Some(Child::Dir(next)) => self.frames.push(Frame::Synthetic(next)),
            Some(Child::Mount(mount)) => {
                self.frames.push(Frame::Mount(mount));
                self.text = Some(Text::new());
            }
            Some(Child::Leaf(leaf)) if is_last && !slash => return Ok(Some(Ended::Leaf(leaf))),
            Some(Child::Leaf(_)) => return Err(Errno::NOTDIR),
            None if is_last => return Ok(Some(Ended::Missing)),
            None => return Err(Errno::NOENT),
        }
        Ok(None)
    }

    /// The directory at the top, as a node of its own.
    pub(super) fn into_dir(mut self) -> Result<Dir, Errno> {
        match self.frames.pop() {
            Some(Frame::Synthetic(node)) => Ok(Dir::Synthetic(node)),
            Some(Frame::Mount(mount)) => Ok(Dir::Mount(mount)),
            Some(Frame::Start(dir)) => Ok(Dir::Below(dir)),
            Some(Frame::Below { mount, fd }) => {
                Ok(Dir::below(mount, fd, Tracked::new(self.seen, self.text)))
            }
            None => Err(Errno::NOENT),
        }
    }

    /// The entry `name` of the top directory, detached from the walk.
    pub(super) fn entry(self, name: Text, slash: bool) -> Result<Entry<'v>, Errno> {
        let Walk {
            vfs,
            mut frames,
            text,
            ..
        } = self;
        let (mount, parent) = match frames.pop() {
            Some(Frame::Mount(mount)) => (mount, Handle::Borrowed(vfs.mount(mount)?.fd()?)),
            Some(Frame::Start(dir)) => (dir.mount, Handle::Dir(dir)),
            Some(Frame::Below { mount, fd }) => (mount, Handle::Owned(fd)),
            Some(Frame::Synthetic(_)) | None => return Err(Errno::NOENT),
        };
        Ok(Entry {
            mount,
            parent,
            parent_path: text,
            name,
            slash,
        })
    }
}
