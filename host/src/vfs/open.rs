//! Opening.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use rustix::fs::{FileType as HostType, Mode, OFlags, Stat as HostStat};
use rustix::io::Errno as Host;

use super::dir::{Dir, Tracked};
use super::file::Opening;
use super::journal::Event;
use super::path::{self, Text};
use super::resolve::{BENEATH, Below, Entry, Located, PLAIN, undecided};
use super::tree::Leaf;
use super::walk::{Ended, Last, Walk};
use super::{Actor, Base, DirHandle, FileHandle, FileType, OpenOptions, Opened, Vfs, meta};
use crate::errno::Errno;

/// How often an open starts over because someone changes its last component all the time.
const RETRIES: usize = 64;

impl OpenOptions {
    fn writes(&self) -> bool {
        self.write || self.truncate
    }

    /// Flags that never block, never follow a terminal, never truncate: truncation comes
    /// after the size is known.
    fn flags(&self) -> OFlags {
        let mut flags = OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
        flags |= match (self.read, self.writes()) {
            (_, false) => OFlags::RDONLY,
            (false, true) => OFlags::WRONLY,
            (true, true) => OFlags::RDWR,
        };
        flags.set(OFlags::NOFOLLOW, self.nofollow);
        flags.set(OFlags::DIRECTORY, self.directory);
        flags
    }
}

impl Vfs {
    /// Opens a path. Regular files, directories, devices of `/dev` and commands; NXIO for
    /// anything else that a mounted folder may hold.
    pub(crate) fn open(
        self: &Arc<Self>,
        actor: &Actor,
        base: Base<'_>,
        path: &[u8],
        o: OpenOptions,
    ) -> Result<Opened, Errno> {
        match self.locate(base, path)? {
            Located::Dir(dir) => self.open_dir(dir, &o),
            Located::Leaf(leaf) => open_leaf(leaf, &o),
            Located::Missing if o.create => Err(Errno::ROFS),
            Located::Missing => Err(Errno::NOENT),
            Located::Below(below) => {
                let last = path::split(below.rest);
                if o.create && last.is_some_and(|l| l.slash && !path::is_dots(l.name)) {
                    // A name with a slash behind it cannot be created, there or not.
                    self.spot(base, path)?;
                    return Err(Errno::ISDIR);
                }
                let opened = match self.openat2 {
                    true if o.create => self.create_quick(actor, &below, &o)?,
                    true => self.open_quick(actor, &below, &o)?,
                    false => None,
                };
                match opened {
                    Some(opened) => Ok(opened),
                    None => self.open_slow(actor, base, path, &o),
                }
            }
        }
    }

    /// Opens a directory that is already at hand.
    fn open_dir(self: &Arc<Self>, dir: Dir, o: &OpenOptions) -> Result<Opened, Errno> {
        if o.create && o.exclusive {
            return Err(Errno::EXIST);
        }
        if o.writes() || o.create {
            return Err(Errno::ISDIR);
        }
        let dir = match dir {
            Dir::Below(below) => {
                let fd = super::mount::reopen_dir(below.fd.as_fd())?;
                Dir::below(below.mount, fd, below.path.lock().clone())
            }
            other => other,
        };
        Ok(Opened::Dir(DirHandle::open(self.clone(), dir)?))
    }

    fn open_quick(
        self: &Arc<Self>,
        actor: &Actor,
        below: &Below<'_, '_>,
        o: &OpenOptions,
    ) -> Result<Option<Opened>, Errno> {
        if o.writes() && self.writable(below.mount).is_err() {
            return Ok(None);
        }
        // What is only read need not be known by its letters.
        let plain = o.writes() || o.directory;
        let resolve = if plain { PLAIN } else { BENEATH };
        let seen = self.moves.now();
        match rustix::fs::openat2(below.fd, below.rest, o.flags(), Mode::empty(), resolve) {
            Ok(fd) => {
                let path = match plain {
                    true => self.lexical(below),
                    // Looked up again should it ever matter.
                    false => self.base_path(below).map(|mut text| {
                        path::push(&mut text, below.rest);
                        text
                    }),
                };
                let path = Tracked::new(seen, path);
                let opening = Opening {
                    mount: below.mount,
                    fd,
                    path,
                    plain,
                    created: false,
                };
                self.opened(actor, opening, o)
            }
            Err(e) if undecided(e) => Ok(None),
            Err(e) => Err(e.into()),
        }
    }

    /// The path below the mount, right by its letters if no link was met.
    fn lexical(&self, below: &Below<'_, '_>) -> Option<Text> {
        self.base_path(below).map(|mut text| {
            path::join(&mut text, below.rest);
            text
        })
    }

