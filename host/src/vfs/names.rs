//! Operations on names: making, removing, renaming, looking at them.

use std::os::fd::AsFd;
use std::sync::Arc;

use rustix::fs::{AtFlags, FileType as HostType, Mode, OFlags, Stat as HostStat};
use rustix::io::Errno as Host;

use super::dir::{Dir, Tracked};
use super::journal::Event;
use super::ledger::PoolId;
use super::path;
use super::resolve::{BENEATH, Dots, Entry, Located, PATH_DIR, PLAIN, Spot, undecided};
use super::tree::{Child, Leaf, ROOT};
use super::walk::{Ended, Last, Walk};
use super::{Actor, Base, Cwd, Device, FileType, Stated, Times, Vfs, meta};
use crate::errno::Errno;
use crate::report::QuotaKind;

/// The last component of a path, looked at. Lives on the stack for one operation.
#[allow(clippy::large_enum_variant)]
enum Node<'v> {
    Dir(Dir),
    Leaf(Leaf),
    Entry(Entry<'v>, HostStat),
}

fn look(entry: &Entry<'_>) -> Result<HostStat, Host> {
    rustix::fs::statat(&entry.parent, &entry.name[..], AtFlags::SYMLINK_NOFOLLOW)
}

fn is(stat: &HostStat, t: HostType) -> bool {
    HostType::from_raw_mode(stat.st_mode) == t
}

fn leaf_stat(vfs: &Vfs, leaf: &Leaf) -> Stated {
    match leaf {
        Leaf::Device(Device::Fd(n)) => Stated::Fd(*n),
        leaf => Stated::Here(vfs.stat_leaf(leaf)),
    }
}

impl Vfs {
    /// Status of a path.
    pub(crate) fn stat(&self, base: Base<'_>, path: &[u8], follow: bool) -> Result<Stated, Errno> {
        let below = match self.locate(base, path)? {
            Located::Dir(dir) => return Ok(Stated::Here(self.stat_dir(&dir)?)),
            Located::Leaf(leaf) => return Ok(leaf_stat(self, &leaf)),
            Located::Missing => return Err(Errno::NOENT),
            Located::Below(below) => below,
        };
        if let Some((parent, split)) = self.quick_parent(&below)?
            && !split.slash
        {
            let flags = AtFlags::SYMLINK_NOFOLLOW;
            let stat = rustix::fs::statat(&parent, split.name, flags)?;
            if !follow || !is(&stat, HostType::Symlink) {
                return Ok(Stated::Here(self.stat_of(below.mount, &stat)));
            }
        }
        if self.openat2 {
            let mut flags = OFlags::PATH | OFlags::CLOEXEC;
            flags.set(OFlags::NOFOLLOW, !follow);
            match rustix::fs::openat2(below.fd, below.rest, flags, Mode::empty(), BENEATH) {
                Ok(fd) => return Ok(Stated::Here(self.stat_fd(below.mount, fd.as_fd())?)),
                Err(e) if undecided(e) => {}
                Err(e) => return Err(e.into()),
            }
        }
        match self.walk_to(base, path, follow)? {
            Node::Dir(dir) => Ok(Stated::Here(self.stat_dir(&dir)?)),
            Node::Leaf(leaf) => Ok(leaf_stat(self, &leaf)),
            Node::Entry(entry, stat) => Ok(Stated::Here(self.stat_of(entry.mount, &stat))),
        }
    }

    /// The node that a path names, by the careful way.
    fn walk_to<'v>(&'v self, base: Base<'v>, path: &[u8], follow: bool) -> Result<Node<'v>, Errno> {
        let mut walk = Walk::new(self, base, path)?;
        let last = if follow { Last::Follow } else { Last::NoFollow };
        match walk.run(path, last)? {
            Ended::Dir => Ok(Node::Dir(walk.into_dir()?)),
            Ended::Leaf(leaf) => Ok(Node::Leaf(leaf)),
            Ended::Missing => Err(Errno::NOENT),
            Ended::Entry(found) => {
                let Some((_, stat)) = found.node else {
                    return Err(Errno::NOENT);
                };
                if found.slash && !is(&stat, HostType::Directory) {
                    return Err(Errno::NOTDIR);
                }
                Ok(Node::Entry(walk.entry(found.name, found.slash)?, stat))
            }
        }
    }

