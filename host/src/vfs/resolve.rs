//! From a path to what it names: the quick way.
//!
//! The synthetic part of a path is walked by its letters. What lies below a mount is given
//! to the kernel whole, beneath the mount's handle. Where the kernel refuses (an absolute
//! link, a way out, a kernel without `openat2`), [`super::walk`] takes over.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rustix::fs::{Mode, OFlags, ResolveFlags};
use rustix::io::Errno as Host;

use super::dir::{BelowDir, Dir};
use super::path::{self, Split, Text};
use super::tree::{Child, Leaf, ROOT};
use super::walk::{Ended, Last, Walk};
use super::{Base, Vfs};
use crate::errno::Errno;

/// What a path names, or where the part below a mount begins.
pub(super) enum Located<'v, 'p> {
    /// A directory: synthetic, a mount's root or the base itself.
    Dir(Dir),
    Leaf(Leaf),
    /// A last component that a synthetic directory does not have.
    Missing,
    Below(Below<'v, 'p>),
}

/// A path below a directory of a mount.
pub(super) struct Below<'v, 'p> {
    pub(super) mount: usize,
    pub(super) fd: BorrowedFd<'v>,
    /// The directory, unless it is the mount's root.
    pub(super) base: Option<&'v Arc<BelowDir>>,
    /// At least one component.
    pub(super) rest: &'p [u8],
}

/// A handle of a directory, held one way or another.
pub(super) enum Handle<'v> {
    Borrowed(BorrowedFd<'v>),
    Owned(OwnedFd),
    Shared(Arc<OwnedFd>),
    Dir(Arc<BelowDir>),
}

impl AsFd for Handle<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Handle::Borrowed(fd) => *fd,
            Handle::Owned(fd) => fd.as_fd(),
            Handle::Shared(fd) => fd.as_fd(),
            Handle::Dir(dir) => dir.fd.as_fd(),
        }
    }
}

/// A name in a directory of a mount.
pub(super) struct Entry<'v> {
    pub(super) mount: usize,
    pub(super) parent: Handle<'v>,
    /// Path of the parent below the mount; None if it is not known any more.
    pub(super) parent_path: Option<Text>,
    pub(super) name: Text,
    /// Slashes follow the name.
    pub(super) slash: bool,
}

impl Entry<'_> {
    /// Path below the mount.
    pub(super) fn path(&self) -> Option<Text> {
        self.parent_path.as_ref().map(|parent| {
            let mut path = parent.clone();
            path::push(&mut path, &self.name);
            path
        })
    }

    /// The name as the kernel should see it, for calls that never follow it.
    pub(super) fn raw_name(&self) -> Text {
        let mut name = self.name.clone();
        if self.slash {
            name.push(b'/');
        }
        name
    }
}

/// Where a name can be made or removed. Lives on the stack for one operation.
#[allow(clippy::large_enum_variant)]
pub(super) enum Spot<'v> {
    Entry(Entry<'v>),
    /// A directory that has no name of its own here: `.`, `..`, `/` or a mount's root.
    Dir(Dots),
    /// Something in a synthetic directory, which exists or does not.
    Synthetic {
        exists: bool,
    },
}

/// How a path without a last name ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dots {
    Dot,
    DotDot,
    Root,
}

impl Dots {
    pub(super) fn of(p: &[u8]) -> Dots {
        match path::split(p).map(|s| s.name) {
            Some(b".") => Dots::Dot,
            Some(b"..") => Dots::DotDot,
            _ => Dots::Root,
        }
    }
}

/// Handles of the directories that were looked into last.
///
/// Valid only while no directory of this process's sandboxes was renamed or removed
/// ([`NAMES_CHANGED`]) and for a moment that is too short for anyone outside to have
/// changed the tree and told the guest about it.
#[derive(Default)]
pub(super) struct ParentCache {
    slots: Mutex<Slots>,
}

#[derive(Default)]
struct Slots {
    entries: [Option<Cached>; 4],
    next: usize,
}

struct Cached {
    mount: usize,
    path: Text,
    fd: Arc<OwnedFd>,
    generation: u64,
    at: Instant,
}

/// Counts renames and removals of directories by any sandbox of this process.
static NAMES_CHANGED: AtomicU64 = AtomicU64::new(0);

const CACHE_LIFE: Duration = Duration::from_micros(400);