    fn create_quick(
        self: &Arc<Self>,
        actor: &Actor,
        below: &Below<'_, '_>,
        o: &OpenOptions,
    ) -> Result<Option<Opened>, Errno> {
        if self.writable(below.mount).is_err() || o.directory {
            return Ok(None);
        }
        let seen = self.moves.now();
        let path = self.lexical(below);
        let opening = |fd, path, created| {
            let path = Tracked::new(seen, path);
            Opening {
                mount: below.mount,
                fd,
                path,
                plain: true,
                created,
            }
        };
        if !o.exclusive {
            match rustix::fs::openat2(below.fd, below.rest, o.flags(), Mode::empty(), PLAIN) {
                Ok(fd) => return self.opened(actor, opening(fd, path, false), o),
                Err(Host::NOENT) => {}
                Err(e) if undecided(e) => return Ok(None),
                Err(e) => return Err(e.into()),
            }
        }
        let create = |flags, mode| rustix::fs::openat2(below.fd, below.rest, flags, mode, PLAIN);
        match self.create_with(actor, below.mount, path.as_ref(), o, create)? {
            Ok(fd) => self.opened(actor, opening(fd, path, true), o),
            Err(Host::EXIST) if o.exclusive => Err(Errno::EXIST),
            Err(Host::EXIST) => Ok(None),
            Err(e) if undecided(e) => Ok(None),
            Err(e) => Err(e.into()),
        }
    }

    /// Counts and creates a file that is not there yet; the inner error is the kernel's.
    fn create_with(
        &self,
        actor: &Actor,
        mount: usize,
        path: Option<&Text>,
        o: &OpenOptions,
        create: impl FnOnce(OFlags, Mode) -> Result<OwnedFd, Host>,
    ) -> Result<Result<OwnedFd, Host>, Errno> {
        self.check_new_depth(actor, path)?;
        let pool = self.mount(mount)?.pool;
        self.prepare_growth(pool);
        if let Some(pool) = pool {
            self.reserve_file(actor, pool)?;
        }
        let mode = o.mode & 0o777 & !actor.umask();
        let flags = o.flags() | OFlags::CREATE | OFlags::EXCL;
        let made = create(flags, meta::mode_bits(mode)).and_then(|fd| {
            if mode & super::mount::host_umask() != 0 {
                rustix::fs::fchmod(&fd, meta::mode_bits(mode))?;
            }
            Ok(fd)
        });
        match (&made, pool) {
            (Err(_), Some(pool)) => self.ledger.pool(pool).give_file(),
            (Ok(_), _) => match path {
                Some(path) => self.note(actor, mount, Event::Created(path, FileType::File)),
                None => self.note(actor, mount, Event::Unknown),
            },
            _ => {}
        }
        Ok(made)
    }

    /// NAMETOOLONG for a new name deeper than allowed.
    pub(super) fn check_new_depth(&self, actor: &Actor, path: Option<&Text>) -> Result<(), Errno> {
        let depth = path.map_or(0, |p| path::components(p).count());
        if depth > actor.limits.path_depth {
            Err(Errno::NAMETOOLONG)
        } else {
            Ok(())
        }
    }

    fn open_slow(
        self: &Arc<Self>,
        actor: &Actor,
        base: Base<'_>,
        path: &[u8],
        o: &OpenOptions,
    ) -> Result<Opened, Errno> {
        let last = match o.nofollow || (o.create && o.exclusive) {
            true => Last::NoFollow,
            false => Last::Follow,
        };
        for _ in 0..RETRIES {
            let seen = self.moves.now();
            let mut walk = Walk::new(self, base, path)?;
            let found = match walk.run(path, last)? {
                Ended::Dir => return self.open_dir(walk.into_dir()?, o),
                Ended::Leaf(leaf) => return open_leaf(leaf, o),
                Ended::Missing if o.create => return Err(Errno::ROFS),
                Ended::Missing => return Err(Errno::NOENT),
                Ended::Entry(found) => found,
            };
            let entry = walk.entry(found.name, found.slash)?;
            let opened = match found.node {
                None => self.create_slow(actor, &entry, o, seen)?,
                Some((_, stat)) => self.open_found(actor, &entry, &stat, o, seen)?,
            };
            if let Some(opened) = opened {
                return Ok(opened);
            }
        }
        Err(Errno::LOOP)
    }