    /// The node that a path names, as an entry of its directory.
    fn node<'v>(&'v self, base: Base<'v>, path: &[u8], follow: bool) -> Result<Node<'v>, Errno> {
        let below = match self.locate(base, path)? {
            Located::Dir(dir) => return Ok(Node::Dir(dir)),
            Located::Leaf(leaf) => return Ok(Node::Leaf(leaf)),
            Located::Missing => return Err(Errno::NOENT),
            Located::Below(below) => below,
        };
        if let Some(entry) = self.quick_entry(&below)?
            && !entry.slash
        {
            let stat = look(&entry)?;
            if !follow || !is(&stat, HostType::Symlink) {
                return Ok(Node::Entry(entry, stat));
            }
        }
        self.walk_to(base, path, follow)
    }

    /// Counts one more name. What exists already is the better error than a full sandbox.
    fn reserve_name(&self, actor: &Actor, entry: &Entry<'_>) -> Result<Option<PoolId>, Errno> {
        let pool = self.mount(entry.mount)?.pool;
        self.prepare_growth(pool);
        if let Some(pool) = pool
            && let Err(e) = self.reserve_file(actor, pool)
        {
            if look(entry).is_ok() {
                actor.take_quota_hit();
                return Err(Errno::EXIST);
            }
            return Err(e);
        }
        Ok(pool)
    }