/// To be called after a directory was renamed or removed.
pub(super) fn names_changed() {
    NAMES_CHANGED.fetch_add(1, Ordering::SeqCst);
}

impl ParentCache {
    fn get(&self, mount: usize, path: &[u8]) -> Option<Arc<OwnedFd>> {
        let slots = self.slots.lock();
        let generation = NAMES_CHANGED.load(Ordering::SeqCst);
        slots
            .entries
            .iter()
            .flatten()
            .find(|c| c.mount == mount && c.generation == generation && c.path[..] == *path)
            .filter(|c| c.at.elapsed() < CACHE_LIFE)
            .map(|c| c.fd.clone())
    }

    fn put(&self, cached: Cached) {
        let mut slots = self.slots.lock();
        let same = |c: &Cached| c.mount == cached.mount && c.path == cached.path;
        let index = match slots
            .entries
            .iter()
            .position(|c| c.as_ref().is_some_and(same))
        {
            Some(i) => i,
            None => {
                slots.next = slots.next.wrapping_add(1) % 4;
                slots.next
            }
        };
        if let Some(slot) = slots.entries.get_mut(index) {
            *slot = Some(cached);
        }
    }

    /// Lets go of all handles.
    pub(super) fn clear(&self) {
        *self.slots.lock() = Slots::default();
    }
}

pub(super) const BENEATH: ResolveFlags = ResolveFlags::BENEATH.union(ResolveFlags::NO_MAGICLINKS);
/// For paths that must be known by their letters afterwards.
pub(super) const PLAIN: ResolveFlags = BENEATH.union(ResolveFlags::NO_SYMLINKS);

pub(super) const PATH_DIR: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// Whether an error of the quick way only means that the other way must decide.
pub(super) fn undecided(e: Host) -> bool {
    matches!(e, Host::XDEV | Host::LOOP | Host::AGAIN | Host::NOSYS)
}

impl Vfs {
    /// The directory that a base stands for.
    fn base_dir(base: Base<'_>) -> Option<&Dir> {
        match base {
            Base::Root => None,
            Base::Dir(handle) => Some(&handle.dir),
            Base::Cwd(cwd) => Some(&cwd.dir),
        }
    }

    /// Walks the synthetic part of a path.
    pub(super) fn locate<'v, 'p>(
        &'v self,
        base: Base<'v>,
        path: &'p [u8],
    ) -> Result<Located<'v, 'p>, Errno> {
        path::check(path)?;
        if path.iter().filter(|b| **b == b'/').count() > self.max_depth {
            self.check_depth(path)?;
        }
        let start = if path.first() == Some(&b'/') {
            None
        } else {
            Self::base_dir(base)
        };
        let mut node = match start {
            None => ROOT,
            Some(Dir::Synthetic(node)) => *node,
            Some(Dir::Mount(mount)) => return self.below(*mount, None, path),
            Some(Dir::Below(dir)) => return self.below(dir.mount, Some(dir), path),
        };
        let mut rest = path;
        while let Some((name, after)) = path::next(rest) {
            rest = after;
            match name {
                b"." => {}
                b".." => node = self.tree.parent(node),
                name => match self.tree.child(node, name)? {
                    Some(Child::Dir(next)) => node = next,
                    Some(Child::Mount(mount)) => return self.below(mount, None, rest),
                    Some(Child::Leaf(leaf)) if rest.is_empty() => return Ok(Located::Leaf(leaf)),
                    Some(Child::Leaf(_)) => return Err(Errno::NOTDIR),
                    None if path::next(rest).is_none() => return Ok(Located::Missing),
                    None => return Err(Errno::NOENT),
                },
            }
        }
        Ok(Located::Dir(Dir::Synthetic(node)))
    }

    fn check_depth(&self, path: &[u8]) -> Result<(), Errno> {
        if path::components(path).count() > self.max_depth {
            return Err(Errno::NAMETOOLONG);
        }
        Ok(())
    }

    fn below<'v, 'p>(
        &'v self,
        mount: usize,
        base: Option<&'v Arc<BelowDir>>,
        rest: &'p [u8],
    ) -> Result<Located<'v, 'p>, Errno> {
        // Refuses a base whose mount this view does not have.
        let root = self.mount(mount)?;
        let trivial = path::components(rest).all(|c| c == b".");
        let start = rest.iter().position(|b| *b != b'/').unwrap_or(rest.len());
        let (_, rest) = rest.split_at(start);
        Ok(match base {
            None if trivial => Located::Dir(Dir::Mount(mount)),
            None => {
                let fd = root.fd()?;
                Located::Below(Below {
                    mount,
                    fd,
                    base: None,
                    rest,
                })
            }
            Some(dir) if trivial => Located::Dir(Dir::Below(dir.clone())),
            Some(dir) => Located::Below(Below {
                mount,
                fd: dir.fd.as_fd(),
                base: Some(dir),
                rest,
            }),
        })
    }

