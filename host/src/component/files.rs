//! `wasi:filesystem` over the kernel's file system.
//!
//! wasmtime-wasi's resource types are handles by number; here the numbers are those of the
//! kernel's own descriptions in the same table.

use std::io::{IoSlice, IoSliceMut};
use std::sync::Arc;

use wasmtime::component::Resource;
use wasmtime_wasi::p2::bindings::filesystem::{preopens, types};
use wasmtime_wasi::p2::{DynInputStream, DynOutputStream, FsError, FsResult};

use super::streams::{FileReader, FileWriter};
use super::{Files, convert};
use crate::errno::Errno;
use crate::fd::{Description, Kind, ROOT_FD};
use crate::vfs::{Base, FileHandle, FileType, OpenOptions, Times};
use crate::wasi::mem::MAX_PATH;
use crate::wasi::{describe, kind_stat, path_stat};

type Handle = Resource<types::Descriptor>;
type Entries = Resource<types::DirectoryEntryStream>;

/// Most bytes of one read.
const MAX_READ: u64 = 1 << 20;

/// A directory that is being listed.
struct Listing {
    desc: Arc<Description>,
    cookie: u64,
}

impl Files<'_> {
    fn desc(&self, fd: &Handle) -> FsResult<Arc<Description>> {
        let known: Resource<Arc<Description>> = Resource::new_borrow(fd.rep());
        Ok(Arc::clone(self.table.get(&known)?))
    }

    fn add(&mut self, desc: Arc<Description>) -> FsResult<Handle> {
        Ok(Resource::new_own(self.table.push(desc)?.rep()))
    }

    fn file(&self, fd: &Handle) -> FsResult<Arc<FileHandle>> {
        let desc = self.desc(fd)?;
        match &desc.kind {
            Kind::File(file) => Ok(Arc::clone(file)),
            Kind::Dir(_) => self.check(Err(Errno::ISDIR)),
            _ => self.check(Err(Errno::BADF)),
        }
    }

    fn check<T>(&self, result: Result<T, Errno>) -> FsResult<T> {
        result.map_err(|e| convert::error(e, &self.state.actor))
    }

    fn base<'b>(&'b self, desc: &'b Description, path: &str) -> FsResult<Base<'b>> {
        if path.is_empty() {
            return self.check(Err(Errno::NOENT));
        }
        if path.len() >= usize::try_from(MAX_PATH).unwrap_or(usize::MAX) {
            return self.check(Err(Errno::NAMETOOLONG));
        }
        if path.contains('\0') {
            return self.check(Err(Errno::INVAL));
        }
        match &desc.kind {
            Kind::Dir(_) if desc.preopen => Ok(self
                .state
                .vfs
                .foreign_base(&self.state.cwd, path.as_bytes())),
            Kind::Dir(dir) => Ok(Base::Dir(dir)),
            _ => self.check(Err(Errno::NOTDIR)),
        }
    }

    fn writer(&mut self, fd: &Handle, offset: Option<u64>) -> FsResult<Resource<DynOutputStream>> {
        let desc = self.desc(fd)?;
        if !desc.write {
            return self.check(Err(Errno::BADF));
        }
        let file = self.file(fd)?;
        let writer: DynOutputStream = Box::new(FileWriter {
            file,
            offset,
            actor: self.state.actor.fork(),
        });
        Ok(self.table.push(writer)?)
    }

    fn status(&self, fd: &Handle) -> FsResult<crate::vfs::Stat> {
        let desc = self.desc(fd)?;
        self.check(kind_stat(&desc))
    }

    fn status_at(
        &self,
        fd: &Handle,
        flags: types::PathFlags,
        path: &str,
    ) -> FsResult<crate::vfs::Stat> {
        let desc = self.desc(fd)?;
        let follow = flags.contains(types::PathFlags::SYMLINK_FOLLOW);
        let base = self.base(&desc, path)?;
        let stated = self.state.vfs.stat(base, path.as_bytes(), follow);
        self.check(stated.and_then(|stated| path_stat(self.state, stated)))
    }
}

fn hash(stat: &crate::vfs::Stat) -> types::MetadataHashValue {
    let words = [stat.dev, stat.ino, stat.size, stat.mtime, stat.ctime];
    let bytes: Vec<u8> = words.iter().flat_map(|w| w.to_le_bytes()).collect();
    let digest = *blake3::hash(&bytes).as_bytes();
    let word = |at: usize| {
        let part = digest.get(at..at + 8).and_then(|part| part.try_into().ok());
        u64::from_le_bytes(part.unwrap_or_default())
    };
    types::MetadataHashValue {
        lower: word(0),
        upper: word(8),
    }
}