    /// Creates at an entry that did not exist; None if it does now.
    fn create_slow(
        self: &Arc<Self>,
        actor: &Actor,
        entry: &Entry<'_>,
        o: &OpenOptions,
        seen: u64,
    ) -> Result<Option<Opened>, Errno> {
        if !o.create {
            return Err(Errno::NOENT);
        }
        if entry.slash {
            return Err(Errno::ISDIR);
        }
        if o.directory {
            return Err(Errno::INVAL);
        }
        self.writable(entry.mount)?;
        let path = entry.path();
        let create = |flags: OFlags, mode| {
            rustix::fs::openat(
                &entry.parent,
                &entry.name[..],
                flags | OFlags::NOFOLLOW,
                mode,
            )
        };
        match self.create_with(actor, entry.mount, path.as_ref(), o, create)? {
            Ok(fd) => {
                let path = Tracked::new(seen, path);
                let opening = Opening {
                    mount: entry.mount,
                    fd,
                    path,
                    plain: true,
                    created: true,
                };
                self.opened(actor, opening, o)
            }
            Err(Host::EXIST) if !o.exclusive => Ok(None),
            Err(e) => Err(e.into()),
        }
    }

    /// Opens an entry that was seen to exist; None if it has changed since.
    fn open_found(
        self: &Arc<Self>,
        actor: &Actor,
        entry: &Entry<'_>,
        stat: &HostStat,
        o: &OpenOptions,
        seen: u64,
    ) -> Result<Option<Opened>, Errno> {
        if o.create && o.exclusive {
            return Err(Errno::EXIST);
        }
        match HostType::from_raw_mode(stat.st_mode) {
            HostType::Directory if o.writes() || o.create => return Err(Errno::ISDIR),
            HostType::Directory => {}
            // The target of a link ended with a slash.
            _ if entry.slash && o.create => return Err(Errno::ISDIR),
            _ if entry.slash || o.directory => return Err(Errno::NOTDIR),
            HostType::Symlink => return Err(Errno::LOOP),
            HostType::RegularFile if o.writes() => self.writable(entry.mount)?,
            HostType::RegularFile => {}
            _ => return Err(Errno::NXIO),
        }
        let flags = o.flags() | OFlags::NOFOLLOW;
        match rustix::fs::openat(&entry.parent, &entry.name[..], flags, Mode::empty()) {
            Ok(fd) => {
                let path = Tracked::new(seen, entry.path());
                let opening = Opening {
                    mount: entry.mount,
                    fd,
                    path,
                    plain: true,
                    created: false,
                };
                self.opened(actor, opening, o)
            }
            // It was another thing a moment ago.
            Err(Host::NOENT | Host::LOOP | Host::NOTDIR | Host::ISDIR) => Ok(None),
            Err(e) => Err(e.into()),
        }
    }

    /// Turns a fresh host handle into what the guest gets; None if the careful way has to
    /// find out the path of a directory.
    fn opened(
        self: &Arc<Self>,
        actor: &Actor,
        opening: Opening,
        o: &OpenOptions,
    ) -> Result<Option<Opened>, Errno> {
        let stat = rustix::fs::fstat(&opening.fd)?;
        if self.check_modes && !opening.created {
            let need =
                if o.writes() { 0o200 } else { 0 } | if o.read || !o.writes() { 0o400 } else { 0 };
            if stat.st_mode & need != need {
                return Err(Errno::ACCES);
            }
        }
        match HostType::from_raw_mode(stat.st_mode) {
            HostType::Directory if o.create || o.writes() => Err(Errno::ISDIR),
            HostType::Directory if !opening.plain => Ok(None),
            HostType::Directory => {
                let dir = Dir::below(opening.mount, opening.fd, opening.path);
                Ok(Some(Opened::Dir(DirHandle::open(self.clone(), dir)?)))
            }
            HostType::RegularFile => {
                let truncate = o.truncate && !opening.created;
                let file = FileHandle::new(self.clone(), actor, opening, &stat, o)?;
                if truncate {
                    file.truncate_on_open(actor)?;
                }
                Ok(Some(Opened::File(Arc::new(file))))
            }
            _ => Err(Errno::NXIO),
        }
    }
}

fn open_leaf(leaf: Leaf, o: &OpenOptions) -> Result<Opened, Errno> {
    if o.create && o.exclusive {
        return Err(Errno::EXIST);
    }
    if o.directory {
        return Err(Errno::NOTDIR);
    }
    match leaf {
        Leaf::Device(device) => Ok(Opened::Device(device)),
        Leaf::Command(_) if o.writes() => Err(Errno::ROFS),
        Leaf::Command(name) => Ok(Opened::Command(name)),
    }
}