    /// A name that is to be made: where it goes, or why it cannot be.
    fn new_name<'v>(
        &'v self,
        actor: &Actor,
        base: Base<'v>,
        path: &[u8],
    ) -> Result<Entry<'v>, Errno> {
        match self.spot(base, path)? {
            Spot::Dir(_) | Spot::Synthetic { exists: true } => Err(Errno::EXIST),
            Spot::Synthetic { exists: false } => Err(Errno::ROFS),
            Spot::Entry(entry) => {
                if self.writable(entry.mount).is_err() {
                    return Err(look(&entry).map_or(Errno::ROFS, |_| Errno::EXIST));
                }
                self.check_new_depth(actor, entry.path().as_ref())?;
                Ok(entry)
            }
        }
    }

    /// Finishes making a name: gives back what was counted, or notes it.
    fn made(
        &self,
        actor: &Actor,
        entry: &Entry<'_>,
        pool: Option<PoolId>,
        file_type: FileType,
        result: Result<(), Host>,
    ) -> Result<(), Errno> {
        if let Err(e) = result {
            if let Some(pool) = pool {
                self.ledger.pool(pool).give_file();
            }
            return Err(e.into());
        }
        match entry.path() {
            Some(path) => self.note(actor, entry.mount, Event::Created(&path, file_type)),
            None => self.note(actor, entry.mount, Event::Unknown),
        }
        Ok(())
    }

    /// Makes a directory.
    pub(crate) fn mkdir(
        &self,
        actor: &Actor,
        base: Base<'_>,
        path: &[u8],
        mode: u32,
    ) -> Result<(), Errno> {
        let entry = self.new_name(actor, base, path)?;
        let pool = self.reserve_name(actor, &entry)?;
        let mode = mode & 0o777 & !actor.umask();
        let bits = meta::mode_bits(mode);
        let made = rustix::fs::mkdirat(&entry.parent, &entry.name[..], bits);
        if made.is_ok() && mode & super::mount::host_umask() != 0 {
            let flags = PATH_DIR | OFlags::NOFOLLOW;
            // Whoever replaces it at once gets what they made.
            if let Ok(fd) = rustix::fs::openat(&entry.parent, &entry.name[..], flags, Mode::empty())
            {
                super::mount::chmod_path_fd(fd.as_fd(), bits)?;
            }
        }
        self.made(actor, &entry, pool, FileType::Dir, made)
    }

    /// Makes a symbolic link. The target may be anything; it is resolved inside the sandbox
    /// when followed.
    pub(crate) fn symlink(
        &self,
        actor: &Actor,
        target: &[u8],
        base: Base<'_>,
        path: &[u8],
    ) -> Result<(), Errno> {
        path::check(target)?;
        let entry = self.new_name(actor, base, path)?;
        let pool = self.reserve_name(actor, &entry)?;
        let len = u64::try_from(target.len()).unwrap_or(u64::MAX);
        if let Some(pool) = pool
            && let Err(e) = self.reserve_bytes(actor, pool, len)
        {
            self.ledger.pool(pool).give_file();
            if look(&entry).is_ok() {
                actor.take_quota_hit();
                return Err(Errno::EXIST);
            }
            return Err(e);
        }
        let made = rustix::fs::symlinkat(target, &entry.parent, &entry.raw_name()[..]);
        if let (Err(_), Some(pool)) = (&made, pool) {
            self.return_bytes(pool, len);
        }
        self.made(actor, &entry, pool, FileType::Symlink, made)
    }

    /// Makes another name for a file, within one mount.
    pub(crate) fn link(
        &self,
        actor: &Actor,
        old_base: Base<'_>,
        old: &[u8],
        follow: bool,
        new_base: Base<'_>,
        new: &[u8],
    ) -> Result<(), Errno> {
        let source = self.node(old_base, old, follow)?;
        let target = match self.spot(new_base, new)? {
            Spot::Dir(_) | Spot::Synthetic { exists: true } => return Err(Errno::EXIST),
            Spot::Synthetic { exists: false } => return Err(Errno::XDEV),
            Spot::Entry(entry) if look(&entry).is_ok() => return Err(Errno::EXIST),
            Spot::Entry(entry) if entry.slash => return Err(Errno::NOENT),
            Spot::Entry(entry) => entry,
        };
        let (source, stat) = match source {
            Node::Dir(dir) => {
                let here = self
                    .host_dir(&dir)
                    .is_some_and(|(mount, _)| mount == target.mount);
                return Err(if here { Errno::PERM } else { Errno::XDEV });
            }
            Node::Leaf(_) => return Err(Errno::XDEV),
            Node::Entry(entry, _) if entry.mount != target.mount => return Err(Errno::XDEV),
            Node::Entry(entry, stat) => (entry, stat),
        };
        self.writable(target.mount)?;
        if is(&stat, HostType::Directory) {
            return Err(Errno::PERM);
        }
        self.check_new_depth(actor, target.path().as_ref())?;
        self.check_named_size(actor, &target, &stat)?;
        let pool = self.reserve_name(actor, &target)?;
        let names = self.names.lock();
        if let Some(inode) = self.ledger.find((stat.st_dev, stat.st_ino)) {
            inode.state.lock().shared = true;
        }
        // Without AT_SYMLINK_FOLLOW the source is never followed, whatever it is by now.
        let made = rustix::fs::linkat(
            &source.parent,
            &source.name[..],
            &target.parent,
            &target.raw_name()[..],
            AtFlags::empty(),
        );
        drop(names);
        self.made(actor, &target, pool, meta::file_type(&stat), made)
    }

    /// Refuses a name whose extension allows less than the file holds.
    fn check_named_size(
        &self,
        actor: &Actor,
        entry: &Entry<'_>,
        stat: &HostStat,
    ) -> Result<(), Errno> {
        if let (limit, Some(extension)) = actor.size_limit(&entry.name)
            && is(stat, HostType::RegularFile)
        {
            let size = u64::try_from(stat.st_size).unwrap_or(0);
            if size > limit {
                return Err(actor.exceeded(QuotaKind::FileBytes, Some(extension), limit, 0, size));
            }
        }
        Ok(())
    }

    /// A name that is to be removed or moved; `dots` gives the error for one that is not.
    fn old_name<'v>(
        &'v self,
        base: Base<'v>,
        path: &[u8],
        dots: impl FnOnce(Dots) -> Errno,
    ) -> Result<Entry<'v>, Errno> {
        match self.spot(base, path)? {
            Spot::Dir(kind) => Err(dots(kind)),
            Spot::Synthetic { exists: true } => Err(Errno::ROFS),
            Spot::Synthetic { exists: false } => Err(Errno::NOENT),
            Spot::Entry(entry) => {
                self.writable(entry.mount)?;
                Ok(entry)
            }
        }
    }

    fn note_removed(&self, actor: &Actor, entry: &Entry<'_>, file_type: FileType) {
        match entry.path() {
            Some(path) => self.note(actor, entry.mount, Event::Removed(&path, file_type)),
            None => self.note(actor, entry.mount, Event::Unknown),
        }
    }

    /// Removes an empty directory.
    pub(crate) fn rmdir(&self, actor: &Actor, base: Base<'_>, path: &[u8]) -> Result<(), Errno> {
        let entry = self.old_name(base, path, |dots| match dots {
            Dots::Dot => Errno::INVAL,
            Dots::DotDot => Errno::NOTEMPTY,
            Dots::Root => Errno::BUSY,
        })?;
        let _names = self.names.lock();
        rustix::fs::unlinkat(&entry.parent, &entry.name[..], AtFlags::REMOVEDIR)?;
        super::resolve::names_changed();
        if let Some(pool) = self.mount(entry.mount)?.pool {
            self.ledger.pool(pool).give_file();
        }
        self.note_removed(actor, &entry, FileType::Dir);
        Ok(())
    }

    /// Removes a name that is not a directory.
    pub(crate) fn unlink(&self, actor: &Actor, base: Base<'_>, path: &[u8]) -> Result<(), Errno> {
        let entry = self.old_name(base, path, |_| Errno::ISDIR)?;
        let _names = self.names.lock();
        let stat = look(&entry)?;
        rustix::fs::unlinkat(&entry.parent, &entry.raw_name()[..], AtFlags::empty())?;
        if let Some(pool) = self.mount(entry.mount)?.pool {
            self.ledger.unlinked(pool, &stat);
        }
        self.note_removed(actor, &entry, meta::file_type(&stat));
        Ok(())
    }

    /// Renames within one mount.
    pub(crate) fn rename(
        &self,
        actor: &Actor,
        old_base: Base<'_>,
        old: &[u8],
        new_base: Base<'_>,
        new: &[u8],
    ) -> Result<(), Errno> {
        let spots = (self.spot(old_base, old)?, self.spot(new_base, new)?);
        let (from, to) = match spots {
            (Spot::Dir(_), _) | (_, Spot::Dir(_)) => return Err(Errno::BUSY),
            (Spot::Synthetic { exists: false }, _) => return Err(Errno::NOENT),
            (Spot::Synthetic { .. }, Spot::Synthetic { .. }) => return Err(Errno::ROFS),
            (Spot::Entry(from), Spot::Entry(to)) if from.mount == to.mount => (from, to),
            (Spot::Entry(from), _) => {
                look(&from)?;
                return Err(Errno::XDEV);
            }
            _ => return Err(Errno::XDEV),
        };
        let mount = self.mount(from.mount)?;
        self.writable(from.mount)?;
        let (from_path, to_path) = (from.path(), to.path());
        self.check_new_depth(actor, to_path.as_ref())?;
        let _names = self.names.lock();
        let moving = look(&from)?;
        let over = look(&to).ok();
        self.check_named_size(actor, &to, &moving)?;
        rustix::fs::renameat(
            &from.parent,
            &from.raw_name()[..],
            &to.parent,
            &to.raw_name()[..],
        )?;
        let key = (moving.st_dev, moving.st_ino);
        if over.as_ref().is_some_and(|o| (o.st_dev, o.st_ino) == key) {
            // Two names of one file, or the same name: nothing happens.
            return Ok(());
        }
        let dir = is(&moving, HostType::Directory);
        if dir || over.as_ref().is_some_and(|o| is(o, HostType::Directory)) {
            super::resolve::names_changed();
        }
        match (&from_path, &to_path) {
            (Some(from_path), Some(to_path)) if dir => {
                self.moves
                    .push(from.mount, from_path.clone(), to_path.clone());
            }
            _ if dir => {}
            _ => {
                if let Some(inode) = self.ledger.find(key) {
                    let mut state = inode.state.lock();
                    state.path = Some(Tracked::new(self.moves.now(), to_path.clone()));
                    let limit = actor.size_limit(&to.name);
                    if limit.0 < state.max_size {
                        (state.max_size, state.limit_from) = limit;
                    }
                }
            }
        }
        if let (Some(pool), Some(over)) = (mount.pool, &over) {
            self.ledger.unlinked(pool, over);
        }
        let replaced = over.as_ref().map(meta::file_type);
        let file_type = meta::file_type(&moving);
        match (&from_path, &to_path) {
            (Some(from_path), Some(to_path)) => {
                let event = Event::Renamed {
                    from: from_path,
                    to: to_path,
                    file_type,
                    replaced,
                };
                self.note(actor, from.mount, event);
            }
            _ => self.note(actor, from.mount, Event::Unknown),
        }
        Ok(())
    }

    /// Target of a symbolic link.
    pub(crate) fn readlink(&self, base: Base<'_>, path: &[u8]) -> Result<Vec<u8>, Errno> {
        match self.node(base, path, false)? {
            Node::Dir(_) | Node::Leaf(_) => Err(Errno::INVAL),
            Node::Entry(entry, _) => {
                let target = rustix::fs::readlinkat(&entry.parent, &entry.name[..], Vec::new())?;
                Ok(target.into_bytes())
            }
        }
    }

    /// Sets times.
    pub(crate) fn set_times(
        &self,
        actor: &Actor,
        base: Base<'_>,
        path: &[u8],
        follow: bool,
        times: Times,
    ) -> Result<(), Errno> {
        let times = meta::timestamps(times);
        match self.node(base, path, follow)? {
            Node::Leaf(_) => Err(Errno::ROFS),
            Node::Dir(dir) => {
                let (mount, fd) = self.host_dir(&dir).ok_or(Errno::ROFS)?;
                self.writable(mount)?;
                rustix::fs::utimensat(fd, ".", &times, AtFlags::empty())?;
                self.note_dir(actor, &dir);
                Ok(())
            }
            Node::Entry(entry, stat) => {
                self.writable(entry.mount)?;
                let flags = AtFlags::SYMLINK_NOFOLLOW;
                rustix::fs::utimensat(&entry.parent, &entry.name[..], &times, flags)?;
                self.note_entry(actor, &entry, &stat);
                Ok(())
            }
        }
    }

    /// Sets permission bits; follows links.
    pub(crate) fn chmod(
        &self,
        actor: &Actor,
        base: Base<'_>,
        path: &[u8],
        mode: u32,
    ) -> Result<(), Errno> {
        let mode = meta::mode_bits(mode);
        match self.node(base, path, true)? {
            Node::Leaf(_) => Err(Errno::ROFS),
            Node::Dir(dir) => {
                let (mount, fd) = self.host_dir(&dir).ok_or(Errno::ROFS)?;
                self.writable(mount)?;
                rustix::fs::chmodat(fd, ".", mode, AtFlags::empty())?;
                self.note_dir(actor, &dir);
                Ok(())
            }
            Node::Entry(entry, stat) => {
                self.writable(entry.mount)?;
                chmod_entry(&entry, mode)?;
                self.note_entry(actor, &entry, &stat);
                Ok(())
            }
        }
    }

    pub(super) fn note_dir(&self, actor: &Actor, dir: &Dir) {
        let Some((mount, _)) = self.host_dir(dir) else {
            return;
        };
        let path = match dir {
            Dir::Below(below) => below.path(&self.moves),
            _ => Some(path::Text::new()),
        };
        match path {
            Some(path) => self.note(actor, mount, Event::Mode(&path, FileType::Dir)),
            None => self.note(actor, mount, Event::Unknown),
        }
    }

    fn note_entry(&self, actor: &Actor, entry: &Entry<'_>, stat: &HostStat) {
        let shared = is(stat, HostType::RegularFile) && stat.st_nlink > 1;
        match entry.path() {
            Some(path) if !shared => {
                self.note(
                    actor,
                    entry.mount,
                    Event::Mode(&path, meta::file_type(stat)),
                );
            }
            _ => self.note(actor, entry.mount, Event::Unknown),
        }
    }

    /// A directory as a working directory.
    pub(crate) fn chdir(&self, base: Base<'_>, path: &[u8]) -> Result<Cwd, Errno> {
        let dir = match self.locate(base, path)? {
            Located::Dir(dir) => dir,
            Located::Leaf(_) => return Err(Errno::NOTDIR),
            Located::Missing => return Err(Errno::NOENT),
            Located::Below(below) => {
                let seen = self.moves.now();
                let quick = match self.openat2 {
                    true => {
                        rustix::fs::openat2(below.fd, below.rest, PATH_DIR, Mode::empty(), PLAIN)
                    }
                    false => Err(Host::NOSYS),
                };
                match quick {
                    Ok(fd) => {
                        let text = self.base_path(&below).map(|mut text| {
                            path::join(&mut text, below.rest);
                            text
                        });
                        Dir::below(below.mount, fd, Tracked::new(seen, text))
                    }
                    Err(e) if undecided(e) => self.walk_to_dir(base, path)?,
                    Err(e) => return Err(e.into()),
                }
            }
        };
        if self.stat_dir(&dir)?.mode & 0o100 == 0 {
            return Err(Errno::ACCES);
        }
        let path = Arc::from(self.path_of(&dir));
        Ok(Cwd { dir, path })
    }

    fn walk_to_dir(&self, base: Base<'_>, path: &[u8]) -> Result<Dir, Errno> {
        let seen = self.moves.now();
        match self.walk_to(base, path, true)? {
            Node::Dir(dir) => Ok(dir),
            Node::Leaf(_) => Err(Errno::NOTDIR),
            Node::Entry(entry, _) => {
                let flags = PATH_DIR | OFlags::NOFOLLOW;
                let fd = rustix::fs::openat(&entry.parent, &entry.name[..], flags, Mode::empty())?;
                Ok(Dir::below(
                    entry.mount,
                    fd,
                    Tracked::new(seen, entry.path()),
                ))
            }
        }
    }

    /// Where a path that a guest gave relative to its only preopen, `/`, starts if the
    /// guest's libc drops the leading slash: at the root if its first component is a name
    /// of the root and not one of the working directory, else at the working directory.
    pub(crate) fn foreign_base<'a>(&self, cwd: &'a Cwd, path: &[u8]) -> Base<'a> {
        let Some((first, _)) = path::next(path) else {
            return Base::Cwd(cwd);
        };
        if path::is_dots(first) {
            return Base::Cwd(cwd);
        }
        let in_root: Option<Child> = self.tree.child(ROOT, first).ok().flatten();
        if in_root.is_some() && self.stat(Base::Cwd(cwd), first, false).is_err() {
            return Base::Root;
        }
        Base::Cwd(cwd)
    }
}

/// Sets the permission bits of a file or directory without ever following a link.
fn chmod_entry(entry: &Entry<'_>, mode: Mode) -> Result<(), Errno> {
    let name = &entry.name[..];
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let fd = rustix::fs::openat(&entry.parent, name, flags, Mode::empty())?;
    match HostType::from_raw_mode(rustix::fs::fstat(&fd)?.st_mode) {
        HostType::RegularFile | HostType::Directory => {}
        HostType::Symlink => return Err(Errno::LOOP),
        _ => return Err(Errno::PERM),
    }
    match super::mount::chmod_path_fd(fd.as_fd(), mode) {
        // A host without /proc.
        Err(Host::NOENT | Host::NOTDIR) => {
            let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
            let fd = rustix::fs::openat(&entry.parent, name, flags, Mode::empty())?;
            Ok(rustix::fs::fchmod(&fd, mode)?)
        }
        other => Ok(other?),
    }
}