impl preopens::Host for Files<'_> {
    fn get_directories(&mut self) -> wasmtime::Result<Vec<(Handle, String)>> {
        let Ok(root) = self.state.fds.get(ROOT_FD) else {
            return Ok(Vec::new());
        };
        let root = self.table.push(Arc::clone(root))?;
        Ok(vec![(Resource::new_own(root.rep()), "/".to_owned())])
    }
}

impl types::Host for Files<'_> {
    fn convert_error_code(&mut self, e: FsError) -> wasmtime::Result<types::ErrorCode> {
        e.downcast()
    }

    fn filesystem_error_code(
        &mut self,
        e: Resource<wasmtime::Error>,
    ) -> wasmtime::Result<Option<types::ErrorCode>> {
        let e = self.table.get(&e)?.downcast_ref::<Errno>().copied();
        match e.map(|e| convert::error(e, &self.state.actor)) {
            Some(e) => e.downcast().map(Some),
            None => Ok(None),
        }
    }
}

impl types::HostDescriptor for Files<'_> {
    async fn advise(
        &mut self,
        fd: Handle,
        offset: u64,
        len: u64,
        _: types::Advice,
    ) -> FsResult<()> {
        let file = self.file(&fd)?;
        self.check(file.advise(offset, len, 0))
    }

    async fn sync_data(&mut self, fd: Handle) -> FsResult<()> {
        let file = self.file(&fd)?;
        self.check(file.datasync())
    }

    async fn get_flags(&mut self, fd: Handle) -> FsResult<types::DescriptorFlags> {
        let desc = self.desc(&fd)?;
        let mut flags = types::DescriptorFlags::empty();
        if desc.read {
            flags |= types::DescriptorFlags::READ;
        }
        if desc.write {
            flags |= types::DescriptorFlags::WRITE;
        }
        if matches!(desc.kind, Kind::Dir(_)) {
            flags |= types::DescriptorFlags::MUTATE_DIRECTORY;
        }
        Ok(flags)
    }

    async fn get_type(&mut self, fd: Handle) -> FsResult<types::DescriptorType> {
        Ok(convert::file_type(self.status(&fd)?.file_type))
    }

    async fn set_size(&mut self, fd: Handle, size: u64) -> FsResult<()> {
        if !self.desc(&fd)?.write {
            return self.check(Err(Errno::BADF));
        }
        let file = self.file(&fd)?;
        self.check(i64::try_from(size).map_err(|_| Errno::INVAL))?;
        self.check(file.set_len(&self.state.actor, size))
    }

    async fn set_times(
        &mut self,
        fd: Handle,
        atime: types::NewTimestamp,
        mtime: types::NewTimestamp,
    ) -> FsResult<()> {
        let desc = self.desc(&fd)?;
        let times = Times {
            atime: self.check(convert::when(&atime))?,
            mtime: self.check(convert::when(&mtime))?,
        };
        let actor = &self.state.actor;
        self.check(match &desc.kind {
            Kind::File(file) => file.set_times(actor, times),
            Kind::Dir(dir) => dir.set_times(actor, times),
            _ => Err(Errno::INVAL),
        })
    }

    async fn read(&mut self, fd: Handle, len: u64, offset: u64) -> FsResult<(Vec<u8>, bool)> {
        let desc = self.desc(&fd)?;
        if !desc.read {
            return self.check(Err(Errno::BADF));
        }
        let file = self.file(&fd)?;
        self.check(i64::try_from(offset).map_err(|_| Errno::INVAL))?;
        let mut buf = vec![0u8; usize::try_from(len.min(MAX_READ)).unwrap_or(0)];
        let n = self.check(file.read_at(&mut [IoSliceMut::new(&mut buf)], offset))?;
        buf.truncate(n);
        Ok((buf, n == 0 && len > 0))
    }

    async fn write(&mut self, fd: Handle, bytes: Vec<u8>, offset: u64) -> FsResult<u64> {
        if !self.desc(&fd)?.write {
            return self.check(Err(Errno::BADF));
        }
        let file = self.file(&fd)?;
        self.check(i64::try_from(offset).map_err(|_| Errno::INVAL))?;
        let n = file.write_at(&self.state.actor, &[IoSlice::new(&bytes)], offset);
        self.check(n.map(|n| n as u64))
    }

    async fn read_directory(&mut self, fd: Handle) -> FsResult<Entries> {
        let desc = self.desc(&fd)?;
        if !matches!(desc.kind, Kind::Dir(_)) {
            return self.check(Err(Errno::NOTDIR));
        }
        let listing = self.table.push(Listing { desc, cookie: 0 })?;
        Ok(Resource::new_own(listing.rep()))
    }

    async fn sync(&mut self, fd: Handle) -> FsResult<()> {
        let desc = self.desc(&fd)?;
        self.check(match &desc.kind {
            Kind::File(file) => file.sync(),
            Kind::Dir(dir) => dir.sync(),
            _ => Err(Errno::INVAL),
        })
    }

    async fn create_directory_at(&mut self, fd: Handle, path: String) -> FsResult<()> {
        let desc = self.desc(&fd)?;
        let base = self.base(&desc, &path)?;
        self.check(
            self.state
                .vfs
                .mkdir(&self.state.actor, base, path.as_bytes(), 0o777),
        )
    }

    async fn stat(&mut self, fd: Handle) -> FsResult<types::DescriptorStat> {
        Ok(convert::stat(&self.status(&fd)?))
    }

    async fn stat_at(
        &mut self,
        fd: Handle,
        flags: types::PathFlags,
        path: String,
    ) -> FsResult<types::DescriptorStat> {
        Ok(convert::stat(&self.status_at(&fd, flags, &path)?))
    }

    async fn set_times_at(
        &mut self,
        fd: Handle,
        flags: types::PathFlags,
        path: String,
        atime: types::NewTimestamp,
        mtime: types::NewTimestamp,
    ) -> FsResult<()> {
        let desc = self.desc(&fd)?;
        let times = Times {
            atime: self.check(convert::when(&atime))?,
            mtime: self.check(convert::when(&mtime))?,
        };
        let base = self.base(&desc, &path)?;
        let follow = flags.contains(types::PathFlags::SYMLINK_FOLLOW);
        let (vfs, actor) = (&self.state.vfs, &self.state.actor);
        self.check(vfs.set_times(actor, base, path.as_bytes(), follow, times))
    }

    async fn link_at(
        &mut self,
        fd: Handle,
        flags: types::PathFlags,
        old: String,
        to: Handle,
        new: String,
    ) -> FsResult<()> {
        let (from, to) = (self.desc(&fd)?, self.desc(&to)?);
        let (a, b) = (self.base(&from, &old)?, self.base(&to, &new)?);
        let follow = flags.contains(types::PathFlags::SYMLINK_FOLLOW);
        let (vfs, actor) = (&self.state.vfs, &self.state.actor);
        self.check(vfs.link(actor, a, old.as_bytes(), follow, b, new.as_bytes()))
    }

    async fn open_at(
        &mut self,
        fd: Handle,
        lookup: types::PathFlags,
        path: String,
        oflags: types::OpenFlags,
        flags: types::DescriptorFlags,
    ) -> FsResult<Handle> {
        let desc = self.desc(&fd)?;
        let directory = oflags.contains(types::OpenFlags::DIRECTORY);
        let write = !directory && flags.contains(types::DescriptorFlags::WRITE);
        let read = flags.contains(types::DescriptorFlags::READ) || !write;
        let options = OpenOptions {
            read,
            write,
            create: oflags.contains(types::OpenFlags::CREATE),
            exclusive: oflags.contains(types::OpenFlags::EXCLUSIVE),
            truncate: oflags.contains(types::OpenFlags::TRUNCATE),
            directory,
            nofollow: !lookup.contains(types::PathFlags::SYMLINK_FOLLOW),
            mode: 0o666,
        };
        let base = self.base(&desc, &path)?;
        let (vfs, actor) = (&self.state.vfs, &self.state.actor);
        let opened = self.check(vfs.open(actor, base, path.as_bytes(), options))?;
        let made = self.check(describe(self.state, opened, (read, write), 0))?;
        self.add(made)
    }

    fn drop(&mut self, fd: Handle) -> wasmtime::Result<()> {
        let known: Resource<Arc<Description>> = Resource::new_own(fd.rep());
        self.table.delete(known)?;
        Ok(())
    }

    async fn readlink_at(&mut self, fd: Handle, path: String) -> FsResult<String> {
        let desc = self.desc(&fd)?;
        let base = self.base(&desc, &path)?;
        let target = self.check(self.state.vfs.readlink(base, path.as_bytes()))?;
        self.check(String::from_utf8(target).map_err(|_| Errno::ILSEQ))
    }

    async fn remove_directory_at(&mut self, fd: Handle, path: String) -> FsResult<()> {
        let desc = self.desc(&fd)?;
        let base = self.base(&desc, &path)?;
        self.check(
            self.state
                .vfs
                .rmdir(&self.state.actor, base, path.as_bytes()),
        )
    }

    async fn rename_at(
        &mut self,
        fd: Handle,
        old: String,
        to: Handle,
        new: String,
    ) -> FsResult<()> {
        let (from, to) = (self.desc(&fd)?, self.desc(&to)?);
        let (a, b) = (self.base(&from, &old)?, self.base(&to, &new)?);
        let (vfs, actor) = (&self.state.vfs, &self.state.actor);
        self.check(vfs.rename(actor, a, old.as_bytes(), b, new.as_bytes()))
    }

    async fn symlink_at(&mut self, fd: Handle, target: String, path: String) -> FsResult<()> {
        let desc = self.desc(&fd)?;
        let base = self.base(&desc, &path)?;
        let (vfs, actor) = (&self.state.vfs, &self.state.actor);
        self.check(vfs.symlink(actor, target.as_bytes(), base, path.as_bytes()))
    }

    async fn unlink_file_at(&mut self, fd: Handle, path: String) -> FsResult<()> {
        let desc = self.desc(&fd)?;
        let base = self.base(&desc, &path)?;
        self.check(
            self.state
                .vfs
                .unlink(&self.state.actor, base, path.as_bytes()),
        )
    }

    fn read_via_stream(&mut self, fd: Handle, offset: u64) -> FsResult<Resource<DynInputStream>> {
        if !self.desc(&fd)?.read {
            return self.check(Err(Errno::BADF));
        }
        let file = self.file(&fd)?;
        let reader: DynInputStream = Box::new(FileReader {
            file,
            offset,
            actor: self.state.actor.fork(),
        });
        Ok(self.table.push(reader)?)
    }

    fn write_via_stream(&mut self, fd: Handle, offset: u64) -> FsResult<Resource<DynOutputStream>> {
        self.writer(&fd, Some(offset))
    }

    fn append_via_stream(&mut self, fd: Handle) -> FsResult<Resource<DynOutputStream>> {
        self.writer(&fd, None)
    }

    async fn is_same_object(&mut self, a: Handle, b: Handle) -> wasmtime::Result<bool> {
        let id = |fd: &Handle| self.status(fd).map(|s| (s.dev, s.ino)).ok();
        let (a, b) = (id(&a), id(&b));
        Ok(a.is_some() && a == b)
    }

    async fn metadata_hash(&mut self, fd: Handle) -> FsResult<types::MetadataHashValue> {
        Ok(hash(&self.status(&fd)?))
    }

    async fn metadata_hash_at(
        &mut self,
        fd: Handle,
        flags: types::PathFlags,
        path: String,
    ) -> FsResult<types::MetadataHashValue> {
        Ok(hash(&self.status_at(&fd, flags, &path)?))
    }
}

