//! Open descriptions and the descriptor table of a process.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use parking_lot::Mutex;

use crate::errno::Errno;
use crate::pipe::{PipeReader, PipeWriter};
use crate::stdio::{Sink, Source};
use crate::vfs::{DirHandle, FileHandle};

/// Preview 1 `fdflags`.
pub(crate) const APPEND: u16 = 1;
pub(crate) const DSYNC: u16 = 2;
pub(crate) const NONBLOCK: u16 = 4;
pub(crate) const RSYNC: u16 = 8;
pub(crate) const SYNC: u16 = 16;

/// Inherited descriptors from 3 on are moved up by this much.
pub(crate) const INHERITED_BASE: u32 = 16;
/// The preopened root.
pub(crate) const ROOT_FD: u32 = 3;

/// What a description is of.
pub(crate) enum Kind {
    File(Arc<FileHandle>),
    Dir(Arc<DirHandle>),
    PipeRead(PipeReader),
    PipeWrite(PipeWriter),
    Null,
    Zero,
    Full,
    Random,
    /// The call's stdin.
    Source(Source),
    /// The call's stdout or stderr.
    Sink(Sink),
}

/// An open description: shared by all descriptors that were duplicated or inherited from
/// one another.
pub(crate) struct Description {
    pub(crate) kind: Kind,
    pub(crate) offset: Mutex<u64>,
    flags: AtomicU16,
    /// Handed out as a preopened folder.
    pub(crate) preopen: bool,
    /// Opened for reading, for writing.
    pub(crate) read: bool,
    pub(crate) write: bool,
}

impl Description {
    pub(crate) fn new(kind: Kind, read: bool, write: bool, flags: u16) -> Arc<Description> {
        Arc::new(Description {
            kind,
            offset: Mutex::new(0),
            flags: AtomicU16::new(flags),
            preopen: false,
            read,
            write,
        })
    }

    pub(crate) fn root(dir: Arc<DirHandle>) -> Arc<Description> {
        Arc::new(Description {
            kind: Kind::Dir(dir),
            offset: Mutex::new(0),
            flags: AtomicU16::new(0),
            preopen: true,
            read: true,
            write: false,
        })
    }

    pub(crate) fn flags(&self) -> u16 {
        self.flags.load(Ordering::Acquire)
    }

    pub(crate) fn set_flags(&self, flags: u16) {
        self.flags.store(flags, Ordering::Release);
    }

    pub(crate) fn nonblocking(&self) -> bool {
        self.flags() & NONBLOCK != 0
    }
}

/// A process's descriptors.
pub(crate) struct FdTable {
    slots: Vec<Option<Arc<Description>>>,
    open: u32,
    max: u32,
}

/// Numbers stay below this, whatever the guest asks for.
const HIGHEST: u32 = 1 << 16;

impl FdTable {
    pub(crate) fn new(max: u32) -> Self {
        FdTable {
            slots: Vec::with_capacity(8),
            open: 0,
            max,
        }
    }

    pub(crate) fn get(&self, fd: u32) -> Result<&Arc<Description>, Errno> {
        usize::try_from(fd)
            .ok()
            .and_then(|fd| self.slots.get(fd))
            .and_then(Option::as_ref)
            .ok_or(Errno::BADF)
    }

    /// Puts a description at the lowest free number that is at least `min`.
    pub(crate) fn insert(&mut self, desc: Arc<Description>, min: u32) -> Result<u32, Errno> {
        if self.open >= self.max {
            return Err(Errno::MFILE);
        }
        let mut fd = usize::try_from(min.min(HIGHEST)).map_err(|_| Errno::MFILE)?;
        while self.slots.get(fd).is_some_and(Option::is_some) {
            fd += 1;
        }
        let fd = u32::try_from(fd).map_err(|_| Errno::MFILE)?;
        self.set(fd, desc)?;
        Ok(fd)
    }

    /// Puts a description at a number; what was there is closed.
    pub(crate) fn set(&mut self, fd: u32, desc: Arc<Description>) -> Result<(), Errno> {
        if fd >= HIGHEST {
            return Err(Errno::BADF);
        }
        let at = usize::try_from(fd).map_err(|_| Errno::BADF)?;
        if at >= self.slots.len() {
            self.slots.resize_with(at + 1, || None);
        }
        let Some(slot) = self.slots.get_mut(at) else {
            return Err(Errno::BADF);
        };
        if slot.is_none() {
            if self.open >= self.max {
                return Err(Errno::MFILE);
            }
            self.open += 1;
        }
        *slot = Some(desc);
        Ok(())
    }

    pub(crate) fn remove(&mut self, fd: u32) -> Result<Arc<Description>, Errno> {
        let taken = usize::try_from(fd)
            .ok()
            .and_then(|fd| self.slots.get_mut(fd))
            .and_then(Option::take)
            .ok_or(Errno::BADF)?;
        self.open -= 1;
        Ok(taken)
    }

    /// The numbers in use.
    pub(crate) fn numbers(&self) -> Vec<u32> {
        (0u32..)
            .zip(&self.slots)
            .filter(|(_, slot)| slot.is_some())
            .map(|(fd, _)| fd)
            .collect()
    }

    /// The number behind `/dev/fd/N`: an inherited descriptor, else the plain number.
    pub(crate) fn user_number(&self, n: u32) -> u32 {
        let moved = n.saturating_add(INHERITED_BASE);
        if n >= ROOT_FD && self.get(moved).is_ok() {
            moved
        } else {
            n
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn null() -> Arc<Description> {
        Description::new(Kind::Null, true, true, 0)
    }

    #[test]
    fn lowest_free_number_and_limit() {
        let mut t = FdTable::new(3);
        assert_eq!(t.insert(null(), 0), Ok(0));
        assert_eq!(t.insert(null(), 10), Ok(10));
        assert_eq!(t.insert(null(), 0), Ok(1));
        assert_eq!(t.insert(null(), 0), Err(Errno::MFILE));
        t.remove(0).unwrap();
        assert_eq!(t.remove(0).err(), Some(Errno::BADF));
        assert_eq!(t.insert(null(), 0), Ok(0));
        assert_eq!(t.numbers(), [0, 1, 10]);
        assert_eq!(t.set(u32::MAX, null()), Err(Errno::BADF));
    }

    #[test]
    fn inherited_numbers_are_found_by_their_user_number() {
        let mut t = FdTable::new(8);
        t.set(19, null()).unwrap();
        assert_eq!(t.user_number(3), 19);
        assert_eq!(t.user_number(4), 4);
        assert_eq!(t.user_number(1), 1);
    }
}