    /// The path of a base below its mount.
    pub(super) fn base_path(&self, below: &Below<'_, '_>) -> Option<Text> {
        match below.base {
            None => Some(Text::new()),
            Some(dir) => dir.path(&self.moves),
        }
    }

    /// The directory in which the last component lies, and that component.
    pub(super) fn spot<'v>(&'v self, base: Base<'v>, path: &[u8]) -> Result<Spot<'v>, Errno> {
        let below = match self.locate(base, path)? {
            Located::Dir(Dir::Synthetic(_)) if Dots::of(path) == Dots::Root => {
                // A name like `/dev`, or `/` itself.
                return Ok(match path::split(path) {
                    Some(_) => Spot::Synthetic { exists: true },
                    None => Spot::Dir(Dots::Root),
                });
            }
            Located::Dir(_) => return Ok(Spot::Dir(Dots::of(path))),
            Located::Leaf(_) => {
                return Ok(Spot::Synthetic { exists: true });
            }
            Located::Missing => {
                return Ok(Spot::Synthetic { exists: false });
            }
            Located::Below(below) => below,
        };
        if let Some(entry) = self.quick_entry(&below)? {
            return Ok(Spot::Entry(entry));
        }
        let mut walk = Walk::new(self, base, path)?;
        match walk.run(path, Last::Parent)? {
            Ended::Dir => Ok(Spot::Dir(Dots::of(path))),
            Ended::Leaf(_) => Ok(Spot::Synthetic { exists: true }),
            Ended::Missing => Ok(Spot::Synthetic { exists: false }),
            Ended::Entry(found) => Ok(Spot::Entry(walk.entry(found.name, found.slash)?)),
        }
    }

    /// The parent of a path below a mount, if the kernel resolves it without meeting a link.
    pub(super) fn quick_entry<'v>(
        &'v self,
        below: &Below<'v, '_>,
    ) -> Result<Option<Entry<'v>>, Errno> {
        let Some((parent, split)) = self.quick_parent(below)? else {
            return Ok(None);
        };
        let parent_path = self.base_path(below).map(|mut path| {
            path::join(&mut path, split.parent);
            path
        });
        let (mount, name) = (below.mount, Text::from_slice(split.name));
        Ok(Some(Entry {
            mount,
            parent,
            parent_path,
            name,
            slash: split.slash,
        }))
    }

    /// The same, with only what it takes to look at the last component.
    pub(super) fn quick_parent<'v, 'p>(
        &'v self,
        below: &Below<'v, 'p>,
    ) -> Result<Option<(Handle<'v>, Split<'p>)>, Errno> {
        let Some(split) = path::split(below.rest) else {
            return Ok(None);
        };
        if path::is_dots(split.name) {
            return Ok(None);
        }
        if split.parent.is_empty() {
            return Ok(Some((Handle::Borrowed(below.fd), split)));
        }
        if !self.openat2 {
            return Ok(None);
        }
        let key = match split.parent.strip_suffix(b"/") {
            Some(key) if below.base.is_none() && !path::climbs(key) => Some(key),
            _ => None,
        };
        if let Some(key) = key
            && let Some(fd) = self.parents.get(below.mount, key)
        {
            return Ok(Some((Handle::Shared(fd), split)));
        }
        let generation = NAMES_CHANGED.load(Ordering::SeqCst);
        match rustix::fs::openat2(below.fd, split.parent, PATH_DIR, Mode::empty(), PLAIN) {
            Ok(fd) => {
                let Some(key) = key else {
                    return Ok(Some((Handle::Owned(fd), split)));
                };
                let fd = Arc::new(fd);
                self.parents.put(Cached {
                    mount: below.mount,
                    path: Text::from_slice(key),
                    fd: fd.clone(),
                    generation,
                    at: Instant::now(),
                });
                Ok(Some((Handle::Shared(fd), split)))
            }
            Err(e) if undecided(e) => Ok(None),
            Err(e) => Err(e.into()),
        }
    }
}
