//! Signatures only, until the file system is there.
#![allow(dead_code, unused_variables, unused_imports, missing_docs, clippy::unused_self)]

#[path = "vfs/types.rs"]
mod types;
pub(crate) mod dir {
    use super::*;
    #[derive(Clone)]
    pub(crate) struct Dir;
    pub(crate) struct DirHandle;
    impl DirHandle {
        pub(crate) fn read_dir(&self, cookie: u64, fds: &[u32], f: &mut dyn FnMut(DirEntry<'_>) -> bool) -> Result<()> { Err(Errno::NOSYS) }
        pub(crate) fn lists_fds(&self) -> bool { false }
        pub(crate) fn stat(&self) -> Result<Stat> { Err(Errno::NOSYS) }
        pub(crate) fn set_times(&self, a: &Actor, t: Times) -> Result<()> { Err(Errno::NOSYS) }
        pub(crate) fn chmod(&self, a: &Actor, m: u32) -> Result<()> { Err(Errno::NOSYS) }
        pub(crate) fn sync(&self) -> Result<()> { Err(Errno::NOSYS) }
        pub(crate) fn path(&self) -> Vec<u8> { Vec::new() }
    }
}
pub(crate) mod file {
    use super::*;
    pub(crate) struct FileHandle;
    pub(crate) enum Flock { Shared, Exclusive, Unlock }
    impl FileHandle {
        pub(crate) fn readable(&self) -> bool { false }
        pub(crate) fn writable(&self) -> bool { false }
        pub(crate) fn stat(&self) -> Result<Stat> { Err(Errno::NOSYS) }
        pub(crate) fn len(&self) -> Result<u64> { Err(Errno::NOSYS) }
        pub(crate) fn read_at(&self, b: &mut [IoSliceMut<'_>], off: u64) -> Result<usize> { Err(Errno::NOSYS) }
        pub(crate) fn write_at(&self, a: &Actor, b: &[IoSlice<'_>], off: u64) -> Result<usize> { Err(Errno::NOSYS) }
        pub(crate) fn append(&self, a: &Actor, b: &[IoSlice<'_>]) -> Result<(usize, u64)> { Err(Errno::NOSYS) }
        pub(crate) fn set_len(&self, a: &Actor, n: u64) -> Result<()> { Err(Errno::NOSYS) }
        pub(crate) fn allocate(&self, a: &Actor, o: u64, n: u64) -> Result<()> { Err(Errno::NOSYS) }
        pub(crate) fn advise(&self, o: u64, n: u64, advice: u8) -> Result<()> { Err(Errno::NOSYS) }
        pub(crate) fn sync(&self) -> Result<()> { Err(Errno::NOSYS) }
        pub(crate) fn datasync(&self) -> Result<()> { Err(Errno::NOSYS) }
        pub(crate) fn set_times(&self, a: &Actor, t: Times) -> Result<()> { Err(Errno::NOSYS) }
        pub(crate) fn chmod(&self, a: &Actor, m: u32) -> Result<()> { Err(Errno::NOSYS) }
        pub(crate) fn try_flock(&self, op: Flock) -> Result<()> { Err(Errno::NOSYS) }
        pub(crate) fn flock_changed(&self, w: &std::task::Waker) {}
        pub(crate) fn path(&self) -> Vec<u8> { Vec::new() }
    }
}
use crate::errno::Errno;
use crate::limits::Limits;
pub(crate) use dir::DirHandle;
pub(crate) use file::{FileHandle, Flock};
use std::io::{IoSlice, IoSliceMut};
use std::sync::Arc;
pub(crate) use types::{Base, Cwd, Device, DirEntry, OpenOptions, Opened, Stat, StatFs, Stated, Times, When};
pub use types::{Access, Change, ChangeKind, DirSource, FileType, QuotaExceeded, Scratch};
type Result<T> = std::result::Result<T, Errno>;
pub(crate) type Commands = Arc<dyn Fn() -> Vec<String> + Send + Sync>;
#[derive(Debug, thiserror::Error)]
#[error("no file system")]
pub struct VfsError;
pub(crate) struct CallJournal;
impl CallJournal {
    pub(crate) fn new() -> Arc<CallJournal> { Arc::new(CallJournal) }
    pub(crate) fn changes(&self) -> Vec<Change> { Vec::new() }
    pub(crate) fn overflowed(&self) -> bool { false }
}
pub(crate) struct Actor;
impl Actor {
    pub(crate) fn new(l: &Limits, umask: u32, j: Arc<CallJournal>) -> Actor { Actor }
    pub(crate) fn set_umask(&self, m: u32) -> u32 { 0o22 }
    pub(crate) fn umask(&self) -> u32 { 0o22 }
    pub(crate) fn take_quota_hit(&self) -> Option<QuotaExceeded> { None }
    pub(crate) fn fork(&self) -> Actor { Actor }
}
pub(crate) struct VfsBuilder;
impl VfsBuilder {
    pub(crate) fn workspace(self, d: DirSource, a: Access) -> Self { self }
    pub(crate) fn mount(self, p: &str, d: DirSource, a: Access) -> Self { self }
    pub(crate) fn scratch(self, s: Scratch) -> Self { self }
    pub(crate) fn tty(self, t: bool) -> Self { self }
    pub(crate) fn usage(self, b: u64, f: u64) -> Self { self }
    pub(crate) fn build(self) -> std::result::Result<Arc<Vfs>, VfsError> { Ok(Arc::new(Vfs)) }
}
pub(crate) struct Vfs;
impl Vfs {
    pub(crate) fn builder(l: &Limits, c: Commands) -> VfsBuilder { VfsBuilder }
    pub(crate) fn changes(&self) -> Vec<Change> { Vec::new() }
    pub(crate) fn drain_changes(&self) -> Vec<Change> { Vec::new() }
    pub(crate) fn changes_overflowed(&self) -> bool { false }
    pub(crate) fn usage(&self) -> (u64, u64, u64) { (0, 0, 0) }
    pub(crate) fn root_dir(self: &Arc<Self>) -> Arc<DirHandle> { Arc::new(DirHandle) }
    pub(crate) fn cwd_root(self: &Arc<Self>) -> Cwd { Cwd { dir: dir::Dir, path: Arc::from(&b"/"[..]) } }
    pub(crate) fn chdir(self: &Arc<Self>, b: Base<'_>, p: &[u8]) -> Result<Cwd> { Ok(self.cwd_root()) }
    pub(crate) fn cwd_of(self: &Arc<Self>, d: &DirHandle) -> Cwd { self.cwd_root() }
    pub(crate) fn foreign_base<'a>(self: &Arc<Self>, cwd: &'a Cwd, p: &[u8]) -> Base<'a> { Base::Root }
    pub(crate) fn open(self: &Arc<Self>, a: &Actor, b: Base<'_>, p: &[u8], o: OpenOptions) -> Result<Opened> { Err(Errno::NOENT) }
    pub(crate) fn stat(self: &Arc<Self>, b: Base<'_>, p: &[u8], follow: bool) -> Result<Stated> { Err(Errno::NOENT) }
    pub(crate) fn mkdir(self: &Arc<Self>, a: &Actor, b: Base<'_>, p: &[u8], mode: u32) -> Result<()> { Err(Errno::NOENT) }
    pub(crate) fn rmdir(self: &Arc<Self>, a: &Actor, b: Base<'_>, p: &[u8]) -> Result<()> { Err(Errno::NOENT) }
    pub(crate) fn unlink(self: &Arc<Self>, a: &Actor, b: Base<'_>, p: &[u8]) -> Result<()> { Err(Errno::NOENT) }
    pub(crate) fn rename(self: &Arc<Self>, a: &Actor, b: Base<'_>, p: &[u8], b2: Base<'_>, p2: &[u8]) -> Result<()> { Err(Errno::NOENT) }
    pub(crate) fn link(self: &Arc<Self>, a: &Actor, b: Base<'_>, p: &[u8], follow: bool, b2: Base<'_>, p2: &[u8]) -> Result<()> { Err(Errno::NOENT) }
    pub(crate) fn symlink(self: &Arc<Self>, a: &Actor, t: &[u8], b: Base<'_>, p: &[u8]) -> Result<()> { Err(Errno::NOENT) }
    pub(crate) fn readlink(self: &Arc<Self>, b: Base<'_>, p: &[u8]) -> Result<Vec<u8>> { Err(Errno::NOENT) }
    pub(crate) fn set_times(self: &Arc<Self>, a: &Actor, b: Base<'_>, p: &[u8], follow: bool, t: Times) -> Result<()> { Err(Errno::NOENT) }
    pub(crate) fn chmod(self: &Arc<Self>, a: &Actor, b: Base<'_>, p: &[u8], mode: u32) -> Result<()> { Err(Errno::NOENT) }
    pub(crate) fn statfs(self: &Arc<Self>, b: Base<'_>, p: &[u8]) -> Result<StatFs> { Err(Errno::NOENT) }
}