impl types::HostDirectoryEntryStream for Files<'_> {
    async fn read_directory_entry(
        &mut self,
        entries: Entries,
    ) -> FsResult<Option<types::DirectoryEntry>> {
        let known: Resource<Listing> = Resource::new_borrow(entries.rep());
        let listing = self.table.get_mut(&known)?;
        let desc = Arc::clone(&listing.desc);
        let Kind::Dir(dir) = &desc.kind else {
            return Ok(None);
        };
        let mut next: Option<(String, FileType)> = None;
        let mut cookie = listing.cookie;
        let result = dir.read_dir(cookie, &[], &mut |entry| {
            cookie = entry.next_cookie;
            match std::str::from_utf8(entry.name) {
                // Names that are no text cannot be told to a component.
                Ok("." | "..") | Err(_) => true,
                Ok(name) => {
                    next = Some((name.to_owned(), entry.file_type));
                    false
                }
            }
        });
        listing.cookie = cookie;
        self.check(result)?;
        Ok(next.map(|(name, t)| types::DirectoryEntry {
            type_: convert::file_type(t),
            name,
        }))
    }

    fn drop(&mut self, entries: Entries) -> wasmtime::Result<()> {
        let known: Resource<Listing> = Resource::new_own(entries.rep());
        self.table.delete(known)?;
        Ok(())
    }
}
